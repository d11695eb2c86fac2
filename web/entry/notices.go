package entry

import (
	"errors"
	"net/http"
	"net/url"

	"kakusho/bilingual"
	"kakusho/register/notice"
	"kakusho/web"
)

type noticesData struct {
	Notices []notice.Notice
	Next    string
	Moved   bool
}

// unread shows what somebody is to acknowledge before he goes on.
func (p pages) unread(r *web.Request) (web.Answer, error) { return p.showNotices(r, false) }

func (p pages) showNotices(r *web.Request, moved bool) (web.Answer, error) {
	if r.Actor.Nobody() {
		return web.Answer{Redirect: "/login?next=" + url.QueryEscape(r.URL.RequestURI())}, nil
	}
	pending, err := p.notices.Pending(r.Context(), r.Actor, r.At)
	next := r.FormValue("next")
	if err != nil || len(pending) == 0 {
		return web.Answer{Redirect: "/" + trimmed(next)}, err
	}
	a := web.Answer{Page: "notices", Title: bilingual.Say("周知文の確認", "Notices to staff"), Data: noticesData{pending, next, moved}}
	if moved {
		a.Status = http.StatusConflict
	}
	return a, nil
}

// trimmed is a path without its first slash.
func trimmed(path string) string {
	if path != "" && path[0] == '/' {
		return path[1:]
	}
	return path
}

// acknowledge takes the acknowledgement of what the page showed.
func (p pages) acknowledge(r *web.Request) (web.Answer, error) {
	if r.Actor.Nobody() {
		return web.Answer{Redirect: "/login"}, nil
	}
	if err := r.ParseForm(); err != nil {
		return web.Answer{}, web.ErrBadRequest
	}
	err := p.notices.Acknowledge(r.Context(), r.Actor, r.PostForm["digest"], r.At)
	if errors.Is(err, notice.ErrMoved) {
		return p.showNotices(r, true)
	}
	return web.Answer{Redirect: "/" + trimmed(r.PostForm.Get("next"))}, err
}
