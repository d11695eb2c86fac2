// Package verdict holds what a judgement says: an outcome, and why.
//
// A Verdict is a value computed on demand from facts, parameters, decisions and
// an instant. It is never stored as the truth.
package verdict

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/decision"
)

// Outcome is one of the nine things a judgement can say.
type Outcome string

// The outcomes. None but Conforms means that the clause is met.
const (
	Conforms      Outcome = "conforms"       // 適合
	Violates      Outcome = "violates"       // 不適合
	Unknown       Outcome = "unknown"        // 未確認: no evidence, or stale
	Undecided     Outcome = "undecided"      // 判断待ち: a judgement left to a person was not made
	NotApplicable Outcome = "not-applicable" // 対象外
	Excepted      Outcome = "excepted"       // 除外: the clause's own exception
	Deferred      Outcome = "deferred"       // 猶予: 第5の1
	Special       Outcome = "special"        // 別段: 第5の2
	Error         Outcome = "error"          // 誤り: the rule itself failed
)

// Outcomes lists them as a roll-up ranks them, worst first.
var Outcomes = []Outcome{Violates, Error, Unknown, Undecided, Deferred, Special, Excepted, Conforms, NotApplicable}

var labels = map[Outcome]bilingual.Text{
	Conforms:      {JA: "適合", EN: "Conforms"},
	Violates:      {JA: "不適合", EN: "Violates"},
	Unknown:       {JA: "未確認", EN: "Unknown"},
	Undecided:     {JA: "判断待ち", EN: "Undecided"},
	NotApplicable: {JA: "対象外", EN: "Not applicable"},
	Excepted:      {JA: "除外", EN: "Excepted"},
	Deferred:      {JA: "猶予", EN: "Deferred"},
	Special:       {JA: "別段", EN: "Special provision"},
	Error:         {JA: "誤り", EN: "Error"},
}

// Label is the outcome as pages print it.
func (o Outcome) Label() bilingual.Text { return labels[o] }

// Valid reports whether o is one of the nine.
func (o Outcome) Valid() bool { _, ok := labels[o]; return ok }

func (o Outcome) rank() int {
	for i, x := range Outcomes {
		if x == o {
			return i
		}
	}
	return -1 // an outcome nobody knows ranks worst: it is never hidden
}

// Worse returns the one of a and b that a roll-up shows.
func Worse(a, b Outcome) Outcome {
	if b.rank() < a.rank() {
		return b
	}
	return a
}

// RollUp folds many outcomes into one: violates, error, unknown, undecided,
// deferred, special, excepted, conforms, not applicable. Nothing rolls up to
// Unknown, never to Conforms: no evidence is not a pass.
func RollUp(outcomes ...Outcome) Outcome {
	if len(outcomes) == 0 {
		return Unknown
	}
	worst := NotApplicable
	for _, o := range outcomes {
		worst = Worse(worst, o)
	}
	return worst
}

// Verdict is one judgement of one subject by one control.
type Verdict struct {
	Clause     clause.ID   `json:"clause"`            // the control's first clause
	Clauses    []clause.ID `json:"clauses,omitempty"` // all of them
	Control    string      `json:"control"`
	Subject    string      `json:"subject"` // kind/id
	Outcome    Outcome     `json:"outcome"`
	Base       Outcome     `json:"base,omitempty"`     // what the rule said, when an exception lies over it
	Decision   string      `json:"decision,omitempty"` // the decision that lies over it
	Ground     Ground      `json:"ground,omitzero"`    // excepted: by what of the clause itself
	Reasons    []Reason    `json:"reasons"`
	Evidence   []Evidence  `json:"evidence"`
	Since      time.Time   `json:"since"`                // earliest instant from which the deciding inputs are as they are
	NextChange time.Time   `json:"next_change,omitzero"` // by time alone; zero: never
	ChangesTo  Outcome     `json:"changes_to,omitempty"` // outcome from NextChange on, when known
}

// Ground is what a clause itself leaves somebody out for.
type Ground struct {
	ID     string         `json:"id,omitempty"` // empty: it is so by itself, nothing is decided
	Clause clause.ID      `json:"clause"`
	Text   bilingual.Text `json:"text,omitzero"`
}

// Reason is one sub-expression that decided, with the values it saw.
type Reason struct {
	Code      string         `json:"code"`                // false, true, missing, stale, denied, no-record, error, not-applicable …
	Text      string         `json:"text,omitempty"`      // the sub-expression as written in the rule
	Fact      string         `json:"fact,omitempty"`      // field read
	Label     bilingual.Text `json:"label,omitzero"`      // the field's label
	Value     any            `json:"value,omitempty"`     // what was seen; lists are cut to the deciding elements
	Count     int            `json:"count,omitempty"`     // deciding elements in all, when Value was cut
	Expected  string         `json:"expected,omitempty"`  // e.g. ">= 12"
	Parameter string         `json:"parameter,omitempty"` // key
	Layer     string         `json:"layer,omitempty"`     // default, national, prefecture/X, system/Y
	Detail    string         `json:"detail,omitempty"`    // why it is missing, as the collector said

	Lapsed []decision.Lapse `json:"lapsed,omitempty"` // what a judgement was made on and is another by now
}

// Evidence is one input a verdict rests on.
type Evidence struct {
	Fact       string    `json:"fact"`
	Source     string    `json:"source"` // file:/etc/shadow, netlink:…, register, decision/ID
	ObservedAt time.Time `json:"observed_at,omitzero"`
	ReceivedAt time.Time `json:"received_at,omitzero"`
	Digest     string    `json:"digest"` // sha256 of the value's canonical JSON
	Status     string    `json:"status"`
	FreshUntil time.Time `json:"fresh_until,omitzero"`
}

// WorstFirst sorts verdicts by outcome, then clause, then subject.
func WorstFirst(vs []Verdict) {
	slices.SortStableFunc(vs, func(a, b Verdict) int {
		return cmp.Or(cmp.Compare(slices.Index(Outcomes, a.Outcome), slices.Index(Outcomes, b.Outcome)),
			clause.Compare(a.Clause, b.Clause), strings.Compare(a.Subject, b.Subject))
	})
}
