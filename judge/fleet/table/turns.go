package table

import (
	"time"

	"kakusho/directive"
	"kakusho/judge/fleet/column"
	"kakusho/rule/weigh"
)

// Turns says when a leaf may come to something else by time alone, code by code.
type Turns struct {
	leaf   *Leaf
	domain Domain
	now    time.Time
	ask    *prober
	known  map[uint32]time.Time
	lines  []time.Duration // how far after their value two codes turned
}

// NewTurns is for a leaf that follows the clock, under parameter values.
func NewTurns(l *Leaf, values directive.Values, d Domain, now time.Time) *Turns {
	return &Turns{leaf: l, domain: d, now: now, ask: newProber(l, values, now), known: map[uint32]time.Time{}}
}

// Until is an instant before which what the leaf says of a code does not change;
// zero: it never does.
func (t *Turns) Until(code uint32) time.Time {
	if until, ok := t.known[code]; ok {
		return until
	}
	var room [4]column.Entry
	cells := t.domain.Cells(code, room[:0])
	value, dated := time.Time{}, false
	if len(cells) == 1 && t.leaf.searches() {
		value, dated = cells[0].Value.(time.Time)
	}
	if until, ok := t.line(value, dated); ok {
		return until
	}
	_, until := t.ask.ask(cells)
	until = weigh.Exact(until)
	t.known[code] = until
	if dated && !until.IsZero() {
		t.lines = append(t.lines, until.Sub(value))
	}
	return until
}

// grain is how far an instant found on a line may be off.
const grain = 2 * time.Second

// line finds the turn of a value from those of two others: where a side rises with
// the value and nothing else, all turn equally long after their value.
func (t *Turns) line(value time.Time, dated bool) (until time.Time, ok bool) {
	if !dated || len(t.lines) < 2 || (t.lines[0]-t.lines[1]).Abs() > grain {
		return until, false
	}
	at := value.Add(t.lines[0])
	switch ahead := at.Sub(t.now); {
	case ahead < -grain:
		return until, true // it turned, once and for all
	case ahead < 2*grain:
		return until, false // too near to tell
	}
	return at.Add(-grain), true
}
