// Package prove makes the proof of one entry out of a trail's files, and checks
// what a trail has signed, for somebody who says whom he believes.
//
// A proof leads from the entry's line over its segment and the log to a checkpoint
// that the log, and if he wants so witnesses, have signed. To check one takes no
// network, no clock and no trail.
package prove

import (
	"context"
	"errors"
	"fmt"

	"kakusho/trail/key"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
	"kakusho/trail/tree"
	"kakusho/trail/witness"
)

// ErrUnwitnessed is returned for what is signed by the log, but not by enough of
// the witnesses that the auditor's policy names.
var ErrUnwitnessed = errors.New("not enough witnesses have signed")

// Maker is what a proof is made of, and the keys that it has to hold with.
type Maker struct {
	Set    *pack.Set
	Tree   *tree.Tree
	Chain  key.Chain
	Public string
}

// Prove makes the proof of an entry of a segment, whose frames are given up to its
// seal, under the checkpoint that covering finds. line is given when its body was
// retired. What does not hold is pack.ErrDamaged: the files are not what was sealed.
func (m Maker) Prove(ctx context.Context, refs []pack.Ref, seq int64, line []byte, covering func(ctx context.Context, segment int64) ([]byte, seal.Checkpoint, error)) ([]byte, error) {
	p, err := m.inSegment(refs, seq, line)
	if err != nil {
		return nil, err
	}
	var c seal.Checkpoint
	if p.Checkpoint, c, err = covering(ctx, p.Segment); err != nil {
		return nil, err
	}
	if p.LogPath, err = m.Tree.Inclusion(ctx, p.Segment, c.Size); err != nil {
		return nil, err
	}
	if _, _, err := (Trust{Key: m.Public, Chain: m.Chain}).follow(p); err != nil {
		return nil, fmt.Errorf("%w: %w", pack.ErrDamaged, err)
	}
	return p.Text(), nil
}

// inSegment is the part of the proof up to the segment's record.
func (m Maker) inSegment(refs []pack.Ref, seq int64, line []byte) (p seal.Proof, err error) {
	p.Segment = refs[0].Segment
	var leaves []seal.Hash
	for _, r := range refs {
		raw, err := m.Set.Read(r)
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

// lineIn is a line in its frame, or the one given.
func lineIn(r pack.Ref, raw []byte, seq int64, line []byte) ([]byte, error) {
	if line != nil {
		return line, nil
	}
	if r.Type == pack.Hashes {
		return nil, pack.ErrRetired
	}
	lines, err := r.Lines(raw)
	if err != nil {
		return nil, err
	}
	return lines[seq-r.First], nil
}

// Trust is whom an auditor believes.
type Trust struct {
	Key      string         // of the log, as he was given it
	Chain    key.Chain      // by which other keys precede or follow it; may be nil
	Accepted []string       // keys put for lost ones that he accepts
	Policy   witness.Policy // whose cosignatures he wants; zero: nobody's
}

// Shown is what a proof shows.
type Shown struct {
	Line       []byte
	Seq        int64
	Record     seal.Record
	Checkpoint seal.Checkpoint
	Witnessed  []witness.Cosignature // by those of the policy
}

// Proof checks a proof.
func (t Trust) Proof(text []byte) (Shown, error) {
	if _, err := seal.Verifier(t.Key); err != nil {
		return Shown{}, fmt.Errorf("verify proof: %w", err)
	}
	p, err := seal.ParseProof(text)
	if err != nil {
		return Shown{}, fmt.Errorf("verify proof: %w", err)
	}
	r, c, err := t.follow(p)
	if err != nil {
		return Shown{}, fmt.Errorf("verify proof: %w", err)
	}
	by, err := t.witnessed(p.Checkpoint)
	if err != nil {
		return Shown{}, fmt.Errorf("verify proof: %w", err)
	}
	return Shown{Line: p.Entry, Seq: r.First + p.Index, Record: r, Checkpoint: c, Witnessed: by}, nil
}

// follow checks a proof with the key that signed its checkpoint, if that is one to
// be believed.
func (t Trust) follow(p seal.Proof) (seal.Record, seal.Checkpoint, error) {
	own, _, err := seal.Cosigned(p.Checkpoint)
	if err != nil {
		return seal.Record{}, seal.Checkpoint{}, fmt.Errorf("%w: %w", seal.ErrProof, err)
	}
	_, signer, err := t.Chain.Checkpoint(own, t.Key, t.Accepted...)
	if err != nil {
		return seal.Record{}, seal.Checkpoint{}, fmt.Errorf("%w: %w", seal.ErrProof, err)
	}
	v, err := seal.Verifier(signer)
	if err != nil {
		return seal.Record{}, seal.Checkpoint{}, err
	}
	return p.Verify(v)
}

// witnessed is who of the policy has signed a checkpoint, if that is enough.
func (t Trust) witnessed(checkpoint []byte) ([]witness.Cosignature, error) {
	by, err := t.Policy.Check(checkpoint)
	if err == nil && t.Policy.Quorum != "" && !t.Policy.Satisfied(by) {
		err = fmt.Errorf("%w: %d of %d", ErrUnwitnessed, len(by), len(t.Policy.Witnesses))
	}
	return by, err
}

// Checkpoint checks a checkpoint, signed by the log and, as the policy wants, by
// witnesses.
func (t Trust) Checkpoint(text []byte) (seal.Checkpoint, []witness.Cosignature, error) {
	own, _, err := seal.Cosigned(text)
	if err != nil {
		return seal.Checkpoint{}, nil, fmt.Errorf("verify checkpoint: %w", err)
	}
	c, _, err := t.Chain.Checkpoint(own, t.Key, t.Accepted...)
	if err != nil {
		return seal.Checkpoint{}, nil, fmt.Errorf("verify checkpoint: %w", err)
	}
	by, err := t.witnessed(text)
	if err != nil {
		return seal.Checkpoint{}, nil, fmt.Errorf("verify checkpoint: %w", err)
	}
	return c, by, nil
}
