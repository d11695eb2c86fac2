package state

import (
	"slices"
	"time"

	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/store"
)

// State is what the rows say of one subject. Once it was given to somebody, it does
// not change.
type State struct {
	Row        store.Subject
	Decisions  []decision.Decision // that touch it or its system, in any state
	InService  time.Time           // since when its system is; zero: not known
	Prefecture string              // of its unit or one above it

	shape *Shape
	cells []stored // sorted by key
}

// Live reports whether it is to be judged: a register has it, and it is not struck
// out.
func (s *State) Live() bool { return s.Row.Kind != "" && !s.Row.Retired }

// Parent is the unit above, of a unit.
func (s *State) Parent() string { return s.Text("parent") }

// Declared is a declared cell.
func (s *State) Declared(name string) (Cell, bool) { return s.cell(name, false) }

// Observed is an observed cell, as it was seen last.
func (s *State) Observed(name string) (Cell, bool) { return s.cell(name, true) }

func (s *State) cell(name string, observed bool) (Cell, bool) {
	place, ok := s.shape.place[name]
	if !ok {
		return Cell{}, false
	}
	i, ok := find(s.cells, key(place, observed))
	if !ok {
		return Cell{}, false
	}
	return s.cells[i].cell(name), true
}

// AllDeclared are the declared cells by field.
func (s *State) AllDeclared() map[string]Cell {
	out := make(map[string]Cell, len(s.cells))
	for _, c := range s.cells {
		if c.key&1 == 0 {
			name := s.shape.Kind.Fields[c.key/2].Name
			out[name] = c.cell(name)
		}
	}
	return out
}

// New is what is said of a subject that nobody has spoken of.
func New(shape *Shape) *State { return &State{shape: shape} }

// Clone is a state that may be written to.
func (s *State) Clone() *State {
	next := *s
	next.cells = slices.Clone(s.cells)
	return &next
}

// Enter takes over what a register says.
func (s *State) Enter(row store.Subject, p *Pool) {
	var cells []stored
	for i, f := range s.shape.Kind.Fields {
		if f.In(kind.Declared) {
			cells = append(cells, p.stored(key(i, false), declared(row, s.shape.Kind.Key, f)))
		}
	}
	for _, c := range s.cells {
		if c.key&1 == 1 {
			cells = append(cells, c)
		}
	}
	slices.SortFunc(cells, func(a, b stored) int { return a.key - b.key })
	s.Row, s.cells = row, cells
	s.Row.Values, s.Row.Since = nil, nil // they stand in the cells
}

// Fit lets go of room for cells that did not come.
func (s *State) Fit() {
	if cap(s.cells) > len(s.cells)+len(s.cells)/8 {
		s.cells = append(make([]stored, 0, len(s.cells)), s.cells...)
	}
}

// See takes over the latest fact of the field at a place.
func (s *State) See(row store.Fact, place int, p *Pool) {
	c := p.stored(key(place, true), observed(row, s.shape.Kind.Fields[place]))
	i, there := find(s.cells, c.key)
	if there {
		s.cells[i] = c
	} else {
		s.cells = slices.Insert(s.cells, i, c)
	}
}

// declared is the cell of a field as a register has it.
func declared(s store.Subject, keyField string, f kind.Field) Cell {
	since := s.ChangedAt // of a row that stands in no store
	if t, ok := s.Since[f.Name]; ok {
		since = t
	} else if t, ok := s.Since[keyField]; ok { // blank ever since it was entered
		since = t
	}
	cell := Cell{
		Fact:       fact.Fact{Field: f.Name, Status: fact.Observed, Source: []fact.Source{{Kind: "register", Ref: s.Kind + "/" + s.ID}}},
		ObservedAt: s.ChangedAt, ReceivedAt: s.ChangedAt, Since: since,
	}
	raw, ok := s.Values[f.Name]
	if !ok { // left blank: looked at, and there is none
		cell.Fact.Status, cell.Fact.Reason = fact.Absent, "blank: not entered"
		return cell
	}
	v, err := f.Check(raw)
	if err != nil {
		cell.Fact.Status, cell.Fact.Reason = fact.Error, "schema: "+err.Error()
		return cell
	}
	cell.Fact.Value = v
	return cell
}

func observed(s store.Fact, f kind.Field) Cell {
	cell := Cell{
		Fact:       fact.Fact{Field: s.Field, Status: fact.Status(s.Status), Reason: s.Reason, Source: s.Source},
		ObservedAt: s.ObservedAt, ReceivedAt: s.ReceivedAt, Since: s.Since, First: s.FirstAt, Collector: s.Collector, Fresh: kind.Fresh(f.Group),
	}
	if s.Value == nil {
		return cell
	}
	v, err := f.CheckObserved(s.Value)
	if err != nil {
		cell.Fact.Status, cell.Fact.Reason = fact.Error, "schema: "+err.Error()
	} else {
		cell.Fact.Value = v
	}
	return cell
}

// Fact is a cell as a rule reads it through s.: observed, else declared, else what
// derived says.
func (s *State) Fact(name string, derived func(string) (Cell, bool)) (Cell, bool) {
	place, ok := s.shape.place[name]
	if !ok {
		return Cell{}, false
	}
	switch f := s.shape.Kind.Fields[place]; {
	case f.In(kind.Observed):
		return s.Observed(name)
	case f.In(kind.Declared):
		return s.Declared(name)
	}
	return derived(name)
}

// Facts are the cells that a rule reads through s. and that are not derived.
func (s *State) Facts() map[string]Cell {
	out := make(map[string]Cell, len(s.cells)+len(s.shape.Derived))
	for _, c := range s.cells {
		f := s.shape.Kind.Fields[c.key/2]
		if observed := c.key&1 == 1; observed == f.In(kind.Observed) {
			out[f.Name] = c.cell(f.Name)
		}
	}
	return out
}

// LastObserved is when any of its fields was last observed.
func (s *State) LastObserved() (last time.Time) {
	for _, c := range s.cells {
		if c.key&1 == 1 && c.look.observed.After(last) {
			last = c.look.observed
		}
	}
	return last
}

// Value is a declared value; blank is nil.
func (s *State) Value(name string) any {
	if place, ok := s.shape.place[name]; ok {
		if i, ok := find(s.cells, key(place, false)); ok {
			return s.cells[i].value
		}
	}
	return nil
}

// Text is a declared text; blank is "".
func (s *State) Text(name string) string {
	v, _ := s.Value(name).(string)
	return v
}

// Time is a declared instant; blank is zero.
func (s *State) Time(name string) time.Time {
	v, _ := s.Value(name).(time.Time)
	return v
}

// Scope is whose values a subject is held to.
func (s *State) Scope() directive.Scope {
	return directive.Scope{Prefecture: s.Prefecture, System: s.Row.System}
}

// Since is the observed cells that are others than they were in old; false: more is
// another than those.
func (s *State) Since(old *State) (map[string]Cell, bool) {
	if s.Row.Entry != old.Row.Entry || s.Row.System != old.Row.System || s.Prefecture != old.Prefecture || !s.InService.Equal(old.InService) || !same(s.Decisions, old.Decisions) {
		return nil, false
	}
	out := map[string]Cell{}
	for _, c := range s.cells {
		i, there := find(old.cells, c.key)
		observed := c.key&1 == 1
		switch {
		case there && c.look == old.cells[i].look && c.held == old.cells[i].held && c.told == old.cells[i].told:
		case !observed:
			return nil, false
		default:
			name := s.shape.Kind.Fields[c.key/2].Name
			out[name] = c.cell(name)
		}
	}
	return out, true
}

// same reports whether two lists of decisions are one.
func same(a, b []decision.Decision) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// Observing is s with other observed cells; nil: they are no other ones.
func (s *State) Observing(observed func(kind.Field, Cell) Cell) *State {
	pool := NewPool()
	pool.records = nil
	next := *s
	next.cells = nil
	for i, c := range s.cells {
		if c.key&1 == 0 {
			continue
		}
		f := s.shape.Kind.Fields[c.key/2]
		now := c.cell(f.Name)
		then := observed(f, now)
		if then.Fact.Status == now.Fact.Status && then.ObservedAt.Equal(now.ObservedAt) && then.Since.Equal(now.Since) && fact.Digest(then.Fact.Value) == fact.Digest(now.Fact.Value) {
			continue
		}
		if next.cells == nil {
			next.cells = slices.Clone(s.cells)
		}
		next.cells[i] = pool.stored(c.key, then)
	}
	if next.cells == nil {
		return nil
	}
	return &next
}
