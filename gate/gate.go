// Package gate decides whether somebody may do something, and records it.
//
// There is one call, Ask. It decides and seals in one step: what is allowed
// enters the trail as the change or the look it is, what is refused enters as a
// refusal. If the trail cannot take the entry, the answer is no. A Permit is the
// only key to the work packages; there is no second way in.
//
// Everything not allowed here is refused. The rules are the table in rights.go.
package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/clause"
	"kakusho/trail"
)

// ErrRefused is returned, wrapped with the reason, when the answer is no. The
// refusal is in the trail. Nothing was changed; asking again does not help.
var ErrRefused = errors.New("refused")

// Recorder takes entries and returns when they are on disk and folded. All of
// them are taken or none.
type Recorder interface {
	Append(ctx context.Context, entries ...trail.Entry) (first int64, err error)
}

// Gate decides by its table and records with its Recorder. It is safe for
// concurrent use.
type Gate struct{ record Recorder }

// New returns a gate that records with r.
func New(r Recorder) *Gate { return &Gate{record: r} }

// Request is what is asked.
type Request struct {
	Actor   actor.Actor
	At      time.Time
	Action  Action
	Object  string      // "computer/PC-1", "parameter/KEY", "page/…"
	Control string      // for the trail, when one is concerned
	Clauses []clause.ID // likewise

	// Need are the duties that a register or a control names for this action,
	// of which the actor must hold one. Empty: those of the action.
	Need []actor.Duty
	// Scope are the places the object belongs to: "unit/ID", "system/ID". The
	// actor's duty must cover one of them. Empty: only an unlimited duty covers it.
	Scope []string
	// NotBy are persons who may not do this: the author of what is approved.
	NotBy []string

	// Changes are sealed when allowed, all or none. Empty: one entry without a body.
	Changes []Change
}

// Change is one entry to seal: what the action does to one object.
type Change struct {
	Object string // empty: the request's
	Body   any    // encoded as JSON
}

// Permit proves that Ask said yes. The zero Permit is nobody's.
type Permit struct {
	who    actor.Actor
	action Action
	at     time.Time
	first  int64
}

// Who is the actor that was let through. Work packages call it first; it panics
// on a zero Permit, which can only be a mistake in the program.
func (p Permit) Who() actor.Actor {
	if p.action == "" {
		panic("gate: a permit that Ask did not give")
	}
	return p.who
}

// For is a permit to read as somebody would, for the program that tells people what
// waits for them. It panics on any other permit.
func (p Permit) For(who actor.Actor) Permit {
	if p.action != RunNotices || !p.who.IsProgram() {
		panic("gate: this permit is not for others")
	}
	p.who, p.action = who, Read
	return p
}

// At is the instant for which it was given.
func (p Permit) At() time.Time { return p.at }

// First is the trail number of the first entry sealed for it.
func (p Permit) First() int64 { return p.first }

// Ask decides r and seals what follows. It returns ErrRefused (sealed, final), or
// another error when the entry could not be sealed: then nothing happened and
// the answer is no.
func (g *Gate) Ask(ctx context.Context, r Request) (Permit, error) {
	if why := decide(r); why != "" {
		body := map[string]string{"action": string(r.Action), "why": why}
		entry, err := r.entry("gate.refused", Change{Body: body})
		if err == nil {
			_, err = g.record.Append(ctx, entry)
		}
		if err != nil {
			return Permit{}, errors.Join(fmt.Errorf("%s %s: %w: %s", r.Action, r.Object, ErrRefused, why),
				fmt.Errorf("record refusal: %w", err))
		}
		return Permit{}, fmt.Errorf("%s %s: %w: %s", r.Action, r.Object, ErrRefused, why)
	}
	changes := r.Changes
	if len(changes) == 0 {
		changes = []Change{{}}
	}
	entries := make([]trail.Entry, 0, len(changes))
	for _, c := range changes {
		e, err := r.entry(string(r.Action), c)
		if err != nil {
			return Permit{}, err
		}
		entries = append(entries, e)
	}
	first, err := g.record.Append(ctx, entries...)
	if err != nil {
		return Permit{}, fmt.Errorf("record %s: %w", r.Action, err)
	}
	return Permit{who: r.Actor, action: r.Action, at: r.At, first: first}, nil
}

func (r Request) entry(kind string, c Change) (trail.Entry, error) {
	e := trail.Entry{At: r.At, Kind: kind, Actor: r.Actor.Person, Object: r.Object, Control: r.Control, Clauses: r.Clauses}
	if c.Object != "" {
		e.Object = c.Object
	}
	e.Post = r.Post()
	if c.Body != nil {
		body, err := json.Marshal(c.Body)
		if err != nil {
			return trail.Entry{}, fmt.Errorf("encode %s: %w", kind, err)
		}
		e.Body = body
	}
	return e, nil
}

// decide says why not, or "" for yes. The reasons are codes: the trail keeps no
// sentences.
func decide(r Request) string {
	rule, ok := rights[r.Action]
	switch {
	case !ok:
		return "no-such-action"
	case r.Actor.IsProgram():
		if !rule.program {
			return "not-for-the-program"
		}
		return ""
	case r.Actor.Nobody() && !rule.nobody:
		return "not-logged-in"
	case rule.nobody:
		return ""
	case slices.Contains(r.NotBy, r.Actor.Person):
		return "own-request"
	case r.covering() == nil:
		return "no-duty"
	}
	return ""
}

// Allows reports whether Ask would say yes, without asking: nothing is recorded. For
// pages that offer only what may be done.
func (r Request) Allows() bool { return decide(r) == "" }

// Post is the one by which the actor may do it; empty when he may not.
func (r Request) Post() string {
	if as := r.covering(); as != nil {
		return as.Post
	}
	return ""
}

// covering finds the assignment that allows r, or nil.
func (r Request) covering() *actor.Assignment {
	need := r.Need
	if len(need) == 0 {
		need = rights[r.Action].duties
	}
	for i, as := range r.Actor.Assignments {
		if !slices.Contains(need, as.Duty) {
			continue
		}
		if as.Scope == "*" || slices.Contains(r.Scope, as.Scope) {
			return &r.Actor.Assignments[i]
		}
	}
	return nil
}
