package paper

import (
	"fmt"

	"kakusho/report/figure"
)

// figure draws a diagram as large as the page allows, with its words as text and what it
// shows in words for who cannot see it.
func (d *drawing) figure(f *figure.Figure) {
	room := d.width - 2*margin
	scale := min(room/f.Width, 1)
	if most := d.height - 2*margin - 40; f.Height*scale > most {
		scale = most / f.Height
	}
	d.need(f.Height * scale)
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
