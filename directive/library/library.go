// Package library holds every directive on hand and how they correspond.
//
// A folder that says "inherits" in its source.yaml is written out before it is read:
// its clauses may take over words of others ("like"), and the groups of parameters
// it has no file for are those of the directive it inherits from, with
// parameters/changes.yaml laid over them. crosswalk/FROM--TO.yaml says which clauses
// correspond; controls, parameters and answers follow it from one to the other.
package library

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"go.yaml.in/yaml/v3"

	"kakusho/clause"
	"kakusho/directive"
)

// Library is every directive on hand, and how they correspond.
type Library struct {
	Directives []*directive.Directive // those that inherit nothing, then successors, then the others; each by source
	Crosswalks []*Crosswalk
}

// All are the directives that ship with the program, in the order of a Library.
func All() []*directive.Directive { return Shipped().Directives }

// Shipped is the library that ships with the program. It panics when the data is
// broken, which go test finds first.
func Shipped() *Library {
	l, err := Load(directive.Folders())
	if err != nil {
		panic(err)
	}
	return l
}

// Of finds a directive by its source.
func (l *Library) Of(source string) (*directive.Directive, bool) {
	i := slices.IndexFunc(l.Directives, func(d *directive.Directive) bool { return d.Source == source })
	if i < 0 {
		return nil, false
	}
	return l.Directives[i], true
}

// Crosswalk finds how one source corresponds to another, in whichever direction
// its file was written.
func (l *Library) Crosswalk(from, to string) (*Crosswalk, bool) {
	for _, x := range l.Crosswalks {
		switch {
		case x.From == from && x.To == to:
			return x, true
		case x.From == to && x.To == from:
			return x.Reverse(), true
		}
	}
	return nil, false
}

// Load reads every folder of fsys that holds a source.yaml as a directive,
// and crosswalk/*.yaml. All faults are reported at once.
func Load(fsys fs.FS) (*Library, error) {
	s := shelving{fsys: fsys, loaded: map[string]*directive.Directive{}, folders: map[string]fs.FS{}, library: &Library{}}
	s.crosswalks()
	names, err := fs.Glob(fsys, "*/source.yaml")
	if err != nil {
		return nil, fmt.Errorf("list directives: %w", err)
	}
	for _, name := range names {
		s.directive(path.Dir(name), nil)
	}
	for _, d := range s.loaded {
		if d != nil {
			s.library.Directives = append(s.library.Directives, d)
		}
	}
	slices.SortFunc(s.library.Directives, func(a, b *directive.Directive) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Source, b.Source))
	})
	if len(s.faults) == 0 { // else much would follow from what is broken
		for _, x := range s.library.Crosswalks {
			s.faults = append(s.faults, s.library.lint(x)...)
		}
	}
	if len(s.faults) > 0 {
		return nil, errors.Join(s.faults...)
	}
	return s.library, nil
}

// rank orders directives: those others rest on, what takes their place, the rest.
func rank(d *directive.Directive) int {
	switch {
	case d.Inherits == "":
		return 0
	case d.Succeeds != "":
		return 1
	}
	return 2
}

// shelving gathers what Load reads.
type shelving struct {
	fsys    fs.FS
	library *Library
	loaded  map[string]*directive.Directive // nil: it could not be read
	folders map[string]fs.FS                // of those, whole
	faults  []error
}

// directive reads a folder once, what it inherits first. asking are the folders
// that wait for it.
func (s *shelving) directive(name string, asking []string) (*directive.Directive, bool) {
	if d, done := s.loaded[name]; done {
		return d, d != nil
	}
	if slices.Contains(asking, name) {
		s.faults = append(s.faults, fmt.Errorf("directive %s inherits from itself", name))
		return nil, false
	}
	sub, err := fs.Sub(s.fsys, name)
	if err != nil {
		s.faults = append(s.faults, fmt.Errorf("open directive %s: %w", name, err))
		return nil, false
	}
	whole, err := s.whole(name, sub, append(asking, name))
	var d *directive.Directive
	if err == nil {
		d, err = directive.Load(whole)
	}
	if err == nil && d.Source != name {
		err = fmt.Errorf("directive %s/source.yaml: id is %q, want the folder's name", name, d.Source)
	}
	if err != nil {
		s.faults = append(s.faults, fmt.Errorf("%s: %w", name, err))
		d = nil
	}
	s.loaded[name], s.folders[name] = d, whole
	return d, d != nil
}

// whole is a folder with what it inherits written out.
func (s *shelving) whole(name string, own fs.FS, asking []string) (fs.FS, error) {
	parent := inherits(own)
	if parent == "" {
		return own, nil
	}
	walk, ok := s.library.Crosswalk(parent, name)
	if _, err := fs.Stat(s.fsys, path.Join(parent, "source.yaml")); err != nil || !ok {
		return nil, fmt.Errorf("source.yaml: inherits from %q: there is no such directive, or no crosswalk from it", parent)
	}
	model, ok := s.directive(parent, asking)
	if !ok {
		return nil, fmt.Errorf("source.yaml: inherits from %q, which cannot be read", parent)
	}
	return expand(own, s.folders[parent], model, walk)
}

// inherits is what a folder's source.yaml says it inherits from.
func inherits(own fs.FS) string {
	var source struct {
		Inherits string `yaml:"inherits"`
	}
	b, err := fs.ReadFile(own, "source.yaml")
	if err != nil || yaml.Unmarshal(b, &source) != nil {
		return "" // directive.Load will say what is wrong
	}
	return source.Inherits
}

func (s *shelving) crosswalks() {
	names, err := fs.Glob(s.fsys, "crosswalk/*.yaml")
	if err != nil {
		s.faults = append(s.faults, fmt.Errorf("list crosswalks: %w", err))
	}
	for _, name := range names {
		b, err := fs.ReadFile(s.fsys, name)
		if err != nil {
			s.faults = append(s.faults, fmt.Errorf("read crosswalk: %w", err))
			continue
		}
		x, err := ReadCrosswalk(name, b)
		if err != nil {
			s.faults = append(s.faults, err)
			continue
		}
		s.library.Crosswalks = append(s.library.Crosswalks, x)
	}
}

// lint compares a crosswalk with the two directives it speaks of.
func (l *Library) lint(x *Crosswalk) (faults []error) {
	from, okFrom := l.Of(x.From)
	to, okTo := l.Of(x.To)
	if !okFrom || !okTo {
		return []error{fmt.Errorf("%s: no directive %s or %s", x.file, x.From, x.To)}
	}
	named := map[clause.ID]bool{}
	for _, r := range x.Rows {
		bad := func(format string, a ...any) {
			faults = append(faults, fmt.Errorf("%s: line %d: %s", x.file, r.line, fmt.Sprintf(format, a...)))
		}
		for _, id := range slices.Concat(r.From, r.To) {
			named[id] = true
			_, okFrom := from.Clause(id)
			if _, okTo := to.Clause(id); !okFrom && !okTo {
				bad("there is no clause %s", id)
			}
		}
		if len(r.From) == 1 && len(r.To) == 1 {
			a, _ := from.Clause(r.From[0])
			b, _ := to.Clause(r.To[0])
			if same := a.Digest() == b.Digest(); same != (r.Relation == Equal) {
				bad("%s and %s say the same: %v, and relation is %s", a.ID, b.ID, same, r.Relation)
			}
		}
	}
	for _, d := range []*directive.Directive{from, to} {
		for _, c := range d.Clauses {
			if !named[c.ID] {
				faults = append(faults, fmt.Errorf("%s: clause %s stands in no row", x.file, c.ID))
			}
		}
	}
	return faults
}
