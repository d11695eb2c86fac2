// Package login shows somebody how he logs in: the login before this one, his open
// sessions and his passkeys, and who keeps the installation all open sessions; and
// lets him in by a passkey.
package login

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"kakusho/bilingual"
	"kakusho/gate"
	"kakusho/identity"
	"kakusho/identity/passkey"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

type pages struct {
	site     *web.Site
	identity *identity.Identity
	keys     *passkey.Keys
}

// Mount adds the pages to the site.
func Mount(site *web.Site, id *identity.Identity, keys *passkey.Keys) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	p := pages{site, id, keys}
	site.Open(tmpl, "POST /login/passkey/begin", p.beginLogin)
	site.Open(tmpl, "POST /login/passkey", p.login)
	site.Page(tmpl, "/me", func(r *web.Request) (web.Answer, error) { return p.me(r, nil) })
	site.Act(tmpl, "/me/passkeys/begin", p.begin)
	site.Act(tmpl, "/me/passkeys", p.add)
	site.Act(tmpl, "/me/passkeys/{id}/end", p.end)
	site.Page(tmpl, "/sessions", func(r *web.Request) (web.Answer, error) { return p.sessions(r, nil) })
	site.Act(tmpl, "/me/sessions/{id}/end", func(r *web.Request) (web.Answer, error) { return p.endSession(r, "/me", p.me) })
	site.Act(tmpl, "/sessions/{id}/end", func(r *web.Request) (web.Answer, error) { return p.endSession(r, "/sessions", p.sessions) })
	return nil
}

type meData struct {
	Now    *identity.Session // the one this is read by; nil: another program's
	Open   []identity.Session
	Keys   []passkey.Key
	Usable bool   // the browser makes passkeys here
	Host   string // for which
	Keeps  bool
	Max    int
	Faults []identity.Fault
}

func (p pages) me(r *web.Request, faults []identity.Fault) (web.Answer, error) {
	site := passkey.At(r.Base())
	d := meData{Usable: site.Usable(), Host: site.Host, Keeps: identity.Keeps(r.Actor), Max: passkey.MaxName, Faults: faults}
	var err error
	if d.Open, err = p.identity.Sessions(r.Context(), r.Permit, false); err != nil {
		return web.Answer{}, err
	}
	for i := range d.Open {
		if d.Open[i].Own {
			d.Now = &d.Open[i]
		}
	}
	if d.Keys, err = p.keys.Of(r.Context(), r.Permit); err != nil {
		return web.Answer{}, err
	}
	return answer("me", bilingual.Say("自分のログイン", "My login"), d, faults), nil
}

type sessionsData struct {
	Open   []identity.Session
	Faults []identity.Fault
}

// sessions lists those of everybody.
func (p pages) sessions(r *web.Request, faults []identity.Fault) (web.Answer, error) {
	open, err := p.identity.Sessions(r.Context(), r.Permit, true)
	if err != nil {
		return web.Answer{}, err
	}
	return answer("sessions", bilingual.Say("接続中の利用者", "Open sessions"), sessionsData{open, faults}, faults), nil
}

func answer(page string, title bilingual.Text, data any, faults []identity.Fault) web.Answer {
	a := web.Answer{Page: page, Title: title, Data: data}
	if len(faults) > 0 {
		a.Status = http.StatusUnprocessableEntity
	}
	return a
}

func (p pages) endSession(r *web.Request, back string, again func(*web.Request, []identity.Fault) (web.Answer, error)) (web.Answer, error) {
	return p.done(r, p.identity.EndSession(r.Context(), r.Actor, r.PathValue("id"), r.At), back, again)
}

func (p pages) end(r *web.Request) (web.Answer, error) {
	return p.done(r, p.keys.End(r.Context(), r.Actor, r.PathValue("id"), r.At), "/me#passkeys", p.me)
}

// done goes back, or shows the page again with what is wrong.
func (p pages) done(r *web.Request, err error, back string, again func(*web.Request, []identity.Fault) (web.Answer, error)) (web.Answer, error) {
	var f identity.Fault
	if !errors.As(err, &f) {
		return web.Answer{Redirect: back}, err
	}
	if _, err := r.Read(); err != nil {
		return web.Answer{}, err
	}
	return again(r, []identity.Fault{f})
}

// maxBody bounds what a browser sends of a passkey, in bytes.
const maxBody = 64 << 10

// said is what the script sends.
type said struct {
	Ticket   string          `json:"ticket"`
	Name     string          `json:"name"`
	Response json.RawMessage `json:"response"`
	Next     string          `json:"next"`
}

func read(r *web.Request) (s said, err error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errors.New("too long")
	}
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	if err != nil {
		return s, fmt.Errorf("%w: %w", web.ErrBadRequest, err)
	}
	return s, nil
}

// told is the answer to the script: where to go, or what is wrong.
type told struct {
	Next  string `json:"next,omitempty"`
	Error string `json:"error,omitempty"`
}

func (p pages) json(r *web.Request, v any, err error) (web.Answer, error) {
	var f identity.Fault
	switch {
	case errors.As(err, &f):
		return web.Answer{JSON: told{Error: f.Text.In(r.Lang)}, Status: http.StatusUnprocessableEntity}, nil
	case errors.Is(err, identity.ErrLogin):
		text := bilingual.Say("ログインできない。このパスキーが登録されていないか、失敗が続いたため一時的に停止されている。この失敗は記録された。", "Could not log in: the passkey is not known here, or logging in is paused after repeated failures. This attempt was recorded.")
		return web.Answer{JSON: told{Error: text.In(r.Lang)}, Status: http.StatusUnauthorized}, nil
	case errors.Is(err, gate.ErrRefused):
		return web.Answer{JSON: told{Error: bilingual.Say("権限がない。", "Not permitted.").In(r.Lang)}, Status: http.StatusForbidden}, nil
	}
	return web.Answer{JSON: v}, err
}

func (p pages) beginLogin(r *web.Request) (web.Answer, error) {
	o, err := p.keys.BeginLogin(passkey.At(r.Base()), r.At)
	return p.json(r, o, err)
}

func (p pages) login(r *web.Request) (web.Answer, error) {
	s, err := read(r)
	if err != nil {
		return web.Answer{}, err
	}
	token, err := p.keys.Login(r.Context(), s.Ticket, s.Response, passkey.At(r.Base()), web.Addr(r.Request), r.At)
	if err != nil {
		return p.json(r, nil, err)
	}
	next := s.Next
	if next == "" {
		next = "/"
	}
	return web.Answer{JSON: told{Next: web.Local(next)}, Cookie: p.site.SessionCookie(token)}, nil
}

func (p pages) begin(r *web.Request) (web.Answer, error) {
	o, err := p.keys.Begin(r.Context(), r.Actor, passkey.At(r.Base()), r.At)
	return p.json(r, o, err)
}

func (p pages) add(r *web.Request) (web.Answer, error) {
	s, err := read(r)
	if err != nil {
		return web.Answer{}, err
	}
	err = p.keys.Add(r.Context(), r.Actor, s.Ticket, s.Name, s.Response, passkey.At(r.Base()), r.At)
	return p.json(r, told{Next: "/me#passkeys"}, err)
}
