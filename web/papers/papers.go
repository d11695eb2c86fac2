// Package papers serves how everything stands as a report to keep or to hand in: in
// the forms that package report writes, at any instant.
package papers

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"slices"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/gate"
	"kakusho/posture"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

// Write writes a standing in one of the forms.
type Write func(w io.Writer, p *posture.Posture, st *posture.Standing, form string, l bilingual.Lang) error

type pages struct {
	posture *posture.Posture
	gate    *gate.Gate
	write   Write
}

// form is a way to write a report.
type form struct {
	Name, Ending, Type string
	Label              bilingual.Text
}

var forms = []form{
	{"html", "html", "text/html; charset=utf-8", bilingual.Say("印刷用（HTML）", "To print (HTML)")},
	{"json", "json", "application/json", bilingual.Say("プログラム用（JSON）", "For programs (JSON)")},
	{"oscal", "json", "application/json", bilingual.Say("他の製品用（OSCAL）", "For other tools (OSCAL)")},
}

// Mount adds the pages to the site.
func Mount(site *web.Site, p *posture.Posture, g *gate.Gate, write Write) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	s := pages{p, g, write}
	site.Page(tmpl, "/report", s.choose)
	site.Page(tmpl, "/report/{form}", s.download)
	return nil
}

func (s pages) choose(r *web.Request) (web.Answer, error) {
	st, err := s.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	d := struct {
		Forms []form
		Tally posture.Tally
		Title bilingual.Text
	}{forms, st.Clause(clause.ID(s.posture.Directive().Source), "*"), s.posture.Directive().Title}
	return web.Answer{Page: "choose", Title: bilingual.Say("報告書", "Report"), Data: d}, nil
}

func (s pages) download(r *web.Request) (web.Answer, error) {
	i := slices.IndexFunc(forms, func(f form) bool { return f.Name == r.PathValue("form") })
	if i < 0 {
		return web.Answer{}, web.ErrNotFound
	}
	p, err := s.gate.Ask(r.Context(), gate.Request{Actor: r.Actor, At: r.At, Action: gate.Export, Object: "report", Scope: r.Actor.Everywhere(),
		Changes: []gate.Change{{Body: map[string]any{"format": forms[i].Name}}}})
	if err != nil {
		return web.Answer{}, err
	}
	st, err := s.posture.Now(r.Context(), p, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	var b bytes.Buffer
	if err := s.write(&b, s.posture, st, forms[i].Name, r.Lang); err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Download: &web.Download{Name: fmt.Sprintf("report-%s-%s.%s", forms[i].Name, st.At.UTC().Format("20060102T150405Z"), forms[i].Ending), Type: forms[i].Type, Body: b.Bytes()}}, nil
}
