// Package retention decides which packs of events go to the archive and which are
// thrown away, and has it done.
//
// A pack stays at hand as long as any system that spoke in it must be searchable at
// once, and is kept as long as any of them, its stream, or a hold asks. What is to
// happen can be looked at before (Plan), is sealed at the gate when it does (Run),
// and the trail itself keeps the statement and the hashes of what went.
package retention

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"kakusho/actor"
	"kakusho/gate"
	"kakusho/trail"
)

// Trail is what retention needs of a stream's trail.
type Trail interface {
	Packs() ([]trail.Pack, error)
	Archive(ctx context.Context, name string) error
	Retire(ctx context.Context, names []string, why string) error
}

// Span is from when to when, by arrival.
type Span struct{ From, To time.Time }

func (s Span) touches(from, to time.Time) bool {
	return !s.To.Before(from) && !s.From.After(to)
}

// Stream is one trail of events, and who speaks in it.
type Stream struct {
	Name    string
	Keep    time.Duration   // what its name promises
	Trail   Trail           //
	Systems map[string]Span // when each spoke; "" for events of no known system
	Archive bool            // there is somewhere to archive to
}

// Needs is what the parameters ask for one system.
type Needs struct {
	Online time.Duration // log.online: searchable at once
	Keep   time.Duration // log.retention.min: retrievable
}

// Hold keeps events whatever their period.
type Hold struct {
	ID     string
	System string    // empty: every system
	From   time.Time // of the events; zero: from the oldest
	Until  time.Time // zero: what is still to come as well
}

// Events come after they happened, but a clock may be ahead and a sender may have
// waited: a hold reaches so much further than its events.
const (
	holdBefore = 24 * time.Hour
	holdAfter  = 30 * 24 * time.Hour
)

// Deed is what happens to a pack.
type Deed string

// The deeds. Nothing: it stays where it is.
const (
	Nothing Deed = "nothing"
	Archive Deed = "archive"
	Retire  Deed = "retire"
)

// Step is what the plan says of one pack.
type Step struct {
	Stream  string
	Pack    trail.Pack
	Do      Deed
	Online  time.Time // stays at hand at least until
	Keep    time.Time // is kept at least until
	By      string    // the system that asks for it longest; empty: the stream
	Holds   []string  // that keep it although its time is over
	Waiting bool      // its time has come, but it is not whole or there is no archive yet
}

// Source says what there is to keep, at the instant of a plan.
type Source interface {
	Streams(ctx context.Context) ([]Stream, error)
	Needs(ctx context.Context, system string, at time.Time) (Needs, error)
	Holds(ctx context.Context, at time.Time) ([]Hold, error)
}

// Retention plans and does. It is safe for concurrent use; one run is under way at
// a time.
type Retention struct {
	gate   *gate.Gate
	source Source
	mu     sync.Mutex
}

// New returns a retention of what source has.
func New(g *gate.Gate, source Source) *Retention { return &Retention{gate: g, source: source} }

// Plan says of every pack that still has its bodies what would happen to it at the
// instant at. It changes nothing.
func (r *Retention) Plan(ctx context.Context, at time.Time) ([]Step, error) {
	streams, err := r.source.Streams(ctx)
	if err != nil {
		return nil, fmt.Errorf("plan retention: %w", err)
	}
	holds, err := r.source.Holds(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("plan retention: %w", err)
	}
	p := planner{ctx: ctx, at: at, source: r.source, holds: holds, needs: map[string]Needs{}}
	var steps []Step
	for _, s := range streams {
		packs, err := s.Trail.Packs()
		if err != nil {
			return nil, fmt.Errorf("plan retention of %s: %w", s.Name, err)
		}
		for _, pack := range packs {
			if pack.State == trail.PackHashes {
				continue
			}
			step, err := p.step(s, pack)
			if err != nil {
				return nil, fmt.Errorf("plan retention of %s: %w", s.Name, err)
			}
			steps = append(steps, step)
		}
	}
	return steps, nil
}

// planner is one plan in the making.
type planner struct {
	ctx    context.Context
	at     time.Time
	source Source
	holds  []Hold
	needs  map[string]Needs
}

func (p *planner) of(system string) (Needs, error) {
	if n, known := p.needs[system]; known {
		return n, nil
	}
	n, err := p.source.Needs(p.ctx, system, p.at)
	if err == nil {
		p.needs[system] = n
	}
	return n, err
}

func (p *planner) step(s Stream, pack trail.Pack) (Step, error) {
	step := Step{Stream: s.Name, Pack: pack, Do: Nothing}
	keep, online := s.Keep, time.Duration(0)
	spoke := speakers(s, pack)
	for _, system := range spoke {
		n, err := p.of(system)
		if err != nil {
			return step, err
		}
		online = max(online, n.Online)
		if need := max(n.Keep, n.Online); need > keep {
			keep, step.By = need, system
		}
	}
	step.Keep, step.Online = pack.To.Add(keep), pack.To.Add(online)
	for _, h := range p.holds {
		if h.touches(pack, spoke) {
			step.Holds = append(step.Holds, h.ID)
		}
	}
	switch {
	case p.at.Before(step.Online):
	case !p.at.Before(step.Keep) && len(step.Holds) == 0:
		step.Do = Retire
	case pack.State == trail.PackLocal:
		step.Do = Archive
	}
	if step.Do != Nothing && (!pack.Whole || step.Do == Archive && !s.Archive) {
		step.Do, step.Waiting = Nothing, true
	}
	return step, nil
}

// speakers are the systems that spoke while a pack was written. When nobody is
// known to have, all that ever spoke in the stream are asked.
func speakers(s Stream, pack trail.Pack) (out []string) {
	for system, span := range s.Systems {
		if span.touches(pack.From, pack.To) {
			out = append(out, system)
		}
	}
	if len(out) == 0 {
		out = append(out, "")
		for system := range s.Systems {
			out = append(out, system)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (h Hold) touches(pack trail.Pack, spoke []string) bool {
	if h.System != "" && !slices.Contains(spoke, h.System) {
		return false
	}
	return (h.From.IsZero() || !pack.To.Before(h.From.Add(-holdBefore))) &&
		(h.Until.IsZero() || !pack.From.After(h.Until.Add(holdAfter)))
}

// Done is what a run has done.
type Done struct {
	Archived, Retired []Step
}

// packBody is one pack in an entry of the gate.
type packBody struct {
	Name  string    `json:"name"`
	First int64     `json:"first"`
	Count int64     `json:"count"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Keep  time.Time `json:"keep"` // was to be kept until
	By    string    `json:"by,omitempty"`
}

type body struct {
	Stream string     `json:"stream"`
	Packs  []packBody `json:"packs"`
}

// stepsAtOnce bounds what one entry and one statement name.
const stepsAtOnce = 200

// Run does what the plan says, stream by stream, each deed sealed before it is
// done. One that fails does not keep the others from being done; it is planned
// again the next time. Archiving may take hours: a hold that was ordered meanwhile, or
// a parameter that was raised, counts before anything is thrown away.
func (r *Retention) Run(ctx context.Context, who actor.Actor, at time.Time) (Done, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	steps, err := r.Plan(ctx, at)
	if err != nil {
		return Done{}, err
	}
	streams, err := r.source.Streams(ctx)
	if err != nil {
		return Done{}, fmt.Errorf("run retention: %w", err)
	}
	var done Done
	var errs []error
	for _, s := range streams {
		for _, deed := range []Deed{Archive, Retire} {
			due := slices.DeleteFunc(slices.Clone(steps), func(x Step) bool { return x.Stream != s.Name || x.Do != deed })
			slices.SortFunc(due, func(a, b Step) int { return cmp.Compare(a.Pack.First, b.Pack.First) })
			for part := range slices.Chunk(due, stepsAtOnce) {
				if deed == Retire {
					if part, err = r.still(ctx, part, at); err != nil {
						errs = append(errs, err)
						continue
					}
				}
				did, err := r.do(ctx, who, s, deed, part, at)
				errs = append(errs, err)
				if deed == Archive {
					done.Archived = append(done.Archived, did...)
				} else {
					done.Retired = append(done.Retired, did...)
				}
			}
		}
	}
	return done, errors.Join(errs...)
}

// still leaves those of steps that would be retired when one planned now.
func (r *Retention) still(ctx context.Context, steps []Step, at time.Time) ([]Step, error) {
	now, err := r.Plan(ctx, at)
	return slices.DeleteFunc(slices.Clone(steps), func(x Step) bool {
		return !slices.ContainsFunc(now, func(y Step) bool { return y.Stream == x.Stream && y.Pack.Name == x.Pack.Name && y.Do == Retire })
	}), err
}

// do seals a deed and does it; of nothing, nothing.
func (r *Retention) do(ctx context.Context, who actor.Actor, s Stream, deed Deed, steps []Step, at time.Time) (did []Step, err error) {
	if len(steps) == 0 {
		return nil, nil
	}
	action := gate.ArchiveTrail
	if deed == Retire {
		action = gate.RetireTrail
	}
	b := body{Stream: s.Name}
	var names []string
	for _, x := range steps {
		names = append(names, x.Pack.Name)
		b.Packs = append(b.Packs, packBody{x.Pack.Name, x.Pack.First, x.Pack.Count, x.Pack.From, x.Pack.To, x.Keep, x.By})
	}
	p, err := r.gate.Ask(ctx, gate.Request{Actor: who, At: at, Action: action, Object: "trail/events/" + s.Name, Changes: []gate.Change{{Body: b}}})
	if err != nil {
		return nil, err
	}
	if deed == Retire {
		if err := s.Trail.Retire(ctx, names, fmt.Sprintf("period over; entry %d", p.First())); err != nil {
			return nil, fmt.Errorf("retire packs of %s: %w", s.Name, err)
		}
		return steps, nil
	}
	var errs []error
	for _, x := range steps {
		if err := s.Trail.Archive(ctx, x.Pack.Name); err != nil {
			errs = append(errs, fmt.Errorf("archive pack %s of %s: %w", x.Pack.Name, s.Name, err))
			continue
		}
		did = append(did, x)
	}
	return did, errors.Join(errs...)
}
