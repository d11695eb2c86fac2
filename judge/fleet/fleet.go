// Package fleet judges many subjects at once.
//
// A Fleet holds what is known of every subject, and the terms (rules, parameters,
// settings) by which it is judged. Its outcome for each pair of a subject and a
// rule is the one that judge.Rule.Judge gives: a fleet only remembers and
// distributes. Reasons are not computed here; ask Judge for the pairs somebody
// looks at.
//
// A Fleet is not safe for concurrent use; the Outcomes it makes are, and never
// change.
package fleet

import (
	"maps"
	"slices"
	"time"

	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
)

// Subject is one subject, the system it belongs to and whose parameter values it
// is held to.
type Subject struct {
	judge.Subject
	System string
	Scope  directive.Scope
}

// Terms are what subjects are judged by.
type Terms struct {
	Rules      []*judge.Rule
	Parameters directive.Parameters
	Settings   []directive.Setting // approved
}

// Fleet is many subjects, and the terms by which they are judged.
type Fleet struct {
	kinds kind.Set
	terms Terms
	rules map[string][]*judge.Rule // by kind, in the order of the terms
	named map[string]*judge.Rule   // by control

	subjects map[fact.Ref]*Subject
	order    []fact.Ref
	systems  map[string][]fact.Ref
	last     *Outcomes // nil: something changed since
}

// New is a fleet without subjects.
func New(kinds kind.Set, t Terms) *Fleet {
	f := &Fleet{kinds: kinds, subjects: map[fact.Ref]*Subject{}, systems: map[string][]fact.Ref{}}
	f.Hold(t)
	return f
}

// Put adds a subject, or replaces it. The fleet keeps its maps and slices: they
// must not be changed any more.
func (f *Fleet) Put(s Subject) {
	old, known := f.subjects[s.Ref]
	if !known {
		f.order = append(f.order, s.Ref)
	}
	if !known || old.System != s.System {
		f.leave(s.Ref)
		f.join(s.Ref, s.System)
	}
	f.subjects[s.Ref], f.last = &s, nil
}

// Drop removes a subject, if it is there.
func (f *Fleet) Drop(ref fact.Ref) {
	if _, known := f.subjects[ref]; !known {
		return
	}
	f.leave(ref)
	delete(f.subjects, ref)
	f.order, f.last = slices.DeleteFunc(f.order, func(r fact.Ref) bool { return r == ref }), nil
}

// join and leave keep who belongs to a system.
func (f *Fleet) join(ref fact.Ref, system string) {
	if system != "" {
		f.systems[system] = append(f.systems[system], ref)
	}
}

func (f *Fleet) leave(ref fact.Ref) {
	if s, known := f.subjects[ref]; known && s.System != "" {
		f.systems[s.System] = slices.DeleteFunc(f.systems[s.System], func(r fact.Ref) bool { return r == ref })
	}
}

// See takes over cells of a subject, as a rule reads them through s, that are
// now others. A subject that is not there stays so.
func (f *Fleet) See(ref fact.Ref, cells map[string]judge.Cell) {
	old, known := f.subjects[ref]
	if !known {
		return
	}
	s := *old
	s.Facts = maps.Clone(s.Facts)
	if s.Facts == nil {
		s.Facts = map[string]judge.Cell{}
	}
	maps.Copy(s.Facts, cells)
	f.subjects[ref], f.last = &s, nil
}

// Hold judges by t from now on. What t does not change is kept.
func (f *Fleet) Hold(t Terms) {
	f.terms, f.last = t, nil
	f.rules, f.named = map[string][]*judge.Rule{}, map[string]*judge.Rule{}
	for _, r := range t.Rules {
		c := r.Control()
		f.named[c.ID] = r
		for _, k := range c.Kinds {
			f.rules[k] = append(f.rules[k], r)
		}
	}
}

// Fork is a fleet that starts as f is and then goes its own way: nothing done to
// one is seen by the other. It shares with f whatever neither has changed.
func (f *Fleet) Fork() *Fleet {
	g := *f
	g.subjects, g.order, g.systems = maps.Clone(f.subjects), slices.Clone(f.order), map[string][]fact.Ref{}
	for name, refs := range f.systems {
		g.systems[name] = slices.Clone(refs)
	}
	return &g
}

// Judge is what f's terms say of every subject at the instant at. Only what is no
// longer so since the last call is judged again.
func (f *Fleet) Judge(at time.Time) *Outcomes {
	if f.last == nil || at.Before(f.last.at) || !f.last.until.IsZero() && !at.Before(f.last.until) {
		f.last = f.judgeAll(at)
	}
	o := *f.last
	o.at = at
	return &o
}
