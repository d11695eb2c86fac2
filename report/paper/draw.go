package paper

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
)

// node is an element of the structure: what a screen reader walks through.
type node struct {
	role  string
	attrs string
	kids  []*node
	marks []mark
}

// mark is a piece of content of a page.
type mark struct{ page, id int }

func (n *node) child(role string) *node {
	c := &node{role: role}
	n.kids = append(n.kids, c)
	return c
}

type page struct {
	content bytes.Buffer
	owners  []*node // of the marks, by their number
}

type drawing struct {
	paper         *Paper
	font          *font
	width, height float64
	y             float64 // next line's top
	pages         []*page
	root          *node
	meaning       map[uint16]rune
	lost          []rune
	headings      []func() // the head of the table being drawn
}

func (d *drawing) turn() {
	d.pages = append(d.pages, &page{})
	d.y = d.height - margin
}

func (d *drawing) now() *page { return d.pages[len(d.pages)-1] }

// say draws one line of text; owner nil makes it an ornament of the page.
func (d *drawing) say(owner *node, x, y, size float64, s string) {
	d.sayOn(len(d.pages)-1, owner, x, y, size, s)
}

func (d *drawing) sayOn(at int, owner *node, x, y, size float64, s string) {
	if s == "" {
		return
	}
	p := d.pages[at]
	if owner == nil {
		p.content.WriteString("/Artifact BMC\n")
	} else {
		fmt.Fprintf(&p.content, "/%s <</MCID %d>> BDC\n", owner.role, len(p.owners))
		owner.marks = append(owner.marks, mark{at, len(p.owners)})
		p.owners = append(p.owners, owner)
	}
	fmt.Fprintf(&p.content, "BT /F1 %.2f Tf %.2f %.2f Td ", size, x, y)
	var run []uint16
	flush := func() {
		if len(run) > 0 {
			p.content.WriteString("<")
			for _, g := range run {
				fmt.Fprintf(&p.content, "%04X", g)
			}
			p.content.WriteString("> Tj ")
			run = run[:0]
		}
	}
	runes := []rune(s)
	for i := 0; i < len(runes); i++ {
		c := runes[i]
		g, ok := d.font.glyphs[c]
		shown := string(c)
		if i+1 < len(runes) && selector(runes[i+1]) {
			i++
			shown += string(runes[i])
		}
		if !ok {
			if !slices.Contains(d.lost, c) {
				d.lost = append(d.lost, c)
			}
			g = d.font.glyphs['〓']
			if _, have := d.meaning[g]; !have {
				d.meaning[g] = '〓'
			}
		} else if _, have := d.meaning[g]; !have {
			d.meaning[g] = c
		}
		if shown == string(d.meaning[g]) {
			run = append(run, g)
			continue
		}
		flush()
		fmt.Fprintf(&p.content, "/Span <</ActualText %s>> BDC <%04X> Tj EMC ", text(shown), g)
	}
	flush()
	p.content.WriteString("ET\nEMC\n")
}

func (d *drawing) rule(x1, y1, x2, y2 float64) {
	fmt.Fprintf(&d.now().content, "/Artifact BMC 0.4 w %.2f %.2f m %.2f %.2f l S EMC\n", x1, y1, x2, y2)
}

func (d *drawing) shade(x, y, w, h float64) {
	fmt.Fprintf(&d.now().content, "/Artifact BMC q 0.91 g %.2f %.2f %.2f %.2f re f Q EMC\n", x, y, w, h)
}

func (d *drawing) title() {
	const size = 15.0
	right := d.width - margin
	room := right - margin
	if n := len(d.paper.Seals); n > 0 {
		const box, tall = 46.0, 52.0
		left := right - float64(n)*box
		for i, s := range d.paper.Seals {
			x := left + float64(i)*box
			d.say(nil, x+(box-d.font.length(s, 7.5))/2, d.y-10, 7.5, s)
			d.rule(x, d.y, x, d.y-tall-14)
		}
		for _, y := range []float64{d.y, d.y - 14, d.y - tall - 14} {
			d.rule(left, y, right, y)
		}
		d.rule(right, d.y, right, d.y-tall-14)
		room -= float64(n)*box + 10
	}
	top := d.y
	h := d.root.child("H1")
	for _, line := range d.font.wrap(d.paper.Title, size, room) {
		d.y -= size * 1.35
		d.say(h, margin, d.y+4, size, line)
	}
	d.y -= 4
	for _, note := range d.paper.Notes {
		n := d.root.child("P")
		for _, line := range d.font.wrap(note, body, room) {
			d.y -= leading
			d.say(n, margin, d.y+3, body, line)
		}
	}
	if len(d.paper.Seals) > 0 {
		d.y = min(d.y, top-66)
	}
	d.y -= 8
}

// need turns the page when less than h points are left.
func (d *drawing) need(h float64) bool {
	if d.y-h >= margin+14 {
		return false
	}
	d.turn()
	return true
}

func (d *drawing) lines(role, s string, size float64) {
	n := d.root.child(role)
	for _, line := range d.font.wrap(s, size, d.width-2*margin) {
		d.need(size * 1.45)
		d.y -= size * 1.45
		d.say(n, margin, d.y+3, size, line)
	}
}

func (d *drawing) part(p Part) {
	if p.Heading != "" {
		d.need(60)
		d.lines("H2", p.Heading, 11)
		d.y -= 2
	}
	for _, s := range p.Lines {
		d.lines("P", s, body)
	}
	if p.Figure != nil {
		d.figure(p.Figure)
	}
	switch {
	case len(p.Head) == 0:
	case len(p.Rows) == 0:
		d.lines("P", p.Empty, body)
	default:
		d.table(p)
	}
	d.y -= 8
}

// finish draws the page numbers and writes the file.
func (d *drawing) finish(w io.Writer) error {
	for i := range d.pages {
		s := fmt.Sprintf("%d / %d", i+1, len(d.pages))
		d.sayOn(i, nil, (d.width-d.font.length(s, 8))/2, margin-14, 8, s)
		foot := d.paper.Foot
		d.sayOn(i, nil, d.width-margin-d.font.length(foot, 6.5), margin-14, 6.5, foot)
		if i > 0 {
			d.sayOn(i, nil, margin, d.height-margin+8, 7.5, d.paper.Title)
		}
	}
	f := &file{}
	root, tree, parents := f.reserve(), f.reserve(), f.reserve()
	numbers := make([]int, len(d.pages))
	pages := f.reserve()
	for i := range d.pages {
		numbers[i] = f.reserve()
	}
	nodes := map[*node]int{}
	top := d.structure(f, d.root, tree, numbers, nodes)
	var nums strings.Builder
	for i, p := range d.pages {
		fmt.Fprintf(&nums, "%d[", i)
		for _, o := range p.owners {
			fmt.Fprintf(&nums, "%d 0 R ", nodes[o])
		}
		nums.WriteString("]")
	}
	f.set(tree, "<</Type/StructTreeRoot/K %d 0 R/ParentTree %d 0 R/ParentTreeNextKey %d>>", top, parents, len(d.pages))
	f.set(parents, "<</Nums[%s]>>", nums.String())
	font := f.embed(d.font, d.meaning)
	var kids strings.Builder
	for i, p := range d.pages {
		content := f.stream("", p.content.Bytes())
		f.set(numbers[i], "<</Type/Page/Parent %d 0 R/MediaBox[0 0 %.2f %.2f]/Resources<</Font<</F1 %d 0 R>>>>/Contents %d 0 R/StructParents %d/Tabs/S>>", pages, d.width, d.height, font, content, i)
		fmt.Fprintf(&kids, "%d 0 R ", numbers[i])
	}
	f.set(pages, "<</Type/Pages/Count %d/Kids[%s]>>", len(d.pages), kids.String())
	info := f.add("<</Title %s/Subject %s/Producer(Kakusho)>>", text(d.paper.Title), text(d.paper.Subject))
	f.set(root, "<</Type/Catalog/Pages %d 0 R/Lang(%s)/MarkInfo<</Marked true>>/StructTreeRoot %d 0 R/ViewerPreferences<</DisplayDocTitle true>>>>", pages, d.paper.Lang, tree)
	return f.write(w, root, info)
}

func (d *drawing) structure(f *file, n *node, parent int, pages []int, nodes map[*node]int) int {
	me := f.reserve()
	nodes[n] = me
	var kids strings.Builder
	for _, m := range n.marks {
		fmt.Fprintf(&kids, "<</Type/MCR/Pg %d 0 R/MCID %d>>", pages[m.page], m.id)
	}
	for _, k := range n.kids {
		fmt.Fprintf(&kids, "%d 0 R ", d.structure(f, k, me, pages, nodes))
	}
	f.set(me, "<</Type/StructElem/S/%s/P %d 0 R%s/K[%s]>>", n.role, parent, n.attrs, kids.String())
	return me
}
