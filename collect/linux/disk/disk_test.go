package disk_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/disk"
	"kakusho/fact"
)

// A server as a distribution's installer leaves it: EFI and /boot in clear
// text, all else in LVM on LUKS2.
const base = `
-- proc/self/mountinfo --
22 27 0:21 / /proc rw - proc proc rw
23 27 0:22 / /sys rw - sysfs sysfs rw
24 27 0:6 / /dev rw - devtmpfs udev rw
25 27 0:24 / /run rw - tmpfs tmpfs rw,size=10%
27 1 253:1 / / rw - ext4 /dev/mapper/vg-root rw
28 27 8:2 / /boot rw - ext4 /dev/sda2 rw
29 28 8:1 / /boot/efi rw - vfat /dev/sda1 rw
30 27 253:1 /srv /mnt/again rw - ext4 /dev/mapper/vg-root rw
31 27 0:60 / /mnt/share rw - nfs4 server:/x rw
-- proc/swaps --
Filename				Type		Size		Used		Priority
/dev/dm-2                               partition	1000		0		-2
-- sys/block/sda/removable --
0
-- sys/block/sda/size --
1000
-- sys/block/sda/dev --
8:0
-- sys/block/sda/sda1/size --
10
-- sys/block/sda/sda2/size --
20
-- sys/block/sda/sda3/size --
900
-- sys/block/dm-0/dm/uuid --
CRYPT-LUKS2-4258e6dbefca434f8906305794831822-sda3_crypt
-- sys/block/dm-0/dm/name --
sda3_crypt
-- sys/block/dm-0/slaves/sda3 -> ../../sda/sda3 --
-- sys/block/dm-0/size --
898
-- sys/block/dm-1/dm/uuid --
LVM-aaaa
-- sys/block/dm-1/dm/name --
vg-root
-- sys/block/dm-1/slaves/dm-0 -> ../../dm-0 --
-- sys/block/dm-1/size --
500
-- sys/block/dm-2/dm/uuid --
LVM-bbbb
-- sys/block/dm-2/dm/name --
vg-swap
-- sys/block/dm-2/slaves/dm-0 -> ../../dm-0 --
-- sys/class/block/sda -> ../../block/sda --
-- sys/class/block/sda1 -> ../../block/sda/sda1 --
-- sys/class/block/sda2 -> ../../block/sda/sda2 --
-- sys/class/block/sda3 -> ../../block/sda/sda3 --
-- sys/class/block/dm-0 -> ../../block/dm-0 --
-- sys/class/block/dm-1 -> ../../block/dm-1 --
-- sys/class/block/dm-2 -> ../../block/dm-2 --
-- sys/dev/block/253:1 -> ../../block/dm-1 --
-- sys/dev/block/8:1 -> ../../block/sda/sda1 --
-- sys/dev/block/8:2 -> ../../block/sda/sda2 --
`

func header(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func look(t *testing.T, archives ...string) fact.Fact {
	t.Helper()
	return fixture.Collect(t, fixture.Host(t, archives...), disk.Collector())["volumes"]
}

// show writes a volume in one line: what a reader of the rule would ask.
func show(f fact.Fact) map[string]string {
	out := map[string]string{}
	l, _ := f.Value.([]any)
	for _, e := range l {
		r := e.(map[string]any)
		var w []string
		for _, k := range []string{"swap", "boot", "memory", "removable", "encrypted"} {
			v, known := r[k]
			switch {
			case !known:
				w = append(w, k+"?")
			case v == true:
				w = append(w, k)
			}
		}
		for _, k := range []string{"method", "cipher"} {
			if v, ok := r[k]; ok {
				w = append(w, v.(string))
			}
		}
		key := r["mount"].(string)
		if key == "[SWAP]" {
			key += r["device"].(string)
		}
		out[key] = strings.Join(w, " ")
	}
	return out
}

func TestVolumes(t *testing.T) {
	cases := []struct {
		name, change string
		want         map[string]string
	}{
		{"an encrypted server, header not readable", "", map[string]string{
			"/": "encrypted luks2", "/boot": "boot", "/boot/efi": "boot", "/run": "memory", "[SWAP]/dev/dm-2": "swap encrypted luks2",
		}},
		{"its header tells the cipher", "-- dev/sda3 base64 --\n" + header(t, "luks2.header"), map[string]string{
			"/": "encrypted luks2 aes-xts-plain64",
		}},
		{"swap beside the encryption", "-- proc/swaps --\nh\n/dev/sda1 partition 10 0 -2\n", map[string]string{
			"/": "encrypted luks2", "[SWAP]/dev/sda1": "swap",
		}},
		{"a swap file is as its file system", "-- proc/swaps --\nh\n/swap\\040file file 10 0 -2\n", map[string]string{
			"[SWAP]/swap file": "swap encrypted luks2",
		}},
		{"swap in memory", "-- proc/swaps --\nh\n/dev/zram0 partition 10 0 1\n-- sys/block/zram0/size --\n80\n-- sys/block/zram0/backing_dev --\nnone\n", map[string]string{
			"[SWAP]/dev/zram0": "swap memory",
		}},
		{"swap in memory written back to a disk", "-- proc/swaps --\nh\n/dev/zram0 partition 10 0 1\n-- sys/block/zram0/backing_dev --\n/dev/sda1\n", map[string]string{
			"[SWAP]/dev/zram0": "swap",
		}},
		{"plain dm-crypt for swap", "-- sys/block/dm-2/dm/uuid --\nCRYPT-PLAIN-cryptswap\n-- sys/block/dm-2/slaves/dm-0 gone --\n-- sys/block/dm-2/slaves/sda1 -> ../../sda/sda1 --\n", map[string]string{
			"[SWAP]/dev/dm-2": "swap encrypted plain",
		}},
		{"the encryption taken away", "-- sys/block/dm-0/dm/uuid --\nLVM-cccc\n", map[string]string{"/": "", "[SWAP]/dev/dm-2": "swap"}},
		{"dm-verity hides nothing", "-- sys/block/dm-0/dm/uuid --\nCRYPT-VERITY-cccc-root\n", map[string]string{"/": ""}},
		{"a mapping whose kind cannot be read", "-- sys/block/dm-0/dm/uuid gone --\n", map[string]string{"/": "memory? encrypted?"}},
		{"a volume that also lies on a bare disk", "-- sys/block/dm-1/slaves/sda2 -> ../../sda/sda2 --\n", map[string]string{"/": ""}},
		{"devices that go round in a circle", "-- sys/block/dm-0/dm/uuid --\nLVM-c\n-- sys/block/dm-0/slaves/sda3 gone --\n-- sys/block/dm-0/slaves/dm-1 -> ../../dm-1 --\n",
			map[string]string{"/": "memory? removable? encrypted?"}},
		{"a removable disk", "-- sys/block/sda/removable --\n1\n", map[string]string{"/": "removable encrypted luks2"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := look(t, base, c.change)
			got := show(f)
			for mount, want := range c.want {
				if g, ok := got[mount]; !ok || g != want {
					t.Errorf("%s: got %q, want %q (%s)", mount, g, want, f.Reason)
				}
			}
			if len(got) != 5 {
				t.Errorf("got %v, want 5 volumes", got)
			}
		})
	}
}

func mounted(lines string) string {
	return "-- proc/self/mountinfo --\n" + lines + "-- proc/swaps --\nFilename\n"
}

func TestFileSystemsOfTheirOwnKind(t *testing.T) {
	bcachefs := make([]byte, 4096+512)
	copy(bcachefs[4096+24:], "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef")
	clear64 := base64.StdEncoding.EncodeToString(bcachefs)
	binary.LittleEndian.PutUint64(bcachefs[4096+152:], 1<<10)
	sealed64 := base64.StdEncoding.EncodeToString(bcachefs)
	for _, c := range []struct{ name, host, want string }{
		{"a container's overlay cannot be seen through", mounted("1 0 0:50 / / rw - overlay overlay rw,upperdir=/var/lib/docker/x\n"), "memory? removable? encrypted?"},
		{"ZFS keeps it to itself", mounted("1 0 0:50 / / rw - zfs rpool/ROOT rw\n"), "memory? removable? encrypted?"},
		{"eCryptfs encrypts", mounted("1 0 0:50 / / rw - ecryptfs /home/.ecryptfs/a rw,ecryptfs_cipher=aes,ecryptfs_key_bytes=16\n"), "removable? encrypted ecryptfs aes-128"},
		{"btrfs over one encrypted and one bare disk", base + mounted("1 0 0:50 /@ / rw - btrfs /dev/mapper/vg-root rw\n") + "-- sys/fs/btrfs/u/devices/dm-1 --\n-- sys/fs/btrfs/u/devices/sda2 --\n", ""},
		{"btrfs over encrypted disks", base + mounted("1 0 0:50 /@ / rw - btrfs /dev/mapper/vg-root rw\n") + "-- sys/fs/btrfs/u/devices/dm-1 --\n-- sys/fs/btrfs/u/devices/dm-2 --\n", "encrypted luks2"},
		{"bcachefs, encrypted", base + mounted("1 0 8:2 / / rw - bcachefs /dev/sda2 rw\n") + "-- dev/sda2 base64 --\n" + sealed64, "encrypted bcachefs chacha20-poly1305"},
		{"bcachefs, in clear", base + mounted("1 0 8:2 / / rw - bcachefs /dev/sda2 rw\n") + "-- dev/sda2 base64 --\n" + clear64, ""},
		{"bcachefs whose superblock may not be read", base + mounted("1 0 8:2 / / rw - bcachefs /dev/sda2 rw\n"), "memory? removable? encrypted?"},
		{"no device tree to look at", mounted("1 0 8:2 / / rw - ext4 /dev/sda2 rw\n"), "memory? removable? encrypted?"},
		{"a disk behind USB", base + mounted("1 0 8:2 / / rw - ext4 /dev/sda2 rw\n") + "-- sys/devices/pci/usb1/block/sda/removable --\n0\n-- sys/devices/pci/usb1/block/sda/sda2/size --\n1\n-- sys/block/sda/sda2/size gone --\n-- sys/block/sda -> ../devices/pci/usb1/block/sda --\n", "removable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := show(look(t, c.host))["/"]; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestLoopIsAsTheFileSystemOfItsFile(t *testing.T) {
	host := base + "-- proc/self/mountinfo --\n" +
		"27 1 253:1 / / rw - ext4 /dev/mapper/vg-root rw\n28 27 8:2 / /boot rw - ext4 /dev/sda2 rw\n" +
		"29 27 7:0 / /snap/a ro - squashfs /dev/loop0 ro\n30 27 7:1 / /mnt/b ro - ext4 /dev/loop1 ro\n" +
		"-- sys/class/block/loop0/loop/backing_file --\n/var/lib/a.snap\n-- sys/class/block/loop1/loop/backing_file --\n/boot/b.img (deleted)\n"
	got := show(look(t, host))
	if got["/snap/a"] != "encrypted luks2" || got["/mnt/b"] != "" {
		t.Errorf("got %v", got)
	}
}

func TestHalfALookIsSaid(t *testing.T) {
	f := look(t, base, "-- proc/swaps gone --\n")
	if f.Status != fact.Truncated || !strings.Contains(f.Reason, "/proc/swaps") {
		t.Errorf("without /proc/swaps: got %s %q", f.Status, f.Reason)
	}
	f = look(t, "-- proc/self/mountinfo --\nrubbish\n")
	if f.Status != fact.Error {
		t.Errorf("rubbish: got %s", f.Status)
	}
}

func TestARootThatIsNotRunning(t *testing.T) {
	f := look(t, `
-- etc/fstab --
UUID=a /boot ext4 defaults 0 2
/dev/mapper/root / ext4 defaults 0 1
/dev/mapper/data /data ext4 defaults 0 1
UUID=b none swap sw 0 0
tmpfs /tmp tmpfs defaults 0 0
server:/x /mnt nfs defaults 0 0
-- etc/crypttab --
root UUID=c none luks
swap /dev/sda9 /dev/urandom swap
`)
	want := map[string]string{
		"/boot": "boot memory? removable? encrypted?", "/": "removable? encrypted", "/data": "memory? removable? encrypted?",
		"[SWAP]UUID=b": "swap memory? removable? encrypted?", "/tmp": "memory",
	}
	for m, w := range want {
		if got := show(f)[m]; got != w {
			t.Errorf("%s: got %q, want %q", m, got, w)
		}
	}
	if f := look(t, "-- etc/passwd --\n"); f.Status != fact.Error || f.Reason != "missing: open /etc/fstab" {
		t.Errorf("an empty root: got %s %q", f.Status, f.Reason)
	}
}

func TestParseHeader(t *testing.T) {
	for name, want := range map[string]disk.Header{"luks1.header": {1, "aes-cbc-essiv:sha256", 256}, "luks2.header": {2, "aes-xts-plain64", 512}} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		h, err := disk.ParseHeader(b)
		if err != nil || h != want {
			t.Errorf("%s, made by cryptsetup: got %v %v, want %v", name, h, err, want)
		}
		if _, err := disk.ParseHeader(b[:500]); err == nil {
			t.Errorf("%s, cut: no error", name)
		}
	}
}

func TestParseCrypttab(t *testing.T) {
	got := fmt.Sprint(disk.ParseCrypttab([]byte("# c\na UUID=1 none luks,discard\nb /dev/x /dev/urandom swap,cipher=aes\nc /dev/y key plain\nd /dev/z none tcrypt-veracrypt\nbad\n")))
	if want := "[{a UUID=1 } {b /dev/x plain} {c /dev/y plain} {d /dev/z tcrypt}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestThisHost(t *testing.T) {
	f := fixture.Collect(t, fixture.Live(), disk.Collector())["volumes"]
	t.Log(f.Status, f.Reason, show(f))
	if _, ok := show(f)["/"]; f.Status != fact.Observed || !ok {
		t.Errorf("got %s %q without /", f.Status, f.Reason)
	}
}

func FuzzParseHeader(f *testing.F) {
	for _, name := range []string{"luks1.header", "luks2.header"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := disk.ParseHeader(b); err == nil && (h.Version < 1 || h.Version > 2 || h.Bits < 0) {
			t.Errorf("got %+v", h)
		}
	})
}

func FuzzParseTables(f *testing.F) {
	f.Add([]byte("Filename\n/dev/dm-2 partition 1000 0 -2\n"))
	f.Add([]byte("a UUID=1 none luks,discard\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range disk.ParseSwaps(b) {
			if s.Bytes < 0 {
				t.Errorf("got %+v", s)
			}
		}
		disk.ParseCrypttab(b)
		disk.ParseBcachefs(b)
	})
}
