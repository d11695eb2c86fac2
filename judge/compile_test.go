package judge_test

import (
	"strings"
	"testing"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/judge"
	"kakusho/rule/ruletest"
	"kakusho/verdict"
)

func TestCompileNamesTheFaultAndItsPlace(t *testing.T) {
	base := control.Control{
		ID: "area/name", Dir: "area/name", Clauses: []clause.ID{"npa-r3@2.3.1"}, Kinds: []string{"computer"}, Applies: "true", Rule: "s.length >= p.pw_length",
		Needs: []string{"length"}, Parameters: []string{"pw.length"}, Title: bilingual.Say("名", "Name"),
	}
	for _, c := range []struct {
		name   string
		change func(*control.Control)
		want   string
	}{
		{"a misspelt field", func(c *control.Control) { c.Rule = "true &&\n  s.lenght >= 1" }, `control area/name/rule.cel:2:5: undefined field "lenght"; did you mean "length"?`},
		{"a misspelt field in applies", func(c *control.Control) { c.Applies = "s.statsu == 'x'" }, `control area/name/control.yaml:1:3: undefined field "statsu"`},
		{"a misspelt field in an exception", func(c *control.Control) { c.Exceptions = []control.Exception{{When: "s.zon == 1"}} }, `undefined field "zon"; did you mean "zone"?`},
		{"a field that is not listed", func(c *control.Control) { c.Needs = nil }, "length is read but not listed in needs"},
		{"a field that is not read", func(c *control.Control) { c.Needs = []string{"active", "length"} }, "active is listed in needs but not read"},
		{"a parameter that is not listed", func(c *control.Control) { c.Parameters = nil }, "pw.length is read but not listed in parameters"},
		{"a parameter that is not read", func(c *control.Control) { c.Parameters = []string{"malware.age", "pw.length"} }, "malware.age is listed in parameters but not read"},
		{"an unknown kind", func(c *control.Control) { c.Kinds = []string{"computr"} }, `control area/name: unknown kind "computr"`},
		{"an answer without a record", func(c *control.Control) { c.Rule = `a.answer == "x"` }, "a is for controls that have a record"},
		{"a field that one kind lacks", func(c *control.Control) { c.Kinds = []string{"computer", "phone"} }, `kind phone has no field "length" of that type`},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := base
			c.change(&x)
			_, err := judge.Compile(x, things(), params())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %q", err, c.want)
			}
		})
	}
	if _, err := judge.Compile(base, things(), params()); err != nil {
		t.Errorf("the control itself: %v", err)
	}
}

// FuzzCompile compiles anything; what compiles judges without panic, and agrees
// with plain cel-go. A count may differ from it where elements are unknown and
// others fail, so counts are left out of that.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		mixed, "s.volumes.all(v, v.encrypted && v.bits > 9)", "now - s.definitions_at < p.malware_age ? has(s.product) : !s.active", `a.answer == "fitted" || a.at > now`,
		"s.volumes.filter(v, v.until < now).size() > 1", "1 / s.length > 0", "s.groups[9] == s.product", `s.product.matches("a+")`, "d.ends_on > now || d.confidential", "((", "s.zone ==",
	} {
		f.Add(text)
	}
	g := ruletest.New(1)
	for range 20 {
		f.Add(g.Expr(2).String())
	}
	full, empty := mixedSubject(), judge.Subject{Ref: "computer/none"}
	f.Fuzz(func(t *testing.T, text string) {
		c := control.Control{ID: "area/name", Clauses: []clause.ID{"npa-r3@2.3.1"}, Kinds: []string{"computer"}, Applies: "true", Rule: text}
		attestation(&c)
		c.Needs, c.Parameters = judge.Named(c, things(), params())
		r, err := judge.Compile(c, things(), params())
		if err != nil {
			return
		}
		for _, s := range []judge.Subject{full, empty} {
			v := r.Judge(s, values(), now, nil)
			if !v.Outcome.Valid() || len(v.Reasons) == 0 {
				t.Errorf("%q: %+v", text, v)
			}
			if v.Outcome == verdict.Error && strings.HasPrefix(v.Reasons[0].Text, "control ") {
				t.Errorf("%q panicked: %s", text, v.Reasons[0].Detail)
			}
			if d := r.Disagreement(s, values(), now); d != "" && !strings.Contains(text, "filter") {
				t.Errorf("%q: %s", text, d)
			}
		}
	})
}
