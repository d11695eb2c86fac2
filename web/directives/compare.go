package directives

import (
	"slices"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/control/carry"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/directive/library"
	"kakusho/kind"
	"kakusho/web"
)

type compareData struct {
	From, To  *directive.Directive
	All       []*directive.Directive
	Note      bilingual.Text
	Relations []count
	Relation  library.Relation
	Rows      []row
	Values    []value
	Fates     []count
	Fate      carry.Fate
	Lines     []line
	Pager     web.Pager
	Planned   bool // there is a plan: one of the two is in force
	Done      bool // the other has been adopted
	Adopts    bool // the form is shown
	Typed     map[string]string
	Faults    []kind.Fault
}

// count is how many, and the way to them.
type count struct {
	Label   bilingual.Text
	Count   int
	Link    string
	Current bool
}

// row is one correspondence with the words of both sides.
type row struct {
	Relation library.Relation
	From, To []side
	Note     bilingual.Text
}

// side is a clause as one side shows it: what it says, in three pieces of which the
// middle one is what the other side says otherwise.
type side struct {
	clause.Clause
	Before, Other, After string
	Controls             int
}

// value is a parameter that means something else.
type value struct {
	directive.Parameter
	Was, Is string
}

// line is an answer with the names a reader needs.
type line struct {
	carry.Line
	Title  bilingual.Text
	Answer bilingual.Text
}

// asked are the two directives that the address names.
func (s pages) asked(r *web.Request) (from, to *directive.Directive, err error) {
	q := r.URL.Query()
	from, okFrom := s.Library().Of(q.Get("old")) // "from" says where a list begins
	to, okTo := s.Library().Of(q.Get("new"))
	if !okFrom || !okTo {
		return nil, nil, web.ErrNotFound
	}
	return from, to, nil
}

func (s pages) compare(r *web.Request) (web.Answer, error) {
	from, to, err := s.asked(r)
	if err != nil {
		return web.Answer{}, err
	}
	return s.show(r, from, to, map[string]string{}, nil)
}

func (s pages) show(r *web.Request, from, to *directive.Directive, typed map[string]string, faults []kind.Fault) (web.Answer, error) {
	q := r.URL.Query()
	d := compareData{
		From: from, To: to, All: s.Library().Directives, Relation: library.Relation(q.Get("relation")), Fate: carry.Fate(q.Get("fate")),
		Typed: typed, Faults: faults,
	}
	walk, ok := s.Library().Crosswalk(from.Source, to.Source)
	if !ok {
		return web.Answer{Page: "compare", Title: bilingual.Say("規程の対照", "Comparison"), Data: d}, nil
	}
	d.Note = walk.Note
	d.Relations, d.Rows = s.rows(r, walk, from, to, d.Relation)
	d.Values = values(from, to, r.Lang)
	if from.Source == s.InForce.Source || from.Source == s.InForce.Succeeds && to.Source == s.InForce.Source {
		if err := s.plan(r, &d); err != nil {
			return web.Answer{}, err
		}
	}
	d.Adopts = from.Source == s.InForce.Source && to.Succeeds == from.Source && (s.Drafts || !to.Draft)
	return web.Answer{Page: "compare", Title: bilingual.Say("規程の対照", "Comparison"), Data: d}, nil
}

func (s pages) rows(r *web.Request, walk *library.Crosswalk, from, to *directive.Directive, only library.Relation) (counts []count, out []row) {
	number := map[library.Relation]int{}
	was, is := s.Controls(from), s.Controls(to)
	for _, x := range walk.Rows {
		number[x.Relation]++
		if only != "" && x.Relation != only {
			continue
		}
		row := row{Relation: x.Relation, Note: x.Note, From: sides(from, x.From, was, r.Lang), To: sides(to, x.To, is, r.Lang)}
		if len(row.From) == 1 && len(row.To) == 1 && x.Relation == library.Changed {
			row.From[0].Before, row.From[0].Other, row.From[0].After = apart(row.From[0].Statement.In(r.Lang), row.To[0].Statement.In(r.Lang))
			row.To[0].Before, row.To[0].Other, row.To[0].After = apart(row.To[0].Statement.In(r.Lang), row.From[0].Statement.In(r.Lang))
		}
		out = append(out, row)
	}
	for _, rel := range library.Relations {
		link := r.With("relation", string(rel))
		if rel == only {
			link = r.With("relation", "")
		}
		counts = append(counts, count{rel.Label(), number[rel], link, rel == only})
	}
	return counts, out
}

func sides(d *directive.Directive, ids []clause.ID, controls []control.Control, l bilingual.Lang) (out []side) {
	for _, id := range ids {
		c, _ := d.Clause(id)
		out = append(out, side{Clause: c, Before: c.Statement.In(l), Controls: len(control.Serving(id, controls))})
	}
	return out
}

// apart cuts a text where it differs from another: what they begin with alike, what is
// its own, what they end with alike.
func apart(text, other string) (before, own, after string) {
	a, b := []rune(text), []rune(other)
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	j := 0
	for j < len(a)-i && j < len(b)-i && a[len(a)-1-j] == b[len(b)-1-j] {
		j++
	}
	return string(a[:i]), string(a[i : len(a)-j]), string(a[len(a)-j:])
}

// values are the parameters that mean something else, or are on one side only.
func values(from, to *directive.Directive, l bilingual.Lang) (out []value) {
	for _, key := range to.Parameters.Keys() {
		p, was := to.Parameters[key], from.Parameters[key]
		if p.Digest() == was.Digest() {
			continue
		}
		v := value{Parameter: p, Is: p.Format(p.Default, l)}
		if was.Key != "" {
			v.Was = was.Format(was.Default, l)
		}
		out = append(out, v)
	}
	return out
}

// plan fills in what becomes of the answers that stand. Those about what is not for the
// reader's duties are counted, and not shown.
func (s pages) plan(r *web.Request, d *compareData) error {
	planner, ok := s.Planner(d.From, d.To)
	if !ok {
		return nil
	}
	lines, err := s.govern.Plan(r.Context(), r.Permit, planner, r.At)
	if err != nil {
		return err
	}
	d.Planned, d.Done = true, d.To.Source == s.InForce.Source
	if d.Fate == "" {
		d.Fate = carry.Asked
	}
	byID := map[string]control.Control{}
	for _, c := range s.Controls(d.From) {
		byID[c.ID] = c
	}
	number := map[carry.Fate]int{}
	var shown []line
	for _, x := range lines {
		number[x.Fate]++
		if x.Fate == d.Fate && s.Kinds[x.Old.Subject.Kind()].MayRead(r.Actor) {
			shown = append(shown, named(x, byID, d.From))
		}
	}
	slices.SortStableFunc(shown, func(a, b line) int { return clause.Compare(a.about(byID), b.about(byID)) })
	d.Lines, d.Pager = web.Part(r, shown), r.Pager(len(shown))
	for _, f := range carry.Fates {
		d.Fates = append(d.Fates, count{f.Label(), number[f], r.With("fate", string(f)) + "#answers", f == d.Fate})
	}
	return nil
}

// about is the clause a line is sorted by.
func (l line) about(controls map[string]control.Control) clause.ID {
	if l.Old.Clause != "" {
		return l.Old.Clause
	}
	if c := controls[l.Old.Control]; len(c.Clauses) > 0 {
		return c.Clauses[0]
	}
	return ""
}

// named gives an answer the words that people know it by.
func named(x carry.Line, controls map[string]control.Control, d *directive.Directive) line {
	out := line{Line: x, Title: bilingual.Say(x.Old.Control, x.Old.Control), Answer: x.Old.Type.Label()}
	if c, ok := controls[x.Old.Control]; ok {
		out.Title = c.Title
		if c.Record != nil {
			if a, ok := c.Record.Answer(x.Old.Answer); ok {
				out.Answer = a.Label
			}
		}
	}
	if c, ok := d.Clause(x.Old.Clause); ok && (x.Old.Type == decision.Deferral || x.Old.Type == decision.Special) {
		out.Title = bilingual.Say(c.Label.JA+" "+c.Title.JA, c.Label.EN+" "+c.Title.EN)
	}
	return out
}
