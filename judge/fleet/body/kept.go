package body

import (
	"slices"

	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/sight"
)

// kept is what a leaf came to on a page: to look every row up again, and above all
// to find tuples, costs more than all the rest. It does not change.
type kept struct {
	edits   uint64         // of the columns' page, of the scopes and of the veil's classes
	version int            // of the leaf
	found   []*sight.Found // what was hidden
	used    bits.Flags
	planes  []bits.Block
}

// recall fills in what was kept, if nothing that it rests on changed.
func (v *View) recall(l *Leaf, into *bits.Truths) bool {
	k := l.kept[v.Page]
	if k == nil || v.Body.Dirty[v.Page] || k.version != l.version || k.edits != v.edits(l) || !slices.Equal(k.found, v.founds(l)) {
		return false
	}
	into.Reset()
	i := 0
	for p := range bits.Flagged {
		if k.used>>p&1 != 0 {
			into.Planes[p] = k.planes[i]
			i++
		}
	}
	into.Used = k.used
	return true
}

// keep keeps what the leaf came to.
func (v *View) keep(l *Leaf, t *bits.Truths) {
	k := &kept{edits: v.edits(l), version: l.version, found: slices.Clone(v.founds(l)), used: t.Used}
	for p := range bits.Flagged {
		if t.Used>>p&1 != 0 {
			k.planes = append(k.planes, t.Planes[p])
		}
	}
	l.kept[v.Page] = k
}

// edits names the state of what the leaf reads on the page.
func (v *View) edits(l *Leaf) uint64 {
	n := v.Body.Scope.PageEdits(v.Page) + uint64(v.Veil.version)
	for _, c := range l.Columns {
		n += c.Codes.PageEdits(v.Page)
	}
	return n
}

// founds lists what is hidden of the leaf's columns; it is overwritten by the next
// call.
func (v *View) founds(l *Leaf) []*sight.Found {
	v.hid = v.hid[:0]
	for _, c := range l.Columns {
		if c.Group >= 0 {
			v.hid = append(v.hid, v.Veil.in(v.Page, c)...)
		}
	}
	return v.hid
}
