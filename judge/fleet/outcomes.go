package fleet

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"kakusho/fact"
	"kakusho/judge"
	"kakusho/verdict"
)

// Outcomes is what was judged at one instant. It does not change.
type Outcomes struct {
	at    time.Time
	until time.Time
	refs  []fact.Ref
	rules map[string][]*judge.Rule
	rows  map[fact.Ref][]pair // in the order of the rules of its kind
}

// At is the instant.
func (o *Outcomes) At() time.Time { return o.at }

// Until is when a pair may differ by time alone, and none does before; zero:
// never.
func (o *Outcomes) Until() time.Time { return o.until }

// Of is the outcome of one pair, if the subject is there and the control is about
// its kind.
func (o *Outcomes) Of(ref fact.Ref, control string) (verdict.Outcome, bool) {
	for rule, outcome := range o.Row(ref) {
		if rule.Control().ID == control {
			return outcome, true
		}
	}
	return "", false
}

// Row is every outcome of one subject, by the rules of its kind in the order of
// the terms.
func (o *Outcomes) Row(ref fact.Ref) iter.Seq2[*judge.Rule, verdict.Outcome] {
	return func(yield func(*judge.Rule, verdict.Outcome) bool) {
		for i, p := range o.rows[ref] {
			if !yield(o.rules[ref.Kind()][i], p.outcome) {
				return
			}
		}
	}
}

// Each is every subject that a control is about. The order is that in which
// subjects first came, kind by kind.
func (o *Outcomes) Each(control string) iter.Seq2[fact.Ref, verdict.Outcome] {
	return func(yield func(fact.Ref, verdict.Outcome) bool) {
		for _, ref := range o.refs {
			if outcome, ok := o.Of(ref, control); ok && !yield(ref, outcome) {
				return
			}
		}
	}
}

// Count counts the outcomes of a control by group, in the order of
// verdict.Outcomes. A subject whose group is none of the groups is left out.
func (o *Outcomes) Count(control string, groups int, group func(fact.Ref) int) [][9]int {
	counts := make([][9]int, groups)
	for ref, outcome := range o.Each(control) {
		if g := group(ref); g >= 0 && g < groups {
			counts[g][slices.Index(verdict.Outcomes, outcome)]++
		}
	}
	return counts
}

// Change is a pair that was judged differently.
type Change struct {
	Ref      fact.Ref
	Control  string
	From, To verdict.Outcome // empty: the pair was not, or is not any more
}

// Changes are the pairs of which o says something else than since does.
func (o *Outcomes) Changes(since *Outcomes) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		for _, ref := range o.refs {
			for rule, to := range o.Row(ref) {
				id := rule.Control().ID
				if from, _ := since.Of(ref, id); from != to && !yield(Change{ref, id, from, to}) {
					return
				}
			}
		}
		for _, ref := range since.refs {
			for rule, from := range since.Row(ref) {
				id := rule.Control().ID
				if _, ok := o.Of(ref, id); !ok && !yield(Change{ref, id, from, ""}) {
					return
				}
			}
		}
	}
}

// Turn is a pair whose outcome turns by time alone.
type Turn struct {
	Ref     fact.Ref
	Control string
	At      time.Time
	To      verdict.Outcome // empty: it hangs on what is not known yet
}

// Soonest are the pairs whose outcome turns by time alone, the nearest first.
func (o *Outcomes) Soonest() iter.Seq[Turn] {
	return func(yield func(Turn) bool) {
		var turns []Turn
		for _, ref := range o.refs {
			for i, p := range o.rows[ref] {
				if !p.next.IsZero() {
					turns = append(turns, Turn{ref, o.rules[ref.Kind()][i].Control().ID, p.next, p.to})
				}
			}
		}
		slices.SortFunc(turns, func(a, b Turn) int {
			return cmp.Or(a.At.Compare(b.At), strings.Compare(string(a.Ref), string(b.Ref)), strings.Compare(a.Control, b.Control))
		})
		for _, t := range turns {
			if !yield(t) {
				return
			}
		}
	}
}
