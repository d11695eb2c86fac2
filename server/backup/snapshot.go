package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/transparency-dev/tessera/api/layout"
)

// piece is a file as it was at one instant: its content, or where it is read from and
// how far. What is open is read to that length, though it is renamed, removed or grows.
type piece struct {
	path string
	text []byte
	file *os.File
	info fs.FileInfo
}

// tries is how often a trail is looked at again that moved while it was looked at.
const tries = 200

// snapshot takes every trail, the one of what was decided before those of events: what
// it says of an event is then in its stream. Then the packs that are in the archive.
func (b *writer) snapshot() (out []piece, err error) {
	defer func() {
		if err != nil {
			closeAll(out)
		}
	}()
	folders := []string{"trail"}
	streams, err := fs.ReadDir(b.root.FS(), "events")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return out, err
	}
	for _, s := range streams {
		if _, err := b.root.Stat(path.Join("events", s.Name(), "trail.pub")); err == nil {
			folders = append(folders, path.Join("events", s.Name()))
		}
	}
	for _, folder := range folders {
		of, err := b.trail(folder)
		if err != nil {
			return out, fmt.Errorf("%s: %w", folder, err)
		}
		out = append(out, of...)
	}
	archive, err := b.under("archive")
	return append(out, archive...), err
}

func closeAll(ps []piece) {
	for _, p := range ps {
		if p.file != nil {
			p.file.Close()
		}
	}
}

// trail takes one trail between two looks at the state of its tree that say the same:
// its packs are then ahead of its log by no more than after a power cut.
func (b *writer) trail(folder string) ([]piece, error) {
	for range tries {
		before, err := b.state(folder)
		if err != nil {
			return nil, err
		}
		out, err := b.once(folder, before)
		if errors.Is(err, fs.ErrNotExist) { // it moved
			closeAll(out)
			continue
		}
		if err != nil {
			closeAll(out)
			return nil, err
		}
		after, err := b.state(folder)
		if err == nil && string(after) == string(before) {
			return out, nil
		}
		closeAll(out)
		if err != nil {
			return nil, err
		}
	}
	return nil, errors.New("it grows faster than it can be looked at: try again later")
}

const treeState = "log/.state/treeState"

// state is the state of a trail's tree; nothing: the tree is kept elsewhere.
func (b *writer) state(folder string) ([]byte, error) {
	text, err := b.root.ReadFile(path.Join(folder, treeState))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// once takes what there is of a trail now, but for the full tiles of its tree, which
// never change.
func (b *writer) once(folder string, state []byte) (out []piece, err error) {
	take := func(names ...string) {
		for _, name := range names {
			if err != nil {
				return
			}
			var text []byte
			if text, err = b.root.ReadFile(path.Join(folder, name)); err == nil {
				out = append(out, piece{path: path.Join(folder, name), text: text})
			}
		}
	}
	optional := func(name string) {
		if _, missing := b.root.Stat(path.Join(folder, name)); missing == nil {
			take(name)
		}
	}
	take("trail.pub")
	optional("trail.keys")
	optional("witness/checkpoint")
	if state != nil {
		optional("log/checkpoint")
		optional("log/.state/version")
		out = append(out, piece{path: path.Join(folder, treeState), text: state})
		var tree struct {
			Size uint64 `json:"size"`
		}
		if err == nil {
			err = json.Unmarshal(state, &tree)
		}
		_, right := tiles(tree.Size)
		take(right...)
		b.sizes[folder] = tree.Size
	}
	if err != nil {
		return out, err
	}
	for _, dir := range []string{"key", "pack"} {
		of, err := b.under(path.Join(folder, dir))
		out = append(out, of...)
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// tiles are the files of a tree of so many leaves: those that are full, and those on its
// right edge.
func tiles(size uint64) (full, right []string) {
	for level := uint64(0); level == 0 || size>>(8*level) > 0; level++ {
		n, width := size>>(8*(level+1)), uint8(size>>(8*level)&0xff)
		for i := range n {
			full = append(full, path.Join("log", layout.TilePath(level, i, 0)))
		}
		if width > 0 {
			right = append(right, path.Join("log", layout.TilePath(level, n, width)))
		}
	}
	for i := range size >> 8 {
		full = append(full, path.Join("log", layout.EntriesPath(i, 0)))
	}
	if width := uint8(size & 0xff); width > 0 {
		right = append(right, path.Join("log", layout.EntriesPath(size>>8, width)))
	}
	return full, right
}

// under opens every file of a folder; none when it is not there.
func (b *writer) under(dir string) (out []piece, err error) {
	err = fs.WalkDir(b.root.FS(), dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if p == dir && errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if err := plainFile(p, d); err != nil {
			return err
		}
		f, err := b.root.Open(p)
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			f.Close()
			return err
		}
		out = append(out, piece{path: p, file: f, info: info})
		return nil
	})
	return out, err
}

// plainFile refuses what would be left out without a word.
func plainFile(p string, d fs.DirEntry) error {
	if d.Type().IsRegular() {
		return nil
	}
	return fmt.Errorf("%s is no plain file (%s): links are not followed; mount a disk there instead", p, d.Type())
}
