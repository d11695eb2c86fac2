package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"kakusho/store"
	"kakusho/store/sqlite"
)

// inOwnMounts plays a role in a namespace of its own, where the process may
// mount a small disk on the folder.
func inOwnMounts(t *testing.T, role string) {
	t.Helper()
	c := play(role, t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := c.Output()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || strings.HasPrefix(string(out), "no mount") {
		t.Skipf("no mount namespaces here: %v %s", err, out)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != "fine" {
		t.Errorf("got %q, want fine", got)
	}
}

func TestFullDisk(t *testing.T)       { inOwnMounts(t, "full") }
func TestReadOnlyFolder(t *testing.T) { inOwnMounts(t, "readonly") }

// small mounts a disk of 1 MiB on dir.
func small(dir string) bool {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		fmt.Println("no mount:", err)
		return false
	}
	return true
}

// fillDisk folds until the disk is full, and checks that the last fold left
// nothing and that folding goes on once there is room.
func fillDisk(dir string) error {
	if !small(dir) {
		return nil
	}
	ctx := context.Background()
	spare := filepath.Join(dir, "spare")
	if err := os.WriteFile(spare, make([]byte, 400<<10), 0o600); err != nil {
		return err
	}
	s, err := sqlite.Open(filepath.Join(dir, "store.db"))
	if err != nil {
		return err
	}
	// The same row again and again: the write-ahead file grows all the same.
	next := func(n int64) error {
		return s.Fold(ctx, n, func(tx store.Tx) error {
			return tx.Put(ctx, &store.Batch{ID: "b" + strconv.Itoa(int(n)) + strings.Repeat("x", 20_000), Entry: n})
		})
	}
	n := int64(1)
	for err = next(n); err == nil; err = next(n) {
		n++
	}
	if !errors.Is(err, store.ErrFull) || n < 2 {
		return fmt.Errorf("fold %d on a full disk: got %w, want ErrFull", n, err)
	}
	for range 2 { // it stays usable to readers, and says the same again
		err := s.View(ctx, func(r store.Reader) error {
			at, err := r.Cursor(ctx)
			count, errCount := r.Count(ctx, &store.Batch{}, store.Where{})
			if at != n-1 || count != n-1 {
				err = fmt.Errorf("after a full disk: got cursor %d and %d rows, want %d", at, count, n-1)
			}
			return errors.Join(err, errCount)
		})
		if err != nil {
			return err
		}
		if err := next(n); !errors.Is(err, store.ErrFull) {
			return fmt.Errorf("fold again on a full disk: got %w, want ErrFull", err)
		}
	}
	if err := os.Remove(spare); err != nil {
		return err
	}
	if err := next(n); err != nil {
		return fmt.Errorf("fold with room again: %w", err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	if _, err := sqlite.Compare(ctx, filepath.Join(dir, "store.db"), filepath.Join(dir, "store.db")); err != nil {
		return err
	}
	fmt.Println("fine")
	return nil
}

// openReadOnly opens a store that cannot be written, an old and a new one in a
// folder that cannot, and a new one on a full disk.
func openReadOnly(dir string) error {
	if !small(dir) {
		return nil
	}
	path := filepath.Join(dir, "store.db")
	s, err := sqlite.Open(path)
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	// A file that cannot be written in a folder that can.
	if err := errors.Join(
		syscall.Mount(path, path, "", syscall.MS_BIND, ""),
		syscall.Mount("", path, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""),
	); err != nil {
		return err
	}
	if _, err := sqlite.Open(path); !errors.Is(err, store.ErrReadOnly) {
		return fmt.Errorf("open a file that is read-only: got %w, want ErrReadOnly", err)
	}
	if err := syscall.Unmount(path, 0); err != nil {
		return err
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		return err
	}
	for _, path := range []string{path, filepath.Join(dir, "new.db")} {
		if _, err := sqlite.Open(path); !errors.Is(err, store.ErrReadOnly) {
			return fmt.Errorf("open %s: got %w, want ErrReadOnly", path, err)
		}
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, "size=1m"); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "spare"), make([]byte, 2<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("fill: got %w, want a full disk", err)
	}
	if _, err := sqlite.Open(filepath.Join(dir, "new.db")); !errors.Is(err, store.ErrFull) {
		return fmt.Errorf("open on a full disk: got %w, want ErrFull", err)
	}
	fmt.Println("fine")
	return nil
}
