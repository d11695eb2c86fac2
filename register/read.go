package register

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kakusho/actor"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/store"
)

// Query is which entries of one kind are wanted, as the address of a page says.
type Query struct {
	Kind    string
	Words   string            // found in any value
	Equal   map[string]string // declared field → value
	Retired bool              // the struck-out ones instead
	Sort    string            // field, with "-" for descending; empty: by key
	Limit   int               // at most 1,000; zero: 100
	Offset  int
}

// Page is a part of a list, and how many there are in all.
type Page struct {
	Entries []Entry
	Total   int64
}

// All returns every entry of q that p's holder may see, however many there are.
func (r *Register) All(ctx context.Context, p gate.Permit, q Query) (out []Entry, err error) {
	for q.Limit = 1000; ; q.Offset += q.Limit {
		page, err := r.List(ctx, p, q)
		if err != nil {
			return nil, err
		}
		if out = append(out, page.Entries...); len(page.Entries) < q.Limit {
			return out, nil
		}
	}
}

// List returns the entries of q that p's holder may see.
func (r *Register) List(ctx context.Context, p gate.Permit, q Query) (Page, error) {
	k, err := r.readable(p, q.Kind)
	if err != nil {
		return Page{}, err
	}
	w := store.Where{
		Equal:  map[string]any{"kind": q.Kind, "retired": q.Retired},
		Like:   q.Words,
		Sort:   []string{"id"},
		Limit:  min(max(q.Limit, 0), 1000),
		Offset: max(q.Offset, 0),
	}
	if q.Limit == 0 {
		w.Limit = 100
	}
	for name, text := range q.Equal {
		f, ok := k.Field(name)
		if !ok || !f.In(kind.Declared) || !f.MayRead(p.Who()) {
			continue // an unknown filter in an address filters nothing
		}
		v, err := f.Parse(text)
		if err != nil {
			return Page{}, err
		}
		w.Equal["values."+name] = fact.Canonical(v)
	}
	if s := sorting(k, q.Sort, p.Who()); s != "" {
		w.Sort = []string{s, "id"}
	}
	hidden := slices.DeleteFunc(k.Layer(kind.Declared), func(f kind.Field) bool { return f.MayRead(p.Who()) })
	if q.Words != "" && len(hidden) > 0 {
		return r.search(ctx, p, k, w, hidden)
	}
	var page Page
	err = r.rows.View(ctx, func(rd store.Reader) error {
		rows, err := store.All[store.Subject](ctx, rd, w)
		if err != nil {
			return err
		}
		for _, row := range rows {
			page.Entries = append(page.Entries, entry(k, row, p.Who()))
		}
		page.Total, err = rd.Count(ctx, &store.Subject{}, store.Where{Equal: w.Equal, Like: w.Like})
		return err
	})
	return page, err
}

// search is List for a reader who may not see every field: a word that stands only
// in a hidden one finds nothing, or asking would tell.
func (r *Register) search(ctx context.Context, p gate.Permit, k kind.Kind, w store.Where, hidden []kind.Field) (page Page, err error) {
	limit, offset := w.Limit, w.Offset
	w.Limit, w.Offset = 0, 0
	err = r.rows.View(ctx, func(rd store.Reader) error {
		return rd.List(ctx, &store.Subject{}, w, func(row store.Row) error {
			s := *row.(*store.Subject)
			seen := s
			seen.Values = maps.Clone(s.Values)
			for _, f := range hidden {
				delete(seen.Values, f.Name)
			}
			hay, _ := store.Words(&seen)
			for word := range strings.FieldsSeq(store.Plain(w.Like)) {
				if !strings.Contains(hay, word) {
					return nil
				}
			}
			if page.Total++; page.Total > int64(offset) && len(page.Entries) < limit {
				page.Entries = append(page.Entries, entry(k, s, p.Who()))
			}
			return nil
		})
	})
	return page, err
}

func sorting(k kind.Kind, by string, who actor.Actor) string {
	name, sign := by, ""
	if len(by) > 1 && by[0] == '-' {
		name, sign = by[1:], "-"
	}
	f, ok := k.Field(name)
	if !ok || !f.In(kind.Declared) || !f.MayRead(who) {
		return ""
	}
	return sign + "values." + name
}

// Get returns one entry, retired or not. ErrNoEntry when there is none.
func (r *Register) Get(ctx context.Context, p gate.Permit, ref fact.Ref) (Entry, error) {
	k, err := r.readable(p, ref.Kind())
	if err != nil {
		return Entry{}, err
	}
	var row store.Subject
	var ok bool
	err = r.rows.View(ctx, func(rd store.Reader) (err error) {
		row, ok, err = store.Get(ctx, rd, store.Subject{Kind: ref.Kind(), ID: ref.ID()})
		return err
	})
	if err != nil {
		return Entry{}, err
	}
	if !ok {
		return Entry{}, fmt.Errorf("%s: %w", ref, ErrNoEntry)
	}
	return entry(k, row, p.Who()), nil
}

// Counts says how many entries each readable register has, retired ones left out.
func (r *Register) Counts(ctx context.Context, p gate.Permit) (map[string]int64, error) {
	counts := map[string]int64{}
	err := r.rows.View(ctx, func(rd store.Reader) error {
		for _, id := range r.kinds.IDs() {
			if _, err := r.readable(p, id); err != nil {
				continue
			}
			n, err := rd.Count(ctx, &store.Subject{}, store.Where{Equal: map[string]any{"kind": id, "retired": false}})
			if err != nil {
				return err
			}
			counts[id] = n
		}
		return nil
	})
	return counts, err
}

// readable finds a kind that p's holder may read; one he may not is refused as
// one that is not there is: by ErrRefused and ErrNoKind.
func (r *Register) readable(p gate.Permit, id string) (kind.Kind, error) {
	who := p.Who()
	k, ok := r.kinds[id]
	if !ok {
		return kind.Kind{}, fmt.Errorf("%w: %s", ErrNoKind, id)
	}
	if !k.MayRead(who) && !slices.ContainsFunc(owners(k), who.Has) {
		return kind.Kind{}, fmt.Errorf("register %s: %w", id, gate.ErrRefused)
	}
	return k, nil
}

// entry types a row's values and leaves out what its reader may not see. A value
// that no longer fits its field (the kind changed) is kept as it is.
func entry(k kind.Kind, row store.Subject, who actor.Actor) Entry {
	e := Entry{
		Ref: fact.NewRef(row.Kind, row.ID), Name: row.Name, Retired: row.Retired, Rev: row.Rev,
		ChangedAt: row.ChangedAt, ChangedBy: row.ChangedBy, Values: map[string]any{},
	}
	for name, v := range row.Values {
		f, ok := k.Field(name)
		if ok && !f.MayRead(who) {
			e.Hidden = append(e.Hidden, name)
			continue
		}
		if ok {
			if typed, err := f.Check(v); err == nil {
				v = typed
			}
		}
		e.Values[name] = v
	}
	slices.Sort(e.Hidden)
	return e
}
