package posture

import (
	"maps"
	"slices"

	"kakusho/clause"
	"kakusho/fact"
	"kakusho/judge/fleet"
	"kakusho/posture/alphabet"
	"kakusho/posture/world"
	"kakusho/verdict"
)

// Tally counts outcomes.
type Tally map[verdict.Outcome]int

// Outcome is what the tally rolls up to: the worst, so that nothing hides an
// unknown.
func (t Tally) Outcome() verdict.Outcome {
	var os []verdict.Outcome
	for o, n := range t {
		if n > 0 {
			os = append(os, o)
		}
	}
	return verdict.RollUp(os...)
}

// Add counts another tally in.
func (t Tally) Add(o Tally) {
	for k, n := range o {
		t[k] += n
	}
}

// Total is how many were counted.
func (t Tally) Total() (n int) {
	for _, k := range t {
		n += k
	}
	return n
}

// directory is who is there and where. It does not change.
type directory struct {
	order    []int // slots, by kind and key
	slot     map[fact.Ref]int
	byKind   map[string][]int
	bySystem map[string][]int

	group  []int   // by slot
	groups []group // whose outcomes are counted together

	below map[string]map[string]bool // of a unit: itself and the units below it

	alphabet alphabet.Alphabet
}

// group is a system in a unit of a prefecture; each may be empty.
type group struct{ system, unit, prefecture string }

// groupOf is where a subject is counted: in its own unit, else in its system's.
func (c *court) groupOf(e *entry) group {
	g := group{e.state.Row.System, e.state.Row.Unit, e.state.Prefecture}
	if e.kind.ID == "unit" {
		g.unit = e.ref.ID()
	}
	if sys, ok := c.evidence.world.Item(fact.NewRef("system", g.system)); ok && g.unit == "" {
		g.unit = sys.Row.Unit
	}
	return g
}

// directory is the last one, as long as nobody came, went or moved.
func (c *court) directory(moved []*world.Item) *directory {
	items := c.evidence.world.Items()
	if last := c.last; last != nil && len(items) == len(last.order) && !slices.ContainsFunc(moved, func(it *world.Item) bool { return c.relocated(it, last) }) {
		return last.directory
	}
	d := &directory{slot: make(map[fact.Ref]int, len(items)), byKind: map[string][]int{}, bySystem: map[string][]int{}, below: c.below(), alphabet: alphabet.Of(items)}
	known := map[group]int{}
	for _, it := range items {
		e := c.book.at(it.Slot)
		d.order = append(d.order, it.Slot)
		d.slot[it.Ref()] = it.Slot
		d.byKind[it.Kind.ID] = append(d.byKind[it.Kind.ID], it.Slot)
		d.bySystem[it.Row.System] = append(d.bySystem[it.Row.System], it.Slot)
		g := c.groupOf(e)
		n, ok := known[g]
		if !ok {
			n = len(d.groups)
			known[g] = n
			d.groups = append(d.groups, g)
		}
		if short := it.Slot + 1 - len(d.group); short > 0 {
			d.group = append(d.group, make([]int, short)...)
		}
		d.group[it.Slot] = n
	}
	if last := c.last; last != nil && slices.Equal(d.order, last.order) && slices.Equal(d.group, last.group) && slices.Equal(d.groups, last.groups) && maps.EqualFunc(d.below, last.below, maps.Equal[map[string]bool, map[string]bool]) {
		return last.directory
	}
	return d
}

// counts are outcomes by control and group. They do not change.
type counts struct {
	of [][][9]int32 // by place of the control, by group
}

// count counts what is new since the last standing, or everything.
func (c *court) count(g *ground) *counts {
	if last := c.last; last != nil && last.directory == g.directory && last.terms == g.terms {
		return last.counts.changed(g, g.outcomes.Changes(last.outcomes))
	}
	n := &counts{of: make([][][9]int32, len(g.terms.controls))}
	for i := range n.of {
		n.of[i] = make([][9]int32, len(g.groups))
	}
	for _, slot := range g.order {
		for i, o := range g.row(c.book.at(slot)) {
			n.of[i][g.group[slot]][slices.Index(verdict.Outcomes, o)]++
		}
	}
	return n
}

func (n *counts) changed(g *ground, changes func(func(fleet.Change) bool)) *counts {
	out := &counts{of: slices.Clone(n.of)}
	own := map[int]bool{}
	for ch := range changes {
		i, at := g.terms.place[ch.Control], g.group[g.slot[ch.Ref]]
		if !own[i] {
			own[i], out.of[i] = true, slices.Clone(out.of[i])
		}
		if k := slices.Index(verdict.Outcomes, ch.From); k >= 0 {
			out.of[i][at][k]--
		}
		if k := slices.Index(verdict.Outcomes, ch.To); k >= 0 {
			out.of[i][at][k]++
		}
	}
	return out
}

// relocated reports whether an item may be counted elsewhere than it was, or others
// because of it.
func (c *court) relocated(it *world.Item, last *ground) bool {
	slot, known := last.slot[it.Ref()]
	switch {
	case known != it.Live():
		return true
	case !known:
		return false
	case it.Kind.ID == "unit" || it.Kind.ID == "system":
		return true
	}
	return c.groupOf(c.book.at(slot)) != last.groups[last.group[slot]]
}

// below says of each unit which units are it or below it.
func (c *court) below() map[string]map[string]bool {
	out := map[string]map[string]bool{}
	w := c.evidence.world
	for _, it := range w.Items() {
		if it.Kind.ID != "unit" {
			continue
		}
		id := it.Row.ID
		for up := id; up != "" && !out[up][id]; {
			if out[up] == nil {
				out[up] = map[string]bool{}
			}
			out[up][id] = true
			above, ok := w.Item(fact.NewRef("unit", up))
			if !ok {
				break
			}
			up = above.Parent()
		}
	}
	return out
}

// within reports whether a subject is in a unit, or one below it, and a prefecture;
// empty: anywhere.
func (g *ground) within(slot int, unit, prefecture string) bool {
	at := g.groups[g.group[slot]]
	return (unit == "" || at.unit == unit || g.below[unit][at.unit]) && (prefecture == "" || at.prefecture == prefecture)
}

// sum counts the controls of a clause over the groups that want holds for.
func (s *Standing) sum(id clause.ID, want func(group) bool) Tally {
	var n [9]int
	for at, g := range s.groups {
		if !want(g) {
			continue
		}
		for _, i := range s.terms.under[id] {
			for k, m := range s.counts.of[i][at] {
				n[k] += int(m)
			}
		}
	}
	t := Tally{}
	for k, m := range n {
		if m > 0 {
			t[verdict.Outcomes[k]] = m
		}
	}
	return t
}

// Clause tallies one clause, section, part or the whole directive over one
// system; over all when system is "*", over what belongs to none when it is
// empty. A pair counts once, however many of its clauses are under it.
func (s *Standing) Clause(id clause.ID, system string) Tally {
	return s.sum(id, func(g group) bool { return system == "*" || g.system == system })
}

// Unit tallies a clause over a unit and all below it.
func (s *Standing) Unit(id clause.ID, unit string) Tally {
	return s.sum(id, func(g group) bool { return g.unit == unit || s.below[unit][g.unit] })
}

// Prefecture tallies a clause over a prefecture; over what is in none, when it is
// empty.
func (s *Standing) Prefecture(id clause.ID, prefecture string) Tally {
	return s.sum(id, func(g group) bool { return g.prefecture == prefecture })
}

// Nation tallies a clause over everything.
func (s *Standing) Nation(id clause.ID) Tally { return s.Clause(id, "*") }

// Prefectures lists those of which there is a subject, in order; the empty one, that
// of no prefecture, is last.
func (s *Standing) Prefectures() []string {
	seen := map[string]bool{}
	for _, g := range s.groups {
		seen[g.prefecture] = true
	}
	out := slices.Sorted(maps.Keys(seen))
	if len(out) > 0 && out[0] == "" {
		out = append(out[1:], "")
	}
	return out
}

// Control tallies one control over everything.
func (s *Standing) Control(id string) Tally {
	t := Tally{}
	i, ok := s.terms.place[id]
	if !ok {
		return t
	}
	for _, n := range s.counts.of[i] {
		for k, m := range n {
			if m > 0 {
				t[verdict.Outcomes[k]] += int(m)
			}
		}
	}
	return t
}
