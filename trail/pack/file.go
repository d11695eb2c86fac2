package pack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// File is what a pack needs of an open file. It is safe for concurrent use, as
// *os.File is.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error // returns when what was written will survive a power cut
}

// FS is where packs are. Tests give one that fails.
type FS interface {
	Create(name string) (File, error) // fails if there is one
	Open(name string, write bool) (File, error)
	Remove(name string) error
	Rename(from, to string) error
	SyncDir(name string) error // returns when names created in it will survive a power cut
}

// OS is the file system of the machine.
type OS struct{}

// Create makes a file that only its owner reads.
func (OS) Create(name string) (File, error) {
	return open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

// Open opens one that is there.
func (OS) Open(name string, write bool) (File, error) {
	if write {
		return open(name, os.O_RDWR)
	}
	return open(name, os.O_RDONLY)
}

// Remove unlinks it.
func (OS) Remove(name string) error { return os.Remove(name) }

// Rename gives a file another name, in place of one that has it.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// SyncDir makes names in a directory durable.
func (OS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func open(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// Sync is fdatasync: the length is flushed with the data, times are not.
func (f osFile) Sync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// MkdirAll makes a directory and its parents so that they survive a power cut.
func MkdirAll(fs FS, dir string) error {
	if st, err := os.Stat(dir); err == nil {
		if !st.IsDir() {
			return fmt.Errorf("%s is not a directory", dir)
		}
		return nil
	}
	if err := MkdirAll(fs, filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return fs.SyncDir(filepath.Dir(dir))
}
