// Package doortest has a sink that keeps events in memory, to try doors against. It
// is strict where the real one is: what could not be sealed fails, and a batch is
// taken whole or not.
package doortest

import (
	"context"
	"sync"
	"testing"

	"kakusho/event"
)

// Sink is an event.Sink.
type Sink struct {
	T testing.TB

	mu      sync.Mutex
	batches []event.Batch
	lost    map[string]int64
	full    int
	refuse  func(event.Event) error
	seen    map[string]map[int64]bool
}

// Full makes the next n deliveries fail with event.ErrFull.
func (s *Sink) Full(n int) { s.mu.Lock(); s.full = n; s.mu.Unlock() }

// Refuse makes deliveries fail that hold an event for which f is an error.
func (s *Sink) Refuse(f func(event.Event) error) { s.mu.Lock(); s.refuse = f; s.mu.Unlock() }

// Accept implements event.Sink.
func (s *Sink) Accept(ctx context.Context, b event.Batch, wantNote bool) (event.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full != 0 {
		s.full--
		return event.Receipt{}, event.ErrFull
	}
	for _, e := range b.Events {
		if _, err := event.Encode(nil, e); err != nil {
			s.T.Errorf("brought an event that cannot be sealed: %v", err)
		}
		if s.refuse != nil {
			if err := s.refuse(e); err != nil {
				return event.Receipt{}, err
			}
		}
	}
	r := event.Receipt{Taken: len(b.Events)}
	if b.Sender != "" {
		if r.Duplicate = s.seen[b.Sender][b.Number]; r.Duplicate {
			return r, nil
		}
		if s.seen == nil {
			s.seen = map[string]map[int64]bool{}
		}
		if s.seen[b.Sender] == nil {
			s.seen[b.Sender] = map[int64]bool{}
		}
		s.seen[b.Sender][b.Number] = true
	}
	if wantNote {
		r.Note = []byte("note")
	}
	s.batches = append(s.batches, b)
	return r, nil
}

// Lost implements event.Sink.
func (s *Sink) Lost(o event.Origin, n int64, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost == nil {
		s.lost = map[string]int64{}
	}
	s.lost[o.Door+" "+o.Address] += n
}

// Batches are what was taken.
func (s *Sink) Batches() []event.Batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]event.Batch(nil), s.batches...)
}

// Events are those of all batches.
func (s *Sink) Events() (out []event.Event) {
	for _, b := range s.Batches() {
		out = append(out, b.Events...)
	}
	return out
}

// Count is how many events were taken.
func (s *Sink) Count() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.batches {
		n += len(b.Events)
	}
	return n
}

// LostCount is how many were counted as lost.
func (s *Sink) LostCount() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.lost {
		n += k
	}
	return n
}
