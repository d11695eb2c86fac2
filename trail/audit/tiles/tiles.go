// Package tiles checks the files of a log against its leaves: C2SP tlog-tiles as
// Tessera's POSIX driver leaves them, partial and obsolete ones too.
package tiles

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"

	"kakusho/trail/seal"
)

const width = layout.TileWidth

// Log is what its files must hold, and how they are read.
type Log struct {
	Dir    string // of the trail
	Leaves []seal.Hash
	Size   int64 // that the checkpoint covers
	Live   bool  // somebody writes meanwhile
	Read   func(name string) ([]byte, error)
}

// Kind is what is wrong with a file.
type Kind int

// The kinds.
const (
	Unreadable Kind = iota
	Wrong
	Extra
)

// Largest reads a tile or bundle: the full one, or the longest partial one.
func (l Log) Largest(name string) []byte {
	name = path.Join("log", name)
	if b, err := l.Read(name); err == nil {
		return b
	}
	partials, _ := os.ReadDir(filepath.Join(l.Dir, name+".p")) // none: there is nothing to read
	most := 0
	for _, e := range partials {
		if n, err := strconv.Atoi(e.Name()); err == nil && n < width {
			most = max(most, n)
		}
	}
	b, err := l.Read(fmt.Sprintf("%s.p/%d", name, most))
	if err != nil {
		b, _ = l.Read(name) // it may be full by now; what is not there says nothing
	}
	return b
}

// Between are the records from one segment up to another, as far as they can be read.
func (l Log) Between(from, to int64) (out [][]byte) {
	for from < to {
		rs := l.Records(from / width)
		if int64(len(rs)) <= from%width {
			break
		}
		rs = rs[from%width : min(int64(len(rs)), from%width+to-from)]
		out, from = append(out, rs...), from+int64(len(rs))
	}
	return out
}

// Bundles is how many files of records there are, whatever is in them.
func (l Log) Bundles() (n int64) {
	filepath.WalkDir(filepath.Join(l.Dir, "log/tile/entries"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			n++
		}
		return nil // what cannot be read is not counted
	})
	return n
}

// Records are the leaves in an entry bundle; nil if it cannot be read.
func (l Log) Records(index int64) [][]byte {
	var b api.EntryBundle
	if err := b.UnmarshalText(l.Largest(layout.EntriesPath(uint64(index), 0))); err != nil {
		return nil
	}
	return b.Entries
}

// files is the reading of the log's files. Level 0 is the leaves, each further the
// roots of the full tiles below.
type files struct {
	Log
	find   func(k Kind, name, why string)
	levels [][]seal.Hash
	size   int64 // of the tree, as its state says
	seen   map[string]bool
}

// Check compares every file of the log with what it must hold, and tells find.
func Check(ctx context.Context, l Log, find func(k Kind, name, why string)) error {
	f := files{Log: l, find: find, levels: [][]seal.Hash{l.Leaves}, seen: map[string]bool{}}
	for l := l.Leaves; len(l) >= width; {
		var up []seal.Hash
		for ; len(l) >= width; l = l[width:] {
			up = append(up, seal.Root(l[:width]))
		}
		l, f.levels = up, append(f.levels, up)
	}
	root := filepath.Join(l.Dir, "log")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		rel, _ := filepath.Rel(root, name) // it is below root
		if err == nil && d.IsDir() {
			return nil
		}
		var data []byte
		if err == nil {
			data, err = l.Read(path.Join("log", filepath.ToSlash(rel)))
		}
		if errors.Is(err, fs.ErrNotExist) && l.Live {
			return nil // a file that was replaced meanwhile
		}
		if err != nil {
			find(Unreadable, path.Join("log", rel), err.Error())
			return nil
		}
		f.seen[rel] = true
		if k, why := f.check(filepath.ToSlash(rel), data); why != "" {
			find(k, path.Join("log", rel), why)
		}
		return nil
	})
	if err != nil {
		return err
	}
	f.required()
	return nil
}

// check says what is wrong with a file, or "".
func (f *files) check(name string, data []byte) (Kind, string) {
	switch {
	case name == "checkpoint":
		return Wrong, "" // done
	case name == ".state/version":
		if string(data) != "1" {
			return Wrong, "want 1"
		}
		return Wrong, ""
	case name == ".state/treeState":
		return Wrong, f.state(data)
	case strings.HasPrefix(name, ".state/") && strings.HasSuffix(name, ".lock"):
		if len(data) > 0 {
			return Wrong, "is always empty"
		}
		return Wrong, ""
	}
	level, rest, ok := strings.Cut(strings.TrimPrefix(name, "tile/"), "/")
	if !ok || !strings.HasPrefix(name, "tile/") {
		return f.extra()
	}
	index, w, err := layout.ParseTileIndexPartial(rest)
	if err != nil {
		return f.extra()
	}
	n := int(w)
	if n == 0 {
		n = width
	}
	if level == "entries" && layout.EntriesPath(index, w) == name {
		return Wrong, f.bundle(index, n, data)
	}
	l, err := layout.ParseTileLevel(level)
	if err != nil || layout.TilePath(l, index, w) != name {
		return f.extra()
	}
	return Wrong, f.tile(l, index, n, data)
}

// extra is a file that does not belong to the log; while somebody writes, it may
// be one that is about to get its name.
func (f *files) extra() (Kind, string) {
	if f.Live {
		return Wrong, ""
	}
	return Extra, "not a file of the log"
}

// nodes are those of a tile, as many as are known.
func (f *files) nodes(level, index uint64, n int) []seal.Hash {
	if level >= uint64(len(f.levels)) || index > uint64(len(f.levels[level]))/width {
		return nil
	}
	l := f.levels[level][index*width:]
	return l[:min(n, len(l))]
}

func (f *files) tile(level, index uint64, n int, data []byte) string {
	nodes := f.nodes(level, index, n)
	if len(data) != n*len(seal.Hash{}) {
		return fmt.Sprintf("%d bytes, want %d", len(data), n*len(seal.Hash{}))
	}
	if len(nodes) < n && !f.Live {
		return "is behind the end of the log"
	}
	for i, h := range nodes {
		if seal.Hash(data[i*len(h):]) != h {
			return fmt.Sprintf("hash %d is wrong", i)
		}
	}
	return ""
}

func (f *files) bundle(index uint64, n int, data []byte) string {
	nodes := f.nodes(0, index, n)
	var b api.EntryBundle
	if err := b.UnmarshalText(data); err != nil || len(b.Entries) != n {
		return fmt.Sprintf("does not hold %d records", n)
	}
	if len(nodes) < n && !f.Live {
		return "is behind the end of the log"
	}
	for i, h := range nodes {
		if seal.Leaf(b.Entries[i]) != h {
			return fmt.Sprintf("record of segment %d is another", index*width+uint64(i))
		}
	}
	return ""
}

// state is Tessera's own note of how long the tree is.
func (f *files) state(data []byte) string {
	var s struct {
		Size int64  `json:"size"`
		Root []byte `json:"root"`
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return err.Error()
	}
	if text, err := json.Marshal(s); err != nil || !bytes.Equal(text, data) {
		return "not in canonical form"
	}
	if s.Size < f.Log.Size {
		return fmt.Sprintf("size %d, the checkpoint covers %d", s.Size, f.Log.Size)
	}
	if s.Size > int64(len(f.Leaves)) {
		if f.Live {
			return ""
		}
		return fmt.Sprintf("size %d, there are %d segments", s.Size, len(f.Leaves))
	}
	if want := seal.Root(f.Leaves[:s.Size]); !bytes.Equal(s.Root, want[:]) {
		return "root is wrong"
	}
	f.size = s.Size
	return ""
}

// came reports whether a tile was completed since the files were listed, and its
// partial ones removed.
func (f *files) came(name string) bool {
	if !f.Live {
		return false
	}
	_, err := os.Lstat(filepath.Join(f.Log.Dir, "log", name))
	return err == nil
}

// required names the files that a log of this length must have and has not.
func (f *files) required() {
	size := f.Log.Size
	if !f.Live {
		size = max(size, f.size)
		for _, name := range []string{".state/version", ".state/treeState"} {
			if !f.seen[name] {
				f.find(Wrong, path.Join("log", name), "is missing")
			}
		}
	}
	for level := uint64(0); size > 0; level++ {
		for i := range uint64(size+width-1) / width {
			names := []string{layout.TilePath(level, i, 0)}
			if level == 0 {
				names = append(names, layout.EntriesPath(i, 0))
			}
			partial := uint8(0)
			if last := uint64(size) / width; i == last {
				partial = uint8(uint64(size) % width)
			}
			for _, name := range names {
				short := fmt.Sprintf("%s.p/%d", name, partial)
				// A reader takes the full one where it finds no partial one.
				if !f.seen[name] && (partial == 0 || !f.seen[short]) && !f.came(name) {
					if partial != 0 {
						name = short
					}
					f.find(Wrong, path.Join("log", name), "is missing")
				}
			}
		}
		size /= width
	}
}
