// Package weigh lays what is known about a subject on the plan of a rule and
// reads the scale: true, false, not known, or failed.
//
// A Cell that was not collected, could not be read, is stale or comes from the
// future has no value; what depends on it is unsure, unless the rest decides
// anyway. Every Result says since when it has been so and until when it cannot
// change by time alone, so that the next change is found without looking at
// every second.
package weigh

import (
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/rule"
)

// Cell is one field of a subject as last seen.
type Cell struct {
	Fact       fact.Fact
	ObservedAt time.Time
	ReceivedAt time.Time
	Since      time.Time // from when the value has been what it is; zero: ObservedAt
	First      time.Time // when the field was first seen; equal to Since: it never changed
	Collector  string
	Fresh      string   // parameter that says how long it holds; "" for ever
	Lineage    []string // derived: what it was computed from
}

// Matter is everything that is weighed, at whatever instant.
type Matter struct {
	Schema    *rule.Schema
	Control   control.Control
	Subject   fact.Ref
	Facts     map[string]Cell // observed and derived
	Declared  map[string]Cell
	Decisions []decision.Decision
	Params    directive.Values
	At        time.Time // the judging instant, for which Params were resolved
	Nodes     int       // of all plans that are weighed

	values map[slot]shared
}

// slot is a field as s or as d reads it.
type slot struct {
	field    *rule.Field
	declared bool
}

// shared is a conversion of a value, which holds at every instant.
type shared struct {
	val ref.Val
	err string
}

// Scale is a Matter at one instant. It is not safe for concurrent use.
type Scale struct {
	*Matter
	Now time.Time

	clock    ref.Val // what the variable now says: Now, but in the search for a crossing
	cells    map[slot]*State
	params   map[*rule.Param]*State
	answer   State
	push     bool
	cache    []Result
	cached   []bool
	variable string // of the list being walked
	elem     ref.Val
	self     any
}

// Scale sets the matter up at the instant now.
func (m *Matter) Scale(now time.Time) *Scale {
	if m.values == nil {
		m.values = map[slot]shared{}
	}
	s := &Scale{
		Matter: m, Now: now, clock: types.Timestamp{Time: now},
		cells: map[slot]*State{}, params: map[*rule.Param]*State{},
		cache: make([]Result, m.Nodes), cached: make([]bool, m.Nodes),
	}
	s.self = source{s}
	return s
}

// Forget drops what was read and weighed, for a matter whose facts, declarations
// or decisions are others now. It saves making a new Scale for each of many.
func (s *Scale) Forget() {
	clear(s.values)
	clear(s.cells)
	clear(s.cached)
	s.answer = State{}
}

// Push makes absent cells read as what the rule does not want, whichever side of
// a negation they stand on. An unknown cell stays unknown.
func (s *Scale) Push(on bool) {
	if s.push != on {
		s.push = on
		clear(s.cached)
	}
}

// Element is the element that Each has reached; nil outside.
func (s *Scale) Element() ref.Val { return s.elem }

// source is what s, d, p and a resolve to.
type source struct{ *Scale }

// ReadField implements rule.Source.
func (s source) ReadField(f *rule.Field, declared, has bool) ref.Val {
	return s.cell(f, declared).read(has)
}

// ReadParam implements rule.Source.
func (s source) ReadParam(p *rule.Param) ref.Val { return s.Param(p).read(false) }

// ReadAnswer implements rule.Source.
func (s source) ReadAnswer(name string, has bool) ref.Val { return s.answered().readAnswer(name, has) }
