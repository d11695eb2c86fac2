// Package session observes what happens to a session that is left alone: the
// screen lock of a desktop and the timeout of a shell.
//
// It reads what the administrator sets for everybody. Where several desktops
// are installed the weakest speaks for the host.
package session

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
	"kakusho/fact"
)

// Collector brings the facts of group session.
func Collector() collect.Collector {
	return collect.Collector{Group: "session", Version: "1", Collect: observe}
}

func observe(_ context.Context, h collect.Host) []fact.Fact {
	return append(screen(h), shell(h.Look())...)
}

var lockFields = []string{"screen_lock_enabled", "screen_lock_enforced", "screen_lock_idle"}

func screen(h collect.Host) []fact.Fact {
	l := h.Look()
	desktops, err := Desktops(l)
	if err != nil {
		return failed(append([]string{"graphical"}, lockFields...), err, l.Sources())
	}
	graphical := collect.Saw("graphical", len(desktops) > 0, fact.Source{Kind: "file", Ref: "/usr/share/xsessions"})
	out := []fact.Fact{graphical}
	if len(desktops) == 0 {
		for _, f := range lockFields {
			out = append(out, collect.NotHere(f, "no-desktop: no graphical session on this host"))
		}
		return out
	}
	l = h.Look()
	worst, err := weakest(l, desktops)
	if err != nil {
		return append(out, failed(lockFields, err, l.Sources())...)
	}
	src := l.Sources()
	on, enforced := collect.Saw(lockFields[0], worst.On, src...), collect.Saw(lockFields[1], worst.On && worst.Enforced, src...)
	on.Reason, enforced.Reason = "desktop: "+worst.Desktop, "desktop: "+worst.Desktop
	idle := collect.None(lockFields[2], "off: the screen of "+worst.Desktop+" does not lock by itself", src...)
	if worst.On {
		idle = collect.Saw(lockFields[2], worst.Idle, src...)
	}
	return append(out, on, enforced, idle)
}

func failed(fields []string, err error, src []fact.Source) []fact.Fact {
	out := make([]fact.Fact, len(fields))
	for i, f := range fields {
		out[i] = collect.Failed(f, err, src...)
	}
	return out
}

// Desktops names the desktops whose sessions a person can start: "gnome", "kde",
// "xfce", "mate", "cinnamon", or the session's own name for others. A display
// manager without any session file counts as "unknown".
func Desktops(l *collect.Look) ([]string, error) {
	var out []string
	for _, pattern := range []string{"/usr/share/xsessions/*.desktop", "/usr/share/wayland-sessions/*.desktop", "/usr/local/share/xsessions/*.desktop", "/usr/local/share/wayland-sessions/*.desktop"} {
		files, err := l.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, p := range files {
			if d := desktop(strings.TrimSuffix(path.Base(p), ".desktop")); d != "" && !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	dm, err := Manager(l)
	if err != nil {
		return nil, err
	}
	if len(out) == 0 && dm != "" {
		out = []string{"unknown"}
	}
	return out, nil
}

// desktop names the desktop of a session; "" for one that only stands for
// another (the default session of a display manager).
func desktop(session string) string {
	s := strings.ToLower(session)
	for _, k := range []struct{ starts, name string }{
		{"gnome", "gnome"}, {"ubuntu", "gnome"}, {"pop", "gnome"}, {"budgie", "gnome"}, {"plasma", "kde"}, {"kde", "kde"},
		{"xfce", "xfce"}, {"xubuntu", "xfce"}, {"mate", "mate"}, {"cinnamon", "cinnamon"},
	} {
		if strings.HasPrefix(s, k.starts) {
			return k.name
		}
	}
	switch s {
	case "lightdm-xsession", "default", "xinit-compat", "10-user-script", "custom":
		return ""
	}
	return s
}

// Manager names the display manager that starts with the host, "" for none.
func Manager(l *collect.Look) (string, error) {
	for _, dir := range []string{"/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"} {
		link, err := l.ReadLink(dir + "/display-manager.service")
		if err != nil {
			if there, err := l.Exists(dir + "/display-manager.service"); err != nil || there {
				return "unknown", err
			}
			continue
		}
		if link == "/dev/null" {
			return "", nil
		}
		return strings.TrimSuffix(path.Base(link), ".service"), nil
	}
	b, there, err := etc.Optional(l, "/etc/X11/default-display-manager")
	program := strings.TrimSpace(string(b))
	if !there || err != nil || program == "" {
		return "", err
	}
	return path.Base(program), nil
}

// Lock is how one desktop locks.
type Lock struct {
	Desktop  string
	On       bool          // locks by itself
	Enforced bool          // users cannot change it
	Idle     time.Duration // after so long
}

func weakest(l *collect.Look, desktops []string) (Lock, error) {
	action, err := idleAction(l)
	if err != nil {
		return Lock{}, err
	}
	var worst Lock
	for i, d := range desktops {
		k, err := lockOf(l, d)
		if err != nil {
			return Lock{}, err
		}
		if !k.On && action > 0 && d != "unknown" {
			k.On, k.Idle = true, action
		}
		if i == 0 || k.weaker(worst) {
			worst = k
		}
	}
	return worst, nil
}

func (k Lock) weaker(o Lock) bool {
	switch {
	case k.On != o.On:
		return !k.On
	case k.Enforced != o.Enforced:
		return !k.Enforced
	}
	return k.Idle > o.Idle
}

// idleAction is after how long the login manager locks idle sessions, 0 for
// never.
func idleAction(l *collect.Look) (time.Duration, error) {
	set := map[string]string{}
	files, err := etc.DropIns(l, ".conf", "/etc/systemd/logind.conf.d", "/run/systemd/logind.conf.d", "/usr/local/lib/systemd/logind.conf.d", "/usr/lib/systemd/logind.conf.d")
	if err != nil {
		return 0, err
	}
	for _, p := range append([]string{"/etc/systemd/logind.conf"}, files...) {
		b, _, err := etc.Optional(l, p)
		if err != nil {
			return 0, err
		}
		for _, e := range etc.INI(b) {
			if e.Section == "Login" {
				set[e.Key] = e.Value
			}
		}
	}
	if set["IdleAction"] != "lock" {
		return 0, nil
	}
	if set["IdleActionSec"] == "" {
		return 30 * time.Minute, nil
	}
	return ParseSpan(set["IdleActionSec"])
}

// ParseSpan reads a time as systemd has it: "900", "15min", "1h 30min".
func ParseSpan(s string) (time.Duration, error) {
	units := map[string]time.Duration{
		"": time.Second, "s": time.Second, "sec": time.Second, "second": time.Second, "seconds": time.Second, "ms": time.Millisecond,
		"m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute, "h": time.Hour, "hr": time.Hour, "hour": time.Hour, "hours": time.Hour,
		"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour, "w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
	}
	bad := collect.Why(fmt.Sprintf("malformed: time %q", s))
	var sum time.Duration
	rest := strings.TrimSpace(s)
	if rest == "" {
		return 0, bad
	}
	for rest != "" {
		i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if i < 0 {
			i = len(rest)
		}
		var n int64
		if _, err := fmt.Sscan(rest[:i], &n); err != nil || i > 9 {
			return 0, bad
		}
		rest = strings.TrimLeft(rest[i:], " ")
		j := strings.IndexFunc(rest, func(r rune) bool { return r < 'a' || r > 'z' })
		if j < 0 {
			j = len(rest)
		}
		unit, ok := units[rest[:j]]
		if !ok || n > int64(100*365*24*time.Hour/unit) {
			return 0, bad
		}
		sum += time.Duration(n) * unit
		rest = strings.TrimLeft(rest[j:], " ")
	}
	if sum < 0 {
		return 0, bad
	}
	return sum, nil
}
