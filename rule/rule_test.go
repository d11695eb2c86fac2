package rule_test

import (
	"slices"
	"strings"
	"testing"

	"kakusho/bilingual"
	"kakusho/directive"
	"kakusho/kind"
	"kakusho/rule"
)

func kinds() []kind.Kind {
	label := bilingual.Say("項目", "Field")
	field := func(name string, t kind.Type, layers ...kind.Layer) kind.Field {
		return kind.Field{Name: name, Type: t, Label: label, Layers: layers}
	}
	volumes := field("volumes", kind.List, kind.Observed)
	volumes.Max = 500
	volumes.Of = []kind.Field{field("device", kind.String), field("encrypted", kind.Bool), field("bytes", kind.Int), field("seen_at", kind.Time)}
	packages := field("packages", kind.List, kind.Observed)
	packages.Max = 20_000
	packages.Of = []kind.Field{field("name", kind.String), field("version", kind.String)}
	other := field("volumes", kind.List, kind.Observed)
	other.Of = []kind.Field{field("device", kind.String), field("encrypted", kind.Bool)}
	common := []kind.Field{
		field("status", kind.Enum), field("password_min_length", kind.Int, kind.Observed), field("definitions_at", kind.Time, kind.Observed),
		field("ends_on", kind.Date), field("retention", kind.Duration, kind.Observed), field("groups", kind.List, kind.Observed), field("ratio", kind.Number, kind.Observed),
	}
	return []kind.Kind{
		{ID: "computer", Fields: append(slices.Clone(common), volumes, packages, field("chassis", kind.String, kind.Observed), field("class", kind.Int))},
		{ID: "phone", Fields: append(slices.Clone(common), other, field("class", kind.String))},
	}
}

func params() directive.Parameters {
	ps := directive.Parameters{}
	for key, t := range map[string]directive.Type{
		"auth.pw.min_length": directive.Int, "malware.age": directive.Duration, "crypto.methods": directive.List, "log.on": directive.Bool, "effective.on": directive.Date,
	} {
		ps[key] = directive.Parameter{Key: key, Type: t}
	}
	return ps
}

func schema(t testing.TB, ks []kind.Kind, answer bool) *rule.Schema {
	t.Helper()
	s, err := rule.NewSchema(ks, params(), answer)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFaults(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a misspelt field is named with what was meant", "s.pasword_min_length >= 12", `1:3: undefined field "pasword_min_length"; did you mean "password_min_length"?`},
		{"a misspelt field on the third line", "// why\n\n  s.statsu == \"x\"", `3:5: undefined field "statsu"; did you mean "status"?`},
		{"a misspelt parameter", "s.password_min_length >= p.auth_pw_min_lenght", `1:28: undefined parameter "auth_pw_min_lenght"; did you mean "auth_pw_min_length"?`},
		{"a parameter with dots", "s.password_min_length >= p.auth.pw.min_length", `undefined parameter "auth"`},
		{"a misspelt key of a record", "s.volumes.all(v, v.encryptd)", `1:20: undefined field "encryptd"; did you mean "encrypted"?`},
		{"an observed field is not declared", "d.ratio > 0.5", `undefined declared field "ratio"`},
		{"nothing near is no suggestion", "s.zzzzzzzzzzzz", `1:3: undefined field "zzzzzzzzzzzz"`},
		{"a misspelt variable", "nwo > s.definitions_at", `undeclared reference to 'nwo'; did you mean "now"?`},
		{"types are compared", `s.password_min_length >= "12"`, "no matching overload for '_>=_' applied to '(int, string)'"},
		{"the rule must be a bool", "s.password_min_length", "the expression is int, want bool"},
		{"an answer nobody asks for", `a.answer == "fitted"`, "a is for controls that have a record"},
		{"a syntax error", "s.status ==", "1:12: Syntax error"},
		{"no expression", "// nothing", "Syntax error"},
		{"map is not allowed", "s.volumes.map(v, v.device).size() > 1", "map() is not allowed"},
		{"exists_one is not allowed", "s.volumes.exists_one(v, v.encrypted)", "exists_one() is not allowed"},
		{"filter without size", `"a" in s.groups.filter(g, g != "b")`, "take the size() of filter()"},
		{"filter before all", "s.volumes.filter(v, v.encrypted).all(v, v.bytes > 1)", "comprehension exceeds nesting limit"},
		{"all within a comparison", "s.volumes.all(v, v.encrypted) == true", "may stand only where"},
		{"exists within exists", "s.volumes.exists(v, s.packages.exists(q, q.name == v.device))", "comprehension exceeds nesting limit"},
		{"a broken regular expression", `s.status.matches("(")`, "invalid matches argument"},
		{"a broken duration", `s.retention > duration("45d")`, "invalid duration argument"},
		{"a broken timestamp", `s.definitions_at > timestamp("yesterday")`, "invalid timestamp argument"},
		{"a mixed list", `s.status in ["a", 1]`, "expected type 'string'"},
		{"the subject is no value", "s == s", "s is no value; read one of its fields"},
		{"a record is no value", "s.volumes.exists(v, v in s.volumes)", "v is no value"},
		{"a variable that hides ours", "s.volumes.all(p, p.encrypted)", "p has a meaning of its own"},
		{"a rule builds no object", "Subject{status: \"x\"} == Subject{status: \"x\"}", "a rule cannot build a Subject"},
		{"a rule that costs too much", `s.packages.exists(q, q.name.matches("^(a|b)+$") && q.version.matches(q.name) && q.name.contains(q.version))`, "may cost"},
		{"now in an equality", "now - s.definitions_at == p.malware_age", "now may stand only as"},
		{"now on both sides", "now - s.definitions_at < now - s.definitions_at", "now may stand only as"},
		{"now twice on one side", "now - (now - p.malware_age) < s.retention", "now may stand only as"},
		{"now in a function", "now.getFullYear() > 2025", "now may stand only as"},
		{"now in a count", "s.volumes.filter(v, v.encrypted).size() > (now > s.definitions_at ? 1 : 2)", "now may stand only as"},
		{"now inside a filter that is inside a sum", "s.volumes.filter(v, v.seen_at > now).size() + 1 > 2", "now may stand only as"},
		{"the list to go over must be one field", "(s.password_min_length > 1 ? s.volumes : s.volumes).all(v, v.encrypted)", "go over one field"},
		{"has of a variable", "has(s)", "has() wants a field"},
		{"too long", strings.Repeat("s.status == \"x\" || ", 500) + "true", "size exceeds limit"},
		{"too deep", strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200), "recursion limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, faults := schema(t, kinds()[:1], false).Plan(c.text, 0)
			if p != nil || len(faults) == 0 {
				t.Fatalf("%s\npassed, want %q", c.text, c.want)
			}
			if got := faults[0].Error(); !strings.Contains(got, c.want) {
				t.Errorf("%s\ngot  %q\nwant %q", c.text, got, c.want)
			}
		})
	}
}

func TestAllFaultsComeAtOnce(t *testing.T) {
	_, faults := schema(t, kinds()[:1], false).Plan("s.one && s.two &&\ns.three", 0)
	if len(faults) != 3 || faults[2].Line != 2 || faults[2].Column != 3 {
		t.Errorf("got %v, want three faults, the last at 2:3", faults)
	}
}

func TestAllowed(t *testing.T) {
	for _, text := range []string{
		"now - s.definitions_at <= p.malware_age", "p.malware_age >= now - s.definitions_at", "s.ends_on - now > p.malware_age",
		"s.ends_on > now", "now < s.ends_on", "s.definitions_at + p.malware_age > now", "now - p.malware_age < s.definitions_at",
		"!(now > s.ends_on)", "s.volumes.all(v, now - v.seen_at < p.malware_age)", "s.volumes.filter(v, v.seen_at < now).size() == 0",
		"has(s.volumes) ? s.volumes.exists(v, has(v.encrypted) && v.encrypted) : p.log_on",
		"size(s.volumes) > 0 && s.volumes.size() < 10", `["a", "b"].all(x, x in s.groups)`, `p.crypto_methods.exists(m, m in s.groups)`,
		"// a comment\ns.ends_on >= p.effective_on // another", "1 < size(s.groups.filter(g, g.startsWith(\"x\")))",
		"s.groups.all(s1, s1 in p.crypto_methods)", "d.status == s.status", "s.volumes[0].encrypted",
	} {
		if _, faults := schema(t, kinds()[:1], false).Plan(text, 0); len(faults) > 0 {
			t.Errorf("%s\nrefused: %v", text, faults)
		}
	}
}

func TestPlanSaysWhatIsRead(t *testing.T) {
	p, faults := schema(t, kinds()[:1], true).Plan(
		`has(s.status) && a.answer == "x" && s.volumes.all(v, v.bytes > 1 || d.class > p.auth_pw_min_length) && now - s.definitions_at < p.malware_age`, 7)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if want := []string{"class", "definitions_at", "status", "volumes"}; !slices.Equal(p.Fields, want) {
		t.Errorf("fields %v, want %v", p.Fields, want)
	}
	if want := []string{"auth.pw.min_length", "malware.age"}; !slices.Equal(p.Params, want) {
		t.Errorf("parameters %v, want %v", p.Params, want)
	}
	ids := map[int]bool{}
	var walk func(n *rule.Node)
	walk = func(n *rule.Node) {
		if n.ID < 7 || n.ID >= p.Next || ids[n.ID] {
			t.Errorf("node %d of %q: want each number from 7 to below %d once", n.ID, n.Text, p.Next)
		}
		ids[n.ID] = true
		for _, k := range n.Kids {
			walk(k)
		}
	}
	walk(p.Root)
}

func TestSeveralKindsShareWhatAllHave(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"s.volumes.all(v, v.encrypted)", ""},
		{"s.volumes.all(v, v.bytes > 1)", `undefined field "bytes"`},
		{`s.chassis == "rack"`, `kind phone has no field "chassis" of that type`},
		{"s.class == 3", `kind phone has no field "class" of that type`},
		{"s.password_min_length > 8", ""},
	} {
		_, faults := schema(t, kinds(), false).Plan(c.text, 0)
		got := ""
		if len(faults) > 0 {
			got = faults[0].Message
		}
		if !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: got %q, want %q", c.text, got, c.want)
		}
	}
	// The order of kinds does not matter.
	ks := kinds()
	slices.Reverse(ks)
	if _, faults := schema(t, ks, false).Plan(`s.chassis == "rack"`, 0); len(faults) == 0 || !strings.Contains(faults[0].Message, "phone") {
		t.Errorf("got %v, want a fault that names phone", faults)
	}
}

func FuzzPlan(f *testing.F) {
	for _, s := range []string{
		"s.volumes.all(v, v.encrypted && v.bytes > 1)", "now - s.definitions_at < p.malware_age", "has(s.status)", "s.volumes.filter(v, v.encrypted).size() > 1",
		`a.answer == "x"`, "s.volumes.all(s, s.encrypted)", "((((", "s.x ? y : z", "\x00", `"\xff"`, "[1,2,3].all(x, x > 1)", "{'a': s}.exists(k, true)", "s.groups[now]",
		"has(p.log_on)", "has(has(s.status))", "s.volumes.all(v, s.volumes.all(w, v == w))", "-9223372036854775808 > s.class", "size(size)", "@has", "s.`@has status`",
	} {
		f.Add(s)
	}
	s := schema(f, kinds()[:1], true)
	f.Fuzz(func(t *testing.T, text string) {
		p, faults := s.Plan(text, 0)
		if (p == nil) != (len(faults) > 0) {
			t.Errorf("%q: plan %v with faults %v", text, p, faults)
		}
	})
}
