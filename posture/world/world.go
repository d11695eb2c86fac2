// Package world holds what the rows say, as the posture judges it: every subject
// with what is declared of it and what was observed, the decisions that touch it,
// the values that were determined, and, in a Layer, what follows from all that.
//
// A World is read once and then only where something was folded. What a subject
// is, is a State, which never changes: a change makes another one. So whoever has
// a State keeps what he has, while the world goes on.
//
// A Layer is the derived cells of a world, under parameters, at an instant. Each
// derivation notes what it read; it is asked again only when that has changed, or
// when an instant has come that it named.
//
// Neither is safe for concurrent use; States, and the cells a Layer gave, are.
package world

import (
	"context"
	"slices"
	"strings"

	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture/world/state"
	"kakusho/store"
)

// Decision is a decision as the rows hold it.
type Decision = decision.Decision

// World is what the rows say.
type World struct {
	kinds     kind.Set
	shapes    map[string]*state.Shape
	rank      map[string]int // of kinds, in menu order
	cursor    int64          // entries read so far
	items     map[fact.Ref]*Item
	slots     []*Item // in the order in which they came
	decisions map[string]store.Decision
	settings  map[string]store.Setting
	approved  []directive.Setting // of settings; nil: to be made again

	determined int

	lists    *lists                        // nil: to be made again
	columns  map[column]map[string][]*Item // Where
	holdings map[records]*holding          // Holding
	changes  log
	numbers  map[dep]int32

	// while rows are read
	pool  *state.Pool
	fresh map[*state.State]bool // made since the last Settle, and given to nobody yet
	refit refit
}

// refit is whose decisions, service or prefecture may be others.
type refit struct {
	items   map[*Item]bool
	systems map[string]bool
	all     bool
}

// Item is one subject. Its identity stays; what it is, is its State.
type Item struct {
	*state.State
	Kind *kind.Kind
	Slot int // it is the Slot-th that came

	ref   fact.Ref
	shape *state.Shape
}

// New is a world without subjects.
func New(kinds kind.Set) *World {
	w := &World{
		kinds: kinds, shapes: map[string]*state.Shape{}, rank: map[string]int{}, items: map[fact.Ref]*Item{}, decisions: map[string]store.Decision{},
		settings: map[string]store.Setting{}, columns: map[column]map[string][]*Item{}, holdings: map[records]*holding{}, numbers: map[dep]int32{},
	}
	w.begin()
	for i, id := range kinds.IDs() {
		w.rank[id] = i
	}
	for id, k := range kinds {
		w.shapes[id] = state.NewShape(k)
	}
	return w
}

// Refresh reads what was folded since the last time and reports whether anything
// was.
func (w *World) Refresh(ctx context.Context, rows store.Store) (changed bool, err error) {
	err = rows.View(ctx, func(r store.Reader) error {
		cursor, err := r.Cursor(ctx)
		if err != nil || cursor == w.cursor {
			return err
		}
		since := store.Where{From: map[string]any{"entry": w.cursor}}
		if w.cursor > 0 {
			since.Sort = []string{"entry"} // as the index has it: a few new rows are found without walking all
		}
		changed, err = w.read(ctx, r, since)
		if err == nil {
			w.cursor = cursor
		}
		return err
	})
	w.Settle()
	return changed, err
}

func (w *World) read(ctx context.Context, r store.Reader, since store.Where) (changed bool, err error) {
	for _, table := range []struct {
		of  store.Row
		put func(store.Row) error
	}{
		{&store.Subject{}, func(row store.Row) error { w.PutSubject(*row.(*store.Subject)); return nil }},
		{&store.Fact{}, func(row store.Row) error { return w.PutFact(*row.(*store.Fact)) }},
		{&store.Decision{}, func(row store.Row) error { w.PutDecision(*row.(*store.Decision)); return nil }},
		{&store.Setting{}, func(row store.Row) error { w.PutSetting(*row.(*store.Setting)); return nil }},
	} {
		err = r.List(ctx, table.of, since, func(row store.Row) error {
			changed = true
			return table.put(row)
		})
		if err != nil {
			return false, err
		}
	}
	return changed, nil
}

// Settle ends a run of Puts: what follows from them for other subjects, a system's
// decisions for its members or a unit's prefecture for those below, is so from now
// on.
func (w *World) Settle() {
	r := w.refit
	if r.all || len(r.items)+len(r.systems) > 0 {
		by := bySubject(w.Decisions())
		for _, it := range w.slots {
			if r.all || r.items[it] || r.systems[it.Row.System] {
				w.fit(it, by)
			}
		}
	}
	for s := range w.fresh {
		s.Fit()
	}
	w.begin()
}

func (w *World) begin() {
	w.pool, w.fresh, w.refit = state.NewPool(), map[*state.State]bool{}, refit{items: map[*Item]bool{}, systems: map[string]bool{}}
}

// own is a state of the item that nobody else has yet, and that may be written to.
func (w *World) own(it *Item) *state.State {
	if !w.fresh[it.State] {
		it.State = it.State.Clone()
		w.fresh[it.State] = true
	}
	return it.State
}

func (w *World) item(ref fact.Ref) *Item {
	it, ok := w.items[ref]
	if !ok {
		shape := w.shapes[ref.Kind()]
		it = &Item{Kind: &shape.Kind, ref: ref, shape: shape, Slot: len(w.slots), State: state.New(shape)}
		w.items[ref] = it
		w.slots = append(w.slots, it)
		w.refit.items[it] = true
	}
	return it
}

// PutSubject takes over a row of a register.
func (w *World) PutSubject(s store.Subject) {
	if _, ok := w.shapes[s.Kind]; !ok {
		return // a kind this installation no longer has
	}
	it := w.item(fact.NewRef(s.Kind, s.ID))
	old := *it.State
	w.own(it).Enter(s, w.pool)
	w.moved(it, &old)
	w.noteRow(it, &old)
}

// moved notes what a changed row means for lists and for other subjects.
func (w *World) moved(it *Item, old *state.State) {
	if it.Live() != old.Live() || it.Row.System != old.Row.System {
		w.lists = nil
		clear(w.holdings)
	}
	w.refit.items[it] = true
	switch it.Row.Kind {
	case "system":
		w.refit.systems[it.Row.ID] = true
	case "unit":
		if it.State.Text("prefecture") != old.Text("prefecture") || it.State.Text("parent") != old.Text("parent") {
			w.refit.all = true
		}
	}
}

// PutFact takes over the latest fact of a field.
func (w *World) PutFact(s store.Fact) error {
	ref, err := fact.ParseRef(s.Subject)
	if err != nil {
		return err
	}
	shape, ok := w.shapes[ref.Kind()]
	if !ok {
		return nil
	}
	place, ok := shape.Place(s.Field)
	if !ok || !shape.Kind.Fields[place].In(kind.Observed) {
		return nil // a field this installation no longer has
	}
	it := w.item(ref)
	w.own(it).See(s, place, w.pool)
	for of := range w.holdings {
		if of.kind == it.Kind.ID && of.field == s.Field {
			delete(w.holdings, of)
		}
	}
	w.changes.add(it, dep{what: seen, a: string(ref), b: s.Field}, dep{what: seen, a: string(ref)}, dep{what: seenAny, a: ref.Kind(), b: s.Field})
	return nil
}

// PutDecision takes over a decision.
func (w *World) PutDecision(d store.Decision) {
	if d.Provides() {
		w.approved = nil
		w.determined++
		w.changes.add(nil, dep{what: param, a: d.Field})
	}
	w.decisions[d.ID] = d
	if it, ok := w.items[d.Subject]; ok {
		w.refit.items[it] = true
	}
	if d.Subject.Kind() == "system" {
		w.refit.systems[d.Subject.ID()] = true
	}
}

// PutSetting takes over a determined value.
func (w *World) PutSetting(s store.Setting) {
	was := w.settings[s.ID]
	w.settings[s.ID] = s
	w.approved = nil
	w.determined++
	w.changes.add(nil, dep{what: param, a: s.Key}, dep{what: param, a: was.Key})
}

// Settings are the values that were approved, and those of special provisions.
func (w *World) Settings() []directive.Setting {
	if w.approved == nil {
		rows := make([]store.Setting, 0, len(w.settings))
		for _, s := range w.settings {
			rows = append(rows, s)
		}
		slices.SortFunc(rows, func(a, b store.Setting) int { return int(a.Entry - b.Entry) })
		w.approved = slices.Concat([]directive.Setting{}, store.Approved(rows), store.Provided(w.Decisions()))
	}
	return w.approved
}

// Deciding are the settings as they would be under other decisions.
func (w *World) Deciding(all []Decision) []directive.Setting {
	return append(slices.DeleteFunc(slices.Clone(w.Settings()), func(s directive.Setting) bool { return s.Provision != "" }), store.Provided(all)...)
}

// Decisions are all, in the order of the entries.
func (w *World) Decisions() []Decision {
	rows := make([]store.Decision, 0, len(w.decisions))
	for _, d := range w.decisions {
		rows = append(rows, d)
	}
	slices.SortFunc(rows, func(a, b store.Decision) int { return int(a.Entry - b.Entry) })
	out := make([]Decision, len(rows))
	for i, d := range rows {
		out[i] = d.Decision
	}
	return out
}

func bySubject(all []Decision) map[fact.Ref][]Decision {
	by := map[fact.Ref][]Decision{}
	for _, d := range all {
		by[d.Subject] = append(by[d.Subject], d)
	}
	return by
}

// fit gives an item what it has from others: decisions about it and its system, its
// system's service, its unit's prefecture.
func (w *World) fit(it *Item, by map[fact.Ref][]Decision) {
	next, other := w.fitted(it, by)
	if !other {
		return
	}
	w.fresh[next] = w.fresh[it.State]
	it.State = next
	w.changes.add(it, dep{what: item, a: string(it.ref)}, dep{what: member, a: it.Row.System})
}

// fitted is an item's state with what it has from others, and whether that is
// another.
func (w *World) fitted(it *Item, by map[fact.Ref][]Decision) (*state.State, bool) {
	next, ref := *it.State, it.Ref()
	next.Decisions = slices.Clone(by[ref])
	next.InService = it.State.Time("in_service_on")
	if own := fact.NewRef("system", it.Row.System); it.Row.System != "" {
		if own != ref {
			next.Decisions = append(next.Decisions, by[own]...)
		}
		if sys, ok := w.items[own]; ok {
			next.InService = sys.State.Time("in_service_on")
		}
	}
	next.Prefecture = w.prefecture(it)
	other := !slices.EqualFunc(next.Decisions, it.Decisions, same) || !next.InService.Equal(it.InService) || next.Prefecture != it.Prefecture
	return &next, other
}

// same reports whether a decision stands as it stood: it is only ever approved, noted
// about, withdrawn, or seen as another directive sees it.
func same(a, b Decision) bool {
	return a.ID == b.ID && a.Clause == b.Clause && a.Control == b.Control && a.Directive == b.Directive && a.ApprovedAt.Equal(b.ApprovedAt) && a.WithdrawnAt.Equal(b.WithdrawnAt) && a.Until.Equal(b.Until) && a.From.Equal(b.From) && len(a.Notes) == len(b.Notes)
}

// prefecture is that of the item's unit, or of its system's unit: the nearest
// that a unit or one above it names.
func (w *World) prefecture(it *Item) string {
	unit := it.Row.Unit
	if it.Row.Kind == "unit" {
		unit = it.Row.ID
	}
	if unit == "" && it.Row.System != "" {
		if sys, ok := w.items[fact.NewRef("system", it.Row.System)]; ok {
			unit = sys.Row.Unit
		}
	}
	for range 64 { // units that name each other as parent end here
		u, ok := w.items[fact.NewRef("unit", unit)]
		if !ok {
			break
		}
		if p := u.State.Text("prefecture"); p != "" {
			return p
		}
		unit = u.State.Text("parent")
	}
	return ""
}

// Ref is the item's reference.
func (it *Item) Ref() fact.Ref { return it.ref }

// Item finds one, struck-out ones too.
func (w *World) Item(ref fact.Ref) (*Item, bool) {
	it, ok := w.items[ref]
	return it, ok
}

// lists are the live items, in order of kind and key.
type lists struct {
	all      []*Item
	byKind   map[string][]*Item
	bySystem map[[2]string][]*Item // and kind; of no kind: everything in it
}

func (w *World) listed() *lists {
	if w.lists != nil {
		return w.lists
	}
	l := &lists{byKind: map[string][]*Item{}, bySystem: map[[2]string][]*Item{}}
	for _, it := range w.slots {
		if it.Live() {
			l.all = append(l.all, it)
		}
	}
	slices.SortFunc(l.all, func(a, b *Item) int {
		if c := w.rank[a.Kind.ID] - w.rank[b.Kind.ID]; c != 0 {
			return c
		}
		return strings.Compare(a.Row.ID, b.Row.ID)
	})
	for _, it := range l.all {
		l.byKind[it.Kind.ID] = append(l.byKind[it.Kind.ID], it)
		whole, part := [2]string{it.Row.System}, [2]string{it.Row.System, it.Kind.ID}
		l.bySystem[whole], l.bySystem[part] = append(l.bySystem[whole], it), append(l.bySystem[part], it)
	}
	w.lists = l
	return l
}

// Items are the live ones, in order of kind and key. The list is not to be changed.
func (w *World) Items() []*Item { return w.listed().all }

// Determined is how often a value was determined or withdrawn.
func (w *World) Determined() int { return w.determined }

// Suppose makes the world another until undo is called: with other decisions, or
// with other evidence. touched are the items that are then other ones.
func (w *World) Suppose(decide func([]Decision) []Decision, observed func(kind.Field, state.Cell) state.Cell) (touched []*Item, undo func()) {
	was := map[*Item]*state.State{}
	if decide != nil {
		by := bySubject(decide(w.Decisions()))
		for _, it := range w.slots {
			if next, other := w.fitted(it, by); other {
				was[it], it.State = it.State, next
			}
		}
	}
	if observed != nil {
		for _, it := range w.slots {
			if next := it.Observing(observed); next != nil {
				if was[it] == nil {
					was[it] = it.State
				}
				it.State = next
			}
		}
	}
	for _, it := range w.slots {
		if was[it] != nil {
			touched = append(touched, it)
		}
	}
	return touched, func() {
		for it, s := range was {
			it.State = s
		}
	}
}
