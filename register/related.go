package register

import (
	"slices"

	"kakusho/actor"
	"kakusho/store"
)

// party reports whether he who takes the step answers for what it is about.
func (t *taking) party() bool {
	places := t.places()
	return slices.ContainsFunc(t.who.Assignments, func(as actor.Assignment) bool {
		return slices.Contains(t.step.Apart, as.Duty) && (as.Scope == "*" || len(places) == 0 || slices.Contains(places, as.Scope))
	})
}

// mostUnended is how many entries that have not ended a refusal names.
const mostUnended = 20

// related adds a fault for every entry that does not stand as the step asks.
func (t *taking) related() error {
	for _, w := range t.step.While {
		f, _ := t.kind.Field(w.At)
		id, _ := t.main.values[w.At].(string)
		of, _, err := store.Get(t.ctx, t.rd, store.Subject{Kind: f.To, ID: id})
		if err != nil {
			return err
		}
		v, _ := of.Values[w.Field].(string)
		if of.Retired || !slices.Contains(w.Values, v) || !slices.Equal(placesOf(t.r.kinds[f.To], id, of.Values), placesOf(t.kind, t.main.id, t.main.values)) {
			t.fault(w.At, "この操作を行える状態にない。", "it does not stand so that this could be done")
		}
	}
	for _, a := range t.step.After {
		p, _ := t.r.procedures.Of(a.Kind)
		rows, err := store.All[store.Subject](t.ctx, t.rd, store.Where{Equal: map[string]any{"kind": a.Kind, "retired": false, "values." + a.By: t.main.id}, Sort: []string{"id"}})
		if err != nil {
			return err
		}
		for _, row := range rows {
			state, _ := row.Values[p.Field].(string)
			if s, _ := p.State(state); !s.Final && len(t.faults) < mostUnended {
				t.fault(t.procedure.Field, row.Name+"（"+row.ID+"）が終了していない。", row.Name+" ("+row.ID+") has not ended")
			}
		}
	}
	return nil
}
