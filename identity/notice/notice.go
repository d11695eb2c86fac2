// Package notice keeps how notices of what is new in somebody's inbox go out, and who
// was told of what, so that nobody is told twice.
package notice

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/store"
	"kakusho/trail"
)

// Channel is a way by which notices go out.
type Channel string

// The channels.
const (
	Mail    Channel = "mail"
	Webhook Channel = "webhook"
)

// Channels lists every Channel.
var Channels = []Channel{Mail, Webhook}

// Security is how the way to the relay is protected.
type Security string

// The ways. StartTLS is not given up when the relay does not offer it.
const (
	StartTLS Security = "starttls"
	TLS      Security = "tls"
	Plain    Security = "plain"
)

// Settings say how notices go out. Secrets are not among them.
type Settings struct {
	On       bool     `json:"on"`
	Base     string   `json:"base"`    // address of this installation, for links
	Minutes  int64    `json:"minutes"` // one digest at most in so many, to each person
	Relay    string   `json:"relay"`   // host:port; empty: no mail
	Security Security `json:"security"`
	From     string   `json:"from"`
	User     string   `json:"user"`    // empty: without authentication
	Webhook  string   `json:"webhook"` // empty: none
	CA       string   `json:"ca"`      // PEM of further authorities that relay and receiver are certified by
	Sealed   string   `json:"sealed"`  // digest under which the vault keeps the secrets
}

// Has reports whether a channel is set up.
func (s Settings) Has(c Channel) bool {
	return s.On && (c == Mail && s.Relay != "" || c == Webhook && s.Webhook != "")
}

// Secrets are the relay's password and the key by which bodies for the webhook are
// signed.
type Secrets struct {
	Password string `json:"password"`
	Key      string `json:"key"`
}

// Vault keeps a secret under a name and gives it back by its digest.
type Vault interface {
	Keep(name, secret string) (digest string, err error)
	Kept(name, digest string) (secret string, err error)
}

// Keeper keeps settings and what was told. It is safe for concurrent use.
type Keeper struct {
	rows  store.Store
	gate  *gate.Gate
	vault Vault

	mu     sync.Mutex
	states map[Channel]State
}

// State is what became of a channel since the program started.
type State struct {
	Sent, Failed time.Time // last
	Why          string    // it failed
	Again        time.Time // it is tried
}

// New returns the keeper of notices over rows, changed through g.
func New(rows store.Store, g *gate.Gate, v Vault) *Keeper {
	return &Keeper{rows: rows, gate: g, vault: v, states: map[Channel]State{}}
}

const name = "notices"

// Settings are those that hold.
func (k *Keeper) Settings(ctx context.Context) (s Settings, err error) {
	err = k.rows.View(ctx, func(r store.Reader) error {
		row, ok, err := store.Get(ctx, r, store.Notices{Name: name})
		if err != nil || !ok {
			return err
		}
		text, err := json.Marshal(row.Value)
		if err == nil {
			err = json.Unmarshal(text, &s)
		}
		return err
	})
	return s, err
}

// Secrets are those that go with settings.
func (k *Keeper) Secrets(s Settings) (out Secrets, err error) {
	if s.Sealed == "" {
		return out, nil
	}
	text, err := k.vault.Kept(name, s.Sealed)
	if err == nil {
		err = json.Unmarshal([]byte(text), &out)
	}
	return out, err
}

// Faults are everything that is wrong with settings, field by field.
type Faults []kind.Fault

func (f Faults) Error() string { return f[0].Error() }

// Labels name the fields of settings.
var Labels = map[string]bilingual.Text{
	"base": bilingual.Say("本システムのアドレス", "Address of this installation"), "minutes": bilingual.Say("間隔（分）", "Interval (minutes)"),
	"relay": bilingual.Say("中継サーバ（ホスト:ポート）", "Relay (host:port)"), "security": bilingual.Say("保護", "Protection"), "from": bilingual.Say("差出人", "Sender"),
	"user": bilingual.Say("利用者名", "User"), "password": bilingual.Say("パスワード", "Password"), "webhook": bilingual.Say("Webhookのアドレス", "Address of the webhook"),
	"key": bilingual.Say("署名の鍵", "Signing key"), "ca": bilingual.Say("認証局の証明書（PEM）", "Certificates of authorities (PEM)"),
}

func (s Settings) faults(x Secrets) (f Faults) {
	add := func(field, ja, en string) {
		f = append(f, kind.Fault{Field: field, Label: Labels[field], Message: bilingual.Say(ja, en)})
	}
	web := func(text string) bool {
		u, err := url.Parse(text)
		return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
	}
	if !web(s.Base) {
		add("base", "https://ホスト の形で入力する。", "write https://host")
	}
	if s.Minutes < 1 || s.Minutes > 7*24*60 {
		add("minutes", "1から10080までとする。", "from 1 to 10080")
	}
	if host, port, err := net.SplitHostPort(s.Relay); s.Relay != "" && (err != nil || host == "" || port == "") {
		add("relay", "ホスト:ポート の形で入力する。", "write host:port")
	}
	if !slices.Contains([]Security{StartTLS, TLS, Plain}, s.Security) {
		add("security", "選択する。", "choose one")
	}
	if _, err := mail.ParseAddress(s.From); s.Relay != "" && err != nil || strings.ContainsAny(s.From, "\r\n") {
		add("from", "電子メールのアドレスを入力する。", "give an e-mail address")
	}
	if s.User != "" && s.Security == Plain {
		add("security", "保護のない接続ではパスワードを送らない。", "no password goes over an unprotected connection")
	}
	if s.Webhook != "" && !web(s.Webhook) {
		add("webhook", "https://ホスト/パス の形で入力する。", "write https://host/path")
	}
	if s.Webhook != "" && len(x.Key) < 16 {
		add("key", "16文字以上とする。", "at least 16 characters")
	}
	if s.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(s.CA)) {
		add("ca", "証明書を読み取れない。", "there is no certificate in it")
	}
	return f
}

// Set makes settings hold. A secret that is empty stays as it was.
func (k *Keeper) Set(ctx context.Context, who actor.Actor, s Settings, x Secrets, at time.Time) error {
	ask := gate.Request{Actor: who, At: at, Action: gate.SetNotices, Object: name}
	if !ask.Allows() {
		_, err := k.gate.Ask(ctx, ask)
		return err
	}
	old, err := k.Settings(ctx)
	if err != nil {
		return err
	}
	was, err := k.Secrets(old)
	if err != nil {
		return err
	}
	if x.Password == "" {
		x.Password = was.Password
	}
	if x.Key == "" {
		x.Key = was.Key
	}
	if f := s.faults(x); len(f) > 0 {
		return f
	}
	text, err := json.Marshal(x)
	if err != nil {
		return err
	}
	if s.Sealed, err = k.vault.Keep(name, string(text)); err != nil {
		return err
	}
	ask.Changes = []gate.Change{{Body: s}}
	_, err = k.gate.Ask(ctx, ask)
	return err
}

// Key is under which an item is kept that somebody was told of by a channel.
func Key(c Channel, item string) string { return string(c) + ":" + fact.Digest(item)[:32] }

// Told are the keys of what a person was told of, and when he was told last by a channel.
func (k *Keeper) Told(ctx context.Context, person string) (keys map[string]bool, last map[Channel]time.Time, err error) {
	keys, last = map[string]bool{}, map[Channel]time.Time{}
	err = k.rows.View(ctx, func(r store.Reader) error {
		return r.List(ctx, &store.Told{}, store.Where{Equal: map[string]any{"person": person}}, func(row store.Row) error {
			t := row.(*store.Told)
			keys[t.Item] = true
			if c, _, _ := strings.Cut(t.Item, ":"); t.At.After(last[Channel(c)]) {
				last[Channel(c)] = t.At
			}
			return nil
		})
	})
	return keys, last, err
}

type sentBody struct {
	Person  string   `json:"person"`
	Channel Channel  `json:"channel"`
	New     []string `json:"new"`
	Gone    []string `json:"gone,omitempty"`
}

// Sent records that a person was told. gone are keys of what he was told of before and
// what is no more.
func (k *Keeper) Sent(ctx context.Context, person string, c Channel, keys, gone []string, at time.Time) error {
	_, err := k.gate.Ask(ctx, gate.Request{Actor: actor.Program, At: at, Action: gate.SendNotice, Object: "person/" + person, Changes: []gate.Change{{Body: sentBody{person, c, keys, gone}}}})
	return err
}

// Fold puts one entry into the rows. Entries of other packages are passed over.
func Fold(ctx context.Context, tx store.Tx, e trail.Sealed) error {
	switch gate.Action(e.Kind) {
	case gate.SetNotices:
		var v any
		if err := json.Unmarshal(e.Body, &v); err != nil {
			return fmt.Errorf("entry %d %s: %w", e.Seq, e.Kind, err)
		}
		return tx.Put(ctx, &store.Notices{Name: name, Value: v, By: e.Actor, At: e.At, Entry: e.Seq})
	case gate.SendNotice:
		var b sentBody
		if err := json.Unmarshal(e.Body, &b); err != nil {
			return fmt.Errorf("entry %d %s: %w", e.Seq, e.Kind, err)
		}
		for _, key := range b.Gone {
			if err := tx.Delete(ctx, &store.Told{Person: b.Person, Item: key}); err != nil {
				return err
			}
		}
		for _, key := range b.New {
			if err := tx.Put(ctx, &store.Told{Person: b.Person, Item: key, At: e.At, Entry: e.Seq}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Note records what became of a channel.
func (k *Keeper) Note(c Channel, at time.Time, failure error, again time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.states[c]
	if failure == nil {
		s.Sent, s.Why, s.Again = at, "", time.Time{}
	} else {
		s.Failed, s.Why, s.Again = at, failure.Error(), again
	}
	k.states[c] = s
}

// State is what became of a channel.
func (k *Keeper) State(c Channel) State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.states[c]
}
