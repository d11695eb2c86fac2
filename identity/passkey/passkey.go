// Package passkey lets persons log in with a passkey (W3C WebAuthn Level 3): a key
// pair whose private half never leaves an authenticator that asks its holder for a
// PIN, a finger or a face first. Possession and that are the two factors, so no
// password and no code are asked for.
//
// What stands between the two halves of a ceremony is in a sealed ticket that the
// browser carries, so that nobody can fill this program's memory by beginning many.
package passkey

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"golang.org/x/crypto/nacl/secretbox"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/gate"
	"kakusho/identity"
	"kakusho/store"
)

// Ceremony is how long a browser may take between the two halves.
const Ceremony = 5 * time.Minute

// The limits: of a person's passkeys, and of a passkey's name in characters.
const (
	MaxKeys = 10
	MaxName = 60
)

// Site is where the browser is: a passkey is good for one host alone.
type Site struct {
	Origin string // "https://kakusho.example.jp:8743"
	Host   string // without the port
}

// At is the site of an address, "https://host:port".
func At(origin string) Site {
	_, hostport, _ := strings.Cut(origin, "://")
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return Site{origin, strings.ToLower(host)}
}

// Usable reports whether browsers make passkeys for the site: it has a name, not an
// IP address (WebAuthn Level 3 §5.1.2), and TLS, or is this very machine.
func (s Site) Usable() bool {
	return protocol.ValidateRPID(s.Host) == nil && net.ParseIP(strings.Trim(s.Host, "[]")) == nil && (strings.HasPrefix(s.Origin, "https://") || s.Host == "localhost")
}

func (s Site) party() (*webauthn.WebAuthn, error) {
	return webauthn.New(&webauthn.Config{
		RPID: s.Host, RPDisplayName: "Kakusho", RPOrigins: []string{s.Origin}, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(), UserVerification: protocol.VerificationRequired,
		},
	})
}

// Key is a passkey as its holder sees it.
type Key struct {
	ID, Name, Host string
	AddedAt        time.Time
	UsedAt         time.Time // zero: never
	Synced         bool      // it may be kept on other devices too (backup eligible)
}

// Keys keeps the passkeys. It is safe for concurrent use.
type Keys struct {
	rows     store.Store
	gate     *gate.Gate
	identity *identity.Identity
	seal     [32]byte // of tickets; another at every start

	mu   sync.Mutex
	used map[string]time.Time // challenges that were answered → when their ticket ends
}

// New returns the passkeys over rows, changed through g; id opens the sessions.
func New(rows store.Store, g *gate.Gate, id *identity.Identity) *Keys {
	k := &Keys{rows: rows, gate: g, identity: id, used: map[string]time.Time{}}
	rand.Read(k.seal[:])
	return k
}

// holder is a person as go-webauthn sees him.
type holder struct {
	person, name string
	keys         []webauthn.Credential
}

// WebAuthnID is the user handle. It tells nothing about a person (§14.6.1) to who does
// not know his number.
func (h holder) WebAuthnID() []byte {
	sum := sha256.Sum256([]byte("kakusho passkey\x00" + h.person))
	return sum[:]
}
func (h holder) WebAuthnName() string                       { return h.person }
func (h holder) WebAuthnDisplayName() string                { return h.name }
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.keys }

// Options are what a browser is given, and the ticket that it brings back.
type Options struct {
	Ticket  string `json:"ticket"`
	Options any    `json:"options"` // publicKey: PublicKeyCredentialCreationOptionsJSON or …RequestOptionsJSON
}

// Begin begins to make a passkey for the actor.
func (k *Keys) Begin(ctx context.Context, who actor.Actor, site Site, at time.Time) (Options, error) {
	party, err := k.party(site)
	if err != nil {
		return Options{}, err
	}
	h, err := k.holder(ctx, who.Person, site)
	if err != nil {
		return Options{}, err
	}
	if len(h.keys) >= MaxKeys {
		return Options{}, fault("passkey", fmt.Sprintf("パスキーは一人%d個までである。使わないものを削除すること。", MaxKeys), fmt.Sprintf("A person has at most %d passkeys. Remove one that is not used.", MaxKeys))
	}
	options, data, err := party.BeginRegistration(h, webauthn.WithExclusions(webauthn.Credentials(h.keys).CredentialDescriptors()))
	if err != nil {
		return Options{}, fmt.Errorf("begin passkey: %w", err)
	}
	return Options{k.ticket(*data, site, who.Session, at), options.Response}, nil
}

// Add keeps the passkey that a browser made. response is its RegistrationResponseJSON.
func (k *Keys) Add(ctx context.Context, who actor.Actor, ticket, name string, response []byte, site Site, at time.Time) error {
	party, err := k.party(site)
	if err != nil {
		return err
	}
	if name = strings.TrimSpace(name); name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > MaxName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return fault("name", fmt.Sprintf("パスキーの名称は、どの機器のものか分かるように1字以上%d字以内で付けること。", MaxName), fmt.Sprintf("Give the passkey a name of 1 to %d characters that says which device it is on.", MaxName))
	}
	data, err := k.open(ticket, site, who.Session, at)
	if err != nil {
		return err
	}
	made, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return unproven
	}
	h, err := k.holder(ctx, who.Person, site)
	if err != nil {
		return err
	}
	c, err := party.CreateCredential(h, data, made)
	if err != nil || !c.Flags.UserVerified || !k.answer(data.Challenge, at) {
		return unproven
	}
	c.Attestation = webauthn.CredentialAttestation{} // none was asked for
	id := base64.RawURLEncoding.EncodeToString(c.ID)
	err = k.rows.View(ctx, func(r store.Reader) error {
		_, there, err := store.Get(ctx, r, store.Passkey{ID: id})
		if err == nil && there {
			err = unproven
		}
		return err
	})
	if err != nil {
		return err
	}
	return k.change(ctx, who, gate.AddPasskey, addBody{ID: id, Person: who.Person, Name: name, Host: site.Host, Credential: c}, at)
}

// End takes a passkey of the actor's away, and ends the sessions opened with it.
func (k *Keys) End(ctx context.Context, who actor.Actor, id string, at time.Time) error {
	var row store.Passkey
	err := k.rows.View(ctx, func(r store.Reader) (err error) {
		row, _, err = store.Get(ctx, r, store.Passkey{ID: id})
		return err
	})
	if err != nil {
		return fmt.Errorf("look for passkey: %w", err)
	}
	if row.Person != who.Person || !row.EndedAt.IsZero() {
		return fault("passkey", "このパスキーは登録されていない。", "There is no such passkey.")
	}
	return k.change(ctx, who, gate.EndPasskey, endBody{ID: id}, at)
}

func (k *Keys) change(ctx context.Context, who actor.Actor, action gate.Action, body any, at time.Time) error {
	_, err := k.gate.Ask(ctx, gate.Request{Actor: who, At: at, Action: action, Object: "person/" + who.Person, Scope: who.Everywhere(), Changes: []gate.Change{{Body: body}}})
	return err
}

// Of lists the reader's passkeys, oldest first.
func (k *Keys) Of(ctx context.Context, p gate.Permit) (out []Key, err error) {
	err = k.rows.View(ctx, func(r store.Reader) error {
		rows, err := store.All[store.Passkey](ctx, r, store.Where{Equal: map[string]any{"person": p.Who().Person, "ended_at": nil}, Sort: []string{"added_at"}})
		for _, row := range rows {
			c, cerr := credential(row)
			err = errors.Join(err, cerr)
			out = append(out, Key{ID: row.ID, Name: row.Name, Host: row.Host, AddedAt: row.AddedAt, UsedAt: row.UsedAt, Synced: c.Flags.BackupEligible})
		}
		return err
	})
	return out, err
}

// BeginLogin begins to log in whoever holds a passkey for the site.
func (k *Keys) BeginLogin(site Site, at time.Time) (Options, error) {
	party, err := k.party(site)
	if err != nil {
		return Options{}, err
	}
	options, data, err := party.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return Options{}, fmt.Errorf("begin login: %w", err)
	}
	return Options{k.ticket(*data, site, "", at), options.Response}, nil
}

// Login opens a session for who proves to hold a passkey. response is the browser's
// AuthenticationResponseJSON. Refusals are sealed and count as those of passwords do;
// the error is identity.ErrLogin.
func (k *Keys) Login(ctx context.Context, ticket string, response []byte, site Site, addr string, at time.Time) (string, error) {
	party, err := k.party(site)
	if err != nil {
		return "", err
	}
	e := identity.Entrant{Addr: addr}
	said, parseErr := protocol.ParseCredentialRequestResponseBytes(response)
	if parseErr == nil {
		e.Passkey = base64.RawURLEncoding.EncodeToString(said.RawID)
		h, err := k.byKey(ctx, e.Passkey, site)
		if err != nil {
			return "", err
		}
		e.Person = h.person
	}
	return k.identity.Admit(ctx, e, at, func(e *identity.Entrant) (why string, err error) {
		data, err := k.open(ticket, site, "", at)
		if parseErr != nil || err != nil {
			return "passkey", nil
		}
		h, err := k.byKey(ctx, e.Passkey, site) // as it is now: it may have ended, or been used, while others were let in
		switch {
		case err != nil:
			return "", err
		case h.person == "" || h.person != e.Person:
			return "no-passkey", nil
		}
		_, c, err := party.ValidatePasskeyLogin(func([]byte, []byte) (webauthn.User, error) { return h, nil }, data, said)
		switch {
		case err != nil || !c.Flags.UserVerified:
			return "passkey", nil
		case c.Authenticator.CloneWarning:
			return "passkey-cloned", nil // somebody else may have the key as well (§6.1.1)
		case !k.answer(data.Challenge, at):
			return "passkey-used", nil
		}
		e.Uses = c.Authenticator.SignCount
		return "", nil
	})
}

// party refuses sites for which there are no passkeys.
func (k *Keys) party(site Site) (*webauthn.WebAuthn, error) {
	if !site.Usable() {
		return nil, fault("passkey", "パスキーは、名前（IPアドレスでないもの）とTLSによって開いたアドレスでのみ使うことができる。", "Passkeys work only where this is opened by a name, not an IP address, and over TLS.")
	}
	return site.party()
}

func (k *Keys) holder(ctx context.Context, person string, site Site) (h holder, err error) {
	err = k.rows.View(ctx, func(r store.Reader) error {
		p, _, err := store.Get(ctx, r, store.Subject{Kind: "person", ID: person})
		if err != nil {
			return err
		}
		h = holder{person: person, name: p.Name}
		rows, err := store.All[store.Passkey](ctx, r, store.Where{Equal: map[string]any{"person": person, "host": site.Host, "ended_at": nil}})
		for _, row := range rows {
			c, cerr := credential(row)
			err = errors.Join(err, cerr)
			h.keys = append(h.keys, c)
		}
		return err
	})
	if err != nil {
		return holder{}, fmt.Errorf("look for passkeys: %w", err)
	}
	return h, nil
}

// byKey is the holder of a key that holds at a site; nobody: there is none.
func (k *Keys) byKey(ctx context.Context, id string, site Site) (h holder, err error) {
	err = k.rows.View(ctx, func(r store.Reader) error {
		row, there, err := store.Get(ctx, r, store.Passkey{ID: id})
		if err != nil || !there || !row.EndedAt.IsZero() || row.Host != site.Host {
			return err
		}
		c, err := credential(row)
		h = holder{person: row.Person, keys: []webauthn.Credential{c}}
		return err
	})
	if err != nil {
		return holder{}, fmt.Errorf("look for passkey: %w", err)
	}
	return h, nil
}

// credential reads what a row holds.
func credential(row store.Passkey) (c webauthn.Credential, err error) {
	text, err := json.Marshal(row.Credential)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		return c, fmt.Errorf("read passkey %s: %w", row.ID, err)
	}
	return c, nil
}

// sealed is what a ticket holds.
type sealed struct {
	Data    webauthn.SessionData
	Site    Site
	Session string // of who began it; empty: nobody is logged in yet
	Until   time.Time
}

func (k *Keys) ticket(data webauthn.SessionData, site Site, session string, at time.Time) string {
	text, err := json.Marshal(sealed{data, site, session, at.Add(Ceremony)})
	if err != nil {
		panic(err) // it holds texts and times
	}
	var nonce [24]byte
	rand.Read(nonce[:])
	return base64.RawURLEncoding.EncodeToString(secretbox.Seal(nonce[:], text, &nonce, &k.seal))
}

// maxTicket bounds a ticket, in bytes.
const maxTicket = 16 << 10

func (k *Keys) open(ticket string, site Site, session string, at time.Time) (webauthn.SessionData, error) {
	ended := fault("passkey", "操作に時間がかかり過ぎたか、画面が古い。もう一度始めること。", "This took too long, or the page is old. Begin again.")
	if len(ticket) > maxTicket {
		return webauthn.SessionData{}, ended
	}
	raw, err := base64.RawURLEncoding.DecodeString(ticket)
	if err != nil || len(raw) < 24 {
		return webauthn.SessionData{}, ended
	}
	text, ok := secretbox.Open(nil, raw[24:], (*[24]byte)(raw[:24]), &k.seal)
	var s sealed
	if !ok || json.Unmarshal(text, &s) != nil || s.Site != site || s.Session != session || !at.Before(s.Until) {
		return webauthn.SessionData{}, ended
	}
	return s.Data, nil
}

// answer takes a challenge as answered; false: it was before.
func (k *Keys) answer(challenge string, at time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c, until := range k.used {
		if !at.Before(until) {
			delete(k.used, c)
		}
	}
	if _, before := k.used[challenge]; before {
		return false
	}
	k.used[challenge] = at.Add(2 * Ceremony)
	return true
}

func fault(field, ja, en string) identity.Fault {
	return identity.Fault{Field: field, Text: bilingual.Say(ja, en)}
}

// unproven is a passkey that a browser claims to have made.
var unproven = fault("passkey", "パスキーを確認できなかった。もう一度始めること。", "The passkey could not be verified. Begin again.")
