package exchange

import (
	"context"
	"encoding/json"
	"fmt"

	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/register"
	"kakusho/store"
	"kakusho/trail"
)

// Fold returns the function that puts one entry into the rows. Entries of other
// packages are passed over.
func Fold(kinds kind.Set) func(context.Context, store.Tx, trail.Sealed) error {
	return func(ctx context.Context, tx store.Tx, e trail.Sealed) error {
		var err error
		switch gate.Action(e.Kind) {
		case gate.ImportRegister, gate.UndoImport:
			err = foldImport(ctx, tx, kinds, e)
		case gate.MapRegister:
			var b MappingBody
			if err = json.Unmarshal(e.Body, &b); err == nil {
				var m any
				if m, err = plain(b.Mapping); err == nil {
					err = tx.Put(ctx, &store.Mapping{Kind: b.Kind, Headings: b.Headings, Mapping: m, By: e.Actor, At: e.At, Entry: e.Seq})
				}
			}
		}
		if err != nil {
			return fmt.Errorf("entry %d %s: %w", e.Seq, e.Kind, err)
		}
		return nil
	}
}

// plain is a value as rows keep it.
func plain(v any) (out any, err error) {
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	return out, err
}

func foldImport(ctx context.Context, tx store.Tx, kinds kind.Set, e trail.Sealed) error {
	var b Body
	if err := json.Unmarshal(e.Body, &b); err != nil {
		return err
	}
	undo := gate.Action(e.Kind) == gate.UndoImport
	if b.Head != nil {
		return foldHead(ctx, tx, b, undo, e)
	}
	if b.Body == nil {
		return nil
	}
	old, _, err := store.Get(ctx, tx, store.Subject{Kind: b.Kind, ID: b.ID})
	if err != nil {
		return err
	}
	if !undo {
		im := store.Imported{Import: b.Import, Subject: string(fact.NewRef(b.Kind, b.ID)), Line: int64(b.Line), Made: old.Rev == 0, Retired: old.Retired, Rev: b.Rev}
		if old.Rev > 0 {
			im.Was = old.Values
		}
		if err := tx.Put(ctx, &im); err != nil {
			return err
		}
	}
	s := register.Row(kinds[b.Kind], *b.Body, e, old)
	s.Retired = b.Retired
	return tx.Put(ctx, s)
}

func foldHead(ctx context.Context, tx store.Tx, b Body, undo bool, e trail.Sealed) error {
	if undo {
		im, ok, err := store.Get(ctx, tx, store.Import{ID: b.Import})
		if err != nil || !ok {
			return err
		}
		im.Undone, im.UndonePost, im.UndoneAt, im.UndoneNote = e.Actor, e.Post, e.At, b.Head.Note
		return tx.Put(ctx, &im)
	}
	h := b.Head
	return tx.Put(ctx, &store.Import{
		ID: b.Import, Kind: h.Kind, File: h.File, Digest: h.Digest, Bytes: int64(h.Bytes), By: e.Actor, Post: e.Post, At: e.At, Note: h.Note,
		New: int64(h.New), Changed: int64(h.Changed), Same: int64(h.Same), Apart: int64(h.Absent), Entry: e.Seq,
	})
}
