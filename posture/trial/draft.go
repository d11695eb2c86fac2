// Package trial tries a draft over today's evidence: other values of parameters,
// other texts of controls, decisions taken away or given, another rulebook, another
// day. It says who would newly fail and pass, where, and what work that makes.
//
// A trial judges with the very machinery that judges what holds, beside it: nothing
// is written, nothing held changes, and who adopts the draft gets what the trial
// said, row by row. Reasons are asked for the pairs somebody looks at.
package trial

import (
	"time"

	"kakusho/clause"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
)

// Draft is what is tried instead of what holds. The zero Draft is what holds.
type Draft struct {
	Directive string          `json:"directive,omitempty"` // source of another one
	Settings  []Setting       `json:"settings,omitempty"`
	Texts     []Text          `json:"controls,omitempty"`
	Lapse     []decision.Type `json:"lapse,omitempty"`    // decisions of these types no longer count
	Longest   time.Duration   `json:"-"`                  // what sets a rule aside ends so long after it began; zero: as given
	Withdraw  []string        `json:"withdraw,omitempty"` // decisions that no longer count, by ID
	Give      []Given         `json:"give,omitempty"`     // deferrals and special provisions
	On        time.Time       `json:"on,omitzero"`        // the instant tried; zero: now
	Renewed   Renewal         `json:"renewed,omitempty"`
	Minutes   int             `json:"minutes,omitempty"` // that one answer takes; zero: MinutesPerAnswer
}

// MinutesPerAnswer is a reference value of this system (参考値): what going to see
// and writing down takes for one subject.
const MinutesPerAnswer = 10

// Setting is a value of a parameter at a layer, as somebody types it.
type Setting struct {
	Key   string `json:"key"`
	Layer string `json:"layer"` // national, prefecture/X, system/Y
	Value string `json:"value"`
}

// Text is what a control would say. What is empty stays as it is.
type Text struct {
	Control    string              `json:"control"`
	Rule       string              `json:"rule,omitempty"`
	Applies    string              `json:"applies,omitempty"`
	Exceptions []control.Exception `json:"exceptions,omitempty"`
	Excepted   bool                `json:"excepted,omitempty"` // Exceptions count even when there are none
}

// Given is a decision that would be in force.
type Given struct {
	Type    decision.Type `json:"type"` // deferral, special
	Subject fact.Ref      `json:"subject"`
	Clause  clause.ID     `json:"clause"`
}

// Renewal is what becomes of evidence until the day tried.
type Renewal string

// The renewals.
const (
	// Routine: machines go on reporting as they do. What they show is as old on that
	// day as it is today; what people enter and answer, and whatever ends, is not.
	Routine Renewal = "routine"
	// Never: nothing is seen again until then.
	Never Renewal = "never"
)

// Empty reports whether the draft changes nothing.
func (d Draft) Empty() bool {
	return d.Directive == "" && len(d.Settings) == 0 && len(d.Texts) == 0 && len(d.Lapse) == 0 && d.Longest == 0 && len(d.Withdraw) == 0 && len(d.Give) == 0 && d.On.IsZero()
}

// settings are those approved, and the draft's as if they were, from the instant
// tried on.
func (d Draft) settings(approved []directive.Setting, at time.Time) []directive.Setting {
	next := int64(0)
	for _, s := range approved {
		next = max(next, s.Entry)
	}
	for _, s := range d.Settings {
		next++
		approved = append(approved, directive.Setting{
			ID: "draft/" + s.Key + "@" + s.Layer, Key: s.Key, Layer: s.Layer, Value: s.Value, Source: "draft", Approver: "draft", From: at, Entry: next,
		})
	}
	return approved
}

// decisions are all as they would be.
func (d Draft) decisions(all []decision.Decision, b Book, at time.Time) []decision.Decision {
	out := make([]decision.Decision, 0, len(all)+len(d.Give))
	for _, x := range all {
		seen := true
		if b.Sees != nil {
			x, seen = b.Sees(x)
		}
		if seen && !d.strikes(x) {
			out = append(out, d.shortened(x))
		}
	}
	for _, g := range d.Give {
		out = append(out, decision.Decision{
			ID: "draft/" + string(g.Type) + "/" + string(g.Subject) + "/" + string(g.Clause), Type: g.Type, Subject: g.Subject, Clause: g.Clause, Reason: "draft",
			By: "draft", ApprovedBy: "draft", At: at, ApprovedAt: at, From: at, Until: at.AddDate(1, 0, 0),
		})
	}
	return out
}

func (d Draft) strikes(x decision.Decision) bool {
	for _, t := range d.Lapse {
		if x.Type == t {
			return true
		}
	}
	for _, id := range d.Withdraw {
		if x.ID == id {
			return true
		}
	}
	return false
}

func (d Draft) shortened(x decision.Decision) decision.Decision {
	if end := x.From.Add(d.Longest); d.Longest > 0 && x.Type.NeedsApproval() && end.Before(x.Until) {
		x.Until = end
	}
	return x
}

func (d Draft) decides(b Book) bool {
	return b.Sees != nil || len(d.Lapse) > 0 || d.Longest > 0 || len(d.Withdraw) > 0 || len(d.Give) > 0
}
