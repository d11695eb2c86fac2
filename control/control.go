// Package control holds how each clause is checked.
//
// A control is one folder <area>/<name> with three papers: control.yaml says
// which clauses it serves, what it needs and what to do when it fails; rule.cel
// is one pure CEL expression that is true when the subject conforms;
// cases.txtar shows it judging. Load reads and lints the papers; package judge
// compiles the rule against the schema of kinds and judges with it, and runs
// every case. The folders are embedded, so a new folder is a new control.
package control

import (
	"embed"
	"slices"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/kind"
)

//go:embed */*/control.yaml */*/rule.cel */*/cases.txtar
var files embed.FS

// Default is the controls that ship with the program, without their cases: judging
// does not need them, and they are most of what there is to read. It panics when
// the controls are broken, which go test finds first.
func Default(kinds kind.Set, d *directive.Directive) []Control {
	return shipped(loadWith(files, kinds, d, reading{ours: true}))
}

// WithCases is Default with the cases of each control.
func WithCases(kinds kind.Set, d *directive.Directive) []Control {
	return shipped(loadWith(files, kinds, d, reading{ours: true, cases: true}))
}

func shipped(cs []Control, err error) []Control {
	if err != nil {
		panic(err)
	}
	return cs
}

// Control is one way in which clauses are checked on subjects of some kinds.
type Control struct {
	ID         string             `yaml:"id"`      // area/name, its folder
	Clauses    []clause.ID        `yaml:"clauses"` // the first is the main one
	Kinds      []string           `yaml:"kinds"`
	Title      bilingual.Text     `yaml:"title"`
	Why        bilingual.Text     `yaml:"why"`
	Mechanisms []clause.Mechanism `yaml:"mechanisms"`
	Applies    string             `yaml:"applies"`              // CEL, bool
	Needs      []string           `yaml:"needs"`                // fields that its expressions read, sorted
	Parameters []string           `yaml:"parameters,omitempty"` // parameter keys they read, sorted
	Missing    Missing            `yaml:"missing,omitempty"`    // how an absent cell reads; empty is unknown
	Empty      string             `yaml:"empty,omitempty"`      // "ok": all() over an empty list may conform
	Exceptions []Exception        `yaml:"exceptions,omitempty"` // the clause's own, over violates only
	Grounds    []Ground           `yaml:"grounds,omitempty"`    // on which the clause lets somebody decide an exception
	Record     *Record            `yaml:"record,omitempty"`     // what a person must answer, if anything
	Remedy     bilingual.Text     `yaml:"remedy"`               // what to do, as steps or commands

	Dir   string `yaml:"-"` // folder within the file system it was loaded from
	Rule  string `yaml:"-"` // CEL, bool: true conforms, false violates
	Cases []Case `yaml:"-"` // in the order of the file

	lines map[string]Place
}

// Missing says how a rule reads a cell that the collector found absent. A cell
// that is unknown is always unknown.
type Missing string

// The ways.
const (
	MissingUnknown       Missing = "unknown"
	MissingViolates      Missing = "violates"
	MissingNotApplicable Missing = "not-applicable"
)

// Exception is an exception the clause itself grants.
type Exception struct {
	Clause clause.ID      `yaml:"clause"`
	When   string         `yaml:"when"` // CEL, bool
	Text   bilingual.Text `yaml:"text,omitempty" json:"-"`
}

// Record is what a person must answer before the control can be judged.
type Record struct {
	Type     decision.Type  `yaml:"type"` // attestation or judgement
	Question bilingual.Text `yaml:"question"`
	Answers  []Answer       `yaml:"answers"`
	Fresh    string         `yaml:"fresh"` // parameter key: how long an answer holds
	Duty     []actor.Duty   `yaml:"duty"`  // who may answer
}

// Answer is one of the answers a person may give.
type Answer struct {
	Value string         `yaml:"value"`
	Label bilingual.Text `yaml:"label"`
}

// Answer finds an answer by value.
func (r *Record) Answer(value string) (Answer, bool) {
	for _, a := range r.Answers {
		if a.Value == value {
			return a, true
		}
	}
	return Answer{}, false
}

// Place is where in the control's folder a text stands.
type Place struct {
	File         string // control.yaml, rule.cel
	Line, Column int    // of the text's first character, from 1
}

// At says where the expression "rule", "applies", "exceptions[0].when" or
// "grounds[0].when" stands,
// or the list "needs" or "parameters".
func (c Control) At(part string) Place {
	if p, ok := c.lines[part]; ok {
		return p
	}
	if part == "rule" {
		return Place{File: "rule.cel", Line: 1, Column: 1}
	}
	return Place{File: "control.yaml", Line: 1, Column: 1}
}

// Coverage lists the clauses of d that no control names, in d's order. An
// obligation whose sub-items are all named counts as named through them.
func Coverage(d *directive.Directive, controls []Control) []clause.ID {
	named := map[clause.ID]bool{}
	for _, c := range controls {
		for _, id := range c.Clauses {
			named[id] = true
		}
	}
	var missing []clause.ID
	for _, c := range d.Clauses {
		if !named[c.ID] && !throughSubItems(c.ID, d.Clauses, named) {
			missing = append(missing, c.ID)
		}
	}
	return missing
}

func throughSubItems(id clause.ID, all []clause.Clause, named map[clause.ID]bool) bool {
	subs := slices.DeleteFunc(slices.Clone(all), func(c clause.Clause) bool {
		parent, ok := c.ID.Parent()
		return !ok || parent != id || c.Type != clause.SubItem
	})
	return len(subs) > 0 && !slices.ContainsFunc(subs, func(c clause.Clause) bool { return !named[c.ID] })
}
