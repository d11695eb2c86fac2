package fleet_test

import (
	"fmt"
	"testing"
	"time"

	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/rule/ruletest"
)

// TestFound holds what the random histories once found, small.
func TestFound(t *testing.T) {
	at := ruletest.At
	r := ruleOf(t, "x/y", `s.r1.filter(v, v.w in s.l2 || v.t > now).size() >= 1`, func(c *control.Control) { c.Empty = "ok" })
	terms := fleet.Terms{Rules: []*judge.Rule{r}, Parameters: ruletest.Params()}
	f, slow := fleet.New(set(), terms), newPairwise(set(), terms)
	cell := func(name string, v any) judge.Cell {
		return judge.Cell{Fact: fact.Fact{Field: name, Status: fact.Observed, Value: v}, ObservedAt: at}
	}
	s := fleet.Subject{Subject: judge.Subject{Ref: "thing/1", Facts: map[string]judge.Cell{
		"l2": cell("l2", []any{"a"}), "r1": cell("r1", []any{map[string]any{"t": at.Add(time.Minute)}}),
	}}}
	f.Put(s)
	slow.subjects[s.Ref] = s
	for _, d := range []time.Duration{0, 59 * time.Second, time.Minute, time.Hour} {
		slow.compare(t, f.Judge(at.Add(d)), at.Add(d))
	}
}

// lone is a subject with some cells, in a scope.
func lone(no string, scope directive.Scope, cells ...judge.Cell) fleet.Subject {
	s := fleet.Subject{Subject: judge.Subject{Ref: fact.NewRef("thing", no), Facts: map[string]judge.Cell{}}, Scope: scope}
	for _, c := range cells {
		s.Facts[c.Fact.Field] = c
	}
	return s
}

// both is a fleet and its slow twin, held to the same terms.
type both struct {
	fast *fleet.Fleet
	slow *pairwise
}

func newBoth(terms fleet.Terms) both { return both{fleet.New(set(), terms), newPairwise(set(), terms)} }

func (b both) put(s fleet.Subject) {
	b.fast.Put(s)
	b.slow.subjects[s.Ref] = s
}

func (b both) judge(t *testing.T, at time.Time) {
	t.Helper()
	b.slow.compare(t, b.fast.Judge(at), at)
}

// dated puts things whose dates lie an hour apart from the instant from.
func (b both) dated(first, n int, from time.Time) {
	for i := range n {
		b.put(lone(fmt.Sprint("n", first+i), directive.Scope{}, seen("t1", from.Add(time.Duration(i)*time.Hour), ruletest.At, "")))
	}
}

func clocked(t *testing.T) both {
	return newBoth(fleet.Terms{Rules: []*judge.Rule{ruleOf(t, "x/y", "now - s.t1 < p.x_span", nil)}, Parameters: ruletest.Params()})
}

func TestDatesGoOnTurningAfterOneThatCannotBeReckonedWith(t *testing.T) {
	b := clocked(t)
	b.dated(0, 60, ruletest.At.Add(-40*time.Hour))
	b.judge(t, ruletest.At)
	b.dated(100, 60, time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)) // how old they are is more than a duration can say
	for h := range 30 {
		b.judge(t, ruletest.At.Add(time.Duration(h)*time.Hour))
	}
}

func TestDatesThatComeWhileOthersTurnKeepTheirOrder(t *testing.T) {
	b := clocked(t)
	for i := range 20 { // few at a time: each goes by its own instant
		b.dated(i*12, 12, ruletest.At.Add(-40*time.Hour+time.Duration(i*12)*time.Hour))
		b.judge(t, ruletest.At)
	}
	for i := range 20 {
		at := ruletest.At.Add(time.Duration(i*10) * time.Hour)
		b.dated(1000+i*30, 30, at.Add(-60*time.Hour-time.Duration(i)*time.Minute))
		b.judge(t, at)
	}
}

func TestAScopeThatComesLateIsHeldToWhatHoldsThen(t *testing.T) {
	turn := ruletest.At.Add(time.Hour)
	b := newBoth(fleet.Terms{
		Rules: []*judge.Rule{ruleOf(t, "x/y", "s.i1 >= p.x_int", nil)}, Parameters: parameters(),
		Settings: []directive.Setting{{ID: "1", Key: "x.int", Layer: "prefecture/A", Value: int64(5), From: turn}},
	})
	b.put(lone("1", directive.Scope{}, seen("i1", int64(3), ruletest.At, "")))
	b.judge(t, ruletest.At)
	b.put(lone("2", directive.Scope{Prefecture: "A"}, seen("i1", int64(3), ruletest.At, "")))
	b.judge(t, turn.Add(time.Hour))
	b.judge(t, ruletest.At)
}

func TestAForkIsNotMovedByTheClockOfWhatItCameFrom(t *testing.T) {
	b := clocked(t)
	date := ruletest.At.Add(-40 * time.Hour)
	b.put(lone("1", directive.Scope{}, seen("t1", date, ruletest.At, "")))
	b.put(lone("2", directive.Scope{}, seen("t1", date.Add(-24*time.Hour), ruletest.At, "")))
	b.judge(t, ruletest.At)
	g := b.fast.Fork()
	b.judge(t, ruletest.At.Add(24*time.Hour))
	s := lone("2", directive.Scope{}, seen("t1", date, ruletest.At, ""))
	b.slow.subjects[s.Ref] = s
	g.See(s.Ref, s.Facts)
	b.slow.compare(t, g.Judge(ruletest.At), ruletest.At)
}

func TestAnAnswerThatARevisedControlKnowsCounts(t *testing.T) {
	record := func(answers ...string) func(*control.Control) {
		return func(c *control.Control) {
			answerable(c)
			c.Record.Answers = nil
			for _, a := range answers {
				c.Record.Answers = append(c.Record.Answers, control.Answer{Value: a})
			}
		}
	}
	text := `has(a.answer) && a.answer != "bad"`
	terms := fleet.Terms{Rules: []*judge.Rule{ruleOf(t, "x/y", text, record("ok"))}, Parameters: ruletest.Params()}
	b := newBoth(terms)
	s := lone("1", directive.Scope{})
	s.Decisions = given(decision.Attestation, func(d *decision.Decision) { d.Answer, d.At = "fitted", ruletest.At.Add(-time.Hour) })
	b.put(s)
	b.judge(t, ruletest.At)
	for _, answers := range [][]string{{"ok", "fitted"}, {"ok"}} {
		terms.Rules = []*judge.Rule{ruleOf(t, "x/y", text, record(answers...))}
		b.fast.Hold(terms)
		b.slow.hold(terms)
		b.judge(t, ruletest.At)
	}
}

// TestATableTurnsOnceForAllPages judges between two seconds, where something may
// turn at any moment: pages are judged side by side, and read what a turn writes.
func TestATableTurnsOnceForAllPages(t *testing.T) {
	b := newBoth(fleet.Terms{Rules: []*judge.Rule{ruleOf(t, "x/y", "now - s.t1 < s.u1", nil)}, Parameters: ruletest.Params()})
	for i := range 3 * 4096 {
		date := ruletest.At.Add(time.Duration(i%2) * time.Second).Add(-time.Hour) // a second one turns within this second
		b.fast.Put(lone(fmt.Sprint(i), directive.Scope{}, seen("t1", date, ruletest.At, ""), seen("u1", time.Hour, ruletest.At, "")))
	}
	at := ruletest.At.Add(time.Second / 2)
	b.fast.Judge(at)
	before := b.fast.Evaluations()
	b.fast.Again()
	if b.fast.Judge(at.Add(1)); b.fast.Evaluations() > before+1 {
		t.Errorf("%d evaluations for one date that may turn", b.fast.Evaluations()-before)
	}
}

func TestEvidenceGrowsOldByTheScopeThatIsHeldToItNow(t *testing.T) {
	short := func(layer string) []directive.Setting {
		return []directive.Setting{{ID: "1", Key: ruletest.Fresh, Layer: layer, Value: "10h"}}
	}
	terms := fleet.Terms{Rules: []*judge.Rule{ruleOf(t, "x/y", "s.b1", nil)}, Parameters: parameters(), Settings: short("prefecture/A")}
	b := newBoth(terms)
	for i, prefecture := range prefectures {
		b.put(lone(fmt.Sprint(i), directive.Scope{Prefecture: prefecture}, seen("b1", true, ruletest.At.Add(-20*time.Hour), ruletest.Fresh)))
		b.judge(t, ruletest.At)
	}
	b.judge(t, ruletest.At.Add(time.Second))
	for _, layer := range []string{"prefecture/B", "prefecture/A", "prefecture/B"} {
		terms.Settings = short(layer)
		b.fast.Hold(terms)
		b.slow.hold(terms)
		b.judge(t, ruletest.At.Add(time.Second))
	}
}

func TestDraftsOfARuleAreForgottenWithIt(t *testing.T) {
	terms := fleet.Terms{Parameters: ruletest.Params()}
	f := fleet.New(set(), terms)
	s := lone("1", directive.Scope{}, seen("b1", false, ruletest.At, ""))
	s.Decisions = given(decision.Exception, func(*decision.Decision) {})
	f.Put(s)
	for range 5 {
		terms.Rules = []*judge.Rule{ruleOf(t, "x/y", "s.b1", nil)}
		f.Hold(terms)
		f.Judge(ruletest.At)
		if f.Laid() != 1 {
			t.Fatalf("%d pairs are remembered of one", f.Laid())
		}
	}
}

// TestARecordWithABlankIsReadAsJudgeReadsIt: a field of a record that is there and
// empty is absent, one that the record lacks is unknown, also where a rule reads
// what is absent as a violation.
func TestARecordWithABlankIsReadAsJudgeReadsIt(t *testing.T) {
	at := ruletest.At
	blank, silent, said := map[string]any{"b": nil, "w": nil, "i": int64(1)}, map[string]any{"i": int64(1)}, map[string]any{"b": true, "w": "a", "i": int64(2)}
	var rules []*judge.Rule
	for i, text := range []string{
		"s.r1.all(v, v.b)", "s.r1.exists(v, !v.b)", "!s.r1.exists(v, v.b)", `s.r1.all(v, has(v.w))`, `s.r1.all(v, has(v.w) || v.b)`,
		"s.r1.filter(v, v.b).size() >= 1", "!(s.r1.filter(v, v.b).size() < 1)", `s.r1.all(v, v.i > 0 && !(v.w == "a"))`, `s.b1 ? s.r1.all(v, v.b) : s.r1.exists(v, v.b)`,
	} {
		for j, missing := range []control.Missing{"", control.MissingViolates, control.MissingNotApplicable} {
			rules = append(rules, ruleOf(t, fmt.Sprintf("x/c%d-%d", i, j), text, func(c *control.Control) { c.Missing = missing }))
		}
	}
	b := newBoth(fleet.Terms{Rules: rules, Parameters: ruletest.Params()})
	for i, list := range [][]any{{blank}, {silent}, {said}, {blank, said}, {blank, silent}, {blank, silent, said}} {
		list := judge.Cell{Fact: fact.Fact{Field: "r1", Status: fact.Observed, Value: list}, ObservedAt: at}
		b.put(lone(fmt.Sprint(i), directive.Scope{}, list))
	}
	b.judge(t, at)
}
