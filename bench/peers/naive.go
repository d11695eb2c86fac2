package peers

import (
	"fmt"
	"reflect"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"kakusho/control"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge/fleet"
	"kakusho/kind"
	"kakusho/rule"
	"kakusho/verdict"
)

// Naive is cel-go as it is commonly used: each control is one program over a
// typed subject, evaluated for every subject. A fact that is not known is cel-go's
// unknown, so that the logic is three-valued as ours is.
type Naive struct {
	schema *rule.Schema
	rules  []naiveRule
}

type naiveRule struct {
	applies, check cel.Program
}

// NewNaive compiles the controls.
func NewNaive(controls []control.Control, kinds kind.Set, ps directive.Parameters) (*Naive, error) {
	schema, err := rule.NewSchema([]kind.Kind{kinds["computer"]}, ps, false)
	if err != nil {
		return nil, err
	}
	n := &Naive{schema: schema}
	for _, c := range controls {
		applies, f := schema.Plan(c.Applies, 0)
		check, g := schema.Plan(c.Rule, 0)
		if len(f)+len(g) > 0 {
			return nil, fmt.Errorf("plan %s: %v %v", c.ID, f, g)
		}
		n.rules = append(n.rules, naiveRule{applies.Whole, check.Whole})
	}
	return n, nil
}

// Slots is a subject as its values stand ready for cel-go.
type Slots struct {
	values map[*rule.Field]slot
	params map[*rule.Param]ref.Val
}

type slot struct {
	val    ref.Val // nil: not known
	absent bool
	until  time.Time
}

// Prepare makes a subject's values ready.
func (n *Naive) Prepare(s fleet.Subject, v directive.Values) *Slots {
	out := &Slots{values: map[*rule.Field]slot{}, params: map[*rule.Param]ref.Val{}}
	for _, f := range n.schema.Fields {
		cells := s.Facts
		if f.Declared && !f.Observed {
			cells = s.Declared
		}
		cell, ok := cells[f.Name]
		if !ok {
			continue
		}
		sl := slot{absent: cell.Fact.Status == fact.Absent}
		if limit, ok := v[cell.Fresh].Value.(time.Duration); ok && cell.Fresh != "" {
			sl.until = cell.ObservedAt.Add(limit)
		}
		if cell.Fact.Status == fact.Observed {
			sl.val = n.value(cell.Fact.Value, f)
		}
		out.values[f] = sl
	}
	for _, p := range n.schema.Params {
		out.params[p] = n.value(v[p.Key].Value, &rule.Field{Type: p.Type})
	}
	return out
}

func (n *Naive) value(raw any, f *rule.Field) ref.Val {
	list, ok := raw.([]any)
	if !ok {
		return n.schema.NativeToValue(raw)
	}
	vals := make([]ref.Val, len(list))
	for i, e := range list {
		if m, ok := e.(map[string]any); ok {
			r := &record{of: f.Of, vals: map[*rule.Field]ref.Val{}}
			for name, sub := range f.Of.Fields {
				if m[name] != nil {
					r.vals[sub] = n.schema.NativeToValue(m[name])
				}
			}
			vals[i] = r
			continue
		}
		vals[i] = types.String(e.(string))
	}
	return types.NewRefValList(n.schema, vals)
}

// Judge evaluates one control for one subject.
func (n *Naive) Judge(i int, s *Slots, at time.Time) verdict.Outcome {
	a := &activation{s: s, at: at}
	a.self = a
	if v, _, err := n.rules[i].applies.Eval(a); v != types.True {
		if err == nil && v == types.False {
			return verdict.NotApplicable
		}
		return verdict.Unknown
	}
	switch v, _, _ := n.rules[i].check.Eval(a); v {
	case types.True:
		return verdict.Conforms
	case types.False:
		return verdict.Violates
	}
	return verdict.Unknown
}

// activation is what s, p and now stand for.
type activation struct {
	s    *Slots
	at   time.Time
	self any
}

var missing = types.NewUnknown(1, nil)

// ReadField implements rule.Source.
func (a *activation) ReadField(f *rule.Field, _, has bool) ref.Val {
	sl := a.s.values[f]
	stale := !sl.until.IsZero() && !a.at.Before(sl.until)
	switch {
	case has && sl.absent && !stale:
		return types.False
	case sl.val == nil || stale:
		return missing
	case has:
		return types.True
	}
	return sl.val
}

// ReadParam implements rule.Source.
func (a *activation) ReadParam(p *rule.Param) ref.Val { return a.s.params[p] }

// ReadAnswer implements rule.Source. None of the controls asks.
func (a *activation) ReadAnswer(string, bool) ref.Val { return missing }

// ResolveName implements cel-go's Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	switch name {
	case "s", "d", "p":
		return a.self, true
	case "now":
		return types.Timestamp{Time: a.at}, true
	}
	return nil, false
}

// Parent implements cel-go's Activation.
func (a *activation) Parent() interpreter.Activation { return nil }

// record is one element of a list.
type record struct {
	of   *rule.Record
	vals map[*rule.Field]ref.Val
}

// Read implements rule.Element.
func (r *record) Read(sub *rule.Field, has bool) ref.Val {
	v, ok := r.vals[sub]
	switch {
	case has && ok:
		return types.True
	case ok:
		return v
	}
	return missing
}

// ConvertToNative implements ref.Val.
func (r *record) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a record cannot be converted to %v", t)
}

// ConvertToType implements ref.Val.
func (r *record) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("a record cannot be converted to %s", t.TypeName())
}

// Equal implements ref.Val.
func (r *record) Equal(o ref.Val) ref.Val { return types.Bool(o == ref.Val(r)) }

// Type implements ref.Val.
func (r *record) Type() ref.Type { return types.NewObjectType(r.of.TypeName) }

// Value implements ref.Val.
func (r *record) Value() any { return r }
