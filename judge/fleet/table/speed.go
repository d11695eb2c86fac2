package table

import (
	"slices"

	"kakusho/kind"
)

// Speed is how often rule/weigh is asked about a part of a rule.
type Speed int

// The speeds, the fastest first. Looking up is the same for all.
const (
	Vector   Speed = iota // some twenty times, however many values there are
	PerValue              // once for every distinct value, or element of a list
	PerRow                // once for every distinct combination of values: at worst for every subject
)

// String is the speed as authors of rules read it.
func (s Speed) String() string { return [...]string{"vector", "per value", "per row"}[s] }

// Speed is that of the leaf.
func (l *Leaf) Speed() Speed {
	switch {
	case len(l.Sources) == 0:
		return Vector
	case len(l.Sources) > 1:
		return PerRow
	case l.predicate != nil:
		return PerValue
	case l.searches(), l.Sources[0].Layer == Answer:
		return Vector
	}
	if f := l.Field(0); f == nil || slices.Contains([]kind.Type{kind.Bool, kind.Enum}, f.Type) {
		return Vector
	}
	return PerValue
}
