package judge

import (
	"cmp"
	"slices"
	"time"

	"kakusho/control"
	"kakusho/decision"
	"kakusho/verdict"
)

// standing is the outcome at one instant and how it came about.
type standing struct {
	outcome  verdict.Outcome
	base     verdict.Outcome // when something lies over it
	decision string
	since    time.Time
	until    time.Time // the outcome cannot change before, by time alone
	horizon  bool      // it hangs on a parameter whose value is not known by then
	stage    stage
	granted  int                // index of the exception that decided
	over     *decision.Decision // the decision that lies over it
	unmet    []verdict.Reason   // decisions that could not lie over it, and why
	push     bool               // absent cells were read as a violation
	result   result
}

// stage says which expression the outcome came from.
type stage byte

const (
	stageKind stage = iota
	stageApplies
	stageCheck
	stageException
	stageDecision
)

// settle judges at e's instant: applicability, the rule, the clause's own
// exceptions, then decisions. Only what violates can be excepted or deferred.
func (e *evaluation) settle() standing {
	if !slices.Contains(e.rule.control.Kinds, e.subject.Ref.Kind()) {
		return standing{outcome: verdict.NotApplicable, stage: stageKind}
	}
	applies := e.eval(e.rule.applies, +1)
	st := standing{stage: stageApplies, result: applies, since: applies.since, until: applies.until}
	switch applies.truth {
	case no:
		st.outcome = verdict.NotApplicable
		return st
	case unsure:
		st.outcome = e.ignorance(&st)
		return st
	case failed:
		st.outcome = verdict.Error
		return st
	}
	e.check(&st)
	if st.outcome == verdict.Violates {
		e.lay(&st)
	}
	return st
}

func (e *evaluation) check(st *standing) {
	r := e.eval(e.rule.check, +1)
	st.stage, st.result = stageCheck, r
	st.since, st.until = later(st.since, r.since), earlier(st.until, r.until)
	switch r.truth {
	case yes:
		st.outcome = verdict.Conforms
	case no:
		st.outcome = verdict.Violates
	case failed:
		st.outcome = verdict.Error
	case unsure:
		st.outcome = e.ignorance(st)
		if st.outcome == verdict.Unknown && e.rule.control.Missing == control.MissingViolates && r.cause&causeAbsent != 0 {
			e.pushed(st)
		}
	}
}

// ignorance is the outcome of an expression that is unsure.
func (e *evaluation) ignorance(st *standing) verdict.Outcome {
	c := st.result.cause
	rec, missing := e.rule.control.Record, e.rule.control.Missing
	nothing := causeNotApplicable
	if missing == control.MissingNotApplicable {
		nothing |= causeAbsent
	}
	switch {
	case c&causeHorizon != 0:
		st.horizon = true
		return verdict.Unknown
	case c&causeAnswer != 0 && rec != nil && rec.Type == decision.Judgement:
		return verdict.Undecided
	case c != 0 && c&^nothing == 0:
		return verdict.NotApplicable
	}
	return verdict.Unknown
}

// pushed judges again with every absent cell read as a violation.
func (e *evaluation) pushed(st *standing) {
	e.setPush(true)
	r := e.eval(e.rule.check, +1)
	st.until = earlier(st.until, r.until)
	if r.truth == no {
		st.outcome, st.push, st.result = verdict.Violates, true, r
		return
	}
	e.setPush(false)
}

func (e *evaluation) setPush(on bool) {
	if e.push != on {
		e.push = on
		clear(e.cached)
	}
}

// lay puts over a violation what may lie over it: the clause's own exceptions
// first, then decisions. It ends as violates when nothing may.
func (e *evaluation) lay(st *standing) {
	e.setPush(false)
	doubt, in := -1, result{}
	for i, x := range e.rule.exceptions {
		r := e.eval(x, +1)
		st.until = earlier(st.until, r.until)
		if r.truth == yes {
			st.outcome, st.base, st.stage, st.granted = verdict.Excepted, verdict.Violates, stageException, i
			st.since = later(st.since, r.since)
			return
		}
		if r.truth != no && doubt < 0 {
			doubt, in = i, r
		}
	}
	if e.decide(st) || doubt < 0 {
		return
	}
	// Whether the clause's own exception applies is part of what it demands.
	st.stage, st.granted, st.base, st.outcome = stageException, doubt, verdict.Violates, verdict.Unknown
	st.horizon = in.cause&causeHorizon != 0
	if in.truth == failed {
		st.outcome = verdict.Error
	}
}

// overlays is what decisions turn a violation into, in the order in which they
// are tried.
var overlays = []struct {
	typ     decision.Type
	outcome verdict.Outcome
}{
	{decision.Exception, verdict.Excepted},
	{decision.Deferral, verdict.Deferred},
	{decision.Special, verdict.Special},
}

// decide looks for a decision in force whose conditions hold. One whose
// conditions nobody can tell makes the outcome unknown.
func (e *evaluation) decide(st *standing) bool {
	var doubt *decision.Decision
	for _, o := range overlays {
		for i := range e.subject.Decisions {
			d := &e.subject.Decisions[i]
			if d.Type != o.typ || !e.matches(*d) {
				continue
			}
			for _, b := range bounds(*d) {
				if b.After(e.now) {
					st.until = earlier(st.until, b)
				}
			}
			if !d.InForce(e.now) {
				st.since = later(st.since, e.ended(*d))
				continue
			}
			switch e.conditions(*d, st) {
			case yes:
				st.outcome, st.base, st.decision, st.over = o.outcome, verdict.Violates, d.ID, d
				st.stage = stageDecision
				st.since = later(st.since, later(d.From, d.ApprovedAt))
				return true
			case unsure:
				doubt = cmp.Or(doubt, d)
			}
		}
	}
	if doubt == nil {
		return false // still a violation
	}
	st.outcome, st.base, st.decision, st.over = verdict.Unknown, verdict.Violates, doubt.ID, doubt
	st.stage = stageDecision
	return true
}

// ended is when a decision that no longer counts ceased to.
func (e *evaluation) ended(d decision.Decision) (end time.Time) {
	if d.At.After(e.now) || d.From.After(e.now) || d.ApprovedAt.IsZero() || d.ApprovedAt.After(e.now) {
		return end
	}
	for _, t := range []time.Time{d.Until, d.WithdrawnAt} {
		if !t.IsZero() && !t.After(e.now) {
			end = earlier(end, t)
		}
	}
	return end
}

// matches reports whether a decision is about this control: by the control, by
// one of its clauses, or by the obligation whose sub-item one of them is.
func (e *evaluation) matches(d decision.Decision) bool {
	if d.Control != "" {
		return d.Control == e.rule.control.ID
	}
	for _, id := range e.rule.control.Clauses {
		if d.Clause == id {
			return true
		}
		if parent, ok := id.Parent(); ok && len(id.Numbers()) == 4 && d.Clause == parent {
			return true
		}
	}
	return false
}

// conditions reports whether a decision in force may count. A deferral is only
// for what was in service when the directive took effect.
func (e *evaluation) conditions(d decision.Decision, st *standing) truth {
	void := func(detail string) truth {
		st.unmet = append(st.unmet, verdict.Reason{Code: "void", Text: string(d.Type) + " " + d.ID, Detail: detail})
		return no
	}
	if d.Type == decision.Deferral {
		switch in := e.subject.InServiceOn; {
		case in.IsZero():
			return void("not known since when it is in service")
		case e.rule.effectiveFrom.IsZero() || in.After(e.rule.effectiveFrom):
			return void("in service after the directive took effect")
		}
	}
	all := yes
	for _, id := range d.Conditions {
		o := verdict.Unknown
		if e.holds != nil {
			o = e.holds(id)
		}
		switch o {
		case verdict.Conforms:
		case verdict.Unknown, verdict.Undecided, verdict.Error:
			all = unsure
			st.unmet = append(st.unmet, verdict.Reason{Code: "unknown", Text: string(d.Type) + " " + d.ID, Detail: "condition " + id + ": " + string(o)})
		default:
			return void("condition " + id + ": " + string(o))
		}
	}
	return all
}
