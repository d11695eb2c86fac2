package events

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"time"

	"kakusho/audit"
	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/event"
	"kakusho/web"
)

type searchData struct {
	Ask     ask
	Ranges  []span
	Fields  []field
	Rows    []row
	Next    string
	Chart   chart
	Groups  []group
	Facets  []facet
	Down    bool // nothing can be searched just now
	Off     bool // nothing ever can here
	CSV     string
	Live    string
	Save    string
	Streams []audit.Stream
}

// field is one that can be counted by.
type field struct {
	Name  string
	Label bilingual.Text
}

var fields = []field{
	{"class", bilingual.Say("種別", "Class")}, {"result", bilingual.Say("結果", "Result")},
	{"system", bilingual.Say("システム", "System")}, {"account", bilingual.Say("識別コード", "Account")},
	{"device", bilingual.Say("機器", "Device")}, {"source", bilingual.Say("接続元", "Source")},
	{"object", bilingual.Say("対象", "Object")}, {"event", bilingual.Say("事象", "Event")},
	{"feed", bilingual.Say("取得元", "Log source")}, {"level", bilingual.Say("重大さ", "Level")},
}

// group is one line of a count.
type group struct {
	Value string
	Label string
	Count int64
	Share int // of the largest, in percent
	Link  string
}

// facet is the most frequent values of a field.
type facet struct {
	field
	Groups []group
}

// facetFields are counted beside every search: few, and quick to count.
var facetFields = []string{"class", "result", "system"}

func (p pages) search(r *web.Request) (web.Answer, error) {
	a := read(r)
	d := searchData{Ask: a, Ranges: ranges, Fields: fields}
	if len(a.Faults) == 0 {
		err := p.fill(r, &d)
		d.Down, d.Off = audit.Unavailable(err), audit.Off(err)
		if err != nil && !d.Down && !d.Off {
			return web.Answer{}, err
		}
	}
	return web.Answer{Page: "search", Title: bilingual.Say("証跡の検索", "Search events"), Data: d}, nil
}

// fill looks and counts. The rows come first: they are what is asked for.
func (p pages) fill(r *web.Request, d *searchData) error {
	l, err := p.look(r, d.Ask.Text)
	if err != nil {
		return err
	}
	ctx, q := r.Context(), d.Ask.query
	d.Streams = p.events.Streams(l)
	page, err := p.events.Find(ctx, l, q)
	if err != nil {
		return err
	}
	for _, f := range page.Events {
		d.Rows = append(d.Rows, rowOf(r, f))
	}
	if page.Next.Stream != "" {
		d.Next = with(r, map[string]string{"after": place(page.Next)})
	}
	d.CSV = "/events/csv" + with(r, nil)
	d.Live = "/events/live" + with(r, map[string]string{"range": "", "since": "", "until": "", "by": ""})
	if d.Ask.Text != "" {
		d.Save = "/register/saved-search/new" + saved(d.Ask.Text)
	}
	q.After = audit.Hit{}
	if d.Chart, err = p.histogram(r, l, q); err != nil {
		return err
	}
	for _, name := range facetFields {
		f := facet{field: fieldOf(name)}
		if f.Groups, err = p.count(r, l, q, name, 5); err != nil {
			return err
		}
		d.Facets = append(d.Facets, f)
	}
	if by := fieldOf(d.Ask.By); by.Name != "" {
		d.Groups, err = p.count(r, l, q, by.Name, 100)
	}
	return err
}

func fieldOf(name string) field {
	for _, f := range fields {
		if f.Name == name {
			return f
		}
	}
	return field{}
}

// count counts by one field.
func (p pages) count(r *web.Request, l audit.Look, q audit.EventQuery, by string, most int) ([]group, error) {
	found, err := p.events.Count(r.Context(), l, q, audit.Stats{By: []string{by}, Limit: most})
	if err != nil {
		return nil, err
	}
	var out []group
	for _, g := range found {
		v := g.Keys[0]
		x := group{Value: v, Label: labelOf(by, v, r.Lang), Count: g.Count, Share: int(100 * g.Count / max(found[0].Count, 1))}
		if v != "" {
			x.Link = narrowed(r, by, v)
		}
		out = append(out, x)
	}
	return out, nil
}

func labelOf(by, value string, l bilingual.Lang) string {
	switch by {
	case "class":
		return event.Class(value).Label().In(l)
	case "result":
		return event.Result(value).Label().In(l)
	}
	return value
}

// The most that one file holds: events, and bytes.
const (
	exportMost  = 10_000
	exportBytes = 32 << 20
)

// csv writes what was found as a file. That it was taken away is sealed.
func (p pages) csv(r *web.Request) (web.Answer, error) {
	a := read(r)
	if len(a.Faults) > 0 {
		return web.Answer{}, web.ErrBadRequest
	}
	l, err := p.look(r, a.Text)
	if err == nil {
		err = p.events.PermitExport(r.Context(), r.Actor, a.Text, r.At)
	}
	if err != nil {
		return web.Answer{}, err
	}
	var b bytes.Buffer
	b.WriteString("\ufeff") // spreadsheets take it for UTF-8
	w := csv.NewWriter(&b)
	w.Write([]string{"stream", "number", "standing", "arrived", "at", "clock", "feed", "system", "class", "account", "device", "event", "object", "result", "source", "level", "text"}) //nolint:errcheck // into memory
	q, n, more := a.query, 0, true
	for ; more && n < exportMost && b.Len() < exportBytes; w.Flush() {
		q.Limit = min(exportMost-n, 100)
		page, err := p.events.Find(r.Context(), l, q)
		if err != nil {
			return web.Answer{}, err
		}
		for _, f := range page.Events {
			w.Write(cells(f)) //nolint:errcheck // into memory
			n++
		}
		q.After, more = page.Next, page.Next.Stream != ""
	}
	if more { // a file that is cut says so
		w.Write([]string{"…", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", bilingual.Say("上限に達したため、以降は書き出していない。期間又は条件を分けること。", "The limit is reached and what follows is left out. Part the time or the conditions.").In(r.Lang)}) //nolint:errcheck // into memory
	}
	w.Flush()
	name := fmt.Sprintf("events-%s.csv", r.At.In(calendar.Tokyo()).Format("20060102-150405"))
	return web.Answer{Download: &web.Download{Name: name, Type: "text/csv; charset=utf-8", Body: b.Bytes()}}, w.Error()
}

func cells(f audit.Found) []string {
	e := f.Event
	level := ""
	if e.Level > 0 {
		level = fmt.Sprint(int(e.Level) - 1)
	}
	out := []string{f.Stream, fmt.Sprint(f.Seq), string(f.Standing), f.Arrived.In(calendar.Tokyo()).Format(time.RFC3339Nano), e.At.Format(time.RFC3339Nano),
		string(e.Clock), e.Feed, e.System, string(e.Class), e.Account, e.Device, e.Event, e.Object, string(e.Result), e.Source, level, e.Text}
	for i := range out {
		out[i] = web.Cell(out[i])
	}
	return out
}
