package author

import (
	"fmt"
	"slices"
	"time"

	"kakusho/control"
	"kakusho/directive"
	"kakusho/judge"
	"kakusho/rule"
)

// logic finds expressions that say the same of every subject. Unknown facts leave
// them unknown even so: the judge does not know tautologies.
func (f *finder) logic() {
	appliesPlan, checkPlan, exceptions := f.rule.Plans()
	a := &alphabet{
		scale: f.rule.Scale(judge.Subject{}, directive.Values{}, time.Time{}), number: map[string]int{}, rivals: map[int]string{},
	}
	applies, check := a.read(appliesPlan.Root), a.read(checkPlan.Root)
	var grants []form
	for _, x := range exceptions {
		grants = append(grants, a.read(x.Root))
	}
	if !a.possible(applies) {
		f.grave(f.at("applies"), "適用条件は常に偽であり、どの対象にも適用されない。", "applies is never true: the control is about nothing")
		return
	}
	if !a.possible(all(applies, not(check))) {
		f.grave(f.at("rule"), "適用される対象では式が常に真となり、違反を示すことがない。", "the rule is true of everything it applies to: it can never find a violation")
		return
	}
	if !a.possible(all(applies, check)) {
		f.grave(f.at("rule"), "適用される対象では式が常に偽となり、適合することがない。", "the rule is false of everything it applies to: nothing can ever conform")
		return
	}
	violated := all(applies, not(check))
	for i, g := range grants {
		part := fmt.Sprintf("exceptions[%d].when", i)
		switch {
		case !a.possible(all(violated, g)):
			f.grave(f.at(part), "この例外は、適用されて違反となる場合には成り立ち得ない。", "the exception can never be granted: it does not hold of anything that violates")
		case !a.possible(all(append([]form{violated, g}, negated(grants[:i])...)...)):
			f.advise(f.at(part), "この例外が成り立つときは、前の例外が必ず成り立つ。", "whenever this exception holds, an earlier one does")
		}
	}
	f.idle(a, check, applies)
}

func negated(fs []form) (out []form) {
	for _, f := range fs {
		out = append(out, not(f))
	}
	return out
}

// idle finds operands that decide nothing.
func (f *finder) idle(a *alphabet, check, applies form) {
	seen := map[int]bool{}
	check.leaves(func(leaf form) {
		if seen[leaf.letter] {
			return
		}
		seen[leaf.letter] = true
		yes, no := check.with(leaf.letter, holds), check.with(leaf.letter, no)
		if !a.possible(all(applies, yes, not(no))) && !a.possible(all(applies, no, not(yes))) {
			f.advise(leaf.place, "「%s」は結果を左右しない。", "%s decides nothing: the rest comes to the same either way", leaf.text)
		}
	})
}

// vacuous finds all() over lists that may be empty.
func (f *finder) vacuous() {
	_, check, _ := f.rule.Plans()
	universal := false
	walk(check.Root, func(n *rule.Node) {
		if n.Op != rule.All || n.List == nil || n.List.Field == nil {
			return
		}
		universal = true
		if !f.emptied(n.List.Field.Name) {
			f.empty(n.Place, n.List.Field.Name)
		}
	})
	if f.control.Empty == "ok" && !universal {
		f.advise(f.at("needs"), "empty: ok は、式に all() がないため意味を持たない。", "empty: ok says nothing: the rule has no all()")
	}
}

func (f *finder) empty(place, list string) {
	ja, en := "未確認", "unknown"
	if f.control.Empty == "ok" {
		ja, en = "適合", "conforms"
	}
	f.advise(place, fmt.Sprintf("%s が空のとき判定は「%s」となるが、これを示すケースがない（facts: {%s: []}）。意図と異なる場合は control.yaml の empty を見直すこと。", list, ja, list),
		fmt.Sprintf("where %s is empty the verdict is %s, which no case shows (facts: {%s: []}); if that is not meant, look at empty in control.yaml", list, en, list))
}

// emptied reports whether a case shows the list empty.
func (f *finder) emptied(name string) bool {
	return slices.ContainsFunc(f.control.Cases, func(c control.Case) bool {
		for _, v := range []any{c.Facts[name], c.Declared[name]} {
			if l, ok := v.([]any); ok && len(l) == 0 {
				return true
			}
		}
		return false
	})
}

// walk visits n and what is under it, but no predicate on elements.
func walk(n *rule.Node, visit func(*rule.Node)) {
	visit(n)
	if n.Op == rule.All || n.Op == rule.Exists || n.Op == rule.Count {
		return
	}
	for _, k := range n.Kids {
		walk(k, visit)
	}
}
