package media_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/media"
	"kakusho/fact"
)

// A host with a USB bus, and a kernel whose storage driver is a module.
const base = `
-- proc/1/comm --
systemd
-- sys/bus/usb/devices/usb1/authorized_default --
1
-- proc/sys/kernel/osrelease --
6.1.0-amd64
-- lib/modules/6.1.0-amd64/modules.dep --
kernel/drivers/usb/storage/usb-storage.ko: kernel/drivers/scsi/scsi_mod.ko
-- lib/modules/6.1.0-amd64/modules.builtin --
kernel/drivers/usb/core/usbcore.ko
`

const guard = "-- proc/9/comm --\nusbguard-daemon\n-- etc/usbguard/usbguard-daemon.conf --\n# c\nRuleFile=/etc/usbguard/rules.conf\nImplicitPolicyTarget=block\nInsertedDevicePolicy=apply-policy\n-- etc/usbguard/rules.conf --\n"

func show(f fact.Fact) string {
	if f.Status != fact.Observed {
		return string(f.Status)
	}
	return fmt.Sprint(f.Value)
}

func TestPolicy(t *testing.T) {
	const stick = `allow id 0951:1666 serial "60A4" name "DataTraveler" hash "x=" with-interface 08:06:50 with-connect-type "hotplug"` + "\n"
	const hub = `allow id 1d6b:0002 serial "0000:00:14.0" name "xHCI" with-interface 09:00:00` + "\n"
	for _, c := range []struct{ name, host, policy, by string }{
		{"nothing", base, "open", "[]"},
		{"no bus", "-- sys/bus/pci/devices/ --\n", "no-bus", "absent"},
		{"an image shows no bus and says nothing about it", "-- etc/x --\n", "open", "[]"},

		{"USBGuard that knows hubs only", base + guard + hub, "blocked", "[usbguard: /etc/usbguard/rules.conf]"},
		{"USBGuard that knows a stick", base + guard + hub + stick, "allow-list", "[usbguard: /etc/usbguard/rules.conf]"},
		{"USBGuard that lets in any storage", base + guard + "allow with-interface equals { 08:*:* }\n", "open", "[usbguard: /etc/usbguard/rules.conf]"},
		{"USBGuard that lets in keyboards", base + guard + "allow with-interface one-of { 03:00:01 03:01:01 }\n", "blocked", "[usbguard: /etc/usbguard/rules.conf]"},
		{"USBGuard that lets in everything", base + guard + "allow\n", "open", "[usbguard: /etc/usbguard/rules.conf]"},
		{"USBGuard with a rule for any ID", base + guard + "allow id *:*\n", "open", "[usbguard: /etc/usbguard/rules.conf]"},
		{"USBGuard that stops storage before", base + guard + "reject with-interface one-of { 08:*:* }\nallow\n", "blocked", "[usbguard: /etc/usbguard/rules.conf]"},
		{"USBGuard that lets in by default", base + strings.Replace(guard, "Target=block", "Target=allow", 1) + hub, "open", "[usbguard: /etc/usbguard/rules.conf]"},
		{"USBGuard that blocks whatever is plugged in", base + strings.Replace(guard, "apply-policy", "block", 1) + "allow\n", "blocked", "[usbguard: /etc/usbguard/rules.conf]"},
		{"USBGuard stopped", base + guard + hub + "-- proc/9/comm gone --\n", "open", "[]"},

		{"module held back by install", base + "-- etc/modprobe.d/u.conf --\ninstall usb-storage /bin/false\n", "blocked", "[modprobe: /etc/modprobe.d/u.conf:1]"},
		{"modules held back by blacklist", base + "-- etc/modprobe.d/u.conf --\nblacklist usb_storage\nblacklist uas\n", "blocked", "[modprobe: /etc/modprobe.d/u.conf:1]"},
		{"a blacklist that forgets uas", base + "-- etc/modprobe.d/u.conf --\nblacklist usb-storage\n", "open", "[]"},
		{"an install line that loads it after all", base + "-- etc/modprobe.d/u.conf --\ninstall usb-storage /sbin/modprobe --ignore-install usb-storage\n", "open", "[]"},
		{"held back too late", base + "-- etc/modprobe.d/u.conf --\ninstall usb-storage /bin/false\n-- sys/module/usb_storage/ --\n", "open", "[]"},
		{"held back although it is in the kernel", base + "-- etc/modprobe.d/u.conf --\ninstall usb-storage /bin/false\n-- lib/modules/6.1.0-amd64/modules.builtin --\nkernel/drivers/usb/storage/usb-storage.ko\n", "open", "[]"},
		{"taken back by a nearer file of one name", base + "-- usr/lib/modprobe.d/u.conf --\ninstall usb-storage /bin/false\n-- etc/modprobe.d/u.conf --\n# nothing\n", "open", "[]"},
		{"no driver at all", base + "-- lib/modules/6.1.0-amd64/modules.dep --\nkernel/a.ko:\n", "blocked", "[kernel: no usb-storage driver in /lib/modules/6.1.0-amd64]"},

		{"udev takes authorisation away", base + "-- etc/udev/rules.d/99-usb.rules --\n# c\nACTION==\"add\", SUBSYSTEM==\"usb\", ATTR{bInterfaceClass}==\"08\", ATTR{authorized}=\"0\"\n", "blocked", "[udev: /etc/udev/rules.d/99-usb.rules:2]"},
		{"udev takes it away and gives it to one", base + "-- etc/udev/rules.d/99-usb.rules --\nSUBSYSTEM==\"usb\", ATTR{authorized}=\"0\"\nSUBSYSTEM==\"usb\", ATTR{idVendor}==\"0951\", ATTR{authorized}=\"1\"\n", "allow-list", "[udev: /etc/udev/rules.d/99-usb.rules:1]"},
		{"udev takes it from one make only", base + "-- etc/udev/rules.d/99-usb.rules --\nSUBSYSTEM==\"usb\", ATTR{idVendor}==\"0951\", ATTR{authorized}=\"0\"\n", "open", "[]"},
		{"udev takes it from keyboards", base + "-- etc/udev/rules.d/99-usb.rules --\nATTR{bInterfaceClass}==\"03\", ATTR{authorized}=\"0\"\n", "open", "[]"},

		{"hubs that authorise nothing", base + "-- sys/bus/usb/devices/usb1/authorized_default --\n0\n", "blocked", "[authorized_default: /sys/bus/usb/devices/usb1/authorized_default]"},
		{"one hub of two", base + "-- sys/bus/usb/devices/usb1/authorized_default --\n0\n-- sys/bus/usb/devices/usb2/authorized_default --\n1\n", "open", "[]"},
		{"a boot option that was undone", base + "-- proc/cmdline --\nro usbcore.authorized_default=0\n", "open", "[]"},
		{"a boot option", "-- proc/cmdline --\nro usbcore.authorized_default=0 quiet\n", "blocked", "[boot option: usbcore.authorized_default=0]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := fixture.Collect(t, fixture.Host(t, c.host), media.Collector())
			if p, by := show(got["usb_storage_policy"]), show(got["usb_policy_by"]); p != c.policy || by != c.by {
				t.Errorf("got %s %s (%s), want %s %s", p, by, got["usb_storage_policy"].Reason, c.policy, c.by)
			}
		})
	}
}

func TestRulesOnlyRootMayRead(t *testing.T) {
	fixture.AsNobody(t)
	h := fixture.Host(t, base, guard, "allow\n")
	if err := os.Chmod(filepath.Join(h.Root, "etc/usbguard/rules.conf"), 0); err != nil {
		t.Fatal(err)
	}
	if f := fixture.Collect(t, h, media.Collector())["usb_storage_policy"]; f.Status != fact.Denied {
		t.Errorf("got %s %v, want denied", f.Status, f.Value)
	}
	if err := os.MkdirAll(filepath.Join(h.Root, "etc/modprobe.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.Root, "etc/modprobe.d/u.conf"), []byte("install usb-storage /bin/true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if f := fixture.Collect(t, h, media.Collector())["usb_storage_policy"]; f.Value != "blocked" {
		t.Errorf("blocked by something else: got %s %v", f.Status, f.Value)
	}
}

func TestAutomount(t *testing.T) {
	for _, c := range []struct{ name, host, want string }{
		{"nobody", base, "false"},
		{"GNOME as installed", base + "-- usr/bin/gnome-shell --\n", "true"},
		{"GNOME told not to", base + "-- usr/bin/gnome-shell --\n-- etc/dconf/db/local.d/00-media --\n[org/gnome/desktop/media-handling]\nautomount=false\nautomount-open=false\n-- etc/dconf/db/local.d/locks/m --\n/org/gnome/desktop/media-handling/automount\n", "false"},
		{"GNOME told about something else", base + "-- usr/bin/gnome-shell --\n-- etc/dconf/db/local.d/00 --\n[org/gnome/desktop/session]\nautomount=false\n", "true"},
		{"udiskie", base + "-- proc/5/comm --\nudiskie\n", "true"},
		{"usbmount", base + "-- etc/usbmount/usbmount.conf --\nENABLED=1\n", "true"},
		{"autofs for NFS", base + "-- proc/5/comm --\nautomount\n-- etc/auto.home --\n* -rw server:/home/&\n", "false"},
		{"autofs for discs", base + "-- proc/5/comm --\nautomount\n-- etc/auto.misc --\n#x -fstype=a :/dev/b\ncd\t-fstype=iso9660,ro\t:/dev/cdrom\n", "true"},
		{"another desktop", base + "-- usr/bin/plasmashell --\n", "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fixture.Collect(t, fixture.Host(t, c.host), media.Collector())["media_automount"]
			if got := show(f); got != c.want {
				t.Errorf("got %s (%s), want %s", got, f.Reason, c.want)
			}
		})
	}
}

const stick = `
-- sys/devices/pci0/usb1/1-1/idVendor --
0951
-- sys/devices/pci0/usb1/1-1/manufacturer --
Kingston
-- sys/devices/pci0/usb1/1-1/product --
DataTraveler 3.0
-- sys/devices/pci0/usb1/1-1/serial --
60A44C4252EC
-- sys/devices/pci0/usb1/1-1/1-1:1.0/host0/block/sdb/removable --
1
-- sys/devices/pci0/usb1/1-1/1-1:1.0/host0/block/sdb/size --
1000
-- sys/devices/pci0/usb1/1-1/1-1:1.0/host0/block/sdb/ro --
0
-- sys/devices/pci0/usb1/1-1/1-1:1.0/host0/block/sdb/device/vendor --
Kingsto
-- sys/devices/pci0/usb1/1-1/1-1:1.0/host0/block/sdb/sdb1/size --
900
-- sys/block/sdb -> ../devices/pci0/usb1/1-1/1-1:1.0/host0/block/sdb --
-- sys/block/sda/removable --
0
-- sys/block/sda/size --
5
-- sys/block/sr0/removable --
1
-- sys/block/sr0/size --
2097151
-- sys/block/sdc/removable --
1
-- sys/block/sdc/size --
0
-- proc/self/mountinfo --
27 1 8:1 / / rw - ext4 /dev/sda1 rw
40 27 8:17 / /media/a/USB\040DISK rw,nosuid - vfat /dev/sdb1 rw
`

func TestPresent(t *testing.T) {
	f := fixture.Collect(t, fixture.Host(t, stick), media.Collector())["removable_media"]
	want := "[map[device:/dev/sdb model:DataTraveler 3.0 mount:/media/a/USB DISK serial:60A44C4252EC vendor:Kingston writable:true]]"
	if got := show(f); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	ro := strings.Replace(stick, "USB\\040DISK rw,", "USB\\040DISK ro,", 1)
	if got := show(fixture.Collect(t, fixture.Host(t, ro), media.Collector())["removable_media"]); !strings.Contains(got, "writable:false") {
		t.Errorf("mounted read-only: got %s", got)
	}
	if f := fixture.Collect(t, fixture.Host(t, "-- etc/x --\n"), media.Collector())["removable_media"]; f.Status != fact.Error {
		t.Errorf("without /sys: got %s, want error", f.Status)
	}
}

func TestThisHost(t *testing.T) {
	for field, f := range fixture.Collect(t, fixture.Live(), media.Collector()) {
		t.Log(field, f.Status, f.Value, f.Reason)
	}
}

func FuzzTexts(f *testing.F) {
	f.Add([]byte("allow id 1d6b:0002 serial \"a \\\" b\" with-interface one-of { 08:*:* }\nreject\n"))
	f.Add([]byte("blacklist uas\ninstall usb-storage /bin/true\n"))
	f.Add([]byte("ATTR{authorized}=\"0\"\n"))
	f.Add([]byte("[org/gnome/desktop/media-handling]\nautomount=false\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, r := range media.ParseRules(b) {
			if r.Target == "" {
				t.Errorf("rule %+v", r)
			}
		}
		var m media.Modprobe
		m.Parse("/x", b)
		if by := m.Blocks(); by != "" && !strings.HasPrefix(by, "modprobe: /x:") {
			t.Errorf("by %q", by)
		}
		if n, _ := media.ParseUdev(b); n < 0 {
			t.Errorf("line %d", n)
		}
		media.ParseDconf(b)
	})
}
