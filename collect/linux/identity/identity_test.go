package identity_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/identity"
	"kakusho/fact"
)

func TestIdentity(t *testing.T) {
	fixture.Check(t, identity.Collector(), []fixture.Case{
		{Name: "a Debian server in a rack", Base: fixture.Debian12, Want: []string{
			"hostname: pc-0001", "machine_id: 3f0a6c0e9b7d4e6c8f3a1b2c3d4e5f60", "serial: SN12345678",
			"hardware_uuid: 4c4c4544-0042-3510-8052-b4c04f5a3332", "vendor: Contoso Computer", "model: Rack 3000",
			"firmware_version: 2.10.0", "virtualization: none", "chassis: rack", "os_id: debian",
			"os_name: Debian GNU/Linux 12 (bookworm)", "os_version: 12", "kernel_version: 6.1.0-37-amd64", "architecture: x86_64",
			"timezone: Asia/Tokyo", "os_support_end: 2028-06-30T14:59:59Z", "boot_time: 2026-10-31T00:00:00Z"}},
		{Name: "an Ubuntu terminal under QEMU has no serial number", Base: fixture.Ubuntu2404, Want: []string{
			"virtualization: kvm", "chassis: virtual", "serial: absent placeholder: the firmware says \"Not Specified\"",
			"os_version: 24.04", "os_support_end: 2029-05-31T14:59:59Z"}},
		{Name: "a RHEL server under VMware", Base: fixture.RHEL9, Want: []string{
			"hostname: sv-0007.example.lg.jp", "virtualization: vmware", "chassis: virtual", "os_id: rhel", "os_version: 9.6",
			"timezone: Asia/Tokyo", "os_support_end: 2032-05-31T14:59:59Z"}},
		{Name: "a container by its manager's word", Base: fixture.Debian12, Diff: "-- run/systemd/container --\nsystemd-nspawn\n",
			Want: []string{"virtualization: systemd-nspawn", "chassis: container"}},
		{Name: "a Docker container in a virtual machine is a container", Base: fixture.Ubuntu2404, Diff: "-- .dockerenv --\n",
			Want: []string{"virtualization: docker", "chassis: container"}},
		{Name: "an unknown hypervisor shows in the processor's flags", Base: fixture.Debian12, Diff: "-- proc/cpuinfo --\nflags : fpu hypervisor lm\n",
			Want: []string{"virtualization: vm-other", "chassis: virtual"}},
		{Name: "a bare-metal machine at Amazon", Base: fixture.Debian12, Diff: "-- sys/class/dmi/id/sys_vendor --\nAmazon EC2\n",
			Want: []string{"virtualization: none", "chassis: rack"}},
		{Name: "Hyper-V", Base: fixture.Debian12, Diff: "-- sys/class/dmi/id/sys_vendor --\nMicrosoft Corporation\n-- sys/class/dmi/id/product_name --\nVirtual Machine\n",
			Want: []string{"virtualization: microsoft"}},
		{Name: "a notebook", Base: fixture.Debian12, Diff: "-- sys/class/dmi/id/chassis_type --\n10\n", Want: []string{"chassis: laptop"}},
		{Name: "firmware that does not know its chassis", Base: fixture.Debian12, Diff: "-- sys/class/dmi/id/chassis_type --\n2\n", Want: []string{"chassis: absent unknown"}},
		{Name: "an image that is not running tells no hardware", Diff: "-- etc/hostname --\n# set by hand\nimage\n", Want: []string{
			"hostname: image", "serial: error missing: /sys: not a running host", "virtualization: error error: virtualisation: nothing on the host tells",
			"kernel_version: error missing: open /proc/version", "boot_time: error missing: open /proc/stat", "timezone: UTC",
			"machine_id: absent none", "os_id: error missing: open /usr/lib/os-release", "os_support_end: error missing"}},
		{Name: "a board with a device tree", Diff: "-- sys/class/net/ --\n-- proc/device-tree/serial-number base64 --\nMTAwMDAwMDBhYmNkZWYAAA==\n-- proc/device-tree/model --\nBoard 4\n-- proc/device-tree/compatible --\nx\n-- proc/cpuinfo --\nprocessor : 0\nFeatures : fp\n",
			Want: []string{"serial: 10000000abcdef", "model: Board 4", "vendor: absent none", "virtualization: none", "chassis: absent none"}},
		{Name: "a release nobody knows has no end date", Base: fixture.Debian12, Diff: "-- usr/lib/os-release --\nID=houseos\nVERSION_ID=3\n",
			Want: []string{"os_name: absent none", "os_support_end: error unknown: no end date known for houseos 3"}},
		{Name: "Debian unstable has no version", Base: fixture.Debian12, Diff: "-- usr/lib/os-release --\nID=debian\nNAME='Debian GNU/Linux'\n",
			Want: []string{"os_name: Debian GNU/Linux", "os_version: absent none", "os_support_end: error unknown"}},
		{Name: "a maker's own end date comes first", Base: fixture.Debian12, Diff: "-- usr/lib/os-release --\nID=debian\nVERSION_ID=12\nSUPPORT_END=2027-03-15\n",
			Want: []string{"os_support_end: 2027-03-15T14:59:59Z"}},
		{Name: "a broken end date is not replaced by another", Base: fixture.Debian12, Diff: "-- usr/lib/os-release --\nID=debian\nVERSION_ID=12\nSUPPORT_END=soon\n",
			Want: []string{"os_support_end: error malformed"}},
		{Name: "a copied time zone file tells its rule", Base: fixture.Debian12, Diff: "-- etc/localtime --\nTZif2\nJST-9\n-- etc/timezone gone --\n",
			Want: []string{"timezone: JST-9"}},
		{Name: "a time zone file that is none", Base: fixture.Debian12, Diff: "-- etc/localtime --\nhello\n-- etc/timezone gone --\n",
			Want: []string{"timezone: error malformed"}},
		{Name: "a machine id that is none", Base: fixture.Debian12, Diff: "-- etc/machine-id --\nXYZ\n", Want: []string{"machine_id: error malformed: /etc/machine-id:1"}},
		{Name: "an image before its first start", Base: fixture.Debian12, Diff: "-- etc/machine-id --\nuninitialized\n", Want: []string{"machine_id: absent none"}},
		{Name: "a clock line that is none", Base: fixture.Debian12, Diff: "-- proc/stat --\nbtime x\n", Want: []string{"boot_time: error malformed: /proc/stat"}},
	})
}

func TestSupportTableIsSortedAndDated(t *testing.T) {
	all, err := identity.Supports()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, s := range all {
		key := s.ID + " " + s.Version
		if seen[key] || s.Phase == "" || !strings.HasPrefix(s.Source, "https://") || s.End.Year() < 2015 || s.End.Year() > 2045 {
			t.Errorf("line %d: %+v", i, s)
		}
		if i > 0 && all[i-1].ID > s.ID {
			t.Errorf("%s is out of order", key)
		}
		seen[key] = true
	}
	if _, err := identity.ParseSupports("id,version,end,phase,source\nx,1,2026-02-30,y,z\n"); err == nil {
		t.Error("a day that does not exist passed")
	}
}

// The distributions' own table is an oracle where it is installed.
func TestSupportTableAgreesWithDistroInfo(t *testing.T) {
	all, err := identity.Supports()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ file, id, column string }{
		{"/usr/share/distro-info/debian.csv", "debian", "eol-lts"}, {"/usr/share/distro-info/ubuntu.csv", "ubuntu", "eol"},
	} {
		b, err := os.ReadFile(tt.file)
		if err != nil {
			t.Logf("no oracle: %v", err)
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		head := strings.Split(lines[0], ",")
		ends := map[string]string{}
		for _, l := range lines[1:] {
			cells := strings.Split(l, ",")
			for i, h := range head {
				if h == tt.column && i < len(cells) {
					ends[strings.TrimSuffix(cells[0], " LTS")] = cells[i]
				}
			}
		}
		for _, s := range all {
			if want, ok := ends[s.Version]; ok && s.ID == tt.id && s.End.Format(time.DateOnly) != want {
				t.Errorf("%s %s: %s, distro-info says %s", s.ID, s.Version, s.End.Format(time.DateOnly), want)
			}
		}
	}
}

func TestIdentityOfTheLiveHost(t *testing.T) {
	got := fixture.Collect(t, fixture.Live(), identity.Collector())
	for _, field := range []string{"hostname", "os_id", "kernel_version", "architecture", "timezone", "boot_time", "virtualization", "chassis"} {
		if got[field].Status != fact.Observed {
			t.Errorf("%s: %s", field, fixture.Show(got[field]))
		}
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil && got["kernel_version"].Value != strings.TrimSpace(string(b)) {
		t.Errorf("kernel_version %v, want %s", got["kernel_version"].Value, b)
	}
}

func TestIdentityWithoutRights(t *testing.T) {
	fixture.AsNobody(t)
	// /sys/class/dmi/id/product_serial is for root only, where there is one.
	if _, err := os.Stat("/sys/class/dmi/id/product_serial"); err == nil {
		got := fixture.Collect(t, fixture.Live(), identity.Collector())
		for _, field := range []string{"serial", "hardware_uuid"} {
			if got[field].Status != fact.Denied {
				t.Errorf("%s: %s", field, fixture.Show(got[field]))
			}
		}
	} else {
		fixture.Collect(t, fixture.Live(), identity.Collector())
	}
	h := fixture.Host(t, fixture.Debian12)
	if err := os.Chmod(h.Root+"/sys/class/dmi/id/product_serial", 0); err != nil {
		t.Fatal(err)
	}
	if f := fixture.Collect(t, h, identity.Collector())["serial"]; f.Status != fact.Denied || f.Reason != "permission: open /sys/class/dmi/id/product_serial" {
		t.Errorf("serial: %s", fixture.Show(f))
	}
}

func FuzzParsers(f *testing.F) {
	f.Add([]byte("TZif2\nJST-9\n"))
	f.Add([]byte("btime 1793404800\n"))
	f.Add([]byte("id,version,end,phase,source\na,1,2026-01-01,b,c\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := identity.ParseTZRule(b); err == nil && (s == "" || strings.ContainsAny(s, " \n\x00")) {
			t.Errorf("rule %q", s)
		}
		if at, err := identity.ParseBootTime(b); err == nil && at.IsZero() {
			t.Error("zero time")
		}
		identity.ParseSupports(string(b))
		identity.Placeholder(string(b))
	})
}
