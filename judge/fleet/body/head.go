package body

import (
	"maps"

	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/column"
	"kakusho/judge/fleet/sight"
	"kakusho/judge/fleet/table"
)

// Fetch finds the cells of a subject, as they were last told to the fleet.
type Fetch func(fact.Ref) (judge.Subject, bool)

// head is what is kept of a subject: without its cells, if they can be fetched.
func (b *Body) head(s *Subject) *Subject {
	h := *s
	switch {
	case b.fetch != nil:
		h.Facts, h.Declared = nil, nil
	case h.Facts == nil:
		h.Facts = map[string]judge.Cell{}
	}
	return &h
}

// bare reports whether nothing but columns holds the cells of a subject.
func bare(head *Subject) bool { return head.Facts == nil && head.Declared == nil }

// Head is what is kept of the subject of a row; nil if there is none.
func (b *Body) Head(row int) *Subject { return b.heads.At(row) }

// Subject finds what is kept of a subject.
func (b *Body) Subject(ref fact.Ref) *Subject { return b.Head(b.Names.Row(ref, false)) }

// All lists what is kept of the subjects that are there.
func (b *Body) All(yield func(int, *Subject) bool) { b.heads.All(yield) }

// Freeze is the body's subjects and columns as they are, to be read only. It does
// not change any more. What did not change since the last time is the same.
func (b *Body) Freeze() *Body {
	f := &Body{Kind: b.Kind, Names: b.Names, Moments: b.Moments, Scopes: b.Scopes, fetch: b.fetch, heads: b.heads.Fork(), columns: map[table.Source]*Column{}}
	f.Scope = b.Scope.Fork()
	f.Columns = make([]*Column, len(b.Columns))
	for i, c := range b.Columns {
		f.Columns[i] = c.freeze()
	}
	f.Sights = make([]*sight.Sights, len(b.Sights))
	for len(b.frozen) < len(b.Sights) {
		b.frozen = append(b.frozen, nil)
	}
	for i, s := range b.Sights {
		if b.frozen[i] == nil || b.frozen[i].Edits() != s.Edits() {
			b.frozen[i] = s.Fork()
		}
		f.Sights[i] = b.frozen[i]
	}
	return f
}

func (c *Column) freeze() *Column {
	old := c.frozen
	if old == nil || old.Codes.Edits() != c.Codes.Edits() || c.declared != nil && old.declared.Edits() != c.declared.Edits() {
		n := *c
		n.Codes, n.frozen = c.Codes.Fork(), nil
		if c.declared != nil {
			n.declared = c.declared.Fork()
		}
		c.frozen = &n
	}
	return c.frozen
}

// Full is a subject with its cells, or at least those that rules read.
func (b *Body) Full(row int) *Subject {
	head := b.Head(row)
	if head == nil || !bare(head) {
		return head
	}
	s := *head
	if b.fetch == nil {
		b.restore(row, &s)
	} else if with, ok := b.fetch(s.Ref); ok {
		s.Facts, s.Declared = with.Facts, with.Declared
	}
	return &s
}

// restore makes the cells of a subject from columns: enough of them for every
// outcome, but not for reasons.
func (b *Body) restore(row int, s *Subject) {
	s.Facts, s.Declared = map[string]judge.Cell{}, map[string]judge.Cell{}
	for _, c := range b.Columns {
		code := c.Codes.At(row)
		if c.Group < 0 || code == column.Missing {
			continue
		}
		e, seen := c.Cells.At(code), b.Sights[c.Group].At(row, c.Field)
		cell := judge.Cell{
			Fact:       fact.Fact{Field: c.Source.Name, Status: e.Status, Value: e.Value},
			ObservedAt: b.Moments.At(seen), Fresh: b.Moments.Fresh(seen),
		}
		into := s.Facts
		if c.Source.Layer == table.Declared || c.declared != nil && c.declared.At(row) == 1 {
			into = s.Declared
		}
		if _, has := into[c.Source.Name]; !has || c.Source.Layer == table.Facts {
			into[c.Source.Name] = cell
		}
	}
}

// See takes over cells of a row, as rules read them through s, and adds to changed
// the columns whose cell is another now, or seen at another time.
func (b *Body) See(row int, cells map[string]judge.Cell, changed []*Column) []*Column {
	head := b.heads.At(row)
	switch {
	case !bare(head):
		s := *head
		s.Facts = make(map[string]judge.Cell, len(head.Facts)+len(cells))
		maps.Copy(s.Facts, head.Facts)
		maps.Copy(s.Facts, cells)
		b.heads.Set(row, &s)
	case b.Laid[row/bits.Size].Has(row % bits.Size): // what Judge said of it is void
		s := *head
		b.heads.Set(row, &s)
	}
	if bare(head) && b.fetch == nil {
		b.keep(table.Facts, cells)
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
