package posture

import (
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/clause"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/store"
	"kakusho/verdict"
)

// Standing is everything as it stood at one instant, as one reader may see it. It
// does not change. Outcomes are at hand; a verdict is judged when it is asked for.
type Standing struct {
	*ground
	At  time.Time
	who actor.Actor
}

// Until is the next instant at which something changes by time alone; zero: none
// is known.
func (s *Standing) Until() time.Time { return s.until }

// Terms are what was judged by.
func (s *Standing) Terms() *Terms { return s.terms }

// Subjects lists all, by kind and key.
func (s *Standing) Subjects() []*Subject {
	out := make([]*Subject, 0, len(s.order))
	for _, slot := range s.order {
		out = append(out, s.open(s.book.at(slot)))
	}
	return out
}

// Subject finds one.
func (s *Standing) Subject(ref fact.Ref) (*Subject, bool) {
	e, ok := s.entry(ref)
	if !ok {
		return nil, false
	}
	return s.open(e), true
}

func (g *ground) entry(ref fact.Ref) (*entry, bool) {
	slot, ok := g.slot[ref]
	if !ok {
		return nil, false
	}
	return g.book.at(slot), true
}

// Named finds one by its reference as text.
func (s *Standing) Named(ref string) (*Subject, bool) { return s.Subject(fact.Ref(ref)) }

// Kinds lists the kinds of which there is a subject, in menu order.
func (s *Standing) Kinds() []kind.Kind {
	var out []kind.Kind
	for _, id := range s.terms.kinds.IDs() {
		if len(s.byKind[id]) > 0 {
			out = append(out, s.terms.kinds[id])
		}
	}
	return out
}

// Systems lists the subjects of kind system.
func (s *Standing) Systems() []*Subject { return s.OfKind("system") }

// OfKind lists the subjects of a kind, by key.
func (s *Standing) OfKind(id string) []*Subject { return s.opened(s.byKind[id]) }

// Members lists what belongs to a system, itself first; of the empty system:
// what belongs to none.
func (s *Standing) Members(system string) []*Subject { return s.opened(s.bySystem[system]) }

func (s *Standing) opened(slots []int) []*Subject {
	out := make([]*Subject, 0, len(slots))
	for _, slot := range slots {
		out = append(out, s.open(s.book.at(slot)))
	}
	return out
}

// Within reports whether a subject is of a unit, or of one below it; empty: of any.
func (s *Standing) Within(ref fact.Ref, unit string) bool {
	slot, ok := s.slot[ref]
	return ok && s.within(slot, unit, "")
}

// Pair is a subject and a control that is about it, and the outcome: all that is
// known without judging again.
type Pair struct {
	Subject fact.Ref
	Control string
	Clause  clause.ID // the control's first
	Outcome verdict.Outcome
}

// Filter selects pairs, as the address of a page says. Empty fields select all.
type Filter struct {
	Clause     clause.ID // or anything under it
	Control    string
	System     string
	NoSystem   bool   // only what belongs to no system
	Unit       string // or a unit below it
	Prefecture string
	Kind       string
	Outcome    verdict.Outcome
	Words      string // in the subject's name or number, or the control's title
}

// Pairs lists those f selects, worst first, then by clause and subject.
func (s *Standing) Pairs(f Filter) []Pair {
	pairs, _ := s.Part(f, 0, math.MaxInt)
	return pairs
}

// Part is n of the Pairs f selects, beginning with the from-th, and how many there
// are in all.
func (s *Standing) Part(f Filter, from, n int) (part []Pair, total int) {
	var lines []line
	s.each(f, func(e *entry, i int, o verdict.Outcome) {
		lines = append(lines, newLine(slices.Index(verdict.Outcomes, o), s.terms.first[i], s.alphabet.Rank[e.slot], i))
	})
	slices.Sort(lines)
	from = min(max(from, 0), len(lines))
	for _, l := range lines[from:][:min(n, len(lines)-from)] {
		c := &s.terms.controls[l.control()]
		p := Pair{Subject: s.book.at(s.alphabet.Slots[l.subject()]).ref, Control: c.ID, Outcome: verdict.Outcomes[l.outcome()]}
		if len(c.Clauses) > 0 {
			p.Clause = c.Clauses[0]
		}
		part = append(part, p)
	}
	return part, len(lines)
}

// line is a pair as a number that sorts as pairs do: outcome, rank of the clause,
// rank of the subject, place of the control.
type line uint64

func newLine(outcome, clause, subject, control int) line {
	return line(outcome)<<60 | line(clause)<<44 | line(subject)<<16 | line(control)
}

func (l line) outcome() int { return int(l >> 60) }
func (l line) subject() int { return int(l >> 16 & (1<<28 - 1)) }
func (l line) control() int { return int(l & (1<<16 - 1)) }

// Tally counts those f selects.
func (s *Standing) Tally(f Filter) Tally {
	t := Tally{}
	s.each(f, func(_ *entry, _ int, o verdict.Outcome) { t[o]++ })
	return t
}

// Verdict is a pair judged, with reasons and evidence; false: there is none.
func (s *Standing) Verdict(ref fact.Ref, control string) (verdict.Verdict, bool) {
	e, ok := s.entry(ref)
	rule, known := s.terms.Rule(control)
	if !ok || !known || !slices.Contains(rule.Control().Kinds, ref.Kind()) {
		return verdict.Verdict{}, false
	}
	return s.open(e).judged(rule, e.subject(s.at)), true
}

// Verdicts are the pairs f selects, judged, in their order. It costs what judging
// costs: for a whole body, ask for Pairs and judge what is shown.
func (s *Standing) Verdicts(f Filter) []verdict.Verdict { return s.Judged(s.Pairs(f)) }

// Judged are the verdicts of pairs, in their order.
func (s *Standing) Judged(pairs []Pair) []verdict.Verdict {
	bySubject := map[fact.Ref][]int{}
	for i, p := range pairs {
		bySubject[p.Subject] = append(bySubject[p.Subject], i)
	}
	out := make([]verdict.Verdict, len(pairs))
	for ref, places := range bySubject {
		e, ok := s.entry(ref)
		if !ok {
			continue
		}
		sub, in := s.open(e), e.subject(s.at)
		for _, i := range places {
			if rule, ok := s.terms.Rule(pairs[i].Control); ok {
				out[i] = sub.judged(rule, in)
			}
		}
	}
	return out
}

// each calls with every pair f selects: by subject, then by control.
func (s *Standing) each(f Filter, call func(e *entry, control int, o verdict.Outcome)) {
	var controls []bool // nil: all
	if f.Clause != "" {
		controls = s.terms.selected(s.terms.under[f.Clause])
	}
	if f.Control != "" {
		i, known := s.terms.place[f.Control]
		if !known || controls != nil && !controls[i] {
			return
		}
		controls = s.terms.selected([]int{i})
	}
	words := strings.Fields(store.Plain(f.Words))
	slots := s.order
	switch {
	case f.System != "":
		slots = s.bySystem[f.System]
	case f.NoSystem:
		slots = s.bySystem[""]
	case f.Kind != "":
		slots = s.byKind[f.Kind]
	}
	for _, slot := range slots {
		e := s.book.at(slot)
		if f.Kind != "" && e.kind.ID != f.Kind || !s.within(slot, f.Unit, f.Prefecture) {
			continue
		}
		left := words
		if len(words) > 0 {
			left = lacking(store.Plain(s.name(e)+" "+string(e.ref)), words)
		}
		for i, o := range s.row(e) {
			if f.Outcome != "" && o != f.Outcome || controls != nil && !controls[i] || len(lacking(s.terms.plain[i], left)) > 0 {
				continue
			}
			call(e, i, o)
		}
	}
}

// row is every outcome of a subject, by place of the control.
func (g *ground) row(e *entry) iter.Seq2[int, verdict.Outcome] {
	return func(yield func(int, verdict.Outcome) bool) {
		places := g.terms.byKind[e.kind.ID] // as the fleet has them: in the order of the terms
		for _, o := range g.outcomes.Row(e.ref) {
			if !yield(places[0], o) {
				return
			}
			places = places[1:]
		}
	}
}

// selected marks some of the controls.
func (t *Terms) selected(places []int) []bool {
	out := make([]bool, len(t.controls))
	for _, i := range places {
		out[i] = true
	}
	return out
}

// lacking are the words that a text does not hold.
func lacking(text string, words []string) (out []string) {
	for _, w := range words {
		if !strings.Contains(text, w) {
			out = append(out, w)
		}
	}
	return out
}

// Under reports whether c is under or the same as top.
func Under(c, top clause.ID) bool {
	if !strings.Contains(string(top), "@") {
		return c.Source() == string(top) // the whole directive
	}
	return c == top || strings.HasPrefix(string(c), string(top)+".")
}

// Soonest lists the n verdicts, twenty at most, that become worse soonest by time
// alone.
func (s *Standing) Soonest(n int) []verdict.Verdict {
	pairs := s.worsening()
	return s.Judged(pairs[:min(n, len(pairs))])
}

// judge judges one pair. Conditions of what lies over it are judged as well.
func (g *ground) judge(e *entry, rule *judge.Rule, in judge.Subject) verdict.Verdict {
	var next time.Time
	v := rule.Judge(in, g.resolve(e.state.Scope()), g.at, g.holds(e, nil, &next))
	if next.IsZero() || !v.NextChange.IsZero() && !next.Before(v.NextChange) {
		return v
	}
	then := &ground{directory: g.directory, at: next, terms: g.terms, settings: g.settings, book: g.book} // a condition of what lies over it
	if o := rule.Judge(in, then.resolve(e.state.Scope()), next, then.holds(e, nil, new(time.Time))).Outcome; o != v.Outcome {
		v.NextChange, v.ChangesTo = next, o
	}
	return v
}

// holds answers whether a compensating control is met: of the subject when the
// control is about its kind, else of the subject's system and of everything in
// it that the control is about. A control that asks for itself is unknown. next
// becomes the first instant at which an answer that was given may be another.
func (g *ground) holds(e *entry, asking []string, next *time.Time) func(decision.Condition) verdict.Outcome {
	return func(c decision.Condition) verdict.Outcome {
		id := c.Control
		rule, ok := g.terms.Rule(id)
		if !ok || slices.Contains(asking, id) {
			return verdict.Unknown
		}
		var outcomes []verdict.Outcome
		for _, other := range g.near(e) {
			if !slices.Contains(rule.Control().Kinds, other.kind.ID) {
				continue
			}
			v := rule.Judge(other.subject(g.at), g.resolve(other.state.Scope()).With(g.terms.directive.Parameters, c.With), g.at, g.holds(other, append(slices.Clone(asking), id), next))
			outcomes = append(outcomes, v.Outcome)
			if next != nil && !v.NextChange.IsZero() && (next.IsZero() || v.NextChange.Before(*next)) {
				*next = v.NextChange
			}
		}
		return verdict.RollUp(outcomes...)
	}
}

// Condition is what a condition of a decision about a subject comes to now: over the
// subject and what belongs to its system.
func (s *Standing) Condition(ref fact.Ref, c decision.Condition) verdict.Outcome {
	if slot, ok := s.slot[ref]; ok {
		return s.holds(s.book.at(slot), nil, nil)(c)
	}
	return verdict.Unknown
}

// near lists a subject itself and what belongs to its system.
func (g *ground) near(e *entry) []*entry {
	out := []*entry{e}
	if e.state.Row.System == "" {
		return out
	}
	for _, slot := range g.bySystem[e.state.Row.System] {
		if other := g.book.at(slot); other.ref != e.ref {
			out = append(out, other)
		}
	}
	return out
}
