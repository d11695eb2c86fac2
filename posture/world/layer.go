package world

import (
	"reflect"
	"slices"
	"time"

	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/posture/world/rest"
	"kakusho/posture/world/state"
	"kakusho/rule/weigh"
)

// A Derivation computes one derived field of one subject from other cells. It
// reads them through r, which notes where each came from, how old it is and what
// was missing; a value that rests on something nobody saw is unknown. What it
// reads otherwise it reads through r.L, which notes it as well. The derivations
// themselves are in package derive.
type Derivation func(r *Reading, it *Item) Result

// Layer is the derived cells of a world at an instant. Cells are computed when first
// asked for; a circle is an error that names itself.
type Layer struct {
	At time.Time

	w          *World
	parameters directive.Parameters
	settings   []directive.Setting // nil: those of the world
	table      map[string]Derivation

	base    *Layer                         // that this one departed from; nil: none
	nodes   []*node                        // by slot
	readers map[int32]*rest.Readers[*Item] // by number of a dep
	queue   []*Item                        // to be derived again
	place   int                            // in the log of changes
	begun   bool
	frame   *frame

	resolved map[directive.Scope]resolved
}

// node is the derived cells of one item, and what they rest on.
type node struct {
	cells []memo // by ordinal; not written to once all are done
	old   []memo // what they were
	done  []bool
	busy  []bool
	deps  rest.Notes
	until time.Time // a cell may be another from then on; zero: never by time alone
	wait  bool      // in the queue
	turns int       // how often it was derived in this Move
}

// memo is a derived cell. One that rests on nothing but there being no entry is as
// old as the instant it is looked at.
type memo struct {
	cell     judge.Cell
	seenNow  bool
	sinceNow bool
}

func (m memo) at(at time.Time) judge.Cell {
	c := m.cell
	if m.seenNow {
		c.ObservedAt, c.ReceivedAt = at, at
	}
	if m.sinceNow {
		c.Since = at
	}
	return c
}

func (m memo) equal(o memo) bool {
	a, b := m.cell, o.cell
	return m.seenNow == o.seenNow && m.sinceNow == o.sinceNow && a.Fact.Status == b.Fact.Status && a.Fact.Reason == b.Fact.Reason && a.Fresh == b.Fresh &&
		(m.seenNow || a.ObservedAt.Equal(b.ObservedAt)) && (m.sinceNow || a.Since.Equal(b.Since)) &&
		slices.Equal(a.Lineage, b.Lineage) && fact.Digest(a.Fact.Value) == fact.Digest(b.Fact.Value)
}

// frame is a derivation that is running.
type frame struct {
	it   *Item
	node *node
	up   *frame
}

type resolved struct {
	values      directive.Values
	from, until time.Time
}

// NewLayer is a layer of w under parameters, and under settings when they are not
// nil. derivations compute the derived fields of kinds, by the name a field gives.
func NewLayer(w *World, parameters directive.Parameters, settings []directive.Setting, derivations map[string]Derivation) *Layer {
	return &Layer{w: w, parameters: parameters, settings: settings, table: derivations, readers: map[int32]*rest.Readers[*Item]{}, resolved: map[directive.Scope]resolved{}}
}

// Fork is a layer that starts as l is, under other parameters and settings. It is
// good for as long as l is not moved. touched are items that are other to it than to
// l; seenOtherwise: what was observed of them is, too.
func (l *Layer) Fork(parameters directive.Parameters, settings []directive.Setting, touched []*Item, seenOtherwise bool) *Layer {
	f := NewLayer(l.w, parameters, settings, l.table)
	f.At, f.base, f.begun, f.place = l.At, l, true, l.place
	f.spread(l.redetermined(parameters, f.inForce()))
	for _, it := range touched {
		f.invalidate(it)
		f.spread(everything(it, seenOtherwise))
	}
	return f
}

// redetermined are the parameters that may be others than l's under other parameters
// and settings.
func (l *Layer) redetermined(parameters directive.Parameters, settings []directive.Setting) (deps []dep) {
	keys := map[string]bool{}
	for _, x := range [][2]directive.Parameters{{parameters, l.parameters}, {l.parameters, parameters}} {
		for key, p := range x[0] {
			if q, ok := x[1][key]; !ok || !reflect.DeepEqual(p, q) {
				keys[key] = true
			}
		}
	}
	own := l.inForce()
	for _, x := range [][2][]directive.Setting{{settings, own}, {own, settings}} {
		known := map[string]directive.Setting{}
		for _, s := range x[1] {
			known[s.ID] = s
		}
		for _, s := range x[0] {
			if !reflect.DeepEqual(s, known[s.ID]) {
				keys[s.Key] = true
			}
		}
	}
	for key := range keys {
		deps = append(deps, dep{what: param, a: key})
	}
	return deps
}

// everything is what can be read of an item without deriving it, what was observed of
// it included or not.
func everything(it *Item, observed bool) []dep {
	deps := []dep{{what: item, a: string(it.ref)}, {what: member, a: it.Row.System}}
	if !observed {
		return deps
	}
	deps = append(deps, dep{what: seen, a: string(it.ref)})
	for _, f := range it.Kind.Fields {
		if f.In(kind.Observed) {
			deps = append(deps, dep{what: seen, a: string(it.ref), b: f.Name}, dep{what: seenAny, a: it.Kind.ID, b: f.Name})
		}
	}
	return deps
}

// Move brings l to the instant at and to what the world says now. It returns the
// items that are now something else than they were, derived cells or not; all of
// them when l was new.
func (l *Layer) Move(at time.Time) []*Item {
	changed := map[*Item]bool{}
	events, known := l.w.changes.since(l.place)
	if !l.begun || !known || at.Before(l.At) {
		l.reset()
		for _, it := range l.w.slots {
			changed[it] = true
		}
		events = nil
	}
	l.begun, l.place, l.At = true, l.w.changes.end(), at
	for _, e := range events {
		if e.item != nil {
			changed[e.item] = true
			l.invalidate(e.item)
		} else {
			clear(l.resolved)
		}
		l.spread(e.deps)
	}
	for slot, it := range l.w.slots {
		if n := l.peek(slot); n != nil && !n.until.IsZero() && !at.Before(n.until) {
			l.invalidate(it)
		}
	}
	l.settle(changed)
	out := make([]*Item, 0, len(changed))
	for _, it := range l.w.slots {
		if changed[it] {
			out = append(out, it)
		}
	}
	return out
}

// reset forgets everything.
func (l *Layer) reset() {
	l.nodes, l.readers, l.queue, l.base = nil, map[int32]*rest.Readers[*Item]{}, nil, nil
	clear(l.resolved)
	for _, it := range l.w.Items() {
		l.invalidate(it)
	}
}

// settle derives what is in the queue, and what rests on what thereby changed.
func (l *Layer) settle(changed map[*Item]bool) {
	for len(l.queue) > 0 {
		it := l.queue[0]
		l.queue = l.queue[1:]
		n := l.node(it)
		if !n.wait {
			continue
		}
		n.wait = false
		if !it.Live() {
			continue
		}
		fields := it.shape.Derived
		for i := range fields {
			l.derive(it, i)
		}
		for i, place := range fields {
			if i >= len(n.old) || !n.old[i].equal(n.cells[i]) {
				changed[it] = true
				l.spread([]dep{{what: derived, a: string(it.ref), b: it.Kind.Fields[place].Name}})
			}
		}
		n.old = nil
	}
	for _, n := range l.nodes {
		if n != nil {
			n.turns = 0
		}
	}
}

// tooOften is how often the cells of one item are derived in one Move. Only a circle
// needs more, and a circle has no end.
const tooOften = 16

// spread puts into the queue whatever rests on one of deps.
func (l *Layer) spread(deps []dep) {
	for _, d := range deps {
		id, known := l.w.numbers[d]
		if !known {
			continue
		}
		for from := l; from != nil; from = from.base {
			for _, it := range from.readers[id].List() {
				l.invalidate(it)
			}
		}
	}
}

// invalidate puts an item into the queue. If it waits there already and was read
// meanwhile, whoever read it read too early.
func (l *Layer) invalidate(it *Item) {
	n := l.node(it)
	if n.turns >= tooOften || n.wait && !slices.Contains(n.done, true) {
		return
	}
	var early []dep
	if n.wait {
		for i, place := range it.shape.Derived {
			if n.done[i] {
				early = append(early, dep{what: derived, a: string(it.ref), b: it.Kind.Fields[place].Name})
			}
		}
	} else {
		n.old, n.wait = n.cells, true
		l.queue = append(l.queue, it)
	}
	n.turns++
	for _, id := range n.deps.List {
		l.readers[id].Remove(it)
	}
	n.clear(len(it.shape.Derived))
	l.spread(early)
}

func (n *node) clear(size int) {
	n.cells, n.done, n.busy, n.deps, n.until = make([]memo, size), make([]bool, size), make([]bool, size), rest.Notes{}, time.Time{}
}

// peek is the node of a slot, here or where l departed from.
func (l *Layer) peek(slot int) *node {
	for from := l; from != nil; from = from.base {
		if slot < len(from.nodes) && from.nodes[slot] != nil {
			return from.nodes[slot]
		}
	}
	return nil
}

// node is the node of an item that l may write to.
func (l *Layer) node(it *Item) *node {
	if short := it.Slot + 1 - len(l.nodes); short > 0 {
		l.nodes = append(l.nodes, make([]*node, short)...)
	}
	if l.nodes[it.Slot] == nil {
		n := &node{}
		if old := l.peek(it.Slot); old != nil {
			n.cells, n.done, n.until = old.cells, old.done, old.until
		}
		l.nodes[it.Slot] = n
	}
	return l.nodes[it.Slot]
}

// derive is one derived cell, computed or remembered.
func (l *Layer) derive(it *Item, ordinal int) memo {
	f := it.Kind.Fields[it.shape.Derived[ordinal]]
	n := l.peek(it.Slot)
	if n != nil && n.done != nil && n.done[ordinal] {
		return n.cells[ordinal]
	}
	n = l.node(it)
	if n.done == nil {
		n.clear(len(it.shape.Derived))
	}
	if n.busy[ordinal] {
		return memo{cell: unknownCell(f, "circle: "+f.Name+" rests on itself", nil)}
	}
	n.busy[ordinal] = true
	l.frame = &frame{it, n, l.frame}
	r := &Reading{L: l}
	res := Cannot("no derivation " + f.Derive)
	if d, known := l.table[f.Derive]; known {
		res = d(r, it)
	}
	m := l.overridden(it, f, r.memo(f, res))
	l.frame = l.frame.up
	n.busy[ordinal] = false
	n.cells[ordinal], n.done[ordinal] = m, true
	return m
}

// overridden lays an override in force over a derived value, with its lineage.
func (l *Layer) overridden(it *Item, f kind.Field, m memo) memo {
	for _, d := range it.Decisions {
		if d.Type != decision.Override || d.Field != f.Name || d.Subject != it.ref {
			continue
		}
		for _, edge := range []time.Time{d.ApprovedAt, d.From, d.Until, d.WithdrawnAt} {
			l.Until(edge)
		}
		v, err := f.Check(d.Value)
		if err != nil || !d.InForce(l.At) {
			continue
		}
		return memo{cell: judge.Cell{
			Fact:       fact.Fact{Field: f.Name, Status: fact.Observed, Value: v, Source: []fact.Source{{Kind: "decision", Ref: d.ID}}},
			ObservedAt: d.ApprovedAt, ReceivedAt: d.ApprovedAt, Since: d.From,
			Lineage: append([]string{"decision/" + d.ID}, m.cell.Lineage...),
		}}
	}
	return m
}

// read notes that the running derivation rests on something.
func (l *Layer) read(d dep) {
	f := l.frame
	if f == nil || d.a == string(f.it.ref) && (d.what == item || d.what == seen || d.what == derived) {
		return // what happens to an item itself it never outlives
	}
	id := l.w.number(d)
	if !f.node.deps.Add(id) {
		return
	}
	if l.readers[id] == nil {
		l.readers[id] = &rest.Readers[*Item]{}
	}
	l.readers[id].Add(f.it)
}

// Until notes an instant, if it is still to come, from which on the running
// derivation may find something else.
func (l *Layer) Until(edge time.Time) {
	if l.frame != nil && edge.After(l.At) {
		l.frame.node.until = weigh.Earlier(l.frame.node.until, edge)
	}
}

// Next is the nearest instant at which a derived cell may be another by time alone;
// zero: none.
func (l *Layer) Next() (next time.Time) {
	for slot := range l.w.slots {
		if n := l.peek(slot); n != nil && l.w.slots[slot].Live() {
			next = weigh.Earlier(next, n.until)
		}
	}
	return next
}

// Cell is what a rule reads as s.: observed, else declared, else derived.
func (l *Layer) Cell(it *Item, name string) (judge.Cell, bool) {
	m, ok := l.memo(it, name)
	return m.at(l.At), ok
}

func (l *Layer) memo(it *Item, name string) (memo, bool) {
	place, ok := it.shape.Place(name)
	if !ok {
		return memo{}, false
	}
	switch f := it.Kind.Fields[place]; {
	case f.In(kind.Observed):
		c, ok := l.Seen(it, name)
		return memo{cell: c}, ok
	case f.In(kind.Declared):
		l.read(dep{what: item, a: string(it.ref)})
		c, ok := it.Declared(name)
		return memo{cell: c}, ok
	}
	l.read(dep{what: derived, a: string(it.ref), b: name})
	return l.derive(it, it.shape.Ordinal(place)), true
}

// Seen is an observed cell.
func (l *Layer) Seen(it *Item, name string) (judge.Cell, bool) {
	l.read(dep{what: seen, a: string(it.ref), b: name})
	return it.Observed(name)
}

// LastSeen is when anything of an item was last observed.
func (l *Layer) LastSeen(it *Item) time.Time {
	l.read(dep{what: seen, a: string(it.ref)})
	return it.LastObserved()
}

// Holding lists the entries of a kind in whose observed list of records one has a
// value under a name, compared without regard to case and width, and the entry that
// was looked at last.
func (l *Layer) Holding(kindID, field, name, value string) (found []*Item, latest *Item) {
	l.read(dep{what: ofKind, a: kindID})
	l.read(dep{what: seenAny, a: kindID, b: field})
	h := l.w.holding(kindID, field, name)
	return h.by[plain(value)], h.latest
}

// Of finds the entry of a kind with a key, struck-out ones left out.
func (l *Layer) Of(kindID, id string) (*Item, bool) {
	ref := fact.NewRef(kindID, id)
	l.read(dep{what: item, a: string(ref)})
	it, ok := l.w.items[ref]
	return it, ok && it.Live()
}

// ByKind lists the entries of a kind, in order of key.
func (l *Layer) ByKind(kindID string) []*Item {
	l.read(dep{what: ofKind, a: kindID})
	return l.w.listed().byKind[kindID]
}

// Where lists the entries of a kind with a text in a declared field, in order of
// key. It costs no more than what it finds.
func (l *Layer) Where(kindID, field, value string) []*Item {
	l.read(dep{what: where, a: kindID, b: field, c: value})
	return l.w.where(kindID, field, value)
}

// Matching lists the entries of a kind for which want holds.
func (l *Layer) Matching(kindID string, want func(*Item) bool) []*Item {
	return slices.DeleteFunc(slices.Clone(l.ByKind(kindID)), func(it *Item) bool { return !want(it) })
}

// InSystem lists the entries of a kind of an item's system.
func (l *Layer) InSystem(it *Item, kindID string) []*Item {
	l.read(dep{what: item, a: string(it.ref)})
	if it.Row.System == "" {
		return nil
	}
	l.read(dep{what: member, a: it.Row.System, b: kindID})
	return slices.Clone(l.w.listed().bySystem[[2]string{it.Row.System, kindID}])
}

// Members lists a system and everything that belongs to it, with their decisions.
func (l *Layer) Members(sys *Item) []*Item {
	l.read(dep{what: member, a: sys.Row.System})
	return l.w.listed().bySystem[[2]string{sys.Row.System, ""}]
}

// Value is a parameter as it holds for an entry.
func (l *Layer) Value(it *Item, key string) directive.Value {
	l.read(dep{what: item, a: string(it.ref)})
	return l.determined(it.Scope(), key)
}

// Default is a parameter as it holds for no system in particular.
func (l *Layer) Default(key string) directive.Value {
	return l.determined(directive.Scope{}, key)
}

func (l *Layer) determined(scope directive.Scope, key string) directive.Value {
	l.read(dep{what: param, a: key})
	v := l.resolve(scope).values[key]
	l.Until(v.Next)
	return v
}

// resolve finds the values of a scope, once for as long as they hold.
func (l *Layer) resolve(scope directive.Scope) resolved {
	r, ok := l.resolved[scope]
	if ok && !l.At.Before(r.from) && (r.until.IsZero() || l.At.Before(r.until)) {
		return r
	}
	r = resolved{values: l.parameters.Resolve(l.inForce(), scope, l.At), from: l.At}
	for _, v := range r.values {
		r.until = weigh.Earlier(r.until, v.Next)
	}
	l.resolved[scope] = r
	return r
}

func (l *Layer) inForce() []directive.Setting {
	if l.settings != nil {
		return l.settings
	}
	return l.w.Settings()
}

// Derived are the derived cells of one subject. They do not change.
type Derived struct {
	shape *state.Shape
	memos []memo
}

// Derived are an item's, as of the last Move.
func (l *Layer) Derived(it *Item) Derived {
	if n := l.peek(it.Slot); n != nil {
		return Derived{it.shape, n.cells}
	}
	return Derived{shape: it.shape}
}

// Cell is one of them at an instant.
func (d Derived) Cell(name string, at time.Time) (judge.Cell, bool) {
	place, ok := d.shape.Place(name)
	if !ok {
		return judge.Cell{}, false
	}
	i := d.shape.Ordinal(place)
	if i >= len(d.memos) || d.shape.Derived[i] != place {
		return judge.Cell{}, false
	}
	return d.memos[i].at(at), true
}

// Add enters all of them among cells.
func (d Derived) Add(cells map[string]judge.Cell, at time.Time) map[string]judge.Cell {
	for i, m := range d.memos {
		cells[d.shape.Kind.Fields[d.shape.Derived[i]].Name] = m.at(at)
	}
	return cells
}

// Since enters among cells those that are others than they were in old.
func (d Derived) Since(old Derived, cells map[string]judge.Cell, at time.Time) {
	for i, m := range d.memos {
		if i >= len(old.memos) || !m.equal(old.memos[i]) {
			cells[d.shape.Kind.Fields[d.shape.Derived[i]].Name] = m.at(at)
		}
	}
}
