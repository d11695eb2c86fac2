package posture_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/clause"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/server"
	"kakusho/verdict"
)

var now = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

func day(n int) time.Time { return now.AddDate(0, 0, n) }

type values = map[string]any

// body is two prefectures whose rows are written through the gate.
type body struct {
	*server.Server
	t *testing.T
}

func found(t *testing.T) *body {
	s, err := server.New(t.Context(), server.Config{Data: t.TempDir(), Now: func() time.Time { return now }, Interval: -1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b := &body{s, t}
	for _, p := range []string{"13", "27"} {
		b.put("unit", values{"unit_id": "H" + p, "title": "警察本部" + p, "level": "prefecture", "prefecture": p})
		b.put("unit", values{"unit_id": "S" + p, "title": "警察署" + p, "level": "station", "parent": "H" + p})
		b.put("post", values{"post_id": "P" + p, "title": "係長", "unit": "H" + p, "status": "active"})
		b.put("system", values{"system_id": "X" + p, "title": "見本" + p, "unit": "H" + p, "officer": "P" + p, "maintainer": "P" + p, "status": "in-service", "confidentiality": 2, "integrity": 2,
			"availability": 1, "internet": "none", "in_service_on": "2020-04-01"})
		for _, no := range []string{"A", "B"} {
			b.put("computer", values{"asset_no": no + p, "role": "server", "system": "X" + p, "unit": "S" + p, "status": "in-service", "internet_declared": false})
		}
	}
	b.report("A13", "authentication", values{"pw_min_length": int64(8)})
	b.report("B13", "authentication", values{"pw_min_length": int64(20)})
	b.report("A27", "authentication", values{"pw_min_length": int64(14)})
	return b
}

func (b *body) put(kindID string, v values) {
	b.t.Helper()
	var err error
	for rev := range int64(9) {
		if _, err = b.Register.Put(b.t.Context(), actor.Program, kindID, v, rev, day(-300)); err == nil {
			return
		}
	}
	b.t.Fatalf("put %s: %v", kindID, err)
}

// report seals what one collector saw of a machine; what it did not see was denied.
func (b *body) report(no, group string, seen values) {
	b.t.Helper()
	batch := fact.Batch{ID: fmt.Sprint(no, group, seen), Subject: fact.NewRef("computer", no), Collector: group, Version: "1", Method: "test", Privilege: "root", ObservedAt: day(0)}
	for _, f := range b.Kinds["computer"].Fields {
		if f.Group != group {
			continue
		}
		x := fact.Fact{Field: f.Name, Status: fact.Denied, Reason: "permission: x"}
		if v, ok := seen[f.Name]; ok {
			x = fact.Fact{Field: f.Name, Status: fact.Observed, Value: v}
		}
		batch.Facts = append(batch.Facts, x)
	}
	if err := b.Intake.Accept(b.t.Context(), actor.Program, []fact.Batch{batch}, now); err != nil {
		b.t.Fatal(err)
	}
}

func (b *body) permit() gate.Permit {
	b.t.Helper()
	who := actor.Actor{Person: "A", Assignments: []actor.Assignment{{Post: "P", Duty: actor.Auditor, Scope: "*"}}}
	p, err := b.Gate.Ask(b.t.Context(), gate.Request{Actor: who, At: now, Action: gate.Read, Object: "page/test"})
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func (b *body) standing(at time.Time) *posture.Standing {
	b.t.Helper()
	st, err := b.Posture.Now(b.t.Context(), b.permit(), at)
	if err != nil {
		b.t.Fatal(err)
	}
	return st
}

func (b *body) suppose(at time.Time, d posture.Draft) *posture.Standing {
	b.t.Helper()
	d.At = at
	_, st, err := b.Posture.Suppose(b.t.Context(), b.permit(), now, d)
	if err != nil {
		b.t.Fatal(err)
	}
	return st
}

// text is a standing in one piece.
func text(st *posture.Standing) string {
	var b strings.Builder
	for _, p := range st.Pairs(posture.Filter{}) {
		fmt.Fprintln(&b, p)
	}
	return b.String()
}

// set determines a parameter, proposed by one and approved by another.
func (b *body) set(key, layer string, v any) directive.Setting {
	b.t.Helper()
	of := func(person string) actor.Actor {
		return actor.Actor{Person: person, Assignments: []actor.Assignment{{Post: "P", Duty: actor.SecurityAdministrator, Scope: "*"}}}
	}
	s := directive.Setting{Key: key, Layer: layer, Value: v, Source: "通達（見本）"}
	said := decision.Prediction{Key: key, Layer: layer, Value: v, From: day(-2)}
	id, err := b.Govern.Propose(b.t.Context(), of("A"), s, day(-2))
	if err == nil {
		err = b.Govern.ApproveSetting(b.t.Context(), of("B"), id, said, said.Digest(), day(-1))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

const length = "auth/password-length"

func outcome(t *testing.T, st *posture.Standing, ref fact.Ref, control string) verdict.Outcome {
	t.Helper()
	v, ok := st.Verdict(ref, control)
	if !ok {
		t.Fatalf("%s does not judge %s", control, ref)
	}
	return v.Outcome
}

// sound checks that what is at hand is what the judge says, however it is counted.
func sound(t *testing.T, st *posture.Standing) {
	t.Helper()
	pairs := st.Pairs(posture.Filter{})
	source := clause.ID(st.Terms().Directive().Source)
	total, byPrefecture, byControl := posture.Tally{}, map[string]posture.Tally{}, map[string]posture.Tally{}
	for i, v := range st.Judged(pairs) {
		p := pairs[i]
		if v.Outcome != p.Outcome || v.Control != p.Control || v.Subject != string(p.Subject) || v.Clause != p.Clause {
			t.Errorf("%v: the judge says %s", p, v.Outcome)
		}
		total[p.Outcome]++
		at := st.Place(p.Subject).Prefecture
		if byPrefecture[at] == nil {
			byPrefecture[at] = posture.Tally{}
		}
		byPrefecture[at][p.Outcome]++
		if byControl[p.Control] == nil {
			byControl[p.Control] = posture.Tally{}
		}
		byControl[p.Control][p.Outcome]++
	}
	equal(t, "the nation", st.Nation(source), total)
	equal(t, "the tally", st.Tally(posture.Filter{}), total)
	for _, at := range st.Prefectures() {
		equal(t, "prefecture "+at, st.Prefecture(source, at), byPrefecture[at])
	}
	for id, want := range byControl {
		equal(t, id, st.Control(id), want)
	}
}

func equal(t *testing.T, what string, got, want posture.Tally) {
	t.Helper()
	for _, o := range verdict.Outcomes {
		if got[o] != want[o] {
			t.Errorf("%s: %d %s, want %d", what, got[o], o, want[o])
		}
	}
}

func TestWhatIsAtHandIsWhatTheJudgeSays(t *testing.T) {
	b := found(t)
	sound(t, b.standing(now))
	b.report("A13", "authentication", values{"pw_min_length": int64(16)})
	sound(t, b.standing(now))
	b.set("auth.pw.min_length", "prefecture/13", 18)
	sound(t, b.standing(now))
	b.put("computer", values{"asset_no": "B27", "role": "server", "system": "X13", "unit": "S13", "status": "in-service"})
	sound(t, b.standing(now))
	officer := func(person string) actor.Actor {
		return actor.Actor{Person: person, Assignments: []actor.Assignment{{Post: "P", Duty: actor.SystemOfficer, Scope: "*"}}}
	}
	id, err := b.Govern.Give(t.Context(), officer("A"),
		decision.Decision{Type: decision.Deferral, Subject: "system/X13", Clause: "npa-r3@2.2.4", Reason: "更新まで", Measures: "監視", Until: day(100)}, day(-1))
	if err == nil {
		err = b.Govern.Approve(t.Context(), officer("B"), id, day(-1))
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []struct {
		days int
		want verdict.Outcome
	}{{400, verdict.Unknown}, {0, verdict.Deferred}} { // and back: a clock may be put right
		st := b.standing(day(in.days))
		sound(t, st)
		if o := outcome(t, st, "computer/A13", length); o != in.want {
			t.Errorf("in %d days a password that is too short is %s, want %s", in.days, o, in.want)
		}
	}
	for _, n := range []int{0, 1, 30, 99, 101, 400} {
		sound(t, b.standing(day(n)))
	}
}

// These change nothing, and look at one body.
func TestLooking(t *testing.T) {
	b := found(t)
	for name, look := range map[string]func(*testing.T, *body){
		"every unit shows the worst below it":                 everyUnitShowsTheWorstBelowIt,
		"a draft of evidence and of a day tells what will be": aDraftOfEvidenceAndOfADay,
		"a control that does not compile stops no other":      aControlThatDoesNotCompile,
		"a filter selects what it says":                       aFilterSelects,
	} {
		t.Run(name, func(t *testing.T) { look(t, b) })
	}
}

func everyUnitShowsTheWorstBelowIt(t *testing.T, b *body) {
	st := b.standing(now)
	const c = clause.ID("npa-r3")
	for unit, in := range map[string][]string{"S13": {"S13"}, "H13": {"H13", "S13"}, "H27": {"H27", "S27"}} {
		want := posture.Tally{}
		for _, p := range st.Pairs(posture.Filter{}) {
			if slices.Contains(in, st.Place(p.Subject).Unit) {
				want[p.Outcome]++
			}
		}
		equal(t, unit, st.Unit(c, unit), want)
		equal(t, "filter of "+unit, st.Tally(posture.Filter{Unit: unit}), want)
		if got := st.Unit(c, unit).Outcome(); want[verdict.Unknown] == 0 || verdict.Worse(got, verdict.Unknown) != got {
			t.Errorf("%s with %d unknown shows %s", unit, want[verdict.Unknown], got)
		}
	}
	if got := st.Prefectures(); !slices.Equal(got, []string{"13", "27"}) {
		t.Errorf("prefectures: %v", got)
	}
}

func TestAUnitThatMovesIsCountedWhereItIs(t *testing.T) {
	b := found(t)
	b.standing(now)
	b.put("unit", values{"unit_id": "S13", "title": "警察署13", "level": "station", "parent": "H27"})
	st := b.standing(now)
	if p := st.Place("computer/A13"); p.Prefecture != "27" {
		t.Errorf("A13 is in %+v", p)
	}
	if n := st.Tally(posture.Filter{Unit: "H27", Kind: "computer", Control: length}).Total(); n != 4 {
		t.Errorf("%d computers under H27, want 4", n)
	}
	sound(t, st)
}

func TestADraftTouchesNothingAndTellsWhatWillBe(t *testing.T) {
	b := found(t)
	before := text(b.standing(now))
	s := directive.Setting{ID: "draft", Key: "auth.pw.min_length", Layer: "prefecture/27", Value: 16, Approver: "x", Entry: 1 << 40}
	then := b.suppose(now, posture.Draft{Settings: func(all []directive.Setting) []directive.Setting { return append(all, s) }})
	sound(t, then)
	if o := outcome(t, then, "computer/A27", length); o != verdict.Violates {
		t.Errorf("with sixteen characters fourteen: %s", o)
	}
	if o := outcome(t, b.standing(now), "computer/A27", length); o != verdict.Conforms {
		t.Errorf("the draft was let in: %s", o)
	}
	if text(b.standing(now)) != before {
		t.Error("a draft changed the standing")
	}
	b.set("auth.pw.min_length", "prefecture/27", 16)
	if text(b.standing(now)) != text(then) {
		t.Error("adopted, the draft is something else")
	}
}

func aDraftOfEvidenceAndOfADay(t *testing.T, b *body) {
	at := day(400)
	stale := b.suppose(at, posture.Draft{})
	if o := outcome(t, stale, "computer/A13", length); o != verdict.Unknown {
		t.Errorf("evidence of a year ago: %s", o)
	}
	renewed := b.suppose(at, posture.Draft{Observed: func(_ kind.Field, c posture.Cell) posture.Cell {
		c.ObservedAt, c.ReceivedAt = at, at
		return c
	}})
	sound(t, renewed)
	if o := outcome(t, renewed, "computer/A13", length); o != verdict.Violates {
		t.Errorf("evidence brought again: %s", o)
	}
	if text(b.standing(at)) != text(stale) {
		t.Error("the day came otherwise than was told")
	}
}

func aControlThatDoesNotCompile(t *testing.T, b *body) {
	c, _ := b.Posture.Control(length)
	c.Rule = "s.pw_min_lenght >= p.auth_pw_min_length"
	terms := b.Posture.Terms().With(c)
	if terms.Faults() == nil || b.Posture.Terms().Faults() != nil {
		t.Error("the fault is not named, or where there is none")
	}
	p := b.Posture.Under(terms)
	st, err := p.Now(t.Context(), b.permit(), now)
	if err != nil {
		t.Fatal(err)
	}
	sound(t, st)
	v, _ := st.Verdict("computer/A13", length)
	if v.Outcome != verdict.Error || len(v.Reasons) == 0 || !strings.Contains(fmt.Sprint(v.Reasons), "pw_min_lenght") {
		t.Errorf("got %s %v", v.Outcome, v.Reasons)
	}
	for _, x := range b.standing(now).Pairs(posture.Filter{}) {
		if x.Control != length && outcome(t, st, x.Subject, x.Control) != x.Outcome {
			t.Errorf("%v is %s under the other terms", x, outcome(t, st, x.Subject, x.Control))
		}
	}
	if o := outcome(t, b.standing(now), "computer/A13", length); o != verdict.Violates {
		t.Errorf("the other terms were let in: %s", o)
	}
}

func aFilterSelects(t *testing.T, b *body) {
	st := b.standing(now)
	for _, c := range []struct {
		f    posture.Filter
		want int
	}{
		{posture.Filter{Control: length}, 4},
		{posture.Filter{Control: length, Outcome: verdict.Violates}, 1},
		{posture.Filter{Control: length, System: "X13"}, 2},
		{posture.Filter{Control: length, Prefecture: "27"}, 2},
		{posture.Filter{Control: length, Prefecture: "27", System: "X13"}, 0},
		{posture.Filter{Control: length, Words: "a13"}, 1},
		{posture.Filter{Control: length, Words: "password-length a1"}, 1},
		{posture.Filter{Control: length, NoSystem: true}, 0},
		{posture.Filter{Clause: "npa-r3@2", Control: length}, 4},
		{posture.Filter{Clause: "npa-r3@9.9", Control: length}, 0},
		{posture.Filter{Clause: "npa-r3@2.2.1", Kind: "unit", Control: length}, 0},
	} {
		if got := len(st.Pairs(c.f)); got != c.want || st.Tally(c.f).Total() != c.want {
			t.Errorf("%+v: %d pairs, want %d", c.f, got, c.want)
		}
	}
}
