package posture

import (
	"slices"
	"strings"
	"time"

	"kakusho/control"
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
	s.own(isDated, his, func(e *entry, rule *judge.Rule, p Pair) {
		in, dated, values := e.subject(s.at), s.terms.dated[rule], s.resolve(e.state.Scope())
		at := func(t time.Time) verdict.Outcome { return s.supposed(e, rule, in, t) }
		turn, found := dates.Turn{}, false
		switch p.Outcome {
		case verdict.Violates, verdict.Unknown, verdict.Undecided:
			turn, found = dated.Last(&in, values, now, at)
		case verdict.Error:
		default:
			turn, found = dated.Next(&in, values, now, until, at)
		}
		if found {
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
	values := then
	if dates.Steady(g.settings, g.at, at) {
		values = g // which has them at hand
	}
	return rule.Judge(in, values.resolve(e.state.Scope()), at, then.holds(e, nil, nil)).Outcome
}
