package pkg_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"kakusho/collect"
	"kakusho/collect/fixture"
	"kakusho/collect/linux/pkg"
	"kakusho/fact"
)

const status = `
-- var/lib/dpkg/status --
Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.21.22

Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.15-2+b7
Source: bash (5.2.15-2)
Description: shell
 Package: not a field
 .

Package: tzdata
Status: hold ok installed
Architecture: all
Version: 2024a-0+deb12u1

Package: old
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0
`

func release(name, suite, date, more string) string {
	return "-- var/lib/apt/lists/" + name + "_InRelease --\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nLabel: Debian\nSuite: " + suite +
		"\nCodename: " + suite + "\nDate: " + date + "\n" + more + "SHA256:\n abc 12 main/binary-amd64/Packages\n-----BEGIN PGP SIGNATURE-----\nDate: rubbish\n-----END PGP SIGNATURE-----\n"
}

func packages(name string, versions ...string) string {
	s := "-- var/lib/apt/lists/" + name + "_main_binary-amd64_Packages --\n"
	for _, v := range versions {
		w := strings.Fields(v)
		s += fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nDescription: x\n\n", w[0], w[1], w[2])
	}
	return s
}

const day = "Sat, 31 Oct 2026 10:00:00 UTC"

func pending(facts map[string]fact.Fact) string {
	f := facts["pending_updates"]
	if f.Status != fact.Observed {
		return string(f.Status) + " " + f.Reason
	}
	var out []string
	for _, e := range f.Value.([]any) {
		r := e.(map[string]any)
		s := fmt.Sprintf("%s %s→%s", r["name"], r["current"], r["candidate"])
		if r["security"] == true {
			s += " security"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func TestInstalled(t *testing.T) {
	f := fixture.Collect(t, fixture.Host(t, status), pkg.Collector())["packages"]
	want := "[map[arch:amd64 name:bash source:bash version:5.2.15-2+b7] map[arch:amd64 name:dpkg source:dpkg version:1.21.22] map[arch:all name:tzdata source:tzdata version:2024a-0+deb12u1]]"
	if got := fmt.Sprint(f.Value); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestPendingUpdates(t *testing.T) {
	stable := release("a_dists_bookworm", "bookworm", day, "")
	secure := release("a_dists_bookworm-security", "bookworm-security", day, "")
	for _, c := range []struct{ name, lists, want string }{
		{"nothing newer", stable + packages("a_dists_bookworm", "bash 5.2.15-2+b7 amd64"), ""},
		{"no lists", "", "error error: no package lists: none fetched, or cleaned away"},
		{"newer", stable + packages("a_dists_bookworm", "bash 5.2.15-2+b8 amd64", "tzdata 2024b-0 all"), "bash 5.2.15-2+b7→5.2.15-2+b8, tzdata 2024a-0+deb12u1→2024b-0"},
		{"older", stable + packages("a_dists_bookworm", "bash 5.2.15-2+b6 amd64", "bash 5.2.15-2~rc1 amd64"), ""},
		{"security", secure + packages("a_dists_bookworm-security", "bash 5.2.15-3 amd64"), "bash 5.2.15-2+b7→5.2.15-3 security"},
		{"a security update below the newest", stable + secure + packages("a_dists_bookworm", "bash 5.3 amd64") + packages("a_dists_bookworm-security", "bash 5.2.15-3 amd64"), "bash 5.2.15-2+b7→5.3 security"},
		{"not installed", stable + packages("a_dists_bookworm", "old 2.0 amd64", "other 1 amd64"), ""},
		{"of another architecture", stable + packages("a_dists_bookworm", "bash 6.0 i386"), ""},
		{"for all architectures at last", stable + packages("a_dists_bookworm", "bash 6.0 all"), "bash 5.2.15-2+b7→6.0"},
		{"in backports", release("a_dists_bp", "bp", day, "NotAutomatic: yes\nButAutomaticUpgrades: yes\n") + packages("a_dists_bp", "bash 6.0 amd64"), "bash 5.2.15-2+b7→6.0"},
		{"in backports, and the present one in stable", stable + packages("a_dists_bookworm", "bash 5.2.15-2+b7 amd64") + release("a_dists_bp", "bp", day, "NotAutomatic: yes\nButAutomaticUpgrades: yes\n") + packages("a_dists_bp", "bash 6.0 amd64"), ""},
		{"in experimental", release("a_dists_exp", "exp", day, "NotAutomatic: yes\n") + packages("a_dists_exp", "bash 6.0 amd64"), ""},
		{"a security update out of the default release's reach", secure + packages("a_dists_bookworm-security", "bash 7.0 amd64") + stable + packages("a_dists_bookworm", "bash 6.0 amd64") + "-- etc/apt/apt.conf.d/d --\nAPT::Default-Release \"bookworm\";\n", "bash 5.2.15-2+b7→6.0"},
		{"default release wins over newer", release("a_dists_n", "n", day, "") + packages("a_dists_n", "bash 7.0 amd64") + stable + packages("a_dists_bookworm", "bash 6.0 amd64") + "-- etc/apt/apt.conf.d/d --\nAPT::Default-Release \"bookworm\";\n", "bash 5.2.15-2+b7→6.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := pending(fixture.Collect(t, fixture.Host(t, status, c.lists), pkg.Collector())); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAgeOfTheLists(t *testing.T) {
	newer := "Sun, 01 Nov 2026 01:00:00 UTC"
	h := fixture.Host(t, status, release("a_dists_s-security", "s-security", day, ""), packages("a_dists_s-security", "x 1 all"), release("a_dists_s", "s", newer, ""), packages("a_dists_s", "x 1 all"))
	if f, want := fixture.Collect(t, h, pkg.Collector())["update_metadata_at"], time.Date(2026, 10, 31, 10, 0, 0, 0, time.UTC); f.Value != want {
		t.Errorf("got %v %s, want that of the security archive %v", f.Value, f.Reason, want)
	}
	h = fixture.Host(t, status, packages("a_dists_s", "x 1 all"))
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(h.Root, "var/lib/apt/lists/a_dists_s_main_binary-amd64_Packages"), at, at); err != nil {
		t.Fatal(err)
	}
	if f := fixture.Collect(t, h, pkg.Collector())["update_metadata_at"]; f.Value != at {
		t.Errorf("without a release file: got %v, want the file's own %v", f.Value, at)
	}
}

func TestCompressedLists(t *testing.T) {
	list := []byte("Package: bash\nVersion: 9\nArchitecture: amd64\n")
	for ext, wrap := range map[string]func(io.Writer) io.WriteCloser{
		".gz":  func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		".lz4": func(w io.Writer) io.WriteCloser { return lz4.NewWriter(w) },
		".xz": func(w io.Writer) io.WriteCloser {
			x, err := xz.NewWriter(w)
			if err != nil {
				t.Fatal(err)
			}
			return x
		},
	} {
		t.Run(ext, func(t *testing.T) {
			var b bytes.Buffer
			w := wrap(&b)
			w.Write(list)
			w.Close()
			h := fixture.Host(t, status, "-- var/lib/apt/lists/ --\n")
			file := filepath.Join(h.Root, "var/lib/apt/lists/a_Packages"+ext)
			if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			if got := pending(fixture.Collect(t, h, pkg.Collector())); got != "bash 5.2.15-2+b7→9" {
				t.Errorf("got %q", got)
			}
			if err := os.WriteFile(file, b.Bytes()[:b.Len()/2], 0o644); err != nil {
				t.Fatal(err)
			}
			if got := pending(fixture.Collect(t, h, pkg.Collector())); !strings.HasPrefix(got, "error") {
				t.Errorf("cut in half: got %q, want an error", got)
			}
		})
	}
}

func TestAutomaticUpdates(t *testing.T) {
	on := "-- etc/apt/apt.conf.d/20auto --\n// comment\nAPT::Periodic::Update-Package-Lists \"1\";\nAPT { Periodic { Unattended-Upgrade \"1\"; }; };\n"
	rest := "-- usr/bin/unattended-upgrade --\n-- etc/systemd/system/timers.target.wants/apt-daily-upgrade.timer -> /x --\n"
	for _, c := range []struct{ name, host, want string }{
		{"as installed", status, "false"},
		{"all in place", status + on + rest, "true"},
		{"without the program", status + on, "false"},
		{"switched off later", status + on + rest + "-- etc/apt/apt.conf.d/99off --\nAPT::Periodic::Unattended-Upgrade \"0\";\n", "false"},
		{"cleared later", status + on + rest + "-- etc/apt/apt.conf.d/99off --\n#clear APT::Periodic;\n", "false"},
		{"switched off in a left-over file", status + on + rest + "-- etc/apt/apt.conf.d/99off.dpkg-old --\nAPT::Periodic::Unattended-Upgrade \"0\";\n", "true"},
		{"timer masked", status + on + rest + "-- etc/systemd/system/apt-daily-upgrade.timer -> /dev/null --\n", "false"},
		{"dnf installs", "-- etc/dnf/automatic.conf --\n[commands]\napply_updates = yes\n-- etc/systemd/system/timers.target.wants/dnf-automatic.timer -> /x --\n", "true"},
		{"dnf only downloads", "-- etc/dnf/automatic.conf --\n[commands]\napply_updates = no\n-- etc/systemd/system/timers.target.wants/dnf-automatic.timer -> /x --\n", "false"},
		{"no manager known", "-- etc/x --\n", "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fixture.Collect(t, fixture.Host(t, c.host), pkg.Collector())["automatic_updates"]
			got := string(f.Status)
			if f.Status == fact.Observed {
				got = fmt.Sprint(f.Value)
			}
			if got != c.want {
				t.Errorf("got %s %s, want %s", got, f.Reason, c.want)
			}
		})
	}
}

// The database was made by rpm 4.18 from two packages built for it.
func rpmdb(t testing.TB) collect.Host {
	t.Helper()
	f, err := os.Open("testdata/rpmdb.sqlite.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	h := fixture.Host(t, "-- var/lib/rpm/ --\n")
	if err := os.WriteFile(filepath.Join(h.Root, "var/lib/rpm/rpmdb.sqlite"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestRpm(t *testing.T) {
	h := rpmdb(t)
	got := fixture.Collect(t, h, pkg.Collector())
	want := "[map[arch:noarch name:bash source:bash version:5.1.8-6.el9] map[arch:noarch name:openssl-libs source:openssl-libs version:1:3.0.7-24.el9]]"
	if g := fmt.Sprint(got["packages"].Value); g != want {
		t.Errorf("got %s %s\nwant %s", g, got["packages"].Reason, want)
	}
	if f := got["pending_updates"]; f.Status != fact.Error || !strings.Contains(f.Reason, "no reader") {
		t.Errorf("pending: got %s %s", f.Status, f.Reason)
	}
	if err := os.WriteFile(filepath.Join(h.Root, "var/lib/rpm/rpmdb.sqlite-wal"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if f := fixture.Collect(t, h, pkg.Collector())["packages"]; f.Status != fact.Error {
		t.Errorf("while rpm writes: got %s", f.Status)
	}
	f := fixture.Collect(t, fixture.Host(t, "-- var/lib/rpm/rpmdb.sqlite --\nrubbish\n"), pkg.Collector())["packages"]
	if f.Status != fact.Error {
		t.Errorf("rubbish: got %s %v", f.Status, f.Value)
	}
}

func TestApk(t *testing.T) {
	got := fixture.Collect(t, fixture.Host(t, "-- lib/apk/db/installed --\nC:Q1x\nP:musl\nV:1.2.5-r0\nA:x86_64\no:musl\nF:lib\n\nP:libcrypto3\nV:3.3.2-r0\nA:x86_64\no:openssl\n"), pkg.Collector())
	want := "[map[arch:x86_64 name:libcrypto3 source:openssl version:3.3.2-r0] map[arch:x86_64 name:musl source:musl version:1.2.5-r0]]"
	if g := fmt.Sprint(got["packages"].Value); g != want || got["pending_updates"].Status != fact.Error {
		t.Errorf("got %s", g)
	}
}

func TestNoManager(t *testing.T) {
	for _, f := range fixture.Collect(t, fixture.Host(t, "-- etc/x --\n"), pkg.Collector()) {
		if f.Status != fact.Error || f.Reason == "" {
			t.Errorf("%s: got %s %q", f.Field, f.Status, f.Reason)
		}
	}
}

func TestThisHostAsDpkgSaysIt(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg-query")
	if err != nil {
		t.Skip("no dpkg-query here")
	}
	out, err := exec.Command(dpkg, "-W", "-f", "${db:Status-Status} ${Package} ${Version} ${source:Package} ${Architecture}\n").Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		if s, ok := strings.CutPrefix(sc.Text(), "installed "); ok {
			want = append(want, s)
		}
	}
	var got []string
	for _, e := range fixture.Collect(t, fixture.Live(), pkg.Collector())["packages"].Value.([]any) {
		r := e.(map[string]any)
		got = append(got, fmt.Sprint(r["name"], " ", r["version"], " ", r["source"], " ", r["arch"]))
	}
	same(t, got, want)
}

var upgradable = regexp.MustCompile(`^([^/]+)/(\S+) (\S+) \S+ \[upgradable from: (\S+)\]$`)

func TestThisHostAsAptSaysIt(t *testing.T) {
	apt, err := exec.LookPath("apt")
	if err != nil {
		t.Skip("no apt here")
	}
	cmd := exec.Command(apt, "list", "--upgradable")
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		if m := upgradable.FindStringSubmatch(sc.Text()); m != nil {
			s := m[1] + " " + m[4] + "→" + m[3]
			if strings.Contains(m[2], "security") {
				s += " security"
			}
			want = append(want, s)
		}
	}
	facts := fixture.Collect(t, fixture.Live(), pkg.Collector())
	if f := facts["pending_updates"]; f.Status == fact.Error && strings.Contains(f.Reason, "no package lists") {
		t.Skip("no package lists here: apt-get update")
	}
	same(t, strings.Split(pending(facts), ", "), want)
	t.Log(len(want), "pending,", facts["pending_security_count"].Value, "security, lists of", facts["update_metadata_at"].Value, "automatic", facts["automatic_updates"].Value)
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	for _, s := range got {
		if s != "" && !slices.Contains(want, s) {
			t.Errorf("only here: %s", s)
		}
	}
	for _, s := range want {
		if !slices.Contains(got, s) {
			t.Errorf("only there: %s", s)
		}
	}
}

func BenchmarkThisHost(b *testing.B) {
	for b.Loop() {
		fixture.Collect(b, fixture.Live(), pkg.Collector())
	}
}

func FuzzParseDpkg(f *testing.F) {
	f.Add([]byte(status))
	f.Fuzz(func(t *testing.T, b []byte) {
		ps, err := pkg.ParseDpkg(b)
		for _, p := range ps {
			if err == nil && (p.Name == "" || p.Version == "" || p.Source == "") {
				t.Errorf("got %+v", p)
			}
		}
		pkg.ParseApk(b)
	})
}

func FuzzParseRelease(f *testing.F) {
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nSuite: a\nDate: Sat, 31 Oct 2026 10:00:00 UTC\n"))
	f.Fuzz(func(t *testing.T, b []byte) { pkg.ParseRelease(b) })
}

func FuzzParseAptConf(f *testing.F) {
	f.Add([]byte("APT { Periodic { Unattended-Upgrade \"1\"; }; }; /* c */ #clear APT;\n"))
	f.Add([]byte("} ; { \"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		out := map[string]string{}
		pkg.ParseAptConf(b, out)
		for k := range out {
			if k != strings.ToLower(k) {
				t.Errorf("key %q", k)
			}
		}
	})
}

func FuzzParseRpmHeader(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x03\xe8\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x01a\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := pkg.ParseRpmHeader(b); err == nil && p.Name == "" {
			t.Errorf("got %+v", p)
		}
	})
}
