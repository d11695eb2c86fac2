// Package backup copies an installation while it runs, and puts it back.
//
// Nothing is stopped and nothing is locked. What is copied is what a power cut at that
// moment would have left, because files are read in the order in which that is so:
// small hints first, then of each trail the tree of its log, then its packs, which only
// grow, then everything that entries speak of. Rows, the index and kept pasts are left
// out: they are made again from the trails.
//
// A backup is a tar of these files, the last of which says what each of the others is;
// compressed with zstd, and encrypted with age (age-encryption.org/v1), because it
// holds keys and a map of every weakness.
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
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Form is the version of what Write writes. Read takes it and every earlier one.
const Form = 1

// manifestName is the last file of a backup.
const manifestName = "MANIFEST.json"

// Manifest says what a backup holds.
type Manifest struct {
	Form    int       `json:"form"`
	Program string    `json:"program"` // version that wrote it
	Began   time.Time `json:"began"`   // what was acknowledged before is in it
	Files   []File    `json:"files"`   // in the order in which they were read
}

// Bytes is the size of all files.
func (m Manifest) Bytes() (n int64) {
	for _, f := range m.Files {
		n += f.Bytes
	}
	return n
}

// File is one of them.
type File struct {
	Path   string `json:"path"` // slash-separated, in the data folder
	Bytes  int64  `json:"bytes"`
	Mode   uint32 `json:"mode"` // permissions
	SHA256 string `json:"sha256"`
}

// made reports whether a path is made again from the trails, or means something to the
// running program only.
func made(p string) bool {
	top, _, _ := strings.Cut(p, "/")
	base := path.Base(p)
	return strings.HasPrefix(top, "store.db") || slices.Contains([]string{"index", "index.lock", "past", "control.sock", Mark}, top) ||
		base == "lock" || strings.HasSuffix(base, ".lock") || strings.HasPrefix(base, ".refold-") || strings.HasPrefix(top, ".refold-") || strings.HasPrefix(base, ".writable-") || strings.HasSuffix(base, ".new")
}

// turn is when a file is read. Within a turn the order does not matter.
func turn(p string) int {
	in := func(dir string) bool { return strings.Contains("/"+p, "/"+dir+"/") }
	switch {
	case strings.HasPrefix(p, "vault/"):
		return 0 // and again in the last turn: a secret may be replaced meanwhile
	case p == "events/state.json", p == "events/clock.json", p == "events/journal.cursor", p == "watch.json":
		return 0 // they may lag behind the trail, never run ahead of it
	case !strings.HasPrefix(p, "trail/") && !strings.HasPrefix(p, "events/"):
		return 5
	case strings.HasSuffix(p, "log/checkpoint"), in("witness"):
		return 1
	case in("log/.state"):
		return 2
	case in("log"):
		return 3
	}
	return 4
}

const turns = 6

// errGone is a file that went while it was to be read: what took its place is looked for.
var errGone = errors.New("gone")

// Write writes a backup of the data folder dir, compressed, not yet encrypted. at is
// now. progress, if not nil, is told how many bytes were read, of about how many.
func Write(ctx context.Context, dir string, w io.Writer, program string, at time.Time, progress func(done, total int64)) (Manifest, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Manifest{}, fmt.Errorf("data folder: %w", err)
	}
	defer root.Close()
	if _, err := root.Stat("trail/trail.pub"); err != nil {
		return Manifest{}, fmt.Errorf("data folder %s holds no trail: %w", dir, err)
	}
	z, err := zstd.NewWriter(w)
	if err != nil {
		return Manifest{}, err
	}
	b := &writer{root: root, tar: tar.NewWriter(z), progress: progress, total: size(root), manifest: Manifest{Form: Form, Program: program, Began: at.UTC()}, have: map[string]bool{}}
	err = b.all(ctx)
	if err == nil {
		err = b.seal()
	}
	if err == nil {
		err = b.tar.Close()
	}
	return b.manifest, errors.Join(err, z.Close())
}

type writer struct {
	root     *os.Root
	tar      *tar.Writer
	progress func(done, total int64)
	manifest Manifest
	have     map[string]bool
	done     int64
	total    int64
}

// size is about how much there is to read; some of it may come and go meanwhile.
func size(root *os.Root) (n int64) {
	_ = fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == "." || d.IsDir() && !made(p) {
			return nil
		}
		if d.IsDir() {
			return fs.SkipDir
		}
		if info, err := d.Info(); err == nil && !made(p) {
			n += info.Size()
		}
		return nil
	})
	return n
}

func (b *writer) all(ctx context.Context) error {
	for n := range turns {
		for try := 0; ; try++ {
			again, err := b.turn(ctx, n)
			if err != nil {
				return err
			}
			if !again {
				break
			}
			if try == 100 {
				return errors.New("files come and go faster than they can be read: try again later")
			}
		}
	}
	return nil
}

// turn reads what belongs to a turn and is not there yet, and reports whether
// something went meanwhile.
func (b *writer) turn(ctx context.Context, n int) (again bool, err error) {
	err = fs.WalkDir(b.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist):
			again = true
			return nil
		case err != nil:
			return err
		case p != "." && made(p):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() || !d.Type().IsRegular() || b.have[p] || turn(p) != n && !(n == turns-1 && strings.HasPrefix(p, "vault/")):
			return nil
		}
		err = b.add(p)
		if errors.Is(err, errGone) {
			again, err = true, nil
		}
		return err
	})
	return again, err
}

// add reads a file as long as it is now; that it grows meanwhile does not matter.
func (b *writer) add(p string) error {
	f, err := b.root.Open(p)
	if errors.Is(err, fs.ErrNotExist) {
		return errGone
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	mode := uint32(info.Mode().Perm())
	if err := b.tar.WriteHeader(&tar.Header{Name: p, Size: info.Size(), Mode: int64(mode), ModTime: info.ModTime(), Typeflag: tar.TypeReg, Format: tar.FormatPAX}); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(b.tar, sum), f, info.Size()); err != nil {
		return fmt.Errorf("read %s: %w", p, err)
	}
	b.have[p] = true
	b.manifest.Files = append(b.manifest.Files, File{Path: p, Bytes: info.Size(), Mode: mode, SHA256: hex.EncodeToString(sum.Sum(nil))})
	if b.done += info.Size(); b.progress != nil {
		b.progress(b.done, max(b.total, b.done))
	}
	return nil
}

func (b *writer) seal() error {
	text, err := json.MarshalIndent(b.manifest, "", " ")
	if err != nil {
		return err
	}
	if err := b.tar.WriteHeader(&tar.Header{Name: manifestName, Size: int64(len(text)), Mode: 0o600, Typeflag: tar.TypeReg, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err = b.tar.Write(text)
	return err
}
