// Package scene invents what the log sources of a sample body send: a few whole
// days up to now, some days before with one event of each kind, and what somebody
// did who should not have.
//
// It is told who sends and who works there, and a script; the same of both and the
// same day give the same events. An event is invented where it happened and brought
// within the hour, as by a relay.
package scene

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"kakusho/event"
)

// Script is a file of data: what may be said, and what goes wrong.
type Script struct {
	Whole     int                 `yaml:"whole"`  // so many days before today are full of events, as today is
	Sparse    []int               `yaml:"sparse"` // of these there is one event of each class
	First     int                 `yaml:"first"`  // the first that came at all
	Lines     []Line              `yaml:"lines"`
	Words     map[string][]string `yaml:"words"` // what {name} in a text may be
	Faults    map[string]Fault    `yaml:"faults"`
	Incidents []Incident          `yaml:"incidents"`
	Disposals []Disposal          `yaml:"disposals"`
}

// Line is one kind of event.
type Line struct {
	Of      string            `yaml:"of"`      // sort of source
	Systems []string          `yaml:"systems"` // only of these; empty: of all
	Class   event.Class       `yaml:"class"`
	PerDay  float64           `yaml:"per_day"`
	At      string            `yaml:"at"`   // office, day, night; empty: at any time
	Beat    bool              `yaml:"beat"` // every second hour as well, and at the end
	Who     string            `yaml:"who"`  // user or admin of the system; else the account itself
	App     string            `yaml:"app"`
	Event   string            `yaml:"event"`
	Object  string            `yaml:"object"`
	Result  event.Result      `yaml:"result"` // empty: success
	From    string            `yaml:"from"`   // empty: the address of who
	Level   event.Level       `yaml:"level"`
	Text    string            `yaml:"text"`
	Fields  map[string]string `yaml:"fields"`
}

// Fault is what is wrong with a source. Days count from today.
type Fault struct {
	Until   When          `yaml:"until"`   // it is silent since
	Without []event.Class `yaml:"without"` // these never come
	Ahead   time.Duration `yaml:"ahead"`   // its clock
	Lost    int64         `yaml:"lost"`    // so many were lost on the way
	LostAt  When          `yaml:"lost_at"`
	LostWhy string        `yaml:"lost_why"`
}

// Incident is one line again and again.
type Incident struct {
	Source   string   `yaml:"source"`
	At       When     `yaml:"at"`
	Minutes  int      `yaml:"minutes"`
	Count    int      `yaml:"count"`
	Accounts []string `yaml:"accounts"` // in turn; empty: one user of the system
	Line     Line     `yaml:"line"`
}

// Disposal is that somebody looked into the open alerts of a system.
type Disposal struct {
	System      string `yaml:"system"`
	At          When   `yaml:"at"`
	By          string `yaml:"by"`
	Disposition string `yaml:"disposition"`
	Measures    string `yaml:"measures"`
}

// When is an instant as "day hour:minute", the day counted from today.
type When string

// In is the instant, of the body whose midnights are given.
func (w When) In(midnight func(day int) time.Time) (time.Time, error) {
	var day, hour, minute int
	if _, err := fmt.Sscanf(string(w), "%d %d:%d", &day, &hour, &minute); err != nil {
		return time.Time{}, fmt.Errorf("when %q: %w", string(w), err)
	}
	return midnight(day).Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute), nil
}

// Source is one that sends.
type Source struct {
	ID, Of, System string
	Door, Device   string
	Users, Admins  []Who
}

// Who works there, and from where.
type Who struct{ Account, Address string }

// Batch is what comes by one door at one time. Lost events are of Lossy.
type Batch struct {
	At     time.Time
	Door   string
	Events []event.Event
	Lossy  string // source
	Lost   int64
	Why    string
}

// Stage is where a script is played.
type Stage struct {
	Now      time.Time
	Midnight func(day int) time.Time      // of a day counted from today
	Lot      func(name string) *rand.Rand // the same chance for the same name
	Sources  []Source
}

const (
	slot   = time.Hour
	beatOf = 2 * time.Hour
)

// play is a script being played.
type play struct {
	Script
	Stage
	out map[string]*Batch // by time and door
}

// Play returns what comes, in order.
func (s Script) Play(on Stage) ([]Batch, error) {
	p := &play{Script: s, Stage: on, out: map[string]*Batch{}}
	for _, src := range on.Sources {
		if err := p.of(src); err != nil {
			return nil, err
		}
	}
	for _, in := range s.Incidents {
		if err := p.incident(in); err != nil {
			return nil, err
		}
	}
	var all []Batch
	for _, b := range p.out {
		slices.SortStableFunc(b.Events, func(x, y event.Event) int { return x.At.Compare(y.At) })
		all = append(all, *b)
	}
	for _, id := range slices.Sorted(maps.Keys(s.Faults)) {
		f := s.Faults[id]
		if f.Lost == 0 {
			continue
		}
		at, err := f.LostAt.In(on.Midnight)
		if err != nil {
			return nil, err
		}
		all = append(all, Batch{At: at, Lossy: id, Lost: f.Lost, Why: f.LostWhy})
	}
	slices.SortFunc(all, func(x, y Batch) int { return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.Door, y.Door)) })
	return all, nil
}

// of invents everything of one source.
func (p *play) of(src Source) error {
	f := p.Faults[src.ID]
	until := p.Now
	if f.Until != "" {
		var err error
		if until, err = f.Until.In(p.Midnight); err != nil {
			return err
		}
	}
	var lines []Line
	for _, l := range p.Lines {
		if l.Of == src.Of && (len(l.Systems) == 0 || slices.Contains(l.Systems, src.System)) && !slices.Contains(f.Without, l.Class) {
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		return fmt.Errorf("source %s: nothing to say", src.ID)
	}
	p.once(src, lines[:1], p.First, until)
	for _, day := range p.Sparse {
		p.once(src, lines, day, until)
	}
	for day := -p.Whole; day <= 0; day++ {
		p.day(src, lines, day, until)
	}
	for _, l := range lines {
		if l.Beat && until.Equal(p.Now) {
			p.say(src, l, p.Now.Add(-p.near(src, "now")), p.chance(src, l, 1), p.Now)
		}
	}
	return nil
}

// once says the first line of each class in the morning of a day.
func (p *play) once(src Source, lines []Line, day int, until time.Time) {
	said := map[event.Class]bool{}
	r := p.Lot(fmt.Sprint(src.ID, " once ", day))
	for _, l := range lines {
		if at := p.Midnight(day).Add(9*time.Hour + time.Duration(r.IntN(3600))*time.Second); !said[l.Class] && at.Before(until) {
			said[l.Class] = true
			p.say(src, l, at, r, p.Midnight(day).Add(10*time.Hour+30*time.Minute))
		}
	}
}

// day says each line as often as it comes in a day.
func (p *play) day(src Source, lines []Line, day int, until time.Time) {
	midnight := p.Midnight(day)
	for _, l := range lines {
		r := p.chance(src, l, day)
		for h := time.Duration(0); l.Beat && h < 24*time.Hour; h += beatOf {
			if at := midnight.Add(h); at.Before(until) && h > 0 {
				p.say(src, l, at.Add(-p.near(src, at.String())), r, at)
			}
		}
		per := l.PerDay
		if weekend := midnight.Weekday() == time.Saturday || midnight.Weekday() == time.Sunday; weekend && (l.At == "office" || l.At == "day") {
			per /= 5
		}
		for range int(per + r.Float64()) {
			from, to := hours(l.At)
			at := midnight.Add(from + time.Duration(r.Float64()*float64(to-from)).Truncate(time.Millisecond))
			if at.Before(until) {
				p.say(src, l, at, r, at.Truncate(slot).Add(slot))
			}
		}
	}
}

func (p *play) chance(src Source, l Line, day int) *rand.Rand {
	return p.Lot(fmt.Sprint(src.ID, " ", l.Class, " ", l.Text, " ", day))
}

// near is how long before its arrival an event was that is brought at once.
func (p *play) near(src Source, name string) time.Duration {
	return time.Duration(40+p.Lot(src.ID+name).IntN(160)) * time.Millisecond
}

func hours(at string) (from, to time.Duration) {
	switch at {
	case "office":
		return 8*time.Hour + 20*time.Minute, 17*time.Hour + 50*time.Minute
	case "day":
		return 6 * time.Hour, 22 * time.Hour
	case "night":
		return time.Hour, 4 * time.Hour
	}
	return 0, 24 * time.Hour
}

// say adds an event. What arrives after now arrives now; what was said after now was
// not said.
func (p *play) say(src Source, l Line, at time.Time, r *rand.Rand, arrives time.Time) {
	if at.After(p.Now) {
		return
	}
	if arrives.After(p.Now) {
		arrives = p.Now
	}
	if p.Faults[src.ID].Ahead != 0 {
		at = arrives.Add(-p.near(src, "ahead")) // what came late would hide it
	}
	key := fmt.Sprint(arrives.UnixNano(), src.Door)
	b := p.out[key]
	if b == nil {
		b = &Batch{At: arrives, Door: src.Door}
		p.out[key] = b
	}
	b.Events = append(b.Events, p.event(src, l, at, r))
}

func (p *play) event(src Source, l Line, at time.Time, r *rand.Rand) event.Event {
	who := Who{Account: l.Who}
	switch some := map[string][]Who{"user": src.Users, "admin": src.Admins}[l.Who]; {
	case len(some) > 0:
		who = some[r.IntN(len(some))]
	case l.Who == "user", l.Who == "admin":
		who = Who{}
	}
	say := p.speaker(src, who, r)
	e := event.Event{
		At: at.Add(p.Faults[src.ID].Ahead), Clock: event.ClockSource, Class: l.Class, Account: who.Account, Device: src.Device,
		Event: cmp.Or(l.Event, l.App), Object: say(l.Object), Result: cmp.Or(l.Result, event.Success), Source: say(cmp.Or(l.From, who.Address)),
		Level: cmp.Or(l.Level, 7), Text: say(l.Text), Format: "rfc5424", Fields: map[string]string{},
	}
	for name, text := range l.Fields {
		e.Fields[name] = say(text)
	}
	if src.Door == "otlp" {
		e.Format, e.Fields["service.name"] = "otlp", cmp.Or(l.App, strings.ToLower(src.System))
	} else {
		e.Fields["app"], e.Fields["pid"] = l.App, strconv.Itoa(600+r.IntN(30000))
	}
	return e
}

var blank = regexp.MustCompile(`\{([a-z]+)\}`)

// speaker fills the blanks of texts about one event: the same blank alike in each.
func (p *play) speaker(src Source, who Who, r *rand.Rand) func(string) string {
	drawn := map[string]string{"who": who.Account, "from": who.Address, "device": src.Device, "system": src.System}
	var fill func(string) string
	fill = func(text string) string {
		if !strings.Contains(text, "{") {
			return text
		}
		return blank.ReplaceAllStringFunc(text, func(m string) string {
			name := m[1 : len(m)-1]
			if v, ok := drawn[name]; ok {
				return v
			}
			switch list := p.Words[name]; {
			case len(list) > 0:
				drawn[name] = fill(list[r.IntN(len(list))])
			case name == "hex":
				drawn[name] = fmt.Sprintf("%016x", r.Uint64())
			case name == "n":
				drawn[name] = fmt.Sprintf("%05d", r.IntN(100_000))
			case name == "port":
				drawn[name] = strconv.Itoa(32768 + r.IntN(28000))
			case name == "few":
				drawn[name] = strconv.Itoa(1 + r.IntN(9))
			default:
				return m
			}
			return drawn[name]
		})
	}
	return fill
}

// incident plays what somebody did.
func (p *play) incident(in Incident) error {
	i := slices.IndexFunc(p.Sources, func(s Source) bool { return s.ID == in.Source })
	if i < 0 {
		return fmt.Errorf("incident at %s: no such source", in.Source)
	}
	src := p.Sources[i]
	began, err := in.At.In(p.Midnight)
	if err != nil {
		return err
	}
	r := p.Lot(fmt.Sprint(in.Source, in.At))
	if len(in.Accounts) == 0 && len(src.Users) > 0 {
		src.Users = src.Users[r.IntN(len(src.Users)):][:1]
	}
	for n := range in.Count {
		l := in.Line
		if len(in.Accounts) > 0 {
			l.Who = in.Accounts[n%len(in.Accounts)]
		}
		at := began.Add(time.Duration(n) * time.Duration(in.Minutes) * time.Minute / time.Duration(in.Count))
		at = at.Add(time.Duration(r.IntN(3000)) * time.Millisecond)
		p.say(src, l, at, r, at.Truncate(slot).Add(slot))
	}
	return nil
}
