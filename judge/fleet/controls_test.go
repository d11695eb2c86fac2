package fleet_test

import (
	"fmt"
	"testing"
	"time"

	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/kind"
	"kakusho/verdict"
)

// TestFleetAgreesOnEveryControl judges random subjects of every kind by every
// control that ships, and lets them change and time pass. Their cells come from
// the controls' own cases, so that every branch is walked.
func TestFleetAgreesOnEveryControl(t *testing.T) {
	kinds, d := kind.Default(), directive.Default()
	controls := control.WithCases(kinds, d)
	rules, err := judge.Rules(controls, kinds, d)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(rounds(1)) {
		h := &history{random: newRandom(seed), t: t, seed: seed, at: controls[0].Cases[0].At}
		h.kinds = kinds
		cells := harvest(rules, kinds)
		terms := fleet.Terms{Rules: rules, Parameters: d.Parameters, Settings: h.tightened(d)}
		h.fast, h.slow = fleet.New(kinds, terms), newPairwise(kinds, terms)
		subjects := func() {
			for i, id := range kinds.IDs() {
				for j := range 6 {
					h.put(h.real(kinds[id], cells, fmt.Sprint("no", i, "-", j), controls))
				}
			}
		}
		subjects()
		h.check()
		h.at = h.at.Add(24 * time.Hour)
		h.check()
		subjects() // all new, under the same names
		h.turn()
		h.check()
		h.fast.Hold(fleet.Terms{Rules: rules, Parameters: d.Parameters})
		h.slow.hold(fleet.Terms{Rules: rules, Parameters: d.Parameters})
		h.check()
		t.Logf("%d controls, %d pairs: %v", len(rules), h.slow.pairs, h.slow.seen)
		if seed > 0 {
			continue
		}
		for _, o := range []verdict.Outcome{verdict.Conforms, verdict.Violates, verdict.Unknown, verdict.NotApplicable, verdict.Excepted, verdict.Undecided} {
			if h.slow.seen[o] < 20 {
				t.Errorf("outcome %q came up %d times only: the test shows little", o, h.slow.seen[o])
			}
		}
	}
}

// place is a field of a kind, as s or d reads it.
type place struct {
	kind, field string
	declared    bool
}

// harvest gathers the cells that the cases of all controls show.
func harvest(rules []*judge.Rule, kinds kind.Set) map[place][]judge.Cell {
	cells := map[place][]judge.Cell{}
	for _, r := range rules {
		for _, c := range r.Control().Cases {
			s := judge.CaseSubject(r, c, kinds)
			for declared, found := range map[bool]map[string]judge.Cell{false: s.Facts, true: s.Declared} {
				for _, f := range kinds[c.Kind].Fields {
					if cell, ok := found[f.Name]; ok {
						at := place{c.Kind, f.Name, declared}
						cells[at] = append(cells[at], cell)
					}
				}
			}
		}
	}
	return cells
}

// real is a subject of a real kind with cells that cases showed.
func (h *history) real(k kind.Kind, cells map[place][]judge.Cell, id string, controls []control.Control) fleet.Subject {
	s := fleet.Subject{System: one(h.random, systems...)}
	s.Scope = directive.Scope{Prefecture: one(h.random, prefectures...), System: s.System}
	s.Ref, s.InServiceOn = fact.NewRef(k.ID, id), effective
	s.Facts, s.Declared = map[string]judge.Cell{}, map[string]judge.Cell{}
	for _, f := range k.Fields {
		for declared, into := range map[bool]map[string]judge.Cell{false: s.Facts, true: s.Declared} {
			if from := cells[place{k.ID, f.Name, declared}]; len(from) > 0 && !h.sometimes(12) {
				c := one(h.random, from...)
				c.ObservedAt = h.at.Add(-time.Duration(h.IntN(96)) * time.Hour)
				into[f.Name] = c
			}
		}
	}
	for i, c := range controls {
		if c.Record != nil && h.sometimes(2) {
			at := h.at.Add(-time.Duration(h.IntN(400*24)) * time.Hour)
			s.Decisions = append(s.Decisions, decision.Decision{
				ID: fmt.Sprint("a", i), Type: c.Record.Type, Subject: s.Ref, Control: c.ID, Answer: one(h.random, c.Record.Answers...).Value,
				Reason: "理由", By: "p", At: at, From: at,
			})
		}
		if h.sometimes(40) || len(c.Exceptions)+len(c.Grounds) > 0 && h.sometimes(2) { // few clauses know exceptions
			types := []decision.Type{decision.Exception, decision.Special, decision.Deferral}
			ground := ""
			if len(c.Exceptions)+len(c.Grounds) > 0 {
				types = types[:1]
			}
			if len(c.Grounds) > 0 && !h.sometimes(5) {
				ground = one(h.random, c.Grounds...).ID
			}
			at := h.at.Add(-time.Duration(h.IntN(40*24)) * time.Hour)
			s.Decisions = append(s.Decisions, decision.Decision{
				ID: fmt.Sprint("o", i), Type: one(h.random, types...), Subject: s.Ref, Control: c.ID, Ground: ground,
				Reason: "理由", By: "p", At: at, From: at, ApprovedAt: at, Until: at.Add(30 * 24 * time.Hour),
			})
		}
	}
	return s
}

// tightened sets parameters anew, as some layer would.
func (h *history) tightened(d *directive.Directive) (out []directive.Setting) {
	for _, key := range d.Parameters.Keys() {
		p := d.Parameters[key]
		s := directive.Setting{ID: key, Key: key, Layer: one(h.random, "national", "prefecture/A", "system/S1"), Source: "通達", By: "p"}
		switch v := p.Default.(type) {
		case int64:
			s.Value = max(0, v+int64(h.IntN(5)-2))
		case time.Duration:
			s.Value = v / 2
		case bool:
			s.Value = true
		default:
			continue
		}
		if h.sometimes(2) {
			out = append(out, s)
		}
	}
	return out
}
