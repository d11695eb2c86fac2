package posture

import (
	"maps"
	"slices"

	"kakusho/actor"
	"kakusho/kind"
	"kakusho/verdict"
)

// view is the standing as one reader may see it. Outcomes count for everybody; of
// a subject whose register is not for his duties nothing else is left, and of a
// field that is not, no value: not in the facts, not in a reason, not as a digest.
func (s *Standing) view(who actor.Actor) *Standing {
	closes := func(k kind.Kind) bool {
		return !k.MayRead(who) || slices.ContainsFunc(k.Fields, func(f kind.Field) bool { return !f.MayRead(who) })
	}
	if !slices.ContainsFunc(s.Kinds(), closes) {
		return s
	}
	out := *s
	out.order, out.subjects, out.bySystem = slices.Clone(s.order), maps.Clone(s.subjects), map[string][]*Subject{}
	for i, sub := range out.order {
		seen := sub.view(who)
		out.order[i], out.subjects[sub.Ref] = seen, seen
		out.bySystem[sub.System] = append(out.bySystem[sub.System], seen)
	}
	return &out
}

func (s *Subject) view(who actor.Actor) *Subject {
	if !s.Kind.MayRead(who) {
		closed := &Subject{Ref: s.Ref, Kind: s.Kind, Name: s.Ref.ID(), System: s.System, Unit: s.Unit, Closed: true}
		for _, v := range s.Verdicts {
			closed.Verdicts = append(closed.Verdicts, verdict.Verdict{
				Control: v.Control, Clause: v.Clause, Clauses: v.Clauses, Subject: v.Subject, Outcome: v.Outcome, Base: v.Base,
				Since: v.Since, NextChange: v.NextChange, ChangesTo: v.ChangesTo})
		}
		return closed
	}
	var hidden []string
	for _, f := range s.Kind.Fields {
		if !f.MayRead(who) {
			hidden = append(hidden, f.Name)
		}
	}
	if len(hidden) == 0 {
		return s
	}
	seen := *s
	seen.Facts, seen.Declared, seen.Derived = maps.Clone(s.Facts), maps.Clone(s.Declared), maps.Clone(s.Derived)
	seen.Verdicts = slices.Clone(s.Verdicts)
	for _, name := range hidden {
		delete(seen.Facts, name)
		delete(seen.Declared, name)
		delete(seen.Derived, name)
	}
	for i, v := range seen.Verdicts {
		v.Reasons, v.Evidence = slices.Clone(v.Reasons), slices.Clone(v.Evidence)
		for j := range v.Reasons {
			if slices.Contains(hidden, v.Reasons[j].Fact) {
				v.Reasons[j].Value, v.Reasons[j].Detail = nil, ""
			}
		}
		for j := range v.Evidence {
			if slices.Contains(hidden, v.Evidence[j].Fact) {
				v.Evidence[j].Digest = ""
			}
		}
		seen.Verdicts[i] = v
	}
	return &seen
}
