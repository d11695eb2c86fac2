package body

import (
	"slices"
	"strings"
	"time"

	"kakusho/judge/fleet/reign"
	"kakusho/judge/fleet/sight"
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
		of, first := r.Classes(func(g *reign.Regime) string {
			var s strings.Builder
			for _, key := range keys {
				s.WriteString(g.Digest(key))
				s.WriteByte(0)
			}
			return s.String()
		})
		before := *v
		*v = Veil{keys: len(keys), of: of, found: v.found}
		for _, g := range first {
			v.add(b, g, keys, &before)
		}
		if len(before.doubts) != len(v.doubts) {
			v.found = nil
		}
		parted = len(first)+len(before.doubts) > 2 && (r.Shuffled || !slices.Equal(of, before.of) || !slices.Equal(v.signatures, before.signatures))
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
	limits := map[string]sight.Limit{}
	var signature strings.Builder
	for _, key := range keys {
		signature.WriteString(key + "\x00" + g.Digest(key) + "\x00")
		limit, ok := g.Values[key].Value.(time.Duration)
		limits[key] = sight.Limit{For: limit, Never: !ok}
	}
	v.signatures = append(v.signatures, signature.String())
	for i, s := range before.signatures {
		if s == signature.String() && !slices.Contains(v.doubts, before.doubts[i]) {
			v.doubts = append(v.doubts, before.doubts[i])
			return
		}
	}
	v.doubts = append(v.doubts, sight.NewDoubt(b.Moments, weigh.MaxFuture, func(key string) sight.Limit { return limits[key] }))
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
			until = earlier(until, next)
			same, found[i] = same && f == found[i], f
		}
		if !same {
			moved(c)
		}
	}
	return until
}
