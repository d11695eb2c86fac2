package machine_test

import (
	"debug/elf"
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
	for _, b := range [][]byte{nil, []byte("#!/bin/sh\n"), header(2, 1, 9999)} {
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
