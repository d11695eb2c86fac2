package fleet

import (
	"slices"
	"time"

	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/verdict"
)

// round is one judgement of everything at one instant.
type round struct {
	*Fleet
	at     time.Time
	values map[directive.Scope]directive.Values
}

func (f *Fleet) judgeAll(at time.Time) *Outcomes {
	r := &round{Fleet: f, at: at, values: map[directive.Scope]directive.Values{}}
	o := &Outcomes{at: at, refs: slices.Clone(f.order), rules: f.rules, rows: map[fact.Ref][]pair{}}
	for _, ref := range f.order {
		s := f.subjects[ref]
		pairs := make([]pair, 0, len(f.rules[ref.Kind()]))
		for _, rule := range f.rules[ref.Kind()] {
			p := r.judge(rule, s, nil)
			o.until = earlier(o.until, p.next)
			pairs = append(pairs, p)
		}
		o.rows[ref] = pairs
	}
	for _, vs := range r.values {
		for _, v := range vs {
			o.until = earlier(o.until, v.Next)
		}
	}
	return o
}

// pair is what is known of a subject and a rule.
type pair struct {
	outcome verdict.Outcome
	next    time.Time // it may be another from then on; zero: never by time alone
	to      verdict.Outcome
}

// judge asks the judge himself. asking are the controls whose conditions led here.
func (r *round) judge(rule *judge.Rule, s *Subject, asking []string) pair {
	var next time.Time
	v := rule.Judge(s.Subject, r.resolve(s.Scope), r.at, r.holds(s, asking, &next))
	p := pair{v.Outcome, v.NextChange, v.ChangesTo}
	if !next.IsZero() && (p.next.IsZero() || next.Before(p.next)) { // a condition of what lies over it
		then := &round{Fleet: r.Fleet, at: next, values: map[directive.Scope]directive.Values{}}
		p.next = next
		p.to = rule.Judge(s.Subject, then.resolve(s.Scope), next, then.holds(s, asking, new(time.Time))).Outcome
	}
	return p
}

func (r *round) resolve(scope directive.Scope) directive.Values {
	v, ok := r.values[scope]
	if !ok {
		v = r.terms.Parameters.Resolve(r.terms.Settings, scope, r.at)
		r.values[scope] = v
	}
	return v
}

// holds answers whether a compensating control is met by the subject and by what
// belongs to its system, as far as the control is about them. A control that asks
// for itself is unknown. next becomes the first instant at which an answer that
// was given may be another.
func (r *round) holds(s *Subject, asking []string, next *time.Time) func(string) verdict.Outcome {
	return func(id string) verdict.Outcome {
		rule, ok := r.named[id]
		if !ok || slices.Contains(asking, id) {
			return verdict.Unknown
		}
		var outcomes []verdict.Outcome
		for _, other := range r.near(s) {
			if slices.Contains(rule.Control().Kinds, other.Ref.Kind()) {
				p := r.judge(rule, other, append(slices.Clone(asking), id))
				outcomes = append(outcomes, p.outcome)
				*next = earlier(*next, p.next)
			}
		}
		return verdict.RollUp(outcomes...)
	}
}

// near lists a subject and what belongs to its system.
func (f *Fleet) near(s *Subject) []*Subject {
	out := []*Subject{s}
	for _, ref := range f.systems[s.System] {
		if ref != s.Ref {
			out = append(out, f.subjects[ref])
		}
	}
	return out
}

// earlier is the earlier of two instants of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
