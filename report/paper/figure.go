package paper

import (
	"fmt"

	"kakusho/report/figure"
)

// legible is how small a figure is drawn before it is given a page of its own.
const legible = 0.5

// figure draws a diagram as large as the page allows, with its words as text and what it
// shows in words for who cannot see it.
func (d *drawing) figure(f *figure.Figure) {
	room := d.width - 2*margin
	scale := min(room/f.Width, 1)
	left := d.y - margin - 24
	if least := min(scale, legible); f.Height*least > left && f.Height*least <= d.height-2*margin-24 {
		d.turn()
		left = d.y - margin - 24
	}
	scale = min(scale, left/f.Height)
	top := d.y
	at := func(x, y float64) (float64, float64) { return margin + x*scale, top - y*scale }
	out := &d.now().content
	out.WriteString("/Artifact BMC q 0.5 w\n")
	for _, l := range f.Lines {
		x1, y1 := at(l.X1, l.Y1)
		x2, y2 := at(l.X2, l.Y2)
		fmt.Fprintf(out, "%s%.2f %.2f m %.2f %.2f l S\n", dashes(l.Dashed), x1, y1, x2, y2)
	}
	for _, b := range f.Boxes {
		x, y := at(b.X, b.Y+b.H)
		fmt.Fprintf(out, "%s%.2f g %.2f %.2f %.2f %.2f re B\n", dashes(b.Dashed), b.Grey, x, y, b.W*scale, b.H*scale)
	}
	out.WriteString("Q EMC\n")
	n := d.root.child("Figure")
	n.attrs = "/Alt " + text(f.Title)
	for _, w := range f.Words {
		x, y := at(w.X, w.Y)
		d.say(n, x, y, w.Size*scale, visible(w.Text))
	}
	d.y -= f.Height*scale + 10
}

func dashes(dashed bool) string {
	if dashed {
		return "[4 2] 0 d "
	}
	return "[] 0 d "
}
