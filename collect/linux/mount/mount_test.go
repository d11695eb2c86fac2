package mount_test

import (
	"strings"
	"testing"

	"kakusho/collect"
	"kakusho/collect/linux/mount"
)

const info = `22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard
40 27 8:17 /sub /media/USB\040DISK ro,nosuid - vfat /dev/sdb1 ro,fmask=0022
41 27 0:50 / /mnt rw - tmpfs tmpfs rw,size=4k
42 27 0:51 / /mnt rw - tmpfs tmpfs rw
`

func TestParse(t *testing.T) {
	ms, err := mount.Parse([]byte(info))
	if err != nil || len(ms) != 5 {
		t.Fatalf("got %d mounts, %v", len(ms), err)
	}
	got := ms[2]
	if got.Point != "/media/USB DISK" || got.Root != "/sub" || got.Device != "8:17" || got.FS != "vfat" || got.Source != "/dev/sdb1" {
		t.Errorf("got %+v", got)
	}
	if v, ok := got.Option("fmask"); v != "0022" || !ok {
		t.Errorf("option of the file system: got %q %v", v, ok)
	}
	if _, ok := got.Option("ro"); !ok {
		t.Error("option of the mount is missing")
	}
	if _, err := mount.Parse([]byte("1 2 3\n")); err == nil || !strings.Contains(err.Error(), "mountinfo:1") {
		t.Errorf("a cut line: got %v, want its place", err)
	}
}

func TestHolding(t *testing.T) {
	ms, _ := mount.Parse([]byte(info))
	for path, want := range map[string]string{"/": "254:0", "/mediaX": "254:0", "/media/USB DISK/a": "8:17", "/mnt/a": "0:51"} {
		if got, ok := mount.Holding(ms, path); !ok || got.Device != want {
			t.Errorf("%s: got %v %v, want %s", path, got.Device, ok, want)
		}
	}
	if got := len(mount.Visible(ms)); got != 4 {
		t.Errorf("visible: got %d, want 4: the first of two at /mnt is hidden", got)
	}
}

func TestParseTable(t *testing.T) {
	got := mount.ParseTable([]byte("# fs\nUUID=1 / ext4 errors=remount-ro 0 1\n/swapfile none swap\nbad\n"))
	if len(got) != 2 || got[0].Source != "UUID=1" || got[1].FS != "swap" {
		t.Errorf("got %+v", got)
	}
}

func TestThisHostHasARoot(t *testing.T) {
	ms, err := mount.Read(collect.Host{FS: collect.RootFS("/"), Live: true}.Look())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := mount.Holding(ms, "/etc"); !ok {
		t.Error("nothing holds /etc")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(info))
	f.Add([]byte(`1 1 0:1 \04 \ a - b \777`))
	f.Fuzz(func(t *testing.T, b []byte) {
		ms, err := mount.Parse(b)
		if err != nil {
			return
		}
		for _, m := range mount.Visible(ms) {
			if m.FS == "" {
				t.Errorf("mount without a type: %+v", m)
			}
		}
		mount.Holding(ms, "/a")
	})
}

func FuzzParseTable(f *testing.F) {
	f.Add([]byte("UUID=1 / ext4 defaults 0 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, m := range mount.ParseTable(b) {
			if m.FS == "" {
				t.Errorf("mount without a type: %+v", m)
			}
		}
	})
}
