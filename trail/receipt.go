package trail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// Receipt is the trail's signed word that it has taken lines: it binds the trail
// from the acknowledgement on, when no checkpoint covers them yet.
type Receipt = seal.Receipt

// ErrReceipt is returned, wrapped with how, when the trail does not hold what a
// receipt says it took.
var ErrReceipt = seal.ErrReceipt

// Receipt signs that lines were taken as the entries from first on. The caller
// says what AppendLines said: it is not read again.
func (l *Log) Receipt(first int64, lines [][]byte, at time.Time) ([]byte, error) {
	leaves := make([]seal.Hash, len(lines))
	for i, line := range lines {
		leaves[i] = seal.Leaf(line)
	}
	r := Receipt{Origin: l.verifier.Name(), First: first, Count: int64(len(lines)), Leaves: seal.Digest(leaves), At: at}
	return r.Sign(l.signer)
}

// CheckReceipt reads a receipt and checks its signature with the public key.
func CheckReceipt(text []byte, key string) (Receipt, error) {
	v, err := seal.Verifier(key)
	if err != nil {
		return Receipt{}, fmt.Errorf("check receipt: %w", err)
	}
	r, err := seal.ParseReceipt(text, v)
	if err != nil {
		return Receipt{}, fmt.Errorf("check receipt: %w", err)
	}
	return r, nil
}

// Holder is a trail whose hashes can be read: a Log or a Reader.
type Holder interface {
	// Leaves are the leaf hashes of n entries from one on, fewer at the end; also of
	// those whose lines are retired.
	Leaves(ctx context.Context, from, n int64) ([]seal.Hash, error)
}

// Leaves are the leaf hashes of entries; see Holder.
func (l *Log) Leaves(ctx context.Context, from, n int64) ([]seal.Hash, error) {
	return leavesOf(ctx, l.set, from, min(n, l.Len()-from))
}

// Leaves are the leaf hashes of entries; see Holder.
func (r *Reader) Leaves(ctx context.Context, from, n int64) ([]seal.Hash, error) {
	return leavesOf(ctx, r.set, from, min(n, r.len-from))
}

func leavesOf(ctx context.Context, set *pack.Set, from, n int64) ([]seal.Hash, error) {
	var out []seal.Hash
	for tries := 0; int64(len(out)) < n; {
		seq := from + int64(len(out))
		r, leaves, err := frameLeaves(set, seq)
		switch {
		case errors.Is(err, pack.ErrRetired) && tries < 2:
			tries++ // it was retired meanwhile: the hashes are there now
			continue
		case err == nil:
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("hashes from entry %d: %w", seq, err)
		}
		leaves = leaves[seq-r.First:]
		out = append(out, leaves[:min(int64(len(leaves)), n-int64(len(out)))]...)
	}
	return out, nil
}

// frameLeaves are the hashes of the frame that holds an entry, or held it.
func frameLeaves(set *pack.Set, seq int64) (pack.Ref, []seal.Hash, error) {
	refs, err := set.Segment(seq)
	if err != nil {
		return pack.Ref{}, nil, err
	}
	for _, r := range refs {
		if r.Type == pack.Seal || r.First+int64(r.Count) <= seq {
			continue
		}
		raw, err := set.Read(r)
		if err != nil {
			return r, nil, err
		}
		leaves, err := r.Leaves(raw)
		return r, leaves, err
	}
	return pack.Ref{}, nil, fmt.Errorf("%w: no frame has entry %d", pack.ErrDamaged, seq)
}

// Honoured reports whether the trail holds exactly what a receipt says: nil, or an
// ErrReceipt that says what is missing or other. What was retired since is held.
func Honoured(ctx context.Context, r Receipt, in Holder) error {
	if r.Count > MaxBatch {
		return fmt.Errorf("%w: it is for %d entries, at most %d are taken at once", ErrReceipt, r.Count, MaxBatch)
	}
	leaves, err := in.Leaves(ctx, r.First, r.Count)
	if err != nil {
		return fmt.Errorf("look for entries of a receipt: %w", err)
	}
	return r.Honoured(leaves)
}
