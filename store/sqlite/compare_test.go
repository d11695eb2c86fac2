package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"kakusho/store"
	"kakusho/store/sqlite"
)

// compare is each difference as "table key column", in order.
func compare(t *testing.T, want, got string) []string {
	t.Helper()
	differences, err := sqlite.Compare(t.Context(), want, got)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range differences {
		out = append(out, strings.TrimSpace(d.Table+" "+d.Key+" "+d.Column))
	}
	return out
}

// pair is two stores with the same rows.
func pair(t *testing.T) (want, got string) {
	t.Helper()
	want, got = made(t), made(t)
	if d := compare(t, want, got); len(d) > 0 {
		t.Fatalf("two folds of the same: got differences %v", d)
	}
	return want, got
}

// keys are the keys of the rows of made, by table.
var keys = map[string]string{
	"cursor": "1", "subject": "computer/PC-1", "fact": "computer/PC-1/volumes", "decision": "d-1", "setting": "s-1",
	"credential": "person/1", "session": "d2", "passkey": "k1", "invite": "ee", "failure": "47", "batch": "b-1", "sender": "d3", "adoption": "51", "step": "disposal/D-1/52", "draft": "E-1/disposal/new/entry",
	"import": "20261102-100000-ab", "imported": "20261102-100000-ab/computer/PC-1", "mapping": "computer/h", "feed": "d4", "notices": "notices", "told": "E-1/ab",
}

type column struct {
	table, name, typ string
	pk               bool
}

// columns are all columns a store has, also those no row struct has.
func columns(t *testing.T, path string) (out []column) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `select m.name, c.name, c.type, c.pk > 0 from sqlite_schema m, pragma_table_info(m.name) c where m.type = 'table'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.table, &c.name, &c.typ, &c.pk); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestCompareNamesEveryColumn edits each column of each table and expects its
// name; of a key column, the row gone and the row come.
func TestCompareNamesEveryColumn(t *testing.T) {
	want, got := pair(t)
	all := columns(t, want)
	if len(all) < 80 {
		t.Fatalf("columns: got %d, want those of every table", len(all))
	}
	fresh, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		edits := []string{`'edited'`, `''`}
		if strings.EqualFold(c.typ, "integer") {
			edits = []string{fmt.Sprintf(`"%s" + 1`, c.name), `-1`}
		}
		if c.table == "cursor" && c.pk {
			continue // its check holds it
		}
		for _, e := range edits {
			write(t, got, fresh)
			edit(t, got, fmt.Sprintf(`update "%s" set "%s" = %s`, c.table, c.name, e))
			names := compare(t, want, got)
			if c.pk {
				if len(names) != 2 || !slices.Contains(names, c.table+" "+keys[c.table]) {
					t.Errorf("%s.%s set to %s: got %v, want its row missing and one too many", c.table, c.name, e, names)
				}
				continue
			}
			if wantNames := []string{c.table + " " + keys[c.table] + " " + c.name}; !slices.Equal(names, wantNames) {
				t.Errorf("%s.%s set to %s: got %v, want %v", c.table, c.name, e, names, wantNames)
			}
		}
	}
}

// TestCompareNamesOtherTypes gives columns values of types their table would
// not take, by taking away its strictness first.
func TestCompareNamesOtherTypes(t *testing.T) {
	want, got := pair(t)
	loosen := func(table string) string {
		return fmt.Sprintf(`pragma writable_schema = on;
			update sqlite_schema set sql = replace(replace(replace(replace(replace(sql, ') strict, ', ') '), ') strict', ')'), ' integer not null', ''), ' text not null', ''), ' text', '')
			where name = '%s'; pragma writable_schema = reset;`, table)
	}
	fresh, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range columns(t, want) {
		if c.pk || c.table == "cursor" {
			continue
		}
		for _, e := range []string{`x'00ff'`, `x''`, `1.5`, `null`, `"%s" || ''`, `"%s" + 0.0`, `cast("%s" as blob)`} {
			e = strings.ReplaceAll(e, "%s", c.name)
			isText := strings.EqualFold(c.typ, "text")
			if isText && strings.HasSuffix(e, "|| ''") {
				continue // no change
			}
			write(t, got, fresh)
			edit(t, got, loosen(c.table))
			edit(t, got, fmt.Sprintf(`update "%s" set "%s" = %s`, c.table, c.name, e))
			names := compare(t, want, got)
			for _, name := range []string{"sqlite_schema table/" + c.table + " sql", c.table + " " + keys[c.table] + " " + c.name} {
				if !slices.Contains(names, name) {
					t.Errorf("%s.%s set to %s: got %v, want %s among them", c.table, c.name, e, names, name)
				}
			}
		}
	}
}

// The driver makes times of what a column declares as one; Compare sees the text.
func TestCompareReadsWhatIsThere(t *testing.T) {
	want, got := pair(t)
	edit(t, got, `pragma writable_schema = on; update sqlite_schema set sql =
		replace(replace(sql, ') strict, ', ') '), '"since"       text', '"since" timestamp') where name = 'fact'`)
	if names := compare(t, want, got); !slices.Equal(names, []string{"sqlite_schema table/fact sql"}) {
		t.Errorf("a column declared as a time: got %v, want that and no row", names)
	}
	edit(t, got, `update fact set since = '2026-01-06 08:30:15.123456789'`)
	if names := compare(t, want, got); !slices.Contains(names, "fact computer/PC-1/volumes since") {
		t.Errorf("the same time in another form: got %v, want it named", names)
	}
}

func TestCompareNamesPlacesInJSON(t *testing.T) {
	want, got := pair(t)
	fresh, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, edit string
		want       []store.Difference
	}{
		{"a field changed", `update subject set "values" = json_set("values", '$.role', 'server')`,
			[]store.Difference{{Table: "subject", Key: "computer/PC-1", Column: "values.role", Want: `"terminal"`, Got: `"server"`}}},
		{"an integer made a number", `update subject set "values" = json_set("values", '$.cores', 8.0)`,
			[]store.Difference{{Table: "subject", Key: "computer/PC-1", Column: "values.cores", Want: `8`, Got: `8.0`}}},
		{"a field taken away", `update subject set "values" = json_remove("values", '$.load')`,
			[]store.Difference{{Table: "subject", Key: "computer/PC-1", Column: "values.load", Want: `0.5`}}},
		{"a field added, with a name to beware of", `update subject set "values" = json_set("values", '$."x y' || char(10) || '"', 1)`,
			[]store.Difference{{Table: "subject", Key: "computer/PC-1", Column: `values."x y\n"`, Got: `1`}}},
		{"an element changed", `update subject set "values" = json_set("values", '$.tags[1]', 'c')`,
			[]store.Difference{{Table: "subject", Key: "computer/PC-1", Column: "values.tags[1]", Want: `"b"`, Got: `"c"`}}},
		{"an element added", `update subject set "values" = json_set("values", '$.tags[2]', json('{"b":1,"a":[]}'))`,
			[]store.Difference{{Table: "subject", Key: "computer/PC-1", Column: "values.tags[2]", Got: `{"a":[],"b":1}`}}},
		{"a record within a list", `update fact set value = json_set(value, '$[0].encrypted', json('false'))`,
			[]store.Difference{{Table: "fact", Key: "computer/PC-1/volumes", Column: "value[0].encrypted", Want: `true`, Got: `false`}}},
		{"the source of a fact", `update fact set source = json_set(source, '$[0].sha256', 'cd')`,
			[]store.Difference{{Table: "fact", Key: "computer/PC-1/volumes", Column: "source[0].sha256", Want: `"ab"`, Got: `"cd"`}}},
		{"a condition of a decision", `update decision set conditions = json_remove(conditions, '$[1]')`,
			[]store.Difference{{Table: "decision", Key: "d-1", Column: "conditions[1]", Want: `"c/d"`}}},
		{"a value that is no record", `update setting set value = '8'`,
			[]store.Difference{{Table: "setting", Key: "s-1", Column: "value", Want: `12`, Got: `8`}}},
		{"no JSON any more", `update setting set value = '{'`,
			[]store.Difference{{Table: "setting", Key: "s-1", Column: "value", Want: `"12"`, Got: `"{"`}}},
		{"only written otherwise", `update setting set value = ' 12'`,
			[]store.Difference{{Table: "setting", Key: "s-1", Column: "value", Want: `"12"`, Got: `" 12"`}}},
		{"nothing any more", `update setting set value = null`,
			[]store.Difference{{Table: "setting", Key: "s-1", Column: "value", Want: `"12"`, Got: `null`}}},
		{"two places at once", `update subject set "values" = json_set("values", '$.role', null, '$.cores', 9)`,
			[]store.Difference{
				{Table: "subject", Key: "computer/PC-1", Column: "values.cores", Want: `8`, Got: `9`},
				{Table: "subject", Key: "computer/PC-1", Column: "values.role", Want: `"terminal"`, Got: `null`},
			}},
	} {
		write(t, got, fresh)
		edit(t, got, c.edit)
		d, err := sqlite.Compare(t.Context(), want, got)
		if err != nil || !reflect.DeepEqual(d, c.want) {
			t.Errorf("%s:\n got %v, %v\nwant %v", c.name, d, err, c.want)
		}
	}
}

func TestCompareNamesRows(t *testing.T) {
	want, got := filepath.Join(t.TempDir(), "want.db"), filepath.Join(t.TempDir(), "got.db")
	put := func(path string, ids ...string) {
		s, err := sqlite.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var rows []store.Row
		for _, id := range ids {
			rows = append(rows, &store.Batch{ID: id})
		}
		fold(t, s, 1, rows...)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	put(want, "b", "c", "d", "あ", "z\n\x1b[31m")
	put(got, "a", "c", "cc", "い")
	d, err := sqlite.Compare(t.Context(), want, got)
	wantD := []store.Difference{
		{Table: "batch", Key: "a", Got: "row"}, {Table: "batch", Key: "b", Want: "row"}, {Table: "batch", Key: "cc", Got: "row"},
		{Table: "batch", Key: "d", Want: "row"}, {Table: "batch", Key: `z\n\x1b[31m`, Want: "row"},
		{Table: "batch", Key: "あ", Want: "row"}, {Table: "batch", Key: "い", Got: "row"},
	}
	if err != nil || !reflect.DeepEqual(d, wantD) {
		t.Errorf("got %v, %v\nwant %v", d, err, wantD)
	}
}

func TestCompareNamesLayout(t *testing.T) {
	for _, c := range []struct {
		edit string
		want []string
	}{
		{`create table evil (a); insert into evil values (1)`, []string{"sqlite_schema table/evil"}},
		{`create trigger evil after insert on batch begin delete from failure; end`, []string{"sqlite_schema trigger/evil"}},
		{`create index evil on batch (entry)`, []string{"sqlite_schema index/evil"}},
		{`create view evil as select 1`, []string{"sqlite_schema view/evil"}},
		{`drop index setting_key`, []string{"sqlite_schema index/setting_key"}},
		{`drop table batch`, []string{"sqlite_schema index/sqlite_autoindex_batch_1", "sqlite_schema table/batch"}},
		{`alter table batch add column x text`, []string{"sqlite_schema table/batch sql", "sqlite_schema table/batch x"}},
		{`alter table batch drop column entry`, []string{"sqlite_schema table/batch sql", "sqlite_schema table/batch entry"}},
		{`alter table failure rename column addr to address; update failure set at = null`, []string{
			"sqlite_schema index/failure_addr sql", "sqlite_schema table/failure sql", "sqlite_schema table/failure address", "sqlite_schema table/failure addr", "failure 47 at"}},
		{`pragma user_version = 5`, []string{"pragma user_version value"}},
		{`pragma application_id = 5`, []string{"pragma application_id value"}},
		{`analyze`, []string{"sqlite_schema table/sqlite_stat1", "sqlite_schema table/sqlite_stat4"}},
		{`update cursor set next = 9`, []string{"cursor 1 next"}},
	} {
		want, got := pair(t)
		edit(t, got, c.edit)
		names := compare(t, want, got)
		if c.edit == "analyze" && len(names) == 1 {
			c.want = c.want[:1] // stat4 depends on how SQLite was built
		}
		if !slices.Equal(names, c.want) {
			t.Errorf("%s:\n got %v\nwant %v", c.edit, names, c.want)
		}
	}
}

// A row taken out of an index only is still in its table; a walk by the index
// would miss it. SQLite's own check finds it.
func TestCompareNamesAnIndexThatLies(t *testing.T) {
	want, got := pair(t)
	edit(t, got, `pragma writable_schema = on;
		update sqlite_schema set sql = 'create index setting_key on setting ("layer", "key")' where name = 'setting_key'`)
	names := compare(t, want, got)
	if !slices.Contains(names, "integrity_check 1 finding") || !slices.Contains(names, "sqlite_schema index/setting_key sql") {
		t.Errorf("got %v, want the index and the finding of SQLite", names)
	}
}

// TestCompareAfterTheShell does with the sqlite3 program what a person would.
func TestCompareAfterTheShell(t *testing.T) {
	for _, c := range []struct{ edit, want string }{
		{`update subject set name = '別の名' where id = 'PC-1'`, "subject computer/PC-1 name"},
		{`update subject set "values" = replace("values", 'terminal', 'server')`, "subject computer/PC-1 values.role"},
		{`update fact set status = 'absent'`, "fact computer/PC-1/volumes status"},
		{`delete from decision`, "decision d-1"},
		{`insert into session values ('x','person/9','','','2026-01-01T00:00:00.000000000Z',null,null,null,'',0,0,1,1)`, "session x"},
		{`update credential set digest = x'00'`, ""},
		{`create trigger t after update on fact begin select 1; end`, "sqlite_schema trigger/t"},
		{`vacuum`, "-"},
	} {
		want, got := pair(t)
		if c.want == "" { // a strict table refuses it, which is as well
			if out := shellError(t, got, c.edit); !strings.Contains(out, "cannot store BLOB") {
				t.Errorf("%s: got %q, want it refused", c.edit, out)
			}
			continue
		}
		shell(t, got, c.edit)
		names := compare(t, want, got)
		if c.want == "-" {
			if len(names) > 0 {
				t.Errorf("%s: got %v, want nothing", c.edit, names)
			}
			continue
		}
		if !slices.Equal(names, []string{c.want}) {
			t.Errorf("%s: got %v, want %s", c.edit, names, c.want)
		}
	}
}

func TestCompareOfAStoreInUse(t *testing.T) {
	want, got := pair(t)
	s, err := sqlite.Open(got)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fold(t, s, 2, &store.Batch{ID: "new"})
	err = s.Fold(t.Context(), 3, func(tx store.Tx) error {
		if err := tx.Put(t.Context(), &store.Batch{ID: "not yet"}); err != nil {
			return err
		}
		if names := compare(t, want, got); !slices.Equal(names, []string{"batch new", "cursor 1 next"}) {
			t.Errorf("got %v, want the fold that was finished and no other", names)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	shell(t, got, `update batch set entry = 7 where id = 'new'`)
	if names := compare(t, want, got); len(names) != 3 {
		t.Errorf("after another process: got %v, want three", names)
	}
}

func TestCompareLimits(t *testing.T) {
	want, got := pair(t)
	edit(t, got, `with recursive n(i) as (select 1 union all select i + 1 from n where i < 12000) insert into batch select 'x' || i, i from n`)
	names := compare(t, want, got)
	if len(names) != sqlite.MostDifferences {
		t.Errorf("got %d differences, want %d", len(names), sqlite.MostDifferences)
	}
	edit(t, got, `delete from batch where id like 'x%'; update subject set name = printf('%.*c', 100000, 'x') || char(10)`)
	d, err := sqlite.Compare(t.Context(), want, got)
	if err != nil || len(d) != 1 || len(d[0].Got) > 400 || !strings.HasSuffix(d[0].Got, "… (100001 bytes)") {
		t.Errorf("a long value: got %v, %v", d, err)
	}
}

func TestCompareRefuses(t *testing.T) {
	path := made(t)
	none := filepath.Join(t.TempDir(), "none.db")
	for _, c := range []struct{ want, got string }{{path, none}, {none, path}} {
		if _, err := sqlite.Compare(t.Context(), c.want, c.got); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a store that is not there: got %v, want that it is not", err)
		}
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("Compare made the store that was not there")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sqlite.Compare(ctx, path, path); !errors.Is(err, context.Canceled) {
		t.Errorf("context at its end: got %v", err)
	}
	write(t, none, []byte(strings.Repeat("no store\n", 100)))
	if _, err := sqlite.Compare(t.Context(), path, none); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("no database: got %v, want ErrCorrupt", err)
	}
}
