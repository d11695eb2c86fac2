package kernel_test

import (
	"os"
	"strings"
	"testing"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/kernel"
	"kakusho/fact"
)

const (
	shimOff  = "-- sys/firmware/efi/efivars/MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23 base64 --\nBgAAAAE=\n"
	noEFI    = "-- sys/firmware/efi gone --\n"
	emptyEFI = "-- sys/firmware/efi gone --\n-- sys/firmware/efi/efivars/ --\n"
)

func TestKernel(t *testing.T) {
	fixture.Check(t, kernel.Collector(), []fixture.Case{
		{Name: "a Debian server with Secure Boot", Base: fixture.Debian12, Want: []string{
			"secure_boot: true", "kernel_lockdown: integrity", "tpm_present: true", "ip_forwarding: false", "core_dump_restricted: false", "aslr: 2"}},
		{Name: "an Ubuntu terminal without UEFI", Base: fixture.Ubuntu2404, Want: []string{
			"secure_boot: false", "kernel_lockdown: none", "tpm_present: false", "core_dump_restricted: false"}},
		{Name: "a RHEL router that keeps no core dumps", Base: fixture.RHEL9, Want: []string{
			"secure_boot: false", "ip_forwarding: true", "core_dump_restricted: true"}},
		{Name: "Secure Boot with verification switched off in shim is off", Base: fixture.Debian12, Diff: shimOff, Want: []string{"secure_boot: false"}},
		{Name: "UEFI without the variable has no Secure Boot", Base: fixture.Debian12,
			Diff: emptyEFI + "-- sys/firmware/efi/efivars/BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c --\nx\n", Want: []string{"secure_boot: false"}},
		{Name: "UEFI variables that are not mounted tell nothing", Base: fixture.Debian12, Diff: emptyEFI, Want: []string{"secure_boot: error missing"}},
		{Name: "a variable of another size tells nothing", Base: fixture.Debian12,
			Diff: "-- sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c --\nxx\n", Want: []string{"secure_boot: error"}},
		{Name: "in a container the question is its host's", Base: fixture.Debian12, Diff: "-- .dockerenv --\n" + noEFI, Want: []string{"secure_boot: not-applicable container"}},
		{Name: "security folders that are not mounted tell nothing", Base: fixture.Debian12, Diff: "-- sys/kernel/security gone --\n", Want: []string{"kernel_lockdown: error missing"}},
		{Name: "a kernel without the lockdown module has none", Base: fixture.Debian12,
			Diff: "-- sys/kernel/security/lockdown gone --\n-- sys/kernel/security/lsm --\ncapability,yama\n", Want: []string{"kernel_lockdown: none"}},
		{Name: "an odd lockdown line tells nothing", Base: fixture.Debian12, Diff: "-- sys/kernel/security/lockdown --\nnone integrity\n", Want: []string{"kernel_lockdown: error malformed"}},
		{Name: "IPv6 forwarding alone counts", Base: fixture.Debian12, Diff: "-- proc/sys/net/ipv6/conf/all/forwarding --\n1\n", Want: []string{"ip_forwarding: true"}},
		{Name: "core dumps cut by the limits", Base: fixture.Debian12, Diff: "-- etc/security/limits.d/10-core.conf --\n*  hard  core  0\n", Want: []string{"core_dump_restricted: true"}},
		{Name: "a soft limit can be raised", Base: fixture.Debian12, Diff: "-- etc/security/limits.d/10-core.conf --\n*  soft  core  0\n", Want: []string{"core_dump_restricted: false"}},
		{Name: "a limit that a later file lifts", Base: fixture.Debian12,
			Diff: "-- etc/security/limits.d/10-core.conf --\n* - core 0\n-- etc/security/limits.d/20.conf --\n*  hard  core  unlimited # for debugging\n", Want: []string{"core_dump_restricted: false"}},
		{Name: "a limit that one group escapes", Base: fixture.Debian12, Diff: "-- etc/security/limits.conf --\n* - core 0\n@dev hard core unlimited\n", Want: []string{"core_dump_restricted: false"}},
		{Name: "limits that do not hold for privileged programs", Base: fixture.Debian12,
			Diff: "-- etc/security/limits.conf --\n* - core 0\n-- proc/sys/fs/suid_dumpable --\n1\n", Want: []string{"core_dump_restricted: false"}},
		{Name: "a handler that drops", Base: fixture.Debian12, Diff: "-- proc/sys/kernel/core_pattern --\n|/bin/false\n", Want: []string{"core_dump_restricted: true"}},
		{Name: "a drop-in that stores again", Base: fixture.RHEL9, Diff: "-- etc/systemd/coredump.conf.d/x.conf --\n[Coredump]\nStorage=external\n", Want: []string{"core_dump_restricted: false"}},
		{Name: "an image that is not running", Want: []string{
			"secure_boot: error missing", "kernel_lockdown: error missing", "tpm_present: error missing",
			"ip_forwarding: error missing: open /proc/sys/net/ipv4/ip_forward", "core_dump_restricted: error missing", "aslr: error missing"}},
		{Name: "no number where one belongs", Base: fixture.Debian12, Diff: "-- proc/sys/kernel/randomize_va_space --\nfull\n", Want: []string{"aslr: error malformed: /proc/sys/kernel/randomize_va_space:1: no number"}},
	})
}

func TestKernelOfTheLiveHost(t *testing.T) {
	got := fixture.Collect(t, fixture.Live(), kernel.Collector())
	b, err := os.ReadFile("/proc/sys/kernel/randomize_va_space")
	if err == nil && fixture.Show(got["aslr"]) != strings.TrimSpace(string(b)) {
		t.Errorf("aslr: %s, want %s", fixture.Show(got["aslr"]), b)
	}
}

func TestKernelWithoutRights(t *testing.T) {
	fixture.AsNobody(t)
	fixture.Collect(t, fixture.Live(), kernel.Collector())
	h := fixture.Host(t, fixture.Debian12)
	for path, field := range map[string]string{
		"/sys/kernel/security": "kernel_lockdown", "/sys/firmware/efi/efivars": "secure_boot", "/proc/sys/fs": "core_dump_restricted",
	} {
		if err := os.Chmod(h.Root+path, 0); err != nil {
			t.Fatal(err)
		}
		if f := fixture.Collect(t, h, kernel.Collector())[field]; f.Status != fact.Denied {
			t.Errorf("%s: %s", field, fixture.Show(f))
		}
	}
}

func FuzzParsers(f *testing.F) {
	f.Add([]byte("none [integrity] confidentiality"))
	f.Add([]byte("* hard core 0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		kernel.ParseEFIFlag(b)
		if l, err := kernel.ParseLockdown(b); err == nil && !strings.Contains(string(b), "["+l) {
			t.Errorf("level %q", l)
		}
		kernel.CoreDropped(kernel.ParseLimits(b))
	})
}
