package trail

import (
	"context"
	"errors"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"

	"kakusho/trail/keep"
	"kakusho/trail/key"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// Words of package keep, which says what they mean.
type (
	Pack      = keep.Pack
	PackState = keep.State
	Archive   = keep.Archive
)

// The states of a pack.
const (
	PackLocal    = keep.Local
	PackArchived = keep.Archived
	PackHashes   = keep.Hashes
)

// What the readers, Archive and Retire return, wrapped.
var (
	ErrRetired   = pack.ErrRetired   // ask nobody: the body is gone
	ErrElsewhere = pack.ErrElsewhere // set Options.Archive
	ErrNotWhole  = keep.ErrNotWhole  // wait for later segments
)

// Packs are the packs of the trail, in order. The last is written to.
func (l *Log) Packs() ([]Pack, error) { return l.keeper.Packs(context.Background()) }

// Archive puts a whole pack into Options.Archive, reads it back, and removes it here.
// It is read on from there.
func (l *Log) Archive(ctx context.Context, name string) error { return l.keeper.Archive(ctx, name) }

// Retire seals a statement that the entries of whole packs go, with why, waits until
// a checkpoint covers it, and then removes their bodies, here and in the archive. Their
// hashes stay: what remains, and entries exported before, prove as before. Damaged
// packs are not retired.
func (l *Log) Retire(ctx context.Context, names []string, why string) error {
	return l.keeper.Retire(ctx, names, why)
}

// Kept is the first entry from seq on whose body is kept, here or in the archive.
func (l *Log) Kept(seq int64) int64 { return l.set.Kept(seq) }

// notesOf knows the archived packs of the trail in dir. Their notes are signed by the
// key of their time.
func notesOf(dir, public string, archive Archive) (keep.Notes, error) {
	n := keep.Notes{Dir: filepath.Join(dir, packName), Archive: archive}
	chain, err := key.ReadChain(dir)
	if err != nil {
		return n, errors.Join(pack.ErrDamaged, err)
	}
	keys := []string{public}
	for _, s := range chain {
		keys = append(keys, s.Old)
	}
	for _, k := range keys {
		v, err := seal.Verifier(k)
		if err != nil {
			return n, errors.Join(pack.ErrDamaged, err)
		}
		n.Keys = append(n.Keys, note.Verifier(v))
	}
	return n, nil
}

// keeping is the log as package keep needs it.
type keeping struct{ *Log }

func (k keeping) Covered(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, closeWithin)
	defer cancel()
	n, err := k.tree.Size(ctx)
	if err != nil || n == 0 {
		return 0, err
	}
	_, c, err := k.tree.Wait(ctx, n)
	return c.Size, err
}

func (k keeping) Record(ctx context.Context, segment int64) ([]byte, error) {
	n, err := k.tree.Size(ctx)
	if err != nil {
		return nil, err
	}
	return k.tree.Record(ctx, segment, n)
}

func (k keeping) State(ctx context.Context, r seal.Retirement) (int64, error) {
	return k.sealWith(ctx, &r)
}
