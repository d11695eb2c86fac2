package standing

import (
	"fmt"
	"slices"
	"time"

	"kakusho/bilingual"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/verdict"
	"kakusho/web"
)

// factLine is one field of a subject with where its value is from.
type factLine struct {
	Name     string
	Label    bilingual.Text
	Layer    kind.Layer
	Group    string
	Cell     posture.Cell
	Value    string
	Records  []string // heads of a list of records
	Table    [][]string
	More     int
	Declared string // of a field that is observed too, when it differs
	Digest   string
	Hidden   bool
	None     bool // never brought
}

type subjectData struct {
	Subject   *posture.Subject
	Kind      kind.Kind
	Rows      []subjectVerdict
	Tiles     []tile
	Facts     []factLine
	Groups    []groupLines
	Decisions []decision.Decision
	Latest    time.Time
}

type groupLines struct {
	Name  string
	Lines []factLine
}

type subjectVerdict struct {
	row
	Remedy   bilingual.Text
	Question bilingual.Text
	Ask      bool // a person must answer
	Answer   string
	Except   bool
}

func (s pages) subject(r *web.Request) (web.Answer, error) {
	st, err := s.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	ref := fact.NewRef(r.PathValue("kind"), r.PathValue("id"))
	sub, ok := st.Subject(ref)
	if !ok {
		return web.Answer{}, web.ErrNotFound
	}
	if sub.Closed {
		return web.Answer{}, fmt.Errorf("subject %s: %w", ref, gate.ErrRefused)
	}
	d := subjectData{Subject: sub, Kind: *sub.Kind, Facts: factLines(sub, r), Decisions: slices.Clone(sub.Decisions)}
	slices.Reverse(d.Decisions)
	t := sub.Tally()
	outcome := verdict.Outcome(r.URL.Query().Get("outcome"))
	d.Tiles = tiles(t, func(o verdict.Outcome) string {
		if o == outcome {
			return r.With("outcome", "")
		}
		return r.With("outcome", string(o))
	}, outcome)
	vs := sub.Verdicts()
	if outcome != "" {
		vs = slices.DeleteFunc(vs, func(v verdict.Verdict) bool { return v.Outcome != outcome })
	}
	verdict.WorstFirst(vs)
	for _, x := range s.rows(st, vs, r.Lang) {
		v := subjectVerdict{row: x}
		if c, ok := s.posture.Control(x.Control); ok {
			v.Remedy, v.Except = c.Remedy, len(c.Grounds) > 0
			if c.Record != nil {
				v.Ask, v.Question = true, c.Record.Question
			}
		}
		d.Rows = append(d.Rows, v)
	}
	for _, f := range d.Facts {
		if f.Cell.ObservedAt.After(d.Latest) && f.Layer == kind.Observed {
			d.Latest = f.Cell.ObservedAt
		}
		name := f.Group
		if name == "" {
			name = string(f.Layer)
		}
		i := slices.IndexFunc(d.Groups, func(g groupLines) bool { return g.Name == name })
		if i < 0 {
			d.Groups = append(d.Groups, groupLines{Name: name})
			i = len(d.Groups) - 1
		}
		d.Groups[i].Lines = append(d.Groups[i].Lines, f)
	}
	return web.Answer{Page: "subject", Title: bilingual.Text{JA: sub.Name, EN: sub.Name}, Data: d}, nil
}

// factLines are the fields that the reader may see, in the order of the kind.
func factLines(sub *posture.Subject, r *web.Request) []factLine {
	var out []factLine
	declared := sub.Declared()
	for _, f := range sub.Kind.Fields {
		l := factLine{Name: f.Name, Label: f.Label, Group: f.Group, Layer: kind.Declared}
		if !f.MayRead(r.Actor) {
			l.Hidden = true
			out = append(out, l)
			continue
		}
		cell, ok := sub.Fact(f.Name)
		l.Cell, l.None = cell, !ok
		switch {
		case f.In(kind.Observed):
			l.Layer = kind.Observed
			if c, had := declared[f.Name]; had {
				l.Declared = f.Format(c.Fact.Value, r.Lang)
			}
		case f.In(kind.Derived):
			l.Layer = kind.Derived
		}
		if l.Layer == kind.Declared && (!ok || cell.Fact.Status == fact.Absent) {
			continue // a blank register field says nothing
		}
		l.show(f, r.Lang)
		out = append(out, l)
	}
	return out
}

// mostRecords is how many records of a list a page shows; the rest is counted.
const mostRecords = 40

func (l *factLine) show(f kind.Field, lang bilingual.Lang) {
	if l.Cell.Fact.Status != fact.Observed && l.Cell.Fact.Status != fact.Truncated {
		return
	}
	l.Digest = fact.Digest(l.Cell.Fact.Value)
	list, ok := l.Cell.Fact.Value.([]any)
	if !ok || len(f.Of) == 0 {
		l.Value = f.Format(l.Cell.Fact.Value, lang)
		return
	}
	for _, c := range f.Of {
		l.Records = append(l.Records, c.Label.In(lang))
	}
	for _, e := range list[:min(mostRecords, len(list))] {
		m, _ := e.(map[string]any)
		var cells []string
		for _, c := range f.Of {
			if v, ok := m[c.Name]; ok {
				cells = append(cells, c.Format(v, lang))
			} else {
				cells = append(cells, "？")
			}
		}
		l.Table = append(l.Table, cells)
	}
	l.More = max(0, len(list)-mostRecords)
}
