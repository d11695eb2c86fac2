package column

import (
	"slices"
	"sync"
	"time"

	"kakusho/judge/fleet/bits"
)

// Sight is when a cell was seen, and the parameter that says how long it holds;
// without one it holds for ever.
type Sight struct {
	Fresh string
	At    time.Time
}

// Moments numbers distinct sights. Like a Dictionary it only grows, may be
// shared by forks, and is safe for concurrent use. Code 0 is never given.
type Moments struct {
	mu    sync.RWMutex
	codes map[moment]uint32
	list  []Sight
}

type moment struct {
	fresh string
	sec   int64
	nano  int
}

// NewMoments makes an empty one.
func NewMoments() *Moments { return &Moments{codes: map[moment]uint32{}, list: []Sight{{}}} }

// Code is the number of a sight.
func (m *Moments) Code(s Sight) uint32 {
	k := moment{s.Fresh, s.At.Unix(), s.At.Nanosecond()}
	m.mu.RLock()
	code, ok := m.codes[k]
	m.mu.RUnlock()
	if ok {
		return code
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if code, ok := m.codes[k]; ok {
		return code
	}
	code = uint32(len(m.list))
	m.list = append(m.list, s)
	m.codes[k] = code
	return code
}

// List is the sight of every code; later codes are not in it.
func (m *Moments) List() []Sight {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.list[:len(m.list):len(m.list)]
}

// At is the sight of a code.
func (m *Moments) At(code uint32) Sight {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.list[code]
}

// Sights are the moments at which the fields of a group were seen, for every
// row. What one collector finds it finds at one time, so that the group shares a
// column; a field that was seen at another time than the rest of its row stands
// apart.
type Sights struct {
	moments *Moments
	base    *Column
	apart   []map[uint32]uint32 // field → row → code; nil: none
	shared  []bool              // field → a fork may have the map too
}

// NewSights makes the sights of a group of so many fields.
func NewSights(m *Moments, fields int) *Sights {
	return &Sights{moments: m, base: New(), apart: make([]map[uint32]uint32, fields), shared: make([]bool, fields)}
}

// Fork is a copy that shares what neither changes.
func (s *Sights) Fork() *Sights {
	for i := range s.shared {
		s.shared[i] = true
	}
	return &Sights{moments: s.moments, base: s.base.Fork(), apart: slices.Clone(s.apart), shared: slices.Clone(s.shared)}
}

// At is the code of when a field of a row was seen.
func (s *Sights) At(row, field int) uint32 {
	if code, ok := s.apart[field][uint32(row)]; ok {
		return code
	}
	return s.base.At(row)
}

// Put says when a field of a row was seen.
func (s *Sights) Put(row, field int, code uint32) {
	was, ok := s.apart[field][uint32(row)]
	if ok && was == code {
		return
	}
	base := s.base.At(row)
	switch {
	case base == code:
		if ok {
			delete(s.own(field), uint32(row))
		}
	case base == 0:
		s.base.Set(row, code)
	default:
		s.own(field)[uint32(row)] = code
	}
}

// PutRow says when every field of a row was seen; 0 where it was not. What most
// fields agree on is shared.
func (s *Sights) PutRow(row int, codes []uint32) {
	var most uint32
	for best, i := 0, 0; i < len(codes); i++ {
		n := 0
		for _, c := range codes[i:] {
			if c == codes[i] {
				n++
			}
		}
		if codes[i] != 0 && n > best {
			best, most = n, codes[i]
		}
	}
	s.base.Set(row, most)
	for field, code := range codes {
		_, ok := s.apart[field][uint32(row)]
		switch {
		case code != 0 && code != most:
			s.own(field)[uint32(row)] = code
		case ok:
			delete(s.own(field), uint32(row))
		}
	}
}

func (s *Sights) own(field int) map[uint32]uint32 {
	if s.apart[field] == nil {
		s.apart[field] = map[uint32]uint32{}
	} else if s.shared[field] {
		m := make(map[uint32]uint32, len(s.apart[field]))
		for row, code := range s.apart[field] {
			m[row] = code
		}
		s.apart[field] = m
	}
	s.shared[field] = false
	return s.apart[field]
}

// Grow makes room for rows up to n.
func (s *Sights) Grow(n int) { s.base.Grow(n) }

// Base is the column that fields share but where they stand Apart.
func (s *Sights) Base() *Column { return s.base }

// Apart is the rows in which a field was seen at another time than its group.
func (s *Sights) Apart(field int) map[uint32]uint32 { return s.apart[field] }

// Hidden makes into the rows of a page in which a field is not to be believed:
// the table says Yes of the code of its sight. base is what Base painted with
// the table comes to.
func (s *Sights) Hidden(page, field int, table []bits.Flags, base *bits.Truths, into *bits.Block) {
	if b := base.Plane(bits.Yes); b != nil {
		*into = *b
	} else {
		*into = bits.Block{}
	}
	for row, code := range s.apart[field] {
		if int(row)/bits.Size == page {
			into.Put(int(row)%bits.Size, table[code]&bits.Yes != 0)
		}
	}
}
