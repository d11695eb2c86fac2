// Package column keeps one field of many subjects: a Dictionary of the distinct
// cells, and a Column that holds for every row the code of its cell.
//
// Codes are kept as tightly as the largest of them allows, a page of 4,096 rows
// at a time: up to 16 values as slices of one bit, on which a table of truths is
// laid 64 rows at a time; more in one, two or four bytes a row. A Fork shares
// all pages; whoever writes to a shared page first makes its own.
//
// Nothing here knows CEL, parameters or the clock.
package column

import (
	"slices"

	"kakusho/judge/fleet/bits"
)

// Column is a code for every row; 0 where nothing was put. Reading is safe for
// concurrent use, writing is not.
type Column struct {
	rows   int
	width  int                 // bits a code: 1 to 4 slices, else 8, 16 or 32
	sliced [][]bits.Block      // page → slice
	bytes  []*[bits.Size]uint8 // one of these four is used
	shorts []*[bits.Size]uint16
	words  []*[bits.Size]uint32
	shared []bool   // page → another column may have it too
	edits  []uint64 // page → changes
	total  uint64
}

// New makes an empty column.
func New() *Column { return &Column{width: 1} }

// Len is the number of rows.
func (c *Column) Len() int { return c.rows }

// Edits grows with every change. Together with the column it names a state.
func (c *Column) Edits() uint64 { return c.total }

// PageEdits grows with every change of a page.
func (c *Column) PageEdits(page int) uint64 {
	if page >= len(c.edits) {
		return 0
	}
	return c.edits[page]
}

// Fork is a copy that shares every page until one of the two writes to it.
func (c *Column) Fork() *Column {
	f := *c
	f.sliced, f.bytes, f.shorts, f.words = slices.Clone(c.sliced), slices.Clone(c.bytes), slices.Clone(c.shorts), slices.Clone(c.words)
	for i := range c.shared {
		c.shared[i] = true
	}
	f.shared, f.edits = slices.Clone(c.shared), slices.Clone(c.edits)
	return &f
}

// Grow makes room for rows up to n, which read 0.
func (c *Column) Grow(n int) {
	if n <= c.rows {
		return
	}
	c.rows = n
	for len(c.shared) < bits.Blocks(n) {
		c.shared, c.edits = append(c.shared, false), append(c.edits, 0)
		c.addPage()
	}
}

func (c *Column) addPage() {
	switch {
	case c.width <= 4:
		c.sliced = append(c.sliced, make([]bits.Block, c.width))
	case c.width == 8:
		c.bytes = append(c.bytes, new([bits.Size]uint8))
	case c.width == 16:
		c.shorts = append(c.shorts, new([bits.Size]uint16))
	default:
		c.words = append(c.words, new([bits.Size]uint32))
	}
}

// At is the code of a row; 0 beyond the last.
func (c *Column) At(row int) uint32 {
	if row >= c.rows {
		return 0
	}
	page, i := row/bits.Size, row%bits.Size
	switch {
	case c.width <= 4:
		var code uint32
		for s := range c.sliced[page] {
			code |= uint32(c.sliced[page][s][i>>6]>>(i&63)&1) << s
		}
		return code
	case c.width == 8:
		return uint32(c.bytes[page][i])
	case c.width == 16:
		return uint32(c.shorts[page][i])
	}
	return c.words[page][i]
}

// Set gives a row a code, makes room for it if need be, and returns the code it
// had.
func (c *Column) Set(row int, code uint32) (old uint32) {
	c.Grow(row + 1)
	if old = c.At(row); old == code {
		return old
	}
	c.widen(code)
	page, i := row/bits.Size, row%bits.Size
	c.own(page)
	c.edit(page)
	switch {
	case c.width <= 4:
		for s := range c.sliced[page] {
			c.sliced[page][s].Put(i, code>>s&1 != 0)
		}
	case c.width == 8:
		c.bytes[page][i] = uint8(code)
	case c.width == 16:
		c.shorts[page][i] = uint16(code)
	default:
		c.words[page][i] = code
	}
	return old
}

func (c *Column) edit(page int) { c.total++; c.edits[page]++ }

// own makes a page this column's own.
func (c *Column) own(page int) {
	if !c.shared[page] {
		return
	}
	c.shared[page] = false
	switch {
	case c.width <= 4:
		c.sliced[page] = slices.Clone(c.sliced[page])
	case c.width == 8:
		p := *c.bytes[page]
		c.bytes[page] = &p
	case c.width == 16:
		p := *c.shorts[page]
		c.shorts[page] = &p
	default:
		p := *c.words[page]
		c.words[page] = &p
	}
}

// widthOf is the width that codes up to code need.
func widthOf(code uint32) int {
	for w := 1; w <= 4; w++ {
		if code>>w == 0 {
			return w
		}
	}
	switch {
	case code>>8 == 0:
		return 8
	case code>>16 == 0:
		return 16
	}
	return 32
}

// widen rewrites every page when code does not fit.
func (c *Column) widen(code uint32) {
	w := widthOf(code)
	if w <= c.width {
		return
	}
	old := *c
	c.width, c.sliced, c.bytes, c.shorts, c.words = w, nil, nil, nil, nil
	var codes [bits.Size]uint32
	for page := range c.shared {
		c.shared[page] = false
		old.Codes(page, &codes)
		c.addPage()
		c.write(page, &codes)
	}
}

// write fills a page that is the column's own.
func (c *Column) write(page int, codes *[bits.Size]uint32) {
	switch {
	case c.width <= 4:
		for s := range c.sliced[page] {
			b := &c.sliced[page][s]
			for w := range b {
				var word uint64
				for i, code := range codes[w*64 : w*64+64] {
					word |= uint64(code>>s&1) << i
				}
				b[w] = word
			}
		}
	case c.width == 8:
		for i, code := range codes {
			c.bytes[page][i] = uint8(code)
		}
	case c.width == 16:
		for i, code := range codes {
			c.shorts[page][i] = uint16(code)
		}
	default:
		*c.words[page] = *codes
	}
}

// Codes writes the codes of a page into codes.
func (c *Column) Codes(page int, codes *[bits.Size]uint32) {
	if page >= len(c.shared) {
		*codes = [bits.Size]uint32{}
		return
	}
	switch {
	case c.width <= 4:
		*codes = [bits.Size]uint32{}
		for s := range c.sliced[page] {
			for row := range c.sliced[page][s].All() {
				codes[row] |= 1 << s
			}
		}
	case c.width == 8:
		for i, code := range c.bytes[page] {
			codes[i] = uint32(code)
		}
	case c.width == 16:
		for i, code := range c.shorts[page] {
			codes[i] = uint32(code)
		}
	default:
		*codes = *c.words[page]
	}
}
