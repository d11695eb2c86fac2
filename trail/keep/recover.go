package keep

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// Recover finishes or undoes what was begun before a crash. A pack that cannot be
// removed from the archive now is left for later.
func (k *Keeper) Recover(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.recover(ctx); err != nil {
		return fmt.Errorf("bring packs in order: %w", err)
	}
	return nil
}

func (k *Keeper) recover(ctx context.Context) error {
	entries, err := os.ReadDir(k.Notes.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		stem, new := strings.CutSuffix(e.Name(), unfinished)
		n, ok := pack.ParseFile(stem)
		if !ok {
			continue
		}
		switch {
		case new && n.Form == pack.Bare:
			err = k.stated(ctx, n)
		case new:
			err = k.lenient(k.unput(ctx, n))
		case n.Form == pack.Away && k.there(pack.Name(n.Segment)):
			err = k.gone(n)
		case n.Form == pack.Bare && (k.there(pack.Name(n.Segment)) || k.there(pack.FileName{Segment: n.Segment, Form: pack.Away}.String())):
			err = k.retired(ctx, n)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	return nil
}

func (k *Keeper) there(name string) bool {
	_, err := os.Lstat(k.path(name))
	return err == nil
}

// stated looks whether there is a statement for hashes that were made ready. With one
// the pack goes; without, the hashes do.
func (k *Keeper) stated(ctx context.Context, n pack.FileName) error {
	covered, err := k.Trail.Covered(ctx)
	if err != nil {
		return err
	}
	for s := n.Statement; s < covered; s++ {
		ok, err := k.states(ctx, s, n.Segment)
		if err != nil {
			return err
		}
		if ok {
			return k.lenient(k.finish(ctx, n.Segment, n.Statement, s))
		}
	}
	return k.remove(n.String() + unfinished)
}

// states reports whether the record of a segment retires the pack that begins with first.
func (k *Keeper) states(ctx context.Context, segment, first int64) (bool, error) {
	text, err := k.Trail.Record(ctx, segment)
	if err != nil {
		return false, err
	}
	r, err := seal.ParseRecord(text)
	if err != nil {
		return false, err
	}
	return r.Retirement != nil && slices.ContainsFunc(r.Retirement.Packs, func(p seal.Retired) bool { return p.FirstSegment == first }), nil
}

// gone removes a pack that is in the archive, where it was read back before its note
// was written. It has to be the one the note is of.
func (k *Keeper) gone(n pack.FileName) error {
	a, _, err := k.Notes.Read(n.Segment)
	if err != nil {
		return err
	}
	f, err := k.FS.Open(k.path(pack.Name(n.Segment)), false)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, io.NewSectionReader(f, 0, 1<<62))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if seal.Hash(sum.Sum(nil)) != a.Digest {
		return fmt.Errorf("%w: %s is not the pack that was archived", pack.ErrDamaged, pack.Name(n.Segment))
	}
	return k.remove(pack.Name(n.Segment))
}

// retired removes the bodies of a pack whose hashes are there, if they were retired.
func (k *Keeper) retired(ctx context.Context, n pack.FileName) error {
	covered, err := k.Trail.Covered(ctx)
	if err != nil {
		return err
	}
	ok := false
	if n.Statement < covered {
		if ok, err = k.states(ctx, n.Statement, n.Segment); err != nil {
			return err
		}
	}
	if !ok {
		return fmt.Errorf("%w: segment %d does not retire it", pack.ErrDamaged, n.Statement)
	}
	return k.lenient(k.drop(ctx, n))
}

// unput takes a pack out of the archive whose note was not finished: it is still here,
// and may be retired without anybody thinking of the archive.
func (k *Keeper) unput(ctx context.Context, n pack.FileName) error {
	if !k.there(n.String()) {
		if err := k.delete(ctx, n.Segment); err != nil {
			return err
		}
	}
	return k.remove(n.String() + unfinished)
}

// lenient lets an archive that cannot be reached not keep the trail from opening.
func (k *Keeper) lenient(err error) error {
	if errors.Is(err, errLater) {
		k.Log.Warn("pack is still in the archive", "error", err)
		return nil
	}
	return err
}
