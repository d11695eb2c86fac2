package events

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"kakusho/directive"
	"kakusho/event"
	"kakusho/ingest"
	"kakusho/kind"
	"kakusho/retention"
	"kakusho/store"
)

// source is one entry of the register log-source, as its events are matched.
type source struct {
	id, title, system  string
	classes            []event.Class // expected
	door               string
	name, host         string
	address            netip.Prefix
	zone               *time.Location
	silence, classGone time.Duration
	status             string
}

// matches reports whether everything the entry says of its sender is so.
func (s *source) matches(o event.Origin, address netip.Addr) bool {
	if s.door != o.Door || s.name != "" && s.name != o.Name || s.host != "" && !strings.EqualFold(s.host, o.Host) {
		return false
	}
	if s.address.IsValid() {
		return address.IsValid() && s.address.Contains(address)
	}
	// An entry that says nothing of its sender is one of this machine's.
	return s.name != "" || s.host != "" || s.door == "journal" || s.door == "file"
}

// weight orders entries that match: what is proved before what is seen, what is
// seen before what is said, the narrower before the wider.
func (s *source) weight() int {
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
	all    []*source
	byName map[string][]*source
	byHost map[string][]*source
	byAddr map[netip.Addr][]*source
	others []*source // with a network, or with nothing
	units  map[string]unit
	system map[string]systemRow
}

type unit struct{ prefecture, parent string }

type systemRow struct {
	unit string
	kept time.Duration // trail_kept, declared
}

// sources answers for senders and systems what the registers say now. The registers
// are read again when they changed.
type sources struct {
	rows    store.Store
	kinds   kind.Set
	values  func(context.Context, directive.Scope, time.Time) (directive.Values, error)
	changed func() int64 // a number that is another when registers or parameters are
	now     func() time.Time
	failed  func(error)

	mu     sync.RWMutex
	at     int64
	read   time.Time
	table  *table
	needs  map[string]need
	expire time.Time // when a need is another by time alone
}

// need is what the parameters ask of a system's events.
type need struct {
	retention.Needs
	silence time.Duration // log.silence_max
	alert   time.Duration // log.review.alert
}

// readEvery bounds how often registers that change all the time are read.
const readEvery = time.Second

// current is the table, read again when it has to be. When it cannot be, the last
// one counts, and the cause is reported.
func (s *sources) current() *table {
	v, now := s.changed(), s.now()
	s.mu.RLock()
	t, fresh := s.table, s.table != nil && (s.at == v || now.Sub(s.read).Abs() < readEvery) && now.Before(s.expire)
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
		s.failed(err)
		if next = s.table; next == nil {
			next = &table{}
		}
	}
	s.table, s.at, s.read, s.needs, s.expire = next, v, now, map[string]need{}, now.Add(time.Minute)
	return next
}

func (s *sources) load(ctx context.Context) (*table, error) {
	t := &table{byName: map[string][]*source{}, byHost: map[string][]*source{}, byAddr: map[netip.Addr][]*source{}, units: map[string]unit{}, system: map[string]systemRow{}}
	var rows []store.Subject
	err := s.rows.View(ctx, func(r store.Reader) (err error) {
		for _, k := range []string{"log-source", "system", "unit"} {
			some, err := store.All[store.Subject](ctx, r, store.Where{Equal: map[string]any{"kind": k, "retired": false}, Sort: []string{"id"}})
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
func (s *sources) duration(row store.Subject, field string) time.Duration {
	f, ok := s.kinds[row.Kind].Field(field)
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

func (s *sources) source(row store.Subject) *source {
	x := &source{
		id: row.ID, title: row.Name, system: row.System, door: text(row, "door"), name: text(row, "match_name"), host: strings.ToLower(text(row, "match_host")),
		status: text(row, "status"), silence: s.duration(row, "silence"), classGone: s.duration(row, "class_silence"), zone: japan(),
	}
	if list, ok := row.Values["classes"].([]any); ok {
		for _, v := range list {
			if c, ok := v.(string); ok {
				x.classes = append(x.classes, event.Class(c))
			}
		}
	}
	if a := text(row, "match_address"); a != "" {
		x.address = prefix(a)
	}
	if z := text(row, "zone_time"); z != "" {
		if loc, err := time.LoadLocation(z); err == nil {
			x.zone = loc
		}
	}
	return x
}

func japan() *time.Location { return time.FixedZone("JST", 9*60*60) }

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

func (t *table) add(s *source) {
	t.all = append(t.all, s)
	switch {
	case s.status == "retired":
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
func (t *table) find(o event.Origin) *source {
	address, _ := netip.ParseAddr(o.Address)
	address = address.Unmap().WithZone("")
	var best *source
	for _, some := range [][]*source{t.byName[o.Name], t.byAddr[address], t.byHost[strings.ToLower(o.Host)], t.others} {
		for _, s := range some {
			if s.matches(o, address) && (best == nil || cmp.Or(cmp.Compare(s.weight(), best.weight()), cmp.Compare(best.id, s.id)) > 0) {
				best = s
			}
		}
	}
	return best
}

// Resolve is ingest's question.
func (s *sources) Resolve(o event.Origin) ingest.Feed {
	x := s.current().find(o)
	if x == nil {
		return ingest.Feed{Keep: s.need("").Keep}
	}
	return ingest.Feed{ID: x.id, System: x.system, Keep: s.need(x.system).Keep, Zone: x.zone}
}

// need is how long events of a system are to be at hand and to be kept: what the
// parameters say there, and the register when it promises more. "" is any system.
func (s *sources) need(system string) need {
	t := s.current()
	s.mu.RLock()
	n, known := s.needs[system]
	s.mu.RUnlock()
	if known {
		return n
	}
	now := s.now()
	n, next, err := s.needAt(context.Background(), t, system, now)
	if err != nil {
		s.failed(err)
		return need{Needs: retention.Needs{Online: longest, Keep: longest}} // too long is never wrong
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

func (s *sources) needAt(ctx context.Context, t *table, system string, at time.Time) (n need, next time.Time, err error) {
	row := t.system[system]
	v, err := s.values(ctx, directive.Scope{Prefecture: t.prefecture(row.unit), System: system}, at)
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
	n.silence, _ = v["log.silence_max"].Value.(time.Duration)
	n.alert, _ = v["log.review.alert"].Value.(time.Duration)
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

// silenceMax is how long a source may be silent.
func (s *sources) silenceMax(x *source) time.Duration {
	d := s.need(x.system).silence
	if x.silence > 0 && (d == 0 || x.silence < d) {
		return x.silence
	}
	return d
}

// listed are the entries whose events are expected or were, in order.
func (t *table) listed() []*source {
	return slices.DeleteFunc(slices.Clone(t.all), func(s *source) bool { return s.status != "in-service" && s.status != "suspended" })
}
