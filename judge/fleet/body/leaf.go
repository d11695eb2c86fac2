package body

import (
	"maps"
	"slices"
	"time"

	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/column"
	"kakusho/judge/fleet/reign"
	"kakusho/judge/fleet/sight"
	"kakusho/judge/fleet/table"
	"kakusho/judge/fleet/tuple"
	"kakusho/rule/weigh"
)

// Leaf is a part of rules over the columns of a body, with a table for each set
// of parameter values that it was ever held to.
type Leaf struct {
	*table.Leaf
	Columns []*Column
	domain  table.Domain
	tuples  *tuple.Dictionary // of several columns
	tables  map[string]*table.Table

	classes []class
	of      []int   // regime → class
	Moved   bool    // what it comes to changed since the last judgement
	version int     // grows whenever it does
	kept    []*kept // by page
}

// class is the regimes under which a leaf comes to the same.
type class struct {
	table  *table.Table
	flags  []bits.Flags
	serial int
}

func newLeaf(l *table.Leaf, columns map[table.Source]*Column) *Leaf {
	x := &Leaf{Leaf: l, tables: map[string]*table.Table{}, domain: table.Constant{}}
	x.bind(columns)
	switch len(x.Columns) {
	case 0:
	case 1:
		x.domain = x.Columns[0].Cells
	default:
		var of []*column.Dictionary
		for _, c := range x.Columns {
			of = append(of, c.Cells.Dictionary)
		}
		x.tuples = tuple.New(of...)
		x.domain = x.tuples
	}
	return x
}

func (l *Leaf) bind(columns map[table.Source]*Column) {
	l.Columns = nil
	for _, s := range l.Sources {
		l.Columns = append(l.Columns, columns[s])
	}
}

// fork shares tables, but those that follow the clock.
func (l *Leaf) fork(columns map[table.Source]*Column) *Leaf {
	g := *l
	g.bind(columns)
	g.classes, g.kept = slices.Clone(l.classes), slices.Clone(l.kept)
	g.tables = maps.Clone(l.tables)
	if !l.Clocked {
		return &g
	}
	for key, t := range l.tables {
		g.tables[key] = t.Fork()
		for i := range g.classes {
			if l.classes[i].table == t { // whose flags go with the clock of l
				g.classes[i].table, g.classes[i].flags = g.tables[key], nil
			}
		}
	}
	return &g
}

// Settle brings the leaf's tables to an instant, for so many pages, and notes
// whether anything moved. It returns until when the tables hold.
func (l *Leaf) Settle(r *reign.Reign, pages int, ruled bool, at time.Time) (until time.Time) {
	moved := false
	if ruled || l.classes == nil {
		of, first := r.Parted(l.Params)
		classes := make([]class, len(first))
		for i, g := range first {
			key := g.Signature(l.Params)
			if l.tables[key] == nil {
				l.tables[key] = table.New(l.Leaf, g.Values)
			}
			classes[i].table = l.tables[key]
		}
		moved = r.Shuffled && len(l.classes)+len(classes) > 2 || !slices.Equal(of, l.of) || !slices.EqualFunc(classes, l.classes, func(a, b class) bool { return a.table == b.table })
		for i := range classes {
			if i < len(l.classes) && l.classes[i].table == classes[i].table {
				classes[i].serial = l.classes[i].serial
			}
		}
		l.of, l.classes = of, classes
	}
	for i := range l.classes {
		c := &l.classes[i]
		c.flags = c.table.Flags(l.domain, at)
		if s := c.table.Serial(); s != c.serial {
			c.serial, moved = s, true
		}
	}
	if moved {
		l.Moved = true
		l.version++
	}
	if len(l.kept) < pages {
		l.kept = append(l.kept, make([]*kept, pages-len(l.kept))...)
	}
	return l.Until()
}

// Until is until when the leaf's tables hold as far as they go.
func (l *Leaf) Until() (until time.Time) {
	if !l.Clocked {
		return until
	}
	for i := range l.classes {
		until = weigh.Earlier(until, l.classes[i].table.Until())
	}
	return until
}

// Asked is how often the tables of all leaves had to ask rule/weigh.
func (b *Body) Asked() (n int) {
	for _, l := range b.Leaves {
		for _, t := range l.tables {
			n += t.Asked()
		}
	}
	return n
}

// View is what one worker sees of a body while it judges page after page.
type View struct {
	Body  *Body
	Reign *reign.Reign
	Veil  *Veil
	At    time.Time
	Page  int

	truths []*bits.Truths  // by leaf
	done   []int           // by leaf: page + 1 for which truths are
	parts  map[*int]*parts // by partition of the regimes
	codes  [][bits.Size]uint32
	hid    []*sight.Found
	part   bits.Truths
	Stack  table.Stack
}

// NewView is for one worker at one instant.
func NewView(b *Body, r *reign.Reign, at time.Time) *View { return new(View).Over(b, r, at) }

// Over makes a view that is not used any more one over another body, or at another
// instant.
func (v *View) Over(b *Body, r *reign.Reign, at time.Time) *View {
	v.Body, v.Reign, v.Veil, v.At = b, r, &b.Veil, at
	if n := len(b.Leaves) - len(v.truths); n > 0 {
		v.truths, v.done = append(v.truths, make([]*bits.Truths, n)...), append(v.done, make([]int, n)...)
	}
	clear(v.done)
	v.parts = map[*int]*parts{}
	return v
}

// Leaf implements table.Page.
func (v *View) Leaf(l *table.Leaf) *bits.Truths {
	if v.truths[l.Index] == nil {
		v.truths[l.Index] = new(bits.Truths)
	}
	into := v.truths[l.Index]
	if v.done[l.Index] != v.Page+1 {
		v.done[l.Index] = v.Page + 1
		v.paint(v.Body.Leaves[l.Index], into)
	}
	return into
}

// paint lays a leaf's tables on the page, each on the rows of its regimes.
func (v *View) paint(l *Leaf, into *bits.Truths) {
	if len(l.Columns) == 0 {
		v.layAll(l, into)
		return
	}
	if !v.recall(l, into) {
		v.pair(l)
		v.layAll(l, into)
		v.keep(l, into)
	}
}

func (v *View) layAll(l *Leaf, into *bits.Truths) {
	if len(l.classes) == 1 {
		v.lay(l, &l.classes[0], into)
		return
	}
	parts := v.parted(l.of, len(l.classes))
	v.lay(l, &l.classes[parts.most], into)
	for i := range l.classes {
		switch c := &l.classes[i]; {
		case i == parts.most || parts.count[i] == 0:
		case parts.count[i] <= sparse:
			v.dot(l, c, &parts.rows[i], into)
		default:
			v.lay(l, c, &v.part)
			v.part.Keep(&parts.rows[i])
			into.Set(&parts.rows[i], bits.Broken)
			for p := range bits.Flagged {
				if v.part.Used>>p&1 != 0 {
					into.Planes[p].Or(&v.part.Planes[p])
				}
			}
			into.Used |= v.part.Used
		}
	}
}

// sparse is up to how many rows are looked up one by one.
const sparse = 300

// dot is lay for a few rows.
func (v *View) dot(l *Leaf, c *class, rows *bits.Block, into *bits.Truths) {
	var hidden bits.Block
	var flags []bits.Flags
	switch len(l.Columns) {
	case 0:
	case 1:
		hidden, _ = v.hidden(l.Columns[0])
	default:
		flags = c.table.Flags(l.domain, v.At)
	}
	for i := range rows.All() {
		switch {
		case len(l.Columns) == 0:
			into.Put(i, c.flags[0])
		case len(l.Columns) > 1:
			into.Put(i, flags[v.codes[0][i]])
		case hidden.Has(i):
			into.Put(i, c.flags[column.Missing])
		default:
			into.Put(i, c.flags[l.Columns[0].Codes.At(v.Page*bits.Size+i)])
		}
	}
}

// lay is what one table comes to for every row of the page. A cell that is not to
// be believed is as good as missing.
func (v *View) lay(l *Leaf, c *class, into *bits.Truths) {
	switch len(l.Columns) {
	case 0:
		into.All(c.flags[0])
	case 1:
		l.Columns[0].Codes.Paint(v.Page, c.flags, into)
		if hidden, any := v.hidden(l.Columns[0]); any {
			into.Set(&hidden, c.flags[column.Missing])
		}
	default:
		column.Lay(&v.codes[0], c.table.Flags(l.domain, v.At), into)
	}
}

// pair turns the codes of several columns into those of their tuples.
func (v *View) pair(l *Leaf) {
	if len(l.Columns) < 2 {
		return
	}
	for len(v.codes) < len(l.Columns) {
		v.codes = append(v.codes, [bits.Size]uint32{})
	}
	for i, c := range l.Columns {
		c.Codes.Codes(v.Page, &v.codes[i])
		if hidden, any := v.hidden(c); any {
			for row := range hidden.All() {
				v.codes[i][row] = column.Missing
			}
		}
	}
	codes := make([]uint32, len(l.Columns))
	for row := range bits.Size {
		for i := range codes {
			codes[i] = v.codes[i][row]
		}
		v.codes[0][row] = l.tuples.Code(codes)
	}
}

// parts are the rows of a page by class of their regimes.
type parts struct {
	page  int // + 1
	rows  []bits.Block
	count []int
	most  int // the class of most rows
}

// parted parts the rows of the page as of parts the regimes.
func (v *View) parted(of []int, classes int) *parts {
	p := v.parts[&of[0]]
	if p == nil {
		p = &parts{}
		v.parts[&of[0]] = p
	}
	if p.page == v.Page+1 {
		return p
	}
	*p = parts{page: v.Page + 1, rows: append(p.rows[:0], make([]bits.Block, classes)...), count: append(p.count[:0], make([]int, classes)...)}
	var codes [bits.Size]uint32
	v.Body.Scope.Codes(v.Page, &codes)
	for row := range v.Body.Alive[v.Page].All() {
		c := of[v.Reign.Of[codes[row]]]
		p.rows[c].Add(row)
		p.count[c]++
	}
	for c, n := range p.count {
		if n > p.count[p.most] {
			p.most = c
		}
	}
	return p
}

// hidden is the rows of the page in which a column's cell is not to be believed.
func (v *View) hidden(c *Column) (rows bits.Block, any bool) {
	if c.Group < 0 {
		return rows, false
	}
	found := v.Veil.in(v.Page, c)
	if len(found) == 1 {
		return found[0].Rows, found[0].Any
	}
	for i, f := range found {
		if f.Any {
			in := v.parted(v.Veil.of, len(found)).rows[i]
			in.And(&f.Rows)
			rows.Or(&in)
		}
	}
	return rows, !rows.Empty()
}

// Row is a table.Row: one subject of a body.
type Row struct {
	*View
	N      int
	regime int
	tuple  [8]uint32
}

// To moves r to a row.
func (r *Row) To(n int) *Row {
	r.N, r.regime = n, r.Reign.Of[r.Body.Scope.At(n)]
	return r
}

// Leaf implements table.Row.
func (r *Row) Leaf(l *table.Leaf) bits.Flags {
	x := r.Body.Leaves[l.Index]
	c := &x.classes[x.of[r.regime]]
	code := uint32(0)
	switch len(x.Columns) {
	case 0:
	case 1:
		code = r.code(x.Columns[0])
	default:
		codes := r.tuple[:0]
		for _, col := range x.Columns {
			codes = append(codes, r.code(col))
		}
		code = x.tuples.Code(codes)
	}
	if int(code) >= len(c.flags) {
		c.flags = c.table.Flags(x.domain, r.At)
	}
	return c.flags[code]
}

// Until is until when what a leaf says of codes holds, for the row's regime.
func (r *Row) Until(l *Leaf) time.Time {
	if !l.Clocked {
		return time.Time{}
	}
	return l.classes[l.of[r.regime]].table.Until()
}

// code is the code of the row's cell, if it is to be believed.
func (r *Row) code(c *Column) uint32 {
	if doubted, _ := r.Doubts(c); doubted {
		return column.Missing
	}
	return c.Codes.At(r.N)
}

// Doubts reports whether a column's cell is not to be believed, and until when
// that holds; zero: for ever.
func (r *Row) Doubts(c *Column) (doubted bool, until time.Time) {
	if c.Group < 0 || c.Codes.At(r.N) == column.Missing {
		return false, until
	}
	return r.Veil.doubts[r.Veil.of[r.regime]].Seen(r.Body.Sights[c.Group].At(r.N, c.Field), r.At)
}
