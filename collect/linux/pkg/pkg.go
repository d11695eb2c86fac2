// Package pkg tells what software a host has installed and what of it waits to
// be updated.
//
// The package manager's own records are read: dpkg's status, apk's installed
// database, rpm's database in SQLite form. Pending updates are known for apt
// only; they come from the package lists the host fetched last, compared as apt
// does (priorities of NotAutomatic archives and APT::Default-Release included),
// so they are as old as update_metadata_at says. Pins in apt's preferences are
// not followed: what a pin holds back counts as pending. An update is a security
// update when any version newer than the installed one comes from a security
// archive.
package pkg

import (
	"context"
	"errors"
	"slices"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/service"
	"kakusho/fact"
)

// Collector brings the group package.
func Collector() collect.Collector {
	return collect.Collector{Group: "package", Version: "1", Collect: look}
}

// Package is one installed package.
type Package struct {
	Name, Version, Source, Arch string
}

var errNoManager = errors.New("no package manager known here: neither dpkg, rpm nor apk")

func look(ctx context.Context, h collect.Host) []fact.Fact {
	l := h.Look()
	auto := automatic(h)
	for _, m := range []struct {
		file string
		read func(context.Context, collect.Host, *collect.Look, string) ([]fact.Fact, error)
	}{
		{"/var/lib/dpkg/status", dpkg},
		{"/var/lib/rpm/rpmdb.sqlite", rpm},
		{"/usr/lib/sysimage/rpm/rpmdb.sqlite", rpm},
		{"/var/lib/rpm/Packages", rpmOld},
		{"/var/lib/rpm/Packages.db", rpmOld},
		{"/lib/apk/db/installed", apk},
		{"/usr/lib/apk/db/installed", apk},
	} {
		ok, err := l.Exists(m.file)
		if err == nil && !ok {
			continue
		}
		var out []fact.Fact
		if err == nil {
			out, err = m.read(ctx, h, l, m.file)
		}
		if err != nil {
			return append(failed(err), auto)
		}
		return append(out, auto)
	}
	return append(failed(errNoManager), auto)
}

func failed(err error) []fact.Fact {
	return append(unknown(err), collect.Failed("packages", err))
}

// unknown are the updates of a manager whose lists are not read here.
func unknown(err error) []fact.Fact {
	return []fact.Fact{
		collect.Failed("pending_updates", err), collect.Failed("pending_security_count", err), collect.Failed("update_metadata_at", err),
	}
}

func installed(ps []Package, src ...fact.Source) fact.Fact {
	slices.SortFunc(ps, func(a, b Package) int {
		return strings.Compare(a.Name+"\x00"+a.Arch+"\x00"+a.Version, b.Name+"\x00"+b.Arch+"\x00"+b.Version)
	})
	out := make([]any, 0, len(ps))
	for _, p := range ps {
		out = append(out, map[string]any{"name": p.Name, "version": p.Version, "source": p.Source, "arch": p.Arch})
	}
	return collect.Saw("packages", out, src...)
}

func dpkg(ctx context.Context, h collect.Host, l *collect.Look, file string) ([]fact.Fact, error) {
	b, err := l.ReadFile(file)
	if err != nil {
		return nil, err
	}
	ps, err := ParseDpkg(b)
	if err != nil {
		return nil, err
	}
	return append([]fact.Fact{installed(slices.Clone(ps), l.Sources()...)}, updates(ctx, h, ps)...), nil
}

func apk(_ context.Context, _ collect.Host, l *collect.Look, file string) ([]fact.Fact, error) {
	b, err := l.ReadFile(file)
	if err != nil {
		return nil, err
	}
	out := unknown(errors.New("no reader: pending updates of apk are not read"))
	return append(out, installed(ParseApk(b), l.Sources()...)), nil
}

// ParseApk reads apk's installed database.
func ParseApk(b []byte) []Package {
	var out []Package
	var p Package
	for _, line := range strings.Split(string(b)+"\n", "\n") {
		key, value, ok := strings.Cut(line, ":")
		switch {
		case line == "":
			if p.Name != "" {
				if p.Source == "" {
					p.Source = p.Name
				}
				out = append(out, p)
			}
			p = Package{}
		case !ok:
		case key == "P":
			p.Name = value
		case key == "V":
			p.Version = value
		case key == "A":
			p.Arch = value
		case key == "o":
			p.Source = value
		}
	}
	return out
}

// automatic reports whether updates install themselves.
func automatic(h collect.Host) fact.Fact {
	const field = "automatic_updates"
	l := h.Look()
	t := service.On(h)
	for _, m := range []struct {
		mark string
		read func(*collect.Look, *service.Table) (bool, error)
	}{
		{"/var/lib/dpkg/status", unattended},
		{"/etc/dnf", dnfAutomatic},
		{"/etc/yum", yumCron},
	} {
		ok, err := l.Exists(m.mark)
		if err != nil {
			return collect.Failed(field, err)
		}
		if !ok {
			continue
		}
		on, err := m.read(l, t)
		if err != nil {
			return collect.Failed(field, err, l.Sources()...)
		}
		return collect.Saw(field, on, l.Sources()...)
	}
	return collect.Unclear(field, "no reader: automatic updates are known for apt, dnf and yum only")
}

// unattended needs three things: the program, its being switched on in
// apt.conf, and something that starts it each day.
func unattended(l *collect.Look, t *service.Table) (bool, error) {
	conf, err := aptConf(l)
	if err != nil {
		return false, err
	}
	on := func(key, def string) bool {
		v, ok := conf[key]
		if !ok {
			v = def
		}
		return v != "0" && v != "" && !strings.EqualFold(v, "false") && !strings.EqualFold(v, "no")
	}
	if !on("apt::periodic::enable", "1") || !on("apt::periodic::unattended-upgrade", "0") || !on("apt::periodic::update-package-lists", "0") {
		return false, nil
	}
	ok, err := l.Exists("/usr/bin/unattended-upgrade")
	if err != nil || !ok {
		return false, err
	}
	systemd, err := l.Exists("/etc/systemd/system")
	if err != nil {
		return false, err
	}
	if !systemd {
		return l.Exists("/etc/cron.daily/apt-compat")
	}
	_, ok, err = t.Enabled("apt-daily-upgrade.timer")
	return ok, err
}

func dnfAutomatic(l *collect.Look, t *service.Table) (bool, error) {
	if _, ok, err := t.Enabled("dnf-automatic-install.timer"); err != nil || ok {
		return ok, err // applies whatever the configuration says
	}
	_, ok, err := t.Enabled("dnf-automatic.timer", "dnf5-automatic.timer")
	if err != nil || !ok {
		return false, err
	}
	return applies(l, "/etc/dnf/automatic.conf")
}

func yumCron(l *collect.Look, t *service.Table) (bool, error) {
	if _, ok, err := t.Enabled("yum-cron.service"); err != nil || !ok {
		return false, err
	}
	return applies(l, "/etc/yum/yum-cron.conf")
}

func applies(l *collect.Look, file string) (bool, error) {
	b, err := l.ReadFile(file)
	if collect.Missing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, line := range strings.Split(string(b), "\n") {
		k, v, _ := strings.Cut(line, "=")
		if strings.TrimSpace(k) == "apply_updates" {
			v = strings.ToLower(strings.TrimSpace(v))
			return v == "yes" || v == "true" || v == "1", nil
		}
	}
	return false, nil
}
