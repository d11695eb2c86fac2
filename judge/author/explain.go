package author

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"kakusho/bilingual"
	"kakusho/control"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/rule"
	"kakusho/verdict"
)

// reader writes an explanation.
type reader struct {
	Desk
	w       io.Writer
	lang    bilingual.Lang
	control control.Control
}

func (x reader) line(indent int, ja, en string, a ...any) {
	fmt.Fprintf(x.w, strings.Repeat("  ", indent)+bilingual.Say(ja, en).In(x.lang)+"\n", a...)
}

// Explain shows how a control is read: what it serves, the plan of each
// expression as a tree, and who brings what it reads.
func (d Desk) Explain(w io.Writer, l bilingual.Lang, c control.Control, r *judge.Rule, speed string) {
	x := reader{d, w, l, c}
	x.line(0, "%[1]s  %[2]s", "%[1]s  %[2]s", c.ID, c.Title.In(l))
	for _, id := range c.Clauses {
		if cl, ok := d.Directive.Clause(id); ok {
			x.line(1, "項 %s  %s %s", "clause %s  %s %s", id, cl.Label.In(l), cl.Title.In(l))
		}
	}
	x.line(1, "対象 %s", "kinds %s", strings.Join(c.Kinds, ", "))
	if r.Fault() != nil {
		x.line(1, "誤り\n%v", "faults\n%v", r.Fault())
		return
	}
	if speed != "" {
		x.line(1, "速さ %s", "speed %s", speed)
	}
	applies, check, exceptions := r.Plans()
	x.line(1, "費用 最大の対象で %d 段階以下", "cost at most %d steps on the largest subject", applies.Cost+check.Cost)
	x.line(0, "適用条件", "applies")
	x.node(1, applies.Root)
	x.line(0, "適合の条件", "conforms when")
	x.node(1, check.Root)
	for i, e := range exceptions {
		x.line(0, "例外 %s", "exception of %s", c.Exceptions[i].Clause)
		x.node(1, e.Root)
	}
	x.reads()
	x.parameters()
}

var names = map[rule.Op]bilingual.Text{
	rule.And: bilingual.Say("すべて", "all of"), rule.Or: bilingual.Say("いずれか", "any of"), rule.Not: bilingual.Say("否定", "not"),
	rule.If: bilingual.Say("場合分け", "if, then, else"), rule.All: bilingual.Say("各要素が", "every element"), rule.Exists: bilingual.Say("ある要素が", "some element"),
	rule.Count: bilingual.Say("件数", "how many elements"),
}

// node draws a plan as a tree: connectives by name, what cel-go evaluates as
// written, each with its line and column.
func (x reader) node(indent int, n *rule.Node) {
	place := n.Place[strings.LastIndexByte(n.Place, '/')+1:]
	name, connective := names[n.Op]
	switch {
	case !connective:
		x.line(indent, "%s   (%s)", "%s   (%s)", n.Text, place)
	case n.Op == rule.All || n.Op == rule.Exists || n.Op == rule.Count:
		x.line(indent, "%s %s   (%s)", "%s: %s   (%s)", name.In(x.lang), n.Text, place)
	default:
		x.line(indent, "%s", "%s", name.In(x.lang))
	}
	for _, k := range n.Kids {
		x.node(indent+1, k)
	}
}

func (x reader) reads() {
	if len(x.control.Needs) == 0 {
		return
	}
	x.line(0, "読む項目", "reads")
	for _, id := range x.control.Kinds {
		for _, name := range x.control.Needs {
			if f, ok := x.Kinds[id].Field(name); ok {
				x.line(1, "%s.%s  %s  %s ← %s", "%s.%s  %s  %s ← %s", id, name, f.Type, f.Label.In(x.lang), bringer(f))
			}
		}
	}
}

// bringer is who brings a field: a collector, a register or a derivation, and the
// parameter that says how long it holds.
func bringer(f kind.Field) string {
	var by []string
	if f.In(kind.Observed) {
		by = append(by, "collect/"+f.Group+" ("+kind.Fresh(f.Group)+")")
	}
	if f.In(kind.Derived) {
		by = append(by, "derive/"+f.Derive)
	}
	if f.In(kind.Declared) {
		by = append(by, "register")
	}
	return strings.Join(by, ", ")
}

func (x reader) parameters() {
	keys := slices.Clone(x.control.Parameters)
	if rec := x.control.Record; rec != nil {
		x.line(0, "人の回答  %s", "asks a person  %s", rec.Question.In(x.lang))
		keys = append(keys, rec.Fresh)
	}
	if len(keys) > 0 {
		x.line(0, "別途定める値", "parameters")
	}
	for _, key := range keys {
		p := x.Directive.Parameters[key]
		x.line(1, "%s  %s = %s（%s）", "%s  %s = %s (%s)", key, p.Label.In(x.lang), p.Format(p.Default, x.lang), p.Mark().In(x.lang))
	}
}

// Verdict shows a verdict with what decided it and until when.
func (d Desk) Verdict(w io.Writer, l bilingual.Lang, v verdict.Verdict) {
	x := reader{Desk: d, w: w, lang: l}
	x.line(0, "判定 %s  %s", "verdict %s  %s", v.Outcome.Label().In(l), v.Subject)
	if v.Base != "" {
		x.line(1, "元の判定 %s", "without what lies over it: %s", v.Base.Label().In(l))
	}
	for _, r := range v.Reasons {
		x.line(1, "・%s", "- %s", r.In(l))
		if r.Text != "" {
			x.line(2, "%s", "%s", r.Text)
		}
	}
	if !v.Since.IsZero() {
		x.line(1, "%s から", "since %s", verdict.Show(v.Since, l))
	}
	if !v.NextChange.IsZero() {
		to := v.ChangesTo.Label().In(l)
		if v.ChangesTo == "" {
			to = bilingual.Say("（値の変更による）", "(a parameter changes)").In(l)
		}
		x.line(1, "時間の経過のみで %s に変わる：%s", "by time alone it becomes %s: %s", to, verdict.Show(v.NextChange, l))
	}
}
