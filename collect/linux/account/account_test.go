package account_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/collect"
	"kakusho/collect/fixture"
	"kakusho/collect/linux/account"
	"kakusho/fact"
)

func TestAccount(t *testing.T) {
	cases := []fixture.Case{
		{Name: "a Debian server", Base: fixture.Debian12, Want: []string{
			"uid0_accounts: [root]", "duplicate_uids: []", "admins: [root, tanaka]", "root_login_password: locked",
			"account_files_mode_ok: true", "unsafe_homes: []",
			"sudo_rules: [{all=true commands=ALL nopasswd=false place=/etc/sudoers:7 runas=ALL : ALL who=root}, {all=true commands=ALL nopasswd=false place=/etc/sudoers:8 runas=ALL : ALL who=%sudo}]"}},
		{Name: "an Ubuntu terminal with an account named for everybody", Base: fixture.Ubuntu2404, Want: []string{"admins: [root, sato]", "root_login_password: none"}},
		{Name: "a RHEL server beside a directory cannot know all members", Base: fixture.RHEL9, Want: []string{
			"admins: truncated directory", "root_login_password: set", "sudo_rules: truncated directory"}},
		{Name: "without sudo", Base: fixture.Debian12, Diff: "-- etc/sudoers gone --\n", Want: []string{"sudo_rules: absent none: /etc/sudoers", "admins: [root]"}},
		{Name: "a second root", Base: fixture.Debian12, Diff: "-- etc/passwd --\nroot:x:0:0::/root:/bin/bash\ntoor:x:0:0::/root:/bin/sh\na:x:1000:1000::/home/a:/bin/sh\nb:x:1000:1000::/home/b:/bin/sh\n",
			Want: []string{"uid0_accounts: [root, toor]", "duplicate_uids: [root, toor, a, b]", "admins: [root, tanaka, toor]"}},
		{Name: "an administrator by name, by number, by primary group and as a group's keeper", Base: fixture.Debian12, Diff: `
-- etc/passwd --
root:x:0:0::/root:/bin/bash
byname:x:1001:1001::/home/x:/bin/sh
bynumber:x:1002:1001::/home/x:/bin/sh
byprimary:x:1003:27::/home/x:/bin/sh
keeper:x:1004:1001::/home/x:/bin/sh
plain:x:1005:1001::/home/x:/bin/sh
-- etc/gshadow mode=0640 --
sudo:!:keeper:
-- etc/sudoers.d/more --
byname, #1002 ALL=ALL
plain ALL=/bin/ls
`, Want: []string{"admins: [byname, bynumber, byprimary, keeper, root, tanaka]"}},
		{Name: "everybody", Base: fixture.Debian12, Diff: "-- etc/sudoers.d/x --\nALL ALL=(ALL) NOPASSWD: ALL\n", Want: []string{"admins: [root, tanaka]"}},
		{Name: "a user of a directory with rights here", Base: fixture.Debian12, Diff: "-- etc/sudoers.d/x --\n\"EXAMPLE\\\\yamada\" ALL=(ALL) ALL\n", Want: []string{`admins: [EXAMPLE\yamada, root, tanaka]`}},
		{Name: "a group that nobody has", Base: fixture.Debian12, Diff: "-- etc/sudoers.d/x --\n%ghost ALL=ALL\n", Want: []string{"admins: [root, tanaka]"}},
		{Name: "a group whose members a directory holds", Base: fixture.Debian12, Diff: "-- etc/sudoers.d/x --\n%ghost ALL=ALL\n-- etc/nsswitch.conf --\ngroup: files sss\n",
			Want: []string{"admins: truncated directory: the members of group ghost"}},
		{Name: "polkit's administrators", Base: fixture.Debian12, Diff: `
-- etc/sudoers gone --
-- etc/group --
root:x:0:
wheel:x:10:tanaka
-- etc/polkit-1/rules.d/10.rules --
// polkit.addAdminRule(function() { return ["unix-user:nobody"]; });
polkit.addAdminRule(function(action, subject) { return ["unix-group:wheel", 'unix-user:0']; });
polkit.addRule(function(a, s) { if (s.isInGroup("x")) return "unix-user:daemon"; });
`, Want: []string{"admins: [root, tanaka]"}},
		{Name: "polkit's administrators as they used to be written", Base: fixture.Debian12, Diff: `
-- etc/sudoers gone --
-- etc/polkit-1/localauthority.conf.d/51.conf --
[Configuration]
AdminIdentities=unix-group:sudo;unix-group:admin
`, Want: []string{"admins: [root, tanaka]"}},
		{Name: "a faulty rule spoils the rules and who is administrator, not the accounts", Base: fixture.Debian12, Diff: "-- etc/sudoers.d/x --\ntanaka ALL\n", Want: []string{
			"sudo_rules: error malformed: /etc/sudoers.d/x:1", "admins: error malformed: /etc/sudoers.d/x:1", "uid0_accounts: [root]"}},
		{Name: "a faulty account spoils every list of accounts", Base: fixture.Debian12, Diff: "-- etc/passwd --\nroot:x:0:0::/root:/bin/bash\nbroken:x:12\nworse:x:a:b:::\n", Want: []string{
			"accounts: error malformed: /etc/passwd:2: not 7 fields (and 1 more lines)", "uid0_accounts: error malformed: /etc/passwd:2", "admins: error malformed", "duplicate_uids: error malformed",
			"unsafe_homes: error malformed", "root_login_password: locked", "account_files_mode_ok: true"}},
		{Name: "a faulty password line spoils the accounts but not root's own", Base: fixture.Debian12, Diff: "-- etc/shadow mode=0640 --\nroot:*:1:0:9:7:::\ntanaka:x:y:0:9:7:::\n", Want: []string{
			"accounts: error malformed: /etc/shadow:2: a day is no number", "root_login_password: none", "admins: [root, tanaka]"}},
		{Name: "a faulty group", Base: fixture.Debian12, Diff: "-- etc/group --\nsudo:x:27\n", Want: []string{"admins: error malformed: /etc/group:1"}},
		{Name: "root without a password line", Base: fixture.Debian12, Diff: "-- etc/shadow mode=0640 --\n", Want: []string{"root_login_password: none"}},
		{Name: "root with an empty password", Base: fixture.Debian12, Diff: "-- etc/shadow mode=0640 --\nroot::1:0:9:7:::\n", Want: []string{"root_login_password: empty"}},
		{Name: "no shadow file tells nothing of passwords", Base: fixture.Debian12, Diff: "-- etc/shadow gone --\n", Want: []string{"root_login_password: error missing: open /etc/shadow"}},
		{Name: "a host without root", Base: fixture.Debian12, Diff: "-- etc/passwd --\na:x:1000:1000::/home/a:/bin/sh\n", Want: []string{"root_login_password: absent none"}},
		{Name: "no account file at all", Want: []string{"accounts: error missing: open", "root_login_password: error missing", "account_files_mode_ok: error missing: stat /etc/passwd", "sudo_rules: absent none"}},
		{Name: "accounts of NIS come in by a plus line", Base: fixture.Debian12, Diff: "-- etc/passwd --\nroot:x:0:0::/root:/bin/bash\n+@staff::::::\n+::::::\n-- etc/nsswitch.conf --\npasswd: compat\n", Want: []string{
			"accounts: truncated directory", "admins: truncated directory"}},
		{Name: "a plus line that nothing reads changes nothing", Base: fixture.Debian12, Diff: "-- etc/passwd --\nroot:x:0:0::/root:/bin/bash\n+::::::\n", Want: []string{"uid0_accounts: [root]", "admins: [root, tanaka]"}},
		{Name: "passwords that everybody may read", Base: fixture.Debian12, Diff: "-- etc/shadow- mode=0644 --\n", Want: []string{"account_files_mode_ok: false"}},
		{Name: "accounts that a group may write", Base: fixture.Debian12, Diff: "-- etc/passwd mode=0664 --\nroot:x:0:0::/root:/bin/bash\n", Want: []string{"account_files_mode_ok: false"}},
		{Name: "homes that others may write", Base: fixture.Debian12, Diff: `
-- etc/passwd --
root:x:0:0::/root:/bin/bash
a:x:1001:1001::/home/a:/bin/sh
b:x:1002:1002::/home/b:/bin/sh
gone:x:1003:1003::/home/gone:/bin/sh
service:x:33:33::/tmp:/usr/sbin/nologin
none:x:1004:1004::/:/bin/sh
-- home/a/ mode=0757 --
-- home/b/ mode=0775 --
-- tmp/ mode=1777 --
`, Want: []string{"unsafe_homes: [/home/a, /home/b]"}},
		{Name: "a home that is no home of its own", Base: fixture.Debian12, Diff: "-- etc/passwd --\na:x:1001:1001::/:/bin/sh\nb:x:1002:1002:::/bin/sh\nc:x:1003:1003::/nonexistent:/bin/sh\n", Want: []string{"unsafe_homes: []"}},
	}
	if os.Geteuid() != 0 { // the files are the tester's then, and rightly found wanting
		for i := range cases {
			cases[i].Want = slices.DeleteFunc(cases[i].Want, func(w string) bool {
				return strings.HasPrefix(w, "account_files_mode_ok") || strings.HasPrefix(w, "unsafe_homes: [")
			})
		}
	}
	fixture.Check(t, account.Collector(), cases)
}

// A root of the tree that others may write is nobody's home.
func TestTheRootIsNoHome(t *testing.T) {
	h := fixture.Host(t, fixture.Debian12, "-- etc/passwd --\na:x:1001:1001::/:/bin/sh\n")
	if err := os.Chmod(h.Root, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := fixture.Show(fixture.Collect(t, h, account.Collector())["unsafe_homes"]); got != "[]" {
		t.Errorf("got %s", got)
	}
}

// Whose a file or home is can be set up by root only.
func TestOwnersCount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const passwd = "-- etc/passwd --\n# people\n\nroot:x:0:0::/root:/bin/bash\na:x:1001:1001::/home/a:/bin/sh\nfile:x:1002:1002::/home/file:/bin/sh\n"
	const homes = "-- home/a/ mode=0770 --\n-- home/file mode=0666 --\nno folder\n"
	for _, tt := range []struct {
		name, diff, path string
		uid, gid         int
		field, want      string
	}{
		{"a home for one's own group", "", "home/a", 1001, 1001, "unsafe_homes", "[]"},
		{"a home for another group", "", "home/a", 1001, 50, "unsafe_homes", "[/home/a]"},
		{"a home for one's group that has another member", "-- etc/group --\na:x:1001:b\n", "home/a", 1001, 1001, "unsafe_homes", "[/home/a]"},
		{"a home for one's group that lists oneself", "-- etc/group --\na:x:1001:a\nb:x:1002:x\n", "home/a", 1001, 1001, "unsafe_homes", "[]"},
		{"a home for a group that is another's own too", passwd + "b:x:1003:1001::/:/usr/sbin/nologin\n", "home/a", 1001, 1001, "unsafe_homes", "[/home/a]"},
		{"a home of another account", "", "home/a", 1002, 1001, "unsafe_homes", "[/home/a]"},
		{"passwords for the group shadow", "", "etc/shadow", 0, 42, "account_files_mode_ok", "true"},
		{"passwords for another group", "", "etc/shadow", 0, 4, "account_files_mode_ok", "false"},
		{"passwords of another account", "", "etc/shadow", 1001, 42, "account_files_mode_ok", "false"},
		{"accounts for the group shadow", "-- etc/passwd- --\n", "etc/passwd-", 0, 42, "account_files_mode_ok", "false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := fixture.Host(t, fixture.Debian12, passwd+homes, tt.diff)
			if err := os.Chown(filepath.Join(h.Root, tt.path), tt.uid, tt.gid); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Join(h.Root, tt.path), map[bool]os.FileMode{true: 0o770, false: 0o640}[tt.path == "home/a"]); err != nil {
				t.Fatal(err)
			}
			if got := fixture.Show(fixture.Collect(t, h, account.Collector())[tt.field]); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// record finds one account.
func record(t *testing.T, f fact.Fact, name string) map[string]any {
	t.Helper()
	l, _ := f.Value.([]any)
	for _, e := range l {
		if r := e.(map[string]any); r["name"] == name {
			return r
		}
	}
	t.Fatalf("no account %q in %s", name, fixture.Show(f))
	return nil
}

func one(t *testing.T, r map[string]any) string {
	t.Helper()
	return fixture.Show(fact.Fact{Status: fact.Observed, Value: r})
}

func TestAccountRecords(t *testing.T) {
	debian := fixture.Collect(t, fixture.Host(t, fixture.Debian12), account.Collector())["accounts"]
	ubuntu := fixture.Collect(t, fixture.Host(t, fixture.Ubuntu2404), account.Collector())["accounts"]
	rhel := fixture.Collect(t, fixture.Host(t, fixture.RHEL9), account.Collector())["accounts"]
	for _, tt := range []struct {
		f          fact.Fact
		name, want string
	}{
		{debian, "tanaka", "{admin=true changed_at=2025-04-23T00:00:00Z comment=Tanaka Hanako,,, gid=1000 hash=yescrypt home=/home/tanaka interactive=true max_days=99999 name=tanaka never_logged_in=true password=set shared_name=false shell=/bin/bash system=false uid=1000}"},
		{debian, "sync", "{admin=false changed_at=2025-04-22T00:00:00Z comment=sync gid=65534 home=/bin interactive=false max_days=99999 name=sync never_logged_in=true password=none shared_name=false shell=/bin/sync system=true uid=4}"},
		{debian, "nobody", "{admin=false changed_at=2025-04-22T00:00:00Z comment=nobody gid=65534 home=/nonexistent interactive=false max_days=99999 name=nobody never_logged_in=true password=none shared_name=false shell=/usr/sbin/nologin system=true uid=65534}"},
		// Ubuntu's desktop keeps no lastlog here: whether somebody logged in is open.
		{ubuntu, "user", "{admin=false changed_at=2025-08-01T00:00:00Z comment=,,, expires_at=2027-01-01T00:00:00Z gid=1001 hash=yescrypt home=/home/user interactive=true max_days=99999 name=user password=set shared_name=true shell=/bin/bash system=false uid=1001}"},
		{ubuntu, "sato", "{admin=true changed_at=2025-07-31T00:00:00Z comment=Sato gid=1000 hash=sha512 home=/home/sato interactive=true max_days=90 name=sato password=set shared_name=false shell=/bin/bash system=false uid=1000}"},
		{rhel, "suzuki", "{admin=true changed_at=2025-04-22T00:00:00Z comment=Suzuki Ichiro gid=1000 hash=sha512 home=/home/suzuki interactive=true max_days=99999 name=suzuki password=locked shared_name=false shell=/bin/bash system=false uid=1000}"},
		{rhel, "operator", "{admin=false changed_at=2024-02-07T00:00:00Z comment=operator gid=0 home=/root interactive=false max_days=99999 name=operator password=none shared_name=false shell=/sbin/nologin system=true uid=11}"},
	} {
		if got := one(t, record(t, tt.f, tt.name)); got != tt.want {
			t.Errorf("%s:\n got  %s\n want %s", tt.name, got, tt.want)
		}
	}
	if debian.Status != fact.Observed || debian.Reason != "" {
		t.Errorf("status %s %q", debian.Status, debian.Reason)
	}
	for _, s := range debian.Source {
		if strings.Contains(s.Ref, "shadow") && s.SHA256 != "" {
			t.Errorf("a digest of %s leaves the host", s.Ref)
		}
	}
}

func TestParsePassword(t *testing.T) {
	for field, want := range map[string]string{
		"": "empty ", "*": "none ", "x": "none ", "!": "locked ", "!!": "locked ", "*LK*": "none ", "NP": "none ",
		"$y$j9T$abc$def": "set yescrypt", "$gy$j9T$abc$def": "set gost-yescrypt", "$6$s$h": "set sha512", "$5$s$h": "set sha256", "$1$s$h": "set md5",
		"$2b$12$abc": "set bcrypt", "$2$x": "set bcrypt", "$7$x": "set scrypt", "$md5,rounds=5$x": "set sunmd5", "$9$x": "set unknown", "$": "set unknown",
		"ab01FAX.bQRSU": "set des", "_J9..rasmBYk8r9AiWNc": "set bsdi-des", "!$6$s$h": "locked sha512", "!!$6$s$h": "locked sha512", "!ab01FAX.bQRSU": "locked des", "ab01FAX.bQRS:": "none ",
	} {
		p := account.ParsePassword(field)
		if got := p.State + " " + p.Scheme; got != want {
			t.Errorf("%q: %q, want %q", field, got, want)
		}
	}
}

func TestSharedNames(t *testing.T) {
	s := account.SharedNames()
	for name, want := range map[string]bool{
		"root": false, "admin": true, "Admin": true, "user01": true, "user-1": true, "kyoyo": true, "kyouyou2": true, "soumu-share": true, "guest": true, "share_pc": true,
		"tanaka": false, "usera": false, "testa": false, "h.yamada": false, "sharelle": false, "ishare": false, "pi": true, "01": false,
	} {
		if got := s.Looks(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

// wtmp builds one record of the C library's.
func wtmp(wide bool, kind uint16, name string, at int64) []byte {
	if wide {
		b := make([]byte, 400)
		binary.LittleEndian.PutUint16(b, kind)
		copy(b[44:], name)
		binary.LittleEndian.PutUint64(b[344:], uint64(at))
		return b
	}
	b := make([]byte, 384)
	binary.LittleEndian.PutUint16(b, kind)
	copy(b[44:], name)
	binary.LittleEndian.PutUint32(b[340:], uint32(at))
	return b
}

func TestLastLogin(t *testing.T) {
	h := fixture.Host(t, fixture.Debian12)
	write := func(name string, b []byte, at int64) {
		f, err := os.OpenFile(filepath.Join(h.Root, name), os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt(b, at); err != nil {
			t.Fatal(err)
		}
	}
	last := make([]byte, 292)
	binary.LittleEndian.PutUint32(last, 1_780_000_000)
	write("var/log/lastlog", last, 1000*292)
	binary.LittleEndian.PutUint32(last, 1_770_000_000)
	write("var/log/lastlog", last, 65534*292) // a hole lies between
	var w []byte
	w = append(w, wtmp(false, 7, "root", 1_760_000_000)...)
	w = append(w, wtmp(false, 7, "root", 1_750_000_000)...)
	w = append(w, wtmp(false, 8, "daemon", 1_790_000_000)...) // an end, no login
	w = append(w, wtmp(false, 7, "tanaka", 1_700_000_000)...)
	write("var/log/wtmp", w[:len(w)-10], 0) // being written
	write("var/log/wtmp.1", wtmp(false, 7, "bin", 1_600_000_000), 0)
	f := fixture.Collect(t, h, account.Collector())["accounts"]
	for name, want := range map[string]int64{"tanaka": 1_780_000_000, "nobody": 1_770_000_000, "root": 1_760_000_000, "bin": 1_600_000_000, "daemon": 0, "_apt": 0} {
		r := record(t, f, name)
		at, _ := r["last_login"].(time.Time)
		if want == 0 && (r["never_logged_in"] != true || r["last_login"] != nil) || want != 0 && (r["never_logged_in"] != false || at.Unix() != want) {
			t.Errorf("%s: %v %v, want %d", name, r["never_logged_in"], r["last_login"], want)
		}
	}
	// Without lastlog only those seen in wtmp are known.
	if err := os.Remove(filepath.Join(h.Root, "var/log/lastlog")); err != nil {
		t.Fatal(err)
	}
	f = fixture.Collect(t, h, account.Collector())["accounts"]
	if r := record(t, f, "root"); r["never_logged_in"] != false {
		t.Errorf("root: %v", r)
	}
	if r := record(t, f, "tanaka"); r["never_logged_in"] != nil || r["last_login"] != nil {
		t.Errorf("tanaka: %v, want open", r)
	}
}

func TestLastLoginFromDatabases(t *testing.T) {
	h := fixture.Host(t, fixture.Debian12, fixture.Read(t, "testdata/databases.txtar"))
	f := fixture.Collect(t, h, account.Collector())["accounts"]
	for name, want := range map[string]string{"tanaka": "2026-05-28T20:26:40Z", "root": "2025-10-09T08:53:20.5Z", "daemon": "never"} {
		r := record(t, f, name)
		got := "never"
		if at, ok := r["last_login"].(time.Time); ok {
			got = at.Format(time.RFC3339Nano)
		}
		if got != want || r["never_logged_in"] != (want == "never") {
			t.Errorf("%s: %s, %v; want %s", name, got, r["never_logged_in"], want)
		}
	}
	// Rows may be waiting beside the file: then it is not believed.
	if err := os.WriteFile(filepath.Join(h.Root, "var/lib/lastlog/lastlog2.db-wal"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	f = fixture.Collect(t, h, account.Collector())["accounts"]
	if r := record(t, f, "daemon"); r["never_logged_in"] != nil {
		t.Errorf("daemon: %v, want open", r["never_logged_in"])
	}
}

func TestLoginRecordsOfOtherArchitectures(t *testing.T) {
	got := account.ParseWtmp(wtmp(true, 7, "a", 1_790_000_000), "aarch64")
	if got["a"].Unix() != 1_790_000_000 {
		t.Errorf("aarch64: %v", got)
	}
	b := make([]byte, 292)
	binary.BigEndian.PutUint32(b, 1_790_000_000)
	if at, err := account.ParseLastlog(b, "s390x"); err != nil || at.Unix() != 1_790_000_000 {
		t.Errorf("s390x: %v, %v", at, err)
	}
	if _, err := account.ParseLastlog(b[:291], "x86_64"); err == nil {
		t.Error("a short record passed")
	}
}

func TestAccountOfTheLiveHostAgreesWithItsTools(t *testing.T) {
	got := fixture.Collect(t, fixture.Live(), account.Collector())
	if os.Geteuid() != 0 {
		t.Skip("passwd -S needs root")
	}
	if out, err := exec.Command("getent", "-s", "files", "passwd").Output(); err != nil {
		t.Log("no oracle: getent: ", err)
	} else {
		for line := range strings.Lines(string(out)) {
			f := strings.Split(strings.TrimSpace(line), ":")
			r := record(t, got["accounts"], f[0])
			if s := fmt.Sprintf("%d %d %s %s %s", r["uid"], r["gid"], r["comment"], r["home"], r["shell"]); s != strings.Join([]string{f[2], f[3], f[4], f[5], f[6]}, " ") {
				t.Errorf("getent says %s, we say %s", line, s)
			}
		}
	}
	out, err := exec.Command("passwd", "-S", "-a").Output()
	if err != nil {
		t.Log("no oracle: passwd -S: ", err)
		return
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		r := record(t, got["accounts"], f[0])
		want := map[string]string{"P": "set", "NP": "empty", "L": "locked or none"}[f[1]]
		if state, _ := r["password"].(string); !strings.Contains(want, state) {
			t.Errorf("passwd says %s, we say %s", line, state)
		}
	}
}

func TestAccountWithoutRights(t *testing.T) {
	fixture.AsNobody(t)
	check := func(h collect.Host, want map[string]string) {
		t.Helper()
		got := fixture.Collect(t, h, account.Collector())
		for field, w := range want {
			if s := fixture.Show(got[field]); !strings.HasPrefix(s, w) {
				t.Errorf("%s: %s, want %s", field, s, w)
			}
		}
		f := got["accounts"]
		if f.Status != fact.Observed || f.Reason != "permission: open /etc/shadow" {
			t.Errorf("accounts: %s %q", f.Status, f.Reason)
		}
		if r := record(t, f, "root"); r["password"] != nil || r["hash"] != nil || r["admin"] != true {
			t.Errorf("root: %v", r)
		}
		if r := record(t, f, "nobody"); r["admin"] != nil {
			t.Errorf("nobody: admin must be open, got %v", r["admin"])
		}
	}
	want := map[string]string{
		"root_login_password": "denied permission: open /etc/shadow", "sudo_rules": "denied permission: open /etc/sudoers",
		"admins": "denied permission: open /etc/sudoers", "uid0_accounts": "[root]",
	}
	h := fixture.Host(t, fixture.Debian12)
	for _, p := range []string{"/etc/shadow", "/etc/sudoers"} {
		if err := os.Chmod(h.Root+p, 0); err != nil {
			t.Fatal(err)
		}
	}
	check(h, want)
	if _, err := os.Stat("/etc/sudoers"); err == nil {
		check(fixture.Live(), want)
	}
}

func FuzzParsers(f *testing.F) {
	f.Add([]byte("root:x:0:0:root:/root:/bin/bash\n"))
	f.Add([]byte("root:$6$a$b:1:0:99999:7::20000:\n+::::::\n"))
	f.Add([]byte("sudo:x:27:a,b\n"))
	f.Add([]byte("polkit.addAdminRule(function() { return ['unix-group:wheel']; });"))
	f.Add([]byte("passwd: files # x\n"))
	f.Add(wtmp(false, 7, "root", 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		users, faults, _ := account.ParsePasswd("f", b)
		for _, u := range users {
			if u.Name == "" || strings.ContainsAny(u.Name, ":\n") || u.Line < 1 {
				t.Errorf("user %+v", u)
			}
		}
		shadow, more := account.ParseShadow("f", b)
		for name, s := range shadow {
			if name != s.Name || s.Password.State == "" || s.MaxDays < -1 {
				t.Errorf("shadow %+v", s)
			}
		}
		for _, fault := range append(faults, more...) {
			if fault.Line < 1 {
				t.Errorf("fault %+v", fault)
			}
		}
		account.ParseGroup("f", b)
		account.ParseGshadow("f", b)
		account.ParseSwitch(b)
		for _, id := range account.ParsePolkitRules(b) {
			if !strings.HasPrefix(id, "unix-") {
				t.Errorf("identity %q", id)
			}
		}
		for _, arch := range []string{"x86_64", "aarch64", "s390x"} {
			account.ParseWtmp(b, arch)
			account.ParseLastlog(b, arch)
		}
		account.ParseShared(string(b)).Looks("x")
	})
}
