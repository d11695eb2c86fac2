// Package tree is the log of segment records: a Tessera log, one leaf a segment.
//
// Tessera keeps it where the driver puts it: in files beside the packs by
// default, in a database by a setting. One goroutine appends, any read; a log in
// files can also be read without opening it.
package tree

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"

	"kakusho/trail/key"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// Options say which log to open.
type Options struct {
	Dir      string // of the files; of another driver, nothing is there
	Driver   string // "" for files; mysql:DSN; aws: and gcp: when built in
	Signer   note.Signer
	Verifier note.Verifier
	Chain    key.Chain // of keys, up to Verifier's

	Sealed int64 // segments that the packs hold
	Fresh  bool  // the packs hold nothing at all
}

// source is what can be read of a log.
type source interface {
	ReadCheckpoint(ctx context.Context) ([]byte, error)
	ReadTile(ctx context.Context, level, index uint64, p uint8) ([]byte, error)
	ReadEntryBundle(ctx context.Context, index uint64, p uint8) ([]byte, error)
}

// Tree is an open log.
type Tree struct {
	verifier note.Verifier
	source   source
	store    store
	add      tessera.AddFn
	reader   tessera.LogReader
	shutdown func(context.Context) error
	cancel   context.CancelFunc
}

// store is what a driver brings, beside Tessera's own work.
type store interface {
	driver() tessera.Driver
	reader() source                              // of what is published, without opening it
	before(o Options) (covered int64, err error) // brings in order what a crash has left; -1: no checkpoint
	checkpoint(ctx context.Context) ([]byte, error)
	every() time.Duration   // between checkpoints
	later() bool            // what was taken is in the tree some time later
	age()                   // makes the published checkpoint look old
	prune(size int64) error // removes what the leaf before size made obsolete
	close() error
}

// quiet silences the logger that Tessera shares with the whole process. What
// matters comes back as an error, or as a checkpoint that does not come.
var quiet = sync.OnceFunc(func() { klog.SetLogger(logr.Discard()) })

// Open opens the log for appending and sees that it fits the packs: of the records
// in the packs at most two may be missing in it.
func Open(o Options) (*Tree, error) {
	quiet()
	ctx, cancel := context.WithCancel(context.Background())
	t, err := open(ctx, o)
	if err != nil {
		cancel()
		return nil, err
	}
	t.cancel = cancel
	return t, nil
}

func open(ctx context.Context, o Options) (*Tree, error) {
	s, err := storeOf(ctx, o)
	if err != nil {
		return nil, err
	}
	covered, err := s.before(o)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	// One leaf is one batch: the order is ours. Partial tiles are removed in
	// prune, so that no state has to be kept about it.
	opts := tessera.NewAppendOptions().
		WithCheckpointSigner(o.Signer).
		WithBatching(1, time.Second).
		WithCheckpointInterval(s.every()).
		WithCheckpointRepublishInterval(0).
		WithGarbageCollectionInterval(0)
	a, shutdown, reader, err := tessera.NewAppender(ctx, s.driver(), opts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open log: %w", err), s.close())
	}
	t := &Tree{verifier: o.Verifier, source: reader, store: s, add: a.Add, reader: reader, shutdown: shutdown}
	if s.later() {
		var next uint64 // what was taken in an earlier life comes first
		if next, err = reader.NextIndex(ctx); err == nil {
			err = t.arrive(ctx, int64(next))
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open log: %w", err), s.close())
	}
	size, err := t.Size(ctx)
	// The writer hands a record over before it seals the next, so two can be lost.
	if err == nil && (size > o.Sealed || size < o.Sealed-2 || covered > size) {
		err = fmt.Errorf("%w: packs hold %d segments, the log %d, its checkpoint %d", pack.ErrDamaged, o.Sealed, size, covered)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return t, nil
}

// Files is the log in the files of dir, to be read. Somebody may be writing it.
func Files(dir string, v note.Verifier) *Tree {
	return &Tree{verifier: v, source: client.FileFetcher{Root: dir}}
}

// Published is the checkpoint of a log that is not open.
func Published(ctx context.Context, o Options) (c seal.Checkpoint, err error) {
	quiet()
	s, err := storeOf(ctx, o)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	text, err := s.checkpoint(ctx)
	if err != nil {
		return c, fmt.Errorf("read checkpoint: %w", err)
	}
	return seal.ParseCheckpoint(text, o.Verifier)
}

// Origin is the name of the log.
func (t *Tree) Origin() string { return t.verifier.Name() }

// Size is how many records are in the tree, signed for or not.
func (t *Tree) Size(ctx context.Context) (int64, error) {
	n, err := t.reader.IntegratedSize(ctx)
	if err != nil {
		return 0, fmt.Errorf("size of log: %w", err)
	}
	return int64(n), nil
}

// Append adds the record of a segment and returns when it is in the tree, on disk.
func (t *Tree) Append(ctx context.Context, segment int64, record []byte) error {
	t.store.age()
	index, err := t.add(ctx, tessera.NewEntry(record))()
	if err != nil {
		return fmt.Errorf("add segment %d to log: %w", segment, err)
	}
	if index.Index != uint64(segment) {
		return fmt.Errorf("%w: segment %d is leaf %d of the log", pack.ErrDamaged, segment, index.Index)
	}
	if t.store.later() {
		if err := t.arrive(ctx, segment+1); err != nil {
			return err
		}
	}
	return t.store.prune(segment + 1)
}

// arrive waits until the tree has this size.
func (t *Tree) arrive(ctx context.Context, size int64) error {
	for {
		n, err := t.Size(ctx)
		if err != nil || n >= size {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("log has %d segments, want %d: %w", n, size, ctx.Err())
		case <-time.After(t.look()):
		}
	}
}

// look is how long to wait between looks at what Tessera does: in a cloud, each costs.
func (t *Tree) look() time.Duration {
	if t.store == nil {
		return publishEvery / 20
	}
	return t.store.every() / 20
}

// Record is the leaf of a segment as a log of this size has it.
func (t *Tree) Record(ctx context.Context, segment, size int64) ([]byte, error) {
	bundle, err := client.GetEntryBundle(ctx, t.source.ReadEntryBundle, uint64(segment)/layout.EntryBundleWidth, uint64(size))
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	i := int(segment % layout.EntryBundleWidth)
	if i >= len(bundle.Entries) {
		return nil, fmt.Errorf("%w: log has no record of segment %d", pack.ErrDamaged, segment)
	}
	return bundle.Entries[i], nil
}

// Checkpoint is the published one, checked.
func (t *Tree) Checkpoint(ctx context.Context) ([]byte, seal.Checkpoint, error) {
	text, err := t.source.ReadCheckpoint(ctx)
	if err != nil {
		return nil, seal.Checkpoint{}, fmt.Errorf("read checkpoint: %w", err)
	}
	c, err := seal.ParseCheckpoint(text, t.verifier)
	return text, c, err
}

// Wait returns the first checkpoint it sees that covers size segments.
func (t *Tree) Wait(ctx context.Context, size int64) ([]byte, seal.Checkpoint, error) {
	for {
		text, c, err := t.Checkpoint(ctx)
		// The first one may have been lost with the life that was to write it.
		missing := errors.Is(err, os.ErrNotExist)
		if err != nil && !missing || err == nil && c.Size >= size {
			return text, c, err
		}
		select {
		case <-ctx.Done():
			return nil, c, fmt.Errorf("checkpoint covers %d segments, want %d: %w", c.Size, size, ctx.Err())
		case <-time.After(t.look()):
		}
	}
}

// Inclusion proves a segment's record under the root of a log of this size.
func (t *Tree) Inclusion(ctx context.Context, segment, size int64) ([]seal.Hash, error) {
	builder, err := client.NewProofBuilder(ctx, uint64(size), t.source.ReadTile)
	if err != nil {
		return nil, fmt.Errorf("prove segment %d: %w", segment, err)
	}
	nodes, err := builder.InclusionProof(ctx, uint64(segment))
	if err != nil {
		return nil, fmt.Errorf("prove segment %d: %w", segment, err)
	}
	return hashes(nodes), nil
}

// Consistency proves that the log of size from is the beginning of that of size to.
func (t *Tree) Consistency(ctx context.Context, from, to int64) ([]seal.Hash, error) {
	if from < 0 || from > to {
		return nil, fmt.Errorf("prove consistency: from %d to %d segments", from, to)
	}
	if from == 0 || from == to {
		return nil, nil
	}
	builder, err := client.NewProofBuilder(ctx, uint64(to), t.source.ReadTile)
	if err != nil {
		return nil, fmt.Errorf("prove consistency: %w", err)
	}
	nodes, err := builder.ConsistencyProof(ctx, uint64(from), uint64(to))
	if err != nil {
		return nil, fmt.Errorf("prove consistency: %w", err)
	}
	return hashes(nodes), nil
}

// Root is the root of the log when it had this size.
func (t *Tree) Root(ctx context.Context, size int64) (seal.Hash, error) {
	if size == 0 {
		return seal.Root(nil), nil
	}
	nodes, err := client.FetchRangeNodes(ctx, uint64(size), t.source.ReadTile)
	if err != nil {
		return seal.Hash{}, fmt.Errorf("root of %d segments: %w", size, err)
	}
	root := seal.Hash(nodes[len(nodes)-1])
	for i := len(nodes) - 2; i >= 0; i-- {
		root = seal.Node(seal.Hash(nodes[i]), root)
	}
	return root, nil
}

func hashes(nodes [][]byte) []seal.Hash {
	path := make([]seal.Hash, len(nodes))
	for i, n := range nodes {
		path[i] = seal.Hash(n)
	}
	return path
}

// Close waits for the checkpoint of what was added and stops Tessera. Its workers
// end at their next turn; with the checkpoint current they have nothing to write.
func (t *Tree) Close(ctx context.Context) error {
	defer t.cancel()
	t.store.age()
	n, err := t.Size(ctx)
	if err == nil {
		_, _, err = t.Wait(ctx, n)
	}
	return errors.Join(err, t.shutdown(ctx), t.store.close())
}

// renewed reads a published checkpoint. One that the key before signed, as far as
// its successor's statement goes, it signs with the new one: sign is then its text.
func (o Options) renewed(text []byte) (c seal.Checkpoint, sign []byte, err error) {
	c, err = seal.ParseCheckpoint(text, o.Verifier)
	if err == nil || len(o.Chain) == 0 {
		return c, nil, err
	}
	last := o.Chain[len(o.Chain)-1]
	old, err2 := seal.Verifier(last.Old)
	if err2 != nil {
		return c, nil, err
	}
	c, err2 = seal.ParseCheckpoint(text, old)
	if err2 != nil || c.Size != last.Size || c.Root != last.Root {
		return seal.Checkpoint{}, nil, err
	}
	sign, err = note.Sign(&note.Note{Text: c.Text()}, o.Signer)
	return c, sign, err
}

// storeOf finds the driver that a setting names.
func storeOf(ctx context.Context, o Options) (store, error) {
	for _, d := range drivers() {
		if d.takes(o.Driver) {
			return d.open(ctx, o)
		}
	}
	return nil, fmt.Errorf("open log: no driver %q in this program", o.Driver)
}

// maker opens a kind of store.
type maker struct {
	takes func(setting string) bool
	open  func(ctx context.Context, o Options) (store, error)
}

func drivers() []maker { return append([]maker{inFiles}, others()...) }

// checkpointFile is where the published checkpoint of a log in files is.
func checkpointFile(dir string) string { return filepath.Join(dir, layout.CheckpointPath) }
