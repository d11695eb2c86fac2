// Package audits serves audits and self-inspections: their list, of each the sample and
// the work papers, filled in from the evidence; findings and how old they are; and what
// somebody says is in order while the facts say no.
package audits

import (
	"embed"
	"encoding/csv"
	"slices"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/register"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

// The registers these pages show.
const (
	auditKind   = "audit"
	paperKind   = "audit-paper"
	findingKind = "finding"
)

type pages struct {
	register *register.Register
	posture  *posture.Posture
	gate     *gate.Gate
}

// Mount adds the pages to the site.
func Mount(site *web.Site, reg *register.Register, p *posture.Posture, g *gate.Gate) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	x := pages{reg, p, g}
	site.Page(tmpl, "/audits", x.list)
	site.Page(tmpl, "/audit/{id...}", x.one)
	site.Act(tmpl, "/audit/{id...}", x.act)
	site.Page(tmpl, "/findings", x.findings)
	site.Page(tmpl, "/contradictions", x.contradictions)
	return nil
}

// values reads an entry's values by type.
type values map[string]any

func (v values) text(name string) string    { s, _ := v[name].(string); return s }
func (v values) time(name string) time.Time { t, _ := v[name].(time.Time); return t }
func (v values) int(name string) int        { n, _ := v[name].(int64); return int(n) }
func (v values) texts(name string) (out []string) {
	list, _ := v[name].([]any)
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

type listData struct {
	States []option
	State  string
	Type   string
	Types  []kind.Choice
	Rows   []auditRow
	Pager  web.Pager
	May    bool
}

type option struct {
	Value string
	Label bilingual.Text
	Count int64
	Link  string
}

type auditRow struct {
	ID, Title, System, Unit string
	Type, State             bilingual.Text
	From, Until             time.Time
	Sample                  int
	Open, Late              int // findings
	Overdue                 bool
}

func (p pages) list(r *web.Request) (web.Answer, error) {
	v := r.URL.Query()
	k := p.register.Kinds()[auditKind]
	d := listData{State: v.Get("state"), Type: v.Get("type"), May: begins(p.register, auditKind, r.Actor)}
	types, _ := k.Field("type")
	d.Types = types.Choices
	equal := map[string]string{}
	if d.Type != "" {
		equal["type"] = d.Type
	}
	states, _ := k.Field("status")
	for _, c := range append([]kind.Choice{{Label: bilingual.Say("全て", "All")}}, states.Choices...) {
		q := register.Query{Kind: auditKind, Equal: map[string]string{}, Limit: 1}
		for name, value := range equal {
			q.Equal[name] = value
		}
		if c.Value != "" {
			q.Equal["status"] = c.Value
		}
		page, err := p.register.List(r.Context(), r.Permit, q)
		if err != nil {
			return web.Answer{}, err
		}
		d.States = append(d.States, option{c.Value, c.Label, page.Total, "/audits" + r.With("state", c.Value)})
	}
	if d.State != "" {
		equal["status"] = d.State
	}
	page, err := p.register.List(r.Context(), r.Permit, register.Query{Kind: auditKind, Equal: equal, Sort: "-planned_until", Limit: web.PageSize, Offset: r.Offset()})
	if err != nil {
		return web.Answer{}, err
	}
	for _, e := range page.Entries {
		row, err := p.auditRow(r, e)
		if err != nil {
			return web.Answer{}, err
		}
		d.Rows = append(d.Rows, row)
	}
	d.Pager = r.Pager(int(page.Total))
	return web.Answer{Page: "list", Title: bilingual.Say("監査・自己点検", "Audits"), Data: d}, nil
}

func (p pages) auditRow(r *web.Request, e register.Entry) (auditRow, error) {
	v := values(e.Values)
	x := auditRow{ID: e.Ref.ID(), Title: e.Name, System: v.text("system"), Unit: v.text("unit"), From: v.time("planned_from"), Until: v.time("planned_until"),
		Type: p.register.Kinds().Choice(auditKind, "type", v.text("type")), State: p.register.Kinds().Choice(auditKind, "status", v.text("status")), Sample: len(v.texts("sample"))}
	x.Overdue = slices.Contains([]string{"planned", "fieldwork"}, v.text("status")) && days(x.Until, r.At) > 0
	found, err := p.register.All(r.Context(), r.Permit, register.Query{Kind: findingKind, Equal: map[string]string{"audit": x.ID}})
	for _, f := range found {
		if age := p.age(f, r.At); !age.Ended {
			x.Open++
			if age.Late > 0 {
				x.Late++
			}
		}
	}
	return x, err
}

// begins reports whether a reader has a duty that begins entries of a kind.
func begins(reg *register.Register, kindID string, a actor.Actor) bool {
	lead, _ := reg.Procedures().Of(kindID)
	for _, s := range lead.Steps {
		if len(s.From) == 0 && slices.ContainsFunc(s.Who, a.Has) {
			return true
		}
	}
	return false
}

// days is how many midnights of Japan lie between two instants.
func days(from, to time.Time) int {
	if from.IsZero() {
		return 0
	}
	day := func(t time.Time) time.Time {
		t = t.In(calendar.Tokyo())
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	}
	return int(day(to).Sub(day(from)) / (24 * time.Hour))
}

// spreadsheet is rows for a spreadsheet; that they left is in the trail.
func (p pages) spreadsheet(r *web.Request, name string, rows [][]string) (web.Answer, error) {
	_, err := p.gate.Ask(r.Context(), gate.Request{Actor: r.Actor, At: r.At, Action: gate.Export, Object: name, Scope: r.Actor.Everywhere(),
		Changes: []gate.Change{{Body: map[string]any{"what": r.URL.RequestURI(), "rows": len(rows) - 1}}}})
	if err != nil {
		return web.Answer{}, err
	}
	var b strings.Builder
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	for _, row := range rows {
		for i := range row {
			row[i] = web.Cell(row[i])
		}
		_ = w.Write(row) // a strings.Builder takes everything
	}
	w.Flush()
	return web.Answer{Download: &web.Download{Name: name + "-" + r.At.Format("20060102-150405") + ".csv", Type: "text/csv; charset=utf-8", Body: []byte(b.String())}}, nil
}

// get is one audit.
func (p pages) get(r *web.Request) (register.Entry, error) {
	return p.register.Get(r.Context(), r.Permit, fact.NewRef(auditKind, r.PathValue("id")))
}
