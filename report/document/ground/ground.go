// Package ground is where the content of a document is read from: a standing, as its
// reader may see it, or a layer of the world while documents themselves are judged. Of the
// same world both say the same.
package ground

import (
	"time"

	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/posture/claim"
	"kakusho/posture/world"
)

// Ground is what a content is read from.
type Ground interface {
	In(kindID string) []Subject    // the scope's of a kind
	Every(kindID string) []Subject // all of a kind
	One(kindID, id string) (Subject, bool)
	Decided() (of []Deciding, whole bool) // whose decisions are the scope's; whole: none is kept from the reader
	Lost(d posture.Decision) bool         // the ground of d holds no more, as far as that is told here
}

// Subject is one entry of a register.
type Subject interface {
	Ref() fact.Ref
	Of() *kind.Kind
	Name() string
	Fact(name string) (posture.Cell, bool)
	Declared(name string) (posture.Cell, bool)
}

// Deciding is a subject with what was decided about it.
type Deciding struct {
	Ref       fact.Ref
	Decisions []posture.Decision
}

// Standing is a scope of a standing.
type Standing struct {
	*posture.Standing
	Of []*posture.Subject
}

func (g Standing) In(kindID string) (out []Subject) {
	for _, s := range g.Of {
		if s.Kind.ID == kindID {
			out = append(out, seen{s})
		}
	}
	return out
}

func (g Standing) Every(kindID string) (out []Subject) {
	for _, s := range g.OfKind(kindID) {
		out = append(out, seen{s})
	}
	return out
}

func (g Standing) One(kindID, id string) (Subject, bool) {
	s, ok := g.Subject(fact.NewRef(kindID, id))
	return seen{s}, ok
}

func (g Standing) Decided() (of []Deciding, whole bool) {
	whole = true
	for _, s := range g.Of {
		whole = whole && !s.Closed
		of = append(of, Deciding{s.Ref, s.Decisions})
	}
	return of, whole
}

func (g Standing) Lost(d posture.Decision) bool { return claim.Lost(g.Standing, d) }

// seen is a subject of a standing.
type seen struct{ s *posture.Subject }

func (s seen) Ref() fact.Ref                         { return s.s.Ref }
func (s seen) Of() *kind.Kind                        { return s.s.Kind }
func (s seen) Name() string                          { return s.s.Name }
func (s seen) Fact(name string) (posture.Cell, bool) { return s.s.Fact(name) }

func (s seen) Declared(name string) (posture.Cell, bool) {
	c, ok := s.s.Declared()[name]
	return c, ok
}

// Layer is a system while it is judged.
type Layer struct {
	*world.Layer
	System *world.Item
	Since  *Since
}

func (g Layer) items(list []*world.Item) (out []Subject) {
	for _, it := range list {
		out = append(out, judged{it, g.Layer, g.Since})
	}
	return out
}

func (g Layer) In(kindID string) []Subject    { return g.items(g.InSystem(g.System, kindID)) }
func (g Layer) Every(kindID string) []Subject { return g.items(g.ByKind(kindID)) }

func (g Layer) One(kindID, id string) (Subject, bool) {
	it, ok := g.Of(kindID, id)
	return judged{it, g.Layer, g.Since}, ok
}

func (g Layer) Decided() (of []Deciding, whole bool) {
	for _, it := range g.Members(g.System) {
		of = append(of, Deciding{it.Ref(), it.Decisions})
		for _, d := range it.Decisions {
			for _, edge := range []time.Time{d.ApprovedAt, d.From, d.Until, d.WithdrawnAt, d.At} {
				g.Until(edge)
				if !edge.After(g.At) {
					g.Since.at(edge)
				}
			}
		}
	}
	return of, true
}

func (g Layer) Lost(posture.Decision) bool { return false } // judged later, and no part of the digest

// judged is a subject of a layer.
type judged struct {
	it    *world.Item
	layer *world.Layer
	since *Since
}

func (s judged) Ref() fact.Ref  { return s.it.Ref() }
func (s judged) Of() *kind.Kind { return s.it.Kind }
func (s judged) Name() string   { return s.it.Row.Name }

func (s judged) Fact(name string) (posture.Cell, bool) {
	c, ok := s.layer.Cell(s.it, name)
	s.since.cell(c, ok)
	return c, ok
}

func (s judged) Declared(name string) (posture.Cell, bool) {
	c, ok := s.it.Declared(name)
	s.since.cell(c, ok)
	return c, ok
}

// Since finds the first instant after another at which something read became as it is.
type Since struct{ After, First time.Time }

func (s *Since) cell(c posture.Cell, ok bool) {
	if ok && c.Fact.Status == fact.Observed {
		s.at(c.Since)
	}
}

func (s *Since) at(t time.Time) {
	if t.After(s.After) && (s.First.IsZero() || t.Before(s.First)) {
		s.First = t
	}
}
