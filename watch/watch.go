// Package watch looks at every event as it is taken, and raises alerts for people to
// look into.
//
// What the rules find in events is entered in the register alert through the gate,
// one entry for each rule and each group of its hits, counted while it is open. A
// person disposes of it there; what is found after that is a new one. Every event is
// looked at: what the live stream missed is read from its trail, also what came while
// the program was down. An event is counted once, and the memory for all of it is
// bounded.
package watch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"kakusho/actor"
	"kakusho/event"
	"kakusho/fact"
	"kakusho/sigma"
	"kakusho/store"
	"kakusho/trail"
)

// Register enters alerts; it is that of package register.
type Register interface {
	Put(ctx context.Context, who actor.Actor, kind string, values map[string]any, rev int64, at time.Time) (fact.Ref, error)
}

// Reader reads a trail of events.
type Reader interface {
	// Lines yields what is there from a number on, and ends at the end.
	Lines(ctx context.Context, from int64) iter.Seq2[trail.Line, error]
}

// Options say how events are watched. Now, Rules, Deadline and Open must be given.
type Options struct {
	Now      func() time.Time                                // the caller owns the clock
	Rules    *sigma.Set                                      //
	Deadline func(system string, at time.Time) time.Duration // how long an alert of a system may wait (log.review.alert); "" is none
	Open     func(stream string) (Reader, error)             // to read what was missed
	State    string                                          // file that remembers how far one has looked; empty: none
	Log      *slog.Logger                                    // nil: silent
	Every    time.Duration                                   // an alert that goes on is written so often, and State with it. 0: 1 min
	PerHour  int                                             // new alerts of one rule; what is more becomes one. 0: 50
	Groups   int                                             // of one correlation kept apart. 0: sigma.MaxGroups
	Replay   int64                                           // events read again at the start for what correlations must know. 0: 1,000,000
}

func (o Options) withDefaults() (Options, error) {
	if o.Now == nil || o.Rules == nil || o.Deadline == nil || o.Open == nil {
		return o, errors.New("watch events: Options.Now, Rules, Deadline and Open are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Every <= 0 {
		o.Every = time.Minute
	}
	if o.PerHour <= 0 {
		o.PerHour = 50
	}
	if o.Replay <= 0 {
		o.Replay = 1_000_000
	}
	return o, nil
}

// Watch looks at events. It is safe for concurrent use.
type Watch struct {
	o    Options
	rows store.Store
	reg  Register

	mu       sync.Mutex
	detector *sigma.Detector
	streams  map[string]*position
	restored bool // streams are those of the last run
	inbox    inbox
	saved    time.Time
	stats    Stats
}

// Stats is what was done since the start.
type Stats struct {
	Events   int64 // looked at
	Read     int64 // of them read from the trail, because the live stream missed them
	Broken   int64 // lines that are no event
	Findings int64 //
	Raised   int64 // alerts
	Failed   int64 // times an alert could not be entered; it is tried again
	Evicted  int64 // groups of correlations forgotten for want of room
	Open     int   // alerts nobody has disposed of
}

// New watches for alerts entered in reg, whose rows are in rows. It looks at nothing
// yet: CatchUp and Observe do.
func New(ctx context.Context, rows store.Store, reg Register, o Options) (*Watch, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	w := &Watch{o: o, rows: rows, reg: reg, detector: o.Rules.Detector(o.Groups), streams: map[string]*position{}, saved: o.Now()}
	w.inbox = inbox{w: w, open: map[key]*open{}, hourly: map[string]*hour{}}
	if err := w.inbox.load(ctx); err != nil {
		return nil, fmt.Errorf("watch events: read open alerts: %w", err)
	}
	if err := w.restore(); err != nil {
		o.Log.WarnContext(ctx, "watch: how far events were looked at is not known; begins with the next", "err", err)
	}
	return w, nil
}

// Stats says what was done.
func (w *Watch) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.Evicted, s.Open = w.detector.Evicted(), len(w.inbox.open)
	return s
}

// young is how many events a stream has at most that may have begun just now: so many
// can be on their way at once.
const young = 1 << 18

// Observe looks at a batch that was taken: events have the numbers from first on of
// their stream. Batches may come late, twice or not at all. A stream that has begun
// since one knows how far the others were looked at is looked at from its beginning;
// when nobody knows, one that is long already begins with its first batch.
func (w *Watch) Observe(ctx context.Context, stream string, first int64, events []event.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, known := w.streams[stream]
	if !known {
		p = &position{warm: true}
		if !w.restored && first > young {
			p.Next = first
		}
		w.streams[stream] = p
	}
	if err := w.warm(ctx, stream, p); err != nil {
		return fmt.Errorf("watch events: %s: %w", stream, err)
	}
	if first > p.Next {
		if err := w.read(ctx, stream, p, first); err != nil {
			return fmt.Errorf("watch events: read what was missed of %s: %w", stream, err)
		}
	}
	now := w.o.Now()
	p.mark(now, w.o.Rules.Span())
	for i := range events {
		if seq := first + int64(i); seq >= p.Next {
			w.look(&events[i], now, sigma.Ref{Stream: stream, Seq: seq})
			p.Next = seq + 1
		}
	}
	return w.settle(ctx, now, false)
}

// CatchUp looks at what came to the streams it has looked at before while nobody
// looked, or what was missed. Batches that come meanwhile may be given to Observe
// afterwards.
func (w *Watch) CatchUp(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var faults []error
	for stream, p := range w.streams {
		if err := w.warm(ctx, stream, p); err != nil {
			faults = append(faults, fmt.Errorf("watch events: %s: %w", stream, err))
			continue
		}
		if err := w.read(ctx, stream, p, -1); err != nil {
			faults = append(faults, fmt.Errorf("watch events: catch up with %s: %w", stream, err))
		}
	}
	return errors.Join(append(faults, w.settle(ctx, w.o.Now(), true))...)
}

// read looks at what is in a trail up to a number; -1: to its end.
func (w *Watch) read(ctx context.Context, stream string, p *position, until int64) error {
	r, err := w.o.Open(stream)
	if err != nil {
		return err
	}
	for line, err := range r.Lines(ctx, p.Next) {
		if err != nil {
			return err
		}
		if until >= 0 && line.Seq >= until {
			break
		}
		if e, ok := w.decode(line); ok {
			w.look(&e, line.Arrived, sigma.Ref{Stream: stream, Seq: line.Seq})
			w.stats.Read++
		}
		p.Next = line.Seq + 1
		if p.Next%100_000 == 0 {
			if err := w.settle(ctx, w.o.Now(), false); err != nil {
				return err
			}
		}
	}
	if until >= 0 {
		p.Next = max(p.Next, until) // what is gone from the trail, nobody can look at
	}
	return nil
}

func (w *Watch) decode(line trail.Line) (event.Event, bool) {
	e, err := event.Decode(line.Bytes)
	if err != nil {
		w.stats.Broken++
	}
	return e, err == nil
}

// look tries the rules on one event. Windows go by the event's own time, unless it
// is ahead of its arrival or not to be believed: then by that.
func (w *Watch) look(e *event.Event, arrived time.Time, ref sigma.Ref) {
	w.stats.Events++
	w.detector.Observe(e, instant(e, arrived), ref, func(f sigma.Finding) {
		w.stats.Findings++
		w.inbox.take(alertOf(f), w.o.Now())
	})
}

func instant(e *event.Event, arrived time.Time) time.Time {
	unsure := []event.Clock{event.ClockDoubt, event.ClockArrival}
	if slices.Contains(unsure, e.Clock) || e.At.IsZero() || e.At.After(arrived) || arrived.Sub(e.At) > 24*time.Hour {
		return arrived
	}
	return e.At
}

// Flush writes alerts that go on, and how far one has looked, when it is time; the
// caller does it now and then, for streams that have fallen silent.
func (w *Watch) Flush(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.settle(ctx, w.o.Now(), false)
}

// Close writes all there is to write.
func (w *Watch) Close(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.settle(ctx, w.o.Now(), true)
}

// settle enters new alerts at once and, when it is time, those that go on; only when
// all of them stand in the register is it remembered that the events were looked at.
func (w *Watch) settle(ctx context.Context, now time.Time, all bool) error {
	all = all || now.Sub(w.saved) >= w.o.Every || now.Before(w.saved)
	if err := w.inbox.enter(ctx, now, all); err != nil {
		return err
	}
	if !all {
		return nil
	}
	w.saved = now
	if err := w.save(); err != nil {
		return fmt.Errorf("watch events: remember how far: %w", err)
	}
	return nil
}
