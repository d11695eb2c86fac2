package judge

import (
	"slices"
	"time"

	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/rule/weigh"
	"kakusho/verdict"
)

// Ground weighs one of the control's grounds about s, as Judge does where a decision
// rests on it. Of a ground that is none, and of a subject that the control is not about,
// it is not so.
func (r *Rule) Ground(id string, s Subject, p directive.Values, at time.Time) weigh.Truth {
	i := r.groundAt(id)
	if i < 0 || r.fault != nil || !slices.Contains(r.control.Kinds, s.Ref.Kind()) {
		return weigh.No
	}
	return r.judging(&s, p, at, nil).matter.Scale(at).Weigh(r.grounds[i].Root, +1).Truth
}

func (r *Rule) groundAt(id string) int {
	return slices.IndexFunc(r.control.Grounds, func(g control.Ground) bool { return g.ID == id })
}

// grounded reports whether the ground of an exception that was decided still is one.
// Where the control names none there is nothing that it could rest on or lose.
func (j *judging) grounded(d decision.Decision, w *weigh.Scale, st *standing) weigh.Truth {
	if d.Type != decision.Exception || len(j.rule.control.Grounds) == 0 {
		return weigh.Yes
	}
	say := func(code, text string) {
		st.unmet = append(st.unmet, verdict.Reason{Code: code, Text: "decision/" + d.ID, Detail: text})
	}
	i := j.rule.groundAt(d.Ground)
	if i < 0 {
		say("no-ground", d.Ground)
		return weigh.No
	}
	r := w.Weigh(j.rule.grounds[i].Root, +1)
	st.expect(r.Until)
	switch r.Truth {
	case weigh.Yes:
		return weigh.Yes
	case weigh.No:
		say("no-ground", "ground: "+d.Ground)
		st.note(r)
		return weigh.No
	}
	say("unknown", "ground: "+d.Ground)
	return weigh.Unsure
}

// both is whether two things are so.
func both(a, b weigh.Truth) weigh.Truth {
	switch {
	case a == weigh.No || b == weigh.No:
		return weigh.No
	case a == weigh.Yes && b == weigh.Yes:
		return weigh.Yes
	}
	return weigh.Unsure
}

// ground is what of the clause itself leaves the subject out.
func (j *judging) ground(st standing) (none verdict.Ground) {
	if st.outcome != verdict.Excepted {
		return none
	}
	if st.stage == stageException {
		x := j.rule.control.Exceptions[st.granted]
		return verdict.Ground{Clause: x.Clause, Text: x.Text}
	}
	if g, ok := j.rule.control.Ground(st.over.Ground); ok {
		return verdict.Ground{ID: g.ID, Clause: g.Clause, Text: g.Text}
	}
	return none
}
