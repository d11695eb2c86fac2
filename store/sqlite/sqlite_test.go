package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"kakusho/store"
	"kakusho/store/sqlite"
	"kakusho/store/storetest"
)

// open opens a new store in a folder whose name SQLite could take for a query.
func open(t testing.TB) store.Store {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "記録 100%?mode=memory#x.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) { storetest.Run(t, open) }

func BenchmarkStore(b *testing.B) { storetest.Benchmark(b, open) }

// BenchmarkCompare walks two stores of 20,000 rows.
func BenchmarkCompare(b *testing.B) {
	paths := [2]string{}
	for i := range paths {
		paths[i] = filepath.Join(b.TempDir(), "store.db")
		s, err := sqlite.Open(paths[i])
		if err != nil {
			b.Fatal(err)
		}
		var rows []store.Row
		for n := range 20_000 {
			rows = append(rows, &store.Fact{Subject: fmt.Sprintf("computer/PC-%05d", n/50), Field: fmt.Sprint("field_", n%50), Status: "observed", Value: int64(n)})
		}
		fold(b, s, 1, rows...)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if d, err := sqlite.Compare(b.Context(), paths[0], paths[1]); err != nil || len(d) > 0 {
			b.Fatal(d, err)
		}
	}
}
