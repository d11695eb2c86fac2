// Package record serves the trail's search, one entry with its proof, and the
// page about this installation.
package record

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"kakusho/actor"
	"kakusho/audit"
	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

// About is what the page about this installation says of it.
type About struct {
	Version string
	Folder  string
	Own     string // its system's key
	OwnHost string // its computer's key
	Started time.Time
	Demo    bool
}

type pages struct {
	audit   *audit.Audit
	posture *posture.Posture
	gate    *gate.Gate
	about   About
	collect func(context.Context) error
	busy    *sync.Mutex // held while it does
}

// Mount adds the pages to the site. collect observes the own machine once.
func Mount(site *web.Site, a *audit.Audit, p *posture.Posture, g *gate.Gate, about About, collect func(context.Context) error) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	s := pages{a, p, g, about, collect, new(sync.Mutex)}
	site.Page(tmpl, "/trail", s.search)
	site.Page(tmpl, "/trail/key", s.key)
	site.Page(tmpl, "/trail/checkpoint", s.checkpoint)
	site.Page(tmpl, "/trail/{seq}", s.entry)
	site.Page(tmpl, "/trail/{seq}/proof", s.proof)
	site.Page(tmpl, "/about", s.aboutPage)
	site.Act(tmpl, "/about/collect", s.collectNow)
	return nil
}

type searchData struct {
	Query   audit.Query
	From    string
	Until   string
	Faults  []kind.Fault
	Hits    audit.Hits
	Entries []entryLine
	Next    string
	Kinds   []string
}

type entryLine struct {
	Seq                                 int64
	At                                  time.Time
	Kind, Actor, Post, Object, Body, ID string
	Link                                string
}

var dayField = kind.Field{Name: "day", Type: kind.Date, Label: bilingual.Say("日付", "Date")}

func day(text string) (time.Time, error) {
	v, err := dayField.Parse(text)
	t, _ := v.(time.Time)
	return t, err
}

func (s pages) search(r *web.Request) (web.Answer, error) {
	v := r.URL.Query()
	q := audit.Query{Kind: v.Get("kind"), Actor: v.Get("actor"), Object: v.Get("object"), Words: v.Get("q"), Limit: web.PageSize}
	q.Before, _ = strconv.ParseInt(v.Get("before"), 10, 64) // anything else: from the newest
	d := searchData{From: v.Get("from_day"), Until: v.Get("until_day"), Kinds: kindsOfEntry}
	var err error
	if q.From, err = day(d.From); err != nil {
		d.Faults = append(d.Faults, kind.AsFault(dayField, err))
	}
	if q.Until, err = day(d.Until); err != nil {
		d.Faults = append(d.Faults, kind.AsFault(dayField, err))
	} else if !q.Until.IsZero() {
		q.Until = q.Until.AddDate(0, 0, 1) // the day itself is meant
	}
	d.Query = q
	if len(d.Faults) == 0 {
		p, err := s.audit.Permit(r.Context(), r.Actor, q, r.At)
		if err != nil {
			return web.Answer{}, err
		}
		if d.Hits, err = s.audit.Search(r.Context(), p, q); err != nil {
			return web.Answer{}, err
		}
		for _, e := range d.Hits.Entries {
			d.Entries = append(d.Entries, entryLine{Seq: e.Seq, At: e.At, Kind: e.Kind, Actor: e.Actor, Post: e.Post, Object: e.Object, ID: e.ID,
				Body: short(string(e.Body)), Link: objectLink(e.Object)})
		}
		if d.Hits.Next > 0 {
			d.Next = r.With("before", strconv.FormatInt(d.Hits.Next, 10))
		}
	}
	return web.Answer{Page: "search", Title: bilingual.Say("証跡の検索", "Search the trail"), Data: d}, nil
}

// kindsOfEntry are the beginnings that a search offers.
var kindsOfEntry = []string{"fact", "register", "decision", "parameter", "identity", "gate", "read", "export", "system"}

func short(s string) string {
	const most = 160
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

func objectLink(object string) string {
	head, rest, ok := strings.Cut(object, "/")
	switch {
	case !ok:
		return ""
	case head == "parameter":
		return "/parameter/" + rest
	case head == "page" || head == "trail":
		return ""
	}
	return "/subject/" + object
}

type entryData struct {
	entryLine
	Arrived  time.Time
	Control  string
	Clauses  []clause.ID
	Pretty   string
	Previous string
	Next     string
}

func (s pages) entry(r *web.Request) (web.Answer, error) {
	seq, p, err := s.permitFor(r)
	if err != nil {
		return web.Answer{}, err
	}
	e, err := s.audit.Entry(p, seq)
	if err != nil {
		return web.Answer{}, fmt.Errorf("%w: %w", web.ErrNotFound, err)
	}
	d := entryData{Arrived: e.Arrived, Control: e.Control, Clauses: e.Clauses, entryLine: entryLine{Seq: e.Seq, At: e.At, Kind: e.Kind,
		Actor: e.Actor, Post: e.Post, Object: e.Object, ID: e.ID, Link: objectLink(e.Object)}}
	var body any
	if json.Unmarshal(e.Body, &body) == nil {
		if b, err := json.MarshalIndent(body, "", "  "); err == nil {
			d.Pretty = string(b)
		}
	}
	if seq > 0 {
		d.Previous = fmt.Sprintf("/trail/%d", seq-1)
	}
	d.Next = fmt.Sprintf("/trail/%d", seq+1)
	return web.Answer{Page: "entry", Title: bilingual.Text{JA: fmt.Sprintf("証跡 第%d号", seq), EN: fmt.Sprintf("Trail entry %d", seq)}, Data: d}, nil
}

func (s pages) permitFor(r *web.Request) (int64, gate.Permit, error) {
	seq, err := strconv.ParseInt(r.PathValue("seq"), 10, 64)
	if err != nil || seq < 0 {
		return 0, gate.Permit{}, web.ErrNotFound
	}
	p, err := s.audit.Permit(r.Context(), r.Actor, audit.Query{Words: "#" + r.PathValue("seq")}, r.At)
	return seq, p, err
}

func (s pages) proof(r *web.Request) (web.Answer, error) {
	seq, p, err := s.permitFor(r)
	if err != nil {
		return web.Answer{}, err
	}
	b, err := s.audit.Proof(r.Context(), p, seq)
	if err != nil {
		return web.Answer{}, fmt.Errorf("%w: %w", web.ErrNotFound, err)
	}
	return web.Answer{Download: &web.Download{Name: fmt.Sprintf("entry-%d.tlog-proof", seq), Type: "text/plain; charset=utf-8", Body: b}}, nil
}

func (s pages) key(*web.Request) (web.Answer, error) {
	return web.Answer{Download: &web.Download{Name: "trail.pub", Type: "text/plain; charset=utf-8", Body: []byte(s.audit.PublicKey() + "\n")}}, nil
}

// checkpoint hands out the signed checkpoint as a file, to be kept elsewhere.
func (s pages) checkpoint(r *web.Request) (web.Answer, error) {
	seal, err := s.audit.Seal(r.Context())
	if err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Download: &web.Download{Name: fmt.Sprintf("trail-%d.checkpoint", seal.Size), Type: "text/plain; charset=utf-8", Body: []byte(seal.Text)}}, nil
}

type aboutData struct {
	About
	Key        string
	Seal       audit.Seal
	QR         template.HTML
	Standing   posture.Tally
	Clauses    []aboutClause
	Directive  bilingual.Text
	Controls   int
	Kinds      int
	Parameters int
	May        bool
}

type aboutClause struct {
	ID    clause.ID
	Label bilingual.Text
	Title bilingual.Text
	Tally posture.Tally
}

// aboutPage shows how this installation itself stands against the directive.
func (s pages) aboutPage(r *web.Request) (web.Answer, error) {
	st, err := s.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	seal, err := s.audit.Seal(r.Context())
	if err != nil {
		return web.Answer{}, err
	}
	dir := s.posture.Directive()
	d := aboutData{Seal: seal, QR: template.HTML(seal.QR), // drawn by us, its title escaped
		About: s.about, Key: s.audit.PublicKey(), Directive: dir.Title, Controls: len(s.posture.Controls()), Kinds: len(s.posture.Kinds()),
		Parameters: len(dir.Parameters), Standing: st.Clause(clause.ID(dir.Source), s.about.Own),
		May: slices.ContainsFunc([]actor.Duty{actor.Maintainer, actor.Operator}, r.Actor.Has)}
	for _, c := range dir.Clauses {
		if t := st.Clause(c.ID, s.about.Own); c.Type == clause.Obligation && t.Total() > 0 {
			d.Clauses = append(d.Clauses, aboutClause{c.ID, c.Label, c.Title, t})
		}
	}
	return web.Answer{Page: "about", Title: bilingual.Say("本システム", "About this installation"), Data: d}, nil
}

func (s pages) collectNow(r *web.Request) (web.Answer, error) {
	_, err := s.gate.Ask(r.Context(), gate.Request{
		Actor: r.Actor, At: r.At, Action: gate.Collect, Object: "computer/" + s.about.OwnHost, Scope: []string{"system/" + s.about.Own},
	})
	if err != nil {
		return web.Answer{}, err
	}
	if !s.busy.TryLock() { // pressed again: the one that runs sees the same
		return web.Answer{Redirect: "/about"}, nil
	}
	defer s.busy.Unlock()
	if err := s.collect(r.Context()); err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Redirect: "/subject/computer/" + s.about.OwnHost}, nil
}
