package machine_test

import (
	"debug/elf"
	"errors"
	"os"
	"testing"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/machine"
)

func TestParseELFNamesAsUname(t *testing.T) {
	header := func(class, data byte, m uint16) []byte {
		b := append([]byte("\x7fELF"), class, data, 1)
		b = append(b, make([]byte, 13)...)
		if data == 1 {
			b[18], b[19] = byte(m), byte(m>>8)
		} else {
			b[18], b[19] = byte(m>>8), byte(m)
		}
		return b
	}
	for _, tt := range []struct {
		class, data byte
		m           elf.Machine
		want        string
	}{
		{2, 1, elf.EM_X86_64, "x86_64"}, {1, 1, elf.EM_386, "i686"}, {2, 1, elf.EM_AARCH64, "aarch64"}, {1, 1, elf.EM_ARM, "arm"},
		{2, 1, elf.EM_PPC64, "ppc64le"}, {2, 2, elf.EM_PPC64, "ppc64"}, {2, 2, elf.EM_S390, "s390x"}, {2, 1, elf.EM_RISCV, "riscv64"},
		{2, 1, elf.EM_MIPS, "mips64el"}, {1, 2, elf.EM_MIPS, "mips"}, {2, 1, elf.EM_LOONGARCH, "loongarch64"},
	} {
		if got, err := machine.ParseELF(header(tt.class, tt.data, uint16(tt.m))); got != tt.want || err != nil {
			t.Errorf("%v: %q, %v; want %s", tt.m, got, err, tt.want)
		}
	}
	for _, b := range [][]byte{nil, []byte("#!/bin/sh\n"), []byte("#!/bin/sh\nexec something\n"), []byte("\x7fELF"), header(2, 1, 9999)} {
		if got, err := machine.ParseELF(b); err == nil {
			t.Errorf("%q passed as %s", b, got)
		}
	}
}

func TestArchitectureOfTheLiveHostIsThisProgramsToo(t *testing.T) {
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip(err)
	}
	want, err := machine.ParseELF(b)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := machine.Architecture(fixture.Live().Look()); got != want || err != nil {
		t.Errorf("got %q, %v; want %s", got, err, want)
	}
}

func TestVirtualization(t *testing.T) {
	const bare = "-- proc/cpuinfo --\nprocessor : 0\nflags : fpu lm\n"
	const guest = "-- proc/cpuinfo --\nflags : fpu hypervisor\n"
	for _, tt := range []struct {
		name, host, want string
		container        bool
	}{
		{"bare metal", bare, "none", false},
		{"a guest of nobody known", guest, "vm-other", false},
		{"firmware alone", "-- sys/class/dmi/id/sys_vendor --\nContoso\n", "none", false},
		{"a guest by its firmware", bare + "-- sys/class/dmi/id/sys_vendor --\nVMware, Inc.\n", "vmware", false},
		{"QEMU without acceleration", bare + "-- sys/class/dmi/id/sys_vendor --\nQEMU\n", "qemu", false},
		{"QEMU with", guest + "-- sys/class/dmi/id/sys_vendor --\nQEMU\n", "kvm", false},
		{"a guest at Amazon", guest + "-- sys/class/dmi/id/sys_vendor --\nAmazon EC2\n", "amazon", false},
		{"bare metal at Amazon", bare + "-- sys/class/dmi/id/sys_vendor --\nAmazon EC2\n", "none", false},
		{"Amazon on a processor that does not tell", "-- sys/class/dmi/id/sys_vendor --\nAmazon EC2\n", "amazon", false},
		{"a guest of Xen", guest + "-- sys/hypervisor/type --\nxen\n-- proc/xen/capabilities --\n\n", "xen", false},
		{"Xen's own domain", guest + "-- sys/hypervisor/type --\nxen\n-- proc/xen/capabilities --\ncontrol_d\n", "none", false},
		{"a guest by its device tree", "-- proc/device-tree/hypervisor/compatible --\nlinux,kvm\n", "kvm", false},
		{"a guest of another by its device tree", "-- proc/device-tree/hypervisor/compatible --\nacme,vm\n", "acme,vm", false},
		{"a board", "-- proc/device-tree/compatible --\nacme,board\n", "none", false},
		{"a container by its manager", bare + "-- run/systemd/container --\nlxc\n", "lxc", true},
		{"a container whose manager has no name", bare + "-- run/systemd/container --\n\n", "container-other", true},
		{"podman", bare + "-- run/.containerenv --\n", "podman", true},
		{"a container by its first process", bare + "-- proc/1/environ base64 --\nUEFUSD0vYmluAGNvbnRhaW5lcj1ydW5jAA==\n", "runc", true},
		{"a first process that names none", bare + "-- proc/1/environ base64 --\nUEFUSD0vYmluAGNvbnRhaW5lcj0A\n", "none", false},
		{"Windows below", bare + "-- proc/sys/kernel/osrelease --\n5.15.153.1-microsoft-standard-WSL2\n", "wsl", true},
		{"an ordinary kernel", bare + "-- proc/sys/kernel/osrelease --\n6.1.0-37-amd64\n", "none", false},
	} {
		got, container, err := machine.Virtualization(fixture.Host(t, tt.host).Look())
		if got != tt.want || container != tt.container || err != nil {
			t.Errorf("%s: %q, %v, %v; want %q, %v", tt.name, got, container, err, tt.want, tt.container)
		}
	}
	if got, _, err := machine.Virtualization(fixture.Host(t, "-- etc/hostname --\nx\n").Look()); !errors.Is(err, machine.ErrUnclear) {
		t.Errorf("nothing to go by: %q, %v", got, err)
	}
}

func TestParseDMI(t *testing.T) {
	for _, tt := range []struct {
		dmi  map[string]string
		want string
	}{
		{map[string]string{"sys_vendor": "VMware, Inc."}, "vmware"},
		{map[string]string{"product_name": "VirtualBox"}, "oracle"},
		{map[string]string{"sys_vendor": "Microsoft Corporation", "product_name": "Surface Pro"}, ""},
		{map[string]string{"sys_vendor": "FUJITSU", "product_name": "PRIMERGY RX2540 M5"}, ""},
		{map[string]string{"bios_vendor": "Xen"}, "xen"},
	} {
		if got := machine.ParseDMI(tt.dmi); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.dmi, got, tt.want)
		}
	}
}

func FuzzParseELF(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x3e\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := machine.ParseELF(b); (s == "") == (err == nil) {
			t.Errorf("%q, %v", s, err)
		}
	})
}
