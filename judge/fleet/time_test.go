package fleet_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/rule/ruletest"
	"kakusho/verdict"
)

// expiry is something that turns an outcome by time alone, at the instant turn.
type expiry struct {
	rule      string
	with      func(*control.Control)
	cell      judge.Cell
	decisions []decision.Decision
	settings  []directive.Setting
	was, then verdict.Outcome
}

// turn is far enough ahead that everything below has begun.
var turn = ruletest.At.Add(10 * time.Hour)

func seen(field string, value any, at time.Time, fresh string) judge.Cell {
	return judge.Cell{Fact: fact.Fact{Field: field, Status: fact.Observed, Value: value}, ObservedAt: at, Fresh: fresh}
}

// given is a decision about the thing, approved and in force until turn, if that
// is not changed.
func given(t decision.Type, change func(*decision.Decision)) []decision.Decision {
	long := ruletest.At.Add(-1000 * time.Hour)
	d := decision.Decision{
		ID: "d1", Type: t, Subject: "thing/1", Control: "x/y", Reason: "because", At: long, From: long, ApprovedAt: long, Until: turn.Add(9000 * time.Hour),
	}
	change(&d)
	return []decision.Decision{d}
}

func answerable(c *control.Control) {
	c.Record = &control.Record{Type: decision.Attestation, Fresh: "x.span", Answers: []control.Answer{{Value: "ok"}}}
}

func grounded(when string) func(*control.Control) {
	return func(c *control.Control) { c.Grounds = []control.Ground{{ID: "difficult", When: when}} }
}

func claimed() []decision.Decision {
	return given(decision.Exception, func(d *decision.Decision) { d.Ground = "difficult" })
}

func expiries() map[string]expiry {
	b := func(v bool) judge.Cell { return seen("b1", v, ruletest.At, "") }
	until := func(d *decision.Decision) { d.Until = turn }
	return map[string]expiry{
		"evidence grows old":              {rule: "s.b1", cell: seen("b1", true, turn.Add(-72*time.Hour), ruletest.Fresh), was: verdict.Conforms, then: verdict.Unknown},
		"evidence is no longer ahead":     {rule: "s.b1", cell: seen("b1", true, turn.Add(5*time.Minute), ""), was: verdict.Unknown, then: verdict.Conforms},
		"a date passes":                   {rule: "now < s.t1", cell: seen("t1", turn, ruletest.At, ""), was: verdict.Conforms, then: verdict.Violates},
		"an age reaches its limit":        {rule: "now - s.t1 < p.x_span", cell: seen("t1", turn.Add(-48*time.Hour), ruletest.At, ""), was: verdict.Conforms, then: verdict.Violates},
		"a date in a list passes":         {rule: "s.r1.all(v, now < v.t)", cell: seen("r1", []any{map[string]any{"t": turn}, map[string]any{"t": turn.Add(1)}}, ruletest.At, ""), was: verdict.Conforms, then: verdict.Violates},
		"a date among others is counted":  {rule: "s.r1.filter(v, v.t <= now).size() >= 1", cell: seen("r1", []any{map[string]any{"t": turn}}, ruletest.At, ""), was: verdict.Violates, then: verdict.Conforms},
		"an answer grows old":             {rule: `a.answer == "ok"`, with: answerable, decisions: given(decision.Attestation, func(d *decision.Decision) { d.Answer, d.At = "ok", turn.Add(-48*time.Hour) }), was: verdict.Conforms, then: verdict.Unknown},
		"an answer ends":                  {rule: `a.answer == "ok"`, with: answerable, decisions: given(decision.Attestation, func(d *decision.Decision) { d.Answer, d.At, d.Until = "ok", ruletest.At, turn }), was: verdict.Conforms, then: verdict.Unknown},
		"an answer begins":                {rule: `a.answer == "ok"`, with: answerable, decisions: given(decision.Attestation, func(d *decision.Decision) { d.Answer, d.At, d.From = "ok", ruletest.At, turn }), was: verdict.Unknown, then: verdict.Conforms},
		"an exception ends":               {rule: "s.b1", cell: b(false), decisions: given(decision.Exception, until), was: verdict.Excepted, then: verdict.Violates},
		"an exception begins":             {rule: "s.b1", cell: b(false), decisions: given(decision.Exception, func(d *decision.Decision) { d.From = turn }), was: verdict.Violates, then: verdict.Excepted},
		"an exception is approved":        {rule: "s.b1", cell: b(false), decisions: given(decision.Exception, func(d *decision.Decision) { d.ApprovedAt = turn }), was: verdict.Violates, then: verdict.Excepted},
		"an exception is withdrawn":       {rule: "s.b1", cell: b(false), decisions: given(decision.Exception, func(d *decision.Decision) { d.WithdrawnAt = turn }), was: verdict.Excepted, then: verdict.Violates},
		"a special provision ends":        {rule: "s.b1", cell: b(false), decisions: given(decision.Special, until), was: verdict.Special, then: verdict.Violates},
		"a condition is met no longer":    {rule: "!has(s.t1)", cell: seen("t1", turn, ruletest.At, ""), decisions: given(decision.Exception, func(d *decision.Decision) { d.Conditions = []string{"x/condition"} }), was: verdict.Excepted, then: verdict.Violates},
		"a condition cannot be told":      {rule: "!s.b1", cell: seen("b1", true, turn.Add(-72*time.Hour), ruletest.Fresh), decisions: given(decision.Exception, func(d *decision.Decision) { d.Conditions = []string{"x/known"} }), was: verdict.Excepted, then: verdict.Unknown},
		"a ground is lost":                {rule: "!has(s.t1)", with: grounded("now < s.t1"), cell: seen("t1", turn, ruletest.At, ""), decisions: claimed(), was: verdict.Excepted, then: verdict.Violates},
		"a ground cannot be told":         {rule: "!s.b1", with: grounded("s.b1"), cell: seen("b1", true, turn.Add(-72*time.Hour), ruletest.Fresh), decisions: claimed(), was: verdict.Excepted, then: verdict.Unknown},
		"a parameter takes effect":        {rule: "s.i1 >= p.x_int", cell: seen("i1", int64(3), ruletest.At, ""), settings: []directive.Setting{{ID: "1", Key: "x.int", Layer: "national", Value: 5, From: turn}}, was: verdict.Conforms, then: verdict.Violates},
		"a parameter ends":                {rule: "s.i1 >= p.x_int", cell: seen("i1", int64(3), ruletest.At, ""), settings: []directive.Setting{{ID: "1", Key: "x.int", Layer: "national", Value: 5, Until: turn}}, was: verdict.Violates, then: verdict.Conforms},
		"evidence is to be younger":       {rule: "s.b1", cell: seen("b1", true, turn.Add(-11*time.Hour), ruletest.Fresh), settings: []directive.Setting{{ID: "1", Key: ruletest.Fresh, Layer: "national", Value: "10h", From: turn}}, was: verdict.Conforms, then: verdict.Unknown},
		"an age is to be younger, by far": {rule: "now - s.t1 < p.x_span", cell: seen("t1", turn.Add(-3*time.Hour), ruletest.At, ""), settings: []directive.Setting{{ID: "1", Key: "x.span", Layer: "national", Value: "2h", From: turn}}, was: verdict.Conforms, then: verdict.Violates},
	}
}

// body is a fleet with the expiring subject among many that do not change.
func (x expiry) body(t testing.TB, recall bool) *fleet.Fleet {
	terms := fleet.Terms{Rules: []*judge.Rule{
		ruleOf(t, "x/y", x.rule, x.with), ruleOf(t, "x/condition", "now < s.t1", nil), ruleOf(t, "x/known", "s.b1", nil),
	}, Parameters: ruletest.Params(), Settings: x.settings}
	f := fleet.New(set(), terms)
	s := fleet.Subject{Subject: judge.Subject{Ref: "thing/1", Facts: map[string]judge.Cell{}, Decisions: x.decisions}}
	if x.cell.Fact.Field != "" {
		s.Facts[x.cell.Fact.Field] = x.cell
	}
	if recall {
		f.Recall(func(fact.Ref) (judge.Subject, bool) { return s.Subject, true })
	}
	for _, ref := range []fact.Ref{"thing/0", "thing/2"} {
		f.Put(fleet.Subject{Subject: judge.Subject{Ref: ref}})
	}
	f.Put(s)
	return f
}

// A fact that nothing but a ground reads is seen to change: at once, by Judge as by the
// fleet.
func TestAGroundIsLostWithItsFact(t *testing.T) {
	b := newBoth(fleet.Terms{Rules: []*judge.Rule{ruleOf(t, "x/y", "s.b1", grounded("s.i1 > 2"))}, Parameters: ruletest.Params()})
	s := lone("1", directive.Scope{}, seen("b1", false, ruletest.At, ""))
	s.Decisions = claimed()
	for _, x := range []struct {
		i1   judge.Cell
		want verdict.Outcome
	}{
		{seen("i1", int64(3), ruletest.At, ""), verdict.Excepted}, {seen("i1", int64(2), ruletest.At, ""), verdict.Violates}, {seen("i1", int64(4), ruletest.At, ""), verdict.Excepted},
	} {
		s.Facts = map[string]judge.Cell{"b1": seen("b1", false, ruletest.At, ""), "i1": x.i1}
		b.put(s)
		b.judge(t, ruletest.At)
		if got, _ := b.fast.Judge(ruletest.At).Of(s.Ref, "x/y"); got != x.want {
			t.Errorf("i1 is %v: got %s, want %s", x.i1.Fact.Value, got, x.want)
		}
	}
	for value, want := range map[int64]verdict.Outcome{1: verdict.Violates, 5: verdict.Excepted} {
		b.fast.See(s.Ref, map[string]judge.Cell{"i1": seen("i1", value, ruletest.At, "")})
		if got, _ := b.fast.Judge(ruletest.At).Of(s.Ref, "x/y"); got != want {
			t.Errorf("i1 is seen to be %d: got %s, want %s", value, got, want)
		}
	}
}

func TestEveryExpiryTurnsAtItsSecond(t *testing.T) {
	for name, x := range expiries() {
		t.Run(name, func(t *testing.T) {
			f := x.body(t, name[0]%2 == 0)
			check := func(at time.Time, want verdict.Outcome) {
				t.Helper()
				o := f.Judge(at)
				if got, _ := o.Of("thing/1", "x/y"); got != want {
					t.Errorf("at the turn %+v: %q, want %q", at.Sub(turn), got, want)
				}
				if want == x.was && (o.Until().IsZero() || o.Until().After(turn)) {
					t.Errorf("at the turn %+v it holds until %v", at.Sub(turn), o.Until())
				}
			}
			for _, at := range []time.Time{ruletest.At, turn.Add(-time.Second)} {
				check(at, x.was)
			}
			for _, at := range []time.Time{turn, turn.Add(time.Second), turn.Add(time.Hour)} {
				check(at, x.then)
			}
			check(turn.Add(-time.Second), x.was) // back in time
			fresh := x.body(t, true)
			if got, _ := fresh.Judge(turn).Of("thing/1", "x/y"); got != x.then {
				t.Errorf("judged at the turn for the first time: %q, want %q", got, x.then)
			}
		})
	}
}

func TestTurnsAreToldBeforeTheyCome(t *testing.T) {
	for name, x := range expiries() {
		t.Run(name, func(t *testing.T) {
			var found bool
			for turned := range x.body(t, false).Judge(ruletest.At).Soonest() {
				if turned.Ref == "thing/1" && turned.Control == "x/y" {
					found = true
					if !turned.At.Equal(turn) || turned.To != x.then && turned.To != "" {
						t.Errorf("told: %+v, want %q at %v", turned, x.then, turn)
					}
				}
			}
			if !found {
				t.Error("not told")
			}
		})
	}
}

func TestOneChangedCellIsJudgedWithoutAllocating(t *testing.T) {
	f := expiries()["a date passes"].body(t, true)
	f.Judge(ruletest.At)
	cells := []map[string]judge.Cell{
		{"t1": seen("t1", turn, ruletest.At, "")}, {"t1": seen("t1", turn.Add(-20*time.Hour), ruletest.At, "")},
	}
	i := 0
	see := func() { i++; f.See("thing/1", cells[i%2]) }
	see()
	see()
	if n := testing.AllocsPerRun(100, see); n > 0 {
		t.Errorf("%v allocations", n)
	}
	for range 2 {
		see()
		want := verdict.Conforms
		if i%2 == 1 {
			want = verdict.Violates
		}
		if got, _ := f.Judge(ruletest.At).Of("thing/1", "x/y"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func BenchmarkSee(b *testing.B) {
	f := expiries()["a date passes"].body(b, true)
	f.Judge(ruletest.At)
	cells := []map[string]judge.Cell{
		{"t1": seen("t1", turn, ruletest.At, "")}, {"t1": seen("t1", turn.Add(-20*time.Hour), ruletest.At, "")},
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f.See("thing/1", cells[i%2])
	}
}

// TestSoonestTellsWhatJudgeTells holds the order and every turn against Judge's
// own next change; where conditions of decisions matter, against the outcomes
// before and after.
func TestSoonestTellsWhatJudgeTells(t *testing.T) {
	type pair struct {
		ref     fact.Ref
		control string
	}
	told, silent := 0, 0
	for seed := range uint64(rounds(25)) {
		h := newHistory(t, 1000+seed, 12, 8)
		for range 3 {
			h.step()
		}
		turns, last := map[pair]fleet.Turn{}, time.Time{}
		for x := range h.fast.Judge(h.at).Soonest() {
			if _, twice := turns[pair{x.Ref, x.Control}]; twice || x.At.Before(last) || !x.At.After(h.at) {
				t.Fatalf("seed %d: %+v comes twice, or out of order", seed, x)
			}
			turns[pair{x.Ref, x.Control}], last = x, x.At
		}
		for _, ref := range h.slow.refs() {
			s := h.slow.subjects[ref]
			for _, r := range h.slow.of(ref) {
				x, ok := turns[pair{ref, r.Control().ID}]
				v := h.slow.judge(r, s, h.slow.params(s, h.at), h.at, nil)
				conditional := slices.ContainsFunc(s.Decisions, func(d decision.Decision) bool { return len(d.Conditions) > 0 && r.About(d) })
				switch {
				case !conditional && (ok == v.NextChange.IsZero() || !x.At.Equal(v.NextChange) || x.To != v.ChangesTo):
					t.Fatalf("seed %d: told %+v, Judge says %q at %v\n%s", seed, x, v.ChangesTo, v.NextChange, h.slow.describe(s, r, h.slow.params(s, h.at), v))
				case conditional && ok && x.To != "" && h.slow.outcome(ref, r, x.At) != x.To:
					t.Fatalf("seed %d: told %+v, but it is %q then", seed, x, h.slow.outcome(ref, r, x.At))
				}
				if ok {
					told++
				} else {
					silent++
				}
			}
		}
	}
	if told < 100 || silent < 100 {
		t.Errorf("%d pairs turned and %d did not: the test shows little", told, silent)
	}
}

// many is a fleet of things of which each has one date.
func many(t *testing.T, n int) *fleet.Fleet {
	f := fleet.New(set(), fleet.Terms{Rules: []*judge.Rule{ruleOf(t, "x/y", "now < s.t1", nil), ruleOf(t, "x/b", "s.b1", nil)}, Parameters: ruletest.Params()})
	for i := range n {
		due := ruletest.At.Add(time.Duration(i-n/2) * time.Hour)
		f.Put(fleet.Subject{Subject: judge.Subject{Ref: thing(i), Facts: map[string]judge.Cell{"t1": seen("t1", due, ruletest.At, "")}}})
	}
	return f
}

func thing(i int) fact.Ref { return fact.NewRef("thing", fmt.Sprintf("%04d", i)) }

func TestDatesTurnOneAfterTheOther(t *testing.T) {
	const n = 300
	i := n/2 + 1 // those before have turned
	for x := range many(t, n).Judge(ruletest.At).Soonest() {
		want := fleet.Turn{Ref: thing(i), Control: "x/y", At: ruletest.At.Add(time.Duration(i-n/2) * time.Hour), To: verdict.Violates}
		if x != want {
			t.Fatalf("told %+v, want %+v", x, want)
		}
		i++
	}
	if i != n {
		t.Errorf("the last told was %d", i-1)
	}
}

func TestWhatIsSeenBetweenJudgementsCountsAtTheNext(t *testing.T) {
	f := many(t, 10)
	say := func(at time.Duration, want verdict.Outcome) {
		t.Helper()
		if got, _ := f.Judge(ruletest.At.Add(at)).Of(thing(3), "x/b"); got != want {
			t.Errorf("after %v: %q, want %q", at, got, want)
		}
	}
	see := func(at time.Duration) {
		f.See(thing(3), map[string]judge.Cell{"b1": seen("b1", true, ruletest.At.Add(at), ruletest.Fresh)})
	}
	say(0, verdict.Unknown)
	see(30 * time.Minute) // ahead of the instant that was judged last
	say(30*time.Minute, verdict.Conforms)
	say(80*time.Hour, verdict.Unknown)
	see(79 * time.Hour) // no longer stale, and then stale again before anything else is looked at
	say(80*time.Hour, verdict.Conforms)
	say(300*time.Hour, verdict.Unknown)
}
