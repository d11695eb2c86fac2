// Package procedure holds the procedures by which people run the directive, as data.
//
// A procedure is the life cycle of one register: which states its entries go
// through, by which steps, who may take a step and who may not, what must be filled
// in, and what else changes with it. There is one file for each; FORMAT.md is its
// format. Package register conducts them and knows none of them.
//
// What a state means to the judge needs no word of its own: a step sets fields of
// entries, controls read fields, so an entry that was never begun, is not finished or
// has run out changes the verdict by itself. A state names the controls that look at
// it, for the reader.
package procedure

import (
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/clause"
)

// Procedure is the life cycle of the entries of one kind.
type Procedure struct {
	ID      string         `yaml:"id"` // the file's name
	Label   bilingual.Text `yaml:"label"`
	About   bilingual.Text `yaml:"about"`
	Clauses []clause.ID    `yaml:"clauses"`
	Kind    string         `yaml:"kind"`            // whose entries it leads; at most one procedure leads a kind
	Alone   bool           `yaml:"alone,omitempty"` // entries begin and change by its steps alone: no form, and a file only brings new ones
	Field   string         `yaml:"state"`           // a required choice field of the kind; on an entry that is there, only a step changes it
	States  []State        `yaml:"states"`
	Steps   []Step         `yaml:"steps"`
	Guards  []Guard        `yaml:"guards,omitempty"`
}

// State is one value of the field that holds the state.
type State struct {
	Value    string         `yaml:"value"`
	About    bilingual.Text `yaml:"about"`
	Final    bool           `yaml:"final,omitempty"`    // nothing is left to do
	Rest     bool           `yaml:"rest,omitempty"`     // it is the ordinary one of an entry in use: nothing waits before it is due, but what was applied for in it
	Need     []string       `yaml:"need,omitempty"`     // fields that are never blank in this state, however it came to it
	Require  []Require      `yaml:"require,omitempty"`  // and what holds in it
	Due      *Due           `yaml:"due,omitempty"`      // when it is to be left
	Controls []string       `yaml:"controls,omitempty"` // that look at it
}

// Require is what holds of an entry: a rule over its fields as s and the instant as now,
// in the language of controls. What cannot be told does not hold.
type Require struct {
	Rule  string         `yaml:"rule"`
	Field string         `yaml:"field"` // at which the form says so
	Else  bilingual.Text `yaml:"else"`  // what to do when it does not hold
}

// Due is when a state is to be left: by a date of the entry, or days after it came to
// the state. Who is to know when that has passed is told by Escalate.
type Due struct {
	Field    string       `yaml:"field,omitempty"`
	Days     int          `yaml:"days,omitempty"`
	Escalate []actor.Duty `yaml:"escalate,omitempty"`
}

// Step leads an entry from one state to another.
type Step struct {
	ID       string         `yaml:"id"`
	Label    bilingual.Text `yaml:"label"`              // a verb, as on a button: 承認する
	About    bilingual.Text `yaml:"about,omitempty"`    // what it means to take it
	From     []string       `yaml:"from,omitempty"`     // empty: it makes a new entry
	To       string         `yaml:"to"`                 // may be the state it comes from
	Who      []actor.Duty   `yaml:"who"`                // one of them, over the entry's unit or system
	NotBy    []string       `yaml:"not_by,omitempty"`   // steps: who took the last of one of them may not take this
	Apart    []actor.Duty   `yaml:"apart,omitempty"`    // who holds one of these over the same places may not take it, whatever else he holds
	Superior string         `yaml:"superior,omitempty"` // a step: if who took it holds one of Who himself, only a post above his may take this
	Fill     []string       `yaml:"fill,omitempty"`     // fields that its form asks for, in order; nothing else changes by hand
	Need     []string       `yaml:"need,omitempty"`     // of the entry, not to be blank after it
	Require  []Require      `yaml:"require,omitempty"`  // and what is to hold
	Clear    []Clear        `yaml:"clear,omitempty"`    // verdicts it waits for
	While    []While        `yaml:"while,omitempty"`    // how entries that it refers to are to stand
	After    []After        `yaml:"after,omitempty"`    // entries that are to have ended first
	Covers   string         `yaml:"covers,omitempty"`   // a field that names a scope: who takes it has his duty over that
	Set      map[string]any `yaml:"set,omitempty"`      // fields it sets: a value, or one of Words
	Also     []Also         `yaml:"also,omitempty"`     // what changes elsewhere in the same moment
	Files    int            `yaml:"files,omitempty"`    // files to be attached, at least; more may be, with any step
	Reads    []Reads        `yaml:"reads,omitempty"`    // what is read from a file that is attached
	Page     string         `yaml:"page,omitempty"`     // where its page begins, of one that is not taken on the entry's: /audit/ for /audit/ID
	Reason   bool           `yaml:"reason,omitempty"`   // a note is required
	Confirm  bilingual.Text `yaml:"confirm,omitempty"`  // asked before it is done: it cannot be undone
}

// Reads says that one of the files attached is a report in a format, and which fields it
// sets: "$word" is what package scan finds under that word.
type Reads struct {
	Format string            `yaml:"format"`
	Set    map[string]string `yaml:"set"`
}

// Clear is a gate on verdicts: on what is named, of a system on everything in it, no
// control violates, is unknown, waits for a judgement or is in error.
type Clear struct {
	At       string   `yaml:"at,omitempty"` // a reference field; empty: the entry itself
	Controls []string `yaml:"controls"`
}

// While is how an entry referred to, of the same system and unit, is to stand.
type While struct {
	At     string   `yaml:"at"`    // a reference field
	Field  string   `yaml:"field"` // a choice field of the entry there
	Values []string `yaml:"values"`
}

// After is the entries of a kind that refer to this one: their procedures are to have
// ended.
type After struct {
	Kind string `yaml:"kind"`
	By   string `yaml:"by"` // their reference field
}

// Also is a change of another entry of the same system, unit or scope: of one that is
// there, or a new one under this entry's number.
type Also struct {
	At   string         `yaml:"at,omitempty"`   // a field that refers to it; blank: nothing is done
	New  string         `yaml:"new,omitempty"`  // or the kind of which it is a new one
	Made string         `yaml:"made,omitempty"` // or of which an earlier step made it
	Set  map[string]any `yaml:"set"`            // as Step.Set, and "$field" for a value of the entry
}

// Guard is a value that a field of another kind comes to by a step alone: a device is
// not disposed of until its disposal is closed.
type Guard struct {
	Kind   string   `yaml:"kind"`
	Field  string   `yaml:"field"`
	Values []string `yaml:"values"`
}

// At is when an entry with these values, as rows hold them, is to leave the state it
// has been in since then. Zero: at no set time.
func (d *Due) At(values map[string]any, since time.Time) time.Time {
	switch {
	case d == nil:
		return time.Time{}
	case d.Days > 0:
		return since.AddDate(0, 0, d.Days)
	}
	text, _ := values[d.Field].(string)
	at, _ := time.Parse(time.RFC3339, text)
	return at
}

// State finds a state by value.
func (p Procedure) State(value string) (State, bool) {
	for _, s := range p.States {
		if s.Value == value {
			return s, true
		}
	}
	return State{}, false
}

// Begins reports whether an entry may begin in a state.
func (p Procedure) Begins(state string) bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return len(s.From) == 0 && s.To == state })
}

// Leading are the duties that may lead an entry to a state.
func (p Procedure) Leading(state string) (duties []actor.Duty) {
	for _, s := range p.Steps {
		if s.To == state {
			duties = append(duties, s.Who...)
		}
	}
	return duties
}

// Step finds a step by ID.
func (p Procedure) Step(id string) (Step, bool) {
	for _, s := range p.Steps {
		if s.ID == id {
			return s, true
		}
	}
	return Step{}, false
}
