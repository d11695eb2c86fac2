// Package notice tells which notices a person is still to acknowledge, and takes his
// acknowledgements: of the text as it was shown to him, once, for good.
//
// A notice concerns him who belongs to the unit it addresses or to one below, and has a
// live account on its system. Who uses this installation uses its system. Another
// version or another text of a notice is another notice to acknowledge.
package notice

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"kakusho/actor"
	"kakusho/clause"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/register"
	"kakusho/store"
)

// The registers this rests on.
const (
	noticeKind = "notice"
	ackKind    = "acknowledgement"
)

// ErrMoved means that a notice is not as it was shown any more.
var ErrMoved = errors.New("the notice has changed since it was shown")

// Notice is one that somebody is to acknowledge.
type Notice struct {
	ID, Title, Version string
	Text, TextEN       string
	Digest             string // of version and text, as posture compares it
}

// Notices tells and takes. It is safe for concurrent use.
type Notices struct {
	rows    store.Store
	gate    *gate.Gate
	clauses []clause.ID
	own     string   // the system that this installation is
	known   sync.Map // "person notice digest" → true: an acknowledgement does not go away
}

// New returns the notices kept in rows.
func New(rows store.Store, g *gate.Gate, kinds kind.Set, own string) *Notices {
	return &Notices{rows: rows, gate: g, clauses: kinds[ackKind].Clauses, own: own}
}

// Held reports whether somebody is to acknowledge something before he does anything
// else.
func (n *Notices) Held(ctx context.Context, who actor.Actor, at time.Time) (bool, error) {
	pending, err := n.Pending(ctx, who, at)
	return len(pending) > 0, err
}

// Pending are the notices in force that concern a person and that he has not
// acknowledged as they are.
func (n *Notices) Pending(ctx context.Context, who actor.Actor, at time.Time) (out []Notice, err error) {
	err = n.rows.View(ctx, func(rd store.Reader) error {
		rows, err := store.All[store.Subject](ctx, rd, store.Where{Equal: map[string]any{"kind": noticeKind, "retired": false}, Sort: []string{"id"}})
		if err != nil {
			return err
		}
		for _, row := range rows {
			if !inForce(row, at) {
				continue
			}
			x := of(row)
			if _, ok := n.known.Load(who.Person + " " + x.ID + " " + x.Digest); ok {
				continue
			}
			concerns, err := n.concerns(ctx, rd, who.Person, row)
			if err != nil {
				return err
			}
			if !concerns {
				continue
			}
			done, err := acknowledged(ctx, rd, who.Person, x)
			switch {
			case err != nil:
				return err
			case done:
				n.known.Store(who.Person+" "+x.ID+" "+x.Digest, true)
			default:
				out = append(out, x)
			}
		}
		return nil
	})
	return out, err
}

func text(row store.Subject, name string) string { s, _ := row.Values[name].(string); return s }

func inForce(row store.Subject, at time.Time) bool {
	from, err := time.Parse(time.RFC3339, text(row, "from"))
	until, open := time.Parse(time.RFC3339, text(row, "until"))
	return err == nil && !at.Before(from) && (open != nil || at.Before(until))
}

func of(row store.Subject) Notice {
	return Notice{ID: row.ID, Title: row.Name, Version: text(row, "version"), Text: text(row, "text"), TextEN: text(row, "text_en"),
		Digest: fact.Digest([]any{text(row, "version"), text(row, "text"), text(row, "text_en")})}
}

// concerns reports whether a notice is addressed to a person.
func (n *Notices) concerns(ctx context.Context, rd store.Reader, person string, row store.Subject) (bool, error) {
	if unit := text(row, "unit"); unit != "" {
		p, _, err := store.Get(ctx, rd, store.Subject{Kind: "person", ID: person})
		if err != nil {
			return false, err
		}
		within := false
		for up, left := text(p, "unit"), 64; up != "" && left > 0 && !within; left-- {
			within = up == unit
			u, _, err := store.Get(ctx, rd, store.Subject{Kind: "unit", ID: up})
			if err != nil {
				return false, err
			}
			up = text(u, "parent")
		}
		if !within {
			return false, nil
		}
	}
	system := text(row, "system")
	if system == "" || system == n.own {
		return true, nil
	}
	accounts, err := store.All[store.Subject](ctx, rd, store.Where{Equal: map[string]any{"kind": "account", "retired": false, "system": system, "values.person": person}})
	return slices.ContainsFunc(accounts, func(a store.Subject) bool { return text(a, "status") == "active" }), err
}

// number is the key of the acknowledgement of a notice as it is by a person.
func number(person string, x Notice) string { return x.ID + "/" + x.Digest[:8] + "/" + person }

// acknowledged reports whether there is an acknowledgement of it: on the screen, or one
// that was entered, which does not say of what text.
func acknowledged(ctx context.Context, rd store.Reader, person string, x Notice) (bool, error) {
	if _, ok, err := store.Get(ctx, rd, store.Subject{Kind: ackKind, ID: number(person, x)}); ok || err != nil {
		return ok, err
	}
	rows, err := store.All[store.Subject](ctx, rd, store.Where{Equal: map[string]any{"kind": ackKind, "retired": false, "values.notice": x.ID, "values.person": person}})
	return slices.ContainsFunc(rows, func(a store.Subject) bool { d := text(a, "text_digest"); return d == "" || d == x.Digest }), err
}

// Acknowledge takes the acknowledgement of what a person was shown, by digest: of all
// that he is to acknowledge, or of nothing. ErrMoved when one of them changed, or
// another came.
func (n *Notices) Acknowledge(ctx context.Context, who actor.Actor, shown []string, at time.Time) error {
	pending, err := n.Pending(ctx, who, at)
	if err != nil || len(pending) == 0 {
		return err
	}
	r := gate.Request{Actor: who, At: at, Action: gate.Acknowledge, Object: "person/" + who.Person, Scope: who.Everywhere(), Clauses: n.clauses}
	for _, x := range pending {
		if !slices.Contains(shown, x.Digest) {
			return ErrMoved
		}
		id := number(who.Person, x)
		r.Changes = append(r.Changes, gate.Change{Object: string(fact.NewRef(ackKind, id)), Body: register.Body{Kind: ackKind, ID: id, Rev: 1, Values: map[string]any{
			"acknowledgement_no": id, "notice": x.ID, "person": who.Person, "acknowledged_at": fact.Canonical(at), "method": "screen",
			"version": strings.TrimSpace(x.Version), "text_digest": x.Digest}}})
	}
	_, err = n.gate.Ask(ctx, r)
	return err
}
