package sight

import (
	"math"
	"slices"
	"time"

	"kakusho/judge/fleet/bits"
)

// Limit is how long something seen under a parameter holds.
type Limit struct {
	For     time.Duration
	Forever bool // there is no parameter
	Never   bool // the parameter has no duration: nothing is ever fresh
}

// Doubt says what is not to be believed at an instant: what was seen too long
// ago, and what is dated too far in the future. It keeps what it found for a page
// as long as that stays so. Different pages may be asked for at the same time.
type Doubt struct {
	moments *Moments
	limits  []Limit       // by number of the key
	ahead   time.Duration // how far in the future a moment may lie
	pages   [][]entry
}

// entry is what was found of a page for the fields of a group that share its
// moments and a key, or for one field.
type entry struct {
	group     int
	field     int    // -1: those that share
	fresh     uint32 // of those that share
	found     *Found
	edits     uint64
	at, until int64 // right from at and until
}

// Found is the rows of a page in which a field is not to be believed. Rows in
// which it has no cell may be among them. It does not change: as long as it is the
// same, the rows are.
type Found struct {
	Rows bits.Block
	Any  bool
}

// NewDoubt doubts under the limits of some parameter values, by number of the key;
// they must not change. ahead is how far in the future a moment may lie.
func NewDoubt(m *Moments, ahead time.Duration, limits []Limit) *Doubt {
	return &Doubt{moments: m, ahead: ahead, limits: limits}
}

// Fork is a copy that goes its own way with all that was found.
func (d *Doubt) Fork() *Doubt {
	n := *d
	n.pages = make([][]entry, len(d.pages))
	for page := range d.pages {
		n.pages[page] = slices.Clone(d.pages[page])
	}
	return &n
}

// Grow makes room for so many pages.
func (d *Doubt) Grow(pages int) {
	for len(d.pages) < pages {
		d.pages = append(d.pages, nil)
	}
}

// Seen reports whether a cell that was seen so is not to be believed at now, and
// from when on that is otherwise; zero: never.
func (d *Doubt) Seen(s Seen, now time.Time) (doubted bool, until time.Time) {
	return d.limits[s.Fresh].Doubts(d.moments.At(s), d.ahead, now)
}

// Doubts reports whether what was seen at an instant is not to be believed at now,
// and from when on that is otherwise; zero: never. ahead is how far in the future
// it may lie.
func (l Limit) Doubts(at time.Time, ahead time.Duration, now time.Time) (doubted bool, until time.Time) {
	switch {
	case l.Never:
		return true, time.Time{}
	case at.After(now.Add(ahead)):
		return true, at.Add(-ahead)
	case l.Forever:
		return false, time.Time{}
	}
	end := at.Add(l.For)
	if now.Before(end) {
		return false, end
	}
	return true, time.Time{}
}

// In finds the rows of a page in which a field of a group is not to be believed at
// now, and from when on they may be others; zero: never by time alone.
func (d *Doubt) In(s *Sights, group, page, field int, now time.Time) (*Found, time.Time) {
	f := &s.fields[field]
	shares := page >= len(f.pages) || len(f.pages[page]) == 0
	base := d.entry(page, entry{group: group, field: -1, fresh: f.fresh})
	e, edits, at := &d.pages[page][base], s.PageEdits(page), nanos(now)
	if !e.holds(edits, at) {
		var rows bits.Block
		until := d.shared(s, page, d.limits[f.fresh], at, &rows)
		e.keep(&rows, edits, at, until)
	}
	if !shares {
		own := d.entry(page, entry{group: group, field: field})
		b := &d.pages[page][base]
		e = &d.pages[page][own]
		if !e.holds(edits, at) {
			rows, until := b.found.Rows, b.until
			for row, seen := range f.pages[page] {
				doubted, next := d.Seen(seen, now)
				if rows.Put(int(row), doubted); !next.IsZero() {
					until = min(until, nanos(next))
				}
			}
			e.keep(&rows, edits, at, until)
		}
	}
	if e.until == math.MaxInt64 {
		return e.found, time.Time{}
	}
	return e.found, time.Unix(0, e.until)
}

// entry finds the place of an entry, made if there is none.
func (d *Doubt) entry(page int, like entry) int {
	for i := range d.pages[page] {
		e := &d.pages[page][i]
		if e.group == like.group && e.field == like.field && e.fresh == like.fresh {
			return i
		}
	}
	d.pages[page] = append(d.pages[page], like)
	return len(d.pages[page]) - 1
}

func (e *entry) holds(edits uint64, at int64) bool {
	return e.found != nil && e.edits == edits && e.at <= at && at < e.until
}

func (e *entry) keep(rows *bits.Block, edits uint64, at, until int64) {
	e.edits, e.at, e.until = edits, at, until
	if e.found == nil || e.found.Rows != *rows {
		e.found = &Found{Rows: *rows, Any: !rows.Empty()}
	}
}

// shared goes over a page of the shared column. Only the moments next to a limit
// say how long what is found stays right.
func (d *Doubt) shared(s *Sights, page int, l Limit, now int64, into *bits.Block) (until int64) {
	var codes [bits.Size]uint32
	s.base.Codes(page, &codes)
	list, ahead := s.moments.nanoList(), int64(d.ahead)
	future, stale := plus(now, ahead), plus(now, -int64(l.For))
	until = math.MaxInt64
	minFuture, minFresh := until, until
	for row, code := range codes {
		if code == 0 {
			continue
		}
		switch at := list[code]; {
		case at > future:
			into.Add(row)
			minFuture = min(minFuture, at)
		case l.Never || at <= stale && !l.Forever:
			into.Add(row)
		default:
			minFresh = min(minFresh, at)
		}
	}
	if !l.Never {
		until = plus(minFuture, -ahead)
	}
	if !l.Forever && !l.Never {
		until = min(until, plus(minFresh, int64(l.For)))
	}
	return until
}

// nanos is an instant in nanoseconds; what int64 does not reach lies at its ends.
func nanos(t time.Time) int64 {
	switch sec := t.Unix(); {
	case sec < math.MinInt64/1_000_000_000+1:
		return math.MinInt64
	case sec > math.MaxInt64/1_000_000_000-1:
		return math.MaxInt64
	}
	return t.UnixNano()
}

// plus adds to an instant. The ends stay, and are not passed.
func plus(at, d int64) int64 {
	sum := at + d
	switch {
	case at == math.MinInt64 || at == math.MaxInt64:
		return at
	case d > 0 && sum < at:
		return math.MaxInt64
	case d < 0 && sum > at:
		return math.MinInt64
	}
	return sum
}
