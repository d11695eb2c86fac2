package trail

import (
	"context"
	"fmt"
	"time"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
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
	p := seal.Proof{Segment: refs[0].Segment}
	var leaves []seal.Hash
	var first int64
	for i, r := range refs {
		raw, err := l.set.Read(r)
		if err != nil {
			return nil, fmt.Errorf("prove entry %d: %w", seq, err)
		}
		if r.Type == pack.Seal {
			if p.Record, _, err = r.Split(raw); err != nil {
				return nil, fmt.Errorf("prove entry %d: %w", seq, err)
			}
			break
		}
		if i == 0 {
			first = r.First
		}
		these, err := r.Leaves(raw)
		if err == nil && seq >= r.First && seq < r.First+int64(r.Count) {
			p.Entry, err = lineIn(r, raw, seq, line)
		}
		if err != nil {
			return nil, fmt.Errorf("prove entry %d: %w", seq, err)
		}
		leaves = append(leaves, these...)
	}
	p.Index = seq - first
	p.Path = seal.Path(leaves, int(p.Index))
	var c Checkpoint
	if p.Checkpoint, c, err = l.tree.Wait(ctx, p.Segment+1); err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", seq, err)
	}
	if p.LogPath, err = l.tree.Inclusion(ctx, p.Segment, c.Size); err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", seq, err)
	}
	// A proof that does not hold is never given: the files are not what was sealed.
	if _, _, err := p.Verify(l.verifier); err != nil {
		return nil, fmt.Errorf("prove entry %d: %w: %w", seq, ErrDamage, err)
	}
	return p.Text(), nil
}

// lineIn is a line in its frame, or the one given.
func lineIn(r pack.Ref, raw []byte, seq int64, line []byte) ([]byte, error) {
	if line != nil {
		return line, nil
	}
	if r.Type == pack.Hashes {
		return nil, ErrRetired
	}
	lines, err := r.Lines(raw)
	if err != nil {
		return nil, err
	}
	return lines[seq-r.First], nil
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

// VerifyProof checks a proof with nothing but a public key and returns what it
// shows. It needs no network, no clock and no trail.
func VerifyProof(p Proof, key string) (Proven, error) {
	v, err := seal.Verifier(key)
	if err != nil {
		return Proven{}, fmt.Errorf("verify proof: %w", err)
	}
	parsed, err := seal.ParseProof(p)
	if err != nil {
		return Proven{}, fmt.Errorf("verify proof: %w", err)
	}
	r, c, err := parsed.Verify(v)
	if err != nil {
		return Proven{}, fmt.Errorf("verify proof: %w", err)
	}
	out := Proven{Sealed: Sealed{Seq: r.First + parsed.Index}, Line: parsed.Entry, Record: r, Checkpoint: c}
	if e, err := decode(parsed.Entry); err == nil && e.check() == nil {
		out.Entry = e
	}
	return out, nil
}
