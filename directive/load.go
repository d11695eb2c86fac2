package directive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/clause"
)

// The forms of the files. Unknown keys in any of them are faults.
type (
	sourceFile struct {
		ID            string               `yaml:"id"`
		Title         bilingual.Text       `yaml:"title"`
		Number        bilingual.Text       `yaml:"number"`
		Issued        string               `yaml:"issued"`
		EffectiveFrom string               `yaml:"effective_from"`
		ValidUntil    string               `yaml:"valid_until,omitempty"`
		Authority     bilingual.Text       `yaml:"authority"`
		Replaces      bilingual.Text       `yaml:"replaces"`
		Draft         bool                 `yaml:"draft"`
		Inherits      string               `yaml:"inherits"`
		Succeeds      string               `yaml:"succeeds"`
		Grants        map[string]clause.ID `yaml:"grants"`
		Rulebooks     []Rulebook           `yaml:"rulebooks"`
	}
	sectionFile struct {
		Section clause.ID         `yaml:"section"`
		Label   bilingual.Text    `yaml:"label"`
		Title   bilingual.Text    `yaml:"title"`
		Maps    map[string]string `yaml:"maps"` // of every clause in the section that has none of its own
		Clauses []clause.Clause   `yaml:"clauses"`
	}
	groupFile struct {
		Group      string           `yaml:"group"`
		Clause     clause.ID        `yaml:"clause"`
		Title      bilingual.Text   `yaml:"title"`
		About      bilingual.Text   `yaml:"about"`
		Parameters []parameterEntry `yaml:"parameters"`
	}
	parameterEntry struct {
		Key       string         `yaml:"key"`
		Type      Type           `yaml:"type"`
		Unit      string         `yaml:"unit"`
		Label     bilingual.Text `yaml:"label"`
		About     bilingual.Text `yaml:"about"`
		Default   any            `yaml:"default"`
		Least     any            `yaml:"least"`
		Most      any            `yaml:"most"`
		Choices   []Option       `yaml:"choices"`
		Stricter  string         `yaml:"stricter"`
		Clauses   []clause.ID    `yaml:"clauses"`
		Basis     bilingual.Text `yaml:"basis"`
		Directive bool           `yaml:"directive"`
	}
)

// lifetimes is the group no clause delegates, in parameters/lifetimes.yaml.
const lifetimes = "lifetimes"

// loader gathers faults while it reads, so that all are reported at once.
type loader struct {
	fsys   fs.FS
	d      *Directive
	faults []error
	lines  map[clause.ID]place
}

// place is where a clause or parameter stands.
type place struct {
	file string
	line int
}

func (p place) String() string {
	if p.line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s: line %d", p.file, p.line)
}

func (l *loader) bad(at place, format string, a ...any) {
	l.faults = append(l.faults, fmt.Errorf("directive %s: %s", at, fmt.Sprintf(format, a...)))
}

// Load reads the directive in fsys: source.yaml, a file per section named after
// it (2.3.yaml) and parameters/*.yaml, a file per group named after it. All
// faults are reported at once, each naming its file and, where there is one, its
// line.
func Load(fsys fs.FS) (*Directive, error) {
	l := &loader{fsys: fsys, lines: map[clause.ID]place{}, d: &Directive{Parameters: Parameters{}, at: map[clause.ID]int{}}}
	l.source()
	if l.d.Source == "" {
		return nil, errors.Join(l.faults...)
	}
	l.sections()
	l.groups()
	l.delegations()
	l.grants()
	if len(l.faults) > 0 {
		return nil, errors.Join(l.faults...)
	}
	return l.d, nil
}

// decode reads one YAML document into v and returns it as a node too, for lines.
func (l *loader) decode(name string, v any) (*yaml.Node, bool) {
	b, err := fs.ReadFile(l.fsys, name)
	if err != nil {
		l.bad(place{file: name}, "%v", err)
		return nil, false
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(v); err != nil {
		l.bad(place{file: name}, "%v", err)
		return nil, false
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		l.bad(place{file: name}, "more than one document")
		return nil, false
	}
	var node yaml.Node
	if err := yaml.Unmarshal(b, &node); err != nil {
		l.bad(place{file: name}, "%v", err)
		return nil, false
	}
	return &node, true
}

// itemLine is the line of the i-th element of the list under key at the top of
// a document; 0 when it cannot be told.
func itemLine(doc *yaml.Node, key string, i int) int {
	if len(doc.Content) == 0 {
		return 0
	}
	top := doc.Content[0].Content
	for k := 0; k+1 < len(top); k += 2 {
		if top[k].Value == key && i < len(top[k+1].Content) {
			return top[k+1].Content[i].Line
		}
	}
	return 0
}

var sourceName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

func (l *loader) source() {
	const name = "source.yaml"
	var f sourceFile
	if _, ok := l.decode(name, &f); !ok {
		return
	}
	at := place{file: name}
	if !sourceName.MatchString(f.ID) {
		l.bad(at, "id %q: want lower-case letters, digits and -", f.ID)
		return
	}
	for what, t := range map[string]bilingual.Text{"title": f.Title, "number": f.Number, "authority": f.Authority, "replaces": f.Replaces} {
		if !t.Complete() {
			l.bad(at, "%s needs ja and en", what)
		}
	}
	d := l.d
	d.Source, d.Title, d.Number, d.Authority, d.Replaces = f.ID, f.Title, f.Number, f.Authority, f.Replaces
	d.Issued, d.EffectiveFrom = l.date(at, "issued", f.Issued), l.date(at, "effective_from", f.EffectiveFrom)
	if f.ValidUntil != "" {
		d.ValidUntil = l.date(at, "valid_until", f.ValidUntil)
		if d.ValidUntil.Before(d.EffectiveFrom) {
			l.bad(at, "valid_until lies before effective_from")
		}
	}
	d.Draft, d.Inherits, d.Succeeds, d.Grants, d.Rulebooks = f.Draft, f.Inherits, f.Succeeds, f.Grants, f.Rulebooks
	for _, r := range f.Rulebooks {
		if !sourceName.MatchString(r.ID) || !r.Title.Complete() || !r.Note.Complete() {
			l.bad(at, "rulebook %q needs id, title and note in ja and en", r.ID)
		}
	}
}

func (l *loader) date(at place, what, text string) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, text, calendar.Tokyo())
	if err != nil {
		l.bad(at, "%s %q: want a date, as in 2021-10-15", what, text)
	}
	return t
}

func (l *loader) sections() {
	names, err := fs.Glob(l.fsys, "*.yaml")
	if err != nil {
		l.bad(place{file: "."}, "%v", err)
		return
	}
	id := func(name string) clause.ID {
		return clause.ID(l.d.Source + "@" + strings.TrimSuffix(name, ".yaml"))
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == "source.yaml" })
	slices.SortFunc(names, func(a, b string) int { return clause.Compare(id(a), id(b)) })
	if len(names) == 0 {
		l.bad(place{file: "."}, "no section files")
	}
	for _, name := range names {
		var f sectionFile
		doc, ok := l.decode(name, &f)
		if !ok {
			continue
		}
		if _, err := clause.Parse(string(f.Section)); err != nil || f.Section != id(name) {
			l.bad(place{file: name}, "section is %q, want %q after the file's name", f.Section, id(name))
			continue
		}
		l.section(name, f, doc)
	}
}

func (l *loader) section(name string, f sectionFile, doc *yaml.Node) {
	if !f.Label.Complete() || !f.Title.Complete() {
		l.bad(place{file: name}, "label and title need ja and en")
	}
	if len(f.Clauses) == 0 {
		l.bad(place{file: name}, "no clauses")
	}
	s := Section{ID: f.Section, Label: f.Label, Title: f.Title}
	for i, c := range f.Clauses {
		at := place{file: name, line: itemLine(doc, "clauses", i)}
		if _, err := clause.Parse(string(c.ID)); err != nil {
			l.bad(at, "%v", err)
			continue
		}
		if c.ID != f.Section && !strings.HasPrefix(string(c.ID), string(f.Section)+".") {
			l.bad(at, "clause %s is not of section %s", c.ID, f.Section)
		}
		if n := len(l.d.Clauses); n > 0 && clause.Compare(l.d.Clauses[n-1].ID, c.ID) >= 0 {
			l.bad(at, "clause %s does not come after %s", c.ID, l.d.Clauses[n-1].ID)
		}
		if len(c.Maps) == 0 {
			c.Maps = maps.Clone(f.Maps)
		}
		l.checkClause(at, c)
		l.lines[c.ID] = at
		l.d.at[c.ID] = len(l.d.Clauses)
		l.d.Clauses = append(l.d.Clauses, c)
		s.Clauses = append(s.Clauses, c.ID)
	}
	l.d.Sections = append(l.d.Sections, s)
}

var kindName = regexp.MustCompile(`^[a-z][a-z-]*$`)

func (l *loader) checkClause(at place, c clause.Clause) {
	bad := func(format string, a ...any) { l.bad(at, "clause %s: %s", c.ID, fmt.Sprintf(format, a...)) }
	for what, t := range map[string]bilingual.Text{"label": c.Label, "title": c.Title, "statement": c.Statement} {
		if !t.Complete() {
			bad("%s needs ja and en", what)
		}
	}
	for _, t := range slices.Concat(c.Conditions, c.Exceptions, c.Notes) {
		if !t.Complete() {
			bad("conditions, exceptions and notes need ja and en")
		}
	}
	l.checkPart(at, c)
	if !actor.Duty(c.Addressee).Valid() {
		bad("addressee %q is no duty", c.Addressee)
	}
	if !slices.Contains(clause.Forces, c.Force) {
		bad("force %q is none of %v", c.Force, clause.Forces)
	}
	if len(c.Kinds) == 0 || slices.ContainsFunc(c.Kinds, func(k string) bool { return !kindName.MatchString(k) }) {
		bad("kinds %q: want at least one kind", c.Kinds)
	}
	if len(c.Mechanisms) == 0 {
		bad("no mechanism")
	}
	for _, m := range c.Mechanisms {
		if m != clause.Enforce && m != clause.Verify && m != clause.Record {
			bad("mechanism %q is none of enforce, verify, record", m)
		}
	}
	for book := range c.Maps {
		if !slices.ContainsFunc(l.d.Rulebooks, func(r Rulebook) bool { return r.ID == book }) {
			bad("maps to %q, which source.yaml does not list", book)
		}
	}
}

// checkPart checks that the type of c fits its place.
func (l *loader) checkPart(at place, c clause.Clause) {
	numbers := c.ID.Numbers()
	chapeau := numbers[len(numbers)-1] == 0
	switch c.Type {
	case clause.Chapeau, clause.Obligation:
		if (c.Type == clause.Chapeau) != chapeau {
			l.bad(at, "clause %s: number 0 goes with type chapeau", c.ID)
		}
	case clause.SubItem:
		parent, _ := c.ID.Parent()
		if p, ok := l.d.Clause(parent); !ok || p.Type != clause.Obligation || chapeau {
			l.bad(at, "clause %s: a sub-item stands under an obligation", c.ID)
		}
	default:
		l.bad(at, "clause %s: type %q is none of obligation, sub-item, chapeau", c.ID, c.Type)
	}
}

func (l *loader) groups() {
	names, err := fs.Glob(l.fsys, "parameters/*.yaml")
	if err != nil {
		l.bad(place{file: "parameters"}, "%v", err)
		return
	}
	variables := map[string]string{}
	for _, name := range names {
		var f groupFile
		doc, ok := l.decode(name, &f)
		if !ok {
			continue
		}
		if f.Group+".yaml" != path.Base(name) {
			l.bad(place{file: name}, "group is %q, want the file's name", f.Group)
			continue
		}
		if !f.Title.Complete() || !f.About.Complete() {
			l.bad(place{file: name}, "title and about need ja and en")
		}
		g := Group{ID: f.Group, Clause: f.Clause, Title: f.Title, About: f.About}
		for i, e := range f.Parameters {
			at := place{file: name, line: itemLine(doc, "parameters", i)}
			p := l.parameter(at, f.Group, e)
			if other, taken := variables[p.Variable()]; taken {
				l.bad(at, "parameter %s: rules cannot tell it from %s", p.Key, other)
			}
			variables[p.Variable()] = p.Key
			l.d.Parameters[p.Key] = p
			g.Keys = append(g.Keys, p.Key)
		}
		if len(g.Keys) == 0 {
			l.bad(place{file: name}, "no parameters")
		}
		if g.ID == lifetimes {
			l.d.Lifetimes = g
		} else {
			l.d.Groups = append(l.d.Groups, g)
		}
	}
}

// grants checks that what allows decisions are clauses.
func (l *loader) grants() {
	for what, id := range l.d.Grants {
		if _, ok := l.d.Clause(id); !ok {
			l.bad(place{file: "source.yaml"}, "grants: unknown clause %q for %s", id, what)
		}
	}
}

// delegations checks that every clause that delegates has its group, that every
// group has its clause, and only one.
func (l *loader) delegations() {
	delegating := map[string]clause.ID{}
	for _, c := range l.d.Clauses {
		if c.Delegates == "" {
			continue
		}
		if _, twice := delegating[c.Delegates]; twice {
			l.bad(l.lines[c.ID], "clause %s: group %s is delegated twice", c.ID, c.Delegates)
		}
		delegating[c.Delegates] = c.ID
		if !slices.ContainsFunc(l.d.Groups, func(g Group) bool { return g.ID == c.Delegates }) {
			l.bad(l.lines[c.ID], "clause %s: group %s has no file", c.ID, c.Delegates)
		}
	}
	for _, g := range l.d.Groups {
		if delegating[g.ID] != g.Clause || g.Clause == "" {
			l.bad(place{file: "parameters/" + g.ID + ".yaml"}, "clause is %q, want %q, which delegates the group", g.Clause, delegating[g.ID])
		}
	}
}
