package posture

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/store"
)

// A derivation computes one derived field of one subject from other cells. It
// reads them through r, which notes where each came from, how old it is and what
// was missing; a value that rests on something nobody saw is unknown.
type derivation func(r *reading, it *item) result

// derivations are all of them, by the name a kind's field gives.
func derivations() map[string]derivation {
	all := map[string]derivation{}
	for _, set := range []map[string]derivation{organisationDerivations, systemDerivations, deviceDerivations, accountDerivations, recordDerivations} {
		for name, d := range set {
			all[name] = d
		}
	}
	return all
}

// result is what a derivation found: a value, none, or why it cannot be told.
type result struct {
	value  any
	absent string // looked, and there is none: why
	why    string // cannot be told: why
}

func found(v any) result         { return result{value: v} }
func none(why string) result     { return result{absent: why} }
func cannot(why string) result   { return result{why: why} }
func texts(list []string) result { return found(textList(list)) }
func textList(list []string) []any {
	list = slices.Compact(slices.Sorted(slices.Values(list)))
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// lookup is one pass of deriving over the world. Cells are computed once, when
// first asked for; a circle is an error that names itself.
type lookup struct {
	w        *world
	at       time.Time
	next     time.Time // nearest instant at which a period begins or ends
	byKind   map[string][]*item
	bySystem map[string][]*item
	holders  map[string][]assignment // by post, in force
	done     map[*item]map[string]judge.Cell
	busy     map[*item]map[string]bool
	defaults directive.Values
	table    map[string]derivation
}

type assignment struct{ person, duty, scope string }

func newLookup(w *world, at time.Time) *lookup {
	l := &lookup{
		w: w, at: at, byKind: map[string][]*item{}, bySystem: map[string][]*item{}, holders: map[string][]assignment{},
		done: map[*item]map[string]judge.Cell{}, busy: map[*item]map[string]bool{}, table: derivations(),
	}
	for _, ref := range w.order() {
		it := w.items[ref]
		if it.row.Kind == "" || it.row.Retired {
			continue // struck out, or facts of something no register has
		}
		l.byKind[it.kind.ID] = append(l.byKind[it.kind.ID], it)
		l.bySystem[it.row.System] = append(l.bySystem[it.row.System], it)
	}
	for _, it := range l.byKind["assignment"] {
		if l.inForce(it) {
			post := declaredText(it, "post")
			l.holders[post] = append(l.holders[post], assignment{declaredText(it, "person"), declaredText(it, "duty"), declaredText(it, "scope")})
		}
	}
	l.defaults = w.resolve(directive.Scope{}, at)
	return l
}

// derive computes one derived field, or takes it from this pass.
func (l *lookup) derive(it *item, f kind.Field) judge.Cell {
	if c, ok := l.done[it][f.Name]; ok {
		return c
	}
	r := &reading{l: l}
	var res result
	d, known := l.table[f.Derive]
	switch {
	case l.busy[it][f.Name]:
		return unknownCell(f, "circle: "+f.Name+" rests on itself", nil)
	case !known:
		res = cannot("no derivation " + f.Derive)
	default:
		if l.busy[it] == nil {
			l.busy[it] = map[string]bool{}
		}
		l.busy[it][f.Name] = true
		res = d(r, it)
		delete(l.busy[it], f.Name)
	}
	if l.done[it] == nil {
		l.done[it] = map[string]judge.Cell{}
	}
	c := overridden(it, f, r.cell(f, res), l.at)
	l.done[it][f.Name] = c
	return c
}

// cell is what a rule reads as s.: observed, else declared, else derived.
func (l *lookup) cell(it *item, name string) (judge.Cell, bool) {
	f, ok := it.kind.Field(name)
	switch {
	case !ok:
		return judge.Cell{}, false
	case f.In(kind.Observed):
		c, ok := it.observed[name]
		return c, ok
	case f.In(kind.Declared):
		c, ok := it.declared[name]
		return c, ok
	}
	return l.derive(it, f), true
}

// of finds the entry of a kind with a key, struck-out ones left out.
func (l *lookup) of(kindID, id string) (*item, bool) {
	it, ok := l.w.items[fact.NewRef(kindID, id)]
	return it, ok && it.row.Kind != "" && !it.row.Retired
}

// inForce reports whether an entry's period holds now, and notes its edges.
func (l *lookup) inForce(it *item) bool {
	from, until := declaredTime(it, "from"), declaredTime(it, "until")
	return l.within(from, until)
}

func (l *lookup) within(from, until time.Time) bool {
	for _, edge := range []time.Time{from, until} {
		if edge.After(l.at) {
			l.next = earlier(l.next, edge)
		}
	}
	return !l.at.Before(from) && (until.IsZero() || l.at.Before(until))
}

func declaredText(it *item, name string) string {
	s, _ := it.declared[name].Fact.Value.(string)
	return s
}

func declaredTime(it *item, name string) time.Time {
	t, _ := it.declared[name].Fact.Value.(time.Time)
	return t
}

func declaredBool(it *item, name string) bool {
	b, _ := it.declared[name].Fact.Value.(bool)
	return b
}

// reading notes what one derivation read.
type reading struct {
	l       *lookup
	lineage []string
	oldest  time.Time // of what was observed
	latest  time.Time // of what was declared
	since   time.Time
	fresh   string
}

// note records that a cell was read.
func (r *reading) note(it *item, name string, c judge.Cell) {
	ref := it.row.Kind + "/" + it.row.ID + "." + name
	if !slices.Contains(r.lineage, ref) && len(r.lineage) < 50 {
		r.lineage = append(r.lineage, ref)
	}
	if c.Fresh != "" {
		if r.oldest.IsZero() || c.ObservedAt.Before(r.oldest) {
			r.oldest = c.ObservedAt
		}
		r.fresh = r.stricter(r.fresh, c.Fresh)
	} else if c.ObservedAt.After(r.latest) {
		r.latest = c.ObservedAt
	}
	if c.Since.After(r.since) {
		r.since = c.Since
	}
}

// stricter is the freshness parameter of the two that ends sooner.
func (r *reading) stricter(a, b string) string {
	if a == "" || a == b {
		return b
	}
	da, _ := r.l.defaults[a].Value.(time.Duration)
	db, _ := r.l.defaults[b].Value.(time.Duration)
	if db < da {
		return b
	}
	return a
}

// value reads a cell. ok is false when nobody saw it or it is blank; why then
// says so.
func (r *reading) value(it *item, name string) (v any, ok bool, why string) {
	c, there := r.l.cell(it, name)
	if !there {
		return nil, false, fmt.Sprintf("missing: %s/%s.%s", it.row.Kind, it.row.ID, name)
	}
	r.note(it, name, c)
	if c.Fact.Status != fact.Observed {
		return nil, false, fmt.Sprintf("%s: %s/%s.%s", c.Fact.Status, it.row.Kind, it.row.ID, name)
	}
	return c.Fact.Value, true, ""
}

func read[T any](r *reading, it *item, name string) (v T, ok bool, why string) {
	raw, ok, why := r.value(it, name)
	if !ok {
		return v, false, why
	}
	v, ok = raw.(T)
	if !ok {
		return v, false, fmt.Sprintf("schema: %s/%s.%s", it.row.Kind, it.row.ID, name)
	}
	return v, true, ""
}

// text reads a declared text; blank is "".
func (r *reading) text(it *item, name string) string {
	s, _, _ := read[string](r, it, name)
	return s
}

// tri is true, false, or not to be told.
type tri int

const (
	no tri = iota
	unsure
	yes
)

func truth(b bool) tri {
	if b {
		return yes
	}
	return no
}

// is reads a bool; blank or unseen is unsure.
func (r *reading) is(it *item, name string) tri {
	b, ok, _ := read[bool](r, it, name)
	if !ok {
		return unsure
	}
	return truth(b)
}

// any is yes when one is, no when all are.
func anyOf(ts ...tri) tri {
	return slices.Max(append([]tri{no}, ts...))
}

func (t tri) result(why string) result {
	if t == unsure {
		return cannot(why)
	}
	return found(t == yes)
}

// cell makes a cell of a result, as old as its oldest observed input.
func (r *reading) cell(f kind.Field, res result) judge.Cell {
	c := judge.Cell{Fact: fact.Fact{Field: f.Name, Status: fact.Observed, Value: res.value}, Lineage: r.lineage, Fresh: r.fresh,
		ObservedAt: r.oldest, ReceivedAt: r.oldest, Since: r.since, Collector: "derived"}
	if r.oldest.IsZero() {
		c.ObservedAt, c.ReceivedAt = r.latest, r.latest
	}
	if c.ObservedAt.IsZero() {
		c.ObservedAt, c.ReceivedAt = r.l.at, r.l.at // rests on nothing but there being no entry
	}
	if c.Since.IsZero() {
		c.Since = c.ObservedAt
	}
	c.Fact.Source = []fact.Source{{Kind: "derived", Ref: f.Derive}}
	switch {
	case res.why != "":
		c.Fact.Status, c.Fact.Value, c.Fact.Reason = fact.Error, nil, res.why
	case res.absent != "":
		c.Fact.Status, c.Fact.Value, c.Fact.Reason = fact.Absent, nil, res.absent
	}
	return c
}

func unknownCell(f kind.Field, why string, lineage []string) judge.Cell {
	return judge.Cell{Fact: fact.Fact{Field: f.Name, Status: fact.Error, Reason: why}, Lineage: lineage}
}

// most is the greatest of the ints that read finds over items; none when there
// are no items, unknown when one of them is.
func most(r *reading, its []*item, field string) result {
	var best int64
	for _, it := range its {
		n, ok, why := read[int64](r, it, field)
		if !ok {
			return cannot(why)
		}
		best = max(best, n)
	}
	if len(its) == 0 {
		return none("no-entry: nothing to take the greatest of")
	}
	return found(best)
}

// matching lists the entries of a kind for which want holds.
func (l *lookup) matching(kindID string, want func(*item) bool) []*item {
	var out []*item
	for _, it := range l.byKind[kindID] {
		if want(it) {
			out = append(out, it)
		}
	}
	return out
}

// inSystem lists the entries of a kind of an item's system.
func (l *lookup) inSystem(it *item, kindID string) []*item {
	if it.row.System == "" {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(l.bySystem[it.row.System]), func(x *item) bool { return x.kind.ID != kindID })
}

func keys(its []*item) []string {
	out := make([]string, 0, len(its))
	for _, it := range its {
		out = append(out, it.row.ID)
	}
	return out
}

func refs(its []*item) []string {
	out := make([]string, 0, len(its))
	for _, it := range its {
		out = append(out, it.row.Kind+"/"+it.row.ID)
	}
	return out
}

// records reads a list of records.
func (r *reading) records(it *item, name string) (out []map[string]any, ok bool, why string) {
	list, ok, why := read[[]any](r, it, name)
	for _, e := range list {
		if m, isRecord := e.(map[string]any); isRecord {
			out = append(out, m)
		}
	}
	return out, ok, why
}

// names reads a list of texts.
func (r *reading) names(it *item, name string) (out []string, ok bool, why string) {
	list, ok, why := read[[]any](r, it, name)
	for _, e := range list {
		if s, isText := e.(string); isText {
			out = append(out, s)
		}
	}
	return out, ok, why
}

// minus is the texts of a that are not in b, compared without regard to case and
// width.
func minus(a, b []string) []string {
	have := map[string]bool{}
	for _, s := range b {
		have[store.Plain(strings.TrimSpace(s))] = true
	}
	var out []string
	for _, s := range a {
		if !have[store.Plain(strings.TrimSpace(s))] {
			out = append(out, s)
		}
	}
	return out
}
