package procedure

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kakusho/actor"
	"kakusho/kind"
)

//go:embed *.yaml
var files embed.FS

// Set is the procedures of an installation, by ID.
type Set map[string]Procedure

// Default loads the procedures that ship with the program. It panics when they are
// broken, which go test finds first.
func Default(kinds kind.Set) Set {
	set, err := Load(files, kinds)
	if err != nil {
		panic(err)
	}
	return set
}

// Of finds the procedure that leads a kind.
func (s Set) Of(kindID string) (Procedure, bool) {
	for _, p := range s {
		if p.Kind == kindID {
			return p, true
		}
	}
	return Procedure{}, false
}

// IDs lists them in order.
func (s Set) IDs() []string {
	ids := make([]string, 0, len(s))
	for id := range s {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Load reads every *.yaml file at the root of fsys. All faults are reported at once,
// each naming its file and, where the file has it, the line.
func Load(fsys fs.FS, kinds kind.Set) (Set, error) {
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list procedures: %w", err)
	}
	set := Set{}
	leads := map[string]string{}
	var faults []error
	for _, name := range names {
		p, lines, err := read(fsys, name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		l := linter{p: p, file: name, kinds: kinds, lines: lines}
		l.check()
		if other, led := leads[p.Kind]; led {
			l.bad("kind: "+p.Kind, "kind %s is led by %s already", p.Kind, other)
		}
		leads[p.Kind], set[p.ID] = p.ID, p
		faults = append(faults, l.faults...)
	}
	return set, errors.Join(faults...)
}

func read(fsys fs.FS, name string) (p Procedure, lines []string, err error) {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return p, nil, fmt.Errorf("procedure %s: %w", name, err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&p); err != nil {
		return p, nil, fmt.Errorf("procedure %s: %w", name, err)
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return p, nil, fmt.Errorf("procedure %s: more than one document", name)
	}
	if p.ID+".yaml" != name {
		return p, nil, fmt.Errorf("procedure %s: id is %q, want the file's name", name, p.ID)
	}
	return p, strings.Split(string(b), "\n"), nil
}

// linter gathers the faults of one procedure.
type linter struct {
	p      Procedure
	kind   kind.Kind
	file   string
	kinds  kind.Set
	lines  []string
	faults []error
}

// bad adds a fault at the first line that holds mark.
func (l *linter) bad(mark, format string, a ...any) {
	place := l.file
	if i := slices.IndexFunc(l.lines, func(s string) bool { return strings.Contains(s, mark) }); i >= 0 {
		place = fmt.Sprintf("%s:%d", l.file, i+1)
	}
	l.faults = append(l.faults, fmt.Errorf("procedure %s: %s", place, fmt.Sprintf(format, a...)))
}

func (l *linter) check() {
	k, ok := l.kinds[l.p.Kind]
	if !ok {
		l.bad("kind:", "no kind is called %q", l.p.Kind)
		return
	}
	l.kind = k
	if !l.p.Label.Complete() || !l.p.About.Complete() {
		l.bad("id:", "label and about need ja and en")
	}
	l.states()
	for i := range l.p.Steps {
		l.step(l.p.Steps[i])
	}
	l.reachable()
	for _, g := range l.p.Guards {
		of, ok := l.kinds[g.Kind].Field(g.Field)
		for _, v := range g.Values {
			if !ok || !chosen(of, v) {
				l.bad("kind: "+g.Kind, "guard: kind %s has no value %q of a field %q", g.Kind, v, g.Field)
			}
		}
	}
}

func chosen(f kind.Field, value string) bool {
	return f.Type == kind.Enum && slices.ContainsFunc(f.Choices, func(c kind.Choice) bool { return c.Value == value })
}

// states are exactly the values of the field that holds them.
func (l *linter) states() {
	f, ok := l.kind.Field(l.p.Field)
	if !ok || f.Type != kind.Enum || !f.Required || !f.In(kind.Declared) {
		l.bad("state:", "state %q is no required declared choice of kind %s", l.p.Field, l.p.Kind)
		return
	}
	for _, c := range f.Choices {
		if _, ok := l.p.State(c.Value); !ok {
			l.bad("states:", "value %q of %s is no state", c.Value, l.p.Field)
		}
	}
	seen := map[string]bool{}
	for _, s := range l.p.States {
		mark := "value: " + s.Value
		if !chosen(f, s.Value) {
			l.bad(mark, "state %q is no value of %s.%s", s.Value, l.p.Kind, l.p.Field)
		}
		if seen[s.Value] {
			l.bad(mark, "state %q stands twice", s.Value)
		}
		seen[s.Value] = true
		if !s.About.Complete() {
			l.bad(mark, "state %q: about needs ja and en", s.Value)
		}
		if s.Rest && s.Final {
			l.bad(mark, "state %q: what is final rests already; leave rest out", s.Value)
		}
		l.fields(mark, s.Need)
		l.requires(mark, s.Require)
		l.due(mark, s.Due)
	}
}

// requires: the rules themselves are compiled by whoever conducts the procedures.
func (l *linter) requires(mark string, rs []Require) {
	for _, r := range rs {
		if r.Rule == "" || !r.Else.Complete() {
			l.bad(mark, "a requirement has a rule, and else in ja and en")
		}
		l.fields(mark, []string{r.Field})
	}
}

func (l *linter) due(mark string, d *Due) {
	if d == nil {
		return
	}
	f, ok := l.kind.Field(d.Field)
	dated := ok && f.In(kind.Declared) && (f.Type == kind.Date || f.Type == kind.Time)
	if dated == (d.Days > 0) || d.Days < 0 || d.Field != "" && !dated {
		l.bad(mark, "due is either field, a declared date of %s, or days, a number above zero: write one of them", l.p.Kind)
	}
	l.duties(mark, d.Escalate)
}

func (l *linter) duties(mark string, duties []actor.Duty) {
	for _, d := range duties {
		if !d.Valid() {
			l.bad(mark, "no duty is called %q: write one of %v", d, actor.Duties)
		}
	}
}

func (l *linter) fields(mark string, names []string) {
	for _, name := range names {
		if f, ok := l.kind.Field(name); !ok || !f.In(kind.Declared) {
			l.bad(mark, "%q is no declared field of %s", name, l.p.Kind)
		}
	}
}

func (l *linter) step(s Step) {
	mark := "id: " + s.ID
	if s.ID == "" || !s.Label.Complete() || len(s.Who) == 0 {
		l.bad(mark, "step %q has an id, a label in ja and en, and who", s.ID)
	}
	if first, _ := l.p.Step(s.ID); first.To != s.To || !slices.Equal(first.From, s.From) {
		l.bad(mark, "step %q stands twice", s.ID)
	}
	for _, state := range append(slices.Clone(s.From), s.To) {
		if _, ok := l.p.State(state); !ok {
			l.bad(mark, "step %q: no state is called %q", s.ID, state)
		}
	}
	for _, other := range append(slices.Clone(s.NotBy), s.Superior) {
		if _, ok := l.p.Step(other); !ok && other != "" {
			l.bad(mark, "step %q: no step is called %q", s.ID, other)
		}
	}
	l.duties(mark, s.Who)
	l.duties(mark, s.Apart)
	l.fields(mark, s.Fill)
	l.fields(mark, s.Need)
	if slices.Contains(s.Fill, l.p.Field) {
		l.bad(mark, "step %q fills the state, which it has by To", s.ID)
	}
	l.sets(mark, l.kind, s.Set)
	l.requires(mark, s.Require)
	for _, c := range s.Clear {
		if f, ok := l.kind.Field(c.At); c.At != "" && (!ok || f.Type != kind.Ref) {
			l.bad(mark, "step %q: clear: %q is no reference of %s: name one, or leave at out for the entry itself", s.ID, c.At, l.p.Kind)
		}
		if len(c.Controls) == 0 {
			l.bad(mark, "step %q: clear waits for no control: name those whose verdicts it waits for", s.ID)
		}
	}
	if s.Files < 0 || len(s.Reads) > s.Files {
		l.bad(mark, "step %q: files is %d and %d of them are read: raise it to at least as many", s.ID, s.Files, len(s.Reads))
	}
	for _, r := range s.Reads {
		if r.Format == "" || len(r.Set) == 0 {
			l.bad(mark, "step %q: reads names a format and the fields it sets", s.ID)
		}
		l.fields(mark, slices.Sorted(maps.Keys(r.Set)))
	}
	for _, w := range s.While {
		f, _ := l.kind.Field(w.At)
		of, ok := l.kinds[f.To].Field(w.Field)
		if f.Type != kind.Ref || !ok || len(w.Values) == 0 || slices.ContainsFunc(w.Values, func(v string) bool { return !chosen(of, v) }) {
			l.bad(mark, "step %q: while: write a reference of %s as at, a choice of what it refers to as field, and values of that: %s.%s %v is not so", s.ID, l.p.Kind, w.At, w.Field, w.Values)
		}
	}
	for _, a := range s.After {
		if f, ok := l.kinds[a.Kind].Field(a.By); !ok || f.Type != kind.Ref || f.To != l.p.Kind {
			l.bad(mark, "step %q: after: %q of %q is no reference to %s: name the field by which entries of that kind refer to this one", s.ID, a.By, a.Kind, l.p.Kind)
		}
	}
	if s.Page != "" && (!strings.HasPrefix(s.Page, "/") || !strings.HasSuffix(s.Page, "/")) {
		l.bad(mark, "step %q: page %q: write where the page begins, with a slash before and after, as in /audit/", s.ID, s.Page)
	}
	if f, ok := l.kind.Field(s.Covers); s.Covers != "" && (!ok || !f.In(kind.Declared) || f.Type != kind.String) {
		l.bad(mark, "step %q: covers: %q is no declared text of %s: name the field that holds a scope, or leave covers out", s.ID, s.Covers, l.p.Kind)
	}
	for _, a := range s.Also {
		l.also(mark, s, a)
	}
}

func (l *linter) also(mark string, s Step, a Also) {
	f, ok := l.kind.Field(a.At)
	of, known := l.kinds[a.New+a.Made]
	switch {
	case (a.At != "") == (a.New+a.Made != "") || a.New != "" && a.Made != "":
		l.bad(mark, "step %q: what also changes is one of at, new and made", s.ID)
	case a.At == "" && !known:
		l.bad(mark, "step %q: no kind is called %q", s.ID, a.New+a.Made)
	case a.At == "":
		l.sets(mark, of, a.Set)
	case ok && f.Type == kind.Ref:
		l.sets(mark, l.kinds[f.To], a.Set)
	case !ok || f.Type != kind.String: // of a string, kind/number, the kind shows when the step is taken
		l.bad(mark, "step %q: %q is no reference of %s", s.ID, a.At, l.p.Kind)
	}
}

// sets are fields of k, and values that fit them.
func (l *linter) sets(mark string, k kind.Kind, set map[string]any) {
	for name, v := range set {
		f, ok := k.Field(name)
		if !ok || !f.In(kind.Declared) {
			l.bad(mark, "%q is no declared field of %s", name, k.ID)
			continue
		}
		if text, ok := v.(string); ok && strings.HasPrefix(text, "$") {
			if from, ok := l.kind.Field(text[1:]); !slices.Contains(Words, text) && (!ok || !from.In(kind.Declared)) {
				l.bad(mark, "%s: %s is neither one of %v nor a field of %s", name, text, Words, l.p.Kind)
			}
		} else if _, err := f.Check(v); err != nil {
			l.bad(mark, "%s: %v", name, err)
		}
	}
}

// Words stand in what a step sets for what is known when it is taken.
var Words = []string{"$today", "$now", "$me", "$post", "$blank"}

// reachable: every state is come to, and left unless it is final.
func (l *linter) reachable() {
	for _, s := range l.p.States {
		mark := "value: " + s.Value
		come := slices.ContainsFunc(l.p.Steps, func(st Step) bool { return st.To == s.Value })
		left := slices.ContainsFunc(l.p.Steps, func(st Step) bool { return slices.Contains(st.From, s.Value) && st.To != s.Value })
		if !come {
			l.bad(mark, "no step leads to %q", s.Value)
		}
		if !left && !s.Final {
			l.bad(mark, "no step leads on from %q, which is not final", s.Value)
		}
	}
	if !slices.ContainsFunc(l.p.Steps, func(st Step) bool { return len(st.From) == 0 }) {
		l.bad("steps:", "no step begins an entry")
	}
}
