package trail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kakusho/trail/key"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
	"kakusho/trail/tree"
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
	p, err := prover{l.set, l.tree, l.chain, l.public}.prove(ctx, refs, seq, line, l.covering)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", seq, err)
	}
	return p, nil
}

// prover is what a proof is made of, and the keys that it has to hold with.
type prover struct {
	set    *pack.Set
	tree   *tree.Tree
	chain  key.Chain
	public string
}

// prove makes the proof of an entry of a segment, whose frames are given up to its
// seal, under the checkpoint that covering finds.
func (v prover) prove(ctx context.Context, refs []pack.Ref, seq int64, line []byte, covering func(context.Context, int64) ([]byte, Checkpoint, error)) (Proof, error) {
	p, err := v.inSegment(refs, seq, line)
	if err != nil {
		return nil, err
	}
	var c Checkpoint
	if p.Checkpoint, c, err = covering(ctx, p.Segment); err != nil {
		return nil, err
	}
	if p.LogPath, err = v.tree.Inclusion(ctx, p.Segment, c.Size); err != nil {
		return nil, err
	}
	// A proof that does not hold is never given: the files are not what was sealed.
	if _, _, err := verified(p, v.chain, v.public); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamage, err)
	}
	return p.Text(), nil
}

// inSegment is the part of the proof up to the segment's record. line is given when
// its body was retired.
func (v prover) inSegment(refs []pack.Ref, seq int64, line []byte) (p seal.Proof, err error) {
	p.Segment = refs[0].Segment
	var leaves []seal.Hash
	for _, r := range refs {
		raw, err := v.set.Read(r)
		if err != nil {
			return p, err
		}
		if r.Type == pack.Seal {
			if p.Record, _, err = r.Split(raw); err != nil {
				return p, err
			}
			break
		}
		these, err := r.Leaves(raw)
		if err == nil && seq >= r.First && seq < r.First+int64(r.Count) {
			p.Entry, err = lineIn(r, raw, seq, line)
		}
		if err != nil {
			return p, err
		}
		leaves = append(leaves, these...)
	}
	p.Index = seq - refs[0].First
	p.Path = seal.Path(leaves, int(p.Index))
	return p, nil
}

// verified checks a proof with the key that signed its checkpoint, if that is one
// to be believed.
func verified(p seal.Proof, chain key.Chain, given string, accepted ...string) (Record, Checkpoint, error) {
	own, _, err := seal.Cosigned(p.Checkpoint)
	if err != nil {
		return Record{}, Checkpoint{}, fmt.Errorf("%w: %w", seal.ErrProof, err)
	}
	_, signer, err := chain.Checkpoint(own, given, accepted...)
	if err != nil {
		return Record{}, Checkpoint{}, fmt.Errorf("%w: %w", seal.ErrProof, err)
	}
	v, err := seal.Verifier(signer)
	if err != nil {
		return Record{}, Checkpoint{}, err
	}
	return p.Verify(v)
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
	return Trust{Key: key}.VerifyProof(p)
}

// Trust is whom an auditor believes.
type Trust struct {
	Key      string         // of the log, as he was given it
	Chain    key.Chain      // by which other keys precede or follow it; may be nil
	Accepted []string       // keys put for lost ones that he accepts
	Policy   witness.Policy // whose cosignatures he wants; zero: nobody's
}

// ErrUnwitnessed is returned for what is signed by the log, but not by enough of
// the witnesses that the auditor's policy names.
var ErrUnwitnessed = errors.New("not enough witnesses have signed")

// VerifyProof checks a proof as VerifyProof does, with all that an auditor has.
func (t Trust) VerifyProof(p Proof) (Proven, error) {
	if _, err := seal.Verifier(t.Key); err != nil {
		return Proven{}, fmt.Errorf("verify proof: %w", err)
	}
	parsed, err := seal.ParseProof(p)
	if err != nil {
		return Proven{}, fmt.Errorf("verify proof: %w", err)
	}
	r, c, err := verified(parsed, t.Chain, t.Key, t.Accepted...)
	if err != nil {
		return Proven{}, fmt.Errorf("verify proof: %w", err)
	}
	out := Proven{Sealed: Sealed{Seq: r.First + parsed.Index}, Line: parsed.Entry, Record: r, Checkpoint: c}
	if out.Witnessed, err = t.witnessed(parsed.Checkpoint); err != nil {
		return Proven{}, fmt.Errorf("verify proof: %w", err)
	}
	if e, err := decode(parsed.Entry); err == nil && e.check() == nil {
		out.Entry = e
	}
	return out, nil
}

// witnessed is who of the policy has signed a checkpoint, if that is enough.
func (t Trust) witnessed(checkpoint []byte) ([]witness.Cosignature, error) {
	by, err := t.Policy.Check(checkpoint)
	if err == nil && t.Policy.Quorum != "" && !t.Policy.Satisfied(by) {
		err = ErrUnwitnessed
	}
	return by, err
}

// VerifyCheckpoint checks a checkpoint, signed by the log and, as the policy
// wants, by witnesses.
func (t Trust) VerifyCheckpoint(text []byte) (Checkpoint, []witness.Cosignature, error) {
	own, _, err := seal.Cosigned(text)
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("verify checkpoint: %w", err)
	}
	c, _, err := t.Chain.Checkpoint(own, t.Key, t.Accepted...)
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("verify checkpoint: %w", err)
	}
	by, err := t.witnessed(text)
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("verify checkpoint: %w", err)
	}
	return c, by, nil
}
