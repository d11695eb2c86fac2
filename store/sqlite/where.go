package sqlite

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kakusho/fact"
	"kakusho/store"
)

// query is a store.Where in SQL. Names are checked against the row's columns and
// values travel as arguments, so that nothing a caller writes becomes SQL.
type query struct {
	row           store.Row
	conditions    []string
	args          []any
	where, order  string
	limit, offset int
	named         int // values, against store.MostWhere
}

func selection(of store.Row, w store.Where) (*query, error) {
	if w.Limit < 0 || w.Offset < 0 {
		return nil, fmt.Errorf("%w: limit %d, offset %d", store.ErrWhere, w.Limit, w.Offset)
	}
	q := &query{row: of, limit: w.Limit, offset: w.Offset}
	if q.limit == 0 {
		q.limit = -1
	}
	for _, step := range []func(store.Where) error{q.equal, q.in, q.ordered, q.like, q.sort} {
		if err := step(w); err != nil {
			return nil, err
		}
	}
	q.where = "true"
	if len(q.conditions) > 0 {
		q.where = strings.Join(q.conditions, " and ")
	}
	return q, nil
}

func (q *query) add(condition string, args ...any) error {
	q.conditions = append(q.conditions, condition)
	q.args = append(q.args, args...)
	if q.named += max(1, len(args)); q.named > store.MostWhere {
		return fmt.Errorf("%w: more than %d values", store.ErrWhere, store.MostWhere)
	}
	return nil
}

// whole is what equality compares, extract what order does. Within JSON, equality compares the JSON text that Encode writes, which tells 1
// from 1.0, "1" and true; order compares the value itself.
func whole(c store.Column, path []string) string {
	if len(path) == 0 {
		return `"` + c.Name + `"`
	}
	return fmt.Sprintf(`("%s" -> '%s')`, c.Name, jsonPath(path))
}

func extract(c store.Column, path []string) string {
	if c.Type != store.JSON {
		return `"` + c.Name + `"`
	}
	return fmt.Sprintf(`json_extract("%s", '%s')`, c.Name, jsonPath(path))
}

// jsonPath needs no escapes: store.Resolve lets only a-z, 0-9 and "_" through.
func jsonPath(path []string) string {
	var b strings.Builder
	b.WriteByte('$')
	for _, p := range path {
		fmt.Fprintf(&b, `."%s"`, p)
	}
	return b.String()
}

func (q *query) equal(w store.Where) error {
	for _, name := range slices.Sorted(maps.Keys(w.Equal)) {
		c, path, err := store.Resolve(q.row, name)
		if err != nil {
			return err
		}
		v, err := c.Argument(w.Equal[name])
		if err != nil {
			return err
		}
		if v == nil {
			err = q.add(extract(c, path) + " is null")
		} else {
			err = q.add(whole(c, path)+" = ?", v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (q *query) in(w store.Where) error {
	for _, name := range slices.Sorted(maps.Keys(w.In)) {
		c, path, err := store.Resolve(q.row, name)
		if err != nil {
			return err
		}
		args := make([]any, len(w.In[name]))
		for i, v := range w.In[name] {
			if args[i], err = c.Argument(v); err != nil {
				return err
			}
			if args[i] == nil {
				return fmt.Errorf("%w: %s: one of the values is not set", store.ErrWhere, name)
			}
		}
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(args)), ", ")
		if err := q.add(whole(c, path)+" in ("+marks+")", args...); err != nil {
			return err
		}
	}
	return nil
}

func (q *query) ordered(w store.Where) error {
	for _, o := range []struct {
		op     string
		values map[string]any
	}{{">=", w.From}, {">", w.After}, {"<", w.Before}} {
		for _, name := range slices.Sorted(maps.Keys(o.values)) {
			if err := q.compare(name, o.op, o.values[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (q *query) compare(name, op string, v any) error {
	c, path, err := store.Resolve(q.row, name)
	if err != nil {
		return err
	}
	if c.Type == store.JSON {
		return q.compareJSON(c, path, op, v)
	}
	arg, err := c.Argument(v)
	switch {
	case err != nil:
		return err
	case arg == nil || c.Type == store.Boolean:
		return fmt.Errorf("%w: %s: %v has no order", store.ErrWhere, name, v)
	}
	return q.add(whole(c, nil)+" "+op+" ?", arg)
}

func (q *query) compareJSON(c store.Column, path []string, op string, v any) error {
	types := "'text'"
	switch n := v.(type) {
	case int64, float64:
		types = "'integer', 'real'"
	case int:
		types, v = "'integer', 'real'", int64(n)
	case string:
	case time.Time:
		v = fact.Canonical(n)
	default:
		return fmt.Errorf("%w: %s: a %T has no order", store.ErrWhere, c.Name, v)
	}
	return q.add(fmt.Sprintf(`json_type("%s", '%s') in (%s) and %s %s ?`,
		c.Name, jsonPath(path), types, extract(c, path), op), v)
}

func (q *query) like(w store.Where) error {
	if w.Like == "" {
		return nil
	}
	if !hasWords(q.row) {
		return fmt.Errorf("%w: %s has no words to look through", store.ErrWhere, q.row.Table())
	}
	for word := range strings.FieldsSeq(store.Plain(w.Like)) {
		if err := q.add(`instr("words", ?) > 0`, word); err != nil {
			return err
		}
	}
	return nil
}

func (q *query) sort(w store.Where) error {
	var order []string
	if len(w.Sort) > len(q.row.Columns()) {
		return fmt.Errorf("%w: sorted by %d columns", store.ErrWhere, len(w.Sort))
	}
	for _, name := range w.Sort {
		name, down := strings.CutPrefix(name, "-")
		c, path, err := store.Resolve(q.row, name)
		if err != nil {
			return err
		}
		by := extract(c, path)
		if down {
			by += " desc"
		}
		order = append(order, by)
	}
	for _, c := range q.row.Columns() {
		if c.Key {
			order = append(order, `"`+c.Name+`"`)
		}
	}
	q.order = strings.Join(order, ", ")
	return nil
}
