package ingest

import (
	"sync"
	"sync/atomic"

	"kakusho/event"
)

// Taken is a batch that is on disk: its events have the numbers from First on.
type Taken struct {
	Stream string
	First  int64
	Events []event.Event // shared: not to be changed
}

// Subscription brings what is taken, from when it began. Batches of one stream may
// come out of order; a slow reader misses some and can read them in the trail.
type Subscription struct {
	C      <-chan Taken // closed by Close, and when ingest closes
	send   chan Taken
	missed atomic.Int64
	live   *live
}

// Missed is how many events did not fit since the last call.
func (s *Subscription) Missed() int64 { return s.missed.Swap(0) }

// Close ends it.
func (s *Subscription) Close() { s.live.remove(s) }

// Subscribe begins a subscription that holds buffer batches for its reader.
func (in *Ingest) Subscribe(buffer int) *Subscription {
	c := make(chan Taken, buffer)
	s := &Subscription{C: c, send: c, live: &in.live}
	in.live.mu.Lock()
	defer in.live.mu.Unlock()
	if in.live.closed {
		close(c)
		return s
	}
	if in.live.subs == nil {
		in.live.subs = map[*Subscription]bool{}
	}
	in.live.subs[s] = true
	return s
}

type live struct {
	mu     sync.RWMutex
	subs   map[*Subscription]bool
	closed bool
}

// waitMost bounds, in bytes as sealed, what waits for one reader: a batch fits when
// so many of its size would. Batches of all sizes together are at most some times that.
const waitMost = 64 << 20

// publish never waits. size is that of the events as they were sealed.
func (l *live) publish(t Taken, size int) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for s := range l.subs {
		if n := len(s.send); n > 0 && size > waitMost/(n+1) {
			s.missed.Add(int64(len(t.Events)))
			continue
		}
		select {
		case s.send <- t:
		default:
			s.missed.Add(int64(len(t.Events)))
		}
	}
}

func (l *live) remove(s *Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.subs[s] {
		delete(l.subs, s)
		close(s.send)
	}
}

func (l *live) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for s := range l.subs {
		close(s.send)
	}
	l.subs = nil
}
