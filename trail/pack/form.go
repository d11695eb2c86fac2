package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"kakusho/trail/seal"
)

// Form is what there is of a pack.
type Form int

// The forms, in the order a pack goes through them.
const (
	Here Form = iota // the pack itself, SEGMENT.pack
	Away             // a note of it, SEGMENT.away: the pack is elsewhere
	Bare             // SEGMENT.STATEMENT.hashes: hashes in place of the entries, and the segment that says so
)

// ErrRetired is returned, wrapped, for entries of which only the hashes are left.
var ErrRetired = errors.New("the entry was retired: only its hash is kept")

// ErrElsewhere is returned, wrapped, when a pack is elsewhere and nobody knows where.
var ErrElsewhere = errors.New("the pack is in an archive, and none is set")

// Elsewhere has the packs that are Away.
type Elsewhere interface {
	Index(name string) (Index, error) // ErrDamaged, wrapped, when its note is not in order
	Open(name string) (File, error)   // to read
}

// Index is what is known of a pack without its bytes.
type Index struct {
	First   int64 // entry
	Size    int64
	Headers []byte // of its frames, one after the other
}

// Entries is the type of the frames that stand for entries in this form.
func (f Form) Entries() Type {
	if f == Bare {
		return Hashes
	}
	return Entries
}

// Head is the first 64 bytes of a file in this form; Away has none.
func (f Form) Head(origin string, segment, first int64) []byte {
	b := make([]byte, 0, HeaderSize)
	if b = append(b, packMagic...); f == Bare {
		b = append(b[:0], hashesMagic...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(segment))
	b = binary.BigEndian.AppendUint64(b, uint64(first))
	id := seal.Leaf([]byte(origin))
	b = append(b, id[:]...)
	b = append(b, 0, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// ParseHead reads what Head made, and checks that it is of this log.
func (f Form) ParseHead(b []byte, origin string) (segment, first int64, err error) {
	if len(b) < HeaderSize {
		return 0, 0, fmt.Errorf("%w: %d bytes", ErrDamaged, len(b))
	}
	segment, first = int64(binary.BigEndian.Uint64(b[8:])), int64(binary.BigEndian.Uint64(b[16:]))
	if !bytes.Equal(b[:HeaderSize], f.Head(origin, segment, first)) || segment < 0 || first < 0 {
		return 0, 0, fmt.Errorf("%w: header is not one of %s", ErrDamaged, origin)
	}
	return segment, first, nil
}

var packMagic, hashesMagic = []byte("KKPACK1\n"), []byte("KKHASH1\n")

// FileName is the name of a file in the folder of packs, taken apart.
type FileName struct {
	Name      string
	Segment   int64
	Form      Form
	Statement int64 // of the Bare: the segment that says so
}

// ParseFile reads the name of a file in the folder of packs.
func ParseFile(name string) (FileName, bool) {
	n := FileName{Name: name}
	stem, kind, _ := strings.Cut(name, ".")
	var err error
	if n.Segment, err = strconv.ParseInt(stem, 10, 64); err != nil || n.Segment < 0 {
		return n, false
	}
	switch kind {
	case "pack":
		n.Form = Here
	case "away":
		n.Form = Away
	default:
		digits, ok := strings.CutSuffix(kind, ".hashes")
		if n.Statement, err = strconv.ParseInt(digits, 10, 64); !ok || err != nil || n.Statement < 0 {
			return n, false
		}
		n.Form = Bare
	}
	return n, n.String() == name
}

// String is the name put together.
func (n FileName) String() string {
	switch n.Form {
	case Away:
		return fmt.Sprintf("%016d.away", n.Segment)
	case Bare:
		return fmt.Sprintf("%016d.%016d.hashes", n.Segment, n.Statement)
	}
	return Name(n.Segment)
}

// Files are the names of the packs in dir in all their forms, in order. Of one pack
// there may be several, for a moment; the last is the one that counts.
func Files(dir string) ([]FileName, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list packs: %w", err)
	}
	var names []FileName
	for _, e := range entries {
		if n, ok := ParseFile(e.Name()); ok {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, Compare)
	return names, nil
}

// Later is the file of the same pack in a form further on, if there is one by now.
func (n FileName) Later(dir string) (FileName, bool) {
	names, _ := Files(dir) // what cannot be listed is not there
	i, _ := slices.BinarySearchFunc(names, FileName{Segment: n.Segment + 1}, Compare)
	if i == 0 || names[i-1].Segment != n.Segment || names[i-1].Form <= n.Form {
		return n, false
	}
	return names[i-1], true
}

// Compare puts files in order: by segment, then by form.
func Compare(a, b FileName) int {
	switch {
	case a.Segment != b.Segment:
		return int(min(max(a.Segment-b.Segment, -1), 1))
	case a.Form != b.Form:
		return int(a.Form - b.Form)
	}
	return strings.Compare(a.Name, b.Name)
}

// RotateAfter has a new pack begun when the first frame of the last is as old, by the
// arrival of frames. 0: size alone decides. Call it before Append.
func (s *Set) RotateAfter(age time.Duration) { s.age = age }

// Info is what a set knows of one pack.
type Info struct {
	Name          string
	Form          Form
	Segment, Next int64 // first segment, and the one after the last; -1: it is the last pack
	First, Count  int64 // entries
	Size          int64 // of the file that has the frames
	From, To      int64 // arrival of the first frame and the last; zero: there is none
}

// Infos are the packs in order.
func (s *Set) Infos() ([]Info, error) {
	s.mu.RLock()
	packs := slices.Clone(s.packs)
	s.mu.RUnlock()
	out := make([]Info, len(packs))
	for i, p := range packs {
		s.mu.RLock()
		refs, done := p.refs, p.from != 0 && i < len(packs)-1
		s.mu.RUnlock()
		if refs == nil && !done {
			var err error
			if refs, err = s.load(p); err != nil {
				return nil, err
			}
		}
		s.mu.Lock()
		if len(refs) > 0 {
			p.from, p.to = refs[0].Arrived, refs[len(refs)-1].Arrived
		}
		out[i] = Info{Name: p.name, Form: p.form, Segment: p.segment, Next: -1, First: p.first, Size: p.size, From: p.from, To: p.to}
		s.mu.Unlock()
		if i > 0 {
			out[i-1].Next, out[i-1].Count = p.segment, p.first-out[i-1].First
		}
		if i == len(packs)-1 && len(refs) > 0 {
			out[i].Count = refs[len(refs)-1].end() - p.first
		}
	}
	return out, nil
}

// Kept is the first entry from seq on whose body is kept, here or elsewhere.
func (s *Set) Kept(seq int64) int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i, p := range s.packs {
		if i+1 < len(s.packs) && s.packs[i+1].first <= seq {
			continue
		}
		if p.form != Bare {
			return seq
		}
		if i+1 < len(s.packs) {
			seq = s.packs[i+1].first
		}
	}
	return seq
}

// Move has a pack read in another form from now on: the file n, which is there already.
// What was there before may be removed then.
func (s *Set) Move(n FileName, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.packs, func(p *file) bool { return p.segment == n.Segment })
	if i < 0 || i == len(s.packs)-1 {
		return fmt.Errorf("move %s: not a pack that can be", n)
	}
	p := s.packs[i]
	p.form, p.source, p.size = n.Form, n.Name, size
	if n.Form == Bare {
		p.refs = nil
	}
	return nil
}

// open opens what has the frames of a pack.
func (s *Set) open(p *file) (f File, form Form, size int64, err error) {
	s.mu.RLock()
	name := p.source
	form, size = p.form, p.size
	s.mu.RUnlock()
	switch {
	case form != Away:
		f, err = s.fs.Open(filepath.Join(s.dir, name), false)
	case s.away == nil:
		err = fmt.Errorf("%s: %w", p.name, ErrElsewhere)
	default:
		f, err = s.away.Open(p.name)
	}
	return f, form, size, err
}

// steady calls fn again when it failed and the pack has moved meanwhile: then it may
// have looked where the pack is no longer. A pack moves twice at most.
func (s *Set) steady(p *file, fn func() (Form, error)) error {
	for {
		form, err := fn()
		if err == nil {
			return nil
		}
		s.mu.RLock()
		moved := p.form != form
		s.mu.RUnlock()
		if !moved {
			return err
		}
	}
}

func (s *Set) index(name string) (Index, error) {
	if s.away == nil {
		return Index{}, fmt.Errorf("%s: %w", name, ErrElsewhere)
	}
	return s.away.Index(name)
}

// refsOf makes the refs of a pack that is elsewhere out of its headers.
func (s *Set) refsOf(p *file, size int64) ([]Ref, error) {
	x, err := s.index(p.name)
	if err != nil {
		return nil, err
	}
	refs, end, err := p.walk(&sparse{x.Headers}, size, Away)
	if err == nil && (end != size || len(refs)*HeaderSize != len(x.Headers)) {
		err = fmt.Errorf("%w: %s: its headers do not make %d bytes", ErrDamaged, p.name, size)
	}
	return refs, err
}

// sparse has the headers of a pack, one after the other, for one walk in order.
type sparse struct{ headers []byte }

func (h *sparse) ReadAt(b []byte, _ int64) (int, error) {
	n := copy(b, h.headers)
	if h.headers = h.headers[n:]; n < len(b) {
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}
