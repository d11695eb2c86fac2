package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/event"
	"kakusho/gate"
	"kakusho/search"
	"kakusho/trail"
)

// Events finds, counts and proves what systems said happened, for those who may.
// The index only says where something stands: what is shown is read again from
// the sealed trail and checked against what was sealed. It is safe for concurrent
// use.
type Events struct {
	log    *slog.Logger
	gate   *gate.Gate
	engine search.Engine
	trails func() map[string]*trail.Log
	live   Live
	within func(ctx context.Context, scope string) ([]string, error)
}

// Live is a running feed of what is being taken: fn hears of each batch, and of
// how many events a slow hearer has missed since the last, until it returns false
// or ctx ends.
type Live func(ctx context.Context, fn func(stream string, first int64, events []event.Event, missed int64) bool)

// NewEvents joins the trails of events with an index of them. within lists the
// systems of a scope such as unit/HQ; live may be nil.
func NewEvents(log *slog.Logger, g *gate.Gate, engine search.Engine, trails func() map[string]*trail.Log, live Live,
	within func(ctx context.Context, scope string) ([]string, error)) *Events {
	return &Events{log, g, engine, trails, live, within}
}

// Through is the same reader, who asks another gate.
func (e *Events) Through(g *gate.Gate) *Events {
	if e == nil {
		return nil // nothing is searched here
	}
	o := *e
	o.gate = g
	return &o
}

// Standing is what reading an event again has shown.
type Standing string

// The standings.
const (
	Verified Standing = "verified" // it is what was sealed
	Unsealed Standing = "unsealed" // on disk, too young to be sealed
	Damaged  Standing = "damaged"  // not what was sealed: an incident
	Gone     Standing = "gone"     // its period has ended; its hash remains
)

// Found is one event, read again.
type Found struct {
	search.Ref
	Time     time.Time // under which it was found
	Arrived  time.Time
	Segment  int64
	Event    event.Event
	Line     []byte // as it was sealed
	Standing Standing
}

// Look is a permitted search: the query, held to the systems the asker may see.
type Look struct {
	permit  gate.Permit
	systems []string // nil: all
}

// Permit asks for leave to look for text; what is looked for is sealed with it.
func (e *Events) Permit(ctx context.Context, who actor.Actor, text string, at time.Time) (Look, error) {
	p, err := e.gate.Ask(ctx, gate.Request{
		Actor: who, At: at, Action: gate.ReadTrail, Object: "events", Scope: who.Everywhere(),
		Changes: []gate.Change{{Body: map[string]string{"query": text}}},
	})
	if err != nil {
		return Look{}, err
	}
	l := Look{permit: p, systems: []string{}}
	for _, as := range who.Assignments {
		switch {
		case as.Duty != actor.Auditor && as.Duty != actor.SecurityAdministrator:
		case as.Scope == "*":
			return Look{permit: p}, nil
		default:
			ids, err := e.within(ctx, as.Scope)
			if err != nil {
				return Look{}, fmt.Errorf("find systems of %s: %w", as.Scope, err)
			}
			l.systems = append(l.systems, ids...)
		}
	}
	return l, nil
}

// PermitExport asks, beyond leave to look, for leave to take away what was found.
func (e *Events) PermitExport(ctx context.Context, who actor.Actor, text string, at time.Time) error {
	_, err := e.gate.Ask(ctx, gate.Request{
		Actor: who, At: at, Action: gate.Export, Object: "events", Scope: who.Everywhere(),
		Changes: []gate.Change{{Body: map[string]string{"query": text}}},
	})
	return err
}

// May reports whether events of a system are within the look; "" is no known system.
func (l Look) May(system string) bool {
	l.permit.Who()
	return l.systems == nil || slices.Contains(l.systems, system)
}

// Page is a part of what was found, newest first.
type Page struct {
	Events []Found
	Next   search.Hit // Query.After of the next part; zero: there is no more
}

// Find returns the events of q, each read again from its trail.
func (e *Events) Find(ctx context.Context, l Look, q search.Query) (Page, error) {
	l.permit.Who()
	q.Systems = l.systems
	want := min(max(q.Limit, 1), 1000)
	q.Limit = want + 1
	var hits []search.Hit
	rows := 0
	seen := map[search.Ref]bool{}
	err := e.engine.Query(ctx, q, func(h search.Hit) bool {
		if rows++; !seen[h.Ref] { // an index may have a row twice
			seen[h.Ref] = true
			hits = append(hits, h)
		}
		return len(hits) <= want
	})
	if err != nil {
		return Page{}, fmt.Errorf("search events: %w", err)
	}
	var page Page
	if len(hits) > want {
		page.Next = hits[want-1]
		hits = hits[:want]
	} else if rows > want { // there are more behind those that came twice
		page.Next = hits[len(hits)-1]
	}
	for _, h := range hits {
		f, err := e.read(ctx, h.Ref)
		if err != nil {
			return Page{}, err
		}
		if f.Time = h.Time; !l.May(f.Event.System) && f.Standing != Gone && f.Standing != Damaged {
			continue // the index says another system than the trail
		}
		page.Events = append(page.Events, f)
	}
	return page, nil
}

// errNoEvent is wrapped with what was asked for.
var errNoEvent = errors.New("there is no such event")

// read reads one event again. What cannot be shown is a Standing, not an error.
func (e *Events) read(ctx context.Context, r search.Ref) (Found, error) {
	t := e.trails()[r.Stream]
	if t == nil || r.Seq < 0 || r.Seq >= t.Len() {
		return Found{}, fmt.Errorf("event %s/%d: %w", r.Stream, r.Seq, errNoEvent)
	}
	f := Found{Ref: r, Standing: Verified}
	line, sealed, err := t.Checked(ctx, r.Seq)
	switch {
	case errors.Is(err, trail.ErrRetired):
		f.Standing = Gone
		return f, nil
	case errors.Is(err, trail.ErrDamage):
		e.log.Error("event is not what was sealed", "stream", r.Stream, "entry", r.Seq, "error", err)
		f.Standing = Damaged
		return f, nil
	case err != nil:
		return Found{}, err
	case !sealed:
		f.Standing = Unsealed
	}
	f.Arrived, f.Segment, f.Line = line.Arrived, line.Segment, line.Bytes
	if f.Event, err = event.Decode(line.Bytes); err != nil {
		f.Event = event.Event{Text: string(line.Bytes)} // sealed by something newer: shown as it is
	}
	return f, nil
}

// Count counts the events of q.
func (e *Events) Count(ctx context.Context, l Look, q search.Query, s search.Stats) ([]search.Group, error) {
	l.permit.Who()
	q.Systems = l.systems
	groups, err := e.engine.Stats(ctx, q, s)
	if err != nil {
		return nil, fmt.Errorf("count events: %w", err)
	}
	return groups, nil
}

// One reads one event.
func (e *Events) One(ctx context.Context, l Look, r search.Ref) (Found, error) {
	f, err := e.read(ctx, r)
	if err != nil {
		return Found{}, err
	}
	if !l.May(f.Event.System) {
		return Found{}, fmt.Errorf("event %s/%d: %w", r.Stream, r.Seq, errNoEvent)
	}
	f.Time = f.Event.At
	return f, nil
}

// Proof returns the proof of one event as a file that verifies offline with the
// public key of its trail alone.
func (e *Events) Proof(ctx context.Context, l Look, r search.Ref) ([]byte, error) {
	if _, err := e.One(ctx, l, r); err != nil {
		return nil, err
	}
	return e.trails()[r.Stream].Prove(ctx, r.Seq)
}

// Tail brings events that q finds as they are taken, until fn returns false or ctx
// ends. missed are events that came too fast to be looked at.
func (e *Events) Tail(ctx context.Context, l Look, q search.Query, fn func(found []Found, missed int64) bool) {
	l.permit.Who()
	q.Systems = l.systems
	if e.live == nil {
		return
	}
	e.live(ctx, func(stream string, first int64, events []event.Event, missed int64) bool {
		var found []Found
		for i, ev := range events {
			r := search.Row{Ref: search.Ref{Stream: stream, Seq: first + int64(i)}, Arrived: ev.At, Event: ev}
			if q.Match(r) {
				found = append(found, Found{Ref: r.Ref, Time: ev.At, Event: ev, Standing: Unsealed})
			}
		}
		return len(found) == 0 && missed == 0 || fn(found, missed)
	})
}

// Stream is one trail of events.
type Stream struct {
	Name      string
	Events    int64
	Sealed    int64 // of them under a published checkpoint
	PublicKey string
}

// Streams lists the trails of events, by name.
func (e *Events) Streams(l Look) (out []Stream) {
	l.permit.Who()
	for name, t := range e.trails() {
		out = append(out, Stream{name, t.Len(), t.SealedLen(), t.PublicKey()})
	}
	slices.SortFunc(out, func(a, b Stream) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Health says why nothing can be searched just now, or nil. Events are taken and
// sealed all the same.
func (e *Events) Health(ctx context.Context) error { return e.engine.Health(ctx) }
