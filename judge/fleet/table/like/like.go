// Package like tells apart the cells that a part of a rule may tell apart. Those
// alike come to the same, so that rule/weigh need be asked about one of them only:
// of all lists of five, all texts that are not the one compared with, all cells
// that have a value where nothing but that is asked.
package like

import (
	"cmp"
	"math"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"kakusho/fact"
	"kakusho/judge/fleet/column"
	"kakusho/kind"
	"kakusho/rule"
)

// Likeness is what is asked of cells. It does not change.
type Likeness struct {
	fields []*rule.Field
	marks  []func(any) bool // what is asked of the value
	sized  bool             // the size of the list is asked for
	signed bool             // the two values are compared
	value  func(cel.Program) (ref.Val, string)
}

// maxMarks is how many questions fit into a key.
const maxMarks = 24

// New finds out what a node that now does not matter to asks of the cells of
// fields; nil if it is something that only weigh can answer for each value. value
// evaluates what reads no field.
func New(n *rule.Node, fields []*rule.Field, value func(cel.Program) (ref.Val, string)) *Likeness {
	k := &Likeness{fields: fields, value: value}
	switch {
	case len(fields) == 2 && compares(n):
		k.signed = true
		return k
	case len(fields) != 1 || !k.note(n) || len(k.marks) > maxMarks:
		return nil
	}
	k.value = nil
	return k
}

// compares reports whether n compares one field with another.
func compares(n *rule.Node) bool {
	return n.Op == rule.Atom && n.Cmp != "" && n.Cmp != operators.In &&
		n.LeftSide.Bare && n.RightSide.Bare && !n.LeftSide.Reads[0].Has && !n.RightSide.Reads[0].Has
}

// note gathers what n and all below it ask.
func (k *Likeness) note(n *rule.Node) bool {
	if n.Op >= rule.All {
		return false // elements are asked about
	}
	for _, kid := range n.Kids {
		if !k.note(kid) {
			return false
		}
	}
	if n.Op != rule.Atom || len(n.Reads) == 0 {
		return true
	}
	if n.Cmp == "" {
		return n.LeftSide.Bare && (n.Reads[0].Has || k.fields[0].Type == kind.Bool && k.marked(func(v any) bool { return v == true }))
	}
	side, other := n.LeftSide, n.Right
	if len(side.Reads) == 0 {
		side, other = n.RightSide, n.Left
	}
	switch {
	case len(n.LeftSide.Reads)+len(n.RightSide.Reads) != 1:
		return false
	case side.Size && k.fields[0].Type == kind.List && n.Cmp != operators.In:
		k.sized = true
		return true
	case !side.Bare || side.Reads[0].Has || n.Cmp == operators.In && len(n.LeftSide.Reads) == 0:
		return false
	}
	v, _ := k.value(other)
	if n.Cmp == operators.In {
		return k.marked(among(v, k.fields[0]))
	}
	to := plain(v)
	if !Whole(&column.Entry{Status: fact.Observed, Value: to}, &rule.Field{Type: k.fields[0].Type}) {
		return false
	}
	if n.Cmp == operators.Equals || n.Cmp == operators.NotEquals {
		if _, instant := to.(time.Time); !instant {
			return k.marked(func(raw any) bool { return raw == to })
		}
	}
	if _, ordered := order(to, to); !ordered {
		return false
	}
	return k.marked(func(raw any) bool { c, _ := order(raw, to); return c < 0 }) &&
		k.marked(func(raw any) bool { c, _ := order(raw, to); return c == 0 })
}

// plain is a value of CEL as cells hold it; nil if cells hold no such thing.
func plain(v ref.Val) any {
	switch x := v.(type) {
	case types.Bool:
		return bool(x)
	case types.Int:
		return int64(x)
	case types.Double:
		return float64(x)
	case types.String:
		return string(x)
	case types.Duration:
		return x.Duration
	case types.Timestamp:
		return x.Time
	}
	return nil
}

func (k *Likeness) marked(mark func(any) bool) bool {
	if mark == nil {
		return false
	}
	k.marks = append(k.marks, mark)
	return true
}

// among asks whether a text is in the list v; nil: nobody but CEL can tell.
func among(v ref.Val, f *rule.Field) func(any) bool {
	list, ok := v.(traits.Lister)
	if !ok || !Whole(&column.Entry{Status: fact.Observed, Value: ""}, &rule.Field{Type: f.Type}) {
		return nil
	}
	texts := map[any]bool{}
	for it := list.Iterator(); it.HasNext() == types.True; {
		x, ok := it.Next().(types.String)
		if !ok {
			return nil
		}
		texts[string(x)] = true
	}
	return func(raw any) bool { return texts[raw] }
}

// Key is the same for cells that are alike; none for cells of which weigh alone
// knows how they read.
func (k *Likeness) Key(cells []column.Entry) (key uint64, ok bool) {
	for i := range cells {
		if !Whole(&cells[i], k.fields[i]) {
			return 0, false
		}
	}
	if k.signed {
		sign, ok := order(cells[0].Value, cells[1].Value)
		return uint64(sign + 1), ok
	}
	if k.sized {
		key = uint64(len(cells[0].Value.([]any)))
	}
	for _, mark := range k.marks {
		key <<= 1
		if mark(cells[0].Value) {
			key |= 1
		}
	}
	return key, true
}

// Whole reports whether a cell was seen in full and holds what its field wants.
func Whole(e *column.Entry, f *rule.Field) bool {
	if e.Status != fact.Observed {
		return false
	}
	ok := false
	switch v := e.Value.(type) {
	case bool:
		ok = f.Type == kind.Bool
	case int64:
		ok = f.Type == kind.Int
	case float64:
		ok = f.Type == kind.Number && !math.IsNaN(v)
	case time.Duration:
		ok = f.Type == kind.Duration
	case time.Time:
		ok = f.Type == kind.Time || f.Type == kind.Date
	case string:
		ok = f.Type == kind.String || f.Type == kind.Text || f.Type == kind.Enum || f.Type == kind.Ref
	case []any:
		ok = f.Type == kind.List && pure(v, f)
	}
	return ok && f.Refuses(e.Value) == ""
}

// pure reports whether a list holds nothing but what its field wants.
func pure(list []any, f *rule.Field) bool {
	for _, x := range list {
		_, record := x.(map[string]any)
		_, text := x.(string)
		if record != (f.Of != nil) || !record && !text {
			return false
		}
	}
	return true
}

// order is how a stands to b, where both are of one type that has an order.
func order(a, b any) (int, bool) {
	switch x := a.(type) {
	case int64:
		y, ok := b.(int64)
		return cmp.Compare(x, y), ok
	case float64:
		y, ok := b.(float64)
		return cmp.Compare(x, y), ok
	case time.Duration:
		y, ok := b.(time.Duration)
		return cmp.Compare(x, y), ok
	case time.Time:
		y, ok := b.(time.Time)
		return x.Compare(y), ok
	case string:
		y, ok := b.(string)
		return strings.Compare(x, y), ok
	}
	return 0, false
}
