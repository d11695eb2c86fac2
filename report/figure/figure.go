// Package figure lays out diagrams of boxes and lines: what stands where, and what is
// connected with what. A figure is numbers and words; SVG draws it for a page, and
// package paper draws the same one on paper.
//
// The same nodes give the same figure, whatever order they come in is kept. Nothing is
// dropped silently: a group that holds more than it can show says how many more.
package figure

import (
	"fmt"
	"html"
	"strings"
)

// Figure is a drawing in points, its corner at the upper left.
type Figure struct {
	Title         string // what it shows, for who cannot see it
	Width, Height float64
	Boxes         []Box
	Lines         []Line
	Words         []Words
}

// Box is a frame. Grey is its filling, 1 being white.
type Box struct {
	X, Y, W, H float64
	Grey       float64
	Dashed     bool
}

// Line connects two points.
type Line struct {
	X1, Y1, X2, Y2 float64
	Dashed         bool
}

// Words are one line of text; X and Y are where its baseline begins.
type Words struct {
	X, Y, Size float64
	Text       string
}

// SVG is the figure as an element of a page. It needs no style of its own, so that it
// may stand where a page allows none.
func (f *Figure) SVG() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="%s" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" font-family="sans-serif">`,
		html.EscapeString(f.Title), f.Width, f.Height, f.Width, f.Height)
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" fill="#fff"/>`, f.Width, f.Height)
	for _, l := range f.Lines {
		fmt.Fprintf(&b, `<path d="M%.1f %.1fL%.1f %.1f" stroke="#444" fill="none"%s/>`, l.X1, l.Y1, l.X2, l.Y2, dashes(l.Dashed))
	}
	for _, x := range f.Boxes {
		grey := int(x.Grey * 255)
		fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="3" fill="rgb(%d,%d,%d)" stroke="#444"%s/>`, x.X, x.Y, x.W, x.H, grey, grey, grey, dashes(x.Dashed))
	}
	for _, w := range f.Words {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" font-size="%.1f" fill="#1a1a1c">%s</text>`, w.X, w.Y, w.Size, html.EscapeString(w.Text))
	}
	return b.String() + `</svg>`
}

func dashes(dashed bool) string {
	if dashed {
		return ` stroke-dasharray="5 3"`
	}
	return ""
}

// Group is what stands in one place.
type Group struct {
	Title string
	Nodes []Node
	More  func(n int) string // says that n more are not drawn
}

// Node is one thing.
type Node struct {
	ID     string // what edges name
	Title  string
	Detail string
	Dashed bool
}

// Edge connects two nodes, or a node and a group named by its title.
type Edge struct{ From, To string }

const (
	nodeW, nodeH = 142.0, 34.0
	gap          = 12.0
	head         = 20.0
	title        = 10.0
	small        = 8.0
	// Most is how many nodes of a group are drawn.
	Most = 24
)

// layout puts things where there is room.
type layout struct {
	*Figure
	places map[string]Box
}

// Stack draws rows of nodes above groups, three groups at most beside each other, and
// lines for edges. A row without nodes takes no room.
func Stack(name string, rows []Group, groups []Group, edges []Edge) *Figure {
	l := layout{&Figure{Title: name, Width: 3*(2*(nodeW+gap)+gap) + 4*gap}, map[string]Box{}}
	y := gap
	for _, r := range rows {
		if len(r.Nodes) > 0 {
			y = l.row(r, y) + 3*gap
		}
	}
	x, tallest := gap, 0.0
	for i, g := range groups {
		if i > 0 && i%3 == 0 {
			x, y, tallest = gap, y+tallest+2*gap, 0
		}
		tallest = max(tallest, l.group(g, x, y, 2))
		x += 2*(nodeW+gap) + gap + gap
	}
	l.Height = y + tallest + gap
	for _, e := range edges {
		l.connect(e)
	}
	return l.Figure
}

// row draws a group over the whole width and returns where it ends.
func (l *layout) row(g Group, y float64) float64 {
	return y + l.group(g, gap, y, int((l.Width-3*gap)/(nodeW+gap)))
}

// group draws a frame with nodes in columns, and returns its height.
func (l *layout) group(g Group, x, y float64, columns int) float64 {
	shown := g.Nodes[:min(len(g.Nodes), Most)]
	lines := max((len(shown)+columns-1)/columns, 1)
	h := head + float64(lines)*(nodeH+gap) + gap/2
	more := len(g.Nodes) - len(shown)
	if more > 0 {
		h += head - 6
	}
	w := float64(columns)*(nodeW+gap) + gap
	b := Box{X: x, Y: y, W: w, H: h, Grey: 0.96}
	l.Boxes = append(l.Boxes, b)
	l.places[g.Title] = b
	l.Words = append(l.Words, Words{x + 6, y + 14, title, Fit(g.Title, title, w-12)})
	for i, n := range shown {
		b := Box{X: x + gap + float64(i%columns)*(nodeW+gap), Y: y + head + float64(i/columns)*(nodeH+gap), W: nodeW, H: nodeH, Grey: 1, Dashed: n.Dashed}
		l.Boxes = append(l.Boxes, b)
		l.places[n.ID] = b
		l.Words = append(l.Words, Words{b.X + 5, b.Y + 14, title, Fit(n.Title, title, nodeW-10)}, Words{b.X + 5, b.Y + 27, small, Fit(n.Detail, small, nodeW-10)})
	}
	if more > 0 {
		l.Words = append(l.Words, Words{x + gap, y + h - 8, small, g.More(more)})
	}
	return h
}

// connect draws an edge from the lower side of the upper box to the upper side of the
// lower one. An end that is not drawn leaves the edge out: what it is part of says so.
func (l *layout) connect(e Edge) {
	a, b := l.places[e.From], l.places[e.To]
	if a.W == 0 || b.W == 0 {
		return
	}
	if a.Y > b.Y {
		a, b = b, a
	}
	l.Lines = append(l.Lines, Line{X1: a.X + a.W/2, Y1: a.Y + a.H, X2: b.X + b.W/2, Y2: b.Y})
}

// Fit cuts a text to a width, kanji counting as wide as they are high and the rest half
// of that.
func Fit(s string, size, width float64) string {
	used := 0.0
	for i, r := range s {
		w := size
		if r < 0x2E80 {
			w = size * 0.56
		}
		if used += w; used > width-size && used+advance(s[i+len(string(r)):], size) > width {
			return s[:i] + "…"
		}
	}
	return s
}

func advance(s string, size float64) (w float64) {
	for _, r := range s {
		if r < 0x2E80 {
			w += size * 0.56
		} else {
			w += size
		}
	}
	return w
}
