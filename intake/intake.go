// Package intake accepts facts and folds them into the rows.
//
// A batch is what one collector run brought about one subject. It is checked
// against the subject's kind, sealed in the trail, and folded; accepted means
// durable. A batch that arrives twice counts once, one older than what is known
// changes nothing.
package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/collect"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/store"
	"kakusho/trail"
)

// ErrSubject means that the batch speaks of a subject no register has.
var ErrSubject = errors.New("no register has this subject")

// maxBody is how much JSON one entry of a batch may hold; a larger batch is
// sealed as several entries, and one fact larger than that is refused.
const maxBody = 900 << 10

// Intake accepts batches. It is safe for concurrent use.
type Intake struct {
	rows  store.Store
	gate  *gate.Gate
	kinds kind.Set
}

// New returns an intake for subjects of kinds.
func New(rows store.Store, g *gate.Gate, kinds kind.Set) *Intake {
	return &Intake{rows: rows, gate: g, kinds: kinds}
}

// Accept seals and folds batches about one subject. It refuses all of them when
// one does not fit its kind, naming the field.
func (in *Intake) Accept(ctx context.Context, who actor.Actor, batches []fact.Batch, at time.Time) error {
	if len(batches) == 0 {
		return nil
	}
	ref := batches[0].Subject
	var changes []gate.Change
	for _, b := range batches {
		if b.Subject != ref {
			return fmt.Errorf("batch %s: %s and %s in one delivery", b.ID, ref, b.Subject)
		}
		if err := dated(b, at); err != nil {
			return err
		}
		if err := collect.Check(in.kinds[ref.Kind()], b); err != nil {
			return fmt.Errorf("batch %s of %s: %w", b.Collector, ref, err)
		}
		parts, err := split(b)
		if err != nil {
			return fmt.Errorf("batch %s of %s: %w", b.Collector, ref, err)
		}
		for _, p := range parts {
			changes = append(changes, gate.Change{Body: p})
		}
	}
	places, err := in.places(ctx, ref)
	if err != nil {
		return err
	}
	_, err = in.gate.Ask(ctx, gate.Request{
		Actor: who, At: at, Action: gate.PutFacts, Object: string(ref), Scope: places, Changes: changes,
	})
	return err
}

// ahead is how far a sender's clock may be before ours.
const ahead = 5 * time.Minute

// dated refuses a batch that could not be told from another, or that would hide
// every later one: what was seen in the future is newer than all that follows.
func dated(b fact.Batch, at time.Time) error {
	switch {
	case b.ID == "":
		return fmt.Errorf("batch %s of %s has no ID", b.Collector, b.Subject)
	case b.ObservedAt.IsZero():
		return fmt.Errorf("batch %s of %s does not say when it was observed", b.Collector, b.Subject)
	case b.ObservedAt.After(at.Add(ahead)):
		return fmt.Errorf("batch %s of %s was observed at %s, after now (%s): correct the sender's clock",
			b.Collector, b.Subject, b.ObservedAt.UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339))
	}
	return nil
}

func (in *Intake) places(ctx context.Context, ref fact.Ref) (places []string, err error) {
	err = in.rows.View(ctx, func(r store.Reader) error {
		s, ok, err := store.Get(ctx, r, store.Subject{Kind: ref.Kind(), ID: ref.ID()})
		if err == nil && !ok {
			err = fmt.Errorf("%s: %w", ref, ErrSubject)
		}
		if s.Unit != "" {
			places = append(places, "unit/"+s.Unit)
		}
		if s.System != "" {
			places = append(places, "system/"+s.System)
		}
		return err
	})
	return places, err
}

// split cuts a batch so that each part fits an entry of the trail.
func split(b fact.Batch) ([]fact.Batch, error) {
	var parts []fact.Batch
	part, size := b, 0
	part.Facts = nil
	for _, f := range b.Facts {
		f.Value = fact.Canonical(f.Value)
		enc, err := json.Marshal(f)
		if err != nil {
			return nil, fmt.Errorf("fact %s: %w", f.Field, err)
		}
		if len(enc) > maxBody {
			return nil, fmt.Errorf("fact %s: %d bytes, at most %d", f.Field, len(enc), maxBody)
		}
		if size+len(enc) > maxBody {
			parts = append(parts, part)
			part.ID, part.Facts, size = fmt.Sprintf("%s/%d", b.ID, len(parts)), nil, 0
		}
		part.Facts = append(part.Facts, f)
		size += len(enc)
	}
	return append(parts, part), nil
}

// Fold returns the function that puts one entry into the rows. Entries of other
// packages are passed over.
func Fold(kinds kind.Set) func(context.Context, store.Tx, trail.Sealed) error {
	return func(ctx context.Context, tx store.Tx, e trail.Sealed) error { return fold(ctx, tx, e, kinds) }
}

func fold(ctx context.Context, tx store.Tx, e trail.Sealed, kinds kind.Set) error {
	if gate.Action(e.Kind) != gate.PutFacts {
		return nil
	}
	var b fact.Batch
	if err := json.Unmarshal(e.Body, &b); err != nil {
		return fmt.Errorf("entry %d %s: %w", e.Seq, e.Kind, err)
	}
	_, seen, err := store.Get(ctx, tx, store.Batch{ID: b.ID})
	if err != nil || seen {
		return err
	}
	if err := tx.Put(ctx, &store.Batch{ID: b.ID, Entry: e.Seq}); err != nil {
		return err
	}
	for _, f := range b.Facts {
		if err := foldFact(ctx, tx, e, kinds[b.Subject.Kind()], b, f); err != nil {
			return fmt.Errorf("entry %d fact %s: %w", e.Seq, f.Field, err)
		}
	}
	return nil
}

// foldFact replaces what is known of a field by what was seen later. Since moves
// only when the value or the status does.
func foldFact(ctx context.Context, tx store.Tx, e trail.Sealed, k kind.Kind, b fact.Batch, f fact.Fact) error {
	old, known, err := store.Get(ctx, tx, store.Fact{Subject: string(b.Subject), Field: f.Field})
	if err != nil {
		return err
	}
	if known && b.ObservedAt.Before(old.ObservedAt) {
		return nil
	}
	since, first := b.ObservedAt, b.ObservedAt
	if known {
		first = old.FirstAt
	}
	f.Value = firstSeen(k, f, old.Value, b.ObservedAt)
	if known && old.Status == string(f.Status) && fact.Digest(old.Value) == fact.Digest(f.Value) {
		since = old.Since
	}
	row := Observed(b, f, e.At)
	row.Since, row.FirstAt, row.Entry = since, first, e.Seq
	return tx.Put(ctx, &row)
}

// Observed is the row of a fact that was seen for the first time, received at the
// given instant.
func Observed(b fact.Batch, f fact.Fact, received time.Time) store.Fact {
	return store.Fact{
		Subject: string(b.Subject), Field: f.Field, Status: string(f.Status), Reason: f.Reason, Value: fact.Canonical(f.Value), Source: f.Source,
		Collector: b.Collector, Version: b.Version, Method: b.Method, Privilege: b.Privilege,
		ObservedAt: b.ObservedAt, ReceivedAt: received, Since: b.ObservedAt, FirstAt: b.ObservedAt,
	}
}

// firstSeen fills the field "first_seen" of a list's records, which no collector
// can know: carried over from the record before with the same first field, else
// now. A value that is not such a list is left as it is.
func firstSeen(k kind.Kind, f fact.Fact, old any, at time.Time) any {
	field, ok := k.Field(f.Field)
	list, isList := f.Value.([]any)
	if !ok || !isList || !slices.ContainsFunc(field.Of, func(x kind.Field) bool { return x.Name == "first_seen" }) {
		return f.Value
	}
	id := field.Of[0].Name
	known := map[any]any{}
	before, _ := old.([]any)
	for _, e := range before {
		if m, ok := e.(map[string]any); ok {
			if s, ok := m[id].(string); ok {
				known[s] = m["first_seen"]
			}
		}
	}
	out := make([]any, len(list))
	for i, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			out[i] = e
			continue
		}
		m = maps.Clone(m)
		m["first_seen"] = fact.Canonical(at)
		if t, ok := known[m[id]]; ok && t != nil {
			m["first_seen"] = t
		}
		out[i] = m
	}
	return out
}
