package govern

import (
	"context"
	"encoding/json"
	"fmt"

	"kakusho/decision"
	"kakusho/directive"
	"kakusho/gate"
	"kakusho/store"
	"kakusho/trail"
)

// stepBody is what the trail keeps of an approval or a withdrawal.
type stepBody struct {
	ID     string `json:"id"`
	Reason string `json:"reason,omitempty"`

	Predicted *decision.Prediction `json:"predicted,omitempty"` // of a value: what whoever approves it was shown
}

// noteBody is what the trail keeps of a note about a decision.
type noteBody struct {
	ID   string            `json:"id"`
	Type decision.NoteType `json:"type"`
	Text string            `json:"text"`
}

// Fold puts one entry into the rows. Entries of other packages are passed over.
func Fold(ctx context.Context, tx store.Tx, e trail.Sealed) error {
	var err error
	switch gate.Action(e.Kind) {
	case gate.GiveDecision:
		var d decision.Decision
		if err = json.Unmarshal(e.Body, &d); err == nil {
			d.By, d.Post, d.At = e.Actor, e.Post, e.At
			err = tx.Put(ctx, &store.Decision{Decision: d, Entry: e.Seq})
		}
	case gate.ApproveDecision, gate.WithdrawDecision:
		err = foldStep(ctx, tx, e)
	case gate.NoteDecision:
		err = foldNote(ctx, tx, e)
	case gate.SetParameter:
		var s directive.Setting
		if err = json.Unmarshal(e.Body, &s); err == nil {
			err = tx.Put(ctx, &store.Setting{
				ID: s.ID, Key: s.Key, Layer: s.Layer, Value: s.Value, Source: s.Source, By: e.Actor,
				From: s.From, Until: s.Until, At: e.At, Entry: e.Seq,
			})
		}
	case gate.ApproveParameter, gate.EndParameter:
		err = foldSettingStep(ctx, tx, e)
	case gate.AdoptDirective:
		err = foldAdoption(ctx, tx, e)
	}
	if err != nil {
		return fmt.Errorf("entry %d %s: %w", e.Seq, e.Kind, err)
	}
	return nil
}

func foldStep(ctx context.Context, tx store.Tx, e trail.Sealed) error {
	var b stepBody
	if err := json.Unmarshal(e.Body, &b); err != nil {
		return err
	}
	d, ok, err := getDecision(ctx, tx, b.ID)
	if err != nil || !ok {
		return err
	}
	if gate.Action(e.Kind) == gate.ApproveDecision {
		d.ApprovedBy, d.ApprovedAt = e.Actor, e.At
	} else {
		d.WithdrawnAt = e.At
	}
	d.Entry = e.Seq
	return tx.Put(ctx, &d)
}

func foldNote(ctx context.Context, tx store.Tx, e trail.Sealed) error {
	var b noteBody
	if err := json.Unmarshal(e.Body, &b); err != nil {
		return err
	}
	d, ok, err := getDecision(ctx, tx, b.ID)
	if err != nil || !ok {
		return err
	}
	d.Notes = append(d.Notes, decision.Note{Type: b.Type, Text: b.Text, By: e.Actor, Post: e.Post, At: e.At})
	d.Entry = e.Seq
	return tx.Put(ctx, &d)
}

func foldSettingStep(ctx context.Context, tx store.Tx, e trail.Sealed) error {
	var b stepBody
	if err := json.Unmarshal(e.Body, &b); err != nil {
		return err
	}
	s, ok, err := store.Get(ctx, tx, store.Setting{ID: b.ID})
	if err != nil || !ok {
		return err
	}
	if gate.Action(e.Kind) == gate.ApproveParameter {
		var said struct {
			Predicted map[string]any `json:"predicted"`
		}
		if err := json.Unmarshal(e.Body, &said); err != nil {
			return err
		}
		s.Approver, s.Predicted = e.Actor, said.Predicted
		if s.From.Before(e.At) {
			s.From = e.At // a value does not count before it was approved
		}
	} else {
		s.WithdrawnAt = e.At
	}
	s.Entry = e.Seq
	return tx.Put(ctx, &s)
}

func getDecision(ctx context.Context, r store.Reader, id string) (store.Decision, bool, error) {
	return store.Get(ctx, r, store.Decision{Decision: decision.Decision{ID: id}})
}
