package judge_test

import (
	"testing"
	"time"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/verdict"
)

var (
	now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	day = 24 * time.Hour
)

// things is a kind with a field of each sort, and one that nothing is known of.
func things() kind.Set {
	field := func(name string, t kind.Type, layer kind.Layer, group string) kind.Field {
		return kind.Field{Name: name, Type: t, Layers: []kind.Layer{layer}, Group: group, Label: bilingual.Say("項目"+name, "Field "+name)}
	}
	volumes := field("volumes", kind.List, kind.Observed, "disk")
	volumes.Max = 20_000
	volumes.Of = []kind.Field{
		{Name: "device", Type: kind.String, Label: bilingual.Say("装置", "Device")}, {Name: "encrypted", Type: kind.Bool, Label: bilingual.Say("暗号化", "Encrypted")},
		{Name: "bits", Type: kind.Int, Label: bilingual.Say("鍵長", "Bits")}, {Name: "until", Type: kind.Time, Label: bilingual.Say("期限", "Until")},
	}
	length := field("length", kind.Int, kind.Observed, "account")
	length.Least, length.Most = new(int64), new(int64)
	*length.Most = 1_000
	return kind.Set{
		"computer": {ID: "computer", Fields: []kind.Field{
			field("status", kind.String, kind.Declared, ""), field("confidential", kind.Bool, kind.Declared, ""), field("ends_on", kind.Date, kind.Declared, ""),
			length, field("product", kind.String, kind.Observed, "malware"), field("active", kind.Bool, kind.Observed, "malware"),
			field("definitions_at", kind.Time, kind.Observed, "malware"), field("groups", kind.List, kind.Observed, "account"), field("zone", kind.Int, kind.Derived, ""), volumes,
		}},
		"phone": {ID: "phone", Fields: []kind.Field{field("status", kind.String, kind.Declared, "")}},
	}
}

func params() directive.Parameters {
	ps := directive.Parameters{}
	add := func(key string, t directive.Type, v any) {
		ps[key] = directive.Parameter{Key: key, Type: t, Default: v}
	}
	add("pw.length", directive.Int, int64(12))
	add("malware.age", directive.Duration, 3*day)
	add("fresh.account", directive.Duration, 7*day)
	add("fresh.malware", directive.Duration, 3*day)
	add("fresh.crypto", directive.Duration, 7*day)
	add("fresh.answer", directive.Duration, 365*day)
	add("groups.allowed", directive.List, []any{"wheel", "adm"})
	return ps
}

// rule is a control for computers whose rule is text, changed by with.
func rule(t testing.TB, text string, with func(*control.Control)) *judge.Rule {
	t.Helper()
	c := control.Control{
		ID: "area/name", Dir: "area/name", Clauses: []clause.ID{"npa-r3@2.3.1.1"}, Kinds: []string{"computer"}, Applies: "true", Rule: text,
		Title: bilingual.Say("名", "Name"),
	}
	if with != nil {
		with(&c)
	}
	c.Needs, c.Parameters = judge.Named(c, things(), params())
	r, err := judge.Compile(c, things(), params(), judge.EffectiveFrom(effective))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var effective = time.Date(2021, 10, 15, 0, 0, 0, 0, time.FixedZone("JST", 9*60*60))

func attestation(c *control.Control) { record(decision.Attestation)(c) }

func record(t decision.Type) func(*control.Control) {
	return func(c *control.Control) {
		c.Record = &control.Record{
			Type: t, Question: bilingual.Say("取り付けたか。", "Is it fitted?"), Fresh: "fresh.answer",
			Answers: []control.Answer{{Value: "fitted"}, {Value: "missing"}},
		}
	}
}

// subject is a computer with observed and declared values, seen an hour ago.
func subject(observed, declared map[string]any) judge.Subject {
	s := judge.Subject{Ref: "computer/PC-1", Facts: map[string]judge.Cell{}, Declared: map[string]judge.Cell{}}
	k := things()["computer"]
	for name, v := range observed {
		f, _ := k.Field(name)
		fresh := kind.Fresh(f.Group)
		s.Facts[name] = judge.Cell{
			Fact:       fact.Fact{Field: name, Status: fact.Observed, Value: v, Source: []fact.Source{{Kind: "file", Ref: "/etc/" + name}}},
			ObservedAt: now.Add(-time.Hour), ReceivedAt: now.Add(-time.Minute), Since: now.Add(-10 * day), Collector: f.Group, Fresh: fresh,
		}
	}
	for name, v := range declared {
		s.Declared[name] = judge.Cell{Fact: fact.Fact{Field: name, Status: fact.Observed, Value: v}, ObservedAt: now.Add(-20 * day), Since: now.Add(-20 * day)}
	}
	return s
}

func values() directive.Values { return params().Resolve(nil, directive.Scope{}, now) }

func judged(r *judge.Rule, s judge.Subject) verdict.Verdict { return r.Judge(s, values(), now, nil) }

// want fails unless the outcome is as wanted and a reason has the code and fact.
func want(t *testing.T, v verdict.Verdict, outcome verdict.Outcome, code, field string) {
	t.Helper()
	if v.Outcome != outcome {
		t.Errorf("outcome %q, want %q: %+v", v.Outcome, outcome, v.Reasons)
	}
	for _, r := range v.Reasons {
		if r.Code == code && r.Fact == field {
			return
		}
	}
	t.Errorf("no reason %q of %q: %+v", code, field, v.Reasons)
}
