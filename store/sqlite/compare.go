package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"kakusho/store"
)

//go:embed sql/rows.sql
var rowsSQL string

// MostDifferences is how many Compare lists; a list of so many may be cut.
const MostDifferences = 10_000

// enough ends a comparison that has found MostDifferences.
var enough = errors.New("enough differences")

// Compare walks two stores in key order and names every difference: rows missing
// and extra, and of the others each column, or the place within a column of
// JSON. It takes got as it finds it, whatever was done to it: a column of
// another type, another layout ("sqlite_schema" and the object's name), damage
// that SQLite itself finds ("integrity_check"). want is a fresh fold of as many
// entries as got; that the counts differ is a difference of table cursor.
//
// Both are read as they are now and not changed; got may be in use. The folder of
// each must be writable, because SQLite keeps its lock file there: copy what is
// on a read-only medium. When got is too damaged to be read to the end, the error
// is store.ErrCorrupt, and the differences are those found so far.
func Compare(ctx context.Context, want, got string) ([]store.Difference, error) {
	c := comparison{json: jsonColumns()}
	for i, path := range []string{want, got} {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("compare stores: %w", err)
		}
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("compare stores: %w", err)
		}
		db := connect(abs, "ro")
		defer db.Close()
		if c.sides[i], err = db.Conn(ctx); err != nil {
			return nil, fmt.Errorf("compare store %s: %w", path, explain(err))
		}
		defer c.sides[i].Close()
		// One state for the whole comparison.
		if _, err := c.sides[i].ExecContext(ctx, "begin"); err != nil {
			return nil, fmt.Errorf("compare store %s: %w", path, explain(err))
		}
	}
	err := c.run(ctx)
	if errors.Is(err, enough) {
		err = nil
	}
	if err != nil {
		return c.found, fmt.Errorf("compare stores: %w", explain(err))
	}
	return c.found, nil
}

const (
	wanted = 0
	gotten = 1
)

type comparison struct {
	sides [2]*sql.Conn // want, got
	json  map[string]bool
	found []store.Difference
}

// jsonColumns are "table.column".
func jsonColumns() map[string]bool {
	out := map[string]bool{}
	for _, r := range store.Rows() {
		for _, c := range r.Columns() {
			if c.Type == store.JSON {
				out[r.Table()+"."+c.Name] = true
			}
		}
	}
	return out
}

func (c *comparison) add(d store.Difference) error {
	c.found = append(c.found, d)
	if len(c.found) >= MostDifferences {
		return enough
	}
	return nil
}

func (c *comparison) run(ctx context.Context) error {
	for _, pragma := range []string{"application_id", "user_version"} {
		if err := c.header(ctx, pragma); err != nil {
			return err
		}
	}
	tables, err := c.objects(ctx)
	if err != nil {
		return err
	}
	if err := c.integrity(ctx); err != nil {
		return err
	}
	for _, t := range tables {
		if err := c.table(ctx, t); err != nil {
			return fmt.Errorf("table %s: %w", t, err)
		}
	}
	return nil
}

func (c *comparison) header(ctx context.Context, pragma string) error {
	var v [2]int64
	for i, side := range c.sides {
		if err := side.QueryRowContext(ctx, "pragma "+pragma).Scan(&v[i]); err != nil {
			return err
		}
	}
	if v[wanted] == v[gotten] {
		return nil
	}
	return c.add(store.Difference{Table: "pragma", Key: pragma, Column: "value", Want: literal(v[wanted]), Got: literal(v[gotten])})
}

// objects compares what was created, and returns the tables both have.
func (c *comparison) objects(ctx context.Context) (tables []string, err error) {
	var made [2]map[string]string
	for i, side := range c.sides {
		if made[i], err = objects(ctx, side); err != nil {
			return nil, err
		}
	}
	all := maps.Clone(made[wanted])
	maps.Copy(all, made[gotten])
	for _, name := range slices.Sorted(maps.Keys(all)) {
		w, inWant := made[wanted][name]
		g, inGot := made[gotten][name]
		d := store.Difference{Table: "sqlite_schema", Key: name}
		switch {
		case !inGot:
			d.Want = literal(w)
		case !inWant:
			d.Got = literal(g)
		case w != g:
			d.Column, d.Want, d.Got = "sql", literal(w), literal(g)
		}
		if t, ok := strings.CutPrefix(name, "table/"); ok && inWant && inGot {
			tables = append(tables, t)
		}
		if inWant == inGot && w == g { // not by the literals, which are cut
			continue
		}
		if err := c.add(d); err != nil {
			return nil, err
		}
	}
	return tables, nil
}

// integrity asks SQLite whether the file holds together; an index that does not
// agree with its table would otherwise hide rows from a walk in key order.
func (c *comparison) integrity(ctx context.Context) error {
	rows, err := c.sides[gotten].QueryContext(ctx, "pragma integrity_check")
	if err != nil {
		return err
	}
	defer rows.Close()
	for n := 1; rows.Next(); n++ {
		var says string
		if err := rows.Scan(&says); err != nil {
			return err
		}
		if says == "ok" {
			continue
		}
		d := store.Difference{Table: "integrity_check", Key: strconv.Itoa(n), Column: "finding", Want: literal("ok"), Got: literal(says)}
		if err := c.add(d); err != nil {
			return err
		}
	}
	return rows.Err()
}

// shape is a table as it was declared.
type shape struct {
	name    string
	columns []string
	keys    int // of the columns, the first so many
}

// shapeOf lists the columns, key first and in key order, so that a row starts
// with its key.
func shapeOf(ctx context.Context, side *sql.Conn, table string) (shape, error) {
	s := shape{name: table}
	rows, err := side.QueryContext(ctx, `select name, pk from pragma_table_info(?) order by pk = 0, pk, cid`, table)
	if err != nil {
		return s, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var pk int
		if err := rows.Scan(&name, &pk); err != nil {
			return s, err
		}
		s.columns = append(s.columns, name)
		if pk > 0 {
			s.keys++
		}
	}
	return s, rows.Err()
}

// table compares the rows of one table by the columns both have.
func (c *comparison) table(ctx context.Context, name string) error {
	want, err := shapeOf(ctx, c.sides[wanted], name)
	if err != nil {
		return err
	}
	got, err := shapeOf(ctx, c.sides[gotten], name)
	if err != nil {
		return err
	}
	for _, col := range got.columns {
		if !slices.Contains(want.columns, col) {
			if err := c.add(store.Difference{Table: "sqlite_schema", Key: "table/" + name, Column: col, Got: "column"}); err != nil {
				return err
			}
		}
	}
	both := shape{name: name}
	for i, col := range want.columns {
		if slices.Contains(got.columns, col) {
			both.columns = append(both.columns, col)
			if i < want.keys {
				both.keys++
			}
		} else if err := c.add(store.Difference{Table: "sqlite_schema", Key: "table/" + name, Column: col, Want: "column"}); err != nil {
			return err
		}
	}
	if both.keys != want.keys || both.keys == 0 {
		return nil // without its key no row can be named; the missing column was
	}
	return c.merge(both, walk(ctx, c.sides[wanted], both), walk(ctx, c.sides[gotten], both))
}

// merge steps through both in key order.
func (c *comparison) merge(s shape, want, got iter.Seq2[[]any, error]) error {
	nextWant, stopWant := iter.Pull2(want)
	defer stopWant()
	nextGot, stopGot := iter.Pull2(got)
	defer stopGot()
	w, errW, moreW := nextWant()
	g, errG, moreG := nextGot()
	for moreW || moreG {
		if err := errors.Join(errW, errG); err != nil {
			return err
		}
		order := 0
		switch {
		case !moreG:
			order = -1
		case !moreW:
			order = 1
		default:
			order = slices.CompareFunc(w[:s.keys], g[:s.keys], compareCells)
		}
		if err := c.pair(s, order, w, g); err != nil {
			return err
		}
		if order <= 0 {
			w, errW, moreW = nextWant()
		}
		if order >= 0 {
			g, errG, moreG = nextGot()
		}
	}
	return nil
}

// pair names what is different of the rows w and g: the same row (order 0), or
// one that only want (-1) or only got (1) has.
func (c *comparison) pair(s shape, order int, w, g []any) error {
	switch {
	case order < 0:
		return c.add(store.Difference{Table: s.name, Key: keyText(w[:s.keys]), Want: "row"})
	case order > 0:
		return c.add(store.Difference{Table: s.name, Key: keyText(g[:s.keys]), Got: "row"})
	}
	for i := s.keys; i < len(s.columns); i++ {
		if compareCells(w[i], g[i]) == 0 && sameType(w[i], g[i]) {
			continue
		}
		d := store.Difference{Table: s.name, Key: keyText(w[:s.keys]), Column: s.columns[i], Want: literal(w[i]), Got: literal(g[i])}
		all := []store.Difference{d}
		if c.json[s.name+"."+s.columns[i]] {
			all = inside(d, w[i], g[i])
		}
		for _, d := range all {
			if err := c.add(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// walk yields the rows of a table, key first, in key order.
func walk(ctx context.Context, side *sql.Conn, s shape) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		// The sign takes from a column its declared type, by which the driver would
		// convert, and leaves the value.
		columns := make([]string, len(s.columns))
		order := make([]string, s.keys)
		for i, name := range s.columns {
			columns[i] = "+" + quoted(name)
			if i < s.keys {
				order[i] = quoted(name) + " collate binary"
			}
		}
		rows, err := side.QueryContext(ctx, strings.NewReplacer("{table}", s.name,
			"{columns}", strings.Join(columns, ", "), "{order}", strings.Join(order, ", ")).Replace(rowsSQL))
		if err != nil {
			yield(nil, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			row, into := cells(len(s.columns))
			if err := rows.Scan(into...); err != nil {
				yield(nil, err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, err)
		}
	}
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// compareCells orders two values as SQLite does: nothing, numbers, text, bytes.
func compareCells(a, b any) int {
	if d := cmp.Compare(rank(a), rank(b)); d != 0 {
		return d
	}
	switch a := a.(type) {
	case string:
		return cmp.Compare(a, b.(string))
	case []byte:
		return slices.Compare(a, b.([]byte))
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
		return cmp.Compare(float64(a), b.(float64))
	case float64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, float64(b))
		}
		return cmp.Compare(a, b.(float64))
	}
	return 0
}

func rank(v any) int {
	switch v.(type) {
	case nil:
		return 0
	case int64, float64:
		return 1
	case string:
		return 2
	}
	return 3
}

func sameType(a, b any) bool { return fmt.Sprintf("%T", a) == fmt.Sprintf("%T", b) }

func keyText(key []any) string {
	parts := make([]string, len(key))
	for i, v := range key {
		if s, ok := v.(string); ok {
			q := strconv.Quote(s)
			parts[i] = q[1 : len(q)-1] // no line end or terminal code gets through
		} else {
			parts[i] = literal(v)
		}
	}
	return strings.Join(parts, "/")
}

// mostLiteral is how many bytes of a value a difference shows.
const mostLiteral = 300

// literal is a value as a person can read it, with its type: 5, 5.0, "5", x'35',
// null. It holds no line ends and no terminal codes.
func literal(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if len(v) > mostLiteral {
			return fmt.Sprintf("%q… (%d bytes)", strings.ToValidUTF8(v[:mostLiteral], ""), len(v))
		}
		return strconv.Quote(v)
	case []byte:
		if len(v) > mostLiteral {
			return fmt.Sprintf("x'%x'… (%d bytes)", v[:mostLiteral], len(v))
		}
		return fmt.Sprintf("x'%x'", v)
	case float64:
		if s, err := store.Encode(v); err == nil {
			return s
		}
	}
	return fmt.Sprint(v)
}
