package forward_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kakusho/door/carry"
	"kakusho/door/forward"
	"kakusho/door/lines"
	"kakusho/event"
)

// other is the other end: the real door, and behind it a sink in memory that fails
// as often as told.
type other struct {
	mu      sync.Mutex
	door    http.Handler
	lines   []event.Event
	brought map[string]bool
	fail    int                              // of 20 requests
	full    int                              // so many batches find no room
	answer  func(w http.ResponseWriter) bool // instead of taking; nil: none
	tokens  []string
}

func (o *other) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.tokens = append(o.tokens, r.Header.Get("Authorization"))
	if o.answer != nil && o.answer(w) {
		o.mu.Unlock()
		return
	}
	o.mu.Unlock()
	switch how := rand.IntN(20); {
	case how >= o.fail:
		o.door.ServeHTTP(w, r)
		return
	case how%2 == 0:
		w.Header().Set("Retry-After", "0")
		http.Error(w, "full", http.StatusServiceUnavailable)
		return
	}
	o.door.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler) // the answer is lost
}

func (o *other) Accept(_ context.Context, b event.Batch, note bool) (event.Receipt, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.full > 0 {
		o.full--
		return event.Receipt{}, event.ErrFull
	}
	key := fmt.Sprint(b.Sender, " ", b.Number)
	r := event.Receipt{Taken: len(b.Events), Duplicate: o.brought[key]}
	if !r.Duplicate {
		o.lines = append(o.lines, b.Events...)
		o.brought[key] = true
		r.Note = []byte("note of " + key)
	}
	return r, nil
}

func (o *other) Lost(event.Origin, int64, string) {}

func (o *other) texts() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := map[string]int{}
	for _, e := range o.lines {
		m[e.Text]++
	}
	return m
}

// once checks that 0 … n-1 came, each once.
func (o *other) once(t *testing.T, n int) {
	t.Helper()
	m := o.texts()
	for i := range n {
		if m[strconv.Itoa(i)] != 1 {
			t.Fatalf("event %d came %d times (%d of %d are there)", i, m[strconv.Itoa(i)], len(m), n)
		}
	}
}

func open(t *testing.T, dir string) *forward.Spool {
	t.Helper()
	s, err := forward.OpenSpool(forward.SpoolOptions{Dir: dir, Name: "host", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func put(t *testing.T, s *forward.Spool, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		e := event.Event{At: time.Now(), Clock: event.ClockSource, Text: strconv.Itoa(i)}
		if _, err := s.Accept(t.Context(), event.Batch{Events: []event.Event{e}, Sender: "test", Number: int64(i + 1)}, false); err != nil {
			t.Fatal(err)
		}
	}
}

// bring runs a forwarder until the spool is empty.
func bring(t *testing.T, s *forward.Spool, opt forward.Options) {
	t.Helper()
	if opt.HTTP == nil {
		opt.HTTP = http.DefaultClient
	}
	opt.Now, opt.First = time.Now, time.Millisecond
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	done := make(chan error, 1)
	go func() { done <- forward.New(s, opt).Run(ctx) }()
	for ctx.Err() == nil {
		if n, _ := s.Waiting(); n == 0 {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func serve(t *testing.T, o *other) string {
	o.brought = map[string]bool{}
	o.door = lines.Handler(lines.Options{Sink: o, Now: time.Now, Who: func(*http.Request) (event.Origin, bool) { return event.Origin{Door: "api"}, true }})
	s := httptest.NewUnstartedServer(o)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

func TestEventsComeOnceThroughRefusalsAndLostAnswers(t *testing.T) {
	o := &other{fail: 10}
	url, dir := serve(t, o), t.TempDir()
	for round := range 20 {
		s := open(t, dir)
		put(t, s, round*10, 10)
		if round%2 == 1 {
			bring(t, s, forward.Options{URL: url, Dir: dir})
		}
		s.Close()
	}
	o.once(t, 200)
	b, err := os.ReadFile(filepath.Join(dir, "receipts"))
	if err != nil || strings.Count(string(b), "note of host-") < 5 {
		t.Errorf("receipts: %v %s", err, b)
	}
}

func TestWhatWasSpooledTwiceIsThereOnce(t *testing.T) {
	o := &other{}
	url, dir := serve(t, o), t.TempDir()
	for range 3 {
		s := open(t, dir)
		put(t, s, 0, 5)
		bring(t, s, forward.Options{URL: url, Dir: dir})
		put(t, s, 0, 5)
		s.Close()
	}
	o.once(t, 5)
}

func TestATornRecordIsCutOffAndTheRestIsBrought(t *testing.T) {
	o := &other{}
	url, dir := serve(t, o), t.TempDir()
	s := open(t, dir)
	put(t, s, 0, 3)
	s.Close()
	name := filepath.Join(dir, "0000000000000001.batch")
	b, _ := os.ReadFile(name)
	for cut := 0; cut < len(b); cut += 13 {
		copied := t.TempDir()
		state, _ := os.ReadFile(filepath.Join(dir, "state"))
		os.WriteFile(filepath.Join(copied, "state"), state, 0o600)
		os.WriteFile(filepath.Join(copied, filepath.Base(name)), b[:cut], 0o600)
		s := open(t, copied)
		put(t, s, 0, 3) // the source brings again what it was not told is kept
		o.mu.Lock()
		o.lines, o.brought = nil, map[string]bool{}
		o.mu.Unlock()
		bring(t, s, forward.Options{URL: url, Dir: copied})
		o.once(t, 3)
		s.Close()
	}
}

func TestASpoolThatWasSetBackTakesAnotherName(t *testing.T) {
	o := &other{}
	url, dir := serve(t, o), t.TempDir()
	s := open(t, dir)
	before, _ := os.ReadFile(filepath.Join(dir, "state"))
	put(t, s, 0, 3)
	bring(t, s, forward.Options{URL: url, Dir: dir})
	s.Close()
	os.WriteFile(filepath.Join(dir, "state"), before, 0o600)
	s = open(t, dir)
	put(t, s, 3, 3)
	bring(t, s, forward.Options{URL: url, Dir: dir})
	o.once(t, 6)
}

func TestAFullSpoolSaysSo(t *testing.T) {
	s, err := forward.OpenSpool(forward.SpoolOptions{Dir: t.TempDir(), Name: "host", Now: time.Now, Max: 2000})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 100 {
		_, err = s.Accept(t.Context(), event.Batch{Events: []event.Event{{At: time.Now(), Text: strconv.Itoa(i)}}}, false)
		if err != nil {
			break
		}
	}
	if !errors.Is(err, event.ErrFull) {
		t.Errorf("the error is %v", err)
	}
}

func TestARefusedBatchIsPutAsideAndTheNextBrought(t *testing.T) {
	refused := 0
	o := &other{answer: func(w http.ResponseWriter) bool {
		if refused++; refused > 4 {
			return false
		}
		http.Error(w, "no", http.StatusUnprocessableEntity)
		return true
	}}
	url, dir := serve(t, o), t.TempDir()
	s := open(t, dir)
	put(t, s, 0, 1)
	bring(t, s, forward.Options{URL: url, Dir: dir})
	put(t, s, 1, 1)
	bring(t, s, forward.Options{URL: url, Dir: dir})
	if m := o.texts(); m["0"] != 0 || m["1"] != 1 {
		t.Errorf("came: %v", m)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "refused", "*.ndjson.zst")); len(files) != 1 {
		t.Errorf("put aside: %v", files)
	}
}

func TestABatchWithABadReceiptIsKept(t *testing.T) {
	o := &other{}
	url, dir := serve(t, o), t.TempDir()
	s := open(t, dir)
	put(t, s, 0, 1)
	bring(t, s, forward.Options{URL: url, Dir: dir, Token: func() (string, error) { return "secret", nil },
		Check: func(note []byte, n int) error { return fmt.Errorf("%s %d is not signed", note, n) }})
	if files, _ := filepath.Glob(filepath.Join(dir, "doubted", "*.ndjson.zst")); len(files) != 1 {
		t.Errorf("put aside: %v", files)
	}
	if o.tokens[0] != "Bearer secret" {
		t.Errorf("the token came as %q", o.tokens[0])
	}
}

func TestAFullStoreIsWaitedForAsLongAsItSays(t *testing.T) {
	o := &other{full: 1}
	url, dir := serve(t, o), t.TempDir()
	s := open(t, dir)
	put(t, s, 0, 1)
	began := time.Now()
	bring(t, s, forward.Options{URL: url, Dir: dir})
	if took := time.Since(began); took < time.Second { // the door says 2 s; no two senders come back at once
		t.Errorf("it came back after %v", took)
	}
	o.once(t, 1)
}

func TestAnAnswerForFewerEventsIsNotBelieved(t *testing.T) {
	asked := 0
	o := &other{answer: func(w http.ResponseWriter) bool {
		if asked++; asked > 1 {
			return false
		}
		fmt.Fprint(w, `{"taken":0,"duplicate":false,"faults":[]}`)
		return true
	}}
	url, dir := serve(t, o), t.TempDir()
	s := open(t, dir)
	put(t, s, 0, 1)
	bring(t, s, forward.Options{URL: url, Dir: dir})
	o.once(t, 1)
}

func TestLossesAreEventsToo(t *testing.T) {
	o := &other{}
	url, dir := serve(t, o), t.TempDir()
	s := open(t, dir)
	s.Lost(event.Origin{Door: "journal"}, 7, "vacuumed")
	bring(t, s, forward.Options{URL: url, Dir: dir})
	if len(o.lines) != 1 || o.lines[0].Fields["lost"] != "7" || o.lines[0].Class != event.LogStore {
		t.Errorf("came: %+v", o.lines)
	}
}

// counter is a source of the numbers 0 … end-1.
type counter struct{ next, end int }

func (c *counter) Close() {}

func (c *counter) Read(most int) (carry.Load, error) {
	var l carry.Load
	for range min(most, 1+rand.IntN(20), c.end-c.next) {
		l.Events = append(l.Events, event.Event{At: time.Now(), Clock: event.ClockSource, Text: strconv.Itoa(c.next)})
		c.next++
	}
	l.Place, l.More = json.RawMessage(strconv.Itoa(c.next)), len(l.Events) > 0
	return l, nil
}

const numbers = 3000

// TestChild is the process that is killed in the next test.
func TestChild(t *testing.T) {
	url, dir := os.Getenv("FORWARD_URL"), os.Getenv("FORWARD_DIR")
	if url == "" {
		t.Skip("only as a child")
	}
	s := open(t, filepath.Join(dir, "spool"))
	go forward.New(s, forward.Options{URL: url, HTTP: http.DefaultClient, Dir: dir, Now: time.Now, First: time.Millisecond}).Run(t.Context())
	err := carry.Run(t.Context(), carry.Options{File: filepath.Join(dir, "hand"), Name: "counter", Sink: s, Now: time.Now, Every: 5 * time.Millisecond,
		Open: func(place json.RawMessage) (carry.Source, error) {
			n, _ := strconv.Atoi(string(place))
			return &counter{n, numbers}, nil
		}})
	t.Fatal(err)
}

func TestKilledAtAnyTimeEveryEventComesOnce(t *testing.T) {
	o := &other{fail: 5}
	url, dir := serve(t, o), t.TempDir()
	kills := 0
	for deadline := time.Now().Add(25 * time.Second); len(o.texts()) < numbers && time.Now().Before(deadline); kills++ {
		child := exec.Command(os.Args[0], "-test.run=^TestChild$")
		child.Env = append(os.Environ(), "FORWARD_URL="+url, "FORWARD_DIR="+dir)
		child.Stdout, child.Stderr = io.Discard, io.Discard
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20+rand.IntN(120)) * time.Millisecond)
		child.Process.Kill()
		child.Wait()
	}
	o.once(t, numbers)
	t.Logf("killed %d times", kills)
}
