package registers

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/register"
	"kakusho/register/draft"
	"kakusho/web"
)

// subjectOf is what a draft is about: an entry, or one that is not there yet.
func subjectOf(k kind.Kind, ref fact.Ref) string {
	if ref == "" {
		return k.ID + "/new"
	}
	return string(ref)
}

// keep keeps a form as a draft instead of sending it.
func (p pages) keep(r *web.Request, k kind.Kind, ref fact.Ref, form string, typed url.Values) (web.Answer, error) {
	if !k.MayRead(r.Actor) && !mayPut(k, r.Actor) {
		return web.Answer{}, fmt.Errorf("draft of %s: %w", k.ID, gate.ErrRefused)
	}
	rev, err := strconv.ParseInt(typed.Get("rev"), 10, 64)
	if err != nil {
		return web.Answer{}, web.ErrBadRequest
	}
	d := draft.Draft{Subject: subjectOf(k, ref), Form: form, Rev: rev, Typed: maps.Clone(typed)}
	for name := range typed {
		if name == "rev" || name == keepField || name == fromDraft || name == askField || strings.HasPrefix(name, takePart) {
			delete(d.Typed, name)
		}
	}
	if err := p.drafts.Keep(r.Context(), r.Actor, d, r.At); err != nil {
		return web.Answer{}, fmt.Errorf("%w: %w", badDraft(err), err)
	}
	return web.Answer{Redirect: openDraft(d)}, nil
}

func badDraft(err error) error {
	if err == nil {
		return nil
	}
	return web.ErrBadRequest
}

// openDraft is the address that goes on with a draft.
func openDraft(d draft.Draft) string {
	at := "/register/" + d.Subject + "?" + url.Values{"draft": {d.Form}}.Encode()
	if d.Form != draft.Entry {
		at += "#course"
	}
	return at
}

// sent drops the draft that a form was filled from, as it has been sent.
func (p pages) sent(ctx context.Context, r *web.Request, subject, form string) error {
	if r.PostForm.Get(fromDraft) == "" {
		return nil
	}
	return p.drafts.Drop(ctx, r.Actor, subject, form, r.At)
}

// drop discards a draft.
func (p pages) drop(r *web.Request) (web.Answer, error) {
	subject := r.PostForm.Get("subject")
	if err := p.drafts.Drop(r.Context(), r.Actor, subject, r.PostForm.Get("form"), r.At); err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Redirect: "/register/" + subject}, nil
}

// opened is the draft that the address asks for, and its form as it was typed.
func (p pages) opened(r *web.Request, k kind.Kind, ref fact.Ref) (draft.Draft, url.Values, bool, error) {
	form := r.URL.Query().Get("draft")
	d, ok, err := p.drafts.Of(r.Context(), r.Permit, subjectOf(k, ref), form)
	if err != nil || !ok {
		return d, nil, false, err
	}
	return d, url.Values(d.Typed), true, nil
}

// draftLine is a draft as the page of its entry tells of it.
type draftLine struct {
	draft.Draft
	Label bilingual.Text
	Link  string
	Open  bool // it is in the form
	Old   bool // the entry changed since
	Kept  time.Time
}

// draftsOf are the reader's drafts about an entry.
func (p pages) draftsOf(r *web.Request, k kind.Kind, e register.Entry) (out []draftLine, err error) {
	all, err := p.drafts.All(r.Context(), r.Permit)
	for _, d := range all {
		if d.Subject != subjectOf(k, e.Ref) {
			continue
		}
		l := draftLine{Draft: d, Label: bilingual.Say("登録内容", "Entry"), Link: openDraft(d), Open: r.URL.Query().Get("draft") == d.Form, Old: d.Rev != e.Rev, Kept: d.At}
		if lead, ok := p.register.Procedures().Of(k.ID); ok && d.Form != draft.Entry {
			s, _ := lead.Step(d.Form)
			l.Label = s.Label
		}
		out = append(out, l)
	}
	return out, err
}
