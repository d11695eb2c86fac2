package register

import (
	"context"
	"fmt"

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
		case gate.PutRegister:
			b, err := decode[Body](e.Body)
			if err != nil {
				return fmt.Errorf("entry %d %s: %w", e.Seq, e.Kind, err)
			}
			return tx.Put(ctx, row(kinds[b.Kind], b, e))
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

func row(k kind.Kind, b Body, e trail.Sealed) *store.Subject {
	text := func(name string) string { s, _ := b.Values[name].(string); return s }
	s := &store.Subject{
		Kind: b.Kind, ID: b.ID, Name: text(k.Name), Unit: text("unit"), System: text("system"),
		Values: b.Values, Rev: b.Rev, ChangedAt: e.At, ChangedBy: e.Actor, Entry: e.Seq,
	}
	if b.Kind == "system" {
		s.System = b.ID
	}
	if s.Name == "" {
		s.Name = b.ID
	}
	return s
}
