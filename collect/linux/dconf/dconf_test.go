package dconf_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/dconf"
)

const host = `
-- etc/dconf/profile/user --
user-db:user
system-db:local # ours
system-db:site
-- etc/dconf/db/local.d/00-a --
[org/x]
k='weak'
n=uint32 1
b=true
s='it\'s'
-- etc/dconf/db/local.d/10-b --
[org/x]
k='local'
bad=soon
-- etc/dconf/db/site.d/00 --
[org/x]
k='site'
only=int32 -7
-- etc/dconf/db/site.d/locks/00 --
# locked
/org/x/only
-- usr/share/glib-2.0/schemas/10_x.gschema.override --
[org.x:ubuntu]
k='default'
built=5
-- etc/dconf/db/local --
-- etc/dconf/db/site --
`

func TestLayers(t *testing.T) {
	s, err := dconf.Load(fixture.Host(t, host).Look(), "user")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Text("/org/x/k"); got != "local" {
		t.Errorf("k = %q", got)
	}
	if got := s.Text("/org/x/s"); got != "it's" {
		t.Errorf("s = %q", got)
	}
	if n, err := s.Number("/org/x/only", 0); n != -7 || err != nil || !s.Locked("/org/x/only") || s.Locked("/org/x/k") {
		t.Errorf("only = %d, %v", n, err)
	}
	if n, err := s.Number("/org/x/built", 0); n != 5 || err != nil {
		t.Errorf("built = %d, %v", n, err)
	}
	if b, err := s.Bool("/org/x/b", false); !b || err != nil {
		t.Errorf("b = %v, %v", b, err)
	}
	if _, err := s.Bool("/org/x/bad", false); err == nil {
		t.Error("a word passed as a truth value")
	}
	if _, err := s.Number("/org/x/bad", 0); err == nil {
		t.Error("a word passed as a number")
	}
	if n, err := s.Number("/org/x/none", 42); n != 42 || err != nil {
		t.Errorf("none = %d, %v", n, err)
	}
}

func TestValuesInTheNotationOfGVariant(t *testing.T) {
	load := func(v string) *dconf.Settings {
		s, err := dconf.Load(fixture.Host(t, "-- etc/dconf/profile/user --\nsystem-db:local\n-- etc/dconf/db/local.d/.hidden --\n[org/x]\nk=9\n-- etc/dconf/db/local.d/00 --\n[org/x]\nk="+v+"\n-- etc/dconf/db/local.d/locks/.hidden --\n/org/x/k\n-- etc/dconf/db/local --\n").Look(), "user")
		if err != nil {
			t.Fatal(err)
		}
		if s.Locked("/org/x/k") {
			t.Error("a hidden file locks")
		}
		return s
	}
	for v, want := range map[string]int64{"5": 5, "-5": -5, "uint32 6": 6, "int32 7": 7, "uint64 8": 8, "int64 9": 9, "0x10": 16, "byte 1": -1, "uint32 x": -1, "uint32 1 2": -1, "'5'": -1} {
		n, err := load(v).Number("/org/x/k", 99)
		if bad := want == -1; (err != nil) != bad || !bad && n != want {
			t.Errorf("%s: %d, %v", v, n, err)
		}
	}
	for v, want := range map[string]string{"'a'": "a", `"b"`: "b", `'it\'s'`: "it's", `'two\nlines'`: "two\nlines", "bare": "bare", "'": "'", "'open": "'open", `'mixed"`: `'mixed"`, "''": "", "xx": "xx"} {
		if got := load(v).Text("/org/x/k"); got != want {
			t.Errorf("%s: %q, want %q", v, got, want)
		}
	}
}

func TestALockSilencesWhatIsAbove(t *testing.T) {
	s, err := dconf.Load(fixture.Host(t, host, "-- etc/dconf/db/site.d/locks/01 --\n/org/x/k\n-- etc/dconf/db/site --\n").Look(), "user")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Text("/org/x/k"); got != "site" || !s.Locked("/org/x/k") {
		t.Errorf("k = %q", got)
	}
}

func TestWithoutProfileOrCompiledFileNothingApplies(t *testing.T) {
	for _, diff := range []string{"-- etc/dconf/profile/user gone --\n", "-- etc/dconf/db/local gone --\n-- etc/dconf/db/site gone --\n"} {
		s, err := dconf.Load(fixture.Host(t, host, diff).Look(), "user")
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Text("/org/x/k"); got != "default" || s.Locked("/org/x/only") {
			t.Errorf("%q: k = %q", diff, got)
		}
	}
}

func TestSourcesNewerThanTheCompiledFileAreAnError(t *testing.T) {
	h := fixture.Host(t, host)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(h.Root, "etc/dconf/db/local"), old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := dconf.Load(h.Look(), "user"); err == nil || !strings.HasPrefix(err.Error(), "stale: /etc/dconf/db/local.d/") {
		t.Errorf("got %v", err)
	}
}

func FuzzParsers(f *testing.F) {
	f.Add([]byte(host))
	f.Fuzz(func(t *testing.T, b []byte) {
		for k := range dconf.ParseKeyfile(b) {
			if !strings.HasPrefix(k, "/") {
				t.Errorf("key %q", k)
			}
		}
		for _, k := range dconf.ParseLocks(b) {
			if !strings.HasPrefix(k, "/") {
				t.Errorf("lock %q", k)
			}
		}
		for _, db := range dconf.ParseProfile(b) {
			if db == "" || strings.Contains(db, "/") {
				t.Errorf("database %q", db)
			}
		}
	})
}
