package posture

import (
	"slices"
	"strings"
	"sync"
	"time"

	"kakusho/control"
	"kakusho/directive"
	"kakusho/judge"
	"kakusho/posture/dates"
	"kakusho/verdict"
)

// Deadline is a pair that a date turns for the worse: of an entry, of a certificate, of
// an answer.
type Deadline struct {
	Pair
	dates.Turn
}

// Deadlines are those of the pairs that his holds for: the next one until an instant of
// what is well, and that since which something is not. Evidence counts as brought again
// in time.
func (s *Standing) Deadlines(now, until time.Time, his func(*Subject, control.Control) bool) (out []Deadline) {
	isDated := func(r *judge.Rule) bool { _, ok := s.terms.dated[r]; return ok }
	of, in := (*entry)(nil), (func() judge.Subject)(nil) // which reads it, once
	s.own(isDated, his, func(e *entry, rule *judge.Rule, p Pair) {
		if of != e {
			of, in = e, sync.OnceValue(func() judge.Subject { return e.subject(s.at) })
		}
		c := dates.Case{
			Rule: s.terms.dated[rule], At: s.at, Terms: s.terms, Settings: s.settings, Subject: in,
			Values: func(at time.Time) directive.Values { return s.valuesAt(at, e.state.Scope()) },
			Says:   func(at time.Time) verdict.Outcome { return s.supposed(e, rule, in(), at) },
		}
		ill := slices.Contains([]verdict.Outcome{verdict.Violates, verdict.Unknown, verdict.Undecided}, p.Outcome)
		if turn, found := e.dates.Turn(c, ill, now, until); found && p.Outcome != verdict.Error {
			out = append(out, Deadline{p, turn})
		}
	})
	return out
}

// Unanswered are the pairs that his holds for and that wait for an answer.
func (s *Standing) Unanswered(his func(*Subject, control.Control) bool) (out []Pair) {
	asks := func(r *judge.Rule) bool { return r.Control().Record != nil }
	s.own(asks, his, func(e *entry, rule *judge.Rule, p Pair) {
		switch p.Outcome {
		case verdict.Undecided:
			out = append(out, p)
		case verdict.Unknown: // it may be so for another reason: the judge says
			reasons := s.judge(e, rule, e.subject(s.at)).Reasons
			if slices.ContainsFunc(reasons, func(r verdict.Reason) bool {
				return r.Code == "no-record" || r.Code == "stale" && strings.HasPrefix(r.Fact, "a.")
			}) {
				out = append(out, p)
			}
		}
	})
	return out
}

// own calls with the pairs of what the reader may see, of rules that of and his hold for.
func (s *Standing) own(of func(*judge.Rule) bool, his func(*Subject, control.Control) bool, call func(*entry, *judge.Rule, Pair)) {
	for _, slot := range s.order {
		e := s.book.at(slot)
		sub := s.open(e)
		if sub.Closed {
			continue
		}
		for i, o := range s.row(e) {
			if c := s.terms.controls[i]; o != verdict.NotApplicable && of(s.terms.rules[i]) && his(sub, c) {
				p := Pair{Subject: e.ref, Control: c.ID, Outcome: o}
				if len(c.Clauses) > 0 {
					p.Clause = c.Clauses[0]
				}
				call(e, s.terms.rules[i], p)
			}
		}
	}
}

// supposed is what a rule says at another instant, of evidence that is as old then as
// it is now.
func (g *ground) supposed(e *entry, rule *judge.Rule, in judge.Subject, at time.Time) verdict.Outcome {
	in.Facts = dates.Aged(in.Facts, at.Sub(g.at))
	then := &ground{directory: g.directory, at: at, terms: g.terms, settings: g.settings, book: g.book}
	return rule.Judge(in, g.valuesAt(at, e.state.Scope()), at, then.holds(e, nil, nil)).Outcome
}

// valuesAt are the values of a scope at another instant.
func (g *ground) valuesAt(at time.Time, scope directive.Scope) directive.Values {
	if dates.Steady(g.settings, g.at, at) {
		return g.resolve(scope) // which are at hand
	}
	return g.terms.directive.Parameters.Resolve(g.settings, scope, at)
}
