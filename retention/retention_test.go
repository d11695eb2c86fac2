package retention_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/blob/dir"
	"kakusho/gate"
	"kakusho/retention"
	"kakusho/trail"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// world is a real trail of one stream, a pack a month, with a real archive and a
// real gate.
type world struct {
	t     *testing.T
	now   time.Time
	log   *trail.Log
	gov   *trail.Log
	gate  *gate.Gate
	needs map[string]retention.Needs
	holds []retention.Hold
	spoke map[string]retention.Span
	store trail.Archive
	keep  time.Duration
}

func (w *world) Streams(context.Context) ([]retention.Stream, error) {
	return []retention.Stream{{Name: "1y", Keep: w.keep, Trail: w.log, Systems: w.spoke, Archive: w.store != nil}}, nil
}

func (w *world) Needs(_ context.Context, system string, _ time.Time) (retention.Needs, error) {
	n, ok := w.needs[system]
	if !ok {
		return n, fmt.Errorf("no system %q", system)
	}
	return n, nil
}

func (w *world) Holds(context.Context, time.Time) ([]retention.Hold, error) { return w.holds, nil }

// months writes a pack in each of n months: system A in all, B from the fourth on.
// whilePut happens whenever a pack is put into the archive.
func months(t *testing.T, n int, archive bool, whilePut ...func(*world)) *world {
	t.Helper()
	w := &world{t: t, now: began, keep: year, needs: map[string]retention.Needs{"": {Online: 90 * day, Keep: year}, "A": {Online: 90 * day, Keep: year}, "B": {Online: 30 * day, Keep: year}}}
	w.spoke = map[string]retention.Span{"A": {From: began, To: began.Add(time.Duration(n) * 30 * day)}, "B": {From: began.Add(3 * 30 * day), To: began.Add(time.Duration(n) * 30 * day)}}
	o := trail.Options{Now: func() time.Time { return w.now }, PackSize: 1, SealEvery: time.Hour}
	if archive {
		d, err := dir.Open(filepath.Join(t.TempDir(), "archive"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		w.store, o.Archive = d, d
		for _, f := range whilePut {
			o.Archive = slow{d, func() { f(w) }}
		}
	}
	var err error
	if w.log, err = trail.Open(filepath.Join(t.TempDir(), "1y"), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.log.Close() })
	if w.gov, err = trail.Open(filepath.Join(t.TempDir(), "trail"), trail.Options{Now: func() time.Time { return w.now }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.gov.Close() })
	w.gate = gate.New(w.gov)
	for i := range n {
		w.now = began.Add(time.Duration(i) * 30 * day)
		if _, err := w.log.AppendLines(t.Context(), [][]byte{fmt.Appendf(nil, "event of month %d", i)}); err != nil {
			t.Fatal(err)
		}
		if err := w.log.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// deeds are what the plan says of each pack that has its events, in order: archive,
// retire, held, waiting, or nothing.
func (w *world) deeds(at time.Time) string {
	w.t.Helper()
	steps, err := retention.New(w.gate, w).Plan(w.t.Context(), at)
	if err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range steps {
		if s.Pack.Count == 0 {
			continue
		}
		c := map[retention.Deed]string{retention.Nothing: ".", retention.Archive: "a", retention.Retire: "r"}[s.Do]
		switch {
		case len(s.Holds) > 0 && s.Do == retention.Nothing:
			c = "h"
		case s.Waiting:
			c = "w"
		}
		b.WriteString(c)
	}
	return b.String()
}

func TestThePlanFollowsTheLongestNeedOfThoseWhoSpoke(t *testing.T) {
	w := months(t, 8, true)
	at := began.Add(year + 4*30*day) // the packs of months 0 … 4 are over a year old
	for _, c := range []struct {
		name   string
		change func()
		want   string
	}{
		{"as it is", func() {}, "rrrrraaw"},
		{"at the beginning", func() { at = began.Add(240 * day) }, "aaaaaa.."},
		{"system B needs longer now: its packs stay, also those that are there already", func() {
			at = began.Add(year + 4*30*day)
			w.needs["B"] = retention.Needs{Online: 30 * day, Keep: 3 * year}
		}, "rrraaaaw"},
		{"the stream promises more than any system needs", func() { w.keep = 2 * year }, "aaaaaaaw"},
		{"a hold on one system", func() {
			w.keep, w.needs["B"] = year, retention.Needs{Online: 30 * day, Keep: year}
			w.holds = []retention.Hold{{ID: "H-1", System: "B"}}
		}, "rrraaaah"},
		{"a hold on a time, with a margin for clocks and for what came late", func() {
			w.holds = []retention.Hold{{ID: "H-2", From: began.Add(60 * day), Until: began.Add(61 * day)}}
		}, "rraaraaw"},
		{"a hold that begins a day after a pack ended: a clock may have been ahead", func() {
			w.holds = []retention.Hold{{ID: "H-2b", From: began.Add(61 * day), Until: began.Add(61 * day)}}
		}, "rraaraaw"},
		{"a hold that begins later than that", func() {
			w.holds = []retention.Hold{{ID: "H-2c", From: began.Add(62 * day), Until: began.Add(62 * day)}}
		}, "rrraraaw"},
		{"a system that searches longer than it keeps", func() {
			w.holds, w.needs["B"] = nil, retention.Needs{Online: 3 * year, Keep: year}
		}, "rrr....."},
		{"a hold on everything", func() {
			w.needs["B"] = retention.Needs{Online: 30 * day, Keep: year}
			w.holds = []retention.Hold{{ID: "H-3"}}
		}, "aaaaaaah"},
	} {
		c.change()
		if got := w.deeds(at); got != c.want {
			t.Errorf("%s: plan %s, want %s", c.name, got, c.want)
		}
	}
}

func TestWithoutAnArchivePacksStayUntilTheirTimeIsOver(t *testing.T) {
	w := months(t, 4, false)
	if got := w.deeds(began.Add(200 * day)); got != "wwww" {
		t.Errorf("plan %s", got)
	}
	if got := w.deeds(began.Add(year + 31*day)); got != "rrww" {
		t.Errorf("plan %s", got)
	}
}

func TestARunSealsWhatItDoesAndWhatRemainsProves(t *testing.T) {
	w := months(t, 6, true)
	r := retention.New(w.gate, w)
	var proofs [][]byte
	for seq := range int64(6) {
		p, err := w.log.Prove(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		proofs = append(proofs, p)
	}
	w.now = began.Add(270 * day)
	done, err := r.Run(t.Context(), actor.Program, w.now)
	if err != nil || len(done.Retired) != 0 || len(done.Archived) == 0 {
		t.Fatalf("first run: %+v, %v", done, err)
	}
	for seq := range int64(6) {
		if l, err := w.log.GetLine(seq); err != nil || string(l.Bytes) != fmt.Sprintf("event of month %d", seq) {
			t.Errorf("event %d after archiving: %q, %v", seq, l.Bytes, err)
		}
	}
	w.holds = []retention.Hold{{ID: "H", From: began.Add(30 * day), Until: began.Add(31 * day)}}
	w.now = began.Add(year + 3*30*day)
	if done, err = r.Run(t.Context(), actor.Program, w.now); err != nil {
		t.Fatal(err)
	}
	gone := map[int64]bool{0: true, 3: true} // 1 and 2 are held: what was then may have come a month late
	for seq := range int64(6) {
		l, err := w.log.GetLine(seq)
		if gone[seq] != errors.Is(err, trail.ErrRetired) || !gone[seq] && string(l.Bytes) != fmt.Sprintf("event of month %d", seq) {
			t.Errorf("event %d after the run: %q, %v", seq, l.Bytes, err)
		}
		if _, err := trail.VerifyProof(proofs[seq], w.log.PublicKey()); err != nil {
			t.Errorf("proof of event %d made before: %v", seq, err)
		}
		if p, err := w.log.Prove(t.Context(), seq); !gone[seq] {
			if err != nil {
				t.Errorf("prove event %d: %v", seq, err)
			} else if _, err := trail.VerifyProof(p, w.log.PublicKey()); err != nil {
				t.Errorf("proof of event %d made after: %v", seq, err)
			}
		}
	}
	var kinds []string
	for e, err := range w.gov.Read(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, e.Kind+" "+e.Object)
	}
	if want := []string{"trail.archive trail/events/1y", "trail.archive trail/events/1y", "trail.retire trail/events/1y"}; !slices.Equal(slices.Compact(kinds), slices.Compact(want)) {
		t.Errorf("the gate sealed %q", kinds)
	}
	if again, err := r.Run(t.Context(), actor.Program, w.now); err != nil || len(again.Retired) > 0 {
		t.Errorf("a second run did %+v, %v", again, err)
	}
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestNobodyWithoutTheDutyRunsIt(t *testing.T) {
	w := months(t, 2, true)
	who := actor.Actor{Person: "P", Session: "s", Assignments: []actor.Assignment{{Duty: actor.Maintainer, Scope: "*"}}}
	if _, err := retention.New(w.gate, w).Run(t.Context(), who, began.Add(3*year)); !errors.Is(err, gate.ErrRefused) {
		t.Errorf("got %v, want a refusal", err)
	}
	for seq := range int64(2) {
		if _, err := w.log.GetLine(seq); err != nil {
			t.Errorf("event %d: %v", seq, err)
		}
	}
}

func TestWhatCannotBeAskedIsNotThrownAway(t *testing.T) {
	w := months(t, 3, true)
	w.spoke["unknown"] = retention.Span{From: began, To: began.Add(year)}
	if _, err := retention.New(w.gate, w).Run(t.Context(), actor.Program, began.Add(3*year)); err == nil {
		t.Error("a run went on without knowing what a system needs")
	}
	for seq := range int64(3) {
		if _, err := w.log.GetLine(seq); err != nil {
			t.Errorf("event %d: %v", seq, err)
		}
	}
}

// slow is an archive that takes its time: meanwhile something happens.
type slow struct {
	trail.Archive
	meanwhile func()
}

func (s slow) Put(ctx context.Context, name string, r io.Reader, size int64, sum [32]byte) error {
	s.meanwhile()
	return s.Archive.Put(ctx, name, r, size, sum)
}

// A run may put away packs for hours before it throws the first away: what was
// ordered, or asked for, meanwhile counts.
func TestAHoldOrANeedThatComesWhileARunIsUnderWayCounts(t *testing.T) {
	for name, change := range map[string]func(*world){
		"hold":      func(w *world) { w.holds = []retention.Hold{{ID: "H"}} },
		"parameter": func(w *world) { w.needs["A"] = retention.Needs{Online: 90 * day, Keep: 3 * year} },
	} {
		w := months(t, 8, true, func(w *world) { change(w) })
		done, err := retention.New(w.gate, w).Run(t.Context(), actor.Program, began.Add(year+4*30*day))
		if err != nil || len(done.Archived) == 0 || len(done.Retired) != 0 {
			t.Errorf("%s: archived %d, retired %d, %v", name, len(done.Archived), len(done.Retired), err)
		}
		for seq := range int64(8) {
			if _, err := w.log.GetLine(seq); err != nil {
				t.Errorf("%s: event %d: %v", name, seq, err)
			}
		}
	}
}
