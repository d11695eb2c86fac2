// Package posture holds the standing: every subject with its facts and
// declarations, and what the judge says of it.
//
// What is judged, a world of rows, and what it is judged by, Terms, are two things;
// a Posture is one under the other, and others can be made of the same parts: the
// same evidence under another rulebook, other rows under the same, a draft that
// touches neither.
//
// A verdict is computed, never kept as the truth. The outcomes of every subject and
// control are at hand in a Standing, and remembered only as long as nothing they
// rest on has changed and no instant has come at which they change by themselves:
// expiry acts by the clock alone. A verdict with its reasons is asked for where
// somebody looks at it.
package posture

import (
	"context"
	"fmt"
	"sync"
	"time"

	"kakusho/actor"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/gate"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/posture/world"
	"kakusho/store"
)

// Decision is a decision as the rows hold it.
type Decision = world.Decision

// Cell is one field of a subject, as the judge is given it.
type Cell = judge.Cell

// Posture judges what rows say by terms. It is safe for concurrent use.
type Posture struct {
	*evidence
	court *court
}

// evidence is rows as they were read. Postures by different terms share it.
type evidence struct {
	mu          sync.Mutex
	rows        store.Store
	world       *world.World
	derivations map[string]world.Derivation
}

// New judges rows by a directive's controls. A control that does not compile judges
// "error"; see Terms.
//
// derivations compute the derived fields of kinds, by the name a field gives; one
// that is missing is an error.
func New(rows store.Store, d *directive.Directive, controls []control.Control, kinds kind.Set, derivations map[string]world.Derivation) (*Posture, error) {
	return Over(rows, NewTerms(d, controls, kinds), derivations)
}

// Over judges rows by terms.
func Over(rows store.Store, t *Terms, derivations map[string]world.Derivation) (*Posture, error) {
	if err := missing(t.kinds, derivations); err != nil {
		return nil, err
	}
	return over(rows, t, derivations), nil
}

func over(rows store.Store, t *Terms, derivations map[string]world.Derivation) *Posture {
	e := &evidence{rows: rows, world: world.New(t.kinds), derivations: derivations}
	return &Posture{e, newCourt(t, e)}
}

// Under judges what p judges, the same rows read once, by other terms.
func (p *Posture) Under(t *Terms) *Posture { return &Posture{p.evidence, newCourt(t, p.evidence)} }

// Terms are what is judged by.
func (p *Posture) Terms() *Terms { return p.court.terms }

// Directive is the directive judged by.
func (p *Posture) Directive() *directive.Directive { return p.court.terms.directive }

// Kinds are the kinds of subject judged.
func (p *Posture) Kinds() kind.Set { return p.court.terms.kinds }

// Controls are the controls judged by, in order of ID.
func (p *Posture) Controls() []control.Control { return p.court.terms.controls }

// Control finds a control by ID.
func (p *Posture) Control(id string) (control.Control, bool) { return p.court.terms.Control(id) }

// Now is the standing at the instant at, as the permit's holder may see it. It
// holds every entry that was folded when it was called.
func (p *Posture) Now(ctx context.Context, permit gate.Permit, at time.Time) (*Standing, error) {
	who := permit.Who()
	p.mu.Lock()
	defer p.mu.Unlock()
	g, err := p.judged(ctx, at)
	if err != nil {
		return nil, err
	}
	return &Standing{ground: g, At: g.at, who: who}, nil
}

// Of judges subjects and facts that stand in no store: a machine looked at once.
// Posture itself stays as it is.
func (p *Posture) Of(subjects []store.Subject, facts []store.Fact, at time.Time) (*Standing, error) {
	q := over(nil, p.court.terms, p.derivations)
	for _, s := range subjects {
		q.world.PutSubject(s)
	}
	for _, f := range facts {
		if err := q.world.PutFact(f); err != nil {
			return nil, err
		}
	}
	q.world.Settle()
	return &Standing{ground: q.court.judge(at), At: at, who: actor.Program}, nil
}

// outrun is how much later another reader's instant may be whose standing serves
// for one who waited: readers overtake each other, and judging everything again for
// each would cost more than it tells.
const outrun = 5 * time.Second

// judged reads what is new and judges it; p is locked.
func (p *Posture) judged(ctx context.Context, at time.Time) (*ground, error) {
	if _, err := p.world.Refresh(ctx, p.rows); err != nil {
		return nil, fmt.Errorf("read the standing: %w", err)
	}
	if last := p.court.last; last != nil && at.Before(last.at) && last.at.Sub(at) < outrun {
		at = last.at
	}
	return p.court.judge(at), nil
}

// Draft is what a trial supposes to be otherwise. What is nil stays as it is.
type Draft struct {
	At        time.Time // the instant tried; zero: now
	Terms     *Terms
	Settings  func(approved []directive.Setting) []directive.Setting
	Decisions func(all []Decision) []Decision
	Observed  func(f kind.Field, c Cell) Cell // evidence as it will be
}

// Suppose is how things stand at the instant now, and how they would stand at d's if
// d were so, by the same evidence. It touches nothing.
func (p *Posture) Suppose(ctx context.Context, permit gate.Permit, now time.Time, d Draft) (before, after *Standing, err error) {
	who := permit.Who()
	p.mu.Lock()
	defer p.mu.Unlock()
	g, err := p.judged(ctx, now)
	if err != nil {
		return nil, nil, err
	}
	at := d.At
	if at.Before(g.at) {
		at = g.at
	}
	return &Standing{ground: g, At: g.at, who: who}, &Standing{ground: p.court.suppose(at, d), At: at, who: who}, nil
}

// missing reports the first derived field of the kinds that no derivation computes.
func missing(kinds kind.Set, derivations map[string]world.Derivation) error {
	for id, k := range kinds {
		for _, f := range k.Layer(kind.Derived) {
			if _, ok := derivations[f.Derive]; !ok {
				return fmt.Errorf("kind %s: field %s: no derivation is called %q", id, f.Name, f.Derive)
			}
		}
	}
	return nil
}
