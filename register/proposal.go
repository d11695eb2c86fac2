package register

import (
	"context"
	"time"

	"kakusho/actor"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/store"
	"kakusho/trail"
)

// Proposal is an entry as a file would put it: checked, and not sealed.
type Proposal struct {
	Kind   kind.Kind
	Ref    fact.Ref
	Values map[string]any // typed, absent fields left out
	Old    store.Subject  // zero when new
	Faults Faults
	change change
}

// Propose checks values as those of one entry of a file that who brings.
func (r *Register) Propose(ctx context.Context, rd store.Reader, who actor.Actor, k kind.Kind, values map[string]any, at time.Time) (Proposal, error) {
	c, err := r.plan(ctx, rd, who, k, values, byFile, at)
	return Proposal{Kind: k, Ref: fact.NewRef(k.ID, c.id), Values: c.values, Old: c.old, Faults: c.faults, change: c}, err
}

// Body is what the trail keeps of it.
func (d Proposal) Body() Body { return d.change.body(d.Kind) }

// Places are those of which a duty must cover one.
func (d Proposal) Places() []string { return scope(d.Kind, d.change.id, d.change.values, d.Old) }

// Sealing lets look see the rows and seals what it asks for; nobody changes an entry in
// between.
func (r *Register) Sealing(ctx context.Context, look func(store.Reader) (gate.Request, error)) (gate.Permit, error) {
	r.changing.Lock()
	defer r.changing.Unlock()
	var request gate.Request
	err := r.rows.View(ctx, func(rd store.Reader) (err error) {
		request, err = look(rd)
		return err
	})
	if err != nil {
		return gate.Permit{}, err
	}
	return r.gate.Ask(ctx, request)
}

// Readable finds a kind that p's holder may read.
func (r *Register) Readable(p gate.Permit, id string) (kind.Kind, error) { return r.readable(p, id) }

// Owners are the duties that may change a kind.
func Owners(k kind.Kind) []actor.Duty { return owners(k) }

// PlacesOf lists the places an entry belongs to.
func PlacesOf(k kind.Kind, s store.Subject) []string { return placesOf(k, s.ID, s.Values) }

// Row is the row of a body that was sealed as e, in place of old.
func Row(k kind.Kind, b Body, e trail.Sealed, old store.Subject) *store.Subject {
	return row(k, b, e, old)
}

// Restored is an entry as it was before, in place of how it is now.
func Restored(k kind.Kind, now store.Subject, was map[string]any) Proposal {
	c := change{id: now.ID, values: was, old: now}
	return Proposal{Kind: k, Ref: fact.NewRef(k.ID, now.ID), Values: was, Old: now, change: c}
}
