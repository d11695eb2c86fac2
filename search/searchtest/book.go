package searchtest

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"kakusho/event"
	"kakusho/search"
	"kakusho/search/feed"
)

// Book is a trail in memory.
type Book struct {
	mu    sync.Mutex
	lines []feed.Line
}

// Write appends rows, as events or, when they are none, as something else.
func (b *Book) Write(rows ...search.Row) {
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

// Len is the number after the last.
func (b *Book) Len() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lines) == 0 {
		return 0
	}
	return b.lines[len(b.lines)-1].Seq + 1
}

// Lines reads.
func (b *Book) Lines(_ context.Context, from int64) iter.Seq2[feed.Line, error] {
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

// Exactly waits until an engine has each line of a book once.
func Exactly(t testing.TB, e search.Engine, stream string, b *Book, within time.Duration) {
	t.Helper()
	want := map[int64]int64{}
	b.mu.Lock()
	lines := b.lines
	b.mu.Unlock()
	for _, l := range lines {
		want[l.Seq/search.BucketSize]++
	}
	for range within / (10 * time.Millisecond) {
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
