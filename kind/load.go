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
	"kakusho/bilingual"
	"kakusho/clause"
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

// Choice is how a choice of a field is called; one that is not listed is called by its
// value.
func (s Set) Choice(kindID, field, value string) bilingual.Text {
	f, _ := s[kindID].Field(field)
	for _, c := range f.Choices {
		if c.Value == value {
			return c.Label
		}
	}
	return bilingual.Say(value, value)
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

// reserved are the words CEL keeps for itself: s.FIELD could not be written.
var reserved = []string{
	"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let",
	"loop", "namespace", "null", "package", "return", "true", "var", "void", "while",
}

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
	checkDuties(slices.Concat(k.Owner, k.See), bad)
	checkClauses(k.Clauses, bad)
	checkFields(k.Fields, set, bad, true)
	for _, name := range k.Circumstances {
		if f, ok := k.Field(name); !ok || len(f.See) > 0 {
			bad("circumstances: %q is no field that everybody may see", name)
		}
	}
	return faults
}

func checkFields(fields []Field, set Set, bad func(string, ...any), top bool) {
	seen := map[string]bool{}
	labels := map[string]string{}
	for _, f := range fields {
		say := func(format string, a ...any) {
			bad("field %q: %s", f.Name, fmt.Sprintf(format, a...))
		}
		if seen[f.Name] {
			say("twice")
		}
		seen[f.Name] = true
		// Import finds a column by its label too, so two fields must not share one.
		for _, l := range []string{f.Label.JA, f.Label.EN} {
			if other, ok := labels[l]; ok && other != f.Name {
				say("label %q is also that of field %q", l, other)
			}
			labels[l] = f.Name
		}
		f.checkName(say)
		f.checkType(set, say, top)
		f.checkLimits(say)
		checkDuties(f.See, say)
		checkClauses(f.Clauses, say)
		checkFields(f.Of, set, say, false)
	}
}

func (f Field) checkName(say func(string, ...any)) {
	if !fieldName.MatchString(f.Name) {
		say("name wants lower-case snake_case")
	}
	if slices.Contains(reserved, f.Name) {
		say("name is a reserved word of the rule language")
	}
	if !f.Label.Complete() {
		say("label needs ja and en")
	}
	if f.Help.JA+f.Help.EN != "" && !f.Help.Complete() {
		say("help needs ja and en")
	}
}

func (f Field) checkType(set Set, say func(string, ...any), top bool) {
	if !slices.Contains(Types, f.Type) {
		say("unknown type %q, want one of %v", f.Type, Types)
	}
	if (f.Type == Ref) != (f.To != "") {
		say("to goes with type ref")
	}
	if _, ok := set[f.To]; f.Type == Ref && !ok {
		say("refers to unknown kind %q", f.To)
	}
	if len(f.Of) > 0 && (f.Type != List || !top) {
		say("of goes with a list at the top")
	}
	if f.Tree != "" && (len(f.Of) == 0 || !slices.ContainsFunc(f.Of[1:], func(of Field) bool { return of.Name == f.Tree && of.Type == String })) {
		say("tree %q is no text of its records after the first", f.Tree)
	}
	if (f.Type == List || f.Type == Text) && !top {
		say("a record holds neither lists nor texts")
	}
	for _, l := range f.Layers {
		if l != Declared && l != Observed && l != Derived {
			say("unknown layer %q", l)
		}
	}
	if !top {
		return
	}
	if f.In(Observed) != (f.Group != "") {
		say("group goes with layer observed")
	}
	if f.In(Derived) != (f.Derive != "") {
		say("derive goes with layer derived")
	}
	if f.In(Derived) && len(f.Layers) > 1 {
		say("a derived field has no other layer")
	}
	if f.Required && !f.In(Declared) {
		say("only a declared field can be required")
	}
}

func (f Field) checkLimits(say func(string, ...any)) {
	number := f.Type == Int || f.Type == Number
	if (f.Least != nil || f.Most != nil) && !number {
		say("least and most go with a number")
	}
	if f.Least != nil && f.Most != nil && *f.Least > *f.Most {
		say("least is above most")
	}
	if f.Max < 0 || f.Max > 0 && f.Type != String && f.Type != Text && f.Type != List {
		say("max goes with a string, a text or a list")
	}
	listed := f.Type == List && len(f.Of) == 0
	if f.Type == Enum && len(f.Choices) == 0 || len(f.Choices) > 0 && f.Type != Enum && !listed {
		say("choices go with type choice, or with a list of strings")
	}
	values, named := map[string]bool{}, map[string]string{}
	for _, c := range f.Choices {
		if c.Value == "" || !c.Label.Complete() {
			say("choice %q needs value, ja and en", c.Value)
		}
		// A cell may hold the value or either label; each must name one choice.
		for _, w := range []string{c.Value, c.Label.JA, c.Label.EN} {
			word := strings.ToLower(w)
			if by, ok := named[word]; ok && by != c.Value {
				say("choice %q: %q also names %q", c.Value, w, by)
			}
			named[word] = c.Value
		}
		if values[c.Value] {
			say("choice %q: twice", c.Value)
		}
		values[c.Value] = true
	}
}

func checkDuties(duties []actor.Duty, say func(string, ...any)) {
	for _, d := range duties {
		if !d.Valid() {
			say("unknown duty %q", d)
		}
	}
}

func checkClauses(ids []clause.ID, say func(string, ...any)) {
	for _, id := range ids {
		if _, err := clause.Parse(string(id)); err != nil {
			say("%v", err)
		}
	}
}
