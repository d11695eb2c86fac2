// Package tuple numbers the combinations of cells of several columns that occur.
package tuple

import (
	"cmp"
	"slices"
	"sync"

	"kakusho/judge/fleet/column"
)

// Dictionary numbers the distinct combinations of the codes of several dictionaries.
// Like a dictionary it only grows, is shared by forks and safe for concurrent use.
// The tuple of cells that are all missing is 0.
type Dictionary struct {
	of []*column.Dictionary

	mu    sync.RWMutex
	pairs []map[uint64]uint32 // (number of the codes before, code) → number
	sizes []uint32            // how many numbers each level gave
	codes [][]uint32          // number → codes
}

// New begins with nothing seen.
func New(of ...*column.Dictionary) *Dictionary {
	t := &Dictionary{of: of}
	for range len(of) - 1 {
		t.pairs = append(t.pairs, map[uint64]uint32{})
		t.sizes = append(t.sizes, 0)
	}
	t.Code(make([]uint32, len(of)))
	return t
}

// Code is the number of a combination.
func (t *Dictionary) Code(codes []uint32) uint32 {
	t.mu.RLock()
	at, ok := codes[0], true
	for i := 0; ok && i < len(t.pairs); i++ {
		at, ok = t.pairs[i][uint64(at)<<32|uint64(codes[i+1])]
	}
	t.mu.RUnlock()
	if ok {
		return at
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.add(codes)
}

func (t *Dictionary) add(codes []uint32) uint32 {
	at := codes[0]
	for i := range t.pairs {
		key := uint64(at)<<32 | uint64(codes[i+1])
		next, ok := t.pairs[i][key]
		if !ok {
			next = t.sizes[i]
			t.pairs[i][key] = next
			t.sizes[i]++
			if i == len(t.pairs)-1 {
				t.codes = append(t.codes, append([]uint32{}, codes...))
			}
		}
		at = next
	}
	return at
}

// Len is the number of combinations.
func (t *Dictionary) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.codes)
}

// Cells appends the cells that a number stands for.
func (t *Dictionary) Cells(code uint32, into []column.Entry) []column.Entry {
	t.mu.RLock()
	codes := t.codes[code]
	t.mu.RUnlock()
	for i, c := range codes {
		into = append(into, t.of[i].At(c))
	}
	return into
}

// Orders lists the combinations of two cells, from a number on, that differ in the
// source only: each list in ascending order of it.
func (t *Dictionary) Orders(from, source int) [][]uint32 {
	if len(t.of) != 2 || source < 0 {
		return nil
	}
	rank := make([]int, t.of[source].Len())
	for i, code := range t.of[source].Order(1) {
		if int(code) < len(rank) {
			rank[code] = i + 1
		}
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	place := func(tuple uint32) int {
		if code := t.codes[tuple][source]; int(code) < len(rank) {
			return rank[code]
		}
		return 0
	}
	groups := map[uint32][]uint32{}
	var keys []uint32
	for tuple := from; tuple < len(t.codes); tuple++ {
		if place(uint32(tuple)) == 0 {
			continue // no value that has a place
		}
		other := t.codes[tuple][1-source]
		if groups[other] == nil {
			keys = append(keys, other)
		}
		groups[other] = append(groups[other], uint32(tuple))
	}
	var out [][]uint32
	for _, key := range keys {
		slices.SortFunc(groups[key], func(a, b uint32) int { return cmp.Compare(place(a), place(b)) })
		out = append(out, groups[key])
	}
	return out
}
