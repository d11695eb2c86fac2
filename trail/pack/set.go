// Package pack keeps the bytes of the trail: frames of entries, one after the
// other, in pack files, with a seal after each segment.
//
// It promises that a frame is on disk when Append returns, and that what stands
// in the files is what was appended or an error. It knows no signatures and no
// log: package trail adds these. FORMAT.md beside package trail gives the bytes.
package pack

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrDamaged is returned, wrapped with the place, when the files are not what was
// written and a crash cannot have left them so. Nothing was changed.
var ErrDamaged = errors.New("pack is damaged")

// Ref is where a frame stands.
type Ref struct {
	pack *file
	Off  int64
	Header
	form Form // of the file it stood in
}

// Name is the file the frame stands in.
func (r Ref) Name() string { return r.pack.name }

// file is one pack. segment, first and name never change; the rest is under Set.mu.
type file struct {
	name    string
	segment int64 // first segment
	first   int64 // first entry
	form    Form
	source  string // of the bare: the name of its file
	size    int64  // of the file that has the frames
	refs    []Ref  // nil: not read yet, or forgotten

	from, to int64 // arrival of the first and the last frame; zero: not read yet
}

// Set is the packs of one trail. One goroutine appends, any read.
type Set struct {
	fs     FS
	dir    string
	origin string
	limit  int64
	age    time.Duration
	codec  *Codec
	away   Elsewhere

	last   File   // the pack appended to; of the appending goroutine
	unborn string // a pack at the end that has no header yet

	mu     sync.RWMutex
	packs  []*file
	recent []*file // older packs whose refs are kept, oldest use first
}

// recentPacks is how many older packs keep their refs in memory.
const recentPacks = 4

// Name is the file name of the pack that begins with a segment.
func Name(segment int64) string { return fmt.Sprintf("%016d.pack", segment) }

// ParseName is the segment that a file name says the pack begins with.
func ParseName(name string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, ".pack")
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, ok && err == nil && n >= 0 && Name(n) == name
}

// PackHeader is the first 64 bytes of a pack.
func PackHeader(origin string, segment, first int64) []byte {
	return Here.Head(origin, segment, first)
}

// ParsePackHeader reads one and checks that it is of this log.
func ParsePackHeader(b []byte, origin string) (segment, first int64, err error) {
	return Here.ParseHead(b, origin)
}

// Open reads which packs there are in dir and changes nothing. New ones are begun
// when the last is longer than limit and its segment sealed. Recover must be called
// before Append; Peek is enough to read. away may be nil when there are none.
func Open(fs FS, dir, origin string, limit int64, codec *Codec, away Elsewhere) (*Set, error) {
	s := &Set{fs: fs, dir: dir, origin: origin, limit: limit, codec: codec, away: away}
	names, err := Files(dir)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		if i+1 < len(names) && names[i+1].Segment == name.Segment {
			continue // it has moved on; what is left of it here is for package keep
		}
		p, err := s.read(name)
		if err != nil {
			// A pack is begun before anything in it is acknowledged.
			if i == len(names)-1 && errors.Is(err, errUnborn) {
				s.unborn = name.Name
				break
			}
			return nil, fmt.Errorf("open %s: %w", name.Name, err)
		}
		s.packs = append(s.packs, p)
	}
	if len(s.packs) > 0 && s.packs[0].segment != 0 {
		return nil, fmt.Errorf("%w: begins with %s; earlier packs are missing", ErrDamaged, s.packs[0].name)
	}
	if n := len(s.packs); n > 0 && s.packs[n-1].form != Here {
		return nil, fmt.Errorf("%w: the last pack, %s, is not here", ErrDamaged, s.packs[n-1].name)
	}
	return s, nil
}

// List is the names of the packs in dir, in order. Other files are not packs.
func List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list packs: %w", err)
	}
	var names []string
	for _, e := range entries {
		if _, ok := ParseName(e.Name()); ok {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

var errUnborn = errors.New("pack without a header")

func (s *Set) read(n FileName) (*file, error) {
	p := &file{name: Name(n.Segment), segment: n.Segment, form: n.Form, source: n.Name}
	if n.Form == Away {
		x, err := s.index(p.name)
		p.first, p.size = x.First, x.Size
		return p, err
	}
	f, err := s.fs.Open(filepath.Join(s.dir, n.Name), false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if p.size, err = f.Size(); err != nil {
		return nil, err
	}
	b := make([]byte, min(p.size, HeaderSize))
	if _, err := f.ReadAt(b, 0); err != nil {
		return nil, err
	}
	if p.size < HeaderSize || p.size == HeaderSize && bytes.Equal(b, make([]byte, HeaderSize)) {
		return nil, errUnborn
	}
	segment, first, err := n.Form.ParseHead(b, s.origin)
	if err != nil {
		return nil, err
	}
	if segment != n.Segment {
		return nil, fmt.Errorf("%w: begins with segment %d", ErrDamaged, segment)
	}
	p.first = first
	return p, nil
}

// Append writes a frame made by Codec.Frame behind the last one and returns when
// it is on disk. After an error the set must not be appended to again.
func (s *Set) Append(frame []byte, h Header) error {
	p, err := s.room(h)
	if err != nil {
		return err
	}
	if n, err := s.last.WriteAt(frame, p.size); err != nil || n != len(frame) {
		return fmt.Errorf("write %s: %d of %d bytes: %w", p.name, n, len(frame), orShort(err))
	}
	if err := s.last.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", p.name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.refs = append(p.refs, Ref{pack: p, Off: p.size, Header: h})
	p.size += int64(len(frame))
	return nil
}

func orShort(err error) error {
	if err == nil {
		return errors.New("short write")
	}
	return err
}

// room is the pack the next frame goes to.
func (s *Set) room(h Header) (*file, error) {
	if n := len(s.packs); n > 0 {
		p := s.packs[n-1]
		sealed := len(p.refs) > 0 && p.refs[len(p.refs)-1].Type == Seal
		if !sealed || p.size < s.limit && (s.age <= 0 || h.Arrived-p.refs[0].Arrived < int64(s.age)) {
			return p, nil
		}
	}
	p := &file{name: Name(h.Segment), source: Name(h.Segment), segment: h.Segment, first: h.First, size: HeaderSize, refs: []Ref{}}
	f, err := s.fs.Create(filepath.Join(s.dir, p.name))
	if err != nil {
		return nil, fmt.Errorf("begin pack: %w", err)
	}
	b := PackHeader(s.origin, h.Segment, h.First)
	n, err := f.WriteAt(b, 0)
	if err == nil && n != len(b) {
		err = orShort(nil)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = s.fs.SyncDir(s.dir)
	}
	if err != nil {
		return nil, fmt.Errorf("begin %s: %w", p.name, errors.Join(err, f.Close()))
	}
	if s.last != nil {
		if err := s.last.Close(); err != nil {
			return nil, fmt.Errorf("close pack: %w", errors.Join(err, f.Close()))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.packs = f, append(s.packs, p)
	if len(s.packs) > 1 {
		s.keep(s.packs[len(s.packs)-2])
	}
	return p, nil
}

// keep notes that p was used and forgets the refs of the one used longest ago.
// The caller holds mu.
func (s *Set) keep(p *file) {
	if i := slices.Index(s.recent, p); i >= 0 {
		s.recent = slices.Delete(s.recent, i, i+1)
	}
	if s.recent = append(s.recent, p); len(s.recent) > recentPacks {
		s.recent[0].refs = nil
		s.recent = slices.Delete(s.recent, 0, 1)
	}
}

// Close lets go of the files.
func (s *Set) Close() error {
	if s.last == nil {
		return nil
	}
	return s.last.Close()
}

// Segment is the frames of the segment that holds an entry: its Entries frames
// and, when it is sealed, its Seal at the end.
func (s *Set) Segment(seq int64) ([]Ref, error) {
	refs, i, err := s.find(seq)
	if err != nil {
		return nil, err
	}
	from, to := i, i+1
	for from > 0 && refs[from-1].Segment == refs[i].Segment {
		from--
	}
	for to < len(refs) && refs[to].Segment == refs[i].Segment {
		to++
	}
	return slices.Clone(refs[from:to]), nil
}

// Find is the Entries frame that holds an entry. ErrRetired: only its hash is there.
func (s *Set) Find(seq int64) (Ref, error) {
	refs, i, err := s.find(seq)
	if err != nil {
		return Ref{}, err
	}
	if refs[i].Type == Hashes {
		return Ref{}, fmt.Errorf("entry %d: %w", seq, ErrRetired)
	}
	return refs[i], nil
}

func (s *Set) find(seq int64) ([]Ref, int, error) {
	s.mu.RLock()
	n := sort.Search(len(s.packs), func(i int) bool { return s.packs[i].first > seq })
	// Packs that hold only empty segments begin with the same entry as the next.
	if n == 0 || seq < 0 {
		s.mu.RUnlock()
		return nil, 0, fmt.Errorf("no entry %d", seq)
	}
	p := s.packs[n-1]
	refs := p.refs
	s.mu.RUnlock()
	if refs == nil {
		var err error
		if refs, err = s.load(p); err != nil {
			return nil, 0, err
		}
	}
	i := sort.Search(len(refs), func(i int) bool { return refs[i].end() > seq })
	if i == len(refs) || refs[i].Type == Seal || refs[i].First > seq {
		return nil, 0, fmt.Errorf("no entry %d", seq)
	}
	return refs, i, nil
}

// end is the entry after the frame.
func (r Ref) end() int64 {
	if r.Type == Seal {
		return r.First // already the one after
	}
	return r.First + int64(r.Count)
}

func (s *Set) load(p *file) ([]Ref, error) {
	var refs []Ref
	var form Form
	err := s.steady(p, func() (Form, error) {
		var err error
		refs, form, err = s.look(p)
		return form, err
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.form == form || form == Here && p.form == Away {
		p.refs = refs
		s.keep(p)
	}
	return refs, nil
}

// look reads the refs of a pack, in the form it is in.
func (s *Set) look(p *file) ([]Ref, Form, error) {
	s.mu.RLock()
	form, size := p.form, p.size
	s.mu.RUnlock()
	if form == Away {
		refs, err := s.refsOf(p, size)
		return refs, form, err
	}
	f, form, size, err := s.open(p)
	if err != nil {
		return nil, form, fmt.Errorf("read pack: %w", err)
	}
	defer f.Close()
	refs, end, err := p.walk(f, size, form)
	if err == nil && end != size {
		err = fmt.Errorf("%w: %s: torn at %d", ErrDamaged, p.name, end)
	}
	return refs, form, err
}

// Read returns the payload of a frame, decoded. ErrRetired: it had entries, and only
// their hashes are there now, or the pack was retired since r was found.
func (s *Set) Read(r Ref) (raw []byte, err error) {
	err = s.steady(r.pack, func() (form Form, err error) {
		raw, form, err = s.readFrame(r)
		return form, err
	})
	return raw, err
}

func (s *Set) readFrame(r Ref) ([]byte, Form, error) {
	f, form, _, err := s.open(r.pack)
	if err != nil {
		return nil, form, fmt.Errorf("read frame: %w", err)
	}
	defer f.Close()
	if form == Bare && r.form != Bare {
		return nil, form, fmt.Errorf("entry %d: %w", r.First, ErrRetired)
	}
	b := make([]byte, HeaderSize+r.Stored)
	if _, err := f.ReadAt(b, r.Off); err != nil {
		return nil, form, fmt.Errorf("read frame: %s: %w", r.pack.name, err)
	}
	raw, err := s.payload(r, b)
	return raw, form, err
}

// payload is that of the frame in b, which must be r's.
func (s *Set) payload(r Ref, b []byte) ([]byte, error) {
	h, err := ParseHeader(b)
	if err == nil && h != r.Header {
		err = fmt.Errorf("%w: header has changed", ErrFrame)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s at %d: %w", ErrDamaged, r.pack.name, r.Off, err)
	}
	raw, err := s.codec.Payload(h, b[HeaderSize:])
	if err != nil {
		return nil, fmt.Errorf("%w: %s at %d: %w", ErrDamaged, r.pack.name, r.Off, err)
	}
	return raw, nil
}
