package table

import (
	"sync"

	"kakusho/judge/fleet/column"
)

// Tuples numbers the distinct combinations of the codes of several dictionaries.
// Like a dictionary it only grows, is shared by forks and safe for concurrent use.
// The tuple of cells that are all missing is 0.
type Tuples struct {
	of []*column.Dictionary

	mu    sync.RWMutex
	pairs []map[uint64]uint32 // (number of the codes before, code) → number
	sizes []uint32            // how many numbers each level gave
	codes [][]uint32          // number → codes
}

// NewTuples begins with nothing seen.
func NewTuples(of ...*column.Dictionary) *Tuples {
	t := &Tuples{of: of}
	for range len(of) - 1 {
		t.pairs = append(t.pairs, map[uint64]uint32{})
		t.sizes = append(t.sizes, 0)
	}
	t.Code(make([]uint32, len(of)))
	return t
}

// Code is the number of a combination.
func (t *Tuples) Code(codes []uint32) uint32 {
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

func (t *Tuples) add(codes []uint32) uint32 {
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

// Len implements Domain.
func (t *Tuples) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.codes)
}

// Cells implements Domain.
func (t *Tuples) Cells(code uint32, into []column.Entry) []column.Entry {
	t.mu.RLock()
	codes := t.codes[code]
	t.mu.RUnlock()
	for i, c := range codes {
		into = append(into, t.of[i].At(c))
	}
	return into
}

// Order implements Domain: tuples have none.
func (t *Tuples) Order(int) []uint32 { return nil }
