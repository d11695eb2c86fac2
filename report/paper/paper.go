// Package paper writes official papers in Japanese as PDF: A4, upright or lying, a
// table whose head stands on every page, page numbers, the font embedded, the text
// extractable, and tagged so that a screen reader knows table, head and cell.
//
// The same paper gives the same bytes: nothing in a file tells when it was written.
// A character that the font cannot draw is drawn as 〓, extracts as itself, and is
// named at the end: a name that silently loses a character is another name.
package paper

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"kakusho/report/figure"
)

// Paper is one document.
type Paper struct {
	Title   string
	Lang    string   // ja, en
	Lying   bool     // landscape
	Notes   []string // lines under the title
	Seals   []string // boxes for approval, right of the title; empty: none
	Parts   []Part
	Foot    string // beside the page number
	Lost    string // what stands before characters that could not be drawn
	Subject string
}

// Part is a heading, lines of text, a figure and a table, each of which may be empty.
type Part struct {
	Heading string
	Lines   []string
	Figure  *figure.Figure
	Head    []string
	Rows    [][]string
	Weights []float64 // widths of columns among each other; empty: by content
	Empty   string    // said in place of no rows
}

const (
	margin  = 42.0
	body    = 8.5 // size of text
	leading = 12.0
	pad     = 3.0
)

// Write writes the paper.
func (p *Paper) Write(w io.Writer) error {
	f, err := loadFont()
	if err != nil {
		return fmt.Errorf("write paper: %w", err)
	}
	d := &drawing{paper: p, font: f, width: 595.28, height: 841.89, meaning: map[uint16]rune{}}
	if p.Lying {
		d.width, d.height = d.height, d.width
	}
	d.root = &node{role: "Document"}
	d.turn()
	d.title()
	for _, part := range p.Parts {
		d.part(part)
	}
	if len(d.lost) > 0 {
		slices.Sort(d.lost)
		var codes []string
		for _, c := range d.lost {
			codes = append(codes, fmt.Sprintf("U+%04X", c))
		}
		d.lines("P", p.Lost+strings.Join(codes, " "), body)
	}
	if err := d.finish(w); err != nil {
		return fmt.Errorf("write paper: %w", err)
	}
	return nil
}

// visible is a text as it can be drawn in one line: control characters are spaces.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, s)
}

// Characters that do not begin a line, and those that do not end one.
const (
	notFirst = "、。，．・：；？！）」』】〉》〕｝ー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ,.:;?!)]}%％"
	notLast  = "（「『【〈《〔｛([{"
)

// wrap breaks text into lines of at most width points. Words of Latin letters stay
// whole where they can.
func (f *font) wrap(s string, size, width float64) (lines []string) {
	for line := range strings.SplitSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n") {
		runes := []rune(visible(line))
		for len(runes) > 0 {
			n, used := 0, 0.0
			for n < len(runes) && (n == 0 || used+f.points(runes[n], size) <= width) {
				used += f.points(runes[n], size)
				n++
			}
			if n < len(runes) {
				n = fitting(runes, n)
			}
			lines = append(lines, strings.TrimRight(string(runes[:n]), " "))
			runes = runes[n:]
			for len(runes) > 0 && runes[0] == ' ' {
				runes = runes[1:]
			}
		}
		if line == "" {
			lines = append(lines, "")
		}
	}
	return lines
}

// fitting moves a break after n characters to an earlier place where one may be; n
// when there is none near.
func fitting(runes []rune, n int) int {
	for at := n; at > max(n/2, 0); at-- {
		before, after := runes[at-1], runes[at]
		switch {
		case strings.ContainsRune(notFirst, after), strings.ContainsRune(notLast, before):
		case word(before) && word(after):
		default:
			return at
		}
	}
	return n
}

func word(r rune) bool {
	return r < 0x2E80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) || r == '_' || r == '-' || r == '.'
}

func (f *font) points(c rune, size float64) float64 {
	if selector(c) {
		return 0
	}
	if _, ok := f.glyphs[c]; !ok {
		c = '〓'
	}
	return float64(f.width(c)) * size / 1000
}

// selector reports whether c only picks a form of the character before it.
func selector(c rune) bool { return c >= 0xFE00 && c <= 0xFE0F || c >= 0xE0100 && c <= 0xE01EF }

func (f *font) length(s string, size float64) (n float64) {
	for _, c := range s {
		n += f.points(c, size)
	}
	return n
}
