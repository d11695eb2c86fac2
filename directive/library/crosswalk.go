package library

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kakusho/bilingual"
	"kakusho/clause"
)

// Relation says how clauses of one directive became clauses of another.
type Relation string

// The relations.
const (
	Equal    Relation = "equal"    // one to one, and they say the same
	Changed  Relation = "changed"  // they say something else
	Split    Relation = "split"    // one into several
	Merged   Relation = "merged"   // several into one
	Repealed Relation = "repealed" // without a counterpart in the other
	New      Relation = "new"      // without a counterpart in the one
)

// Relations lists every Relation.
var Relations = []Relation{Equal, Changed, Split, Merged, New, Repealed}

var relationLabels = map[Relation]bilingual.Text{
	Equal: {JA: "同一", EN: "Same"}, Changed: {JA: "変更", EN: "Changed"}, Split: {JA: "分割", EN: "Split"},
	Merged: {JA: "統合", EN: "Merged"}, Repealed: {JA: "廃止・対応なし", EN: "Repealed, or no counterpart"}, New: {JA: "新設・対応なし", EN: "New, or no counterpart"},
}

// Label is the relation as pages print it.
func (r Relation) Label() bilingual.Text { return relationLabels[r] }

var reversed = map[Relation]Relation{Split: Merged, Merged: Split, Repealed: New, New: Repealed}

// Crosswalk says which clauses of one directive correspond to which of another.
type Crosswalk struct {
	From, To string // sources
	Note     bilingual.Text
	Rows     []Row

	file string
}

// Row is one correspondence.
type Row struct {
	From, To []clause.ID
	Relation Relation
	// Controls says, where a clause was split, which controls went to which part: by
	// clause, patterns of IDs as path.Match reads them. What no pattern names went
	// to the parts without patterns.
	Controls map[clause.ID][]string
	Note     bilingual.Text // what changed, or why; may be empty

	line int
}

// crosswalkFile is the form of crosswalk/FROM--TO.yaml. Clauses are written
// without their source.
type crosswalkFile struct {
	From string         `yaml:"from"`
	To   string         `yaml:"to"`
	Note bilingual.Text `yaml:"note"`
	Rows []crosswalkRow `yaml:"rows"`
}

type crosswalkRow struct {
	From     []string            `yaml:"from"`
	To       []string            `yaml:"to"`
	Relation Relation            `yaml:"relation"`
	Controls map[string][]string `yaml:"controls"`
	Note     bilingual.Text      `yaml:"note"`
}

// lines are where the rows of a document that was read stand.
func lines(b []byte) []int {
	var doc struct {
		Rows []yaml.Node `yaml:"rows"`
	}
	if yaml.Unmarshal(b, &doc) != nil {
		return nil
	}
	out := make([]int, len(doc.Rows))
	for i, n := range doc.Rows {
		out[i] = n.Line
	}
	return out
}

// ReadCrosswalk reads one file of the folder crosswalk. Whether its directives and
// their clauses exist is for Load, which knows them.
func ReadCrosswalk(name string, b []byte) (*Crosswalk, error) {
	var f crosswalkFile
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one document", name)
	}
	x := &Crosswalk{From: f.From, To: f.To, Note: f.Note, file: name}
	var faults []error
	if want := f.From + "--" + f.To + ".yaml"; path.Base(name) != want || f.From == f.To {
		faults = append(faults, fmt.Errorf("%s: it is from %q to %q and should be called %s", name, f.From, f.To, want))
	}
	if !f.Note.Complete() {
		faults = append(faults, fmt.Errorf("%s: note needs ja and en", name))
	}
	at := lines(b)
	for i, raw := range f.Rows {
		r := Row{Relation: raw.Relation, Note: raw.Note, Controls: map[clause.ID][]string{}}
		if i < len(at) {
			r.line = at[i]
		}
		r.From, r.To = ids(f.From, raw.From), ids(f.To, raw.To)
		for to, patterns := range raw.Controls {
			r.Controls[clause.ID(f.To+"@"+to)] = patterns
		}
		if why := r.wrong(); why != "" {
			faults = append(faults, fmt.Errorf("%s: line %d: %s", name, r.line, why))
		}
		x.Rows = append(x.Rows, r)
	}
	return x, errors.Join(faults...)
}

func ids(source string, paths []string) (out []clause.ID) {
	for _, p := range paths {
		out = append(out, clause.ID(source+"@"+p))
	}
	return out
}

// wrong says what does not fit within the row itself.
func (r Row) wrong() string {
	from, to := len(r.From), len(r.To)
	fits, known := map[Relation]bool{
		Equal: from == 1 && to == 1, Changed: from > 0 && to > 0, Split: from == 1 && to > 1, Merged: from > 1 && to == 1,
		Repealed: from > 0 && to == 0, New: from == 0 && to > 0,
	}[r.Relation]
	switch {
	case !known:
		return fmt.Sprintf("relation %q is none of %v", r.Relation, Relations)
	case !fits:
		return fmt.Sprintf("%d clauses to %d are not %s", from, to, r.Relation)
	case r.Note != bilingual.Text{} && !r.Note.Complete():
		return "note needs ja and en"
	}
	for to, patterns := range r.Controls {
		if !slices.Contains(r.To, to) {
			return fmt.Sprintf("controls: %s is not on the right-hand side", to)
		}
		for _, p := range patterns {
			if _, err := path.Match(p, ""); err != nil || !strings.Contains(p, "/") {
				return fmt.Sprintf("controls: %q is no pattern of area/name", p)
			}
		}
	}
	return ""
}

// Reverse is the same correspondence read from the other side. Which control went
// to which part is lost: seen from there every part came from the whole.
func (x *Crosswalk) Reverse() *Crosswalk {
	out := &Crosswalk{From: x.To, To: x.From, Note: x.Note, file: x.file}
	for _, r := range x.Rows {
		back := Row{From: r.To, To: r.From, Relation: r.Relation, Note: r.Note, line: r.line}
		if other, ok := reversed[r.Relation]; ok {
			back.Relation = other
		}
		out.Rows = append(out.Rows, back)
	}
	return out
}

// Counterparts are the clauses that id became, in the order of the file.
func (x *Crosswalk) Counterparts(id clause.ID) []clause.ID {
	return x.targets(id, func(Row, clause.ID) bool { return true })
}

// Targets are the clauses that a control checking id checks in the other
// directive; empty: none, so there the control has nothing to check.
func (x *Crosswalk) Targets(id clause.ID, control string) []clause.ID {
	return x.targets(id, func(r Row, to clause.ID) bool {
		if len(r.Controls[to]) > 0 {
			return matches(r.Controls[to], control)
		}
		for _, patterns := range r.Controls {
			if matches(patterns, control) {
				return false // it went to another part
			}
		}
		return true
	})
}

func (x *Crosswalk) targets(id clause.ID, takes func(Row, clause.ID) bool) (out []clause.ID) {
	for _, r := range x.Rows {
		if !slices.Contains(r.From, id) {
			continue
		}
		for _, to := range r.To {
			if takes(r, to) && !slices.Contains(out, to) {
				out = append(out, to)
			}
		}
	}
	return out
}

func matches(patterns []string, control string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, control)
		return err == nil && ok
	})
}
