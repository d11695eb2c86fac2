package judge

import (
	"time"

	"kakusho/rule/weigh"
	"kakusho/verdict"
)

// maxLooks is how many instants nextChange looks at. Each lies where something
// that decided may change, so that few are needed.
const maxLooks = 2_000

// nextChange finds the first whole second after the judging instant at which the
// outcome is another by time alone. The outcome from then on is left empty when
// it hangs on a parameter that changes to a value not known here, or when
// nothing was settled after maxLooks instants.
func (j *judging) nextChange(st standing) (time.Time, verdict.Outcome) {
	last := j.at.Add(weigh.Farthest)
	until := st.until
	for range maxLooks {
		if until.IsZero() || until.After(last) {
			return time.Time{}, ""
		}
		at := weigh.Second(until)
		next := j.settle(j.matter.Scale(at))
		if next.outcome != st.outcome && next.horizon {
			return at, ""
		}
		if next.outcome != st.outcome {
			return at, next.outcome
		}
		until = next.until
	}
	return weigh.Second(until), ""
}
