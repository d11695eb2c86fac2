package author

import (
	"fmt"
	"math"
	"time"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"kakusho/calendar"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/rule"
	"kakusho/rule/weigh"
)

// Trial is what came of one case.
type Trial struct {
	Case  control.Case
	Place string // file:line
	Fault string // empty: it came out as the case says
}

// Try judges every case of a control, and evaluates its expressions as plain
// programs of cel-go, which must agree.
func (d Desk) Try(c control.Control, r *judge.Rule) (trials []Trial) {
	for _, x := range c.Cases {
		t := Trial{Case: x, Place: fmt.Sprintf("%s/cases.txtar:%d", c.Dir, x.Line)}
		if err := judge.Case(r, x, d.Kinds, d.Directive.Parameters); err != nil {
			t.Fault = err.Error()
		} else {
			t.Fault = r.Disagreement(judge.CaseSubject(r, x, d.Kinds), judge.CaseValues(x, d.Directive.Parameters), x.At)
		}
		trials = append(trials, t)
	}
	return trials
}

// atomCase is how an atom came out in one case.
type atomCase struct {
	truth weigh.Truth
	steps float64 // how far its left side is from its right one, in the least steps of their type
	far   bool    // no such distance
}

// shown finds atoms of the rule that no case shows true, or false, and order
// comparisons at whose boundary no two cases stand.
func (f *finder) shown() {
	_, check, _ := f.rule.Plans()
	var scales []*weigh.Scale
	for _, c := range f.control.Cases {
		scales = append(scales, f.rule.Scale(judge.CaseSubject(f.rule, c, f.Kinds), judge.CaseValues(c, f.Directive.Parameters), c.At))
	}
	if len(scales) == 0 {
		return
	}
	walk(check.Root, func(n *rule.Node) {
		if n.Op == rule.And || n.Op == rule.Or || n.Op == rule.Not || n.Op == rule.If {
			return
		}
		var at []atomCase
		for _, w := range scales {
			at = append(at, weighed(w, n))
		}
		f.bothWays(n, at)
		if n.Ordering() {
			f.boundary(n, at, scales)
		}
	})
}

func weighed(w *weigh.Scale, n *rule.Node) atomCase {
	c := atomCase{truth: w.Weigh(n, +1).Truth, far: true}
	if !n.Ordering() {
		return c
	}
	left, _ := w.Value(n.Left)
	right, _ := w.Value(n.Right)
	if x, ok := left.(types.Int); ok {
		if y, ok := right.(types.Int); ok {
			c.steps, c.far = float64(x)-float64(y), false
		}
	} else if gap, ok := w.Gap(n); ok {
		c.steps, c.far = gap.Seconds()/step(n).Seconds(), false
	}
	return c
}

// step is the least by which what n compares can differ in a case.
func step(n *rule.Node) time.Duration {
	for _, rd := range n.Reads {
		if rd.Field != nil && rd.Field.Type == kind.Date {
			return 24 * time.Hour
		}
	}
	return time.Second
}

func (f *finder) bothWays(n *rule.Node, at []atomCase) {
	var seen [4]bool
	for _, c := range at {
		seen[c.truth] = true
	}
	if !seen[weigh.Yes] {
		f.advise(n.Place, "「%s」が真となるケースがない。", "no case in which %s is true", n.Text)
	}
	if !seen[weigh.No] {
		f.advise(n.Place, "「%s」が偽となるケースがない。", "no case in which %s is false", n.Text)
	}
}

// boundary wants two cases one step apart of which one is true and one false.
func (f *finder) boundary(n *rule.Node, at []atomCase, scales []*weigh.Scale) {
	comparable := false
	var near [2]bool
	for _, c := range at {
		if c.far || c.truth > weigh.Yes {
			continue
		}
		comparable = true
		near[c.truth] = near[c.truth] || math.Abs(c.steps) <= 1
	}
	if !comparable || near[weigh.Yes] && near[weigh.No] {
		return
	}
	below, above := f.beside(n, at, scales)
	if below == "" {
		f.advise(n.Place, "「%s」の境界の前後を示す二つのケースがない。", "no two cases stand on either side of the boundary of %s", n.Text)
		return
	}
	f.advise(n.Place, "「%s」の境界の前後を示すケースがない。%s と %s のケースを加えるとよい。", "no cases stand at the boundary of %s; add one with %s and one with %s", n.Text, below, above)
}

// beside proposes the values of n's field on the two sides of its boundary.
func (f *finder) beside(n *rule.Node, at []atomCase, scales []*weigh.Scale) (below, above string) {
	if len(n.Reads) != 1 || n.Reads[0].Field == nil || n.Reads[0].From == rule.FromElement {
		return "", ""
	}
	rd := n.Reads[0]
	for i, w := range scales {
		if at[i].far {
			continue
		}
		edge, mirrored := threshold(w, n, rd)
		if edge == nil {
			continue
		}
		// At the edge x >= p is true and x < p is false: one below it is otherwise.
		one := 1
		if (n.Cmp == operators.GreaterEquals || n.Cmp == operators.Less) != mirrored {
			one = -1
		}
		return rd.Field.Name + ": " + written(edge, 0, rd.Field.Type), rd.Field.Name + ": " + written(edge, one, rd.Field.Type)
	}
	return "", ""
}

// threshold is the value of rd at which both sides of n are equal, and whether a
// greater value of the field makes the right side greater, or the left one less.
func threshold(w *weigh.Scale, n *rule.Node, rd rule.Read) (edge ref.Val, mirrored bool) {
	if n.Clocked != 0 {
		t, ok := w.State(rd).Raw.(time.Time)
		gap, ok2 := w.Gap(n)
		if !ok || !ok2 {
			return nil, false
		}
		return types.Timestamp{Time: t.Add(gap * time.Duration(n.Clocked))}, n.Clocked > 0
	}
	other, mirrored := n.Right, false
	switch {
	case n.LeftSide.Bare && len(n.RightSide.Reads) == 0:
	case n.RightSide.Bare && len(n.LeftSide.Reads) == 0:
		other, mirrored = n.Left, true
	default:
		return nil, false
	}
	v, _ := w.Value(other)
	switch v.(type) {
	case types.Int, types.Timestamp, types.Duration:
		return v, mirrored
	}
	return nil, false
}

// written is a value some steps from v, as a case would have it.
func written(v ref.Val, steps int, t kind.Type) string {
	switch x := v.(type) {
	case types.Int:
		return fmt.Sprint(int64(x) + int64(steps))
	case types.Duration:
		return directive.FormatDuration(x.Duration + time.Duration(steps)*time.Second)
	case types.Timestamp:
		if t == kind.Date {
			local := x.Time.In(calendar.Tokyo())
			if h, m, s := local.Clock(); steps < 0 && h+m+s > 0 {
				steps = 1 // days begin at midnight: the boundary lies between two
			}
			return local.AddDate(0, 0, steps).Format(time.DateOnly)
		}
		return x.Time.Add(time.Duration(steps) * time.Second).UTC().Format(time.RFC3339)
	}
	return ""
}
