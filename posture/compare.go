package posture

import (
	"iter"

	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge/fleet"
)

// Place is where a subject is counted; each part may be empty.
type Place struct{ System, Unit, Prefecture string }

// Place is where a subject belongs: its unit is its own, else its system's.
func (s *Standing) Place(ref fact.Ref) Place {
	slot, ok := s.slot[ref]
	if !ok {
		return Place{}
	}
	g := s.groups[s.group[slot]]
	return Place{g.system, g.unit, g.prefecture}
}

// Changes are the pairs that come out otherwise in s than in since.
func (s *Standing) Changes(since *Standing) iter.Seq[fleet.Change] {
	return s.outcomes.Changes(since.outcomes)
}

// Values are the parameters that a scope is held to.
func (s *Standing) Values(scope directive.Scope) directive.Values { return s.resolve(scope) }
