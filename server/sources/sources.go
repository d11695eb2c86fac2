// Package sources answers what the registers say of those who bring events: whose
// they are, and how long the parameters want them kept.
//
// The registers are read again when they changed, so that an entry counts from the
// next event on, or a second later where they change all the time.
package sources

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"kakusho/calendar"
	"kakusho/directive"
	"kakusho/event"
	"kakusho/ingest"
	"kakusho/kind"
	"kakusho/retention"
	"kakusho/store"
)

// Source is one entry of the register log-source, as its events are matched.
type Source struct {
	ID, Title, System string
	Door, Status      string
	Classes           []event.Class // expected
	ClassSilence      time.Duration // longest silence of one class; zero: not said

	name, host string
	address    netip.Prefix
	nobody     bool // what stands there as its address is none
	zone       *time.Location
	silence    time.Duration
}

// matches reports whether everything the entry says of its sender is so.
func (s *Source) matches(o event.Origin, address netip.Addr) bool {
	if s.Door != o.Door || s.name != "" && s.name != o.Name || s.host != "" && !strings.EqualFold(s.host, o.Host) {
		return false
	}
	if s.address.IsValid() {
		return address.IsValid() && s.address.Contains(address)
	}
	// An entry that says nothing of its sender is one of this machine's.
	return s.name != "" || s.host != "" || s.Door == "journal" || s.Door == "file"
}

// weight orders entries that match: what is proved before what is seen, what is
// seen before what is said, the narrower before the wider.
func (s *Source) weight() int {
	w := 0
	if s.name != "" {
		w += 1000
	}
	if s.address.IsValid() {
		w += 300 + s.address.Bits()
	}
	if s.host != "" {
		w += 100
	}
	return w
}

// table is the register as it was at one look.
type table struct {
	all    []*Source
	byName map[string][]*Source
	byHost map[string][]*Source
	byAddr map[netip.Addr][]*Source
	others []*Source // with a network, or with nothing
	units  map[string]unit
	system map[string]systemRow
	unread error // why it is empty
}

type unit struct{ prefecture, parent string }

type systemRow struct {
	unit string
	kept time.Duration // trail_kept, declared
}

// Options are what it needs; all of them.
type Options struct {
	Rows    store.Store
	Kinds   kind.Set
	Values  func(context.Context, directive.Scope, time.Time) (directive.Values, error)
	Changed func() int64 // a number that is another when registers or parameters are
	Now     func() time.Time
	Failed  func(error) // hears why the registers could not be read; the last reading counts meanwhile
}

// Sources answers. It is safe for concurrent use.
type Sources struct {
	o Options

	mu     sync.RWMutex
	at     int64
	read   time.Time
	table  *table
	needs  map[string]Need
	expire time.Time // when a need is another by time alone
}

// New returns the sources of o.
func New(o Options) *Sources { return &Sources{o: o} }

// Need is what the parameters ask of a system's events.
type Need struct {
	retention.Needs
	Silence time.Duration // log.silence_max
	Alert   time.Duration // log.review.alert
}

// readEvery bounds how often registers that change all the time are read.
const readEvery = time.Second

// current is the table, read again when it has to be. When it cannot be, the last
// one counts, and the cause is reported.
func (s *Sources) current() *table {
	v, now := s.o.Changed(), s.o.Now()
	s.mu.RLock()
	t, fresh := s.table, s.table != nil && (s.at == v || now.Sub(s.read).Abs() < readEvery) && now.Before(s.expire) && s.read.Sub(now) < time.Minute // a clock may go back
	s.mu.RUnlock()
	if fresh {
		return t
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table != t {
		return s.table // another has read meanwhile
	}
	next, err := s.load(context.Background())
	if err != nil {
		s.o.Failed(err)
		if next = s.table; next == nil {
			next = &table{unread: err}
		}
	}
	s.table, s.at, s.read, s.needs, s.expire = next, v, now, map[string]Need{}, now.Add(time.Minute)
	return next
}

func (s *Sources) load(ctx context.Context) (*table, error) {
	t := &table{byName: map[string][]*Source{}, byHost: map[string][]*Source{}, byAddr: map[netip.Addr][]*Source{}, units: map[string]unit{}, system: map[string]systemRow{}}
	var rows []store.Subject
	err := s.o.Rows.View(ctx, func(r store.Reader) (err error) {
		for _, k := range []string{"log-source", "system", "unit"} {
			w := store.Where{Equal: map[string]any{"kind": k}, Sort: []string{"id"}}
			if k == "log-source" {
				w.Equal["retired"] = false // systems and units leave their events behind
			}
			some, err := store.All[store.Subject](ctx, r, w)
			if err != nil {
				return err
			}
			rows = append(rows, some...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read registers for events: %w", err)
	}
	for _, row := range rows {
		switch row.Kind {
		case "unit":
			t.units[row.ID] = unit{text(row, "prefecture"), text(row, "parent")}
		case "system":
			t.system[row.ID] = systemRow{row.Unit, s.duration(row, "trail_kept")}
		case "log-source":
			t.add(s.source(row))
		}
	}
	return t, nil
}

func text(row store.Subject, field string) string { v, _ := row.Values[field].(string); return v }

// duration is a declared span; zero when there is none.
func (s *Sources) duration(row store.Subject, field string) time.Duration {
	f, ok := s.o.Kinds[row.Kind].Field(field)
	if !ok {
		return 0
	}
	v, err := f.Check(row.Values[field])
	if err != nil {
		return 0
	}
	d, _ := v.(time.Duration)
	return d
}

func (s *Sources) source(row store.Subject) *Source {
	x := &Source{
		ID: row.ID, Title: row.Name, System: row.System, Door: text(row, "door"), name: text(row, "match_name"), host: strings.ToLower(text(row, "match_host")),
		Status: text(row, "status"), silence: s.duration(row, "silence"), ClassSilence: s.duration(row, "class_silence"), zone: calendar.Tokyo(),
	}
	if list, ok := row.Values["classes"].([]any); ok {
		for _, v := range list {
			if c, ok := v.(string); ok {
				x.Classes = append(x.Classes, event.Class(c))
			}
		}
	}
	if a := text(row, "match_address"); a != "" {
		x.address = prefix(a)
		x.nobody = !x.address.IsValid()
	}
	if z := text(row, "zone_time"); z != "" {
		if loc, err := time.LoadLocation(z); err == nil {
			x.zone = loc
		}
	}
	return x
}

// prefix reads an address or a network; the zero Prefix for neither.
func prefix(s string) netip.Prefix {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked()
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a.Unmap().WithZone(""), a.Unmap().BitLen())
	}
	return netip.Prefix{}
}

func (t *table) add(s *Source) {
	t.all = append(t.all, s)
	switch {
	case s.Status == "retired", s.nobody:
	case s.name != "":
		t.byName[s.name] = append(t.byName[s.name], s)
	case s.address.IsValid() && s.address.IsSingleIP():
		t.byAddr[s.address.Addr()] = append(t.byAddr[s.address.Addr()], s)
	case s.host != "" && !s.address.IsValid():
		t.byHost[s.host] = append(t.byHost[s.host], s)
	default:
		t.others = append(t.others, s)
	}
}

// find is the entry that an origin belongs to; nil when there is none.
func (t *table) find(o event.Origin) *Source {
	address, _ := netip.ParseAddr(o.Address)
	address = address.Unmap().WithZone("")
	var best *Source
	for _, some := range [][]*Source{t.byName[o.Name], t.byAddr[address], t.byHost[strings.ToLower(o.Host)], t.others} {
		for _, s := range some {
			if s.matches(o, address) && (best == nil || cmp.Or(cmp.Compare(s.weight(), best.weight()), cmp.Compare(best.ID, s.ID)) > 0) {
				best = s
			}
		}
	}
	return best
}

// Resolve is ingest's question.
func (s *Sources) Resolve(o event.Origin) ingest.Feed {
	x := s.current().find(o)
	if x == nil {
		return ingest.Feed{Keep: s.Need("").Keep}
	}
	return ingest.Feed{ID: x.ID, System: x.System, Keep: s.Need(x.System).Keep, Zone: x.zone}
}

// Need is how long events of a system are to be at hand and to be kept: what the
// parameters say there, and the register when it promises more. "" is any system.
func (s *Sources) Need(system string) Need {
	t := s.current()
	s.mu.RLock()
	n, known := s.needs[system]
	s.mu.RUnlock()
	if known {
		return n
	}
	now := s.o.Now()
	n, next, err := s.needAt(context.Background(), t, system, now)
	if err != nil {
		s.o.Failed(err)
		return Need{Needs: retention.Needs{Online: longest, Keep: longest}} // too long is never wrong
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table == t {
		s.needs[system] = n
		if !next.IsZero() && next.Before(s.expire) {
			s.expire = next
		}
	}
	return n
}

const longest = 30 * 365 * 24 * time.Hour

func (s *Sources) needAt(ctx context.Context, t *table, system string, at time.Time) (n Need, next time.Time, err error) {
	if t.unread != nil {
		return n, next, t.unread
	}
	row := t.system[system]
	v, err := s.o.Values(ctx, directive.Scope{Prefecture: t.prefecture(row.unit), System: system}, at)
	if err != nil {
		return n, next, fmt.Errorf("parameters of system %q: %w", system, err)
	}
	for _, key := range []string{"log.online", "log.retention.min", "log.silence_max", "log.review.alert"} {
		if x := v[key].Next; !x.IsZero() && (next.IsZero() || x.Before(next)) {
			next = x
		}
	}
	n.Online, _ = v["log.online"].Value.(time.Duration)
	n.Keep, _ = v["log.retention.min"].Value.(time.Duration)
	n.Keep = max(n.Keep, row.kept)
	n.Silence, _ = v["log.silence_max"].Value.(time.Duration)
	n.Alert, _ = v["log.review.alert"].Value.(time.Duration)
	return n, next, nil
}

// prefecture is that of a unit or of the nearest one above it.
func (t *table) prefecture(id string) string {
	for range len(t.units) { // units that name each other as parent end here
		u, ok := t.units[id]
		if !ok || u.prefecture != "" {
			return u.prefecture
		}
		id = u.parent
	}
	return ""
}

// SilenceMax is how long a source may be silent.
func (s *Sources) SilenceMax(x *Source) time.Duration {
	d := s.Need(x.System).Silence
	if x.silence > 0 && (d == 0 || x.silence < d) {
		return x.silence
	}
	return d
}

// Listed are the entries whose events are expected or were, in order.
func (s *Sources) Listed() []*Source {
	return slices.DeleteFunc(slices.Clone(s.current().all), func(x *Source) bool { return x.Status != "in-service" && x.Status != "suspended" })
}

// NeedAt is Need at another instant. Unlike there, what cannot be read is an error.
func (s *Sources) NeedAt(ctx context.Context, system string, at time.Time) (Need, error) {
	n, _, err := s.needAt(ctx, s.current(), system, at)
	return n, err
}

// Within lists the systems of a scope: one system, or those of a unit and the units
// below it.
func (s *Sources) Within(scope string) (out []string) {
	kind, id, _ := strings.Cut(scope, "/")
	t := s.current()
	for system, row := range t.system {
		if kind == "system" && system == id || kind == "unit" && t.below(row.unit, id) {
			out = append(out, system)
		}
	}
	slices.Sort(out)
	return out
}

// below reports whether a unit is another one or below it.
func (t *table) below(unit, of string) bool {
	for range len(t.units) + 1 {
		if unit == of {
			return unit != ""
		}
		unit = t.units[unit].parent
	}
	return false
}
