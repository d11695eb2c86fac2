package trail_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kakusho/clause"
	"kakusho/trail"
	"kakusho/trail/pack"
)

func options() trail.Options { return trail.Options{Now: time.Now, Installation: "test"} }

func open(t testing.TB, dir string, o trail.Options) *trail.Log {
	t.Helper()
	l, err := trail.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// oneIn is how many cases stand for one that is tried: none are left out in the night,
// with KAKUSHO_NIGHTLY set; by day some, others each time.
func oneIn(n int) int {
	if os.Getenv("KAKUSHO_NIGHTLY") != "" {
		return 1
	}
	return n
}

// ramDir is a directory in memory, where there is one: for tests that make their
// own power cuts and would wait for the disk's syncs for nothing.
func ramDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "kakusho-trail-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func entry(n int) trail.Entry {
	return trail.Entry{
		At: time.Date(2026, 11, 1, 0, 0, n, 0, time.UTC), Kind: "register.put", Actor: "person/1", Object: fmt.Sprint("computer/PC-", n),
		Body: json.RawMessage(fmt.Sprintf(`{"n":%d,"名":"端末<%d>"}`, n, n)),
	}
}

func TestWhatIsAppendedIsReadBackInOrder(t *testing.T) {
	dir := ramDir(t)
	l := open(t, dir, options())
	for i := range 20 {
		first, err := l.Append(context.Background(), entry(2*i), entry(2*i+1))
		if err != nil || first != int64(2*i) {
			t.Fatalf("got %d, %v, want %d", first, err, 2*i)
		}
	}
	if err := l.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for s, err := range l.Read(t.Context(), 0) {
		if err != nil || s.Seq != int64(n) || s.Object != fmt.Sprint("computer/PC-", n) {
			t.Fatalf("got %+v, %v, want entry %d", s, err, n)
		}
		n++
	}
	if n != 40 {
		t.Fatalf("got %d entries, want 40", n)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, options())
	if s, err := l.Get(39); err != nil || s.Object != "computer/PC-39" || l.Len() != 40 {
		t.Fatalf("got %+v, %v of %d, want entry 39 of 40", s, err, l.Len())
	}
}

func TestAnEntryComesBackAsItWentIn(t *testing.T) {
	l := open(t, ramDir(t), options())
	want := trail.Entry{
		ID: "00112233445566778899aabbccddeeff", At: time.Date(2026, 3, 31, 23, 59, 59, 123456789, time.FixedZone("JST", 9*3600)),
		Kind: "decision.give", Actor: "person/12", Post: "post/3", Object: "system/<S&T>", Control: "crypto/disk-encryption",
		Clauses: []clause.ID{"npa-r3@2.3.1", "npa-r3@2.3.1.1"},
		Body:    json.RawMessage(`{"理由":"代替措置 <b> & \u2028","n":1.0e2,"z":null,"a":[1,{}]}`),
	}
	if _, err := l.Append(t.Context(), want, entry(1)); err != nil {
		t.Fatal(err)
	}
	got, err := l.Get(0)
	if err != nil {
		t.Fatal(err)
	}
	want.At = want.At.UTC()
	if !reflect.DeepEqual(got.Entry, want) {
		t.Errorf("got %+v, want %+v", got.Entry, want)
	}
	other, err := l.Get(1)
	if err != nil || len(other.ID) != 32 || other.ID == got.ID {
		t.Errorf("got ID %q, %v, want a fresh one", other.ID, err)
	}
	if _, err := l.Get(2); err == nil {
		t.Error("got an entry that is not there")
	}
}

func TestWhatCannotBeSealedIsRefusedAndNothingIsWritten(t *testing.T) {
	l := open(t, ramDir(t), options())
	with := func(change func(*trail.Entry)) []trail.Entry {
		e := entry(1)
		change(&e)
		return []trail.Entry{entry(0), e}
	}
	for _, c := range []struct {
		name    string
		entries []trail.Entry
	}{
		{"nothing", nil},
		{"no kind", with(func(e *trail.Entry) { e.Kind = "" })},
		{"no time", with(func(e *trail.Entry) { e.At = time.Time{} })},
		{"a time that JSON cannot carry", with(func(e *trail.Entry) { e.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) })},
		{"a short id", with(func(e *trail.Entry) { e.ID = "0011" })},
		{"an id in capitals", with(func(e *trail.Entry) { e.ID = "00112233445566778899AABBCCDDEEFF" })},
		{"a body that is not JSON", with(func(e *trail.Entry) { e.Body = json.RawMessage(`{"a":`) })},
		{"two bodies", with(func(e *trail.Entry) { e.Body = json.RawMessage(`{} {}`) })},
		{"a body that is not UTF-8", with(func(e *trail.Entry) { e.Body = json.RawMessage("{\"a\":\"\xff\"}") })},
		{"an object that is not UTF-8", with(func(e *trail.Entry) { e.Object = "computer/\xff" })},
		{"a clause that is not UTF-8", with(func(e *trail.Entry) { e.Clauses = []clause.ID{"\xff"} })},
		{"an entry of more than a mebibyte", with(func(e *trail.Entry) { e.Body = json.RawMessage(`"` + strings.Repeat("x", trail.MaxEntry) + `"`) })},
		{"an actor that makes it too long", with(func(e *trail.Entry) { e.Actor = strings.Repeat("x", trail.MaxEntry) })},
		{"too many at once", slices.Repeat([]trail.Entry{entry(0)}, trail.MaxBatch+1)},
		{"too much at once", slices.Repeat(with(func(e *trail.Entry) { e.Body = json.RawMessage(`"` + strings.Repeat("x", 1<<20-500) + `"`) })[1:], 65)},
	} {
		if _, err := l.Append(t.Context(), c.entries...); !errors.Is(err, trail.ErrEntry) {
			t.Errorf("%s: got %v, want ErrEntry", c.name, err)
		}
	}
	if l.Len() != 0 {
		t.Errorf("got %d entries, want none", l.Len())
	}
	big := entry(0)
	big.Body = json.RawMessage(`"` + strings.Repeat("x", 1<<20-500) + `"`)
	if first, err := l.Append(t.Context(), big); err != nil || first != 0 {
		t.Errorf("an entry of almost a mebibyte: got %d, %v", first, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Append(ctx, entry(0)); !errors.Is(err, context.Canceled) || l.Len() != 1 {
		t.Errorf("with a context that is done: got %v and %d entries, want 1", err, l.Len())
	}
}

func TestManyWritersGetNumbersWithoutGapsAndReadersSeeThem(t *testing.T) {
	dir := ramDir(t)
	o := options()
	o.SealEvery, o.PackSize = 20*time.Millisecond, 20_000
	l := open(t, dir, o)
	var mu sync.Mutex
	ids := map[int64]string{}
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() {
			for i := range 40 {
				es := []trail.Entry{entry(i), entry(i), entry(i)}
				for j := range es {
					es[j].ID = fmt.Sprintf("%032x", (w*40+i)*3+j+1)
				}
				first, err := l.Append(t.Context(), es...)
				if err != nil {
					t.Error(err)
					return
				}
				if s, err := l.Get(first + 2); err != nil || s.ID != es[2].ID {
					t.Errorf("what was acknowledged is not read: got %s, %v, want %s", s.ID, err, es[2].ID)
				}
				mu.Lock()
				for j, e := range es {
					ids[first+int64(j)] = e.ID
				}
				mu.Unlock()
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for l.Len() < 3000 {
				time.Sleep(5 * time.Millisecond)
				next := int64(0)
				for s, err := range l.Read(t.Context(), 0) {
					if err != nil || s.Seq != next {
						t.Errorf("got entry %d, %v, want %d", s.Seq, err, next)
						return
					}
					next++
				}
			}
		})
	}
	wg.Wait()
	last := time.Time{}
	for s, err := range l.Read(t.Context(), 0) {
		if err != nil || ids[s.Seq] != s.ID || s.Arrived.Before(last) {
			t.Fatalf("got %+v, %v, want id %s, not before %v", s, err, ids[s.Seq], last)
		}
		last = s.Arrived
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkTrail(t, dir, 32*40*3)
}

func TestASegmentHoldsNoMoreThanItsLimit(t *testing.T) {
	dir := ramDir(t)
	o := options()
	o.SealEvery = time.Hour
	l := open(t, dir, o)
	batch := slices.Repeat([]trail.Entry{entry(1)}, 40_000)
	for range 3 {
		if _, err := l.Append(t.Context(), batch...); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkTrail(t, dir, 120_000)
	if n := segments(t, dir); n != 3 {
		t.Errorf("got %d segments, want 3", n)
	}
}

func TestASecondOpenerIsRefused(t *testing.T) {
	dir := ramDir(t)
	l := open(t, dir, options())
	if _, err := trail.Open(dir, options()); !errors.Is(err, trail.ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if _, err := l.Append(t.Context(), entry(1)); !errors.Is(err, trail.ErrClosed) {
		t.Errorf("append after close: got %v, want ErrClosed", err)
	}
	if err := l.Seal(t.Context()); !errors.Is(err, trail.ErrClosed) {
		t.Errorf("seal after close: got %v, want ErrClosed", err)
	}
	open(t, dir, options())
}

func TestAClockThatGoesBackDoesNotTakeArrivalBack(t *testing.T) {
	dir := ramDir(t)
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	o := options()
	o.Now = func() time.Time { return at }
	l := open(t, dir, o)
	for _, step := range []time.Duration{0, time.Hour, -50 * 365 * 24 * time.Hour, time.Minute} {
		at = at.Add(step)
		if _, err := l.Append(t.Context(), entry(1)); err != nil {
			t.Fatal(err)
		}
		if err := l.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, o)
	if _, err := l.Append(t.Context(), entry(1)); err != nil {
		t.Fatal(err)
	}
	want := []string{"12:00:00", "13:00:00", "13:00:00", "13:00:00", "13:00:00"}
	for s, err := range l.Read(t.Context(), 0) {
		if err != nil || s.Arrived.Format(time.TimeOnly) != want[s.Seq] {
			t.Errorf("entry %d: got %v, %v, want %s", s.Seq, s.Arrived, err, want[s.Seq])
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkTrail(t, dir, 5)
	b, err := os.ReadFile(filepath.Join(dir, "pack", pack.Name(0)))
	if err != nil {
		t.Fatal(err)
	}
	if h := pack.Scan(b)[4].Header; time.Unix(0, h.Wall).UTC().Year() != 1976 {
		t.Errorf("wall clock of the third frame: got %v, want 1976", time.Unix(0, h.Wall))
	}
}

func TestACheckpointComesThoughItsFileIsFromTheFuture(t *testing.T) {
	dir := ramDir(t)
	l := open(t, dir, options())
	future := time.Now().Add(1000 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "log/checkpoint"), future, future); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), entry(1)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := l.Seal(ctx); err != nil {
		t.Error(err)
	}
}

func TestSilenceIsSealedWhenWanted(t *testing.T) {
	dir := ramDir(t)
	o := options()
	o.Heartbeat = 20 * time.Millisecond
	l := open(t, dir, o)
	time.Sleep(200 * time.Millisecond)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := trail.Verify(t.Context(), dir, l.PublicKey(), nil)
	if err != nil || !r.OK() || r.Segments < 2 || r.Entries != 0 {
		t.Errorf("got %+v, %v, want some empty segments", r, err)
	}
	beat(t, dir, o)
	fill(t, dir, o, 2, 1)
	checkTrail(t, dir, 4)
}

func TestCloseStopsEveryGoroutine(t *testing.T) {
	dir := ramDir(t)
	fill(t, dir, options(), 2, 2)
	if err := open(t, dir, options()).Close(); err != nil {
		t.Fatal(err)
	}
	var left string
	for range 200 { // Tessera's workers end at their next turn
		b := make([]byte, 1<<20)
		left = ""
		for s := range strings.SplitSeq(string(b[:runtime.Stack(b, true)]), "\n\n") {
			if strings.Contains(s, "tessera") || strings.Contains(s, "kakusho/trail.(") || strings.Contains(s, "kakusho/trail/segment.") {
				left += s + "\n\n"
			}
		}
		if left == "" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("still running:\n%s", left)
}

func TestALogOfMoreThanATileIsPrunedProvedAndVerified(t *testing.T) {
	dir := ramDir(t)
	o := options()
	o.Heartbeat, o.SealEvery = time.Millisecond, time.Millisecond
	l := open(t, dir, o)
	n := int64(0)
	for ; segments(t, dir) <= 260; n++ {
		if _, err := l.Append(t.Context(), entry(int(n))); err != nil {
			t.Fatal(err)
		}
	}
	for _, seq := range []int64{0, n / 2, n - 1} {
		p, err := l.Prove(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := trail.VerifyProof(p, l.PublicKey()); err != nil || got.Seq != seq {
			t.Errorf("proof of %d: got %d, %v", seq, got.Seq, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkTrail(t, dir, n)
	if got, err := second(dir, l.PublicKey(), ""); int64(got) != n || err != nil {
		t.Errorf("second verifier: got %d, %v, want %d", got, err, n)
	}
	for _, name := range []string{"log/tile/0/000.p", "log/tile/entries/000.p"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is obsolete and still there", name)
		}
	}
	for _, name := range []string{"log/tile/0/000", "log/tile/entries/000", "log/tile/1/000.p/1"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, off := range []int{0, len(data) / 2, len(data) - 1} {
			flip(t, dir, l.PublicKey(), name, data, off)
		}
	}
	open(t, dir, o)
}

// segments is how many segments the checkpoint covers.
func segments(t *testing.T, dir string) int {
	b, err := os.ReadFile(filepath.Join(dir, "log/checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.Split(string(b), "\n")[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAReaderSeesWhatIsOnDiskWhileAnotherWrites(t *testing.T) {
	dir := ramDir(t)
	o := options()
	o.SealEvery, o.PackSize = 10*time.Millisecond, 3000
	l := open(t, dir, o)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if _, err := l.Append(t.Context(), entry(i), entry(i)); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(time.Millisecond) // each reading begins at the start: let it not take ever longer
		}
	})
	for l.Len() < 500 { // some dozen seals and as many packs
		before := l.Len()
		r, err := trail.NewReader(dir)
		if err != nil {
			t.Fatal(err)
		}
		if r.Len() < before {
			t.Errorf("got %d entries, %d were acknowledged", r.Len(), before)
		}
		next := int64(0)
		for s, err := range r.Read(t.Context(), 0) {
			if err != nil || s.Seq != next {
				t.Fatalf("got entry %d, %v, want %d", s.Seq, err, next)
			}
			next++
		}
		if next != r.Len() {
			t.Errorf("read %d entries of %d", next, r.Len())
		}
		if _, err := r.Get(r.Len()); err == nil {
			t.Error("got an entry behind the end")
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	wg.Wait()
}

func TestAReaderChangesNothing(t *testing.T) {
	dir, name, off := crashed(t)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, whole[:off+70]) // torn
	before := files(t, dir)
	r, err := trail.NewReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := r.Get(2); r.Len() != 3 || err != nil || s.Object != "computer/PC-2" {
		t.Errorf("got %d entries, the last %+v, %v; want 3", r.Len(), s, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(files(t, dir), before) {
		t.Error("files have changed")
	}
	if r, err := trail.NewReader(ramDir(t)); err == nil {
		t.Errorf("read %d entries out of an empty directory", r.Len())
	}
	if r, err := trail.NewReader(golden); err != nil || r.Len() != goldenLen {
		t.Errorf("golden trail: got %+v, %v", r, err)
	}
}
