package server_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kakusho/collect/fixture"
	"kakusho/server"
	"kakusho/server/fold"
	"kakusho/trail"
)

func sqlExec(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range statements {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// Whatever happens to the rows, they are folded again from the trail, and what
// was there is kept.
func TestRowsThatCannotBeUsedAreKeptAsideAndFoldedAgain(t *testing.T) {
	b := found(t)
	v := computer("CA-1", "A")
	v["hostname"] = "kept"
	b.put(looker(), "computer", v)
	b.observe("computer/CA-1", "banner", b.Now(), values{"banner_local": "kept"})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name  string
		harm  func(t *testing.T, path string)
		aside bool
	}{
		{"deleted", func(t *testing.T, path string) { os.Remove(path) }, false},
		{"emptied", write(nil), false},
		{"overwritten with text", write([]byte(strings.Repeat("this is no database\n", 1000))), true},
		{"cut in half", func(t *testing.T, path string) {
			info, err := os.Stat(path)
			if err == nil {
				err = os.Truncate(path, info.Size()/2)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, true},
		{"of another version", func(t *testing.T, path string) { sqlExec(t, path, "PRAGMA user_version = 999") }, true},
		{"folded from another trail", func(t *testing.T, path string) {
			sqlExec(t, path, "UPDATE cursor SET next = 100000")
		}, true},
		{"with a table missing", func(t *testing.T, path string) { sqlExec(t, path, "DROP TABLE fact") }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.t = t
			b.tick(time.Minute) // a name of its own for what is kept aside
			before, _ := filepath.Glob(filepath.Join(b.dir, "store.db.*.aside"))
			c.harm(t, filepath.Join(b.dir, "store.db"))
			b.start()
			if got := b.entry("computer/CA-1").Values["hostname"]; got != "kept" {
				t.Errorf("hostname %v, want kept", got)
			}
			if got := b.facts("computer/CA-1").Facts()["banner_local"].Fact.Value; got != "kept" {
				t.Errorf("fact %v, want kept", got)
			}
			aside, err := filepath.Glob(filepath.Join(b.dir, "store.db.*.aside"))
			if err != nil || (len(aside) > len(before)) != c.aside {
				t.Errorf("kept aside: %v, %v, want %v", aside, err, c.aside)
			}
			b.sound()
		})
	}
}

func TestAnEditedRowIsNamedAndPutRightOnDemand(t *testing.T) {
	b := found(t)
	b.observe("computer/CA-1", "authentication", b.Now(), values{"pw_min_length": int64(8)})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(b.dir, "store.db")
	sqlExec(t, path,
		`UPDATE fact SET value = '20' WHERE field = 'pw_min_length'`,
		`UPDATE subject SET name = 'innocent' WHERE kind = 'computer' AND id = 'CB-1'`,
		`DELETE FROM subject WHERE kind = 'unit' AND id = 'ST'`)
	differences, err := fold.Refold(b.ctx, b.dir, "", true, b.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"fact computer/CA-1/pw_min_length value": true, "subject computer/CB-1 name": true, "subject unit/ST ": true}
	for _, d := range differences {
		key := d.Table + " " + d.Key + " " + d.Column
		if !want[key] {
			t.Errorf("named as well: %s", d)
		}
		delete(want, key)
	}
	for key := range want {
		t.Errorf("not named: %s", key)
	}
	if _, err := fold.Refold(b.ctx, b.dir, "", false, b.Now, nil); err != nil {
		t.Fatal(err)
	}
	if aside, _ := filepath.Glob(path + ".*.aside"); len(aside) == 0 {
		t.Error("the edited rows were not kept")
	}
	b.start()
	if e := b.entry("unit/ST"); e.Rev == 0 {
		t.Error("the deleted row is not back")
	}
	b.sound()
}

// tryNew is the error of opening an installation.
func tryNew(cfg server.Config) error {
	cfg.Interval, cfg.Log = -1, slog.New(slog.DiscardHandler)
	s, err := server.New(context.Background(), cfg)
	if err == nil {
		s.Close()
	}
	return err
}

func says(t *testing.T, name string, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", name)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q does not say %q", name, err, w)
		}
	}
}

func TestWhatCannotBeOpenedSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, "a file", tryNew(server.Config{Data: file}), file, "choose another with --data")
	says(t, "below a file", tryNew(server.Config{Data: filepath.Join(file, "data")}), "choose another with --data")

	fresh := filepath.Join(dir, "fresh")
	early := func() time.Time { return time.Date(2020, 1, 1, 0, 0, 0, 0, japan) }
	says(t, "a clock before 2021", tryNew(server.Config{Data: fresh, Now: early}), "2020-01-01", "set the clock")
	if _, err := os.Stat(fresh); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a clock before 2021 left something behind: %v", err)
	}

	b := open(t, filepath.Join(dir, "used"), morning)
	err := tryNew(server.Config{Data: b.dir})
	says(t, "in use", err, "in use")
	if !errors.Is(err, trail.ErrInUse) {
		t.Errorf("in use: got %v, want ErrInUse", err)
	}

	_, err = fold.Refold(t.Context(), filepath.Join(dir, "nothing"), "", true, time.Now, nil)
	says(t, "refold of nothing", err, "nothing", "no trail")
	_, err = fold.Refold(t.Context(), b.dir, "", false, time.Now, nil)
	says(t, "refold while it runs", err, "in use")
	if differences, err := fold.Refold(t.Context(), b.dir, "", true, time.Now, nil); err != nil || len(differences) > 0 {
		t.Errorf("comparing while it runs: %v, %v, want no difference", differences, err)
	}
}

func TestAnAddressThatCannotBeServedSaysWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		cfg   server.Config
		words []string
	}{
		"taken":                   {server.Config{Listen: taken.Addr().String()}, []string{taken.Addr().String(), "in use", "--listen"}},
		"no port":                 {server.Config{Listen: "127.0.0.1"}, []string{"127.0.0.1:8743"}},
		"a port that is none":     {server.Config{Listen: "127.0.0.1:99999"}, []string{"--listen"}},
		"a certificate not there": {server.Config{Listen: "127.0.0.1:0", TLSCert: "/none.pem", TLSKey: "/none.key"}, []string{"/none.pem"}},
	} {
		c.cfg.Data, c.cfg.Interval, c.cfg.Log = t.TempDir(), -1, slog.New(slog.DiscardHandler)
		s, err := server.New(t.Context(), c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		says(t, name, s.Run(t.Context(), func(base, _ string) { t.Errorf("%s: serves on %s", name, base) }), c.words...)
		if err := s.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
	}
}

func TestAFolderThatMayNotBeWrittenSaysWhatToDo(t *testing.T) {
	fixture.AsNobody(t)
	dir := filepath.Join(t.TempDir(), "data")
	b := open(t, dir, morning)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		closed string
		words  []string
	}{
		{".", []string{dir, "cannot be written", "owner and mode"}},
		{"trail", []string{filepath.Join(dir, "trail"), "permission denied"}},
		{"trail/pack", []string{filepath.Join("trail", "pack"), "permission denied"}},
		{"vault", []string{"vault", "permission denied"}},
	} {
		path := filepath.Join(dir, c.closed)
		if err := os.Chmod(path, map[bool]os.FileMode{true: 0o500, false: 0}[c.closed == "."]); err != nil {
			t.Fatal(err)
		}
		says(t, c.closed, tryNew(server.Config{Data: dir, Now: b.Now}), c.words...)
		if err := os.Chmod(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	rows := filepath.Join(dir, "store.db")
	if err := os.Chmod(rows, 0o400); err != nil {
		t.Fatal(err)
	}
	says(t, "rows", tryNew(server.Config{Data: dir, Now: b.Now}), "store.db")
	if aside, _ := filepath.Glob(rows + ".*.aside"); len(aside) > 0 {
		t.Error("rows that may not be written were put aside")
	}
	made, err := filepath.Glob(rows + "*") // with its companions, which take over its mode
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range made {
		if err := os.Chmod(name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.start()
	b.sound()
}
