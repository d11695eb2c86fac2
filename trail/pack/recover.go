package pack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

// Tail is where the next frame goes on, and what stands behind the last seal.
type Tail struct {
	Segment int64  // number of the open segment
	First   int64  // its first entry
	Frames  []Part // its frames, on disk
	Record  []byte // text of the last sealed record; nil when there is none
	Arrived int64  // arrival of the last frame
	Cut     int64  // bytes of a torn frame that were removed
}

// Part is a frame with its payload decoded.
type Part struct {
	Header Header
	Raw    []byte
}

// walk reads the headers of a pack in a form up to size and checks that they follow
// one another. It stops without an error before a frame that is not whole.
func (p *file) walk(f io.ReaderAt, size int64, form Form) (refs []Ref, end int64, err error) {
	refs = []Ref{}
	segment, first, arrived, rows := p.segment, p.first, int64(0), 0
	b := make([]byte, HeaderSize)
	for end = HeaderSize; size-end >= HeaderSize; {
		if _, err := f.ReadAt(b, end); err != nil {
			return nil, 0, fmt.Errorf("read %s at %d: %w", p.name, end, err)
		}
		h, err := ParseHeader(b)
		if err != nil {
			if blank(f, end, size) || torn(f, end, size) {
				return refs, end, nil
			}
			return nil, 0, fmt.Errorf("%w: %s at %d: %w", ErrDamaged, p.name, end, err)
		}
		if h.Segment != segment || h.First != first || h.Type == Seal && h.Count != rows || h.Arrived < arrived || h.Type != Seal && h.Type != form.Entries() {
			return nil, 0, fmt.Errorf("%w: %s at %d: frame of segment %d, entry %d, out of order", ErrDamaged, p.name, end, h.Segment, h.First)
		}
		if size-end-HeaderSize < int64(h.Stored) {
			return refs, end, nil
		}
		if h.Type == Seal {
			segment, rows = segment+1, 0
		} else {
			first, rows = first+int64(h.Count), rows+1
		}
		arrived = h.Arrived
		refs = append(refs, Ref{pack: p, Off: end, Header: h, form: form})
		end += HeaderSize + int64(h.Stored)
	}
	return refs, end, nil
}

// blank reports whether there are only zeros from off on: a file system may
// lengthen a file and lose the write, and no frame begins so.
func blank(f io.ReaderAt, off, size int64) bool {
	b := make([]byte, 1<<16)
	for off < size {
		n := min(int64(len(b)), size-off)
		if _, err := f.ReadAt(b[:n], off); err != nil || len(bytes.Trim(b[:n], "\x00")) > 0 {
			return false
		}
		off += n
	}
	return true
}

// sector is the least that a disk writes at once.
const sector = 512

// torn reports whether the frame at off, which is the last, may be one whose write a
// power cut has kept in part: a whole sector of it is zeros, and no frame follows.
// Frames have no such runs, and damage seldom makes one; and who can make one can as
// well cut the file.
func torn(f io.ReaderAt, off, size int64) bool {
	if size-off > HeaderSize+maxStored {
		return false // no frame is so long
	}
	b := make([]byte, size-off)
	if _, err := f.ReadAt(b, off); err != nil || next(b, 1) < len(b) {
		return false
	}
	for len(b) > 0 {
		n := min(sector-int(off%sector), len(b))
		if len(bytes.Trim(b[:n], "\x00")) == 0 {
			return true
		}
		b, off = b[n:], off+int64(n)
	}
	return false
}

// Recover reads the end of the trail and makes it ready to append to. A frame
// that is not whole was never acknowledged, and is cut off; anything else that is
// wrong is ErrDamaged. The packs before the last seal's are not read.
func (s *Set) Recover() (Tail, error) {
	if s.unborn != "" {
		if err := errors.Join(s.fs.Remove(filepath.Join(s.dir, s.unborn)), s.fs.SyncDir(s.dir)); err != nil {
			return Tail{}, fmt.Errorf("remove empty pack: %w", err)
		}
	}
	n := len(s.packs)
	if n == 0 {
		return Tail{}, nil
	}
	p := s.packs[n-1]
	f, err := s.fs.Open(filepath.Join(s.dir, p.name), true)
	if err != nil {
		return Tail{}, fmt.Errorf("open pack: %w", err)
	}
	t, err := s.recover(p, f)
	if err != nil {
		return Tail{}, errors.Join(err, f.Close())
	}
	s.last = f
	return t, nil
}

func (s *Set) recover(p *file, f File) (Tail, error) {
	refs, end, err := p.walk(f, p.size, Here)
	if err != nil {
		return Tail{}, err
	}
	if n := len(refs); n > 0 {
		// Its header may have come to the disk before all of the rest.
		if _, err := s.Read(refs[n-1]); errors.Is(err, ErrDamaged) && torn(f, refs[n-1].Off, end) {
			refs, end = refs[:n-1], refs[n-1].Off
		}
	}
	t := Tail{Cut: p.size - end}
	if t.Cut > 0 {
		if err := f.Truncate(end); err != nil {
			return Tail{}, fmt.Errorf("cut torn frame of %s: %w", p.name, err)
		}
	}
	p.size, p.refs = end, refs
	if err := s.tail(p, &t); err != nil {
		return Tail{}, err
	}
	return t, s.rewrite(p, f, len(refs)-len(t.Frames)-1)
}

// Peek makes the set ready to read what is on disk now, and returns the number of
// the entry after the last. It changes nothing, and another may be writing: a frame
// at the end that is not whole yet is left out.
func (s *Set) Peek() (next int64, err error) {
	n := len(s.packs)
	if n == 0 {
		return 0, nil
	}
	p := s.packs[n-1]
	f, err := s.fs.Open(filepath.Join(s.dir, p.name), false)
	if err != nil {
		return 0, fmt.Errorf("open pack: %w", err)
	}
	defer f.Close()
	if p.refs, p.size, err = p.walk(f, p.size, Here); err != nil {
		return 0, err
	}
	if n := len(p.refs); n > 0 {
		if _, err := s.Read(p.refs[n-1]); errors.Is(err, ErrDamaged) {
			p.size, p.refs = p.refs[n-1].Off, p.refs[:n-1]
		}
	}
	if n := len(p.refs); n > 0 {
		return p.refs[n-1].end(), nil
	}
	return p.first, nil
}

// rewrite writes the last seal and what follows once more, the same bytes. After
// a failed sync the kernel may hold pages that are not on disk and say no more
// about it; written again they are, or the error comes back.
func (s *Set) rewrite(p *file, f File, from int) error {
	off := int64(0)
	if from >= 0 && from < len(p.refs) {
		off = p.refs[from].Off
	}
	b := make([]byte, p.size-off)
	if _, err := f.ReadAt(b, off); err != nil {
		return fmt.Errorf("read end of %s: %w", p.name, err)
	}
	if n, err := f.WriteAt(b, off); err != nil || n != len(b) {
		return fmt.Errorf("write end of %s: %w", p.name, orShort(err))
	}
	if err := errors.Join(f.Sync(), s.fs.SyncDir(s.dir)); err != nil {
		return fmt.Errorf("sync end of %s: %w", p.name, err)
	}
	return nil
}

// tail fills in t from the last pack and, when that has no seal, the one before.
func (s *Set) tail(p *file, t *Tail) error {
	t.Segment, t.First = p.segment, p.first
	i := len(p.refs)
	for i > 0 && p.refs[i-1].Type != Seal {
		i--
	}
	sealed := p.refs[:i]
	if i == 0 && len(s.packs) > 1 {
		before := s.packs[len(s.packs)-2]
		refs, err := s.load(before)
		if err != nil {
			return err
		}
		if sealed = refs; len(refs) == 0 || refs[len(refs)-1].Type != Seal {
			return fmt.Errorf("%w: %s does not end with a seal", ErrDamaged, before.name)
		}
	}
	if len(sealed) > 0 {
		last := sealed[len(sealed)-1]
		raw, err := s.Read(last)
		if err != nil {
			return err
		}
		record, _, err := last.Split(raw)
		if err != nil {
			return fmt.Errorf("%w: %s at %d: %w", ErrDamaged, last.pack.name, last.Off, err)
		}
		t.Record, t.Segment, t.First, t.Arrived = record, last.Segment+1, last.First, last.Arrived
	}
	if t.Segment < p.segment || t.First != p.first && i == 0 {
		return fmt.Errorf("%w: %s does not follow the pack before", ErrDamaged, p.name)
	}
	for _, r := range p.refs[i:] {
		raw, err := s.Read(r)
		if err != nil {
			return err
		}
		t.Frames, t.Arrived = append(t.Frames, Part{r.Header, raw}), r.Arrived
	}
	return nil
}

// Seals calls fn with the text of each sealed record from a segment on, in order.
func (s *Set) Seals(from int64, fn func(segment int64, record []byte) error) error {
	for i, p := range s.packs {
		if i+1 < len(s.packs) && s.packs[i+1].segment <= from {
			continue
		}
		refs := p.refs
		if refs == nil {
			var err error
			if refs, err = s.load(p); err != nil {
				return err
			}
		}
		for _, r := range refs {
			if r.Type != Seal || r.Segment < from {
				continue
			}
			raw, err := s.Read(r)
			if err != nil {
				return err
			}
			record, _, err := r.Split(raw)
			if err != nil {
				return err
			}
			if err := fn(r.Segment, record); err != nil {
				return err
			}
		}
	}
	return nil
}
