package column

import "kakusho/judge/fleet/bits"

// Paint makes into, for every row of a page, what the table says of its code.
// The table must hold every code of the column; rows beyond the last read 0.
func (c *Column) Paint(page int, table []bits.Flags, into *bits.Truths) {
	into.Reset()
	if page >= len(c.shared) {
		into.All(table[0])
		return
	}
	switch {
	case c.width <= 4:
		c.paintSlices(page, table, into)
	case c.width == 8:
		paint(c.bytes[page], table, into)
	case c.width == 16:
		paint(c.shorts[page], table, into)
	default:
		paint(c.words[page], table, into)
	}
}

// Lay is Paint for codes that stand in no column.
func Lay(codes *[bits.Size]uint32, table []bits.Flags, into *bits.Truths) {
	into.Reset()
	paint(codes, table, into)
}

// paintSlices lays the table on slices: the rows of each code in turn.
func (c *Column) paintSlices(page int, table []bits.Flags, into *bits.Truths) {
	var rows bits.Block
	for code := range min(len(table), 1<<c.width) {
		f := table[code]
		if f == bits.Broken {
			continue
		}
		if c.rowsOf(page, uint32(code), &rows) {
			into.Add(&rows, f)
		}
	}
}

// rowsOf makes rows those of a page whose code is code, and reports whether
// there are any.
func (c *Column) rowsOf(page int, code uint32, rows *bits.Block) bool {
	some := uint64(0)
	var flip [4]uint64
	for s := range flip {
		flip[s] = uint64(code>>s&1) - 1 // all ones where the slice must be 0
	}
	switch p := c.sliced[page]; len(p) {
	case 1:
		for i := range rows {
			rows[i] = p[0][i] ^ flip[0]
			some |= rows[i]
		}
	case 2:
		for i := range rows {
			rows[i] = (p[0][i] ^ flip[0]) & (p[1][i] ^ flip[1])
			some |= rows[i]
		}
	case 3:
		for i := range rows {
			rows[i] = (p[0][i] ^ flip[0]) & (p[1][i] ^ flip[1]) & (p[2][i] ^ flip[2])
			some |= rows[i]
		}
	default:
		for i := range rows {
			rows[i] = (p[0][i] ^ flip[0]) & (p[1][i] ^ flip[1]) & (p[2][i] ^ flip[2]) & (p[3][i] ^ flip[3])
			some |= rows[i]
		}
	}
	return some != 0
}

// paint looks every code up, eight rows at a time, and turns the eight flags
// about so that each plane gets a byte.
func paint[T uint8 | uint16 | uint32](codes *[bits.Size]T, table []bits.Flags, into *bits.Truths) {
	var used bits.Flags
	for w := range bits.Size / 64 {
		var planes [8]uint64
		for b := 0; b < 64; b += 8 {
			k := (*[8]T)(codes[w*64+b:])
			x := uint64(table[k[0]]) | uint64(table[k[1]])<<8 | uint64(table[k[2]])<<16 | uint64(table[k[3]])<<24 |
				uint64(table[k[4]])<<32 | uint64(table[k[5]])<<40 | uint64(table[k[6]])<<48 | uint64(table[k[7]])<<56
			x = transpose(x)
			planes[0] |= x & 0xff << b
			planes[1] |= x >> 8 & 0xff << b
			if x>>16 != 0 {
				for p := 2; p < bits.Flagged; p++ {
					planes[p] |= x >> (8 * p) & 0xff << b
				}
			}
		}
		for p, word := range planes[:bits.Flagged] {
			if word != 0 {
				into.Planes[p][w] = word
				used |= 1 << p
			}
		}
	}
	into.Used = used
}

// transpose turns eight bytes of eight bits about their diagonal.
func transpose(x uint64) uint64 {
	t := (x ^ x>>7) & 0x00aa00aa00aa00aa
	x ^= t ^ t<<7
	t = (x ^ x>>14) & 0x0000cccc0000cccc
	x ^= t ^ t<<14
	t = (x ^ x>>28) & 0x00000000f0f0f0f0
	return x ^ t ^ t<<28
}
