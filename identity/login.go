package identity

import (
	"context"
	"encoding/base32"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pquerna/otp/totp"

	"kakusho/actor"
	"kakusho/gate"
	"kakusho/store"
)

var base32NoPad = base32.StdEncoding.WithPadding(base32.NoPadding)

// decoy is hashed against when there is no such person, so that the answer takes
// as long as for a person who exists.
const decoy = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// Login checks a person's password and code and opens a session, whose token it
// returns. Every refusal is in the trail and counts towards a lock-out; the
// error is ErrLogin whatever the cause.
func (id *Identity) Login(ctx context.Context, person, password, code, addr string, at time.Time) (string, error) {
	return id.Admit(ctx, Entrant{Person: person, Addr: addr}, at, func(*Entrant) (string, error) { return id.check(ctx, person, password, code, at) })
}

// Entrant is who wants in, and by what.
type Entrant struct {
	Person, Addr string
	Passkey      string // ID of the key; empty: password and code
	Uses         uint32 // what the key counts now
}

// Admit opens a session for somebody against whom check finds nothing, and returns
// its token. check says why he is refused, as a code; it is not called for who is
// locked out. Every refusal is in the trail and counts; the error is ErrLogin.
func (id *Identity) Admit(ctx context.Context, e Entrant, at time.Time, check func(*Entrant) (why string, err error)) (string, error) {
	// One at a time, from the look at the refusals before to the sealing of this
	// one: whoever tries many at once would see all of them before the first counts.
	select {
	case id.login <- struct{}{}:
		defer func() { <-id.login }()
	case <-ctx.Done():
		return "", fmt.Errorf("wait to log in: %w", ctx.Err())
	}
	p, err := id.policy(ctx, at)
	if err != nil {
		return "", err
	}
	why, err := id.lockedOut(ctx, e, at, p)
	if err == nil && why == "" {
		why, err = check(&e)
	}
	if err != nil {
		return "", err
	}
	if why != "" {
		_, err := id.gate.Ask(ctx, gate.Request{
			Actor: actor.Actor{Addr: e.Addr}, At: at, Action: gate.LoginRefused, Object: "person/" + cut(e.Person),
			Changes: []gate.Change{{Body: refusedBody{Person: cut(e.Person), Addr: e.Addr, Why: why}}},
		})
		if err != nil {
			return "", fmt.Errorf("%w (and not recorded: %w)", ErrLogin, err)
		}
		return "", ErrLogin
	}
	text, digest := token()
	_, err = id.gate.Ask(ctx, gate.Request{
		Actor: actor.Actor{Person: e.Person, Addr: e.Addr}, At: at, Action: gate.Login, Object: "person/" + e.Person,
		Changes: []gate.Change{{Body: loginBody{Person: e.Person, Session: digest, Addr: e.Addr, Until: at.Add(p.Session), Passkey: e.Passkey, Uses: e.Uses}}},
	})
	if err != nil {
		return "", err
	}
	id.mu.Lock()
	id.seen[digest] = at
	id.mu.Unlock()
	return text, nil
}

// cut bounds what an unknown caller can write into the trail, and is the name
// under which refusals count. No register key is longer.
func cut(s string) string {
	const limit = 64 * utf8.UTFMax
	if len(s) > limit {
		s = s[:limit]
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// lockedOut says that nothing is checked, as a code, or "".
func (id *Identity) lockedOut(ctx context.Context, e Entrant, at time.Time, p Policy) (why string, err error) {
	var byPerson, byAddr []store.Failure
	err = id.rows.View(ctx, func(r store.Reader) (err error) {
		since := map[string]any{"at": at.Add(-p.Window - p.Duration)} // none before can lock now
		if byPerson, err = store.All[store.Failure](ctx, r, store.Where{Equal: map[string]any{"person": cut(e.Person)}, From: since}); err != nil {
			return err
		}
		byAddr, err = store.All[store.Failure](ctx, r, store.Where{Equal: map[string]any{"addr": e.Addr}, From: since})
		return err
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("look for refusals: %w", err)
	case locked(byAddr, addressLimit, p, at):
		return "address-locked", nil
	case locked(byPerson, p.Threshold, p, at):
		return "locked", nil
	}
	return "", nil
}

// check says why a password and a code are refused, as a code, or "".
func (id *Identity) check(ctx context.Context, person, password, code string, at time.Time) (why string, err error) {
	var cred store.Credential
	var before []store.Session
	err = id.rows.View(ctx, func(r store.Reader) (err error) {
		if person == "" || !utf8.ValidString(person) { // nobody is called so
			return nil
		}
		if cred, _, err = store.Get(ctx, r, store.Credential{Person: person}); err != nil {
			return err
		}
		before, err = store.All[store.Session](ctx, r, store.Where{Equal: map[string]any{"person": person}, Sort: []string{"-login"}, Limit: 1})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("look for login: %w", err)
	}
	hash, secret := decoy, ""
	if cred.Digest != "" {
		if hash, secret, err = id.vault.get(person, cred.Digest); err != nil {
			id.log.Error("secret does not match the trail", "error", err)
			return "vault", nil
		}
	}
	id.hashing <- struct{}{}
	good := checkPassword(hash, password)
	<-id.hashing
	if cred.Digest == "" {
		return "no-login", nil
	}
	if !good {
		return "password", nil
	}
	step := codeStep(secret, code, at)
	if step == 0 {
		return "code", nil
	}
	if !id.use(person, step, before) {
		return "code-used", nil
	}
	return "", nil
}

// use notes the step of a code and reports whether it is later than every one
// used. After a restart the last session says which may have been.
func (id *Identity) use(person string, step int64, before []store.Session) bool {
	id.mu.Lock()
	defer id.mu.Unlock()
	last, known := id.steps[person]
	if !known && len(before) > 0 {
		last = before[0].OpenedAt.Unix()/30 + 1
	}
	if step <= last {
		return false
	}
	id.steps[person] = step
	return true
}

// locked reports whether refusals lock at the instant at: threshold of them
// within one window, and Duration not yet gone by since the last. A threshold of
// zero never locks.
func locked(fs []store.Failure, threshold int, p Policy, at time.Time) bool {
	if threshold <= 0 {
		return false
	}
	var last time.Time
	for _, f := range fs {
		if f.At.After(last) && !f.At.After(at.Add(overtaking)) {
			last = f.At
		}
	}
	n := 0
	for _, f := range fs {
		if !f.At.After(last) && f.At.After(last.Add(-p.Window)) {
			n++
		}
	}
	return n >= threshold && at.Before(last.Add(p.Duration))
}

// overtaking is how much later than this one a request may have come whose refusal was
// sealed before: who keeps many half sent and ends the newest first is counted all the
// same. What is dated later than that was refused under a clock that was wrong.
const overtaking = 5 * time.Minute

// codeStep finds the 30-second step whose code this is, now or one step to either
// side (RFC 6238 §5.2), or 0.
func codeStep(secret, code string, at time.Time) int64 {
	for _, d := range []int64{0, -1, 1} {
		step := at.Unix()/30 + d
		want, err := totp.GenerateCode(secret, time.Unix(step*30, 0))
		if err == nil && constantEqual(want, code) {
			return step
		}
	}
	return 0
}

// duties reads the person and the posts he holds at the instant at.
func duties(ctx context.Context, r store.Reader, person string, at time.Time) (actor.Actor, error) {
	p, ok, err := store.Get(ctx, r, store.Subject{Kind: "person", ID: person})
	if err != nil || !ok || p.Retired || person == actor.Program.Person {
		return actor.Actor{}, err
	}
	a := actor.Actor{Person: person, Name: p.Name}
	rows, err := store.All[store.Subject](ctx, r, store.Where{
		Equal: map[string]any{"kind": "assignment", "values.person": person, "retired": false},
	})
	if err != nil {
		return actor.Actor{}, err
	}
	for _, row := range rows {
		as, ok := assignment(row.Values, at)
		if !ok {
			continue
		}
		a.Assignments = append(a.Assignments, as)
		below, err := below(ctx, r, as.Scope)
		if err != nil {
			return actor.Actor{}, err
		}
		for _, scope := range below {
			a.Assignments = append(a.Assignments, actor.Assignment{Post: as.Post, Duty: as.Duty, Scope: scope})
		}
	}
	return a, nil
}

// below lists the units under a unit, as scopes: a duty over a unit covers them.
func below(ctx context.Context, r store.Reader, scope string) ([]string, error) {
	top, ok := strings.CutPrefix(scope, "unit/")
	if !ok {
		return nil, nil
	}
	units, err := store.All[store.Subject](ctx, r, store.Where{Equal: map[string]any{"kind": "unit", "retired": false}})
	if err != nil {
		return nil, err
	}
	children := map[string][]string{}
	for _, u := range units {
		parent, _ := u.Values["parent"].(string)
		children[parent] = append(children[parent], u.ID)
	}
	var out []string
	seen := map[string]bool{top: true} // units that name each other as parent end here
	for queue := []string{top}; len(queue) > 0; queue = queue[1:] {
		for _, c := range children[queue[0]] {
			if !seen[c] {
				seen[c] = true
				out, queue = append(out, "unit/"+c), append(queue, c)
			}
		}
	}
	return out, nil
}

// assignment reads a register entry of kind assignment; false when it is not in
// effect at the instant or names no known duty.
func assignment(v map[string]any, at time.Time) (actor.Assignment, bool) {
	text := func(k string) string { s, _ := v[k].(string); return s }
	if from, err := time.Parse(time.RFC3339, text("from")); err == nil && at.Before(from) {
		return actor.Assignment{}, false
	}
	if until, err := time.Parse(time.RFC3339, text("until")); err == nil && !at.Before(until) {
		return actor.Assignment{}, false
	}
	as := actor.Assignment{Post: text("post"), Duty: actor.Duty(text("duty")), Scope: text("scope")}
	return as, as.Duty.Valid() && as.Scope != ""
}
