package sigma

import (
	"hash/fnv"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"kakusho/event"
	"kakusho/sigma/detection"
)

// Ref is where an event stands: its stream, and its number in the trail of it.
type Ref struct {
	Stream string
	Seq    int64
}

// Moment is one event of a finding.
type Moment struct {
	At  time.Time
	Ref Ref
}

// Finding is that a rule holds.
type Finding struct {
	Rule  *Rule
	Group string // what tells it from other findings of the rule: field=value, joined
	Count int    // events it newly rests on: of a threshold just reached all of them, then one each time
	First Moment // of those known
	Last  Moment
	Event *event.Event // the last one; shared, valid only in the call
}

// MaxGroups is how many groups one correlation keeps apart, unless told otherwise.
const MaxGroups = 20_000

// Detector finds what the rules of a set hold for, event by event. It belongs to
// one goroutine. Its memory is bounded: of more groups than it may keep the least
// begun ones are forgotten, and counted.
type Detector struct {
	set     *Set
	view    *detection.View
	windows []windows // by number of rule
	evicted int64
	found   func(Finding)
	now     Moment
}

// windows are the groups of one correlation.
type windows struct {
	limit  int
	groups map[string]*window
	swept  time.Time
}

// window is what one group has seen within the span, oldest first.
type window struct {
	last    time.Time
	moments []moment
	over    bool // the threshold is reached, and has been said
}

// moment is one event; in a sequence, where the stage's sequence began.
type moment struct {
	Moment
	value   uint64 // of a value_count
	reached Ref    // of a sequence: the event that reached the stage
	set     bool
	prior   *moment // of a sequence: what stood here before, for the event that fits the next stage too
}

// Detector returns a new one that keeps at most groups groups for a correlation;
// zero: MaxGroups.
func (s *Set) Detector(groups int) *Detector {
	if groups <= 0 {
		groups = MaxGroups
	}
	d := &Detector{set: s, view: s.fields.View(), windows: make([]windows, len(s.all))}
	for i, r := range s.all {
		if r.correlation != nil {
			d.windows[i] = windows{limit: max(1, min(groups, 1_000_000/r.correlation.least)), groups: map[string]*window{}}
		}
	}
	return d
}

// Evicted is how many groups were forgotten for want of room.
func (d *Detector) Evicted() int64 { return d.evicted }

// Observe tries every rule on an event and calls found for each that holds, those
// that only serve a correlation left out. at is the instant windows go by; it need
// not rise, but an event later than the newest by more than a span ends what was.
func (d *Detector) Observe(e *event.Event, at time.Time, ref Ref, found func(Finding)) {
	d.found, d.now = found, Moment{at, ref}
	started := false
	for _, r := range d.set.byClass[detection.Number(e.Class)] {
		if !started {
			d.view.Reset(e)
			started = true
		}
		if r.test(d.view) {
			d.hit(r)
		}
	}
}

// hit is that a rule holds for the event at hand alone.
func (d *Detector) hit(r *Rule) {
	if r.Alone && r.Level != Informational {
		d.found(Finding{Rule: r, Group: d.label(r.GroupBy, r.group), Count: 1, First: d.now, Last: d.now, Event: d.view.Event()})
	}
	d.feed(r)
}

func (d *Detector) feed(r *Rule) {
	for _, f := range d.set.feeds[r.number] {
		k := f.to.correlation
		key, ok := d.key(k.groups[f.member])
		if !ok {
			continue // of whom it is, nobody can say
		}
		w := d.window(f.to, key)
		if count, first := d.advance(w, k, f.member); count > 0 {
			if f.to.Alone && f.to.Level != Informational {
				d.found(Finding{Rule: f.to, Group: d.label(k.groupBy, k.groups[f.member]), Count: count, First: first, Last: d.now, Event: d.view.Event()})
			}
			d.feed(f.to)
		}
	}
}

// late is how much older than the newest an event may come. When one is older still,
// what is newer was seen by a clock that was ahead and has come back.
const late = 48 * time.Hour

// advance adds the event to a window. count is how many events the finding newly
// rests on; zero: none.
func (d *Detector) advance(w *window, k *correlation, member int) (count int, first Moment) {
	if w.last.Sub(d.now.At) > k.span+late {
		*w = window{}
	}
	if d.now.At.After(w.last) {
		w.last = d.now.At
	}
	switch k.kind {
	case "event_count":
		return w.count(k, moment{Moment: d.now}, false)
	case "value_count":
		s, ok := d.view.Folded(k.values[member])
		if !ok {
			return 0, first
		}
		return w.count(k, moment{Moment: d.now, value: digest(s)}, true)
	case "temporal":
		return w.together(k, d.now, member)
	}
	return w.inOrder(k, d.now, member)
}

// count keeps the newest so many events, or different values, of the span.
func (w *window) count(k *correlation, m moment, distinct bool) (int, Moment) {
	if distinct {
		w.moments = slices.DeleteFunc(w.moments, func(x moment) bool { return x.value == m.value && !x.At.After(m.At) })
		if slices.ContainsFunc(w.moments, func(x moment) bool { return x.value == m.value }) {
			return 0, Moment{}
		}
	}
	i := sort.Search(len(w.moments), func(i int) bool { return w.moments[i].At.After(m.At) })
	w.moments = slices.Insert(w.moments, i, m)
	old := w.last.Add(-k.span)
	from := sort.Search(len(w.moments), func(i int) bool { return !w.moments[i].At.Before(old) })
	from = max(from, len(w.moments)-k.least)
	w.moments = slices.Delete(w.moments, 0, from)
	if len(w.moments) < k.least {
		w.over = false
		return 0, Moment{}
	}
	if w.over {
		return 1, w.moments[0].Moment
	}
	w.over = true
	return k.least, w.moments[0].Moment
}

// together is whether enough different rules hold within the span.
func (w *window) together(k *correlation, now Moment, member int) (int, Moment) {
	if w.moments == nil {
		w.moments = make([]moment, len(k.members))
	}
	if m := &w.moments[member]; !m.set || m.At.Before(now.At) {
		*m = moment{Moment: now, set: true}
	}
	old, first, n := w.last.Add(-k.span), now, 0
	for _, m := range w.moments {
		if m.set && !m.At.Before(old) {
			n++
			if m.At.Before(first.At) {
				first = m.Moment
			}
		}
	}
	if n < k.least {
		return 0, first
	}
	w.moments = nil
	return n, first
}

// inOrder is whether the rules hold one after another within the span. Each stage
// keeps the latest beginning of a sequence that reached it.
func (w *window) inOrder(k *correlation, now Moment, member int) (int, Moment) {
	if w.moments == nil {
		w.moments = make([]moment, len(k.members))
	}
	reach := func(m moment) {
		old := w.moments[member]
		old.prior = nil
		m.reached, m.set, m.prior = now.Ref, true, nil
		if old.set && old.reached != now.Ref {
			m.prior = &old
		}
		w.moments[member] = m
	}
	if member == 0 {
		reach(moment{Moment: now})
		return 0, now
	}
	before := w.moments[member-1]
	if before.reached == now.Ref && before.prior != nil { // one event is not two stages
		before = *before.prior
	}
	if !before.set || before.reached == now.Ref || now.At.Before(before.At) || now.At.Sub(before.At) > k.span {
		return 0, now
	}
	reach(before)
	if member < len(k.members)-1 {
		return 0, now
	}
	w.moments = nil
	return len(k.members), before.Moment
}

// window finds the window of a group, or makes room for a new one.
func (d *Detector) window(r *Rule, key string) *window {
	ws := &d.windows[r.number]
	if w, ok := ws.groups[key]; ok {
		return w
	}
	span := r.correlation.span
	if len(ws.groups) >= ws.limit || d.now.At.Sub(ws.swept) > span && len(ws.groups) > 64 {
		d.sweep(ws, span)
	}
	w := &window{}
	ws.groups[key] = w
	return w
}

// sweep forgets groups whose time is over; when all still run and it is full, of
// some looked at the one least begun.
func (d *Detector) sweep(ws *windows, span time.Duration) {
	if d.now.At.Sub(ws.swept) > span/8 || ws.swept.After(d.now.At) {
		ws.swept = d.now.At
		for key, w := range ws.groups {
			if d.now.At.Sub(w.last) > span {
				delete(ws.groups, key)
			}
		}
	}
	for len(ws.groups) >= ws.limit {
		var worst string
		var least *window
		looked := 0
		for key, w := range ws.groups {
			if least == nil || len(w.moments) < len(least.moments) || len(w.moments) == len(least.moments) && w.last.Before(least.last) {
				worst, least = key, w
			}
			if looked++; looked == 16 {
				break
			}
		}
		delete(ws.groups, worst)
		d.evicted++
	}
}

// key joins the values of fields; ok is false when one is missing.
func (d *Detector) key(slots []int) (string, bool) {
	if len(slots) == 1 {
		s, ok := d.view.Folded(slots[0])
		return short(s), ok
	}
	var b strings.Builder
	for _, n := range slots {
		s, ok := d.view.Folded(n)
		if !ok {
			return "", false
		}
		b.WriteString(short(s))
		b.WriteByte(0)
	}
	return b.String(), true
}

// label is the group as people read it.
func (d *Detector) label(names []string, slots []int) string {
	var parts []string
	for i, n := range slots {
		if c := d.view.Cell(n); c.There {
			parts = append(parts, names[i]+"="+short(c.Raw))
		}
	}
	return strings.Join(parts, " ")
}

// short keeps what others chose from growing what is kept.
func short(s string) string {
	if len(s) <= 100 {
		return s
	}
	return strings.ToValidUTF8(s[:80], "") + "~" + strconv.FormatUint(digest(s), 36)
}

func digest(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}
