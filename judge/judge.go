// Package judge says whether a subject conforms to a control, and why.
//
// Compile turns a control into a Rule: package rule type-checks and plans its
// expressions. Judge settles one subject at one instant: does the control apply,
// what does the rule say, does an exception of the clause or a decision lie over
// a violation. Three-valued logic runs through all of it: what is not known is
// unknown, and never a pass.
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
	"kakusho/rule"
	"kakusho/rule/weigh"
	"kakusho/rule/weigh/reason"
	"kakusho/verdict"
)

// Cell is one field of a subject as last seen.
type Cell = weigh.Cell

// Subject is what is known about one subject.
type Subject struct {
	Ref         fact.Ref
	Facts       map[string]Cell     // observed and derived
	Declared    map[string]Cell     // typed or imported into the register; a blank field is a cell that is Absent
	Decisions   []decision.Decision // touching it or its system, in any state
	InServiceOn time.Time           // zero: not known, so nothing may be deferred
}

// Rule is a compiled control. It is immutable and safe for concurrent use.
type Rule struct {
	control       control.Control
	schema        *rule.Schema
	effectiveFrom time.Time
	applies       *rule.Plan
	check         *rule.Plan
	exceptions    []*rule.Plan
	grounds       []*rule.Plan
	nodes         int   // of all plans
	fault         error // why it did not compile: then there are no plans
}

// Control is what the rule was compiled from.
func (r *Rule) Control() control.Control { return r.control }

// Fault is why the control did not compile, every place with file, line and
// column; nil for a rule that judges. One with a fault has no plans, and its
// outcome is error for every subject of its kinds.
func (r *Rule) Fault() error { return r.fault }

// Plans are the planned expressions: does the control apply, what does it
// demand, and the clause's own exceptions in the order in which they are tried.
// Their nodes are numbered together, from 0 to below Nodes.
func (r *Rule) Plans() (applies, check *rule.Plan, exceptions []*rule.Plan) {
	return r.applies, r.check, r.exceptions
}

// Nodes is how many nodes all plans have together.
func (r *Rule) Nodes() int { return r.nodes }

// Schema is what the expressions may name.
func (r *Rule) Schema() *rule.Schema { return r.schema }

// judging is one call of Judge.
type judging struct {
	rule    *Rule
	subject *Subject
	matter  *weigh.Matter
	at      time.Time
	holds   func(decision.Condition) verdict.Outcome
}

// Judge judges s at the instant at under the parameters p. Controls that a
// decision makes its condition are asked through holds, which may be nil when
// nobody knows.
func (r *Rule) Judge(s Subject, p directive.Values, at time.Time, holds func(decision.Condition) verdict.Outcome) (v verdict.Verdict) {
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
			v.Reasons = []verdict.Reason{{Code: weigh.Fault, Text: "control " + r.control.ID, Detail: fmt.Sprint(x)}}
		}
	}()
	j := r.judging(&s, p, at, holds)
	w := j.matter.Scale(at)
	st := j.settle(w)
	v.Outcome, v.Base, v.Decision, v.Since = st.outcome, st.base, st.decision, st.since
	v.Ground = j.ground(st)
	b := reason.NewBook(w, s.Ref.Kind())
	j.explain(b, w, st)
	v.Reasons, v.Evidence = b.Reasons, b.Evidence
	v.NextChange, v.ChangesTo = j.nextChange(st)
	return v
}

// Scale is what the rule's expressions are weighed with, for whoever shows how
// they come out. The rule must have no Fault.
func (r *Rule) Scale(s Subject, p directive.Values, at time.Time) *weigh.Scale {
	return r.judging(&s, p, at, nil).matter.Scale(at)
}

func (r *Rule) judging(s *Subject, p directive.Values, at time.Time, holds func(decision.Condition) verdict.Outcome) *judging {
	return &judging{rule: r, subject: s, at: at, holds: holds, matter: &weigh.Matter{
		Schema: r.schema, Control: r.control, Subject: s.Ref, Facts: s.Facts, Declared: s.Declared,
		Decisions: s.Decisions, Params: p, At: at, Nodes: r.nodes,
	}}
}
