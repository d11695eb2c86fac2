// Package fleet judges many subjects at once.
//
// A Fleet holds what is known of every subject, and the terms (rules, parameters,
// settings) by which it is judged. Its outcome for each pair of a subject and a
// rule is the one that judge.Rule.Judge gives: a fleet only remembers and
// distributes. Reasons are not computed here; ask Judge for the pairs somebody
// looks at.
//
// The subjects of a kind are a body: columns of codes, one for each field that a
// rule reads. Rules are forms over tables (package table), judged 4,096 subjects
// at a time. What decisions turn a violation into is asked of Judge itself.
//
// A Fleet is not safe for concurrent use, but a fork and what it came from may be
// used beside each other. Outcomes never change.
package fleet

import (
	"time"

	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet/body"
	"kakusho/judge/fleet/program"
	"kakusho/judge/fleet/reign"
	"kakusho/judge/fleet/sight"
	"kakusho/kind"
	"kakusho/rule/weigh"
)

// Subject is one subject, the system it belongs to and whose parameter values it
// is held to.
type Subject = body.Subject

// Terms are what subjects are judged by.
type Terms struct {
	Rules      []*judge.Rule
	Parameters directive.Parameters
	Settings   []directive.Setting // approved
}

// Fleet is many subjects, and the terms by which they are judged.
type Fleet struct {
	kinds   kind.Set
	terms   Terms
	named   map[string]*judge.Rule // by control
	bodies  map[string]*kin        // by kind
	moments *sight.Moments
	scopes  *reign.Scopes
	reign   reign.Reign
	members map[string][]fact.Ref // by system; nil: not known any more
	fetch   body.Fetch

	settled   bool           // everything is judged as of at, and stays so until until
	at, until time.Time      // zero until: for ever
	pending   bool           // but for what hangs on conditions of decisions
	hanging   bool           // something does
	owner     *program.Owner // of the sheets that nobody else holds
	last      *Outcomes      // nil: something changed since
	views     []*body.View   // one for each worker; no fork has them
	changed   []*body.Column
	room      int // codes that may be held before those nobody uses are dropped; 0: not counted yet
}

// New is a fleet without subjects.
func New(kinds kind.Set, t Terms) *Fleet {
	f := &Fleet{kinds: kinds, bodies: map[string]*kin{}, moments: sight.NewMoments(), scopes: reign.NewScopes(), owner: new(program.Owner)}
	f.Hold(t)
	return f
}

// body finds the body of a kind, made if there is none yet.
func (f *Fleet) body(kindID string) *kin {
	b, ok := f.bodies[kindID]
	if !ok {
		b = &kin{Body: body.New(f.kinds[kindID], f.moments, f.scopes, f.fetch), over: newOverlays()}
		f.bodies[kindID] = b
		b.hold(f.terms.Rules)
	}
	return b
}

// Recall makes f keep no cells of subjects beyond what its columns hold: where
// Judge itself must be asked, or a new rule reads what none did before, fetch finds
// them. It must find what f was told last. Recall comes before the first Put, or after
// Load.
func (f *Fleet) Recall(fetch func(fact.Ref) (judge.Subject, bool)) {
	f.fetch = fetch
	for _, b := range f.bodies {
		b.Renew(true, fetch)
	}
}

// Drop removes a subject, if it is there.
func (f *Fleet) Drop(ref fact.Ref) {
	if b, ok := f.bodies[ref.Kind()]; ok && b.Drop(ref) {
		f.members, f.settled, f.last = nil, false, nil
	}
}

// Hold judges by t from now on. What t does not change is kept.
func (f *Fleet) Hold(t Terms) {
	f.terms, f.settled, f.last = t, false, nil
	f.reign.Forget()
	f.named = make(map[string]*judge.Rule, len(t.Rules))
	for _, r := range t.Rules {
		f.named[r.Control().ID] = r
	}
	for _, b := range f.bodies {
		b.hold(t.Rules)
	}
}

// Fork is a fleet that starts as f is and then goes its own way: nothing done to
// one is seen by the other. It shares with f whatever neither has changed.
func (f *Fleet) Fork() *Fleet {
	g := *f
	f.owner, g.owner, g.changed, g.views = new(program.Owner), new(program.Owner), nil, nil
	g.reign = f.reign.Fork()
	g.bodies = make(map[string]*kin, len(f.bodies))
	for id, b := range f.bodies {
		g.bodies[id] = b.fork()
	}
	return &g
}

// near lists a subject and what belongs to its system.
func (f *Fleet) near(s *Subject) []fact.Ref {
	out := []fact.Ref{s.Ref}
	if s.System == "" {
		return out
	}
	if f.members == nil {
		f.members = map[string][]fact.Ref{}
		for _, b := range f.bodies {
			for _, s := range b.All {
				if s.System != "" {
					f.members[s.System] = append(f.members[s.System], s.Ref)
				}
			}
		}
	}
	for _, ref := range f.members[s.System] {
		if ref != s.Ref {
			out = append(out, ref)
		}
	}
	return out
}

// Judge is what f's terms say of every subject at the instant at. Only what is no
// longer so since the last call is judged again.
func (f *Fleet) Judge(at time.Time) *Outcomes {
	switch {
	case !f.settled || at.Before(f.at) || !f.until.IsZero() && !at.Before(f.until):
		f.judge(at)
	case f.pending:
		f.at, f.until, f.pending = at, weigh.Earlier(f.until, f.settleConditions(at)), false
	}
	if f.last == nil {
		f.last = f.snapshot()
	}
	o := *f.last
	o.at = at
	return &o
}

// values are the parameter values that s is held to.
func (f *Fleet) values(s *Subject) *reign.Regime { return f.reign.Under(f.scopes.Code(s.Scope)) }
