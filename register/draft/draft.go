// Package draft keeps half-filled forms of registers until their writer sends or
// discards them. A draft is his alone: nobody else is shown it, and nothing reads it.
package draft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"kakusho/actor"
	"kakusho/gate"
	"kakusho/store"
	"kakusho/trail"
)

// ErrUnfit means that a draft cannot be kept: it is too large, or no text.
var ErrUnfit = errors.New("draft cannot be kept")

// The limits of drafts.
const (
	MostBytes = 256 << 10 // of one
	Most      = 100       // of one person
)

// Draft is a form as it was typed so far. Its key is its writer, Subject and Form.
type Draft struct {
	Subject string // "kind/id"; "kind/new" of an entry that is not there yet
	Form    string // Entry, or the step of the entry's procedure
	Rev     int64  // of the entry as he saw it
	Typed   map[string][]string
	At      time.Time
}

// Entry is the form of the entry itself.
const Entry = "entry"

// Kind is the kind of the entry.
func (d Draft) Kind() string { k, _, _ := strings.Cut(d.Subject, "/"); return k }

// Drafts keeps drafts. It is safe for concurrent use.
type Drafts struct {
	rows store.Store
	gate *gate.Gate
}

// New returns the drafts kept in rows, changed through g.
func New(rows store.Store, g *gate.Gate) *Drafts { return &Drafts{rows, g} }

type (
	keepBody struct {
		Subject string              `json:"subject"`
		Form    string              `json:"form"`
		Rev     int64               `json:"rev"`
		Typed   map[string][]string `json:"typed"`
	}
	dropBody struct {
		Subject string `json:"subject"`
		Form    string `json:"form"`
	}
)

// Keep keeps a draft of who, in the place of the one he had of the same form.
func (d *Drafts) Keep(ctx context.Context, who actor.Actor, x Draft, at time.Time) error {
	size := len(x.Subject) + len(x.Form)
	fit := x.Form != "" && strings.Contains(x.Subject, "/") && utf8.ValidString(x.Subject) && utf8.ValidString(x.Form)
	for name, vs := range x.Typed {
		fit = fit && utf8.ValidString(name)
		for _, v := range vs {
			size += len(name) + len(v)
			fit = fit && utf8.ValidString(v)
		}
	}
	if !fit || size > MostBytes {
		return fmt.Errorf("%s: %w", x.Subject, ErrUnfit)
	}
	all, err := d.all(ctx, who.Person)
	if err != nil {
		return err
	}
	others := 0
	for _, o := range all {
		if o.Subject != x.Subject || o.Form != x.Form {
			others++
		}
	}
	if others >= Most {
		return fmt.Errorf("%d drafts are kept already: %w", others, ErrUnfit)
	}
	return d.ask(ctx, who, gate.KeepDraft, x.Subject, keepBody{x.Subject, x.Form, x.Rev, x.Typed}, at)
}

// Drop discards the draft of who, if there is one.
func (d *Drafts) Drop(ctx context.Context, who actor.Actor, subject, form string, at time.Time) error {
	if _, ok, err := d.find(ctx, who.Person, subject, form); err != nil || !ok {
		return err
	}
	return d.ask(ctx, who, gate.DropDraft, subject, dropBody{subject, form}, at)
}

func (d *Drafts) ask(ctx context.Context, who actor.Actor, action gate.Action, subject string, body any, at time.Time) error {
	_, err := d.gate.Ask(ctx, gate.Request{Actor: who, At: at, Action: action, Object: subject, Scope: who.Everywhere(), Changes: []gate.Change{{Body: body}}})
	return err
}

// Of is the draft that a permit's holder has of a form.
func (d *Drafts) Of(ctx context.Context, p gate.Permit, subject, form string) (Draft, bool, error) {
	return d.find(ctx, p.Who().Person, subject, form)
}

// All are the drafts of a permit's holder, the oldest first.
func (d *Drafts) All(ctx context.Context, p gate.Permit) ([]Draft, error) {
	return d.all(ctx, p.Who().Person)
}

func (d *Drafts) find(ctx context.Context, person, subject, form string) (x Draft, ok bool, err error) {
	if person == "" || subject == "" || form == "" {
		return x, false, nil
	}
	err = d.rows.View(ctx, func(r store.Reader) error {
		var row store.Draft
		row, ok, err = store.Get(ctx, r, store.Draft{Person: person, Subject: subject, Form: form})
		x = of(row)
		return err
	})
	return x, ok, err
}

func (d *Drafts) all(ctx context.Context, person string) (out []Draft, err error) {
	err = d.rows.View(ctx, func(r store.Reader) error {
		return r.List(ctx, &store.Draft{}, store.Where{Equal: map[string]any{"person": person}, Sort: []string{"at"}}, func(row store.Row) error {
			out = append(out, of(*row.(*store.Draft)))
			return nil
		})
	})
	return out, err
}

func of(row store.Draft) Draft {
	x := Draft{Subject: row.Subject, Form: row.Form, Rev: row.Rev, At: row.At, Typed: map[string][]string{}}
	typed, _ := row.Typed.(map[string]any)
	for name, v := range typed {
		list, _ := v.([]any)
		for _, e := range list {
			s, _ := e.(string)
			x.Typed[name] = append(x.Typed[name], s)
		}
	}
	return x
}

// Fold puts one entry into the rows. Entries of other packages are passed over.
func Fold(ctx context.Context, tx store.Tx, e trail.Sealed) error {
	switch gate.Action(e.Kind) {
	case gate.KeepDraft:
		var b keepBody
		if err := json.Unmarshal(e.Body, &b); err != nil {
			return fmt.Errorf("entry %d %s: %w", e.Seq, e.Kind, err)
		}
		typed := map[string]any{}
		for name, vs := range b.Typed {
			list := []any{}
			for _, v := range vs {
				list = append(list, v)
			}
			typed[name] = list
		}
		return tx.Put(ctx, &store.Draft{Person: e.Actor, Subject: b.Subject, Form: b.Form, Rev: b.Rev, Typed: typed, At: e.At, Entry: e.Seq})
	case gate.DropDraft:
		var b dropBody
		if err := json.Unmarshal(e.Body, &b); err != nil {
			return fmt.Errorf("entry %d %s: %w", e.Seq, e.Kind, err)
		}
		return tx.Delete(ctx, &store.Draft{Person: e.Actor, Subject: b.Subject, Form: b.Form})
	}
	return nil
}
