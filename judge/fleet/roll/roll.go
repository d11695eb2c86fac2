// Package roll numbers subjects and keeps one for every number.
package roll

import (
	"slices"
	"sync"

	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet/bits"
)

// Names numbers the subjects of a kind. A number, once given, is the subject's for
// ever, so that forks share names and outcomes outlive their fleet.
type Names struct {
	mu   sync.RWMutex
	rows map[fact.Ref]int
	refs []fact.Ref
}

// NewNames begins with none.
func NewNames() *Names { return &Names{rows: map[fact.Ref]int{}} }

// Row is the number of a subject; without add, of one that never came it is -1.
func (n *Names) Row(ref fact.Ref, add bool) int {
	n.mu.RLock()
	row, ok := n.rows[ref]
	n.mu.RUnlock()
	if ok || !add {
		if !ok {
			return -1
		}
		return row
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if row, ok := n.rows[ref]; ok {
		return row
	}
	n.rows[ref] = len(n.refs)
	n.refs = append(n.refs, ref)
	return len(n.refs) - 1
}

// List is the subject of every number given so far.
func (n *Names) List() []fact.Ref {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.refs[:len(n.refs):len(n.refs)]
}

// Subject is one subject, the system it belongs to and whose parameter values it
// is held to.
type Subject struct {
	judge.Subject
	System string
	Scope  directive.Scope
}

// Grounded reports whether a decision counts only while a ground of its clause holds.
func Grounded(d decision.Decision) bool { return d.Ground != "" }

// Overlies reports whether a decision lies over violations.
func Overlies(d decision.Decision) bool {
	return d.Type == decision.Exception || d.Type == decision.Deferral || d.Type == decision.Special && !d.Provides()
}

// Heads is a subject for every row, a page at a time. Forks share pages.
type Heads struct {
	pages  []*[bits.Size]*Subject
	shared []bool // page → somebody else may hold it
}

// At is the subject of a row; nil if there is none.
func (h *Heads) At(row int) *Subject {
	if row < 0 || row/bits.Size >= len(h.pages) {
		return nil
	}
	return h.pages[row/bits.Size][row%bits.Size]
}

// Set puts a subject at a row; nil takes it away.
func (h *Heads) Set(row int, s *Subject) {
	page := row / bits.Size
	for len(h.pages) <= page {
		h.pages, h.shared = append(h.pages, new([bits.Size]*Subject)), append(h.shared, false)
	}
	if h.shared[page] {
		own := *h.pages[page]
		h.pages[page], h.shared[page] = &own, false
	}
	h.pages[page][row%bits.Size] = s
}

// Fork is a copy that shares every page until one of the two writes to it.
func (h *Heads) Fork() Heads {
	for i := range h.shared {
		h.shared[i] = true
	}
	return Heads{slices.Clone(h.pages), slices.Clone(h.shared)}
}

// All lists the subjects that are there, with their rows.
func (h *Heads) All(yield func(int, *Subject) bool) {
	for page := range h.pages {
		for i, s := range h.pages[page] {
			if s != nil && !yield(page*bits.Size+i, s) {
				return
			}
		}
	}
}
