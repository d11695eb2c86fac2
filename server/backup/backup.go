// Package backup copies an installation while it runs, and puts it back.
//
// Nothing is stopped and nothing is locked. What is copied is what a power cut would have
// left: of each trail its packs, its tree's right edge and its checkpoint are taken at
// one instant, as open files where they are long; hints that may lag are read before,
// and what entries speak of is read after. Rows, the index and kept pasts are left out:
// they are made again from the trails.
//
// A backup is a tar of these files, the last of which says what each of the others is;
// compressed with zstd, and encrypted with age (age-encryption.org/v1), because it
// holds keys and a map of every weakness.
package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
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

// made reports whether a path is made again from the trails, means something to the
// running program only, or must not be set back: what a witness has seen, and its key.
func made(p string) bool {
	top, _, _ := strings.Cut(p, "/")
	base := path.Base(p)
	return strings.HasPrefix(top, "store.db") || slices.Contains([]string{"index", "index.lock", "past", "control.sock", Mark, manifestName}, top) ||
		p == "witness/witness.key" || p == "witness/seen" ||
		base == "lock" || strings.HasSuffix(base, ".lock") || strings.HasPrefix(top, ".") || strings.HasPrefix(base, ".journal.cursor") || strings.HasPrefix(base, ".writable-")
}

// hints may lag behind the trails, never run ahead of them. A secret of a login may be
// replaced meanwhile, and the trail speak of the one before: the vault is read twice.
func hint(p string) bool {
	return strings.HasPrefix(p, "vault/") || slices.Contains([]string{"events/state.json", "events/clock.json", "events/journal.cursor", "watch.json"}, p)
}

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
	b := &writer{root: root, tar: tar.NewWriter(z), progress: progress, total: size(root), manifest: Manifest{Form: Form, Program: program, Began: at.UTC()},
		have: map[string]bool{}, sizes: map[string]uint64{}}
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
	sizes    map[string]uint64 // of the trees of trails, by folder
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
	if err := b.rest(ctx, hint); err != nil {
		return err
	}
	taken, err := b.snapshot()
	if err != nil {
		return err
	}
	defer closeAll(taken)
	for _, p := range taken {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := b.put(p); err != nil {
			return err
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(b.sizes)) {
		full, _ := tiles(b.sizes[folder])
		for _, name := range full {
			if err := errors.Join(ctx.Err(), b.add(path.Join(folder, name))); err != nil {
				return err
			}
		}
	}
	return b.rest(ctx, func(p string) bool { // a stream that began meanwhile is of another day, like what it brought to the archive
		return !strings.HasPrefix(p, "trail/") && !strings.HasPrefix(p, "archive/") && !(strings.HasPrefix(p, "events/") && strings.Count(p, "/") > 1)
	})
}

// rest adds the files for which of holds and that are not there yet.
func (b *writer) rest(ctx context.Context, of func(string) bool) error {
	return fs.WalkDir(b.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist): // it went: nobody needs it
			return nil
		case err != nil:
			return err
		case p != "." && made(p):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() || b.have[p] || !of(p):
			return nil
		}
		if err := plainFile(p, d); err != nil {
			return err
		}
		if err := b.add(p); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// add reads a file as long as it is now; that it grows meanwhile does not matter.
func (b *writer) add(p string) error {
	f, err := b.root.Open(p)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return b.put(piece{path: p, file: f, info: info})
}

func (b *writer) put(p piece) error {
	if len(b.manifest.Files) == maxFiles {
		return fmt.Errorf("there are more than %d files", maxFiles)
	}
	h := &tar.Header{Name: p.path, Size: int64(len(p.text)), Mode: 0o600, ModTime: b.manifest.Began, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	from := io.Reader(bytes.NewReader(p.text))
	if p.file != nil {
		h.Size, h.Mode, h.ModTime, from = p.info.Size(), int64(p.info.Mode().Perm()), p.info.ModTime(), p.file
	}
	if err := b.tar.WriteHeader(h); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(b.tar, sum), from, h.Size); err != nil {
		return fmt.Errorf("read %s: %w: run the backup again", p.path, err)
	}
	b.have[p.path] = true
	b.manifest.Files = append(b.manifest.Files, File{Path: p.path, Bytes: h.Size, Mode: uint32(h.Mode), SHA256: hex.EncodeToString(sum.Sum(nil))})
	if b.done += h.Size; b.progress != nil {
		b.progress(b.done, max(b.total, b.done))
	}
	return nil
}

func (b *writer) seal() error {
	text, err := json.Marshal(b.manifest)
	if err != nil {
		return err
	}
	if len(text) > maxManifest {
		return fmt.Errorf("the manifest has %d bytes, at most %d", len(text), maxManifest)
	}
	if err := b.tar.WriteHeader(&tar.Header{Name: manifestName, Size: int64(len(text)), Mode: 0o600, Typeflag: tar.TypeReg, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err = b.tar.Write(text)
	return err
}
