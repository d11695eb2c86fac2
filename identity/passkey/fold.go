package passkey

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/go-webauthn/webauthn/webauthn"

	"kakusho/gate"
	"kakusho/store"
	"kakusho/trail"
)

type (
	addBody struct {
		ID         string               `json:"id"`
		Person     string               `json:"person"`
		Name       string               `json:"name"`
		Host       string               `json:"host"`
		Credential *webauthn.Credential `json:"credential"`
	}
	endBody struct {
		ID string `json:"id"`
	}
	// loginBody is what of a login concerns passkeys.
	loginBody struct {
		Passkey string `json:"passkey"`
		Uses    uint32 `json:"uses"`
	}
	enrolBody struct {
		Person string `json:"person"`
	}
)

// Fold puts what an entry did to passkeys into the rows. Other entries it passes over.
func Fold(ctx context.Context, tx store.Tx, e trail.Sealed) error {
	switch gate.Action(e.Kind) {
	case gate.AddPasskey:
		var b addBody
		if err := read(e, &b); err != nil {
			return err
		}
		c, err := plain(b.Credential)
		if err != nil {
			return err
		}
		return tx.Put(ctx, &store.Passkey{ID: b.ID, Person: b.Person, Name: b.Name, Host: b.Host, Credential: c, AddedAt: e.At, Entry: e.Seq})
	case gate.EndPasskey:
		var b endBody
		if err := read(e, &b); err != nil {
			return err
		}
		return end(ctx, tx, b.ID, e)
	case gate.Login:
		var b loginBody
		if err := read(e, &b); err != nil || b.Passkey == "" {
			return err
		}
		return use(ctx, tx, b, e)
	case gate.Enrol: // a login set up anew may be one whose device was lost
		var b enrolBody
		if err := read(e, &b); err != nil {
			return err
		}
		keys, err := store.All[store.Passkey](ctx, tx, store.Where{Equal: map[string]any{"person": b.Person, "ended_at": nil}})
		for i := range keys {
			if err == nil {
				err = end(ctx, tx, keys[i].ID, e)
			}
		}
		return err
	}
	return nil
}

func read(e trail.Sealed, into any) error {
	if err := json.Unmarshal(e.Body, into); err != nil {
		return fmt.Errorf("entry %d %s: %w", e.Seq, e.Kind, err)
	}
	return nil
}

// plain is a credential as rows hold it.
func plain(c *webauthn.Credential) (v any, err error) {
	text, err := json.Marshal(c)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	return v, err
}

func use(ctx context.Context, tx store.Tx, b loginBody, e trail.Sealed) error {
	row, there, err := store.Get(ctx, tx, store.Passkey{ID: b.Passkey})
	if err != nil || !there {
		return err
	}
	c, err := credential(row)
	if err != nil {
		return err
	}
	c.Authenticator.SignCount = b.Uses
	if row.Credential, err = plain(&c); err != nil {
		return err
	}
	row.UsedAt, row.Entry = e.At, e.Seq
	return tx.Put(ctx, &row)
}

// end ends a passkey, and the sessions that it opened.
func end(ctx context.Context, tx store.Tx, id string, e trail.Sealed) error {
	row, there, err := store.Get(ctx, tx, store.Passkey{ID: id})
	if err != nil || !there || !row.EndedAt.IsZero() {
		return err
	}
	row.EndedAt, row.Entry = e.At, e.Seq
	if err := tx.Put(ctx, &row); err != nil {
		return err
	}
	open, err := store.All[store.Session](ctx, tx, store.Where{Equal: map[string]any{"passkey": id, "closed_at": nil}})
	for i := range open {
		open[i].ClosedAt, open[i].Entry = e.At, e.Seq
		if err == nil {
			err = tx.Put(ctx, &open[i])
		}
	}
	return err
}
