package paper

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/hajimehoshi/ebiten/v2/examples/resources/fonts"
)

// fontName is how the embedded font is called in a file. It is M+ 1p, free for any
// use; it comes with a Go module, so that the checksum in go.sum locks it.
const fontName = "MPLUS1p-Regular"

var loadFont = sync.OnceValues(func() (*font, error) { return parseFont(fonts.MPlus1pRegular_ttf) })

// font is a TrueType font as this package needs it: which glyph draws a character,
// how wide it is, and the outlines to embed.
type font struct {
	tables                map[string][]byte
	units                 int
	ascent, descent       int
	box                   [4]int
	advances              []uint16
	loca                  []uint32
	glyphs                map[rune]uint16
	glyf                  []byte
	italicAngle, capWidth int
}

var errFont = errors.New("not a TrueType font that can be embedded")

// parseFont reads the tables. Everything is checked for length, as a font may be
// another's.
func parseFont(b []byte) (f *font, err error) {
	defer func() {
		if p := recover(); p != nil {
			f, err = nil, fmt.Errorf("%w: %v", errFont, p)
		}
	}()
	be := binary.BigEndian
	f = &font{tables: map[string][]byte{}, glyphs: map[rune]uint16{}}
	for i := range int(be.Uint16(b[4:])) {
		d := b[12+16*i:]
		at, n := int(be.Uint32(d[8:])), int(be.Uint32(d[12:]))
		f.tables[string(d[:4])] = b[at : at+n]
	}
	head, hhea, maxp, hmtx, loca := f.tables["head"], f.tables["hhea"], f.tables["maxp"], f.tables["hmtx"], f.tables["loca"]
	f.glyf = f.tables["glyf"]
	f.units = int(be.Uint16(head[18:]))
	for i := range f.box {
		f.box[i] = int(int16(be.Uint16(head[36+2*i:])))
	}
	f.ascent, f.descent = int(int16(be.Uint16(hhea[4:]))), int(int16(be.Uint16(hhea[6:])))
	count, full := int(be.Uint16(maxp[4:])), int(be.Uint16(hhea[34:]))
	if f.units == 0 || full == 0 || count == 0 {
		return nil, errFont
	}
	for i := range count {
		f.advances = append(f.advances, be.Uint16(hmtx[4*min(i, full-1):]))
	}
	for i := range count + 1 {
		at := uint32(0)
		if be.Uint16(head[50:]) == 0 {
			at = 2 * uint32(be.Uint16(loca[2*i:]))
		} else {
			at = be.Uint32(loca[4*i:])
		}
		if int(at) > len(f.glyf) || i > 0 && at < f.loca[i-1] {
			return nil, errFont
		}
		f.loca = append(f.loca, at)
	}
	return f, f.readMap(f.tables["cmap"])
}

// readMap reads the character map: format 12 over format 4.
func (f *font) readMap(cmap []byte) error {
	be := binary.BigEndian
	var best []byte
	for i := range int(be.Uint16(cmap[2:])) {
		sub := cmap[be.Uint32(cmap[4+8*i+4:]):]
		switch be.Uint16(sub) {
		case 12:
			best = sub
		case 4:
			if best == nil {
				best = sub
			}
		}
	}
	switch {
	case best == nil:
		return errFont
	case be.Uint16(best) == 12:
		for i := range int(be.Uint32(best[12:])) {
			g := best[16+12*i:]
			first, last, glyph := be.Uint32(g), be.Uint32(g[4:]), be.Uint32(g[8:])
			for c := first; c <= last && last <= 0x10FFFF; c++ {
				f.set(rune(c), glyph+c-first)
			}
		}
	default:
		f.readSegments(best)
	}
	return nil
}

func (f *font) readSegments(b []byte) {
	be := binary.BigEndian
	n := int(be.Uint16(b[6:])) / 2
	ends, starts, deltas, offsets := b[14:], b[16+2*n:], b[16+4*n:], b[16+6*n:]
	for i := range n {
		end, start, delta, offset := be.Uint16(ends[2*i:]), be.Uint16(starts[2*i:]), be.Uint16(deltas[2*i:]), int(be.Uint16(offsets[2*i:]))
		for c := int(start); c <= int(end) && c != 0xFFFF; c++ {
			glyph := uint16(c) + delta
			if offset != 0 {
				if glyph = be.Uint16(offsets[2*i+offset+2*(c-int(start)):]); glyph != 0 {
					glyph += delta
				}
			}
			f.set(rune(c), uint32(glyph))
		}
	}
}

func (f *font) set(c rune, glyph uint32) {
	if glyph != 0 && int(glyph) < len(f.advances) {
		f.glyphs[c] = uint16(glyph)
	}
}

// width is a character's, in thousandths of the font's size.
func (f *font) width(c rune) int {
	return int(f.advances[f.glyphs[c]]) * 1000 / f.units
}

// subset is the font with the outlines of used glyphs alone, at their numbers.
func (f *font) subset(used map[uint16]bool) []byte {
	be := binary.BigEndian
	keep := map[uint16]bool{0: true}
	for g := range used {
		f.close(g, keep, 0)
	}
	var glyf []byte
	loca := make([]byte, 4*len(f.loca))
	for i := range f.advances {
		be.PutUint32(loca[4*i:], uint32(len(glyf)))
		if keep[uint16(i)] {
			glyf = append(glyf, f.glyf[f.loca[i]:f.loca[i+1]]...)
			for len(glyf)%4 != 0 {
				glyf = append(glyf, 0)
			}
		}
	}
	be.PutUint32(loca[4*len(f.advances):], uint32(len(glyf)))
	head := append([]byte(nil), f.tables["head"]...)
	be.PutUint16(head[50:], 1)
	be.PutUint32(head[8:], 0)
	tables := map[string][]byte{"head": head, "loca": loca, "glyf": glyf}
	var names []string
	for _, name := range []string{"cvt ", "fpgm", "glyf", "head", "hhea", "hmtx", "loca", "maxp", "prep"} {
		if t, ok := f.tables[name]; ok {
			if tables[name] == nil {
				tables[name] = t
			}
			names = append(names, name)
		}
	}
	return assemble(names, tables)
}

// close keeps a glyph and the parts that it is composed of.
func (f *font) close(g uint16, keep map[uint16]bool, depth int) {
	if int(g) >= len(f.advances) || depth > 8 {
		return
	}
	keep[g] = true
	be := binary.BigEndian
	b := f.glyf[f.loca[g]:f.loca[g+1]]
	if len(b) < 10 || int16(be.Uint16(b)) >= 0 {
		return
	}
	for b = b[10:]; len(b) >= 4; {
		flags, part, n := be.Uint16(b), be.Uint16(b[2:]), 6
		if flags&1 != 0 {
			n += 2
		}
		switch {
		case flags&8 != 0:
			n += 2
		case flags&0x40 != 0:
			n += 4
		case flags&0x80 != 0:
			n += 8
		}
		f.close(part, keep, depth+1)
		if flags&0x20 == 0 || n > len(b) {
			return
		}
		b = b[n:]
	}
}

func assemble(names []string, tables map[string][]byte) []byte {
	be := binary.BigEndian
	power := 1
	log := 0
	for power*2 <= len(names) {
		power *= 2
		log++
	}
	out := be.AppendUint32(nil, 0x00010000)
	for _, n := range []int{len(names), power * 16, log, (len(names) - power) * 16} {
		out = be.AppendUint16(out, uint16(n))
	}
	at := 12 + 16*len(names)
	var body []byte
	for _, name := range names {
		t := append([]byte(nil), tables[name]...)
		n := len(t)
		for len(t)%4 != 0 {
			t = append(t, 0)
		}
		sum := uint32(0)
		for i := 0; i < len(t); i += 4 {
			sum += be.Uint32(t[i:])
		}
		out = append(out, name...)
		for _, v := range []uint32{sum, uint32(at + len(body)), uint32(n)} {
			out = be.AppendUint32(out, v)
		}
		body = append(body, t...)
	}
	return append(out, body...)
}
