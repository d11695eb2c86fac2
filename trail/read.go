package trail

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"time"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// Reader reads a trail without opening it: it takes no lock, changes nothing and
// needs no private key. It sees what was on disk when it was made, and it believes
// the files; to check them is for Verify.
type Reader struct {
	set   *pack.Set
	codec *pack.Codec
	len   int64
}

// NewReader reads the trail in dir, which may be in use by another process or on a
// medium that cannot be written. An entry that is not acknowledged yet may be seen.
func NewReader(dir string) (*Reader, error) {
	key, err := PublicKey(dir)
	if err != nil {
		return nil, fmt.Errorf("open trail to read: %w", err)
	}
	v, err := seal.Verifier(key)
	if err != nil {
		return nil, fmt.Errorf("open trail to read: %w: %w", ErrDamage, err)
	}
	codec, err := pack.NewCodec(1)
	if err != nil {
		return nil, fmt.Errorf("open trail to read: %w", err)
	}
	r := &Reader{codec: codec}
	if r.set, err = pack.Open(pack.OS{}, filepath.Join(dir, packName), v.Name(), 0, codec, nil); err == nil {
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
	if seq < 0 || seq >= end {
		return Sealed{}, fmt.Errorf("no entry %d: there are %d", seq, end)
	}
	r, lines, err := frame(set, seq)
	if err != nil {
		return Sealed{}, fmt.Errorf("read entry %d: %w", seq, err)
	}
	return sealed(r, lines, seq)
}

func read(ctx context.Context, set *pack.Set, from, end int64, yield func(Sealed, error) bool) {
	for seq := max(from, 0); seq < end; {
		r, lines, err := frame(set, seq)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			yield(Sealed{}, fmt.Errorf("read entry %d: %w", seq, err))
			return
		}
		for ; seq < min(end, r.First+int64(len(lines))); seq++ {
			s, err := sealed(r, lines, seq)
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

// frame is the frame that holds an entry, and its lines.
func frame(set *pack.Set, seq int64) (pack.Ref, [][]byte, error) {
	r, err := set.Find(seq)
	if err != nil {
		return pack.Ref{}, nil, err
	}
	raw, err := set.Read(r)
	if err != nil {
		return pack.Ref{}, nil, err
	}
	lines, err := r.Lines(raw)
	return r, lines, err
}

func sealed(r pack.Ref, lines [][]byte, seq int64) (Sealed, error) {
	e, err := decode(lines[seq-r.First])
	if err != nil {
		return Sealed{}, fmt.Errorf("entry %d: %w", seq, err)
	}
	return Sealed{Entry: e, Seq: seq, Arrived: time.Unix(0, r.Arrived).UTC()}, nil
}
