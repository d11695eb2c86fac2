package audit

import (
	"context"
	"fmt"

	"github.com/transparency-dev/tessera/api/layout"

	"kakusho/trail/audit/tiles"
	"kakusho/trail/seal"
)

const (
	checkpointFile = "log/checkpoint"
	width          = layout.TileWidth
)

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
	var roots [places]seal.Frontier
	err := a.testify(ctx, func(i int64, say [places]seal.Hash) {
		a.want[i] = say[byVote]
		if i < c.Size {
			for w := range roots {
				roots[w].Push(say[w])
			}
		}
	})
	if err != nil || c.Origin == "" {
		return err
	}
	if roots[byVote].Root() != c.Root {
		found := false
		for w := inPack; w < byVote && !found; w++ {
			if found = roots[w].Root() == c.Root; found {
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
			records, tile = a.log.Records(i/width), a.log.Largest(layout.TilePath(0, uint64(i/width), 0))
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

// readLog checks every file of the log against what it must hold.
func (a *audit) readLog(ctx context.Context) error {
	l := a.log
	l.Leaves, l.Size = a.want, a.report.Checkpoint.Size
	kinds := map[tiles.Kind]What{tiles.Unreadable: Unreadable, tiles.Wrong: Log, tiles.Extra: Extra}
	return tiles.Check(ctx, l, func(k tiles.Kind, name, why string) { a.file(kinds[k], name, -1, why) })
}
