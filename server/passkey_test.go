package server_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	va "github.com/descope/virtualwebauthn"

	"kakusho/gate"
	"kakusho/identity"
	"kakusho/identity/passkey"
)

var here = passkey.At("https://kakusho.example.jp:8743")

// device is an authenticator with one key.
type device struct {
	*body
	va.Authenticator
	key va.Credential
}

func (b *body) device(o va.AuthenticatorOptions) *device {
	return &device{b, va.NewAuthenticatorWithOptions(o), va.NewCredential(va.KeyTypeEC2)}
}

// makes is the device's answer to Begin.
func (d *device) makes(o passkey.Options, site passkey.Site) []byte {
	d.t.Helper()
	text, err := json.Marshal(o.Options)
	if err != nil {
		d.t.Fatal(err)
	}
	options, err := va.ParseAttestationOptions(string(text))
	if err != nil {
		d.t.Fatal(err)
	}
	d.Options.UserHandle = []byte(options.UserID)
	return []byte(va.CreateAttestationResponse(va.RelyingParty{ID: options.RelyingPartyID, Origin: site.Origin}, d.Authenticator, d.key, *options))
}

// added makes the device a passkey of somebody's.
func (d *device) added(person, name string) string {
	d.t.Helper()
	who := d.as(person)
	o, err := d.Passkeys.Begin(d.ctx, who, here, d.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.Passkeys.Add(d.ctx, who, o.Ticket, name, d.makes(o, here), here, d.Now()); err != nil {
		d.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(d.key.ID)
}

// proves is the device's answer to BeginLogin.
func (d *device) proves(o passkey.Options, party passkey.Site) []byte {
	d.t.Helper()
	text, err := json.Marshal(o.Options)
	if err != nil {
		d.t.Fatal(err)
	}
	options, err := va.ParseAssertionOptions(string(text))
	if err != nil {
		d.t.Fatal(err)
	}
	d.key.Counter++
	return []byte(va.CreateAssertionResponse(va.RelyingParty{ID: party.Host, Origin: party.Origin}, d.Authenticator, d.key, *options))
}

func (d *device) begun(site passkey.Site) passkey.Options {
	d.t.Helper()
	o, err := d.Passkeys.BeginLogin(site, d.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	return o
}

func (d *device) enters(o passkey.Options, response []byte) (string, error) {
	return d.Passkeys.Login(d.ctx, o.Ticket, response, here, "192.0.2.1", d.Now())
}

func TestAPasskeyLogsInAlone(t *testing.T) {
	b := found(t)
	d := b.device(va.AuthenticatorOptions{BackupEligible: true, BackupState: true})
	d.added("s-staff", "職員証")
	o := d.begun(here)
	token, err := d.enters(o, d.proves(o, here))
	if err != nil {
		t.Fatal(err)
	}
	if a := b.who(token); a.Person != "s-staff" || a.Nobody() {
		t.Fatalf("the passkey let in %+v", a)
	}
	p := b.permit(b.as("s-staff"))
	keys, err := b.Passkeys.Of(b.ctx, p)
	if err != nil || len(keys) != 1 || keys[0].Name != "職員証" || keys[0].Host != here.Host || !keys[0].Synced || !keys[0].UsedAt.Equal(b.Now()) {
		t.Errorf("passkeys: %+v, %v", keys, err)
	}
	b.restart() // the counter and the key are in the trail
	d.body = b
	o = d.begun(here)
	if _, err := d.enters(o, d.proves(o, here)); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	b.sound()
}

func TestWhoDoesNotProveAPasskeyStaysOutAndItIsSealed(t *testing.T) {
	other := passkey.At("https://kakusho.example.net:8743")
	for name, c := range map[string]struct {
		why string
		try func(*device) ([]byte, passkey.Options)
	}{
		"the key of nobody": {"no-passkey", func(d *device) ([]byte, passkey.Options) {
			d.key = va.NewCredential(va.KeyTypeEC2)
			o := d.begun(here)
			return d.proves(o, here), o
		}},
		"somebody else's signature": {"passkey", func(d *device) ([]byte, passkey.Options) {
			d.key.Key = va.NewCredential(va.KeyTypeEC2).Key
			o := d.begun(here)
			return d.proves(o, here), o
		}},
		"its holder was not checked": {"passkey", func(d *device) ([]byte, passkey.Options) {
			d.Options.UserNotVerified = true
			o := d.begun(here)
			return d.proves(o, here), o
		}},
		"nobody touched it": {"passkey", func(d *device) ([]byte, passkey.Options) {
			d.Options.UserNotPresent = true
			o := d.begun(here)
			return d.proves(o, here), o
		}},
		"another site's page": {"passkey", func(d *device) ([]byte, passkey.Options) {
			o := d.begun(here)
			return d.proves(o, passkey.Site{Origin: other.Origin, Host: here.Host}), o
		}},
		"a passkey of another site": {"passkey", func(d *device) ([]byte, passkey.Options) {
			o := d.begun(here)
			return d.proves(o, other), o
		}},
		"another's handle": {"passkey", func(d *device) ([]byte, passkey.Options) {
			d.Options.UserHandle = []byte("somebody")
			o := d.begun(here)
			return d.proves(o, here), o
		}},
		"a challenge of another ticket": {"passkey", func(d *device) ([]byte, passkey.Options) {
			return d.proves(d.begun(here), here), d.begun(here)
		}},
		"a ticket of another site": {"passkey", func(d *device) ([]byte, passkey.Options) {
			o := d.begun(other)
			return d.proves(o, here), o
		}},
		"a forged ticket": {"passkey", func(d *device) ([]byte, passkey.Options) {
			o := d.begun(here)
			response := d.proves(o, here)
			o.Ticket = "A" + o.Ticket[1:]
			return response, o
		}},
		"too late": {"passkey", func(d *device) ([]byte, passkey.Options) {
			o := d.begun(here)
			d.tick(passkey.Ceremony)
			return d.proves(o, here), o
		}},
		"the same proof twice": {"passkey-cloned", func(d *device) ([]byte, passkey.Options) {
			o := d.begun(here)
			response := d.proves(o, here)
			if _, err := d.enters(o, response); err != nil {
				d.t.Fatal(err)
			}
			return response, o
		}},
		"a copy of the key": {"passkey-cloned", func(d *device) ([]byte, passkey.Options) {
			copied := d.key
			o := d.begun(here)
			if _, err := d.enters(o, d.proves(o, here)); err != nil {
				d.t.Fatal(err)
			}
			d.key = copied
			o = d.begun(here)
			return d.proves(o, here), o
		}},
		"a passkey that ended": {"no-passkey", func(d *device) ([]byte, passkey.Options) {
			id := base64.RawURLEncoding.EncodeToString(d.key.ID)
			if err := d.Passkeys.End(d.ctx, d.as("s-staff"), id, d.Now()); err != nil {
				d.t.Fatal(err)
			}
			o := d.begun(here)
			return d.proves(o, here), o
		}},
		"nothing at all": {"passkey", func(d *device) ([]byte, passkey.Options) { return nil, d.begun(here) }},
	} {
		t.Run(name, func(t *testing.T) {
			b := found(t)
			d := b.device(va.AuthenticatorOptions{})
			d.added("s-staff", "鍵")
			response, o := c.try(d)
			if _, err := d.enters(o, response); !errors.Is(err, identity.ErrLogin) {
				t.Fatalf("got %v, want ErrLogin", err)
			}
			if why := b.refusals(); len(why) != 1 || why[0] != c.why {
				t.Errorf("sealed as %q, want %q", why, c.why)
			}
			b.sound()
		})
	}
}

// A proof whose counter does not move (many authenticators keep none) is taken once
// all the same.
func TestAProofIsTakenOnceWithoutACounterToo(t *testing.T) {
	b := found(t)
	d := b.device(va.AuthenticatorOptions{})
	d.added("s-staff", "鍵")
	o := d.begun(here)
	d.key.Counter--
	response := d.proves(o, here)
	if _, err := d.enters(o, response); err != nil {
		t.Fatal(err)
	}
	if _, err := d.enters(o, response); !errors.Is(err, identity.ErrLogin) {
		t.Errorf("a second time: got %v, want ErrLogin", err)
	}
	if why := b.refusals(); len(why) != 1 || why[0] != "passkey-used" {
		t.Errorf("sealed as %q", why)
	}
}

func TestAPasskeyIsAddedBySomebodyForHimselfHereAndNow(t *testing.T) {
	b := found(t)
	at := func(d time.Duration) time.Time { return b.Now().Add(d) }
	for name, c := range map[string]struct {
		options va.AuthenticatorOptions
		add     func(d *device, o passkey.Options) error
		field   string
	}{
		"without a name": {add: func(d *device, o passkey.Options) error {
			return b.Passkeys.Add(b.ctx, b.as("s-staff"), o.Ticket, " ", d.makes(o, here), here, at(0))
		}, field: "name"},
		"a name without end": {add: func(d *device, o passkey.Options) error {
			return b.Passkeys.Add(b.ctx, b.as("s-staff"), o.Ticket, strings.Repeat("鍵", 61), d.makes(o, here), here, at(0))
		}, field: "name"},
		"by another": {add: func(d *device, o passkey.Options) error {
			return b.Passkeys.Add(b.ctx, b.as("s-operator"), o.Ticket, "鍵", d.makes(o, here), here, at(0))
		}, field: "passkey"},
		"too late": {add: func(d *device, o passkey.Options) error {
			return b.Passkeys.Add(b.ctx, b.as("s-staff"), o.Ticket, "鍵", d.makes(o, here), here, at(passkey.Ceremony))
		}, field: "passkey"},
		"its holder was not checked": {options: va.AuthenticatorOptions{UserNotVerified: true}, add: func(d *device, o passkey.Options) error {
			return b.Passkeys.Add(b.ctx, b.as("s-staff"), o.Ticket, "鍵", d.makes(o, here), here, at(0))
		}, field: "passkey"},
		"from another page": {add: func(d *device, o passkey.Options) error {
			return b.Passkeys.Add(b.ctx, b.as("s-staff"), o.Ticket, "鍵", d.makes(o, passkey.At("https://evil.example")), here, at(0))
		}, field: "passkey"},
		"nothing": {add: func(d *device, o passkey.Options) error {
			return b.Passkeys.Add(b.ctx, b.as("s-staff"), o.Ticket, "鍵", []byte("{}"), here, at(0))
		}, field: "passkey"},
	} {
		d := b.device(c.options)
		o, err := b.Passkeys.Begin(b.ctx, b.as("s-staff"), here, b.Now())
		if err != nil {
			t.Fatal(err)
		}
		var f identity.Fault
		if err := c.add(d, o); !errors.As(err, &f) || f.Field != c.field || f.Text.JA == "" || f.Text.EN == "" {
			t.Errorf("%s: got %v, want a fault of %s", name, err, c.field)
		}
	}
	for _, address := range []string{"https://192.0.2.1:8743", "https://[2001:db8::1]:8743", "http://kakusho.example.jp", "http://127.0.0.1:8743", ""} {
		var f identity.Fault
		if _, err := b.Passkeys.Begin(b.ctx, b.as("s-staff"), passkey.At(address), b.Now()); !errors.As(err, &f) {
			t.Errorf("at %q: got %v, want a fault", address, err)
		}
	}
	if keys, err := b.Passkeys.Of(b.ctx, b.permit(b.as("s-staff"))); err != nil || len(keys) > 0 {
		t.Errorf("there are %+v, %v", keys, err)
	}
	if !passkey.At("http://localhost:8743").Usable() {
		t.Error("not on this very machine")
	}
	b.sound()
}

// Ending a passkey ends what it opened; setting a login up anew ends all passkeys, for
// the device may be lost.
func TestALostPasskeyOpensNothingMore(t *testing.T) {
	b := found(t)
	d := b.device(va.AuthenticatorOptions{})
	id := d.added("s-staff", "鍵")
	o := d.begun(here)
	token, err := d.enters(o, d.proves(o, here))
	if err != nil {
		t.Fatal(err)
	}
	var f identity.Fault
	if err := b.Passkeys.End(b.ctx, b.as("s-operator"), id, b.Now()); !errors.As(err, &f) {
		t.Errorf("another ends it: got %v, want a fault", err)
	}
	if err := b.Passkeys.End(b.ctx, b.as("s-staff"), id, b.Now()); err != nil {
		t.Fatal(err)
	}
	if a := b.who(token); !a.Nobody() {
		t.Errorf("the session of the ended passkey is still %s's", a.Person)
	}
	if b.as("s-staff").Nobody() {
		t.Error("the session by password ended as well")
	}
	d = b.device(va.AuthenticatorOptions{})
	d.added("s-staff", "別の鍵")
	invited, err := b.Identity.Invite(b.ctx, b.as("s-operator"), "s-staff", b.Now(), b.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := b.Identity.Secret(invited, "s-staff", "Kakusho")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Identity.Enrol(b.ctx, invited, "s-staff", password, codeAt(t, secret, b.Now()), "192.0.2.1", b.Now()); err != nil {
		t.Fatal(err)
	}
	o = d.begun(here)
	if _, err := d.enters(o, d.proves(o, here)); !errors.Is(err, identity.ErrLogin) {
		t.Errorf("after the login was set up anew: got %v, want ErrLogin", err)
	}
	b.sound()
}

func TestSomebodySeesTheLoginBeforeAndWhatFailedSince(t *testing.T) {
	b := found(t)
	b.as("s-staff")
	first := b.Now()
	b.tick(time.Hour)
	for range 2 {
		if err := b.try("s-staff", "wrong", "000000"); !errors.Is(err, identity.ErrLogin) {
			t.Fatal(err)
		}
	}
	d := b.device(va.AuthenticatorOptions{})
	d.added("s-staff", "鍵")
	again := b.Now()
	b.tick(time.Minute)
	o := d.begun(here)
	token, err := b.Passkeys.Login(b.ctx, o.Ticket, d.proves(o, here), here, "192.0.2.77", b.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.sessions["s-staff"] = token
	open, err := b.Identity.Sessions(b.ctx, b.permit(b.as("s-staff")), false)
	if err != nil || len(open) == 0 {
		t.Fatalf("%+v, %v", open, err)
	}
	now := open[0]
	if !now.Own || !now.Passkey || !now.Elsewhere || now.Addr != "192.0.2.77" || now.BeforeAddr != "192.0.2.1" || now.Before.Before(first) || now.Before.After(again) {
		t.Errorf("got %+v", now)
	}
	if _, err := b.Identity.Sessions(b.ctx, b.permit(b.as("s-staff")), true); !errors.Is(err, gate.ErrRefused) {
		t.Errorf("those of others: got %v, want ErrRefused", err)
	}
}

// The login before is the one that was opened before, whichever ended since.
func TestTheLoginBeforeIsNotHiddenByALogout(t *testing.T) {
	b := found(t)
	b.login("s-staff")
	own := b.as("s-staff")
	b.tick(time.Hour)
	if _, err := b.Identity.Login(b.ctx, "s-staff", password, b.code("s-staff"), "192.0.2.66", b.Now()); err != nil { // a thief's
		t.Fatal(err)
	}
	stolen := b.Now()
	b.tick(time.Hour)
	if err := b.try("s-staff", "wrong", "000000"); !errors.Is(err, identity.ErrLogin) {
		t.Fatal(err)
	}
	if err := b.Identity.Logout(b.ctx, own, b.Now()); err != nil {
		t.Fatal(err)
	}
	b.tick(time.Minute)
	b.login("s-staff")
	open, err := b.Identity.Sessions(b.ctx, b.permit(b.as("s-staff")), false)
	if err != nil {
		t.Fatal(err)
	}
	if now := open[0]; !now.Own || now.BeforeAddr != "192.0.2.66" || !now.Before.Equal(stolen) || now.Failed != 1 {
		t.Errorf("got %+v", now)
	}
}

// Requests that came later and were refused before count: who keeps many half sent, and
// ends the newest first, tries no more than anybody.
func TestRequestsThatOvertakeEachOtherAreCountedAllTheSame(t *testing.T) {
	b := found(t)
	b.login("s-staff")
	b.tick(2 * time.Minute)
	for i := range 40 {
		_, err := b.Identity.Login(b.ctx, "s-staff", "wrong", "000000", "192.0.2.1", b.Now().Add(-time.Duration(i)*time.Second))
		if !errors.Is(err, identity.ErrLogin) {
			t.Fatal(err)
		}
	}
	tried := 0
	for _, why := range b.refusals() {
		if why != "locked" {
			tried++
		}
	}
	if tried == 0 || tried > 10 {
		t.Errorf("%d of 40 passwords were checked", tried)
	}
}

func TestASessionIsEndedByItsHolderAndByWhoKeepsThem(t *testing.T) {
	b := found(t)
	base := b.soundly()
	list := func(person string, all bool) map[string]identity.Session {
		t.Helper()
		open, err := b.Identity.Sessions(b.ctx, b.permit(b.as(person)), all)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]identity.Session{}
		for _, s := range open {
			out[s.ID] = s
		}
		return out
	}
	other := b.login("s-chief")
	b.tick(time.Minute)
	b.sessions["s-chief"] = b.login("s-chief")
	if n := len(list("s-chief", false)); n != 2 {
		t.Fatalf("%d sessions, want 2", n)
	}
	var lost string
	for id, s := range list("s-chief", false) {
		if !s.Own {
			lost = id
		}
	}
	for _, c := range []struct {
		person, path string
		status       int
	}{
		{"s-staff", "/me/sessions/" + lost + "/end", http.StatusUnprocessableEntity}, // is not told that it is there
		{"s-staff", "/sessions/" + lost + "/end", http.StatusForbidden},
		{"s-chief", "/me/sessions/nothing/end", http.StatusUnprocessableEntity},
		{"s-chief", "/me/sessions/" + lost + "/end", http.StatusSeeOther},
		{"s-chief", "/me/sessions/" + lost + "/end", http.StatusUnprocessableEntity},
	} {
		if status, text := b.ask(base, c.person, http.MethodPost, c.path, url.Values{}); status != c.status {
			t.Errorf("%s %s: %d, want %d\n%.300s", c.person, c.path, status, c.status, text)
		}
	}
	if !b.who(other).Nobody() {
		t.Error("the ended session still answers")
	}
	if status, page := b.get(base, "s-operator", "/sessions"); status != http.StatusOK || !strings.Contains(string(page), "s-chief") {
		t.Fatalf("sessions for the operator: %d", status)
	}
	if status, _ := b.get(base, "s-staff", "/sessions"); status != http.StatusForbidden {
		t.Errorf("sessions for staff: %d, want 403", status)
	}
	for id, s := range list("s-operator", true) {
		if s.Person == "s-chief" {
			if status, _ := b.ask(base, "s-operator", http.MethodPost, "/sessions/"+id+"/end", url.Values{}); status != http.StatusSeeOther {
				t.Errorf("the operator ends it: %d", status)
			}
		}
	}
	if !b.who(b.sessions["s-chief"]).Nobody() {
		t.Error("the session that the operator ended still answers")
	}
}
