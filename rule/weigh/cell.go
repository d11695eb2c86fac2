package weigh

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
	"kakusho/rule"
)

// Codes say why something is not known.
const (
	Missing       = "missing"        // never collected, never entered
	Absent        = "absent"         // looked, and there is none
	NotApplicable = "not-applicable" // the question does not arise there
	Denied        = "denied"
	Failed        = "error"
	Fault         = "rule-fault" // the rule itself failed
	Circle        = "circle"     // compensating controls rest on each other
	Timeout       = "timeout"
	Truncated     = "truncated" // a part was looked at
	Stale         = "stale"     // older than its limit
	Future        = "future"    // dated after the judging instant
	NoRecord      = "no-record" // nobody has answered
	Lapsed        = "lapsed"    // what it was judged on is another by now
	NoParameter   = "no-parameter"
	Empty         = "empty"   // all() over nothing
	Horizon       = "horizon" // a parameter's value is not known from then on
)

// MaxFuture is how far ahead of the judging instant a fact may be dated before it
// is distrusted: clocks differ a little.
const MaxFuture = 5 * time.Minute

// unknown is what a rule reads where there is no value. cel-go only passes it on.
var unknown = types.NewUnknown(1, nil)

// State is what one read finds at one instant.
type State struct {
	Code      string // why there is no value; empty when there is one
	Detail    string
	Parameter string // the parameter that is to blame, or that was read
	Layer     string // which layer set it
	Raw       any    // the value as collected
	Cell      *Cell
	Decision  *decision.Decision // answers
	Since     time.Time
	Until     time.Time // zero: for ever
	Fresh     time.Time // when it goes stale; zero: never

	found  bool // the answer was looked for already
	person bool // it is the answer of a person
	val    ref.Val
}

func (s *State) read(has bool) ref.Val {
	switch {
	case has && (s.Code == Absent || s.Code == NotApplicable):
		return types.False
	case s.Code != "":
		return unknown
	case has:
		return types.True
	}
	return s.val
}

// readAnswer reads a.answer or a.at. Whether somebody answered is never unknown.
func (s *State) readAnswer(name string, has bool) ref.Val {
	switch {
	case has && s.Code != Horizon:
		return types.Bool(s.Code == "")
	case s.Code != "":
		return unknown
	case name == "at":
		return types.Timestamp{Time: s.Decision.At}
	}
	return s.val
}

// cell finds a field as s. or d. reads it: the observed cell if the field is
// observed, else the declared one, else the derived one.
func (s *Scale) cell(f *rule.Field, declared bool) *State {
	at := slot{f, declared}
	st, ok := s.cells[at]
	if !ok {
		found := s.look(f, declared)
		st = &found
		s.cells[at] = st
	}
	return st
}

func (s *Scale) look(f *rule.Field, declared bool) State {
	until, known := s.overridden(f)
	if !known {
		return State{Code: Horizon}
	}
	c, ok := s.find(f, declared)
	if !ok {
		return State{Code: Missing, Until: until}
	}
	st := State{Cell: &c, Until: until, Raw: c.Fact.Value, Since: c.Since}
	if st.Since.IsZero() {
		st.Since = c.ObservedAt
	}
	if code, ok := statusCode[c.Fact.Status]; !ok {
		st.Code, st.Detail = Failed, fmt.Sprintf("unknown status %q", c.Fact.Status)
	} else {
		st.Code, st.Detail = code, c.Fact.Reason
	}
	if st.Code == "" && st.Raw == nil {
		st.Code, st.Detail = Missing, "no value"
	}
	if st.Raw != nil && (st.Code == "" || st.Code == Truncated) {
		s.convert(&st, f, declared)
	}
	s.age(&st, c)
	return st
}

// overridden says until when no decision puts another value in the place of the
// field's, or takes it away again. Whoever made the cells has heeded what is in
// force at the judging instant; what the value is after the next change is not
// known here.
func (s *Scale) overridden(f *rule.Field) (until time.Time, known bool) {
	for _, d := range s.Decisions {
		if d.Type != decision.Override || d.Field != f.Name || d.Subject != s.Subject {
			continue
		}
		for _, t := range Edges(d) {
			if t.After(s.At) {
				until = Earlier(until, t)
			}
		}
	}
	return until, until.IsZero() || s.Now.Before(until)
}

// statusCode is the code of a cell that has no (whole) value.
var statusCode = map[fact.Status]string{
	fact.Observed: "", fact.Absent: Absent, fact.NotApplicable: NotApplicable, fact.Denied: Denied,
	fact.Error: Failed, fact.Timeout: Timeout, fact.Truncated: Truncated,
}

func (s *Scale) find(f *rule.Field, declared bool) (Cell, bool) {
	if declared {
		c, ok := s.Declared[f.Name]
		return c, ok
	}
	first, second := s.Facts, s.Declared
	if f.Declared && !f.Observed {
		first, second = s.Declared, s.Facts
	}
	c, ok := first[f.Name]
	if !ok && !f.Observed {
		c, ok = second[f.Name]
	}
	return c, ok
}

func (s *Scale) convert(st *State, f *rule.Field, declared bool) {
	at := slot{f, declared}
	sh, ok := s.values[at]
	if !ok {
		sh.val, sh.err = toValue(s.Schema, st.Raw, f)
		s.values[at] = sh
	}
	st.val = sh.val
	if sh.err != "" {
		st.Code, st.Detail, st.val = Failed, sh.err, nil
	}
}

// age says whether the cell is still, or not yet, to be believed.
func (s *Scale) age(st *State, c Cell) {
	if c.ObservedAt.After(s.Now.Add(MaxFuture)) {
		st.Code, st.Detail = Future, "observed at "+c.ObservedAt.UTC().Format(time.RFC3339)
		st.Until = Earlier(st.Until, c.ObservedAt.Add(-MaxFuture))
		return
	}
	if c.Fresh == "" {
		return
	}
	s.expire(st, c.Fresh, c.ObservedAt)
}

// expire turns st unknown when what was seen at from is older than the parameter
// allows. Without the parameter nothing is ever fresh.
func (s *Scale) expire(st *State, key string, from time.Time) {
	v, ok := s.Matter.Params[key]
	limit, isDuration := v.Value.(time.Duration)
	switch {
	case !ok || !isDuration:
		st.Code, st.Parameter, st.Detail = NoParameter, key, "no duration is set for "+key
		return
	case s.beyond(v):
		st.Code, st.Parameter = Horizon, key
		return
	}
	st.Until = Earlier(st.Until, s.ahead(v.Next))
	st.Fresh = from.Add(limit)
	if !s.Now.Before(st.Fresh) {
		if st.Code == "" || st.Code == Absent || st.Code == NotApplicable || st.Code == Truncated {
			st.Code, st.Detail = Stale, "observed at "+from.UTC().Format(time.RFC3339)
			st.Parameter, st.Layer = key, v.Layer
			st.Since = later(st.Fresh, v.From)
		}
		return
	}
	st.Until = Earlier(st.Until, st.Fresh)
}

// beyond reports whether the value of a parameter is not known at the scale's
// instant, because it changes between the judging instant and then.
func (s *Scale) beyond(v directive.Value) bool {
	return v.Next.After(s.At) && !s.Now.Before(v.Next)
}

// ahead is t when it is still to come.
func (s *Scale) ahead(t time.Time) time.Time {
	if t.After(s.Now) {
		return t
	}
	return time.Time{}
}

// Param is what reading a parameter finds.
func (s *Scale) Param(p *rule.Param) *State {
	st, ok := s.params[p]
	if ok {
		return st
	}
	v, ok := s.Matter.Params[p.Key]
	st = &State{Parameter: p.Key, Layer: v.Layer, Raw: v.Value, Since: v.From, Until: s.ahead(v.Next)}
	switch {
	case !ok || v.Value == nil:
		st.Code = NoParameter
	case s.beyond(v):
		st.Code = Horizon
	default:
		var fault string
		if st.val, fault = toValue(s.Schema, v.Value, &rule.Field{Type: p.Type}); fault != "" {
			st.Code, st.Detail = NoParameter, fault
		}
	}
	s.params[p] = st
	return st
}

// toValue is raw as CEL sees it, or what is wrong with it.
func toValue(a types.Adapter, raw any, f *rule.Field) (ref.Val, string) {
	if fault := f.Refuses(raw); fault != "" {
		return nil, fault
	}
	switch v := raw.(type) {
	case bool:
		if f.Type == kind.Bool {
			return types.Bool(v), ""
		}
	case int64:
		if f.Type == kind.Int {
			return types.Int(v), ""
		}
	case float64:
		if f.Type == kind.Number && !math.IsNaN(v) {
			return types.Double(v), ""
		}
	case time.Duration:
		if f.Type == kind.Duration {
			return types.Duration{Duration: v}, ""
		}
	case time.Time:
		if f.Type == kind.Time || f.Type == kind.Date {
			return types.Timestamp{Time: v}, ""
		}
	case string:
		switch f.Type {
		case kind.String, kind.Text, kind.Enum, kind.Ref:
			return types.String(v), ""
		}
	case []any:
		if f.Type == kind.List {
			return toList(a, v, f)
		}
	}
	return nil, fmt.Sprintf("the value is %T, which is no %s", raw, f.Type)
}

func toList(a types.Adapter, list []any, f *rule.Field) (ref.Val, string) {
	vals := make([]ref.Val, len(list))
	elements := make([]element, len(list))
	for i, x := range list {
		switch v := x.(type) {
		case string:
			if f.Of != nil {
				return nil, "the list holds strings, not records"
			}
			vals[i] = types.String(v)
		case map[string]any:
			if f.Of == nil {
				return nil, "the list holds records, not strings"
			}
			elements[i] = element{of: f.Of, fields: v}
			vals[i] = &elements[i]
		default:
			return nil, fmt.Sprintf("the list holds %T", x)
		}
	}
	return types.NewRefValList(a, vals), ""
}

// Earlier is the earlier of two instants of which zero means never.
func Earlier(a, b time.Time) time.Time {
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

// Doubt is why a rule would find no value in a cell at an instant, by the parameters
// of that instant; empty: it finds one.
func Doubt(c Cell, params directive.Values, at time.Time) string {
	code, ok := statusCode[c.Fact.Status]
	if !ok {
		code = Failed
	}
	if code == "" && c.Fact.Value == nil {
		code = Missing
	}
	st := State{Code: code, Raw: c.Fact.Value}
	(&Scale{Matter: &Matter{Params: params, At: at}, Now: at}).age(&st, c)
	return st.Code
}
