// Package procedure holds the procedures by which people run the directive, as data.
//
// A procedure is the life cycle of one register: which states its entries go
// through, by which steps, who may take a step and who may not, what must be filled
// in or attached, by when, and what else changes with it. There is one file for
// each, and beside it the cases that walk it. The engine that conducts them, package
// register/conduct, knows none of them.
//
// What a state means to the judge needs no word of its own: a step sets fields of
// entries, controls read fields, so an entry that was never begun, is not finished or
// has run out changes the verdict by itself. A state names the controls that look at
// it, for the reader.
package procedure

import (
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
	Kind    string         `yaml:"kind"`  // whose entries it leads; at most one procedure leads a kind
	Field   string         `yaml:"state"` // a required choice field of the kind; on an entry that is there, only a step changes it
	States  []State        `yaml:"states"`
	Steps   []Step         `yaml:"steps"`
	Guards  []Guard        `yaml:"guards,omitempty"`
}

// State is one value of the field that holds the state.
type State struct {
	Value    string         `yaml:"value"`
	About    bilingual.Text `yaml:"about"`
	Final    bool           `yaml:"final,omitempty"`    // nothing is left to do
	Need     []string       `yaml:"need,omitempty"`     // fields that are never blank in this state, however it came to it
	Require  []Require      `yaml:"require,omitempty"`  // and what else always holds in it
	Due      *Due           `yaml:"due,omitempty"`      // by when it is to be left
	Controls []string       `yaml:"controls,omitempty"` // that look at it
}

// Require is a condition, and what to tell who does not meet it.
type Require struct {
	Rule  string         `yaml:"rule"`            // CEL, bool, over s. and p., as in a control; true: met
	Else  bilingual.Text `yaml:"else"`            // what is wrong and what to do
	Field string         `yaml:"field,omitempty"` // the field it is shown at
}

// Due says by when a state is to be left. One of Days, Parameter and Field is given.
type Due struct {
	Days      int          `yaml:"days,omitempty"`      // since the state was entered
	Parameter string       `yaml:"parameter,omitempty"` // a duration since then
	Field     string       `yaml:"field,omitempty"`     // a date or time of the entry itself
	Who       []actor.Duty `yaml:"who,omitempty"`       // whose it is; empty: who may take a step from the state
	Escalate  []actor.Duty `yaml:"escalate,omitempty"`  // whose it is as well once it is overdue
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
	Superior string         `yaml:"superior,omitempty"` // a step: if who took it holds one of Who himself, only a post above his may take this
	Fill     []string       `yaml:"fill,omitempty"`     // fields that its form asks for, in order; nothing else changes by hand
	Need     []string       `yaml:"need,omitempty"`     // of the entry, not to be blank after it
	Require  []Require      `yaml:"require,omitempty"`  // and to hold after it
	Clear    []Clear        `yaml:"clear,omitempty"`    // verdicts it waits for
	Set      map[string]any `yaml:"set,omitempty"`      // fields it sets: a value, or $today, $now, $me, $post, $blank
	Also     []Also         `yaml:"also,omitempty"`     // what changes elsewhere in the same moment
	Files    int            `yaml:"files,omitempty"`    // files to be attached, at least
	Reason   bool           `yaml:"reason,omitempty"`   // a note is required
	Confirm  bilingual.Text `yaml:"confirm,omitempty"`  // asked before it is done: it cannot be undone
}

// Clear is a gate on verdicts: none of the controls may violate, be unknown, wait for a
// judgement or be in error.
type Clear struct {
	At       string   `yaml:"at,omitempty"` // a ref field of the entry: its subject, of a system everything in it; empty: the entry itself
	Controls []string `yaml:"controls"`     // control IDs, or areas as "design/*"
}

// Also is a change of another entry.
type Also struct {
	At  string         `yaml:"at,omitempty"`  // a ref field of the entry, or a list of records as "items.ref"; blank: nothing is done
	New string         `yaml:"new,omitempty"` // or a kind of which a new entry is made, with a number made from this one's
	Set map[string]any `yaml:"set"`           // as Step.Set, and "$field" for a value of the entry
}

// Guard is a value that a field of another kind comes to by a step alone: a device is
// not disposed of until its disposal is closed.
type Guard struct {
	Kind   string   `yaml:"kind"`
	Field  string   `yaml:"field"`
	Values []string `yaml:"values"`
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

// Step finds a step by ID.
func (p Procedure) Step(id string) (Step, bool) {
	for _, s := range p.Steps {
		if s.ID == id {
			return s, true
		}
	}
	return Step{}, false
}
