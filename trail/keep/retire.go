package keep

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// unfinished ends the name of a file that does not count yet. Of hashes, the segment
// in the name is then the first in which the statement may be.
const unfinished = ".new"

// errLater is wrapped in what the archive says when it does not remove a pack. A
// statement holds; the pack is removed at the next move or open that reaches it.
var errLater = errors.New("not yet removed from the archive")

// Retire states that packs go, and removes their bodies, here and in the archive. More
// than seal.MaxRetired packs take several statements.
func (k *Keeper) Retire(ctx context.Context, names []string, why string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.recover(ctx); err != nil {
		return fmt.Errorf("retire packs: %w", err)
	}
	for len(names) > 0 {
		n := min(len(names), seal.MaxRetired)
		if err := k.retire(ctx, names[:n], why); err != nil {
			return fmt.Errorf("retire packs: %w", err)
		}
		names = names[n:]
	}
	return nil
}

func (k *Keeper) retire(ctx context.Context, names []string, why string) error {
	packs, err := k.whole(ctx, names)
	if err != nil {
		return err
	}
	covered, err := k.Trail.Covered(ctx)
	if err != nil {
		return err
	}
	statement := seal.Retirement{Why: why}
	for _, p := range packs {
		statement.Packs = append(statement.Packs, seal.Retired{FirstSegment: p.FirstSegment, LastSegment: p.LastSegment, First: p.First, Count: p.Count})
	}
	if err := statement.Check(covered); err != nil {
		return err
	}
	// The hashes are there before the statement: nothing can fail after it but removing.
	for i, p := range packs {
		name := pack.FileName{Segment: p.FirstSegment, Form: pack.Bare, Statement: covered}.String() + unfinished
		if statement.Packs[i].Digest, err = k.strip(ctx, p, name); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", p.Name, err), k.recover(ctx))
		}
	}
	if err := k.FS.SyncDir(k.Notes.Dir); err != nil {
		return err
	}
	segment, err := k.Trail.State(ctx, statement)
	if err != nil {
		return err
	}
	for _, p := range packs {
		if err := k.finish(ctx, p.FirstSegment, covered, segment); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return nil
}

// finish gives the hashes of a pack their name and removes its bodies.
func (k *Keeper) finish(ctx context.Context, first, from, segment int64) error {
	n := pack.FileName{Segment: first, Form: pack.Bare, Statement: from}
	old := n.String() + unfinished
	n.Statement = segment
	n.Name = n.String()
	if err := k.rename(old, n.Name); err != nil {
		return err
	}
	return k.drop(ctx, n)
}

// drop removes the bodies of a pack whose hashes have their name.
func (k *Keeper) drop(ctx context.Context, n pack.FileName) error {
	f, err := k.FS.Open(k.path(n.Name), false)
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := k.Set.Move(n, size); err != nil {
		return err
	}
	for _, form := range []pack.Form{pack.Here, pack.Away} {
		name := pack.FileName{Segment: n.Segment, Form: form}.String()
		if !k.there(name) {
			continue
		}
		if form == pack.Away {
			if err := k.delete(ctx, n.Segment); err != nil {
				return err
			}
		}
		if err := k.remove(name); err != nil {
			return err
		}
	}
	return nil
}

// delete removes a pack from the archive.
func (k *Keeper) delete(ctx context.Context, segment int64) error {
	err := ErrNoArchive
	if k.Notes.Archive != nil {
		err = k.Notes.Archive.Delete(ctx, pack.Name(segment))
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w", pack.Name(segment), errLater, err)
	}
	return nil
}

// strip writes the hashes of a pack, after it has seen that the pack is what the log
// says: what is damaged is not retired, as nobody could see afterwards that it was.
func (k *Keeper) strip(ctx context.Context, p Pack, name string) (digest seal.Hash, err error) {
	r, err := k.body(ctx, p)
	if err != nil {
		return digest, err
	}
	defer r.Close()
	f, err := k.FS.Create(k.path(name))
	if err != nil {
		return digest, err
	}
	s := stripping{Keeper: k, ctx: ctx, out: &sequence{File: f}, sum: sha256.New(), next: p.FirstSegment}
	if _, err = s.out.Write(pack.Bare.Head(k.Signer.Name(), p.FirstSegment, p.First)); err == nil {
		_, _, err = pack.Stream(io.TeeReader(r, s.sum), pack.Here, k.Signer.Name(), s.frame)
	}
	if err == nil && (s.next != p.LastSegment+1 || len(s.leaves) > 0) {
		err = fmt.Errorf("%w: it ends with segment %d", pack.ErrDamaged, s.next-1)
	}
	if err == nil {
		err = f.Sync()
	}
	return seal.Hash(s.sum.Sum(nil)), errors.Join(err, f.Close())
}

// body is a pack from its first byte on, wherever it is.
func (k *Keeper) body(ctx context.Context, p Pack) (io.ReadCloser, error) {
	if p.State == Archived {
		return k.Notes.Archive.Get(ctx, p.Name, 0, -1)
	}
	f, err := k.FS.Open(k.path(p.Name), false)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, 0, p.Bytes), f}, nil
}

// stripping goes through one pack.
type stripping struct {
	*Keeper
	ctx context.Context
	out *sequence
	sum interface {
		Write([]byte) (int, error)
		Sum([]byte) []byte
	}
	next int64 // segment

	rows   []seal.Row
	leaves []seal.Hash
}

func (s *stripping) frame(h pack.Header, stored []byte) error {
	raw, err := s.Codec.Payload(h, stored)
	if err != nil {
		return fmt.Errorf("%w: %w", pack.ErrDamaged, err)
	}
	if h.Segment != s.next {
		return fmt.Errorf("%w: frame of segment %d, want %d", pack.ErrDamaged, h.Segment, s.next)
	}
	if h.Type == pack.Seal {
		err = s.seal(h, raw)
	} else {
		h, raw, err = s.entries(h, raw)
	}
	if err != nil {
		return err
	}
	b, _, err := s.Codec.Frame(h, raw)
	if err != nil {
		return err
	}
	_, err = s.out.Write(b)
	return err
}

func (s *stripping) entries(h pack.Header, raw []byte) (pack.Header, []byte, error) {
	leaves, err := h.Leaves(raw)
	if err != nil {
		return h, nil, fmt.Errorf("%w: %w", pack.ErrDamaged, err)
	}
	s.rows, s.leaves = append(s.rows, h.Row(leaves)), append(s.leaves, leaves...)
	bare := make([]byte, 0, len(leaves)*len(seal.Hash{}))
	for _, l := range leaves {
		bare = append(bare, l[:]...)
	}
	h.Type = pack.Hashes
	return h, bare, nil
}

// seal compares a segment with its record in the log.
func (s *stripping) seal(h pack.Header, raw []byte) error {
	text, _, err := h.Split(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", pack.ErrDamaged, err)
	}
	want, err := s.Trail.Record(s.ctx, s.next)
	if err != nil {
		return err
	}
	r, err := seal.ParseRecord(want)
	if err != nil {
		return err
	}
	table := seal.Table(s.rows)
	if string(text) != string(want) || string(raw[len(text):]) != string(table) || sha256.Sum256(table) != r.Frames || seal.Root(s.leaves) != r.Root {
		return fmt.Errorf("%w: segment %d is not the one in the log: verify the trail", pack.ErrDamaged, s.next)
	}
	s.next, s.rows, s.leaves = s.next+1, nil, nil
	return nil
}
