package judge

import (
	"fmt"
	"time"

	"cel.dev/cel-go/common/types"

	"kakusho/directive"
	"kakusho/rule"
	"kakusho/rule/weigh"
)

// Disagreement weighs every expression of the rule and evaluates it as one
// program of plain cel-go, and says where they differ. An empty list, which a
// control may refuse to call conforming, counts as true in both.
func (r *Rule) Disagreement(s Subject, p directive.Values, at time.Time) string {
	if r.fault != nil {
		return ""
	}
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
