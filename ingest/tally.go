package ingest

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"kakusho/event"
)

// Seen is when something came, by our clock, and how often.
type Seen struct {
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Count int64     `json:"count"`
}

func (s Seen) with(at time.Time, n int64) Seen {
	if s.First.IsZero() || at.Before(s.First) {
		s.First = at
	}
	if at.After(s.Last) {
		s.Last = at
	}
	s.Count += n
	return s
}

// ahead is how far after now an arrival can be. One that is further was seen by a
// clock that had leapt and has come back: it counts, but nobody knows when it was.
const ahead = time.Hour

// known is s without what a clock said that was ahead of now.
func (s Seen) known(now time.Time) Seen {
	if s.Last.After(now.Add(ahead)) {
		s.Last = time.Time{}
	}
	return s
}

// came is s with n that came at an instant, as one knows now.
func (s Seen) came(at time.Time, n int64, now time.Time) Seen {
	s = s.known(now)
	if at.After(now.Add(ahead)) {
		s.Count += n
		return s
	}
	return s.with(at, n)
}

// Coverage is what has come by one feed, or from one sender that is not registered.
type Coverage struct {
	Seen
	Classes map[event.Class]Seen `json:"classes,omitempty"`
	Lost    int64                `json:"lost,omitempty"`    // events known to be gone
	Missing int64                `json:"missing,omitempty"` // numbered batches that never came
	Hours   []Hour               `json:"hours,omitempty"`   // the last ones with events, oldest first
}

// Hour is what came within one hour, and how near to its arrival the times of the
// source were: the nearest event shows the error of its clock, what came later was
// only late.
type Hour struct {
	At    time.Time     `json:"at"`
	Count int64         `json:"count"`
	Off   time.Duration `json:"off,omitempty"`   // arrival minus the source's time; below zero: its clock is ahead
	Timed bool          `json:"timed,omitempty"` // the source wrote times of its own
}

// Clock is the error of a source's clock as its last hours show it, and whether
// they show any: a source that writes no times has none.
func (c Coverage) Clock() (off time.Duration, known bool) {
	for _, h := range c.Hours[max(0, len(c.Hours)-clockHours):] {
		if h.Timed && (!known || h.Off.Abs() < off.Abs()) {
			off, known = h.Off, true
		}
	}
	return off, known
}

// Stranger is a sender that no register entry names.
type Stranger struct {
	Door    string `json:"door"`
	Address string `json:"address,omitempty"`
	Name    string `json:"name,omitempty"`
	Host    string `json:"host,omitempty"`
}

// most is how many strangers are told apart; more count as one without a name.
const most = 10_000

// How many hours with events are kept of a source, and how many of them its clock
// is looked at in.
const (
	hoursKept  = 24
	clockHours = 3
)

// tally counts what came. Zero is ready.
type tally struct {
	mu        sync.Mutex
	feeds     map[string]*Coverage
	strangers map[Stranger]*Coverage
	systems   map[string]map[string]Seen // stream → system → when it spoke there
	upto      map[string]int64           // stream → entries counted
}

func (t *tally) start() {
	if t.feeds == nil {
		t.feeds, t.strangers = map[string]*Coverage{}, map[Stranger]*Coverage{}
		t.systems, t.upto = map[string]map[string]Seen{}, map[string]int64{}
	}
}

// counted is one kind of event within a batch.
type counted struct {
	feed, system, host, from string
	class                    event.Class
}

// sums is what a batch adds, put together before the lock is taken.
type sums struct {
	n    map[counted]int64
	off  map[counted]time.Duration // nearest time, for those that have one
	lost map[counted]int64
}

func sum(events []event.Event, at time.Time) sums {
	s := sums{n: map[counted]int64{}, off: map[counted]time.Duration{}, lost: map[counted]int64{}}
	for i := range events {
		e := &events[i]
		key := counted{feed: e.Feed, system: e.System, class: e.Class}
		if e.Feed == "" {
			key.host, key.from = e.Device, e.Fields[fromField]
		}
		if n := lostIn(e); n > 0 {
			s.lost[key] += n
			continue // ours, not the source's
		}
		s.n[key]++
		if e.Clock == event.ClockSynced || e.Clock == event.ClockSource || e.Clock == event.ClockDoubt {
			off := at.Sub(e.At)
			if before, any := s.off[key]; !any || off.Abs() < before.Abs() {
				s.off[key] = off
			}
		}
	}
	return s
}

// count notes a batch that is on disk.
func (in *Ingest) count(stream string, events []event.Event, at time.Time) {
	s := sum(events, at)
	missing := int64(0)
	for i := range events {
		if key, n, ok := mark(events[i].Fields); ok {
			missing += in.senders.came(key, n)
		}
	}
	in.tally.add(stream, s, missing, at, in.o.Now(), int64(len(events)))
}

func (t *tally) add(stream string, s sums, missing int64, at, now time.Time, entries int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.start()
	t.upto[stream] += entries
	if t.systems[stream] == nil {
		t.systems[stream] = map[string]Seen{}
	}
	for key, n := range s.n {
		c := t.coverage(key)
		c.Seen = c.came(at, n, now)
		if c.Classes == nil {
			c.Classes = map[event.Class]Seen{}
		}
		c.Classes[key.class] = c.Classes[key.class].came(at, n, now)
		off, timed := s.off[key]
		if c.Hours = slices.DeleteFunc(c.Hours, func(h Hour) bool { return h.At.After(now.Add(ahead)) }); !at.After(now.Add(ahead)) {
			c.Hours = hour(c.Hours, at, n, off, timed)
		}
		c.Missing += missing
		missing = 0
		t.systems[stream][key.system] = t.systems[stream][key.system].with(at, n)
	}
	for key, n := range s.lost {
		t.coverage(key).Lost += n
		t.systems[stream][key.system] = t.systems[stream][key.system].with(at, 1)
	}
}

func (t *tally) coverage(key counted) *Coverage {
	if key.feed != "" {
		if t.feeds[key.feed] == nil {
			t.feeds[key.feed] = &Coverage{}
		}
		return t.feeds[key.feed]
	}
	s := Stranger{Host: key.host}
	s.Door, s.Address, _ = strings.Cut(key.from, "\t")
	s.Address, s.Name, _ = strings.Cut(s.Address, "\t")
	if t.strangers[s] == nil {
		if len(t.strangers) >= most {
			s = Stranger{}
		}
		if t.strangers[s] == nil {
			t.strangers[s] = &Coverage{}
		}
	}
	return t.strangers[s]
}

// hour adds n events to the hours of a source; off counts when timed.
func hour(hours []Hour, at time.Time, n int64, off time.Duration, timed bool) []Hour {
	start := at.UTC().Truncate(time.Hour)
	if i := len(hours) - 1; i >= 0 && !hours[i].At.Before(start) {
		h := &hours[i]
		h.Count += n
		if timed && (!h.Timed || off.Abs() < h.Off.Abs()) {
			h.Off, h.Timed = off, true
		}
		return hours
	}
	hours = append(slices.Clone(hours), Hour{At: start, Count: n, Off: off, Timed: timed})
	return hours[max(0, len(hours)-hoursKept):]
}

func (c *Coverage) copied() Coverage {
	out := *c
	out.Classes, out.Hours = maps.Clone(c.Classes), slices.Clone(c.Hours)
	return out
}

// asOf is a copy without what a clock said that was ahead of now.
func (c *Coverage) asOf(now time.Time) Coverage {
	out := c.copied()
	out.Seen = out.known(now)
	maps.DeleteFunc(out.Classes, func(_ event.Class, s Seen) bool { return s.known(now).Last.IsZero() })
	return out
}

// Coverage is what came by each registered feed that ever brought something. Its Last
// is zero while nobody knows when that was: a clock was ahead then, and nothing has
// come since.
func (in *Ingest) Coverage() map[string]Coverage {
	now := in.o.Now()
	in.tally.mu.Lock()
	defer in.tally.mu.Unlock()
	out := make(map[string]Coverage, len(in.tally.feeds))
	for id, c := range in.tally.feeds {
		out[id] = c.asOf(now)
	}
	return out
}

// Strangers are the senders that no register entry names, and what they brought.
// One that was entered since still stands here with what came before.
func (in *Ingest) Strangers() map[Stranger]Coverage {
	now := in.o.Now()
	in.tally.mu.Lock()
	defer in.tally.mu.Unlock()
	out := make(map[Stranger]Coverage, len(in.tally.strangers))
	for s, c := range in.tally.strangers {
		out[s] = c.asOf(now)
	}
	return out
}

// Systems are those that spoke in a stream, and when: what must be asked before
// anything of it is thrown away. Events of no known system are under "".
func (in *Ingest) Systems(stream string) map[string]Seen {
	in.tally.mu.Lock()
	defer in.tally.mu.Unlock()
	return maps.Clone(in.tally.systems[stream])
}
