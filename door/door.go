// Package door has what all doors for events need: bounded connections, bounded
// bodies, text in the encodings that are met here, and a delivery that waits instead
// of losing.
//
// A door never drops what it cannot understand: such a message becomes an event with
// its text and its bytes. What is known to be lost all the same is counted in
// Sink.Lost.
package door

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"kakusho/event"
)

// Day is how far a source's clock may be off its arrival before it is doubted.
const day = 24 * time.Hour

// Trust is how far the time of an event can be believed: no clock that is a day off is.
func Trust(said event.Clock, at, arrived time.Time) event.Clock {
	if off := at.Sub(arrived); off > day || off < -day {
		return event.ClockDoubt
	}
	return said
}

// grace is how long what was read is still delivered after a door was closed.
const grace = 5 * time.Second

// Late is ctx and some seconds more: for all that was read before a door was closed.
func Late(ctx context.Context) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return late, func() { stop(); cancel() }
}

// Deliver hands a batch to the sink, for senders that cannot be told to come again:
// it waits while the store is full. What the sink will not have is found by halves
// and counted as lost, and so is all that is left when late (see Late) has ended.
func Deliver(late context.Context, sink event.Sink, log *slog.Logger, b event.Batch) {
	if len(b.Events) == 0 {
		return
	}
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		_, err := sink.Accept(late, b, false)
		switch {
		case err == nil:
			return
		case late.Err() != nil:
			sink.Lost(b.Origin, int64(len(b.Events)), "closed while the event store was full")
			return
		case errors.Is(err, event.ErrFull):
			pause(late, wait)
		case len(b.Events) == 1:
			log.Error("event refused by the store", "door", b.Origin.Door, "address", b.Origin.Address, "error", err)
			sink.Lost(b.Origin, 1, "refused by the event store")
			return
		default:
			first, second := b, b
			first.Events, second.Events = b.Events[:len(b.Events)/2], b.Events[len(b.Events)/2:]
			Deliver(late, sink, log, first)
			Deliver(late, sink, log, second)
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
