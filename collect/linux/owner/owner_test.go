package owner_test

import (
	"io/fs"
	"os"
	"strconv"
	"testing"
	"testing/fstest"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/owner"
)

func TestNames(t *testing.T) {
	n := owner.Parse([]byte("root:x:0:0::/:/x\ntoor:x:0:0::/:/x\nbad\n:x:7:\nbig:x:4294967296:1:\nsato:x:1000:1000::/:/x\n"))
	for uid, want := range map[uint32]string{0: "root", 1000: "sato", 7: "7", 42: "42"} {
		if got := n.Name(uid); got != want {
			t.Errorf("%d: got %q, want %q", uid, got, want)
		}
	}
}

func TestOf(t *testing.T) {
	me := strconv.Itoa(os.Geteuid())
	h := fixture.Host(t, "-- etc/passwd --\nme:x:"+me+":0::/:/x\n")
	fi, err := fs.Stat(h.FS, "etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	if got := owner.Load(h.FS).Of(fi); got != "me" {
		t.Errorf("got %q, want me", got)
	}
	if got := (owner.Names{}).Of(fi); got != me {
		t.Errorf("without a passwd: got %q, want %q", got, me)
	}
	memory := fstest.MapFS{"a": {}}
	if fi, err = memory.Stat("a"); err != nil {
		t.Fatal(err)
	}
	if got := owner.Load(memory).Of(fi); got != "" {
		t.Errorf("a file system without owners: got %q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("root:x:0:0\n:::\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range owner.Parse(b) {
			if name == "" {
				t.Error("a user without a name")
			}
		}
	})
}
