package fleet

import (
	"cmp"
	"container/heap"
	"iter"
	"slices"
	"strings"
	"time"

	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet/body"
	"kakusho/judge/fleet/reign"
	"kakusho/judge/fleet/sight"
	"kakusho/judge/fleet/table"
	"kakusho/rule/weigh"
	"kakusho/verdict"
)

// Turn is a pair whose outcome turns by time alone.
type Turn struct {
	Ref     fact.Ref
	Control string
	At      time.Time
	To      verdict.Outcome // empty: it hangs on what is not known yet
}

// Soonest are the pairs whose outcome turns by time alone, the nearest first. They
// are looked for only as far as somebody asks: subjects by the first instant at
// which anything they rest on may change, then their rules likewise, and only
// then Judge is asked when the outcome does turn.
func (o *Outcomes) Soonest() iter.Seq[Turn] {
	return func(yield func(Turn) bool) {
		q := &queue{}
		for _, j := range o.kinds {
			c := &calendar{Outcomes: o, judged: j, turns: map[turnsKey]*table.Turns{}, nexts: map[*reign.Regime][]time.Time{}, holds: map[*reign.Regime][]sight.Limit{}}
			for row := range j.refs {
				if j.body.Head(row) == nil {
					continue
				}
				if at := c.row(row); !at.IsZero() {
					q.all = append(q.all, due{at: at, calendar: c, row: row, rule: -1})
				}
			}
		}
		heap.Init(q)
		for q.Len() > 0 {
			d := heap.Pop(q).(due)
			switch {
			case d.turn != nil:
				if !yield(*d.turn) {
					return
				}
			case d.rule < 0:
				d.calendar.rules(d.row, q)
			default:
				d.calendar.pair(d.row, d.rule, q)
			}
		}
	}
}

// due is something to look at: a subject, then a pair, then its turn.
type due struct {
	at       time.Time
	calendar *calendar
	row      int
	rule     int   // -1: all
	turn     *Turn // nil: not found yet
}

// queue is a heap of what is due, the nearest first. What may still bring forth a
// turn of the same instant comes before those that are found.
type queue struct{ all []due }

func (q *queue) Len() int      { return len(q.all) }
func (q *queue) Swap(i, j int) { q.all[i], q.all[j] = q.all[j], q.all[i] }
func (q *queue) Push(x any)    { q.all = append(q.all, x.(due)) }
func (q *queue) Pop() any {
	last := q.all[len(q.all)-1]
	q.all = q.all[:len(q.all)-1]
	return last
}

func (q *queue) Less(i, j int) bool {
	a, b := &q.all[i], &q.all[j]
	if c := a.at.Compare(b.at); c != 0 {
		return c < 0
	}
	if a.turn == nil || b.turn == nil {
		return a.turn == nil && b.turn != nil
	}
	return cmp.Or(strings.Compare(string(a.turn.Ref), string(b.turn.Ref)), strings.Compare(a.turn.Control, b.turn.Control)) < 0
}

// calendar finds instants before which nothing changes, of one kind.
type calendar struct {
	*Outcomes
	*judged
	turns map[turnsKey]*table.Turns
	nexts map[*reign.Regime][]time.Time // by rule: when a parameter it reads changes
	holds map[*reign.Regime][]sight.Limit

	columns []time.Time // of the row that was looked at last
	leaves  []time.Time
}

type turnsKey struct {
	leaf      int
	signature string
}

// row is the first instant at which anything that rules read of a subject may be
// another; zero: never by time alone.
func (c *calendar) row(row int) (at time.Time) {
	c.look(row)
	for rule := range c.judged.rules {
		at = weigh.Earlier(at, c.rule(row, rule))
	}
	return at
}

// look finds when the columns of a row, and the leaves that follow the clock, may
// be others.
func (c *calendar) look(row int) {
	b, head := c.body, c.body.Head(row)
	g := c.regimes(head)
	c.columns = append(c.columns[:0], make([]time.Time, len(b.Columns))...)
	limits := c.limits(g)
	for i, column := range b.Columns {
		_, c.columns[i] = b.Doubts(row, column, limits, c.at)
	}
	c.leaves = append(c.leaves[:0], make([]time.Time, len(c.forms))...)
	for i, l := range c.forms {
		if l.Clocked {
			key := turnsKey{i, g.Signature(l.Params)}
			if c.turns[key] == nil {
				c.turns[key] = table.NewTurns(l.Leaf, g.Values, l.Domain(), c.at)
			}
			c.leaves[i] = c.turns[key].Until(b.Code(row, l, limits, c.at))
		}
	}
}

// limits says how long evidence holds under some values.
func (c *calendar) limits(g *reign.Regime) []sight.Limit {
	limits, ok := c.holds[g]
	if !ok {
		limits = body.Limits(c.body.Moments.Keys(), g.Values)
		c.holds[g] = limits
	}
	return limits
}

// rule is when what a rule reads of the row looked at may be another.
func (c *calendar) rule(row, rule int) (at time.Time) {
	r, head := c.judged.rules[rule], c.body.Head(row)
	for _, l := range c.reads[rule] {
		for _, column := range c.forms[l].Columns {
			at = weigh.Earlier(at, c.columns[column.Index])
		}
		at = weigh.Earlier(at, c.leaves[l])
	}
	at = weigh.Earlier(at, c.next(c.regimes(head), rule))
	for i := range head.Decisions {
		at = weigh.Earlier(at, c.decided(r, head, i))
	}
	return at
}

// decided is when a decision may count otherwise for a rule.
func (c *calendar) decided(r *judge.Rule, head *Subject, i int) (at time.Time) {
	d := &head.Decisions[i]
	for _, t := range weigh.Edges(*d) {
		if t.After(c.at) {
			at = weigh.Earlier(at, t)
		}
	}
	if rec := r.Control().Record; rec != nil && d.Control == r.Control().ID {
		if limit, ok := c.regimes(head).Values[rec.Fresh].Value.(time.Duration); ok && d.At.Add(limit).After(c.at) {
			at = weigh.Earlier(at, d.At.Add(limit))
		}
	}
	if (len(d.Conditions) > 0 || d.Ground != "") && r.About(*d) {
		at = c.at // its conditions, or its ground, may change at any time
	}
	return at
}

// next is when a parameter that a rule reads, or by which evidence grows old,
// changes.
func (c *calendar) next(g *reign.Regime, rule int) time.Time {
	all, ok := c.nexts[g]
	if !ok {
		for _, r := range c.judged.rules {
			keys := append(slices.Clone(r.Control().Parameters), c.body.Moments.Keys()...)
			if rec := r.Control().Record; rec != nil {
				keys = append(keys, rec.Fresh)
			}
			var at time.Time
			for _, key := range keys {
				if next := g.Values[key].Next; next.After(c.at) {
					at = weigh.Earlier(at, next)
				}
			}
			all = append(all, at)
		}
		c.nexts[g] = all
	}
	return all[rule]
}

// rules queues every rule of a row at the first instant at which it may say
// otherwise.
func (c *calendar) rules(row int, q *queue) {
	c.look(row)
	for rule := range c.judged.rules {
		if at := c.rule(row, rule); !at.IsZero() && c.rank(row, rule) != 0 {
			heap.Push(q, due{at: at, calendar: c, row: row, rule: rule})
		}
	}
}

// pair asks Judge when a pair turns, and queues it there.
func (c *calendar) pair(row, rule int, q *queue) {
	court := &court{Outcomes: c.Outcomes, at: c.at}
	p := court.judge(c.judged.rules[rule], c.body, row, nil, nil)
	if !p.next.IsZero() {
		q.push(c, row, rule, p)
	}
}

func (q *queue) push(c *calendar, row, rule int, p pair) {
	t := &Turn{c.refs[row], c.judged.rules[rule].Control().ID, p.next, p.to}
	heap.Push(q, due{at: p.next, calendar: c, row: row, rule: rule, turn: t})
}

// pair is what Judge says of a subject and a rule, with the conditions of
// decisions settled.
type pair struct {
	outcome verdict.Outcome
	next    time.Time // it is another from then on; zero: never by time alone
	to      verdict.Outcome
}

// court asks Judge about single pairs at an instant.
type court struct {
	*Outcomes
	at time.Time
}

// looks is how many changes of conditions are followed until an outcome turns.
const looks = 50

// judge asks Judge, under the values that with names; asking are the controls whose
// conditions led here.
func (c *court) judge(r *judge.Rule, b *body.Body, row int, with map[string]string, asking []string) (p pair) {
	s := b.Full(row)
	var condition time.Time // when one that was asked about turns
	v := r.Judge(s.Subject, c.values(s).With(c.terms.Parameters, with), c.at, c.holds(s, asking, &condition))
	p = pair{v.Outcome, v.NextChange, v.ChangesTo}
	then := &court{Outcomes: c.Outcomes, at: condition}
	for range looks {
		if then.at.IsZero() || !p.next.IsZero() && !then.at.Before(p.next) {
			return p
		}
		var next time.Time
		w := r.Judge(s.Subject, then.values(s).With(c.terms.Parameters, with), then.at, then.holds(s, asking, &next))
		if w.Outcome != v.Outcome {
			return pair{v.Outcome, then.at, w.Outcome}
		}
		then = &court{Outcomes: c.Outcomes, at: weigh.Earlier(next, w.NextChange)}
	}
	return p
}

// values are the parameter values that s is held to at the court's instant.
func (c *court) values(s *Subject) directive.Values {
	if c.at.Equal(c.Outcomes.at) {
		return c.regimes(s).Values
	}
	return c.terms.Parameters.Resolve(c.terms.Settings, s.Scope, c.at)
}

// holds answers whether a compensating control is met, as Fleet does. next becomes
// the first instant at which an answer that was given turns.
func (c *court) holds(s *Subject, asking []string, next *time.Time) func(decision.Condition) verdict.Outcome {
	return func(x decision.Condition) verdict.Outcome {
		id := x.Control
		r, ok := c.named[id]
		if !ok || slices.Contains(asking, id) {
			return verdict.Unknown
		}
		var outcomes []verdict.Outcome
		for _, m := range c.near(s) {
			if _, about := m.number[id]; about {
				p := c.judge(r, m.body, m.row, x.With, append(slices.Clone(asking), id))
				outcomes = append(outcomes, p.outcome)
				*next = weigh.Earlier(*next, p.next)
			}
		}
		return verdict.RollUp(outcomes...)
	}
}

// member is one subject of a system.
type member struct {
	*judged
	row int
}

// near lists a subject and what belongs to its system.
func (o *Outcomes) near(s *Subject) []member {
	j := o.of(s.Ref.Kind())
	out := []member{{j, j.names.Row(s.Ref, false)}}
	if s.System == "" {
		return out
	}
	for _, m := range o.members()[s.System] {
		if m.refs[m.row] != s.Ref {
			out = append(out, m)
		}
	}
	return out
}

// systems finds the members of every system.
func (o *Outcomes) systems() map[string][]member {
	all := map[string][]member{}
	for _, j := range o.kinds {
		for row, s := range j.body.All {
			if s.System != "" {
				all[s.System] = append(all[s.System], member{j, row})
			}
		}
	}
	return all
}
