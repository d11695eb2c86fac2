// Package table lays the nodes of a plan on columns of codes: what a node comes to
// is worked out once for every distinct cell that it reads, by rule/weigh, and
// from then on looked up.
//
// A Form is a plan's node over the columns of subjects. Its leaves read one
// column, so that a Table over that column's dictionary says all, or several, and
// then the table is over the distinct tuples of their codes. A list whose elements
// the predicate alone reads is walked natively: the predicate is a Form over the
// distinct elements.
package table

import (
	"slices"

	"kakusho/judge"
	"kakusho/rule"
)

// Layer says where the cell of a field is looked for.
type Layer byte

// The layers, as package weigh finds a cell.
const (
	Facts         Layer = iota // observed
	FactsFirst                 // derived: a fact, else declared
	DeclaredFirst              // declared and not observed: declared, else a fact
	Declared                   // d.
	Answer                     // a.: what somebody answered
	Element                    // of a list
)

// Source names a column: a field as it is read, or the answers to a control. Of
// the elements of a list it is a field of the record; a string has no name.
type Source struct {
	Layer Layer
	Name  string
}

// sourceOf is the column that r reads, for the control id.
func sourceOf(r rule.Read, id string) Source {
	switch {
	case r.From == rule.FromAnswer:
		return Source{Answer, id}
	case r.From == rule.FromElement && r.Field == nil:
		return Source{Element, ""}
	case r.From == rule.FromElement:
		return Source{Element, r.Field.Name}
	case r.From == rule.FromDeclared:
		return Source{Declared, r.Field.Name}
	case r.Field.Observed:
		return Source{Facts, r.Field.Name}
	case r.Field.Declared:
		return Source{DeclaredFirst, r.Field.Name}
	}
	return Source{FactsFirst, r.Field.Name}
}

// Cell is the cell of a subject that the source names. It is none of an answer.
func (s Source) Cell(of *judge.Subject) (c judge.Cell, ok bool) {
	switch s.Layer {
	case Facts:
		c, ok = of.Facts[s.Name]
	case Declared:
		c, ok = of.Declared[s.Name]
	case FactsFirst:
		if c, ok = of.Facts[s.Name]; !ok {
			c, ok = of.Declared[s.Name]
		}
	case DeclaredFirst:
		if c, ok = of.Declared[s.Name]; !ok {
			c, ok = of.Facts[s.Name]
		}
	}
	return c, ok
}

// scan is what a node and all below it read.
type scan struct {
	reads   []rule.Read // without elements of lists that are gone over inside
	params  []*rule.Param
	clocked bool // now matters
	all     bool // there is all() in it, over which an empty list has an opinion
	lists   bool // there is a list in it whose elements are better looked at one by one
}

func scanned(n *rule.Node) (s scan) {
	s.reads, s.params, s.clocked = slices.Clone(n.Reads), slices.Clone(n.Params), n.Clocked != 0
	s.all = n.Op == rule.All
	for _, k := range n.Kids {
		sub := scanned(k)
		s.lists = s.lists || sub.lists
		if over(n) {
			outside := slices.DeleteFunc(slices.Clone(sub.reads), func(r rule.Read) bool { return r.From == rule.FromElement })
			s.lists = s.lists || walked(n, sub)
			sub.reads = outside
		}
		s.clocked, s.all = s.clocked || sub.clocked, s.all || sub.all
		s.reads = append(s.reads, sub.reads...)
		s.params = append(s.params, sub.params...)
	}
	return s
}

func over(n *rule.Node) bool { return n.Op == rule.All || n.Op == rule.Exists || n.Op == rule.Count }

// walked reports whether n goes over one field and its predicate reads nothing
// but elements of it, and some.
func walked(n *rule.Node, predicate scan) bool {
	if n.List == nil || n.List.From == rule.FromElement || len(n.RightSide.Reads) > 0 || len(predicate.reads) == 0 {
		return false
	}
	return !slices.ContainsFunc(predicate.reads, func(r rule.Read) bool { return r.From != rule.FromElement })
}

// sources lists the distinct columns that are read.
func (s scan) sources(id string) (out []Source) {
	for _, r := range s.reads {
		if x := sourceOf(r, id); !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}
