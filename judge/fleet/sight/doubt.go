package sight

import (
	"math"
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
// as long as that stays so. It is not safe for concurrent use.
type Doubt struct {
	moments *Moments
	limits  []Limit       // by number of the key
	ahead   time.Duration // how far in the future a moment may lie
	limit   func(key string) Limit
	pages   map[pageKey]*doubted
}

type pageKey struct {
	sights *Sights
	page   int
	fresh  uint32
}

// doubted is what was found of a page: right from an instant on and until another.
type doubted struct {
	block       bits.Block
	edits       uint64
	from, until int64
}

// NewDoubt doubts under the limits of some parameter values. ahead is how far in
// the future a moment may lie.
func NewDoubt(m *Moments, ahead time.Duration, limit func(key string) Limit) *Doubt {
	return &Doubt{moments: m, ahead: ahead, limit: limit, pages: map[pageKey]*doubted{}}
}

func (d *Doubt) of(fresh uint32) Limit {
	for int(fresh) >= len(d.limits) {
		if key := d.moments.Keys()[len(d.limits)]; key != "" {
			d.limits = append(d.limits, d.limit(key))
		} else {
			d.limits = append(d.limits, Limit{Forever: true})
		}
	}
	return d.limits[fresh]
}

// Seen reports whether a cell that was seen so is not to be believed at now, and
// from when on that is otherwise; zero: never.
func (d *Doubt) Seen(s Seen, now time.Time) (doubted bool, until time.Time) {
	l, at := d.of(s.Fresh), d.moments.At(s)
	switch {
	case l.Never:
		return true, time.Time{}
	case at.After(now.Add(d.ahead)):
		return true, at.Add(-d.ahead)
	case l.Forever:
		return false, time.Time{}
	}
	end := at.Add(l.For)
	if now.Before(end) {
		return false, end
	}
	return true, time.Time{}
}

// Hidden makes into the rows of a page in which a field is not to be believed at
// now, and says from when on these may be others; zero: never by time alone. Rows
// in which the field has no cell may be in it.
func (d *Doubt) Hidden(s *Sights, page, field int, now time.Time, into *bits.Block) (until time.Time) {
	f := &s.fields[field]
	base := d.base(s, page, f.fresh, now)
	*into = base.block
	if base.until != math.MaxInt64 {
		until = time.Unix(0, base.until)
	}
	if page >= len(f.pages) {
		return until
	}
	for row, seen := range f.pages[page] {
		doubted, next := d.Seen(seen, now)
		into.Put(int(row), doubted)
		until = earlier(until, next)
	}
	return until
}

// base finds what of a page's shared column is doubted under a key.
func (d *Doubt) base(s *Sights, page int, fresh uint32, now time.Time) *doubted {
	key, at := pageKey{s, page, fresh}, nanos(now)
	found, ok := d.pages[key]
	edits := s.base.PageEdits(page)
	if ok && found.edits == edits && found.from <= at && at < found.until {
		return found
	}
	if !ok {
		found = &doubted{}
		d.pages[key] = found
	}
	*found = doubted{edits: edits, from: math.MinInt64, until: math.MaxInt64}
	found.look(s, page, d.of(fresh), int64(d.ahead), at)
	return found
}

// look goes over a page. Only the moments next to a limit say how long what was
// found stays right.
func (found *doubted) look(s *Sights, page int, l Limit, ahead, now int64) {
	var codes [bits.Size]uint32
	s.base.Codes(page, &codes)
	list := s.moments.nanoList()
	future, stale := plus(now, ahead), plus(now, -int64(l.For))
	if l.Forever {
		stale = math.MinInt64
	} else if l.Never {
		stale = math.MaxInt64
	}
	minFuture, maxPast, maxStale, minFresh := int64(math.MaxInt64), int64(math.MinInt64), int64(math.MinInt64), int64(math.MaxInt64)
	for row, code := range codes {
		if code == 0 {
			continue
		}
		switch at := list[code]; {
		case at > future:
			found.block.Add(row)
			minFuture = min(minFuture, at)
		case at <= stale && !l.Forever:
			found.block.Add(row)
			maxPast, maxStale = max(maxPast, at), max(maxStale, at)
		default:
			maxPast, minFresh = max(maxPast, at), min(minFresh, at)
		}
	}
	if l.Never {
		return
	}
	found.from, found.until = plus(maxPast, -ahead), plus(minFuture, -ahead)
	if !l.Forever {
		found.from, found.until = max(found.from, plus(maxStale, int64(l.For))), min(found.until, plus(minFresh, int64(l.For)))
	}
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

// earlier is the earlier of two instants of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
