package control

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kakusho/clause"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/kind"
)

// Load reads every folder <area>/<name> of fsys, sorted by ID. All faults are
// reported at once, each naming its file (and line, where YAML knows it). What
// the expressions read, and whether they type-check, is for judge.Compile. The
// controls without faults come with the error: one bad folder stops no other.
func Load(fsys fs.FS, kinds kind.Set, d *directive.Directive) ([]Control, error) {
	return loadWith(fsys, kinds, d, reading{cases: true})
}

// reading says what of the folders to read.
type reading struct {
	cases bool // the cases too
	ours  bool // only controls of the directive's own clauses; those of another directive's are passed over
}

func loadWith(fsys fs.FS, kinds kind.Set, d *directive.Directive, what reading) ([]Control, error) {
	dirs, err := folders(fsys)
	if err != nil {
		return nil, fmt.Errorf("list controls: %w", err)
	}
	var controls []Control
	var faults []error
	for _, dir := range dirs {
		l := loader{fsys: fsys, dir: dir, kinds: kinds, directive: d, reading: what}
		c := l.load()
		if l.foreign(c) {
			continue
		}
		if faults = append(faults, l.faults...); len(l.faults) == 0 {
			controls = append(controls, c)
		}
	}
	return controls, errors.Join(faults...)
}

func folders(fsys fs.FS) ([]string, error) {
	names, err := fs.Glob(fsys, "*/*")
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		fi, err := fs.Stat(fsys, name)
		return err != nil || !fi.IsDir()
	})
	slices.Sort(names)
	return names, nil
}

// loader gathers the faults of one folder.
type loader struct {
	fsys      fs.FS
	dir       string
	kinds     kind.Set
	directive *directive.Directive
	reading
	faults []error
}

func (l *loader) bad(file, format string, a ...any) {
	l.faults = append(l.faults, fmt.Errorf("control %s: %s", path.Join(l.dir, file), fmt.Sprintf(format, a...)))
}

func (l *loader) read(file string) []byte {
	b, err := fs.ReadFile(l.fsys, path.Join(l.dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		l.bad(file, "the file is missing")
	} else if err != nil {
		l.bad(file, "%v", err)
	}
	return b
}

func (l *loader) load() Control {
	var c Control
	c.Dir = l.dir
	if b := l.read("control.yaml"); b != nil && l.decode(b, &c) {
		if l.foreign(c) {
			return c
		}
		l.check(c)
	}
	c.Rule = string(l.read("rule.cel"))
	if strings.TrimSpace(c.Rule) == "" {
		l.bad("rule.cel", "holds no expression")
	}
	if !l.reading.cases {
		return c
	}
	if b := l.read("cases.txtar"); b != nil && c.ID != "" {
		c.Cases = l.cases(c, b)
	}
	return c
}

// foreign reports whether a control is of another directive, and not to be read.
func (l *loader) foreign(c Control) bool {
	return l.ours && len(c.Clauses) > 0 && c.Clauses[0].Source() != l.directive.Source
}

func (l *loader) decode(b []byte, c *Control) bool {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(c); err != nil {
		l.bad("control.yaml", "%v", err)
		return false
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		l.bad("control.yaml", "more than one document")
		return false
	}
	var doc yaml.Node
	if yaml.Unmarshal(b, &doc) == nil {
		c.lines = places(&doc)
	}
	return true
}

// places finds where the expressions and lists of control.yaml stand.
func places(doc *yaml.Node) map[string]Place {
	lines := map[string]Place{}
	put := func(part string, n *yaml.Node) {
		if n == nil {
			return
		}
		p := Place{File: "control.yaml", Line: n.Line, Column: n.Column}
		switch n.Style {
		case yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle:
			p.Column++
		case yaml.LiteralStyle, yaml.FoldedStyle:
			p.Line, p.Column = p.Line+1, 1
		}
		lines[part] = p
	}
	root := doc
	if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
		root = doc.Content[0]
	}
	for _, part := range []string{"applies", "needs", "parameters"} {
		put(part, child(root, part))
	}
	for _, name := range []string{"exceptions", "grounds"} {
		if list := child(root, name); list != nil && list.Kind == yaml.SequenceNode {
			for i, e := range list.Content {
				put(fmt.Sprintf("%s[%d].when", name, i), child(e, "when"))
			}
		}
	}
	return lines
}

func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func (l *loader) check(c Control) {
	bad := func(format string, a ...any) { l.bad("control.yaml", format, a...) }
	if c.ID != l.dir {
		bad("id is %q, want the folder's name %q", c.ID, l.dir)
	}
	if len(c.Clauses) == 0 || len(c.Kinds) == 0 || len(c.Mechanisms) == 0 {
		bad("clauses, kinds and mechanisms each need at least one entry")
	}
	l.checkClauses(c, bad)
	for _, k := range c.Kinds {
		if _, ok := l.kinds[k]; !ok {
			bad("unknown kind %q", k)
		}
	}
	for _, m := range c.Mechanisms {
		if m != clause.Enforce && m != clause.Verify && m != clause.Record {
			bad("unknown mechanism %q", m)
		}
	}
	if !c.Title.Complete() || !c.Why.Complete() || !c.Remedy.Complete() {
		bad("title, why and remedy need ja and en")
	}
	if strings.TrimSpace(c.Applies) == "" {
		bad(`applies is missing; write "true" when the control always applies`)
	}
	l.checkLists(c, bad)
	if !slices.Contains([]Missing{"", MissingUnknown, MissingViolates, MissingNotApplicable}, c.Missing) {
		bad("missing is %q, want unknown, violates or not-applicable", c.Missing)
	}
	if c.Empty != "" && c.Empty != "ok" {
		bad(`empty is %q, want "ok" or nothing`, c.Empty)
	}
	if c.Record != nil {
		l.checkRecord(*c.Record, bad)
	}
}

func (l *loader) checkClauses(c Control, bad func(string, ...any)) {
	ids := slices.Clone(c.Clauses)
	for i, e := range c.Exceptions {
		ids = append(ids, e.Clause)
		if strings.TrimSpace(e.When) == "" {
			bad("exceptions[%d]: when is missing", i)
		}
	}
	l.checkGrounds(c, bad)
	for _, id := range ids {
		if _, ok := l.directive.Clause(id); !ok {
			bad("clause %q is not in the directive", id)
		}
	}
	for i, id := range c.Clauses {
		if slices.Contains(c.Clauses[:i], id) {
			bad("clause %q is named twice", id)
		}
	}
}

func (l *loader) checkLists(c Control, bad func(string, ...any)) {
	for i, list := range [][]string{c.Needs, c.Parameters} {
		if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
			bad("%s must be sorted, each once", []string{"needs", "parameters"}[i])
		}
	}
	for _, k := range c.Kinds {
		for _, f := range c.Needs {
			if _, ok := l.kinds[k].Field(f); !ok && len(l.kinds[k].Fields) > 0 {
				bad("needs: kind %s has no field %q", k, f)
			}
		}
	}
	for _, p := range c.Parameters {
		if _, ok := l.directive.Parameters[p]; !ok {
			bad("parameters: the directive has no parameter %q", p)
		}
	}
}

func (l *loader) checkRecord(r Record, bad func(string, ...any)) {
	if r.Type != decision.Attestation && r.Type != decision.Judgement {
		bad("record: type is %q, want attestation or judgement", r.Type)
	}
	if !r.Question.Complete() {
		bad("record: question needs ja and en")
	}
	if len(r.Answers) < 2 {
		bad("record: a question needs at least two answers")
	}
	seen := map[string]bool{}
	for _, a := range r.Answers {
		if a.Value == "" || seen[a.Value] || !a.Label.Complete() {
			bad("record: answer %q needs a value of its own and a label in ja and en", a.Value)
		}
		seen[a.Value] = true
	}
	if p, ok := l.directive.Parameters[r.Fresh]; !ok {
		bad("record: fresh names no parameter: %q", r.Fresh)
	} else if p.Type != directive.Duration {
		bad("record: fresh names %s, which is %s; want a duration", r.Fresh, p.Type)
	}
	if len(r.Duty) == 0 {
		bad("record: duty is missing: who may answer?")
	}
	for _, d := range r.Duty {
		if !d.Valid() {
			bad("record: unknown duty %q", d)
		}
	}
}
