package trail

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"

	"kakusho/trail/key"
	"kakusho/trail/pack"
	"kakusho/trail/tree"
)

// Reader reads a trail without opening it: it takes no lock, changes nothing and
// needs no private key. It sees what was on disk when it was made, and it believes
// the files; to check them is for Verify.
type Reader struct {
	dir    string
	public string
	chain  key.Chain
	tree   *tree.Tree
	set    *pack.Set
	codec  *pack.Codec
	len    int64
}

// NewReader reads the trail in dir, which may be in use by another process or on a
// medium that cannot be written. An entry that is not acknowledged yet may be seen.
func NewReader(dir string) (*Reader, error) { return NewReaderWith(dir, nil) }

// NewReaderWith is NewReader for a trail of which packs are in an archive.
func NewReaderWith(dir string, archive Archive) (*Reader, error) {
	public, err := PublicKey(dir)
	if err != nil {
		return nil, fmt.Errorf("open trail to read: %w", err)
	}
	r := &Reader{}
	if err := r.files(dir, public); err != nil {
		return nil, fmt.Errorf("open trail to read: %w: %w", ErrDamage, err)
	}
	codec, err := pack.NewCodec(1)
	if err != nil {
		return nil, fmt.Errorf("open trail to read: %w", err)
	}
	r.codec = codec
	notes, err := notesOf(dir, public, archive)
	if err != nil {
		codec.Close()
		return nil, fmt.Errorf("open trail to read: %w: %w", ErrDamage, err)
	}
	if r.set, err = pack.Open(pack.OS{}, filepath.Join(dir, packName), r.tree.Origin(), 0, codec, notes); err == nil {
		r.len, err = r.set.Peek()
	}
	if err != nil {
		codec.Close()
		if errors.Is(err, pack.ErrDamaged) {
			err = fmt.Errorf("%w: %w", ErrDamage, err)
		}
		return nil, fmt.Errorf("open trail to read: %w", err)
	}
	return r, nil
}

// Len is how many entries there were.
func (r *Reader) Len() int64 { return r.len }

// Get returns one entry.
func (r *Reader) Get(seq int64) (Sealed, error) { return get(r.set, seq, r.len) }

// Read yields the entries in order, from a number on. An error ends it.
func (r *Reader) Read(ctx context.Context, from int64) iter.Seq2[Sealed, error] {
	return func(yield func(Sealed, error) bool) { read(ctx, r.set, from, r.len, yield) }
}

// Close lets go of the trail.
func (r *Reader) Close() error {
	r.codec.Close()
	return r.set.Close()
}

func get(set *pack.Set, seq, end int64) (Sealed, error) {
	line, err := getLine(set, seq, end)
	if err != nil {
		return Sealed{}, err
	}
	return line.entry()
}

func read(ctx context.Context, set *pack.Set, from, end int64, yield func(Sealed, error) bool) {
	readLines(ctx, set, from, end, func(line Line, err error) bool {
		if err != nil {
			return yield(Sealed{}, err)
		}
		s, err := line.entry()
		return yield(s, err) && err == nil
	})
}

func (l Line) entry() (Sealed, error) {
	e, err := decode(l.Bytes)
	if err != nil {
		return Sealed{}, fmt.Errorf("entry %d: %w", l.Seq, err)
	}
	return Sealed{Entry: e, Seq: l.Seq, Arrived: l.Arrived}, nil
}
