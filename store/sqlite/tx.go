package sqlite

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"kakusho/store"
)

var (
	//go:embed sql/get.sql
	getSQL string
	//go:embed sql/list.sql
	listSQL string
	//go:embed sql/page.sql
	pageSQL string
	//go:embed sql/count.sql
	countSQL string
	//go:embed sql/put.sql
	putSQL string
	//go:embed sql/delete.sql
	deleteSQL string
)

var errEnded = errors.New("used after its Fold or View has ended")

// reader is a store.Reader within one transaction of one connection.
type reader struct {
	conn     *sql.Conn
	cursor   int64
	ended    bool
	prepared map[purpose]*sql.Stmt
	walking  map[string]int // tables under a List, and how many
}

// purpose is a statement of sql/ for one table.
type purpose struct{ pattern, table string }

// tx is a reader that may also write.
type tx struct{ *reader }

// end makes every later use fail.
func (r *reader) end() {
	r.ended = true
	for _, s := range r.prepared {
		_ = s.Close() // a statement that read only has nothing to lose
	}
	clear(r.prepared)
}

// Cursor implements store.Reader.
func (r *reader) Cursor(context.Context) (int64, error) {
	if r.ended {
		return 0, errEnded
	}
	return r.cursor, nil
}

// Get implements store.Reader.
func (r *reader) Get(ctx context.Context, into store.Row) (bool, error) {
	key, err := keyOf(into)
	if err != nil {
		return false, err
	}
	cols := into.Columns()
	s, err := r.statement(ctx, getSQL, into)
	if err != nil {
		return false, err
	}
	kept, places := cells(len(cols))
	err = s.QueryRowContext(ctx, key...).Scan(places...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, explain(err)
	}
	return true, read(into, cols, kept)
}

// List implements store.Reader.
func (r *reader) List(ctx context.Context, of store.Row, w store.Where, each func(store.Row) error) error {
	if r.ended {
		return errEnded
	}
	q, err := selection(of, w)
	if err != nil {
		return err
	}
	pattern := listSQL
	if w.Offset > 0 {
		pattern = pageSQL
	}
	// Not prepared beforehand: each may run the same list within this one.
	rows, err := r.conn.QueryContext(ctx, fill(pattern, of, "{where}", q.where, "{order}", q.order), append(q.args, q.limit, q.offset)...)
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	r.walking[of.Table()]++
	defer func() { r.walking[of.Table()]-- }()
	kept, into := cells(len(of.Columns()))
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return explain(err)
		}
		row := store.New(of)
		if err := read(row, row.Columns(), kept); err != nil {
			return err
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return explain(rows.Err())
}

// Count implements store.Reader.
func (r *reader) Count(ctx context.Context, of store.Row, w store.Where) (n int64, err error) {
	if r.ended {
		return 0, errEnded
	}
	q, err := selection(of, w)
	if err != nil {
		return 0, err
	}
	err = r.conn.QueryRowContext(ctx, fill(countSQL, of, "{where}", q.where), q.args...).Scan(&n)
	return n, explain(err)
}

// Put implements store.Tx.
func (t *tx) Put(ctx context.Context, r store.Row) error {
	var args []any
	for _, c := range r.Columns() {
		v, err := c.Write()
		if err != nil {
			return fmt.Errorf("put %s: %w", r.Table(), err)
		}
		args = append(args, v)
	}
	if words, ok := store.Words(r); ok {
		args = append(args, words)
	}
	return t.change(ctx, r, putSQL, args)
}

// Delete implements store.Tx.
func (t *tx) Delete(ctx context.Context, r store.Row) error {
	key, err := keyOf(r)
	if err != nil {
		return err
	}
	return t.change(ctx, r, deleteSQL, key)
}

func (t *tx) change(ctx context.Context, r store.Row, pattern string, args []any) error {
	if t.walking[r.Table()] > 0 {
		return fmt.Errorf("change %s while it is listed: collect first, then change", r.Table())
	}
	s, err := t.statement(ctx, pattern, r)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(ctx, args...)
	return explain(err)
}

func (r *reader) statement(ctx context.Context, pattern string, row store.Row) (*sql.Stmt, error) {
	if r.ended {
		return nil, errEnded
	}
	p := purpose{pattern, row.Table()}
	if s, ok := r.prepared[p]; ok {
		return s, nil
	}
	s, err := r.conn.PrepareContext(ctx, fill(pattern, row))
	if err != nil {
		return nil, explain(err)
	}
	r.prepared[p] = s
	return s, nil
}

// keyOf is the key as SQLite keeps it; an empty one is ErrValue.
func keyOf(r store.Row) ([]any, error) {
	var key []any
	for _, c := range r.Columns() {
		if !c.Key {
			continue
		}
		v, err := c.Write()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Table(), err)
		}
		key = append(key, v)
	}
	return key, nil
}

// cells are n places to scan into, and pointers to them.
func cells(n int) (kept, into []any) {
	kept, into = make([]any, n), make([]any, n)
	for i := range kept {
		into[i] = &kept[i]
	}
	return kept, into
}

func read(row store.Row, cols []store.Column, kept []any) error {
	for i, c := range cols {
		if err := c.Read(kept[i]); err != nil {
			return fmt.Errorf("read %s %v: %w", row.Table(), store.Key(row), err)
		}
	}
	return nil
}

// fill completes a statement of sql/ for the table of r. Names come from package
// store only, never from a caller.
func fill(pattern string, r store.Row, more ...string) string {
	var names, keys, match, rest []string
	for _, c := range r.Columns() {
		q := `"` + c.Name + `"`
		names = append(names, q)
		if c.Key {
			keys, match = append(keys, q), append(match, q+" = ?")
		} else {
			rest = append(rest, q+" = excluded."+q)
		}
	}
	if pattern == putSQL && hasWords(r) {
		names, rest = append(names, `"words"`), append(rest, `"words" = excluded."words"`)
	}
	return strings.NewReplacer(append(more,
		"{table}", r.Table(),
		"{columns}", strings.Join(names, ", "),
		"{marks}", strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", "),
		"{keys}", strings.Join(keys, ", "),
		"{key}", strings.Join(match, " and "),
		"{updates}", strings.Join(rest, ", "),
	)...).Replace(pattern)
}

func hasWords(r store.Row) bool {
	for _, c := range r.Columns() {
		if c.Words {
			return true
		}
	}
	return false
}
