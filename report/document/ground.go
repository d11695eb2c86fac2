package document

import (
	"time"

	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/posture/claim"
	"kakusho/posture/world"
)

// ground is where a content is read from: a standing, as its reader may see it, or the
// world while documents themselves are judged. Of the same world both say the same.
type ground interface {
	within(kindID string) []subject // the scope's of a kind
	every(kindID string) []subject  // all of a kind
	one(kindID, id string) (subject, bool)
	decided() (of []deciding, whole bool) // whose decisions are the scope's; whole: none is kept from the reader
	lost(d posture.Decision) bool         // the ground of d holds no more, as far as that is told here
}

// subject is one entry of a register.
type subject interface {
	ref() fact.Ref
	of() *kind.Kind
	name() string
	fact(name string) (posture.Cell, bool)
	declared(name string) (posture.Cell, bool)
}

// deciding is a subject with what was decided about it.
type deciding struct {
	ref       fact.Ref
	decisions []posture.Decision
}

type standing struct {
	*posture.Standing
	of []*posture.Subject
}

func (g standing) within(kindID string) (out []subject) {
	for _, s := range g.of {
		if s.Kind.ID == kindID {
			out = append(out, seen{s})
		}
	}
	return out
}

func (g standing) every(kindID string) (out []subject) {
	for _, s := range g.OfKind(kindID) {
		out = append(out, seen{s})
	}
	return out
}

func (g standing) one(kindID, id string) (subject, bool) {
	s, ok := g.Subject(fact.NewRef(kindID, id))
	return seen{s}, ok
}

func (g standing) decided() (of []deciding, whole bool) {
	whole = true
	for _, s := range g.of {
		whole = whole && !s.Closed
		of = append(of, deciding{s.Ref, s.Decisions})
	}
	return of, whole
}

func (g standing) lost(d posture.Decision) bool { return claim.Lost(g.Standing, d) }

// seen is a subject of a standing.
type seen struct{ *posture.Subject }

func (s seen) ref() fact.Ref                         { return s.Ref }
func (s seen) of() *kind.Kind                        { return s.Kind }
func (s seen) name() string                          { return s.Name }
func (s seen) fact(name string) (posture.Cell, bool) { return s.Fact(name) }

func (s seen) declared(name string) (posture.Cell, bool) {
	c, ok := s.Declared()[name]
	return c, ok
}

// layer is a system while it is judged.
type layer struct {
	*world.Layer
	system *world.Item
	since  *since
}

func (g layer) items(list []*world.Item) (out []subject) {
	for _, it := range list {
		out = append(out, judged{it, g.Layer, g.since})
	}
	return out
}

func (g layer) within(kindID string) []subject { return g.items(g.InSystem(g.system, kindID)) }
func (g layer) every(kindID string) []subject  { return g.items(g.ByKind(kindID)) }

func (g layer) one(kindID, id string) (subject, bool) {
	it, ok := g.Of(kindID, id)
	return judged{it, g.Layer, g.since}, ok
}

func (g layer) decided() (of []deciding, whole bool) {
	for _, it := range g.Members(g.system) {
		of = append(of, deciding{it.Ref(), it.Decisions})
		for _, d := range it.Decisions {
			for _, edge := range []time.Time{d.ApprovedAt, d.From, d.Until, d.WithdrawnAt, d.At} {
				g.Until(edge)
				if !edge.After(g.At) {
					g.since.at(edge)
				}
			}
		}
	}
	return of, true
}

func (g layer) lost(posture.Decision) bool { return false } // judged later, and no part of the digest

// judged is a subject of a layer.
type judged struct {
	*world.Item
	layer *world.Layer
	since *since
}

func (s judged) ref() fact.Ref  { return s.Ref() }
func (s judged) of() *kind.Kind { return s.Kind }
func (s judged) name() string   { return s.Row.Name }

func (s judged) fact(name string) (posture.Cell, bool) {
	c, ok := s.layer.Cell(s.Item, name)
	s.since.cell(c, ok)
	return c, ok
}

func (s judged) declared(name string) (posture.Cell, bool) {
	c, ok := s.Declared(name)
	s.since.cell(c, ok)
	return c, ok
}
