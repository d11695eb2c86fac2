package whatif

import (
	"slices"

	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/posture/trial"
	"kakusho/web"
)

// form is the draft as it is typed, and what can be chosen.
type form struct {
	Settings   []trial.Setting // some of them blank
	Text       text
	Lapse      []choice
	Longest    string
	Give       trial.Given
	On         string
	Never      bool
	Minutes    int
	Directive  string
	Directives []choice
	Parameters []directive.Parameter
	Controls   []choice
	Systems    []choice
	Withdraw   []string
	Open       map[string]bool // parts that say something
}

// text is a control opened to be changed; without Control none is.
type text struct {
	Control, Title            string
	Rule, Applies, Exceptions string
}

type choice struct {
	Value string
	Label bilingual.Text
	On    bool
}

// blank is how many lines for parameters a form has at least.
const blank = 2

func (s pages) form(r *web.Request, d trial.Draft) form {
	q := r.URL.Query()
	f := form{Settings: d.Settings, Longest: q.Get("longest"), On: q.Get("on"), Never: d.Renewed == trial.Never, Minutes: d.Minutes, Directive: d.Directive, Withdraw: d.Withdraw}
	if !d.On.IsZero() {
		f.On = d.On.In(calendar.Tokyo()).Format("2006-01-02")
	}
	for n := max(blank, len(d.Settings)+1); len(f.Settings) < n; {
		f.Settings = append(f.Settings, trial.Setting{Layer: directive.LayerNational})
	}
	if len(d.Settings) == 0 {
		f.Settings[0].Key = q.Get("key") // named to be tried, without a value yet
	}
	if f.Minutes == 0 {
		f.Minutes = trial.MinutesPerAnswer
	}
	if len(d.Give) > 0 {
		f.Give = d.Give[0]
	}
	for _, t := range []decision.Type{decision.Deferral, decision.Special, decision.Exception, decision.Override} {
		f.Lapse = append(f.Lapse, choice{string(t), t.Label(), slices.Contains(d.Lapse, t)})
	}
	f.Text = s.text(q.Get("control"), d, r.Lang)
	s.choices(&f, d)
	f.Open = map[string]bool{
		"text": f.Text.Control != "", "decisions": len(d.Lapse) > 0 || d.Longest > 0 || len(d.Give) > 0 || len(d.Withdraw) > 0,
		"day": f.On != "", "directive": d.Directive != "",
	}
	return f
}

// text is what a control says in the draft, else today.
func (s pages) text(id string, d trial.Draft, l bilingual.Lang) text {
	c, ok := s.posture.Control(id)
	if !ok {
		return text{}
	}
	t := text{id, c.Title.In(l), c.Rule, c.Applies, trial.Exceptions(c.Exceptions)}
	for _, x := range d.Texts {
		if x.Control != id {
			continue
		}
		if x.Rule != "" {
			t.Rule = x.Rule
		}
		if x.Applies != "" {
			t.Applies = x.Applies
		}
		if x.Excepted {
			t.Exceptions = trial.Exceptions(x.Exceptions)
		}
	}
	return t
}

func (s pages) choices(f *form, d trial.Draft) {
	dir := s.posture.Directive()
	for _, key := range dir.Parameters.Keys() {
		if p := dir.Parameters[key]; !p.Directive {
			f.Parameters = append(f.Parameters, p)
		}
	}
	for _, c := range s.posture.Controls() {
		f.Controls = append(f.Controls, choice{Value: c.ID, Label: c.Title})
	}
	for _, x := range s.others() {
		f.Directives = append(f.Directives, choice{x.Source, x.Title, d.Directive == x.Source})
	}
}
