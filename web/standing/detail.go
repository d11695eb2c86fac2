package standing

import (
	"slices"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/verdict"
	"kakusho/web"
)

type clauseLine struct {
	clause.Clause
	Outcome verdict.Outcome
	Tally   posture.Tally
	Number  int // of controls
}

type clausesData struct {
	Directive *directive.Directive
	Sections  []sectionLines
	Count     int
	Days      int // until the directive ends; negative: past
}

type sectionLines struct {
	directive.Section
	Lines []clauseLine
}

func (s pages) clauses(r *web.Request) (web.Answer, error) {
	st, err := s.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	dir := s.posture.Directive()
	d := clausesData{Directive: dir, Days: int(dir.Ends().Sub(r.At).Hours() / 24)}
	for _, sec := range dir.Sections {
		sl := sectionLines{Section: sec}
		for _, id := range sec.Clauses {
			c, _ := dir.Clause(id)
			t := st.Clause(id, "*")
			sl.Lines = append(sl.Lines, clauseLine{c, t.Outcome(), t, len(s.controlsOf(id))})
			if c.Type == clause.Obligation {
				d.Count++
			}
		}
		d.Sections = append(d.Sections, sl)
	}
	return web.Answer{Page: "clauses", Title: bilingual.Say("条項", "Clauses"), Data: d}, nil
}

func (s pages) controlsOf(id clause.ID) []control.Control {
	var out []control.Control
	for _, c := range s.posture.Controls() {
		if slices.ContainsFunc(c.Clauses, func(x clause.ID) bool { return posture.Under(x, id) }) {
			out = append(out, c)
		}
	}
	return out
}

type systemLine struct {
	Name, ID, Link string
	Outcome        verdict.Outcome
	Tally          posture.Tally
}

type clauseData struct {
	Clause     clause.Clause
	SubItems   []clauseLine
	Controls   []controlLine
	Systems    []systemLine
	Parameters []parameterLine
	Rows       []row
	Pager      web.Pager
	Tally      posture.Tally
	Outcome    verdict.Outcome
	Kinds      []kind.Kind // registers that would hold its subjects
}

type controlLine struct {
	control.Control
	Tally   posture.Tally
	Outcome verdict.Outcome
}

type parameterLine struct {
	directive.Parameter
	Shown string
}

func (s pages) clause(r *web.Request) (web.Answer, error) {
	dir := s.posture.Directive()
	c, ok := dir.Clause(clause.ID(r.PathValue("id")))
	if !ok {
		return web.Answer{}, web.ErrNotFound
	}
	st, err := s.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	pairs, total := st.Part(posture.Filter{Clause: c.ID}, r.Offset(), web.PageSize)
	d := clauseData{Clause: c, Tally: st.Clause(c.ID, "*"), Rows: s.rows(st, st.Judged(pairs), r.Lang), Pager: r.Pager(total)}
	d.Outcome = d.Tally.Outcome()
	for _, x := range dir.SubItems(c.ID) {
		t := st.Clause(x.ID, "*")
		d.SubItems = append(d.SubItems, clauseLine{x, t.Outcome(), t, len(s.controlsOf(x.ID))})
	}
	for _, x := range s.controlsOf(c.ID) {
		t := st.Control(x.ID)
		d.Controls = append(d.Controls, controlLine{x, t, t.Outcome()})
	}
	for _, sys := range st.Systems() {
		if t := st.Clause(c.ID, sys.Ref.ID()); t.Total() > 0 {
			d.Systems = append(d.Systems, systemLine{sys.Name, sys.Ref.ID(), "/system/" + sys.Ref.ID(), t.Outcome(), t})
		}
	}
	for _, key := range dir.Parameters.Keys() {
		if p := dir.Parameters[key]; slices.Contains(p.Clauses, c.ID) {
			d.Parameters = append(d.Parameters, parameterLine{p, p.Format(p.Default, r.Lang)})
		}
	}
	for _, id := range c.Kinds {
		d.Kinds = append(d.Kinds, s.posture.Kinds()[id])
	}
	return web.Answer{Page: "clause", Title: bilingual.Text{JA: c.Label.JA + " " + c.Title.JA, EN: c.Label.EN + " " + c.Title.EN}, Data: d}, nil
}

type controlData struct {
	control.Control
	Fault   string // why it does not compile
	Clauses []clause.Clause
	Fields  []fieldLine
	Tally   posture.Tally
	Rows    []row
	Pager   web.Pager
}

type fieldLine struct {
	Name, Kind string
	Label      bilingual.Text
	Group      string
	Derive     string
}

func (s pages) control(r *web.Request) (web.Answer, error) {
	c, ok := s.posture.Control(r.PathValue("area") + "/" + r.PathValue("name"))
	if !ok {
		return web.Answer{}, web.ErrNotFound
	}
	st, err := s.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	pairs, total := st.Part(posture.Filter{Control: c.ID}, r.Offset(), web.PageSize)
	d := controlData{Control: c, Tally: st.Control(c.ID), Rows: s.rows(st, st.Judged(pairs), r.Lang), Pager: r.Pager(total)}
	if rule, ok := st.Terms().Rule(c.ID); ok && rule.Fault() != nil {
		d.Fault = rule.Fault().Error()
	}
	for _, id := range c.Clauses {
		if x, ok := s.posture.Directive().Clause(id); ok {
			d.Clauses = append(d.Clauses, x)
		}
	}
	for _, kindID := range c.Kinds {
		k := s.posture.Kinds()[kindID]
		for _, name := range c.Needs {
			if f, ok := k.Field(name); ok {
				d.Fields = append(d.Fields, fieldLine{name, kindID, f.Label, f.Group, f.Derive})
			}
		}
	}
	return web.Answer{Page: "control", Title: c.Title, Data: d}, nil
}

type systemsData struct{ Systems []systemRow }

type systemRow struct {
	*posture.Subject
	Outcome verdict.Outcome
	Tally   posture.Tally
	Members int
}

func (s pages) systems(r *web.Request) (web.Answer, error) {
	st, err := s.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	var d systemsData
	source := clause.ID(s.posture.Directive().Source)
	for _, sys := range st.Systems() {
		t := st.Clause(source, sys.Ref.ID())
		d.Systems = append(d.Systems, systemRow{sys, t.Outcome(), t, len(st.Members(sys.Ref.ID())) - 1})
	}
	return web.Answer{Page: "systems", Title: bilingual.Say("システム", "Systems"), Data: d}, nil
}

type systemData struct {
	System   *posture.Subject
	Declared []factLine
	Sections []sectionTally
	Members  []memberLine
	Tiles    []tile
}

type sectionTally struct {
	directive.Section
	Tally   posture.Tally
	Outcome verdict.Outcome
}

type memberLine struct {
	*posture.Subject
	Outcome verdict.Outcome
	Tally   posture.Tally
}

func (s pages) system(r *web.Request) (web.Answer, error) {
	st, err := s.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	id := r.PathValue("id")
	sys, ok := st.Subject(fact.NewRef("system", id))
	if !ok {
		return web.Answer{}, web.ErrNotFound
	}
	d := systemData{System: sys, Declared: factLines(sys, r)}
	all := st.Clause(clause.ID(s.posture.Directive().Source), id)
	d.Tiles = tiles(all, func(o verdict.Outcome) string { return "/verdicts?system=" + id + "&outcome=" + string(o) }, "")
	for _, sec := range s.posture.Directive().Sections {
		if t := st.Clause(sec.ID, id); t.Total() > 0 {
			d.Sections = append(d.Sections, sectionTally{sec, t, t.Outcome()})
		}
	}
	for _, m := range st.Members(id) {
		if m.Ref != sys.Ref {
			t := m.Tally()
			d.Members = append(d.Members, memberLine{m, t.Outcome(), t})
		}
	}
	return web.Answer{Page: "system", Title: bilingual.Text{JA: sys.Name, EN: sys.Name}, Data: d}, nil
}

// Order is the columns of the list of systems.
func (systemRow) Order() []verdict.Outcome {
	return []verdict.Outcome{verdict.Violates, verdict.Error, verdict.Unknown, verdict.Undecided, verdict.Deferred, verdict.Special, verdict.Excepted, verdict.Conforms}
}
