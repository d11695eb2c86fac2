package fleet

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"kakusho/fact"
	"kakusho/verdict"
)

// Turn is a pair whose outcome turns by time alone.
type Turn struct {
	Ref     fact.Ref
	Control string
	At      time.Time
	To      verdict.Outcome // empty: it hangs on what is not known yet
}

// Soonest are the pairs whose outcome turns by time alone, the nearest first. Judge
// is asked about every pair.
func (o *Outcomes) Soonest() iter.Seq[Turn] {
	return func(yield func(Turn) bool) {
		var turns []Turn
		for _, j := range o.kinds {
			for row := range j.refs {
				if j.body.Head(row) != nil {
					turns = j.turns(o, row, turns)
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

// turns adds those of one subject. Compensating controls are taken as they stand.
func (j *judged) turns(o *Outcomes, row int, turns []Turn) []Turn {
	s := j.body.Full(row)
	for i, r := range j.rules {
		if j.rank(row, i) == 0 {
			continue
		}
		v := r.Judge(s.Subject, o.regimes(s).Values, o.at, func(id string) verdict.Outcome {
			outcome, _ := o.Of(s.Ref, id)
			return cmp.Or(outcome, verdict.Unknown)
		})
		if !v.NextChange.IsZero() {
			turns = append(turns, Turn{s.Ref, r.Control().ID, v.NextChange, v.ChangesTo})
		}
	}
	return turns
}
