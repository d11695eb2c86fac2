package sight

import (
	"maps"
	"slices"

	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/column"
	"kakusho/judge/fleet/frame"
)

// most is more rows, or moments, than there can be.
const most = 1 << 31

// Write writes the moments.
func (m *Moments) Write(w *frame.Writer) {
	list, keys := m.List(), m.Keys()
	w.Uint(uint64(len(keys)))
	for _, key := range keys[1:] {
		w.Text(key)
	}
	w.Uint(uint64(len(list)))
	for _, t := range list[1:] {
		w.Time(t)
	}
}

// ReadMoments reads moments.
func ReadMoments(r *frame.Reader) *Moments {
	m := NewMoments()
	for n := r.Count(most); r.Err() == nil && len(m.fresh) < n; {
		key := r.Text()
		if slices.Contains(m.fresh, key) {
			r.Fail("key %q comes twice", key)
		}
		m.fresh = append(m.fresh, key)
	}
	for n := r.Count(most); r.Err() == nil && len(m.list) < n; {
		if t := r.Time(); r.Err() == nil && int(m.Seen("", t).Moment) != len(m.list)-1 {
			r.Fail("a moment comes twice")
		}
	}
	return m
}

// Write writes the sights, but not their moments.
func (s *Sights) Write(w *frame.Writer) {
	s.base.Write(w)
	w.Uint(uint64(len(s.fields)))
	for i := range s.fields {
		f := &s.fields[i]
		w.Bool(f.known)
		w.Uint(uint64(f.fresh))
		w.Uint(uint64(len(f.pages)))
		for _, rows := range f.pages {
			w.Uint(uint64(len(rows)))
			for _, row := range slices.Sorted(maps.Keys(rows)) {
				w.Uint(uint64(row))
				w.Uint(uint64(rows[row].Moment))
				w.Uint(uint64(rows[row].Fresh))
			}
		}
	}
}

// ReadSights reads sights whose moments are m.
func ReadSights(r *frame.Reader, m *Moments) *Sights {
	s := NewSights(m, 0)
	s.base = column.ReadColumn(r, len(m.list))
	for n := r.Count(most); r.Err() == nil && len(s.fields) < n; {
		f := fieldSights{known: r.Bool(), fresh: uint32(r.Count(len(m.fresh) - 1))}
		for pages := r.Count(bits.Blocks(s.base.Len())); r.Err() == nil && len(f.pages) < pages; {
			f.pages, f.shared = append(f.pages, readApart(r, m)), append(f.shared, false)
		}
		s.fields = append(s.fields, f)
	}
	return s
}

func readApart(r *frame.Reader, m *Moments) map[uint16]Seen {
	var rows map[uint16]Seen
	for left := r.Count(bits.Size); r.Err() == nil && left > 0; left-- {
		row := r.Count(bits.Size - 1)
		seen := Seen{uint32(r.Count(len(m.list) - 1)), uint32(r.Count(len(m.fresh) - 1))}
		if rows == nil {
			rows = map[uint16]Seen{}
		}
		rows[uint16(row)] = seen
	}
	return rows
}
