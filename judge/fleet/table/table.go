package table

import (
	"regexp"
	"slices"
	"sync"
	"time"

	"kakusho/directive"
	"kakusho/judge"
	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/column"
	"kakusho/judge/fleet/table/like"
	"kakusho/kind"
	"kakusho/rule"
	"kakusho/rule/weigh"
)

// Leaf is a part of a rule that is looked up in a table. It does not change.
type Leaf struct {
	Index   int // among the leaves of its Maker
	Sources []Source
	Params  []*rule.Param
	Clocked bool // now matters

	rule      *judge.Rule
	node      *rule.Node
	pol       int
	push      bool
	rising    int        // the leaf turns once at most as the value of this source rises, and all others stay; -1: there is none
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

// Domain is what the codes of a table stand for.
type Domain interface {
	Len() int
	// Cells appends the cells of a code, one for each source of the leaf.
	Cells(code uint32, into []column.Entry) []column.Entry
	// Orders lists codes, from one on, in which nothing but the value of the source
	// differs, in ascending order of it.
	Orders(from, source int) [][]uint32
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

// Orders implements Domain.
func (Constant) Orders(int, int) [][]uint32 { return nil }

// Orders implements Domain.
func (c Cells) Orders(from, _ int) [][]uint32 { return [][]uint32{c.Order(from)} }

// Table is what a leaf comes to for every code, under some parameter values. It is
// safe for concurrent use as long as all ask for one instant or now does not
// matter.
type Table struct {
	leaf   *Leaf
	values directive.Values

	mu      sync.Mutex
	flags   []bits.Flags // grows; what was handed out changes, and is written to, only as now does
	loose   []loose      // where now matters: the codes that stand in no order
	at      time.Time    // the instant for which the flags are
	until   time.Time    // before then they are right; zero: for ever
	ordered []bool       // where now matters: the code is in the cut's order
	serial  int          // grows whenever a flag becomes another
	cuts    []cut
	walk    *walk
	like    *like.Likeness
	known   map[uint64]bits.Flags // of those alike; nil: like was not looked for yet
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
		at: t.at, until: t.until, serial: t.serial, cuts: slices.Clone(t.cuts), asked: t.asked,
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
	stale := t.leaf.Clocked && len(t.flags) > 0 && !now.Equal(t.at) && (now.Before(t.at) || !t.until.IsZero() && !now.Before(t.until))
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
		t.until = time.Time{}
		for _, c := range t.cuts {
			t.until = weigh.Earlier(t.until, c.until)
		}
		for _, x := range t.loose {
			t.until = weigh.Earlier(t.until, x.until)
		}
	}
	return t.flags[:n:n]
}

// weigh asks for one code.
func (t *Table) weigh(ask *prober, d Domain, code uint32) (bits.Flags, time.Time) {
	var room [4]column.Entry
	t.asked++
	f, until := ask.ask(d.Cells(code, room[:0]))
	return f, weigh.Exact(until)
}

// liken is what a code comes to where now does not matter. Among those that are
// alike one is asked about.
func (t *Table) liken(ask *prober, d Domain, code uint32) bits.Flags {
	if t.like == nil {
		f, _ := t.weigh(ask, d, code)
		return f
	}
	var room [4]column.Entry
	key, ok := t.like.Key(d.Cells(code, room[:0]))
	if f, known := t.known[key]; ok && known {
		return f
	}
	f, _ := t.weigh(ask, d, code)
	if ok {
		t.known[key] = f
	}
	return f
}

// alike is what the leaf asks of its cells; nil if only weigh can tell.
func (l *Leaf) alike(ask *prober) *like.Likeness {
	if l.Clocked || l.predicate != nil {
		return nil
	}
	var fields []*rule.Field
	for i, s := range l.Sources {
		f := l.Field(i)
		if f == nil && s.Layer == Element { // a string in a list
			f = &rule.Field{Type: kind.String}
		}
		if f == nil {
			return nil
		}
		fields = append(fields, f)
	}
	return like.New(l.node, fields, ask.scale.Value)
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
		if t.known == nil {
			t.like, t.known = t.leaf.alike(ask), map[uint64]bits.Flags{}
		}
		done := make([]bool, n-from)
		if n-from > few && t.leaf.searches() {
			t.spread(ask, d, from, done)
		}
		for i, ok := range done {
			if !ok {
				t.flags[from+i] = t.liken(ask, d, uint32(from+i))
			}
		}
		return
	}
	t.growClocked(ask, d, from, n)
}

// spread searches among ordered codes and notes which are done.
func (t *Table) spread(ask *prober, d Domain, from int, done []bool) {
	for _, order := range t.orders(d, from) {
		c, ok := t.search(ask, d, order)
		for i, code := range order {
			if ok && int(code) < len(t.flags) {
				t.flags[code], done[int(code)-from] = c.side(i), true
			}
		}
	}
}

// orders are lists of codes in each of which the leaf turns once at most.
func (t *Table) orders(d Domain, from int) [][]uint32 {
	return slices.DeleteFunc(d.Orders(from, t.leaf.rising), func(order []uint32) bool { return len(order) <= few })
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
	until     time.Time // it stays there before then
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
		c.until = weigh.Earlier(c.until, until)
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
// instant of their own: the next that turns stands beside the cut. A few new codes
// stay out of it until there are more.
func (t *Table) growClocked(ask *prober, d Domain, from, n int) {
	t.ordered = append(t.ordered, make([]bool, n-len(t.ordered))...)
	if n-from > few && t.leaf.searches() {
		t.arrange(ask, d)
	}
	for code := from; code < n; code++ {
		if !t.ordered[code] {
			t.loosen(ask, d, uint32(code))
		}
	}
}

// arrange searches in all orders there are now. Codes of an order that has no turn
// any more go by their own instants.
func (t *Table) arrange(ask *prober, d Domain) {
	before := slices.Clone(t.ordered)
	t.cuts = nil
	clear(t.ordered)
	for _, order := range t.orders(d, 1) {
		order = t.held(order)
		c, ok := t.search(ask, d, order)
		if !ok {
			continue
		}
		t.cuts = append(t.cuts, c)
		for i, code := range order {
			t.ordered[code] = true
			t.say(code, c.side(i))
		}
	}
	t.loose = slices.DeleteFunc(t.loose, func(x loose) bool { return t.ordered[x.code] })
	t.release(ask, d, before)
}

// release lets codes that stood in an order before, and do in none now, go by their
// own instants.
func (t *Table) release(ask *prober, d Domain, before []bool) {
	for code, was := range before {
		if !was || t.ordered[code] {
			continue
		}
		f := t.flags[code]
		if t.loosen(ask, d, uint32(code)); t.flags[code] != f {
			t.serial++
		}
	}
}

// held is an order without the codes that came since: those of a fork, or new ones
// that are asked about later. The order itself is the dictionary's.
func (t *Table) held(order []uint32) []uint32 {
	late := func(code uint32) bool { return int(code) >= len(t.flags) }
	if !slices.ContainsFunc(order, late) {
		return order
	}
	return slices.DeleteFunc(slices.Clone(order), late)
}

// say takes down a flag.
func (t *Table) say(code uint32, f bits.Flags) {
	if t.flags[code] != f {
		t.flags[code] = f
		t.serial++
	}
}

// loosen asks about a code that goes by its own instant from now on.
func (t *Table) loosen(ask *prober, d Domain, code uint32) {
	f, until := t.weigh(ask, d, code)
	t.flags[code] = f
	t.loose = append(t.loose, loose{code, until})
}

// recut searches anew in an order, and writes what is another than before. It
// reports false if the order has no turn any more.
func (t *Table) recut(ask *prober, d Domain, c *cut) bool {
	next, ok := t.search(ask, d, c.order)
	if !ok {
		return false
	}
	lo, hi := 0, len(c.order)
	if c.low == next.low && c.high == next.high {
		lo, hi = min(c.at, next.at), max(c.at, next.at)
	}
	for i := lo; i < hi; i++ {
		t.say(c.order[i], next.side(i))
	}
	*c = next
	return true
}

// turn brings what was said of another instant to now.
func (t *Table) turn(ask *prober, d Domain, now time.Time) {
	if len(t.loose) > 8*few && t.leaf.searches() {
		t.arrange(ask, d)
	}
	kept := t.cuts[:0]
	for _, c := range t.cuts {
		if c.due(t.at, now) && !t.recut(ask, d, &c) {
			for _, code := range c.order { // each goes by its own instant
				t.ordered[code] = false
				t.loosen(ask, d, code)
			}
			t.serial++
			continue
		}
		kept = append(kept, c)
	}
	t.cuts = kept
	t.again(ask, d, now)
}

func (c *cut) due(at, now time.Time) bool { return loose{until: c.until}.due(at, now) }

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
var straight = regexp.MustCompile(`^(F|now - F|F - now|F [-+] p\.\w+|p\.\w+ [-+] F|F [-+] duration\("[^"]*"\)|F [-+] \d+|F \* \d+(\.\d+)?)$`)

// searches reports whether the leaf turns once at most as the value of one source
// rises.
func (l *Leaf) searches() bool { return l.rising >= 0 }

// findRising finds that source.
func (l *Leaf) findRising() int {
	n := l.node
	if !n.Ordering() {
		return -1
	}
	for _, sides := range [][2]rule.Side{{n.LeftSide, n.RightSide}, {n.RightSide, n.LeftSide}} {
		one, other := sides[0], sides[1]
		if len(one.Reads) == 1 && !slices.Contains(other.Reads, one.Reads[0]) && l.rises(one) {
			return slices.Index(l.Sources, sourceOf(one.Reads[0], l.rule.Control().ID))
		}
	}
	return -1
}

// rises reports whether a side rises, or falls, with its only field.
func (l *Leaf) rises(side rule.Side) bool {
	r := side.Reads[0]
	if r.Has || r.Field == nil {
		return false
	}
	switch r.Field.Type {
	case kind.Time, kind.Date, kind.Duration:
	case kind.Int, kind.Number: // what is out of range is no value: with several kinds there may be gaps
		if len(l.rule.Control().Kinds) != 1 {
			return false
		}
	default:
		return false
	}
	v := string(r.From)
	if l.within != nil {
		v = l.within.Variable
	}
	name := regexp.MustCompile(`\b` + v + `\.` + r.Field.Name + `\b`)
	return straight.MatchString(name.ReplaceAllString(side.Text, "F"))
}
