package judge

import (
	"fmt"
	"math"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/kind"
)

// Codes of reasons why something is not known.
const (
	codeMissing       = "missing"        // never collected, never entered
	codeAbsent        = "absent"         // looked, and there is none
	codeNotApplicable = "not-applicable" // the question does not arise there
	codeDenied        = "denied"
	codeError         = "error"
	codeTimeout       = "timeout"
	codeTruncated     = "truncated" // a part was looked at
	codeStale         = "stale"     // older than its limit
	codeFuture        = "future"    // dated after the judging instant
	codeNoRecord      = "no-record" // nobody has answered
	codeNoParameter   = "no-parameter"
	codeEmpty         = "empty"   // all() over nothing
	codeHorizon       = "horizon" // a parameter's value is not known from then on
)

// unknown is what a rule reads where there is no value. cel-go only passes it on.
var unknown = types.NewUnknown(1, nil)

// state is what one read finds at one instant.
type state struct {
	found     bool // computed already
	person    bool // it is the answer of a person
	code      string
	detail    string
	parameter string // no-parameter: its key
	layer     string
	raw       any
	val       ref.Val
	cell      *Cell
	decision  *decision.Decision
	since     time.Time
	until     time.Time // zero: for ever
	fresh     time.Time // when it goes stale
}

func (s *state) read(has bool) ref.Val {
	switch {
	case has && (s.code == codeAbsent || s.code == codeNotApplicable):
		return types.False
	case s.code != "":
		return unknown
	case has:
		return types.True
	}
	return s.val
}

// readAnswer reads a.answer or a.at. Whether somebody answered is never unknown.
func (s *state) readAnswer(name string, has bool) ref.Val {
	switch {
	case has:
		return types.Bool(s.code == "")
	case s.code != "":
		return unknown
	case name == "at":
		return types.Timestamp{Time: s.decision.At}
	}
	return s.val
}

// shared is a conversion that holds at every instant.
type shared struct {
	val ref.Val
	err string
}

// cell finds a field as s. or d. reads it: the observed cell if the field is
// observed, else the declared one, else the derived one.
func (e *evaluation) cell(f *field, declared bool) *state {
	i := 2 * f.index
	if declared {
		i++
	}
	st := &e.cells[i]
	if !st.found {
		*st = e.look(f, declared, i)
		st.found = true
	}
	return st
}

func (e *evaluation) look(f *field, declared bool, slot int) state {
	c, ok := e.find(f, declared)
	if !ok {
		return state{code: codeMissing}
	}
	st := state{cell: &c, raw: c.Fact.Value, since: c.Since}
	if st.since.IsZero() {
		st.since = c.ObservedAt
	}
	if code, ok := statusCode[c.Fact.Status]; !ok {
		st.code, st.detail = codeError, fmt.Sprintf("unknown status %q", c.Fact.Status)
	} else {
		st.code, st.detail = code, c.Fact.Reason
	}
	if st.code == "" && st.raw == nil {
		st.code = codeMissing
		if declared || f.layers[0] && !f.layers[1] {
			st.code = codeAbsent // the register has the entry, and the field is left blank
		}
	}
	if st.code == "" || st.code == codeTruncated {
		e.convert(&st, f, slot)
	}
	e.age(&st, c)
	return st
}

// statusCode is the code of a cell that has no (whole) value.
var statusCode = map[fact.Status]string{
	fact.Observed: "", fact.Absent: codeAbsent, fact.NotApplicable: codeNotApplicable, fact.Denied: codeDenied,
	fact.Error: codeError, fact.Timeout: codeTimeout, fact.Truncated: codeTruncated,
}

func (e *evaluation) find(f *field, declared bool) (Cell, bool) {
	s := e.subject
	if declared {
		c, ok := s.Declared[f.name]
		return c, ok
	}
	isDeclared, isObserved := f.layers[0], f.layers[1]
	if isObserved || !isDeclared {
		if c, ok := s.Facts[f.name]; ok || isObserved {
			return c, ok
		}
		c, ok := s.Declared[f.name]
		return c, ok
	}
	if c, ok := s.Declared[f.name]; ok {
		return c, ok
	}
	c, ok := s.Facts[f.name]
	return c, ok
}

func (e *evaluation) convert(st *state, f *field, slot int) {
	sh, ok := e.values[slot]
	if !ok {
		sh.val, sh.err = toValue(e.rule.schema, st.raw, f)
		e.values[slot] = sh
	}
	st.val = sh.val
	if sh.err != "" {
		st.code, st.detail, st.val = codeError, sh.err, nil
	}
}

// age says whether the cell is still, or not yet, to be believed.
func (e *evaluation) age(st *state, c Cell) {
	if c.ObservedAt.After(e.now.Add(maxFuture)) {
		st.code, st.detail = codeFuture, "observed at "+c.ObservedAt.UTC().Format(time.RFC3339)
		st.until = c.ObservedAt.Add(-maxFuture)
		return
	}
	if c.Fresh == "" {
		return
	}
	e.expire(st, c.Fresh, c.ObservedAt)
}

// expire turns st unknown when what was seen at from is older than the parameter
// allows. Without the parameter nothing is ever fresh.
func (e *evaluation) expire(st *state, key string, from time.Time) {
	v, ok := e.params[key]
	limit, isDuration := v.Value.(time.Duration)
	switch {
	case !ok || !isDuration:
		st.code, st.parameter, st.detail = codeNoParameter, key, "no duration is set for "+key
		return
	case e.beyond(v):
		st.code, st.parameter = codeHorizon, key
		return
	}
	st.until = earlier(st.until, v.Next)
	st.fresh = from.Add(limit)
	if !e.now.Before(st.fresh) {
		if st.code == "" || st.code == codeAbsent || st.code == codeNotApplicable || st.code == codeTruncated {
			st.code, st.detail = codeStale, "observed at "+from.UTC().Format(time.RFC3339)
			st.parameter, st.layer = key, v.Layer
			st.since = later(st.fresh, v.From)
		}
		return
	}
	st.until = earlier(st.until, st.fresh)
}

// beyond reports whether the value of a parameter is not known at e's instant,
// because it changes between the judging instant and then.
func (e *evaluation) beyond(v directive.Value) bool {
	return !v.Next.IsZero() && v.Next.After(e.at) && !e.now.Before(v.Next)
}

func (e *evaluation) param(p *param) *state {
	st := &e.parameters[p.index]
	if st.found {
		return st
	}
	v, ok := e.params[p.key]
	*st = state{found: true, parameter: p.key, layer: v.Layer, raw: v.Value, since: v.From, until: v.Next}
	switch {
	case !ok || v.Value == nil:
		st.code = codeNoParameter
		return st
	case e.beyond(v):
		st.code = codeHorizon
		return st
	}
	if !v.Next.After(e.at) {
		st.until = time.Time{}
	}
	var err string
	st.val, err = toValue(e.rule.schema, v.Value, &field{typ: kindOf(p.declared.Type)})
	if err != "" {
		st.code, st.detail = codeNoParameter, err
	}
	return st
}

func kindOf(t directive.Type) kind.Type {
	switch t {
	case directive.Int:
		return kind.Int
	case directive.Number:
		return kind.Number
	case directive.Bool:
		return kind.Bool
	case directive.Duration:
		return kind.Duration
	case directive.Date:
		return kind.Date
	case directive.List:
		return kind.List
	}
	return kind.String
}

// toValue is raw as CEL sees it, or what is wrong with it.
func toValue(a types.Adapter, raw any, f *field) (ref.Val, string) {
	switch v := raw.(type) {
	case bool:
		if f.typ == kind.Bool {
			return types.Bool(v), ""
		}
	case int64:
		if f.typ == kind.Int {
			return types.Int(v), ""
		}
	case float64:
		if f.typ == kind.Number && !math.IsNaN(v) {
			return types.Double(v), ""
		}
	case time.Duration:
		if f.typ == kind.Duration {
			return types.Duration{Duration: v}, ""
		}
	case time.Time:
		if f.typ == kind.Time || f.typ == kind.Date {
			return types.Timestamp{Time: v}, ""
		}
	case string:
		if fieldType(f.typ) == fieldType(kind.String) {
			return types.String(v), ""
		}
	case []any:
		if f.typ == kind.List {
			return toList(a, v, f)
		}
	}
	return nil, fmt.Sprintf("the value is %T, which is no %s", raw, f.typ)
}

func toList(a types.Adapter, list []any, f *field) (ref.Val, string) {
	vals := make([]ref.Val, len(list))
	elements := make([]element, len(list))
	for i, x := range list {
		switch v := x.(type) {
		case string:
			if f.of != nil {
				return nil, "the list holds strings, not records"
			}
			vals[i] = types.String(v)
		case map[string]any:
			if f.of == nil {
				return nil, "the list holds records, not strings"
			}
			elements[i] = element{of: f.of, fields: v}
			vals[i] = &elements[i]
		default:
			return nil, fmt.Sprintf("the list holds %T", x)
		}
	}
	return types.NewRefValList(a, vals), ""
}

// earlier is the earlier of two instants of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// latest is the later of two instants of which zero means never.
func latest(a, b time.Time) time.Time {
	if a.IsZero() || b.IsZero() {
		return time.Time{}
	}
	return later(a, b)
}

// later is the later of two instants of which zero means unknown.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
