package fleet_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/rule/ruletest"
	"kakusho/verdict"
)

// rounds is how many random histories are tried: few in every run, many with
// KAKUSHO_NIGHTLY=1, or as many as it says when more.
func rounds(few int) int {
	n, _ := strconv.Atoi(os.Getenv("KAKUSHO_NIGHTLY"))
	switch {
	case testing.Short():
		return max(1, few/10)
	case n == 1:
		return 100 * few
	}
	return max(few, n)
}

// TestFleetAgreesWithJudgeAndCEL judges random subjects by random controls, lets
// them change in every way there is, and holds each outcome against Judge and
// those of bare controls against plain cel-go.
func TestFleetAgreesWithJudgeAndCEL(t *testing.T) {
	const controls = 25
	n := rounds(40) // 40 × 25 controls of one to four expressions
	pairs, evaluated, seen := 0, 0, map[verdict.Outcome]int{}
	for seed := range uint64(n) {
		h := newHistory(t, seed, controls, 8)
		for range 5 {
			h.step()
		}
		pairs, evaluated = pairs+h.slow.pairs, evaluated+h.slow.evaluated
		for o, k := range h.slow.seen {
			seen[o] += k
		}
	}
	t.Logf("%d controls, %d pairs compared with Judge, %d with plain cel-go: %v", n*controls, pairs, evaluated, seen)
	for _, o := range verdict.Outcomes {
		if n >= 20 && seen[o] < 15 {
			t.Errorf("outcome %q came up %d times only: the test shows little", o, seen[o])
		}
	}
}

// FuzzFleet lives through the history that a seed gives.
func FuzzFleet(f *testing.F) {
	f.Add(uint64(1), 4)
	f.Fuzz(func(t *testing.T, seed uint64, steps int) {
		h := newHistory(t, seed, 8, 6)
		for range min(max(steps, 0), 30) {
			h.step()
		}
	})
}

// history is a fleet and its slow twin, living through the same changes.
type history struct {
	random
	t    testing.TB
	seed uint64
	fast *fleet.Fleet
	slow *pairwise
	at   time.Time

	recalls bool // the fleet keeps no cells

	last  *fleet.Outcomes // of the step before
	turns []time.Time     // instants at which something turns by time alone
	next  int             // number of the next subject
	did   []string
}

func newHistory(t testing.TB, seed uint64, controls, subjects int) *history {
	h := &history{random: newRandom(seed), t: t, seed: seed, at: ruletest.At}
	if h.sometimes(4) {
		h.at = h.at.Add(time.Duration(h.IntN(1_000_000_000))) // later instants are whole seconds, as changes are
	}
	terms := fleet.Terms{Rules: h.controls(t, controls), Parameters: parameters(), Settings: h.settings()}
	h.fast, h.slow = fleet.New(h.kinds, terms), newPairwise(h.kinds, terms)
	if h.recalls = h.sometimes(2); h.recalls {
		h.fast.Recall(h.slow.recall)
	}
	for range subjects {
		h.put(h.subject(h.next))
	}
	h.check()
	return h
}

func (h *history) put(s fleet.Subject) {
	h.next++
	h.slow.subjects[s.Ref] = s
	h.fast.Put(s)
}

// step changes one thing and holds everything against the slow twin.
func (h *history) step() {
	steps := []struct {
		name string
		do   func()
	}{
		{"time goes on", h.wait}, {"to a turn", h.turn}, {"to a turn", h.turn}, {"back in time", h.back}, {"see", h.see}, {"see", h.see},
		{"put anew", h.replace}, {"put", func() { h.put(h.subject(h.next)) }}, {"drop", h.drop}, {"settings", h.set}, {"rules", h.rule},
		{"fork", h.fork}, {"save and load", h.reload}, {"pack", func() { h.fast.Pack() }}, {"nothing", func() {}},
	}
	s := one(h.random, steps...)
	h.did = append(h.did, s.name)
	s.do()
	h.check()
}

// check compares everything, with the path that led here when it fails.
func (h *history) check() {
	h.t.Helper()
	defer func() {
		if h.t.Failed() {
			h.t.Logf("seed %d after %q", h.seed, h.did)
		}
	}()
	o := h.fast.Judge(h.at)
	turns := h.slow.compare(h.t, o, h.at)
	if len(turns) > 0 {
		h.turns = turns
	}
	if h.last != nil {
		h.changes(o)
	}
	h.until(o)
	h.last = o
}

// changes holds Changes against the outcomes of both instants, for the pairs that
// are in both.
func (h *history) changes(o *fleet.Outcomes) {
	h.t.Helper()
	type pair struct {
		ref     fact.Ref
		control string
	}
	told := map[pair]bool{}
	for c := range o.Changes(h.last) {
		from, had := h.last.Of(c.Ref, c.Control)
		to, has := o.Of(c.Ref, c.Control)
		if had && from != c.From || has && to != c.To {
			h.t.Fatalf("change %+v, but it was %q and is %q", c, from, to)
		}
		told[pair{c.Ref, c.Control}] = true
	}
	for _, ref := range h.slow.refs() {
		for r, now := range o.Row(ref) {
			id := r.Control().ID
			if before, had := h.last.Of(ref, id); had && (before != now) != told[pair{ref, id}] {
				h.t.Fatalf("%s by %s was %q and is %q; told: %v", ref, id, before, now, told[pair{ref, id}])
			}
		}
	}
}

// until holds the promise of Until at one instant before it.
func (h *history) until(o *fleet.Outcomes) {
	h.t.Helper()
	end := o.Until()
	if end.IsZero() || end.After(h.at.Add(20*24*time.Hour)) {
		end = h.at.Add(20 * 24 * time.Hour)
	}
	if !end.After(h.at) || !h.sometimes(3) {
		return
	}
	at := h.at.Add(time.Duration(h.Int64N(int64(end.Sub(h.at)))))
	if h.sometimes(2) {
		at = end.Add(-1)
	}
	if at = at.Truncate(time.Second); !at.After(h.at) {
		return // changes are told to the whole second
	}
	for _, ref := range h.slow.refs() {
		for r, now := range o.Row(ref) {
			if then := h.slow.outcome(ref, r, at); then != now {
				s := h.slow.subjects[ref]
				p := h.slow.params(s, h.at)
				h.t.Fatalf("at %v until %v, but %q is %q at %v\n%s", h.at, o.Until(), now, then, at, h.slow.describe(s, r, p, verdict.Verdict{}))
			}
		}
	}
}

func (h *history) wait() {
	h.at = h.at.Truncate(time.Second).Add(one(h.random, time.Second, time.Minute, time.Hour, 24*time.Hour, 240*time.Hour))
}

// turn goes to a second before, upon or after an instant at which a verdict
// changes.
func (h *history) turn() {
	if len(h.turns) > 0 {
		h.at = one(h.random, h.turns...).Add(time.Duration(h.IntN(3)-1) * time.Second)
	}
}

func (h *history) back() { h.at = ruletest.At.Add(-one(h.random, spans...)).Truncate(time.Second) }

func (h *history) some() (fact.Ref, bool) {
	refs := h.slow.refs()
	if len(refs) == 0 {
		return "", false
	}
	return one(h.random, refs...), true
}

// see brings other cells of one to three fields, now and then the same again.
func (h *history) see() {
	ref, ok := h.some()
	if !ok {
		return
	}
	s := h.slow.subjects[ref]
	s.Facts = copied(s.Facts)
	cells := map[string]judge.Cell{}
	for range 1 + h.IntN(3) {
		f := one(h.random, h.kinds[ref.Kind()].Fields...)
		if old, has := s.Facts[f.Name]; has && h.sometimes(4) {
			old.ObservedAt = h.at // seen again, as it was
			cells[f.Name] = old
			continue
		}
		cells[f.Name] = h.cell(f)
	}
	for name, c := range cells {
		s.Facts[name] = c
	}
	h.slow.subjects[ref] = s
	if h.sometimes(3) {
		h.fast.Put(s) // the same in other words
	} else {
		h.fast.See(ref, cells)
	}
}

func copied(cells map[string]judge.Cell) map[string]judge.Cell {
	out := map[string]judge.Cell{}
	for name, c := range cells {
		out[name] = c
	}
	return out
}

// replace puts a subject again: some of it new, its system and decisions too.
func (h *history) replace() {
	ref, ok := h.some()
	if !ok {
		return
	}
	old, s := h.slow.subjects[ref], h.subject(h.next)
	s.Ref = ref
	if ref.Kind() == "thing" != (old.Ref.Kind() == "thing") || h.sometimes(2) {
		s.Facts, s.Declared = old.Facts, old.Declared
	}
	h.put(s)
}

func (h *history) drop() {
	if ref, ok := h.some(); ok {
		h.fast.Drop(ref)
		delete(h.slow.subjects, ref)
	}
}

func (h *history) hold(t fleet.Terms) {
	h.fast.Hold(t)
	h.slow.hold(t)
}

// set holds other settings: one more, one fewer, or all new.
func (h *history) set() {
	t := h.slow.terms
	t.Settings = slices.Clone(t.Settings)
	switch more := h.settings(); {
	case h.sometimes(3):
		t.Settings = more
	case len(t.Settings) > 0 && h.sometimes(2):
		t.Settings = t.Settings[1:]
	case len(more) > 0:
		t.Settings = append(t.Settings, more[0])
	}
	h.hold(t)
}

// rule holds another rule in the place of one, one fewer, or the same in another
// order.
func (h *history) rule() {
	t := h.slow.terms
	t.Rules = slices.Clone(t.Rules)
	i := h.IntN(len(t.Rules))
	switch {
	case h.sometimes(3) && len(t.Rules) > 3:
		t.Rules = slices.Delete(t.Rules, i, i+1)
	case h.sometimes(2):
		h.Shuffle(len(t.Rules), func(i, j int) { t.Rules[i], t.Rules[j] = t.Rules[j], t.Rules[i] })
	default:
		other := h.controls(h.t, i+1)[i] // with the ID of the i-th
		at := slices.IndexFunc(t.Rules, func(r *judge.Rule) bool { return r.Control().ID == other.Control().ID })
		if at < 0 {
			t.Rules = append(t.Rules, other)
		} else {
			t.Rules[at] = other
		}
	}
	h.hold(t)
}

// fork goes on with the fork or with the old fleet; the other one must stay as it
// was, whatever happens.
func (h *history) fork() {
	g := h.fast.Fork()
	old := *h.slow
	old.subjects = map[fact.Ref]fleet.Subject{}
	for ref, s := range h.slow.subjects {
		old.subjects[ref] = s
	}
	if h.sometimes(2) {
		h.fast, g = g, h.fast
	}
	if h.recalls {
		g.Recall(old.recall)
	}
	h.see()
	h.set()
	h.drop()
	h.slow.compare(h.t, h.fast.Judge(h.at), h.at)
	old.compare(h.t, g.Judge(h.at), h.at)
}

// reload goes on with what was saved; a damaged file is outdated.
func (h *history) reload() {
	var b bytes.Buffer
	if err := h.fast.Save(&b); err != nil {
		h.t.Fatal(err)
	}
	f, err := fleet.Load(bytes.NewReader(b.Bytes()), h.kinds, h.slow.terms)
	if err != nil {
		h.t.Fatal(err)
	}
	h.fast = f
	if h.recalls {
		f.Recall(h.slow.recall)
	}
	bad := slices.Clone(b.Bytes())
	bad[h.IntN(len(bad))] ^= 1 << h.IntN(8)
	if _, err := fleet.Load(bytes.NewReader(bad), h.kinds, h.slow.terms); !errors.Is(err, fleet.ErrOutdated) {
		h.t.Fatalf("a damaged file: %v, want %v", err, fleet.ErrOutdated)
	}
	if _, err := fleet.Load(bytes.NewReader(b.Bytes()[:h.IntN(b.Len())]), h.kinds, h.slow.terms); !errors.Is(err, fleet.ErrOutdated) {
		h.t.Fatalf("half a file: %v, want %v", err, fleet.ErrOutdated)
	}
}
