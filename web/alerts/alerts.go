// Package alerts serves the inbox of what detection rules found: looked into by a
// deadline, disposed of with what was done.
package alerts

import (
	"embed"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/register"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

// kindID is the register the alerts are in.
const kindID = "alert"

type pages struct {
	register *register.Register
	kind     kind.Kind
}

// Mount adds the pages to the site.
func Mount(site *web.Site, reg *register.Register) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	p := pages{reg, reg.Kinds()[kindID]}
	site.Page(tmpl, "/alerts", p.list)
	site.Page(tmpl, "/alert/{id}", p.one)
	site.Act(tmpl, "/alert/{id}", p.dispose)
	return nil
}

type listData struct {
	State  string
	Counts []stateCount
	Rows   []row
	Pager  web.Pager
	Level  string
	Levels []kind.Choice
}

type stateCount struct {
	Value string
	Label bilingual.Text
	Count int64
	Link  string
}

type row struct {
	ID, Title, Rule         string
	Level                   bilingual.Text
	Mark                    string // how its level is marked
	Count                   int64
	System, Account, Device string
	First, Last             time.Time
	Raised, Deadline        time.Time
	State                   bilingual.Text
	Disposition             bilingual.Text
	Overdue                 bool
	Events                  string // address of the search that shows them
}

func (p pages) list(r *web.Request) (web.Answer, error) {
	v := r.URL.Query()
	d := listData{State: v.Get("state"), Level: v.Get("level")}
	if d.State == "" {
		d.State = "open"
	}
	f, _ := p.kind.Field("level")
	d.Levels = f.Choices
	states, _ := p.kind.Field("state")
	for _, c := range states.Choices {
		page, err := p.register.List(r.Context(), r.Permit, register.Query{Kind: kindID, Equal: map[string]string{"state": c.Value}, Limit: 1})
		if err != nil {
			return web.Answer{}, err
		}
		d.Counts = append(d.Counts, stateCount{c.Value, c.Label, page.Total, "/alerts" + r.With("state", c.Value)})
	}
	q := register.Query{Kind: kindID, Equal: map[string]string{"state": d.State}, Sort: "deadline", Limit: web.PageSize, Offset: r.Offset()}
	if d.State == "closed" {
		q.Sort = "-disposed_at"
	}
	if d.Level != "" {
		q.Equal["level"] = d.Level
	}
	page, err := p.register.List(r.Context(), r.Permit, q)
	if err != nil {
		return web.Answer{}, err
	}
	for _, e := range page.Entries {
		d.Rows = append(d.Rows, p.row(e, r.At))
	}
	d.Pager = r.Pager(int(page.Total))
	return web.Answer{Page: "list", Title: bilingual.Say("警告", "Alerts"), Data: d}, nil
}

func (p pages) row(e register.Entry, at time.Time) row {
	text := func(name string) string { s, _ := e.Values[name].(string); return s }
	when := func(name string) time.Time { t, _ := e.Values[name].(time.Time); return t }
	n, _ := e.Values["count"].(int64)
	x := row{ID: e.Ref.ID(), Title: text("title"), Rule: text("rule"), Level: p.label("level", text("level")), Mark: marks[text("level")], Count: n,
		System: text("system"), Account: text("account"), Device: text("device"), First: when("first_at"), Last: when("last_at"),
		Raised: when("raised_at"), Deadline: when("deadline"), State: p.label("state", text("state")), Disposition: p.label("disposition", text("disposition"))}
	x.Overdue = text("state") != "closed" && !x.Deadline.IsZero() && x.Deadline.Before(at)
	x.Events = search(x)
	return x
}

// marks are the signs of the levels, so that they are not told by colour alone.
var marks = map[string]string{"informational": "・", "low": "▽", "medium": "△", "high": "▲", "critical": "！"}

func (p pages) label(field, value string) bilingual.Text {
	f, _ := p.kind.Field(field)
	for _, c := range f.Choices {
		if c.Value == value {
			return c.Label
		}
	}
	return bilingual.Say(value, value)
}

// search is the address that shows what an alert was raised for.
func search(x row) string {
	var terms []string
	for _, t := range []struct{ field, value string }{{"system", x.System}, {"account", x.Account}, {"device", x.Device}} {
		if t.value != "" {
			terms = append(terms, t.field+`:"`+strings.ReplaceAll(t.value, `"`, "")+`"`)
		}
	}
	const form = "2006-01-02T15:04:05"
	return "/events?" + url.Values{"q": {strings.Join(terms, " ")}, "since": {x.First.In(calendar.Tokyo()).Format(form)},
		"until": {x.Last.Add(2 * time.Second).In(calendar.Tokyo()).Format(form)}}.Encode()
}

type oneData struct {
	row
	Rev          int64
	Fields       []shown
	FirstEvent   string
	LastEvent    string
	Dispositions []kind.Choice
	States       []kind.Choice
	Faults       []kind.Fault
	Typed        map[string]string
	Was          map[string]string // what the form was filled with
	Now          []shown           // what somebody recorded meanwhile, and otherwise than it is typed
	May          bool
	Saved        bool
}

type shown struct {
	Label bilingual.Text
	Value string
}

func (p pages) get(r *web.Request) (register.Entry, error) {
	return p.register.Get(r.Context(), r.Permit, fact.NewRef(kindID, r.PathValue("id")))
}

func (p pages) one(r *web.Request) (web.Answer, error) {
	e, err := p.get(r)
	if err != nil {
		return web.Answer{}, err
	}
	return p.page(r, e, recorded(e), nil), nil
}

// written are the fields that the form asks for.
var written = []string{"state", "disposition", "measures", "incident"}

// recorded is what they hold.
func recorded(e register.Entry) map[string]string {
	out := map[string]string{}
	for _, name := range written {
		text, _ := e.Values[name].(string)
		out[name] = lines(text)
	}
	return out
}

// lines are a text as it is, however a browser ended its lines.
func lines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

func (p pages) page(r *web.Request, e register.Entry, typed map[string]string, faults []kind.Fault) web.Answer {
	d := oneData{row: p.row(e, r.At), Rev: e.Rev, Faults: faults, Typed: typed, Was: recorded(e), May: slices.ContainsFunc(p.kind.Owner, r.Actor.Has), Saved: r.URL.Query().Has("saved")}
	link := func(name string) string {
		if at, _ := e.Values[name].(string); at != "" {
			return "/event/" + at
		}
		return ""
	}
	d.FirstEvent, d.LastEvent = link("first_event"), link("last_event")
	f, _ := p.kind.Field("disposition")
	d.Dispositions = f.Choices
	f, _ = p.kind.Field("state")
	d.States = f.Choices
	for _, name := range []string{"source", "group", "log_source", "assigned_to", "disposed_by", "disposed_at", "note"} {
		if f, ok := p.kind.Field(name); ok && e.Values[name] != nil {
			d.Fields = append(d.Fields, shown{f.Label, f.Format(e.Values[name], r.Lang)})
		}
	}
	status := 0
	if len(faults) > 0 {
		status = 422
	}
	return web.Answer{Page: "one", Title: bilingual.Text{JA: "警告 " + d.ID, EN: "Alert " + d.ID}, Data: d, Status: status}
}

// dispose records what became of an alert. A closed one says what it was and what
// was done; who said so and when is put in by the program.
func (p pages) dispose(r *web.Request) (web.Answer, error) {
	if _, err := r.Read(); err != nil {
		return web.Answer{}, err
	}
	e, err := p.get(r)
	if err != nil {
		return web.Answer{}, err
	}
	typed, was := map[string]string{}, map[string]string{}
	for _, name := range written {
		typed[name], was[name] = lines(strings.TrimSpace(r.PostForm.Get(name))), lines(r.PostForm.Get("was."+name))
	}
	if faults := p.incomplete(typed); len(faults) > 0 {
		return p.page(r, e, typed, faults), nil
	}
	var rev int64
	if _, err := fmt.Sscan(r.PostForm.Get("rev"), &rev); err != nil {
		return web.Answer{}, web.ErrBadRequest
	}
	if e.Rev != rev && !maps.Equal(was, recorded(e)) {
		return p.meanwhile(r, e, typed), nil
	}
	values := map[string]any{}
	for k, v := range e.Values {
		values[k] = v
	}
	for name, v := range typed {
		if values[name] = v; v == "" {
			delete(values, name)
		}
	}
	delete(values, "disposed_by")
	delete(values, "disposed_at")
	if typed["state"] == "closed" {
		values["disposed_by"], values["disposed_at"] = r.Actor.Person, r.At
	}
	// Others may have hit it since: the program counts them, and nobody's words are lost.
	_, err = p.register.Put(r.Context(), r.Actor, kindID, values, e.Rev, r.At)
	var wrong register.Faults
	if errors.As(err, &wrong) {
		return p.page(r, e, typed, wrong), nil
	}
	if errors.Is(err, register.ErrConflict) { // in this very moment
		if e, err = p.get(r); err == nil {
			return p.meanwhile(r, e, typed), nil
		}
	}
	if err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Redirect: "/alert/" + url.PathEscape(e.Ref.ID()) + "?saved"}, nil
}

// meanwhile is the page for who was not the first: what he typed, beside what somebody
// recorded since he opened it.
func (p pages) meanwhile(r *web.Request, e register.Entry, typed map[string]string) web.Answer {
	a := p.page(r, e, typed, nil)
	d := a.Data.(oneData)
	for _, name := range written {
		f, _ := p.kind.Field(name)
		if now := d.Was[name]; now != typed[name] {
			d.Now = append(d.Now, shown{f.Label, f.Format(e.Values[name], r.Lang)})
		}
	}
	a.Data, a.Status = d, http.StatusConflict
	return a
}

func (p pages) incomplete(typed map[string]string) (faults []kind.Fault) {
	need := func(name, ja, en string) {
		if f, _ := p.kind.Field(name); typed[name] == "" {
			faults = append(faults, kind.Fault{Field: name, Label: f.Label, Message: bilingual.Say(ja, en)})
		}
	}
	if typed["state"] != "closed" {
		return nil
	}
	need("disposition", "処理済とするには、処理区分を選ぶこと。", "to close an alert, say what it was.")
	need("measures", "処理済とするには、確認した内容と執った措置を記載すること。", "to close an alert, say what was found and done.")
	return faults
}
