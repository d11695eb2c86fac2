package judge_test

import (
	"testing"
	"time"

	"kakusho/clause"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/rule/weigh"
	"kakusho/verdict"
)

// cells changes how one cell stands.
func cell(s judge.Subject, name string, change func(*judge.Cell)) judge.Subject {
	c := s.Facts[name]
	change(&c)
	s.Facts[name] = c
	return s
}

func status(st fact.Status, reason string) func(*judge.Cell) {
	return func(c *judge.Cell) { c.Fact.Status, c.Fact.Reason, c.Fact.Value = st, reason, nil }
}

func TestOutcomeOfOneFact(t *testing.T) {
	r := rule(t, "s.length >= p.pw_length", nil)
	long, short := subject(map[string]any{"length": int64(12)}, nil), subject(map[string]any{"length": int64(11)}, nil)
	seen := func(change func(*judge.Cell)) judge.Subject {
		return cell(subject(map[string]any{"length": int64(12)}, nil), "length", change)
	}
	for _, c := range []struct {
		name    string
		subject judge.Subject
		want    verdict.Outcome
		code    string
	}{
		{"enough conforms", long, verdict.Conforms, "true"},
		{"too little violates", short, verdict.Violates, "false"},
		{"never collected is unknown", subject(nil, nil), verdict.Unknown, weigh.Missing},
		{"looked and there is none is unknown", seen(status(fact.Absent, "no pam")), verdict.Unknown, weigh.Absent},
		{"not allowed to look is unknown", seen(status(fact.Denied, "permission: open /etc/shadow")), verdict.Unknown, weigh.Denied},
		{"the looking failed", seen(status(fact.Error, "parse")), verdict.Unknown, weigh.Failed},
		{"the looking took too long", seen(status(fact.Timeout, "30s")), verdict.Unknown, weigh.Timeout},
		{"a part was looked at", seen(status(fact.Truncated, "cut")), verdict.Unknown, weigh.Truncated},
		{"a status nobody knows", seen(status("odd", "")), verdict.Unknown, weigh.Failed},
		{"the question does not arise", seen(status(fact.NotApplicable, "no accounts")), verdict.NotApplicable, weigh.NotApplicable},
		{"the collector brought nothing", seen(func(c *judge.Cell) { c.Fact.Value = nil }), verdict.Unknown, weigh.Missing},
		{"the collector brought another type", seen(func(c *judge.Cell) { c.Fact.Value = "12" }), verdict.Unknown, weigh.Failed},
		{"collected too long ago", seen(func(c *judge.Cell) { c.ObservedAt = now.Add(-7 * day) }), verdict.Unknown, weigh.Stale},
		{"collected just recently enough", seen(func(c *judge.Cell) { c.ObservedAt = now.Add(-7*day + time.Second) }), verdict.Conforms, "true"},
		{"dated five minutes ahead", seen(func(c *judge.Cell) { c.ObservedAt = now.Add(5 * time.Minute) }), verdict.Conforms, "true"},
		{"dated further ahead", seen(func(c *judge.Cell) { c.ObservedAt = now.Add(5*time.Minute + time.Second) }), verdict.Unknown, weigh.Future},
		{"how long it holds was never set", seen(func(c *judge.Cell) { c.Fresh = "fresh.nothing" }), verdict.Unknown, weigh.NoParameter},
		{"what does not go stale", seen(func(c *judge.Cell) { c.Fresh, c.ObservedAt = "", now.Add(-9000*day) }), verdict.Conforms, "true"},
		{"a declared value is no observation", judge.Subject{Ref: "computer/PC-1", Declared: long.Facts}, verdict.Unknown, weigh.Missing},
	} {
		t.Run(c.name, func(t *testing.T) { want(t, judged(r, c.subject), c.want, c.code, "length") })
	}
}

func TestMissingParameterIsUnknown(t *testing.T) {
	r := rule(t, "s.length >= p.pw_length", nil)
	vs := values()
	delete(vs, "pw.length")
	v := r.Judge(subject(map[string]any{"length": int64(12)}, nil), vs, now, nil)
	want(t, v, verdict.Unknown, weigh.NoParameter, "")
}

func TestApplicability(t *testing.T) {
	r := rule(t, "s.length >= 12", func(c *control.Control) { c.Applies = `s.status == "in-service"` })
	seen := map[string]any{"length": int64(12)}
	want(t, judged(r, subject(seen, map[string]any{"status": "in-service"})), verdict.Conforms, "true", "length")
	want(t, judged(r, subject(seen, map[string]any{"status": "disposed"})), verdict.NotApplicable, "false", "status")
	want(t, judged(r, subject(seen, nil)), verdict.Unknown, weigh.Missing, "status")
	phone := judge.Subject{Ref: "phone/P-1"}
	want(t, judged(r, phone), verdict.NotApplicable, weigh.NotApplicable, "")
	broken := rule(t, "true", func(c *control.Control) { c.Applies = `s.groups[3] == "x"` })
	want(t, judged(broken, subject(map[string]any{"groups": []any{}}, nil)), verdict.Error, weigh.Fault, "groups")
}

func TestARuleThatFailsSaysSo(t *testing.T) {
	r := rule(t, "12 / s.length > 1", nil)
	v := judged(r, subject(map[string]any{"length": int64(0)}, nil))
	want(t, v, verdict.Error, weigh.Fault, "length")
	if got := v.Reasons[0]; got.Text != "12 / s.length > 1" || got.Detail == "" {
		t.Errorf("reason %+v, want the place and what happened", got)
	}
	// Unknown dominates, and a false operand decides in spite of it.
	r = rule(t, "12 / s.length > 1 && s.active", nil)
	want(t, judged(r, subject(map[string]any{"length": int64(0)}, nil)), verdict.Unknown, weigh.Missing, "active")
	want(t, judged(r, subject(map[string]any{"length": int64(0), "active": false}, nil)), verdict.Violates, "false", "active")
}

func TestAbsentReadsAsTheControlSays(t *testing.T) {
	with := func(m control.Missing) func(*control.Control) { return func(c *control.Control) { c.Missing = m } }
	seen := map[string]any{"active": true, "definitions_at": now}
	none := func(seen map[string]any) judge.Subject {
		s := subject(seen, nil)
		s.Facts["product"] = judge.Cell{}
		return cell(s, "product", func(c *judge.Cell) {
			c.ObservedAt = now
			status(fact.Absent, "not installed")(c)
		})
	}
	const text = `s.product != "" && s.active`
	want(t, judged(rule(t, text, nil), none(seen)), verdict.Unknown, weigh.Absent, "product")
	want(t, judged(rule(t, text, with(control.MissingViolates)), none(seen)), verdict.Violates, weigh.Absent, "product")
	want(t, judged(rule(t, text, with(control.MissingNotApplicable)), none(seen)), verdict.NotApplicable, weigh.Absent, "product")

	// It violates under a negation too, and where something else is not known.
	want(t, judged(rule(t, `!(s.product == "bad")`, with(control.MissingViolates)), none(seen)), verdict.Violates, weigh.Absent, "product")
	want(t, judged(rule(t, text, with(control.MissingViolates)), none(nil)), verdict.Violates, weigh.Absent, "product")
	want(t, judged(rule(t, `s.product == "x" ? s.active : s.active`, with(control.MissingViolates)), none(seen)), verdict.Violates, weigh.Absent, "product")

	// It does not matter where the rest decides, and what is unknown stays so.
	want(t, judged(rule(t, `s.product == "x" || s.active`, with(control.MissingViolates)), none(seen)), verdict.Conforms, "true", "active")
	want(t, judged(rule(t, `s.product == "x" || s.active`, with(control.MissingViolates)), none(nil)), verdict.Unknown, weigh.Missing, "active")
	want(t, judged(rule(t, text, with(control.MissingViolates)), subject(seen, nil)), verdict.Unknown, weigh.Missing, "product")
	want(t, judged(rule(t, "s.product in s.groups", with(control.MissingViolates)), none(nil)), verdict.Unknown, weigh.Missing, "groups")
	want(t, judged(rule(t, text, with(control.MissingNotApplicable)), none(nil)), verdict.Unknown, weigh.Missing, "active")

	// has() asks for it.
	want(t, judged(rule(t, "!has(s.product) || s.active", nil), none(nil)), verdict.Conforms, "false", "product")
	want(t, judged(rule(t, "has(s.product)", nil), none(nil)), verdict.Violates, "false", "product")
	want(t, judged(rule(t, "has(s.product)", nil), subject(nil, nil)), verdict.Unknown, weigh.Missing, "product")
}

func TestLists(t *testing.T) {
	volume := func(kv ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i].(string)] = kv[i+1]
		}
		return m
	}
	plain, crypt, odd := volume("device", "sda", "encrypted", false), volume("device", "sdb", "encrypted", true), volume("device", "sdc")
	volumes := func(vs ...any) judge.Subject { return subject(map[string]any{"volumes": vs}, nil) }
	ok := func(c *control.Control) { c.Empty = "ok" }
	all, exists, count := "s.volumes.all(v, v.encrypted)", "s.volumes.exists(v, v.encrypted)", "s.volumes.filter(v, !v.encrypted).size() <= 1"
	for _, c := range []struct {
		name    string
		text    string
		with    func(*control.Control)
		subject judge.Subject
		want    verdict.Outcome
		code    string
	}{
		{"all are", all, nil, volumes(crypt, crypt), verdict.Conforms, "true"},
		{"one is not", all, nil, volumes(crypt, plain), verdict.Violates, "false"},
		{"one is not, of another it is not known", all, nil, volumes(odd, plain), verdict.Violates, "false"},
		{"of one it is not known", all, nil, volumes(crypt, odd), verdict.Unknown, weigh.Missing},
		{"there is none", all, nil, volumes(), verdict.Unknown, weigh.Empty},
		{"there is none, and that is all right", all, ok, volumes(), verdict.Conforms, "true"},
		{"not none of none", "!" + all, nil, volumes(), verdict.Unknown, weigh.Empty},
		{"none exists among none", exists, nil, volumes(), verdict.Violates, "false"},
		{"one exists", exists, nil, volumes(odd, crypt), verdict.Conforms, "true"},
		{"perhaps one exists", exists, nil, volumes(odd, plain), verdict.Unknown, weigh.Missing},
		{"few enough", count, nil, volumes(plain, crypt), verdict.Conforms, "true"},
		{"too many", count, nil, volumes(plain, plain), verdict.Violates, "false"},
		{"perhaps too many", count, nil, volumes(plain, odd), verdict.Unknown, weigh.Missing},
		{"never collected", all, nil, subject(nil, nil), verdict.Unknown, weigh.Missing},
		{"never counted", count, nil, subject(nil, nil), verdict.Unknown, weigh.Missing},
	} {
		t.Run(c.name, func(t *testing.T) { want(t, judged(rule(t, c.text, c.with), c.subject), c.want, c.code, "volumes") })
	}
	partly := func(s judge.Subject) judge.Subject {
		return cell(s, "volumes", func(c *judge.Cell) { c.Fact.Status, c.Fact.Reason = fact.Truncated, "first two of many" })
	}
	want(t, judged(rule(t, all, nil), partly(volumes(crypt))), verdict.Unknown, weigh.Truncated, "volumes")
	want(t, judged(rule(t, all, nil), partly(volumes(plain))), verdict.Violates, "false", "volumes")
	want(t, judged(rule(t, exists, nil), partly(volumes(crypt))), verdict.Conforms, "true", "volumes")
	want(t, judged(rule(t, exists, nil), partly(volumes(plain))), verdict.Unknown, weigh.Truncated, "volumes")
	want(t, judged(rule(t, count, nil), partly(volumes(plain))), verdict.Unknown, weigh.Truncated, "volumes")
	want(t, judged(rule(t, "size(s.volumes) > 0", nil), partly(volumes(plain))), verdict.Unknown, weigh.Truncated, "volumes")
}

func TestAnswers(t *testing.T) {
	give := func(answer string, at time.Time, typ decision.Type, change func(*decision.Decision)) judge.Subject {
		s := subject(nil, nil)
		d := decision.Decision{ID: "D1", Type: typ, Control: "area/name", Answer: answer, At: at, From: at}
		if change != nil {
			change(&d)
		}
		s.Decisions = []decision.Decision{d}
		return s
	}
	const text = `a.answer == "fitted"`
	for _, c := range []struct {
		typ     decision.Type
		nothing verdict.Outcome
	}{{decision.Attestation, verdict.Unknown}, {decision.Judgement, verdict.Undecided}} {
		r := rule(t, text, record(c.typ))
		want(t, judged(r, give("fitted", now.Add(-day), c.typ, nil)), verdict.Conforms, "true", "answer")
		want(t, judged(r, give("missing", now.Add(-day), c.typ, nil)), verdict.Violates, "false", "answer")
		want(t, judged(r, subject(nil, nil)), c.nothing, weigh.NoRecord, "answer")
		want(t, judged(r, give("fitted", now.Add(-365*day), c.typ, nil)), c.nothing, weigh.Stale, "answer")
		want(t, judged(r, give("fitted", now.Add(-365*day+time.Second), c.typ, nil)), verdict.Conforms, "true", "answer")
		want(t, judged(r, give("odd", now.Add(-day), c.typ, nil)), c.nothing, weigh.Failed, "answer")
		for name, change := range map[string]func(*decision.Decision){
			"withdrawn":       func(d *decision.Decision) { d.WithdrawnAt = now },
			"over":            func(d *decision.Decision) { d.Until = now },
			"not yet":         func(d *decision.Decision) { d.From = now.Add(time.Second) },
			"of tomorrow":     func(d *decision.Decision) { d.At, d.From = now.Add(day), time.Time{} },
			"about another":   func(d *decision.Decision) { d.Control = "area/other" },
			"of another type": func(d *decision.Decision) { d.Type = decision.Override },
		} {
			t.Run(name, func(t *testing.T) {
				want(t, judged(r, give("fitted", now.Add(-day), c.typ, change)), c.nothing, weigh.NoRecord, "answer")
			})
		}
	}
	// The newest counts, in whatever order they come; when it is withdrawn, the one before.
	s := give("missing", now.Add(-2*day), decision.Attestation, nil)
	s.Decisions = append(s.Decisions, give("fitted", now.Add(-day), decision.Attestation, func(d *decision.Decision) { d.ID = "D0" }).Decisions...)
	r := rule(t, text, attestation)
	want(t, judged(r, s), verdict.Conforms, "true", "answer")
	s.Decisions[0], s.Decisions[1] = s.Decisions[1], s.Decisions[0]
	want(t, judged(r, s), verdict.Conforms, "true", "answer")
	s.Decisions[0].WithdrawnAt = now.Add(-time.Hour)
	want(t, judged(r, s), verdict.Violates, "false", "answer")
	// An answer that the rest makes unnecessary is not asked for.
	r = rule(t, `s.zone == 3 || a.answer == "fitted"`, attestation)
	want(t, judged(r, subject(map[string]any{"zone": int64(3)}, nil)), verdict.Conforms, "true", "zone")
	r = rule(t, `has(a.answer) ? a.answer == "fitted" : s.zone == 3`, attestation)
	want(t, judged(r, subject(map[string]any{"zone": int64(3)}, nil)), verdict.Conforms, "false", "answer")
	// What the answer says, and when it was given, are read alike.
	r = rule(t, `a.answer == "fitted" && a.at >= timestamp("2026-10-31T00:00:00Z")`, attestation)
	want(t, judged(r, give("fitted", now.Add(-day), decision.Attestation, nil)), verdict.Conforms, "true", "answer")
	want(t, judged(r, give("fitted", now.Add(-2*day), decision.Attestation, nil)), verdict.Violates, "false", "answer")
}

func TestOwnExceptionsLieOverViolationsOnly(t *testing.T) {
	r := rule(t, "s.length >= 12", func(c *control.Control) {
		c.Exceptions = []control.Exception{{Clause: "npa-r3@2.3.1.1", When: "s.confidential == false"}, {Clause: "npa-r3@2.3.1.1", When: "s.zone == 3"}}
	})
	short, long := map[string]any{"length": int64(8)}, map[string]any{"length": int64(12)}
	with := func(seen map[string]any, zone any) map[string]any {
		m := map[string]any{}
		for k, v := range seen {
			m[k] = v
		}
		if zone != nil {
			m["zone"] = zone
		}
		return m
	}
	no, yes := map[string]any{"confidential": false}, map[string]any{"confidential": true}

	v := judged(r, subject(short, no))
	want(t, v, verdict.Excepted, "true", "confidential")
	want(t, v, verdict.Excepted, "false", "length")
	if v.Base != verdict.Violates {
		t.Errorf("base %q, want violates", v.Base)
	}
	want(t, judged(r, subject(with(short, int64(3)), yes)), verdict.Excepted, "true", "zone")
	want(t, judged(r, subject(with(short, int64(3)), nil)), verdict.Excepted, "true", "zone")
	want(t, judged(r, subject(with(short, int64(1)), yes)), verdict.Violates, "false", "length")
	// Whether one applies is part of what the clause demands.
	v = judged(r, subject(with(short, nil), yes))
	want(t, v, verdict.Unknown, weigh.Missing, "zone")
	if v.Base != verdict.Violates {
		t.Errorf("base %q, want violates", v.Base)
	}
	// Over nothing else.
	want(t, judged(r, subject(long, no)), verdict.Conforms, "true", "length")
	want(t, judged(r, subject(nil, no)), verdict.Unknown, weigh.Missing, "length")
}

func TestDecisionsLieOverViolationsOnly(t *testing.T) {
	r := rule(t, "s.length >= 12", nil)
	give := func(length any, in time.Time, ds ...decision.Decision) judge.Subject {
		s := subject(nil, nil)
		if length != nil {
			s = subject(map[string]any{"length": length}, nil)
		}
		s.InServiceOn, s.Decisions = in, ds
		return s
	}
	d := func(id string, typ decision.Type, change func(*decision.Decision)) decision.Decision {
		d := decision.Decision{
			ID: id, Type: typ, Clause: "npa-r3@2.3.1.1", Reason: "why", At: now.Add(-9 * day), From: now.Add(-8 * day), ApprovedAt: now.Add(-7 * day), Until: now.Add(30 * day),
		}
		if change != nil {
			change(&d)
		}
		return d
	}
	short, old, new := int64(8), effective, effective.Add(time.Second)
	for _, c := range []struct {
		name    string
		subject judge.Subject
		want    verdict.Outcome
		by      string
	}{
		{"excepted", give(short, new, d("E", decision.Exception, nil)), verdict.Excepted, "E"},
		{"deferred", give(short, old, d("F", decision.Deferral, nil)), verdict.Deferred, "F"},
		{"special", give(short, new, d("S", decision.Special, nil)), verdict.Special, "S"},
		{"an exception goes before a special provision", give(short, old, d("S", decision.Special, nil), d("E", decision.Exception, nil)), verdict.Excepted, "E"},
		{"what is in service since later is not deferred", give(short, new, d("F", decision.Deferral, nil)), verdict.Violates, ""},
		{"nor what is in service since nobody knows when", give(short, time.Time{}, d("F", decision.Deferral, nil)), verdict.Violates, ""},
		{"a special provision where a deferral is void", give(short, new, d("F", decision.Deferral, nil), d("S", decision.Special, nil)), verdict.Special, "S"},
		{"not over what conforms", give(int64(12), old, d("E", decision.Exception, nil)), verdict.Conforms, ""},
		{"not over what is unknown", give(nil, old, d("E", decision.Exception, nil)), verdict.Unknown, ""},
		{"by the obligation whose sub-item it is", give(short, old, d("E", decision.Exception, func(d *decision.Decision) { d.Clause = "npa-r3@2.3.1" })), verdict.Excepted, "E"},
		{"not by the whole section", give(short, old, d("E", decision.Exception, func(d *decision.Decision) { d.Clause = "npa-r3@2.3" })), verdict.Violates, ""},
		{"not by another clause", give(short, old, d("E", decision.Exception, func(d *decision.Decision) { d.Clause = "npa-r3@2.3.1.2" })), verdict.Violates, ""},
		{"by the control", give(short, old, d("E", decision.Exception, func(d *decision.Decision) { d.Clause, d.Control = "", "area/name" })), verdict.Excepted, "E"},
		{"not by another control of the clause", give(short, old, d("E", decision.Exception, func(d *decision.Decision) { d.Control = "area/other" })), verdict.Violates, ""},
		{"not before it is approved", give(short, old, d("E", decision.Exception, func(d *decision.Decision) { d.ApprovedAt = time.Time{} })), verdict.Violates, ""},
		{"not before it begins", give(short, old, d("E", decision.Exception, func(d *decision.Decision) { d.From = now.Add(time.Second) })), verdict.Violates, ""},
		{"not when it is over", give(short, old, d("E", decision.Exception, func(d *decision.Decision) { d.Until = now })), verdict.Violates, ""},
		{"not when it was withdrawn", give(short, old, d("E", decision.Exception, func(d *decision.Decision) { d.WithdrawnAt = now.Add(-time.Hour) })), verdict.Violates, ""},
		{"an attestation excepts nothing", give(short, old, d("A", decision.Attestation, nil)), verdict.Violates, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := judged(r, c.subject)
			if v.Outcome != c.want || v.Decision != c.by {
				t.Errorf("got %q by %q, want %q by %q: %+v", v.Outcome, v.Decision, c.want, c.by, v.Reasons)
			}
			if (c.by != "") != (v.Base == verdict.Violates) {
				t.Errorf("base %q under %q", v.Base, v.Outcome)
			}
		})
	}
	// A section is no obligation: what is decided about it decides nothing.
	item := rule(t, "s.length >= 12", func(c *control.Control) { c.Clauses = []clause.ID{"npa-r3@2.3.1"} })
	if v := judged(item, give(short, old, d("E", decision.Exception, func(d *decision.Decision) { d.Clause = "npa-r3@2.3" }))); v.Outcome != verdict.Violates {
		t.Errorf("by the section: %q, want violates", v.Outcome)
	}
	// Without the day it took effect nothing is deferred.
	c := r.Control()
	c.Needs, c.Parameters = judge.Named(c, things(), params())
	undated, err := judge.Compile(c, things(), params())
	if err != nil {
		t.Fatal(err)
	}
	if v := judged(undated, give(short, old, d("F", decision.Deferral, nil))); v.Outcome != verdict.Violates {
		t.Errorf("got %q, want violates", v.Outcome)
	}
}

func TestConditionsOfADecision(t *testing.T) {
	r := rule(t, "s.length >= 12", nil)
	decisions := func(conditions ...string) []decision.Decision {
		return []decision.Decision{{
			ID: "E", Type: decision.Exception, Control: "area/name", At: now.Add(-day), From: now.Add(-day), ApprovedAt: now.Add(-day), Until: now.Add(day), Conditions: conditions,
		}}
	}
	s := subject(map[string]any{"length": int64(8)}, nil)
	for _, c := range []struct {
		conditions []string
		want       verdict.Outcome
		code       string
	}{
		{nil, verdict.Excepted, "exception"},
		{[]string{"conforms"}, verdict.Excepted, "exception"},
		{[]string{"conforms", "violates"}, verdict.Violates, "void"},
		{[]string{"unknown", "violates"}, verdict.Violates, "void"},
		{[]string{"excepted"}, verdict.Violates, "void"},
		{[]string{"not-applicable"}, verdict.Violates, "void"},
		{[]string{"deferred"}, verdict.Violates, "void"},
		{[]string{"conforms", "unknown"}, verdict.Unknown, "unknown"},
		{[]string{"undecided"}, verdict.Unknown, "unknown"},
		{[]string{"error"}, verdict.Unknown, "unknown"},
	} {
		s.Decisions = decisions(c.conditions...)
		v := r.Judge(s, values(), now, func(c decision.Condition) verdict.Outcome { return verdict.Outcome(c.Control) })
		want(t, v, c.want, c.code, "")
		want(t, v, c.want, "false", "length")
		if c.want != verdict.Violates && v.Base != verdict.Violates {
			t.Errorf("%v: base %q, want violates", c.conditions, v.Base)
		}
	}
	want(t, r.Judge(s, values(), now, nil), verdict.Unknown, "unknown", "")
	// One that is sure to hold goes before one of which nobody can tell.
	sure := decisions("conforms")[0]
	sure.ID, sure.Type = "S", decision.Special
	s.Decisions = append(decisions("unknown"), sure)
	if v := r.Judge(s, values(), now, func(c decision.Condition) verdict.Outcome { return verdict.Outcome(c.Control) }); v.Outcome != verdict.Special || v.Decision != "S" {
		t.Errorf("got %q by %q, want special by S", v.Outcome, v.Decision)
	}
}

func TestJudgeNeverPanics(t *testing.T) {
	r := rule(t, "s.length >= 12", nil)
	s := subject(map[string]any{"length": int64(8)}, nil)
	s.Decisions = []decision.Decision{{
		ID: "E", Type: decision.Exception, Control: "area/name", From: now, ApprovedAt: now, Until: now.Add(day), Conditions: []string{"x"},
	}}
	v := r.Judge(s, values(), now, func(decision.Condition) verdict.Outcome { panic("no such control") })
	want(t, v, verdict.Error, weigh.Fault, "")
	if v.Reasons[0].Detail != "no such control" || v.Base != "" {
		t.Errorf("got %+v, want the outcome error that says what happened", v)
	}
	for _, s := range []judge.Subject{{}, {Ref: "computer/x", Facts: nil}, {Ref: "odd"}} {
		if v := r.Judge(s, nil, time.Time{}, nil); v.Outcome == verdict.Conforms || !v.Outcome.Valid() {
			t.Errorf("%q: %+v", s.Ref, v)
		}
	}
}
