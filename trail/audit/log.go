package audit

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

const (
	checkpointFile = "log/checkpoint"
	width          = layout.TileWidth
)

// frontier makes the root of leaves that come one at a time.
type frontier struct {
	n     uint64
	stack []seal.Hash
}

func (f *frontier) push(h seal.Hash) {
	for n := f.n; n&1 == 1; n >>= 1 {
		h = seal.Node(f.stack[len(f.stack)-1], h)
		f.stack = f.stack[:len(f.stack)-1]
	}
	f.stack = append(f.stack, h)
	f.n++
}

func (f *frontier) root() seal.Hash {
	if f.n == 0 {
		return seal.Root(nil)
	}
	h := f.stack[len(f.stack)-1]
	for i := len(f.stack) - 2; i >= 0; i-- {
		h = seal.Node(f.stack[i], h)
	}
	return h
}

// place is one of the places where the hash of a segment's record stands.
type place int

const (
	inPack place = iota
	inBundle
	inTile
	byVote // what two of them say
	places
)

// trust finds out which record each segment has in the log. It stands in three
// places: the pack, the entry bundle and the tile; what the checkpoint signs is
// right, and without one, what two agree on.
func (a *audit) trust(ctx context.Context) error {
	c := a.report.Checkpoint
	var roots [places]frontier
	err := a.testify(ctx, func(i int64, say [places]seal.Hash) {
		a.want[i] = say[byVote]
		if i < c.Size {
			for w := range roots {
				roots[w].push(say[w])
			}
		}
	})
	if err != nil || c.Origin == "" {
		return err
	}
	if roots[byVote].root() != c.Root {
		found := false
		for w := inPack; w < byVote && !found; w++ {
			if found = roots[w].root() == c.Root; found {
				err = a.testify(ctx, func(i int64, say [places]seal.Hash) { a.want[i] = say[w] })
			}
		}
		if !found {
			a.file(Checkpoint, checkpointFile, -1, fmt.Sprintf("does not sign the %d segments that are here", c.Size))
		}
	}
	return err
}

// testify calls fn for each segment with what the witnesses say.
func (a *audit) testify(ctx context.Context, fn func(i int64, say [places]seal.Hash)) error {
	var records [][]byte
	var tile []byte
	for i := range int64(len(a.want)) {
		if i%width == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			records, tile = a.records(i/width), a.largest(layout.TilePath(0, uint64(i/width), 0))
		}
		var say [places]seal.Hash
		if i < int64(len(a.packed)) {
			say[inPack] = a.packed[i]
		}
		k := int(i % width)
		if k < len(records) {
			say[inBundle] = seal.Leaf(records[k])
		}
		if len(tile) >= (k+1)*len(seal.Hash{}) {
			say[inTile] = seal.Hash(tile[k*len(seal.Hash{}):])
		}
		say[byVote] = vote(say[inPack], say[inBundle], say[inTile])
		fn(i, say)
	}
	return nil
}

// vote is what two say; else what the first says that says something.
func vote(pack, bundle, tile seal.Hash) seal.Hash {
	if bundle == tile && bundle != (seal.Hash{}) {
		return bundle
	}
	for _, h := range []seal.Hash{pack, bundle, tile} {
		if h != (seal.Hash{}) {
			return h
		}
	}
	return seal.Hash{}
}

// largest reads a tile or bundle: the full one, or the longest partial one.
func (a *audit) largest(name string) []byte {
	name = path.Join("log", name)
	if b, err := a.read(name, maxLog); err == nil {
		return b
	}
	partials, _ := os.ReadDir(filepath.Join(a.dir, name+".p")) // none: there is nothing to read
	most := 0
	for _, e := range partials {
		if n, err := strconv.Atoi(e.Name()); err == nil && n < width {
			most = max(most, n)
		}
	}
	b, _ := a.read(fmt.Sprintf("%s.p/%d", name, most), maxLog) // what is not there says nothing
	return b
}

// records are the leaves in an entry bundle; nil if it cannot be read.
func (a *audit) records(index int64) [][]byte {
	var b api.EntryBundle
	if err := b.UnmarshalText(a.largest(layout.EntriesPath(uint64(index), 0))); err != nil {
		return nil
	}
	return b.Entries
}

// files is the reading of the log's files. Level 0 is want, each further the
// roots of the full tiles below.
type files struct {
	*audit
	levels [][]seal.Hash
	size   int64 // of the tree, as its state says
	seen   map[string]bool
}

// readLog checks every file of the log against what it must hold.
func (a *audit) readLog(ctx context.Context) error {
	f := files{audit: a, levels: [][]seal.Hash{a.want}, seen: map[string]bool{}}
	for l := a.want; len(l) >= width; {
		var up []seal.Hash
		for ; len(l) >= width; l = l[width:] {
			up = append(up, seal.Root(l[:width]))
		}
		l, f.levels = up, append(f.levels, up)
	}
	root := filepath.Join(a.dir, "log")
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
			data, err = a.read(path.Join("log", filepath.ToSlash(rel)), maxLog)
		}
		if errors.Is(err, fs.ErrNotExist) && a.live {
			return nil // a file that was replaced meanwhile
		}
		if err != nil {
			a.file(Unreadable, path.Join("log", rel), -1, err.Error())
			return nil
		}
		f.seen[rel] = true
		if w, why := f.check(filepath.ToSlash(rel), data); why != "" {
			a.file(w, path.Join("log", rel), -1, why)
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
func (f *files) check(name string, data []byte) (What, string) {
	switch {
	case name == "checkpoint":
		return "", "" // done
	case name == ".state/version":
		if string(data) != "1" {
			return Log, "want 1"
		}
		return "", ""
	case name == ".state/treeState":
		return Log, f.state(data)
	case strings.HasPrefix(name, ".state/") && strings.HasSuffix(name, ".lock"):
		if len(data) > 0 {
			return Log, "is always empty"
		}
		return "", ""
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
		return Log, f.bundle(index, n, data)
	}
	l, err := layout.ParseTileLevel(level)
	if err != nil || layout.TilePath(l, index, w) != name {
		return f.extra()
	}
	return Log, f.tile(l, index, n, data)
}

// extra is a file that does not belong to the log; while somebody writes, it may
// be one that is about to get its name.
func (f *files) extra() (What, string) {
	if f.live {
		return "", ""
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
	if len(nodes) < n && !f.live {
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
	if len(nodes) < n && !f.live {
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
	if s.Size < f.report.Checkpoint.Size {
		return fmt.Sprintf("size %d, the checkpoint covers %d", s.Size, f.report.Checkpoint.Size)
	}
	if s.Size > int64(len(f.want)) {
		if f.live {
			return ""
		}
		return fmt.Sprintf("size %d, there are %d segments", s.Size, len(f.want))
	}
	if want := seal.Root(f.want[:s.Size]); !bytes.Equal(s.Root, want[:]) {
		return "root is wrong"
	}
	f.size = s.Size
	return ""
}

// required names the files that a log of this length must have and has not.
func (f *files) required() {
	size := f.report.Checkpoint.Size
	if !f.live {
		size = max(size, f.size)
		for _, name := range []string{".state/version", ".state/treeState"} {
			if !f.seen[name] {
				f.file(Log, path.Join("log", name), -1, "is missing")
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
				if !f.seen[name] && (partial == 0 || !f.seen[short]) {
					if partial != 0 {
						name = short
					}
					f.file(Log, path.Join("log", name), -1, "is missing")
				}
			}
		}
		size /= width
	}
}
