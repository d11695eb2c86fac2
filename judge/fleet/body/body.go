// Package body keeps the subjects of one kind as columns of codes, and lays the
// leaves of rules on them: page by page, or for one row.
//
// Nothing here judges. A body knows which pages were written to; package fleet
// judges them.
package body

import (
	"slices"

	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/column"
	"kakusho/judge/fleet/reign"
	"kakusho/judge/fleet/roll"
	"kakusho/judge/fleet/sight"
	"kakusho/judge/fleet/table"
	"kakusho/kind"
)

// Subject is one subject; Names numbers those of a kind.
type (
	Subject = roll.Subject
	Names   = roll.Names
)

// Body is the subjects of one kind.
type Body struct {
	Kind    kind.Kind
	Names   *Names
	Moments *sight.Moments
	Scopes  *reign.Scopes

	heads   roll.Heads
	fetch   Fetch
	Alive   []bits.Block // by page
	Laid    []bits.Block // by page: rows over which a decision may lie
	Dirty   []bool       // by page: every rule is to be judged again
	Scope   *column.Column
	columns map[table.Source]*Column
	Columns []*Column            // as they were made
	named   map[string][]*Column // by field: what is read through s
	Sights  []*sight.Sights
	frozen  []*sight.Sights // as they were when somebody took hold of them
	Veil    Veil
	note    []*Column // that write found to be others
	partial bool      // not all cells are in columns, nor can they be fetched
	unfit   bool      // a rule reads what the columns, which were read from a file, do not hold

	Maker    *table.Maker
	Leaves   []*Leaf             // by their index
	Answered map[string]*Answers // by control: who answered
}

// Column is one field as rules read it, or the answers to a control.
type Column struct {
	Source table.Source
	Index  int // among the body's columns
	Cells  table.Cells
	Codes  *column.Column
	Group  int // among the body's sights; -1: answers have none
	Field  int // within the group

	frozen   *Column        // as it was when somebody took hold of it
	declared *column.Column // of what is declared first: 1 in rows in which it is
}

// New makes a body without subjects.
func New(k kind.Kind, m *sight.Moments, s *reign.Scopes, fetch Fetch) *Body {
	return &Body{
		Kind: k, Names: roll.NewNames(), Moments: m, Scopes: s, Scope: column.New(), fetch: fetch,
		columns: map[table.Source]*Column{}, named: map[string][]*Column{}, Maker: table.NewMaker(), Answered: map[string]*Answers{},
	}
}

// grow makes room for rows up to n.
func (b *Body) grow(n int) {
	for len(b.Alive) < bits.Blocks(n) {
		b.Alive, b.Laid, b.Dirty = append(b.Alive, bits.Block{}), append(b.Laid, bits.Block{}), append(b.Dirty, true)
	}
}

// Put adds or replaces a subject.
func (b *Body) Put(s *Subject) {
	row := b.Names.Row(s.Ref, true)
	b.grow(row + 1)
	head := b.head(s)
	b.place(row, head)
	b.write(row, s, b.Columns)
	b.note = b.note[:0]
	for _, a := range b.Answered {
		a.put(row, head) // which it keeps: it must not keep cells
	}
}

// place makes s the subject of a row.
func (b *Body) place(row int, s *Subject) {
	b.heads.Set(row, s)
	page, i := row/bits.Size, row%bits.Size
	b.Alive[page].Add(i)
	b.Laid[page].Put(i, slices.ContainsFunc(s.Decisions, roll.Overlies))
	b.Dirty[page] = true
	b.Scope.Set(row, b.Scopes.Code(s.Scope))
}

// Drop removes a subject and reports whether it was there.
func (b *Body) Drop(ref fact.Ref) bool {
	row := b.Names.Row(ref, false)
	if b.Head(row) == nil {
		return false
	}
	page, i := row/bits.Size, row%bits.Size
	b.heads.Set(row, nil)
	b.Alive[page].Remove(i)
	b.Laid[page].Remove(i)
	b.Dirty[page] = true
	for _, a := range b.Answered {
		a.drop(row)
	}
	return true
}

// Replace puts a subject that is there already anew, with the same decisions in the
// same place, and adds to changed the columns whose cell is another now, or seen at
// another time.
func (b *Body) Replace(s *Subject, changed []*Column) []*Column {
	row := b.Names.Row(s.Ref, false)
	b.heads.Set(row, b.head(s))
	b.note = changed
	b.write(row, s, b.Columns)
	changed, b.note = b.note, nil
	return changed
}

// write enters a subject's cells in columns, and notes which are others now.
func (b *Body) write(row int, s *Subject, cols []*Column) {
	seen := make([][]sight.Seen, len(b.Sights))
	for _, c := range cols {
		if c.Group < 0 {
			continue
		}
		if seen[c.Group] == nil {
			seen[c.Group] = make([]sight.Seen, b.Sights[c.Group].Fields())
		}
		if c.declared != nil {
			_, first := s.Declared[c.Source.Name]
			c.lead(row, first)
		}
		var code uint32
		var at sight.Seen
		if cell, ok := c.Source.Cell(&s.Subject); ok {
			code, at = c.Cells.Code(cell.Fact.Status, cell.Fact.Value), b.Moments.Seen(cell.Fresh, cell.ObservedAt)
		}
		seen[c.Group][c.Field] = at
		if c.Codes.Set(row, code) != code || code != column.Missing && b.Sights[c.Group].At(row, c.Field) != at {
			b.note = append(b.note, c)
		}
	}
	for g, all := range seen {
		if all != nil {
			b.Sights[g].PutRow(row, all)
		}
	}
}

// need makes the columns that leaves read and that are not there yet.
func (b *Body) need(leaves []*table.Leaf) {
	want := map[table.Source]kind.Type{}
	var order []table.Source
	for _, l := range leaves {
		for i, s := range l.Sources {
			t := kind.String
			if s.Layer != table.Answer {
				t = l.Field(i).Type
			}
			if c := b.columns[s]; c != nil && !alike(c.Cells.Of(), t) {
				b.unfit = true
			}
			if _, ok := want[s]; !ok && b.columns[s] == nil {
				want[s] = t
				order = append(order, s)
			}
		}
	}
	b.make(order, want)
}

// make makes columns, and enters what is known of every subject.
func (b *Body) make(sources []table.Source, types map[table.Source]kind.Type) {
	groups := map[string]int{}
	sizes := []int{}
	from := len(b.Columns)
	for _, s := range sources {
		c := &Column{Source: s, Codes: column.New(), Group: -1}
		c.Cells.Dictionary = column.NewDictionary(types[s])
		if s.Layer != table.Answer {
			key := b.collector(s)
			g, ok := groups[key]
			if !ok {
				g = len(sizes)
				groups[key], sizes = g, append(sizes, 0)
			}
			c.Group, c.Field = len(b.Sights)+g, sizes[g]
			sizes[g]++
		}
		b.enter(c)
	}
	for _, n := range sizes {
		b.Sights = append(b.Sights, sight.NewSights(b.Moments, n))
	}
	made := b.Columns[from:]
	if !slices.ContainsFunc(made, func(c *Column) bool { return c.Group >= 0 }) {
		return
	}
	for row := range b.All {
		b.write(row, b.Full(row), made)
		b.note, b.unfit = b.note[:0], b.unfit || b.partial
	}
}

// enter takes a column in among the body's.
func (b *Body) enter(c *Column) {
	c.Index = len(b.Columns)
	b.columns[c.Source] = c
	b.Columns = append(b.Columns, c)
	if c.Cells.Dictionary.Elements() != nil {
		c.Cells.Elements = table.NewElements(c.Cells.Dictionary)
	}
	if c.Source.Layer == table.DeclaredFirst && c.declared == nil {
		c.declared = column.New()
	}
	if c.reads() {
		b.named[c.Source.Name] = append(b.named[c.Source.Name], c)
	}
}

// collector names who sees a field together with others at one time.
func (b *Body) collector(s table.Source) string {
	f, _ := b.Kind.Field(s.Name)
	switch {
	case s.Layer == table.Declared || f.In(kind.Declared) && !f.In(kind.Observed):
		return "declared"
	case f.In(kind.Observed):
		return "observed " + f.Group
	}
	return "derived " + s.Name
}

// Take makes room for the leaves that the body's Maker made since.
func (b *Body) Take() {
	b.need(b.Maker.Order[len(b.Leaves):])
	for _, l := range b.Maker.Order[len(b.Leaves):] {
		b.Leaves = append(b.Leaves, newLeaf(l, b.columns))
	}
}

// Ask prepares for the answers to the rules that have a record.
func (b *Body) Ask(rules []*judge.Rule) {
	before := b.Answered
	b.Answered = map[string]*Answers{}
	for _, r := range rules {
		c := r.Control()
		column := b.columns[table.Source{Layer: table.Answer, Name: c.ID}]
		if c.Record == nil || column == nil {
			continue
		}
		if a := before[c.ID]; a != nil && a.rule == r {
			b.Answered[c.ID] = a
			continue
		}
		a := newAnswers(r, column)
		b.Answered[c.ID] = a
		for row, s := range b.All {
			a.put(row, s)
		}
	}
}

// Fork copies a body; both share every page that neither changes.
func (b *Body) Fork() *Body {
	g := *b
	g.heads = b.heads.Fork()
	g.Alive, g.Laid, g.Dirty = slices.Clone(b.Alive), slices.Clone(b.Laid), slices.Clone(b.Dirty)
	g.Scope = b.Scope.Fork()
	g.columns, g.Columns, g.named = make(map[table.Source]*Column, len(b.columns)), nil, map[string][]*Column{}
	for _, c := range b.Columns {
		d := *c
		d.Codes, d.frozen = c.Codes.Fork(), nil
		if c.declared != nil {
			d.declared = c.declared.Fork()
		}
		g.columns[c.Source] = &d
		g.Columns = append(g.Columns, &d)
		if c.reads() {
			g.named[c.Source.Name] = append(g.named[c.Source.Name], &d)
		}
	}
	g.Sights, g.frozen, g.note = nil, nil, nil
	for _, s := range b.Sights {
		g.Sights = append(g.Sights, s.Fork())
	}
	g.Veil = b.Veil.fork()
	g.Maker = b.Maker.Fork()
	g.Leaves = nil
	for _, l := range b.Leaves {
		g.Leaves = append(g.Leaves, l.fork(g.columns))
	}
	g.Answered = map[string]*Answers{}
	for id, a := range b.Answered {
		g.Answered[id] = a.fork(g.columns)
	}
	return &g
}
