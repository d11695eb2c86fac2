package control

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"kakusho/calendar"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/verdict"
)

// Case shows a control judging one subject.
type Case struct {
	Name       string         // a sentence in words with dashes
	Line       int            // in cases.txtar
	Kind       string         // of the subject; the control's first unless the case says
	Facts      map[string]any // observed and derived cells, of the kind's types
	Declared   map[string]any
	Params     map[string]any         // parameters that are not at their default
	Unseen     map[string]fact.Status // cells without a value: absent, denied
	Answer     *Given                 // the person's answer, if there is one
	Claims     string                 // ground of an exception that was decided and is in force
	ObservedAt time.Time
	At         time.Time
	Want       verdict.Outcome
	Because    []string // fields that the reasons must name
}

// Given is the answer of a case.
type Given struct {
	Answer string
	At     time.Time
}

// noon is when a case judges, unless it says otherwise.
var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

var caseName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*\.yaml$`)

// caseFile is a case as written.
type caseFile struct {
	Kind       string               `yaml:"kind"`
	Facts      map[string]yaml.Node `yaml:"facts"`
	Declared   map[string]yaml.Node `yaml:"declared"`
	Params     map[string]yaml.Node `yaml:"params"`
	Absent     []string             `yaml:"absent"`
	Denied     []string             `yaml:"denied"`
	Answer     *answerFile          `yaml:"answer"`
	Claims     string               `yaml:"claims"`
	ObservedAt string               `yaml:"observed_at"`
	At         string               `yaml:"at"`
	Want       verdict.Outcome      `yaml:"want"`
	Because    []string             `yaml:"because"`
}

type answerFile struct {
	Answer string `yaml:"answer"`
	At     string `yaml:"at"`
}

// cases reads cases.txtar. A case with faults is left out and its faults kept.
func (l *loader) cases(c Control, b []byte) []Case {
	var cases []Case
	line := 1
	archive := txtar.Parse(b)
	line += bytes.Count(archive.Comment, []byte("\n"))
	for _, f := range archive.Files {
		r := caseReader{loader: l, control: c, name: f.Name, line: line}
		cases = append(cases, r.read(f.Data))
		if !caseName.MatchString(f.Name) {
			r.bad("name it as a sentence in words with dashes, ending in .yaml")
		}
		line += 1 + bytes.Count(f.Data, []byte("\n"))
	}
	l.checkCases(c, cases)
	return cases
}

func (l *loader) checkCases(control Control, cases []Case) {
	shown := map[verdict.Outcome]bool{}
	names := map[string]bool{}
	for _, c := range cases {
		shown[c.Want] = true
		if names[c.Name] {
			l.bad("cases.txtar", "case %s: twice", c.Name)
		}
		names[c.Name] = true
	}
	for _, o := range []verdict.Outcome{verdict.Conforms, verdict.Violates} {
		if !shown[o] {
			l.bad("cases.txtar", "no case wants %q", o)
		}
	}
	for _, g := range control.Grounds {
		for excepted, want := range map[bool]string{true: "wants excepted", false: "shows that it does not hold"} {
			if !slices.ContainsFunc(cases, func(c Case) bool { return c.Claims == g.ID && (c.Want == verdict.Excepted) == excepted }) {
				l.bad("cases.txtar", "no case claims the ground %s and %s", g.ID, want)
			}
		}
	}
	if !shown[verdict.Unknown] && !shown[verdict.Undecided] {
		l.bad("cases.txtar", "no case wants %q or %q", verdict.Unknown, verdict.Undecided)
	}
}

type caseReader struct {
	*loader
	control Control
	name    string
	line    int
}

func (r caseReader) bad(format string, a ...any) {
	r.loader.bad(fmt.Sprintf("cases.txtar:%d", r.line), "case %s: %s", strings.TrimSuffix(r.name, ".yaml"), fmt.Sprintf(format, a...))
}

func (r caseReader) read(b []byte) Case {
	c := Case{Name: strings.TrimSuffix(r.name, ".yaml"), Line: r.line}
	var f caseFile
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		r.bad("%v", err)
		return c
	}
	c.Kind, c.Want, c.Because = f.Kind, f.Want, f.Because
	if c.Kind == "" && len(r.control.Kinds) > 0 {
		c.Kind = r.control.Kinds[0]
	}
	k, ok := r.kinds[c.Kind]
	if !ok {
		r.bad("unknown kind %q", c.Kind)
		return c
	}
	if !c.Want.Valid() {
		r.bad("want is %q, not an outcome", c.Want)
	}
	c.Facts, c.Declared = r.values(k, f.Facts), r.values(k, f.Declared)
	c.Params = r.params(f.Params)
	c.Unseen = r.unseen(k, f)
	c.At = r.instant("at", f.At, noon)
	c.ObservedAt = r.instant("observed_at", f.ObservedAt, c.At)
	c.Answer = r.answer(f.Answer)
	r.because(f.Because)
	if _, ok := r.control.Ground(f.Claims); !ok && f.Claims != "" {
		r.bad("the control has no ground %q", f.Claims)
	}
	c.Claims = f.Claims
	return c
}

func (r caseReader) values(k kind.Kind, in map[string]yaml.Node) map[string]any {
	out := map[string]any{}
	for _, name := range sorted(in) {
		f, ok := k.Field(name)
		if !ok {
			r.bad("kind %s has no field %q", k.ID, name)
			continue
		}
		n := in[name]
		check := f.Check
		if f.In(kind.Observed) {
			check = f.CheckObserved
		}
		v, err := check(plain(&n))
		if err != nil {
			r.bad("%v", err)
			continue
		}
		out[name] = v
	}
	return out
}

func (r caseReader) params(in map[string]yaml.Node) map[string]any {
	out := map[string]any{}
	for _, key := range sorted(in) {
		p, ok := r.directive.Parameters[key]
		if !ok {
			r.bad("the directive has no parameter %q", key)
			continue
		}
		n := in[key]
		v, err := p.Check(plain(&n))
		if err != nil {
			r.bad("parameter %s: %v", key, err)
			continue
		}
		out[key] = v
	}
	return out
}

func (r caseReader) unseen(k kind.Kind, f caseFile) map[string]fact.Status {
	out := map[string]fact.Status{}
	put := func(status fact.Status, names []string) {
		for _, name := range names {
			_, known := k.Field(name)
			_, observed := f.Facts[name]
			_, declared := f.Declared[name]
			switch {
			case !known:
				r.bad("%s: kind %s has no field %q", status, k.ID, name)
			case observed || declared || out[name] != "":
				r.bad("%s: %q has a value or status already", status, name)
			}
			out[name] = status
		}
	}
	put(fact.Absent, f.Absent)
	put(fact.Denied, f.Denied)
	return out
}

func (r caseReader) answer(in *answerFile) *Given {
	if in == nil {
		return nil
	}
	if r.control.Record == nil {
		r.bad("answer: the control asks for no record")
		return nil
	}
	if _, ok := r.control.Record.Answer(in.Answer); !ok {
		r.bad("answer: %q is none of the control's answers", in.Answer)
	}
	return &Given{Answer: in.Answer, At: r.instant("answer: at", in.At, noon)}
}

func (r caseReader) because(names []string) {
	for _, name := range names {
		if name == "answer" && r.control.Record != nil {
			continue
		}
		if !slices.Contains(r.control.Needs, name) {
			r.bad("because: %q is not among the control's needs", name)
		}
	}
}

func (r caseReader) instant(what, s string, otherwise time.Time) time.Time {
	if s == "" {
		return otherwise
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t
	}
	t, err := time.ParseInLocation(time.DateOnly, s, calendar.Tokyo())
	if err != nil {
		r.bad("%s: %q is neither RFC 3339 nor YYYY-MM-DD", what, s)
	}
	return t
}

// plain is n as JSON would hold it: dates stay the text they were written as, so
// that the field they belong to says what they mean.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, e := range n.Content {
			list[i] = plain(e)
		}
		return list
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return m
	}
	if n.ShortTag() == "!!timestamp" {
		return n.Value
	}
	var v any
	if n.Decode(&v) != nil {
		return n.Value
	}
	return v
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
