package register

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/kind/table"
	"kakusho/store"
)

// ErrFaults means that a file has faults and nothing of it was applied.
var ErrFaults = errors.New("the file has faults; nothing was imported")

// Plan is what importing a file would do. Nothing has been done.
type Plan struct {
	Sheet   table.Sheet
	Rows    []Planned // new and changed ones, in the order of the file
	New     int
	Changed int
	Same    int
	Wrong   int           // rows with faults
	Faults  []table.Fault // of the file and of every row
}

// Planned is one row that would change something.
type Planned struct {
	Line  int
	Ref   fact.Ref
	New   bool
	Cells []Change

	change change
}

// Change is one field's old and new value; nil is blank.
type Change struct {
	Field    kind.Field
	Old, New any
}

// Plan reads a file and says what importing it would do. A column that the file
// lacks keeps its value; an empty cell clears it.
func (r *Register) Plan(ctx context.Context, p gate.Permit, kindID string, file io.Reader, name string) (Plan, error) {
	k, err := r.readable(p, kindID)
	if err != nil {
		return Plan{}, err
	}
	return r.planFile(ctx, p.Who(), k, file, name, p.At())
}

func (r *Register) planFile(ctx context.Context, who actor.Actor, k kind.Kind, file io.Reader, name string, at time.Time) (Plan, error) {
	sheet, err := table.Read(file, name, k)
	if err != nil {
		return Plan{}, fmt.Errorf("read file: %w", err)
	}
	plan := Plan{Sheet: sheet, Faults: sheet.Faults}
	coming := map[string]bool{} // keys in this file: rows may refer to each other
	for _, row := range sheet.Rows {
		if id, ok := row.Values[k.Key].(string); ok {
			coming[id] = true
		}
	}
	err = r.rows.View(ctx, func(rd store.Reader) error {
		for _, row := range sheet.Rows {
			if err := r.planRow(ctx, rd, who, k, sheet, row, coming, at, &plan); err != nil {
				return err
			}
		}
		return nil
	})
	return plan, err
}

func (r *Register) planRow(ctx context.Context, rd store.Reader, who actor.Actor, k kind.Kind, sheet table.Sheet, row table.Row, coming map[string]bool, at time.Time, plan *Plan) error {
	if len(row.Faults) > 0 {
		plan.Wrong++
		plan.Faults = append(plan.Faults, row.Faults...)
		return nil
	}
	id, _ := row.Values[k.Key].(string)
	var old store.Subject
	if id != "" { // without its key it is a new one, and the plan says that the key is wanted
		var err error
		if old, _, err = store.Get(ctx, rd, store.Subject{Kind: k.ID, ID: id}); err != nil {
			return err
		}
	}
	values := maps.Clone(old.Values)
	if values == nil {
		values = map[string]any{}
	}
	for _, f := range sheet.Fields {
		delete(values, f.Name)
		if v, ok := row.Values[f.Name]; ok && v != nil {
			values[f.Name] = v
		}
	}
	c, err := r.plan(ctx, rd, who, k, values, byFile, at)
	if err != nil {
		return err
	}
	c.faults = slices.DeleteFunc(c.faults, func(x kind.Fault) bool {
		f, _ := k.Field(x.Field)
		to, _ := values[x.Field].(string)
		return f.Type == kind.Ref && f.To == k.ID && coming[to]
	})
	if len(c.faults) > 0 {
		plan.Wrong++
		for _, x := range c.faults {
			plan.Faults = append(plan.Faults, table.Fault{Line: row.Line, Field: x.Field, Header: x.Label.JA, Message: x.Message})
		}
		return nil
	}
	p := Planned{Line: row.Line, Ref: fact.NewRef(k.ID, c.id), New: old.Rev == 0, Cells: differences(k, old.Values, c.values), change: c}
	switch {
	case p.New:
		plan.New++
	case len(p.Cells) > 0 || old.Retired:
		plan.Changed++
	default:
		plan.Same++
		return nil
	}
	plan.Rows = append(plan.Rows, p)
	return nil
}

// differences lists the fields that would change, in the kind's order.
func differences(k kind.Kind, old, new map[string]any) []Change {
	var out []Change
	for _, f := range k.Layer(kind.Declared) {
		a, b := old[f.Name], new[f.Name]
		if fact.Digest(a) != fact.Digest(b) {
			if typed, err := f.Check(a); err == nil {
				a = typed
			}
			out = append(out, Change{f, a, b})
		}
	}
	return out
}

// Import applies a file as one step: all of it, or nothing with ErrFaults. It
// returns how many entries it made or changed.
func (r *Register) Import(ctx context.Context, who actor.Actor, kindID string, file io.Reader, name string, at time.Time) (int, error) {
	k, ok := r.kinds[kindID]
	if !ok {
		return 0, fmt.Errorf("%w: %s", ErrNoKind, kindID)
	}
	r.changing.Lock()
	defer r.changing.Unlock()
	plan, err := r.planFile(ctx, who, k, file, name, at)
	if err != nil {
		return 0, err
	}
	if len(plan.Faults) > 0 {
		return 0, ErrFaults
	}
	if len(plan.Rows) == 0 {
		return 0, nil
	}
	req := gate.Request{Actor: who, At: at, Action: gate.PutRegister, Object: "register/" + k.ID, Clauses: k.Clauses, Need: owners(k)}
	for i, row := range plan.Rows {
		places := scope(k, row.change.id, row.change.values, row.change.old)
		if i == 0 {
			req.Scope = places
		} else { // a duty must cover every row
			req.Scope = slices.DeleteFunc(req.Scope, func(p string) bool { return !slices.Contains(places, p) })
		}
		req.Changes = append(req.Changes, gate.Change{Object: string(row.Ref), Body: row.change.body(k)})
	}
	if _, err := r.gate.Ask(ctx, req); err != nil {
		return 0, err
	}
	return len(plan.Rows), nil
}

// Export writes the entries of q as a file. Personal fields are left out. With
// form it writes an empty form to fill in.
func (r *Register) Export(ctx context.Context, who actor.Actor, q Query, format table.Format, l bilingual.Lang, form bool, at time.Time) ([]byte, error) {
	k, ok := r.kinds[q.Kind]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrNoKind, q.Kind)
	}
	var places []string
	for _, as := range who.Assignments {
		places = append(places, as.Scope)
	}
	p, err := r.gate.Ask(ctx, gate.Request{Actor: who, At: at, Action: gate.Export, Object: "register/" + k.ID, Scope: places,
		Changes: []gate.Change{{Body: map[string]any{"format": format, "words": q.Words, "equal": q.Equal, "form": form}}}})
	if err != nil {
		return nil, err
	}
	var rows []map[string]any
	for q.Limit, q.Offset = 1000, 0; !form; q.Offset += q.Limit {
		page, err := r.List(ctx, p, q)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Entries {
			rows = append(rows, e.Values)
		}
		if len(page.Entries) < q.Limit || len(rows) >= table.MaxRows {
			break
		}
	}
	var buf bytes.Buffer
	if err := table.Write(&buf, format, k, l, rows, table.Options{}); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
