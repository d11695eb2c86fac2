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

// A Derivation computes one derived field of one subject from other cells. It
// reads them through r, which notes where each came from, how old it is and what
// was missing; a value that rests on something nobody saw is unknown. The
// derivations themselves are in package derive.
type Derivation func(r *Reading, it *Item) Result

// Result is what a derivation found: a value, none, or why it cannot be told.
type Result struct {
	value  any
	absent string // looked, and there is none: why
	why    string // cannot be told: why
}

// Found is a value, of the field's Go type.
func Found(v any) Result { return Result{value: v} }

// None: everything was there to look at, and there is no value.
func None(why string) Result { return Result{absent: why} }

// Cannot: something was missing, and nobody may guess.
func Cannot(why string) Result { return Result{why: why} }

// Texts is a list of distinct texts, sorted.
func Texts(list []string) Result { return Found(TextList(list)) }

// TextList is the value of Texts.
func TextList(list []string) []any {
	list = slices.Compact(slices.Sorted(slices.Values(list)))
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// Lookup is one pass of deriving over all subjects. Cells are computed once, when
// first asked for; a circle is an error that names itself.
type Lookup struct {
	At       time.Time
	Next     time.Time // nearest instant at which a period begins or ends
	ByKind   map[string][]*Item
	Holders  map[string][]Assignment // by post, in force
	Defaults directive.Values        // for no system in particular

	w        *world
	bySystem map[string][]*Item
	done     map[*Item]map[string]judge.Cell
	busy     map[*Item]map[string]bool
	table    map[string]Derivation
}

// Assignment is a duty that a post carries now, and who holds it.
type Assignment struct{ Person, Duty, Scope string }

func newLookup(w *world, at time.Time) *Lookup {
	l := &Lookup{
		At: at, ByKind: map[string][]*Item{}, Holders: map[string][]Assignment{}, w: w, bySystem: map[string][]*Item{},
		done: map[*Item]map[string]judge.Cell{}, busy: map[*Item]map[string]bool{}, table: w.derivations,
	}
	for _, ref := range w.order() {
		it := w.items[ref]
		if it.Row.Kind == "" || it.Row.Retired {
			continue // struck out, or facts of something no register has
		}
		l.ByKind[it.Kind.ID] = append(l.ByKind[it.Kind.ID], it)
		l.bySystem[it.Row.System] = append(l.bySystem[it.Row.System], it)
	}
	for _, it := range l.ByKind["assignment"] {
		if l.InForce(it) {
			post := DeclaredText(it, "post")
			l.Holders[post] = append(l.Holders[post], Assignment{DeclaredText(it, "person"), DeclaredText(it, "duty"), DeclaredText(it, "scope")})
		}
	}
	l.Defaults = w.resolve(directive.Scope{}, at)
	return l
}

// derive computes one derived field, or takes it from this pass.
func (l *Lookup) derive(it *Item, f kind.Field) judge.Cell {
	if c, ok := l.done[it][f.Name]; ok {
		return c
	}
	r := &Reading{L: l}
	var res Result
	d, known := l.table[f.Derive]
	switch {
	case l.busy[it][f.Name]:
		return unknownCell(f, "circle: "+f.Name+" rests on itself", nil)
	case !known:
		res = Cannot("no derivation " + f.Derive)
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
	c := overridden(it, f, r.cell(f, res), l.At)
	l.done[it][f.Name] = c
	return c
}

// Cell is what a rule reads as s.: observed, else declared, else derived.
func (l *Lookup) Cell(it *Item, name string) (judge.Cell, bool) {
	f, ok := it.Kind.Field(name)
	switch {
	case !ok:
		return judge.Cell{}, false
	case f.In(kind.Observed):
		c, ok := it.Observed[name]
		return c, ok
	case f.In(kind.Declared):
		c, ok := it.Declared[name]
		return c, ok
	}
	return l.derive(it, f), true
}

// Of finds the entry of a kind with a key, struck-out ones left out.
func (l *Lookup) Of(kindID, id string) (*Item, bool) {
	it, ok := l.w.items[fact.NewRef(kindID, id)]
	return it, ok && it.Row.Kind != "" && !it.Row.Retired
}

// Values are the parameters as they hold for an entry. Who reads one notes its Next.
func (l *Lookup) Values(it *Item) directive.Values { return l.w.parameters(it, l.At) }

// InForce reports whether an entry's period holds now, and notes its edges.
func (l *Lookup) InForce(it *Item) bool {
	from, until := DeclaredTime(it, "from"), DeclaredTime(it, "until")
	return l.Within(from, until)
}

// Within reports whether a period holds now, and notes its edges. A zero edge is
// open.
func (l *Lookup) Within(from, until time.Time) bool {
	for _, edge := range []time.Time{from, until} {
		if edge.After(l.At) {
			l.Next = Earlier(l.Next, edge)
		}
	}
	return !l.At.Before(from) && (until.IsZero() || l.At.Before(until))
}

// DeclaredText is a declared text as it stands, without noting that it was read.
func DeclaredText(it *Item, name string) string {
	s, _ := it.Declared[name].Fact.Value.(string)
	return s
}

// DeclaredTime is likewise.
func DeclaredTime(it *Item, name string) time.Time {
	t, _ := it.Declared[name].Fact.Value.(time.Time)
	return t
}

// DeclaredBool is likewise; blank is false.
func DeclaredBool(it *Item, name string) bool {
	b, _ := it.Declared[name].Fact.Value.(bool)
	return b
}

// Reading notes what one derivation read.
type Reading struct {
	L       *Lookup
	lineage []string
	oldest  time.Time // of what was observed
	latest  time.Time // of what was declared
	since   time.Time
	fresh   string
}

// Note records that a cell was read.
func (r *Reading) Note(it *Item, name string, c judge.Cell) {
	ref := it.Row.Kind + "/" + it.Row.ID + "." + name
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
func (r *Reading) stricter(a, b string) string {
	if a == "" || a == b {
		return b
	}
	da, _ := r.L.Defaults[a].Value.(time.Duration)
	db, _ := r.L.Defaults[b].Value.(time.Duration)
	if db < da {
		return b
	}
	return a
}

// Value reads a cell. ok is false when nobody saw it or it is blank; why then
// says so.
func (r *Reading) Value(it *Item, name string) (v any, ok bool, why string) {
	c, there := r.L.Cell(it, name)
	if !there {
		return nil, false, fmt.Sprintf("missing: %s/%s.%s", it.Row.Kind, it.Row.ID, name)
	}
	r.Note(it, name, c)
	if c.Fact.Status != fact.Observed {
		return nil, false, fmt.Sprintf("%s: %s/%s.%s", c.Fact.Status, it.Row.Kind, it.Row.ID, name)
	}
	return c.Fact.Value, true, ""
}

func Read[T any](r *Reading, it *Item, name string) (v T, ok bool, why string) {
	raw, ok, why := r.Value(it, name)
	if !ok {
		return v, false, why
	}
	v, ok = raw.(T)
	if !ok {
		return v, false, fmt.Sprintf("schema: %s/%s.%s", it.Row.Kind, it.Row.ID, name)
	}
	return v, true, ""
}

// Text reads a declared text; blank is "".
func (r *Reading) Text(it *Item, name string) string {
	s, _, _ := Read[string](r, it, name)
	return s
}

// Tri is true, false, or not to be told.
type Tri int

const (
	No Tri = iota
	Unsure
	Yes
)

// Truth is a bool as a Tri.
func Truth(b bool) Tri {
	if b {
		return Yes
	}
	return No
}

// Is reads a bool; blank or unseen is unsure.
func (r *Reading) Is(it *Item, name string) Tri {
	b, ok, _ := Read[bool](r, it, name)
	if !ok {
		return Unsure
	}
	return Truth(b)
}

// AnyOf is yes when one is, no when all are.
func AnyOf(ts ...Tri) Tri {
	return slices.Max(append([]Tri{No}, ts...))
}

// Result is the Tri as a bool, or that it cannot be told and why.
func (t Tri) Result(why string) Result {
	if t == Unsure {
		return Cannot(why)
	}
	return Found(t == Yes)
}

// cell makes a cell of a result, as old as its oldest observed input.
func (r *Reading) cell(f kind.Field, res Result) judge.Cell {
	c := judge.Cell{Fact: fact.Fact{Field: f.Name, Status: fact.Observed, Value: res.value}, Lineage: r.lineage, Fresh: r.fresh,
		ObservedAt: r.oldest, ReceivedAt: r.oldest, Since: r.since, Collector: "derived"}
	if r.oldest.IsZero() {
		c.ObservedAt, c.ReceivedAt = r.latest, r.latest
	}
	if c.ObservedAt.IsZero() {
		c.ObservedAt, c.ReceivedAt = r.L.At, r.L.At // rests on nothing but there being no entry
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

// Most is the greatest of the ints that read finds over items; none when there
// are no items, unknown when one of them is.
func Most(r *Reading, its []*Item, field string) Result {
	var best int64
	for _, it := range its {
		n, ok, why := Read[int64](r, it, field)
		if !ok {
			return Cannot(why)
		}
		best = max(best, n)
	}
	if len(its) == 0 {
		return None("no-entry: nothing to take the greatest of")
	}
	return Found(best)
}

// Matching lists the entries of a kind for which want holds.
func (l *Lookup) Matching(kindID string, want func(*Item) bool) []*Item {
	var out []*Item
	for _, it := range l.ByKind[kindID] {
		if want(it) {
			out = append(out, it)
		}
	}
	return out
}

// InSystem lists the entries of a kind of an item's system.
func (l *Lookup) InSystem(it *Item, kindID string) []*Item {
	if it.Row.System == "" {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(l.bySystem[it.Row.System]), func(x *Item) bool { return x.Kind.ID != kindID })
}

// Members lists a system and everything that belongs to it.
func (l *Lookup) Members(sys *Item) []*Item { return l.bySystem[sys.Row.System] }

// Noted records that a decision was read, and when its force changes.
func (r *Reading) Noted(d Decision) {
	if line := "decision/" + d.ID; !slices.Contains(r.lineage, line) && len(r.lineage) < 50 {
		r.lineage = append(r.lineage, line)
	}
	for _, edge := range []time.Time{d.ApprovedAt, d.From, d.Until, d.WithdrawnAt} {
		if edge.After(r.L.At) {
			r.L.Next = Earlier(r.L.Next, edge)
		} else if edge.After(r.since) {
			r.since = edge
		}
	}
	if d.At.After(r.latest) {
		r.latest = d.At
	}
}

// Keys lists the keys of entries.
func Keys(its []*Item) []string {
	out := make([]string, 0, len(its))
	for _, it := range its {
		out = append(out, it.Row.ID)
	}
	return out
}

// Refs lists the references of entries.
func Refs(its []*Item) []string {
	out := make([]string, 0, len(its))
	for _, it := range its {
		out = append(out, it.Row.Kind+"/"+it.Row.ID)
	}
	return out
}

// Records reads a list of records.
func (r *Reading) Records(it *Item, name string) (out []map[string]any, ok bool, why string) {
	list, ok, why := Read[[]any](r, it, name)
	for _, e := range list {
		if m, isRecord := e.(map[string]any); isRecord {
			out = append(out, m)
		}
	}
	return out, ok, why
}

// Names reads a list of texts.
func (r *Reading) Names(it *Item, name string) (out []string, ok bool, why string) {
	list, ok, why := Read[[]any](r, it, name)
	for _, e := range list {
		if s, isText := e.(string); isText {
			out = append(out, s)
		}
	}
	return out, ok, why
}

// Minus is the texts of a that are not in b, compared without regard to case and
// width.
func Minus(a, b []string) []string {
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
