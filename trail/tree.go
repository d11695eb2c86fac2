package trail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// tree is the log of segment records: a Tessera log in POSIX files, one leaf a
// segment. One goroutine appends, any read.
type tree struct {
	dir      string
	verifier note.Verifier
	add      tessera.AddFn
	reader   tessera.LogReader
	shutdown func(context.Context) error
	cancel   context.CancelFunc
}

// publishEvery is how often Tessera looks whether there is a checkpoint to write.
const publishEvery = 100 * time.Millisecond

// quiet silences the logger that Tessera shares with the whole process. What
// matters comes back as an error, or as a checkpoint that does not come.
var quiet = sync.OnceFunc(func() { klog.SetLogger(logr.Discard()) })

func openTree(dir string, signer note.Signer, v note.Verifier) (*tree, error) {
	quiet()
	ctx, cancel := context.WithCancel(context.Background())
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open log: %w", err)
	}
	// One leaf is one batch: the order is ours. Partial tiles are removed in
	// prune, so that no state has to be kept about it.
	opts := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithBatching(1, time.Second).
		WithCheckpointInterval(publishEvery).
		WithCheckpointRepublishInterval(0).
		WithGarbageCollectionInterval(0)
	a, shutdown, reader, err := tessera.NewAppender(ctx, driver, opts)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &tree{dir: dir, verifier: v, add: a.Add, reader: reader, shutdown: shutdown, cancel: cancel}, nil
}

// size is how many records are in the tree, signed for or not.
func (t *tree) size(ctx context.Context) (int64, error) {
	n, err := t.reader.IntegratedSize(ctx)
	if err != nil {
		return 0, fmt.Errorf("size of log: %w", err)
	}
	return int64(n), nil
}

// append adds the record of a segment and returns when it is in the tree, on disk.
func (t *tree) append(ctx context.Context, segment int64, record []byte) error {
	t.age()
	index, err := t.add(ctx, tessera.NewEntry(record))()
	if err != nil {
		return fmt.Errorf("add segment %d to log: %w", segment, err)
	}
	if index.Index != uint64(segment) {
		return fmt.Errorf("%w: segment %d is leaf %d of the log", pack.ErrDamaged, segment, index.Index)
	}
	return t.prune(segment + 1)
}

// age makes the published checkpoint look old. Tessera writes a new one only when
// the file is older than publishEvery by the wall clock, which may go back.
func (t *tree) age() {
	name := filepath.Join(t.dir, layout.CheckpointPath)
	os.Chtimes(name, time.Time{}, time.Unix(1, 0)) // without it a checkpoint comes later, not wrong
}

// prune removes the partial tiles and bundles that the tile completed by the
// leaf before size has made obsolete.
func (t *tree) prune(size int64) error {
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
		if err := os.RemoveAll(filepath.Join(t.dir, name+".p")); err != nil {
			return fmt.Errorf("prune log: %w", err)
		}
	}
	return nil
}

// record is the leaf of a segment as the log has it.
func (t *tree) record(ctx context.Context, segment, size int64) ([]byte, error) {
	bundle, err := client.GetEntryBundle(ctx, t.reader.ReadEntryBundle, uint64(segment)/layout.EntryBundleWidth, uint64(size))
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	i := int(segment % layout.EntryBundleWidth)
	if i >= len(bundle.Entries) {
		return nil, fmt.Errorf("%w: log has no record of segment %d", pack.ErrDamaged, segment)
	}
	return bundle.Entries[i], nil
}

// checkpoint is the published one, checked.
func (t *tree) checkpoint() ([]byte, seal.Checkpoint, error) {
	text, err := os.ReadFile(filepath.Join(t.dir, layout.CheckpointPath))
	if err != nil {
		return nil, seal.Checkpoint{}, fmt.Errorf("read checkpoint: %w", err)
	}
	c, err := seal.ParseCheckpoint(text, t.verifier)
	return text, c, err
}

// wait returns the first checkpoint it sees that covers size segments.
func (t *tree) wait(ctx context.Context, size int64) ([]byte, seal.Checkpoint, error) {
	for {
		text, c, err := t.checkpoint()
		// The first one may have been lost with the life that was to write it.
		missing := errors.Is(err, os.ErrNotExist)
		if err != nil && !missing || err == nil && c.Size >= size {
			return text, c, err
		}
		select {
		case <-ctx.Done():
			return nil, c, fmt.Errorf("checkpoint covers %d segments, want %d: %w", c.Size, size, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// inclusion proves a segment's record under the root of a checkpoint.
func (t *tree) inclusion(ctx context.Context, segment int64, c seal.Checkpoint) ([]seal.Hash, error) {
	builder, err := client.NewProofBuilder(ctx, uint64(c.Size), t.reader.ReadTile)
	if err != nil {
		return nil, fmt.Errorf("prove segment %d: %w", segment, err)
	}
	nodes, err := builder.InclusionProof(ctx, uint64(segment))
	if err != nil {
		return nil, fmt.Errorf("prove segment %d: %w", segment, err)
	}
	path := make([]seal.Hash, len(nodes))
	for i, n := range nodes {
		path[i] = seal.Hash(n)
	}
	return path, nil
}

// close waits for the checkpoint of what was added and stops Tessera. Its workers
// end at their next turn; with the checkpoint current they have nothing to write.
func (t *tree) close(ctx context.Context) error {
	defer t.cancel()
	t.age()
	n, err := t.size(ctx)
	if err == nil {
		_, _, err = t.wait(ctx, n)
	}
	return errors.Join(err, t.shutdown(ctx))
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
