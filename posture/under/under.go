// Package under reads rows as a directive sees them: with the decisions that count
// under it.
//
// Posture joins whatever decisions the rows hold. Over these rows it is given those
// of one directive only, or, for a directive that was never adopted, those that
// would be carried over if it were.
package under

import (
	"context"

	"kakusho/control/carry"
	"kakusho/decision"
	"kakusho/store"
)

// Sees says how a directive sees a decision: as it is, as another, or not at all.
type Sees func(decision.Decision) (decision.Decision, bool)

// Adopted sees the decisions that were given under a directive, or carried over to
// it.
func Adopted(source string) Sees {
	return func(d decision.Decision) (decision.Decision, bool) { return d, carry.Under(source, d) }
}

// Planned sees also what the planner would carry over to its successor. Each keeps
// its ID, so that who follows it finds the decision that was really given.
func Planned(p *carry.Planner) Sees {
	return func(d decision.Decision) (decision.Decision, bool) {
		if carry.Under(p.To().Source, d) {
			return d, true
		}
		if !carry.Under(p.From().Source, d) {
			return d, false
		}
		line := p.Of(d)
		line.New.ID = d.ID
		return line.New, line.Fate == carry.Carried
	}
}

// Rows are rows with only the decisions that are seen.
func Rows(rows store.Store, sees Sees) store.Store { return seen{rows, sees} }

type seen struct {
	store.Store
	sees Sees
}

// View implements store.Store.
func (s seen) View(ctx context.Context, fn func(store.Reader) error) error {
	return s.Store.View(ctx, func(r store.Reader) error { return fn(reader{r, s.sees}) })
}

type reader struct {
	store.Reader
	sees Sees
}

// List implements store.Reader.
func (r reader) List(ctx context.Context, of store.Row, w store.Where, each func(store.Row) error) error {
	if _, ok := of.(*store.Decision); !ok {
		return r.Reader.List(ctx, of, w, each)
	}
	return r.Reader.List(ctx, of, w, func(row store.Row) error {
		d := row.(*store.Decision)
		as, ok := r.sees(d.Decision)
		if !ok {
			return nil
		}
		return each(&store.Decision{Decision: as, Entry: d.Entry})
	})
}
