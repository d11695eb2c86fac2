package identity

import (
	"context"
	"fmt"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/gate"
	"kakusho/store"
)

// A feed is an address at which a calendar program reads its owner's inbox. Like a
// session's, its token is told once and only its digest is kept; it opens nothing else.

type feedBody struct {
	Digest string `json:"digest"`
}

// AddFeed gives a person the token of a feed of his own. One that he had ends.
func (id *Identity) AddFeed(ctx context.Context, who actor.Actor, at time.Time) (string, error) {
	text, digest := token()
	return text, id.changeFeed(ctx, who, gate.AddFeed, feedBody{digest}, at)
}

// EndFeed ends a person's feed. That he has none is no error.
func (id *Identity) EndFeed(ctx context.Context, who actor.Actor, at time.Time) error {
	return id.changeFeed(ctx, who, gate.EndFeed, feedBody{}, at)
}

func (id *Identity) changeFeed(ctx context.Context, who actor.Actor, action gate.Action, body feedBody, at time.Time) error {
	_, err := id.gate.Ask(ctx, gate.Request{Actor: who, At: at, Action: action, Object: "person/" + who.Person, Scope: who.Everywhere(), Changes: []gate.Change{{Body: body}}})
	return err
}

// FeedOf is since when a person has a feed; zero: he has none.
func (id *Identity) FeedOf(ctx context.Context, p gate.Permit) (since time.Time, err error) {
	err = id.rows.View(ctx, func(r store.Reader) error {
		f, err := feedOf(ctx, r, p.Who().Person)
		since = f.GivenAt
		return err
	})
	return since, err
}

func feedOf(ctx context.Context, r store.Reader, person string) (store.Feed, error) {
	fs, err := store.All[store.Feed](ctx, r, store.Where{Equal: map[string]any{"person": person, "ended_at": nil}})
	if err != nil || len(fs) == 0 {
		return store.Feed{}, err
	}
	return fs[0], nil
}

// Feed says whose feed a token opens, with the duties he has at the instant. The zero
// Actor: nobody's.
func (id *Identity) Feed(ctx context.Context, text, addr string, at time.Time) (a actor.Actor, err error) {
	err = id.rows.View(ctx, func(r store.Reader) error {
		f, ok, err := store.Get(ctx, r, store.Feed{Digest: tokenDigest(text)})
		if err != nil || !ok || !f.EndedAt.IsZero() {
			return err
		}
		a, err = duties(ctx, r, f.Person, at)
		a.Addr = addr
		return err
	})
	if err != nil {
		return actor.Actor{}, fmt.Errorf("look for feed: %w", err)
	}
	return a, nil
}

// endFeeds ends what feeds a person has.
func endFeeds(ctx context.Context, tx store.Tx, person string, at time.Time, entry int64) error {
	f, err := feedOf(ctx, tx, person)
	if err != nil || f.Digest == "" {
		return err
	}
	f.EndedAt, f.Entry = at, entry
	return tx.Put(ctx, &f)
}

// Holder is somebody who holds a post, with the duties he has at an instant.
type Holder struct {
	actor.Actor
	Email string         // empty: none is registered
	Lang  bilingual.Lang // that he prefers notices in
}

// Holders are all who hold a post at an instant, and the next one at which others may;
// zero: none is known.
func (id *Identity) Holders(ctx context.Context, at time.Time) (out []Holder, next time.Time, err error) {
	err = id.rows.View(ctx, func(r store.Reader) error {
		seen := map[string]bool{}
		rows, err := store.All[store.Subject](ctx, r, store.Where{Equal: map[string]any{"kind": "assignment", "retired": false}})
		if err != nil {
			return err
		}
		for _, row := range rows {
			for _, field := range []string{"from", "until"} {
				text, _ := row.Values[field].(string)
				if t, err := time.Parse(time.RFC3339, text); err == nil && t.After(at) && (next.IsZero() || t.Before(next)) {
					next = t
				}
			}
			person, _ := row.Values["person"].(string)
			if _, holds := assignment(row.Values, at); !holds || person == "" || seen[person] {
				continue
			}
			seen[person] = true
			p, _, err := store.Get(ctx, r, store.Subject{Kind: "person", ID: person})
			if err != nil {
				return err
			}
			a, err := duties(ctx, r, person, at)
			if err != nil {
				return err
			}
			if email, _ := p.Values["email"].(string); !a.Nobody() {
				lang := bilingual.JA
				if p.Values["language"] == string(bilingual.EN) {
					lang = bilingual.EN
				}
				out = append(out, Holder{a, email, lang})
			}
		}
		return nil
	})
	return out, next, err
}
