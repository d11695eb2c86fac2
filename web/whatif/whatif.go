// Package whatif serves the page on which a draft is tried over today's evidence:
// what would newly fail and pass, where, why, and what work that makes. The draft
// stands in the address; nothing is kept and nothing changes.
package whatif

import (
	"embed"
	"net/http"
	"slices"
	"strings"

	"kakusho/bilingual"
	"kakusho/directive"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/posture/trial"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

type pages struct {
	posture *posture.Posture
	gate    *gate.Gate
	books   trial.Books
	others  func() []*directive.Directive // that books finds
}

// Mount adds the pages to the site. books finds the other rulebooks that can be
// tried.
func Mount(site *web.Site, p *posture.Posture, g *gate.Gate, books trial.Books, others func() []*directive.Directive) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	s := pages{p, g, books, others}
	site.Page(tmpl, "/what-if", s.page)
	site.Page(nil, "/api/v1/what-if", s.program)
	return nil
}

type data struct {
	Form   form
	Faults []kind.Fault
	Result *result // nil: nothing is tried
}

func (s pages) page(r *web.Request) (web.Answer, error) {
	d, faults := trial.Read(r.URL.Query())
	d = s.plain(d)
	out := data{Form: s.form(r, d)}
	var t *trial.Trial
	if len(faults) == 0 && !d.Empty() {
		var err error
		if t, faults, err = s.run(r, d); err != nil {
			return web.Answer{}, err
		}
	}
	a := web.Answer{Page: "what-if", Title: bilingual.Say("試算", "What if")}
	if t != nil {
		v := newView(r, t)
		if r.URL.Query().Get("format") == "csv" {
			return s.export(r, v)
		}
		out.Result = v.result()
	}
	if out.Faults = faults; len(faults) > 0 {
		a.Status = http.StatusUnprocessableEntity
	}
	a.Data = out
	return a, nil
}

// run tries a draft. Faults are what keeps it from being tried.
func (s pages) run(r *web.Request, d trial.Draft) (*trial.Trial, []kind.Fault, error) {
	t, err := trial.Run(r.Context(), s.posture, r.Permit, d, s.books, r.At)
	if wrong, ok := trial.AsFaults(err); ok {
		return nil, wrong, nil
	}
	return t, nil, err
}

// plain leaves out of a draft the texts that say what the controls say today, as a
// form that was opened and not changed does.
func (s pages) plain(d trial.Draft) trial.Draft {
	d.Texts = slices.DeleteFunc(d.Texts, func(x trial.Text) bool {
		c, ok := s.posture.Control(x.Control)
		same := func(now, text string) bool { return text == "" || strings.TrimSpace(now) == strings.TrimSpace(text) }
		return ok && same(c.Rule, x.Rule) && same(c.Applies, x.Applies) &&
			(!x.Excepted || trial.Exceptions(c.Exceptions) == trial.Exceptions(x.Exceptions))
	})
	return d
}

// part is which of the moves the address asks for.
func part(r *web.Request) trial.Part {
	q := r.URL.Query()
	p := trial.Part{Sort: trial.Sort(q.Get("sort")), By: axis(r), Key: q.Get("in"), Held: q.Has("in")}
	if p.Key == "-" {
		p.Key = ""
	}
	if !slices.Contains(trial.Sorts, p.Sort) {
		p.Sort = ""
	}
	return p
}

// axis is what the address gathers by: prefectures unless it says otherwise.
func axis(r *web.Request) trial.Axis {
	if a := trial.Axis(r.URL.Query().Get("by")); slices.Contains(trial.Axes, a) {
		return a
	}
	return trial.ByPrefecture
}
