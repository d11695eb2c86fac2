// Package audit reads the trail for those who may: search, one entry, its proof.
//
// This is its first form: a search walks the entries from the newest backwards
// and stops when the page is full or the walk has cost enough; it then says from
// where to go on. Every hit is read from the sealed pack itself.
package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/calendar"
	"kakusho/gate"
	"kakusho/store"
	"kakusho/trail"
)

// Query is what is looked for. Empty fields match everything.
type Query struct {
	Kind   string // exact, or the beginning up to a dot: "decision" for decision.give
	Actor  string
	Object string // exact, or the beginning: "computer/"
	Words  string // each found somewhere in the entry, whatever its width or case
	From   time.Time
	Until  time.Time // not including
	Before int64     // entries with a smaller number only; zero: from the newest
	Limit  int       // hits; zero: 50, at most 500
}

// Hits is one page of a search.
type Hits struct {
	Entries []trail.Sealed // newest first
	Looked  int64          // entries walked
	Next    int64          // Before of the next page; zero: the walk is at its end
	Total   int64          // entries in the trail
}

// walkLimit is how many entries one search may walk.
const walkLimit = 200_000

// Audit reads one trail. It is safe for concurrent use.
type Audit struct {
	trail *trail.Log
	gate  *gate.Gate
	past  calendar.Past // what of the trail is seen; zero: all
}

// New returns a reader of t.
func New(t *trail.Log, g *gate.Gate) *Audit { return &Audit{trail: t, gate: g} }

// At is a reader of what the trail held at another time.
func (a *Audit) At(past calendar.Past) *Audit {
	return &Audit{trail: a.trail, gate: a.gate, past: past}
}

// Permit asks for leave to read the trail. What is looked for is sealed with it.
func (a *Audit) Permit(ctx context.Context, who actor.Actor, q Query, at time.Time) (gate.Permit, error) {
	return a.gate.Ask(ctx, gate.Request{
		Actor: who, At: at, Action: gate.ReadTrail, Object: "trail", Scope: who.Everywhere(),
		Changes: []gate.Change{{Body: map[string]string{"kind": q.Kind, "actor": q.Actor, "object": q.Object, "words": q.Words}}},
	})
}

// Search walks the trail backwards in blocks.
func (a *Audit) Search(ctx context.Context, p gate.Permit, q Query) (Hits, error) {
	p.Who()
	const block = 2000
	limit := min(max(q.Limit, 0), 500)
	if q.Limit == 0 {
		limit = 50
	}
	h := Hits{Total: a.trail.Len()}
	end := h.Total
	if q.Before > 0 {
		end = min(q.Before, end)
	}
	words := strings.Fields(store.Plain(q.Words))
	for end > 0 && h.Looked < walkLimit {
		start := max(0, end-block)
		found, err := a.block(ctx, start, end, q, words)
		if err != nil {
			return Hits{}, err
		}
		h.Looked += end - start
		for i := len(found) - 1; i >= 0; i-- {
			h.Entries = append(h.Entries, found[i])
			if len(h.Entries) == limit {
				h.Next = found[i].Seq
				return h, nil
			}
		}
		end = start
	}
	h.Next = end
	return h, nil
}

func (a *Audit) block(ctx context.Context, start, end int64, q Query, words []string) (found []trail.Sealed, err error) {
	for e, err := range a.trail.Read(ctx, start) {
		if err != nil {
			return nil, fmt.Errorf("search trail: %w", err)
		}
		if e.Seq >= end {
			break
		}
		if a.past.Counts(e.At, e.Arrived) && match(e, q, words) {
			found = append(found, e)
		}
	}
	return found, nil
}

func match(e trail.Sealed, q Query, words []string) bool {
	switch {
	case q.Kind != "" && e.Kind != q.Kind && !strings.HasPrefix(e.Kind, q.Kind+"."):
		return false
	case q.Actor != "" && e.Actor != q.Actor:
		return false
	case q.Object != "" && !strings.HasPrefix(e.Object, q.Object):
		return false
	case !q.From.IsZero() && e.At.Before(q.From), !q.Until.IsZero() && !e.At.Before(q.Until):
		return false
	case len(words) == 0:
		return true
	}
	hay := store.Plain(strings.Join([]string{e.ID, e.Kind, e.Actor, e.Post, e.Object, e.Control, string(e.Body)}, " "))
	for _, w := range words {
		if !strings.Contains(hay, w) {
			return false
		}
	}
	return true
}

// Entry returns one entry by number.
func (a *Audit) Entry(p gate.Permit, seq int64) (trail.Sealed, error) {
	p.Who()
	e, err := a.trail.Get(seq)
	if err == nil && !a.past.Counts(e.At, e.Arrived) {
		return trail.Sealed{}, fmt.Errorf("entry %d: %w", seq, errLater)
	}
	return e, err
}

// errLater means that an entry is not of the time looked at.
var errLater = errors.New("it was recorded later than the time shown")

// Proof returns the proof of one entry as a file that verifies offline with the
// trail's public key alone.
func (a *Audit) Proof(ctx context.Context, p gate.Permit, seq int64) ([]byte, error) {
	if _, err := a.Entry(p, seq); err != nil {
		return nil, err
	}
	proof, err := a.trail.Prove(ctx, seq)
	if err != nil {
		return nil, err
	}
	return proof, nil
}

// PublicKey is the key with which the trail verifies.
func (a *Audit) PublicKey() string { return a.trail.PublicKey() }
