package identity

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"time"

	"kakusho/gate"
	"kakusho/store"
	"kakusho/trail"
)

// The bodies of this package's entries, as the trail keeps them.
type (
	inviteBody struct {
		Digest string    `json:"digest"`
		Person string    `json:"person"`
		Until  time.Time `json:"until"`
	}
	enrolBody struct {
		Person string `json:"person"`
		Digest string `json:"digest"`
		Invite string `json:"invite"`
	}
	loginBody struct {
		Person  string    `json:"person"`
		Session string    `json:"session"`
		Addr    string    `json:"addr"`
		Until   time.Time `json:"until"`
		Passkey string    `json:"passkey,omitempty"`
		Uses    uint32    `json:"uses,omitempty"` // of the passkey
	}
	logoutBody struct {
		Session string `json:"session"`
	}
	refusedBody struct {
		Person string `json:"person"`
		Addr   string `json:"addr"`
		Why    string `json:"why"`
	}
)

// Fold puts one entry into the rows. Entries of other packages are passed over.
func Fold(ctx context.Context, tx store.Tx, e trail.Sealed) error {
	switch gate.Action(e.Kind) {
	case gate.Invite:
		return with(e, func(b inviteBody) error {
			return tx.Put(ctx, &store.Invite{Digest: b.Digest, Person: b.Person, Until: b.Until, Entry: e.Seq})
		})
	case gate.Enrol:
		return with(e, func(b enrolBody) error { return foldEnrol(ctx, tx, e, b) })
	case gate.Login:
		return with(e, func(b loginBody) error {
			s := store.Session{Digest: b.Session, Person: b.Person, Addr: b.Addr, Passkey: b.Passkey, OpenedAt: e.At, Until: b.Until, Login: e.Seq, Entry: e.Seq}
			if err := before(ctx, tx, &s); err != nil {
				return err
			}
			return tx.Put(ctx, &s)
		})
	case gate.Logout, gate.EndSession:
		return with(e, func(b logoutBody) error { return closeSession(ctx, tx, b.Session, e) })
	case gate.AddSender:
		return with(e, func(b addSenderBody) error {
			return tx.Put(ctx, &store.Sender{Digest: b.Digest, Name: b.Name, GivenAt: e.At, Entry: e.Seq})
		})
	case gate.EndSender:
		return with(e, func(b endSenderBody) error { return endSender(ctx, tx, b.Name, e.At, e.Seq) })
	case gate.AddFeed, gate.EndFeed:
		return with(e, func(b feedBody) error {
			if err := endFeeds(ctx, tx, e.Actor, e.At, e.Seq); err != nil || b.Digest == "" {
				return err
			}
			return tx.Put(ctx, &store.Feed{Digest: b.Digest, Person: e.Actor, GivenAt: e.At, Entry: e.Seq})
		})
	case gate.LoginRefused:
		return with(e, func(b refusedBody) error {
			if b.Why == "locked" || b.Why == "address-locked" {
				return nil // what is refused because of a lock-out does not lengthen it
			}
			return tx.Put(ctx, &store.Failure{Person: b.Person, Addr: b.Addr, At: e.At, Entry: e.Seq})
		})
	}
	return nil
}

func with[T any](e trail.Sealed, do func(T) error) error {
	var body T
	if err := json.Unmarshal(e.Body, &body); err != nil {
		return fmt.Errorf("entry %d %s: %w", e.Seq, e.Kind, err)
	}
	return do(body)
}

// foldEnrol sets the person's digest, uses up the invitation, and closes the
// sessions that the old password had opened.
func foldEnrol(ctx context.Context, tx store.Tx, e trail.Sealed, b enrolBody) error {
	if err := tx.Put(ctx, &store.Credential{Person: b.Person, Digest: b.Digest, ChangedAt: e.At, Entry: e.Seq}); err != nil {
		return err
	}
	inv, ok, err := store.Get(ctx, tx, store.Invite{Digest: b.Invite})
	if err != nil {
		return err
	}
	if ok {
		inv.UsedAt, inv.Entry = e.At, e.Seq
		if err := tx.Put(ctx, &inv); err != nil {
			return err
		}
	}
	open, err := store.All[store.Session](ctx, tx, store.Where{Equal: map[string]any{"person": b.Person}})
	if err != nil {
		return err
	}
	for _, s := range open {
		if err := closeSession(ctx, tx, s.Digest, e); err != nil {
			return err
		}
	}
	return nil
}

func closeSession(ctx context.Context, tx store.Tx, digest string, e trail.Sealed) error {
	s, ok, err := store.Get(ctx, tx, store.Session{Digest: digest})
	if err != nil || !ok || !s.ClosedAt.IsZero() {
		return err
	}
	s.ClosedAt, s.Entry = e.At, e.Seq
	return tx.Put(ctx, &s)
}

func constantEqual(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
