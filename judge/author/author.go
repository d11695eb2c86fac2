// Package author is for whoever writes controls: it tries their cases, finds what
// is probably not meant, shows how a rule is read, and starts a new one.
//
// Lint's grave findings are faults: a rule that can never find a violation, an
// exception that can never be granted, a field that nobody collects. The rest is
// advice: a boundary no case stands at, an operand that decides nothing.
package author

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"kakusho/bilingual"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/judge"
	"kakusho/kind"
)

// Desk is what an author works with.
type Desk struct {
	Kinds     kind.Set
	Directive *directive.Directive
	Brought   map[string][]string // kind → groups of observed fields that somebody brings
}

// Finding is one thing to correct or to consider.
type Finding struct {
	Control string
	Place   string // file:line:column
	Grave   bool
	Text    bilingual.Text
}

// In is the finding as a line for editors, which jump to its place.
func (f Finding) In(l bilingual.Lang) string {
	what := bilingual.Say("助言", "advice")
	if f.Grave {
		what = bilingual.Say("誤り", "fault")
	}
	return fmt.Sprintf("%s: %s: %s", f.Place, what.In(l), f.Text.In(l))
}

// finder gathers the findings about one control.
type finder struct {
	Desk
	control  control.Control
	rule     *judge.Rule
	findings []Finding
}

// Lint says what is wrong with a control, and what could be better. r is what it
// was compiled to.
func (d Desk) Lint(c control.Control, r *judge.Rule) []Finding {
	f := &finder{Desk: d, control: c, rule: r}
	if r.Fault() != nil {
		for _, err := range r.Faults() {
			place, text := c.Dir, err.Error()
			if x, ok := err.(judge.Fault); ok {
				place, text = x.At(), x.Message
			}
			f.grave(place, text, text)
		}
		return f.findings
	}
	f.placeholders()
	f.collected()
	f.logic()
	f.vacuous()
	f.shown()
	return f.findings
}

func (f *finder) grave(place, ja, en string, a ...any) { f.find(true, place, ja, en, a...) }

func (f *finder) advise(place, ja, en string, a ...any) { f.find(false, place, ja, en, a...) }

func (f *finder) find(grave bool, place, ja, en string, a ...any) {
	if len(a) > 0 {
		ja, en = fmt.Sprintf(ja, a...), fmt.Sprintf(en, a...)
	}
	f.findings = append(f.findings, Finding{f.control.ID, place, grave, bilingual.Say(ja, en)})
}

// at is where a part of the control stands.
func (f *finder) at(part string) string {
	p := f.control.At(part)
	return fmt.Sprintf("%s:%d:%d", path.Join(f.control.Dir, p.File), p.Line, p.Column)
}

// Placeholder marks what New leaves to be written.
const Placeholder = "TODO"

func (f *finder) placeholders() {
	c, yaml := f.control, f.control.Dir+"/control.yaml"
	for _, p := range []struct{ name, place, text string }{
		{"title", yaml, c.Title.JA + c.Title.EN}, {"why", yaml, c.Why.JA + c.Why.EN}, {"remedy", yaml, c.Remedy.JA + c.Remedy.EN}, {"rule.cel", f.at("rule"), c.Rule},
	} {
		if strings.Contains(p.text, Placeholder) {
			f.grave(p.place, "%s に「%s」が残っている。書き換えること。", "%s still says %q: write it", p.name, Placeholder)
		}
	}
}

// collected finds fields that no register and no collector brings.
func (f *finder) collected() {
	for _, id := range f.control.Kinds {
		for _, name := range f.control.Needs {
			field, ok := f.Kinds[id].Field(name)
			if !ok || !field.In(kind.Observed) || field.In(kind.Declared) {
				continue
			}
			if !slices.Contains(f.Brought[id], field.Group) {
				f.grave(f.at("needs"), "項目 %s.%s（%s）を収集するものがなく、判定は常に「未確認」となる。収集器を加えるか、台帳の項目とすること。",
					"nobody collects %s.%s (group %s): every verdict would be unknown; add a collector, or let the register declare it", id, name, field.Group)
			}
		}
	}
}
