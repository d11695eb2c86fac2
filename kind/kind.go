// Package kind describes subjects and registers: what fields a computer, a
// contract or a medium has, what they are called, who may see them, and where
// each comes from.
//
// One schema drives forms, tables, import and export, the API and the types the
// judge checks rules against. A kind is one YAML file, named after its ID; the
// files are embedded, and Load reads any folder of them, so another body may
// bring its own.
package kind

import (
	"embed"
	"iter"
	"slices"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/clause"
)

//go:embed *.yaml
var files embed.FS

// Layer says where a field's value comes from. A field in both the declared and
// the observed layer is compared: their difference is itself a finding.
type Layer string

// The layers.
const (
	Declared Layer = "declared" // typed or imported into the register
	Observed Layer = "observed" // brought by a collector
	Derived  Layer = "derived"  // computed from other subjects, with lineage
)

// Type is a field's type.
type Type string

// The types, with the Go type of a value (see fact.Fact) and the CEL type.
const (
	String   Type = "string"   // string; one line
	Text     Type = "text"     // string; several lines
	Int      Type = "int"      // int64
	Number   Type = "number"   // float64, finite
	Bool     Type = "bool"     // bool
	Time     Type = "time"     // time.Time; CEL timestamp
	Date     Type = "date"     // time.Time at 00:00 Asia/Tokyo; CEL timestamp
	Duration Type = "duration" // time.Duration
	Enum     Type = "choice"   // string, one of Choices
	Ref      Type = "ref"      // string, a register key of the kind To
	List     Type = "list"     // []any: strings, or records when Of is given
)

// Types lists every Type.
var Types = []Type{String, Text, Int, Number, Bool, Time, Date, Duration, Enum, Ref, List}

// Kind is one kind of subject or register.
type Kind struct {
	ID      string         `yaml:"id" json:"id"`
	Label   bilingual.Text `yaml:"label" json:"label"`
	About   bilingual.Text `yaml:"about" json:"about"`                         // one or two sentences: what is entered here, and why
	Section string         `yaml:"section" json:"section"`                     // menu group: organisation, system, device, information, contract, record
	Key     string         `yaml:"key" json:"key"`                             // field that identifies an entry; a required declared string
	Name    string         `yaml:"name" json:"name"`                           // field shown as the entry's name
	Clauses []clause.ID    `yaml:"clauses,omitempty" json:"clauses,omitempty"` // clauses that call for this register
	Append  bool           `yaml:"append,omitempty" json:"append,omitempty"`   // entries are added, and never changed nor struck out
	Owner   []actor.Duty   `yaml:"owner" json:"owner"`                         // duties that may enter and change
	See     []actor.Duty   `yaml:"see,omitempty" json:"see,omitempty"`         // duties that may read; empty: every duty
	Fields  []Field        `yaml:"fields" json:"fields"`

	Circumstances []string `yaml:"circumstances,omitempty" json:"circumstances,omitempty"` // fields on which people judge needs: when one changes, they judge again
}

// Field is one field of a kind, or of the records of a list.
type Field struct {
	Name     string         `yaml:"name" json:"name"` // snake_case, as rules read it
	Type     Type           `yaml:"type" json:"type"`
	Label    bilingual.Text `yaml:"label" json:"label"`
	Help     bilingual.Text `yaml:"help,omitempty" json:"help,omitempty"`
	Layers   []Layer        `yaml:"layer,omitempty" json:"layer,omitempty"` // default: declared
	Group    string         `yaml:"group,omitempty" json:"group,omitempty"` // observed: the collector that brings it; sets its freshness
	Derive   string         `yaml:"derive,omitempty" json:"derive,omitempty"`
	Unit     string         `yaml:"unit,omitempty" json:"unit,omitempty"`
	Choices  []Choice       `yaml:"choices,omitempty" json:"choices,omitempty"` // of a choice; of a list of strings, the values its elements may have
	To       string         `yaml:"to,omitempty" json:"to,omitempty"`           // ref: the kind it points to
	Of       []Field        `yaml:"of,omitempty" json:"of,omitempty"`           // list of records; empty: list of strings
	Tree     string         `yaml:"tree,omitempty" json:"tree,omitempty"`       // list of records: the field of a record that names the one it is under, by its first field
	Max      int            `yaml:"max,omitempty" json:"max,omitempty"`         // runes of a text (default 500; text 20,000), elements of a list (default 1,000)
	Least    *int64         `yaml:"least,omitempty" json:"least,omitempty"`
	Most     *int64         `yaml:"most,omitempty" json:"most,omitempty"`
	Required bool           `yaml:"required,omitempty" json:"required,omitempty"`
	Personal bool           `yaml:"personal,omitempty" json:"personal,omitempty"` // personal data: left out of exports unless asked for
	See      []actor.Duty   `yaml:"see,omitempty" json:"see,omitempty"`           // duties that may read it; empty: as the kind
	Clauses  []clause.ID    `yaml:"clauses,omitempty" json:"clauses,omitempty"`
}

// Choice is one value of a choice field.
type Choice struct {
	Value string         `yaml:"value" json:"value"`
	Label bilingual.Text `yaml:"label" json:"label"`
}

// In reports whether the field has layer l.
func (f Field) In(l Layer) bool {
	if len(f.Layers) == 0 {
		return l == Declared
	}
	return slices.Contains(f.Layers, l)
}

// MayRead reports whether who may see the field of an entry that he may read.
func (f Field) MayRead(who actor.Actor) bool {
	return len(f.See) == 0 || who.IsProgram() || slices.ContainsFunc(f.See, who.Has)
}

// MayRead reports whether who may read entries of k: its own duties, and those that
// enter it.
func (k Kind) MayRead(who actor.Actor) bool {
	return len(k.See) == 0 || who.IsProgram() || slices.ContainsFunc(k.See, who.Has) || slices.ContainsFunc(k.Owner, who.Has)
}

// MayEnter reports whether who may change entries of k somewhere: where, is for the
// gate to say. The operator of the installation keeps the registers of the
// organisation.
func (k Kind) MayEnter(who actor.Actor) bool {
	return slices.ContainsFunc(k.Owner, who.Has) || k.Section == "organisation" && who.Has(actor.Operator)
}

// Field finds a field by name.
func (k Kind) Field(name string) (Field, bool) {
	for _, f := range k.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Layer returns the fields of one layer, in the order of the file.
func (k Kind) Layer(l Layer) []Field {
	var out []Field
	for f := range k.Each(l) {
		out = append(out, *f)
	}
	return out
}

// Each goes through the fields of one layer in place, where Layer would copy them for
// every row of a ledger.
func (k Kind) Each(l Layer) iter.Seq[*Field] {
	return func(yield func(*Field) bool) {
		for i := range k.Fields {
			f := &k.Fields[i]
			if len(f.Layers) == 0 && l != Declared || len(f.Layers) > 0 && !slices.Contains(f.Layers, l) {
				continue
			}
			if !yield(f) {
				return
			}
		}
	}
}
