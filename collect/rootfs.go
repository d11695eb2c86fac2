package collect

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// MaxFile is how much ReadFile reads of one file before it gives up.
const MaxFile = 16 << 20

// Why a file was not read, beside what package fs knows.
var (
	ErrNotRegular = errors.New("not a regular file")
	ErrTooLarge   = errors.New("larger than the limit")
	ErrLoop       = errors.New("too many symbolic links")
)

// RootFS is the file tree under root, seen as from a machine whose "/" it is:
// links are followed inside root whether they are relative or absolute, and ".."
// at the root stays there, so that nothing outside can be reached, not even by
// a link that changes under the reader's feet.
//
// The value is also fs.StatFS, fs.ReadDirFS, fs.ReadFileFS and fs.ReadLinkFS.
// Open gives regular files, folders and block devices, and refuses what could
// block or act on being opened (pipes, sockets, terminals). ReadFile gives
// regular files up to MaxFile. Errors are *fs.PathError and keep fs.ErrNotExist
// and fs.ErrPermission. Names are as in package fs: "etc/passwd".
func RootFS(root string) fs.FS {
	clean := filepath.Clean(root)
	if clean == string(filepath.Separator) {
		return rootFS{open: func() (tree, error) { return hostTree{}, nil }}
	}
	return rootFS{open: sync.OnceValues(func() (tree, error) {
		r, err := os.OpenRoot(clean)
		if err != nil {
			return nil, err
		}
		return rootTree{r}, nil
	})}
}

// tree does file operations on a name relative to the root; follow says whether
// a link in the last place is followed.
type tree interface {
	open(name string) (*os.File, error)
	stat(name string, follow bool) (fs.FileInfo, error)
	readlink(name string) (string, error)
}

type rootFS struct{ open func() (tree, error) }

func (r rootFS) tree(op, name string) (tree, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	t, err := r.open()
	if err != nil {
		return nil, failed(op, name, err)
	}
	return t, nil
}

// failed keeps the cause and names the file as the caller did.
func failed(op, name string, err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func (r rootFS) Open(name string) (fs.File, error) {
	f, err := r.openFile(name, true)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// openFile looks before it opens, since opening alone can act (a watchdog) or
// wait (a pipe), and again after, since the file may have been changed.
func (r rootFS) openFile(name string, any bool) (*os.File, error) {
	t, err := r.tree("open", name)
	if err != nil {
		return nil, err
	}
	fit := func(m fs.FileMode) bool {
		block := m&fs.ModeDevice != 0 && m&fs.ModeCharDevice == 0
		return m.IsRegular() || any && (m.IsDir() || block)
	}
	fi, err := t.stat(name, true)
	if err != nil {
		return nil, failed("open", name, err)
	}
	if !fit(fi.Mode()) {
		return nil, failed("open", name, ErrNotRegular)
	}
	f, err := t.open(name)
	if err != nil {
		return nil, failed("open", name, err)
	}
	fi, err = f.Stat()
	if err == nil && !fit(fi.Mode()) {
		err = ErrNotRegular
	}
	if err != nil {
		f.Close()
		return nil, failed("open", name, err)
	}
	return f, nil
}

func (r rootFS) ReadFile(name string) ([]byte, error) {
	f, err := r.openFile(name, false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, failed("read", name, err)
	}
	if len(b) > MaxFile {
		return nil, failed("read", name, fmt.Errorf("%w of %d bytes", ErrTooLarge, MaxFile))
	}
	return b, nil
}

func (r rootFS) ReadDir(name string) ([]fs.DirEntry, error) {
	t, err := r.tree("readdir", name)
	if err != nil {
		return nil, err
	}
	f, err := t.open(name)
	if err != nil {
		return nil, failed("open", name, err)
	}
	defer f.Close()
	es, err := f.ReadDir(-1)
	if err != nil {
		return nil, failed("readdir", name, err)
	}
	slices.SortFunc(es, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return es, nil
}

func (r rootFS) Stat(name string) (fs.FileInfo, error)  { return r.stat("stat", name, true) }
func (r rootFS) Lstat(name string) (fs.FileInfo, error) { return r.stat("lstat", name, false) }

func (r rootFS) stat(op, name string, follow bool) (fs.FileInfo, error) {
	t, err := r.tree(op, name)
	if err != nil {
		return nil, err
	}
	fi, err := t.stat(name, follow)
	if err != nil {
		return nil, failed(op, name, err)
	}
	return fi, nil
}

func (r rootFS) ReadLink(name string) (string, error) {
	t, err := r.tree("readlink", name)
	if err != nil {
		return "", err
	}
	link, err := t.readlink(name)
	if err != nil {
		return "", failed("readlink", name, err)
	}
	return link, nil
}

const readOnly = os.O_RDONLY | syscall.O_NONBLOCK

// hostTree is "/" itself: the kernel resolves, so /proc's links work too.
type hostTree struct{}

func (hostTree) open(name string) (*os.File, error)   { return os.OpenFile("/"+name, readOnly, 0) }
func (hostTree) readlink(name string) (string, error) { return os.Readlink("/" + name) }
func (hostTree) stat(name string, follow bool) (fs.FileInfo, error) {
	if follow {
		return os.Stat("/" + name)
	}
	return os.Lstat("/" + name)
}

// rootTree resolves links itself, because os.Root refuses absolute ones, and
// then works through os.Root, which never leaves the root even if a link was
// put in the way meanwhile.
type rootTree struct{ root *os.Root }

func (t rootTree) open(name string) (*os.File, error) {
	real, err := t.resolve(name, true)
	if err != nil {
		return nil, err
	}
	return t.root.OpenFile(real, readOnly, 0)
}

func (t rootTree) stat(name string, follow bool) (fs.FileInfo, error) {
	real, err := t.resolve(name, follow)
	if err != nil {
		return nil, err
	}
	return t.root.Lstat(real)
}

func (t rootTree) readlink(name string) (string, error) {
	real, err := t.resolve(name, false)
	if err != nil {
		return "", err
	}
	return t.root.Readlink(real)
}

// resolve turns name into a path without links, except in its last place when
// follow is not set.
func (t rootTree) resolve(name string, follow bool) (string, error) {
	const maxLinks = 40 // as Linux
	links := 0
	done, todo := ".", strings.Split(name, "/")
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			done = path.Dir(done) // of "." is "."
			continue
		}
		next := path.Join(done, part)
		fi, err := t.root.Lstat(next)
		if err != nil {
			return "", err
		}
		switch {
		case fi.Mode()&fs.ModeSymlink != 0 && (follow || len(todo) > 0):
			if links++; links > maxLinks {
				return "", ErrLoop
			}
			link, err := t.root.Readlink(next)
			if err != nil {
				return "", err
			}
			if path.IsAbs(link) {
				done = "."
			}
			todo = append(strings.Split(link, "/"), todo...)
		case len(todo) > 0 && !fi.IsDir():
			return "", syscall.ENOTDIR
		default:
			done = next
		}
	}
	return done, nil
}
