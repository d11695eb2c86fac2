package table

import (
	"regexp"
	"slices"
	"sync"
	"time"

	"cel.dev/cel-go/common/operators"

	"kakusho/directive"
	"kakusho/judge"
	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/column"
	"kakusho/kind"
	"kakusho/rule"
)

// Leaf is a part of a rule that is looked up in a table. It does not change.
type Leaf struct {
	Key     string
	Index   int // among the leaves of its Maker
	Sources []Source
	Params  []*rule.Param
	Clocked bool // now matters

	rule      *judge.Rule
	node      *rule.Node
	pol       int
	push      bool
	within    *rule.Node // it is about elements of this one's list
	predicate *Form      // of all, exists and count over one list: what is asked of each element
	inner     []*Leaf    // the leaves of predicate
}

// Field is the field that source i reads, or for an answer nil.
func (l *Leaf) Field(i int) *rule.Field {
	for _, r := range scanned(l.node).reads {
		if sourceOf(r, l.rule.Control().ID) == l.Sources[i] {
			return r.Field
		}
	}
	return nil
}

// Walks reports whether the leaf is looked up by the elements of a list.
func (l *Leaf) Walks() bool { return l.predicate != nil }

// Domain is what the codes of a table stand for.
type Domain interface {
	Len() int
	// Cells appends the cells of a code, one for each source of the leaf.
	Cells(code uint32, into []column.Entry) []column.Entry
	// Order lists codes of values with an order, ascending, from a code on.
	Order(from int) []uint32
}

// Cells are the codes of one dictionary.
type Cells struct {
	*column.Dictionary
	Elements *Elements // of lists
}

// Cells implements Domain.
func (c Cells) Cells(code uint32, into []column.Entry) []column.Entry {
	return append(into, c.At(code))
}

// Constant is the domain of a leaf that reads nothing: one code.
type Constant struct{}

// Len implements Domain.
func (Constant) Len() int { return 1 }

// Cells implements Domain.
func (Constant) Cells(_ uint32, into []column.Entry) []column.Entry { return into }

// Order implements Domain.
func (Constant) Order(int) []uint32 { return nil }

// Table is what a leaf comes to for every code, under some parameter values. It is
// safe for concurrent use as long as all ask for one instant or now does not
// matter.
type Table struct {
	leaf   *Leaf
	values directive.Values

	mu      sync.Mutex
	flags   []bits.Flags // grows; what was handed out changes only as now does
	loose   []loose      // where now matters: the codes that stand in no order
	at      time.Time    // the instant for which the flags are
	until   time.Time    // before then they are right; zero: for ever
	ordered []bool       // where now matters: the code is in the cut's order
	serial  int          // grows whenever a flag becomes another
	cut     cut
	walk    *walk
	asked   int
}

// New makes the table of a leaf under parameter values, as Resolve finds them.
func New(l *Leaf, values directive.Values) *Table {
	still := make(directive.Values, len(l.Params))
	for _, p := range l.Params {
		if v, ok := values[p.Key]; ok {
			v.Next = time.Time{} // other values are another table
			still[p.Key] = v
		}
	}
	return &Table{leaf: l, values: still}
}

// Fork is a table that may be asked for other instants than t is.
func (t *Table) Fork() *Table {
	if !t.leaf.Clocked {
		return t
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	g := &Table{
		leaf: t.leaf, values: t.values, flags: slices.Clone(t.flags), loose: slices.Clone(t.loose), ordered: slices.Clone(t.ordered),
		at: t.at, until: t.until, serial: t.serial, cut: t.cut, asked: t.asked,
	}
	if t.walk != nil {
		g.walk = t.walk.fork()
	}
	return g
}

// Asked is how often the table had to ask rule/weigh.
func (t *Table) Asked() int { t.mu.Lock(); defer t.mu.Unlock(); return t.asked }

// Serial grows whenever something the table said before is another now.
func (t *Table) Serial() int { t.mu.Lock(); defer t.mu.Unlock(); return t.serial }

// Until is when a flag may be another by time alone, and none is before; zero:
// never.
func (t *Table) Until() time.Time { t.mu.Lock(); defer t.mu.Unlock(); return t.until }

// Flags are what the leaf comes to for every code of d at the instant now.
func (t *Table) Flags(d Domain, now time.Time) []bits.Flags {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := d.Len()
	stale := t.leaf.Clocked && len(t.flags) > 0 && (now.Before(t.at) || !t.until.IsZero() && !now.Before(t.until))
	if len(t.flags) >= n && !stale {
		return t.flags[:n:n]
	}
	if t.leaf.predicate != nil {
		t.walkAll(d.(Cells), now, n)
		return t.flags[:n:n]
	}
	ask := newProber(t.leaf, t.values, now)
	if stale {
		t.turn(ask, d, now)
	}
	t.grow(ask, d, n)
	if t.leaf.Clocked {
		t.at = now
		t.until = t.cut.until
		for _, x := range t.loose {
			t.until = earlier(t.until, x.until)
		}
	}
	return t.flags[:n:n]
}

// exact turns the whole second at which weigh says that a result may change into
// an instant at which it has not yet: it may change between two seconds.
func exact(until time.Time) time.Time {
	if until.IsZero() {
		return until
	}
	return until.Add(1 - time.Second)
}

// weigh asks for one code.
func (t *Table) weigh(ask *prober, d Domain, code uint32) (bits.Flags, time.Time) {
	var room [4]column.Entry
	t.asked++
	f, until := ask.ask(d.Cells(code, room[:0]))
	return f, exact(until)
}

// few is up to how many new values are asked about one by one: to search among
// them costs as much.
const few = 24

// grow asks about the codes that are new.
func (t *Table) grow(ask *prober, d Domain, n int) {
	from := len(t.flags)
	if from >= n {
		return
	}
	t.flags = append(t.flags, make([]bits.Flags, n-from)...)
	if !t.leaf.Clocked {
		done := make([]bool, n-from)
		if n-from > few && t.leaf.searches() {
			t.spread(ask, d, from, done)
		}
		for i, ok := range done {
			if !ok {
				t.flags[from+i], _ = t.weigh(ask, d, uint32(from+i))
			}
		}
		return
	}
	t.growClocked(ask, d, from, n)
}

// spread searches among ordered codes and notes which are done.
func (t *Table) spread(ask *prober, d Domain, from int, done []bool) {
	order := d.Order(from)
	c, ok := t.search(ask, d, order)
	if !ok {
		return
	}
	for i, code := range order {
		if int(code) < len(t.flags) && int(code) >= from {
			t.flags[code], done[int(code)-from] = c.side(i), true
		}
	}
}

// loose is a code that turns by itself as time goes by.
type loose struct {
	code  uint32
	until time.Time // its flag holds before then; zero: for ever
}

// due reports whether the flag may be another at now than it was at the instant at.
func (l loose) due(at, now time.Time) bool {
	return now.Before(at) || !l.until.IsZero() && !now.Before(l.until)
}

// cut is where a table over ordered values turns.
type cut struct {
	order     []uint32
	at        int // order[:at] is low, the rest high
	low, high bits.Flags
	until     time.Time
	n         int // codes below n were written
}

func (c cut) side(i int) bits.Flags {
	if i < c.at {
		return c.low
	}
	return c.high
}

// search finds the turn by asking about both ends and halving. It is not found
// where an end is neither true nor false.
func (t *Table) search(ask *prober, d Domain, order []uint32) (c cut, ok bool) {
	if len(order) == 0 {
		return c, false
	}
	at := func(i int) bits.Flags {
		f, until := t.weigh(ask, d, order[i])
		c.until = earlier(c.until, until)
		return f
	}
	last := len(order) - 1
	c.order, c.low, c.high = order, at(0), at(last)
	if c.low != bits.Yes && c.low != bits.No || c.high != bits.Yes && c.high != bits.No {
		return c, false
	}
	if c.at = len(order); c.low == c.high {
		return c, true
	}
	lo, hi := 0, last // order[lo] is low, order[hi] high
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; at(mid) == c.low {
			lo = mid
		} else {
			hi = mid
		}
	}
	c.at = hi
	return c, true
}

// growClocked asks about new codes where now matters. Codes in an order need no
// instant of their own: the next that turns stands beside the cut.
func (t *Table) growClocked(ask *prober, d Domain, from, n int) {
	t.ordered = append(t.ordered, make([]bool, n-len(t.ordered))...)
	if t.leaf.searches() && (t.cut.order != nil || n > few) {
		t.recut(ask, d, n)
	}
	for code := from; code < n; code++ {
		if !t.ordered[code] {
			t.loosen(ask, d, uint32(code))
		}
	}
}

// loosen asks about a code for the first time.
func (t *Table) loosen(ask *prober, d Domain, code uint32) {
	f, until := t.weigh(ask, d, code)
	t.flags[code] = f
	t.loose = append(t.loose, loose{code, until})
}

// recut searches anew, and writes what is another than before.
func (t *Table) recut(ask *prober, d Domain, n int) {
	old := t.cut
	c, ok := t.search(ask, d, d.Order(1))
	if !ok {
		t.cut = cut{}
		for code, was := range t.ordered { // they fall back to their own instants
			if was {
				t.loosen(ask, d, uint32(code))
				t.ordered[code] = false
			}
		}
		t.serial++
		return
	}
	t.cut, t.cut.n = c, n
	lo, hi := 0, len(c.order)
	if old.n == n && len(old.order) == len(c.order) && old.low == c.low && old.high == c.high {
		lo, hi = min(old.at, c.at), max(old.at, c.at)
	}
	for i := lo; i < hi; i++ {
		code := int(c.order[i])
		if code >= n {
			continue // it came meanwhile, by way of a fork
		}
		if f := c.side(i); t.flags[code] != f {
			t.flags[code] = f
			t.serial++
		}
		t.ordered[code] = true
	}
	if old.n != n {
		t.loose = slices.DeleteFunc(t.loose, func(x loose) bool { return t.ordered[x.code] })
	}
}

// turn brings what was said of another instant to now.
func (t *Table) turn(ask *prober, d Domain, now time.Time) {
	if t.cut.order != nil {
		t.recut(ask, d, len(t.flags))
	}
	t.again(ask, d, now)
}

// again asks about the loose codes that are due.
func (t *Table) again(ask *prober, d Domain, now time.Time) {
	for i, x := range t.loose {
		if !x.due(t.at, now) {
			continue
		}
		f, next := t.weigh(ask, d, x.code)
		if f != t.flags[x.code] {
			t.serial++
		}
		t.flags[x.code], t.loose[i].until = f, next
	}
}

// straight are the sides that rise or fall with a field, and with nothing else
// that a subject knows.
var straight = regexp.MustCompile(`^(F|now - F|F - now|F [-+] p\.\w+|p\.\w+ [-+] F|F [-+] duration\("[^"]*"\)|F [-+] \d+)$`)

// searches reports whether the leaf turns once at most as the value rises.
func (l *Leaf) searches() bool {
	n := l.node
	switch n.Cmp {
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
	default:
		return false
	}
	if n.Op != rule.Atom || len(n.Reads) != 1 || n.Reads[0].Has || n.Reads[0].Field == nil || len(l.Sources) != 1 {
		return false
	}
	switch n.Reads[0].Field.Type {
	case kind.Time, kind.Date, kind.Duration:
	case kind.Int, kind.Number: // what is out of range is no value: with several kinds there may be gaps
		if len(l.rule.Control().Kinds) != 1 {
			return false
		}
	default:
		return false
	}
	side := n.LeftSide
	if len(n.RightSide.Reads) > 0 {
		side = n.RightSide
	}
	if len(n.LeftSide.Reads)+len(n.RightSide.Reads) != 1 {
		return false
	}
	return straight.MatchString(l.bare().ReplaceAllString(side.Text, "F"))
}

// bare matches the leaf's only field as it is written.
func (l *Leaf) bare() *regexp.Regexp {
	v := string(l.node.Reads[0].From)
	if l.within != nil {
		v = l.within.Variable
	}
	return regexp.MustCompile(`\b` + v + `\.` + l.node.Reads[0].Field.Name + `\b`)
}

// earlier is the earlier of two instants of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
