// Package documents serves the documents and registers that are made from what is
// known: which there are and which of their versions are due, each to look at, to print
// and to take away, and to be registered as a version that somebody else approves.
//
// Whether a version is due is computed when it is looked at: the content as it is now
// is made again and compared with that of the version.
package documents

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/audit"
	"kakusho/calendar"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/posture"
	"kakusho/register"
	"kakusho/report/document"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

type pages struct {
	set      document.Set
	posture  *posture.Posture
	register *register.Register
	audit    *audit.Audit
	gate     *gate.Gate
	then     Then
}

// Mount adds the pages to the site. then opens other times, for comparison.
func Mount(site *web.Site, p *posture.Posture, reg *register.Register, a *audit.Audit, g *gate.Gate, then Then) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	s := pages{document.Default(reg.Kinds()), p, reg, a, g, then}
	site.Page(tmpl, "/documents", s.list)
	site.Page(tmpl, "/document/{id}", s.one)
	site.Page(tmpl, "/document/{id}/{format}", s.download)
	site.Act(tmpl, "/document/{id}", s.prepare)
	return nil
}

// version is a registered version of a document.
type version struct {
	Ref                             fact.Ref
	Title, System, Type, No, Status string
	Digest                          string
	AsOf, KnownAt, Revised, Approve time.Time
	Generated                       bool
}

func versionOf(s *posture.Subject) version {
	d := s.Declared()
	text := func(name string) string { t, _ := d[name].Fact.Value.(string); return t }
	at := func(name string) time.Time { t, _ := d[name].Fact.Value.(time.Time); return t }
	generated, _ := d["generated"].Fact.Value.(bool)
	return version{Ref: s.Ref, Title: text("title"), System: text("system"), Type: text("type"), No: text("version"), Status: text("status"), Digest: text("content_digest"),
		AsOf: at("content_as_of"), KnownAt: at("content_known_at"), Revised: at("revised_on"), Approve: at("approved_on"), Generated: generated}
}

// versions are those of a system's documents, the latest first; the register's order
// decides between two of one day.
func versions(st *posture.Standing, system string) (out []version) {
	for _, s := range st.OfKind("document") {
		if v := versionOf(s); !s.Closed && v.System == system {
			out = append(out, v)
		}
	}
	slices.SortStableFunc(out, func(a, b version) int {
		if c := b.AsOf.Compare(a.AsOf); c != 0 {
			return c
		}
		return b.Revised.Compare(a.Revised)
	})
	return out
}

// stands compares a version with the content now.
func stands(v version, now *document.Content, err error) (State, error) {
	switch {
	case errors.Is(err, document.ErrClosed):
		return Closed, nil
	case err != nil:
		return "", err
	case now.Partial:
		return Closed, nil
	case v.Status == "draft":
		return Draft, nil
	case v.Digest == "" && v.Generated:
		return Follows, nil
	case v.Digest == "":
		return Elsewhere, nil
	case now.Document.Dated():
		return Dated, nil
	case v.Digest != now.Digest:
		return Due, nil
	}
	return Current, nil
}

// content makes a document for a reader, as of the instant that his page shows.
func (p pages) content(r *web.Request, d document.Document, s document.Scope) (*document.Content, *posture.Standing, error) {
	st, err := p.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return nil, nil, err
	}
	c, err := d.Make(st, r.Actor, s)
	switch {
	case errors.Is(err, document.ErrClosed):
		return nil, nil, fmt.Errorf("%w: %w", gate.ErrRefused, err)
	case errors.Is(err, document.ErrScope):
		return nil, nil, web.ErrNotFound
	case err != nil:
		return nil, nil, err
	}
	if !r.Past.AsOf.IsZero() {
		c.Known = r.Past.KnownAt
	} else if d.ID == committee {
		seal, err := p.audit.Seal(r.Context())
		if err != nil {
			return nil, nil, err
		}
		if c.Seal = seal.Code; c.Seal != "" {
			c.Seal += fmt.Sprintf(" (%d)", seal.Size)
		}
	}
	for _, v := range versions(st, s.System) {
		if s.System != "" && v.Type == d.ID && v.Digest == c.Digest && v.Status != "draft" {
			c.Version = v.No
		}
	}
	return c, st, nil
}

// committee is the page that bears the characters of the trail's checkpoint.
const committee = "committee"

// asked is the document of an address and what it is of.
func (p pages) asked(r *web.Request) (document.Document, document.Scope, error) {
	d, ok := p.set.Find(r.PathValue("id"))
	if !ok {
		return d, document.Scope{}, web.ErrNotFound
	}
	q := r.URL.Query()
	return d, document.Scope{System: q.Get("system"), Unit: q.Get("unit")}, nil
}

func (p pages) download(r *web.Request) (web.Answer, error) {
	d, scope, err := p.asked(r)
	if err != nil {
		return web.Answer{}, err
	}
	f := document.Format(r.PathValue("format"))
	if f.Type() == "" {
		return web.Answer{}, web.ErrNotFound
	}
	r.Permit, err = p.gate.Ask(r.Context(), gate.Request{Actor: r.Actor, At: r.At, Action: gate.Export, Object: "document/" + d.ID, Clauses: d.Clauses, Scope: r.Actor.Everywhere(),
		Changes: []gate.Change{{Body: map[string]any{"format": string(f), "system": scope.System, "unit": scope.Unit}}}})
	if err != nil {
		return web.Answer{}, err
	}
	c, _, err := p.content(r, d, scope)
	if err != nil {
		return web.Answer{}, err
	}
	var b bytes.Buffer
	if err := c.Write(&b, f, r.Lang); err != nil {
		return web.Answer{}, err
	}
	name := strings.Join(slices.DeleteFunc([]string{d.ID, scope.System, scope.Unit, c.At.UTC().Format("20060102T150405Z")}, func(s string) bool { return s == "" }), "-")
	return web.Answer{Download: &web.Download{Name: name + "." + string(f), Type: f.Type(), Body: b.Bytes()}}, nil
}

// prepare registers the content as it is now as a version, which waits for approval.
func (p pages) prepare(r *web.Request) (web.Answer, error) {
	d, ok := p.set.Find(r.PathValue("id"))
	scope := document.Scope{System: r.PostForm.Get("system")}
	if !ok || scope.System == "" {
		return web.Answer{}, web.ErrNotFound
	}
	if _, err := r.Read(); err != nil {
		return web.Answer{}, err
	}
	c, st, err := p.content(r, d, scope)
	if err != nil {
		return web.Answer{}, err
	}
	if c.Partial {
		return web.Answer{}, fmt.Errorf("%w: %w", gate.ErrRefused, document.ErrClosed)
	}
	mine := slices.DeleteFunc(versions(st, scope.System), func(v version) bool { return v.Type != d.ID })
	values := map[string]any{
		"document_no": nextNumber(mine, scope.System+"-"+d.ID+"-"), "title": c.Of + " " + d.Title.JA, "system": scope.System, "type": d.ID,
		"version": strings.TrimSpace(r.PostForm.Get("version")), "content_digest": c.Digest, "content_as_of": c.At, "content_known_at": c.At,
		"retained_until": p.retained(st, scope.System, r.At),
	}
	sys, _ := st.Named("system/" + scope.System)
	for to, from := range map[string]string{"owner": "maintainer", "confidentiality": "confidentiality"} {
		if cell, ok := sys.Declared()[from]; ok && cell.Fact.Status == fact.Observed {
			values[to] = cell.Fact.Value
		}
	}
	if i := slices.IndexFunc(mine, func(v version) bool { return v.Status == "current" }); i >= 0 {
		values["replaces"] = mine[i].Ref.ID()
	}
	var wrong register.Faults
	ref, err := p.register.Take(r.Context(), r.Actor, register.Act{Procedure: "document", Step: "prepare", Values: values}, r.At)
	if errors.As(err, &wrong) {
		a, err := p.show(r, d, scope, c, st)
		if err == nil {
			data := a.Data.(oneData)
			data.Faults, data.Version = wrong, r.PostForm.Get("version")
			a.Data, a.Status = data, 422
		}
		return a, err
	}
	if err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Redirect: "/register/" + string(ref) + "?saved"}, nil
}

// nextNumber is the first number of its kind that no version has.
func nextNumber(mine []version, lead string) string {
	for n := len(mine) + 1; ; n++ {
		id := fmt.Sprintf("%s%d", lead, n)
		if !slices.ContainsFunc(mine, func(v version) bool { return v.Ref.ID() == id }) {
			return id
		}
	}
}

// retained is until when what is revised now is to be kept: as long as the value that
// is determined for the system says.
func (p pages) retained(st *posture.Standing, system string, at time.Time) any {
	place := st.Place(fact.NewRef("system", system))
	span, ok := st.Values(directive.Scope{System: system, Prefecture: place.Prefecture})["reg.retention_years"].Value.(time.Duration)
	if !ok {
		return nil
	}
	y, m, d := at.In(calendar.Tokyo()).Add(span).Date()
	return calendar.Day(y, m, d)
}

// may reports whether a reader could make a version, of any system at all; the gate
// decides of which.
func may(who actor.Actor) bool { return who.Has(actor.Maintainer) || who.Has(actor.SystemOfficer) }
