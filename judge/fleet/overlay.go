package fleet

import (
	"maps"
	"slices"
	"sync"
	"time"

	"kakusho/decision"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/body"
	"kakusho/judge/fleet/program"
	"kakusho/judge/fleet/reign"
	"kakusho/judge/fleet/roll"
	"kakusho/rule/weigh"
	"kakusho/verdict"
)

// overlays remembers what decisions turned violations into, as Judge said. It is
// safe for concurrent use.
type overlays struct {
	mu    sync.Mutex
	pairs map[laidPair]overlay
}

type laidPair struct {
	rule *judge.Rule
	row  int
}

// overlay is what Judge said of a pair, and on what that rests.
type overlay struct {
	subject     *Subject
	regime      *reign.Regime
	from, until time.Time // zero: for ever
	outcome     verdict.Outcome
}

func newOverlays() *overlays { return &overlays{pairs: map[laidPair]overlay{}} }

func (o *overlays) fork() *overlays {
	o.mu.Lock()
	defer o.mu.Unlock()
	return &overlays{pairs: maps.Clone(o.pairs)}
}

// keep forgets what rules that are not held any more came to.
func (o *overlays) keep(rules []*judge.Rule) {
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.DeleteFunc(o.pairs, func(p laidPair, _ overlay) bool { return !slices.Contains(rules, p.rule) })
}

// laid reports whether a decision in any state is about the rule and may lie over
// a violation, and whether one hangs on more than time: on conditions, or on its ground.
func laid(r *judge.Rule, s *Subject) (any, conditional bool) {
	for i := range s.Decisions {
		if d := &s.Decisions[i]; roll.Overlies(*d) && r.About(*d) {
			any, conditional = true, conditional || len(d.Conditions) > 0 || d.Ground != ""
		}
	}
	return any, conditional
}

// ask is what Judge says of a pair with decisions but without conditions.
func (o *overlays) ask(b *body.Body, r *judge.Rule, row int, g *reign.Regime, at time.Time) overlay {
	s := b.Head(row)
	key := laidPair{r, row}
	o.mu.Lock()
	x, ok := o.pairs[key]
	o.mu.Unlock()
	if ok && x.subject == s && x.regime == g && !at.Before(x.from) && (x.until.IsZero() || at.Before(x.until)) {
		return x
	}
	v := r.Judge(b.Full(row).Subject, g.Values, at, nil)
	x = overlay{subject: s, regime: g, from: at, until: weigh.Exact(v.NextChange), outcome: v.Outcome}
	o.mu.Lock()
	o.pairs[key] = x
	o.mu.Unlock()
	return x
}

// lay asks Judge about the rows of left over which a decision may lie, and enters
// what it says. Pairs that hang on conditions are noted for later.
func (b *kin) lay(f *Fleet, p *program.Program, v *body.View, left bits.Block, s *program.Sheet) (until time.Time) {
	left.And(&b.Laid[v.Page])
	var asked []int
	for i := range left.All() {
		row := v.Page*bits.Size + i
		sub := b.Head(row)
		any, conditional := laid(p.Rule, sub)
		switch {
		case conditional:
			asked = append(asked, row)
		case any:
			x := b.over.ask(b.Body, p.Rule, row, f.values(sub), v.At)
			until = weigh.Earlier(until, x.until)
			s.Put(i, program.RankOf(x.outcome))
		}
	}
	p.Note(v.Page, asked)
	return until
}

// conditions answers for compensating controls once everything else is judged.
type conditions struct {
	*Fleet
	at    time.Time
	until time.Time
}

// settleConditions asks Judge about every pair that hangs on conditions.
func (f *Fleet) settleConditions(at time.Time) (until time.Time) {
	c := &conditions{Fleet: f, at: at}
	f.hanging = false
	for _, b := range f.bodies {
		for _, p := range b.programs {
			for page, rows := range p.Asked {
				f.hanging = true
				for _, row := range rows {
					rank := program.RankOf(c.judge(p.Rule, b.Full(row), nil, nil))
					if i := row % bits.Size; p.Sheets[page].At(i) != rank {
						p.Write(page, f.owner).Put(i, rank)
						f.last, b.snap = nil, nil
					}
				}
			}
		}
	}
	return c.until
}

// judge asks Judge about a pair, under the values that with names; asking are the
// controls whose conditions led here.
func (c *conditions) judge(r *judge.Rule, s *Subject, with map[string]string, asking []string) verdict.Outcome {
	v := r.Judge(s.Subject, c.values(s).Values.With(c.terms.Parameters, with), c.at, c.holds(s, asking))
	c.until = weigh.Earlier(c.until, weigh.Exact(v.NextChange))
	return v.Outcome
}

// holds answers whether a compensating control is met by the subject and by what
// belongs to its system, as far as the control is about them. A control that asks
// for itself is unknown.
func (c *conditions) holds(s *Subject, asking []string) func(decision.Condition) verdict.Outcome {
	return func(x decision.Condition) verdict.Outcome {
		id := x.Control
		r, ok := c.named[id]
		if !ok || slices.Contains(asking, id) {
			return verdict.Unknown
		}
		var outcomes []verdict.Outcome
		for _, ref := range c.near(s) {
			if slices.Contains(r.Control().Kinds, ref.Kind()) {
				outcomes = append(outcomes, c.outcome(ref, r, x.With, append(slices.Clone(asking), id)))
			}
		}
		return verdict.RollUp(outcomes...)
	}
}

// outcome is what a pair comes to in answer to a condition.
func (c *conditions) outcome(ref fact.Ref, r *judge.Rule, with map[string]string, asking []string) verdict.Outcome {
	b := c.bodies[ref.Kind()]
	row := b.Names.Row(ref, false)
	for _, p := range b.programs {
		if p.Rule != r || len(with) > 0 {
			continue
		}
		if page := row / bits.Size; !slices.Contains(p.Asked[page], row) {
			return program.OutcomeOf(p.Sheets[page].At(row % bits.Size))
		}
	}
	return c.judge(r, b.Full(row), with, asking)
}
