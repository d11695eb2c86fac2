// Package directives serves the pages about rulebooks: which are on hand, how one
// compares with another, and what becomes of answers when a successor is adopted.
package directives

import (
	"embed"
	"errors"
	"net/http"
	"strings"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/control/carry"
	"kakusho/directive"
	"kakusho/directive/library"
	"kakusho/govern"
	"kakusho/kind"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

// Shelf is the rulebooks on hand, as the whole has them.
type Shelf struct {
	Library  func() *library.Library
	InForce  *directive.Directive
	Kinds    kind.Set
	Controls func(*directive.Directive) []control.Control
	Planner  func(from, to *directive.Directive) (*carry.Planner, bool)
	Drafts   bool         // a draft may be adopted: an invented body
	Adopted  func() error // called after another was adopted
}

type pages struct {
	Shelf
	govern *govern.Govern
}

// Mount adds the pages to the site.
func Mount(site *web.Site, shelf Shelf, g *govern.Govern) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	s := pages{shelf, g}
	site.Page(tmpl, "/directives", s.list)
	site.Page(tmpl, "/directives/compare", s.compare)
	site.Act(tmpl, "/directives/compare", s.adopt)
	return nil
}

// book is one line of the list.
type book struct {
	*directive.Directive
	InForce     bool
	Next        bool // it succeeds the one in force
	Obligations int
	Controls    int
}

// State is what the line says of it, and the colour it says it in.
func (b book) State() bilingual.Text {
	switch {
	case b.InForce:
		return bilingual.Say("適用中", "In force here")
	case b.Draft:
		return bilingual.Say("案", "Draft")
	case b.Next:
		return bilingual.Say("後継", "Successor")
	}
	return bilingual.Say("参照", "For reference")
}

type listData struct {
	Books     []book
	Adoptions []adoption
}

type adoption struct {
	govern.Adoption
	Title, Replaced bilingual.Text
}

func (s pages) list(r *web.Request) (web.Answer, error) {
	var d listData
	for _, x := range s.Library().Directives {
		b := book{Directive: x, InForce: x.Source == s.InForce.Source, Next: x.Succeeds == s.InForce.Source, Controls: len(s.Controls(x))}
		for _, c := range x.Clauses {
			if c.Type == clause.Obligation {
				b.Obligations++
			}
		}
		d.Books = append(d.Books, b)
	}
	all, err := s.govern.Adoptions(r.Context(), r.Permit)
	if err != nil {
		return web.Answer{}, err
	}
	for _, a := range all {
		d.Adoptions = append(d.Adoptions, adoption{a, s.title(a.Source), s.title(a.Replaces)})
	}
	return web.Answer{Page: "list", Title: bilingual.Say("規程", "Directives"), Data: d}, nil
}

func (s pages) title(source string) bilingual.Text {
	if d, ok := s.Library().Of(source); ok {
		return d.Title
	}
	return bilingual.Say(source, source)
}

// adopt takes a successor into force, or says what is missing.
func (s pages) adopt(r *web.Request) (web.Answer, error) {
	typed := map[string]string{}
	for _, name := range []string{"document", "reason"} {
		typed[name] = strings.TrimSpace(r.PostForm.Get(name))
	}
	from, to, err := s.asked(r)
	if err != nil {
		return web.Answer{}, err
	}
	planner, ok := s.Planner(from, to)
	if !ok {
		return web.Answer{}, web.ErrNotFound
	}
	err = s.govern.Adopt(r.Context(), r.Actor, govern.Succession{
		Planner: planner, Document: typed["document"], Reason: typed["reason"], Drafts: s.Drafts}, r.At)
	var wrong govern.Faults
	switch {
	case errors.As(err, &wrong):
		if _, err := r.Read(); err != nil {
			return web.Answer{}, err
		}
		a, err := s.show(r, from, to, typed, wrong)
		a.Status = http.StatusUnprocessableEntity
		return a, err
	case err != nil:
		return web.Answer{}, err
	}
	if err := s.Adopted(); err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Redirect: "/directives/compare?old=" + from.Source + "&new=" + to.Source}, nil
}
