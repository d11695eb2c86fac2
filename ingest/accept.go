package ingest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"kakusho/event"
	"kakusho/trail"
)

// ErrBatch is returned for a batch that will never be taken: sent again it is
// refused again.
var ErrBatch = errors.New("batch refused")

// Accept implements event.Sink. A batch goes into one stream, that of its longest
// kept event, so that all of it is there or nothing.
func (in *Ingest) Accept(ctx context.Context, b event.Batch, wantNote bool) (event.Receipt, error) {
	if len(b.Events) == 0 {
		return event.Receipt{}, nil
	}
	if err := acceptable(b); err != nil {
		return event.Receipt{}, err
	}
	if err := in.o.Room(); err != nil {
		return event.Receipt{}, full(err)
	}
	weight := min(int64(len(b.Events)), inFlight)
	if err := in.room.Acquire(ctx, weight); err != nil {
		return event.Receipt{}, full(err)
	}
	defer in.room.Release(weight)
	if b.Sender == "" {
		return in.take(ctx, b, "", wantNote)
	}
	key := b.Origin.Name + "\t" + b.Sender
	brought, leave, err := in.senders.enter(ctx, key, b.Number)
	if err != nil {
		return event.Receipt{}, full(err)
	}
	if brought {
		return event.Receipt{Taken: len(b.Events), Duplicate: true}, nil
	}
	defer leave()
	return in.take(ctx, b, key, wantNote)
}

func acceptable(b event.Batch) error {
	switch {
	case len(b.Events) > trail.MaxBatch:
		return fmt.Errorf("%w: %d events, at most %d at once", ErrBatch, len(b.Events), trail.MaxBatch)
	case b.Sender == "":
		return nil
	case b.Number < 1:
		return fmt.Errorf("%w: number %d of sender %q: a sender counts from 1", ErrBatch, b.Number, b.Sender)
	case len(b.Sender) > 200 || len(b.Origin.Name) > 300 || strings.ContainsFunc(b.Origin.Name+b.Sender, func(c rune) bool { return c < ' ' || c == 0xFFFD }):
		return fmt.Errorf("%w: sender %.200q: want at most 200 printable bytes", ErrBatch, b.Sender)
	}
	return nil
}

// full says "later" with the cause. Whoever has the cause logged sees it; a sender
// needs no more than the first half.
func full(cause error) error { return fmt.Errorf("%w: %w", event.ErrFull, cause) }

// take seals the events of a batch that was not brought before.
func (in *Ingest) take(ctx context.Context, b event.Batch, sender string, wantNote bool) (event.Receipt, error) {
	at := in.o.Now()
	events, keep := in.complete(b, at)
	if sender != "" {
		addMark(events, sender, b.Number)
	}
	return in.seal(ctx, events, keep, at, wantNote)
}

// seal puts completed events on disk and counts them.
func (in *Ingest) seal(ctx context.Context, events []event.Event, keep time.Duration, at time.Time, wantNote bool) (event.Receipt, error) {
	l, err := in.stream(Stream(keep))
	if err != nil {
		return event.Receipt{}, full(err)
	}
	buf, _ := buffers.Get().(*buffer)
	defer buf.free()
	lines, err := buf.encode(events, at)
	if err != nil {
		return event.Receipt{}, err
	}
	in.settled.RLock()
	first, err := l.AppendLines(ctx, lines)
	if err == nil {
		in.count(Stream(keep), events, at)
	}
	in.settled.RUnlock()
	if errors.Is(err, trail.ErrEntry) {
		return event.Receipt{}, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	if err != nil {
		return event.Receipt{}, full(err)
	}
	r := event.Receipt{Taken: len(events)}
	if wantNote {
		if r.Note, err = l.Receipt(first, lines, at); err != nil {
			in.o.Log.Warn("write receipt", "error", err) // the events are on disk all the same
		}
	}
	in.live.publish(Taken{Stream: Stream(keep), First: first, Events: events}, len(buf.bytes))
	return r, nil
}

// complete copies the events of a batch and says of each what the register knows;
// keep is the longest that one of them must be kept.
func (in *Ingest) complete(b event.Batch, at time.Time) (events []event.Event, keep time.Duration) {
	events = slices.Clone(b.Events)
	feeds := map[string]Feed{}
	for i := range events {
		e := &events[i]
		o := b.Origin
		if o.Host == "" {
			o.Host = e.Device
		}
		f, known := feeds[o.Host]
		if !known {
			f = in.o.Resolve(o)
			feeds[o.Host] = f
		}
		keep = max(keep, f.Keep)
		e.Feed, e.System = f.ID, f.System
		if e.ID == "" {
			e.ID = event.NewID()
		}
		e.Fields = foreign(e.Fields)
		if f.ID == "" && len(e.Fields) < event.MaxFields {
			e.Fields = with(e.Fields, fromField, from(b.Origin))
		}
		timed(e, f, at)
		event.Classify(e)
	}
	return events, keep
}

// timed says when an event was and how far that is to be believed.
func timed(e *event.Event, f Feed, at time.Time) {
	switch {
	case e.At.IsZero():
		e.At, e.Clock = at, event.ClockArrival
	case e.Clock == event.ClockAssumed && f.Zone != nil:
		y, m, d := e.At.Date()
		e.At = time.Date(y, m, d, e.At.Hour(), e.At.Minute(), e.At.Second(), e.At.Nanosecond(), f.Zone)
	case e.Clock == "":
		e.Clock = event.ClockSource
	}
	if off := at.Sub(e.At); e.Clock != event.ClockArrival && off.Abs() > 24*time.Hour {
		e.Clock = event.ClockDoubt
	}
}

// own begins the names of fields that only ingest writes.
const own = "kakusho."

// foreign is fields without those that only ingest writes.
func foreign(fields map[string]string) map[string]string {
	for name := range fields {
		if strings.HasPrefix(name, own) {
			out := maps.Clone(fields)
			maps.DeleteFunc(out, func(name, _ string) bool { return strings.HasPrefix(name, own) })
			return out
		}
	}
	return fields
}

// fromField of an event that came by no feed says from whom: door, address, name.
const fromField = own + "from"

func from(o event.Origin) string { return o.Door + "\t" + o.Address + "\t" + o.Name }

// with is a copy of fields with one more.
func with(fields map[string]string, name, value string) map[string]string {
	out := make(map[string]string, len(fields)+1)
	maps.Copy(out, fields)
	out[name] = value
	return out
}

// addMark writes the mark of a batch into the first event that has a field left
// for it. When none has, the last field of the first goes into its text.
func addMark(events []event.Event, key string, n int64) {
	i := max(0, slices.IndexFunc(events, func(e event.Event) bool { return len(e.Fields) < event.MaxFields }))
	e := &events[i]
	fields := maps.Clone(e.Fields)
	if len(fields) >= event.MaxFields {
		last := slices.Max(slices.Collect(maps.Keys(fields)))
		e.Text += "\n" + last + "=" + fields[last]
		delete(fields, last)
	}
	e.Fields = with(fields, markField, strconv.FormatInt(n, 10)+" "+key)
}

// buffer holds the lines of one batch.
type buffer struct {
	bytes []byte
	ends  []int
	lines [][]byte
}

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// keepMost is how large a buffer may be to be used again.
const keepMost = 4 << 20

func (b *buffer) free() {
	if cap(b.bytes) <= keepMost {
		b.bytes, b.ends, b.lines = b.bytes[:0], b.ends[:0], b.lines[:0]
		buffers.Put(b)
	}
}

// encode returns the events as lines, which hold until free. The doors keep the
// limits of an event; one that passes a door and cannot be written is kept as far
// as it can be.
func (b *buffer) encode(events []event.Event, at time.Time) ([][]byte, error) {
	for i := range events {
		from := len(b.bytes)
		out, err := event.Encode(b.bytes, events[i])
		if err != nil {
			events[i] = mended(events[i], at, err)
			if out, err = event.Encode(b.bytes[:from], events[i]); err != nil {
				return nil, fmt.Errorf("%w: event %d: %w", ErrBatch, i, err)
			}
		}
		b.bytes = out
		b.ends = append(b.ends, len(out))
	}
	from := 0
	for _, end := range b.ends {
		b.lines = append(b.lines, b.bytes[from:end:end])
		from = end
	}
	return b.lines, nil
}

// mended is an event that can be written: as event.Fit makes it, or, when that
// cuts what ingest itself has written into it, its text alone.
func mended(e event.Event, at time.Time, why error) event.Event {
	out := event.Fit(e, at)
	if out.Fields[markField] == e.Fields[markField] && out.Fields[fromField] == e.Fields[fromField] {
		return out
	}
	const most = 16 << 10
	out = event.Fit(event.Event{ID: e.ID, At: e.At, Clock: e.Clock, Feed: e.Feed, System: e.System, Class: e.Class, Format: e.Format,
		Text: e.Text[:min(len(e.Text), most)], Raw: e.Raw[:min(len(e.Raw), most)]}, at)
	out.Fields = map[string]string{own + "fault": why.Error()}
	for _, name := range []string{markField, fromField} {
		if v := e.Fields[name]; v != "" {
			out.Fields[name] = v
		}
	}
	return out
}
