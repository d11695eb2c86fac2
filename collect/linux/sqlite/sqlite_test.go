package sqlite_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"kakusho/collect/linux/sqlite"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// testdata/rows.db was made by the engine, with pages of 512 bytes.
func TestRowsOfEveryType(t *testing.T) {
	got, err := sqlite.Rows(read(t, "testdata/rows.db"), "T")
	if err != nil {
		t.Fatal(err)
	}
	row := func(id int64, name string, n int64, f, x any) map[string]any {
		return map[string]any{"id": id, "Name": name, "n": n, "f": f, "x": x}
	}
	want := []map[string]any{
		row(7, "あ", -5, 1.5, []byte{0, 255}), row(9, "", 4611686018427387904, nil, nil), row(10, strings.Repeat("z", 3000), 0, 2.5, nil),
		row(11, "y", 1, -0.25, nil), row(12, "w", -129, nil, nil), row(13, "v", 8388607, nil, nil), row(14, "u", -140737488355328, nil, nil),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// The engine itself, where Python brings it, is the oracle for trees of several
// levels and rows over several pages.
func TestManyAndLongRowsAreThoseOfTheEngine(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no oracle: ", err)
	}
	for _, page := range []int{512, 4096, 65536} {
		p := filepath.Join(t.TempDir(), "db")
		script := fmt.Sprintf("import sqlite3\ndb=sqlite3.connect(%q)\ndb.execute('PRAGMA page_size=%d')\ndb.execute('CREATE TABLE t(k TEXT PRIMARY KEY, v TEXT)')\n"+
			"db.executemany('INSERT INTO t VALUES (?,?)', [('k%%d'%%(i+1), 'x'*((i+1)*101%%20000)) for i in range(400)])\ndb.commit()", p, page)
		if out, err := exec.Command(python, "-c", script).CombinedOutput(); err != nil {
			t.Skipf("no oracle: %v: %s", err, out)
		}
		got, err := sqlite.Rows(read(t, p), "t")
		if err != nil || len(got) != 400 {
			t.Fatalf("page %d: %d rows, %v", page, len(got), err)
		}
		for i, r := range got {
			if r["k"] != fmt.Sprintf("k%d", i+1) || r["v"] != strings.Repeat("x", (i+1)*101%20000) {
				t.Fatalf("page %d: row %d is %.40v", page, i, r)
			}
		}
	}
}

func TestWhatIsNoTable(t *testing.T) {
	b := read(t, "testdata/rows.db")
	for _, name := range []string{"none", "v"} {
		if got, err := sqlite.Rows(b, name); len(got) != 0 || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, b := range [][]byte{nil, []byte("SQLite format 3\x00"), b[:600], []byte(strings.Repeat("x", 4096))} {
		if _, err := sqlite.Rows(b, "t"); err == nil {
			t.Errorf("%d bytes passed", len(b))
		}
	}
}

func FuzzRows(f *testing.F) {
	f.Add(read(f, "testdata/rows.db"), "t")
	f.Add([]byte("SQLite format 3\x00"), "CREATE TABLE t(a, b INTEGER PRIMARY KEY)")
	f.Fuzz(func(t *testing.T, b []byte, table string) {
		rows, err := sqlite.Rows(b, table)
		if err == nil && len(rows) > len(b) {
			t.Errorf("%d rows out of %d bytes", len(rows), len(b))
		}
		sqlite.Columns(table)
	})
}
