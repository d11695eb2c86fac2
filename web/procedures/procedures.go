// Package procedures serves the procedures: which there are, and of one its states,
// its steps, who may take them and who may not. The steps themselves are taken on the
// page of the entry.
package procedures

import (
	"embed"
	"slices"

	"kakusho/bilingual"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/register"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

type pages struct{ register *register.Register }

// Mount adds the pages to the site.
func Mount(site *web.Site, reg *register.Register) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	p := pages{reg}
	site.Page(tmpl, "/procedures", p.list)
	site.Page(tmpl, "/procedure/{id}", p.one)
	return nil
}

type listData struct{ Procedures []procedure.Procedure }

func (p pages) list(*web.Request) (web.Answer, error) {
	var d listData
	set := p.register.Procedures()
	for _, id := range set.IDs() {
		d.Procedures = append(d.Procedures, set[id])
	}
	return web.Answer{Page: "list", Title: bilingual.Say("手続", "Procedures"), Data: d}, nil
}

type oneData struct {
	procedure.Procedure
	Kind   kind.Kind
	Names  map[string]bilingual.Text // of states, by value
	Fields map[string]bilingual.Text // of dates, by name
	Steps  []step
	Guards []guard
	Drawn  diagram
}

// step is a step with fields by their labels.
type step struct {
	procedure.Step
	NotBy    []bilingual.Text
	Superior bilingual.Text
	Need     []bilingual.Text
	Holds    []bilingual.Text // what to do when what is required does not hold
	Also     []bilingual.Text
	Waits    []string // controls
	While    []standing
	After    []bilingual.Text // registers
}

// standing is how an entry that is referred to is to stand.
type standing struct {
	At, Field bilingual.Text
	Values    []bilingual.Text
}

type guard struct {
	Kind, Field bilingual.Text
	Values      []bilingual.Text
}

func (p pages) one(r *web.Request) (web.Answer, error) {
	lead, ok := p.register.Procedures()[r.PathValue("id")]
	if !ok {
		return web.Answer{}, web.ErrNotFound
	}
	kinds := p.register.Kinds()
	d := oneData{Procedure: lead, Kind: kinds[lead.Kind], Names: map[string]bilingual.Text{}, Fields: map[string]bilingual.Text{}}
	state, _ := d.Kind.Field(lead.Field)
	for _, c := range state.Choices {
		d.Names[c.Value] = c.Label
	}
	d.Drawn = draw(lead, d.Names)
	for _, f := range d.Kind.Fields {
		d.Fields[f.Name] = f.Label
	}
	label := func(field string) bilingual.Text { f, _ := d.Kind.Field(field); return f.Label }
	for _, s := range lead.Steps {
		x := step{Step: s}
		for _, id := range s.NotBy {
			of, _ := lead.Step(id)
			x.NotBy = append(x.NotBy, of.Label)
		}
		if of, ok := lead.Step(s.Superior); ok {
			x.Superior = of.Label
		}
		to, _ := lead.State(s.To)
		for _, name := range append(slices.Clone(s.Need), to.Need...) {
			if _, sets := s.Set[name]; !sets {
				x.Need = append(x.Need, label(name))
			}
		}
		for _, r := range append(slices.Clone(s.Require), to.Require...) {
			x.Holds = append(x.Holds, r.Else)
		}
		for _, c := range s.Clear {
			x.Waits = append(x.Waits, c.Controls...)
		}
		for _, w := range s.While {
			at, _ := d.Kind.Field(w.At)
			of, _ := kinds[at.To].Field(w.Field)
			x.While = append(x.While, standing{at.Label, of.Label, labels(of, w.Values)})
		}
		for _, a := range s.After {
			x.After = append(x.After, kinds[a.Kind].Label)
		}
		for _, a := range s.Also {
			if a.At == "" {
				x.Also = append(x.Also, kinds[a.New+a.Made].Label)
				continue
			}
			x.Also = append(x.Also, label(a.At))
		}
		d.Steps = append(d.Steps, x)
	}
	for _, g := range lead.Guards {
		f, _ := kinds[g.Kind].Field(g.Field)
		d.Guards = append(d.Guards, guard{Kind: kinds[g.Kind].Label, Field: f.Label, Values: labels(f, g.Values)})
	}
	return web.Answer{Page: "one", Title: lead.Label, Data: d}, nil
}

// labels are those of some values of a choice.
func labels(f kind.Field, values []string) (out []bilingual.Text) {
	for _, c := range f.Choices {
		if slices.Contains(values, c.Value) {
			out = append(out, c.Label)
		}
	}
	return out
}
