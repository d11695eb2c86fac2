package reason_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"kakusho/control"
	"kakusho/directive"
	"kakusho/kind"
	"kakusho/rule"
	"kakusho/rule/ruletest"
	"kakusho/rule/weigh"
	"kakusho/rule/weigh/reason"
	"kakusho/verdict"
)

const seed = 20261201

func schema(t testing.TB) *rule.Schema {
	t.Helper()
	s, err := rule.NewSchema([]kind.Kind{ruletest.Kind()}, ruletest.Params(), false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func matter(s *rule.Schema, facts, declared map[string]weigh.Cell) *weigh.Matter {
	return &weigh.Matter{
		Schema: s, Nodes: 500, Control: control.Control{ID: "random/rule", Empty: "ok"}, At: ruletest.At,
		Facts: facts, Declared: declared, Params: ruletest.Params().Resolve(nil, directive.Scope{}, ruletest.At),
	}
}

func explain(t testing.TB, m *weigh.Matter, text string) (weigh.Result, *reason.Book) {
	t.Helper()
	p, faults := m.Schema.Plan(text, 0)
	if len(faults) > 0 {
		t.Fatalf("%s\n%v", text, faults)
	}
	w := m.Scale(ruletest.At)
	b := reason.NewBook(w, "thing")
	b.Explain(p.Root, +1)
	return w.Weigh(p.Root, +1), b
}

// TestReasonsAreEnough takes away every cell that no reason names: what was true
// or false must stay so.
func TestReasonsAreEnough(t *testing.T) {
	g := ruletest.New(seed)
	s := schema(t)
	decided := 0
	for range 500 {
		x := g.Expr(3).String()
		m := matter(s, g.Cells(), g.Cells())
		r, b := explain(t, m, x)
		if r.Truth > weigh.Yes {
			continue
		}
		decided++
		facts, declared := map[string]weigh.Cell{}, map[string]weigh.Cell{}
		for _, rs := range b.Reasons {
			from, to := m.Facts, facts
			if rs.Detail == "declared" {
				from, to = m.Declared, declared
			}
			if c, ok := from[rs.Fact]; ok {
				to[rs.Fact] = c
			}
		}
		if again, _ := explain(t, matter(s, facts, declared), x); again.Truth != r.Truth {
			t.Fatalf("%s\nis %d; with only what the reasons name it is %d\n%s", x, r.Truth, again.Truth, lines(b.Reasons))
		}
	}
	if decided < 150 {
		t.Errorf("only %d were decided: the test shows little", decided)
	}
}

// TestReasonsOfIgnoranceNameWhatIsNotKnown checks that what is unsure has at
// least one reason that says why. A reason of another sort may only say which
// way a ?: went.
func TestReasonsOfIgnoranceNameWhatIsNotKnown(t *testing.T) {
	g := ruletest.New(seed + 1)
	s := schema(t)
	codes := map[string]int{}
	for range 500 {
		x := g.Expr(3).String()
		r, b := explain(t, matter(s, g.Cells(), g.Cells()), x)
		if r.Truth != weigh.Unsure {
			continue
		}
		why := 0
		for _, rs := range b.Reasons {
			codes[rs.Code]++
			switch claim := rs.Code == "true" || rs.Code == "false"; {
			case rs.Code == "" || claim && !strings.Contains(x, " ? "):
				t.Fatalf("%s\nreason %q of what is unsure\n%s", x, rs.Code, lines(b.Reasons))
			case !claim && rs.Fact == "" && rs.Parameter == "":
				t.Fatalf("%s\nnames nothing\n%s", x, lines(b.Reasons))
			case !claim:
				why++
			}
		}
		if why == 0 {
			t.Fatalf("%s\nis unsure without a reason\n%s", x, lines(b.Reasons))
		}
	}
	for _, code := range []string{weigh.Missing, weigh.Absent, weigh.NotApplicable, weigh.Denied, weigh.Failed, weigh.Timeout, weigh.Stale, weigh.Future} {
		if codes[code] == 0 {
			t.Errorf("code %q never came up", code)
		}
	}
}

// TestReasonsDoNotDependOnTheOrderOfOperands compares them as sets. The text of
// a list's predicate is as written, so it is left out.
func TestReasonsDoNotDependOnTheOrderOfOperands(t *testing.T) {
	g := ruletest.New(seed + 2)
	s := schema(t)
	for range 400 {
		x := g.Expr(3)
		m := matter(s, g.Cells(), g.Cells())
		_, a := explain(t, m, x.String())
		_, b := explain(t, m, x.Shuffled(g))
		if got, want := bag(b.Reasons), bag(a.Reasons); !slices.Equal(got, want) {
			t.Fatalf("%s\ngot  %s\nwant %s", x, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
	}
}

// TestReasonsAreTheSameBytes explains the same twice.
func TestReasonsAreTheSameBytes(t *testing.T) {
	g := ruletest.New(seed + 3)
	s := schema(t)
	for range 150 {
		x := g.Expr(3).String()
		m := matter(s, g.Cells(), g.Cells())
		_, a := explain(t, m, x)
		_, b := explain(t, matter(s, m.Facts, m.Declared), x)
		got, _ := json.Marshal([]any{b.Reasons, b.Evidence})
		want, err := json.Marshal([]any{a.Reasons, a.Evidence})
		if err != nil || string(got) != string(want) {
			t.Fatalf("%s\n%v\ngot  %s\nwant %s", x, err, got, want)
		}
	}
}

func bag(rs []verdict.Reason) (out []string) {
	for _, r := range rs {
		if strings.Contains(r.Text, "(v, ") {
			r.Text = ""
		}
		out = append(out, fmt.Sprintf("%+v", r))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func lines(rs []verdict.Reason) (out string) {
	for _, r := range rs {
		out += fmt.Sprintf("%+v\n", r)
	}
	return out
}
