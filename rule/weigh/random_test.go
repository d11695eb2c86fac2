package weigh_test

import (
	"fmt"
	"testing"
	"time"

	"cel.dev/cel-go/common/types"

	"kakusho/control"
	"kakusho/directive"
	"kakusho/kind"
	"kakusho/rule"
	"kakusho/rule/ruletest"
	"kakusho/rule/weigh"
)

const seed = 20261101

func schema(t testing.TB) *rule.Schema {
	t.Helper()
	s, err := rule.NewSchema([]kind.Kind{ruletest.Kind()}, ruletest.Params(), false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func matter(g ruletest.Gen, s *rule.Schema) *weigh.Matter {
	m := &weigh.Matter{
		Schema: s, Nodes: 500, Control: control.Control{ID: "random/rule", Empty: "ok"}, At: ruletest.At,
		Facts: g.Cells(), Declared: g.Cells(), Params: ruletest.Params().Resolve(nil, directive.Scope{}, ruletest.At),
	}
	if g.IntN(15) == 0 {
		delete(m.Params, "x.int")
	}
	return m
}

// again is m with its cells looked at anew.
func again(m *weigh.Matter) *weigh.Matter {
	return &weigh.Matter{
		Schema: m.Schema, Control: m.Control, At: m.At, Facts: m.Facts, Declared: m.Declared,
		Decisions: m.Decisions, Params: m.Params, Nodes: m.Nodes,
	}
}

// whole evaluates the expression as one program of plain cel-go.
func whole(s *weigh.Scale, p *rule.Plan) (weigh.Truth, string) {
	v, fault := s.Value(p.Whole)
	switch x := v.(type) {
	case nil:
		return weigh.Broken, fault
	case types.Bool:
		if x {
			return weigh.Yes, ""
		}
		return weigh.No, ""
	case *types.Unknown:
		return weigh.Unsure, ""
	}
	return weigh.Broken, fmt.Sprint(v)
}

func plan(t testing.TB, s *rule.Schema, text string) *rule.Plan {
	t.Helper()
	p, faults := s.Plan(text, 0)
	if len(faults) > 0 {
		t.Fatalf("%s\n%v", text, faults)
	}
	return p
}

// TestPlanAgreesWithCEL holds the plan against plain cel-go.
func TestPlanAgreesWithCEL(t *testing.T) {
	s := schema(t)
	g := ruletest.New(seed)
	var seen [4]int
	for range 1200 {
		x := g.Expr(3)
		p := plan(t, s, x.String())
		for range 8 {
			w := matter(g, s).Scale(ruletest.At)
			want, fault := whole(w, p)
			got := w.Weigh(p.Root, +1)
			seen[got.Truth]++
			if got.Truth != want {
				t.Fatalf("%s\ngot %d (%s), want %d (%s)\nfacts %v\ndeclared %v", x, got.Truth, got.Fault, want, fault, w.Facts, w.Declared)
			}
		}
	}
	t.Logf("false %d, true %d, unsure %d, broken %d", seen[0], seen[1], seen[2], seen[3])
	for truth, n := range seen {
		if n < 100 {
			t.Errorf("truth %d came up %d times only: the test shows little", truth, n)
		}
	}
}

// TestResultHoldsUntil holds Until against weighing at instants before it, and
// checks that a result that changes at all does so not before Until.
func TestResultHoldsUntil(t *testing.T) {
	s := schema(t)
	g := ruletest.New(seed + 1)
	changes := 0
	for range 400 {
		x := g.Expr(3)
		p := plan(t, s, x.String())
		m := matter(g, s)
		now := m.Scale(ruletest.At).Weigh(p.Root, +1)
		until := now.Until
		if until.IsZero() {
			until = ruletest.At.Add(weigh.Farthest)
		}
		for range 20 {
			at := ruletest.At.Add(time.Duration(g.Int64N(int64(20 * 24 * time.Hour))).Truncate(time.Second))
			then := m.Scale(at).Weigh(p.Root, +1)
			if then.Truth == now.Truth {
				continue
			}
			changes++
			if at.Before(until) {
				t.Fatalf("%s\nis %d and holds until %v, but at %v it is %d", x, now.Truth, now.Until, at, then.Truth)
			}
		}
	}
	if changes < 200 {
		t.Errorf("only %d changes were seen: the test shows little", changes)
	}
}

// TestOrderOfOperandsDoesNotMatter weighs the same expression written in another
// order.
func TestOrderOfOperandsDoesNotMatter(t *testing.T) {
	s := schema(t)
	g := ruletest.New(seed + 2)
	for range 400 {
		x := g.Expr(3)
		p, q := plan(t, s, x.String()), plan(t, s, x.Shuffled(g))
		m := matter(g, s)
		a, b := m.Scale(ruletest.At).Weigh(p.Root, +1), m.Scale(ruletest.At).Weigh(q.Root, +1)
		if a != b {
			t.Fatalf("%s\ngot  %+v\nwant %+v", x, b, a)
		}
	}
}

// TestUnknownNeverTurnsTheTables makes single cells unknown: what was true must
// not become false, nor the reverse.
func TestUnknownNeverTurnsTheTables(t *testing.T) {
	s := schema(t)
	g := ruletest.New(seed + 3)
	for range 400 {
		x := g.Expr(3)
		p := plan(t, s, x.String())
		m := matter(g, s)
		before := m.Scale(ruletest.At).Weigh(p.Root, +1)
		for _, name := range p.Fields {
			for _, cells := range []map[string]weigh.Cell{m.Facts, m.Declared} {
				c, ok := cells[name]
				delete(cells, name)
				after := again(m).Scale(ruletest.At).Weigh(p.Root, +1)
				if before.Truth <= weigh.Yes && after.Truth <= weigh.Yes && before.Truth != after.Truth {
					t.Fatalf("%s\nis %d, but without %s it is %d", x, before.Truth, name, after.Truth)
				}
				if ok {
					cells[name] = c
				}
			}
		}
	}
}
