package judge_test

import (
	"strings"
	"testing"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/judge"
	"kakusho/rule/ruletest"
	"kakusho/rule/weigh"
	"kakusho/verdict"
)

// draft is a control for computers that says what it needs by itself.
func draft(id, text string) control.Control {
	c := control.Control{
		ID: id, Dir: id, Clauses: []clause.ID{"npa-r3@2.3.1.1"}, Kinds: []string{"computer"}, Applies: "true", Rule: text, Title: bilingual.Say("名", "Name"),
	}
	c.Needs, c.Parameters = judge.Named(c, things(), params())
	return c
}

func TestOneBadRuleNeverStopsTheOthers(t *testing.T) {
	unknown := draft("d/kind", "true")
	unknown.Kinds = []string{"computr", "computer"}
	controls := []control.Control{
		draft("a/good", "s.length >= 12"), draft("b/misspelt", "true &&\n  s.lenght >= 12 && s.actve"), draft("c/types", `s.length >= "12"`), unknown, draft("e/good", "s.length < 12"),
	}
	rules, err := judge.Rules(controls, things(), &directive.Directive{Parameters: params()})
	if err == nil || len(rules) != len(controls) {
		t.Fatalf("%d rules with %v, want %d, and what is wrong with three", len(rules), err, len(controls))
	}
	s := subject(map[string]any{"length": int64(14), "active": true}, nil)
	for i, c := range []struct {
		outcome verdict.Outcome
		reasons []verdict.Reason
	}{
		{verdict.Conforms, nil},
		{verdict.Error, []verdict.Reason{
			{Code: weigh.Failed, Text: "b/misspelt/rule.cel:2:5", Detail: `undefined field "lenght"; did you mean "length"?`},
			{Code: weigh.Failed, Text: "b/misspelt/rule.cel:2:23", Detail: `undefined field "actve"; did you mean "active"?`}}},
		{verdict.Error, []verdict.Reason{{Code: weigh.Failed, Text: "c/types/rule.cel:1:10"}}},
		{verdict.Error, []verdict.Reason{{Code: weigh.Failed, Text: "control d/kind", Detail: `control d/kind: unknown kind "computr"`}}},
		{verdict.Violates, nil},
	} {
		v := rules[i].Judge(s, values(), now, nil)
		if v.Outcome != c.outcome || (rules[i].Fault() != nil) != (c.outcome == verdict.Error) || v.Control != controls[i].ID || v.Clause != "npa-r3@2.3.1.1" {
			t.Errorf("%s: %+v, fault %v; want %q", controls[i].ID, v, rules[i].Fault(), c.outcome)
		}
		if c.reasons != nil && len(v.Reasons) != len(c.reasons) {
			t.Errorf("%s: %+v, want %+v", controls[i].ID, v.Reasons, c.reasons)
			continue
		}
		for k, want := range c.reasons {
			if got := v.Reasons[k]; got.Code != want.Code || got.Text != want.Text || !strings.Contains(got.Detail, want.Detail) {
				t.Errorf("%s: %+v, want %+v", controls[i].ID, got, want)
			}
		}
		// What it is not about it does not judge, whatever is wrong with it.
		if v := rules[i].Judge(judge.Subject{Ref: "phone/1"}, values(), now, nil); v.Outcome != verdict.NotApplicable {
			t.Errorf("%s of a phone: %q, want not-applicable", controls[i].ID, v.Outcome)
		}
	}
	// Nothing that a person decides makes an error look better.
	s.Decisions = randomDecisions(ruletest.New(1).Rand)
	if v := rules[1].Judge(s, values(), now, nil); v.Outcome != verdict.Error || !v.NextChange.IsZero() {
		t.Errorf("%q until %v, want error for ever", v.Outcome, v.NextChange)
	}
}
