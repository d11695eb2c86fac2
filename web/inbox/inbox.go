// Package inbox serves the inbox of the posts that the reader holds, as a page, as a
// file and to programs.
package inbox

import (
	"context"
	"embed"
	"encoding/csv"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/width"

	"kakusho/bilingual"
	"kakusho/gate"
	"kakusho/identity"
	"kakusho/identity/notice"
	"kakusho/posture"
	"kakusho/web"
	"kakusho/web/inbox/due"
)

//go:embed *.html
var files embed.FS

type pages struct {
	due.Sources
	gate     *gate.Gate
	identity *identity.Identity
	notices  *notice.Keeper
	log      *slog.Logger
	count    *counter
	trial    func(ctx context.Context, person string) ([]notice.Trial, error)
}

// Mount adds the pages to the site, and the count to its frame. changed grows when
// something is decided or entered; trial hands a person a notice to see whether it can be.
func Mount(site *web.Site, s due.Sources, g *gate.Gate, id *identity.Identity, n *notice.Keeper, log *slog.Logger, changed func() int64, trial func(ctx context.Context, person string) ([]notice.Trial, error)) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	p := pages{s, g, id, n, log, &counter{changed: changed, kept: map[string]kept{}}, trial}
	site.Page(tmpl, "/inbox", p.list)
	site.Page(nil, "/api/v1/inbox", p.program)
	site.Act(tmpl, "/inbox/feed", p.subscribe)
	site.Act(tmpl, "/inbox/feed/end", p.unsubscribe)
	site.Page(tmpl, "/notices", p.settings)
	site.Act(tmpl, "/notices", p.set)
	site.Act(tmpl, "/notices/try", p.try)
	site.Open(nil, "GET /feed/{token}/inbox.ics", p.feed)
	site.Waits(func(r *web.Request) (web.Waiting, error) { return p.count.of(r, p.Sources) })
	return nil
}

// The boxes that an address can ask for.
const (
	boxDecide = "decide"
	boxDo     = "do"
	boxLate   = "late"
)

// filter selects items, as the address says. Empty fields select all.
type filter struct {
	Box, Words, System string
	Sort               due.Sort
	Within             int // days; 0: any
	By                 string
}

func filterOf(r *web.Request) filter {
	q := r.URL.Query()
	f := filter{Box: q.Get("box"), Words: strings.TrimSpace(q.Get("q")), System: q.Get("system"), Sort: due.Sort(q.Get("what")), By: q.Get("sort")}
	f.Within, _ = strconv.Atoi(q.Get("within"))
	return f
}

// in reports whether an item is in the box that is asked for; a late one is in that of
// the late ones alone.
func (f filter) in(i due.Item, at time.Time) bool {
	switch late := i.Late(at); f.Box {
	case boxLate:
		return late
	case boxDecide:
		return !late && i.Decide
	case boxDo:
		return !late && !i.Decide
	}
	return true
}

func (f filter) takes(i due.Item, at time.Time) bool {
	if f.Sort != "" && i.Sort != f.Sort || f.System != "" && i.System != f.System || f.Within > 0 && (i.Due.IsZero() || i.Due.After(at.AddDate(0, 0, f.Within))) {
		return false
	}
	hay := plain(strings.Join([]string{i.What.JA, i.What.EN, i.Name, i.Subject, string(i.Clause), i.Control}, " "))
	return !slices.ContainsFunc(strings.Fields(plain(f.Words)), func(w string) bool { return !strings.Contains(hay, w) })
}

// plain makes letters of either width and case the same.
func plain(s string) string { return strings.ToLower(width.Fold.String(s)) }

// orders are the columns by which a list can be sorted; by their date otherwise.
var orders = map[string]func(a, b due.Item) int{
	"what":    func(a, b due.Item) int { return strings.Compare(a.What.JA, b.What.JA) },
	"subject": func(a, b due.Item) int { return strings.Compare(a.Subject, b.Subject) },
	"clause":  func(a, b due.Item) int { return strings.Compare(string(a.Clause), string(b.Clause)) },
	"since":   func(a, b due.Item) int { return a.Since.Compare(b.Since) },
}

// read is what an address asks for: all that its filters take, and those of them in
// its box.
func (p pages) read(r *web.Request) (f filter, all, in []due.Item, err error) {
	changed := p.count.changed()
	box, err := p.Of(r.Context(), r.Permit, r.At)
	if err != nil {
		return f, nil, nil, err
	}
	p.count.keep(keyOf(r), changed, box) // the frame says what the page does
	f = filterOf(r)
	for _, i := range box.Items {
		if !f.takes(i, r.At) {
			continue
		}
		all = append(all, i)
		if f.in(i, r.At) {
			in = append(in, i)
		}
	}
	name, down := strings.CutPrefix(f.By, "-")
	if order, ok := orders[name]; ok {
		slices.SortStableFunc(in, order)
	}
	if down {
		slices.Reverse(in)
	}
	return f, all, in, nil
}

type listData struct {
	Filter  filter
	Tabs    []tab
	Columns []column
	Rows    []row
	Pager   web.Pager
	Sorts   []option
	Systems []*posture.Subject
	Within  []int
	CSV     string
	Any     bool      // something is filtered
	Feed    time.Time // since when there is one
}

type tab struct {
	Label   bilingual.Text
	Count   int
	Link    string
	Current bool
	Late    bool
}

type column struct {
	Label  bilingual.Text
	Link   string
	Sorted string
}

type option struct {
	Value due.Sort
	Label bilingual.Text
}

type row struct {
	due.Item
	Late   bool
	Clause string
}

func (p pages) list(r *web.Request) (web.Answer, error) {
	f, all, in, err := p.read(r)
	if err != nil {
		return web.Answer{}, err
	}
	if r.URL.Query().Get("format") == "csv" {
		return p.export(r, in)
	}
	st, err := p.Posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	d := listData{Filter: f, Pager: r.Pager(len(in)), Within: []int{1, 7, 14, 30}, CSV: r.With("format", "csv"), Systems: st.Systems(),
		Any: f.Words != "" || f.Sort != "" || f.System != "" || f.Within != 0}
	for _, t := range []struct {
		box    string
		ja, en string
	}{{"", "全て", "All"}, {boxDecide, "決定を待つもの", "To decide"}, {boxDo, "行うもの", "To do"}, {boxLate, "期限超過", "Overdue"}} {
		x := tab{Label: bilingual.Say(t.ja, t.en), Link: "/inbox" + r.With("box", t.box), Current: f.Box == t.box, Late: t.box == boxLate}
		for _, i := range all {
			if (filter{Box: t.box}).in(i, r.At) {
				x.Count++
			}
		}
		d.Tabs = append(d.Tabs, x)
	}
	for _, c := range []struct{ name, ja, en string }{{"", "期限", "Due"}, {"what", "行うこと", "What"}, {"subject", "対象", "Subject"}, {"clause", "項", "Clause"}, {"since", "いつから", "Since"}} {
		x := column{Label: bilingual.Say(c.ja, c.en), Link: r.With("sort", c.name)}
		switch f.By {
		case c.name:
			x.Sorted, x.Link = "ascending", r.With("sort", "-"+c.name)
		case "-" + c.name:
			x.Sorted, x.Link = "descending", r.With("sort", c.name)
		}
		d.Columns = append(d.Columns, x)
	}
	for _, s := range due.Sorts {
		d.Sorts = append(d.Sorts, option{s, s.Label()})
	}
	for _, i := range web.Part(r, in) {
		d.Rows = append(d.Rows, row{i, i.Late(r.At), p.clause(i, r.Lang)})
	}
	if d.Feed, err = p.identity.FeedOf(r.Context(), r.Permit); err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Page: "list", Title: bilingual.Say("受信箱", "Inbox"), Data: d}, nil
}

func (p pages) clause(i due.Item, l bilingual.Lang) string {
	if c, ok := p.Posture.Directive().Clause(i.Clause); ok {
		return c.Label.In(l)
	}
	return string(i.Clause)
}

// export writes what the list shows, all of it, as CSV for a spreadsheet.
func (p pages) export(r *web.Request, items []due.Item) (web.Answer, error) {
	_, err := p.gate.Ask(r.Context(), gate.Request{
		Actor: r.Actor, At: r.At, Action: gate.Export, Object: "inbox", Scope: r.Actor.Everywhere(),
		Changes: []gate.Change{{Body: map[string]any{"what": r.URL.RawQuery, "rows": len(items)}}},
	})
	if err != nil {
		return web.Answer{}, err
	}
	var b strings.Builder
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	head := []string{"期限", "超過", "区分", "種別", "行うこと", "対象", "名称", "システム", "項", "確認項目", "いつから", "画面"}
	if r.Lang == bilingual.EN {
		head = []string{"due", "overdue", "box", "sort", "what", "subject", "name", "system", "clause", "control", "since", "page"}
	}
	_ = w.Write(head) // a strings.Builder takes everything
	st, err := p.Posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	for _, i := range items {
		if sub, ok := st.Named(i.Subject); ok {
			if f, _ := sub.Kind.Field(sub.Kind.Name); f.Personal {
				i.Name = "" // as exports of registers leave it out
			}
		}
		late, box := "", bilingual.Say("行うもの", "to do")
		if i.Late(r.At) {
			late = bilingual.Say("超過", "overdue").In(r.Lang)
		}
		if i.Decide {
			box = bilingual.Say("決定を待つもの", "to decide")
		}
		_ = w.Write([]string{web.Moment(i.Due, r.Lang), late, box.In(r.Lang), i.Sort.Label().In(r.Lang), web.Cell(i.What.In(r.Lang)), web.Cell(i.Subject), web.Cell(i.Name),
			web.Cell(i.System), p.clause(i, r.Lang), i.Control, web.Moment(i.Since, r.Lang), i.Link})
	}
	w.Flush()
	return web.Answer{Download: &web.Download{Name: "inbox-" + r.At.Format("20060102-150405") + ".csv", Type: "text/csv; charset=utf-8", Body: []byte(b.String())}}, nil
}

// travelling is an item as programs read it.
type travelling struct {
	Sort    due.Sort       `json:"sort"`
	Box     string         `json:"box"` // decide, do, late
	What    bilingual.Text `json:"what"`
	Subject string         `json:"subject"`
	Name    string         `json:"name"`
	System  string         `json:"system,omitempty"`
	Clause  string         `json:"clause,omitempty"`
	Control string         `json:"control,omitempty"`
	Since   time.Time      `json:"since,omitzero"`
	Due     time.Time      `json:"due,omitzero"`
	Link    string         `json:"link"`
}

// mostItems is how many items a program is given at a time.
const mostItems = 1000

func (p pages) program(r *web.Request) (web.Answer, error) {
	_, all, in, err := p.read(r)
	if err != nil {
		return web.Answer{}, err
	}
	out := struct {
		At    time.Time    `json:"at"`
		Total int          `json:"total"`
		Late  int          `json:"late"`
		Items []travelling `json:"items"`
	}{r.At, len(in), 0, []travelling{}}
	for _, i := range all {
		if i.Late(r.At) {
			out.Late++
		}
	}
	from := min(r.Offset(), len(in))
	for _, i := range in[from:min(from+mostItems, len(in))] {
		box := boxDo
		if i.Decide {
			box = boxDecide
		}
		if i.Late(r.At) {
			box = boxLate
		}
		out.Items = append(out.Items, travelling{i.Sort, box, i.What, i.Subject, i.Name, i.System, string(i.Clause), i.Control, i.Since, i.Due, i.Link})
	}
	return web.Answer{JSON: out}, nil
}
