package posture

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/store"
	"kakusho/verdict"
)

// Decision is a decision as the rows hold it.
type Decision = decision.Decision

// Cell is one field of a subject, as the judge is given it.
type Cell = judge.Cell

// world is what the rows say, read once and then only what changed. It belongs
// to Posture's lock.
type world struct {
	kinds       kind.Set
	directive   *directive.Directive
	derivations map[string]Derivation
	cursor      int64 // entries read so far
	items       map[fact.Ref]*Item
	decisions   map[string]store.Decision
	settings    map[string]store.Setting
	approved    []directive.Setting                  // of settings; rebuilt when they change
	resolved    map[directive.Scope]directive.Values // at resolvedAt
	resolvedAt  time.Time
	sorted      []fact.Ref // of items; nil when it must be sorted again
	linked      bool       // decisions are attached to items
}

// Item is one subject with its layers, as a derivation sees it. Only Posture
// changes it.
type Item struct {
	Row      store.Subject
	Kind     kind.Kind
	Observed map[string]judge.Cell
	Declared map[string]judge.Cell

	derived   map[string]judge.Cell
	facts     map[string]judge.Cell // as s. reads: observed, else declared, else derived
	decisions []decision.Decision
	entry     int64 // latest entry that touched it

	judged   string // version judged
	judgedAt time.Time
	until    time.Time
	verdicts []verdict.Verdict
}

// Decisions are those that touch the item or its system, in any state.
func (it *Item) Decisions() []Decision { return it.decisions }

func newWorld(kinds kind.Set, d *directive.Directive, derivations map[string]Derivation) *world {
	return &world{
		kinds: kinds, directive: d, derivations: derivations, items: map[fact.Ref]*Item{},
		decisions: map[string]store.Decision{}, settings: map[string]store.Setting{},
	}
}

// refresh reads what was folded since the last time and reports whether
// anything was.
func (w *world) refresh(ctx context.Context, rows store.Store) (changed bool, err error) {
	err = rows.View(ctx, func(r store.Reader) error {
		cursor, err := r.Cursor(ctx)
		if err != nil || cursor == w.cursor {
			return err
		}
		since := store.Where{From: map[string]any{"entry": w.cursor}}
		changed, err = w.read(ctx, r, since)
		if err == nil {
			w.cursor = cursor
		}
		return err
	})
	return changed, err
}

func (w *world) read(ctx context.Context, r store.Reader, since store.Where) (changed bool, err error) {
	err = r.List(ctx, &store.Subject{}, since, func(row store.Row) error {
		w.putSubject(*row.(*store.Subject))
		changed = true
		return nil
	})
	if err != nil {
		return false, err
	}
	err = r.List(ctx, &store.Fact{}, since, func(row store.Row) error {
		changed = true
		return w.putFact(*row.(*store.Fact))
	})
	if err != nil {
		return false, err
	}
	err = r.List(ctx, &store.Decision{}, since, func(row store.Row) error {
		d := *row.(*store.Decision)
		w.decisions[d.ID] = d
		w.linked, changed = false, true
		return nil
	})
	if err != nil {
		return false, err
	}
	err = r.List(ctx, &store.Setting{}, since, func(row store.Row) error {
		s := *row.(*store.Setting)
		w.settings[s.ID] = s
		w.approved, w.resolved, changed = nil, nil, true
		return nil
	})
	return changed, err
}

func (w *world) item(ref fact.Ref) *Item {
	it, ok := w.items[ref]
	if !ok {
		it = &Item{Kind: w.kinds[ref.Kind()], Observed: map[string]judge.Cell{}, Declared: map[string]judge.Cell{}}
		w.items[ref] = it
		w.sorted = nil
	}
	return it
}

func (w *world) putSubject(s store.Subject) {
	k, ok := w.kinds[s.Kind]
	if !ok {
		return // a kind this installation no longer has
	}
	it := w.item(fact.NewRef(s.Kind, s.ID))
	it.Row, it.entry = s, max(it.entry, s.Entry)
	it.Declared = map[string]judge.Cell{}
	for _, f := range k.Layer(kind.Declared) {
		since := s.ChangedAt // of a row that stands in no store
		if t, ok := s.Since[f.Name]; ok {
			since = t
		} else if t, ok := s.Since[k.Key]; ok { // blank ever since it was entered
			since = t
		}
		raw, ok := s.Values[f.Name]
		if !ok { // left blank: looked at, and there is none
			it.Declared[f.Name] = judge.Cell{
				Fact: fact.Fact{Field: f.Name, Status: fact.Absent, Reason: "blank: not entered",
					Source: []fact.Source{{Kind: "register", Ref: s.Kind + "/" + s.ID}}},
				ObservedAt: s.ChangedAt, ReceivedAt: s.ChangedAt, Since: since,
			}
			continue
		}
		cell := judge.Cell{
			Fact: fact.Fact{Field: f.Name, Status: fact.Observed, Value: raw,
				Source: []fact.Source{{Kind: "register", Ref: s.Kind + "/" + s.ID}}},
			ObservedAt: s.ChangedAt, ReceivedAt: s.ChangedAt, Since: since,
		}
		v, err := f.Check(raw)
		if err != nil {
			cell.Fact.Status, cell.Fact.Value, cell.Fact.Reason = fact.Error, nil, "schema: "+err.Error()
		} else {
			cell.Fact.Value = v
		}
		it.Declared[f.Name] = cell
	}
	w.linked = false
}

func (w *world) putFact(s store.Fact) error {
	ref, err := fact.ParseRef(s.Subject)
	if err != nil {
		return err
	}
	k, ok := w.kinds[ref.Kind()]
	if !ok {
		return nil
	}
	f, ok := k.Field(s.Field)
	if !ok || !f.In(kind.Observed) {
		return nil // a field this installation no longer has
	}
	it := w.item(ref)
	it.entry = max(it.entry, s.Entry)
	cell := judge.Cell{
		Fact:       fact.Fact{Field: s.Field, Status: fact.Status(s.Status), Reason: s.Reason, Source: s.Source},
		ObservedAt: s.ObservedAt, ReceivedAt: s.ReceivedAt, Since: s.Since, First: s.FirstAt, Collector: s.Collector, Fresh: kind.Fresh(f.Group),
	}
	if s.Value != nil {
		v, err := f.CheckObserved(s.Value)
		if err != nil {
			cell.Fact.Status, cell.Fact.Reason = fact.Error, "schema: "+err.Error()
		} else {
			cell.Fact.Value = v
		}
	}
	it.Observed[s.Field] = cell
	return nil
}

// order lists the items by kind's menu order and key.
func (w *world) order() []fact.Ref {
	if w.sorted == nil {
		rank := map[string]int{}
		for i, id := range w.kinds.IDs() {
			rank[id] = i
		}
		for ref := range w.items {
			w.sorted = append(w.sorted, ref)
		}
		slices.SortFunc(w.sorted, func(a, b fact.Ref) int {
			if c := rank[a.Kind()] - rank[b.Kind()]; c != 0 {
				return c
			}
			return strings.Compare(a.ID(), b.ID())
		})
	}
	return w.sorted
}

// derive computes the derived fields of every item and joins the layers. It
// returns the nearest instant at which a derived value may be another by time
// alone; zero: none.
func (w *world) derive(at time.Time) time.Time {
	w.link()
	look := newLookup(w, at)
	for _, ref := range w.order() {
		it := w.items[ref]
		it.derived = map[string]judge.Cell{}
		for _, f := range it.Kind.Layer(kind.Derived) {
			it.derived[f.Name] = look.derive(it, f)
		}
		it.facts = it.join()
	}
	return look.Next
}

// join makes the cells that a rule reads as s.
func (it *Item) join() map[string]judge.Cell {
	facts := make(map[string]judge.Cell, len(it.Kind.Fields))
	for _, f := range it.Kind.Fields {
		switch {
		case f.In(kind.Observed):
			if c, ok := it.Observed[f.Name]; ok {
				facts[f.Name] = c
			}
		case f.In(kind.Declared):
			if c, ok := it.Declared[f.Name]; ok {
				facts[f.Name] = c
			}
		default:
			if c, ok := it.derived[f.Name]; ok {
				facts[f.Name] = c
			}
		}
	}
	return facts
}

// overridden lays an override in force over a derived value, with its lineage.
func overridden(it *Item, f kind.Field, cell judge.Cell, at time.Time) judge.Cell {
	for _, d := range it.decisions {
		if d.Type != decision.Override || d.Field != f.Name || string(d.Subject) != it.Row.Kind+"/"+it.Row.ID || !d.InForce(at) {
			continue
		}
		v, err := f.Check(d.Value)
		if err != nil {
			continue
		}
		return judge.Cell{
			Fact:       fact.Fact{Field: f.Name, Status: fact.Observed, Value: v, Source: []fact.Source{{Kind: "decision", Ref: d.ID}}},
			ObservedAt: d.ApprovedAt, ReceivedAt: d.ApprovedAt, Since: d.From,
			Lineage: append([]string{"decision/" + d.ID}, cell.Lineage...),
		}
	}
	return cell
}

// link attaches each decision to its subject, and a system's to all its members.
func (w *world) link() {
	if w.linked {
		return
	}
	byRef := map[string][]decision.Decision{}
	ids := make([]string, 0, len(w.decisions))
	for id := range w.decisions {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return int(w.decisions[a].Entry - w.decisions[b].Entry) })
	for _, id := range ids {
		d := w.decisions[id].Decision
		byRef[string(d.Subject)] = append(byRef[string(d.Subject)], d)
	}
	for ref, it := range w.items {
		it.decisions = slices.Clone(byRef[string(ref)])
		if own := "system/" + it.Row.System; it.Row.System != "" && own != string(ref) {
			it.decisions = append(it.decisions, byRef[own]...)
		}
	}
	w.linked = true
}

// near lists an item itself and what belongs to its system.
func (w *world) near(it *Item) []*Item {
	out := []*Item{it}
	if it.Row.System == "" {
		return out
	}
	for _, ref := range w.order() {
		if other := w.items[ref]; other != it && other.Row.System == it.Row.System && !other.Row.Retired {
			out = append(out, other)
		}
	}
	return out
}

// input is what the judge is given. In service is the system it belongs to: 第5の1
// speaks of systems.
func (w *world) input(it *Item) judge.Subject {
	s := judge.Subject{
		Ref: fact.NewRef(it.Row.Kind, it.Row.ID), Facts: it.facts, Declared: it.Declared, Decisions: it.decisions,
	}
	s.InServiceOn, _ = it.Declared["in_service_on"].Fact.Value.(time.Time)
	if sys, ok := w.items[fact.NewRef("system", it.Row.System)]; ok {
		s.InServiceOn, _ = sys.Declared["in_service_on"].Fact.Value.(time.Time)
	}
	return s
}

// parameters are the values that hold for an item.
func (w *world) parameters(it *Item, at time.Time) directive.Values {
	return w.resolve(directive.Scope{Prefecture: w.prefecture(it), System: it.Row.System}, at)
}

// resolve finds the values of a scope, once for each scope, instant and set of
// settings.
func (w *world) resolve(scope directive.Scope, at time.Time) directive.Values {
	if w.approved == nil {
		rows := make([]store.Setting, 0, len(w.settings))
		for _, s := range w.settings {
			rows = append(rows, s)
		}
		slices.SortFunc(rows, func(a, b store.Setting) int { return int(a.Entry - b.Entry) })
		w.approved = append([]directive.Setting{}, store.Approved(rows)...)
	}
	if !w.resolvedAt.Equal(at) || w.resolved == nil {
		w.resolved, w.resolvedAt = map[directive.Scope]directive.Values{}, at
	}
	v, ok := w.resolved[scope]
	if !ok {
		v = w.directive.Parameters.Resolve(w.approved, scope, at)
		w.resolved[scope] = v
	}
	return v
}

// prefecture is that of the item's unit, or of its system's unit: the nearest
// that a unit or one above it names.
func (w *world) prefecture(it *Item) string {
	unit := it.Row.Unit
	if it.Row.Kind == "unit" {
		unit = it.Row.ID
	}
	if unit == "" && it.Row.System != "" {
		if sys, ok := w.items[fact.NewRef("system", it.Row.System)]; ok {
			unit = sys.Row.Unit
		}
	}
	for range len(w.items) { // units that name each other as parent end here
		u, ok := w.items[fact.NewRef("unit", unit)]
		if !ok {
			break
		}
		if p := DeclaredText(u, "prefecture"); p != "" {
			return p
		}
		unit = DeclaredText(u, "parent")
	}
	return ""
}

// version says what an item's verdicts rest on: what touched it, its derived
// values, its decisions, since when its system is in service, and the parameter
// values it is held to.
func (it *Item) version(params directive.Values, cursor int64, inService time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d@%d", it.entry, inService.Unix())
	for _, f := range it.Kind.Layer(kind.Derived) {
		c := it.derived[f.Name]
		fmt.Fprintf(&b, " %s=%s/%s/%s/%d/%d", f.Name, c.Fact.Status, c.Fact.Reason, fact.Digest(c.Fact.Value), c.ObservedAt.UnixNano(), c.Since.UnixNano())
	}
	for _, d := range it.decisions {
		fmt.Fprintf(&b, " %s/%d/%d", d.ID, d.ApprovedAt.UnixNano(), d.WithdrawnAt.UnixNano())
		if len(d.Conditions) > 0 {
			fmt.Fprintf(&b, "@%d", cursor) // its conditions may rest on anything in the system
		}
	}
	settings := make([]string, 0, 8)
	for key, v := range params {
		if v.Setting != "" || !v.Next.IsZero() { // what will count later ends what is remembered
			settings = append(settings, fmt.Sprintf("%s=%s/%d", key, v.Setting, v.Next.Unix()))
		}
	}
	slices.Sort(settings)
	return b.String() + " " + strings.Join(settings, " ")
}
