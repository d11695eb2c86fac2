// Package sight keeps when the cells of subjects were seen, and says which of them
// are not to be believed at an instant.
//
// The fields that one collector finds share a column of moments; a field that was
// seen at another time, or holds for another time, than the rest of its group
// stands apart, row by row.
package sight

import (
	"maps"
	"slices"
	"sync"
	"time"

	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/column"
)

// Seen is when a cell was seen and which parameter says how long that holds, in
// the numbers of Moments. The zero Seen is that of a cell that is not there.
type Seen struct{ Moment, Fresh uint32 }

// Moments numbers the instants at which something was seen, from 1, and the keys
// of parameters that say how long that holds, "" for ever being 0. Like a
// Dictionary it only grows, may be shared by forks, and is safe for concurrent
// use.
type Moments struct {
	mu    sync.RWMutex
	codes map[moment]uint32
	list  []time.Time
	nanos []int64 // of list
	fresh []string
}

// moment tells instants apart, also those that int64 nanoseconds do not reach.
type moment struct {
	sec  int64
	nano int32
}

// NewMoments makes an empty one.
func NewMoments() *Moments {
	return &Moments{codes: map[moment]uint32{}, list: []time.Time{{}}, nanos: []int64{0}, fresh: []string{""}}
}

// Seen is the number of a sight.
func (m *Moments) Seen(fresh string, at time.Time) Seen {
	k := moment{at.Unix(), int32(at.Nanosecond())}
	m.mu.RLock()
	code, ok := m.codes[k]
	f := slices.Index(m.fresh, fresh)
	m.mu.RUnlock()
	if ok && f >= 0 {
		return Seen{code, uint32(f)}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if code, ok = m.codes[k]; !ok {
		code = uint32(len(m.list))
		m.codes[k] = code
		m.list, m.nanos = append(m.list, at), append(m.nanos, nanos(at))
	}
	if f = slices.Index(m.fresh, fresh); f < 0 {
		f = len(m.fresh)
		m.fresh = append(m.fresh, fresh)
	}
	return Seen{code, uint32(f)}
}

// List is the instant of every number; later ones are not in it.
func (m *Moments) List() []time.Time {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.list[:len(m.list):len(m.list)]
}

func (m *Moments) nanoList() []int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.nanos
}

// At is the instant of a sight.
func (m *Moments) At(s Seen) time.Time {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.list[s.Moment]
}

// Fresh is the key of the parameter of a sight.
func (m *Moments) Fresh(s Seen) string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.fresh[s.Fresh]
}

// Keys lists every key of a parameter, by number.
func (m *Moments) Keys() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.fresh[:len(m.fresh):len(m.fresh)]
}

// Sights are the moments at which the fields of a group were seen, for every
// row. What one collector finds it finds at one time, so that the group shares a
// column; a field that was seen at another time than the rest of its row stands
// apart. Reading is safe for concurrent use, writing is not.
type Sights struct {
	moments *Moments
	base    *column.Column
	fields  []fieldSights
	edits   []uint64 // page → changes
	total   uint64
}

// fieldSights is what a field of the group has of its own.
type fieldSights struct {
	known  bool // fresh was learnt
	fresh  uint32
	pages  []map[uint16]Seen // page → row within it → how it was seen, where it stands apart
	shared []bool            // page → a fork may have the map too
}

// NewSights makes the sights of a group of so many fields.
func NewSights(m *Moments, fields int) *Sights {
	return &Sights{moments: m, base: column.New(), fields: make([]fieldSights, fields)}
}

// Fork is a copy that shares what neither changes.
func (s *Sights) Fork() *Sights {
	n := *s
	n.base, n.fields, n.edits = s.base.Fork(), slices.Clone(s.fields), slices.Clone(s.edits)
	for i := range s.fields {
		f := &s.fields[i]
		for page := range f.shared {
			f.shared[page] = true
		}
		n.fields[i].pages, n.fields[i].shared = slices.Clone(f.pages), slices.Clone(f.shared)
	}
	return &n
}

// PageEdits grows with every change of a page.
func (s *Sights) PageEdits(page int) uint64 {
	if page >= len(s.edits) {
		return 0
	}
	return s.edits[page]
}

// Edits grows with every change.
func (s *Sights) Edits() uint64 { return s.total }

func (s *Sights) edit(row int) {
	s.total++
	for page := row / bits.Size; page >= len(s.edits); {
		s.edits = append(s.edits, 0)
	}
	s.edits[row/bits.Size]++
}

// Fields is the number of fields of the group.
func (s *Sights) Fields() int { return len(s.fields) }

// At is how a field of a row was seen. Of a field that has no cell there it says
// nothing in particular.
func (s *Sights) At(row, field int) Seen {
	f := &s.fields[field]
	if seen, ok := f.apart(row); ok {
		return seen
	}
	return Seen{s.base.At(row), f.fresh}
}

func (f *fieldSights) apart(row int) (seen Seen, ok bool) {
	if page := row / bits.Size; page < len(f.pages) && f.pages[page] != nil {
		seen, ok = f.pages[page][uint16(row%bits.Size)]
	}
	return seen, ok
}

// Put says how a field of a row was seen.
func (s *Sights) Put(row, field int, seen Seen) {
	f := &s.fields[field]
	s.learn(f, seen)
	was, apart := f.apart(row)
	base := s.base.At(row)
	switch {
	case apart && was == seen, !apart && seen == Seen{base, f.fresh}:
		return
	case seen == Seen{base, f.fresh}:
		delete(f.own(row), uint16(row%bits.Size))
	case base == 0 && !apart && seen.Fresh == f.fresh:
		s.base.Set(row, seen.Moment)
	default:
		f.own(row)[uint16(row%bits.Size)] = seen
	}
	s.edit(row)
}

func (s *Sights) learn(f *fieldSights, seen Seen) {
	if !f.known && seen != (Seen{}) {
		f.known, f.fresh = true, seen.Fresh
	}
}

// PutRow says how every field of a row was seen; the zero Seen where it was not.
// What most fields agree on is shared.
func (s *Sights) PutRow(row int, seen []Seen) {
	most := majority(seen)
	s.base.Set(row, most)
	s.edit(row)
	for i, x := range seen {
		f := &s.fields[i]
		s.learn(f, x)
		_, apart := f.apart(row)
		switch {
		case x != Seen{} && x != Seen{most, f.fresh}:
			f.own(row)[uint16(row%bits.Size)] = x
		case apart:
			delete(f.own(row), uint16(row%bits.Size))
		}
	}
}

// majority is the moment that more than half of what was seen has, if any is.
func majority(seen []Seen) (most uint32) {
	lead := 0
	for _, x := range seen {
		switch {
		case x.Moment == 0:
		case lead == 0:
			most, lead = x.Moment, 1
		case x.Moment == most:
			lead++
		default:
			lead--
		}
	}
	return most
}

// own is the map of the rows that stand apart, to be written to.
func (f *fieldSights) own(row int) map[uint16]Seen {
	page := row / bits.Size
	for len(f.pages) <= page {
		f.pages, f.shared = append(f.pages, nil), append(f.shared, false)
	}
	switch {
	case f.pages[page] == nil:
		f.pages[page] = map[uint16]Seen{}
	case f.shared[page]:
		f.pages[page] = maps.Clone(f.pages[page])
	}
	f.shared[page] = false
	return f.pages[page]
}

// Mark notes in used which moments the sights hold.
func (s *Sights) Mark(used []bool) {
	s.base.Mark(used)
	for i := range s.fields {
		for _, rows := range s.fields[i].pages {
			for _, seen := range rows {
				used[seen.Moment] = true
			}
		}
	}
}

// Renumber is the sights with other moments.
func (s *Sights) Renumber(m *Moments, to []uint32) *Sights {
	n := &Sights{moments: m, base: s.base.Renumber(to), fields: make([]fieldSights, len(s.fields)), edits: slices.Clone(s.edits)}
	for page := range n.edits {
		n.edits[page]++
	}
	for i := range s.fields {
		f, nf := &s.fields[i], &n.fields[i]
		nf.known, nf.fresh = f.known, f.fresh
		for page, rows := range f.pages {
			for row, seen := range rows {
				nf.own(page*bits.Size + int(row))[row] = Seen{to[seen.Moment], seen.Fresh}
			}
		}
	}
	return n
}

// Compact is the moments that are used only, in their order, and for every old
// number its new one. Keys of parameters keep their numbers.
func (m *Moments) Compact(used []bool) (*Moments, []uint32) {
	n, list := NewMoments(), m.List()
	n.fresh = slices.Clone(m.Keys())
	to := make([]uint32, len(list))
	var codes []int
	for code := range list {
		if code > 0 && code < len(used) && used[code] {
			codes = append(codes, code)
		}
	}
	slices.SortFunc(codes, func(a, b int) int { return list[a].Compare(list[b]) })
	for _, code := range codes {
		to[code] = n.Seen("", list[code]).Moment
	}
	return n, to
}
