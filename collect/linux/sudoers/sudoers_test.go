package sudoers_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/sudoers"
)

func load(t *testing.T, archive, hostname string) *sudoers.Policy {
	t.Helper()
	h := fixture.Host(t, archive)
	if err := os.WriteFile(h.Root+"/etc/with space", []byte("s ALL=/bin/x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := sudoers.Load(h.Look(), hostname)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func show(r sudoers.Rule) string {
	var marks string
	for _, m := range []struct {
		on   bool
		name string
	}{{r.Nopasswd, " nopasswd"}, {r.All, " all"}, {r.Root, " root"}} {
		if m.on {
			marks += m.name
		}
	}
	return fmt.Sprintf("%s as (%s): %s%s @%s", r.Who, r.Runas, r.Commands, marks, filepath.Base(r.Place))
}

func TestRules(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"the rule of root", "root ALL=(ALL:ALL) ALL", []string{"root as (ALL : ALL): ALL all root @sudoers:1"}},
		{"without runas it is root", "%wheel\tALL = ALL", []string{"%wheel as (root): ALL all root @sudoers:1"}},
		{"NOPASSWD", "tanaka ALL=(ALL) NOPASSWD: ALL", []string{"tanaka as (ALL): ALL nopasswd all root @sudoers:1"}},
		{"tags and runas hold until changed", "a ALL=(www) NOPASSWD: /bin/x, /bin/y, PASSWD: /bin/z, (root) /bin/w", []string{
			"a as (www): /bin/x, /bin/y nopasswd @sudoers:1", "a as (www): /bin/z @sudoers:1", "a as (root): /bin/w @sudoers:1"}},
		{"other tags change nothing", "a ALL=NOEXEC: SETENV: /bin/x, LOG_OUTPUT: /bin/y", []string{"a as (root): /bin/x, /bin/y @sudoers:1"}},
		{"every user gets a rule", "a, %b, #1000, \"DOMAIN\\\\domain admins\" ALL=ALL", []string{
			"a as (root): ALL all root @sudoers:1", "%b as (root): ALL all root @sudoers:1", "#1000 as (root): ALL all root @sudoers:1", "DOMAIN\\domain admins as (root): ALL all root @sudoers:1"}},
		{"unless somebody is left out", "ALL, !guest ALL=ALL", []string{"ALL, !guest as (root): ALL all root @sudoers:1"}},
		{"a command left out of ALL does not make it less", "a ALL=ALL, !/bin/su", []string{"a as (root): ALL, !/bin/su all root @sudoers:1"}},
		{"all but ALL is nothing", "a ALL=!ALL", []string{"a as (root): !ALL @sudoers:1"}},
		{"all as somebody else is not root", "a ALL=(www-data) ALL", []string{"a as (www-data): ALL all @sudoers:1"}},
		{"a group alone to run as", "a ALL=(:adm) /bin/x", []string{"a as (: adm): /bin/x @sudoers:1"}},
		{"empty runas is oneself", "a ALL=() /bin/x", []string{"a as (): /bin/x @sudoers:1"}},
		{"a shell is root", "a ALL=/bin/bash", []string{"a as (root): /bin/bash root @sudoers:1"}},
		{"a shell without arguments too", "a ALL=/bin/bash \"\"", []string{"a as (root): /bin/bash \"\" root @sudoers:1"}},
		{"a shell with one script is not", "a ALL=/bin/sh /opt/backup.sh", []string{"a as (root): /bin/sh /opt/backup.sh @sudoers:1"}},
		{"su to another is not root", "a ALL=/bin/su - postgres", []string{"a as (root): /bin/su - postgres @sudoers:1"}},
		{"su is", "a ALL=/bin/su -", []string{"a as (root): /bin/su - root @sudoers:1"}},
		{"lines are continued", "a ALL = \\\n  /bin/x, \\\n  /bin/y\nb ALL=ALL", []string{"a as (root): /bin/x, /bin/y @sudoers:1", "b as (root): ALL all root @sudoers:4"}},
		{"comments end lines but not user IDs", "#1000 ALL=ALL # and so on\n# b ALL=ALL\n#-1 ALL=ALL", []string{"#1000 as (root): ALL all root @sudoers:1", "#-1 as (root): ALL all root @sudoers:3"}},
		{"escapes in arguments", `a ALL=/bin/mount -o rw\,nosuid x\:y, /bin/z`, []string{"a as (root): /bin/mount -o rw,nosuid x:y, /bin/z @sudoers:1"}},
		{"a digest before a command", "a ALL=sha256:abc=, sha512:def= /bin/x, /bin/y", []string{"a as (root): sha256:abc= sha512:def= /bin/x, /bin/y @sudoers:1"}},
		{"a regular expression", "a ALL=/bin/cat ^/var/log/[a-z,:]+$, /bin/y", []string{"a as (root): /bin/cat ^/var/log/[a-z,:]+$, /bin/y @sudoers:1"}},
		{"options", "a ALL=(ALL) TIMEOUT=5m CWD=/tmp NOPASSWD: /bin/x", []string{"a as (ALL): /bin/x nopasswd @sudoers:1"}},
		{"several hosts in one line", "a here=/bin/x : other=/bin/y : ALL=/bin/z", []string{"a as (root): /bin/x @sudoers:1", "a as (root): /bin/z @sudoers:1"}},
		{"an address or netgroup may be this host", "a 192.0.2.0/24=/bin/x\na 2001:db8::/32=/bin/y\na +srv=/bin/z\na 192.0.2.0/255.255.255.0=/bin/w\na web*=/bin/v", []string{
			"a as (root): /bin/x @sudoers:1", "a as (root): /bin/y @sudoers:2", "a as (root): /bin/z @sudoers:3", "a as (root): /bin/w @sudoers:4", "a as (root): /bin/v @sudoers:5"}},
		{"every host but this", "a ALL, !here=ALL", nil},
		{"every host but another", "a ALL, !other=/bin/x", []string{"a as (root): /bin/x @sudoers:1"}},
		{"the whole host name", "a here.example.jp=/bin/x\na HERE=/bin/y", []string{"a as (root): /bin/x @sudoers:1", "a as (root): /bin/y @sudoers:2"}},
		{"aliases of each kind, also within each other", `
User_Alias OPS = tanaka, %ops : ADM = sato
User_Alias BOTH = OPS, ADM
Runas_Alias DB = postgres, mysql
Host_Alias SRV = here, other
Cmnd_Alias SVC = /bin/systemctl restart *, /bin/journalctl
Cmnd_Alias MORE = SVC, !/bin/journalctl -f
BOTH SRV = (DB) NOPASSWD: MORE`, []string{
			"tanaka as (postgres, mysql): /bin/systemctl restart *, /bin/journalctl, !/bin/journalctl -f nopasswd @sudoers:8",
			"%ops as (postgres, mysql): /bin/systemctl restart *, /bin/journalctl, !/bin/journalctl -f nopasswd @sudoers:8",
			"sato as (postgres, mysql): /bin/systemctl restart *, /bin/journalctl, !/bin/journalctl -f nopasswd @sudoers:8"}},
		{"an alias left out turns each of its members", "User_Alias G = a, b\nALL, !G ALL=/bin/x", []string{"ALL, !a, !b as (root): /bin/x @sudoers:2"}},
		{"aliases in a circle end", "User_Alias A = B\nUser_Alias B = A, x\nA ALL=/bin/x", []string{"x as (root): /bin/x @sudoers:3"}},
		{"the settings take the password from everybody", "Defaults !authenticate\na ALL=/bin/x\nb ALL=PASSWD: /bin/x", []string{
			"a as (root): /bin/x nopasswd @sudoers:2", "b as (root): /bin/x @sudoers:3"}},
		{"or from some", "Defaults:a, %ops !authenticate\na ALL=/bin/x\nb ALL=/bin/x", []string{
			"a as (root): /bin/x nopasswd @sudoers:2", "b as (root): /bin/x @sudoers:3", "%ops as (): (Defaults !authenticate) nopasswd @sudoers:1"}},
		{"or from all by name", "Defaults:ALL !authenticate\na ALL=/bin/x", []string{"a as (root): /bin/x nopasswd @sudoers:2", "ALL as (): (Defaults !authenticate) nopasswd @sudoers:1"}},
		{"or on this host", "Defaults@here !authenticate\na ALL=/bin/x", []string{"a as (root): /bin/x nopasswd @sudoers:2"}},
		{"or on another", "Defaults@other !authenticate\na ALL=/bin/x", []string{"a as (root): /bin/x @sudoers:2"}},
		{"or for a runas or a command", "Defaults>www !authenticate\nDefaults!/bin/y !authenticate\na ALL=(www) /bin/x\na ALL=/bin/y\na ALL=/bin/z", []string{
			"a as (www): /bin/x nopasswd @sudoers:3", "a as (root): /bin/y nopasswd @sudoers:4", "a as (root): /bin/z @sudoers:5"}},
		{"and a later setting takes it back", "Defaults !authenticate\nDefaults authenticate\na ALL=/bin/x", []string{"a as (root): /bin/x @sudoers:3"}},
		{"an exempt group", "Defaults exempt_group=ops\n%ops ALL=/bin/x", []string{"%ops as (root): /bin/x nopasswd @sudoers:2"}},
		{"asking for root's password gives no more than su", "Defaults targetpw\nALL ALL=(ALL) ALL\nroot ALL=NOPASSWD: ALL", []string{
			"ALL as (ALL): ALL all @sudoers:2", "root as (root): ALL nopasswd all root @sudoers:3"}},
		{"another to run as by default", "Defaults runas_default=app\na ALL=ALL", []string{"a as (app): ALL all @sudoers:2"}},
		{"settings with values and quotes", "Defaults env_keep += \"A B # C\", !lecture, timestamp_timeout=0\na ALL=/bin/x", []string{"a as (root): /bin/x @sudoers:2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := load(t, "-- etc/sudoers --\n"+tt.text+"\n", "here.example.jp")
			var got []string
			for _, r := range p.Rules() {
				got = append(got, show(r))
			}
			if len(p.Faults) > 0 || !slices.Equal(got, tt.want) {
				t.Errorf("faults %v\n got  %s\n want %s", p.Faults, strings.Join(got, "\n      "), strings.Join(tt.want, "\n      "))
			}
		})
	}
}

func TestIncludesAreFollowedAsSudoDoes(t *testing.T) {
	p := load(t, `
-- etc/sudoers --
a ALL=/bin/first
@include /etc/sudoers.more
#include sudoers.%h
@include "/etc/with space"
@include /etc/with\ space
@include /etc/not-there
#includedir /etc/sudoers.d
@includedir /etc/none.d
b ALL=/bin/last
-- etc/sudoers.more --
m ALL=/bin/x
-- etc/sudoers.here --
h ALL=/bin/x
-- etc/sudoers.d/20-two --
two ALL=/bin/x
-- etc/sudoers.d/10-one --
one ALL=/bin/x
-- etc/sudoers.d/30.dotted --
no ALL=ALL
-- etc/sudoers.d/40-backup~ --
no ALL=ALL
-- etc/sudoers.d/sub/x --
no ALL=ALL
`, "here")
	var got []string
	for _, r := range p.Rules() {
		got = append(got, r.Who+"@"+r.Place)
	}
	want := "a@/etc/sudoers:1 m@/etc/sudoers.more:1 h@/etc/sudoers.here:1 s@/etc/with space:1 s@/etc/with space:1 one@/etc/sudoers.d/10-one:1 two@/etc/sudoers.d/20-two:1 b@/etc/sudoers:9"
	if s := strings.Join(got, " "); s != want || len(p.Faults) > 0 {
		t.Errorf("got  %s %v\nwant %s", s, p.Faults, want)
	}
}

func TestAnIncludeOfItselfEnds(t *testing.T) {
	p := load(t, "-- etc/sudoers --\na ALL=ALL\n@include /etc/sudoers\n", "here")
	if len(p.Faults) != 1 || !strings.Contains(p.Faults[0].Error(), "nested too deeply") {
		t.Errorf("faults %v", p.Faults)
	}
}

func TestFaultsNameTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		"a ALL":                         "malformed: /etc/sudoers:1: = is missing",
		"\na ALL=":                      "malformed: /etc/sudoers:2: a command is missing",
		"a ALL=(root ALL":               "malformed: /etc/sudoers:1: ) is missing",
		"a, ALL=ALL":                    "malformed: /etc/sudoers:1: an element is missing",
		"User_Alias lower = a":          `malformed: /etc/sudoers:1: "lower" is no name of an alias`,
		"User_Alias A":                  "malformed: /etc/sudoers:1: = is missing after A",
		"Defaults \"open":               "malformed: /etc/sudoers:1: a setting is missing",
		"Defaults env_keep=\"open":      "malformed: /etc/sudoers:1: quote not closed",
		"Defaults a b":                  "malformed: /etc/sudoers:1: not understood from",
		"@include /a b":                 "malformed: /etc/sudoers:1: include wants one path",
		"a ALL=/bin/x :":                "malformed: /etc/sudoers:1: an element is missing",
		"a ALL=(a) /bin/x, sha256: /bi": "",
	} {
		p := load(t, "-- etc/sudoers --\n"+text+"\nok ALL=ALL\n", "here")
		got := fmt.Sprint(p.Faults)
		if want == "" {
			continue
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: faults %s, want %s", text, got, want)
		}
		if rs := p.Rules(); len(rs) == 0 || rs[len(rs)-1].Who != "ok" {
			t.Errorf("%q: the rest was not read: %v", text, rs)
		}
	}
}

// cvtsudoers, of sudo itself, is the oracle: the same users, run-as lists, tags
// and commands must come out, and the same texts be refused.
func TestAgreesWithCvtsudoers(t *testing.T) {
	tool, err := exec.LookPath("cvtsudoers")
	if err != nil {
		t.Skip("no oracle: ", err)
	}
	for _, text := range oracleTexts {
		file := filepath.Join(t.TempDir(), "sudoers")
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(tool, "-f", "json", "-i", "sudoers", file).Output()
		_, faults := sudoers.Parse("sudoers", []byte(text+"\n"))
		if (err != nil) != (len(faults) > 0) {
			t.Errorf("%q: sudo says %v, we say %v", text, err, faults)
			continue
		}
		if err != nil {
			continue
		}
		if got, want := ours(text), theirs(t, out); got != want {
			t.Errorf("%q:\n ours   %s\n theirs %s", text, got, want)
		}
	}
}

var oracleTexts = []string{
	"root ALL=(ALL:ALL) ALL", "a ALL=NOPASSWD: ALL", "a ALL=(www) NOPASSWD: /bin/x, /bin/y, PASSWD: /bin/z, (root) /bin/w",
	"a, %b, #1000, +net, %#10, %:nonunix ALL=/bin/x", "ALL, !guest ALL=ALL, !/bin/su", "a ALL=(:adm) /bin/x", "a ALL=() /bin/x",
	"a ALL = \\\n  /bin/x, \\\n  /bin/y", "#1000 ALL=ALL # and so on", `a ALL=/bin/mount -o rw\,nosuid x\:y, /bin/z`,
	"a h1=/bin/x : h2=/bin/y", "a 2001:db8::/32=/bin/y", "a 192.0.2.0/24, !192.0.2.1=/bin/y", "a ALL=NOEXEC: SETENV: /bin/x, NOPASSWD: /bin/y",
	"a ALL=sudoedit /etc/motd", "a ALL=/bin/bash \"\"", "a ALL=/bin/echo \"x y\"",
	"User_Alias OPS = tanaka, %ops : ADM = sato\nOPS ALL=/bin/x", "Cmnd_Alias SVC = /bin/a, /bin/b x\na ALL=SVC, !/bin/c",
	"Defaults env_keep += \"A B\", !lecture\na ALL=/bin/x", "Defaults:a !authenticate\nDefaults!/bin/y !authenticate\na ALL=/bin/x",
	"a ALL", "a ALL=", "a ALL=(root ALL", "a, ALL=ALL", "User_Alias lower = a", "a ALL=/bin/x :", "ALL ALL=(ALL) ALL",
	"a ALL=ALL, !!/bin/x", "a b c", "a ALL=/bin/x,", "a ALL = ( root ) /bin/x", "%a\\ b ALL=/bin/x", "\"%a b\" ALL=/bin/x", "a ALL=relative", "% ALL=ALL", "Defaults =x", "#includes x\na ALL=ALL",
}

func ours(text string) string {
	sts, _ := sudoers.Parse("sudoers", []byte(text+"\n"))
	var out []string
	for _, st := range sts {
		if st.Spec == nil {
			continue
		}
		for _, g := range st.Spec.Grants {
			auth := map[string]string{"NOPASSWD": "false", "PASSWD": "true"}[g.Authenticate]
			for _, c := range g.Commands {
				out = append(out, fmt.Sprintf("%v %v %v %v %q %v", st.Spec.Users, g.Hosts, g.RunasUsers, g.RunasGroups, auth, c))
			}
		}
	}
	return strings.Join(out, "; ")
}

type member map[string]any

func theirs(t *testing.T, b []byte) string {
	var doc struct {
		Specs []struct {
			Users []member `json:"User_List"`
			Hosts []member `json:"Host_List"`
			Cmnds []struct {
				Users   []member         `json:"runasusers"`
				Groups  []member         `json:"runasgroups"`
				Options []map[string]any `json:"Options"`
				Cmds    []member         `json:"Commands"`
			} `json:"Cmnd_Specs"`
		} `json:"User_Specs"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	list := func(ms []member) (out []sudoers.Member) {
		for _, m := range ms {
			out = append(out, one(m))
		}
		return out
	}
	var out []string
	for _, s := range doc.Specs {
		for _, c := range s.Cmnds {
			auth := ""
			for _, o := range c.Options {
				if v, ok := o["authenticate"]; ok {
					auth = fmt.Sprint(v)
				}
			}
			for _, cmd := range c.Cmds {
				users := list(c.Users)
				if len(users) == 1 && users[0].Name == "" {
					users = nil
				}
				groups := list(c.Groups)
				for i := range groups { // written with the sign of a group, which runas has not
					groups[i].Name = strings.TrimPrefix(groups[i].Name, "%")
				}
				out = append(out, fmt.Sprintf("%v %v %v %v %q %v", list(s.Users), list(s.Hosts), users, groups, auth, one(cmd)))
			}
		}
	}
	return strings.Join(out, "; ")
}

func one(m member) sudoers.Member {
	not, _ := m["negated"].(bool)
	for key, v := range m {
		sign := map[string]string{"usergroup": "%", "usergid": "%#", "userid": "#", "netgroup": "+", "nonunixgroup": "%:", "nonunixgid": "%:#"}[key]
		if key != "negated" {
			return sudoers.Member{Name: sign + fmt.Sprint(v), Not: not}
		}
	}
	return sudoers.Member{Not: not}
}

func FuzzParse(f *testing.F) {
	for _, s := range oracleTexts {
		f.Add(s)
	}
	f.Add("@include x\nDefaults a=\"b\\\"")
	f.Fuzz(func(t *testing.T, s string) {
		sts, faults := sudoers.Parse("f", []byte(s))
		p := &sudoers.Policy{Hostname: "h"}
		for _, st := range sts {
			n := 0
			for _, is := range []bool{st.Aliases != nil, st.Defaults != nil, st.Spec != nil, st.Include != nil} {
				if is {
					n++
				}
			}
			if n > 1 || st.Line < 1 {
				t.Errorf("statement %+v", st)
			}
			p.Placed = append(p.Placed, sudoers.Placed{Statement: st, File: "f"})
		}
		for _, fault := range faults {
			if fault.Line < 1 || fault.What == "" {
				t.Errorf("fault %+v", fault)
			}
		}
		for _, r := range p.Rules() {
			if r.Who == "" || r.Commands == "" {
				t.Errorf("rule %+v", r)
			}
		}
	})
}
