package audits

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"kakusho/bilingual"
	"kakusho/kind"
	"kakusho/register"
	"kakusho/web"
)

// age is how old a finding is.
type age struct {
	Open  int // days since it was raised, until it ended
	Late  int // days since it was due; zero: it is not late
	Ended bool
}

func (p pages) age(e register.Entry, at time.Time) age {
	v := values(e.Values)
	lead, _ := p.register.Procedures().Of(findingKind)
	state, _ := lead.State(v.text(lead.Field))
	a := age{Ended: state.Final}
	if end := v.time("closed_on"); a.Ended && !end.IsZero() {
		at = end
	} else if a.Ended {
		at = e.ChangedAt
	}
	a.Open = max(0, days(v.time("found_on"), at))
	if !a.Ended {
		a.Late = max(0, days(v.time("due_on"), at))
	}
	return a
}

type findingRow struct {
	ID, Title, Audit, System, Unit, InCharge string
	Subject                                  string
	State, Severity                          bilingual.Text
	Found, Due                               time.Time
	age
}

func (p pages) findingRow(e register.Entry, at time.Time) findingRow {
	v := values(e.Values)
	return findingRow{ID: e.Ref.ID(), Title: e.Name, Audit: v.text("audit"), System: v.text("system"), Unit: v.text("unit"), InCharge: v.text("in_charge"), Subject: v.text("subject"),
		State: p.register.Kinds().Choice(findingKind, "status", v.text("status")), Severity: p.register.Kinds().Choice(findingKind, "severity", v.text("severity")),
		Found: v.time("found_on"), Due: v.time("due_on"), age: p.age(e, at)}
}

// spans are how long findings have been open, by days.
var spans = []struct {
	value   string
	label   bilingual.Text
	atLeast int
	below   int
}{
	{"30", bilingual.Say("30日未満", "under 30 days"), 0, 30},
	{"90", bilingual.Say("30日以上90日未満", "30 to 89 days"), 30, 90},
	{"180", bilingual.Say("90日以上180日未満", "90 to 179 days"), 90, 180},
	{"more", bilingual.Say("180日以上", "180 days or more"), 180, 1 << 30},
}

type findingsData struct {
	Show, Span, System, Audit string
	Shows                     []option
	Spans                     []option
	Systems                   []string
	Rows                      []findingRow
	Pager                     web.Pager
	CSV                       string
	May, Any                  bool
}

// show is which findings the list holds.
type show struct {
	value string
	label bilingual.Text
	want  func(age) bool
}

var shows = []show{
	{"open", bilingual.Say("終了していないもの", "Open"), func(a age) bool { return !a.Ended }},
	{"late", bilingual.Say("期限を経過したもの", "Overdue"), func(a age) bool { return a.Late > 0 }},
	{"ended", bilingual.Say("終了したもの", "Ended"), func(a age) bool { return a.Ended }},
	{"all", bilingual.Say("全て", "All"), func(age) bool { return true }},
}

func (p pages) findings(r *web.Request) (web.Answer, error) {
	v := r.URL.Query()
	d := findingsData{Show: cmp.Or(v.Get("show"), "open"), Span: v.Get("span"), System: v.Get("system"), Audit: v.Get("audit"), CSV: r.With("format", "csv"),
		May: begins(p.register, findingKind, r.Actor)}
	equal := map[string]string{}
	if d.Audit != "" {
		equal["audit"] = d.Audit
	}
	entries, err := p.register.All(r.Context(), r.Permit, register.Query{Kind: findingKind, Equal: equal, Sort: "due_on"})
	if err != nil {
		return web.Answer{}, err
	}
	var rows []findingRow
	for _, e := range entries {
		x := p.findingRow(e, r.At)
		if x.System != "" && !slices.Contains(d.Systems, x.System) {
			d.Systems = append(d.Systems, x.System)
		}
		if d.System == "" || x.System == d.System {
			rows = append(rows, x)
		}
	}
	slices.Sort(d.Systems)
	d.Any = len(entries) > 0
	for _, s := range shows {
		d.Shows = append(d.Shows, option{s.value, s.label, count(rows, s.want), "/findings" + r.With("show", s.value)})
	}
	i := max(0, slices.IndexFunc(shows, func(s show) bool { return s.value == d.Show }))
	d.Show = shows[i].value
	rows = slices.DeleteFunc(rows, func(x findingRow) bool { return !shows[i].want(x.age) })
	for _, s := range spans {
		within := func(a age) bool { return a.Open >= s.atLeast && a.Open < s.below }
		to := s.value
		if d.Span == s.value {
			to = ""
		}
		d.Spans = append(d.Spans, option{s.value, s.label, count(rows, within), "/findings" + r.With("span", to)})
	}
	for _, s := range spans {
		if s.value == d.Span {
			rows = slices.DeleteFunc(rows, func(x findingRow) bool { return x.Open < s.atLeast || x.Open >= s.below })
		}
	}
	if v.Get("format") == "csv" {
		return p.spreadsheet(r, "findings", findingTable(rows, r.Lang))
	}
	d.Rows, d.Pager = web.Part(r, rows), r.Pager(len(rows))
	return web.Answer{Page: "findings", Title: bilingual.Say("指摘事項", "Findings"), Data: d}, nil
}

func count(rows []findingRow, want func(age) bool) (n int64) {
	for _, x := range rows {
		if want(x.age) {
			n++
		}
	}
	return n
}

func findingTable(rows []findingRow, l bilingual.Lang) [][]string {
	head := []string{"指摘番号", "件名", "監査", "システム", "所属", "対象", "程度", "状態", "担当の職", "指摘日", "改善期限", "経過日数", "期限超過日数"}
	if l == bilingual.EN {
		head = []string{"finding", "title", "audit", "system", "unit", "subject", "severity", "state", "in charge", "found on", "due on", "days open", "days overdue"}
	}
	out := [][]string{head}
	for _, x := range rows {
		day := kind.Field{Type: kind.Date}
		out = append(out, []string{x.ID, x.Title, x.Audit, x.System, x.Unit, x.Subject, x.Severity.In(l), x.State.In(l), x.InCharge,
			day.Format(x.Found, bilingual.EN), day.Format(x.Due, bilingual.EN), strconv.Itoa(x.Open), strconv.Itoa(x.Late)})
	}
	return out
}
