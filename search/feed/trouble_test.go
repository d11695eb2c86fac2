package feed_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"kakusho/search"
	"kakusho/search/feed"
	"kakusho/search/searchtest"
)

// torn is a book that cannot be read past a line for some time.
type torn struct {
	searchtest.Book
	at    int64
	tries atomic.Int64 // that still fail
}

func (b *torn) Lines(ctx context.Context, from int64) iter.Seq2[feed.Line, error] {
	return func(yield func(feed.Line, error) bool) {
		for l, err := range b.Book.Lines(ctx, from) {
			if l.Seq >= b.at && b.tries.Add(-1) >= 0 {
				yield(feed.Line{}, errors.New("the disk does not answer"))
				return
			}
			if !yield(l, err) {
				return
			}
		}
	}
}

func TestLinesBeforeAReadErrorAreNotGivenTwice(t *testing.T) {
	b, m := &torn{at: 7000}, &searchtest.Model{}
	o := quick(t.TempDir())
	o.Check = time.Hour // nothing is repaired meanwhile
	f := feed.New(m, o)
	f.Add("3y", b)
	b.Write(searchtest.Rows("3y", 0, 10)...)
	run(t, f)
	searchtest.Exactly(t, m, "3y", &b.Book, 10*time.Second)
	b.tries.Store(3)
	b.Write(searchtest.Rows("3y", 10, 8000)...)
	searchtest.Exactly(t, m, "3y", &b.Book, 10*time.Second)
}

// A damaged pack is told of, and costs the lines behind it in its bucket.
func TestALineThatCannotBeReadKeepsNoOtherFromTheIndex(t *testing.T) {
	b, other, m := &torn{at: 65536 + 2000}, &searchtest.Book{}, &searchtest.Model{}
	b.tries.Store(1 << 40)
	b.Write(searchtest.Rows("3y", 65000, 3536)...)
	b.Write(searchtest.Rows("3y", 2*65536, 300)...)
	f := feed.New(m, quick(t.TempDir()))
	f.Add("3y", b)
	f.Add("5y", other)
	run(t, f)
	time.Sleep(20 * time.Millisecond)
	other.Write(searchtest.Rows("5y", 0, 200)...)
	searchtest.Exactly(t, m, "5y", other, 10*time.Second)
	got, told := map[int64]int64{}, error(nil)
	for range 400 {
		got, _ = m.CountByBucket(t.Context(), "3y", 0)
		if told = f.Standing()[0].Err; told != nil && got[0] == 536 && got[1] == 2000 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("index has %v, told %v", got, told)
}

func TestARebuildIsNotForgottenWhileTheEngineIsDown(t *testing.T) {
	b, m := &searchtest.Book{}, &searchtest.Model{}
	b.Write(searchtest.Rows("3y", 64000, 4000)...)
	o := quick(t.TempDir())
	f := feed.New(m, o)
	f.Add("3y", b)
	run(t, f)
	for range 500 {
		if text, _ := os.ReadFile(o.State); string(text) == `{"3y":68000}` { // nobody counts the first bucket any more
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	m.Lose(func(h search.Hit) bool { return h.Seq < 65000 })
	m.Fail(search.ErrDown)
	f.Rebuild()
	time.Sleep(100 * time.Millisecond)
	m.Fail(nil)
	searchtest.Exactly(t, m, "3y", b, 5*time.Second)
}
