package journal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"kakusho/door/journal"
	"kakusho/event"
)

// shelf is a sink in memory that keeps to the contract of event.Sink, and fails as
// told.
type shelf struct {
	mu     sync.Mutex
	events []event.Event
	last   map[string]int64
	lost   int64
	fail   func() (before, after bool) // nil: never
}

func (s *shelf) Accept(ctx context.Context, b event.Batch, _ bool) (event.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var before, after bool
	if s.fail != nil {
		before, after = s.fail()
	}
	if before {
		return event.Receipt{}, event.ErrFull
	}
	duplicate := b.Number <= s.last[b.Sender]
	if !duplicate {
		s.events = append(s.events, b.Events...)
		s.last[b.Sender] = b.Number
	}
	if after {
		return event.Receipt{}, fmt.Errorf("the answer is lost")
	}
	return event.Receipt{Taken: len(b.Events), Duplicate: duplicate}, nil
}

func (s *shelf) Lost(_ event.Origin, n int64, _ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost += n
}

// numbers are how often each NUMBER came.
func (s *shelf) numbers() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := map[string]int{}
	for _, e := range s.events {
		if n := e.Fields["NUMBER"]; n != "" {
			m[n]++
		}
	}
	return m
}

func (s *shelf) has(t *testing.T, n int) {
	t.Helper()
	m := s.numbers()
	for i := range n {
		if m[strconv.Itoa(i)] != 1 {
			t.Fatalf("entry %d came %d times (%d of %d are there)", i, m[strconv.Itoa(i)], len(m), n)
		}
	}
	if len(m) != n {
		t.Fatalf("%d entries, want %d", len(m), n)
	}
}

// followUntil follows until the shelf has n entries, in runs that break off at
// random when crash is not zero.
func followUntil(t *testing.T, s *shelf, opt journal.Options, n int, crash time.Duration) {
	t.Helper()
	opt.Sink, opt.Now, opt.Every = s, time.Now, 10*time.Millisecond
	deadline := time.Now().Add(20 * time.Second)
	for len(s.numbers()) < n || crash == 0 {
		if time.Now().After(deadline) {
			t.Fatalf("only %d of %d entries came", len(s.numbers()), n)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- journal.Follow(ctx, opt) }()
		if crash > 0 {
			time.Sleep(rand.N(crash))
		} else {
			for begun := false; (!begun || len(s.numbers()) < n) && time.Now().Before(deadline); {
				time.Sleep(5 * time.Millisecond)
				_, err := os.Stat(opt.Cursor)
				begun = err == nil
			}
			time.Sleep(50 * time.Millisecond) // for what should not come
		}
		stop()
		if err := <-done; ctx.Err() == nil || err != context.Canceled {
			t.Fatal(err)
		}
		if crash == 0 {
			return
		}
	}
}

func TestEveryEntryComesOnceThroughRotationAndCrashes(t *testing.T) {
	j := startJournald(t, "SystemMaxFileSize=1M\n")
	j.start(true)
	s := &shelf{last: map[string]int64{}, fail: func() (bool, bool) { return rand.IntN(5) == 0, rand.IntN(5) == 0 }}
	const n = 3000
	done := make(chan bool)
	go func() {
		defer close(done)
		for i := 0; i < n; i += 100 {
			load(j, i, 100)
			if i%700 == 0 {
				j.signal(rotate)
			}
		}
	}()
	opt := journal.Options{Dirs: []string{j.logs()}, Cursor: filepath.Join(t.TempDir(), "cursor")}
	followUntil(t, s, opt, n, 60*time.Millisecond)
	<-done
	followUntil(t, s, opt, n, 0)
	s.has(t, n)
	if s.lost != 0 {
		t.Errorf("%d said to be lost", s.lost)
	}
}

func TestWhatMovesFromRunToVarComesOnce(t *testing.T) {
	j := startJournald(t, "")
	j.start(false)
	load(j, 0, 50)
	j.wait(j.run(), "TEST=yes", 50)
	s := &shelf{last: map[string]int64{}}
	opt := journal.Options{Dirs: []string{j.logs(), j.run()}, Cursor: filepath.Join(t.TempDir(), "cursor")}
	followUntil(t, s, opt, 50, 0)
	load(j, 50, 25)
	j.wait(j.run(), "TEST=yes", 75)
	j.signal(flush)
	j.wait(j.logs(), "TEST=yes", 75)
	load(j, 75, 25)
	j.wait(j.logs(), "TEST=yes", 100)
	followUntil(t, s, opt, 100, 0)
	s.has(t, 100)
	if s.lost != 0 {
		t.Errorf("%d said to be lost", s.lost)
	}
}

func TestWhatIsVacuumedUnreadIsCounted(t *testing.T) {
	j := startJournald(t, "SystemMaxFiles=2\n")
	j.start(true)
	load(j, 0, 100)
	j.wait(j.logs(), "TEST=yes", 100)
	s := &shelf{last: map[string]int64{}}
	opt := journal.Options{Dirs: []string{j.logs()}, Cursor: filepath.Join(t.TempDir(), "cursor")}
	followUntil(t, s, opt, 100, 0)
	before := len(s.events)
	for i := 100; i < 600; i += 100 {
		load(j, i, 100)
		j.wait(j.logs(), "NUMBER="+strconv.Itoa(i+99), 1)
		j.signal(rotate)
	}
	load(j, 600, 1)
	j.wait(j.logs(), "NUMBER=600", 1)
	files, _ := filepath.Glob(filepath.Join(j.logs(), "*"))
	followUntil(t, s, opt, len(s.numbers())+101, 0)
	first := slices.IndexFunc(s.events[before:], func(e event.Event) bool { return e.Fields["NUMBER"] != "" })
	if n, _ := strconv.Atoi(s.events[before+first].Fields["NUMBER"]); s.lost < 300 || s.lost > 450 || n < 400 {
		t.Errorf("%d said to be lost, first after it is %d, files %v", s.lost, n, files)
	}
	if got := len(s.numbers()); int64(got)+s.lost < 601 {
		t.Errorf("%d came and %d are lost of 601", got, s.lost)
	}
}

func TestOnlyWhatIsNewWhenAskedForThat(t *testing.T) {
	j := startJournald(t, "")
	j.start(true)
	load(j, 1000, 30)
	j.wait(j.logs(), "TEST=yes", 30)
	s := &shelf{last: map[string]int64{}}
	opt := journal.Options{Dirs: []string{j.logs()}, Cursor: filepath.Join(t.TempDir(), "cursor"), New: true}
	followUntil(t, s, opt, 0, 0)
	load(j, 0, 30)
	j.wait(j.logs(), "TEST=yes", 60)
	followUntil(t, s, opt, 30, 0)
	s.has(t, 30)
	if s.lost != 0 {
		t.Errorf("%d said to be lost", s.lost)
	}
}

func TestAnEventHasWhatTheEntrySays(t *testing.T) {
	j := startJournald(t, "")
	j.start(true)
	j.send("MESSAGE", "Failed password for 佐藤 from 192.0.2.7 port 22 ssh2", "PRIORITY", "4", "SYSLOG_IDENTIFIER", "sshd", "SYSLOG_PID", "77",
		"SYSLOG_FACILITY", "10", "NUMBER", "0")
	j.send("MESSAGE", "\x8d\xb7\x95\xca", "BIG", strings.Repeat("漢", 100_000), "NUMBER", "1")
	j.wait(j.logs(), "NUMBER=1", 1)
	s := &shelf{last: map[string]int64{}}
	followUntil(t, s, journal.Options{Dirs: []string{j.logs()}, Cursor: filepath.Join(t.TempDir(), "cursor")}, 2, 0)
	var got []event.Event
	for _, e := range s.events {
		if e.Fields["NUMBER"] != "" {
			got = append(got, e)
		}
	}
	host, _ := os.Hostname()
	e := got[0]
	if e.Text != "Failed password for 佐藤 from 192.0.2.7 port 22 ssh2" || e.Level != 5 || e.Device != host || e.Fields["app"] != "sshd" ||
		e.Fields["pid"] != "77" || e.Fields["facility"] != "authpriv" || e.Fields["_PID"] != strconv.Itoa(os.Getpid()) ||
		time.Since(e.At).Abs() > time.Minute || e.Clock != event.ClockSource || e.Format != "journal" {
		t.Errorf("the event is %+v", e)
	}
	event.Classify(&e)
	if e.Class != event.LoginFailure {
		t.Errorf("its class is %q", e.Class)
	}
	e = got[1]
	if string(e.Raw) != "\x8d\xb7\x95\xca" || !strings.Contains(e.Text, "\uFFFD") {
		t.Errorf("bytes that are not text are %q, raw %q", e.Text, e.Raw)
	}
	if big := e.Fields["BIG"]; len(big) < 150_000 || len(big) > journal.MaxValue || strings.Trim(big, "漢") != "" || e.Fields["BIG.size"] != "300000" {
		t.Errorf("a value of 300,000 bytes has %d, and says %s", len(big), e.Fields["BIG.size"])
	}
}

// Values packed by LZ4 and XZ are of older machines: put into a real file of this
// one, which journalctl must read as well.
func TestValuesPackedInOlderWaysAreRead(t *testing.T) {
	j := startJournald(t, "Compress=no\n")
	j.start(true)
	text := strings.Repeat("古い機器の記録 ", 200)
	j.send("MESSAGE", "lz4 "+text, "TEST", "yes", "NUMBER", "0")
	j.send("MESSAGE", "xz "+text, "TEST", "yes", "NUMBER", "1")
	j.wait(j.logs(), "TEST=yes", 2)
	j.stop()
	path := filepath.Join(j.logs(), "system.journal")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var block [4096]byte
	n, err := lz4.CompressBlock([]byte("MESSAGE=lz4 "+text), block[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	repack(t, b, "MESSAGE=lz4 "+text, 2, append(binary.LittleEndian.AppendUint64(nil, uint64(len("MESSAGE=lz4 "+text))), block[:n]...))
	var packed bytes.Buffer
	w, _ := xz.NewWriter(&packed)
	w.Write([]byte("MESSAGE=xz " + text))
	w.Close()
	repack(t, b, "MESSAGE=xz "+text, 1, packed.Bytes())
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	d := journal.OpenFolder([]string{j.logs()}, nil, false)
	defer d.Close()
	got, _ := drain(t, d)
	same(t, got, journalctl(t, "-D", j.logs()))
}

// repack puts packed bytes in the place of a value in a file.
func repack(t *testing.T, b []byte, value string, flag byte, packed []byte) {
	t.Helper()
	at := bytes.Index(b, []byte(value))
	if at < 0 || len(packed) > len(value) {
		t.Fatalf("the value is at %d, packed %d bytes", at, len(packed))
	}
	copy(b[at:], packed)
	start := 64
	if b[12]&16 != 0 { // compact
		start = 72
	}
	object := b[at-start:]
	object[1] = flag
	binary.LittleEndian.PutUint64(object[8:], uint64(start+len(packed)))
	b[12] |= flag
}
