package sqlite_test

import (
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
