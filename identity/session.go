package identity

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/gate"
	"kakusho/store"
)

// Actor says who holds a session at the instant at and with which duties. The
// zero Actor: nobody, or no longer.
func (id *Identity) Actor(ctx context.Context, text, addr string, at time.Time) (actor.Actor, error) {
	if text == "" {
		return actor.Actor{}, nil
	}
	p, err := id.policy(ctx, at)
	if err != nil {
		return actor.Actor{}, err
	}
	digest := tokenDigest(text)
	var a actor.Actor
	err = id.rows.View(ctx, func(r store.Reader) error {
		s, ok, err := store.Get(ctx, r, store.Session{Digest: digest})
		if err != nil || !ok || !s.ClosedAt.IsZero() || !at.Before(s.Until) || id.idle(digest, s.OpenedAt, p.Idle, at) {
			return err
		}
		a, err = duties(ctx, r, s.Person, at)
		a.Session, a.Addr = digest, addr
		return err
	})
	if err != nil {
		return actor.Actor{}, fmt.Errorf("look for session: %w", err)
	}
	return a, nil
}

// idle notes a request and reports whether the one before is too long ago. After
// a restart a session counts from its first request again, within its end.
func (id *Identity) idle(digest string, opened time.Time, limit time.Duration, at time.Time) bool {
	id.mu.Lock()
	defer id.mu.Unlock()
	last, ok := id.seen[digest]
	if !ok {
		last = at
	}
	if limit > 0 && at.Sub(last) >= limit {
		return true
	}
	if at.After(last) || !ok {
		id.seen[digest] = at
	}
	return false
}

// Logout ends a session. Ending one that is not open is no error.
func (id *Identity) Logout(ctx context.Context, a actor.Actor, at time.Time) error {
	if a.Session == "" {
		return nil
	}
	_, err := id.gate.Ask(ctx, gate.Request{
		Actor: a, At: at, Action: gate.Logout, Object: "person/" + a.Person,
		Changes: []gate.Change{{Body: logoutBody{Session: a.Session}}},
	})
	id.mu.Lock()
	delete(id.seen, a.Session)
	id.mu.Unlock()
	return err
}

// Session is one login that is open.
type Session struct {
	ID           string // of the session, not its secret
	Person, Name string
	Addr         string
	Passkey      bool // opened by one; else by password and code
	OpenedAt     time.Time
	SeenAt       time.Time // last request; zero: none since the program started
	Until        time.Time // it ends in any case
	Own          bool      // that of the reader, which he reads by

	// Of the person's login before this one.
	Before     time.Time // zero: this is the first
	BeforeAddr string
	Failed     int64 // refusals between the two
	Elsewhere  bool  // he logged in before, and never from this address
}

// keepers are the duties that see and end the sessions of others.
var keepers = []actor.Duty{actor.Operator, actor.SecurityAdministrator}

// Keeps reports whether somebody sees and ends the sessions of others.
func Keeps(who actor.Actor) bool {
	return slices.ContainsFunc(who.Assignments, func(a actor.Assignment) bool { return a.Scope == "*" && slices.Contains(keepers, a.Duty) })
}

// Sessions lists the open sessions, newest first: the reader's own, or with all those
// of everybody, which takes who Keeps them.
func (id *Identity) Sessions(ctx context.Context, p gate.Permit, all bool) (out []Session, err error) {
	who := p.Who()
	equal := map[string]any{"closed_at": nil}
	switch {
	case !all:
		equal["person"] = who.Person
	case !Keeps(who):
		return nil, fmt.Errorf("sessions of others: %w", gate.ErrRefused)
	}
	policy, err := id.policy(ctx, p.At())
	if err != nil {
		return nil, err
	}
	err = id.rows.View(ctx, func(r store.Reader) error {
		rows, err := store.All[store.Session](ctx, r, store.Where{Equal: equal, After: map[string]any{"until": p.At()}, Sort: []string{"-login"}})
		for _, s := range rows {
			seen := id.lastSeen(s.Digest)
			if err != nil || policy.Idle > 0 && !seen.IsZero() && p.At().Sub(seen) >= policy.Idle {
				continue
			}
			var of store.Subject
			of, _, err = store.Get(ctx, r, store.Subject{Kind: "person", ID: s.Person})
			out = append(out, Session{
				ID: s.Digest, Person: s.Person, Name: of.Name, Addr: s.Addr, Passkey: s.Passkey != "", OpenedAt: s.OpenedAt, SeenAt: seen,
				Until: s.Until, Own: s.Digest == who.Session, Before: s.Before, BeforeAddr: s.BeforeAddr, Failed: s.Failed, Elsewhere: s.Elsewhere,
			})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for sessions: %w", err)
	}
	return out, nil
}

func (id *Identity) lastSeen(digest string) time.Time {
	id.mu.Lock()
	defer id.mu.Unlock()
	return id.seen[digest]
}

// EndSession ends a session of one's own, or for who Keeps them anybody's. It holds
// from the next request on. One that is not open is a fault.
func (id *Identity) EndSession(ctx context.Context, who actor.Actor, digest string, at time.Time) error {
	var s store.Session
	var there bool
	err := id.rows.View(ctx, func(r store.Reader) (err error) {
		s, there, err = store.Get(ctx, r, store.Session{Digest: digest})
		return err
	})
	if err != nil {
		return fmt.Errorf("look for session: %w", err)
	}
	if !there || !s.ClosedAt.IsZero() || s.Person != who.Person && !Keeps(who) { // whoever may not see it is not told that it is there
		return fault("session", "この接続は既に終わっている。", "This session has ended already.")
	}
	q := gate.Request{Actor: who, At: at, Action: gate.EndSession, Object: "person/" + s.Person, Changes: []gate.Change{{Body: logoutBody{Session: digest}}}}
	if s.Person == who.Person {
		q.Scope = who.Everywhere()
	} else {
		q.Need = keepers
	}
	_, err = id.gate.Ask(ctx, q)
	return err
}

// before is what the person's login now is told of the one before.
func before(ctx context.Context, r store.Reader, s *store.Session) error {
	last, err := store.All[store.Session](ctx, r, store.Where{Equal: map[string]any{"person": s.Person}, Sort: []string{"-login"}, Limit: 1})
	if err != nil {
		return err
	}
	since := map[string]any{}
	if len(last) > 0 {
		s.Before, s.BeforeAddr = last[0].OpenedAt, last[0].Addr
		since["entry"] = last[0].Login
		there, err := r.Count(ctx, &store.Session{}, store.Where{Equal: map[string]any{"person": s.Person, "addr": s.Addr}})
		if err != nil {
			return err
		}
		s.Elsewhere = there == 0
	}
	s.Failed, err = r.Count(ctx, &store.Failure{}, store.Where{Equal: map[string]any{"person": cut(s.Person)}, From: since})
	return err
}
