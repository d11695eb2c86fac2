package feed_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"kakusho/search"
	"kakusho/search/feed"
	"kakusho/search/searchtest"
)

// flaky is a model whose process can end: it loses rows, answers wrongly whether it
// took some, and is started again.
type flaky struct {
	searchtest.Model
	mu       sync.Mutex
	r        *rand.Rand
	trouble  bool
	restarts int64
	newest   int64    // number given
	counted  [3]int64 // newest at the last counts, the latest first: what stood in two of them may be relied on
}

func (f *flaky) CountByBucket(ctx context.Context, stream string, from int64) (map[int64]int64, error) {
	f.mu.Lock()
	f.counted = [3]int64{f.newest, f.counted[0], f.counted[1]}
	f.mu.Unlock()
	return f.Model.CountByBucket(ctx, stream, from)
}

func (f *flaky) Restarts() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.restarts
}

func (f *flaky) Insert(ctx context.Context, rows []search.Row) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.newest = max(f.newest, rows[len(rows)-1].Seq)
	if !f.trouble || f.r.IntN(3) > 0 {
		return f.Model.Insert(ctx, rows)
	}
	switch f.r.IntN(4) {
	case 0: // killed: the last are lost
		f.restarts++
		from := max(rows[0].Seq-int64(f.r.IntN(3000)), f.counted[2]+1)
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
	a, b, m := &searchtest.Book{}, &searchtest.Book{}, &searchtest.Model{}
	rows := searchtest.Rows("3y", 64000, 4000)
	a.Write(rows...)
	f := feed.New(m, quick(t.TempDir()))
	f.Add("3y", a)
	run(t, f)
	searchtest.Exactly(t, m, "3y", a, 10*time.Second)
	f.Add("5y", b) // a stream that comes later
	b.Write(searchtest.Rows("5y", 0, 500)...)
	a.Write(searchtest.Rows("3y", 68000, 700)...)
	searchtest.Exactly(t, m, "3y", a, 10*time.Second)
	searchtest.Exactly(t, m, "5y", b, 10*time.Second)
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
			b := &searchtest.Book{}
			dir, next := t.TempDir(), int64(63000)
			for range 3 {
				f := feed.New(e, quick(dir))
				f.Add("3y", b)
				stop := run(t, f)
				for range 4 {
					b.Write(searchtest.Rows("3y", next, 800)...)
					next += 800
					e.mu.Lock()
					wait := time.Duration(e.r.IntN(15)) * time.Millisecond
					e.mu.Unlock()
					time.Sleep(wait)
				}
				stop()
			}
			e.mu.Lock()
			e.trouble = false
			e.mu.Unlock()
			f := feed.New(e, quick(dir))
			f.Add("3y", b)
			run(t, f)
			searchtest.Exactly(t, e, "3y", b, 10*time.Second)
		})
	}
}

func TestWhatIsLostSilentlyIsFoundByACountAndByARebuild(t *testing.T) {
	b, m := &searchtest.Book{}, &searchtest.Model{}
	b.Write(searchtest.Rows("3y", 0, 3000)...)
	f := feed.New(m, quick(t.TempDir()))
	f.Add("3y", b)
	run(t, f)
	searchtest.Exactly(t, m, "3y", b, 10*time.Second)
	m.Lose(func(h search.Hit) bool { return h.Seq%7 == 0 })
	searchtest.Exactly(t, m, "3y", b, 10*time.Second)
	_ = m.Insert(t.Context(), searchtest.Rows("3y", 0, 300)) // there twice
	searchtest.Exactly(t, m, "3y", b, 10*time.Second)
	m.Lose(func(search.Hit) bool { return true })
	f.Rebuild()
	searchtest.Exactly(t, m, "3y", b, 10*time.Second)
}

func TestBodiesThatAreGoneAreNotWaitedFor(t *testing.T) {
	b, m := &searchtest.Book{}, &searchtest.Model{}
	rows := searchtest.Rows("3y", 0, 3000)
	b.Write(slices.Concat(rows[700:1000], rows[1200:])...)
	f := feed.New(m, quick(t.TempDir()))
	f.Add("3y", b)
	run(t, f)
	searchtest.Exactly(t, m, "3y", b, 10*time.Second)
	for range 100 {
		if s := f.Standing()[0]; s.Repair == 0 && s.Given == s.Len {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("it still repairs: %+v", f.Standing())
}

func TestAnEngineThatFailsIsToldAndNothingIsGivenUp(t *testing.T) {
	b, m := &searchtest.Book{}, &searchtest.Model{}
	m.Fail(search.ErrFull)
	b.Write(searchtest.Rows("3y", 0, 100)...)
	f := feed.New(m, quick(t.TempDir()))
	f.Add("3y", b)
	run(t, f)
	for range 200 {
		if s := f.Standing()[0]; errors.Is(s.Err, search.ErrFull) {
			m.Fail(nil)
			searchtest.Exactly(t, m, "3y", b, 10*time.Second)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("standing: %+v", f.Standing())
}

// Only what an earlier count has seen is taken to be on the engine's disk.
func TestWhatWasJustGivenIsNotSafeYet(t *testing.T) {
	b, m := &searchtest.Book{}, &searchtest.Model{}
	b.Write(searchtest.Rows("3y", 0, 200)...)
	o := quick(t.TempDir())
	o.Check = 500 * time.Millisecond
	f := feed.New(m, o)
	f.Add("3y", b)
	run(t, f)
	seen := ""
	for range 600 {
		text, err := os.ReadFile(o.State)
		if err == nil && seen == "" && string(text) != `{"3y":0}` {
			t.Errorf("after the first count: %s", text)
		}
		if seen = string(text); seen == `{"3y":200}` {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("in the end: %q", seen)
}
