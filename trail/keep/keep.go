// Package keep takes packs that are whole off the disk of the trail: to an archive,
// from which they are read on; and, when their time is over, down to the hashes of
// their entries, with a statement about it sealed in the trail first.
//
// It promises that there is no instant, whenever the process is killed, at which a
// pack is neither here nor in the archive, or at which entries are gone without a
// statement under a checkpoint; what was begun is finished, or undone, at the next
// open. Whether a pack may go is for its caller to know: package keep has no calendar
// and no holds.
package keep

import (
	"context"
	"errors"
	"io"
	"time"
)

// Archive is where packs are kept elsewhere. Its names are file names of packs. It is
// safe for concurrent use; package blob has some.
type Archive interface {
	// Put stores size bytes of r, all or nothing, and returns when they are durable.
	// What does not have this SHA-256 is refused. A name that is there is replaced.
	Put(ctx context.Context, name string, r io.Reader, size int64, sha256 [32]byte) error
	// Get reads n bytes from off on; n < 0: to the end. fs.ErrNotExist: not there.
	Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error)
	// Size is how many bytes there are. fs.ErrNotExist: not there.
	Size(ctx context.Context, name string) (int64, error)
	// Delete removes it. That it is not there is no error.
	Delete(ctx context.Context, name string) error
}

// State is where the bodies of a pack's entries are.
type State string

// The states, in the order a pack goes through them. Archived can be left out.
const (
	Local    State = "local"    // in the folder of the trail
	Archived State = "archived" // in the archive only
	Hashes   State = "hashes"   // nowhere: their hashes are left, and a statement why
)

// Pack is one pack of a trail.
type Pack struct {
	Name                      string // of its file, SSSSSSSSSSSSSSSS.pack, whatever its state
	FirstSegment, LastSegment int64
	First, Count              int64     // entries
	From, To                  time.Time // arrival of the first and the last
	Bytes                     int64     // of the file that is here or in the archive
	State                     State
	Digest                    [32]byte // SHA-256 of the pack; zero unless archived
	Whole                     bool     // nothing is written to it any more, and a checkpoint covers it: it may go
}

// What Archive and Retire return, wrapped with the pack.
var (
	ErrNoPack    = errors.New("no such pack")
	ErrNotWhole  = errors.New("pack is still needed to open the trail: leave it until later segments are sealed")
	ErrNoArchive = errors.New("no archive is set")
	ErrState     = errors.New("pack is not in a state for that")
)
