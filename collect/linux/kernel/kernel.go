// Package kernel observes how a Linux kernel was started and protects itself:
// Secure Boot, lockdown, TPM, forwarding, core dumps, address randomisation.
package kernel

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
	"kakusho/collect/linux/machine"
	"kakusho/fact"
)

// Collector brings the facts of group kernel.
func Collector() collect.Collector {
	return collect.Collector{Group: "kernel", Version: "1", Collect: observe}
}

func observe(_ context.Context, h collect.Host) []fact.Fact {
	return []fact.Fact{
		secureBoot(h.Look()), lockdown(h.Look()), tpm(h.Look()),
		forwarding(h.Look()), coreDumps(h.Look()), aslr(h.Look()),
	}
}

const (
	efivars    = "/sys/firmware/efi/efivars"
	globalGUID = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
	shimGUID   = "605dab50-e046-4300-abb6-3dd810dd8b23"
)

// secureBoot is true when the firmware verifies what it starts and shim, where
// used, verifies the kernel in turn. A machine without UEFI has none.
func secureBoot(l *collect.Look) fact.Fact {
	const field = "secure_boot"
	if _, container, err := machine.Virtualization(l); err == nil && container {
		return collect.NotHere(field, "container: its host's firmware decides", l.Sources()...)
	}
	firmware, err := l.Exists("/sys/firmware")
	if err != nil {
		return collect.Failed(field, err)
	}
	if !firmware {
		return collect.Unclear(field, "missing: /sys/firmware: not a running host")
	}
	efi, err := l.Exists("/sys/firmware/efi")
	if err != nil {
		return collect.Failed(field, err)
	}
	if !efi {
		return collect.Saw(field, false, fact.Source{Kind: "sys", Ref: "/sys/firmware"})
	}
	on, err := flag(l, "SecureBoot-"+globalGUID)
	if collect.Missing(err) {
		if es, err := l.ReadDir(efivars); err != nil || len(es) == 0 {
			return collect.Unclear(field, "missing: "+efivars+" is not mounted")
		}
		return collect.Saw(field, false, fact.Source{Kind: "sys", Ref: efivars}) // firmware without Secure Boot
	}
	if err != nil {
		return collect.Failed(field, err)
	}
	off, err := flag(l, "MokSBStateRT-"+shimGUID)
	if err != nil && !collect.Missing(err) {
		return collect.Failed(field, err)
	}
	return collect.Saw(field, on && !off, l.Sources()...)
}

func flag(l *collect.Look, name string) (bool, error) {
	b, err := l.ReadFile(efivars + "/" + name)
	if err != nil {
		return false, err
	}
	on, err := ParseEFIFlag(b)
	if err != nil {
		return false, etc.Fault{File: efivars + "/" + name, Line: 1, What: err.Error()}
	}
	return on, nil
}

// ParseEFIFlag reads an EFI variable that is on or off: four bytes of
// attributes, one of value.
func ParseEFIFlag(b []byte) (bool, error) {
	if len(b) != 5 || b[4] > 1 {
		return false, fmt.Errorf("%d bytes are no flag", len(b))
	}
	return b[4] == 1, nil
}

func lockdown(l *collect.Look) fact.Fact {
	const field, dir = "kernel_lockdown", "/sys/kernel/security"
	b, err := l.ReadFile(dir + "/lockdown")
	if collect.Missing(err) {
		es, err := l.ReadDir(dir)
		switch {
		case err != nil && !collect.Missing(err):
			return collect.Failed(field, err)
		case len(es) == 0:
			return collect.Unclear(field, "missing: "+dir+" is not mounted")
		}
		// The kernel shows its security modules and lockdown is not among them.
		return collect.Saw(field, "none", fact.Source{Kind: "sys", Ref: dir})
	}
	if err != nil {
		return collect.Failed(field, err)
	}
	level, err := ParseLockdown(b)
	if err != nil {
		return collect.Unclear(field, "malformed: "+dir+"/lockdown:1: "+err.Error(), l.Sources()...)
	}
	return collect.Saw(field, level, l.Sources()...)
}

// ParseLockdown reads "none [integrity] confidentiality".
func ParseLockdown(b []byte) (string, error) {
	for _, w := range strings.Fields(string(b)) {
		if in, ok := strings.CutPrefix(w, "["); ok {
			level := strings.TrimSuffix(in, "]")
			if slices.Contains([]string{"none", "integrity", "confidentiality"}, level) {
				return level, nil
			}
		}
	}
	return "", fmt.Errorf("no level is chosen")
}

func tpm(l *collect.Look) fact.Fact {
	const field = "tpm_present"
	class, err := l.Exists("/sys/class")
	if err != nil {
		return collect.Failed(field, err)
	}
	if !class {
		return collect.Unclear(field, "missing: /sys/class: not a running host")
	}
	for _, pattern := range []string{"/sys/class/tpm/tpm*", "/dev/tpm[0-9]*"} {
		found, err := l.Glob(pattern)
		if err != nil {
			return collect.Failed(field, err)
		}
		if len(found) > 0 {
			return collect.Saw(field, true, fact.Source{Kind: "sys", Ref: found[0]})
		}
	}
	return collect.Saw(field, false, fact.Source{Kind: "sys", Ref: "/sys/class/tpm"})
}

func forwarding(l *collect.Look) fact.Fact {
	const field = "ip_forwarding"
	on := false
	for i, p := range []string{"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"} {
		n, err := number(l, p)
		if collect.Missing(err) && i > 0 {
			continue // a kernel without IPv6
		}
		if err != nil {
			return collect.Failed(field, err)
		}
		on = on || n != 0
	}
	return collect.Saw(field, on, l.Sources()...)
}

func aslr(l *collect.Look) fact.Fact {
	n, err := number(l, "/proc/sys/kernel/randomize_va_space")
	if err != nil {
		return collect.Failed("aslr", err)
	}
	return collect.Saw("aslr", n, l.Sources()...)
}

func number(l *collect.Look, p string) (int64, error) {
	s, err := l.ReadLine(p)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, etc.Fault{File: p, Line: 1, What: "no number"}
	}
	return n, nil
}

// coreDumps is true when the memory of an ordinary user's program does not reach
// the disk: privileged programs do not dump at all (fs.suid_dumpable 0), and
// others are cut to nothing by the session limits or dropped by the handler.
// What a service manager sets for its own services is not looked at.
func coreDumps(l *collect.Look) fact.Fact {
	const field = "core_dump_restricted"
	suid, err := number(l, "/proc/sys/fs/suid_dumpable")
	if err != nil {
		return collect.Failed(field, err)
	}
	dropped, err := handlerDrops(l)
	if err != nil {
		return collect.Failed(field, err)
	}
	if !dropped {
		if dropped, err = limitsDrop(l); err != nil {
			return collect.Failed(field, err)
		}
	}
	return collect.Saw(field, suid == 0 && dropped, l.Sources()...)
}

func handlerDrops(l *collect.Look) (bool, error) {
	s, err := l.ReadLine("/proc/sys/kernel/core_pattern")
	if err != nil {
		return false, err
	}
	handler, piped := strings.CutPrefix(s, "|")
	program, _, _ := strings.Cut(strings.TrimSpace(handler), " ")
	switch {
	case !piped:
		return s == "/dev/null", nil
	case strings.HasSuffix(program, "/false"), strings.HasSuffix(program, "/true"):
		return true, nil
	case !strings.HasSuffix(program, "/systemd-coredump"):
		return false, nil
	}
	set := map[string]string{}
	files, err := etc.DropIns(l, ".conf", "/etc/systemd/coredump.conf.d", "/run/systemd/coredump.conf.d", "/usr/local/lib/systemd/coredump.conf.d", "/usr/lib/systemd/coredump.conf.d")
	if err != nil {
		return false, err
	}
	for _, p := range append([]string{"/etc/systemd/coredump.conf"}, files...) {
		b, _, err := etc.Optional(l, p)
		if err != nil {
			return false, err
		}
		for _, e := range etc.INI(b) {
			if e.Section == "Coredump" {
				set[e.Key] = e.Value
			}
		}
	}
	return strings.EqualFold(set["Storage"], "none"), nil
}

// limitsDrop reports whether PAM's limits let nobody but root raise a core dump.
func limitsDrop(l *collect.Look) (bool, error) {
	files, err := l.Glob("/etc/security/limits.d/*.conf")
	if err != nil {
		return false, err
	}
	var all []Limit
	for _, p := range append([]string{"/etc/security/limits.conf"}, files...) {
		b, _, err := etc.Optional(l, p)
		if err != nil {
			return false, err
		}
		all = append(all, ParseLimits(b)...)
	}
	return CoreDropped(all), nil
}

// Limit is one line of limits.conf.
type Limit struct{ Domain, Type, Item, Value string }

// ParseLimits reads the lines of a limits.conf that have all four words; PAM
// skips the others too.
func ParseLimits(b []byte) []Limit {
	var out []Limit
	for _, line := range etc.Lines(b) {
		line, _, _ = strings.Cut(line, "#")
		if w := strings.Fields(line); len(w) == 4 {
			out = append(out, Limit{w[0], w[1], w[2], w[3]})
		}
	}
	return out
}

// CoreDropped reports whether everybody's hard limit of core dumps is 0 and
// nobody but root is given more.
func CoreDropped(ls []Limit) bool {
	everybody := false
	for _, l := range ls {
		if l.Item != "core" || l.Type != "hard" && l.Type != "-" {
			continue
		}
		switch {
		case l.Domain == "*":
			everybody = l.Value == "0"
		case l.Domain != "root" && l.Value != "0":
			return false
		}
	}
	return everybody
}
