package banner_test

import (
	"os"
	"strings"
	"testing"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/banner"
	"kakusho/fact"
)

func server(name, diff string, want ...string) fixture.Case {
	return fixture.Case{Name: name, Base: fixture.Debian12, Diff: diff, Want: want}
}

func TestBanner(t *testing.T) {
	const warning = "-- etc/issue --\n本システムの利用は記録し、\n  分析することがある。\n"
	const remote = "-- etc/ssh/sshd_config --\nBanner /etc/issue.ssh\n-- etc/ssh/sshd_config.d/ --\n-- etc/issue.ssh --\nAuthorised use only. Use is recorded.\n"
	fixture.Check(t, banner.Collector(), []fixture.Case{
		server("as installed there is none", "", "banner_local: absent none", "banner_remote: absent none", "banner_present: false"),
		{Name: "as Ubuntu is installed there is none, and no remote way in", Base: fixture.Ubuntu2404, Want: []string{
			"banner_local: absent none: the screen of GDM", "banner_remote: not-applicable not-installed", "banner_present: false"}},
		{Name: "as RHEL is installed there is none", Base: fixture.RHEL9, Want: []string{"banner_local: absent none", "banner_remote: absent none", "banner_present: false"}},
		server("at the console only", warning, "banner_local: 本システムの利用は記録し、 分析することがある。", "banner_remote: absent none", "banner_present: false"),
		server("at both", warning+remote, "banner_remote: Authorised use only. Use is recorded.", "banner_present: true"),
		server("after every login", "-- etc/motd --\nUse of this computer is recorded.\n", "banner_local: Use of this computer is recorded.", "banner_remote: Use of this computer is recorded.", "banner_present: true"),
		server("in the folder of issues", "-- etc/issue.d/10-notice.issue --\nUse is recorded.\n-- etc/issue.d/x.txt --\nnot shown\n", "banner_local: Use is recorded."),
		server("a name of the system's own beside the text", "-- etc/issue --\nDebian GNU/Linux 12 \\n \\l\nUse is recorded on \\n.\n", "banner_local: Use is recorded on ."),
		server("another form of the system's name", "-- etc/issue --\nWelcome to Debian GNU/Linux 12 (bookworm) - Kernel \\r (\\l).\n", "banner_local: absent none"),
		server("a sign is no text", "-- etc/issue --\n*****\n#### ok\n", "banner_local: absent none"),
		server("a Banner that names no file", "-- etc/ssh/sshd_config --\nBanner /etc/nowhere\n", "banner_remote: absent none", "banner_present: false"),
		server("an advertisement is no banner", "-- etc/motd.d/cockpit --\nActivate the web console with: systemctl enable --now cockpit.socket\n", "banner_local: absent none"),
		server("settings that do not parse", "-- etc/ssh/sshd_config --\nBanner\n"+warning, "banner_remote: error malformed: /etc/ssh/sshd_config:1", "banner_present: error malformed"),
		{Name: "on the screen of GDM", Base: fixture.Ubuntu2404, Diff: "-- etc/dconf/profile/gdm --\nuser-db:user\nsystem-db:gdm\n-- etc/dconf/db/gdm.d/01 --\n[org/gnome/login-screen]\nbanner-message-enable=true\nbanner-message-text='利用は記録される。\\n無断使用を禁ずる。'\n-- etc/dconf/db/gdm --\n",
			Want: []string{"banner_local: 利用は記録される。 無断使用を禁ずる。", "banner_present: true"}},
		{Name: "written for GDM but not switched on", Base: fixture.Ubuntu2404, Diff: "-- etc/dconf/profile/gdm --\nsystem-db:gdm\n-- etc/dconf/db/gdm.d/01 --\n[org/gnome/login-screen]\nbanner-message-text='利用は記録される。'\n-- etc/dconf/db/gdm --\n",
			Want: []string{"banner_local: absent none"}},
		{Name: "the console's text does not show on GDM's screen", Base: fixture.Ubuntu2404, Diff: warning, Want: []string{"banner_local: absent none"}},
		{Name: "nothing at all", Want: []string{"banner_local: absent none", "banner_remote: not-applicable", "banner_present: false"}},
	})
}

func TestALongBannerIsCut(t *testing.T) {
	h := fixture.Host(t, fixture.Debian12, "-- etc/issue --\n"+strings.Repeat("長い文 ", 400)+"\n")
	s, _ := fixture.Collect(t, h, banner.Collector())["banner_local"].Value.(string)
	if n := len([]rune(s)); n != 500 || !strings.HasSuffix(s, "…") {
		t.Errorf("%d runes", n)
	}
}

func TestBannerOfTheLiveHost(t *testing.T) {
	for field, f := range fixture.Collect(t, fixture.Live(), banner.Collector()) {
		if f.Status == fact.Error || f.Status == fact.Timeout {
			t.Errorf("%s: %s", field, fixture.Show(f))
		}
	}
}

func TestBannerWithoutRights(t *testing.T) {
	fixture.AsNobody(t)
	h := fixture.Host(t, fixture.Debian12)
	for _, p := range []string{"/etc/issue", "/etc/ssh/sshd_config"} {
		if err := os.Chmod(h.Root+p, 0); err != nil {
			t.Fatal(err)
		}
	}
	for field, f := range fixture.Collect(t, h, banner.Collector()) {
		if f.Status != fact.Denied {
			t.Errorf("%s: %s", field, fixture.Show(f))
		}
	}
}

func FuzzSubstance(f *testing.F) {
	f.Add("Debian GNU/Linux 12 \\n \\l\n\n%s\\S{NAME}")
	f.Fuzz(func(t *testing.T, s string) {
		got := banner.Substance([]byte(s), map[string]bool{"debian": true})
		if strings.ContainsAny(got, "\n\t") || got != strings.TrimSpace(got) {
			t.Errorf("%q", got)
		}
	})
}
