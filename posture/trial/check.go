package trial

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/rule"
)

// Faults are everything that keeps a draft from being tried, field by field.
type Faults []kind.Fault

func (f Faults) Error() string {
	if len(f) == 0 {
		return "no faults"
	}
	return f[0].Error()
}

func (f *Faults) add(field, ja, en string) {
	*f = append(*f, kind.Fault{Field: field, Label: labels[field], Message: bilingual.Say(ja, en)})
}

var labels = map[string]bilingual.Text{
	"directive": bilingual.Say("指令", "Directive"), "value": bilingual.Say("別途定める値", "Parameter"), "layer": bilingual.Say("層", "Layer"),
	"rule": bilingual.Say("規則の文", "Text of the rule"), "control": bilingual.Say("確認項目", "Control"), "applies": bilingual.Say("対象となる条件", "Applies"),
	"exceptions": bilingual.Say("除外", "Exceptions"), "lapse": bilingual.Say("効力を認めない決定", "Decisions that lapse"),
	"longest": bilingual.Say("例外の最長期間", "Longest exception"), "give": bilingual.Say("与える決定", "Decisions given"),
	"on": bilingual.Say("期日", "Day"), "renewed": bilingual.Say("証拠の更新", "Renewal of evidence"), "minutes": bilingual.Say("1件当たりの分数", "Minutes per answer"),
}

// Book is another directive: what is judged by under it, and how it sees the decisions
// that were given under the one that holds; nil: as they are.
type Book struct {
	Terms *posture.Terms
	Sees  func(decision.Decision) (decision.Decision, bool)
}

// Books finds a directive by its source.
type Books func(source string) (Book, bool)

// book is what the draft is judged by, and what is wrong with it.
func (d Draft) book(held *posture.Terms, books Books) (Book, Faults) {
	b := Book{Terms: held}
	var faults Faults
	if d.Directive != "" && d.Directive != held.Directive().Source {
		ok := false
		if books != nil {
			b, ok = books(d.Directive)
		}
		if !ok {
			faults.add("directive", fmt.Sprintf("指令「%s」はない。", d.Directive), fmt.Sprintf("There is no directive %q.", d.Directive))
			return b, faults
		}
	}
	t := b.Terms
	d.checkSettings(t.Directive().Parameters, &faults)
	d.checkDecisions(t.Directive(), &faults)
	var changed []control.Control
	for _, x := range d.Texts {
		c, ok := t.Control(x.Control)
		if !ok {
			faults.add("control", fmt.Sprintf("確認項目「%s」はない。", x.Control), fmt.Sprintf("There is no control %q.", x.Control))
			continue
		}
		changed = append(changed, x.over(c, t))
	}
	if len(faults) > 0 || len(changed) == 0 {
		return b, faults
	}
	b.Terms = t.With(changed...)
	for _, c := range changed {
		if r, ok := b.Terms.Rule(c.ID); ok && r.Fault() != nil {
			text := r.Fault().Error()
			faults.add("rule", "読み取れない："+text, "cannot be read: "+text)
		}
	}
	return b, faults
}

var layers = regexp.MustCompile(`^(national|prefecture/[^/\s]{1,64}|system/[^/\s]{1,64})$`)

func (d Draft) checkSettings(ps directive.Parameters, faults *Faults) {
	for _, s := range d.Settings {
		p, ok := ps[s.Key]
		if !ok {
			faults.add("value", fmt.Sprintf("項目「%s」はない。", s.Key), fmt.Sprintf("There is no parameter %q.", s.Key))
			continue
		}
		if p.Directive {
			faults.add("value", p.Label.JA+"：指令の本文が定める値である。指令の改正は、指令を選んで試すこと。", p.Label.EN+": the directive's own value. Try another directive instead.")
		}
		if _, err := p.Check(s.Value); err != nil {
			text := bilingual.Say(err.Error(), err.Error())
			if f, ok := err.(directive.Fault); ok {
				text = f.Text
			}
			faults.add("value", text.JA, text.EN)
		}
		if !layers.MatchString(s.Layer) {
			faults.add("layer", "層は national、prefecture/コード、system/番号 のいずれかとすること。", "The layer is national, prefecture/CODE or system/NUMBER.")
		}
	}
}

func (d Draft) checkDecisions(dir *directive.Directive, faults *Faults) {
	for _, t := range d.Lapse {
		if !t.Valid() {
			faults.add("lapse", fmt.Sprintf("決定の種別「%s」はない。", t), fmt.Sprintf("There is no type of decision %q.", t))
		}
	}
	for _, g := range d.Give {
		if g.Type != decision.Deferral && g.Type != decision.Special {
			faults.add("give", "試すことができるのは、猶予又は別段の定めである。", "A deferral or a special provision can be tried.")
		}
		if g.Subject.Kind() != "system" {
			faults.add("give", "猶予及び別段の定めはシステムについて行う。", "Deferrals and special provisions are about systems.")
		}
		if _, ok := dir.Clause(g.Clause); !ok {
			faults.add("give", fmt.Sprintf("項「%s」はない。", g.Clause), fmt.Sprintf("There is no clause %q.", g.Clause))
		}
	}
	if d.Renewed != "" && d.Renewed != Routine && d.Renewed != Never {
		faults.add("renewed", "証拠の更新は routine 又は never とすること。", "Renewal of evidence is routine or never.")
	}
}

// checkSight refuses a text over what is not for the reader's duties: by its outcomes
// he could ask for any value, one question at a time.
func (d Draft) checkSight(t *posture.Terms, who actor.Actor, faults *Faults) {
	for _, x := range d.Texts {
		c, _ := t.Control(x.Control)
		for _, id := range c.Kinds {
			k := t.Kinds()[id]
			if !k.MayRead(who) {
				faults.add("control", "「"+k.Label.JA+"」は、閲覧する職務ではないため、文を改めて試すことができない。", "“"+k.Label.EN+"” is not for your duties; no other text can be tried over it.")
				continue
			}
			for _, name := range c.Needs {
				if f, ok := k.Field(name); ok && !f.MayRead(who) {
					faults.add("rule", "「"+f.Label.JA+"」は、閲覧する職務ではないため、これを読む文を試すことができない。", "“"+f.Label.EN+"” is not for your duties; no text that reads it can be tried.")
				}
			}
		}
	}
}

// over is a control with the text laid over it. What it reads is read from the text.
func (x Text) over(c control.Control, t *posture.Terms) control.Control {
	if strings.TrimSpace(x.Rule) != "" {
		c.Rule = x.Rule
	}
	if strings.TrimSpace(x.Applies) != "" {
		c.Applies = x.Applies
	}
	if x.Excepted || len(x.Exceptions) > 0 {
		c.Exceptions = x.Exceptions
	}
	var ks []kind.Kind
	for _, id := range c.Kinds {
		ks = append(ks, t.Kinds()[id])
	}
	schema, err := rule.NewSchema(ks, t.Directive().Parameters, c.Record != nil)
	if err != nil {
		return c
	}
	c.Needs, c.Parameters = nil, nil
	texts := []string{c.Rule, c.Applies}
	for _, e := range c.Exceptions {
		texts = append(texts, e.When)
	}
	for _, g := range c.Grounds {
		texts = append(texts, g.When)
	}
	for _, text := range texts {
		if p, _ := schema.Plan(text, 0); p != nil {
			c.Needs, c.Parameters = append(c.Needs, p.Fields...), append(c.Parameters, p.Params...)
		}
	}
	slices.Sort(c.Needs)
	slices.Sort(c.Parameters)
	c.Needs, c.Parameters = slices.Compact(c.Needs), slices.Compact(c.Parameters)
	return c
}
