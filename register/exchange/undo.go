package exchange

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/register"
	"kakusho/store"
)

// Moved is an entry that has changed since the import that is to be undone.
type Moved struct {
	Ref         fact.Ref
	Name        string
	Line        int
	Was, Is     string // states, when a procedure has led it on
	Field       kind.Field
	ChangedAt   time.Time
	ChangedBy   string
	JustRetired bool // all that happened is that it was struck out
}

// Since are the entries for which an import cannot be undone.
type Since []Moved

func (s Since) Error() string {
	return fmt.Sprintf("%d entries changed since the import, the first %s", len(s), s[0].Ref)
}

// Undo puts everything that an import changed back as it was, and strikes out what it
// made: all of it as one decision, or nothing with Since.
func (x *Exchange) Undo(ctx context.Context, who actor.Actor, id, note string, at time.Time) error {
	if note = strings.TrimSpace(note); note == "" {
		return register.Faults{{Field: "note", Label: bilingual.Say("理由", "Reason"), Message: bilingual.Say("入力する。", "give one")}}
	}
	_, err := x.register.Sealing(ctx, func(rd store.Reader) (gate.Request, error) {
		im, ok, err := store.Get(ctx, rd, store.Import{ID: id})
		switch {
		case err != nil:
			return gate.Request{}, err
		case !ok:
			return gate.Request{}, fmt.Errorf("%s: %w", id, ErrNone)
		case im.Undone != "":
			return gate.Request{}, ErrUndone
		}
		rows, since, err := x.back(ctx, rd, id)
		if err != nil {
			return gate.Request{}, err
		}
		req := request(who, at, gate.UndoImport, id, Head{Kind: im.Kind, Note: note}, rows)
		if len(since) > 0 && req.Allows() { // who may not undo it is not told about its entries
			return gate.Request{}, since
		}
		return req, nil
	})
	return err
}

// back are the rows that undo an import, and what stands in their way.
func (x *Exchange) back(ctx context.Context, rd store.Reader, id string) (rows []Planned, since Since, err error) {
	all, err := store.All[store.Imported](ctx, rd, store.Where{Equal: map[string]any{"import": id}})
	if err != nil {
		return nil, nil, err
	}
	for _, im := range all {
		ref := fact.Ref(im.Subject)
		now, _, err := store.Get(ctx, rd, store.Subject{Kind: ref.Kind(), ID: ref.ID()})
		if err != nil {
			return nil, nil, err
		}
		k := x.register.Kinds()[ref.Kind()]
		if now.Rev != im.Rev {
			since = append(since, x.moved(ctx, rd, k, im, now))
		}
		was, _ := im.Was.(map[string]any)
		if im.Made {
			was = now.Values
		}
		rows = append(rows, Planned{Line: int(im.Line), Ref: ref, Retired: im.Made || im.Retired, as: register.Restored(k, now, was)})
	}
	return rows, since, nil
}

func (x *Exchange) moved(ctx context.Context, rd store.Reader, k kind.Kind, im store.Imported, now store.Subject) Moved {
	m := Moved{Ref: fact.Ref(im.Subject), Name: now.Name, Line: int(im.Line), ChangedAt: now.ChangedAt, ChangedBy: now.ChangedBy, JustRetired: now.Retired}
	p, led := x.register.Procedures().Of(k.ID)
	if !led {
		return m
	}
	steps, err := store.All[store.Step](ctx, rd, store.Where{Equal: map[string]any{"subject": im.Subject}, Sort: []string{"-entry"}, Limit: 1})
	if err == nil && len(steps) > 0 && steps[0].Entry == now.Entry {
		m.Field, _ = k.Field(p.Field)
		m.Was, m.Is = steps[0].Before, steps[0].After
	}
	return m
}
