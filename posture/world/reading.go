package world

import (
	"fmt"
	"slices"
	"time"

	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
)

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

// InForce reports whether an entry's period holds now, and notes its edges.
func (l *Layer) InForce(it *Item) bool {
	from, until := it.Time("from"), it.Time("until")
	return l.Within(from, until)
}

// Within reports whether a period holds now, and notes its edges. A zero edge is
// open.
func (l *Layer) Within(from, until time.Time) bool {
	l.Until(from)
	l.Until(until)
	return !l.At.Before(from) && (until.IsZero() || l.At.Before(until))
}

// DeclaredText is a declared text as it stands, without noting that it was read:
// what rests on an item that a Layer gave rests on what is declared of it anyway.
func DeclaredText(it *Item, name string) string { return it.Text(name) }

// DeclaredTime is likewise.
func DeclaredTime(it *Item, name string) time.Time { return it.Time(name) }

// DeclaredBool is likewise; blank is false.
func DeclaredBool(it *Item, name string) bool {
	v, _ := it.Value(name).(bool)
	return v
}

// DeclaredValue is likewise, of any type; blank is nil.
func DeclaredValue(it *Item, name string) any { return it.Value(name) }

// Reading notes what one derivation read.
type Reading struct {
	L        *Layer
	lineage  []string
	oldest   time.Time // of what was observed
	latest   time.Time // of what was declared
	since    time.Time
	fresh    string
	seenNow  bool // something rests on nothing but there being no entry
	sinceNow bool
}

// Note records that a cell was read, as a rule reads it.
func (r *Reading) Note(it *Item, name string) {
	if m, ok := r.L.memo(it, name); ok {
		r.note(it, name, m)
	}
}

// NoteDeclared records that a declared cell was read.
func (r *Reading) NoteDeclared(it *Item, name string) {
	c, _ := it.Declared(name)
	r.note(it, name, memo{cell: c})
}

// NoteSeen records that an observed cell was read, or that there is none.
func (r *Reading) NoteSeen(it *Item, name string) {
	c, _ := r.L.Seen(it, name)
	r.note(it, name, memo{cell: c})
}

func (r *Reading) note(it *Item, name string, m memo) {
	r.line(it.Row.Kind + "/" + it.Row.ID + "." + name)
	c := m.cell
	switch {
	case c.Fresh != "":
		if r.oldest.IsZero() || c.ObservedAt.Before(r.oldest) {
			r.oldest = c.ObservedAt
		}
		r.fresh = r.stricter(r.fresh, c.Fresh)
	case m.seenNow:
		r.seenNow = true
	case c.ObservedAt.After(r.latest):
		r.latest = c.ObservedAt
	}
	if m.sinceNow {
		r.sinceNow = true
	} else if c.Since.After(r.since) {
		r.since = c.Since
	}
}

// mostLines is how long a lineage is at most.
const mostLines = 50

func (r *Reading) line(ref string) {
	if len(r.lineage) < mostLines && !slices.Contains(r.lineage, ref) {
		r.lineage = append(r.lineage, ref)
	}
}

// stricter is the freshness parameter of the two that ends sooner.
func (r *Reading) stricter(a, b string) string {
	if a == "" || a == b {
		return b
	}
	da, _ := r.L.Default(a).Value.(time.Duration)
	db, _ := r.L.Default(b).Value.(time.Duration)
	if db < da {
		return b
	}
	return a
}

// Value reads a cell. ok is false when nobody saw it or it is blank; why then
// says so.
func (r *Reading) Value(it *Item, name string) (v any, ok bool, why string) {
	m, there := r.L.memo(it, name)
	if !there {
		return nil, false, fmt.Sprintf("missing: %s/%s.%s", it.Row.Kind, it.Row.ID, name)
	}
	r.note(it, name, m)
	c := m.cell
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

// memo makes a cell of a result, as old as its oldest observed input.
func (r *Reading) memo(f kind.Field, res Result) memo {
	c := judge.Cell{Fact: fact.Fact{Field: f.Name, Status: fact.Observed, Value: res.value}, Lineage: r.lineage, Fresh: r.fresh,
		ObservedAt: r.oldest, ReceivedAt: r.oldest, Since: r.since, Collector: "derived"}
	m := memo{sinceNow: r.sinceNow}
	if r.oldest.IsZero() {
		c.ObservedAt, c.ReceivedAt = r.latest, r.latest
		m.seenNow = r.seenNow || r.latest.IsZero() // rests on nothing but there being no entry
	}
	if c.Since.IsZero() {
		c.Since = c.ObservedAt
		m.sinceNow = m.sinceNow || m.seenNow
	}
	c.Fact.Source = []fact.Source{{Kind: "derived", Ref: f.Derive}}
	switch {
	case res.why != "":
		c.Fact.Status, c.Fact.Value, c.Fact.Reason = fact.Error, nil, res.why
	case res.absent != "":
		c.Fact.Status, c.Fact.Value, c.Fact.Reason = fact.Absent, nil, res.absent
	}
	m.cell = c
	return m
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

// Noted records that a decision was read, and when its force changes.
func (r *Reading) Noted(d Decision) {
	r.line("decision/" + d.ID)
	for _, edge := range []time.Time{d.ApprovedAt, d.From, d.Until, d.WithdrawnAt} {
		if edge.After(r.L.At) {
			r.L.Until(edge)
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
		have[plain(s)] = true
	}
	var out []string
	for _, s := range a {
		if !have[plain(s)] {
			out = append(out, s)
		}
	}
	return out
}
