package identity

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/gate"
	"kakusho/store"
)

// A sender is a program on another machine that brings events. It shows a token;
// the name that goes with it is what the register log-source knows it by. Like a
// session's, the token is told once and only its digest is kept.

type (
	addSenderBody struct {
		Name   string `json:"name"`
		Digest string `json:"digest"`
	}
	endSenderBody struct {
		Name   string `json:"name"`
		Reason string `json:"reason"`
	}
)

// AddSender gives a sender a token and returns it. One that has a token already
// has two then, so that the new one can be brought to it before the old one ends.
func (id *Identity) AddSender(ctx context.Context, who actor.Actor, name string, at time.Time) (string, error) {
	if name == "" || len(name) > 200 || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == 0x7F || c == 0xFFFD }) {
		return "", fault("name", "送信元の名は、空白及び制御文字を含まない200バイト以内とする。", "A sender's name has at most 200 bytes, without spaces and control characters.")
	}
	text, digest := token()
	_, err := id.gate.Ask(ctx, gate.Request{
		Actor: who, At: at, Action: gate.AddSender, Object: "sender/" + name,
		Changes: []gate.Change{{Body: addSenderBody{Name: name, Digest: digest}}},
	})
	if err != nil {
		return "", err
	}
	return text, nil
}

// EndSender ends every token of a name that was given before the instant at.
func (id *Identity) EndSender(ctx context.Context, who actor.Actor, name, reason string, at time.Time) error {
	if reason == "" {
		return fault("reason", "理由を入力すること。", "Give a reason.")
	}
	_, err := id.gate.Ask(ctx, gate.Request{
		Actor: who, At: at, Action: gate.EndSender, Object: "sender/" + name,
		Changes: []gate.Change{{Body: endSenderBody{Name: name, Reason: reason}}},
	})
	return err
}

// Sender is the name that goes with a token; "" when none does.
func (id *Identity) Sender(ctx context.Context, text string) (name string, err error) {
	if text == "" {
		return "", nil
	}
	var s store.Sender
	var ok bool
	err = id.rows.View(ctx, func(r store.Reader) (err error) {
		s, ok, err = store.Get(ctx, r, store.Sender{Digest: tokenDigest(text)})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("look for sender: %w", err)
	}
	if !ok || !s.EndedAt.IsZero() {
		return "", nil
	}
	return s.Name, nil
}

// Senders are all tokens given, by name and time.
func (id *Identity) Senders(ctx context.Context) (out []store.Sender, err error) {
	err = id.rows.View(ctx, func(r store.Reader) (err error) {
		out, err = store.All[store.Sender](ctx, r, store.Where{Sort: []string{"name", "entry"}})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list senders: %w", err)
	}
	return out, nil
}

func endSender(ctx context.Context, tx store.Tx, name string, at time.Time, entry int64) error {
	given, err := store.All[store.Sender](ctx, tx, store.Where{Equal: map[string]any{"name": name}})
	if err != nil {
		return err
	}
	for _, s := range given {
		if !s.EndedAt.IsZero() {
			continue
		}
		s.EndedAt, s.Entry = at, entry
		if err := tx.Put(ctx, &s); err != nil {
			return err
		}
	}
	return nil
}
