package judge

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"kakusho/control"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/rule/weigh"
	"kakusho/rule/weigh/reason"
	"kakusho/verdict"
)

// standing is the outcome at one instant and how it came about.
type standing struct {
	outcome  verdict.Outcome
	base     verdict.Outcome // when something lies over it
	decision string
	since    time.Time
	until    time.Time          // the outcome cannot change before, by time alone
	horizon  bool               // it hangs on a parameter whose value is not known by then
	stage    stage              // where the outcome came from
	granted  int                // index of the exception that decided
	over     *decision.Decision // the decision that lies over the base
	unmet    []verdict.Reason   // decisions that do not lie over it, and why
	pushed   bool               // absent cells were read as a violation
}

// stage is a step of settling.
type stage byte

const (
	stageKind stage = iota
	stageFault
	stageApplies
	stageCheck
	stageException
	stageDecision
)

// settle judges at w's instant: applicability, the rule, the clause's own
// exceptions, then decisions. Only a violation can be excepted or deferred.
func (j *judging) settle(w *weigh.Scale) standing {
	if !slices.Contains(j.rule.control.Kinds, j.subject.Ref.Kind()) {
		return standing{outcome: verdict.NotApplicable, stage: stageKind}
	}
	if j.rule.fault != nil {
		return standing{outcome: verdict.Error, stage: stageFault}
	}
	st := standing{stage: stageApplies}
	r := w.Weigh(j.rule.applies.Root, +1)
	st.note(r)
	switch r.Truth {
	case weigh.No:
		st.outcome = verdict.NotApplicable
		return st
	case weigh.Unsure:
		st.outcome = j.ignorance(&st, r.Cause)
		return st
	case weigh.Broken:
		st.outcome = verdict.Error
		return st
	}
	j.check(w, &st)
	if st.outcome == verdict.Violates {
		j.lay(w, &st)
	}
	return st
}

// note takes over since when r is so and until when.
func (st *standing) note(r weigh.Result) {
	if r.Since.After(st.since) {
		st.since = r.Since
	}
	st.expect(r.Until)
}

// expect notes an instant at which the outcome may change.
func (st *standing) expect(t time.Time) {
	if !t.IsZero() && (st.until.IsZero() || t.Before(st.until)) {
		st.until = t
	}
}

func (j *judging) check(w *weigh.Scale, st *standing) {
	st.stage = stageCheck
	r := w.Weigh(j.rule.check.Root, +1)
	st.note(r)
	switch r.Truth {
	case weigh.Yes:
		st.outcome = verdict.Conforms
	case weigh.No:
		st.outcome = verdict.Violates
	case weigh.Broken:
		st.outcome = verdict.Error
	case weigh.Unsure:
		st.outcome = j.ignorance(st, r.Cause)
		if j.rule.control.Missing == control.MissingViolates && r.Cause&weigh.ByAbsent != 0 {
			j.push(w, st)
		}
	}
}

// ignorance is the outcome of an expression that is unsure.
func (j *judging) ignorance(st *standing, by weigh.Cause) verdict.Outcome {
	nothing := weigh.ByNotApplicable
	if j.rule.control.Missing == control.MissingNotApplicable {
		nothing |= weigh.ByAbsent
	}
	rec := j.rule.control.Record
	switch {
	case by&weigh.ByHorizon != 0:
		st.horizon = true
		return verdict.Unknown
	case by&weigh.ByAnswer != 0 && rec != nil && rec.Type == decision.Judgement:
		return verdict.Undecided
	case by&^nothing == 0:
		return verdict.NotApplicable
	}
	return verdict.Unknown
}

// push weighs the rule again with every absent cell read as a violation.
func (j *judging) push(w *weigh.Scale, st *standing) {
	w.Push(true)
	r := w.Weigh(j.rule.check.Root, +1)
	st.expect(r.Until)
	if st.pushed = r.Truth == weigh.No; st.pushed {
		st.outcome = verdict.Violates
		st.note(r)
	}
	w.Push(false)
}

// lay puts over a violation what may lie over it: the clause's own exceptions
// first, then decisions. It stays a violation when nothing may.
func (j *judging) lay(w *weigh.Scale, st *standing) {
	doubt, in := -1, weigh.Result{}
	for i, x := range j.rule.exceptions {
		r := w.Weigh(x.Root, +1)
		st.expect(r.Until)
		if r.Truth == weigh.Yes {
			st.note(r)
			st.outcome, st.base, st.stage, st.granted = verdict.Excepted, verdict.Violates, stageException, i
			return
		}
		if r.Truth != weigh.No && doubt < 0 {
			doubt, in = i, r
		}
	}
	if j.decide(w, st) || doubt < 0 {
		return
	}
	// Whether the clause's own exception applies is part of what it demands.
	st.stage, st.granted, st.base, st.outcome = stageException, doubt, verdict.Violates, verdict.Unknown
	st.horizon = in.Cause&weigh.ByHorizon != 0
	if in.Truth == weigh.Broken {
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

// decide looks for a decision in force whose conditions hold, and reports
// whether there is one. One whose conditions nobody can tell makes the outcome
// unknown, unless another holds.
func (j *judging) decide(w *weigh.Scale, st *standing) bool {
	now := w.Now
	var doubt *decision.Decision
	for _, o := range overlays {
		for _, d := range j.matching(o.typ) {
			for _, t := range weigh.Edges(*d) {
				if t.After(now) {
					st.expect(t)
				}
			}
			if !d.InForce(now) {
				st.note(weigh.Result{Since: ended(*d, now)})
				continue
			}
			switch both(j.grounded(*d, w, st), j.conditions(*d, st)) {
			case weigh.Yes:
				st.over, st.decision, st.stage = d, d.ID, stageDecision
				st.outcome, st.base = o.outcome, verdict.Violates
				st.note(weigh.Result{Since: d.From})
				st.note(weigh.Result{Since: d.ApprovedAt})
				return true
			case weigh.Unsure:
				doubt = cmp.Or(doubt, d)
			}
		}
	}
	if doubt == nil {
		return false // still a violation
	}
	st.over, st.decision, st.stage = doubt, doubt.ID, stageDecision
	st.outcome, st.base = verdict.Unknown, verdict.Violates
	return true
}

// matching lists the decisions of a type about this control, the newest first.
func (j *judging) matching(t decision.Type) (found []*decision.Decision) {
	for i := range j.subject.Decisions {
		if d := &j.subject.Decisions[i]; d.Type == t && j.rule.About(*d) {
			found = append(found, d)
		}
	}
	slices.SortStableFunc(found, func(a, b *decision.Decision) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(b.ID, a.ID))
	})
	return found
}

// About reports whether a decision is about this control: by the control, by one
// of its clauses, or by the obligation whose sub-item one of them is.
func (r *Rule) About(d decision.Decision) bool {
	if d.Control != "" {
		return d.Control == r.control.ID
	}
	if d.Provides() {
		return false
	}
	for _, id := range r.control.Clauses {
		parent, _ := id.Parent()
		if d.Clause == id || len(id.Numbers()) == 4 && d.Clause == parent {
			return true
		}
	}
	return false
}

// ended is when a decision that once counted ceased to; zero if it never did.
func ended(d decision.Decision, now time.Time) (end time.Time) {
	if d.From.After(now) || d.ApprovedAt.IsZero() || d.ApprovedAt.After(now) {
		return end
	}
	for _, t := range []time.Time{d.Until, d.WithdrawnAt} {
		if !t.IsZero() && !t.After(now) && (end.IsZero() || t.Before(end)) {
			end = t
		}
	}
	return end
}

// conditions reports whether a decision in force may count. A deferral is only
// for what was in service when the directive took effect.
func (j *judging) conditions(d decision.Decision, st *standing) weigh.Truth {
	say := func(code, detail string) {
		st.unmet = append(st.unmet, verdict.Reason{Code: code, Text: "decision/" + d.ID, Detail: detail})
	}
	if d.Type == decision.Deferral {
		in, effective := j.subject.InServiceOn, j.rule.effectiveFrom
		if in.IsZero() || effective.IsZero() || in.After(effective) {
			say("void", "not in service when the directive took effect, as far as is known")
			return weigh.No
		}
	}
	all := weigh.Yes
	for _, text := range d.Conditions {
		o := verdict.Unknown
		c, err := decision.ParseCondition(text)
		if j.holds != nil && err == nil {
			o = j.holds(c)
		}
		id := c.Control
		switch o {
		case verdict.Conforms:
		case verdict.Unknown, verdict.Undecided, verdict.Error:
			all = weigh.Unsure
			if round := j.circle(d, id); round != "" {
				say(weigh.Circle, round)
			} else {
				say("unknown", "condition: "+text+": "+string(o))
			}
		default:
			say("void", "condition: "+text+": "+string(o))
			return weigh.No
		}
	}
	return all
}

// circle names the controls in between when the condition id of decision d rests,
// through other decisions about the subject, on this control itself. Nobody can
// tell whether such conditions hold; empty: there is no circle.
func (j *judging) circle(d decision.Decision, id string) string {
	own := j.rule.control.ID
	from := map[string]string{id: own} // condition → the control for which it is one
	for next := []string{id}; len(next) > 0; next = next[1:] {
		if next[0] == own {
			break
		}
		for _, x := range j.subject.Decisions {
			if x.ID == d.ID || x.Control != next[0] {
				continue
			}
			for _, text := range x.Conditions {
				c, err := decision.ParseCondition(text)
				if _, seen := from[c.Control]; !seen && err == nil {
					from[c.Control] = next[0]
					next = append(next, c.Control)
				}
			}
		}
	}
	if _, back := from[own]; !back {
		return ""
	}
	round := own
	for at := from[own]; at != own; at = from[at] {
		round = at + " → " + round
	}
	return own + " → " + round
}

// explain enters how st came about.
func (j *judging) explain(b *reason.Book, w *weigh.Scale, st standing) {
	check := func() {
		w.Push(st.pushed)
		b.Explain(j.rule.check.Root, +1)
		w.Push(false)
	}
	switch st.stage {
	case stageKind:
		kinds := strings.Join(j.rule.control.Kinds, ", ")
		b.Add(verdict.Reason{Code: weigh.NotApplicable, Text: "kind", Value: j.subject.Ref.Kind(), Expected: kinds})
	case stageFault:
		for _, r := range j.rule.faulty() {
			b.Add(r)
		}
	case stageApplies:
		b.Explain(j.rule.applies.Root, +1)
	case stageCheck:
		check()
	case stageException:
		b.Explain(j.rule.exceptions[st.granted].Root, +1)
		check()
	case stageDecision:
		d := st.over
		b.Add(verdict.Reason{Code: string(d.Type), Text: "decision/" + d.ID, Detail: d.Reason})
		if i := j.rule.groundAt(d.Ground); i >= 0 {
			b.Add(verdict.Reason{Code: "ground", Text: "ground/" + d.Ground, Label: j.rule.control.Grounds[i].Text})
			b.Explain(j.rule.grounds[i].Root, +1)
		}
		b.Prove(verdict.Evidence{
			Fact: string(d.Type), Source: "decision/" + d.ID, ObservedAt: d.At, ReceivedAt: d.At,
			Digest: fact.Digest(d.Reason), Status: string(fact.Observed), FreshUntil: d.Until,
		})
		check()
	}
	if st.outcome == verdict.Violates || st.outcome == verdict.Unknown {
		for _, r := range st.unmet {
			b.Add(r)
		}
	}
}
