package table

import (
	"maps"
	"slices"
	"sync"
	"time"

	"kakusho/fact"
	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/column"
	"kakusho/judge/fleet/table/like"
	"kakusho/rule"
	"kakusho/rule/weigh"
)

// Elements is what the lists of a column hold, each distinct element once, with
// the fields that predicates read as columns. Forks share it.
type Elements struct {
	mu     sync.Mutex
	dict   *column.Dictionary
	fields map[string]*field
}

// NewElements describes the elements that a dictionary of lists holds.
func NewElements(lists *column.Dictionary) *Elements {
	return &Elements{dict: lists.Elements(), fields: map[string]*field{}}
}

// field is one field of every element.
type field struct {
	dict  *column.Dictionary
	codes []uint32 // by element
}

// field brings a field up to n elements.
func (e *Elements) field(name string, f *rule.Field, n int) *field {
	c, ok := e.fields[name]
	if !ok {
		c = &field{dict: e.dict}
		if f != nil {
			c.dict = column.NewDictionary(f.Type)
		}
		e.fields[name] = c
	}
	for code := len(c.codes); code < n; code++ {
		if f == nil {
			c.codes = append(c.codes, uint32(code))
			continue
		}
		var in uint32
		record, _ := e.dict.At(uint32(code)).Value.(map[string]any)
		switch v, said := record[name]; {
		case v != nil:
			in = c.dict.Code(fact.Observed, v)
		case said: // left blank
			in = c.dict.Code(fact.Absent, nil)
		}
		c.codes = append(c.codes, in)
	}
	return c
}

// walk is what a table over lists knows of their elements.
type walk struct {
	tables  []*Table   // of the predicate's leaves
	serials []int      // of them, when elements was last made
	of      []Domain   // of the same
	codes   [][]uint32 // of the same: by element
	flags   [][]bits.Flags
	element []bits.Flags // what the predicate comes to
	hits    map[int]bits.Flags
	plain   []bool // by list: it can be gone over here
}

func (w *walk) fork() *walk {
	g := &walk{serials: slices.Clone(w.serials), element: slices.Clone(w.element), hits: maps.Clone(w.hits), plain: slices.Clone(w.plain)}
	for _, t := range w.tables {
		g.tables = append(g.tables, t.Fork())
	}
	return g
}

// Leaf implements Row: the row is an element.
type elementRow struct {
	*walk
	code uint32
}

func (r *elementRow) Leaf(l *Leaf) bits.Flags { return r.flags[l.Index][r.codes[l.Index][r.code]] }

// records are the elements themselves, for leaves that read several of their
// fields.
type records struct {
	n      int
	fields []*field
}

func (r records) Len() int                   { return r.n }
func (r records) Orders(int, int) [][]uint32 { return nil }
func (r records) Cells(code uint32, into []column.Entry) []column.Entry {
	for _, f := range r.fields {
		into = append(into, f.dict.At(f.codes[code]))
	}
	return into
}

// walkAll brings a table over lists to n codes and to now.
func (t *Table) walkAll(c Cells, now time.Time, n int) {
	c.Elements.mu.Lock()
	defer c.Elements.mu.Unlock()
	if t.walk == nil {
		t.walk = &walk{hits: map[int]bits.Flags{}}
		for _, l := range t.leaf.inner {
			t.walk.tables = append(t.walk.tables, New(l, t.values))
		}
		t.walk.serials = make([]int, len(t.leaf.inner))
	}
	again := t.walkElements(c.Elements, now)
	ask := newProber(t.leaf, t.values, now)
	from := len(t.flags)
	t.flags = append(t.flags, make([]bits.Flags, n-from)...)
	if t.leaf.Clocked { // else what was handed out stays: forks at other instants read it
		t.again(ask, c, now)
	}
	entries := c.Entries()
	if again {
		for code, plain := range t.walk.plain {
			if !plain {
				continue
			}
			if f := t.fold(ask, c, &entries[code], uint32(code)); f != t.flags[code] {
				t.flags[code] = f
				t.serial++
			}
		}
	}
	for code := from; code < n; code++ {
		plain := t.plain(&entries[code])
		t.walk.plain = append(t.walk.plain, plain)
		if plain {
			t.flags[code] = t.fold(ask, c, &entries[code], uint32(code))
		} else {
			t.loosen(ask, c, uint32(code))
		}
	}
	t.at, t.until = now, time.Time{}
	for _, in := range t.walk.tables {
		t.until = weigh.Earlier(t.until, in.Until())
	}
	for _, x := range t.loose {
		t.until = weigh.Earlier(t.until, x.until)
	}
}

// walkElements works out the predicate for every element, and reports whether one
// that was there before is another now.
func (t *Table) walkElements(e *Elements, now time.Time) (changed bool) {
	w, n := t.walk, e.dict.Len()
	w.of, w.codes, w.flags = w.of[:0], w.codes[:0], w.flags[:0]
	same := true
	for i, l := range t.leaf.inner {
		w.domain(l, e, n)
		w.flags = append(w.flags, w.tables[i].Flags(w.of[i], now))
		if s := w.tables[i].Serial(); s != w.serials[i] {
			w.serials[i], same = s, false
		}
	}
	from := 0
	if same {
		from = len(w.element)
	}
	row := &elementRow{walk: w}
	for code := from; code < n; code++ {
		row.code = uint32(code)
		f := t.leaf.predicate.At(row)
		if code >= len(w.element) {
			w.element = append(w.element, f)
		} else if w.element[code] != f {
			w.element[code], changed = f, true
		}
	}
	return changed
}

// domain says what the codes of an inner leaf stand for, and which code an
// element has.
func (w *walk) domain(l *Leaf, e *Elements, n int) {
	fields := make([]*field, len(l.Sources))
	for i, s := range l.Sources {
		fields[i] = e.field(s.Name, l.Field(i), n)
	}
	switch len(fields) {
	case 0: // a constant: of whatever element
		w.of, w.codes = append(w.of, records{n: 1}), append(w.codes, make([]uint32, n))
	case 1:
		w.of, w.codes = append(w.of, Cells{Dictionary: fields[0].dict}), append(w.codes, fields[0].codes)
	default:
		all := e.field("", nil, n)
		w.of, w.codes = append(w.of, records{n, fields}), append(w.codes, all.codes)
	}
}

// plain reports whether a list can be gone over here: it was seen in full and
// everything about it is as the field wants it.
func (t *Table) plain(e *column.Entry) bool {
	f := t.leaf.node.List.Field
	list, ok := e.Value.([]any)
	return ok && len(list) > 0 && len(e.Elements) == len(list) && like.Whole(e, f)
}

// fold is what the leaf comes to for a list whose elements are told.
func (t *Table) fold(ask *prober, c Cells, e *column.Entry, code uint32) bits.Flags {
	r := t.join(ask, c, e, code)
	if l := t.leaf; l.push && l.pol != 0 && r == bits.Unsure|bits.Absent {
		return pushed(l.pol)
	}
	return r
}

// join joins what the predicate says of a list's elements.
func (t *Table) join(ask *prober, c Cells, e *column.Entry, code uint32) bits.Flags {
	switch t.leaf.node.Op {
	case rule.All:
		r := bits.Yes
		for _, x := range e.Elements {
			r = both(r, t.walk.element[x], bits.No)
		}
		return r
	case rule.Exists:
		r := bits.No
		for _, x := range e.Elements {
			r = both(r, t.walk.element[x], bits.Yes)
		}
		return r
	}
	return t.count(ask, c, e, code)
}

// count compares how many elements the predicate holds for. What a number comes
// to is asked about one list that has it.
func (t *Table) count(ask *prober, c Cells, e *column.Entry, code uint32) bits.Flags {
	hits, broken, unsure := 0, false, bits.Broken
	for _, x := range e.Elements {
		switch f := t.walk.element[x]; {
		case f&bits.Unsure != 0:
			unsure |= f
		case f == bits.Yes:
			hits++
		case f == bits.Broken:
			broken = true
		}
	}
	if unsure != bits.Broken {
		return unsure
	}
	if broken {
		hits = -1
	}
	f, ok := t.walk.hits[hits]
	if !ok {
		f, _ = t.weigh(ask, c, code)
		t.walk.hits[hits] = f
	}
	return f
}
