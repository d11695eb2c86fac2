package paper

import "math"

// widths shares the page among the columns: by their longest line, tempered, so that
// a long remark does not starve the numbers.
func (d *drawing) widths(p Part) []float64 {
	room := d.width - 2*margin
	weights := p.Weights
	if len(weights) != len(p.Head) {
		weights = make([]float64, len(p.Head))
		for i, h := range p.Head {
			most := min(d.font.length(h, body), 60)
			for _, row := range p.Rows[:min(len(p.Rows), 500)] {
				most = max(most, d.font.length(row[i], body))
			}
			weights[i] = max(24, min(most, 160+math.Sqrt(most))+2*pad)
		}
	}
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	out := make([]float64, len(weights))
	for i, w := range weights {
		out[i] = w * room / sum
	}
	return out
}

func (d *drawing) table(p Part) {
	widths := d.widths(p)
	t := d.root.child("Table")
	d.need(3 * leading)
	tr := t.child("TR")
	cells := make([]*node, len(p.Head))
	for i := range cells {
		cells[i] = tr.child("TH")
		cells[i].attrs = "/A<</O/Table/Scope/Column>>"
	}
	d.row(cells, p.Head, widths, true, nil)
	again := func() { d.row(nil, p.Head, widths, true, nil) }
	for _, row := range p.Rows {
		tr := t.child("TR")
		cells := make([]*node, len(row))
		for i := range cells {
			cells[i] = tr.child("TD")
		}
		d.row(cells, row, widths, false, again)
	}
}

// row draws one row, over several pages when it has to; again draws the head on a
// new page. Without cells it is an ornament: the head said again.
func (d *drawing) row(cells []*node, texts []string, widths []float64, head bool, again func()) {
	var wrapped [][]string
	most := 1
	for i, s := range texts {
		lines := d.font.wrap(s, body, widths[i]-2*pad)
		wrapped = append(wrapped, lines)
		most = max(most, len(lines))
	}
	for from := 0; from < most; {
		left := int((d.y - margin - 14 - 2*pad) / leading)
		if again != nil && left < min(most-from, 6) {
			d.turn()
			again()
			left = int((d.y - margin - 14 - 2*pad) / leading)
		}
		n := max(1, min(left, most-from))
		d.slice(cells, wrapped, widths, from, n, head)
		from += n
		if again == nil {
			return
		}
	}
}

func (d *drawing) slice(cells []*node, wrapped [][]string, widths []float64, from, n int, head bool) {
	h := float64(n)*leading + pad
	room := d.width - 2*margin
	if head {
		d.shade(margin, d.y-h, room, h)
	}
	x := margin
	for i, lines := range wrapped {
		var owner *node
		if cells != nil {
			owner = cells[i]
		}
		for k := from; k < min(from+n, len(lines)); k++ {
			d.say(owner, x+pad, d.y-float64(k-from)*leading-9.5, body, lines[k])
		}
		d.rule(x, d.y, x, d.y-h)
		x += widths[i]
	}
	d.rule(x, d.y, x, d.y-h)
	d.rule(margin, d.y, margin+room, d.y)
	d.y -= h
	d.rule(margin, d.y, margin+room, d.y)
}
