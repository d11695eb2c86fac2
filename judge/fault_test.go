package judge_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/decision"
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
			{Code: weigh.Fault, Text: "b/misspelt/rule.cel:2:5", Detail: `undefined field "lenght"; did you mean "length"?`},
			{Code: weigh.Fault, Text: "b/misspelt/rule.cel:2:23", Detail: `undefined field "actve"; did you mean "active"?`}}},
		{verdict.Error, []verdict.Reason{{Code: weigh.Fault, Text: "c/types/rule.cel:1:10"}}},
		{verdict.Error, []verdict.Reason{{Code: weigh.Fault, Text: "control d/kind", Detail: `control d/kind: unknown kind "computr"`}}},
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

// TestBadInput is the table of what may be wrong with rules and facts, and what
// becomes of it.
func TestBadInput(t *testing.T) {
	long := make([]any, 20_001)
	for i := range long {
		long[i] = map[string]any{"device": "nvme" + strings.Repeat("0", 300), "encrypted": true}
	}
	dear := `s.volumes.filter(v, v.device.matches("^(sd|hd|vd|xvd|nvme)[a-z0-9]+p?[0-9]*$") || v.device.endsWith("0")).size() + 1 > 2`
	text := strings.Repeat("x", 501)
	for _, c := range []struct {
		name, rule string
		facts      map[string]any
		with       func(*judge.Subject, directive.Values)
		want       verdict.Outcome
		code       string
		detail     string
	}{
		{"divides by zero", "100 / s.length > 3", map[string]any{"length": int64(0)}, nil, verdict.Error, weigh.Fault, "division by zero, at area/name/rule.cel:1:16"},
		{"reads past the end of a list", `s.groups[7] == "wheel"`, map[string]any{"groups": []any{"wheel"}}, nil, verdict.Error, weigh.Fault, "index out of bounds: 7, at area/name/rule.cel:1:13"},
		{"overflows", "s.zone + 1 > 0", map[string]any{"zone": int64(1<<63 - 1)}, nil, verdict.Error, weigh.Fault, "integer overflow"},
		{"costs too much", dear, map[string]any{"volumes": long[:20_000]}, nil, verdict.Error, weigh.Fault, "costs more than 1000000 steps, at area/name/rule.cel:1:"},
		{"costs little on little", dear, map[string]any{"volumes": long[:5]}, nil, verdict.Conforms, "true", ""},
		{"fails where the rest decides", "100 / s.length > 3 || s.active", map[string]any{"length": int64(0), "active": true}, nil, verdict.Conforms, "true", ""},
		{"fails where the rest is not known", "100 / s.length > 3 || s.active", map[string]any{"length": int64(0)}, nil, verdict.Unknown, weigh.Missing, ""},
		{"a fact of another type", "s.length >= 12", map[string]any{"length": "14"}, nil, verdict.Unknown, weigh.Failed, "the value is string"},
		{"a list of other things", "s.volumes.all(v, v.encrypted)", map[string]any{"volumes": []any{"sda"}}, nil, verdict.Unknown, weigh.Failed, "the list holds strings"},
		{"a number below its range", "s.length < 12", map[string]any{"length": int64(-1)}, nil, verdict.Unknown, weigh.Failed, "-1 is out of range"},
		{"a number above its range", "s.length >= 12", map[string]any{"length": int64(1001)}, nil, verdict.Unknown, weigh.Failed, "1001 is out of range"},
		{"a number at the end of its range", "s.length >= 12", map[string]any{"length": int64(1000)}, nil, verdict.Conforms, "true", ""},
		{"a list longer than any", "s.volumes.all(v, v.encrypted)", map[string]any{"volumes": long}, nil, verdict.Unknown, weigh.Failed, "the list has 20001 elements, more than 20000"},
		{"a text longer than any", `s.product != "x"`, map[string]any{"product": text}, nil, verdict.Unknown, weigh.Failed, "longer than 500 characters"},
		{"a text as long as any", `s.product != "x"`, map[string]any{"product": text[1:]}, nil, verdict.Conforms, "true", ""},
		{"a fact from the future", "s.length >= 12", map[string]any{"length": int64(14)}, func(s *judge.Subject, _ directive.Values) {
			*s = cell(*s, "length", func(c *judge.Cell) { c.ObservedAt = now.Add(time.Hour) })
		}, verdict.Unknown, weigh.Future, "observed at 2026-11-01T13:00:00Z"},
		{"a status nobody knows", "s.length >= 12", map[string]any{"length": int64(14)}, func(s *judge.Subject, _ directive.Values) {
			*s = cell(*s, "length", func(c *judge.Cell) { c.Fact.Status = "perhaps" })
		}, verdict.Unknown, weigh.Failed, `unknown status "perhaps"`},
		{"a parameter that is not set", "s.length >= p.pw_length", map[string]any{"length": int64(14)}, func(_ *judge.Subject, ps directive.Values) { delete(ps, "pw.length") },
			verdict.Unknown, weigh.NoParameter, ""},
		{"a parameter of another type", "s.length >= p.pw_length", map[string]any{"length": int64(14)}, func(_ *judge.Subject, ps directive.Values) {
			ps["pw.length"] = directive.Value{Value: "long"}
		}, verdict.Unknown, weigh.NoParameter, "the value is string, which is no int"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, s, ps := rule(t, c.rule, nil), subject(c.facts, nil), values()
			if c.with != nil {
				c.with(&s, ps)
			}
			v := r.Judge(s, ps, now, nil)
			found := slices.ContainsFunc(v.Reasons, func(r verdict.Reason) bool { return r.Code == c.code && strings.Contains(r.Detail, c.detail) })
			if v.Outcome != c.want || !found {
				t.Errorf("%q, want %q because %s %q: %+v", v.Outcome, c.want, c.code, c.detail, v.Reasons)
			}
		})
	}
}

func TestCompensatingControlsThatRestOnEachOtherAreNamed(t *testing.T) {
	give := func(id, control string, conditions ...string) decision.Decision {
		return decision.Decision{ID: id, Type: decision.Exception, Control: control, Conditions: conditions,
			At: now.Add(-day), From: now.Add(-day), ApprovedAt: now.Add(-day), Until: now.Add(day)}
	}
	r, unknown := rule(t, "s.length >= 12", nil), func(decision.Condition) verdict.Outcome { return verdict.Unknown }
	for _, c := range []struct {
		name      string
		decisions []decision.Decision
		want      string
	}{
		{"on itself", []decision.Decision{give("A", "area/name", "area/name")}, "area/name → area/name"},
		{"on one that rests on it", []decision.Decision{give("A", "area/name", "b/b"), give("B", "b/b", "area/name")}, "area/name → b/b → area/name"},
		{"far round", []decision.Decision{give("A", "area/name", "b/b"), give("B", "b/b", "x/x", "c/c"), give("C", "c/c", "y/y", "area/name"), give("X", "x/x", "b/b")},
			"area/name → b/b → c/c → area/name"},
		{"on others that do", []decision.Decision{give("A", "area/name", "b/b"), give("B", "b/b", "c/c"), give("C", "c/c", "b/b")}, ""},
		{"on one that does not", []decision.Decision{give("A", "area/name", "b/b"), give("B", "c/c", "area/name")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := subject(map[string]any{"length": int64(8)}, nil)
			s.Decisions = c.decisions
			v := r.Judge(s, values(), now, unknown)
			i := slices.IndexFunc(v.Reasons, func(r verdict.Reason) bool { return r.Code == weigh.Circle })
			if v.Outcome != verdict.Unknown || (i >= 0) != (c.want != "") || i >= 0 && v.Reasons[i].Detail != c.want {
				t.Errorf("%q, want unknown that names %q: %+v", v.Outcome, c.want, v.Reasons)
			}
		})
	}
}
