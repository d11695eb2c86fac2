package dir_test

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kakusho/blob"
	"kakusho/blob/blobtest"
	"kakusho/blob/dir"
)

func TestAFolderIsAStore(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return open(t, t.TempDir()) })
}

func open(t *testing.T, name string) *dir.Dir {
	t.Helper()
	d, err := dir.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestALinkLeadsNobodyOutOfTheFolder(t *testing.T) {
	outside, inside := t.TempDir(), t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600), os.Symlink(outside, filepath.Join(inside, "out"))); err != nil {
		t.Fatal(err)
	}
	d := open(t, inside)
	if _, err := d.Get(t.Context(), "out/secret", 0, -1); err == nil {
		t.Error("read a file outside the folder")
	}
	if err := d.Delete(t.Context(), "out/secret"); err == nil {
		t.Error("deleted a file outside the folder")
	}
	if _, err := os.Stat(filepath.Join(outside, "secret")); err != nil {
		t.Error(err)
	}
}

func TestAFailedPutLeavesNoFile(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	if err := d.Put(t.Context(), "a", strings.NewReader("xy"), 2, [32]byte{}); !errors.Is(err, blob.ErrDigest) {
		t.Fatalf("got %v, want ErrDigest", err)
	}
	if left, err := os.ReadDir(root); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// What a Put leaves whose process was killed is part of a blob too.
func TestDeleteTakesWhatACutShortPutHasLeft(t *testing.T) {
	root := filepath.Join(t.TempDir(), "made", "of", "three")
	d := open(t, root)
	var left []os.DirEntry
	r := readerFunc(func(b []byte) (int, error) {
		if left == nil {
			left, _ = os.ReadDir(root)
		}
		return copy(b, "x"), nil
	})
	sum := sha256.Sum256([]byte("xx"))
	if err := d.Put(t.Context(), "a", r, 2, sum); err == nil || len(left) != 1 {
		t.Fatalf("got %v, want too many bytes, and one file meanwhile: %v", err, left)
	}
	if err := os.WriteFile(filepath.Join(root, left[0].Name()), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Delete(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadDir(root); err != nil || len(now) != 1 {
		t.Errorf("deleting another took it: %v, %v", now, err)
	}
	if err := d.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadDir(root); err != nil || len(now) > 0 {
		t.Errorf("left over: %v, %v", now, err)
	}
}

type readerFunc func(b []byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
