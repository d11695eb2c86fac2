package detection

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"kakusho/sigma/document"
	"kakusho/sigma/pattern"
)

// Test tells whether an event is meant. It notes nothing but what view keeps.
type Test func(*View) bool

func both(a, b Test) Test {
	if a == nil {
		return b
	}
	return func(v *View) bool { return a(v) && b(v) }
}

func any1(tests []Test) Test {
	if len(tests) == 1 {
		return tests[0]
	}
	return func(v *View) bool {
		for _, t := range tests {
			if t(v) {
				return true
			}
		}
		return false
	}
}

func every(tests []Test) Test {
	if len(tests) == 1 {
		return tests[0]
	}
	return func(v *View) bool {
		for _, t := range tests {
			if !t(v) {
				return false
			}
		}
		return true
	}
}

func not(t Test) Test { return func(v *View) bool { return !t(v) } }

// asked is a key of a selection: the field, and what its modifiers ask.
type asked struct {
	field string
	slot  int
	way   string   // contains, startswith, endswith, re, cidr, exists, lt, lte, gt, gte, fieldref, or "" for equal
	turn  []string // base64, base64offset, utf16…, windash: in order
	flags string   // of re
	part  string   // of a time
	all   bool
	cased bool
	neq   bool
}

var ways = []string{"contains", "startswith", "endswith", "re", "cidr", "exists", "lt", "lte", "gt", "gte", "fieldref"}
var timeParts = []string{"minute", "hour", "day", "week", "month", "year"}

// ask reads a key; field is empty for keywords.
func (c *Compiler) ask(d document.Document, k *yaml.Node) (asked, error) {
	field, modifiers := words(k.Value)
	a := asked{field: field}
	for _, m := range modifiers {
		switch {
		case m == "all":
			a.all = true
		case m == "cased":
			a.cased = true
		case m == "neq":
			a.neq = true
		case slices.Contains(timeParts, m):
			a.part = m
		case pattern.IsTurn(m):
			a.turn = append(a.turn, m)
		case a.way == "re" && slices.Contains([]string{"i", "m", "s"}, m):
			a.flags += m
		case slices.Contains(ways, m):
			// fieldref may compare a part of the other field.
			if a.way != "" {
				return a, d.Fault(k, "%s: %s and %s do not go together", k.Value, a.way, m)
			}
			a.way = m
		case m == "expand":
			return a, d.Fault(k, "%s: placeholders (expand) are not supported: write the values out", k.Value)
		default:
			return a, d.Fault(k, "%s: unknown modifier %q", k.Value, m)
		}
	}
	if a.part != "" && !slices.Contains([]string{"", "lt", "lte", "gt", "gte"}, a.way) {
		return a, d.Fault(k, "%s: %s does not go with %s", k.Value, a.way, a.part)
	}
	if field == "" && a.way != "" && a.way != "contains" && a.way != "re" {
		return a, d.Fault(k, "%s: keywords are looked for anywhere", k.Value)
	}
	if field != "" {
		a.slot = c.Slot(field)
	}
	return a, nil
}

// values compiles what stands behind a key.
func (c *Compiler) values(d document.Document, a asked, v *yaml.Node) (Test, error) {
	nodes := []*yaml.Node{v}
	if v.Kind == yaml.SequenceNode {
		nodes = v.Content
	}
	if len(nodes) == 0 {
		return nil, d.Fault(v, "%s: an empty list finds nothing", a.field)
	}
	if len(nodes) > 10_000 {
		return nil, d.Fault(v, "%s: %d values, at most 10,000", a.field, len(nodes))
	}
	var tests []Test
	for _, n := range nodes {
		if n.Kind != yaml.ScalarNode {
			return nil, d.Fault(n, "%s: a value is a text, a number or null", a.field)
		}
		t, err := c.value(a, n)
		if err != nil {
			return nil, d.Fault(n, "%s: %v", a.field, err)
		}
		tests = append(tests, t)
	}
	t := any1(tests)
	if a.all {
		t = every(tests)
	}
	if a.neq {
		t = not(t)
	}
	return t, nil
}

func (c *Compiler) value(a asked, n *yaml.Node) (Test, error) {
	slot := a.slot
	switch {
	case n.Tag == "!!null":
		if a.field == "" || a.way != "" || a.part != "" {
			return nil, fmt.Errorf("null goes with a field alone")
		}
		return func(v *View) bool { c := v.Cell(slot); return !c.There || c.Raw == "" }, nil
	case a.part != "":
		return a.number(n, a.timeOf)
	case a.way == "exists":
		want, err := strconv.ParseBool(n.Value)
		if err != nil {
			return nil, fmt.Errorf("exists wants true or false")
		}
		return func(v *View) bool { return (v.Cell(slot).There) == want }, nil
	case slices.Contains([]string{"lt", "lte", "gt", "gte"}, a.way):
		return a.number(n, func(v *View) (float64, bool) {
			c := v.Cell(slot)
			f, err := strconv.ParseFloat(strings.TrimSpace(c.Raw), 64)
			return f, c.There && err == nil
		})
	case a.way == "cidr":
		return a.cidr(n.Value)
	case a.way == "re":
		return a.regexp(n.Value)
	case a.way == "fieldref":
		return c.reference(a, n.Value), nil
	}
	return a.text(n)
}

// timeOf is a part of the field's time, in Tokyo.
func (a asked) timeOf(v *View) (float64, bool) {
	t := v.tokyo()
	if a.field != "at" {
		c := v.Cell(a.slot)
		parsed, err := time.Parse(time.RFC3339Nano, c.Raw)
		if !c.There || err != nil {
			return 0, false
		}
		t = parsed.In(t.Location())
	}
	_, week := t.ISOWeek()
	return float64(map[string]int{"minute": t.Minute(), "hour": t.Hour(), "day": t.Day(), "week": week, "month": int(t.Month()), "year": t.Year()}[a.part]), true
}

func (a asked) number(n *yaml.Node, get func(*View) (float64, bool)) (Test, error) {
	want, err := strconv.ParseFloat(n.Value, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is no number", n.Value)
	}
	compare := map[string]func(x float64) bool{
		"": func(x float64) bool { return x == want }, "lt": func(x float64) bool { return x < want }, "lte": func(x float64) bool { return x <= want },
		"gt": func(x float64) bool { return x > want }, "gte": func(x float64) bool { return x >= want },
	}[a.way]
	return func(v *View) bool { x, ok := get(v); return ok && compare(x) }, nil
}

func (a asked) cidr(s string) (Test, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return nil, fmt.Errorf("%q is no network: want 10.0.0.0/8 or 2001:db8::/32", s)
	}
	p = p.Masked()
	return func(v *View) bool {
		c := v.Cell(a.slot)
		if !c.There {
			return false
		}
		addr, err := netip.ParseAddr(strings.Trim(c.Raw, "[]"))
		return err == nil && p.Contains(addr.Unmap().WithZone(""))
	}, nil
}

func (a asked) regexp(s string) (Test, error) {
	if len(s) > 4096 {
		return nil, fmt.Errorf("a regular expression of %d bytes, at most 4096", len(s))
	}
	if a.flags != "" {
		s = "(?" + a.flags + ")" + s
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, fmt.Errorf("regular expression that cannot be tried in bounded time here: %w", err)
	}
	if a.field == "" {
		return func(v *View) bool { return re.MatchString(v.everything()) }, nil
	}
	return func(v *View) bool { c := v.Cell(a.slot); return c.There && re.MatchString(c.Raw) }, nil
}

func (c *Compiler) reference(a asked, name string) Test {
	other := c.Slot(name)
	return func(v *View) bool {
		x, there := v.Folded(a.slot)
		y, too := v.Folded(other)
		return there && too && x == y
	}
}

// text compiles one text with wildcards, turned as the modifiers ask.
func (a asked) text(n *yaml.Node) (Test, error) {
	patterns := []pattern.Pattern{pattern.Glob(n.Value)}
	contains := a.way == "contains" || a.field == ""
	if len(a.turn) > 0 {
		texts := []string{n.Value}
		for _, turn := range a.turn {
			var out []string
			for _, s := range texts {
				forms, err := pattern.Turn(turn, s)
				if err != nil {
					return nil, err
				}
				out = append(out, forms...)
			}
			texts = out
		}
		patterns = nil
		for _, s := range texts {
			patterns = append(patterns, pattern.Plain(s))
		}
		if slices.Equal(a.turn, []string{"windash"}) {
			patterns = nil
			for _, s := range texts {
				patterns = append(patterns, pattern.Glob(s))
			}
		}
	}
	var tests []Test
	for _, p := range patterns {
		if contains && len(p) == 0 {
			return nil, fmt.Errorf("an empty text stands in everything")
		}
		p = p.Around(contains || a.way == "endswith", contains || a.way == "startswith")
		tests = append(tests, a.one(p))
	}
	return any1(tests), nil
}

func (a asked) one(p pattern.Pattern) Test {
	if a.field == "" {
		match := p.Lower().Matcher()
		return func(v *View) bool { return match(v.everything()) }
	}
	slot := a.slot
	if a.cased {
		match := p.Matcher()
		return func(v *View) bool { c := v.Cell(slot); return c.There && match(c.Raw) }
	}
	match := p.Lower().Matcher()
	if want, literal := p.Text(); literal && want == "" {
		return func(v *View) bool { s, _ := v.Folded(slot); return s == "" }
	}
	return func(v *View) bool { s, ok := v.Folded(slot); return ok && match(s) }
}
