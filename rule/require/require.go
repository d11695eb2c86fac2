// Package require holds the conditions of procedures against entries of registers, in
// the language of controls: over the entry's fields as s, and the instant as now.
package require

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"kakusho/directive"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/rule"
	"kakusho/rule/weigh"
)

// Rules are the conditions of procedures, compiled. They do not change.
type Rules struct {
	schemas map[string]*rule.Schema          // by kind
	plans   map[string]map[string]*rule.Plan // by kind and text
}

// Compile compiles the conditions of procedures. Every fault names the procedure and
// the rule.
func Compile(kinds kind.Set, procedures procedure.Set) (*Rules, error) {
	r := &Rules{schemas: map[string]*rule.Schema{}, plans: map[string]map[string]*rule.Plan{}}
	var faults []error
	for _, id := range procedures.IDs() {
		p := procedures[id]
		schema, err := rule.NewSchema([]kind.Kind{kinds[p.Kind]}, directive.Parameters{}, false)
		if err != nil {
			return nil, fmt.Errorf("procedure %s: %w", id, err)
		}
		r.schemas[p.Kind], r.plans[p.Kind] = schema, map[string]*rule.Plan{}
		for _, c := range conditions(p) {
			plan, wrong := schema.Plan(c.Rule, 0)
			for _, f := range wrong {
				faults = append(faults, fmt.Errorf("procedure %s: %q: %w", id, c.Rule, f))
			}
			r.plans[p.Kind][c.Rule] = plan
		}
	}
	return r, errors.Join(faults...)
}

func conditions(p procedure.Procedure) (all []procedure.Require) {
	for _, s := range p.States {
		all = append(all, s.Require...)
	}
	for _, s := range p.Steps {
		all = append(all, s.Require...)
	}
	return all
}

// Unmet are the faults of an entry's typed values that do not meet what is required. A
// condition that cannot be told, because a field is blank, is not met.
func (r *Rules) Unmet(k kind.Kind, values map[string]any, required []procedure.Require, at time.Time) (faults []kind.Fault) {
	if len(required) == 0 {
		return nil
	}
	cells := map[string]weigh.Cell{}
	for _, f := range k.Layer(kind.Declared) {
		c := weigh.Cell{Fact: fact.Fact{Field: f.Name, Status: fact.Absent}, ObservedAt: at, ReceivedAt: at}
		if v, ok := values[f.Name]; ok {
			c.Fact.Status, c.Fact.Value = fact.Observed, filledOut(f, v)
		}
		cells[f.Name] = c
	}
	for _, c := range required {
		plan := r.plans[k.ID][c.Rule]
		m := weigh.Matter{Schema: r.schemas[k.ID], Facts: cells, Declared: cells, At: at, Nodes: plan.Next}
		if m.Scale(at).Weigh(plan.Root, +1).Truth != weigh.Yes {
			f, _ := k.Field(c.Field)
			faults = append(faults, kind.Fault{Field: c.Field, Label: f.Label, Message: c.Else})
		}
	}
	return faults
}

// filledOut is the value with every field in every record of a list: what was not
// entered was left blank, where a record that a machine brings may just not say.
func filledOut(f kind.Field, v any) any {
	list, ok := v.([]any)
	if !ok || len(f.Of) == 0 {
		return v
	}
	out := make([]any, len(list))
	for i, e := range list {
		record := map[string]any{}
		for _, of := range f.Of {
			record[of.Name] = nil
		}
		said, _ := e.(map[string]any)
		maps.Copy(record, said)
		out[i] = record
	}
	return out
}
