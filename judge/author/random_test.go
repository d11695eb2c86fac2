package author_test

import (
	"slices"
	"strings"
	"testing"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/judge"
	"kakusho/judge/author"
	"kakusho/kind"
	"kakusho/rule"
	"kakusho/rule/ruletest"
	"kakusho/verdict"
)

// TestLintAgreesWithJudging makes random rules. That of "x or not x" and "x and not
// x" it finds all; and where it says that a rule is true or false of everything, no
// random subject shows otherwise.
func TestLintAgreesWithJudging(t *testing.T) {
	g, said := ruletest.New(7), 0
	ps := ruletest.Params()
	d := author.Desk{Kinds: kind.Set{"thing": ruletest.Kind()}, Directive: &directive.Directive{Parameters: ps}}
	values := ps.Resolve(nil, directive.Scope{}, ruletest.At)
	says := func(text string) (*judge.Rule, string) {
		r := compiled(t, d, text)
		for _, f := range d.Lint(r.Control(), r) {
			if f.Grave && !strings.Contains(f.Text.EN, "nobody collects") {
				return r, f.Text.EN
			}
		}
		return r, ""
	}
	for range 150 {
		x := g.Expr(2).String()
		if _, text := says(x + " || !(" + x + ")"); !strings.HasPrefix(text, "the rule is true of everything") {
			t.Fatalf("%s or not: %q", x, text)
		}
		if _, text := says("!(" + x + ") && " + x); !strings.HasPrefix(text, "the rule is false of everything") {
			t.Fatalf("%s and not: %q", x, text)
		}
		r, text := says(g.Expr(1).String() + []string{" && ", " || "}[g.IntN(2)] + x)
		if text == "" {
			continue
		}
		said++
		for range 20 {
			v := r.Judge(judge.Subject{Ref: "thing/1", Facts: g.Cells(), Declared: g.Cells()}, values, ruletest.At, nil)
			if v.Outcome == verdict.Violates && strings.Contains(text, "is true of") || v.Outcome == verdict.Conforms && strings.Contains(text, "is false of") {
				t.Fatalf("%s\nis %q, but lint says: %s", r.Control().Rule, v.Outcome, text)
			}
		}
	}
	if said < 3 {
		t.Errorf("lint spoke of %d rules: the test shows little", said)
	}
}

// compiled is a control about random things that says by itself what it reads.
func compiled(t *testing.T, d author.Desk, text string) *judge.Rule {
	t.Helper()
	ps := d.Directive.Parameters
	s, err := rule.NewSchema([]kind.Kind{ruletest.Kind()}, ps, false)
	if err != nil {
		t.Fatal(err)
	}
	p, faults := s.Plan(text, 0)
	if len(faults) > 0 {
		t.Fatalf("%s\n%v", text, faults)
	}
	c := control.Control{
		ID: "area/name", Dir: "area/name", Clauses: []clause.ID{"npa-r3@2.3.1"}, Kinds: []string{"thing"}, Applies: "true", Rule: text, Empty: "ok",
		Needs: slices.Clone(p.Fields), Parameters: slices.Clone(p.Params), Title: bilingual.Say("名", "Name"),
	}
	r, err := judge.Compile(c, d.Kinds, ps)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
