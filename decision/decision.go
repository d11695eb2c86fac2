// Package decision holds what a person decided about a subject: that he looked
// and what he saw, that something is needed or not, that a rule is set aside for
// a time and why.
//
// A decision is dated, has a reason, and ends. A renewal is a new decision.
package decision

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/fact"
)

// Type is what sort of decision it is.
type Type string

// The types. Exception, Deferral and Special lie over a verdict that violates
// and never over one that is unknown; they are four different things with not
// applicable, and none is "conforms".
const (
	Attestation Type = "attestation" // someone looked and says what is there
	Judgement   Type = "judgement"   // 「必要に応じて」: needed or not, and why
	Exception   Type = "exception"   // the clause's own exception (除外)
	Deferral    Type = "deferral"    // 第5の1 (猶予)
	Special     Type = "special"     // 第5の2 (別段)
	Override    Type = "override"    // a derived fact is set by hand, with an end
)

// Types lists every Type.
var Types = []Type{Attestation, Judgement, Exception, Deferral, Special, Override}

var labels = map[Type]bilingual.Text{
	Attestation: {JA: "確認", EN: "Attestation"},
	Judgement:   {JA: "要否の判断", EN: "Judgement of need"},
	Exception:   {JA: "除外", EN: "Clause exception"},
	Deferral:    {JA: "適用の猶予", EN: "Deferral"},
	Special:     {JA: "別段の定め", EN: "Special provision"},
	Override:    {JA: "導出値の修正", EN: "Override of a derived value"},
}

// Label is the type as pages print it.
func (t Type) Label() bilingual.Text { return labels[t] }

// Valid reports whether t is a known type.
func (t Type) Valid() bool { _, ok := labels[t]; return ok }

// Decision is one decision about one subject, or about everything of a system
// when Subject names the system.
type Decision struct {
	ID          string    `json:"id"`
	Type        Type      `json:"type"`
	Subject     fact.Ref  `json:"subject"`
	Control     string    `json:"control,omitempty"` // attestation, judgement, exception; or empty with Clause
	Clause      clause.ID `json:"clause,omitempty"`  // deferral, special: one clause each
	Ground      string    `json:"ground,omitempty"`  // exception: the control's ground on which it is claimed
	Field       string    `json:"field,omitempty"`   // override: the derived field; special: the parameter it sets, if that is all it does
	Value       any       `json:"value,omitempty"`   // its value
	Answer      string    `json:"answer,omitempty"`  // attestation, judgement: one of the control's answers
	Reason      string    `json:"reason"`
	Measures    string    `json:"measures,omitempty"`   // alternative measures taken meanwhile
	Conditions  []string  `json:"conditions,omitempty"` // each a Condition that must hold, else it is void
	Chosen      []string  `json:"chosen,omitempty"`     // deferral: alternative measures of the catalogue; their conditions are among Conditions
	Target      time.Time `json:"target,omitzero"`      // deferral: when the clause will be met
	Consulted   string    `json:"consulted,omitempty"`  // special: record of the consultation
	By          string    `json:"by"`                   // person
	Post        string    `json:"post"`                 // post held while deciding
	ApprovedBy  string    `json:"approved_by,omitempty"`
	At          time.Time `json:"at"`             // when it was given
	From        time.Time `json:"from"`           // in force from
	Until       time.Time `json:"until,omitzero"` // and until, not including; never zero for exception, deferral, special, override
	WithdrawnAt time.Time `json:"withdrawn_at,omitzero"`
	ApprovedAt  time.Time `json:"approved_at,omitzero"` // zero: waits for approval, and counts for nothing
	Directive   string    `json:"directive,omitempty"`  // source it was given under; empty: the first, or whichever (Override)
	Carries     string    `json:"carries,omitempty"`    // ID of the decision it carries over from another directive
	Notes       []Note    `json:"notes,omitempty"`      // what was said about it since, the first one first

	Recorded map[string]any `json:"recorded,omitempty"` // exception: what its ground wants written down, each a text

	Basis  map[string]any `json:"basis,omitempty"`  // judgement: what it was made on, by field; when one is another, it counts no more
	Lapsed []Lapse        `json:"lapsed,omitempty"` // what is another by now; who judges finds it
}

// Lapse is something a judgement was made on that is another by now.
type Lapse struct {
	Field string         `json:"field"`
	Label bilingual.Text `json:"label"`
	Then  any            `json:"then"`
	Now   any            `json:"now"`
}

// LapsedBy are the fields of what d was made on that have other values now.
func (d Decision) LapsedBy(now func(field string) any) (out []string) {
	for field, then := range d.Basis {
		a, errA := json.Marshal(fact.Canonical(then))
		b, errB := json.Marshal(fact.Canonical(now(field)))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			out = append(out, field)
		}
	}
	slices.Sort(out)
	return out
}

// Note is what somebody said about a decision. Nobody changes it.
type Note struct {
	Type NoteType  `json:"type"`
	Text string    `json:"text"`
	By   string    `json:"by"`
	Post string    `json:"post"`
	At   time.Time `json:"at"`
}

// NoteType is what a note is for.
type NoteType string

// The types of notes.
const (
	Progress     NoteType = "progress"     // how far what is deferred has come
	Consultation NoteType = "consultation" // said to each other about a special provision
	Agreement    NoteType = "agreement"    // what was agreed, as it will stand
)

var noteLabels = map[NoteType]bilingual.Text{
	Progress: {JA: "進捗", EN: "Progress"}, Consultation: {JA: "協議", EN: "Consultation"}, Agreement: {JA: "合意した内容", EN: "What was agreed"},
}

// Label is the type as pages print it.
func (t NoteType) Label() bilingual.Text { return noteLabels[t] }

// Noted is the last note of a type, or nil.
func (d Decision) Noted(t NoteType) *Note {
	for i := len(d.Notes) - 1; i >= 0; i-- {
		if d.Notes[i].Type == t {
			return &d.Notes[i]
		}
	}
	return nil
}

// Provides reports whether d sets a value of a parameter for its system. Then it lies
// over no verdict: the rule is judged by that value.
func (d Decision) Provides() bool { return d.Type == Special && d.Field != "" }

// NeedsApproval reports whether somebody other than By must approve it before it
// counts.
func (t Type) NeedsApproval() bool {
	return t == Exception || t == Deferral || t == Special || t == Override
}

// InForce reports whether d counts at the instant at.
func (d Decision) InForce(at time.Time) bool {
	return (!d.Type.NeedsApproval() || !d.ApprovedAt.IsZero() && !at.Before(d.ApprovedAt)) &&
		!at.Before(d.From) &&
		(d.Until.IsZero() || at.Before(d.Until)) &&
		(d.WithdrawnAt.IsZero() || at.Before(d.WithdrawnAt))
}
