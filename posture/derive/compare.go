package derive

import (
	"fmt"
	"slices"
	"strings"

	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture/world"
	"kakusho/store"
)

// compared is what became of comparing the fields of a subject that are declared as
// well as observed.
type compared struct {
	differ []string
	alike  int
	unseen []string // declared, and not seen: not compared
}

// compare compares the fields that want holds for, and of which something is declared.
//
// What it says of one is read by everybody who may see the subject: of a field that
// not all of them may see it says the name only.
func compare(r *world.Reading, it *world.Item, want func(kind.Field) bool) (c compared) {
	for _, f := range it.Kind.Fields {
		if !f.In(kind.Declared) || !f.In(kind.Observed) || !want(f) {
			continue
		}
		d, _ := it.Declared(f.Name)
		if d.Fact.Status != fact.Observed {
			continue
		}
		o, _ := r.L.Seen(it, f.Name)
		if o.Fact.Status != fact.Observed {
			c.unseen = append(c.unseen, f.Name)
			continue
		}
		r.NoteSeen(it, f.Name)
		switch {
		case plain(f.Name, d.Fact.Value) == plain(f.Name, o.Fact.Value):
			c.alike++
		case len(f.See) > 0:
			c.differ = append(c.differ, f.Name)
		default:
			c.differ = append(c.differ, fmt.Sprintf("%s: %v ≠ %v", f.Name, d.Fact.Value, o.Fact.Value))
		}
	}
	return c
}

// unlike is what differs; when nothing does, that can be told only if doubt is false.
func (c compared) unlike(r *world.Reading, it *world.Item, doubt bool) world.Result {
	if len(c.differ) > 0 || !doubt {
		return world.Texts(c.differ)
	}
	for _, name := range c.unseen {
		r.NoteSeen(it, name)
	}
	return world.Cannot("missing: " + strings.Join(c.unseen, ", ") + " was not seen")
}

func anyField(kind.Field) bool { return true }

// declaredDifferences compares what is declared with what was seen. A field that
// nobody saw is passed over; that nothing differs is said only of all of them.
func declaredDifferences(r *world.Reading, it *world.Item) world.Result {
	c := compare(r, it, anyField)
	return c.unlike(r, it, len(c.unseen) > 0)
}

// observedDifferences is likewise, for subjects of which only some fields are ever
// observed: what nobody saw is left out, but for when that is everything.
func observedDifferences(r *world.Reading, it *world.Item) world.Result {
	c := compare(r, it, anyField)
	return c.unlike(r, it, c.alike == 0 && len(c.unseen) > 0)
}

// settingDifferences is observedDifferences without readings: when something was
// last heard, or how far a clock was off, is never twice the same.
func settingDifferences(r *world.Reading, it *world.Item) world.Result {
	c := compare(r, it, func(f kind.Field) bool { return !slices.Contains([]kind.Type{kind.Time, kind.Duration}, f.Type) })
	return c.unlike(r, it, c.alike == 0 && len(c.unseen) > 0)
}

func plain(field string, v any) string {
	s := store.Plain(strings.TrimSpace(fmt.Sprint(v)))
	if field == "hostname" {
		s, _, _ = strings.Cut(s, ".")
	}
	return s
}
