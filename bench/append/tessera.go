package append

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

// runTessera makes each event a leaf of a log of its own: on disk and in the tree. Its
// batches are as large as did best in trials, and so is what is outstanding.
func runTessera(ctx context.Context, dir string, lines [][]byte, n int) (Figures, error) {
	skey, _, err := note.GenerateKey(rand.Reader, "bench")
	if err != nil {
		return Figures{}, err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return Figures{}, err
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return Figures{}, err
	}
	a, shutdown, _, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer).WithBatching(4096, 50*time.Millisecond).
		WithPushback(1<<16).WithCheckpointInterval(time.Second).WithGarbageCollectionInterval(0))
	if err != nil {
		return Figures{}, err
	}
	f, err := Closed(lines, n, 64, 256, func(_ int, batch [][]byte) error {
		futures := make([]tessera.IndexFuture, len(batch))
		for i, line := range batch {
			futures[i] = a.Add(ctx, tessera.NewEntry(line))
		}
		for _, future := range futures {
			if _, err := future(); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, shutdown(ctx)); err != nil {
		return Figures{}, err
	}
	f.Bytes, err = sizeOf(dir)
	return f, err
}
