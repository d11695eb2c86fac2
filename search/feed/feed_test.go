package feed_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"kakusho/event"
	"kakusho/search"
	"kakusho/search/feed"
	"kakusho/search/searchtest"
)

// book is a trail in memory.
type book struct {
	mu    sync.Mutex
	lines []feed.Line
}

func (b *book) write(t testing.TB, rows ...search.Row) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range rows {
		line, err := event.Encode(nil, r.Event)
		if err != nil {
			line = []byte("not an event")
		}
		b.lines = append(b.lines, feed.Line{Seq: r.Seq, Arrived: r.Arrived, Bytes: line})
	}
}

func (b *book) Len() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lines) == 0 {
		return 0
	}
	return b.lines[len(b.lines)-1].Seq + 1
}

func (b *book) Lines(_ context.Context, from int64) iter.Seq2[feed.Line, error] {
	b.mu.Lock()
	lines := b.lines
	b.mu.Unlock()
	return func(yield func(feed.Line, error) bool) {
		i, _ := slices.BinarySearchFunc(lines, from, func(l feed.Line, n int64) int { return int(l.Seq - n) })
		for _, l := range lines[i:] {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// flaky is a model whose process can end: it loses rows, answers wrongly whether it
// took some, and is started again.
type flaky struct {
	searchtest.Model
	mu       sync.Mutex
	r        *rand.Rand
	trouble  bool
	restarts int64
}

func (f *flaky) Restarts() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.restarts
}

func (f *flaky) Insert(ctx context.Context, rows []search.Row) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.trouble || f.r.IntN(3) > 0 {
		return f.Model.Insert(ctx, rows)
	}
	switch f.r.IntN(4) {
	case 0: // killed: the last are lost
		f.restarts++
		from := rows[0].Seq - int64(f.r.IntN(3000))
		f.Lose(func(h search.Hit) bool { return h.Seq >= from && h.Stream == rows[0].Stream })
		return search.ErrDown
	case 1: // taken, and the answer lost
		_ = f.Model.Insert(ctx, rows)
		return search.ErrUnsure
	case 2: // taken in part
		_ = f.Model.Insert(ctx, rows[:len(rows)/2])
		return search.ErrUnsure
	default:
		return search.ErrFull
	}
}

func exactly(t *testing.T, e search.Engine, stream string, b *book) {
	t.Helper()
	want := map[int64]int64{}
	for _, l := range b.lines {
		want[l.Seq/search.BucketSize]++
	}
	for range 400 {
		got, err := e.CountByBucket(t.Context(), stream, 0)
		if err == nil && maps.Equal(got, want) {
			for n := range want {
				p, err := e.Present(t.Context(), stream, n)
				if err != nil || len(slices.Compact(p)) != int(want[n]) {
					t.Errorf("bucket %d: %d different rows, want %d (%v)", n, len(slices.Compact(p)), want[n], err)
				}
			}
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	got, err := e.CountByBucket(t.Context(), stream, 0)
	t.Errorf("stream %s: index has %v (%v), the trail %v", stream, got, err, want)
}

func run(t *testing.T, f *feed.Feeder) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = f.Run(ctx) })
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}

func quick(dir string) feed.Options {
	return feed.Options{State: filepath.Join(dir, "state"), Pause: time.Millisecond, Check: 20 * time.Millisecond}
}

func TestTheIndexBecomesWhatTheTrailsAre(t *testing.T) {
	a, b, m := &book{}, &book{}, &searchtest.Model{}
	rows := searchtest.Rows("3y", 64000, 4000)
	a.write(t, rows...)
	f := feed.New(m, quick(t.TempDir()))
	f.Add("3y", a)
	run(t, f)
	exactly(t, m, "3y", a)
	f.Add("5y", b) // a stream that comes later
	b.write(t, searchtest.Rows("5y", 0, 500)...)
	a.write(t, searchtest.Rows("3y", 68000, 700)...)
	exactly(t, m, "3y", a)
	exactly(t, m, "5y", b)
	direct := &searchtest.Model{}
	_ = direct.Insert(t.Context(), rows)
	_ = direct.Insert(t.Context(), searchtest.Rows("3y", 68000, 700))
	_ = direct.Insert(t.Context(), searchtest.Rows("5y", 0, 500))
	for _, text := range []string{"", "失敗 -root", "account:s*"} {
		q, _ := search.Parse(text)
		q.Limit = 10000
		searchtest.SameHits(t, m, direct, q)
	}
	for _, s := range f.Standing() {
		if s.Given != s.Len || s.Err != nil || s.Repair != 0 || s.Newest.IsZero() {
			t.Errorf("standing: %+v", s)
		}
	}
}

// Whatever the engine forgets or takes twice, the index is exact soon after, and
// stays so when the feeder itself is started again with its notes of then.
func TestTheIndexIsExactAfterAnyTrouble(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			e := &flaky{r: rand.New(rand.NewPCG(seed, 1)), trouble: true} //nolint:gosec // to be repeatable
			b := &book{}
			dir, next := t.TempDir(), int64(63000)
			for range 3 {
				f := feed.New(e, quick(dir))
				f.Add("3y", b)
				stop := run(t, f)
				for range 4 {
					b.write(t, searchtest.Rows("3y", next, 800)...)
					next += 800
					time.Sleep(time.Duration(e.r.IntN(15)) * time.Millisecond)
				}
				stop()
			}
			e.mu.Lock()
			e.trouble = false
			e.mu.Unlock()
			f := feed.New(e, quick(dir))
			f.Add("3y", b)
			run(t, f)
			exactly(t, e, "3y", b)
		})
	}
}

func TestWhatIsLostSilentlyIsFoundByACountAndByARebuild(t *testing.T) {
	b, m := &book{}, &searchtest.Model{}
	b.write(t, searchtest.Rows("3y", 0, 3000)...)
	f := feed.New(m, quick(t.TempDir()))
	f.Add("3y", b)
	run(t, f)
	exactly(t, m, "3y", b)
	m.Lose(func(h search.Hit) bool { return h.Seq%7 == 0 })
	exactly(t, m, "3y", b)
	_ = m.Insert(t.Context(), searchtest.Rows("3y", 0, 300)) // there twice
	exactly(t, m, "3y", b)
	m.Lose(func(search.Hit) bool { return true })
	f.Rebuild()
	exactly(t, m, "3y", b)
}

func TestBodiesThatAreGoneAreNotWaitedFor(t *testing.T) {
	b, m := &book{}, &searchtest.Model{}
	rows := searchtest.Rows("3y", 0, 3000)
	b.write(t, slices.Concat(rows[700:1000], rows[1200:])...)
	f := feed.New(m, quick(t.TempDir()))
	f.Add("3y", b)
	run(t, f)
	exactly(t, m, "3y", b)
	for range 100 {
		if s := f.Standing()[0]; s.Repair == 0 && s.Given == s.Len {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("it still repairs: %+v", f.Standing())
}

func TestAnEngineThatFailsIsToldAndNothingIsGivenUp(t *testing.T) {
	b, m := &book{}, &searchtest.Model{}
	m.Fail(search.ErrFull)
	b.write(t, searchtest.Rows("3y", 0, 100)...)
	f := feed.New(m, quick(t.TempDir()))
	f.Add("3y", b)
	run(t, f)
	for range 200 {
		if s := f.Standing()[0]; errors.Is(s.Err, search.ErrFull) {
			m.Fail(nil)
			exactly(t, m, "3y", b)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("standing: %+v", f.Standing())
}
