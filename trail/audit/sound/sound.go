// Package sound looks at one file of packs by itself: which of its segments are what
// their own records say. Whether those are the records that were sealed, package audit
// finds out, which knows the log.
package sound

import (
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// ErrDoubt says that something is not simply as it should be. Which entries that
// touches is found out when it is known what the log has.
var ErrDoubt = errors.New("to be examined")

// Checker looks at the files of one log. It is safe for concurrent use.
type Checker struct {
	Codec  *pack.Codec
	Origin string
	Room   chan struct{} // as many segments are looked at side by side, of all files, as it has room for
}

// File is what is known of a file before it is read.
type File struct {
	Form    pack.Form // Away: of a pack that was fetched
	Segment int64     // the first, as its name says
	Last    bool      // the last of the trail: there may be entries that are not sealed yet
	Live    bool      // somebody writes it meanwhile
}

// Segment is one that is what its record says.
type Segment struct {
	Number int64
	Leaf   seal.Hash // of its record
	End    int64     // the entry after it
}

// Result is what was seen.
type Result struct {
	Headed      bool  // its head is sound
	First       int64 // the first entry, as the head says
	Segments    []Segment
	NextSegment int64 // the one after the last seal
	Unsealed    int64 // entries behind it
	Doubt       bool  // not all is simply as it should be
}

// Entries is the type of the frames that stand for entries in the file.
func (f File) Entries() pack.Type { return f.Form.Entries() }

// Look goes through a file.
func (c Checker) Look(image []byte, f File) Result {
	ps := pack.ScanAs(image, f.Entries())
	segment, first, err := f.Form.ParseHead(image, c.Origin)
	r := Result{Headed: err == nil && segment == f.Segment, First: first}
	if !r.Headed {
		r.First = 0
		if len(ps) > 0 && ps[0].Err == nil {
			r.First = ps[0].Header.First // if it is not, what follows does not fit
		}
	}
	w := walk{Checker: c, file: f, segment: f.Segment, first: r.First}
	groups := w.groups(ps)
	r.Segments = make([]Segment, len(groups))
	var wg sync.WaitGroup
	var doubt atomic.Bool
	for i, g := range groups {
		c.Room <- struct{}{}
		wg.Go(func() {
			defer func() { <-c.Room }()
			leaf, err := c.own(g)
			if err != nil {
				doubt.Store(true)
			}
			r.Segments[i] = Segment{g.segment, leaf, g.frames[len(g.frames)-1].Header.First}
		})
	}
	wg.Wait()
	n, err := w.unsealed()
	r.Unsealed, r.NextSegment, r.Doubt = n, w.segment, w.doubt || doubt.Load() || err != nil
	return r
}

// walk puts the pieces of a file together.
type walk struct {
	Checker
	file    File
	segment int64 // the one that comes next
	first   int64 // its first entry
	tail    []pack.Piece
	doubt   bool
}

// group is the frames of one segment, with its seal at the end.
type group struct {
	frames         []pack.Piece
	segment, first int64
}

// groups leaves out the segments that are not whole. The tail is what stands behind
// the last seal.
func (w *walk) groups(ps []pack.Piece) (groups []group) {
	start, whole := 0, true
	most := w.file.Segment + int64(len(ps))
	for i, p := range ps {
		if p.Err != nil {
			whole = false // in the tail, it is for unsealed
			continue
		}
		if p.Header.Type != pack.Seal {
			continue
		}
		if p.Header.Segment != w.segment || p.Header.Segment >= most {
			whole = false
		}
		if !whole {
			w.doubt = true
		} else {
			groups = append(groups, group{frames: ps[start : i+1], segment: w.segment, first: w.first})
		}
		if p.Header.Segment >= w.file.Segment && p.Header.Segment < most {
			w.segment, w.first = p.Header.Segment+1, p.Header.First
		}
		start, whole = i+1, true
	}
	w.tail = ps[start:]
	return groups
}

// own checks a segment against its own record and returns the hash of that.
func (c Checker) own(g group) (seal.Hash, error) {
	n := len(g.frames) - 1
	s, text, rows, err := c.Seal(g.frames[n])
	if err != nil {
		return seal.Hash{}, ErrDoubt
	}
	next, leaves := g.first, []seal.Hash(nil)
	for i, p := range g.frames[:n] {
		row, ls, err := c.Row(p)
		if err != nil || i >= len(rows) || row != rows[i] || row.First != next || p.Header.Segment != g.segment {
			return seal.Hash{}, ErrDoubt
		}
		next += int64(row.Count)
		leaves = append(leaves, ls...)
	}
	if s.Segment != g.segment || s.First != g.first || s.Count != int64(len(leaves)) || len(rows) != n || s.Root != seal.Root(leaves) {
		return seal.Hash{}, ErrDoubt
	}
	return seal.Leaf(text), nil
}

// Seal reads a seal and checks that all of it is bound by its record.
func (c Checker) Seal(p pack.Piece) (r seal.Record, text []byte, rows []seal.Row, err error) {
	raw, err := c.Codec.Payload(p.Header, p.Stored)
	if err != nil {
		return r, nil, nil, err
	}
	if text, rows, err = p.Header.Split(raw); err != nil {
		return r, nil, nil, err
	}
	if r, err = seal.ParseRecord(text); err != nil {
		return r, nil, nil, err
	}
	want := p.Header
	want.Segment, want.First, want.Arrived, want.Wall = r.Segment, r.First+r.Count, r.To.UnixNano(), 0
	if p.Header != want || sha256.Sum256(raw[len(text):]) != r.Frames || r.Origin != c.Origin {
		return r, nil, nil, ErrDoubt
	}
	return r, text, rows, nil
}

// Row reads a frame of entries, or of their hashes, and makes its row and the hashes.
func (c Checker) Row(p pack.Piece) (seal.Row, []seal.Hash, error) {
	raw, err := c.Codec.Payload(p.Header, p.Stored)
	if err != nil {
		return seal.Row{}, nil, err
	}
	leaves, err := p.Header.Leaves(raw)
	if err != nil {
		return seal.Row{}, nil, err
	}
	return p.Header.Row(leaves), leaves, nil
}

// unsealed counts what stands behind the last seal of the last file. Nothing but its
// sums can be checked.
func (w *walk) unsealed() (n int64, err error) {
	if len(w.tail) > 0 && !w.file.Last {
		return 0, ErrDoubt
	}
	next := w.first
	for i, p := range w.tail {
		if p.Err != nil && i == len(w.tail)-1 && w.file.Live {
			break // it is being written
		}
		if p.Err != nil || p.Header.Type != pack.Entries || p.Header.Segment != w.segment || p.Header.First != next {
			return n, ErrDoubt
		}
		if _, _, err := w.Row(p); err != nil {
			return n, ErrDoubt
		}
		next += int64(p.Header.Count)
		n += int64(p.Header.Count)
	}
	return n, nil
}
