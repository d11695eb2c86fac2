// Package media tells what stops a USB storage device from being used on a host
// and which removable media are in it now.
//
// What counts as stopping: USBGuard running with a policy that does not let
// mass storage in, kernel modules that cannot be loaded, udev rules that take
// away a device's authorisation, and hubs that authorise nothing by themselves.
// "allow-list" means that some devices, named by their identity, are let in.
// Settings that are written but not in force (a stopped USBGuard, a blacklist
// beside a module that is already there) do not count. Media on other ways in
// (SD slots, Thunderbolt, MTP, network) are not governed by this policy. Known
// hole: a device that is a keyboard and a disk in one can pass a USBGuard rule
// for keyboards, and such a rule is not counted as letting storage in.
package media

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/mount"
	"kakusho/collect/linux/service"
	"kakusho/fact"
)

// Collector brings the group media.
func Collector() collect.Collector {
	return collect.Collector{Group: "media", Version: "1", Collect: func(_ context.Context, h collect.Host) []fact.Fact {
		t := service.On(h)
		return append(policy(h, t), automount(h, t), present(h))
	}}
}

// The policies, weakest first.
const (
	open      = "open"
	allowList = "allow-list"
	blocked   = "blocked"
)

var strength = []string{open, allowList, blocked}

// rule is what one mechanism does.
type rule struct {
	policy string
	by     string // "" when it does nothing
}

func policy(h collect.Host, t *service.Table) []fact.Fact {
	l := h.Look()
	none, err := noBus(l)
	if err != nil {
		return []fact.Fact{collect.Failed("usb_storage_policy", err), collect.Failed("usb_policy_by", err)}
	}
	if none {
		src := fact.Source{Kind: "sys", Ref: "/sys/bus"}
		return []fact.Fact{collect.Saw("usb_storage_policy", "no-bus", src), collect.None("usb_policy_by", "no USB bus", src)}
	}
	best := open
	by := []any{}
	var faults error
	for _, mechanism := range []func(*collect.Look, *service.Table) (rule, error){usbguard, modules, udev, hubs} {
		r, err := mechanism(l, t)
		faults = errors.Join(faults, err)
		if err != nil || r.by == "" {
			continue
		}
		by = append(by, r.by)
		if slices.Index(strength, r.policy) > slices.Index(strength, best) {
			best = r.policy
		}
	}
	// What blocks, blocks, whatever the unreadable rest may do.
	if faults != nil && best != blocked {
		return []fact.Fact{collect.Failed("usb_storage_policy", faults, l.Sources()...), collect.Failed("usb_policy_by", faults, l.Sources()...)}
	}
	return []fact.Fact{collect.Saw("usb_storage_policy", best, l.Sources()...), collect.Saw("usb_policy_by", by, l.Sources()...)}
}

// noBus reports that the running kernel has no USB at all. A root without /sys
// shows nothing about it.
func noBus(l *collect.Look) (bool, error) {
	sys, err := l.Exists("/sys/bus")
	if err != nil || !sys {
		return false, err
	}
	hubs, err := l.Glob("/sys/bus/usb/devices/usb*")
	return len(hubs) == 0, err
}

// hubs reports buses that authorise nothing by themselves. 2 lets in what is
// plugged in inside the case.
func hubs(l *collect.Look, _ *service.Table) (rule, error) {
	found, err := l.Glob("/sys/bus/usb/devices/usb*/authorized_default")
	if err != nil {
		return rule{}, err
	}
	closed := 0
	for _, p := range found {
		v, err := l.ReadLine(p)
		if err != nil {
			return rule{}, err
		}
		if v == "0" || v == "2" {
			closed++
		}
	}
	if closed > 0 && closed == len(found) {
		return rule{blocked, "authorized_default: " + found[0]}, nil
	}
	if len(found) > 0 {
		return rule{}, nil // a boot option that somebody undid does not count
	}
	b, err := l.ReadFile("/proc/cmdline")
	if collect.Missing(err) {
		return rule{}, nil
	}
	for _, w := range strings.Fields(string(b)) {
		if w == "usbcore.authorized_default=0" || w == "usbcore.authorized_default=2" {
			return rule{blocked, "boot option: " + w}, nil
		}
	}
	return rule{}, err
}

// automount reports whether media are mounted without anyone asking for it.
func automount(h collect.Host, t *service.Table) fact.Fact {
	const field = "media_automount"
	l := h.Look()
	on, src, err := automounter(l, t)
	if err != nil {
		return collect.Failed(field, err)
	}
	return collect.Saw(field, on, append(l.Sources(), src...)...)
}

var errDesktop = errors.New("no reader: what this desktop mounts is each user's own setting")

func automounter(l *collect.Look, t *service.Table) (bool, []fact.Source, error) {
	if p, ok, err := t.Running("udiskie", "devmon", "pmount"); err == nil && ok {
		return true, []fact.Source{{Kind: "proc", Ref: p.Place()}}, nil
	}
	if b, err := l.ReadFile("/etc/usbmount/usbmount.conf"); err == nil {
		if !strings.Contains(string(b), "\nENABLED=0") && !strings.HasPrefix(string(b), "ENABLED=0") {
			return true, nil, nil
		}
	} else if !collect.Missing(err) {
		return false, nil, err
	}
	if on, err := autofs(l, t); err != nil || on {
		return on, nil, err
	}
	gnome, err := oneOf(l, "/usr/bin/gnome-shell", "/usr/bin/nautilus", "/usr/bin/caja", "/usr/bin/nemo")
	if err != nil {
		return false, nil, err
	}
	if gnome {
		off, err := gnomeOff(l)
		return !off, nil, err
	}
	other, err := oneOf(l, "/usr/bin/thunar-volman", "/usr/bin/plasmashell", "/usr/bin/pcmanfm")
	if err == nil && other {
		err = errDesktop
	}
	return false, nil, err
}

func oneOf(l *collect.Look, paths ...string) (bool, error) {
	for _, p := range paths {
		if ok, err := l.Exists(p); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// autofs mounts media when one of its maps names a device of the host.
func autofs(l *collect.Look, t *service.Table) (bool, error) {
	_, runs, err := t.Running("automount")
	if err != nil {
		if !errors.Is(err, service.ErrNoProcesses) {
			return false, err
		}
		if _, runs, err = t.Enabled("autofs.service"); err != nil {
			return false, err
		}
	}
	if !runs {
		return false, nil
	}
	found, err := l.Glob("/etc/auto.*")
	if err != nil {
		return false, err
	}
	for _, p := range found {
		b, err := l.ReadFile(p)
		if err != nil {
			if errors.Is(err, fs.ErrPermission) {
				return false, err
			}
			continue // /etc/auto.master.d
		}
		for _, line := range strings.Split(string(b), "\n") {
			line = strings.ReplaceAll(strings.TrimSpace(line), "\t", " ")
			if !strings.HasPrefix(line, "#") && strings.Contains(line, " :/dev/") {
				return true, nil
			}
		}
	}
	return false, nil
}

// gnomeOff reports whether the system's dconf settings turn GNOME's automatic
// mounting off; it is on by default.
func gnomeOff(l *collect.Look) (bool, error) {
	off := false
	for _, pattern := range []string{"/etc/dconf/db/*.d/*", "/usr/share/glib-2.0/schemas/*.gschema.override"} {
		found, err := l.Glob(pattern)
		if err != nil {
			return false, err
		}
		for _, p := range found {
			b, err := l.ReadFile(p)
			if err != nil {
				if errors.Is(err, fs.ErrPermission) {
					return false, err
				}
				continue // the folder "locks"
			}
			if v, ok := ParseDconf(b)["automount"]; ok {
				off = v == "false"
			}
		}
	}
	return off, nil
}

// ParseDconf reads the keys of GNOME's media handling from a keyfile.
func ParseDconf(b []byte) map[string]string {
	out := map[string]string{}
	in := false
	for _, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			s := strings.ReplaceAll(strings.Trim(line, "[]"), ".", "/")
			s, _, _ = strings.Cut(s, ":")
			in = strings.HasSuffix(s, "/desktop/media-handling")
			continue
		}
		if k, v, ok := strings.Cut(line, "="); ok && in && !strings.HasPrefix(k, "#") {
			out[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return out
}

func mounts(l *collect.Look) ([]mount.Mount, error) {
	ms, err := mount.Read(l)
	if collect.Missing(err) {
		return nil, nil
	}
	return ms, err
}
