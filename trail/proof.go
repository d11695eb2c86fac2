package trail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kakusho/trail/pack"
	"kakusho/trail/prove"
	"kakusho/trail/seal"
	"kakusho/trail/witness"
)

// Proof is a file that shows an entry to be in the trail, to anyone who has the
// public key. It is text; by custom its name ends in .tlog-proof.
type Proof []byte

// Record is the sealed statement of the segment an entry is in.
type Record = seal.Record

// Checkpoint is the signed statement of the whole log.
type Checkpoint = seal.Checkpoint

// Proven is what a proof shows: the line and its number, and that it was taken
// between Record.From and Record.To. Entry is zero when the line is none.
type Proven struct {
	Sealed
	Line       []byte
	Record     Record
	Checkpoint Checkpoint
	Witnessed  []witness.Cosignature // by those of the policy it was checked with
}

// proveWithin is how long Prove waits for the seal and its checkpoint.
const proveWithin = 3 * time.Second

// Prove returns the proof of an entry. An entry that is not sealed yet is waited
// for, up to 3 seconds.
func (l *Log) Prove(ctx context.Context, seq int64) (Proof, error) { return l.prove(ctx, seq, nil) }

// ProveLine is Prove for an entry that was retired, by somebody who still has its line:
// exported before, or found in a backup. ErrDamage: it is not the line that was sealed.
func (l *Log) ProveLine(ctx context.Context, seq int64, line []byte) (Proof, error) {
	return l.prove(ctx, seq, line)
}

func (l *Log) prove(ctx context.Context, seq int64, line []byte) (Proof, error) {
	ctx, cancel := context.WithTimeout(ctx, proveWithin)
	defer cancel()
	refs, err := l.sealedSegment(ctx, seq)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", seq, err)
	}
	p, err := l.maker().Prove(ctx, refs, seq, line, l.covering)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", seq, damage(err))
	}
	return p, nil
}

func (l *Log) maker() prove.Maker {
	return prove.Maker{Set: l.set, Tree: l.tree, Chain: l.chain, Public: l.public}
}

// damage is the same as an error of this package, where it is one of the files.
func damage(err error) error {
	if errors.Is(err, pack.ErrDamaged) {
		return fmt.Errorf("%w: %w", ErrDamage, err)
	}
	return err
}

// sealedSegment is the frames of the segment an entry is in, once it is sealed.
func (l *Log) sealedSegment(ctx context.Context, seq int64) ([]pack.Ref, error) {
	if seq < 0 || seq >= l.Len() {
		return nil, fmt.Errorf("no such entry: there are %d", l.Len())
	}
	for {
		refs, err := l.set.Segment(seq)
		if err != nil || refs[len(refs)-1].Type == pack.Seal {
			return refs, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("not sealed yet: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Trust is whom an auditor believes.
type Trust = prove.Trust

// VerifyProof checks a proof with nothing but a public key and returns what it
// shows. It needs no network, no clock and no trail.
func VerifyProof(p Proof, key string) (Proven, error) {
	return VerifyProofWith(p, Trust{Key: key})
}

// VerifyProofWith is VerifyProof with all that an auditor has.
func VerifyProofWith(p Proof, t Trust) (Proven, error) {
	s, err := t.Proof(p)
	if err != nil {
		return Proven{}, err
	}
	out := Proven{Sealed: Sealed{Seq: s.Seq}, Line: s.Line, Record: s.Record, Checkpoint: s.Checkpoint, Witnessed: s.Witnessed}
	if e, err := decode(s.Line); err == nil && e.check() == nil {
		out.Entry = e
	}
	return out, nil
}
