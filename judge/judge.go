// Package judge says whether a subject conforms to a control, and why.
//
// Compile turns a control into a Rule: its expressions are type-checked by
// cel-go against the schema of kinds and split into a plan of and, or, not, ?:,
// all, exists and counts over atoms. Judge walks the plan with three-valued
// logic: a fact that was not collected, could not be read or is stale is
// unknown, and never a value. cel-go is the only semantics of an atom.
//
// Judge is a pure function of its arguments. It reads no clock and never panics:
// a rule that fails says so with the outcome "error".
package judge

import (
	"fmt"
	"time"

	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/verdict"
)

// Cell is one field of a subject as last seen.
type Cell struct {
	Fact       fact.Fact
	ObservedAt time.Time
	ReceivedAt time.Time
	Since      time.Time // from when the value has been what it is; zero: ObservedAt
	Collector  string
	Fresh      string   // parameter that says how long it holds; "" for ever
	Lineage    []string // derived: what it was computed from
}

// Subject is what is known about one subject.
type Subject struct {
	Ref         fact.Ref
	Facts       map[string]Cell     // observed and derived
	Declared    map[string]Cell     // typed or imported into the register
	Decisions   []decision.Decision // touching it or its system, in any state
	InServiceOn time.Time           // zero: not known, so nothing may be deferred
}

// Rule is a compiled control. It is immutable and safe for concurrent use.
type Rule struct {
	control       control.Control
	schema        *schema
	effectiveFrom time.Time
	applies       *node
	check         *node
	exceptions    []*node
	nodes         int
}

// Control is what the rule was compiled from.
func (r *Rule) Control() control.Control { return r.control }

// maxFuture is how far ahead of the judging instant a fact may be dated before
// it is distrusted: clocks differ a little.
const maxFuture = 5 * time.Minute

// Judge judges s at the instant at under the parameters p. Controls that a
// decision makes its condition are asked through holds, which may be nil when
// nobody knows.
func (r *Rule) Judge(s Subject, p directive.Values, at time.Time, holds func(control string) verdict.Outcome) (v verdict.Verdict) {
	v = verdict.Verdict{
		Clauses: r.control.Clauses, Control: r.control.ID, Subject: string(s.Ref),
		Outcome: verdict.Error, Reasons: []verdict.Reason{}, Evidence: []verdict.Evidence{},
	}
	if len(v.Clauses) > 0 {
		v.Clause = v.Clauses[0]
	}
	defer func() {
		if x := recover(); x != nil {
			v.Outcome, v.Base, v.Decision, v.NextChange, v.ChangesTo = verdict.Error, "", "", time.Time{}, ""
			v.Reasons = []verdict.Reason{{Code: "error", Text: "control " + r.control.ID, Detail: fmt.Sprint(x)}}
		}
	}()
	j := &judging{rule: r, subject: &s, params: p, at: at, holds: holds, values: map[int]shared{}}
	e := j.instant(at)
	st := e.settle()
	v.Outcome, v.Base, v.Decision = st.outcome, st.base, st.decision
	v.Since = st.since
	x := &explainer{evaluation: e}
	x.standing(st)
	v.Reasons, v.Evidence = x.reasons, x.evidence
	v.NextChange, v.ChangesTo = j.nextChange(st)
	return v
}
