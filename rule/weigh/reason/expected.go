package reason

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"kakusho/directive"
	"kakusho/rule"
)

// expected says what a read would have to be for n to come out as the rule wants.
func (b *Book) expected(n *rule.Node, rd rule.Read, pol int) string {
	ofElement := func(r rule.Read) bool { return r.From == rule.FromElement }
	if pol == 0 || !ofElement(rd) && slices.ContainsFunc(n.Reads, ofElement) {
		return "" // another for every element
	}
	var s string
	switch {
	case n.Op == rule.Count:
		return b.countExpected(n, pol)
	case n.Op != rule.Atom:
		return "" // of elements, not of the list
	case n.Clocked != 0:
		s = b.threshold(n, rd, pol)
	case n.Cmp != "":
		s = b.compared(n, rd, pol)
	case n.LeftSide.Bare && rd.Has:
		s = map[int]string{+1: "present", -1: "none"}[pol]
	case n.LeftSide.Bare:
		s = strconv.FormatBool(pol > 0)
	}
	switch {
	case s != "":
		return s
	case pol < 0:
		return "!(" + n.Text + ")"
	}
	return n.Text
}

// compared renders a comparison from the side on which rd stands.
func (b *Book) compared(n *rule.Node, rd rule.Read, pol int) string {
	own, other, verb := n.LeftSide, n.Right, sign(n.Cmp, pol)
	if !slices.Contains(own.Reads, rd) {
		own, other, verb = n.RightSide, n.Left, sign(mirrored(n.Cmp), pol)
		if n.Cmp == operators.In {
			verb = map[int]string{+1: "contains", -1: "without"}[pol]
		}
	}
	v, fault := b.scale.Value(other)
	if fault != "" || types.IsUnknown(v) || !own.Bare && !own.Size {
		return ""
	}
	if own.Size {
		verb = "size " + verb
	}
	return verb + " " + render(v)
}

func (b *Book) countExpected(n *rule.Node, pol int) string {
	if pol == 0 {
		return ""
	}
	v, fault := b.scale.Value(n.Right)
	if fault != "" || types.IsUnknown(v) {
		return ""
	}
	return sign(n.Cmp, pol) + " " + render(v)
}

// threshold is the instant against which an age or a deadline was measured.
func (b *Book) threshold(n *rule.Node, rd rule.Read, pol int) string {
	t, ok := b.scale.State(rd).Raw.(time.Time)
	if !ok {
		return ""
	}
	gap, ok := b.scale.Gap(n)
	if !ok {
		return ""
	}
	// An instant always pulls the other way than now.
	cmp := n.Cmp
	if n.Clocked > 0 {
		cmp = mirrored(cmp)
	}
	return sign(cmp, pol) + " " + instant(t.Add(gap*time.Duration(n.Clocked)))
}

func mirrored(cmp string) string {
	switch cmp {
	case operators.Less:
		return operators.Greater
	case operators.LessEquals:
		return operators.GreaterEquals
	case operators.Greater:
		return operators.Less
	case operators.GreaterEquals:
		return operators.LessEquals
	}
	return cmp
}

var signs = map[string][2]string{ // as written, and its negation
	operators.Less: {"<", ">="}, operators.LessEquals: {"<=", ">"}, operators.Greater: {">", "<="}, operators.GreaterEquals: {">=", "<"},
	operators.Equals: {"==", "!="}, operators.NotEquals: {"!=", "=="}, operators.In: {"in", "not in"},
}

func sign(cmp string, pol int) string {
	if pol < 0 {
		return signs[cmp][1]
	}
	return signs[cmp][0]
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// render writes a value as a reason shows it.
func render(v ref.Val) string {
	switch x := v.(type) {
	case types.String:
		return strconv.Quote(string(x))
	case types.Timestamp:
		return instant(x.Time)
	case types.Duration:
		return directive.FormatDuration(x.Duration)
	case traits.Lister:
		var parts []string
		for i := range int(x.Size().(types.Int)) {
			if i == 2*shown {
				parts = append(parts, "…")
				break
			}
			parts = append(parts, render(x.Get(types.Int(i))))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprint(v.Value())
}
