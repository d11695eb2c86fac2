// Package entry serves the pages before one is in: setting up a login with a
// one-time link, logging in, acknowledging the notices to staff, logging out.
package entry

import (
	"bytes"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/identity"
	"kakusho/identity/passkey"
	"kakusho/kind"
	"kakusho/register"
	"kakusho/register/notice"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

type pages struct {
	site     *web.Site
	identity *identity.Identity
	register *register.Register
	notices  *notice.Notices
}

// Mount adds the pages to the site.
func Mount(site *web.Site, id *identity.Identity, reg *register.Register, notices *notice.Notices) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	p := pages{site, id, reg, notices}
	site.Open(tmpl, "GET /login", p.login)
	site.Open(tmpl, "POST /login", p.doLogin)
	site.Open(tmpl, "POST /logout", p.logout)
	site.Open(tmpl, "GET "+web.Acknowledging, p.unread)
	site.Open(tmpl, "POST "+web.Acknowledging, p.acknowledge)
	site.Open(tmpl, "GET /setup", p.setup)
	site.Open(tmpl, "POST /setup", p.doSetup)
	site.Act(tmpl, "/invite/{person...}", p.invite)
	return nil
}

type loginForm struct {
	Person, Next string
	Refused      bool
	Done         bool // a login has just been set up
	Passkeys     bool // browsers use them at this address
}

var loginTitle = bilingual.Say("ログイン", "Log in")

func (p pages) login(r *web.Request) (web.Answer, error) {
	if !r.Actor.Nobody() {
		return web.Answer{Redirect: "/" + strings.TrimPrefix(r.URL.Query().Get("next"), "/")}, nil
	}
	q := r.URL.Query()
	return web.Answer{Page: "login", Title: loginTitle, Data: loginForm{Next: q.Get("next"), Person: q.Get("person"), Done: q.Has("done"), Passkeys: passkey.At(r.Base()).Usable()}}, nil
}

func (p pages) doLogin(r *web.Request) (web.Answer, error) {
	if err := r.ParseForm(); err != nil {
		return web.Answer{}, fmt.Errorf("%w: %w", web.ErrBadRequest, err)
	}
	f := loginForm{Person: strings.TrimSpace(r.PostFormValue("person")), Next: r.PostFormValue("next"), Passkeys: passkey.At(r.Base()).Usable()}
	token, err := p.identity.Login(r.Context(), f.Person, r.PostFormValue("password"), digits(r.PostFormValue("code")), web.Addr(r.Request), r.At)
	if errors.Is(err, identity.ErrLogin) {
		f.Refused = true
		return web.Answer{Page: "login", Title: loginTitle, Data: f, Status: http.StatusUnauthorized}, nil
	}
	if err != nil {
		return web.Answer{}, err
	}
	next := f.Next
	if next == "" {
		next = "/"
	}
	return web.Answer{Redirect: next, Cookie: p.site.SessionCookie(token)}, nil
}

func (p pages) logout(r *web.Request) (web.Answer, error) {
	if err := p.identity.Logout(r.Context(), r.Actor, r.At); err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Redirect: "/login", Cookie: p.site.SessionCookie("")}, nil
}

// digits reads a code as people type it: full-width, with spaces.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '０' && r <= '９':
			return r - '０' + '0'
		case r >= '0' && r <= '9':
			return r
		}
		return -1
	}, s)
}

type setupForm struct {
	Token                string
	First                bool
	Person, Name, Office string
	Secret               string
	QR                   string // base64 PNG
	Faults               []identity.Fault
}

var setupTitle = bilingual.Say("ログインの設定", "Set up a login")

func (p pages) setup(r *web.Request) (web.Answer, error) {
	f := setupForm{Token: r.URL.Query().Get("token")}
	return p.showSetup(r, f, 0)
}

func (p pages) showSetup(r *web.Request, f setupForm, status int) (web.Answer, error) {
	invited, err := p.identity.Invited(r.Context(), f.Token, r.At)
	if errors.Is(err, identity.ErrInvite) {
		return web.Answer{Page: "ended", Title: setupTitle, Status: http.StatusGone}, nil
	}
	if err != nil {
		return web.Answer{}, err
	}
	f.First = invited == ""
	account := invited
	if f.First {
		account = "admin"
	} else {
		f.Person = invited
	}
	address, secret, err := p.identity.Secret(f.Token, account, "Kakusho")
	if err != nil {
		return web.Answer{}, err
	}
	f.Secret = groups(secret)
	if f.QR, err = qr(address); err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Page: "setup", Title: setupTitle, Data: f, Status: status}, nil
}

// groups writes a secret in fours, for those who must type it.
func groups(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func qr(address string) (string, error) {
	key, err := otp.NewKeyFromURL(address)
	if err != nil {
		return "", fmt.Errorf("draw code: %w", err)
	}
	img, err := key.Image(220, 220)
	if err != nil {
		return "", fmt.Errorf("draw code: %w", err)
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		return "", fmt.Errorf("draw code: %w", err)
	}
	return base64.StdEncoding.EncodeToString(buf.Bytes()), nil
}

func (p pages) doSetup(r *web.Request) (web.Answer, error) {
	if err := r.ParseForm(); err != nil {
		return web.Answer{}, fmt.Errorf("%w: %w", web.ErrBadRequest, err)
	}
	field := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	f := setupForm{Token: field("token"), Person: field("person"), Name: field("name"), Office: field("office")}
	invited, err := p.identity.Invited(r.Context(), f.Token, r.At)
	if err != nil {
		return p.showSetup(r, f, 0)
	}
	password := r.PostFormValue("password")
	if password != r.PostFormValue("again") {
		f.Faults = append(f.Faults, identity.Fault{Field: "again", Text: bilingual.Say("二つのパスワードが一致しない。", "The two passwords differ.")})
	}
	if invited == "" {
		f.Faults = append(f.Faults, missing(f)...)
	}
	if len(f.Faults) > 0 {
		return p.showSetup(r, f, http.StatusUnprocessableEntity)
	}
	if invited == "" {
		if err := p.firstOffice(r, f); err != nil {
			return p.withFaults(r, f, err)
		}
	} else {
		f.Person = invited
	}
	err = p.identity.Enrol(r.Context(), f.Token, f.Person, password, digits(field("code")), web.Addr(r.Request), r.At)
	if err != nil {
		return p.withFaults(r, f, err)
	}
	return web.Answer{Redirect: "/login?done&person=" + url.QueryEscape(f.Person)}, nil
}

func missing(f setupForm) (out []identity.Fault) {
	for field, v := range map[string]string{"person": f.Person, "name": f.Name, "office": f.Office} {
		if v == "" {
			out = append(out, identity.Fault{Field: field, Text: bilingual.Say("未入力の項目がある。", "This must be filled in.")})
		}
	}
	return out
}

// withFaults shows the form again with what a person can correct; anything else
// is an error.
func (p pages) withFaults(r *web.Request, f setupForm, err error) (web.Answer, error) {
	var one identity.Fault
	var many register.Faults
	switch {
	case errors.As(err, &one):
		f.Faults = append(f.Faults, one)
	case errors.As(err, &many):
		for _, x := range many {
			f.Faults = append(f.Faults, identity.Fault{Field: place(x), Text: x.Text()})
		}
	case errors.Is(err, identity.ErrInvite):
	default:
		return web.Answer{}, err
	}
	return p.showSetup(r, f, http.StatusUnprocessableEntity)
}

func place(x kind.Fault) string {
	if x.Field == "staff_no" {
		return "person"
	}
	return x.Field
}

// firstOffice enters the first person with a post, so that somebody can enter
// everybody else. The post may keep the installation and its registers; what the
// clauses leave to be decided needs a second person in any case.
func (p pages) firstOffice(r *web.Request, f setupForm) error {
	day := r.At.Add(9 * time.Hour).Truncate(24 * time.Hour).Add(-9 * time.Hour) // 00:00 in Japan
	entries := []struct {
		kind   string
		values map[string]any
	}{
		{"unit", map[string]any{"unit_id": "HQ", "title": f.Office, "level": "prefecture"}},
		{"post", map[string]any{"post_id": "FIRST", "title": "初期管理者", "unit": "HQ", "status": "active"}},
		{"person", map[string]any{"staff_no": f.Person, "name": f.Name, "unit": "HQ", "employment": "staff", "status": "active"}},
	}
	for i, d := range []actor.Duty{actor.Operator, actor.SecurityAdministrator, actor.SystemOfficer, actor.Maintainer, actor.Auditor} {
		entries = append(entries, struct {
			kind   string
			values map[string]any
		}{"assignment", map[string]any{
			"assignment_no": fmt.Sprintf("FIRST-%d", i+1), "post": "FIRST", "person": f.Person, "duty": string(d), "scope": "*", "from": day,
			"basis": "初回設定",
		}})
	}
	for _, e := range entries {
		if err := p.put(r, e.kind, e.values); err != nil {
			return fmt.Errorf("enter first %s: %w", e.kind, err)
		}
	}
	return nil
}

// put enters or replaces one entry, as the program. A first run that was cut
// short finds its entries there and replaces them.
func (p pages) put(r *web.Request, kindID string, values map[string]any) error {
	for rev := int64(0); rev < 8; rev++ {
		_, err := p.register.Put(r.Context(), actor.Program, kindID, values, rev, r.At)
		if !errors.Is(err, register.ErrConflict) {
			return err
		}
	}
	return register.ErrConflict
}

// invitationHolds is how long an invited person has to set up his login.
const invitationHolds = 72 * time.Hour

type invitedData struct {
	Person, Link string
	Until        time.Time
}

// invite makes a one-time link with which a registered person sets up his login.
// The link is shown once, to who made it; only its digest is kept.
func (p pages) invite(r *web.Request) (web.Answer, error) {
	person, until := r.PathValue("person"), r.At.Add(invitationHolds)
	token, err := p.identity.Invite(r.Context(), r.Actor, person, r.At, until)
	var wrong identity.Fault
	if errors.As(err, &wrong) {
		return web.Answer{}, fmt.Errorf("%w: %w", web.ErrNotFound, err)
	}
	if err != nil {
		return web.Answer{}, err
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return web.Answer{Page: "invited", Title: bilingual.Say("ログインの招待", "Invitation to set up a login"),
		Data: invitedData{person, scheme + r.Host + "/setup?token=" + token, until}}, nil
}
