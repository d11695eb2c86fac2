package body

import (
	"slices"
	"strings"
	"time"

	"kakusho/directive"
	"kakusho/judge/fleet/column"
	"kakusho/judge/fleet/reign"
	"kakusho/judge/fleet/sight"
	"kakusho/judge/fleet/table"
	"kakusho/rule/weigh"
)

// Veil says which cells of a body are not to be believed at an instant. Where
// limits differ there is a doubt for each class of regimes.
type Veil struct {
	keys       int // of parameters that were known when classes were made
	signatures []string
	doubts     []*sight.Doubt
	of         []int            // regime → class
	found      [][]*sight.Found // page → column × class; what was found last
	version    int              // grows whenever regimes went to other classes
}

func (v *Veil) fork() Veil {
	n := *v
	n.doubts, n.found = nil, make([][]*sight.Found, len(v.found))
	for _, d := range v.doubts {
		n.doubts = append(n.doubts, d.Fork())
	}
	for page := range v.found {
		n.found[page] = slices.Clone(v.found[page])
	}
	return n
}

// in is what was found last of a column, by class.
func (v *Veil) in(page int, c *Column) []*sight.Found {
	n := len(v.doubts)
	return v.found[page][c.Index*n : c.Index*n+n]
}

// Knows reports whether the veil has a limit for every way of having been seen.
func (v *Veil) Knows(m *sight.Moments) bool { return len(m.Keys()) == v.keys }

// SetVeil makes the veil's classes fit the regimes, and reports whether regimes
// went to other classes.
func (b *Body) SetVeil(r *reign.Reign, ruled bool) (parted bool) {
	v, keys := &b.Veil, b.Moments.Keys()
	if ruled || len(keys) != v.keys || len(v.of) != len(r.Regimes) {
		of, first := r.Classes(func(g *reign.Regime) string { return signature(g, keys) })
		before := *v
		*v = Veil{keys: len(keys), of: of, found: v.found, version: v.version}
		for _, g := range first {
			v.add(b, g, keys, &before)
		}
		if len(before.doubts) != len(v.doubts) {
			v.found = nil
		}
		parted = len(first)+len(before.doubts) > 2 && (r.Shuffled || !slices.Equal(of, before.of) || !slices.Equal(v.signatures, before.signatures))
		if parted {
			v.version++
		}
	}
	for page := range b.Alive {
		if page == len(v.found) {
			v.found = append(v.found, nil)
		}
		if want := len(b.Columns) * len(v.doubts); len(v.found[page]) < want {
			v.found[page] = append(v.found[page], make([]*sight.Found, want-len(v.found[page]))...)
		}
	}
	for _, d := range v.doubts {
		d.Grow(len(b.Alive))
	}
	return parted
}

// add makes the doubt of a class, or takes over the one that had the same limits.
func (v *Veil) add(b *Body, g *reign.Regime, keys []string, before *Veil) {
	limits := signature(g, keys)
	v.signatures = append(v.signatures, limits)
	for i, s := range before.signatures {
		if s == limits && !slices.Contains(v.doubts, before.doubts[i]) {
			v.doubts = append(v.doubts, before.doubts[i])
			return
		}
	}
	v.doubts = append(v.doubts, sight.NewDoubt(b.Moments, weigh.MaxFuture, Limits(keys, g.Values)))
}

// signature tells a regime's limits from others.
func signature(g *reign.Regime, keys []string) string {
	var s strings.Builder
	for _, key := range keys {
		s.WriteString(key + "\x00" + g.Digest(key) + "\x00")
	}
	return s.String()
}

// Turn brings the veil over a page to an instant. It calls moved with the columns
// of which other cells are believed now, and returns until when all of it holds.
func (b *Body) Turn(page int, at time.Time, moved func(c *Column)) (until time.Time) {
	v := &b.Veil
	for _, c := range b.Columns {
		if c.Group < 0 {
			continue
		}
		found, same := v.in(page, c), true
		for i, d := range v.doubts {
			f, next := d.In(b.Sights[c.Group], c.Group, page, c.Field, at)
			until = weigh.Earlier(until, next)
			same, found[i] = same && f == found[i], f
		}
		if !same {
			moved(c)
		}
	}
	return until
}

// Limits is how long evidence holds under some values, by number of the key.
func Limits(keys []string, values directive.Values) []sight.Limit {
	limits := make([]sight.Limit, len(keys))
	for i, key := range keys {
		limit, ok := values[key].Value.(time.Duration)
		limits[i] = sight.Limit{For: limit, Forever: key == "", Never: key != "" && !ok}
	}
	return limits
}

// Doubts reports whether a column's cell of a row is not to be believed, and until
// when that holds; zero: for ever.
func (b *Body) Doubts(row int, c *Column, limits []sight.Limit, at time.Time) (doubted bool, until time.Time) {
	if c.Group < 0 || c.Codes.At(row) == column.Missing {
		return false, until
	}
	seen := b.Sights[c.Group].At(row, c.Field)
	return limits[seen.Fresh].Doubts(b.Moments.At(seen), weigh.MaxFuture, at)
}

// Code is what a leaf reads of a row.
func (b *Body) Code(row int, l *Leaf, limits []sight.Limit, at time.Time) uint32 {
	if len(l.Columns) == 0 {
		return 0
	}
	var room [8]uint32
	codes := room[:0]
	for _, like := range l.Columns {
		c, code := b.Columns[like.Index], uint32(column.Missing)
		if doubted, _ := b.Doubts(row, c, limits, at); !doubted {
			code = c.Codes.At(row)
		}
		codes = append(codes, code)
	}
	if l.tuples == nil {
		return codes[0]
	}
	return l.tuples.Code(codes)
}

// Domain is what the codes of a leaf stand for.
func (l *Leaf) Domain() table.Domain { return l.domain }
