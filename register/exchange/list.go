package exchange

import (
	"context"
	"fmt"

	"kakusho/fact"
	"kakusho/gate"
	"kakusho/store"
)

// Record is what is kept of one import.
type Record = store.Import

// Page is a part of the list of imports, the last one first.
type Page struct {
	Imports []Record
	Total   int64
}

// Imports lists the imports of a register, or of all that p's holder may read.
func (x *Exchange) Imports(ctx context.Context, p gate.Permit, kindID string, limit, offset int) (page Page, err error) {
	var kinds []any
	all := true
	for _, id := range x.register.Kinds().IDs() {
		if _, err := x.register.Readable(p, id); err != nil {
			all = false
		} else if kindID == "" || kindID == id {
			kinds = append(kinds, id)
		}
	}
	if kindID == "" && all {
		kinds = append(kinds, "") // of several at once
	}
	w := store.Where{In: map[string][]any{"kind": kinds}, Sort: []string{"-at"}}
	err = x.rows.View(ctx, func(rd store.Reader) error {
		if page.Total, err = rd.Count(ctx, &store.Import{}, w); err != nil {
			return err
		}
		w.Limit, w.Offset = limit, offset
		page.Imports, err = store.All[store.Import](ctx, rd, w)
		return err
	})
	return page, err
}

// Line is one entry that an import made or changed.
type Line struct {
	store.Imported
	Ref     fact.Ref
	Name    string
	Since   bool     // it has changed since
	Changes []Change // from before to after; none when it has changed since
}

// One is an import and a part of its entries, of total.
func (x *Exchange) One(ctx context.Context, p gate.Permit, id string, limit, offset int) (im store.Import, lines []Line, total int64, err error) {
	err = x.rows.View(ctx, func(rd store.Reader) error {
		var ok bool
		if im, ok, err = store.Get(ctx, rd, store.Import{ID: id}); err != nil || !ok {
			return firstOf(err, fmt.Errorf("%s: %w", id, ErrNone))
		}
		for _, of := range x.register.Kinds().IDs() {
			if im.Kind == "" || im.Kind == of {
				if _, err := x.register.Readable(p, of); err != nil {
					return err
				}
			}
		}
		w := store.Where{Equal: map[string]any{"import": id}}
		if total, err = rd.Count(ctx, &store.Imported{}, w); err != nil {
			return err
		}
		w.Limit, w.Offset, w.Sort = limit, offset, []string{"line"}
		rows, err := store.All[store.Imported](ctx, rd, w)
		if err != nil {
			return err
		}
		for _, row := range rows {
			l, err := x.line(ctx, rd, p, row)
			if err != nil {
				return err
			}
			lines = append(lines, l)
		}
		return nil
	})
	return im, lines, total, err
}

func (x *Exchange) line(ctx context.Context, rd store.Reader, p gate.Permit, row store.Imported) (Line, error) {
	l := Line{Imported: row, Ref: fact.Ref(row.Subject)}
	now, _, err := store.Get(ctx, rd, store.Subject{Kind: l.Ref.Kind(), ID: l.Ref.ID()})
	if err != nil {
		return l, err
	}
	l.Name, l.Since = now.Name, now.Rev != row.Rev
	if l.Since {
		return l, nil
	}
	was, _ := row.Was.(map[string]any)
	for _, c := range differences(x.register.Kinds()[l.Ref.Kind()], was, now.Values) {
		if c.Field.MayRead(p.Who()) {
			l.Changes = append(l.Changes, c)
		}
	}
	return l, nil
}
