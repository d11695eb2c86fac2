package fleet_test

import (
	"testing"
	"time"

	"kakusho/control"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/kind"
	"kakusho/rule"
	"kakusho/rule/ruletest"
	"kakusho/verdict"
)

// set is the kinds of the random subjects.
func set() kind.Set { return kind.Set{"thing": ruletest.Kind()} }

// ruleOf is a control about things whose rule is text.
func ruleOf(t testing.TB, id, text string, with func(*control.Control)) *judge.Rule {
	t.Helper()
	c := control.Control{ID: id, Kinds: []string{"thing"}, Applies: "true", Rule: text}
	if with != nil {
		with(&c)
	}
	schema, err := rule.NewSchema([]kind.Kind{ruletest.Kind()}, ruletest.Params(), c.Record != nil)
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{c.Rule, c.Applies}
	for _, x := range c.Exceptions {
		texts = append(texts, x.When)
	}
	for _, g := range c.Grounds {
		texts = append(texts, g.When)
	}
	for _, text := range texts {
		if p, _ := schema.Plan(text, 0); p != nil {
			c.Needs, c.Parameters = append(c.Needs, p.Fields...), append(c.Parameters, p.Params...)
		}
	}
	r, err := judge.Compile(c, set(), ruletest.Params())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestASubjectComesChangesAndGoes(t *testing.T) {
	f := fleet.New(set(), fleet.Terms{Rules: []*judge.Rule{ruleOf(t, "x/y", "s.b1", nil)}, Parameters: ruletest.Params()})
	seen := func(v bool) map[string]judge.Cell {
		return map[string]judge.Cell{"b1": {Fact: fact.Fact{Field: "b1", Status: fact.Observed, Value: v}, ObservedAt: ruletest.At}}
	}
	want := func(o verdict.Outcome, is bool) {
		t.Helper()
		if got, ok := f.Judge(ruletest.At).Of("thing/1", "x/y"); got != o || ok != is {
			t.Fatalf("got %q %v, want %q %v", got, ok, o, is)
		}
	}
	want("", false)
	f.Put(fleet.Subject{Subject: judge.Subject{Ref: "thing/1"}, Scope: directive.Scope{}})
	want(verdict.Unknown, true)
	before := f.Judge(ruletest.At)
	f.See("thing/1", seen(true))
	want(verdict.Conforms, true)
	for c := range f.Judge(ruletest.At).Changes(before) {
		if c != (fleet.Change{Ref: "thing/1", Control: "x/y", From: verdict.Unknown, To: verdict.Conforms}) {
			t.Errorf("got %+v", c)
		}
	}
	g := f.Fork()
	g.See("thing/1", seen(false))
	if o, _ := g.Judge(ruletest.At.Add(time.Second)).Of("thing/1", "x/y"); o != verdict.Violates {
		t.Errorf("the fork: got %q", o)
	}
	want(verdict.Conforms, true)
	f.Drop("thing/1")
	want("", false)
	if o, _ := before.Of("thing/1", "x/y"); o != verdict.Unknown {
		t.Errorf("what was judged before changed to %q", o)
	}
}
