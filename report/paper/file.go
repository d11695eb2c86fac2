package paper

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf16"
)

// file is a PDF as it is written: objects by number, the first being 1.
type file struct{ objects [][]byte }

func (f *file) reserve() int { f.objects = append(f.objects, nil); return len(f.objects) }

func (f *file) set(n int, format string, a ...any) { f.objects[n-1] = fmt.Appendf(nil, format, a...) }

func (f *file) add(format string, a ...any) int {
	n := f.reserve()
	f.set(n, format, a...)
	return n
}

func (f *file) stream(entries string, data []byte) int {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	w.Write(data) //nolint:errcheck // a buffer takes everything
	w.Close()     //nolint:errcheck
	n := f.reserve()
	f.objects[n-1] = append(fmt.Appendf(nil, "<<%s/Filter/FlateDecode/Length %d>>\nstream\n", entries, z.Len()), append(z.Bytes(), "\nendstream"...)...)
	return n
}

// write writes everything. The identifier is of the content, so that the same
// content gives the same bytes.
func (f *file) write(w io.Writer, root, info int) error {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xE2\xE3\xCF\xD3\n")
	places := make([]int, len(f.objects))
	for i, o := range f.objects {
		places[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	id := sha256.Sum256(b.Bytes())
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(f.objects)+1)
	for _, at := range places {
		fmt.Fprintf(&b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root %d 0 R/Info %d 0 R/ID[<%x><%x>]>>\nstartxref\n%d\n%%%%EOF\n", len(f.objects)+1, root, info, id[:16], id[:16], xref)
	_, err := w.Write(b.Bytes())
	return err
}

// text is a text string of PDF in UTF-16.
func text(s string) string {
	var b strings.Builder
	b.WriteString("<FEFF")
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, "%04X", u)
	}
	return b.String() + ">"
}

// embed writes the font with the glyphs that were drawn and what each means.
func (f *file) embed(t *font, meaning map[uint16]rune) int {
	used := map[uint16]bool{}
	var glyphs []uint16
	for g := range meaning {
		used[g] = true
		glyphs = append(glyphs, g)
	}
	slices.Sort(glyphs)
	program := t.subset(used)
	data := f.stream(fmt.Sprintf("/Length1 %d", len(program)), program)
	scale := func(n int) int { return n * 1000 / t.units }
	sum := sha256.Sum256(program)
	tag := make([]byte, 6)
	for i := range tag {
		tag[i] = 'A' + sum[i]%26
	}
	name := string(tag) + "+" + fontName
	descriptor := f.add("<</Type/FontDescriptor/FontName/%s/Flags 4/FontBBox[%d %d %d %d]/ItalicAngle 0/Ascent %d/Descent %d/CapHeight %d/StemV 80/FontFile2 %d 0 R>>",
		name, scale(t.box[0]), scale(t.box[1]), scale(t.box[2]), scale(t.box[3]), scale(t.ascent), scale(t.descent), scale(t.ascent), data)
	var widths, chars strings.Builder
	for i, g := range glyphs {
		fmt.Fprintf(&widths, "%d[%d]", g, scale(int(t.advances[g])))
		if i%100 == 0 {
			if i > 0 {
				chars.WriteString("endbfchar\n")
			}
			fmt.Fprintf(&chars, "%d beginbfchar\n", min(100, len(glyphs)-i))
		}
		fmt.Fprintf(&chars, "<%04X> <%s\n", g, strings.TrimPrefix(text(string(meaning[g])), "<FEFF"))
	}
	if len(glyphs) > 0 {
		chars.WriteString("endbfchar\n")
	}
	unicode := f.stream("", []byte("/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def /CMapName /Adobe-Identity-UCS def /CMapType 2 def\n1 begincodespacerange <0000> <FFFF> endcodespacerange\n"+chars.String()+"endcmap CMapName currentdict /CMap defineresource pop end end\n"))
	cid := f.add("<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/FontDescriptor %d 0 R/DW 1000/W[%s]/CIDToGIDMap/Identity>>", name, descriptor, widths.String())
	return f.add("<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>", name, cid, unicode)
}
