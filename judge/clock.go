package judge

import (
	"fmt"
	"time"

	"cel.dev/cel-go/common/types"

	"kakusho/decision"
	"kakusho/verdict"
)

const (
	horizon  = 50 * 365 * 24 * time.Hour // how far ahead a change is sought
	maxLooks = 2_000                     // re-judgements in that search
)

// second is the first whole second not before t.
func second(t time.Time) time.Time {
	if f := t.Truncate(time.Second); f.Before(t) {
		return f.Add(time.Second)
	}
	return t
}

// crossing finds when an atom that mentions now last changed and will next
// change by time alone. Both sides are straight lines in now, so they meet once;
// CEL confirms on which second the value turns.
func (e *evaluation) crossing(n *node, current truth) (since, until time.Time) {
	left, _ := e.value(n.left)
	right, _ := e.value(n.right)
	gap, ok := apart(left, right)
	if !ok {
		return since, until
	}
	meet := e.now.Add(-gap * time.Duration(n.clocked))
	if meet.After(e.now.Add(horizon)) {
		return since, until
	}
	if !meet.After(e.now) {
		since = meet
	}
	next := e.now.Truncate(time.Second).Add(time.Second)
	first := second(meet)
	if first.Before(next) {
		if first.Add(time.Second).Before(next) {
			return since, until // met long ago
		}
		first = next
	}
	for _, t := range []time.Time{first, first.Add(time.Second)} {
		if e.atomAt(n, t) != current {
			return since, t
		}
	}
	return since, until
}

func (e *evaluation) atomAt(n *node, t time.Time) truth {
	e.clock = t
	v, _ := e.value(n.program)
	e.clock = e.now
	r, _ := boolean(v)
	return r
}

// apart is left minus right, of two instants or two durations.
func apart(left, right any) (time.Duration, bool) {
	switch l := left.(type) {
	case types.Timestamp:
		if r, ok := right.(types.Timestamp); ok {
			return l.Time.Sub(r.Time), true
		}
	case types.Duration:
		if r, ok := right.(types.Duration); ok {
			d := l.Duration - r.Duration
			return d, (d > l.Duration) == (r.Duration < 0) // else it overflowed
		}
	}
	return 0, false
}

// answered is the answer that counts at e's instant, if there is one.
func (e *evaluation) answered() *state {
	st := &e.answer
	if st.found {
		return st
	}
	*st = state{found: true, person: true, code: codeNoRecord}
	rec := e.rule.control.Record
	if rec == nil {
		return st
	}
	d := e.newest(rec.Type, st)
	if d == nil {
		return st
	}
	st.code, st.decision, st.raw = "", d, d.Answer
	st.val, st.since = types.String(d.Answer), later(d.At, d.From)
	if _, ok := rec.Answer(d.Answer); !ok {
		st.code, st.detail = codeError, fmt.Sprintf("answer %q is none of the control's", d.Answer)
	}
	e.expire(st, rec.Fresh, d.At)
	return st
}

// newest is the latest decision of a type about this control that is in force;
// st.until learns when that may change.
func (e *evaluation) newest(t decision.Type, st *state) (found *decision.Decision) {
	for i := range e.subject.Decisions {
		d := &e.subject.Decisions[i]
		if d.Type != t || d.Control != e.rule.control.ID {
			continue
		}
		for _, b := range bounds(*d) {
			if b.After(e.now) {
				st.until = earlier(st.until, b)
			}
		}
		if !d.InForce(e.now) || d.At.After(e.now) {
			continue
		}
		if found == nil || d.At.After(found.At) || d.At.Equal(found.At) && d.ID > found.ID {
			found = d
		}
	}
	return found
}

// bounds are the instants at which a decision may begin or cease to count.
func bounds(d decision.Decision) []time.Time {
	return []time.Time{d.At, d.From, d.Until, d.ApprovedAt, d.WithdrawnAt}
}

// nextChange finds the first whole second after the judging instant at which the
// outcome is another by time alone. When a parameter changes first, to a value
// that is not known here, the outcome from then on is left empty.
func (j *judging) nextChange(st standing) (time.Time, verdict.Outcome) {
	last := j.at.Add(horizon)
	now, until := j.at, st.until
	for range maxLooks {
		if until.IsZero() || until.After(last) {
			return time.Time{}, ""
		}
		now = second(until)
		next := j.instant(now).settle()
		if next.outcome != st.outcome {
			if next.horizon {
				return now, ""
			}
			return now, next.outcome
		}
		until = next.until
	}
	// It changed its grounds too often to follow: from here on nothing is known.
	return now, ""
}
