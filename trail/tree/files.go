package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/storage/posix"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// inFiles is Tessera's POSIX driver, the default.
var inFiles = maker{
	takes: func(setting string) bool { return setting == "" || setting == "posix" },
	open:  func(_ context.Context, o Options) (store, error) { return &files{dir: o.Dir}, nil },
}

// files is a log in a directory.
type files struct {
	dir    string
	tessel tessera.Driver
}

// publishEvery is how often Tessera looks whether there is a checkpoint to write.
const publishEvery = 100 * time.Millisecond

func (f *files) driver() tessera.Driver { return f.tessel }
func (f *files) reader() source         { return client.FileFetcher{Root: f.dir} }
func (f *files) later() bool            { return false }
func (f *files) every() time.Duration   { return publishEvery }
func (f *files) close() error           { return nil }

func (f *files) checkpoint(context.Context) ([]byte, error) {
	return os.ReadFile(checkpointFile(f.dir))
}

func (f *files) before(o Options) (covered int64, err error) {
	covered = -1
	if _, err := os.Lstat(f.dir); err == nil {
		text, err := os.ReadFile(checkpointFile(f.dir))
		var c seal.Checkpoint
		var fresh []byte
		if err == nil {
			c, fresh, err = o.renewed(text)
		}
		if err == nil && fresh != nil {
			err = pack.WriteWhole(pack.OS{}, checkpointFile(f.dir), fresh)
		}
		// The first checkpoint, of nothing, is written before the first pack.
		if err != nil && !(errors.Is(err, os.ErrNotExist) && o.Fresh) {
			return 0, fmt.Errorf("%w: checkpoint of the log: %w", pack.ErrDamaged, err)
		}
		if err == nil {
			covered = c.Size
		}
	} else if !o.Fresh {
		return 0, fmt.Errorf("%w: %s is missing", pack.ErrDamaged, filepath.Base(f.dir))
	}
	if err := sweep(f.dir, covered < o.Sealed); err != nil {
		return 0, fmt.Errorf("sweep log: %w", err)
	}
	if f.tessel, err = posix.New(context.Background(), posix.Config{Path: f.dir}); err != nil {
		return 0, fmt.Errorf("open log: %w", err)
	}
	return covered, nil
}

// age makes the published checkpoint look old. Tessera writes a new one only when
// the file is older than publishEvery by the wall clock, which may go back.
func (f *files) age() {
	os.Chtimes(checkpointFile(f.dir), time.Time{}, time.Unix(1, 0)) // without it a checkpoint comes later, not wrong
}

// prune removes the partial tiles and bundles that the tile completed by the
// leaf before size has made obsolete.
func (f *files) prune(size int64) error {
	n := uint64(size)
	if n%layout.TileWidth != 0 || n == 0 {
		return nil
	}
	n = n/layout.TileWidth - 1
	names := []string{layout.EntriesPath(n, 0), layout.TilePath(0, n, 0)}
	for level := uint64(1); n%layout.TileWidth == layout.TileWidth-1; level++ {
		n /= layout.TileWidth
		names = append(names, layout.TilePath(level, n, 0))
	}
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(f.dir, name+".p")); err != nil {
			return fmt.Errorf("prune log: %w", err)
		}
	}
	return nil
}

// interrupted are the names that Tessera writes a file under before it renames it.
var interrupted = regexp.MustCompile(`^(checkpoint|treeState|version|\d{3})\d+$`)

// sweep removes what an interrupted write has left; among the many tiles only when
// one was interrupted. Only the opener, who holds the lock, may call it, and before
// Tessera runs.
func sweep(dir string, tiles bool) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "tile" && !tiles {
			return fs.SkipDir
		}
		if err == nil && d.Type().IsRegular() && leftover(d.Name(), filepath.Base(filepath.Dir(name))) {
			err = os.Remove(name)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

// leftover reports whether a file of the log is an unfinished write. In a folder
// of partial tiles the finished ones are numbers below 256.
func leftover(name, folder string) bool {
	if filepath.Ext(folder) == ".p" {
		_, _, err := layout.ParseTileIndexPartial("000.p/" + name)
		return err != nil
	}
	return interrupted.MatchString(name)
}
