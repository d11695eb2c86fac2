package column

import (
	"slices"

	"kakusho/judge/fleet/bits"
)

// Mark notes in used which codes the column holds.
func (c *Column) Mark(used []bool) {
	var codes [bits.Size]uint32
	for page := range c.shared {
		c.Codes(page, &codes)
		for _, code := range codes[:min(bits.Size, c.rows-page*bits.Size)] {
			used[code] = true
		}
	}
}

// Renumber is the column with every code replaced, kept as tightly as it can be.
func (c *Column) Renumber(to []uint32) *Column {
	n := New()
	n.Grow(c.rows)
	largest := uint32(0)
	for _, code := range to {
		largest = max(largest, code)
	}
	n.widen(largest)
	var codes [bits.Size]uint32
	for page := range c.shared {
		c.Codes(page, &codes)
		for i, code := range codes[:min(bits.Size, c.rows-page*bits.Size)] {
			codes[i] = to[code]
		}
		n.write(page, &codes)
	}
	n.total = c.total + 1
	for page := range n.edits {
		n.edits[page] = c.edits[page] + 1
	}
	return n
}

// Compact is a dictionary of the used codes only, and for every old code its
// new one; 0 for those that are gone. Ordered values come first, in their order:
// neighbours in value are neighbours in every table.
func (d *Dictionary) Compact(used []bool) (*Dictionary, []uint32) {
	n, to := NewDictionary(d.of), make([]uint32, d.Len())
	entries := d.Entries()
	move := func(code int) {
		if code > 0 && code < len(used) && used[code] && to[code] == 0 {
			to[code] = n.Code(entries[code].Status, entries[code].Value)
		}
	}
	for _, code := range slices.Clone(d.Order(0)) {
		move(int(code))
	}
	for code := range entries {
		move(code)
	}
	return n, to
}
