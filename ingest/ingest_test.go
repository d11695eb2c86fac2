package ingest_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kakusho/event"
	"kakusho/ingest"
	"kakusho/trail"
)

const year = 365 * 24 * time.Hour

var morning = time.Date(2026, 11, 24, 9, 0, 0, 0, time.FixedZone("JST", 9*3600))

// registered is what the register says in these tests: by the proved name, else by
// the host.
func registered(o event.Origin) ingest.Feed {
	switch {
	case o.Name == "agent-a":
		return ingest.Feed{ID: "LS-A", System: "A", Keep: year}
	case o.Name == "agent-b":
		return ingest.Feed{ID: "LS-B", System: "B", Keep: 3 * year}
	case o.Host == "odd":
		return ingest.Feed{ID: "LS-C", System: "C", Keep: 4 * year, Zone: time.FixedZone("", -5*3600)}
	}
	return ingest.Feed{Keep: 2 * year}
}

// clock is a test's: a minute goes by at each look.
type clock struct{ n atomic.Int64 }

func (c *clock) Now() time.Time { return morning.Add(time.Duration(c.n.Load()) * time.Second) }

func open(t *testing.T, dir string, change ...func(*ingest.Options)) *ingest.Ingest {
	t.Helper()
	o := ingest.Options{Now: new(clock).Now, Resolve: registered, Installation: "kakusho-test", LossEvery: time.Hour, SnapshotEvery: time.Hour}
	for _, f := range change {
		f(&o)
	}
	in, err := ingest.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in
}

func events(n int, text string) (out []event.Event) {
	for i := range n {
		out = append(out, event.Event{At: morning, Device: "pc-1", Text: fmt.Sprintf("%s %d", text, i)})
	}
	return out
}

// accept brings a batch and fails when it is not taken.
func accept(t *testing.T, in *ingest.Ingest, b event.Batch) event.Receipt {
	t.Helper()
	r, err := in.Accept(t.Context(), b, false)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// kept are the events of a stream, as its trail has them.
func kept(t *testing.T, in *ingest.Ingest, stream string) (out []event.Event) {
	t.Helper()
	l := in.Trails()[stream]
	if l == nil {
		return nil
	}
	for line, err := range l.Lines(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.Decode(line.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

func texts(es []event.Event) (out []string) {
	for _, e := range es {
		out = append(out, e.Text)
	}
	return out
}

func TestABatchGoesWholeIntoTheStreamOfItsLongestKeptEvent(t *testing.T) {
	in := open(t, t.TempDir())
	a, b, odd := event.Origin{Door: "api", Name: "agent-a"}, event.Origin{Door: "api", Name: "agent-b"}, event.Origin{Door: "syslog-udp", Address: "192.0.2.7"}
	accept(t, in, event.Batch{Origin: a, Events: events(2, "a")})
	accept(t, in, event.Batch{Origin: b, Events: events(3, "b")})
	mixed := events(2, "mixed")
	mixed[1].Device = "odd"
	accept(t, in, event.Batch{Origin: odd, Events: mixed})
	back := events(2, "back")
	back[0].Device = "odd"
	accept(t, in, event.Batch{Origin: odd, Events: back})
	for stream, want := range map[string][]string{"1y": {"a 0", "a 1"}, "2y": nil, "3y": {"b 0", "b 1", "b 2"}, "5y": {"mixed 0", "mixed 1", "back 0", "back 1"}, "10y": nil, "30y": nil} {
		if got := texts(kept(t, in, stream)); !slices.Equal(got, want) {
			t.Errorf("stream %s holds %q, want %q", stream, got, want)
		}
	}
	five := kept(t, in, "5y")
	if five[0].Feed != "" || five[0].System != "" || five[1].Feed != "LS-C" || five[1].System != "C" {
		t.Errorf("got %+v, want the second alone under the feed of its host", five)
	}
	if got := slices.Sorted(maps.Keys(in.Systems("5y"))); !slices.Equal(got, []string{"", "C"}) {
		t.Errorf("in stream 5y spoke %q", got)
	}
	key := in.Trails()["3y"].PublicKey()
	if !strings.HasPrefix(key, "kakusho/kakusho-test/events/3y+") {
		t.Errorf("the log of stream 3y is named %q", key)
	}
}

func TestTheStreamsAreALadder(t *testing.T) {
	for keep, want := range map[time.Duration]string{0: "1y", year: "1y", year + 1: "2y", 3 * year: "3y", 4 * year: "5y", 7 * year: "10y", 11 * year: "30y", 100 * year: "30y"} {
		if got := ingest.Stream(keep); got != want {
			t.Errorf("kept %v: stream %s, want %s", keep, got, want)
		}
		if s := ingest.Stream(keep); keep <= 30*year && ingest.Keep(s) < keep {
			t.Errorf("stream %s keeps %v, less than %v", s, ingest.Keep(s), keep)
		}
	}
}

func TestWhatASenderBringsAgainIsNotTakenAgain(t *testing.T) {
	dir := t.TempDir()
	in := open(t, dir)
	batch := func(name, sender string, n int64) event.Batch {
		return event.Batch{Origin: event.Origin{Door: "api", Name: name}, Sender: sender, Number: n, Events: events(2, sender+strconv.FormatInt(n, 10))}
	}
	bring := func(b event.Batch, duplicate bool) {
		t.Helper()
		if r := accept(t, in, b); r.Duplicate != duplicate || r.Taken != 2 {
			t.Errorf("batch %d of %q: got %+v, want duplicate %v", b.Number, b.Sender, r, duplicate)
		}
	}
	bring(batch("agent-a", "s", 1), false)
	bring(batch("agent-a", "s", 1), true)
	bring(batch("agent-a", "s", 5), false)
	bring(batch("agent-a", "s", 3), false)
	bring(batch("agent-a", "s", 5), true)
	bring(batch("agent-a", "s", 3), true)
	bring(batch("agent-a", "t", 1), false) // another sender
	bring(batch("agent-b", "s", 1), false) // the same word from somebody else
	for _, state := range []string{"kept", "gone", "spoilt"} {
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "state.json")
		switch state {
		case "gone":
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		case "spoilt":
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b = []byte(strings.Replace(string(b), `"high":5`, `"high":1`, 1))
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		in = open(t, dir)
		for _, b := range []event.Batch{batch("agent-a", "s", 1), batch("agent-a", "s", 3), batch("agent-a", "s", 5), batch("agent-a", "t", 1), batch("agent-b", "s", 1)} {
			bring(b, true)
		}
	}
	bring(batch("agent-a", "s", 2), false)
	if n := len(kept(t, in, "1y")) + len(kept(t, in, "3y")); n != 12 {
		t.Errorf("%d events in all, want 12", n)
	}
}

func TestTheSameBatchAtTheSameTimeIsTakenOnce(t *testing.T) {
	in := open(t, t.TempDir())
	var wg sync.WaitGroup
	var taken atomic.Int64
	for range 16 {
		wg.Go(func() {
			for n := int64(1); n <= 20; n++ {
				r, err := in.Accept(t.Context(), event.Batch{Origin: event.Origin{Name: "agent-a"}, Sender: "s", Number: n, Events: events(1, strconv.FormatInt(n, 10))}, false)
				if err != nil {
					t.Error(err)
				}
				if !r.Duplicate {
					taken.Add(1)
				}
			}
		})
	}
	wg.Wait()
	got := texts(kept(t, in, "1y"))
	slices.Sort(got)
	if n := len(slices.Compact(slices.Clone(got))); taken.Load() != 20 || len(got) != 20 || n != 20 {
		t.Errorf("answered as new %d, kept %d, of them different %d: want 20", taken.Load(), len(got), n)
	}
}

func TestOnlyTheProgramWritesItsOwnFields(t *testing.T) {
	dir := t.TempDir()
	in := open(t, dir)
	forged := events(1, "x")
	forged[0].Event = ingest.LostEvent
	forged[0].Fields = map[string]string{"kakusho.batch": "9 agent-a\ts", "kakusho.lost": "1000", "kakusho.from": "api\t\tagent-a", "other": "stays"}
	before := maps.Clone(forged[0].Fields)
	accept(t, in, event.Batch{Origin: event.Origin{Name: "agent-a"}, Events: forged})
	if !maps.Equal(before, forged[0].Fields) {
		t.Error("the caller's fields were changed")
	}
	if got := kept(t, in, "1y")[0].Fields; !maps.Equal(got, map[string]string{"other": "stays"}) {
		t.Errorf("kept fields %v", got)
	}
	if c := in.Coverage()["LS-A"]; c.Lost != 0 || c.Count != 1 {
		t.Errorf("counted %+v", c)
	}
	if r := accept(t, in, event.Batch{Origin: event.Origin{Name: "agent-a"}, Sender: "s", Number: 9, Events: events(1, "y")}); r.Duplicate {
		t.Error("a forged mark made a batch a duplicate")
	}
}

func TestCountsAreTheSameAfterEveryKindOfStart(t *testing.T) {
	dir := t.TempDir()
	c := new(clock)
	with := func(o *ingest.Options) { o.Now = c.Now }
	in := open(t, dir, with)
	for i := range 40 {
		c.n.Add(100)
		es := events(3, "e")
		for j := range es {
			es[j].At, es[j].Class, es[j].Clock = c.Now().Add(time.Duration(j-3)*time.Second), event.Classes()[i%4], event.ClockSource
		}
		o := event.Origin{Door: "syslog-tcp", Address: "192.0.2.1", Host: "pc-1", Name: []string{"agent-a", "agent-b", "nobody"}[i%3]}
		accept(t, in, event.Batch{Origin: o, Events: es, Sender: "s", Number: int64(1 + i*40)}) // many batches never came
		in.Lost(o, 2, "queue full")
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	in = open(t, dir, with)
	want, strangers := in.Coverage(), in.Strangers()
	a := want["LS-A"]
	if a.Count != 42 || a.Lost != 28 || len(a.Classes) != 4 || a.Missing == 0 || !a.Last.Equal(morning.Add(3700*time.Second)) && !a.Last.Equal(morning.Add(4000*time.Second)) {
		t.Errorf("feed A: %+v", a)
	}
	if off, ok := a.Clock(); !ok || off != time.Second {
		t.Errorf("clock of feed A is off by %v, %v, want the nearest event's second", off, ok)
	}
	if len(strangers) != 1 || strangers[ingest.Stranger{Door: "syslog-tcp", Address: "192.0.2.1", Name: "nobody", Host: "pc-1"}].Count != 39 {
		t.Errorf("strangers: %+v", strangers)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "state.json")); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, with)
	if got := again.Coverage(); !reflect.DeepEqual(round(got), round(want)) {
		t.Errorf("counted from the trails:\n%+v\nwant\n%+v", got, want)
	}
	if got := again.Strangers(); len(got) != 1 || got[ingest.Stranger{Door: "syslog-tcp", Address: "192.0.2.1", Name: "nobody", Host: "pc-1"}].Count != 39 {
		t.Errorf("strangers counted from the trails: %+v", got)
	}
}

// round takes out what JSON takes out of times.
func round(cs map[string]ingest.Coverage) map[string]string {
	out := map[string]string{}
	for id, c := range cs {
		off, known := c.Clock()
		out[id] = fmt.Sprint(c.Count, c.Lost, c.Missing, c.First.UnixNano(), c.Last.UnixNano(), off, known)
		for _, class := range slices.Sorted(maps.Keys(c.Classes)) {
			out[id] += fmt.Sprint(class, c.Classes[class].Count, c.Classes[class].First.UnixNano(), c.Classes[class].Last.UnixNano())
		}
	}
	return out
}

func TestALossIsAnEventOfItsFeed(t *testing.T) {
	in := open(t, t.TempDir())
	in.Lost(event.Origin{Door: "syslog-udp", Name: "agent-b", Host: "pc-2"}, 7, "receive buffer full")
	in.Lost(event.Origin{Door: "syslog-udp", Name: "agent-b", Host: "pc-2"}, 5, "receive buffer full")
	in.Lost(event.Origin{Door: "syslog-udp", Name: "agent-b", Host: "pc-2"}, 0, "nothing")
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if c := in.Coverage()["LS-B"]; c.Lost != 12 || c.Count != 0 {
		t.Errorf("counted %+v, want 12 lost", c)
	}
	// The trail has it.
	r, err := trail.NewReader(in.Folder("3y"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for line, err := range r.Lines(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.Decode(line.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if e.Event != ingest.LostEvent || e.Feed != "LS-B" || e.Class != event.LogStore || e.Fields["why"] != "receive buffer full" || e.Device != "pc-2" {
			t.Errorf("sealed %+v", e)
		}
	}
	if r.Len() != 1 {
		t.Errorf("%d events, want one for both", r.Len())
	}
}

func TestWhenNothingCanBeTakenTheSenderIsToldLater(t *testing.T) {
	disk := errors.New("disk nearly full")
	var room error
	in := open(t, t.TempDir(), func(o *ingest.Options) { o.Room = func() error { return room } })
	b := event.Batch{Origin: event.Origin{Name: "agent-a"}, Sender: "s", Number: 1, Events: events(1, "x")}
	room = disk
	if _, err := in.Accept(t.Context(), b, false); !errors.Is(err, event.ErrFull) || !errors.Is(err, disk) {
		t.Errorf("got %v, want ErrFull and the cause", err)
	}
	room = nil
	if r := accept(t, in, b); r.Duplicate {
		t.Error("what was not taken is a duplicate")
	}
	for name, bad := range map[string]event.Batch{
		"too many":          {Events: make([]event.Event, trail.MaxBatch+1)},
		"number 0":          {Sender: "s", Events: events(1, "x")},
		"control character": {Sender: "s\n", Number: 1, Events: events(1, "x")},
		"long":              {Sender: strings.Repeat("s", 201), Number: 1, Events: events(1, "x")},
		"not UTF-8":         {Sender: "s\xff", Number: 1, Events: events(1, "x")},
	} {
		if _, err := in.Accept(t.Context(), bad, false); !errors.Is(err, ingest.ErrBatch) || errors.Is(err, event.ErrFull) {
			t.Errorf("%s: got %v, want ErrBatch", name, err)
		}
	}
	if n := len(kept(t, in, "1y")) + len(kept(t, in, "2y")); n != 1 {
		t.Errorf("%d events kept, want 1", n)
	}
}

func TestTheTimeOfAnEventSaysHowFarItIsBelieved(t *testing.T) {
	in := open(t, t.TempDir())
	local := time.Date(2026, 11, 23, 19, 0, 0, 5, time.FixedZone("JST", 9*3600)) // 19:00 as written, without a zone
	for _, c := range []struct {
		name  string
		e     event.Event
		at    time.Time
		clock event.Clock
	}{
		{"none", event.Event{Device: "x"}, morning, event.ClockArrival},
		{"the source's", event.Event{Device: "x", At: morning.Add(-time.Hour)}, morning.Add(-time.Hour), event.ClockSource},
		{"synchronised", event.Event{Device: "x", At: morning.Add(-time.Hour), Clock: event.ClockSynced}, morning.Add(-time.Hour), event.ClockSynced},
		{"from 1970", event.Event{Device: "x", At: time.Unix(0, 0), Clock: event.ClockSynced}, time.Unix(0, 0), event.ClockDoubt},
		{"from 2099", event.Event{Device: "x", At: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)}, time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), event.ClockDoubt},
		{"without a zone, from a place the register knows", event.Event{Device: "odd", At: local, Clock: event.ClockAssumed}, local.Add(14 * time.Hour), event.ClockAssumed},
		{"without a zone, from elsewhere", event.Event{Device: "x", At: local, Clock: event.ClockAssumed}, local, event.ClockAssumed},
		{"a year that cannot be written", event.Event{Device: "x", At: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}, morning, event.ClockArrival},
	} {
		stream := "2y"
		if c.e.Device == "odd" {
			stream = "5y"
		}
		accept(t, in, event.Batch{Events: []event.Event{c.e}})
		all := kept(t, in, stream)
		if got := all[len(all)-1]; !got.At.Equal(c.at) || got.Clock != c.clock {
			t.Errorf("%s: got %v %s, want %v %s", c.name, got.At, got.Clock, c.at, c.clock)
		}
	}
}

func TestAnEventTooLargeForItsMarkIsKeptAllTheSame(t *testing.T) {
	dir := t.TempDir()
	in := open(t, dir)
	wide := event.Event{At: morning, Text: "wide", Fields: map[string]string{}}
	for i := range event.MaxFields {
		wide.Fields[fmt.Sprintf("f%03d", i)] = "v"
	}
	long := event.Event{At: morning, Text: strings.Repeat("長", event.MaxLine)}
	o := event.Origin{Door: "api", Name: "agent-a"}
	for i, e := range []event.Event{wide, long, {At: morning, Text: "bad \xff"}, {At: morning, Class: "no such class"}} {
		accept(t, in, event.Batch{Origin: o, Sender: "s", Number: int64(i + 1), Events: []event.Event{e}})
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "state.json")); err != nil {
		t.Fatal(err)
	}
	in = open(t, dir)
	got := kept(t, in, "1y")
	if len(got) != 4 || !strings.Contains(got[0].Text, "f199=v") || len(got[0].Fields) != event.MaxFields || !strings.HasPrefix(got[1].Text, "長長長") {
		t.Errorf("kept %d events", len(got))
	}
	for n := range int64(4) {
		if r := accept(t, in, event.Batch{Origin: o, Sender: "s", Number: n + 1, Events: []event.Event{wide}}); !r.Duplicate {
			t.Errorf("batch %d is forgotten after a restart", n+1)
		}
	}
}

func TestASlowReaderMissesAndIsTold(t *testing.T) {
	in := open(t, t.TempDir())
	slow, quick := in.Subscribe(1), in.Subscribe(10)
	for range 3 {
		accept(t, in, event.Batch{Origin: event.Origin{Name: "agent-a"}, Events: events(2, "x")})
	}
	if n := slow.Missed(); n != 4 || slow.Missed() != 0 {
		t.Errorf("the slow one missed %d, want 4 and told once", n)
	}
	if n := quick.Missed(); n != 0 {
		t.Errorf("the quick one missed %d", n)
	}
	want := int64(0)
	for range 3 {
		got := <-quick.C
		if got.Stream != "1y" || got.First != want || len(got.Events) != 2 || got.Events[0].ID == "" || got.Events[0].Feed != "LS-A" {
			t.Errorf("got %+v", got)
		}
		want += 2
	}
	line, err := in.Trails()["1y"].GetLine(1)
	if err != nil {
		t.Fatal(err)
	}
	first := <-slow.C
	if enc, err := event.Encode(nil, first.Events[1]); err != nil || string(enc) != string(line.Bytes) {
		t.Errorf("what is brought is not what is sealed: %s %s", enc, line.Bytes)
	}
	slow.Close()
	slow.Close()
	if _, open := <-slow.C; open {
		t.Error("a closed subscription brings something")
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if _, open := <-quick.C; open {
		t.Error("a subscription outlives what it is of")
	}
}

// What waits for a slow reader is bounded in bytes, however large the batches.
func TestWhatWaitsForASlowReaderIsBounded(t *testing.T) {
	in := open(t, t.TempDir())
	slow := in.Subscribe(1000)
	large := event.Batch{Origin: event.Origin{Name: "agent-a"}}
	for range 200 {
		large.Events = append(large.Events, event.Event{At: morning, Text: strings.Repeat("x", 60_000)})
	}
	for range 20 {
		accept(t, in, large) // 12 MB each
	}
	slow.Close()
	waits := 0
	for taken := range slow.C {
		for _, e := range taken.Events {
			waits += len(e.Text)
		}
	}
	if missed := slow.Missed(); waits > 100<<20 || waits == 0 || missed+int64(waits/60_000) != 20*200 {
		t.Errorf("%d MiB wait for a slow reader, who missed %d events", waits>>20, missed)
	}
}

func TestAReceiptIsForWhatTheTrailHolds(t *testing.T) {
	in := open(t, t.TempDir())
	r, err := in.Accept(t.Context(), event.Batch{Origin: event.Origin{Name: "agent-a"}, Events: events(5, "x")}, true)
	if err != nil {
		t.Fatal(err)
	}
	l := in.Trails()["1y"]
	note, err := trail.CheckReceipt(r.Note, l.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	if err := trail.Honoured(t.Context(), note, l); err != nil {
		t.Error(err)
	}
}

// A clock that leapt ahead for an hour and came back: what arrives afterwards is the
// last that came, and not what arrived in the future. Or a source that fell silent
// would count as sending for as long as the clock was ahead.
func TestAClockThatWasAheadLeavesNoArrivalInTheFuture(t *testing.T) {
	dir, c := t.TempDir(), new(clock)
	with := func(o *ingest.Options) { o.Now = c.Now }
	in := open(t, dir, with)
	bring := func() {
		e := event.Event{Class: event.Login, At: c.Now().Add(-time.Second), Text: "e"}
		accept(t, in, event.Batch{Origin: event.Origin{Door: "api", Name: "agent-a"}, Events: []event.Event{e}})
	}
	bring()
	c.n.Add(20 * 365 * 24 * 3600)
	bring()
	c.n.Add(60 - 20*365*24*3600)
	bring()
	right := func(when string) {
		t.Helper()
		a := in.Coverage()["LS-A"]
		if !a.Last.Equal(c.Now()) || !a.Classes[event.Login].Last.Equal(c.Now()) || a.Count < 3 {
			t.Errorf("%s: %d events, the last at %v, of its class at %v; it is %v", when, a.Count, a.Last, a.Classes[event.Login].Last, c.Now())
		}
		if n := len(a.Hours); n != 1 || !a.Hours[0].At.Equal(c.Now().UTC().Truncate(time.Hour)) {
			t.Errorf("%s: hours %+v", when, a.Hours)
		}
		if s := in.Systems("1y")["A"]; !s.Last.After(c.Now()) {
			t.Errorf("%s: packs of the future have lost their system: it spoke until %v", when, s.Last)
		}
	}
	right("as it goes on")
	for _, file := range []string{"state.json", "none"} {
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		if file != "none" {
			if err := os.Remove(filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
		}
		in = open(t, dir, with)
		if a := in.Coverage()["LS-A"]; a.Last.After(c.Now()) || a.Classes[event.Login].Last.After(c.Now()) {
			t.Errorf("started without %s: the last is of %v, and it is %v", file, a.Last, c.Now())
		}
		bring()
		right("started without " + file)
	}
}

// reopened closes what is open and opens the same folder again.
func reopened(t *testing.T, in *ingest.Ingest, dir string, change ...func(*ingest.Options)) *ingest.Ingest {
	t.Helper()
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, dir, change...)
}

func TestWhatWasRetiredIsNotCountedTwice(t *testing.T) {
	dir := t.TempDir()
	small := func(o *ingest.Options) { o.Trail.PackSize = 1 }
	in := open(t, dir, small)
	o := event.Origin{Name: "agent-a"}
	l := func() *trail.Log { return in.Trails()["1y"] }
	for n := range int64(6) {
		accept(t, in, event.Batch{Origin: o, Sender: "s", Number: n + 1, Events: events(2, "x")})
		if err := l().Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	packs, err := l().Packs()
	if err != nil {
		t.Fatal(err)
	}
	if err := l().Retire(t.Context(), []string{packs[1].Name, packs[2].Name}, "test"); err != nil {
		t.Fatal(err)
	}
	in = reopened(t, in, dir, small)
	if n := in.Coverage()["LS-A"].Count; n != 12 {
		t.Errorf("counted %d, want all that ever came", n)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "state.json")); err != nil {
		t.Fatal(err)
	}
	in = open(t, dir, small)
	accept(t, in, event.Batch{Origin: o, Sender: "s", Number: 7, Events: events(2, "x")})
	for range 2 {
		if n := in.Coverage()["LS-A"].Count; n != 10 {
			t.Errorf("counted %d, want what is left", n)
		}
		in = reopened(t, in, dir, small)
	}
	if r := accept(t, in, event.Batch{Origin: o, Sender: "s", Number: 6, Events: events(2, "x")}); !r.Duplicate {
		t.Error("a batch that is left is forgotten")
	}
}

func TestAStateOfALongerTrailIsNotBelieved(t *testing.T) {
	dir, older := t.TempDir(), filepath.Join(t.TempDir(), "older")
	in := open(t, dir)
	o := event.Origin{Name: "agent-a"}
	accept(t, in, event.Batch{Origin: o, Sender: "s", Number: 1, Events: events(2, "x")})
	in = reopened(t, in, dir)
	if err := os.CopyFS(older, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	accept(t, in, event.Batch{Origin: o, Sender: "s", Number: 2, Events: events(2, "x")})
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(older, "state.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	back := open(t, older)
	if n := back.Coverage()["LS-A"].Count; n != 2 {
		t.Errorf("counted %d in a trail that was put back, want its 2", n)
	}
	if r := accept(t, back, event.Batch{Origin: o, Sender: "s", Number: 2, Events: events(2, "x")}); r.Duplicate {
		t.Error("a batch that is not in the trail counts as brought")
	}
}

func TestALossThatCannotBeSealedNowIsSealedLater(t *testing.T) {
	dir := t.TempDir()
	in := open(t, dir, func(o *ingest.Options) { o.LossEvery = 5 * time.Millisecond })
	blocked := filepath.Join(dir, "1y")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil { // where the stream would be
		t.Fatal(err)
	}
	in.Lost(event.Origin{Name: "agent-a"}, 9, "queue full")
	time.Sleep(50 * time.Millisecond)
	if c := in.Coverage()["LS-A"]; c.Lost != 0 {
		t.Errorf("counted %d lost without a place to seal it", c.Lost)
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); in.Coverage()["LS-A"].Lost != 9; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("counted %d lost, want 9", in.Coverage()["LS-A"].Lost)
		}
	}
}
