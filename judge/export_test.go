package judge

import (
	"slices"
	"time"

	"cel.dev/cel-go/common/types"

	"kakusho/control"
	"kakusho/directive"
	"kakusho/kind"
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
	for _, g := range c.Grounds {
		texts = append(texts, g.When)
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
