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
	Controls []string       `yaml:"controls,omitempty"` // that look at it
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
	Set      map[string]any `yaml:"set,omitempty"`      // fields it sets: a value, or $today, $now, $me, $post, $blank
	Also     []Also         `yaml:"also,omitempty"`     // what changes elsewhere in the same moment
	Reason   bool           `yaml:"reason,omitempty"`   // a note is required
	Confirm  bilingual.Text `yaml:"confirm,omitempty"`  // asked before it is done: it cannot be undone
}

// Also is a change of another entry of the same system or unit.
type Also struct {
	At  string         `yaml:"at,omitempty"` // a ref field of the entry, or a list of records as "items.ref"; blank: nothing is done
	Set map[string]any `yaml:"set"`          // as Step.Set, and "$field" for a value of the entry
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

// Begins reports whether an entry may begin in a state.
func (p Procedure) Begins(state string) bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return len(s.From) == 0 && s.To == state })
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
