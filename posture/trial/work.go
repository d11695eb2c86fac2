package trial

import (
	"slices"
	"time"

	"kakusho/clause"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/rule/weigh"
	"kakusho/verdict"
)

// Work is what adopting the draft would ask of people: answers to questions that are
// answered today or are not asked, and, for whatever would fail and is not put
// right, deferrals and special provisions: one for each clause and system.
type Work struct {
	Attestations int // somebody must go and see
	Judgements   int // somebody must judge
	Minutes      int // for each of them: a reference value
	Deferrals    int // of systems that were in service when the directive took effect
	Specials     int // of the others
	Systemless   int // pairs that fail, and belong to no system: they can only be put right
}

// Answers are attestations and judgements.
func (w Work) Answers() int { return w.Attestations + w.Judgements }

// Time is how long the answers take.
func (w Work) Time() time.Duration { return time.Duration(w.Answers()*w.Minutes) * time.Minute }

// Hours is Time in hours.
func (w Work) Hours() float64 { return w.Time().Hours() }

// Work finds what the draft would ask of people.
func (t *Trial) Work() Work {
	w := Work{Minutes: t.Draft.Minutes}
	if w.Minutes == 0 {
		w.Minutes = MinutesPerAnswer
	}
	type seat struct {
		system string
		clause clause.ID
	}
	seats := map[seat]bool{}
	for _, m := range t.Moves {
		switch {
		case m.To == verdict.Violates && m.Place.System == "":
			w.Systemless++
		case m.To == verdict.Violates:
			seats[seat{m.Place.System, m.Clause}] = true
		case m.To == verdict.Undecided:
			w.Judgements++
		case m.To == verdict.Unknown && t.unanswered(m):
			w.Attestations++
		}
	}
	for s := range seats {
		if t.deferrable(s.system) {
			w.Deferrals++
		} else {
			w.Specials++
		}
	}
	return w
}

// unanswered reports whether a move ends where an attestation is missing or too old.
func (t *Trial) unanswered(m Move) bool {
	c, ok := t.After.Terms().Control(m.Control)
	if !ok || c.Record == nil || c.Record.Type != decision.Attestation {
		return false
	}
	v, _ := t.After.Verdict(m.Subject, m.Control)
	return slices.ContainsFunc(v.Reasons, func(r verdict.Reason) bool {
		return r.Code == weigh.NoRecord || r.Code == weigh.Stale && r.Fact == string(decision.Attestation)
	})
}

// deferrable reports whether a system was in service when the directive took effect:
// only then may a clause be deferred for it (第5の1).
func (t *Trial) deferrable(system string) bool {
	sys, ok := t.After.Subject(fact.NewRef("system", system))
	if !ok {
		return false
	}
	on, ok := sys.Declared()["in_service_on"].Fact.Value.(time.Time)
	return ok && !on.After(t.After.Terms().Directive().EffectiveFrom)
}
