package directive

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"kakusho/clause"
)

var keyName = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$`)

// directions are the stricter directions each type may have.
var directions = map[Type][]string{
	Int:      {"higher", "lower", "none"},
	Number:   {"higher", "lower", "none"},
	Bool:     {"true", "false", "none"},
	Duration: {"higher", "lower", "none"},
	Text:     {"none"},
	Choice:   {"higher", "lower", "none"},
	List:     {"subset", "superset", "none"},
	Date:     {"higher", "lower", "none"},
}

// parameter turns an entry of a group's file into a Parameter.
func (l *loader) parameter(at place, group string, e parameterEntry) Parameter {
	bad := func(format string, a ...any) { l.bad(at, "parameter %s: %s", e.Key, fmt.Sprintf(format, a...)) }
	p := Parameter{
		Key: e.Key, Group: group, Type: e.Type, Unit: e.Unit, Label: e.Label, About: e.About, Basis: e.Basis,
		Choices: e.Choices, Clauses: e.Clauses, Stricter: e.Stricter, Directive: e.Directive,
	}
	if !keyName.MatchString(p.Key) {
		bad("key wants lower-case words with dots between, as in auth.pw.min_length")
	}
	if _, twice := l.d.Parameters[p.Key]; twice {
		bad("twice")
	}
	if !slices.Contains(Types, p.Type) {
		bad("type %q is none of %v", p.Type, Types)
		return p
	}
	if !p.Label.Complete() || !p.About.Complete() || !p.Basis.Complete() {
		bad("label, about and basis need ja and en")
	}
	if !slices.Contains(directions[p.Type], p.Stricter) {
		bad("stricter %q is none of %v", p.Stricter, directions[p.Type])
	}
	if !p.unitKnown() {
		bad("unit %q does not go with type %s", p.Unit, p.Type)
	}
	p.Least, p.Most = bound(p, "least", e.Least, bad), bound(p, "most", e.Most, bad)
	if p.Least != nil && p.Most != nil && *p.Least > *p.Most {
		bad("least is more than most")
	}
	checkOptions(p, bad)
	l.checkParameterClauses(p, bad)
	v, err := p.Check(yamlValue(e.Default))
	if err != nil {
		bad("default: %v", err)
	}
	p.Default = v
	return p
}

// unitKnown reports whether the unit is one its type may have. A duration needs
// one, so that pages know how to show it.
func (p Parameter) unitKnown() bool {
	switch p.Type {
	case Duration:
		_, ok := spanOf(p.Unit)
		return ok
	case Int, Number:
		_, ok := units[p.Unit]
		return ok || p.Unit == ""
	}
	return p.Unit == ""
}

// yamlValue gives back the text of an unquoted date, which YAML reads as an
// instant in UTC and so as the wrong day's start.
func yamlValue(v any) any {
	if t, ok := v.(time.Time); ok {
		return t.Format(time.DateOnly)
	}
	return v
}

// bound reads a limit: a number, or for a duration a length, in seconds.
func bound(p Parameter, what string, v any, bad func(string, ...any)) *float64 {
	if v == nil {
		return nil
	}
	var n float64
	switch p.Type {
	case Int, Number, List:
		f, ok := number(v)
		if _, text := v.(string); !ok || text {
			bad("%s %v: want a number", what, v)
			return nil
		}
		n = f
	case Duration:
		d, err := ParseDuration(fmt.Sprint(v))
		if err != nil {
			bad("%s: %v", what, err)
			return nil
		}
		n = d.Seconds()
	default:
		bad("%s does not go with type %s", what, p.Type)
		return nil
	}
	return &n
}

func checkOptions(p Parameter, bad func(string, ...any)) {
	if p.Type == Choice && len(p.Choices) < 2 {
		bad("a choice needs at least two choices")
	}
	if p.Type != Choice && p.Type != List && len(p.Choices) > 0 {
		bad("choices go with types choice and list")
	}
	seen := map[string]bool{}
	for _, o := range p.Choices {
		if o.Value == "" || !o.Label.Complete() || seen[o.Value] {
			bad("choice %q needs a value of its own, ja and en", o.Value)
		}
		seen[o.Value] = true
	}
}

func (l *loader) checkParameterClauses(p Parameter, bad func(string, ...any)) {
	if len(p.Clauses) == 0 {
		bad("names no clause")
	}
	for i, id := range p.Clauses {
		if _, ok := l.d.Clause(id); !ok {
			bad("unknown clause %q", id)
		}
		if slices.Contains(p.Clauses[:i], id) {
			bad("names clause %s twice", clause.ID(id))
		}
	}
}
