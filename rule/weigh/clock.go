package weigh

import (
	"fmt"
	"time"

	"cel.dev/cel-go/common/types"

	"kakusho/decision"
	"kakusho/rule"
)

// Farthest is how far ahead a change is sought.
const Farthest = 50 * 365 * 24 * time.Hour

// Second is the first whole second not before t: the grain in which changes are
// told.
func Second(t time.Time) time.Time {
	if f := t.Truncate(time.Second); f.Before(t) {
		return f.Add(time.Second)
	}
	return t
}

// Exact turns a whole second at which a change is told into an instant before which
// there surely was none: it may have come between two seconds. Zero stays never.
func Exact(second time.Time) time.Time {
	if second.IsZero() {
		return second
	}
	return second.Add(1 - time.Second)
}

// crossing finds when an atom that mentions now last changed and will next
// change by time alone. Both sides are straight lines in now, so they meet once;
// CEL confirms on which second the value turns.
func (s *Scale) crossing(n *rule.Node, current Truth) (since, until time.Time) {
	gap, ok := s.Gap(n)
	if !ok {
		return since, until
	}
	meet := s.Now.Add(-gap * time.Duration(n.Clocked))
	if meet.After(s.Now.Add(Farthest)) {
		return since, until
	}
	if !meet.After(s.Now) {
		since = meet
	}
	next := s.Now.Truncate(time.Second).Add(time.Second)
	first := Second(meet)
	if first.Before(next) {
		if first.Add(time.Second).Before(next) {
			return since, until // met long ago
		}
		first = next
	}
	for _, t := range []time.Time{first, first.Add(time.Second)} {
		if s.atomAt(n, t) != current {
			return since, t
		}
	}
	return since, until
}

func (s *Scale) atomAt(n *rule.Node, t time.Time) Truth {
	now := s.clock
	s.clock = types.Timestamp{Time: t}
	v, _ := s.Value(n.Program)
	s.clock = now
	r, _ := boolean(v)
	return r
}

// Gap is how far the left side of an atom that mentions now is from the right
// one: left minus right.
func (s *Scale) Gap(n *rule.Node) (time.Duration, bool) {
	left, _ := s.Value(n.Left)
	right, _ := s.Value(n.Right)
	return apart(left, right)
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
func (s *Scale) answered() *State {
	st := &s.answer
	if st.found {
		return st
	}
	*st = State{found: true, person: true, Code: NoRecord}
	rec := s.Control.Record
	if rec == nil {
		return st
	}
	d := s.newest(rec.Type, st)
	if d == nil {
		return st
	}
	st.Code, st.Decision, st.Raw = "", d, d.Answer
	st.val, st.Since = types.String(d.Answer), later(d.At, d.From)
	if len(d.Lapsed) > 0 {
		st.Code, st.val = Lapsed, nil
		return st
	}
	if _, ok := rec.Answer(d.Answer); !ok {
		st.Code, st.Detail = Failed, fmt.Sprintf("answer %q is none of the control's", d.Answer)
	}
	s.expire(st, rec.Fresh, d.At)
	return st
}

// newest is the latest decision of a type about this control that is in force;
// st.Until learns when that may change.
func (s *Scale) newest(t decision.Type, st *State) (found *decision.Decision) {
	for i := range s.Decisions {
		d := &s.Decisions[i]
		if d.Type != t || d.Control != s.Control.ID {
			continue
		}
		for _, b := range Edges(*d) {
			if b.After(s.Now) {
				st.Until = Earlier(st.Until, b)
			}
		}
		if !d.InForce(s.Now) || d.At.After(s.Now) {
			continue
		}
		if found == nil || d.At.After(found.At) || d.At.Equal(found.At) && d.ID > found.ID {
			found = d
		}
	}
	return found
}

// Edges are the instants at which a decision may begin or cease to count.
func Edges(d decision.Decision) []time.Time {
	return []time.Time{d.At, d.From, d.Until, d.ApprovedAt, d.WithdrawnAt}
}
