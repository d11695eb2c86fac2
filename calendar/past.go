package calendar

import "time"

// Past is a look at another time: how things stood at AsOf, by what had been
// recorded until KnownAt. The zero Past is the present.
type Past struct {
	AsOf    time.Time
	KnownAt time.Time // zero: whatever is recorded today
}

// ParsePast reads the two instants as people write them; either may be empty. A day
// without a time is its end, today's is now. With KnownAt alone, AsOf is the same
// instant: how things looked then. Both empty is the present.
func ParsePast(asOf, knownAt string, now time.Time) (p Past, err error) {
	if p.KnownAt, err = endOf(knownAt, now); err != nil {
		return Past{}, err
	}
	if p.AsOf, err = endOf(asOf, now); err != nil {
		return Past{}, err
	}
	if p.AsOf.IsZero() {
		p.AsOf = p.KnownAt
	}
	if !p.KnownAt.Before(now) {
		p.KnownAt = time.Time{} // nothing is recorded in the future
	}
	return p, nil
}

// endOf reads an instant; of a day it is the last second, or of today the minute that
// it is.
func endOf(s string, now time.Time) (time.Time, error) {
	if Fold(s) == "" {
		return time.Time{}, nil
	}
	if day, err := ParseDate(s); err == nil {
		end := day.AddDate(0, 0, 1).Add(-time.Second).UTC()
		if !now.Before(day) && !now.After(end) {
			return now.Truncate(time.Minute).UTC(), nil
		}
		return end, nil
	}
	return ParseTime(s)
}

// Future reports whether the instant is still to come.
func (p Past) Future(now time.Time) bool { return p.AsOf.After(now) }

// Counts reports whether what was so at one instant, and was recorded at another, is
// seen by this look. The present sees everything.
func (p Past) Counts(at, recorded time.Time) bool {
	return (p.AsOf.IsZero() || !at.After(p.AsOf)) && (p.KnownAt.IsZero() || !recorded.After(p.KnownAt))
}
