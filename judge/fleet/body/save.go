package body

import (
	"encoding/json"
	"slices"

	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet/column"
	"kakusho/judge/fleet/frame"
	"kakusho/judge/fleet/reign"
	"kakusho/judge/fleet/sight"
	"kakusho/judge/fleet/table"
	"kakusho/kind"
)

// alike reports whether values of two types look the same.
func alike(a, b kind.Type) bool {
	sort := func(t kind.Type) kind.Type {
		switch t {
		case kind.Text, kind.Enum, kind.Ref:
			return kind.String
		case kind.Date:
			return kind.Time
		}
		return t
	}
	return sort(a) == sort(b)
}

// Fit reports whether the columns hold all that rules read.
func (b *Body) Fit() bool { return !b.unfit }

// Mark notes in used which moments the body holds.
func (b *Body) Mark(used []bool) {
	for _, s := range b.Sights {
		s.Mark(used)
	}
}

// Whole makes columns of all cells that subjects were put with, so that columns
// alone will do.
func (b *Body) Whole() {
	for row := range b.All {
		if head := b.Head(row); !bare(head) {
			b.keep(table.Facts, head.Facts)
			b.keep(table.Declared, head.Declared)
		}
	}
}

// keep makes columns of the cells that have none.
func (b *Body) keep(layer table.Layer, cells map[string]judge.Cell) {
	for name := range cells {
		s := table.Source{Layer: layer, Name: name}
		if f, ok := b.Kind.Field(name); ok && b.columns[s] == nil {
			b.make([]table.Source{s}, map[table.Source]kind.Type{s: f.Type})
		}
	}
}

// Packed is the same subjects with nothing but the codes and moments that are
// used, and no leaves. The moments must be those of every body, packed; to says
// for every old one which it is.
func (b *Body) Packed(m *sight.Moments, to []uint32) *Body {
	p := New(b.Kind, m, b.Scopes, b.fetch)
	p.Names, p.heads, p.Scope = b.Names, b.heads.Fork(), b.Scope.Fork()
	p.Alive, p.Laid, p.Dirty = slices.Clone(b.Alive), slices.Clone(b.Laid), make([]bool, len(b.Dirty))
	p.partial = b.partial
	for _, c := range b.Columns {
		if c.Group < 0 {
			continue // answers are looked for anew
		}
		used := make([]bool, c.Cells.Len())
		c.Codes.Mark(used)
		dict, renumbered := c.Cells.Compact(used)
		n := &Column{Source: c.Source, Cells: table.Cells{Dictionary: dict}, Codes: c.Codes.Renumber(renumbered), Group: c.Group, Field: c.Field}
		if c.declared != nil {
			n.declared = c.declared.Fork()
		}
		p.enter(n)
	}
	for _, s := range b.Sights {
		p.Sights = append(p.Sights, s.Renumber(m, to))
	}
	return p
}

// Codes is how many codes the body's dictionaries hold, used or not.
func (b *Body) Codes() (n int) {
	for _, c := range b.Columns {
		n += c.Cells.Len()
	}
	return n
}

// Write writes the body, but not its moments.
func (b *Body) Write(w *frame.Writer) {
	refs := b.Names.List()
	w.Uint(uint64(len(refs)))
	for row, ref := range refs {
		w.Text(string(ref))
		s := b.Head(row)
		if w.Bool(s != nil); s != nil {
			writeHead(w, s)
		}
	}
	w.Uint(uint64(len(b.Sights)))
	for _, s := range b.Sights {
		s.Write(w)
	}
	w.Uint(uint64(len(b.Columns)))
	for _, c := range b.Columns {
		w.Uint(uint64(c.Source.Layer))
		w.Text(c.Source.Name)
		w.Uint(uint64(c.Group))
		w.Uint(uint64(c.Field))
		c.Cells.Write(w)
		c.Codes.Write(w)
		if w.Bool(c.declared != nil); c.declared != nil {
			c.declared.Write(w)
		}
	}
}

func writeHead(w *frame.Writer, s *Subject) {
	w.Text(s.System)
	w.Text(s.Scope.Prefecture)
	w.Text(s.Scope.System)
	w.Time(s.InServiceOn)
	w.Uint(uint64(len(s.Decisions)))
	for _, d := range s.Decisions {
		b, err := json.Marshal(d)
		if err != nil {
			b = nil // a value that JSON has no words for: it is not read back, and the fleet is built again
		}
		w.Bytes(b)
	}
}

func readHead(r *frame.Reader, ref fact.Ref) *Subject {
	s := &Subject{Subject: judge.Subject{Ref: ref}, System: r.Text(), Scope: directive.Scope{Prefecture: r.Text(), System: r.Text()}}
	s.InServiceOn = r.Time()
	for n := r.Count(most); r.Err() == nil && len(s.Decisions) < n; {
		var d decision.Decision
		if err := json.Unmarshal(r.Bytes(), &d); err != nil && r.Err() == nil {
			r.Fail("a decision: %v", err)
		}
		s.Decisions = append(s.Decisions, d)
	}
	return s
}

// most is more of anything than there can be.
const most = 1 << 31

// Read reads a body that Write wrote.
func Read(r *frame.Reader, k kind.Kind, m *sight.Moments, scopes *reign.Scopes) *Body {
	b := New(k, m, scopes, nil)
	for n := r.Count(most); r.Err() == nil && len(b.Names.List()) < n; {
		ref := fact.Ref(r.Text())
		row := b.Names.Row(ref, true)
		if row != len(b.Names.List())-1 || ref.Kind() != k.ID {
			r.Fail("subject %q", ref)
		}
		if b.grow(row + 1); r.Bool() && r.Err() == nil {
			b.place(row, readHead(r, ref))
		}
	}
	for n := r.Count(most); r.Err() == nil && len(b.Sights) < n; {
		b.Sights = append(b.Sights, sight.ReadSights(r, m))
	}
	for n := r.Count(most); r.Err() == nil && len(b.Columns) < n; {
		if c := b.readColumn(r); r.Err() == nil {
			b.enter(c)
		}
	}
	return b
}

func (b *Body) readColumn(r *frame.Reader) *Column {
	c := &Column{Source: table.Source{Layer: table.Layer(r.Count(int(table.Declared))), Name: r.Text()}}
	if b.columns[c.Source] != nil {
		r.Fail("column %v comes twice", c.Source)
	}
	if c.Group = r.Count(len(b.Sights) - 1); r.Err() == nil {
		c.Field = r.Count(b.Sights[c.Group].Fields() - 1)
	}
	c.Cells.Dictionary = column.ReadDictionary(r)
	c.Codes = column.ReadColumn(r, c.Cells.Len())
	if r.Bool() {
		c.declared = column.ReadColumn(r, 2)
	}
	return c
}

// Renew is for a body that was read: rules that need what it does not hold make it
// unfit, unless cells can be fetched.
func (b *Body) Renew(complete bool, fetch Fetch) { b.fetch, b.partial = fetch, !complete }
