// Package sample draws subjects to be looked at, so that anybody can draw them again: a
// subject's place in the draw is the SHA-256 of the seed, a line break and its
// reference, and the first n are taken. `printf '%s\n%s' SEED computer/PC-1 | sha256sum`
// says where one stands.
package sample

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"kakusho/clause"
	"kakusho/fact"
	"kakusho/posture"
)

// Frame is what a sample is drawn from: what is judged by some clauses, or by what is
// under them, in a system, a unit and those below, or everywhere.
type Frame struct {
	Clauses      []clause.ID
	System, Unit string
}

// Pairs are those of the frame, by subject and then by control.
func (f Frame) Pairs(st *posture.Standing) (pairs []posture.Pair) {
	for _, c := range f.Clauses {
		pairs = append(pairs, st.Pairs(posture.Filter{Clause: c, System: f.System, Unit: f.Unit})...)
	}
	slices.SortFunc(pairs, func(a, b posture.Pair) int {
		return cmp.Or(strings.Compare(string(a.Subject), string(b.Subject)), strings.Compare(a.Control, b.Control))
	})
	return slices.CompactFunc(pairs, func(a, b posture.Pair) bool { return a.Subject == b.Subject && a.Control == b.Control })
}

// Population is the subjects of pairs, in order.
func Population(pairs []posture.Pair) (refs []fact.Ref) {
	for _, p := range pairs {
		refs = append(refs, p.Subject)
	}
	slices.Sort(refs)
	return slices.Compact(refs)
}

// Digest is the SHA-256 of a population, one a line.
func Digest(population []fact.Ref) string {
	h := sha256.New()
	for _, ref := range population {
		h.Write([]byte(string(ref) + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Draw takes n of a population, in order of the draw; all when there are fewer.
func Draw(population []fact.Ref, seed string, n int) []fact.Ref {
	places := make(map[fact.Ref][sha256.Size]byte, len(population))
	for _, ref := range population {
		places[ref] = sha256.Sum256([]byte(seed + "\n" + string(ref)))
	}
	out := slices.Clone(population)
	slices.SortFunc(out, func(a, b fact.Ref) int {
		x, y := places[a], places[b]
		return cmp.Or(slices.Compare(x[:], y[:]), strings.Compare(string(a), string(b)))
	})
	return out[:min(max(n, 0), len(out))]
}
