package session_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/session"
	"kakusho/fact"
)

func server(name, diff string, want ...string) fixture.Case {
	return fixture.Case{Name: name, Base: fixture.Debian12, Diff: diff, Want: want}
}

func terminal(name, diff string, want ...string) fixture.Case {
	return fixture.Case{Name: name, Base: fixture.Ubuntu2404, Diff: diff, Want: want}
}

func TestSession(t *testing.T) {
	fixture.Check(t, session.Collector(), []fixture.Case{
		server("a server without a desktop", "", "graphical: false", "screen_lock_enabled: not-applicable no-desktop", "screen_lock_enforced: not-applicable", "screen_lock_idle: not-applicable",
			"shell_timeout: absent none", "shell_timeout_readonly: false"),
		terminal("a terminal as installed locks, and users may change it", "", "graphical: true", "screen_lock_enabled: true", "screen_lock_enforced: false", "screen_lock_idle: 5m0s"),
		{Name: "a RHEL server with a shell timeout", Base: fixture.RHEL9, Want: []string{"graphical: false", "shell_timeout: 15m0s", "shell_timeout_readonly: true"}},
		{Name: "nothing at all", Want: []string{"graphical: false", "shell_timeout: absent none"}},
	})
}

const enforced = `
-- etc/dconf/profile/user --
user-db:user
system-db:local
-- etc/dconf/db/local.d/00-lock --
[org/gnome/desktop/session]
idle-delay=uint32 600
[org/gnome/desktop/screensaver]
lock-enabled=true
lock-delay=uint32 10
-- etc/dconf/db/local.d/locks/lock --
/org/gnome/desktop/session/idle-delay
/org/gnome/desktop/screensaver/lock-enabled
/org/gnome/desktop/screensaver/lock-delay
-- etc/dconf/db/local --
`

func TestScreenLock(t *testing.T) {
	const noGnome = "-- usr/share/xsessions/ubuntu.desktop gone --\n-- usr/share/wayland-sessions/ubuntu-wayland.desktop gone --\n"
	const xfce = noGnome + "-- usr/share/xsessions/xfce.desktop --\n-- usr/bin/xfce4-screensaver --\n"
	const kde = noGnome + "-- usr/share/wayland-sessions/plasma.desktop --\n-- etc/xdg/kscreenlockerrc --\n"
	const channel = "-- etc/xdg/xfce4/xfconf/xfce-perchannel-xml/xfce4-screensaver.xml --\n"
	fixture.Check(t, session.Collector(), []fixture.Case{
		terminal("GNOME enforced by the administrator", enforced, "screen_lock_enabled: true", "screen_lock_enforced: true", "screen_lock_idle: 10m10s"),
		terminal("GNOME set but one key left open", enforced+"-- etc/dconf/db/local.d/locks/lock --\n/org/gnome/desktop/session/idle-delay\n/org/gnome/desktop/screensaver/lock-delay\n-- etc/dconf/db/local --\n", "screen_lock_enforced: false"),
		terminal("GNOME that never goes idle", enforced+"-- etc/dconf/db/local.d/01 --\n[org/gnome/desktop/session]\nidle-delay=uint32 0\n-- etc/dconf/db/local --\n", "screen_lock_enabled: false", "screen_lock_enforced: false", "screen_lock_idle: absent off"),
		terminal("GNOME with the lock forbidden", enforced+"-- etc/dconf/db/local.d/01 --\n[org/gnome/desktop/lockdown]\ndisable-lock-screen=true\n-- etc/dconf/db/local --\n", "screen_lock_enabled: false"),
		terminal("GNOME with a value that is none", enforced+"-- etc/dconf/db/local.d/01 --\n[org/gnome/desktop/session]\nidle-delay=soon\n-- etc/dconf/db/local --\n", "graphical: true", "screen_lock_enabled: error"),
		terminal("the login manager locks what GNOME does not", enforced+"-- etc/dconf/db/local.d/01 --\n[org/gnome/desktop/session]\nidle-delay=uint32 0\n-- etc/dconf/db/local --\n-- etc/systemd/logind.conf.d/lock.conf --\n[Login]\nIdleAction=lock\nIdleActionSec=15min\n",
			"screen_lock_enabled: true", "screen_lock_idle: 15m0s"),
		terminal("KDE as installed", noGnome+"-- usr/share/xsessions/plasma.desktop --\n", "screen_lock_enabled: true", "screen_lock_enforced: false", "screen_lock_idle: 5m5s"),
		terminal("KDE enforced", noGnome+"-- usr/share/wayland-sessions/plasma.desktop --\n-- etc/xdg/kscreenlockerrc --\n[Daemon][$i]\nAutolock=true\nTimeout=10\nLockGrace=0\n", "screen_lock_enforced: true", "screen_lock_idle: 10m0s"),
		terminal("KDE enforced key by key", noGnome+"-- usr/share/wayland-sessions/plasma.desktop --\n-- etc/xdg/kscreenlockerrc --\n[Daemon]\nAutolock[$i]=true\nTimeout[$i]=10\nLockGrace[$i]=5\n", "screen_lock_enforced: true"),
		terminal("KDE enforced as a whole file", kde+"[$i]\n[Daemon]\nAutolock=true\nTimeout=10\nLockGrace=5\n", "screen_lock_enforced: true"),
		terminal("KDE with the switch left open", kde+"[Daemon]\nAutolock=true\nTimeout[$i]=10\nLockGrace[$i]=5\n", "screen_lock_enforced: false"),
		terminal("KDE with the grace left open", kde+"[Daemon]\nAutolock[$i]=true\nTimeout[$i]=10\nLockGrace=500\n", "screen_lock_enforced: false", "screen_lock_idle: 18m20s"),
		terminal("KDE with another mark on a key", kde+"[Daemon]\nAutolock[$i]=true\nTimeout[$e]=10\nLockGrace[$i]=5\n", "screen_lock_enforced: false"),
		terminal("KDE with a switch that is none", kde+"[Daemon]\nAutolock=maybe\n", "screen_lock_enabled: error malformed: /etc/xdg/kscreenlockerrc"),
		terminal("KDE with a time that is none", kde+"[Daemon]\nTimeout=ten\n", "screen_lock_enabled: error malformed"),
		terminal("KDE that waits for ever", kde+"[Daemon]\nTimeout=0\n", "screen_lock_enabled: false"),
		terminal("KDE switched off", noGnome+"-- usr/share/wayland-sessions/plasma.desktop --\n-- etc/xdg/kscreenlockerrc --\n[Daemon]\nAutolock=false\n", "screen_lock_enabled: false"),
		terminal("Xfce as installed", xfce, "screen_lock_enabled: true", "screen_lock_enforced: false", "screen_lock_idle: 5m0s"),
		terminal("Xfce enforced", xfce+channel+`<channel name="xfce4-screensaver" version="1.0"><property name="saver" type="empty" locked="*"><property name="enabled" type="bool" value="true"/><property name="idle-activation" type="empty"><property name="delay" type="int" value="10"/></property></property><property name="lock" type="empty" locked="*"><property name="enabled" type="bool" value="true"/></property></channel>`+"\n",
			"screen_lock_enabled: true", "screen_lock_enforced: true", "screen_lock_idle: 10m0s"),
		terminal("Xfce switched off", xfce+channel+`<channel name="xfce4-screensaver"><property name="lock" type="empty"><property name="enabled" type="bool" value="false"/></property></channel>`+"\n", "screen_lock_enabled: false"),
		terminal("Xfce with a file that is none", xfce+channel+"<channel\n", "screen_lock_enabled: error malformed"),
		terminal("Xfce with xscreensaver that does not lock", noGnome+"-- usr/share/xsessions/xfce.desktop --\n-- usr/bin/xscreensaver --\n-- etc/X11/app-defaults/XScreenSaver --\n*timeout:\t0:10:00\n*lock:\tFalse\n", "screen_lock_enabled: false"),
		terminal("xscreensaver that locks", noGnome+"-- usr/share/xsessions/openbox.desktop --\n-- usr/bin/xscreensaver --\n-- etc/X11/app-defaults/XScreenSaver --\n!*lock: False\n*timeout:\t0:10:00\n*lock:\tTrue\n*lockTimeout: 0:01:00\n", "screen_lock_enabled: true", "screen_lock_enforced: false", "screen_lock_idle: 11m0s"),
		terminal("xscreensaver with a time that is none", noGnome+"-- usr/share/xsessions/openbox.desktop --\n-- usr/bin/xscreensaver --\n-- etc/X11/app-defaults/XScreenSaver --\n*timeout: 0:ten\n", "screen_lock_enabled: error malformed"),
		terminal("xscreensaver that never starts", noGnome+"-- usr/share/xsessions/openbox.desktop --\n-- usr/bin/xscreensaver --\n-- etc/X11/app-defaults/XScreenSaver --\n*lock: True\n*mode: off\n", "screen_lock_enabled: false"),
		server("a display manager without systemd", "-- etc/X11/default-display-manager --\n/usr/sbin/lightdm\n", "graphical: true"),
		server("no display manager without systemd", "-- etc/X11/default-display-manager --\n\n", "graphical: false"),
		terminal("a desktop nobody understands", noGnome+"-- usr/share/xsessions/i3.desktop --\n", "graphical: true", "screen_lock_enabled: error unknown: how the session \"i3\" locks"),
		terminal("one weak desktop beside an enforced one", enforced+"-- usr/share/xsessions/plasma.desktop --\n", "screen_lock_enabled: true", "screen_lock_enforced: false", "screen_lock_idle: 5m5s"),
		terminal("MATE counts in minutes", noGnome+"-- usr/share/xsessions/mate.desktop --\n", "screen_lock_idle: 5m0s"),
		terminal("Cinnamon", noGnome+"-- usr/share/xsessions/cinnamon.desktop --\n", "screen_lock_idle: 15m2s"),
		terminal("a display manager without sessions", noGnome, "graphical: true", "screen_lock_enabled: error unknown"),
		terminal("a display manager that is masked, without sessions", noGnome+"-- etc/systemd/system/display-manager.service -> /dev/null --\n", "graphical: false"),
	})
}

func TestShellTimeout(t *testing.T) {
	fixture.Check(t, session.Collector(), []fixture.Case{
		server("declared read-only at once", "-- etc/profile.d/t.sh --\ndeclare -xr TMOUT=600\n", "shell_timeout: 10m0s", "shell_timeout_readonly: true"),
		server("the same in other words", "-- etc/profile.d/t.sh --\nTMOUT=600; readonly TMOUT ; export TMOUT\n", "shell_timeout: 10m0s", "shell_timeout_readonly: true"),
		server("typeset", "-- etc/bash.bashrc --\ntypeset -r TMOUT=300\n", "shell_timeout: 5m0s", "shell_timeout_readonly: true"),
		server("exported only", "-- etc/profile.d/t.sh --\nexport TMOUT=900\n", "shell_timeout: 15m0s", "shell_timeout_readonly: false"),
		server("under a condition", "-- etc/profile.d/t.sh --\nif [ \"$PS1\" ]; then TMOUT=900; fi\n", "shell_timeout: 15m0s"),
		server("the last counts", "-- etc/profile.d/a.sh --\nTMOUT=900\n-- etc/profile.d/b.sh --\nTMOUT=60\n", "shell_timeout: 1m0s"),
		server("unless the first made it read-only", "-- etc/profile.d/a.sh --\nreadonly TMOUT=900\n-- etc/profile.d/b.sh --\nTMOUT=60\nunset TMOUT\n", "shell_timeout: 15m0s", "shell_timeout_readonly: true"),
		server("taken back", "-- etc/profile.d/a.sh --\nTMOUT=900\n-- etc/bash.bashrc --\nunset TMOUT\n", "shell_timeout: absent none"),
		server("zero is none", "-- etc/profile.d/a.sh --\nreadonly TMOUT=0\n", "shell_timeout: absent none", "shell_timeout_readonly: false"),
		server("only talked about", "-- etc/profile.d/a.sh --\n# TMOUT=900\necho TMOUT=900\nTMOUT=900 ls\nXTMOUT=900\n", "shell_timeout: absent none"),
		server("for a file that no shell reads", "-- etc/profile.d/a.csh --\nTMOUT=900\n", "shell_timeout: absent none"),
		server("worked out by the shell", "-- etc/profile.d/a.sh --\nTMOUT=$((15*60))\n", "shell_timeout: error unknown: /etc/profile.d/a.sh:1"),
	})
}

func TestParseSpan(t *testing.T) {
	for s, want := range map[string]time.Duration{"900": 15 * time.Minute, "15min": 15 * time.Minute, "1h 30min": 90 * time.Minute, "1h30m": 90 * time.Minute, "2 days": 48 * time.Hour, "": -1, "soon": -1, "5 lightyears": -1, "-5": -1, "9999999999": -1} {
		got, err := session.ParseSpan(s)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
	}
}

// bash is the oracle of what a login shell ends up with.
func TestShellAgreesWithBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no oracle: ", err)
	}
	for _, script := range []string{
		"TMOUT=600", "declare -xr TMOUT=600", "readonly TMOUT=5\nTMOUT=6", "export TMOUT=7; readonly TMOUT", "TMOUT=9\nunset TMOUT", "echo TMOUT=5 >/dev/null", "TMOUT=5 true", "typeset -r TMOUT=8", "if true; then TMOUT=3; fi", "# TMOUT=1",
		"A=1 TMOUT=4", "export A TMOUT=12 B", "TMOUT='15'", "true && TMOUT=16", "f=TMOUT=3",
	} {
		out, err := exec.Command(bash, "--norc", "-c", script+"\n{ :; } 2>/dev/null; printf '%s ' \"${TMOUT-none}\"; declare -p TMOUT 2>/dev/null | cut -d' ' -f2").CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		f := strings.Fields(lines[len(lines)-1])
		var got session.Timeout
		got.Read("f", []byte(script))
		value := "none"
		if got.Set {
			value = time.Duration(got.Seconds * int64(time.Second)).String()
		}
		want := f[0]
		if want != "none" {
			d, err := time.ParseDuration(want + "s")
			if err != nil {
				t.Fatal(script, string(out))
			}
			want = d.String()
		}
		if readonly := len(f) > 1 && strings.Contains(f[1], "r"); value != want || got.ReadOnly != readonly {
			t.Errorf("%q: ours %s %v, bash's %s", script, value, got.ReadOnly, out)
		}
	}
}

func TestSessionOfTheLiveHost(t *testing.T) {
	for field, f := range fixture.Collect(t, fixture.Live(), session.Collector()) {
		if f.Status == fact.Denied || f.Status == fact.Timeout {
			t.Errorf("%s: %s", field, fixture.Show(f))
		}
	}
}

func TestSessionWithoutRights(t *testing.T) {
	fixture.AsNobody(t)
	fixture.Collect(t, fixture.Live(), session.Collector())
	for path, field := range map[string]string{"/etc/profile.d": "shell_timeout", "/usr/share/xsessions": "graphical", "/etc/dconf/db/local.d": "screen_lock_enabled"} {
		h := fixture.Host(t, fixture.Ubuntu2404, enforced)
		if err := os.Chmod(h.Root+path, 0); err != nil {
			t.Fatal(err)
		}
		if f := fixture.Collect(t, h, session.Collector())[field]; f.Status != fact.Denied {
			t.Errorf("%s: %s", field, fixture.Show(f))
		}
	}
}

func FuzzParsers(f *testing.F) {
	f.Add("[Daemon][$i]\nTimeout=5\n")
	f.Add("<channel><property name=\"a\" locked=\"*\"/></channel>")
	f.Add("*timeout: 0:10:00")
	f.Add("declare -xr TMOUT=600; export TMOUT")
	f.Add("1h 30min")
	f.Fuzz(func(t *testing.T, s string) {
		kde, err1 := session.ParseKDE([]byte(s))
		xfce, err2 := session.ParseXfce([]byte(s))
		saver, err3 := session.ParseXScreenSaver([]byte(s))
		for i, err := range []error{err1, err2, err3} {
			if k := []session.Lock{kde, xfce, saver}[i]; err == nil && k.Idle < 0 {
				t.Errorf("lock %+v", k)
			}
		}
		if d, err := session.ParseSpan(s); err == nil && d < 0 {
			t.Errorf("span %v", d)
		}
		var got session.Timeout
		got.Read("f", []byte(s))
		if got.Unclear != "" && !strings.HasPrefix(got.Unclear, "f:") {
			t.Errorf("timeout %+v", got)
		}
	})
}
