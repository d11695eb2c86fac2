package register

import (
	"context"
	"fmt"
	"time"

	"kakusho/blob/file"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/store"
	"kakusho/trail"
)

// Fold returns the function that puts one entry into the rows; kinds say which
// field is an entry's name. Entries of other packages are passed over.
func Fold(kinds kind.Set) func(context.Context, store.Tx, trail.Sealed) error {
	return func(ctx context.Context, tx store.Tx, e trail.Sealed) error {
		switch gate.Action(e.Kind) {
		case gate.PutRegister, gate.Acknowledge:
			b, err := decode[Body](e.Body)
			if err != nil {
				return fmt.Errorf("entry %d %s: %w", e.Seq, e.Kind, err)
			}
			old, _, err := store.Get(ctx, tx, store.Subject{Kind: b.Kind, ID: b.ID})
			if err != nil {
				return err
			}
			return tx.Put(ctx, row(kinds[b.Kind], b, e, old))
		case gate.TakeStep:
			return foldStep(ctx, tx, kinds, e)
		case gate.RetireRegister:
			b, err := decode[RetireBody](e.Body)
			if err != nil {
				return fmt.Errorf("entry %d %s: %w", e.Seq, e.Kind, err)
			}
			s, ok, err := store.Get(ctx, tx, store.Subject{Kind: b.Kind, ID: b.ID})
			if err != nil || !ok {
				return err
			}
			s.Retired, s.Rev, s.ChangedAt, s.ChangedBy, s.Entry = true, s.Rev+1, e.At, e.Actor, e.Seq
			return tx.Put(ctx, &s)
		}
		return nil
	}
}

func foldStep(ctx context.Context, tx store.Tx, kinds kind.Set, e trail.Sealed) error {
	b, err := decode[StepBody](e.Body)
	if err != nil {
		return fmt.Errorf("entry %d %s: %w", e.Seq, e.Kind, err)
	}
	old, _, err := store.Get(ctx, tx, store.Subject{Kind: b.Kind, ID: b.ID})
	if err != nil {
		return err
	}
	if err := tx.Put(ctx, row(kinds[b.Kind], b.Body, e, old)); err != nil || b.Step == "" {
		return err
	}
	return tx.Put(ctx, &store.Step{
		Subject: string(fact.NewRef(b.Kind, b.ID)), Procedure: b.Procedure, Step: b.Step, Before: b.Before, After: b.After,
		Person: e.Actor, Post: e.Post, At: e.At, Note: b.Note, Files: file.AsRow(b.Files), Entry: e.Seq,
	})
}

func row(k kind.Kind, b Body, e trail.Sealed, old store.Subject) *store.Subject {
	text := func(name string) string { s, _ := b.Values[name].(string); return s }
	s := &store.Subject{
		Kind: b.Kind, ID: b.ID, Name: text(k.Name), Unit: text("unit"), System: text("system"),
		Values: b.Values, Since: since(old, b.Values, e.At), Rev: b.Rev, ChangedAt: e.At, ChangedBy: e.Actor, Entry: e.Seq,
	}
	if b.Kind == "system" {
		s.System = b.ID
	}
	if s.Name == "" {
		s.Name = b.ID
	}
	return s
}

// since moves only for the fields whose value changes, so that an entry put again
// with a new date of review is not an entry that was made anew.
func since(old store.Subject, values map[string]any, at time.Time) map[string]time.Time {
	out := make(map[string]time.Time, len(values))
	for name := range old.Since {
		out[name] = old.Since[name]
		if _, had := old.Values[name]; had && values[name] == nil {
			out[name] = at
		}
	}
	for name, v := range values {
		if _, known := old.Since[name]; !known || fact.Digest(old.Values[name]) != fact.Digest(v) {
			out[name] = at
		}
	}
	return out
}
