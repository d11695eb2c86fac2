package tree

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/transparency-dev/tessera/api/layout"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// Copy writes the log of another driver as files into o.Dir, as the default driver
// has them: to be verified, and read, by anyone and without the database. What was
// there is replaced.
func Copy(ctx context.Context, o Options) (c seal.Checkpoint, err error) {
	quiet()
	s, err := storeOf(ctx, o)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if _, ok := s.(*files); ok {
		return c, errors.New("copy log: it is in files already")
	}
	reader := s.reader()
	text, err := reader.ReadCheckpoint(ctx)
	if err != nil {
		return c, fmt.Errorf("copy log: %w", err)
	}
	if c, err = seal.ParseCheckpoint(text, o.Verifier); err != nil {
		return c, fmt.Errorf("copy log: %w", err)
	}
	x := copier{source: reader, dir: o.Dir + ".copy"}
	if err = errors.Join(os.RemoveAll(x.dir), x.all(ctx, c)); err == nil {
		err = x.put(layout.CheckpointPath, text)
	}
	if err == nil {
		err = errors.Join(os.RemoveAll(o.Dir), os.Rename(x.dir, o.Dir), pack.OS{}.SyncDir(filepath.Dir(o.Dir)))
	}
	if err != nil {
		return c, fmt.Errorf("copy log: %w", err)
	}
	return c, nil
}

type copier struct {
	source source
	dir    string
}

func (x copier) put(name string, data []byte) error {
	name = filepath.Join(x.dir, name)
	if err := pack.MkdirAll(pack.OS{}, filepath.Dir(name)); err != nil {
		return err
	}
	return pack.WriteWhole(pack.OS{}, name, data)
}

// all copies the tiles and bundles that a log of this size has, and what the
// default driver notes of it.
func (x copier) all(ctx context.Context, c seal.Checkpoint) error {
	size := uint64(c.Size)
	for level, n := uint64(0), size; n > 0; level, n = level+1, n/layout.TileWidth {
		for i := range (n + layout.TileWidth - 1) / layout.TileWidth {
			if err := x.tile(ctx, level, i, layout.PartialTileSize(level, i, size)); err != nil {
				return err
			}
		}
	}
	state, err := json.Marshal(struct {
		Size int64  `json:"size"`
		Root []byte `json:"root"`
	}{c.Size, c.Root[:]})
	return errors.Join(err, x.put(".state/version", []byte("1")), x.put(".state/treeState", state))
}

func (x copier) tile(ctx context.Context, level, index uint64, partial uint8) error {
	n := int(partial)
	if n == 0 {
		n = layout.TileWidth
	}
	data, err := x.source.ReadTile(ctx, level, index, partial)
	if err == nil && len(data) < n*len(seal.Hash{}) {
		err = fmt.Errorf("tile %d of level %d is short", index, level)
	}
	if err == nil {
		err = x.put(layout.TilePath(level, index, partial), data[:n*len(seal.Hash{})])
	}
	if err != nil || level > 0 {
		return err
	}
	if data, err = x.source.ReadEntryBundle(ctx, index, partial); err == nil {
		data, err = first(data, n)
	}
	if err != nil {
		return err
	}
	return x.put(layout.EntriesPath(index, partial), data)
}

// first is the bundle of the first n entries: a driver may give more than was asked for.
func first(bundle []byte, n int) ([]byte, error) {
	end := 0
	for range n {
		if len(bundle) < end+2 {
			return nil, errors.New("bundle is short")
		}
		end += 2 + int(binary.BigEndian.Uint16(bundle[end:]))
	}
	if end > len(bundle) {
		return nil, errors.New("bundle is short")
	}
	return bundle[:end], nil
}
