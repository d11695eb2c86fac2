// Package dates finds the dates by which rules turn: the end of a certificate or an
// assignment, the day until which the last review holds, the age of an answer.
//
// It reads from a rule which dates it compares with the clock, so that no list of them
// is kept by hand. What a machine will have looked at again by then is no such date:
// that evidence grows old is for its collector, not for a person.
package dates

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"kakusho/directive"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/rule"
	"kakusho/verdict"
)

// Rule is a rule that a date may turn. It does not change.
type Rule struct {
	*judge.Rule
	spots []spot
}

// spot is where a rule compares a date with the clock.
type spot struct {
	field  string
	list   string // of whose records it is a field; empty: of the subject
	direct bool   // with nothing added
	params []*rule.Param
}

// Of finds the dates of a rule; false: it has none.
func Of(r *judge.Rule) (Rule, bool) {
	d := Rule{Rule: r}
	if r.Fault() != nil {
		return d, false
	}
	applies, check, exceptions := r.Plans()
	for _, p := range append([]*rule.Plan{applies, check}, exceptions...) {
		d.find(p.Root)
	}
	return d, len(d.spots) > 0 || r.Control().Record != nil
}

func (r *Rule) find(n *rule.Node) {
	for _, k := range n.Kids {
		r.find(k)
	}
	if n.Clocked == 0 {
		return
	}
	direct := n.LeftSide.Text == "now" || n.RightSide.Text == "now"
	for _, read := range n.Reads {
		if read.Field == nil || read.Field.Type != kind.Date && read.Field.Type != kind.Time {
			continue
		}
		machine := read.From != rule.FromDeclared && read.Field.Observed || read.From == rule.FromElement
		if machine && !direct { // an age that the next observation ends
			continue
		}
		s := spot{field: read.Field.Name, direct: direct, params: n.Params}
		if read.From == rule.FromElement {
			if read.List == nil {
				continue
			}
			s.list = read.List.Name
		}
		r.spots = append(r.spots, s)
	}
}

// Turn is an instant at which a rule says something worse of a subject, or did.
type Turn struct {
	At    time.Time
	Field string // whose date it is; empty: an answer's
	To    verdict.Outcome
}

// Turns are the instants at which a rule may turn, the earliest first, and what was
// found of each. Only one at a time may use them.
type Turns struct {
	all   []Turn
	known []finding
}

type finding byte

const (
	unseen finding = iota
	worse
	notWorse
)

// Turns are those of a subject. No instant is judged before it is asked for, and none
// twice.
func (r Rule) Turns(s *judge.Subject, v directive.Values) *Turns {
	all := r.turns(s, v)
	return &Turns{all, make([]finding, len(all))}
}

func (r Rule) turns(s *judge.Subject, v directive.Values) (out []Turn) {
	for _, x := range r.spots {
		for _, t := range x.dates(s) {
			if x.direct {
				out = append(out, Turn{At: t, Field: x.field})
			}
			for _, p := range x.params {
				if d, ok := v[p.Key].Value.(time.Duration); ok {
					out = append(out, Turn{At: t.Add(d), Field: x.field}, Turn{At: t.Add(-d), Field: x.field})
				}
			}
		}
	}
	if rec := r.Control().Record; rec != nil {
		fresh, limited := v[rec.Fresh].Value.(time.Duration)
		for _, d := range s.Decisions {
			if d.Control != r.Control().ID || d.Type != rec.Type {
				continue
			}
			if !d.Until.IsZero() {
				out = append(out, Turn{At: d.Until})
			}
			if limited {
				out = append(out, Turn{At: d.At.Add(fresh)})
			}
		}
	}
	slices.SortFunc(out, func(a, b Turn) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Field, b.Field)) })
	return slices.CompactFunc(out, func(a, b Turn) bool { return a.At.Equal(b.At) })
}

// dates are the values that stand at a spot.
func (x spot) dates(s *judge.Subject) (out []time.Time) {
	name := cmp.Or(x.list, x.field)
	for _, cells := range []map[string]judge.Cell{s.Facts, s.Declared} {
		switch v := cells[name].Fact.Value.(type) {
		case time.Time:
			out = append(out, v)
		case []any:
			for _, e := range v {
				record, _ := e.(map[string]any)
				if t, ok := record[x.field].(time.Time); ok {
					out = append(out, t)
				}
			}
		}
	}
	return out
}

// edge is how far from a turn it is seen on which side one is.
const edge = time.Second

// Next is the first turn for the worse from now on and not after until. at says what the
// rule says at an instant.
func (t *Turns) Next(now, until time.Time, at func(time.Time) verdict.Outcome) (Turn, bool) {
	for i, x := range t.all {
		if !x.At.Before(now) && !x.At.After(until) && t.worse(i, at) {
			return t.all[i], true
		}
	}
	return Turn{}, false
}

// Last is the last turn for the worse that is not after now.
func (t *Turns) Last(now time.Time, at func(time.Time) verdict.Outcome) (Turn, bool) {
	for i, x := range slices.Backward(t.all) {
		if !x.At.After(now) && t.worse(i, at) {
			return t.all[i], true
		}
	}
	return Turn{}, false
}

func (t *Turns) worse(i int, at func(time.Time) verdict.Outcome) bool {
	if t.known[i] == unseen {
		before := at(t.all[i].At.Add(-edge))
		t.all[i].To, t.known[i] = at(t.all[i].At.Add(edge)), notWorse
		if t.all[i].To != before && verdict.Worse(before, t.all[i].To) == t.all[i].To {
			t.known[i] = worse
		}
	}
	return t.known[i] == worse
}

// Aged are facts that are as old at another instant as they are now.
func Aged(facts map[string]judge.Cell, by time.Duration) map[string]judge.Cell {
	out, copied := facts, false
	for name, c := range facts {
		if c.Fresh == "" {
			continue
		}
		if !copied {
			out, copied = maps.Clone(facts), true
		}
		c.ObservedAt, c.ReceivedAt = c.ObservedAt.Add(by), c.ReceivedAt.Add(by)
		out[name] = c
	}
	return out
}

// Steady reports whether no value begins or ends between two instants.
func Steady(settings []directive.Setting, a, b time.Time) bool {
	if b.Before(a) {
		a, b = b, a
	}
	return !slices.ContainsFunc(settings, func(s directive.Setting) bool {
		return s.From.After(a) && !s.From.After(b) || s.Until.After(a) && !s.Until.After(b)
	})
}
