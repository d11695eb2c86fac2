// Package alphabet puts subjects in the order of their references.
package alphabet

import (
	"slices"
	"strings"

	"kakusho/posture/world"
)

// Alphabet is subjects in the order of their references.
type Alphabet struct {
	Slots []int // by rank
	Rank  []int // by slot
}

// Of puts items in order.
func Of(items []*world.Item) Alphabet {
	sorted := slices.Clone(items)
	slices.SortFunc(sorted, func(a, b *world.Item) int { return strings.Compare(string(a.Ref()), string(b.Ref())) })
	var a Alphabet
	for i, it := range sorted {
		a.Slots = append(a.Slots, it.Slot)
		if short := it.Slot + 1 - len(a.Rank); short > 0 {
			a.Rank = append(a.Rank, make([]int, short)...)
		}
		a.Rank[it.Slot] = i
	}
	return a
}
