package trail

import (
	"context"
	"fmt"
	"iter"
	"time"

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

// Lines is a trail to read: a Log or a Reader.
type Lines interface {
	Lines(ctx context.Context, from int64) iter.Seq2[Line, error]
}

// Honoured reports whether the trail holds exactly what a receipt says: nil, or an
// ErrReceipt that says what is missing or other.
func Honoured(ctx context.Context, r Receipt, in Lines) error {
	leaves := make([]seal.Hash, 0, min(r.Count, MaxBatch))
	for line, err := range in.Lines(ctx, r.First) {
		if err != nil {
			return fmt.Errorf("look for entries of a receipt: %w", err)
		}
		if leaves = append(leaves, seal.Leaf(line.Bytes)); int64(len(leaves)) == r.Count {
			break
		}
	}
	return r.Honoured(leaves)
}
