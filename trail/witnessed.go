package trail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"kakusho/trail/key"
	"kakusho/trail/pack"
	"kakusho/trail/prove"
	"kakusho/trail/seal"
	"kakusho/trail/tree"
	"kakusho/trail/witness"
)

// follow begins to present the log to its witnesses, if it has some.
func (l *Log) follow() {
	if len(l.o.Witnesses.Witnesses) == 0 {
		return
	}
	l.follower = witness.Follow(l.tree, witness.FollowOptions{
		Dir: l.dir, Policy: l.o.Witnesses, Now: l.o.Now, Log: l.o.Log, Client: l.o.WitnessClient,
		Verify: func(own []byte) (Checkpoint, error) {
			c, _, err := l.chain.Checkpoint(own, l.public)
			return c, err
		},
	})
}

// Witnessed is how far the log has been signed by its witnesses, and what they
// have against it. Without witnesses it is zero.
func (l *Log) Witnessed() witness.Status {
	if l.follower == nil {
		return witness.Status{}
	}
	return l.follower.Status()
}

// Checkpoint is the newest one, signed: by the witnesses too when they have signed
// no older one.
func (l *Log) Checkpoint(ctx context.Context) ([]byte, Checkpoint, error) {
	text, c, err := l.tree.Checkpoint(ctx)
	if err != nil || l.follower == nil {
		return text, c, err
	}
	if cosigned, w := l.follower.Cosigned(); cosigned != nil && w == c {
		return cosigned, c, nil
	}
	return text, c, nil
}

// Consistency proves that the log of size from is the beginning of that of size to.
func (l *Log) Consistency(ctx context.Context, from, to int64) ([]seal.Hash, error) {
	return l.tree.Consistency(ctx, from, to)
}

// covering is a checkpoint that covers a segment: one that witnesses have signed,
// or else the first that comes.
func (l *Log) covering(ctx context.Context, segment int64) ([]byte, Checkpoint, error) {
	if l.follower != nil {
		if text, c := l.follower.Cosigned(); text != nil && c.Size > segment && !l.follower.Status().Refused() {
			return text, c, nil
		}
	}
	return l.tree.Wait(ctx, segment+1)
}

// Checkpoint is the one that stands there, checked with the key beside it.
func (r *Reader) Checkpoint(ctx context.Context) ([]byte, Checkpoint, error) {
	return r.tree.Checkpoint(ctx)
}

// Consistency proves that the log of size from is the beginning of that of size to.
func (r *Reader) Consistency(ctx context.Context, from, to int64) ([]seal.Hash, error) {
	return r.tree.Consistency(ctx, from, to)
}

// Root is the root of the log when it had this size.
func (r *Reader) Root(ctx context.Context, size int64) (seal.Hash, error) {
	return r.tree.Root(ctx, size)
}

// Prove returns the proof of an entry that is sealed, with the cosignatures of
// witnesses when those that lie beside the trail cover it.
func (r *Reader) Prove(ctx context.Context, seq int64) (Proof, error) {
	if seq < 0 || seq >= r.len {
		return nil, fmt.Errorf("prove entry %d: no such entry: there are %d", seq, r.len)
	}
	refs, err := r.set.Segment(seq)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", seq, err)
	}
	if refs[len(refs)-1].Type != pack.Seal {
		return nil, fmt.Errorf("prove entry %d: it is not sealed yet", seq)
	}
	p, err := prove.Maker{Set: r.set, Tree: r.tree, Chain: r.chain, Public: r.public}.Prove(ctx, refs, seq, nil, r.covering)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", seq, damage(err))
	}
	return p, nil
}

func (r *Reader) covering(ctx context.Context, segment int64) ([]byte, Checkpoint, error) {
	if text, err := os.ReadFile(filepath.Join(r.dir, witness.CosignedFile)); err == nil {
		own, _, err := seal.Cosigned(text)
		if err == nil {
			if c, _, err := r.chain.Checkpoint(own, r.public); err == nil && c.Size > segment {
				return text, c, nil
			}
		}
	}
	text, c, err := r.tree.Checkpoint(ctx)
	if err == nil && c.Size <= segment {
		err = errors.New("no checkpoint covers it yet")
	}
	return text, c, err
}

// files opens what is beside the packs.
func (r *Reader) files(dir, public string) (err error) {
	v, err := seal.Verifier(public)
	if err != nil {
		return err
	}
	if r.chain, err = key.ReadChain(dir); err != nil {
		return err
	}
	r.dir, r.public, r.tree = dir, public, tree.Files(filepath.Join(dir, logName), v)
	return nil
}
