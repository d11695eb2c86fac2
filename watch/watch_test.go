package watch_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/blob/file"
	"kakusho/event"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/register"
	"kakusho/sigma"
	"kakusho/store"
	"kakusho/store/sqlite"
	"kakusho/trail"
	"kakusho/watch"
)

var start = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

const rules = `title: ログインの失敗の繰り返し
id: many
level: high
correlation: {type: event_count, rules: [failed], group-by: [account], timespan: 10m, condition: {gte: 5}}
---
title: f
name: failed
level: informational
logsource: {category: login-failure}
detection: {s: {class: login-failure}, condition: s}
---
title: 拒否
id: denied
level: medium
group-by: [account]
logsource: {category: privilege}
detection: {s: {result: denied}, condition: s}
`

// house is an installation with its register, and one stream of events.
type house struct {
	Register *register.Register
	Gate     *gate.Gate

	t     *testing.T
	rows  store.Store
	log   *trail.Log
	now   time.Time
	state string
	set   *sigma.Set
}

func found(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, now: start, state: filepath.Join(t.TempDir(), "watch.json")}
	var err error
	if h.set, err = sigma.Parse("r.yml", []byte(rules)); err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return h.now }
	if h.rows, err = sqlite.Open(filepath.Join(t.TempDir(), "store.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.rows.Close() })
	body, err := trail.Open(t.TempDir(), trail.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { body.Close() })
	kinds := kind.Default()
	h.Gate = gate.New(river{body, h.rows, register.Fold(kinds)})
	rules, err := register.Compile(kinds, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.Register = register.New(h.rows, h.Gate, rules, file.Shelf{}, nil)
	if h.log, err = trail.Open(t.TempDir(), trail.Options{Now: now, Installation: "test/events/3y"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.log.Close() })
	h.put("unit", map[string]any{"unit_id": "U", "title": "見本", "level": "prefecture"})
	h.put("post", map[string]any{"post_id": "P", "title": "係長", "unit": "U", "status": "active"})
	h.put("system", map[string]any{"system_id": "S", "title": "見本", "unit": "U", "officer": "P", "maintainer": "P", "status": "in-service",
		"confidentiality": 2, "integrity": 2, "availability": 1, "internet": "none"})
	return h
}

// river seals what is entered, and folds it, as the server does.
type river struct {
	log  *trail.Log
	rows store.Store
	fold func(context.Context, store.Tx, trail.Sealed) error
}

func (r river) Append(ctx context.Context, entries ...trail.Entry) (int64, error) {
	first, err := r.log.Append(ctx, entries...)
	if err != nil {
		return 0, err
	}
	return first, r.rows.Fold(ctx, first+int64(len(entries)), func(tx store.Tx) error {
		for seq := first; seq < first+int64(len(entries)); seq++ {
			e, err := r.log.Get(seq)
			if err == nil {
				err = r.fold(ctx, tx, e)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (h *house) put(kind string, values map[string]any) {
	h.t.Helper()
	if _, err := h.Register.Put(h.t.Context(), actor.Program, kind, values, 0, h.now); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) options() watch.Options {
	return watch.Options{
		Now: func() time.Time { return h.now }, Rules: h.set, State: h.state,
		Deadline: func(string, time.Time) time.Duration { return 24 * time.Hour },
		Open:     func(string) (watch.Reader, error) { return h.log, nil },
	}
}

func (h *house) watch(o watch.Options) *watch.Watch {
	h.t.Helper()
	w, err := watch.New(h.t.Context(), h.rows, h.Register, o)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := w.CatchUp(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	return w
}

// seal puts events into the stream.
func (h *house) seal(events ...event.Event) (first int64) {
	h.t.Helper()
	var lines [][]byte
	for _, e := range events {
		e.ID = event.NewID()
		line, err := event.Encode(nil, e)
		if err != nil {
			h.t.Fatal(err)
		}
		lines = append(lines, line)
	}
	first, err := h.log.AppendLines(h.t.Context(), lines)
	if err != nil {
		h.t.Fatal(err)
	}
	return first
}

// take seals events and shows them, as they come.
func (h *house) take(w *watch.Watch, events ...event.Event) {
	h.t.Helper()
	if err := w.Observe(h.t.Context(), "3y", h.seal(events...), events); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) failed(account string) event.Event {
	return event.Event{At: h.now, Class: event.LoginFailure, Account: account, System: "S", Result: event.Failure}
}

func (h *house) denied(account string) event.Event {
	return event.Event{At: h.now, Class: event.Privilege, Account: account, System: "S", Result: event.Denied}
}

var reader = actor.Actor{Person: "A", Assignments: []actor.Assignment{{Post: "P", Duty: actor.SystemOfficer, Scope: "*"}}}

func (h *house) alerts() []register.Entry {
	h.t.Helper()
	p, err := h.Gate.Ask(h.t.Context(), gate.Request{Actor: reader, At: h.now, Action: gate.Read, Object: "page/test"})
	if err != nil {
		h.t.Fatal(err)
	}
	page, err := h.Register.List(h.t.Context(), p, register.Query{Kind: "alert", Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	return page.Entries
}

// want compares the alerts with "rule group count state".
func (h *house) want(want ...string) {
	h.t.Helper()
	var got []string
	for _, e := range h.alerts() {
		got = append(got, fmt.Sprint(e.Values["rule"], " ", e.Values["group"], " ", e.Values["count"], " ", e.Values["state"]))
	}
	if !slices.Equal(got, want) {
		h.t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestWhatIsFoundIsEnteredForPeopleToLookInto(t *testing.T) {
	h := found(t)
	w := h.watch(h.options())
	for range 5 {
		h.take(w, h.failed("taro"))
		h.now = h.now.Add(time.Second)
	}
	h.want("many account=taro 5 open")
	e := h.alerts()[0]
	for field, want := range map[string]any{
		"alert_no": "AL-20261124-0001", "title": "ログインの失敗の繰り返し", "level": "high", "system": "S", "account": "taro", "first_event": "3y/0", "last_event": "3y/4",
		"first_at": start, "last_at": start.Add(4 * time.Second), "raised_at": start.Add(4 * time.Second), "deadline": start.Add(4*time.Second + 24*time.Hour), "device": nil,
	} {
		if got := e.Values[field]; fmt.Sprint(got) != fmt.Sprint(want) {
			if g, ok := got.(time.Time); !ok || !g.Equal(want.(time.Time)) {
				t.Errorf("%s is %v, want %v", field, got, want)
			}
		}
	}
	// It goes on: counted, but not written each time.
	for range 7 {
		h.take(w, h.failed("taro"))
	}
	h.want("many account=taro 5 open")
	h.now = h.now.Add(time.Minute)
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.want("many account=taro 12 open")
	// What a person writes stays.
	e = h.alerts()[0]
	e.Values["note"], e.Values["state"] = "照会中", "in-progress"
	if _, err := h.Register.Put(t.Context(), reader, "alert", e.Values, e.Rev, h.now); err != nil {
		t.Fatal(err)
	}
	h.take(w, h.failed("taro"))
	h.now = h.now.Add(time.Minute)
	w.Flush(t.Context())
	h.want("many account=taro 13 in-progress")
	e = h.alerts()[0]
	if e.Values["note"] != "照会中" {
		t.Errorf("what a person wrote is %v", e.Values["note"])
	}
	// Disposed of: what is found after that is a new one.
	e.Values["state"], e.Values["disposition"] = "closed", "authorised"
	if _, err := h.Register.Put(t.Context(), reader, "alert", e.Values, e.Rev, h.now); err != nil {
		t.Fatal(err)
	}
	h.take(w, h.failed("taro"), h.failed("taro"))
	h.now = h.now.Add(time.Minute)
	w.Flush(t.Context())
	h.want("many account=taro 13 closed", "many account=taro 2 open")
}

// However batches come, late, twice or not at all, the same is found and counted.
func TestEachEventIsLookedAtOnceHoweverItComes(t *testing.T) {
	h := found(t)
	rng := rand.New(rand.NewPCG(7, 7))
	w := h.watch(h.options())
	type batch struct {
		first  int64
		events []event.Event
	}
	var batches []batch
	n := 0
	for range 60 {
		var events []event.Event
		for range 1 + rng.IntN(5) {
			h.now = h.now.Add(time.Millisecond)
			events = append(events, h.denied("taro"))
			n++
		}
		batches = append(batches, batch{h.seal(events...), events})
	}
	if err := w.Observe(t.Context(), "3y", batches[0].first, batches[0].events); err != nil {
		t.Fatal(err)
	}
	rng.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	for _, b := range append(batches[:40:40], batches[20:]...) { // some twice
		if rng.IntN(3) == 0 {
			continue // some never
		}
		if err := w.Observe(t.Context(), "3y", b.first, b.events); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.want(fmt.Sprintf("denied account=taro %d open", n))
	if s := w.Stats(); s.Events != int64(n) || s.Read == 0 {
		t.Errorf("looked at %d events, %d from the trail; want %d", s.Events, s.Read, n)
	}
}

// The batches of a stream that has just begun may come out of order too, and a crash
// may have kept the first from being looked at.
func TestAStreamThatBeginsIsLookedAtFromItsBeginning(t *testing.T) {
	h := found(t)
	w := h.watch(h.options())
	one, two, three := h.denied("taro"), h.denied("taro"), h.denied("taro")
	h.seal(one)
	a, b := h.seal(two), h.seal(three)
	if err := errors.Join(w.Observe(t.Context(), "3y", b, []event.Event{three}), w.Observe(t.Context(), "3y", a, []event.Event{two}), w.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	h.want("denied account=taro 3 open")
}

// Four failures before the program is stopped, and one after: together five. What
// came while it was down is looked at too.
func TestAStopForgetsNothing(t *testing.T) {
	h := found(t)
	w := h.watch(h.options())
	for range 3 {
		h.take(w, h.failed("taro"))
	}
	h.take(w, h.denied("jiro"))
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(2 * time.Minute)
	h.seal(h.failed("taro"), h.denied("jiro"))
	w = h.watch(h.options())
	h.want("denied account=jiro 2 open")
	h.take(w, h.failed("taro"))
	h.want("denied account=jiro 2 open", "many account=taro 5 open")
}

// A crash forgets how far one had looked since the last time it was written down.
// What is looked at again is not counted again.
func TestACrashDoublesNothing(t *testing.T) {
	h := found(t)
	w := h.watch(h.options())
	h.take(w, h.failed("saburo"))
	h.now = h.now.Add(2 * time.Minute)
	h.take(w, h.failed("saburo")) // written down here
	for range 4 {
		h.take(w, h.denied("jiro"), h.failed("taro"))
	}
	h.want("denied account=jiro 1 open")
	w = h.watch(h.options()) // the old one was killed
	h.want("denied account=jiro 4 open")
	h.take(w, h.failed("taro"))
	h.want("denied account=jiro 4 open", "many account=taro 5 open")
}

func TestAHostileNameIsAnAlertLikeAnyOther(t *testing.T) {
	h := found(t)
	w := h.watch(h.options())
	for _, name := range []string{"a\u202eb", "x\ny\x00z", "\u200b", "=cmd|' /C calc'!A0", strings.Repeat("長", 5000), "<script>alert(1)</script>", "e\u0301", "\U000e0041"} {
		h.take(w, h.denied(name))
	}
	got := h.alerts()
	if len(got) != 8 {
		t.Errorf("%d alerts, want one each: 8", len(got))
	}
	for _, e := range got {
		if s := fmt.Sprint(e.Values["group"]); strings.ContainsAny(s, "\u202e\n\x00\u200b\U000e0041") {
			t.Errorf("group %q", s)
		}
	}
	h.now = h.now.Add(time.Minute)
	h.take(w, h.denied("e\u0301"), h.denied("a\u202eb"))
	w = h.watch(h.options()) // and is known again after a start
	h.now = h.now.Add(time.Minute)
	h.take(w, h.denied("é"))
	w.Close(t.Context())
	if got := h.alerts(); len(got) != 8 {
		t.Errorf("%d alerts after more of the same, want 8", len(got))
	}
}

func TestARuleThatFindsTooMuchBecomesOneAlert(t *testing.T) {
	h := found(t)
	o := h.options()
	o.PerHour = 3
	w := h.watch(o)
	for i := range 40 {
		h.take(w, h.denied(fmt.Sprint("u", i)))
	}
	w.Close(t.Context())
	h.want("denied account=u0 1 open", "denied account=u1 1 open", "denied account=u2 1 open", "denied * 37 open")
	h.now = h.now.Add(2 * time.Hour)
	h.take(w, h.denied("later"))
	if got := h.alerts(); len(got) != 5 {
		t.Errorf("%d alerts two hours later, want one more: 5", len(got))
	}
}

func TestAnUnknownSystemKeepsNoAlertAway(t *testing.T) {
	h := found(t)
	w := h.watch(h.options())
	e := h.denied("taro")
	e.System, e.Feed = "GONE", "LS-GONE"
	h.take(w, e)
	h.want("denied account=taro 1 open")
	if v := h.alerts()[0].Values; v["system"] != nil || v["log_source"] != nil {
		t.Errorf("%v", v)
	}
}

// closed is a register that takes nothing for a while.
type closed struct {
	watch.Register
	open bool
}

func (c *closed) Put(ctx context.Context, who actor.Actor, kind string, values map[string]any, rev int64, at time.Time) (fact.Ref, error) {
	if !c.open {
		return "", errors.New("no room on the disk")
	}
	return c.Register.Put(ctx, who, kind, values, rev, at)
}

func TestWhatCannotBeEnteredIsTriedAgain(t *testing.T) {
	h := found(t)
	door := &closed{Register: h.Register}
	w, err := watch.New(t.Context(), h.rows, door, h.options())
	if err != nil {
		t.Fatal(err)
	}
	events := []event.Event{h.denied("taro")}
	if err := w.Observe(t.Context(), "3y", h.seal(events...), events); err == nil {
		t.Error("an alert that was not entered is said to be")
	}
	h.now = h.now.Add(time.Hour)
	if err := w.Flush(t.Context()); err == nil || w.Stats().Failed != 2 {
		t.Errorf("flush: %v after %d failures", err, w.Stats().Failed)
	}
	door.open = true
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.want("denied account=taro 1 open")
}

func TestHistoryIsSearchedAsItWouldHaveBeenWatched(t *testing.T) {
	h := found(t)
	for i := range 300 {
		h.now = h.now.Add(time.Second)
		h.seal(h.failed(fmt.Sprint("u", i%50)), h.denied("taro"))
	}
	got, err := watch.Search(t.Context(), h.log, watch.Span{Stream: "3y"}, h.set, 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Events != 600 || len(got.Alerts) != 51 || got.Alerts[0].Rule != "many" || got.Alerts[50].Count != 300 {
		t.Errorf("%d events, %d alerts: %+v", got.Events, len(got.Alerts), got.Alerts[len(got.Alerts)-1])
	}
	part, err := watch.Search(t.Context(), h.log, watch.Span{Stream: "3y", From: 100, Until: 200}, h.set, 100, nil)
	if err != nil || part.Events != 100 || part.Alerts[0].First.Ref.Seq != 101 {
		t.Errorf("a part: %+v, %v", part, err)
	}
	late, err := watch.Search(t.Context(), h.log, watch.Span{Stream: "3y", Since: start.Add(200 * time.Second), Before: start.Add(250 * time.Second)}, h.set, 100, nil)
	if err != nil || late.Events != 100 {
		t.Errorf("by arrival: %d events, %v; want 100", late.Events, err)
	}
	few, err := watch.Search(t.Context(), h.log, watch.Span{Stream: "3y"}, h.set, 10, nil)
	if err != nil || len(few.Alerts) != 10 || few.Left == 0 {
		t.Errorf("at most ten: %d, %d left", len(few.Alerts), few.Left)
	}
	w := h.watch(h.options())
	if err := w.Raise(t.Context(), got.Alerts); err != nil {
		t.Fatal(err)
	}
	if err := w.Raise(t.Context(), got.Alerts); err != nil { // a second time changes nothing
		t.Fatal(err)
	}
	if n := len(h.alerts()); n != 51 {
		t.Errorf("%d alerts raised, want 51", n)
	}
	for _, e := range h.alerts() {
		if e.Values["rule"] == "denied" && e.Values["count"] != int64(300) {
			t.Errorf("counted %v", e.Values["count"])
		}
	}
}
