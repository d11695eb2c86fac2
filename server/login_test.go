package server_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/audit"
	"kakusho/identity"
	"kakusho/trail"
)

// refusals lists why logins were refused, oldest first, as the trail has it.
func (b *body) refusals() []string {
	b.t.Helper()
	who := looker()
	p, err := b.Audit.Permit(b.ctx, who, audit.Query{Kind: "identity.refused"}, b.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	hits, err := b.Audit.Search(b.ctx, p, audit.Query{Kind: "identity.refused", Limit: 500})
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for i := len(hits.Entries) - 1; i >= 0; i-- {
		out = append(out, bodyOf(b.t, hits.Entries[i], "why"))
	}
	return out
}

func (b *body) try(person, password, code string) error {
	_, err := b.Identity.Login(b.ctx, person, password, code, "192.0.2.1", b.Now())
	return err
}

func TestTheFirstAdministratorIsMadeOnceThroughTheOneTimeLink(t *testing.T) {
	b := open(t, t.TempDir(), morning)
	old, err := b.Identity.FirstRun(b.ctx)
	if err != nil || old == "" {
		t.Fatalf("first run: got %q, %v, want a token", old, err)
	}
	b.restart()
	if _, err := b.Identity.Invited(b.ctx, old, b.Now()); !errors.Is(err, identity.ErrInvite) {
		t.Errorf("the link of before the restart: got %v, want ErrInvite", err)
	}
	token, err := b.Identity.FirstRun(b.ctx)
	if err != nil || token == "" || token == old {
		t.Fatalf("second start: got %q, %v, want another token", token, err)
	}
	if person, err := b.Identity.Invited(b.ctx, token, b.Now()); person != "" || err != nil {
		t.Errorf("the first link invites %q, %v, want anybody", person, err)
	}
	_, secret, err := b.Identity.Secret(token, "admin", "Kakusho")
	if err != nil {
		t.Fatal(err)
	}
	if _, again, _ := b.Identity.Secret(token, "admin", "Kakusho"); again != secret {
		t.Error("showing the link twice shows two secrets")
	}
	for _, c := range []struct{ name, person, password, code, field string }{
		{"a short password", "s-first", "Abc-1234567", codeAt(t, secret, b.Now()), "password"},
		{"too few classes", "s-first", "onlylowercaseletters", codeAt(t, secret, b.Now()), "password"},
		{"his own name in the password", "s-first", "Mine-S-First-77", codeAt(t, secret, b.Now()), "password"},
		{"an unreadable password", "s-first", "Kanji-to-kagi-\xff7", codeAt(t, secret, b.Now()), "password"},
		{"a password without end", "s-first", "Aa1-" + strings.Repeat("x", 1100), codeAt(t, secret, b.Now()), "password"},
		{"a wrong code", "s-first", password, wrong(codeAt(t, secret, b.Now())), "code"},
		{"no code", "s-first", password, "", "code"},
		{"the code of two minutes ago", "s-first", password, codeAt(t, secret, b.Now().Add(-2*time.Minute)), "code"},
	} {
		var f identity.Fault
		err := b.Identity.Enrol(b.ctx, token, c.person, c.password, c.code, "192.0.2.1", b.Now())
		if !errors.As(err, &f) || f.Field != c.field || f.Text.JA == "" || f.Text.EN == "" {
			t.Errorf("%s: got %v, want a fault of %s", c.name, err, c.field)
		}
	}
	if err := b.Identity.Enrol(b.ctx, "made-up", "s-first", password, codeAt(t, secret, b.Now()), "", b.Now()); !errors.Is(err, identity.ErrInvite) {
		t.Errorf("a made-up link: got %v, want ErrInvite", err)
	}
	if err := b.Identity.Enrol(b.ctx, token, "s-first", password, codeAt(t, secret, b.Now()), "192.0.2.1", b.Now()); err != nil {
		t.Fatal(err)
	}
	if err := b.Identity.Enrol(b.ctx, token, "s-second", password, codeAt(t, secret, b.Now()), "192.0.2.1", b.Now()); !errors.Is(err, identity.ErrInvite) {
		t.Errorf("the link a second time: got %v, want ErrInvite", err)
	}
	b.restart()
	if again, err := b.Identity.FirstRun(b.ctx); again != "" || err != nil {
		t.Errorf("after the first login there is still a link: %q, %v", again, err)
	}
	b.sound()
}

func wrong(code string) string {
	if code[0] == '0' {
		return "1" + code[1:]
	}
	return "0" + code[1:]
}

func TestTheFirstLinkMakesOneLoginHoweverManyTryAtOnce(t *testing.T) {
	b := open(t, t.TempDir(), morning)
	token, err := b.Identity.FirstRun(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := b.Identity.Secret(token, "admin", "Kakusho")
	if err != nil {
		t.Fatal(err)
	}
	code := codeAt(t, secret, b.Now())
	var wg sync.WaitGroup
	made := make([]error, 6)
	for i := range made {
		wg.Go(func() {
			made[i] = b.Identity.Enrol(b.ctx, token, "s-"+string(rune('p'+i)), password, code, "192.0.2.1", b.Now())
		})
	}
	wg.Wait()
	n := 0
	for _, err := range made {
		switch {
		case err == nil:
			n++
		case !errors.Is(err, identity.ErrInvite):
			t.Errorf("got %v, want ErrInvite", err)
		}
	}
	if n != 1 {
		t.Errorf("one link made %d logins", n)
	}
	b.sound()
}

func TestAnInvitationIsForOnePersonAndEnds(t *testing.T) {
	b := found(t)
	until := b.Now().Add(time.Hour)
	_, err := b.Identity.Invite(b.ctx, b.as("s-staff"), "s-chief", b.Now(), until)
	refused(t, "staff invites", err)
	token, err := b.Identity.Invite(b.ctx, b.as("s-operator"), "s-chief", b.Now(), until)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := b.Identity.Secret(token, "s-chief", "Kakusho")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Identity.Enrol(b.ctx, token, "s-staff", password, codeAt(t, secret, b.Now()), "", b.Now()); !errors.Is(err, identity.ErrInvite) {
		t.Errorf("another person with the link: got %v, want ErrInvite", err)
	}
	b.set(until.Add(-time.Second))
	if who, err := b.Identity.Invited(b.ctx, token, b.Now()); who != "s-chief" || err != nil {
		t.Errorf("a second before its end: got %q, %v", who, err)
	}
	b.set(until)
	if err := b.Identity.Enrol(b.ctx, token, "s-chief", password, codeAt(t, secret, b.Now()), "", b.Now()); !errors.Is(err, identity.ErrInvite) {
		t.Errorf("at its end: got %v, want ErrInvite", err)
	}
	b.sound()
}

func TestARefusedLoginSaysNoMoreThanThat(t *testing.T) {
	b := found(t)
	b.enrol("s-chief")
	good := b.code("s-chief")
	for _, c := range []struct{ name, person, password, code, why string }{
		{"a wrong password", "s-chief", "Kanji-to-kagi-7713", good, "password"},
		{"a wrong code", "s-chief", password, wrong(good), "code"},
		{"a person who never set up a login", "s-staff", password, good, "no-login"},
		{"nobody known", "nobody", password, good, "no-login"},
		{"no name", "", "", "", "no-login"},
		{"a name that is no text", "s-chief\xff\x00", password, good, "no-login"},
		{"a name of HTML", "<b>x</b>", password, good, "no-login"},
		{"a name of ten thousand letters", strings.Repeat("あ", 10_000), password, good, "no-login"},
	} {
		if err := b.try(c.person, c.password, c.code); err != identity.ErrLogin { //nolint:errorlint // exactly this, with nothing around it
			t.Errorf("%s: got %v, want ErrLogin and no more", c.name, err)
		}
		if all := b.refusals(); all[len(all)-1] != c.why {
			t.Errorf("%s: the trail says %q, want %q", c.name, all[len(all)-1], c.why)
		}
	}
	if err := b.try("s-chief", password, good); err != nil {
		t.Errorf("the right ones: %v", err)
	}
	if err := b.try("s-chief", password, good); !errors.Is(err, identity.ErrLogin) {
		t.Errorf("the same code again: got %v, want ErrLogin", err)
	}
	if all := b.refusals(); all[len(all)-1] != "code-used" {
		t.Errorf("the trail says %q, want code-used", all[len(all)-1])
	}
	b.sound()
}

func TestACodeIsNotTakenAgainAfterARestart(t *testing.T) {
	b := found(t)
	b.enrol("s-chief")
	good := b.code("s-chief")
	if err := b.try("s-chief", password, good); err != nil {
		t.Fatal(err)
	}
	b.restart()
	if err := b.try("s-chief", password, good); !errors.Is(err, identity.ErrLogin) {
		t.Errorf("the same code after a restart: got %v, want ErrLogin", err)
	}
	b.tick(time.Minute)
	if err := b.try("s-chief", password, b.code("s-chief")); err != nil {
		t.Errorf("a later code: %v", err)
	}
}

func TestRefusalsLockAPersonOutForExactlyAsLongAsTheParameterSays(t *testing.T) {
	b := found(t)
	b.enrol("s-chief")
	b.enrol("s-auditor")
	// auth.lockout: 5 refusals within 15 minutes lock for 10 minutes.
	for i := range 4 {
		if err := b.try("s-chief", "Wrong-password-1", b.code("s-chief")); !errors.Is(err, identity.ErrLogin) {
			t.Fatalf("refusal %d: got %v", i, err)
		}
	}
	b.login("s-chief") // four lock nobody out
	b.tick(15 * time.Minute)
	for range 5 {
		if err := b.try("s-chief", "Wrong-password-1", b.code("s-chief")); !errors.Is(err, identity.ErrLogin) {
			t.Fatalf("got %v", err)
		}
	}
	last := b.Now()
	b.tick(30 * time.Second)
	if err := b.try("s-chief", password, b.code("s-chief")); !errors.Is(err, identity.ErrLogin) {
		t.Errorf("the right password while locked out: got %v, want ErrLogin", err)
	}
	if all := b.refusals(); all[len(all)-1] != "locked" {
		t.Errorf("the trail says %q, want locked", all[len(all)-1])
	}
	b.login("s-auditor") // nobody else is
	b.restart()
	b.set(last.Add(10*time.Minute - time.Second))
	if err := b.try("s-chief", password, b.code("s-chief")); !errors.Is(err, identity.ErrLogin) {
		t.Errorf("a second before the end, after a restart: got %v, want ErrLogin", err)
	}
	b.set(last.Add(10 * time.Minute))
	if err := b.try("s-chief", password, codeAt(t, b.secrets["s-chief"], b.Now())); err != nil {
		t.Errorf("at the end: got %v, want in", err)
	}
	b.sound()
}

func TestALongNameIsLockedOutAsWell(t *testing.T) {
	b := found(t)
	name := strings.Repeat("長", 60) // 180 bytes
	b.put(actor.Program, "person", values{"staff_no": name, "name": "試験", "unit": "HQ", "employment": "staff", "status": "active"})
	b.enrol(name)
	for range 5 {
		if err := b.try(name, "Wrong-password-1", b.code(name)); !errors.Is(err, identity.ErrLogin) {
			t.Fatalf("got %v", err)
		}
	}
	if err := b.try(name, password, b.code(name)); !errors.Is(err, identity.ErrLogin) {
		t.Errorf("after five refusals: got %v, want ErrLogin", err)
	}
}

func TestGuessesAtOnceGetNoMoreTriesThanOneAfterTheOther(t *testing.T) {
	b := found(t)
	b.enrol("s-chief")
	code := b.code("s-chief")
	var wg sync.WaitGroup
	for range 24 {
		wg.Go(func() { b.try("s-chief", "Wrong-password-1", code) })
	}
	wg.Wait()
	looked := 0
	for _, why := range b.refusals() {
		if why != "locked" {
			looked++
		}
	}
	if looked != 5 {
		t.Errorf("%d guesses were looked at before the lock, want 5", looked)
	}
}

func TestOneAddressCannotTryForEver(t *testing.T) {
	b := found(t)
	b.enrol("s-chief")
	for range 50 {
		if err := b.try("s-nobody-"+b.Now().Format("150405"), "x", "000000"); !errors.Is(err, identity.ErrLogin) {
			t.Fatal(err)
		}
		b.tick(time.Second)
	}
	code := b.code("s-chief")
	if err := b.try("s-chief", password, code); !errors.Is(err, identity.ErrLogin) {
		t.Errorf("from that address: got %v, want ErrLogin", err)
	}
	if _, err := b.Identity.Login(b.ctx, "s-chief", password, code, "192.0.2.77", b.Now()); err != nil {
		t.Errorf("from another address: %v", err)
	}
}

func TestASessionEndsByIdlenessByAgeByLogoutAndByANewPassword(t *testing.T) {
	b := found(t)
	start := func() string { b.t.Helper(); return b.login("s-chief") }

	token := start() // idle: three times auth.session.lock_min.admin, 15 minutes
	at := b.Now()
	b.set(at.Add(15*time.Minute - time.Second))
	if b.who(token).Nobody() {
		t.Error("a second before it is idle it has ended")
	}
	b.tick(15*time.Minute - time.Second)
	if b.who(token).Nobody() {
		t.Error("a request does not keep it open")
	}
	b.tick(15 * time.Minute)
	if !b.who(token).Nobody() {
		t.Error("it outlives 15 minutes of idleness")
	}

	token = start() // in any case after twelve hours
	opened := b.Now()
	for b.Now().Before(opened.Add(12*time.Hour - 11*time.Minute)) {
		b.tick(10 * time.Minute)
		if b.who(token).Nobody() {
			t.Fatalf("ended after %v", b.Now().Sub(opened))
		}
	}
	b.set(opened.Add(12*time.Hour - time.Second))
	if b.who(token).Nobody() {
		t.Error("a second before twelve hours it has ended")
	}
	b.set(opened.Add(12 * time.Hour))
	if !b.who(token).Nobody() {
		t.Error("it outlives twelve hours")
	}

	token, other := start(), b.login("s-auditor") // by logout, one's own only
	if err := b.Identity.Logout(b.ctx, b.who(token), b.Now()); err != nil {
		t.Fatal(err)
	}
	if !b.who(token).Nobody() || b.who(other).Nobody() {
		t.Error("logging out does not end one's own session and no other")
	}

	token = start() // by a new password
	b.enrol("s-chief")
	if !b.who(token).Nobody() {
		t.Error("it outlives a new password")
	}
	if b.who(other).Nobody() {
		t.Error("somebody else's new password ended it")
	}

	token = start() // and it outlives a restart within its time
	b.restart()
	if b.who(token).Nobody() {
		t.Error("a restart ended it")
	}
	b.sound()
}

func TestASecretChangedBehindTheProgramsBackLogsNobodyIn(t *testing.T) {
	b := found(t)
	vault := filepath.Join(b.dir, "vault")
	list := func() map[string]string {
		out := map[string]string{}
		err := filepath.WalkDir(vault, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(p) != ".json" {
				return err
			}
			text, err := os.ReadFile(p)
			out[p] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	b.enrol("s-chief")
	old := list()
	b.enrol("s-chief")
	now := list()
	if len(now) != 1 {
		t.Fatalf("%d secrets are kept of one person, want 1", len(now))
	}
	for p := range now {
		for _, text := range old {
			if err := os.WriteFile(p, []byte(text), 0o600); err != nil { // yesterday's, put back
				t.Fatal(err)
			}
		}
		if err := b.try("s-chief", password, b.code("s-chief")); !errors.Is(err, identity.ErrLogin) {
			t.Errorf("with the secret of before: got %v, want ErrLogin", err)
		}
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
		if err := b.try("s-chief", password, b.code("s-chief")); !errors.Is(err, identity.ErrLogin) {
			t.Errorf("with no secret: got %v, want ErrLogin", err)
		}
		if why := b.refusals(); why[len(why)-1] != "vault" || why[len(why)-2] != "vault" {
			t.Errorf("the trail says %v, want vault twice", why)
		}
		if err := os.WriteFile(p, []byte(now[p]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.try("s-chief", password, b.code("s-chief")); err != nil {
		t.Errorf("with the right one back: %v", err)
	}
	b.sound()
}

func TestNoSecretStandsInTheTrailOrTheRows(t *testing.T) {
	b := found(t)
	token := b.login("s-chief")
	secret := b.secrets["s-chief"]
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := trail.NewReader(filepath.Join(b.dir, "trail"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for e, err := range r.Read(b.ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		for name, s := range map[string]string{"password": password, "session": token, "code secret": secret, "hash": "$argon2id$"} {
			if strings.Contains(string(e.Body), s) {
				t.Errorf("entry %d %s holds the %s", e.Seq, e.Kind, name)
			}
		}
	}
	rows, err := os.ReadFile(filepath.Join(b.dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{"password": password, "session": token, "code secret": secret, "hash": "$argon2id$"} {
		if strings.Contains(string(rows), s) {
			t.Errorf("the rows hold the %s", name)
		}
	}
}
