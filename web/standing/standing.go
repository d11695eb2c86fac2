// Package standing serves the pages that show how things stand: the matrix of
// clauses and systems, verdicts, clauses, controls, systems, and one subject
// with its evidence.
package standing

import (
	"cmp"
	"embed"
	"encoding/csv"
	"slices"
	"strings"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/gate"
	"kakusho/posture"
	"kakusho/verdict"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

type pages struct {
	posture *posture.Posture
	gate    *gate.Gate
	own     string // the system this installation is
}

// Mount adds the pages to the site. own is the key of the system that this
// installation itself is.
func Mount(site *web.Site, p *posture.Posture, g *gate.Gate, own string) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	s := pages{p, g, own}
	site.Page(tmpl, "/{$}", s.overview)
	site.Page(tmpl, "/verdicts", s.verdicts)
	site.Page(tmpl, "/clauses", s.clauses)
	site.Page(tmpl, "/clause/{id}", s.clause)
	site.Page(tmpl, "/control/{area}/{name}", s.control)
	site.Page(tmpl, "/systems", s.systems)
	site.Page(tmpl, "/system/{id}", s.system)
	site.Page(tmpl, "/units", s.units)
	site.Page(tmpl, "/unit/{id}", s.unit)
	site.Page(tmpl, "/subject/{kind}/{id...}", s.subject)
	return nil
}

// tile is a count of one outcome, and the way to what it counts.
type tile struct {
	Outcome verdict.Outcome
	Count   int
	Link    string
	Current bool
}

// tiles are all outcomes that occur, and the four that everybody looks for.
func tiles(t posture.Tally, link func(verdict.Outcome) string, current verdict.Outcome) []tile {
	always := []verdict.Outcome{verdict.Violates, verdict.Unknown, verdict.Undecided, verdict.Conforms}
	var out []tile
	for _, o := range verdict.Outcomes {
		if t[o] > 0 || slices.Contains(always, o) {
			out = append(out, tile{o, t[o], link(o), o == current})
		}
	}
	return out
}

// row is a verdict with the names a reader needs.
type row struct {
	verdict.Verdict
	ClauseLabel string
	Title       string
	SubjectName string
}

func (s pages) rows(st *posture.Standing, vs []verdict.Verdict, l bilingual.Lang) []row {
	out := make([]row, 0, len(vs))
	for _, v := range vs {
		r := row{Verdict: v, ClauseLabel: string(v.Clause), Title: v.Control, SubjectName: v.Subject}
		if c, ok := s.posture.Directive().Clause(v.Clause); ok {
			r.ClauseLabel = c.Label.In(l)
		}
		if c, ok := s.posture.Control(v.Control); ok {
			r.Title = c.Title.In(l)
		}
		if sub, ok := st.Named(v.Subject); ok {
			r.SubjectName = sub.Name
		}
		out = append(out, r)
	}
	return out
}

// column is a system, or what belongs to none.
type column struct {
	ID, Name string
	Outcome  verdict.Outcome
}

// line is one row of the matrix: a section, or a clause of the open section.
type line struct {
	ID    clause.ID
	Label string
	Title string
	Link  string
	Open  bool
	Sub   bool
	Cells []cell
}

type cell struct {
	Outcome verdict.Outcome
	Bad, Of int
	Link    string
}

type overviewData struct {
	Tiles       []tile
	Columns     []column
	Lines       []line
	Total       int
	Obligations []tile // each rolled up
	Of          int    // so many
	Next        []row
	Own         *posture.Subject
	OwnTally    posture.Tally
	Words       string
}

func (s pages) overview(r *web.Request) (web.Answer, error) {
	st, err := s.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	d := overviewData{Words: strings.TrimSpace(r.URL.Query().Get("q"))}
	all := st.Clause(clause.ID(s.posture.Directive().Source), "*")
	d.Total = all.Total()
	d.Tiles = tiles(all, func(o verdict.Outcome) string { return "/verdicts?outcome=" + string(o) }, "")
	d.Columns = s.columns(st, d.Words, r.Lang)
	d.Lines = s.lines(st, d.Columns, clause.ID(r.URL.Query().Get("open")), r)
	rolled := s.obligations(st)
	d.Of = rolled.Total()
	d.Obligations = tiles(rolled, func(verdict.Outcome) string { return "/clauses" }, "")
	d.Next = s.rows(st, st.Soonest(8), r.Lang)
	if own, ok := st.Named("system/" + s.own); ok {
		d.Own, d.OwnTally = own, st.Clause(clause.ID(s.posture.Directive().Source), s.own)
	}
	return web.Answer{Page: "overview", Title: bilingual.Say("適合状況", "Overview"), Data: d}, nil
}

// obligations rolls each of the directive's obligations up over everything.
func (s pages) obligations(st *posture.Standing) posture.Tally {
	t := posture.Tally{}
	for _, c := range s.posture.Directive().Clauses {
		if c.Type == clause.Obligation {
			t[st.Clause(c.ID, "*").Outcome()]++
		}
	}
	return t
}

// columns are the systems, worst first, then what belongs to none.
func (s pages) columns(st *posture.Standing, words string, l bilingual.Lang) []column {
	var out []column
	source := clause.ID(s.posture.Directive().Source)
	for _, sys := range st.Systems() {
		if words != "" && !strings.Contains(sys.Name+" "+sys.Ref.ID(), words) {
			continue
		}
		out = append(out, column{sys.Ref.ID(), sys.Name, st.Clause(source, sys.Ref.ID()).Outcome()})
	}
	slices.SortStableFunc(out, func(a, b column) int {
		return cmp.Compare(slices.Index(verdict.Outcomes, a.Outcome), slices.Index(verdict.Outcomes, b.Outcome))
	})
	return append(out, column{"", bilingual.Say("組織・共通", "Organisation").In(l), ""})
}

func (s pages) lines(st *posture.Standing, cols []column, open clause.ID, r *web.Request) []line {
	d := s.posture.Directive()
	var out []line
	for _, sec := range d.Sections {
		l := s.line(st, cols, sec.ID, sec.Label.In(r.Lang), sec.Title.In(r.Lang))
		l.Open = sec.ID == open
		l.Link = r.With("open", string(sec.ID))
		if l.Open {
			l.Link = r.With("open", "")
		}
		out = append(out, l)
		if !l.Open {
			continue
		}
		for _, id := range sec.Clauses {
			c, _ := d.Clause(id)
			sub := s.line(st, cols, id, c.Label.In(r.Lang), c.Title.In(r.Lang))
			sub.Sub, sub.Link = true, "/clause/"+string(id)
			out = append(out, sub)
		}
	}
	return out
}

func (s pages) line(st *posture.Standing, cols []column, id clause.ID, label, title string) line {
	l := line{ID: id, Label: label, Title: title}
	for _, col := range cols {
		t := st.Clause(id, col.ID)
		if t.Total() == 0 {
			l.Cells = append(l.Cells, cell{})
			continue
		}
		o := t.Outcome()
		l.Cells = append(l.Cells, cell{o, t[o], t.Total(), "/verdicts?clause=" + string(id) + "&system=" + col.key()})
	}
	return l
}

// key is how an address names a column; "-" is what belongs to no system.
func (c column) key() string {
	if c.ID == "" {
		return "-"
	}
	return c.ID
}

type verdictsData struct {
	Filter   posture.Filter
	System   string
	Tiles    []tile
	Rows     []row
	Pager    web.Pager
	Systems  []*posture.Subject
	Sections []option
	Kinds    []option
	CSV      string
	Any      bool
}

type option struct{ Value, Label string }

// filter reads a filter from an address.
func filter(r *web.Request) (f posture.Filter, system string) {
	q := r.URL.Query()
	f = posture.Filter{
		Clause: clause.ID(q.Get("clause")), Control: q.Get("control"), Kind: q.Get("kind"),
		Outcome: verdict.Outcome(q.Get("outcome")), Words: q.Get("q"), Unit: q.Get("unit"), Prefecture: q.Get("prefecture"),
	}
	system = q.Get("system")
	if system == "-" {
		f.NoSystem = true
	} else {
		f.System = system
	}
	return f, system
}

func (s pages) verdicts(r *web.Request) (web.Answer, error) {
	st, err := s.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	f, system := filter(r)
	if r.URL.Query().Get("format") == "csv" {
		return s.export(r, st, st.Verdicts(f))
	}
	pairs, total := st.Part(f, r.Offset(), web.PageSize)
	wide := f
	wide.Outcome = ""
	t := st.Tally(wide)
	d := verdictsData{
		Filter: f, System: system, Rows: s.rows(st, st.Judged(pairs), r.Lang), Pager: r.Pager(total),
		Systems: st.Systems(), CSV: r.With("format", "csv"), Any: t.Total() > 0,
		Tiles: tiles(t, func(o verdict.Outcome) string {
			if o == f.Outcome {
				return r.With("outcome", "")
			}
			return r.With("outcome", string(o))
		}, f.Outcome),
	}
	for _, sec := range s.posture.Directive().Sections {
		d.Sections = append(d.Sections, option{string(sec.ID), sec.Label.In(r.Lang) + " " + sec.Title.In(r.Lang)})
	}
	for _, k := range st.Kinds() {
		d.Kinds = append(d.Kinds, option{k.ID, k.Label.In(r.Lang)})
	}
	return web.Answer{Page: "verdicts", Title: bilingual.Say("判定一覧", "Verdicts"), Data: d}, nil
}

// export writes what the list shows, all of it, as CSV for a spreadsheet.
func (s pages) export(r *web.Request, st *posture.Standing, vs []verdict.Verdict) (web.Answer, error) {
	_, err := s.gate.Ask(r.Context(), gate.Request{
		Actor: r.Actor, At: r.At, Action: gate.Export, Object: "verdicts", Scope: r.Actor.Everywhere(),
		Changes: []gate.Change{{Body: map[string]any{"what": r.URL.RawQuery, "rows": len(vs)}}},
	})
	if err != nil {
		return web.Answer{}, err
	}
	var b strings.Builder
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	head := []string{"判定", "項", "確認項目", "対象", "名称", "理由", "以降", "次の変化"}
	if r.Lang == bilingual.EN {
		head = []string{"outcome", "clause", "control", "subject", "name", "reasons", "since", "next change"}
	}
	_ = w.Write(head) // a strings.Builder takes everything
	for _, x := range s.rows(st, vs, r.Lang) {
		if sub, ok := st.Named(x.Subject); ok {
			if f, _ := sub.Kind.Field(sub.Kind.Name); f.Personal {
				x.SubjectName = "" // as exports of registers leave it out
			}
		}
		var reasons []string
		for _, y := range x.Reasons {
			reasons = append(reasons, y.In(r.Lang))
		}
		_ = w.Write([]string{x.Outcome.Label().In(r.Lang), x.ClauseLabel, x.Title, x.Subject, web.Cell(x.SubjectName),
			web.Cell(strings.Join(reasons, " / ")), web.Moment(x.Since, r.Lang), web.Moment(x.NextChange, r.Lang)})
	}
	w.Flush()
	return web.Answer{Download: &web.Download{Name: "verdicts-" + r.At.Format("20060102-150405") + ".csv", Type: "text/csv; charset=utf-8", Body: []byte(b.String())}}, nil
}
