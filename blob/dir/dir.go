// Package dir keeps blobs as files in a folder: of this machine, or of another that is
// mounted. A blob is whole or not there after a power cut.
package dir

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"kakusho/blob"
)

// Dir is a folder of blobs.
type Dir struct{ root *os.Root }

// Open opens the folder, and makes it if there is none.
func Open(name string) (*Dir, error) {
	if err := folder(filepath.Clean(name)); err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	return &Dir{root}, nil
}

// folder makes a folder and those above it so that they survive a power cut: what is put
// into it is removed where it came from.
func folder(name string) error {
	if err := os.Mkdir(name, 0o700); !errors.Is(err, fs.ErrNotExist) {
		if errors.Is(err, fs.ErrExist) {
			return nil // if it is no folder, OpenRoot says so
		}
		if err != nil {
			return err
		}
	} else if err := errors.Join(folder(filepath.Dir(name)), os.Mkdir(name, 0o700)); err != nil {
		return err
	}
	f, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Close lets go of the folder.
func (d *Dir) Close() error { return d.root.Close() }

// Put writes a file beside the place it belongs and then moves it there.
func (d *Dir) Put(ctx context.Context, name string, r io.Reader, size int64, sum [32]byte) error {
	if err := errors.Join(blob.CheckName(name), ctx.Err()); err != nil {
		return fmt.Errorf("put blob: %w", err)
	}
	folder := path.Dir(name)
	if err := d.folders(folder); err != nil {
		return fmt.Errorf("put blob %s: %w", name, err)
	}
	var id [8]byte
	rand.Read(id[:]) // never fails
	tmp := path.Join(folder, unfinished(name)+hex.EncodeToString(id[:]))
	err := d.write(tmp, blob.Checked(contextReader{ctx, r}, size, sum))
	if err == nil {
		err = d.root.Rename(tmp, name)
	}
	if err != nil {
		d.root.Remove(tmp) // what is left of it disturbs nobody
		return fmt.Errorf("put blob %s: %w", name, err)
	}
	if err := d.sync(folder); err != nil {
		return fmt.Errorf("put blob %s: %w", name, err)
	}
	return nil
}

// unfinished is how the files begin that Put writes for a blob. No blob begins with a dot.
func unfinished(name string) string {
	sum := sha256.Sum256([]byte(path.Base(name)))
	return ".new-" + hex.EncodeToString(sum[:8]) + "-"
}

// folders makes a folder and those above it so that they survive a power cut.
func (d *Dir) folders(name string) error {
	if _, err := d.root.Stat(name); err == nil {
		return nil
	}
	if err := d.folders(path.Dir(name)); err != nil {
		return err
	}
	if err := d.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.sync(path.Dir(name))
}

func (d *Dir) write(name string, r io.Reader) error {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (d *Dir) sync(folder string) error {
	f, err := d.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// contextReader ends when nobody waits any more.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

// Get opens the file.
func (d *Dir) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	f, size, err := d.open(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("get blob: %w", err)
	}
	if off < 0 {
		return nil, errors.Join(fmt.Errorf("get blob %s: from %d", name, off), f.Close())
	}
	off = min(off, size)
	if n < 0 {
		n = size - off
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, off, min(n, size-off)), f}, nil
}

func (d *Dir) open(ctx context.Context, name string) (*os.File, int64, error) {
	if err := errors.Join(blob.CheckName(name), ctx.Err()); err != nil {
		return nil, 0, err
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a blob: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, st.Size(), nil
}

// Size looks at the file.
func (d *Dir) Size(ctx context.Context, name string) (int64, error) {
	f, size, err := d.open(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("size of blob: %w", err)
	}
	return size, f.Close()
}

// Delete removes the file, and what a Put of it that was cut short has left. Folders stay.
func (d *Dir) Delete(ctx context.Context, name string) error {
	if err := errors.Join(blob.CheckName(name), ctx.Err()); err != nil {
		return fmt.Errorf("delete blob: %w", err)
	}
	err := d.root.Remove(filepath.FromSlash(name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = d.sweep(path.Dir(name), unfinished(name))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // not even the folder is there
	}
	if err != nil {
		return fmt.Errorf("delete blob %s: %w", name, err)
	}
	return nil
}

// sweep removes the files of a folder that begin so, and makes what was removed durable.
func (d *Dir) sweep(folder, begin string) error {
	f, err := d.root.Open(folder)
	if err != nil {
		return err
	}
	names, err := f.Readdirnames(-1)
	for _, n := range names {
		if err == nil && strings.HasPrefix(n, begin) {
			err = d.root.Remove(path.Join(folder, n))
		}
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
