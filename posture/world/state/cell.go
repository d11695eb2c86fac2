// Package state holds what the rows say of one subject, kept small: a hundred
// thousand machines run one kernel, and a collector brings its fields in one batch.
package state

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
)

// Cell is one field of a subject, as the judge is given it.
type Cell = judge.Cell

// Shape is a kind with the places of its fields.
type Shape struct {
	Kind    kind.Kind
	Derived []int // places of the derived fields
	place   map[string]int
	ordinal []int // by place: which of the derived ones it is
}

// NewShape is the shape of a kind.
func NewShape(k kind.Kind) *Shape {
	s := &Shape{Kind: k, place: map[string]int{}, ordinal: make([]int, len(k.Fields))}
	for i, f := range k.Fields {
		s.place[f.Name] = i
		if !f.In(kind.Observed) && !f.In(kind.Declared) {
			s.ordinal[i] = len(s.Derived)
			s.Derived = append(s.Derived, i)
		}
	}
	return s
}

// Place is where a field stands among the kind's.
func (s *Shape) Place(name string) (int, bool) {
	i, ok := s.place[name]
	return i, ok
}

// Ordinal is which of the derived fields a field is.
func (s *Shape) Ordinal(place int) int { return s.ordinal[place] }

// stored is a cell as the world keeps it: what many cells have in common, one
// batch's instants or one reason, stands once.
type stored struct {
	value any
	look  *look
	told  *told
	held  *held
	key   int // place of the field, twice, and one more when it was observed
}

type look struct { // when it was looked at, and by whom
	observed, received time.Time
	collector, fresh   string
}

type told struct { // how the looking went
	status fact.Status
	reason string
	source []fact.Source
}

type held struct{ since, first time.Time }

func key(place int, observed bool) int {
	if observed {
		return 2*place + 1
	}
	return 2 * place
}

func (s stored) cell(field string) Cell {
	return Cell{
		Fact:       fact.Fact{Field: field, Status: s.told.status, Reason: s.told.reason, Value: s.value, Source: s.told.source},
		ObservedAt: s.look.observed, ReceivedAt: s.look.received, Since: s.held.since, First: s.held.first, Collector: s.look.collector, Fresh: s.look.fresh,
	}
}

// find is where a cell stands among sorted ones.
func find(cells []stored, key int) (int, bool) {
	return slices.BinarySearchFunc(cells, key, func(s stored, k int) int { return cmp.Compare(s.key, k) })
}

// Pool makes equal things one while rows are being read.
type Pool struct {
	looks  map[look]*look
	helds  map[held]*held
	tales  map[string]*told
	values map[any]any

	records map[string]map[string]any // nil: records are somebody's already
}

// NewPool is an empty one.
func NewPool() *Pool {
	return &Pool{map[look]*look{}, map[held]*held{}, map[string]*told{}, map[any]any{}, map[string]map[string]any{}}
}

func one[K comparable](m map[K]*K, v K) *K {
	p, ok := m[v]
	if !ok {
		p = &v
		m[v] = p
	}
	return p
}

func (p *Pool) told(t told) *told {
	k := string(t.status) + "\x00" + t.reason
	for _, s := range t.source {
		k += fmt.Sprintf("\x00%s\x00%s\x00%s\x00%d", s.Kind, s.Ref, s.SHA256, s.ModTime.UnixNano())
	}
	q, ok := p.tales[k]
	if !ok {
		q = &t
		p.tales[k] = q
	}
	return q
}

// value makes equal scalars one: a hundred thousand machines run one kernel.
func (p *Pool) value(v any) any {
	switch v.(type) {
	case string, int64, float64, bool, time.Duration:
		if same, ok := p.values[v]; ok {
			return same
		}
		p.values[v] = v
	case []any:
		for i, e := range v.([]any) {
			if m, ok := e.(map[string]any); ok && p.records != nil {
				v.([]any)[i] = p.record(m)
			}
		}
	}
	return v
}

// record makes equal records one: a package stands on many machines.
func (p *Pool) record(m map[string]any) map[string]any {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m)) {
		switch v := m[name].(type) {
		case string:
			m[name] = p.value(v)
			fmt.Fprintf(&b, "%q=%q ", name, v)
		case int64, float64, bool, time.Duration:
			fmt.Fprintf(&b, "%q:%T%v ", name, v, v)
		case time.Time:
			fmt.Fprintf(&b, "%q@%s ", name, v.Format(time.RFC3339Nano))
		default:
			return m
		}
	}
	if same, ok := p.records[b.String()]; ok {
		return same
	}
	p.records[b.String()] = m
	return m
}

func (p *Pool) stored(key int, c Cell) stored {
	return stored{
		key: key, value: p.value(c.Fact.Value), told: p.told(told{c.Fact.Status, c.Fact.Reason, c.Fact.Source}),
		look: one(p.looks, look{c.ObservedAt, c.ReceivedAt, c.Collector, c.Fresh}), held: one(p.helds, held{c.Since, c.First}),
	}
}
