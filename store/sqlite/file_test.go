package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/store"
	"kakusho/store/sqlite"
	"kakusho/store/storetest"
)

// made is the path of a closed store with one row in every table, at entry 1.
func made(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	fold(t, s, 1, storetest.Full()...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func fold(t testing.TB, s store.Store, upto int64, rows ...store.Row) {
	t.Helper()
	err := s.Fold(t.Context(), upto, func(tx store.Tx) error {
		for _, r := range rows {
			if err := tx.Put(t.Context(), r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// edit runs statements on a file behind the store's back.
func edit(t testing.TB, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "pragma synchronous = off;"+statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

// shell runs statements with the sqlite3 program, where there is one.
func shell(t *testing.T, path, statements string) {
	t.Helper()
	if _, err := exec.LookPath("sqlite3"); err != nil {
		t.Skip("no sqlite3 here")
	}
	if out, err := exec.Command("sqlite3", "-bail", path, statements).CombinedOutput(); err != nil {
		t.Fatalf("sqlite3: %v: %s", err, out)
	}
}

// shellError is what the sqlite3 program says when it refuses.
func shellError(t *testing.T, path, statements string) string {
	t.Helper()
	if _, err := exec.LookPath("sqlite3"); err != nil {
		t.Skip("no sqlite3 here")
	}
	out, err := exec.Command("sqlite3", "-bail", path, statements).CombinedOutput()
	if err == nil {
		t.Errorf("sqlite3: %s: got no error", statements)
	}
	return string(out)
}

func TestReopen(t *testing.T) {
	path := made(t)
	if left, err := filepath.Glob(path + "-*"); len(left) > 0 || err != nil {
		t.Errorf("beside a closed store: got %v, %v, want nothing", left, err)
	}
	s, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if n, err := s.Cursor(t.Context()); n != 1 || err != nil {
		t.Errorf("cursor: got %d, %v, want 1", n, err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("mode of store.db%s: got %o, want 600", suffix, got)
		}
	}
	var b store.Batch
	if err := s.View(t.Context(), func(r store.Reader) (err error) {
		b, _, err = store.Get(t.Context(), r, store.Batch{ID: "b-1"})
		return err
	}); err != nil || b.Entry != 48 {
		t.Errorf("batch: got %+v, %v", b, err)
	}
}

func TestTwoProcessesMayHaveItOpen(t *testing.T) {
	path := made(t)
	a, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	fold(t, a, 2, &store.Batch{ID: "a"})
	if err := b.Fold(t.Context(), 2, func(store.Tx) error { return nil }); !errors.Is(err, store.ErrFolded) {
		t.Errorf("the same entry again: got %v, want ErrFolded", err)
	}
	fold(t, b, 3, &store.Batch{ID: "b"})
	if n, err := a.Cursor(t.Context()); n != 3 || err != nil {
		t.Errorf("cursor: got %d, %v, want 3", n, err)
	}
}

func TestBusy(t *testing.T) {
	t.Parallel() // it waits
	path := made(t)
	s, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	other, err := sql.Open("sqlite", path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	never := func(store.Tx) error { t.Error("folded under another's lock"); return nil }
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Fold(ctx, 2, never); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, store.ErrBusy) {
		t.Errorf("fold with little time: got %v, want the end of the context", err)
	}
	if !testing.Short() {
		if err := s.Fold(t.Context(), 2, never); !errors.Is(err, store.ErrBusy) {
			t.Errorf("fold: got %v, want ErrBusy", err)
		}
	}
	if err := s.View(t.Context(), func(store.Reader) error { return nil }); err != nil {
		t.Errorf("view beside another's fold: got %v", err)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	fold(t, s, 2)
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *testing.T, path string)
		want error
	}{
		{"a store of another version", func(t *testing.T, path string) { edit(t, path, `pragma user_version = 7`) }, store.ErrOutdated},
		{"a trigger that was added", func(t *testing.T, path string) {
			edit(t, path, `create trigger evil after insert on batch begin delete from failure; end`)
		}, store.ErrAltered},
		{"an index that was dropped", func(t *testing.T, path string) { edit(t, path, `drop index setting_key`) }, store.ErrAltered},
		{"a table that was added", func(t *testing.T, path string) { edit(t, path, `create table note (a)`) }, store.ErrAltered},
		{"a column that was added", func(t *testing.T, path string) { edit(t, path, `alter table batch add column x text`) }, store.ErrAltered},
		{"a cursor that was taken away", func(t *testing.T, path string) { edit(t, path, `delete from cursor`) }, store.ErrCorrupt},
		{"a text file", func(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte("no store\n"), 100)) }, store.ErrCorrupt},
		{"half a file", func(t *testing.T, path string) { cut(t, path, 2) }, store.ErrCorrupt},
		{"a file of zeros", func(t *testing.T, path string) { write(t, path, make([]byte, 1<<16)) }, store.ErrCorrupt},
		{"a damaged first page", func(t *testing.T, path string) { flip(t, path, 110, 200) }, store.ErrCorrupt},
		{"a folder", func(t *testing.T, path string) { remove(t, path); mkdir(t, path) }, store.ErrReadOnly},
		{"a folder that is not there", func(t *testing.T, path string) { remove(t, path); remove(t, filepath.Dir(path)) }, store.ErrReadOnly},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := made(t)
			c.do(t, path)
			s, err := sqlite.Open(path)
			if err == nil {
				// What Open does not read, the first use must find.
				err = errors.Join(s.View(t.Context(), func(r store.Reader) error {
					for _, of := range store.Rows() {
						if err := r.List(t.Context(), of, store.Where{}, func(store.Row) error { return nil }); err != nil {
							return err
						}
					}
					return nil
				}), s.Close())
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), c.want.Error()) {
				t.Errorf("got %q, which does not say what to do", err)
			}
		})
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func cut(t *testing.T, path string, by int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()/by); err != nil {
		t.Fatal(err)
	}
}

func flip(t *testing.T, path string, from, to int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := from; i < to; i++ {
		b[i] ^= 0xff
	}
	write(t, path, b)
}

func TestAnotherProgramsDatabaseIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	edit(t, path, `create table precious (a); insert into precious values (1)`)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := sqlite.Open(path); err == nil {
		s.Close()
		t.Error("open: got no error")
	} else if errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrOutdated) {
		t.Errorf("open: got %v, which tells to drop it", err)
	}
	if err := sqlite.Drop(path); err == nil {
		t.Error("drop: got no error")
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed: %v", err)
	}
}

func TestDrop(t *testing.T) {
	path := made(t)
	for _, suffix := range []string{"-wal", "-shm"} { // as after a kill
		write(t, path+suffix, nil)
	}
	for range 2 { // that there is none is no error
		if err := sqlite.Drop(path); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); len(left) != 0 || err != nil {
		t.Errorf("left: %v, %v, want nothing", left, err)
	}
	s, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Cursor(t.Context()); n != 0 || err != nil {
		t.Errorf("cursor of the new store: got %d, %v, want 0", n, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for name, b := range map[string][]byte{"a text": []byte("precious\n"), "a long text": bytes.Repeat([]byte("precious\n"), 99)} {
		write(t, path, b)
		if err := sqlite.Drop(path); err == nil {
			t.Errorf("drop of %s: got no error", name)
		}
	}
	write(t, path, nil) // a kill between creating and filling it
	if err := sqlite.Drop(path); err != nil {
		t.Errorf("drop of an empty file: %v", err)
	}
}

func TestOpenFinishesWhatAKillLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	write(t, path, nil)
	for range 2 {
		s, err := sqlite.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	remove(t, path)
	edit(t, path, `pragma journal_mode = wal`) // a file of one page, and no table
	s, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	fold(t, s, 1, storetest.Full()...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStatisticsMayBeThere(t *testing.T) {
	path := made(t)
	edit(t, path, `analyze`)
	s, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A row edited into what the program never writes is an error that names it, not
// a wrong answer.
func TestEditedRowIsNamed(t *testing.T) {
	for _, c := range []struct{ edit, want string }{
		{`update subject set "values" = '{'`, "subject [computer PC-1]: store is corrupt: drop it and fold the trail again: column values"},
		{`update subject set changed_at = 'yesterday'`, "column changed_at"},
		{`update subject set retired = 7`, "column retired"},
		{`update fact set source = 'x'`, "fact [computer/PC-1 volumes]"},
	} {
		path := made(t)
		edit(t, path, c.edit)
		s, err := sqlite.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		err = s.View(t.Context(), func(r store.Reader) error {
			_, err := store.All[store.Subject](t.Context(), r, store.Where{})
			_, errFact := store.All[store.Fact](t.Context(), r, store.Where{})
			return errors.Join(err, errFact)
		})
		if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want ErrCorrupt and %q", c.edit, err, c.want)
		}
		if strings.Contains(c.edit, "values") {
			err := s.View(t.Context(), func(r store.Reader) error {
				_, err := r.Count(t.Context(), &store.Subject{}, store.Where{Equal: map[string]any{"values.role": "x"}})
				return err
			})
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("asking within broken JSON: got %v, want ErrCorrupt", err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestDamage flips bytes anywhere in the file. Whatever comes of it, it is an
// error or rows, never a panic; and where Compare finds nothing, the rows are the
// ones that were put.
func TestDamage(t *testing.T) {
	want := dense(t)
	whole, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	wantRows, err := everything(t, want)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2026))
	path := filepath.Join(t.TempDir(), "store.db")
	rounds, found := 150, 0
	if testing.Short() {
		rounds = 30
	}
	for range rounds {
		b := bytes.Clone(whole)
		b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		for _, suffix := range []string{"-wal", "-shm"} {
			if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		write(t, path, b)
		differences, err := sqlite.Compare(t.Context(), want, path)
		if err != nil || len(differences) > 0 {
			found++
			_, _ = everything(t, path)
			continue
		}
		if got, err := everything(t, path); err != nil || !slices.Equal(got, wantRows) {
			t.Errorf("damage that Compare did not find: %v, %d rows, want %d", err, len(got), len(wantRows))
		}
	}
	if found < rounds/6 {
		t.Errorf("damage found by Compare: %d of %d", found, rounds)
	}
	t.Logf("damage found by Compare: %d of %d; the rest fell into space not in use", found, rounds)
}

// dense is the path of a store whose pages are nearly full.
func dense(t *testing.T) string {
	t.Helper()
	path := made(t)
	s, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []store.Row
	for i := range 400 {
		rows = append(rows, &store.Fact{Subject: fmt.Sprintf("computer/PC-%03d", i), Field: "os", Status: "observed",
			Value: strings.Repeat("値", i%40), Collector: "identity", ObservedAt: time.Unix(int64(i), 0), Entry: int64(i)})
	}
	fold(t, s, 2, rows...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// everything is each row of the store at path, as text. It folds once more
// before it closes, to try damage under a write too.
func everything(t *testing.T, path string) (out []string, err error) {
	t.Helper()
	s, err := sqlite.Open(path)
	if err != nil {
		return nil, err
	}
	err = s.View(t.Context(), func(r store.Reader) error {
		n, err := r.Cursor(t.Context())
		out = append(out, fmt.Sprint("cursor ", n))
		for _, of := range store.Rows() {
			err = errors.Join(err, r.List(t.Context(), of, store.Where{}, func(row store.Row) error {
				out = append(out, fmt.Sprintf("%+v", row))
				return nil
			}))
		}
		return err
	})
	stop := errors.New("stop")
	_ = s.Fold(t.Context(), 1000, func(tx store.Tx) error {
		for _, row := range storetest.Full() {
			if err := tx.Put(t.Context(), row); err != nil {
				return err
			}
		}
		return stop
	})
	return out, errors.Join(err, s.Close())
}
