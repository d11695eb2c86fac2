// Package events serves the search of what systems said happened, one event with
// its proof, the live tail, and where events come from.
package events

import (
	"embed"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"kakusho/audit"
	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/event"
	"kakusho/kind"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

type pages struct {
	events  *audit.Events
	feeds   Feeds
	keeping Keeping
	tails   chan struct{} // one in it for each who watches
}

// Mount adds the pages to the site.
func Mount(site *web.Site, e *audit.Events, feeds Feeds, keeping Keeping) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	p := pages{e, feeds, keeping, make(chan struct{}, tailsMost)}
	site.Page(tmpl, "/events", p.search)
	site.Page(tmpl, "/events/csv", p.csv)
	site.Page(tmpl, "/events/live", p.live)
	site.Page(tmpl, "/events/stream", p.stream)
	site.Page(tmpl, "/events/sources", p.sources)
	site.Page(tmpl, "/events/retention", p.retention)
	site.Page(tmpl, "/event/{stream}/{seq}", p.one)
	site.Page(tmpl, "/event/{stream}/{seq}/proof", p.proof)
	site.Page(tmpl, "/event/{stream}/{seq}/line", p.line)
	site.Page(tmpl, "/event/{stream}/key", p.key)
	return nil
}

// ask is what the address asks for.
type ask struct {
	Text   string // the search line
	Range  string // one of ranges; empty with From or Until
	From   string // as typed
	Until  string
	By     string // field to count by
	Faults []kind.Fault

	query audit.EventQuery
}

type span struct {
	Name  string
	Back  time.Duration
	Label bilingual.Text
}

// ranges are the times offered, by how far they go back.
var ranges = []span{
	{"1h", time.Hour, bilingual.Say("直近1時間", "Last hour")},
	{"24h", 24 * time.Hour, bilingual.Say("直近24時間", "Last 24 hours")},
	{"7d", 7 * 24 * time.Hour, bilingual.Say("直近7日", "Last 7 days")},
	{"30d", 30 * 24 * time.Hour, bilingual.Say("直近30日", "Last 30 days")},
	{"90d", 90 * 24 * time.Hour, bilingual.Say("直近90日", "Last 90 days")},
}

// moments are the forms in which a time is read, in Japan.
var moments = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"}

func moment(text string, end bool) (time.Time, error) {
	for _, form := range moments {
		if t, err := time.ParseInLocation(form, text, calendar.Tokyo()); err == nil {
			if end && form == "2006-01-02" {
				t = t.AddDate(0, 0, 1) // the day itself is meant
			}
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time", text)
}

// lineLabels are what the parts of the search form are called.
var lineLabels = map[string]bilingual.Text{
	"q": bilingual.Say("検索式", "Search line"), "since": bilingual.Say("始め", "From"), "until": bilingual.Say("終わり", "Until"),
}

func read(r *web.Request) ask {
	v := r.URL.Query()
	a := ask{Text: strings.TrimSpace(v.Get("q")), Range: v.Get("range"), From: v.Get("since"), Until: v.Get("until"), By: v.Get("by")}
	fault := func(field, ja, en string) {
		a.Faults = append(a.Faults, kind.Fault{Field: field, Label: lineLabels[field], Message: bilingual.Say(ja, en)})
	}
	q, err := audit.ParseEvents(a.Text)
	var wrong *audit.QueryFault
	if errors.As(err, &wrong) {
		fault("q", fmt.Sprintf("%d文字目　%s", wrong.At+1, wrong.Text.JA), fmt.Sprintf("letter %d: %s", wrong.At+1, wrong.Text.EN))
	}
	a.query = q
	given := !q.From.IsZero() || !q.Until.IsZero() // time: in the line itself
	if a.From != "" {
		if a.query.From, err = moment(a.From, false); err != nil {
			fault("since", "2026-11-24T09:00 のように入力すること。", "write it as 2026-11-24T09:00.")
		}
	}
	if a.Until != "" {
		if a.query.Until, err = moment(a.Until, true); err != nil {
			fault("until", "2026-11-24T18:00 のように入力すること。", "write it as 2026-11-24T18:00.")
		}
	}
	if a.From == "" && a.Until == "" && !given {
		a.window(r.At)
	} else {
		a.Range = ""
	}
	if end := r.Past.AsOf.Add(1); !r.Past.AsOf.IsZero() && (a.query.Until.IsZero() || a.query.Until.After(end)) {
		a.query.Until = end
	}
	a.query.Limit = web.PageSize
	a.query.After = after(v.Get("after"))
	return a
}

// window is the range of a search without times of its own.
func (a *ask) window(at time.Time) {
	i := slices.IndexFunc(ranges, func(x span) bool { return x.Name == a.Range })
	if i < 0 {
		i = 1
	}
	a.Range = ranges[i].Name
	a.query.From = at.Add(-ranges[i].Back)
}

// after reads where a page begins: stream/number/nanoseconds. Anything else is the
// newest.
func after(text string) (h audit.Hit) {
	part := strings.Split(text, "/")
	if len(part) != 3 {
		return h
	}
	seq, err := strconv.ParseInt(part[1], 10, 64)
	nano, err2 := strconv.ParseInt(part[2], 10, 64)
	if err != nil || err2 != nil {
		return h
	}
	return audit.Hit{Ref: audit.Ref{Stream: part[0], Seq: seq}, Time: time.Unix(0, nano).UTC()}
}

func place(h audit.Hit) string {
	return fmt.Sprintf("%s/%d/%d", h.Stream, h.Seq, h.Time.UnixNano())
}

// row is one event of a list.
type row struct {
	audit.Found
	Class  bilingual.Text
	Result bilingual.Text
	Text   string
	Link   string
	Narrow map[string]string // field → address with that value asked for
}

func rowOf(r *web.Request, f audit.Found) row {
	x := row{Found: f, Class: f.Event.Class.Label(), Result: f.Event.Result.Label(), Text: short(f.Event),
		Link: fmt.Sprintf("/event/%s/%d", url.PathEscape(f.Stream), f.Seq), Narrow: map[string]string{}}
	for _, c := range columns {
		if v := c.of(f.Event); v != "" {
			x.Narrow[c.name] = narrowed(r, c.name, v)
		}
	}
	return x
}

// columns are the fields that a click narrows a search by.
var columns = []struct {
	name string
	of   func(event.Event) string
}{
	{"class", func(e event.Event) string { return string(e.Class) }},
	{"system", func(e event.Event) string { return e.System }},
	{"account", func(e event.Event) string { return e.Account }},
	{"device", func(e event.Event) string { return e.Device }},
	{"object", func(e event.Event) string { return e.Object }},
	{"result", func(e event.Event) string { return string(e.Result) }},
	{"source", func(e event.Event) string { return e.Source }},
	{"feed", func(e event.Event) string { return e.Feed }},
}

// narrowed is the address of this search with one more condition.
func narrowed(r *web.Request, field, value string) string {
	term := field + ":" + quoted(value)
	text := strings.TrimSpace(r.URL.Query().Get("q"))
	if !slices.Contains(strings.Fields(text), term) {
		text = strings.TrimSpace(text + " " + term)
	}
	return "/events" + with(r, map[string]string{"q": text, "by": "", "after": ""})
}

func quoted(v string) string {
	if strings.ContainsFunc(v, func(c rune) bool { return c == ' ' || c == '　' || strings.ContainsRune("\"()*:|「」", c) }) {
		return `"` + strings.ReplaceAll(v, `"`, "") + `"`
	}
	return v
}

// with is the query part of this address with some things changed; empty values
// are taken out.
func with(r *web.Request, changes map[string]string) string {
	q := url.Values{}
	for k, v := range r.URL.Query() {
		if k != "lang" && k != "after" {
			q[k] = v
		}
	}
	for k, v := range changes {
		if q.Set(k, v); v == "" {
			q.Del(k)
		}
	}
	return "?" + q.Encode()
}

// short is what a row says happened.
func short(e event.Event) string {
	text := e.Text
	if text == "" {
		text = e.Event
	}
	if text == "" {
		text = string(e.Raw)
	}
	const most = 220
	if r := []rune(strings.ToValidUTF8(text, "�")); len(r) > most {
		return string(r[:most]) + "…"
	}
	return strings.ToValidUTF8(text, "�")
}

// look asks the gate for the search of this page.
func (p pages) look(r *web.Request, text string) (audit.Look, error) {
	return p.events.Permit(r.Context(), r.Actor, text, r.At)
}

// missing turns an event that is not there into a page of status 404.
func missing(err error) error {
	if audit.NoEvent(err) {
		return fmt.Errorf("%w: %w", web.ErrNotFound, err)
	}
	return err
}

// saved fills the form of a saved search with this one.
func saved(text string) string {
	return "?" + url.Values{"query": {text}, "status": {"in-use"}}.Encode()
}
