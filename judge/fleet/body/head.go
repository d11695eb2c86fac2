package body

import (
	"maps"
	"slices"

	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/column"
	"kakusho/judge/fleet/table"
)

// Fetch finds the cells of a subject, as they were last told to the fleet.
type Fetch func(fact.Ref) (judge.Subject, bool)

// heads is a subject for every row, a page at a time. Forks share pages.
type heads struct {
	pages  []*[bits.Size]*Subject
	shared []bool // page → somebody else may hold it
}

func (h *heads) at(row int) *Subject {
	if row < 0 || row/bits.Size >= len(h.pages) {
		return nil
	}
	return h.pages[row/bits.Size][row%bits.Size]
}

func (h *heads) set(row int, s *Subject) {
	page := row / bits.Size
	for len(h.pages) <= page {
		h.pages, h.shared = append(h.pages, new([bits.Size]*Subject)), append(h.shared, false)
	}
	if h.shared[page] {
		own := *h.pages[page]
		h.pages[page], h.shared[page] = &own, false
	}
	h.pages[page][row%bits.Size] = s
}

func (h *heads) fork() heads {
	for i := range h.shared {
		h.shared[i] = true
	}
	return heads{slices.Clone(h.pages), slices.Clone(h.shared)}
}

// head is what is kept of a subject: without its cells, if they can be fetched.
func (b *Body) head(s *Subject) *Subject {
	if b.fetch == nil {
		return s
	}
	h := *s
	h.Facts, h.Declared = nil, nil
	return &h
}

// Head is what is kept of the subject of a row; nil if there is none.
func (b *Body) Head(row int) *Subject { return b.heads.at(row) }

// Subject finds what is kept of a subject.
func (b *Body) Subject(ref fact.Ref) *Subject { return b.Head(b.Names.Row(ref, false)) }

// All lists what is kept of the subjects that are there.
func (b *Body) All(yield func(int, *Subject) bool) {
	for page := range b.heads.pages {
		for i, s := range b.heads.pages[page] {
			if s != nil && !yield(page*bits.Size+i, s) {
				return
			}
		}
	}
}

// Heads freezes what is kept of every subject, by row. It does not change any
// more.
func (b *Body) Heads() func(row int) *Subject {
	h := b.heads.fork()
	return h.at
}

// Full is a subject with its cells.
func (b *Body) Full(head *Subject) *Subject {
	if b.fetch == nil || head == nil {
		return head
	}
	s := *head
	if with, ok := b.fetch(s.Ref); ok {
		s.Facts, s.Declared = with.Facts, with.Declared
	}
	return &s
}

// See takes over cells of a row, as rules read them through s, and adds to changed
// the columns whose cell is another now, or seen at another time.
func (b *Body) See(row int, cells map[string]judge.Cell, changed []*Column) []*Column {
	head := b.heads.at(row)
	switch {
	case b.fetch == nil:
		s := *head
		s.Facts = make(map[string]judge.Cell, len(head.Facts)+len(cells))
		maps.Copy(s.Facts, head.Facts)
		maps.Copy(s.Facts, cells)
		b.heads.set(row, &s)
	case b.Laid[row/bits.Size].Has(row % bits.Size): // what Judge said of it is void
		s := *head
		b.heads.set(row, &s)
	}
	for name := range cells {
		cell := cells[name]
		for _, c := range b.named[name] {
			if c.declared != nil && c.declared.At(row) == 1 {
				continue // what is declared is read
			}
			code, seen := c.Cells.Code(cell.Fact.Status, cell.Fact.Value), b.Moments.Seen(cell.Fresh, cell.ObservedAt)
			s := b.Sights[c.Group]
			if c.Codes.Set(row, code) != code || s.At(row, c.Field) != seen {
				s.Put(row, c.Field, seen)
				changed = append(changed, c)
			}
		}
	}
	return changed
}

// lead notes whether a declared cell comes first in a row.
func (c *Column) lead(row int, declared bool) {
	code := uint32(column.Missing)
	if declared {
		code = 1
	}
	c.declared.Set(row, code)
}

// reads reports whether a column holds what is seen of a field, not declared.
func (c *Column) reads() bool {
	return c.Source.Layer != table.Declared && c.Source.Layer != table.Answer
}
