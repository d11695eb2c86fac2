package keep

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// Trail is what a Keeper needs of the open trail.
type Trail interface {
	// Covered is how many segments a checkpoint covers, when it covers all the log has.
	Covered(ctx context.Context) (int64, error)
	// Record is the leaf of a segment in the log.
	Record(ctx context.Context, segment int64) ([]byte, error)
	// State seals a retirement and returns its segment when a checkpoint covers it.
	State(ctx context.Context, r seal.Retirement) (int64, error)
}

// Options are the parts a Keeper works with.
type Options struct {
	FS     pack.FS
	Set    *pack.Set
	Codec  *pack.Codec
	Notes  Notes
	Signer note.Signer
	Trail  Trail
	Log    *slog.Logger
}

// Keeper moves the packs of one open trail. It is safe for concurrent use.
type Keeper struct {
	Options
	mu sync.Mutex // one move at a time
}

// New returns the keeper of a trail. Call Recover before anything else.
func New(o Options) *Keeper { return &Keeper{Options: o} }

func (k *Keeper) path(name string) string { return filepath.Join(k.Notes.Dir, name) }

// Packs are the packs of the trail, in order.
func (k *Keeper) Packs(ctx context.Context) ([]Pack, error) {
	covered, err := k.Trail.Covered(ctx)
	if err != nil {
		return nil, fmt.Errorf("list packs: %w", err)
	}
	infos, err := k.Set.Infos()
	if err != nil {
		return nil, fmt.Errorf("list packs: %w", err)
	}
	out := make([]Pack, len(infos))
	for i, x := range infos {
		p := Pack{
			Name: x.Name, FirstSegment: x.Segment, LastSegment: x.Next - 1, First: x.First, Count: x.Count, Bytes: x.Size,
			// At open the last segments are compared with the log, so their pack stays.
			Whole: x.Next >= 0 && x.Next < covered,
		}
		if x.From != 0 {
			p.From, p.To = time.Unix(0, x.From).UTC(), time.Unix(0, x.To).UTC()
		}
		switch x.Form {
		case pack.Here:
			p.State = Local
		case pack.Bare:
			p.State = Hashes
		case pack.Away:
			p.State = Archived
			a, _, err := k.Notes.Read(x.Segment)
			if err != nil {
				return nil, fmt.Errorf("list packs: %w", err)
			}
			p.Digest = a.Digest
		}
		out[i] = p
	}
	return out, nil
}

// whole finds packs that may go, by name.
func (k *Keeper) whole(ctx context.Context, names []string) ([]Pack, error) {
	packs, err := k.Packs(ctx)
	if err != nil {
		return nil, err
	}
	byName := map[string]Pack{}
	for _, p := range packs {
		byName[p.Name] = p
	}
	out := make([]Pack, len(names))
	for i, name := range names {
		p, ok := byName[name]
		switch {
		case !ok:
			return nil, fmt.Errorf("%s: %w", name, ErrNoPack)
		case !p.Whole:
			return nil, fmt.Errorf("%s: %w", name, ErrNotWhole)
		case p.State == Hashes:
			return nil, fmt.Errorf("%s: %w: it is retired already", name, ErrState)
		case p.State == Archived && k.Notes.Archive == nil:
			return nil, fmt.Errorf("%s: %w", name, ErrNoArchive)
		}
		out[i] = p
	}
	return out, nil
}

// Archive puts a pack into the archive, reads all of it back, and removes it here.
func (k *Keeper) Archive(ctx context.Context, name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.archive(ctx, name); err != nil {
		return fmt.Errorf("archive pack: %w", err)
	}
	return nil
}

func (k *Keeper) archive(ctx context.Context, name string) error {
	if k.Notes.Archive == nil {
		return ErrNoArchive
	}
	if err := k.recover(ctx); err != nil {
		return err
	}
	packs, err := k.whole(ctx, []string{name})
	if err != nil {
		return err
	}
	p := packs[0]
	if p.State != Local {
		return fmt.Errorf("%s: %w: it is there already", name, ErrState)
	}
	headers, err := k.headers(&p)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	away := pack.FileName{Segment: p.FirstSegment, Form: pack.Away}
	away.Name = away.String()
	if err := k.begin(away.Name + unfinished); err != nil {
		return err
	}
	if err := k.put(ctx, p); err != nil {
		return err
	}
	text, err := seal.Away{
		Segment: p.FirstSegment, Segments: p.LastSegment - p.FirstSegment + 1, First: p.First, Count: p.Count,
		From: p.From, To: p.To, Bytes: p.Bytes, Digest: p.Digest,
	}.Sign(headers, k.Signer)
	if err != nil {
		return err
	}
	if err := k.write(away.Name, text); err != nil {
		return err
	}
	if err := k.Set.Move(away, p.Bytes); err != nil {
		return err
	}
	return k.remove(name)
}

// headers reads a pack that is here, and notes its digest and size.
func (k *Keeper) headers(p *Pack) (headers []byte, err error) {
	f, err := k.FS.Open(k.path(p.Name), false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if p.Bytes, err = f.Size(); err != nil {
		return nil, err
	}
	sum := sha256.New()
	_, _, err = pack.Stream(io.TeeReader(io.NewSectionReader(f, 0, p.Bytes), sum), pack.Here, k.Signer.Name(), func(h pack.Header, stored []byte) error {
		headers = h.Append(headers)
		return h.Check(stored)
	})
	p.Digest = seal.Hash(sum.Sum(nil))
	return headers, err
}

// put stores a pack and reads it back.
func (k *Keeper) put(ctx context.Context, p Pack) error {
	f, err := k.FS.Open(k.path(p.Name), false)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := k.Notes.Archive.Put(ctx, p.Name, io.NewSectionReader(f, 0, p.Bytes), p.Bytes, p.Digest); err != nil {
		return fmt.Errorf("put %s: %w", p.Name, err)
	}
	r, err := k.Notes.Archive.Get(ctx, p.Name, 0, -1)
	if err != nil {
		return fmt.Errorf("read %s back: %w", p.Name, err)
	}
	sum := sha256.New()
	n, err := io.Copy(sum, r)
	if err = errors.Join(err, r.Close()); err == nil && (n != p.Bytes || [32]byte(sum.Sum(nil)) != p.Digest) {
		err = errors.New("it is not what was put")
	}
	if err != nil {
		return fmt.Errorf("read %s back: %w", p.Name, err)
	}
	return nil
}

// begin makes an empty file: the word that a pack may be in the archive whose note is
// not written yet. As long as it is there, recover takes the pack out of there again.
func (k *Keeper) begin(name string) error {
	if k.there(name) {
		return nil // the archive did not let go of it the last time
	}
	f, err := k.FS.Create(k.path(name))
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), k.FS.SyncDir(k.Notes.Dir))
}

// write finishes a file that was begun: it gets its name when it is whole.
func (k *Keeper) write(name string, data []byte) error {
	f, err := k.FS.Open(k.path(name+unfinished), true)
	if err != nil {
		return err
	}
	w := &sequence{File: f}
	if err = f.Truncate(0); err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return k.rename(name+unfinished, name)
}

func (k *Keeper) rename(from, to string) error {
	if err := k.FS.Rename(k.path(from), k.path(to)); err != nil {
		return err
	}
	return k.FS.SyncDir(k.Notes.Dir)
}

func (k *Keeper) remove(name string) error {
	if err := k.FS.Remove(k.path(name)); err != nil {
		return err
	}
	return k.FS.SyncDir(k.Notes.Dir)
}

// sequence writes a file from its beginning on.
type sequence struct {
	pack.File
	n int64
}

func (s *sequence) Write(b []byte) (int, error) {
	n, err := s.WriteAt(b, s.n)
	s.n += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return n, err
}
