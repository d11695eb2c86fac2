package dates

import (
	"slices"
	"sync"
	"time"

	"kakusho/decision"
	"kakusho/directive"
	"kakusho/judge"
	"kakusho/rule/weigh"
	"kakusho/verdict"
)

// Memory is what was found of the dates of one subject that does not change, by rule.
// What was found is good for as long as what it rests on beside the subject. It is safe
// for concurrent use.
type Memory struct {
	mu sync.Mutex
	of map[*judge.Rule]*found
}

// found is good by terms and settings, and for evidence as old as it was between two
// instants.
type found struct {
	terms       any
	settings    []directive.Setting
	from, until time.Time // until: not any more; zero: for ever
	turns       *Turns
}

// Case is one rule about the subject as it stands at an instant.
type Case struct {
	Rule
	At       time.Time
	Terms    any // the same ones are equal
	Settings []directive.Setting
	Subject  func() judge.Subject
	Values   func(time.Time) directive.Values
	Says     func(time.Time) verdict.Outcome // of evidence that is as old then as it is at At
}

// Turn is the next turn for the worse from now on and not after until, or the last one
// that is past.
func (m *Memory) Turn(c Case, past bool, now, until time.Time) (Turn, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.of[c.Rule.Rule]
	if f == nil || !f.holds(c) {
		in := c.Subject()
		f = &found{terms: c.Terms, settings: c.Settings, from: c.At, until: c.over(), turns: c.Turns(&in, c.Values(c.At))}
		if !slices.ContainsFunc(in.Decisions, func(d decision.Decision) bool { return len(d.Conditions) > 0 }) { // else it rests on others as well
			if m.of == nil {
				m.of = map[*judge.Rule]*found{}
			}
			m.of[c.Rule.Rule] = f
		}
	}
	at := func(t time.Time) verdict.Outcome {
		f.bound(c, t)
		return c.Says(t)
	}
	if past {
		return f.turns.Last(now, at)
	}
	return f.turns.Next(now, until, at)
}

func (f *found) holds(c Case) bool {
	same := f.terms == c.Terms && len(f.settings) == len(c.Settings) && (len(c.Settings) == 0 || &f.settings[0] == &c.Settings[0])
	return same && !c.At.Before(f.from) && (f.until.IsZero() || c.At.Before(f.until))
}

// over is the first instant to come at which a value begins or ends: from then on a date
// may turn the rule at others.
func (c Case) over() (first time.Time) {
	for _, s := range c.Settings {
		for _, edge := range []time.Time{s.From, s.Until} {
			if edge.After(c.At) {
				first = weigh.Earlier(first, edge)
			}
		}
	}
	return first
}

// bound notes for how long what an instant is found to be stays so: evidence counts as
// brought again in time, and so is as old then as it is now, which is older tomorrow.
func (f *found) bound(c Case, t time.Time) {
	if c.At.After(f.from) {
		f.from = c.At
	}
	until := func(edge time.Time) {
		if edge.After(c.At) {
			f.until = weigh.Earlier(f.until, edge)
		}
	}
	values := c.Values(t)
	for _, x := range c.Subject().Facts {
		if x.Fresh != "" {
			until(x.ObservedAt.Add(-weigh.MaxFuture))
			if limit, ok := values[x.Fresh].Value.(time.Duration); ok {
				until(x.ObservedAt.Add(limit))
			}
		} else if x.ObservedAt.Equal(c.At) { // as old as the instant it is looked at
			until(t.Add(weigh.MaxFuture + 1))
		}
	}
}
