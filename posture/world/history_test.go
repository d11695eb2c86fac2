package world_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/posture/world"
	"kakusho/report/document"
	"kakusho/store"
)

var start = time.Date(2026, 11, 2, 1, 0, 0, 0, time.UTC)

// history is what happens to a body: the same seed, the same history.
type history struct {
	*rand.Rand
	kinds     kind.Set
	directive *directive.Directive
	names     []string // of kinds
	at        time.Time
	entry     int64

	subjects  map[string]store.Subject
	facts     map[string]store.Fact
	decisions map[string]store.Decision
	settings  map[string]store.Setting
}

func newHistory(seed uint64) *history {
	h := &history{
		Rand: rand.New(rand.NewPCG(seed, 1)), kinds: kind.Default(), directive: directive.Default(), at: start,
		subjects: map[string]store.Subject{}, facts: map[string]store.Fact{}, decisions: map[string]store.Decision{}, settings: map[string]store.Setting{},
	}
	h.names = slices.Sorted(maps.Keys(h.kinds))
	return h
}

func (h *history) key() string { return string(rune('A' + h.IntN(4))) }

// moment is near now, before or after.
func (h *history) moment() time.Time {
	return h.at.Add(time.Duration(h.IntN(400)-200) * time.Duration(h.IntN(24*60)) * time.Minute)
}

// words meet each other often enough to be found again.
var words = []string{"A", "B", "root", "db1", "10.0.0.1/24", "203.0.113.9/24", "tcp/22", "login", "system-officer", "*", "unit/A", "system/A", "computer/A"}

func (h *history) value(f kind.Field) any {
	switch f.Type {
	case kind.Enum:
		return f.Choices[h.IntN(len(f.Choices))].Value
	case kind.Ref:
		return h.key()
	case kind.Int:
		return int64(h.IntN(4))
	case kind.Number:
		return float64(h.IntN(4))
	case kind.Bool:
		return h.IntN(2) == 0
	case kind.Time, kind.Date:
		return h.moment().Format(map[kind.Type]string{kind.Time: time.RFC3339, kind.Date: time.DateOnly}[f.Type])
	case kind.Duration:
		return fmt.Sprintf("%dm", 1+h.IntN(3000))
	case kind.List:
		list := []any{}
		for range h.IntN(3) {
			list = append(list, h.element(f))
		}
		return list
	}
	return words[h.IntN(len(words))]
}

func (h *history) element(f kind.Field) any {
	if len(f.Of) == 0 {
		if len(f.Choices) > 0 {
			return f.Choices[h.IntN(len(f.Choices))].Value
		}
		return words[h.IntN(len(words))]
	}
	m := map[string]any{}
	for _, g := range f.Of {
		if h.IntN(6) > 0 {
			m[g.Name] = h.value(g)
		}
	}
	return m
}

func (h *history) put(w *world.World) {
	k := h.kinds[h.names[h.IntN(len(h.names))]]
	s := store.Subject{Kind: k.ID, ID: h.key(), Values: map[string]any{}, Since: map[string]time.Time{}, ChangedAt: h.at, Entry: h.entry, Retired: h.IntN(12) == 0}
	s.Name = s.ID
	for _, f := range k.Layer(kind.Declared) {
		if h.IntN(4) > 0 {
			s.Values[f.Name] = h.value(f)
		}
	}
	s.System, _ = s.Values["system"].(string)
	s.Unit, _ = s.Values["unit"].(string)
	if k.ID == "system" {
		s.System = s.ID
	}
	h.subjects[k.ID+"/"+s.ID] = s
	w.PutSubject(s)
}

func (h *history) see(t *testing.T, w *world.World) {
	id := []string{"computer", "computer", "database", "network-device", "log-source"}[h.IntN(5)]
	fields := h.kinds[id].Layer(kind.Observed)
	for range 1 + h.IntN(4) {
		f := fields[h.IntN(len(fields))]
		x := store.Fact{Subject: id + "/" + h.key(), Field: f.Name, Status: string(fact.Observed), Value: h.value(f), Collector: f.Group,
			ObservedAt: h.at, ReceivedAt: h.at, Since: h.at, FirstAt: h.at, Entry: h.entry}
		if h.IntN(5) == 0 {
			x.Status, x.Value, x.Reason = string(fact.Denied), nil, "permission: x"
		}
		if old, there := h.facts[x.Subject+"."+x.Field]; there {
			x.FirstAt = old.FirstAt
		}
		h.facts[x.Subject+"."+x.Field] = x
		if err := w.PutFact(x); err != nil {
			t.Fatal(err)
		}
	}
}

func (h *history) decide(w *world.World) {
	k := h.kinds[h.names[h.IntN(len(h.names))]]
	d := store.Decision{Decision: decision.Decision{
		ID: fmt.Sprintf("D-%d", h.IntN(30)), Type: decision.Types[h.IntN(len(decision.Types))], Subject: fact.NewRef(k.ID, h.key()), Clause: "npa-r3@2.2.1",
		At: h.at, From: h.moment(), Until: h.moment(), ApprovedAt: h.moment(), Reason: "x",
	}, Entry: h.entry}
	if fields := k.Layer(kind.Derived); d.Type == decision.Override && len(fields) > 0 {
		f := fields[h.IntN(len(fields))]
		d.Field, d.Value = f.Name, h.value(f)
	}
	if old, there := h.decisions[d.ID]; there { // it is approved or withdrawn, and otherwise as it was
		old.WithdrawnAt, old.Entry = h.moment(), h.entry
		d = old
	}
	h.decisions[d.ID] = d
	w.PutDecision(d)
}

func (h *history) determine(w *world.World) {
	keys := []string{"log.silence_max", "log.review.alert", "fresh.config", "net.monitor.silence_alarm", "log.events.system"}
	key := keys[h.IntN(len(keys))]
	v := any(fmt.Sprintf("%dh", 1+h.IntN(300)))
	if key == "log.events.system" {
		v = []any{"login"}
	}
	s := store.Setting{ID: fmt.Sprintf("S-%d", h.IntN(8)), Key: key, Layer: []string{"national", "system/A", "prefecture/13"}[h.IntN(3)], Value: v,
		Source: "x", By: "a", Approver: "b", From: h.moment(), Entry: h.entry}
	h.settings[s.ID] = s
	w.PutSetting(s)
}

// again is the same world, read at once.
func (h *history) again(t *testing.T) *world.World {
	w := world.New(h.kinds)
	for _, k := range slices.Sorted(maps.Keys(h.subjects)) {
		w.PutSubject(h.subjects[k])
	}
	for _, k := range slices.Sorted(maps.Keys(h.facts)) {
		if err := w.PutFact(h.facts[k]); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range h.decisions {
		w.PutDecision(d)
	}
	for _, s := range h.settings {
		w.PutSetting(s)
	}
	w.Settle()
	return w
}

func cells(l *world.Layer, it *world.Item) map[string]string {
	out := map[string]string{}
	for name, c := range l.Derived(it).Add(map[string]judge.Cell{}, l.At) {
		c.Lineage = slices.Sorted(slices.Values(c.Lineage)) // two entries of one instant have no order
		out[name] = fmt.Sprintf("%s %s %v since %s seen %s fresh %q by %v", c.Fact.Status, c.Fact.Reason, fact.Canonical(c.Fact.Value), c.Since.UTC(), c.ObservedAt.UTC(), c.Fresh, c.Lineage)
	}
	return out
}

// A layer that followed whatever happened says of every derived cell what one says
// that sees the world for the first time.
func TestALayerThatFollowedSaysWhatANewOneSays(t *testing.T) {
	seeds, steps := uint64(3), 60
	if os.Getenv("KAKUSHO_NIGHTLY") != "" {
		seeds, steps = 100, 400
	}
	for seed := range seeds {
		h := newHistory(seed)
		derivations := document.Derivations(posture.NewTerms(h.directive, nil, h.kinds))
		w := world.New(h.kinds)
		l := world.NewLayer(w, h.directive.Parameters, nil, derivations)
		for range 150 {
			h.entry++
			h.put(w)
		}
		w.Settle()
		l.Move(h.at)
		for step := range steps {
			h.at = h.at.Add(time.Duration(h.IntN(3000)) * time.Minute)
			for range h.IntN(4) {
				h.entry++
				switch h.IntN(7) {
				case 0, 1:
					h.put(w)
				case 2, 3, 4:
					h.see(t, w)
				case 5:
					h.decide(w)
				case 6:
					h.determine(w)
				}
			}
			w.Settle()
			before := map[fact.Ref]map[string]string{}
			for _, it := range w.Items() {
				before[it.Ref()] = cells(l, it)
			}
			moved := map[fact.Ref]bool{}
			for _, it := range l.Move(h.at) {
				moved[it.Ref()] = true
			}
			fresh := h.again(t)
			m := world.NewLayer(fresh, h.directive.Parameters, nil, derivations)
			m.Move(h.at)
			if len(fresh.Items()) != len(w.Items()) {
				t.Fatalf("seed %d step %d: %d items, want %d", seed, step, len(w.Items()), len(fresh.Items()))
			}
			for _, want := range fresh.Items() {
				it, _ := w.Item(want.Ref())
				got, wanted := cells(l, it), cells(m, want)
				for name := range wanted {
					if got[name] != wanted[name] {
						t.Fatalf("seed %d step %d: %s.%s\n got %s\nwant %s\n was %s", seed, step, want.Ref(), name, got[name], wanted[name], before[want.Ref()][name])
					}
				}
				if a, b := fmt.Sprint(it.Decisions, it.InService, it.Prefecture), fmt.Sprint(want.Decisions, want.InService, want.Prefecture); a != b {
					t.Fatalf("seed %d step %d: %s\n got %s\nwant %s", seed, step, want.Ref(), a, b)
				}
			}
		}
	}
}

func TestADecisionSeenAsOfAnotherClauseIsAnother(t *testing.T) {
	w := world.New(kind.Default())
	w.PutSubject(store.Subject{Kind: "system", ID: "A", System: "A", Entry: 1})
	w.PutDecision(store.Decision{Decision: decision.Decision{ID: "d", Type: decision.Deferral, Subject: "system/A", Clause: "npa-r3@2.1.1", From: start}, Entry: 2})
	w.Settle()
	touched, undo := w.Suppose(func(all []decision.Decision) []decision.Decision {
		for i := range all {
			all[i].Clause = "npa-next@3.2.1"
		}
		return all
	}, nil)
	if len(touched) != 1 || touched[0].Decisions[0].Clause != "npa-next@3.2.1" {
		t.Errorf("touched %d, want the system with its decision about the other clause", len(touched))
	}
	undo()
}
