package session

import (
	"encoding/xml"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"kakusho/collect"
	"kakusho/collect/linux/dconf"
	"kakusho/collect/linux/etc"
)

func lockOf(l *collect.Look, desktop string) (Lock, error) {
	switch desktop {
	case "gnome":
		return settingsLock(l, desktop, gnome)
	case "mate":
		return settingsLock(l, desktop, mate)
	case "cinnamon":
		return settingsLock(l, desktop, cinnamon)
	case "kde":
		return kde(l)
	case "xfce":
		return xfce(l)
	}
	return xscreensaver(l, desktop)
}

// keys are where a desktop of GNOME's kin keeps its lock, with the built-in
// values and the unit of its times.
type keys struct {
	enabled, idle, delay   string
	idleBuilt, delayBuilt  int64
	unitOfIdle, unitOfWait time.Duration
	forbid                 string // a key that takes the lock away
}

var (
	gnome = keys{
		enabled: "/org/gnome/desktop/screensaver/lock-enabled", idle: "/org/gnome/desktop/session/idle-delay", delay: "/org/gnome/desktop/screensaver/lock-delay",
		idleBuilt: 300, unitOfIdle: time.Second, unitOfWait: time.Second, forbid: "/org/gnome/desktop/lockdown/disable-lock-screen",
	}
	mate = keys{
		enabled: "/org/mate/screensaver/lock-enabled", idle: "/org/mate/desktop/session/idle-delay", delay: "/org/mate/screensaver/lock-delay",
		idleBuilt: 5, unitOfIdle: time.Minute, unitOfWait: time.Minute, forbid: "/org/mate/desktop/lockdown/disable-lock-screen",
	}
	cinnamon = keys{
		enabled: "/org/cinnamon/desktop/screensaver/lock-enabled", idle: "/org/cinnamon/desktop/session/idle-delay", delay: "/org/cinnamon/desktop/screensaver/lock-delay",
		idleBuilt: 900, delayBuilt: 2, unitOfIdle: time.Second, unitOfWait: time.Second, forbid: "/org/cinnamon/desktop/lockdown/disable-lock-screen",
	}
)

// settingsLock: on by itself when an idle time and the lock are set; enforced
// when users can change neither of the three.
func settingsLock(l *collect.Look, desktop string, k keys) (Lock, error) {
	s, err := dconf.Load(l, "user")
	if err != nil {
		return Lock{}, err
	}
	enabled, err := s.Bool(k.enabled, true)
	if err != nil {
		return Lock{}, err
	}
	forbidden, err := s.Bool(k.forbid, false)
	if err != nil {
		return Lock{}, err
	}
	idle, err := s.Number(k.idle, k.idleBuilt)
	if err != nil {
		return Lock{}, err
	}
	delay, err := s.Number(k.delay, k.delayBuilt)
	if err != nil {
		return Lock{}, err
	}
	return Lock{
		Desktop: desktop, On: enabled && !forbidden && idle > 0,
		Enforced: s.Locked(k.enabled) && s.Locked(k.idle) && s.Locked(k.delay),
		Idle:     time.Duration(idle)*k.unitOfIdle + time.Duration(delay)*k.unitOfWait,
	}, nil
}

func kde(l *collect.Look) (Lock, error) {
	b, _, err := etc.Optional(l, "/etc/xdg/kscreenlockerrc")
	if err != nil {
		return Lock{}, err
	}
	return ParseKDE(b)
}

// ParseKDE reads kscreenlockerrc; "[$i]" after a file's, group's or key's name
// keeps users from changing it.
func ParseKDE(b []byte) (Lock, error) {
	set, fixed := map[string]string{"Autolock": "true", "Timeout": "5", "LockGrace": "5"}, map[string]bool{}
	all := strings.HasPrefix(strings.TrimSpace(string(b)), "[$i]")
	for _, e := range etc.INI(b) {
		section, immutable := strings.CutSuffix(e.Section, "][$i")
		if section != "Daemon" {
			continue
		}
		key, options, has := strings.Cut(e.Key, "[$")
		set[key] = e.Value
		fixed[key] = all || immutable || has && strings.Contains(options, "i")
	}
	on, err := strconv.ParseBool(strings.ToLower(set["Autolock"]))
	minutes, err2 := strconv.ParseInt(set["Timeout"], 10, 32)
	grace, err3 := strconv.ParseInt(set["LockGrace"], 10, 32)
	if err != nil || err2 != nil || err3 != nil {
		return Lock{}, collect.Why("malformed: /etc/xdg/kscreenlockerrc: a value is not of its kind")
	}
	return Lock{
		Desktop: "kde", On: on && minutes > 0, Enforced: fixed["Autolock"] && fixed["Timeout"] && fixed["LockGrace"],
		Idle: time.Duration(minutes)*time.Minute + time.Duration(max(grace, 0))*time.Second,
	}, nil
}

// xfce has its own saver, or xscreensaver in its place.
func xfce(l *collect.Look) (Lock, error) {
	own, err := l.Exists("/usr/bin/xfce4-screensaver")
	if err != nil || !own {
		if err == nil {
			return xscreensaver(l, "xfce")
		}
		return Lock{}, err
	}
	var b []byte
	for _, dir := range []string{"/etc/xdg", "/etc/xdg/xdg-xubuntu"} {
		more, there, err := etc.Optional(l, dir+"/xfce4/xfconf/xfce-perchannel-xml/xfce4-screensaver.xml")
		if err != nil {
			return Lock{}, err
		}
		if there {
			b = more
		}
	}
	return ParseXfce(b)
}

type property struct {
	Name   string     `xml:"name,attr"`
	Value  string     `xml:"value,attr"`
	Locked string     `xml:"locked,attr"`
	Below  []property `xml:"property"`
}

// ParseXfce reads the channel of xfce4-screensaver. A channel or property that is
// locked for everybody cannot be changed.
func ParseXfce(b []byte) (Lock, error) {
	var channel property
	if len(b) > 0 {
		if err := xml.Unmarshal(b, &channel); err != nil {
			return Lock{}, collect.Why("malformed: xfce4-screensaver.xml: " + err.Error())
		}
	}
	set, fixed := map[string]string{}, map[string]bool{}
	var walk func(p property, name string, locked bool)
	walk = func(p property, name string, locked bool) {
		locked = locked || p.Locked == "*"
		set[name], fixed[name] = p.Value, locked
		for _, b := range p.Below {
			walk(b, path.Join(name, b.Name), locked)
		}
	}
	walk(channel, "/", false)
	number := func(key string, otherwise int64) int64 {
		if n, err := strconv.ParseInt(set[key], 10, 32); err == nil && n >= 0 {
			return n
		}
		return otherwise
	}
	k := Lock{Desktop: "xfce", On: true, Enforced: true}
	for _, key := range []string{"/saver/enabled", "/saver/idle-activation/enabled", "/lock/enabled", "/lock/saver-activation/enabled"} {
		k.On = k.On && set[key] != "false"
	}
	for _, key := range []string{"/saver/enabled", "/saver/idle-activation/delay", "/lock/enabled"} {
		k.Enforced = k.Enforced && fixed[key]
	}
	k.Idle = time.Duration(number("/saver/idle-activation/delay", 5)+number("/lock/saver-activation/delay", 0)) * time.Minute
	return k, nil
}

// xscreensaver is what desktops without a lock of their own use. Users change it
// as they like.
func xscreensaver(l *collect.Look, desktop string) (Lock, error) {
	there, err := l.Exists("/usr/bin/xscreensaver")
	if err != nil {
		return Lock{}, err
	}
	if !there {
		return Lock{}, collect.Why(fmt.Sprintf("unknown: how the session %q locks is not understood", desktop))
	}
	var b []byte
	for _, p := range []string{"/usr/share/X11/app-defaults/XScreenSaver", "/etc/X11/app-defaults/XScreenSaver"} {
		more, there, err := etc.Optional(l, p)
		if err != nil {
			return Lock{}, err
		}
		if there {
			b = more
		}
	}
	k, err := ParseXScreenSaver(b)
	k.Desktop = desktop
	return k, err
}

// ParseXScreenSaver reads the resources "*timeout: 0:10:00", "*lock: True".
func ParseXScreenSaver(b []byte) (Lock, error) {
	set := map[string]string{"lock": "False", "timeout": "0:10:00", "lockTimeout": "0:00:00", "mode": "random"}
	for _, line := range etc.Lines(b) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && !strings.HasPrefix(k, "!") {
			set[strings.TrimLeft(k, "*.")] = strings.TrimSpace(v)
		}
	}
	var sum time.Duration
	for _, key := range []string{"timeout", "lockTimeout"} {
		var h, m, s int64
		if n, err := fmt.Sscanf(set[key], "%d:%d:%d", &h, &m, &s); n != 3 || err != nil || h < 0 || h > 1000 || m < 0 || m > 1000 || s < 0 || s > 1000 {
			return Lock{}, collect.Why(fmt.Sprintf("malformed: %s of xscreensaver is %q", key, set[key]))
		}
		sum += time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
	}
	return Lock{On: strings.EqualFold(set["lock"], "true") && set["mode"] != "off", Idle: sum}, nil
}
