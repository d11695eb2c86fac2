package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// ErrDamaged is a backup that is not what was written, or not all of it.
var ErrDamaged = errors.New("the backup is damaged or incomplete")

// The limits of what is read: of the manifest in bytes, of the names in a backup, and of
// the window that decompressing takes.
const (
	maxManifest = 1 << 30
	maxFiles    = 4 << 20
	maxWindow   = 128 << 20
)

// Read makes the data folder dir, which must not be there or be empty, of a backup
// that was decrypted. Every file is compared with the manifest and on disk before dir
// gets its name; on an error nothing of that name is there.
func Read(ctx context.Context, r io.Reader, dir string) (Manifest, error) {
	if left, err := os.ReadDir(dir); err == nil && len(left) > 0 {
		return Manifest{}, fmt.Errorf("%s is not empty: name a folder that is not there yet", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return Manifest{}, err
	}
	rough, err := os.MkdirTemp(parent, ".restoring-*")
	if err != nil {
		return Manifest{}, err
	}
	m, err := unpack(ctx, r, rough)
	if err == nil {
		if err = os.Remove(dir); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = os.Rename(rough, dir)
	}
	if err == nil {
		err = syncDir(parent)
	}
	if err != nil {
		return Manifest{}, errors.Join(err, os.RemoveAll(rough))
	}
	return m, nil
}

func unpack(ctx context.Context, r io.Reader, dir string) (Manifest, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Manifest{}, err
	}
	defer root.Close()
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return Manifest{}, err
	}
	defer z.Close()
	u := &reader{root: root, tar: tar.NewReader(z), dirs: map[string]bool{".": true}, have: map[string]File{}}
	for u.manifest == nil {
		if err := ctx.Err(); err != nil {
			return Manifest{}, err
		}
		if err := u.next(); err != nil {
			return Manifest{}, err
		}
	}
	if _, err := u.tar.Next(); !errors.Is(err, io.EOF) {
		return Manifest{}, fmt.Errorf("%w: something follows the manifest", ErrDamaged)
	}
	if _, err := io.Copy(io.Discard, z); err != nil { // to the end, which is authenticated
		return Manifest{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := u.compare(); err != nil {
		return Manifest{}, err
	}
	if err := u.mark(); err != nil {
		return Manifest{}, err
	}
	for d := range u.dirs {
		if err := syncDir(filepath.Join(dir, filepath.FromSlash(d))); err != nil {
			return Manifest{}, err
		}
	}
	return *u.manifest, nil
}

type reader struct {
	root     *os.Root
	tar      *tar.Reader
	dirs     map[string]bool
	have     map[string]File
	manifest *Manifest
}

// next takes one file.
func (u *reader) next() error {
	h, err := u.tar.Next()
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case h.Typeflag != tar.TypeReg || !filepath.IsLocal(filepath.FromSlash(h.Name)) || path.Clean(h.Name) != h.Name || h.Name == ".":
		return fmt.Errorf("%w: %q is no file of a data folder", ErrDamaged, h.Name)
	case h.Name == manifestName:
		return u.read(h.Size)
	case len(u.have) == maxFiles:
		return fmt.Errorf("%w: more than %d files", ErrDamaged, maxFiles)
	}
	if _, twice := u.have[h.Name]; twice {
		return fmt.Errorf("%w: %s comes twice", ErrDamaged, h.Name)
	}
	for d := path.Dir(h.Name); !u.dirs[d]; d = path.Dir(d) {
		u.dirs[d] = true
	}
	if err := u.root.MkdirAll(path.Dir(h.Name), 0o700); err != nil {
		return err
	}
	f, err := u.root.OpenFile(h.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, os.FileMode(h.Mode)&0o700)
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), u.tar)
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", h.Name, err), f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", h.Name, err)
	}
	u.have[h.Name] = File{Path: h.Name, Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))}
	return nil
}

func (u *reader) read(size int64) error {
	if size > maxManifest {
		return fmt.Errorf("%w: the manifest has %d bytes", ErrDamaged, size)
	}
	text, err := io.ReadAll(u.tar)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("%w: manifest: %w", ErrDamaged, err)
	}
	if m.Form > Form {
		return fmt.Errorf("the backup is of a later version (%s): restore it with that version or a later one", m.Program)
	}
	u.manifest = &m
	return nil
}

// compare holds what came against the manifest.
func (u *reader) compare() error {
	for _, f := range u.manifest.Files {
		got, there := u.have[f.Path]
		if !there || got.Bytes != f.Bytes || got.SHA256 != f.SHA256 {
			return fmt.Errorf("%w: %s is not what was written", ErrDamaged, f.Path)
		}
		delete(u.have, f.Path)
	}
	for name := range u.have {
		return fmt.Errorf("%w: %s is not in the manifest", ErrDamaged, name)
	}
	return nil
}

// Mark is a file in the data folder of an installation that was restored and not
// started since: JSON that says from what.
const Mark = "RESTORED"

func (u *reader) mark() error {
	text, err := json.Marshal(map[string]any{"began": u.manifest.Began, "program": u.manifest.Program, "files": len(u.manifest.Files), "bytes": u.manifest.Bytes()})
	if err != nil {
		return err
	}
	f, err := u.root.OpenFile(Mark, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
