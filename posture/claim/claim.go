// Package claim says whether the grounds on which exceptions are claimed hold of their
// subjects, as the judge would have it.
package claim

import (
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/posture"
	"kakusho/rule/weigh"
)

// Holds reports whether a ground of a control holds of a subject at the standing's
// instant; known is false where neither can be told.
func Holds(st *posture.Standing, on fact.Ref, control, ground string) (holds, known bool) {
	sub, ok := st.Subject(on)
	rule, there := st.Terms().Rule(control)
	if !ok || !there {
		return false, true
	}
	matter, values := sub.Matter()
	switch rule.Ground(ground, matter, values, st.At) {
	case weigh.Yes:
		return true, true
	case weigh.No:
		return false, true
	}
	return false, false
}

// Lost reports whether a decision is void because its ground holds no more.
func Lost(st *posture.Standing, d decision.Decision) bool {
	c, ok := st.Terms().Control(d.Control)
	if d.Type != decision.Exception || !ok || len(c.Grounds) == 0 {
		return false
	}
	holds, known := Holds(st, d.Subject, d.Control, d.Ground)
	return known && !holds
}
