package table

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kakusho/judge"
	"kakusho/judge/fleet/bits"
	"kakusho/rule"
)

// Form is a node of a plan over columns: a leaf, or a connective over others.
type Form struct {
	Op   rule.Op // And, Or, Not, If; else a leaf
	Kids []*Form
	Leaf *Leaf

	push bits.Flags // what is unsure only by absence is read as; Broken: it stays
}

// Maker makes the forms of one kind's rules. Leaves that say the same are one.
type Maker struct {
	Order  []*Leaf // the leaves, as they were made
	leaves map[string]*Leaf
}

// NewMaker begins without leaves.
func NewMaker() *Maker { return &Maker{leaves: map[string]*Leaf{}} }

// Form lays the root of one of r's plans on columns. With push, what is absent
// reads as what the rule does not want.
func (m *Maker) Form(r *judge.Rule, root *rule.Node, push bool) *Form {
	b := builder{maker: m, rule: r, push: push}
	return b.form(root, +1)
}

// builder makes one form.
type builder struct {
	maker  *Maker
	rule   *judge.Rule
	push   bool
	within *rule.Node // the list whose elements are described; nil: subjects are
}

func (b *builder) form(n *rule.Node, pol int) *Form {
	s := scanned(n)
	f := &Form{Op: n.Op}
	if b.push && pol != 0 {
		f.push = pushed(pol)
	}
	sources := s.sources(b.rule.Control().ID)
	if len(sources) == 0 || len(sources) == 1 && !s.lists && !s.clocked {
		return b.leaf(n, s, sources, pol)
	}
	switch n.Op {
	case rule.And, rule.Or:
		for _, k := range n.Kids {
			f.Kids = append(f.Kids, b.form(k, pol))
		}
	case rule.Not:
		f.Kids = []*Form{b.form(n.Kids[0], -pol)}
	case rule.If:
		f.Kids = []*Form{b.form(n.Kids[0], 0), b.form(n.Kids[1], pol), b.form(n.Kids[2], pol)}
	default:
		return b.leaf(n, s, sources, pol)
	}
	return f
}

// pushed is what is unsure only by absence is read as.
func pushed(pol int) bits.Flags {
	if pol < 0 {
		return bits.Yes
	}
	return bits.No
}

// leaf makes the leaf of a node, or finds it among those that are there.
func (b *builder) leaf(n *rule.Node, s scan, sources []Source, pol int) *Form {
	key := b.key(n, s, sources, pol)
	l, ok := b.maker.leaves[key]
	if !ok {
		l = b.make(n, s, sources, pol)
		l.Index = len(b.maker.Order)
		b.maker.leaves[key] = l
		b.maker.Order = append(b.maker.Order, l)
	}
	return &Form{Op: rule.Atom, Leaf: l}
}

func (b *builder) make(n *rule.Node, s scan, sources []Source, pol int) *Leaf {
	l := &Leaf{Sources: sources, Clocked: s.clocked, rule: b.rule, node: n, pol: pol, push: b.push, within: b.within}
	for _, p := range s.params {
		if !slices.Contains(l.Params, p) {
			l.Params = append(l.Params, p)
		}
	}
	slices.SortFunc(l.Params, func(x, y *rule.Param) int { return cmp.Compare(x.Key, y.Key) })
	l.rising = l.findRising()
	if over(n) && walked(n, scanned(n.Kids[0])) {
		inner := &builder{maker: NewMaker(), rule: b.rule, push: b.push, within: n}
		if n.Op == rule.Count { // how a count moves a comparison is not told apart
			pol = 0
		}
		l.predicate = inner.form(n.Kids[0], pol)
		l.inner = inner.maker.Order
	}
	return l
}

// key is the same for two nodes only if they come to the same for the same cells
// under the same parameters.
func (b *builder) key(n *rule.Node, s scan, sources []Source, pol int) string {
	c := b.rule.Control()
	var k strings.Builder
	fmt.Fprintf(&k, "%s|%v|%q", strings.Join(c.Kinds, ","), sources, n.Text)
	if b.push {
		fmt.Fprintf(&k, "|push %d", pol)
	}
	if s.all {
		fmt.Fprintf(&k, "|empty %s", c.Empty)
	}
	if c.Record != nil && slices.ContainsFunc(sources, func(x Source) bool { return x.Layer == Answer }) {
		fmt.Fprintf(&k, "|%s", c.Record.Type)
		for _, a := range c.Record.Answers {
			fmt.Fprintf(&k, " %q", a.Value)
		}
	}
	if b.within != nil {
		fmt.Fprintf(&k, "|%s of %s", b.within.Variable, b.within.List.Field.Name)
	}
	for _, p := range s.params {
		fmt.Fprintf(&k, "|%s %s", p.Key, p.Type)
	}
	if spaced(n.Text) {
		fmt.Fprintf(&k, "|%p", n)
	}
	return k.String()
}

// spaced reports whether a literal of the text holds a space: the text was
// written with single spaces, so that it does not say how many.
func spaced(text string) bool {
	in := byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case in == 0 && (c == '"' || c == '\''):
			in = c
		case in != 0 && c == '\\':
			i++
		case in != 0 && c == in:
			in = 0
		case in != 0 && c == ' ':
			return true
		}
	}
	return false
}

// Row answers what a leaf comes to for one row.
type Row interface{ Leaf(*Leaf) bits.Flags }

// At is what f comes to for a row.
func (f *Form) At(row Row) bits.Flags {
	var r bits.Flags
	switch f.Op {
	case rule.And:
		r = bits.Yes
		for _, k := range f.Kids {
			if r = both(r, k.At(row), bits.No); r == bits.No {
				break
			}
		}
	case rule.Or:
		r = bits.No
		for _, k := range f.Kids {
			if r = both(r, k.At(row), bits.Yes); r == bits.Yes {
				break
			}
		}
	case rule.Not:
		switch r = f.Kids[0].At(row); r {
		case bits.Yes:
			r = bits.No
		case bits.No:
			r = bits.Yes
		}
	case rule.If:
		switch r = f.Kids[0].At(row); r {
		case bits.Yes:
			r = f.Kids[1].At(row)
		case bits.No:
			r = f.Kids[2].At(row)
		}
	default:
		return row.Leaf(f.Leaf)
	}
	if f.push != bits.Broken && r == bits.Unsure|bits.Absent {
		return f.push
	}
	return r
}

// both is the conjunction of two truths where decisive is No, and the disjunction
// where it is Yes.
func both(a, b, decisive bits.Flags) bits.Flags {
	switch {
	case a == decisive || b == decisive:
		return decisive
	case (a|b)&bits.Unsure != 0:
		return (a | b) &^ (bits.Yes | bits.No)
	case a == bits.Broken || b == bits.Broken:
		return bits.Broken
	}
	return a
}

// Page answers what a leaf comes to for the rows of a page. It is only read.
type Page interface{ Leaf(*Leaf) *bits.Truths }

// Stack keeps what connectives work on.
type Stack struct {
	free []*bits.Truths
}

func (s *Stack) take(from *bits.Truths) *bits.Truths {
	if len(s.free) == 0 {
		s.free = append(s.free, new(bits.Truths))
	}
	t := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	t.Copy(from)
	return t
}

// Give returns what Over lent.
func (s *Stack) Give(t *bits.Truths) { s.free = append(s.free, t) }

// Over is what f comes to for every row of a page; the caller may change it and
// must Give it back.
func (f *Form) Over(page Page, s *Stack) *bits.Truths {
	if f.Op == rule.Atom {
		return s.take(page.Leaf(f.Leaf))
	}
	t := f.Kids[0].Over(page, s)
	switch f.Op {
	case rule.And, rule.Or:
		for _, k := range f.Kids[1:] {
			f.join(t, k, page, s)
		}
	case rule.Not:
		t.Not()
	case rule.If:
		then, otherwise := f.Kids[1].Over(page, s), f.Kids[2].Over(page, s)
		t.Choose(then, otherwise)
		s.Give(then)
		s.Give(otherwise)
	}
	if f.push != bits.Broken {
		t.Push(f.push)
	}
	return t
}

func (f *Form) join(t *bits.Truths, k *Form, page Page, s *Stack) {
	lent := k.Op != rule.Atom
	var o *bits.Truths
	if lent {
		o = k.Over(page, s)
	} else {
		o = page.Leaf(k.Leaf)
	}
	if f.Op == rule.And {
		t.And(o)
	} else {
		t.Or(o)
	}
	if lent {
		s.Give(o)
	}
}

// Each calls fn with every leaf of f, some of them more than once.
func (f *Form) Each(fn func(*Leaf)) {
	if f.Op == rule.Atom {
		fn(f.Leaf)
	}
	for _, k := range f.Kids {
		k.Each(fn)
	}
}

// Fork is a maker that begins with the leaves of m.
func (m *Maker) Fork() *Maker {
	return &Maker{Order: slices.Clone(m.Order), leaves: maps.Clone(m.leaves)}
}
