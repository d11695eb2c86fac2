package trail

import (
	"context"
	"errors"

	"kakusho/trail/keep"
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

// Packs are the packs of the trail, in order. The last is written to.
func (l *Log) Packs() ([]Pack, error) { return nil, errors.New("packs: not yet") }

// Archive puts a whole pack into Options.Archive, reads it back, and removes it here.
// It is read on from there.
func (l *Log) Archive(_ context.Context, _ string) error { return errors.New("archive: not yet") }

// Retire seals a statement that the entries of whole packs go, with why, waits until
// a checkpoint covers it, and then removes their bodies, here and in the archive. Their
// hashes stay: what remains, and entries exported before, prove as before.
func (l *Log) Retire(_ context.Context, _ []string, _ string) error {
	return errors.New("retire: not yet")
}
