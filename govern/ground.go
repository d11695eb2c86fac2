package govern

import (
	"context"
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/kind"
)

// Grounded says whether a ground of a control holds of a subject as it stands, for
// somebody who looks; known is false where it cannot be told.
type Grounded func(ctx context.Context, who actor.Actor, on fact.Ref, control, ground string, at time.Time) (holds, known bool, err error)

// Asking is g, which weighs grounds with f. Without it no exception is granted on a
// ground: nobody can tell whether it holds.
func (g *Govern) Asking(f Grounded) *Govern {
	o := *g
	o.grounded = f
	return &o
}

// checkGround holds an exception to the clause: it is claimed on one of the grounds that
// the clause names, and what that ground wants is written down.
func (g *Govern) checkGround(d decision.Decision, faults *Faults) {
	c, ok := g.controls[d.Control]
	if !ok || len(c.Grounds) == 0 {
		faults.add("control", "この確認項目に、決定により認める条項上の除外はない。", "The clause of this control knows no exception that somebody could decide.")
		return
	}
	if !slices.Contains(c.Kinds, d.Subject.Kind()) {
		faults.add("subject", "この確認項目の対象ではない。", "The control is not about this kind of subject.")
	}
	ground, ok := c.Ground(d.Ground)
	if !ok {
		faults.add("ground", "除外の事由を、条項が定めるものから選ぶこと。", "Choose one of the grounds that the clause names.")
		return
	}
	for _, r := range ground.Record {
		text, _ := d.Recorded[r.Name].(string)
		if why := r.Refuses(text); why != (bilingual.Text{}) {
			*faults = append(*faults, kind.Fault{Field: "recorded." + d.Ground + "." + r.Name, Label: r.Label, Message: why})
		}
		faults.read("ground", text)
	}
	for name := range d.Recorded {
		if !slices.ContainsFunc(ground.Record, func(r control.Recorded) bool { return r.Name == name }) {
			faults.add("ground", "この事由は「"+name+"」の記録を求めていない。", "This ground asks for no record "+name+".")
		}
	}
	if ground.Measures && d.Measures == "" {
		faults.add("measures", "この事由による除外には、代替手段を入力すること。", "An exception on this ground needs alternative measures.")
	}
}

// ungrounded is what keeps an exception from being asked for, and from being approved:
// its ground does not hold of the subject, or nobody can tell.
func (g *Govern) ungrounded(ctx context.Context, who actor.Actor, d decision.Decision, at time.Time) (f Faults, err error) {
	if d.Type != decision.Exception {
		return nil, nil
	}
	ground, ok := g.controls[d.Control].Ground(d.Ground)
	if !ok {
		f.add("ground", "除外の事由を、条項が定めるものから選ぶこと。", "Choose one of the grounds that the clause names.")
		return f, nil
	}
	var holds, known bool
	if g.grounded != nil {
		if holds, known, err = g.grounded(ctx, who, d.Subject, d.Control, d.Ground, at); err != nil {
			return nil, err
		}
	}
	words := g.words(ground)
	switch {
	case holds:
	case known:
		f.add("ground", words.JA+"この対象は、これに当たらない。", words.EN+" The subject does not fall under it.")
	default:
		f.add("ground", words.JA+"この対象がこれに当たるか否かは、台帳の登録及び収集した事実からは分からない。", words.EN+" Neither the register nor what was collected tells whether the subject falls under it.")
	}
	return f, nil
}

// words are the clause item's own.
func (g *Govern) words(ground control.Ground) bilingual.Text {
	c, ok := g.directive.Clause(ground.Clause)
	if !ok {
		return ground.Text
	}
	return bilingual.Say(c.Label.JA+"：「"+ground.Text.JA+"」", c.Label.EN+": “"+ground.Text.EN+"”")
}
