package dir_test

import (
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
