package kind

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kakusho/actor"
)

// Set is every kind of an installation, by ID.
type Set map[string]Kind

// Default loads the kinds that ship with the program. It panics when they are
// broken, which go test finds first.
func Default() Set {
	set, err := Load(files)
	if err != nil {
		panic(err)
	}
	return set
}

// Load reads every *.yaml file at the root of fsys. All faults are reported at
// once, each naming its file (and line, where YAML knows it).
func Load(fsys fs.FS) (Set, error) {
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list kinds: %w", err)
	}
	set := Set{}
	var faults []error
	for _, name := range names {
		k, err := read(fsys, name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		set[k.ID] = k
	}
	for _, name := range names {
		if k, ok := set[strings.TrimSuffix(name, ".yaml")]; ok {
			faults = append(faults, k.check(name, set)...)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return set, nil
}

// IDs lists the kinds in the order of their menu: section, then ID.
func (s Set) IDs() []string {
	ids := make([]string, 0, len(s))
	for id := range s {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int {
		if c := sectionRank(s[a].Section) - sectionRank(s[b].Section); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return ids
}

// Sections are the menu groups, in order.
var Sections = []string{"organisation", "system", "device", "information", "contract", "record"}

func sectionRank(s string) int { return slices.Index(Sections, s) }

func read(fsys fs.FS, name string) (Kind, error) {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return Kind{}, fmt.Errorf("kind %s: %w", name, err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	var k Kind
	if err := dec.Decode(&k); err != nil {
		return Kind{}, fmt.Errorf("kind %s: %w", name, err)
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return Kind{}, fmt.Errorf("kind %s: more than one document", name)
	}
	if k.ID+".yaml" != name {
		return Kind{}, fmt.Errorf("kind %s: id is %q, want the file's name", name, k.ID)
	}
	return k, nil
}

var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

func (k Kind) check(file string, set Set) (faults []error) {
	bad := func(format string, a ...any) {
		faults = append(faults, fmt.Errorf("kind %s: %s", file, fmt.Sprintf(format, a...)))
	}
	if !k.Label.Complete() || !k.About.Complete() {
		bad("label and about need ja and en")
	}
	if sectionRank(k.Section) < 0 {
		bad("section %q is none of %v", k.Section, Sections)
	}
	if f, ok := k.Field(k.Key); !ok || f.Type != String || !f.Required || !f.In(Declared) {
		bad("key %q must be a required declared string field", k.Key)
	}
	if _, ok := k.Field(k.Name); !ok {
		bad("name %q is no field", k.Name)
	}
	for _, d := range slices.Concat(k.Owner, k.See) {
		if !d.Valid() {
			bad("unknown duty %q", d)
		}
	}
	checkFields(k.Fields, set, bad, true)
	return faults
}

func checkFields(fields []Field, set Set, bad func(string, ...any), top bool) {
	seen := map[string]bool{}
	for _, f := range fields {
		switch {
		case !fieldName.MatchString(f.Name):
			bad("field %q: name wants lower-case snake_case", f.Name)
		case seen[f.Name]:
			bad("field %q: twice", f.Name)
		case !slices.Contains(Types, f.Type):
			bad("field %q: unknown type %q", f.Name, f.Type)
		case !f.Label.Complete():
			bad("field %q: label needs ja and en", f.Name)
		case (f.Type == Enum) != (len(f.Choices) > 0):
			bad("field %q: choices go with type choice", f.Name)
		case (f.Type == Ref) != (f.To != ""):
			bad("field %q: to goes with type ref", f.Name)
		case f.Type == Ref && !has(set, f.To):
			bad("field %q: refers to unknown kind %q", f.Name, f.To)
		case len(f.Of) > 0 && (f.Type != List || !top):
			bad("field %q: of goes with a list at the top", f.Name)
		case top && f.In(Observed) != (f.Group != ""):
			bad("field %q: group goes with layer observed", f.Name)
		case top && f.In(Derived) != (f.Derive != ""):
			bad("field %q: derive goes with layer derived", f.Name)
		case f.Required && !f.In(Declared):
			bad("field %q: only a declared field can be required", f.Name)
		}
		seen[f.Name] = true
		for _, c := range f.Choices {
			if c.Value == "" || !c.Label.Complete() {
				bad("field %q: choice %q needs value, ja and en", f.Name, c.Value)
			}
		}
		for _, d := range f.See {
			if !d.Valid() {
				bad("field %q: unknown duty %q", f.Name, actor.Duty(d))
			}
		}
		checkFields(f.Of, set, bad, false)
	}
}

func has(set Set, id string) bool { _, ok := set[id]; return ok }
