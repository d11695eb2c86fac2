package judge

import (
	"fmt"
	"slices"
	"time"

	"cel.dev/cel-go/common/types"

	"kakusho/control"
	"kakusho/directive"
	"kakusho/kind"
	"kakusho/rule"
	"kakusho/rule/weigh"
	"kakusho/verdict"
)

// Named lists what the expressions of a control name.
func Named(c control.Control, kinds kind.Set, params directive.Parameters) (fields, keys []string) {
	s, err := schemaOf(c, kinds, params)
	if err != nil {
		panic(err)
	}
	texts := []string{c.Rule, c.Applies}
	for _, x := range c.Exceptions {
		texts = append(texts, x.When)
	}
	for _, text := range texts {
		if p, _ := s.Plan(text, 0); p != nil {
			fields, keys = append(fields, p.Fields...), append(keys, p.Params...)
		}
	}
	slices.Sort(fields)
	slices.Sort(keys)
	return slices.Compact(fields), slices.Compact(keys)
}

// Disagreement weighs every expression of the rule and evaluates it as one
// program of plain cel-go, and says where they differ. An empty list, which a
// control may refuse to call conforming, counts as true in both.
func (r *Rule) Disagreement(s Subject, p directive.Values, at time.Time) string {
	c := r.control
	c.Empty = "ok"
	m := &weigh.Matter{
		Schema: r.schema, Control: c, Facts: s.Facts, Declared: s.Declared, Decisions: s.Decisions, Params: p, At: at, Nodes: r.nodes,
	}
	for _, plan := range append([]*rule.Plan{r.check, r.applies}, r.exceptions...) {
		w := m.Scale(at)
		got := w.Weigh(plan.Root, +1)
		v, fault := w.Value(plan.Whole)
		want := weigh.Broken
		switch x := v.(type) {
		case types.Bool:
			want = map[bool]weigh.Truth{true: weigh.Yes, false: weigh.No}[bool(x)]
		case *types.Unknown:
			want = weigh.Unsure
		}
		if got.Truth != want {
			return fmt.Sprintf("%s: planned %d (%s), plain cel-go %d (%s)", plan.Root.Text, got.Truth, got.Fault, want, fault)
		}
	}
	return ""
}

// Outcome is the outcome alone.
func (r *Rule) Outcome(s Subject, p directive.Values, at time.Time) verdict.Outcome {
	j := r.judging(&s, p, at, nil)
	return j.settle(j.matter.Scale(at)).outcome
}

// Plain is the rule as one program of cel-go.
func (r *Rule) Plain(s Subject, p directive.Values, at time.Time) bool {
	v, _ := r.judging(&s, p, at, nil).matter.Scale(at).Value(r.check.Whole)
	return v == types.True
}
