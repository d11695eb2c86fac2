// Package fleet invents a national body: the systems, computers, devices and
// contracts of 47 prefectures and the centre, over the kinds and fields that ship
// with the program. The same seed gives the same body, subject by subject; nothing
// in it was taken from a real one.
//
// # Distributions
//
// Of 1,000 subjects 740 are terminals, 70 servers, 60 mobile terminals, 45
// multifunction devices, 30 network devices, 30 phones, 10 systems, 8 databases
// and 7 contracts. Subjects belong to one of n/100 systems, a system to one
// prefecture, Tokyo and Osaka having more.
//
// A fact is brought by its collector's group. A machine runs all of them within
// the last 20 hours; 2 of 100 machines have been away for 1 to 40 days. Of single
// groups 1.5 of 100 could not be read (denied, error, timeout), and 1 of 100 fields
// was looked for and is not there. A declared field is blank 4 times in 100.
//
// Values with as many forms as there are subjects: host name, machine ID, serial,
// UUID, MAC and IP addresses, boot, synchronisation, definition, scan and log
// times (to the second), clock offset, free space. Lists are nearly unique as a
// whole: 6 service accounts of 40 known ones and 1 to 4 persons with the days of
// their passwords and logins; 24 of 5,000 package versions, by Zipf; 2 to 9 open
// ports; 2 to 5 volumes. What a setting says follows the body's own standards 85 to
// 97 times in 100 and strays otherwise. Fields that no generator knows by name are
// drawn by their type: choices by Zipf, true 8 times in 10, dates up to 900 days
// ago (ends: up to 5 years ahead), one string in three unique.
//
// 4 of 10 questions that a record asks were answered, within the last 600 days. 1
// in 100 subjects has a decision in force over one of its controls.
package fleet

import (
	"cmp"
	"fmt"
	"iter"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"kakusho/calendar"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/kind"
)

// Body is an invented national body.
type Body struct {
	Seed     uint64
	Size     int       // subjects
	At       time.Time // the instant at which it is looked at
	kinds    kind.Set
	asked    map[string][]control.Control // by kind: controls with a record
	packages []any                        // every package version there is
}

// New is a body of a size.
func New(seed uint64, size int, at time.Time, kinds kind.Set, controls []control.Control) *Body {
	b := &Body{Seed: seed, Size: size, At: at, kinds: kinds, asked: map[string][]control.Control{}}
	for _, c := range controls {
		for _, k := range c.Kinds {
			if c.Record != nil {
				b.asked[k] = append(b.asked[k], c)
			}
		}
	}
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range 5000 {
		b.packages = append(b.packages, map[string]any{
			"name": fmt.Sprintf("lib%s%d", syllables(r, 2), i/3), "version": fmt.Sprintf("%d.%d.%d-%d", r.IntN(9), r.IntN(30), r.IntN(10), 1+i%3),
			"source": fmt.Sprintf("src%d", i/9), "arch": "amd64",
		})
	}
	return b
}

// Subjects is every subject in order; the same each time.
func (b *Body) Subjects() iter.Seq[fleet.Subject] {
	return func(yield func(fleet.Subject) bool) {
		for i := range b.Size {
			if !yield(b.Subject(i)) {
				return
			}
		}
	}
}

// mix says of how many in 1,000 a kind is; of computers the role.
var mix = []struct {
	n          int
	kind, role string
}{
	{740, "computer", "terminal"}, {70, "computer", "server"}, {60, "computer", "mobile"}, {45, "multifunction-device", ""},
	{30, "network-device", ""}, {30, "phone", ""}, {10, "system", ""}, {8, "database", ""}, {7, "contract", ""},
}

// Subject is the i-th subject.
func (b *Body) Subject(i int) fleet.Subject {
	// 389 has no divisor in common with 1,000: each thousand holds the whole mix.
	at := i * 389 % 1000
	for _, m := range mix {
		if at -= m.n; at < 0 {
			return b.subject(i, m.kind, m.role)
		}
	}
	panic("the mix does not add up to 1,000")
}

// Group is the number of the prefecture in a subject's name; 0: the centre.
func Group(ref fact.Ref) int {
	at := strings.IndexByte(string(ref), '/')
	return int(ref[at+1]-'0')*10 + int(ref[at+2]-'0')
}

// Find is the subject of a name.
func (b *Body) Find(ref fact.Ref) (fleet.Subject, bool) {
	no, err := strconv.Atoi(ref.ID()[strings.LastIndexByte(ref.ID(), '-')+1:])
	if err != nil || no < 0 || no >= b.Size {
		return fleet.Subject{}, false
	}
	s := b.Subject(no)
	return s, s.Ref == ref
}

// Systems is how many systems the body has.
func (b *Body) Systems() int { return max(1, b.Size/100) }

// Prefecture is the code of a system's prefecture; empty: the centre.
func (b *Body) Prefecture(system int) string {
	r := rand.New(rand.NewPCG(b.Seed, uint64(system)|1<<62))
	switch n := r.IntN(100); {
	case n < 2:
		return ""
	case n < 14:
		return "13" // Tokyo
	case n < 21:
		return "27" // Osaka
	}
	return fmt.Sprintf("%02d", 1+r.IntN(47))
}

func (b *Body) subject(i int, kindID, role string) fleet.Subject {
	m := &maker{body: b, Rand: rand.New(rand.NewPCG(b.Seed, uint64(i)+1)), kind: b.kinds[kindID], no: i, role: role}
	system := m.IntN(b.Systems())
	if kindID == "system" {
		system = i % b.Systems()
	}
	m.s.System = fmt.Sprintf("SYS-%05d", system)
	m.s.Scope = directive.Scope{Prefecture: b.Prefecture(system), System: m.s.System}
	m.s.Ref = fact.NewRef(kindID, fmt.Sprintf("%s-%s-%07d", cmp.Or(m.s.Scope.Prefecture, "00"), m.s.System[4:], i))
	m.s.Facts, m.s.Declared = make(map[string]judge.Cell, len(m.kind.Fields)), make(map[string]judge.Cell, len(m.kind.Fields)/2)
	m.s.InServiceOn = date(b.At).AddDate(0, 0, -m.IntN(3650))
	if m.seen = b.At.Add(-time.Duration(m.IntN(20*3600)) * time.Second); m.chance(2) {
		m.seen = b.At.Add(-time.Duration((1+m.IntN(40))*24) * time.Hour)
	}
	if kindID == "computer" {
		m.computer()
	}
	m.rest()
	m.decide()
	return m.s
}

// maker makes one subject.
type maker struct {
	*rand.Rand
	body *Body
	kind kind.Kind
	no   int
	role string // of a computer
	s    fleet.Subject

	seen  time.Time // when its collectors ran
	group string    // the collector of the cells being made
	lost  fact.Status
}

func (m *maker) chance(percent int) bool { return m.IntN(100) < percent }

// mostly is usual, or in the given percentage one of the others.
func mostly[T any](m *maker, percent int, usual T, others ...T) T {
	if m.chance(percent) {
		return usual
	}
	return others[m.IntN(len(others))]
}

// zipf is a number below n, small ones more often.
func (m *maker) zipf(n int) int {
	u := m.Float64()
	return int(float64(n) * u * u * u)
}

// ago is up to a length of time ago, to the second.
func (m *maker) ago(most time.Duration) time.Time {
	return m.body.At.Add(-time.Duration(m.Int64N(int64(most/time.Second))) * time.Second).UTC()
}

// date is the start of the day in Tokyo.
func date(t time.Time) time.Time {
	return calendar.Day(t.In(calendar.Tokyo()).Date())
}

// run starts the cells of a collector, which now and then cannot read.
func (m *maker) run(group string) {
	m.group, m.lost = group, ""
	if m.IntN(200) < 3 {
		m.lost = []fact.Status{fact.Denied, fact.Error, fact.Timeout}[m.IntN(3)]
	}
}

func (m *maker) put(field string, v any) {
	c := judge.Cell{
		Fact:       fact.Fact{Field: field, Status: fact.Observed, Value: v},
		ObservedAt: m.seen, ReceivedAt: m.seen, Collector: m.group, Fresh: kind.Fresh(m.group),
	}
	switch {
	case m.lost != "":
		c.Fact.Status, c.Fact.Value, c.Fact.Reason = m.lost, nil, string(m.lost)+": collector"
	case v == nil || m.chance(1):
		c.Fact.Status, c.Fact.Value, c.Fact.Reason = fact.Absent, nil, "absent: not configured"
	}
	m.s.Facts[field] = c
}

// derive puts a derived field, which is as old as the looking.
func (m *maker) derive(field string, v any) {
	c := judge.Cell{Fact: fact.Fact{Field: field, Status: fact.Observed, Value: v}, ObservedAt: m.body.At, ReceivedAt: m.body.At}
	if v == nil {
		c.Fact.Status, c.Fact.Reason = fact.Absent, "no-entry: none"
	}
	m.s.Facts[field] = c
}

func (m *maker) declare(field string, v any) {
	c := judge.Cell{Fact: fact.Fact{Field: field, Status: fact.Observed, Value: v}, ObservedAt: m.s.InServiceOn, ReceivedAt: m.s.InServiceOn}
	if v == nil || m.chance(4) && field != m.kind.Key && field != "role" && field != "status" {
		c.Fact.Status, c.Fact.Value, c.Fact.Reason = fact.Absent, nil, "blank"
	}
	m.s.Declared[field] = c
}

// decide answers questions, and now and then sets something aside.
func (m *maker) decide() {
	at := func(days int) time.Time { return m.body.At.AddDate(0, 0, -m.IntN(days)) }
	for _, c := range m.body.asked[m.kind.ID] {
		if m.chance(40) {
			given := at(600)
			m.s.Decisions = append(m.s.Decisions, decision.Decision{
				ID: "A", Type: c.Record.Type, Subject: m.s.Ref, Control: c.ID, Reason: "実地に確認した。", By: "p",
				Answer: c.Record.Answers[m.zipf(len(c.Record.Answers))].Value, At: given, From: given,
			})
		}
	}
	if m.chance(1) && m.kind.ID == "computer" {
		given := at(80)
		m.s.Decisions = append(m.s.Decisions, decision.Decision{
			ID: "X", Type: decision.Exception, Subject: m.s.Ref, Control: "auth/password-length", Reason: "更新まで。", By: "p",
			At: given, From: given, ApprovedAt: given, Until: given.AddDate(0, 3, 0),
		})
	}
}

// Settings are what the centre, some prefectures and some systems determine for
// themselves: stricter values, some of them from a later day.
func (b *Body) Settings(ps directive.Parameters) (out []directive.Setting) {
	r := rand.New(rand.NewPCG(b.Seed, 1<<61))
	var keys []string
	for _, key := range ps.Keys() {
		if p := ps[key]; p.Type == directive.Int && p.Stricter == "higher" || p.Type == directive.Duration && p.Stricter == "lower" {
			keys = append(keys, key)
		}
	}
	add := func(layer string) {
		key := keys[r.IntN(len(keys))]
		s := directive.Setting{ID: fmt.Sprintf("set-%d", len(out)), Key: key, Layer: layer, Source: "通達", By: "p", Approver: "q", Entry: int64(len(out))}
		switch v := ps[key].Default.(type) {
		case int64:
			s.Value = v + 1 + r.Int64N(3)
		case time.Duration:
			s.Value = v / time.Duration(2+r.IntN(2))
		}
		if _, err := ps[key].Check(s.Value); err != nil {
			return
		}
		if s.From = b.At.AddDate(-1, 0, 0); r.IntN(6) == 0 {
			s.From = b.At.AddDate(0, 0, 1+r.IntN(180))
		}
		out = append(out, s)
	}
	for range 8 {
		add("national")
	}
	for i := range 47 * 2 {
		add(fmt.Sprintf("prefecture/%02d", 1+i%47))
	}
	for i := range min(200, b.Systems()) {
		add(fmt.Sprintf("system/SYS-%05d", i))
	}
	return out
}

// syllables make a word.
func syllables(r *rand.Rand, n int) (word string) {
	const s = "kakikukokasashisusotachitotenaninunehamirurero"
	for range n {
		i := r.IntN(len(s)/2) * 2
		word += s[i : i+2]
	}
	return word
}
