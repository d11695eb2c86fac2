// Package identity lets persons set up a login, log in and out, and says who a
// session is and which duties his posts carry now.
//
// A login needs a password and a one-time code (RFC 6238), or a passkey (package
// passkey), whose authenticator checks its holder. Logins, refusals,
// set-ups and invitations are entries of the trail and are folded out of it, so
// a lock-out outlives a restart. Passwords and code secrets are in the vault
// only; the trail has their digest.
package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pquerna/otp/totp"

	"kakusho/actor"
	"kakusho/gate"
	"kakusho/store"
)

// Policy is what the parameters say about logging in.
type Policy struct {
	MinLength int // characters
	Classes   int // of four
	Threshold int // refusals within Window before a lock-out
	Window    time.Duration
	Duration  time.Duration // of the lock-out
	Idle      time.Duration // a session ends after this long without a request
	Session   time.Duration // and in any case after this long
}

// Errors that a caller tells apart. The person is told no more than ErrLogin.
var (
	ErrLogin  = errors.New("login refused")
	ErrInvite = errors.New("this link was used, has ended, or never was")
)

// addressLimit is how many refusals within the window one address may cause
// before nothing from it is checked: it must not lock out a whole body.
const addressLimit = 50

// Identity answers who somebody is. It is safe for concurrent use.
type Identity struct {
	log    *slog.Logger
	rows   store.Store
	gate   *gate.Gate
	policy func(context.Context, time.Time) (Policy, error)
	vault  *vault

	login     chan struct{} // one login is checked at a time
	hashing   chan struct{} // bounds the memory argon2 takes at one time
	enrolling sync.Mutex    // held from the look at a link to its being used up

	mu      sync.Mutex
	seen    map[string]time.Time // session digest → last request
	steps   map[string]int64     // person → last one-time step used
	pending map[string]string    // invitation digest → code secret shown, not yet confirmed
	first   string               // digest of the first-run token; "" when there is none
}

// New opens the vault in dir. policy is asked at each use, so a changed parameter
// holds at once.
func New(log *slog.Logger, rows store.Store, g *gate.Gate, dir string, policy func(context.Context, time.Time) (Policy, error)) (*Identity, error) {
	v, err := openVault(dir)
	if err != nil {
		return nil, err
	}
	return &Identity{
		log: log, rows: rows, gate: g, policy: policy, vault: v,
		login: make(chan struct{}, 1), hashing: make(chan struct{}, 2),
		seen: map[string]time.Time{}, steps: map[string]int64{}, pending: map[string]string{},
	}, nil
}

// Close closes the vault.
func (id *Identity) Close() error { return id.vault.Close() }

// token makes 256 random bits as text, and their digest: only the digest is kept.
func token() (text, digest string) {
	b := make([]byte, 32)
	rand.Read(b)
	text = base64.RawURLEncoding.EncodeToString(b)
	return text, tokenDigest(text)
}

func tokenDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// FirstRun returns a one-time token for making the first login when nobody has
// one, or "". It is held in memory only: each start makes a new one.
func (id *Identity) FirstRun(ctx context.Context) (string, error) {
	var n int64
	err := id.rows.View(ctx, func(r store.Reader) (err error) {
		n, err = r.Count(ctx, &store.Credential{}, store.Where{})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("look for logins: %w", err)
	}
	if n > 0 {
		return "", nil
	}
	text, digest := token()
	id.mu.Lock()
	id.first = digest
	id.mu.Unlock()
	return text, nil
}

// Invite makes a one-time link's token for person, good until the given instant.
// An earlier invitation stays good; using one ends only that one.
func (id *Identity) Invite(ctx context.Context, who actor.Actor, person string, at, until time.Time) (string, error) {
	if person == "" || person == actor.Program.Person {
		return "", fault("person", "この番号の職員のログインは設定できない。", "Nobody with this number can have a login.")
	}
	var entry store.Subject
	var ok bool
	err := id.rows.View(ctx, func(r store.Reader) (err error) {
		entry, ok, err = store.Get(ctx, r, store.Subject{Kind: "person", ID: person})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("look for person: %w", err)
	}
	if !ok || entry.Retired {
		return "", fault("person", "この番号の職員は登録されていない。先に台帳に登録すること。", "Nobody with this number is registered. Enter the person first.")
	}
	text, digest := token()
	_, err = id.gate.Ask(ctx, gate.Request{
		Actor: who, At: at, Action: gate.Invite, Object: "person/" + person,
		Changes: []gate.Change{{Body: inviteBody{Digest: digest, Person: person, Until: until}}},
	})
	if err != nil {
		return "", err
	}
	return text, nil
}

// Invited says whom a token invites: a person's key, or "" for the first run,
// when any person may be made. ErrInvite when it invites nobody.
func (id *Identity) Invited(ctx context.Context, text string, at time.Time) (person string, err error) {
	digest := tokenDigest(text)
	id.mu.Lock()
	isFirst := id.first != "" && id.first == digest
	id.mu.Unlock()
	if isFirst {
		return "", nil
	}
	var inv store.Invite
	var ok bool
	err = id.rows.View(ctx, func(r store.Reader) (err error) {
		inv, ok, err = store.Get(ctx, r, store.Invite{Digest: digest})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("look for invitation: %w", err)
	}
	if !ok || !inv.UsedAt.IsZero() || !at.Before(inv.Until) {
		return "", ErrInvite
	}
	return inv.Person, nil
}

// Secret returns the one-time-code secret to show for a token, the same one
// until it is used, as an otpauth URL.
func (id *Identity) Secret(text, person, issuer string) (url, secret string, err error) {
	digest := tokenDigest(text)
	id.mu.Lock()
	secret = id.pending[digest]
	id.mu.Unlock()
	opts := totp.GenerateOpts{Issuer: issuer, AccountName: person}
	if secret != "" {
		if opts.Secret, err = base32NoPad.DecodeString(secret); err != nil {
			return "", "", fmt.Errorf("make code secret: %w", err)
		}
	}
	key, err := totp.Generate(opts)
	if err != nil {
		return "", "", fmt.Errorf("make code secret: %w", err)
	}
	id.mu.Lock()
	id.pending[digest] = key.Secret()
	id.mu.Unlock()
	return key.URL(), key.Secret(), nil
}

// Enrol sets up the login of person with a token, a new password and a code from
// the secret shown. It returns a Fault for what the person must correct, or
// ErrInvite. On return the login works, also after a crash.
func (id *Identity) Enrol(ctx context.Context, text, person, password, code, addr string, at time.Time) error {
	id.enrolling.Lock()
	defer id.enrolling.Unlock()
	invited, err := id.Invited(ctx, text, at)
	if err != nil {
		return err
	}
	if person == "" || person == actor.Program.Person || invited != "" && invited != person {
		return ErrInvite
	}
	p, err := id.policy(ctx, at)
	if err != nil {
		return err
	}
	if err := weak(password, person, p); err != nil {
		return err
	}
	digest := tokenDigest(text)
	id.mu.Lock()
	shared := id.pending[digest]
	id.mu.Unlock()
	if step := codeStep(shared, code, at); shared == "" || step == 0 {
		return fault("code", "確認番号が一致しない。認証アプリの6桁の番号と端末の時刻を確認すること。",
			"The code does not match. Check the six digits in the app and the clock of the device.")
	}
	id.hashing <- struct{}{}
	hash := hashPassword(password)
	<-id.hashing
	fileDigest, err := id.vault.put(person, hash, shared)
	if err != nil {
		return err
	}
	old, err := id.credential(ctx, person)
	if err != nil {
		return err
	}
	_, err = id.gate.Ask(ctx, gate.Request{
		Actor: actor.Actor{Person: person, Addr: addr}, At: at, Action: gate.Enrol, Object: "person/" + person,
		Changes: []gate.Change{{Body: enrolBody{Person: person, Digest: fileDigest, Invite: digest}}},
	})
	if err != nil {
		return err
	}
	id.mu.Lock()
	delete(id.pending, digest)
	if id.first == digest {
		id.first = ""
	}
	id.mu.Unlock()
	if old != "" && old != fileDigest {
		if err := id.vault.forget(old); err != nil {
			id.log.Warn("remove replaced secret", "error", err)
		}
	}
	return nil
}

func (id *Identity) credential(ctx context.Context, person string) (digest string, err error) {
	var c store.Credential
	err = id.rows.View(ctx, func(r store.Reader) (err error) {
		c, _, err = store.Get(ctx, r, store.Credential{Person: person})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("look for login: %w", err)
	}
	return c.Digest, nil
}
