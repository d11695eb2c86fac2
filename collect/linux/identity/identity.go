// Package identity observes what a Linux host is: its names and numbers, its
// hardware, its operating system and how long that is supported.
package identity

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
	"kakusho/collect/linux/machine"
	"kakusho/fact"
)

// Collector brings the facts of group identity.
func Collector() collect.Collector {
	return collect.Collector{Group: "identity", Version: "1", Collect: observe}
}

func observe(_ context.Context, h collect.Host) []fact.Fact {
	facts := []fact.Fact{
		hostname(h.Look()), machineID(h.Look()),
		firmware(h, "serial", "product_serial", "serial-number"),
		firmware(h, "hardware_uuid", "product_uuid", ""),
		firmware(h, "vendor", "sys_vendor", ""),
		firmware(h, "model", "product_name", "model"),
		firmware(h, "firmware_version", "bios_version", ""),
		kernelVersion(h.Look()), architecture(h.Look()), timezone(h.Look()), bootTime(h.Look()),
	}
	facts = append(facts, platform(h)...)
	return append(facts, operatingSystem(h.Look())...)
}

// first reads the first of several small files that is there.
func first(l *collect.Look, paths ...string) (string, error) {
	var last error
	for _, p := range paths {
		s, err := l.ReadLine(p)
		if err == nil {
			return s, nil
		}
		last = err
		if !collect.Missing(err) {
			break
		}
	}
	return "", last
}

func hostname(l *collect.Look) fact.Fact {
	s, err := first(l, "/etc/hostname", "/proc/sys/kernel/hostname")
	if err != nil {
		return collect.Failed("hostname", err)
	}
	for _, line := range etc.Lines([]byte(s)) {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' && line != "(none)" {
			return collect.Saw("hostname", line, l.Sources()...)
		}
	}
	return collect.None("hostname", "none: the host has no name set", l.Sources()...)
}

func machineID(l *collect.Look) fact.Fact {
	const field = "machine_id"
	s, err := l.ReadLine("/etc/machine-id")
	switch {
	case collect.Missing(err):
		return collect.None(field, "none: /etc/machine-id", l.Sources()...)
	case err != nil:
		return collect.Failed(field, err)
	case s == "" || s == "uninitialized":
		return collect.None(field, "none: /etc/machine-id is not initialised", l.Sources()...)
	case len(s) != 32 || strings.Trim(s, "0123456789abcdef") != "":
		return collect.Unclear(field, "malformed: /etc/machine-id:1: not 32 hexadecimal digits", l.Sources()...)
	}
	return collect.Saw(field, s, l.Sources()...)
}

// firmware reads one field of the firmware's table (DMI, or a device tree).
func firmware(h collect.Host, field, dmi, tree string) fact.Fact {
	l := h.Look()
	s, err := l.ReadLine("/sys/class/dmi/id/" + dmi)
	if collect.Missing(err) && tree != "" {
		s, err = l.ReadLine("/proc/device-tree/" + tree)
		s = strings.TrimSpace(strings.TrimRight(s, "\x00"))
	}
	switch {
	case collect.Missing(err):
		return noFirmware(l, field)
	case err != nil:
		return collect.Failed(field, err)
	case Placeholder(s):
		return collect.None(field, fmt.Sprintf("placeholder: the firmware says %q", s), l.Sources()...)
	}
	return collect.Saw(field, s, l.Sources()...)
}

func noFirmware(l *collect.Look, field string) fact.Fact {
	live, err := l.Exists("/sys/class")
	if err != nil {
		return collect.Failed(field, err)
	}
	if !live {
		return collect.Unclear(field, "missing: /sys: not a running host")
	}
	return collect.None(field, "none: the firmware shows no table of the hardware")
}

// Placeholder reports a firmware text that its maker never filled in.
func Placeholder(s string) bool {
	s = strings.ToLower(strings.Trim(s, " .-_*"))
	if strings.Trim(s, "0") == "" || strings.Trim(s, "f") == "" || strings.Trim(s, "x") == "" {
		return true
	}
	return slices.Contains([]string{
		"to be filled by o.e.m", "to be filled by oem", "default string", "not specified", "not applicable", "none",
		"system serial number", "system product name", "system manufacturer", "system version", "o.e.m", "oem",
		"unknown", "invalid", "empty", "null", "n/a", "na", "serial", "0123456789", "123456789", "1234567890",
		"03000200-0400-0500-0006-000700080009", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
	}, s)
}

func kernelVersion(l *collect.Look) fact.Fact {
	const field = "kernel_version"
	s, err := l.ReadLine("/proc/sys/kernel/osrelease")
	if collect.Missing(err) {
		s, err = l.ReadLine("/proc/version")
		if w := strings.Fields(s); err == nil && len(w) > 2 && w[0] == "Linux" && w[1] == "version" {
			s = w[2]
		}
	}
	if err != nil {
		return collect.Failed(field, err)
	}
	return collect.Saw(field, s, l.Sources()...)
}

func architecture(l *collect.Look) fact.Fact {
	a, err := machine.Architecture(l)
	if err != nil {
		return collect.Failed("architecture", err)
	}
	return collect.Saw("architecture", a, l.Sources()...)
}

// timezone follows glibc: what /etc/localtime leads to decides; a copy in its
// place is named by /etc/timezone, or by the rule at its end; none is UTC.
func timezone(l *collect.Look) fact.Fact {
	const field = "timezone"
	if link, err := l.ReadLink("/etc/localtime"); err == nil {
		if _, name, ok := strings.Cut(link, "zoneinfo/"); ok && name != "" {
			return collect.Saw(field, name, l.Sources()...)
		}
	}
	b, err := l.ReadFile("/etc/localtime")
	if collect.Missing(err) {
		return collect.Saw(field, "UTC", fact.Source{Kind: "file", Ref: "/etc/localtime"})
	}
	if err != nil {
		return collect.Failed(field, err)
	}
	if name, err := l.ReadLine("/etc/timezone"); err == nil && name != "" {
		return collect.Saw(field, name, l.Sources()...)
	}
	rule, err := ParseTZRule(b)
	if err != nil {
		return collect.Unclear(field, "malformed: /etc/localtime: "+err.Error(), l.Sources()...)
	}
	return collect.Saw(field, rule, l.Sources()...)
}

// ParseTZRule reads the rule at the end of a time zone file: "JST-9".
func ParseTZRule(b []byte) (string, error) {
	if !strings.HasPrefix(string(b), "TZif") {
		return "", fmt.Errorf("no time zone file")
	}
	s := strings.TrimSuffix(string(b), "\n")
	rule := s[strings.LastIndexByte(s, '\n')+1:]
	if len(s) == len(b) || rule == "" || len(rule) > 100 || strings.Trim(rule, "<>+-,./:0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" {
		return "", fmt.Errorf("no rule at its end")
	}
	return rule, nil
}

func bootTime(l *collect.Look) fact.Fact {
	const field = "boot_time"
	b, err := l.ReadFile("/proc/stat")
	if err != nil {
		return collect.Failed(field, err)
	}
	t, err := ParseBootTime(b)
	if err != nil {
		return collect.Unclear(field, "malformed: /proc/stat: "+err.Error(), l.Sources()...)
	}
	return collect.Saw(field, t, l.Sources()...)
}

// ParseBootTime reads the line "btime SECONDS" of /proc/stat.
func ParseBootTime(b []byte) (time.Time, error) {
	for _, l := range etc.Lines(b) {
		if s, ok := strings.CutPrefix(l, "btime "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
			if err != nil || n <= 0 || n > 1<<40 {
				return time.Time{}, fmt.Errorf("btime %q", s)
			}
			return time.Unix(n, 0).UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("no btime")
}

// platform tells virtualisation and chassis, which goes by it.
func platform(h collect.Host) []fact.Fact {
	l := h.Look()
	virt, container, err := machine.Virtualization(l)
	if err != nil {
		return []fact.Fact{collect.Failed("virtualization", err), collect.Failed("chassis", err)}
	}
	v := collect.Saw("virtualization", virt, l.Sources()...)
	switch {
	case container:
		return []fact.Fact{v, collect.Saw("chassis", "container", l.Sources()...)}
	case virt != "none":
		return []fact.Fact{v, collect.Saw("chassis", "virtual", l.Sources()...)}
	}
	return []fact.Fact{v, chassis(h.Look())}
}

func chassis(l *collect.Look) fact.Fact {
	const field = "chassis"
	s, err := l.ReadLine("/sys/class/dmi/id/chassis_type")
	if collect.Missing(err) {
		return noFirmware(l, field)
	}
	if err != nil {
		return collect.Failed(field, err)
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return collect.Unclear(field, "malformed: /sys/class/dmi/id/chassis_type:1: no number", l.Sources()...)
	}
	if n == 2 {
		return collect.None(field, "unknown: the firmware says it does not know", l.Sources()...)
	}
	return collect.Saw(field, Chassis(n), l.Sources()...)
}

// Chassis names a type number of the SMBIOS standard (7.4.1).
func Chassis(n int) string {
	switch n {
	case 3, 4, 5, 15, 16, 35, 36:
		return "desktop"
	case 6, 7:
		return "tower"
	case 8, 9, 10, 14, 31:
		return "laptop"
	case 13:
		return "all-in-one"
	case 17, 23, 25, 28, 29:
		return "rack"
	case 30, 32:
		return "tablet"
	}
	return "other"
}

func operatingSystem(l *collect.Look) []fact.Fact {
	fields := []string{"os_id", "os_name", "os_version", "os_support_end"}
	file := "/etc/os-release"
	b, err := l.ReadFile(file)
	if collect.Missing(err) {
		file = "/usr/lib/os-release"
		b, err = l.ReadFile(file)
	}
	if err != nil {
		out := make([]fact.Fact, len(fields))
		for i, f := range fields {
			out[i] = collect.Failed(f, err)
		}
		return out
	}
	// A line that is no assignment is skipped, as the format asks of readers.
	m, _ := etc.Assignments(file, b)
	name := m["PRETTY_NAME"]
	if name == "" {
		name = m["NAME"]
	}
	src := l.Sources()
	return []fact.Fact{
		known("os_id", m["ID"], file, src), known("os_name", name, file, src), known("os_version", m["VERSION_ID"], file, src),
		supportFact(m, file, src),
	}
}

func known(field, v, file string, src []fact.Source) fact.Fact {
	if v == "" {
		return collect.None(field, "none: not said in "+file, src...)
	}
	return collect.Saw(field, v, src...)
}

func supportFact(m map[string]string, file string, src []fact.Source) fact.Fact {
	const field = "os_support_end"
	if s := m["SUPPORT_END"]; s != "" {
		end, err := endOfDay(s)
		if err != nil {
			return collect.Unclear(field, "malformed: "+file+": SUPPORT_END is no date", src...)
		}
		return collect.Saw(field, end, src...)
	}
	all, err := Supports()
	if err != nil {
		return collect.Failed(field, err)
	}
	s, ok := supportEnd(all, m["ID"], m["VERSION_ID"])
	if !ok {
		return collect.Unclear(field, fmt.Sprintf("unknown: no end date known for %s %s", m["ID"], m["VERSION_ID"]), src...)
	}
	return collect.Saw(field, s.End, append(slices.Clone(src), fact.Source{Kind: "import", Ref: s.Source})...)
}
