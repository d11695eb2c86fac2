package collect_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"kakusho/collect"
	"kakusho/collect/fixture"
)

const tree = `
-- etc/passwd --
root
-- etc/absolute -> /etc/passwd --
-- etc/relative -> ../etc/passwd --
-- etc/deep/er/up -> ../../../../../../../etc/passwd --
-- etc/outside -> /../../../../outside --
-- etc/loop-a -> loop-b --
-- etc/loop-b -> /etc/loop-a --
-- etc/dangling -> /nowhere --
-- etc/through-file -> passwd/x --
-- lib -> usr/lib --
-- usr/lib/absolute-dir -> /etc --
-- usr/lib/x --
x
-- run/pipe fifo --
-- etc/pipe-link -> /run/pipe --
`

func TestRootFSResolvesLinksInside(t *testing.T) {
	root := fixture.Root(t, tree)
	if err := os.WriteFile(filepath.Join(filepath.Dir(root), "outside"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	fsys := collect.RootFS(root)
	for _, tt := range []struct {
		name, want string
		err        error
	}{
		{"etc/passwd", "root\n", nil},
		{"etc/absolute", "root\n", nil},
		{"etc/relative", "root\n", nil},
		{"etc/deep/er/up", "root\n", nil},
		{"lib/x", "x\n", nil},
		{"lib/absolute-dir/passwd", "root\n", nil},
		{"etc/outside", "", fs.ErrNotExist},
		{"etc/loop-a", "", collect.ErrLoop},
		{"etc/dangling", "", fs.ErrNotExist},
		{"etc/through-file", "", syscall.ENOTDIR},
		{"etc/passwd/x", "", syscall.ENOTDIR},
		{"../outside", "", fs.ErrInvalid},
		{"/etc/passwd", "", fs.ErrInvalid},
		{"etc", "", collect.ErrNotRegular},
	} {
		got, err := fs.ReadFile(fsys, tt.name)
		if string(got) != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("ReadFile(%q) = %q, %v; want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
		var pe *fs.PathError
		if err != nil && (!errors.As(err, &pe) || pe.Path != tt.name) {
			t.Errorf("ReadFile(%q): error %v does not name the file as asked", tt.name, err)
		}
	}
	if l, err := fs.ReadLink(fsys, "etc/absolute"); l != "/etc/passwd" || err != nil {
		t.Errorf("ReadLink = %q, %v", l, err)
	}
	if fi, err := fs.Lstat(fsys, "etc/dangling"); err != nil || fi.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("Lstat of a dangling link = %v, %v", fi, err)
	}
}

func TestRootFSDoesNotWaitForAPipe(t *testing.T) {
	fsys := collect.RootFS(fixture.Root(t, tree))
	done := make(chan error, 2)
	go func() {
		_, err := fs.ReadFile(fsys, "etc/pipe-link")
		done <- err
		_, err = fsys.Open("run/pipe")
		done <- err
	}()
	for range 2 {
		select {
		case err := <-done:
			if !errors.Is(err, collect.ErrNotRegular) {
				t.Errorf("got %v, want ErrNotRegular", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("blocked on a pipe")
		}
	}
}

func TestRootFSOfTheLiveHostRefusesDevices(t *testing.T) {
	fsys := collect.RootFS("/")
	if _, err := fs.ReadFile(fsys, "dev/zero"); !errors.Is(err, collect.ErrNotRegular) {
		t.Errorf("ReadFile(dev/zero): %v, want ErrNotRegular", err)
	}
	if b, err := fs.ReadFile(fsys, "proc/self/stat"); err != nil || len(b) == 0 {
		t.Errorf("ReadFile(proc/self/stat) = %d bytes, %v", len(b), err)
	}
}

func TestReadFileStopsAtTheLimit(t *testing.T) {
	root := fixture.Root(t, "")
	f, err := os.Create(filepath.Join(root, "big"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fsys := collect.RootFS(root)
	for _, tt := range []struct {
		size int64
		err  error
	}{{collect.MaxFile, nil}, {collect.MaxFile + 1, collect.ErrTooLarge}, {1 << 40, collect.ErrTooLarge}} {
		if err := f.Truncate(tt.size); err != nil {
			t.Fatal(err)
		}
		if _, err := fs.ReadFile(fsys, "big"); !errors.Is(err, tt.err) {
			t.Errorf("%d bytes: %v, want %v", tt.size, err, tt.err)
		}
	}
	// Piece by piece there is no limit.
	o, err := fsys.Open("big")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if n, err := o.(io.ReaderAt).ReadAt(make([]byte, 8), 1<<39); n != 8 || err != nil {
		t.Errorf("ReadAt = %d, %v", n, err)
	}
}

func TestRootFSSaysWhenItMayNotRead(t *testing.T) {
	fixture.AsNobody(t)
	root := "/tmp"
	dir, err := os.MkdirTemp(root, "closed")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir)
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755)
	fsys := collect.RootFS("/")
	name := collect.Name(dir)
	if _, err := fs.ReadDir(fsys, name); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("ReadDir of a closed folder: %v", err)
	}
	l := collect.Host{FS: fsys}.Look()
	if got, err := l.Glob(dir + "/*.conf"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Glob in a closed folder = %v, %v; want permission", got, err)
	}
	if ok, err := l.Exists(dir + "/x"); ok || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Exists in a closed folder = %v, %v; want permission", ok, err)
	}
}

func TestGlobMatchesAsAShellAndListsAbsolutePaths(t *testing.T) {
	l := fixture.Host(t, `
-- etc/a.d/20.conf --
-- etc/a.d/10.conf --
-- etc/a.d/.hidden.conf --
-- etc/a.d/30.txt --
-- etc/b.d/40.conf --
-- etc/plain --
`).Look()
	for _, tt := range []struct{ pattern, want string }{
		{"/etc/a.d/*.conf", "/etc/a.d/10.conf /etc/a.d/20.conf"},
		{"/etc/*.d/?0.conf", "/etc/a.d/10.conf /etc/a.d/20.conf /etc/b.d/40.conf"},
		{"etc/plain", "/etc/plain"},
		{"/etc/plain/*", ""},
		{"/etc/none/*.conf", ""},
		{"/etc/none", ""},
	} {
		got, err := l.Glob(tt.pattern)
		if err != nil || string(bytes.Join(byteSlices(got), []byte(" "))) != tt.want {
			t.Errorf("Glob(%q) = %v, %v; want %s", tt.pattern, got, err, tt.want)
		}
	}
	if _, err := l.Glob("/etc/[.conf"); err == nil {
		t.Error("a broken pattern went unnoticed")
	}
}

func byteSlices(ss []string) (out [][]byte) {
	for _, s := range ss {
		out = append(out, []byte(s))
	}
	return out
}

func FuzzRootFSNeverLeaves(f *testing.F) {
	f.Add("etc/passwd", "../../x")
	f.Add("a/b", "/../../../../etc")
	f.Fuzz(func(t *testing.T, name, link string) {
		root := fixture.Root(t, "-- in/side --\nx\n")
		if os.Symlink(link, filepath.Join(root, "l")) != nil {
			return
		}
		fsys := collect.RootFS(root)
		for _, n := range []string{name, "l", "l/" + name} {
			fi, err := fs.Stat(fsys, n)
			if err != nil {
				continue
			}
			inside := false
			filepath.Walk(root, func(p string, own fs.FileInfo, err error) error {
				inside = inside || own != nil && os.SameFile(fi, own)
				return nil
			})
			if !inside {
				t.Errorf("%q with link %q leads outside", n, link)
			}
		}
	})
}
