package govern

import (
	"context"
	"time"

	"kakusho/actor"
	"kakusho/decision"
	"kakusho/gate"
	"kakusho/store"
)

// setAside are the types of decision that somebody else approves.
func setAside() (types []any) {
	for _, t := range decision.Types {
		if t.NeedsApproval() {
			types = append(types, string(t))
		}
	}
	return types
}

// Pending are the decisions and the values that wait for approval at an instant, the
// oldest first.
func (g *Govern) Pending(ctx context.Context, p gate.Permit, at time.Time) (ds []decision.Decision, ss []Proposal, err error) {
	p.Who()
	err = g.rows.View(ctx, func(r store.Reader) (err error) {
		ds, err = decisionsWhere(ctx, r, store.Where{In: map[string][]any{"type": setAside()}, After: map[string]any{"until": at},
			Equal: map[string]any{"approved_at": nil, "withdrawn_at": nil}, Sort: []string{"entry"}})
		if err == nil {
			ss, err = store.All[Proposal](ctx, r, store.Where{Equal: map[string]any{"approver": "", "withdrawn_at": nil}, Sort: []string{"entry"}})
		}
		return err
	})
	return ds, ss, err
}

// Ending are the decisions that set something aside at an instant and no longer at
// until, the first to end first.
func (g *Govern) Ending(ctx context.Context, p gate.Permit, at, until time.Time) (ds []decision.Decision, err error) {
	p.Who()
	err = g.rows.View(ctx, func(r store.Reader) (err error) {
		ds, err = decisionsWhere(ctx, r, store.Where{In: map[string][]any{"type": setAside()}, After: map[string]any{"until": at},
			Before: map[string]any{"until": until.Add(1)}, Equal: map[string]any{"withdrawn_at": nil}, Sort: []string{"until"}})
		return err
	})
	in := ds[:0]
	for _, d := range ds {
		if d.InForce(at) {
			in = append(in, d)
		}
	}
	return in, err
}

func decisionsWhere(ctx context.Context, r store.Reader, w store.Where) (out []decision.Decision, err error) {
	err = r.List(ctx, &store.Decision{}, w, func(row store.Row) error {
		out = append(out, row.(*store.Decision).Decision)
		return nil
	})
	return out, err
}

// MayGive reports whether somebody could take a decision like d about what belongs to
// places, without asking: nothing is recorded.
func (g *Govern) MayGive(who actor.Actor, d decision.Decision, places []string, at time.Time) bool {
	return gate.Request{Actor: who, At: at, Action: gate.GiveDecision, Need: g.duties(d), Scope: places}.Allows()
}
