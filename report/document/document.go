// Package document makes the documents and registers that a system is maintained by:
// ledgers, tables, diagrams, audit papers, the page for a committee. What each holds is
// data, one YAML file a document; its content is read from a standing, so that it is
// that of an instant, and the same for that instant ever after.
//
// A document shows what its reader may see: a column of a field that is not for his
// duties is not there, and one that is made of a register that is not for them is
// refused whole. No document holds a field marked personal. Every value is text, number
// or date; nothing is ever a formula.
//
// The digest is of the content alone. When the document was made, and in which language
// it was written, are not in it: the same content has the same digest on any day, and
// another digest means that something in it changed.
package document

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/kind"
)

//go:embed *.yaml
var files embed.FS

// Document says what one document holds.
type Document struct {
	ID      string         `yaml:"id"` // the type under which its versions are registered
	Title   bilingual.Text `yaml:"title"`
	About   bilingual.Text `yaml:"about"`
	Clauses []clause.ID    `yaml:"clauses"`
	Over    string         `yaml:"over"`             // one-system, or any: of a system, a unit or everything
	Upright bool           `yaml:"upright"`          // paper; lying without
	Figure  string         `yaml:"figure,omitempty"` // one of the figures
	Seals   bool           `yaml:"seals,omitempty"`  // boxes for those who approve
	Parts   []Part         `yaml:"parts"`
}

// Part is one table. Its rows are the entries of a kind, records of a list of theirs, or
// what a source brings.
type Part struct {
	Title   bilingual.Text      `yaml:"title,omitempty"` // empty: the kind's label
	Kind    string              `yaml:"kind,omitempty"`
	Source  string              `yaml:"source,omitempty"`  // instead of a kind, one of the sources
	Where   map[string][]string `yaml:"where,omitempty"`   // field: values of which it has one
	Except  map[string][]string `yaml:"except,omitempty"`  // field: values of which it has none
	Through []string            `yaml:"through,omitempty"` // kind.field: those that entries of the scope refer to
	Each    string              `yaml:"each,omitempty"`    // list of records; a row for each
	Only    string              `yaml:"only,omitempty"`    // with each: records in which this is true
	Count   bool                `yaml:"count,omitempty"`   // equal rows once, with how many there are
	Pairs   bool                `yaml:"pairs,omitempty"`   // an entry as item and content, line by line
	Columns []string            `yaml:"columns,omitempty"` // fields; with a dot before, of the record
}

// The scopes of a document.
const (
	OneSystem = "one-system"
	Any       = "any"
)

// Set is the documents of an installation, in the order of their menu.
type Set []Document

// Find finds a document by its ID.
func (s Set) Find(id string) (Document, bool) {
	i := slices.IndexFunc(s, func(d Document) bool { return d.ID == id })
	if i < 0 {
		return Document{}, false
	}
	return s[i], true
}

// Default loads the documents that ship with the program. It panics when they are
// broken, which go test finds first.
func Default(kinds kind.Set) Set {
	set, err := Load(files, kinds)
	if err != nil {
		panic(err)
	}
	return set
}

// Load reads every *.yaml file at the root of fsys, named NN-ID.yaml in the order of the
// menu. All faults are reported at once, each naming its file.
func Load(fsys fs.FS, kinds kind.Set) (set Set, err error) {
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list documents: %w", err)
	}
	var faults []error
	for _, name := range names {
		d, err := read(fsys, name)
		if err == nil {
			err = d.check(kinds)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("document %s: %w", name, err))
		}
		set = append(set, d)
	}
	return set, errors.Join(faults...)
}

func read(fsys fs.FS, name string) (d Document, err error) {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return d, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&d); err != nil {
		return d, err
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return d, errors.New("more than one document")
	}
	if _, id, _ := strings.Cut(strings.TrimSuffix(name, ".yaml"), "-"); id != d.ID {
		return d, fmt.Errorf("id is %q, want the file's name behind its number", d.ID)
	}
	return d, nil
}

func (d Document) check(kinds kind.Set) error {
	var faults []error
	bad := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if !d.Title.Complete() || !d.About.Complete() {
		bad("title and about need ja and en")
	}
	if len(d.Clauses) == 0 || len(d.Parts) == 0 {
		bad("it names no clause, or has no part")
	}
	if d.Over != OneSystem && d.Over != Any {
		bad("over %q: want %s or %s", d.Over, OneSystem, Any)
	}
	if d.Figure != "" && figures[d.Figure] == nil {
		bad("no figure %q", d.Figure)
	}
	types, _ := kinds["document"].Field("type")
	if !slices.ContainsFunc(types.Choices, func(c kind.Choice) bool { return c.Value == d.ID }) {
		bad("its id is no type of the register of documents")
	}
	for i, p := range d.Parts {
		if err := p.check(kinds); err != nil {
			bad("part %d: %w", i+1, err)
		}
	}
	return errors.Join(faults...)
}

func (p Part) check(kinds kind.Set) error {
	if p.Source != "" {
		if sources[p.Source].rows == nil || p.Kind != "" || len(p.Columns) > 0 || !p.Title.Complete() {
			return fmt.Errorf("source %q: want one that there is, a title in both languages, and neither kind nor columns", p.Source)
		}
		return nil
	}
	k, ok := kinds[p.Kind]
	if !ok || len(p.Columns) == 0 {
		return fmt.Errorf("kind %q: want one that there is, and columns", p.Kind)
	}
	var faults []error
	for _, c := range p.Columns {
		if f, ok := p.field(k, c); !ok || f.Personal {
			faults = append(faults, fmt.Errorf("column %q: no field, or a personal one", c))
		}
	}
	for _, only := range []map[string][]string{p.Where, p.Except} {
		for name, values := range only {
			f, ok := k.Field(name)
			for _, v := range values {
				if _, err := f.Parse(v); !ok || err != nil {
					faults = append(faults, fmt.Errorf("where or except %s: %q is no value of it", name, v))
				}
			}
		}
	}
	if p.Each != "" {
		if f, ok := k.Field(p.Each); !ok || len(f.Of) == 0 {
			faults = append(faults, fmt.Errorf("each %q: no list of records", p.Each))
		}
	}
	if _, ok := p.field(k, "."+p.Only); p.Only != "" && !ok {
		faults = append(faults, fmt.Errorf("only %q: no field of the records", p.Only))
	}
	for _, t := range p.Through {
		from, name, _ := strings.Cut(t, ".")
		if f, ok := kinds[from].Field(name); !ok || f.To != p.Kind {
			faults = append(faults, fmt.Errorf("through %q: no reference to %s", t, p.Kind))
		}
	}
	return errors.Join(faults...)
}

// field is a column's: of the entry, or with a dot before it of the record.
func (p Part) field(k kind.Kind, column string) (kind.Field, bool) {
	name, of := strings.CutPrefix(column, ".")
	if !of {
		return k.Field(name)
	}
	list, _ := k.Field(p.Each)
	return kind.Kind{Fields: list.Of}.Field(name)
}
