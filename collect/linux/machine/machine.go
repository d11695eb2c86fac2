// Package machine tells what a Linux host runs on: its instruction set and
// whether it is a container, a virtual machine or neither.
package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"kakusho/collect"
)

// ErrUnclear is that nothing on the host tells; its message says what was tried.
var ErrUnclear = errors.New("nothing on the host tells")

// Architecture is the instruction set of the host's programs, named as by
// uname -m: x86_64, aarch64. It is read from the header of a program every
// Linux host has, so that an image on another machine answers too.
func Architecture(l *collect.Look) (string, error) {
	var last error
	for _, p := range []string{"/bin/sh", "/usr/bin/env", "/bin/busybox", "/sbin/init"} {
		b, err := head(l, p, 20)
		if err != nil {
			last = err
			continue
		}
		if a, err := ParseELF(b); err == nil {
			return a, nil
		}
	}
	if last == nil {
		last = fmt.Errorf("instruction set: %w: no program's header", ErrUnclear)
	}
	return "", last
}

func head(l *collect.Look, p string, n int) ([]byte, error) {
	f, err := l.Open(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, n)
	got, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b[:got], nil
}

// ParseELF names the machine of an ELF header (its first 20 bytes suffice).
func ParseELF(b []byte) (string, error) {
	if len(b) < 20 || !bytes.HasPrefix(b, []byte("\x7fELF")) {
		return "", errors.New("no ELF header")
	}
	wide, little := b[4] == 2, b[5] == 1
	m := int(b[18])<<8 | int(b[19])
	if little {
		m = int(b[19])<<8 | int(b[18])
	}
	pick := func(yes bool, a, b string) string {
		if yes {
			return a
		}
		return b
	}
	switch m {
	case 3:
		return "i686", nil
	case 8:
		return pick(wide, "mips64", "mips") + pick(little, "el", ""), nil
	case 20:
		return "ppc", nil
	case 21:
		return "ppc64" + pick(little, "le", ""), nil
	case 22:
		return "s390x", nil
	case 40:
		return "arm", nil
	case 62:
		return "x86_64", nil
	case 183:
		return "aarch64", nil
	case 243:
		return pick(wide, "riscv64", "riscv32"), nil
	case 258:
		return "loongarch64", nil
	}
	return "", fmt.Errorf("machine %d is not known", m)
}

// Virtualization is what the host runs on, named as by systemd-detect-virt:
// docker, lxc, kvm, vmware, microsoft …, "vm-other" or "container-other" when
// only so much is told, "none" for a physical machine. A container in a virtual
// machine is a container.
func Virtualization(l *collect.Look) (kind string, container bool, err error) {
	c, err := containerKind(l)
	if c != "" || err != nil {
		return c, true, err
	}
	v, err := vmKind(l)
	return v, false, err
}

func containerKind(l *collect.Look) (string, error) {
	// systemd leaves the manager's own word; it is world-readable, unlike init's
	// environment.
	w, err := l.ReadLine("/run/systemd/container")
	if err == nil {
		if w == "" {
			w = "container-other"
		}
		return w, nil
	}
	if !collect.Missing(err) {
		return "", err
	}
	for _, mark := range []struct{ path, name string }{
		{"/run/.containerenv", "podman"}, {"/.dockerenv", "docker"}, {"/dev/lxd/sock", "lxc"}, {"/dev/.lxc-boot-id", "lxc"},
	} {
		there, err := l.Exists(mark.path)
		if err != nil {
			return "", err
		}
		if there {
			return mark.name, nil
		}
	}
	if b, err := l.ReadSecret("/proc/1/environ"); err == nil {
		for _, v := range strings.Split(string(b), "\x00") {
			if name, ok := strings.CutPrefix(v, "container="); ok && name != "" {
				return name, nil
			}
		}
	}
	if r, err := l.ReadLine("/proc/sys/kernel/osrelease"); err == nil && strings.Contains(strings.ToLower(r), "microsoft") {
		return "wsl", nil
	}
	return "", nil
}

// vendors are starts of what hypervisors put into the firmware tables.
var vendors = []struct{ starts, name string }{
	{"KVM", "kvm"}, {"OpenStack", "kvm"}, {"KubeVirt", "kvm"}, {"Amazon EC2", "amazon"}, {"QEMU", "qemu"},
	{"VMware", "vmware"}, {"VMW", "vmware"}, {"innotek GmbH", "oracle"}, {"VirtualBox", "oracle"},
	{"Xen", "xen"}, {"Bochs", "bochs"}, {"Parallels", "parallels"}, {"BHYVE", "bhyve"},
	{"Hyper-V", "microsoft"}, {"Google Compute Engine", "google"}, {"Apple Virtualization", "apple"}, {"Nutanix", "kvm"},
}

func vmKind(l *collect.Look) (string, error) {
	if c, err := l.ReadLine("/proc/xen/capabilities"); err == nil && strings.Contains(c, "control_d") {
		return "none", nil // Xen's own administrative domain has the hardware
	}
	flagged, told := hypervisorFlag(l)
	dmi := map[string]string{}
	for _, f := range []string{"product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"} {
		if s, err := l.ReadLine("/sys/class/dmi/id/" + f); err == nil {
			dmi[f] = s
		}
	}
	switch name := ParseDMI(dmi); {
	case name == "amazon" && told && !flagged:
		return "none", nil // a bare-metal instance carries the same name
	case name == "qemu" && flagged:
		return "kvm", nil
	case name != "":
		return name, nil
	}
	if t, err := l.ReadLine("/sys/hypervisor/type"); err == nil && t != "" {
		return t, nil
	}
	if b, err := l.ReadFile("/proc/device-tree/hypervisor/compatible"); err == nil {
		if strings.Contains(string(b), "kvm") {
			return "kvm", nil
		}
		return strings.TrimRight(string(bytes.Split(b, []byte{0})[0]), "\n"), nil
	}
	switch {
	case flagged:
		return "vm-other", nil
	case told || len(dmi) > 0:
		return "none", nil
	}
	if there, err := l.Exists("/proc/device-tree/compatible"); err == nil && there {
		return "none", nil
	}
	return "", fmt.Errorf("virtualisation: %w: neither processor flags nor firmware tables", ErrUnclear)
}

// ParseDMI names the hypervisor that firmware fields (named as in
// /sys/class/dmi/id) give away, "" for none.
func ParseDMI(dmi map[string]string) string {
	if dmi["sys_vendor"] == "Microsoft Corporation" && dmi["product_name"] == "Virtual Machine" {
		return "microsoft"
	}
	for _, f := range []string{"product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"} {
		for _, v := range vendors {
			if strings.HasPrefix(dmi[f], v.starts) {
				return v.name
			}
		}
	}
	return ""
}

// hypervisorFlag is the processor's own word, and whether it speaks of it.
func hypervisorFlag(l *collect.Look) (flagged, told bool) {
	b, err := l.ReadFile("/proc/cpuinfo")
	if err != nil {
		return false, false
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "flags" {
			for _, w := range strings.Fields(v) {
				if w == "hypervisor" {
					return true, true
				}
			}
			told = true
		}
	}
	return false, told
}
