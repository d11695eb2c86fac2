package pam_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/pam"
)

func stack(t *testing.T, service, typ string, archives ...string) []pam.Rule {
	t.Helper()
	rules, err := pam.Stack(fixture.Host(t, archives...).Look(), service, typ)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func show(rules []pam.Rule) string {
	var out []string
	for _, r := range rules {
		if r.Sub != nil {
			out = append(out, "("+show(r.Sub)+")")
			continue
		}
		out = append(out, r.Module)
	}
	return strings.Join(out, " ")
}

func TestStacksAreReadInOrder(t *testing.T) {
	for _, tt := range []struct{ base, service, typ, want string }{
		{fixture.Debian12, "login", "auth", "pam_faildelay pam_nologin pam_unix pam_deny pam_permit pam_group"},
		{fixture.Debian12, "sshd", "auth", "pam_unix pam_deny pam_permit"},
		{fixture.Debian12, "passwd", "password", "pam_unix pam_deny pam_permit"},
		{fixture.Debian12, "passwd", "auth", ""},
		{fixture.Debian12, "unheard-of", "auth", "pam_unix pam_deny pam_permit"},
		{fixture.RHEL9, "sshd", "auth", "(pam_env pam_faildelay pam_faillock pam_usertype pam_localuser pam_unix pam_usertype pam_sss pam_faillock pam_deny)"},
		{fixture.RHEL9, "passwd", "password", "(pam_pwquality pam_pwhistory pam_unix pam_localuser pam_sss pam_deny)"},
		{fixture.RHEL9, "login", "session", "pam_loginuid pam_keyinit pam_limits pam_systemd pam_unix pam_umask pam_succeed_if pam_lastlog pam_lastlog"},
	} {
		if got := show(stack(t, tt.service, tt.typ, tt.base)); got != tt.want {
			t.Errorf("%s %s:\n got  %s\n want %s", tt.service, tt.typ, got, tt.want)
		}
	}
}

func TestParseKeepsControlsAndArguments(t *testing.T) {
	lines, faults := pam.Parse("f", []byte(`# comment
auth [success=1 default=ignore] /lib/security/pam_unix.so nullok minlen=8 minlen=9 # tail
-session optional pam_x.so [query=select a from b where x=\]1\]] plain
AUTH required \
  pam_y.so
`))
	if len(faults) > 0 || len(lines) != 3 {
		t.Fatal(faults, lines)
	}
	u, x, y := lines[0].Rule, lines[1].Rule, lines[2].Rule
	if v, _ := u.Arg("minlen"); u.Module != "pam_unix" || u.Control != "[success=1 default=ignore" || !u.Has("nullok") || v != "9" || u.Place() != "f:2" {
		t.Errorf("%+v", u)
	}
	if !x.Quiet || len(x.Args) != 2 || x.Args[0] != "query=select a from b where x=]1]" {
		t.Errorf("%+v", x)
	}
	if y.Type != "auth" || y.Module != "pam_y" || y.Place() != "f:4" {
		t.Errorf("%+v", y)
	}
}

func TestFaultsAreErrors(t *testing.T) {
	for text, want := range map[string]string{
		"auth required":                 "malformed: /etc/pam.d/x:1: a rule wants type",
		"auth maybe pam_unix.so":        `malformed: /etc/pam.d/x:1: unknown control "maybe"`,
		"login required pam_unix.so":    `malformed: /etc/pam.d/x:1: unknown type "login"`,
		"auth [success=1 pam_unix.so":   "malformed: /etc/pam.d/x:1: bracket not closed",
		"\n@include none":               "malformed: /etc/pam.d/x:2: includes none, which is not there",
		"auth include x":                "malformed: x:1: includes nested too deeply",
		"@include a b":                  "malformed: /etc/pam.d/x:1: @include wants one file",
		"account include none":          "",
		"password required pam_unix.so": "",
	} {
		_, err := pam.Stack(fixture.Host(t, "-- etc/pam.d/x --\n"+text+"\n").Look(), "x", "auth")
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestRunPlaysAStackAsPAMDoes(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       bool
	}{
		{"one required that succeeds", "auth required pam_yes.so", true},
		{"one required that fails", "auth required pam_no.so", false},
		{"a later success does not mend a required failure", "auth required pam_no.so\nauth required pam_yes.so", false},
		{"sufficient success ends", "auth sufficient pam_yes.so\nauth required pam_no.so", true},
		{"sufficient success does not mend an earlier failure", "auth required pam_no.so\nauth sufficient pam_yes.so", false},
		{"sufficient failure is passed over", "auth sufficient pam_no.so\nauth required pam_yes.so", true},
		{"requisite failure ends", "auth requisite pam_no.so\nauth sufficient pam_yes.so", false},
		{"optional alone decides", "auth optional pam_yes.so", true},
		{"optional failure alone is no success", "auth optional pam_no.so", false},
		{"nothing is no success", "auth sufficient pam_no.so", false},
		{"a jump passes over the next", "auth [success=1 default=ignore] pam_yes.so\nauth requisite pam_no.so\nauth required pam_yes.so", true},
		{"a jump is no success itself", "auth [success=1 default=ignore] pam_yes.so\nauth requisite pam_no.so", false},
		{"what brackets do not list is bad", "auth [success=ok] pam_no.so\nauth required pam_yes.so", false},
		{"done in a substack ends the substack only", "auth substack inner\nauth required pam_no.so", false},
		{"a substack counts as one in a jump", "auth [success=1 default=ignore] pam_yes.so\nauth substack bad\nauth required pam_yes.so", true},
		{"die in a substack fails", "auth substack bad\nauth required pam_yes.so", false},
		{"an empty substack counts for nothing", "auth substack empty\nauth required pam_yes.so", true},
		{"a word PAM does not know is bad", "auth [success=nonsense] pam_yes.so\nauth required pam_yes.so", false},
		{"a jump backwards is bad", "auth [success=-1] pam_yes.so\nauth required pam_yes.so", false},
		{"a jump nowhere is bad", "auth [success=0] pam_yes.so\nauth required pam_yes.so", false},
		{"binding success ends", "auth binding pam_yes.so\nauth required pam_no.so", true},
		{"binding failure is kept", "auth binding pam_no.so\nauth required pam_yes.so", false},
		{"the last line may be left open", "auth required pam_yes.so \\", true},
		{"reset forgets", "auth required pam_no.so\nauth [default=reset] pam_no.so\nauth required pam_yes.so", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rules := stack(t, "x", "auth", "-- etc/pam.d/x --\n"+tt.text+"\n-- etc/pam.d/inner --\nauth sufficient pam_yes.so\nauth required pam_no.so\n-- etc/pam.d/empty --\nsession required pam_yes.so\n-- etc/pam.d/bad --\nauth requisite pam_no.so\nauth required pam_yes.so\n")
			got := pam.Run(rules, func(r pam.Rule) string {
				if r.Module == "pam_yes" {
					return "success"
				}
				return "auth_err"
			})
			if got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestBinds(t *testing.T) {
	for control, want := range map[string]bool{
		"required": true, "requisite": true, "sufficient": false, "optional": false, "binding": true, "REQUIRED": true,
		"[success=1 default=ignore]": false, "[success=ok default=die]": true, "[success=ok default=bad]": true, "[success=ok]": true, "[default=1]": false,
	} {
		lines, faults := pam.Parse("f", []byte("auth "+control+" pam_x.so"))
		if len(faults) > 0 || lines[0].Binds() != want {
			t.Errorf("%s: %v %v", control, lines, faults)
		}
	}
}

func TestServices(t *testing.T) {
	got, err := pam.Services(fixture.Host(t, "-- etc/pam.d/login --\n-- usr/lib/pam.d/sshd --\n").Look(), "sshd", "login", "none")
	if err != nil || strings.Join(got, " ") != "sshd login" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestStacksOfTheLiveHostParse(t *testing.T) {
	if _, err := exec.LookPath("login"); err != nil {
		t.Skip(err)
	}
	for _, typ := range []string{"auth", "account", "password", "session"} {
		if rules, err := pam.Stack(fixture.Live().Look(), "login", typ); err != nil || len(rules) == 0 {
			t.Errorf("%s: %d rules, %v", typ, len(rules), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("auth [success=1 default=ignore] pam_unix.so nullok\n@include x\n-session optional pam_y.so [a b]")
	f.Add("auth [\\")
	f.Fuzz(func(t *testing.T, s string) {
		lines, faults := pam.Parse("f", []byte(s))
		var rules []pam.Rule
		for _, l := range lines {
			if l.Line < 1 || (l.Include == "") == (l.Module == "") {
				t.Errorf("line %+v", l)
			}
			rules = append(rules, l.Rule)
		}
		for _, fault := range faults {
			if fault.Line < 1 {
				t.Errorf("fault %+v", fault)
			}
		}
		pam.Run(rules, func(pam.Rule) string { return "success" })
	})
}
