package judge_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"kakusho/bilingual"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/verdict"
)

func TestReasonsSayWhatDecided(t *testing.T) {
	seen := subject(map[string]any{
		"length": int64(8), "active": false, "product": "clamav", "definitions_at": now.Add(-5 * day), "groups": []any{"a", "b", "c", "wheel"}, "zone": int64(2),
		"volumes": []any{
			map[string]any{"device": "sda", "encrypted": false, "bits": int64(128)}, map[string]any{"device": "sdb", "encrypted": true, "bits": int64(64)},
			map[string]any{"device": "sdc", "encrypted": true, "bits": int64(256)}, map[string]any{"device": "sdd", "encrypted": false, "bits": int64(1)},
			map[string]any{"device": "sde", "encrypted": false, "bits": int64(1)}, map[string]any{"device": "sdf"},
		},
	}, map[string]any{"status": "in-service", "confidential": true, "ends_on": now.Add(30 * day)})
	for _, name := range []string{"definitions_at", "active", "product"} {
		seen = cell(seen, name, func(c *judge.Cell) { c.ObservedAt = now.Add(-time.Hour) })
	}
	label := func(name string) bilingual.Text { return bilingual.Say("項目"+name, "Field "+name) }
	few := func(is ...int) (out []any) {
		for _, i := range is {
			out = append(out, seen.Facts["volumes"].Fact.Value.([]any)[i])
		}
		return out
	}
	for _, c := range []struct {
		name, text string
		want       []verdict.Reason
	}{
		{"a comparison with a parameter", "s.length >= p.pw_length", []verdict.Reason{
			{Code: "false", Text: "s.length >= p.pw_length", Fact: "length", Value: int64(8), Expected: ">= 12", Parameter: "pw.length", Layer: "national"}}},
		{"the same, the other way round", "p.pw_length <= s.length", []verdict.Reason{
			{Code: "false", Text: "p.pw_length <= s.length", Fact: "length", Value: int64(8), Expected: ">= 12", Parameter: "pw.length", Layer: "national"}}},
		{"under a negation the opposite is wanted", `!(s.length < 12)`, []verdict.Reason{{Code: "true", Text: "s.length < 12", Fact: "length", Value: int64(8), Expected: ">= 12"}}},
		{"a bool", "s.active", []verdict.Reason{{Code: "false", Text: "s.active", Fact: "active", Value: false, Expected: "true"}}},
		{"a bool that must not be", "!d.confidential", []verdict.Reason{{Code: "true", Text: "d.confidential", Fact: "confidential", Value: true, Expected: "false"}}},
		{"one of a list", `s.product in ["defender", "other"]`, []verdict.Reason{
			{Code: "false", Text: `s.product in ["defender", "other"]`, Fact: "product", Value: "clamav", Expected: `in ["defender", "other"]`}}},
		{"a list that must not hold it", `!("wheel" in s.groups)`, []verdict.Reason{
			{Code: "true", Text: `"wheel" in s.groups`, Fact: "groups", Value: []any{"a", "b", "c"}, Count: 4, Expected: `without "wheel"`}}},
		{"a size", "size(s.groups) <= 3", []verdict.Reason{{Code: "false", Text: "size(s.groups) <= 3", Fact: "groups", Value: []any{"a", "b", "c"}, Count: 4, Expected: "size <= 3"}}},
		{"an age tells the instant", "now - s.definitions_at <= p.malware_age", []verdict.Reason{
			{Code: "false", Text: "now - s.definitions_at <= p.malware_age", Fact: "definitions_at", Value: now.Add(-5 * day), Expected: ">= 2026-10-29T12:00:00Z", Parameter: "malware.age", Layer: "default"}}},
		{"so does a term", `d.ends_on - now >= duration("960h")`, []verdict.Reason{
			{Code: "false", Text: `d.ends_on - now >= duration("960h")`, Fact: "ends_on", Value: now.Add(30 * day), Expected: ">= 2026-12-11T12:00:00Z"}}},
		{"all false operands, and none that is true", "s.active && s.length >= 12 && s.zone == 2", []verdict.Reason{
			{Code: "false", Text: "s.active", Fact: "active", Value: false, Expected: "true"}, {Code: "false", Text: "s.length >= 12", Fact: "length", Value: int64(8), Expected: ">= 12"}}},
		{"what a condition chose", "s.zone == 2 ? s.active : s.length > 1", []verdict.Reason{
			{Code: "true", Text: "s.zone == 2", Fact: "zone", Value: int64(2)}, {Code: "false", Text: "s.active", Fact: "active", Value: false, Expected: "true"}}},
		{"presence", "!has(s.product)", []verdict.Reason{{Code: "true", Text: "has(s.product)", Fact: "product", Expected: "none"}}},
		{"the first three elements and how many", "s.volumes.all(v, v.encrypted)", []verdict.Reason{
			{Code: "false", Text: "s.volumes.all(v, v.encrypted)", Fact: "volumes", Value: few(0, 3, 4), Count: 3, Expected: "encrypted true"}}},
		{"what elements lack, and the parameter", "s.volumes.all(v, v.encrypted && v.bits >= p.pw_length)", []verdict.Reason{
			{Code: "false", Text: "s.volumes.all(v, v.encrypted && v.bits >= p.pw_length)", Fact: "volumes", Value: few(0, 3, 4), Count: 3, Expected: "bits >= 12, encrypted true", Parameter: "pw.length", Layer: "national"}}},
		{"what must not exist", "!s.volumes.exists(v, v.bits < 100 && v.encrypted)", []verdict.Reason{
			{Code: "true", Text: "s.volumes.exists(v, v.bits < 100 && v.encrypted)", Fact: "volumes", Value: few(1), Count: 1, Expected: "bits >= 100, encrypted false"}}},
		{"a count of strings", "s.groups.filter(g, g != \"wheel\").size() <= 2", []verdict.Reason{
			{Code: "false", Text: `s.groups.filter(g, g != "wheel").size() <= 2`, Fact: "groups", Value: []any{"a", "b", "c"}, Count: 3, Expected: "<= 2"}}},
		{"elements of a list that is no field", `["x", "y"].exists(g, g in s.groups)`, []verdict.Reason{
			{Code: "false", Text: `["x", "y"].exists(g, g in s.groups)`, Value: []any{"x", "y"}, Count: 2},
			{Code: "false", Text: "g in s.groups", Fact: "groups", Value: []any{"a", "b", "c"}, Count: 4, Expected: `contains "x"`},
			{Code: "false", Text: "g in s.groups", Fact: "groups", Value: []any{"a", "b", "c"}, Count: 4, Expected: `contains "y"`}}},
		{"no fact at all", "false", []verdict.Reason{{Code: "false", Text: "false"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			vs := values()
			vs["pw.length"] = directive.Value{Value: int64(12), Layer: "national"}
			got := rule(t, c.text, nil).Judge(seen, vs, now, nil).Reasons
			for i := range c.want {
				if c.want[i].Fact != "" {
					c.want[i].Label = label(c.want[i].Fact)
				}
			}
			for _, rs := range [][]verdict.Reason{got, c.want} {
				slices.SortFunc(rs, func(a, b verdict.Reason) int { return len(b.Text) - len(a.Text) })
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestReasonsOfIgnorance(t *testing.T) {
	s := subject(map[string]any{"volumes": []any{map[string]any{"device": "sda"}}}, nil)
	v := judged(rule(t, "s.volumes.all(v, v.encrypted || v.bits > 9)", nil), s)
	want := verdict.Reason{
		Code: "missing", Text: "s.volumes.all(v, v.encrypted || v.bits > 9)", Fact: "volumes", Label: bilingual.Say("項目volumes", "Field volumes"),
		Value: []any{map[string]any{"device": "sda"}}, Count: 1, Expected: "bits > 9, encrypted true",
		Detail: "bits missing: the record does not say, encrypted missing: the record does not say",
	}
	if len(v.Reasons) != 1 || !reflect.DeepEqual(v.Reasons[0], want) {
		t.Errorf("got  %+v\nwant %+v", v.Reasons, want)
	}
	half := cell(s, "volumes", func(c *judge.Cell) { c.Fact.Reason = "permission: open /dev/sda" })
	v = judged(rule(t, "s.volumes.all(v, v.encrypted)", nil), half)
	if got, want := v.Reasons[0].Detail, "encrypted missing: the record does not say (permission: open /dev/sda)"; got != want {
		t.Errorf("why a record does not say it: got %q, want %q", got, want)
	}
	denied := cell(subject(map[string]any{"length": int64(1)}, nil), "length", status(fact.Denied, "permission: open /etc/shadow"))
	v = judged(rule(t, "s.length >= p.pw_length", nil), denied)
	want = verdict.Reason{
		Code: "denied", Text: "s.length >= p.pw_length", Fact: "length", Label: bilingual.Say("項目length", "Field length"),
		Expected: ">= 12", Parameter: "pw.length", Layer: "default", Detail: "permission: open /etc/shadow",
	}
	if len(v.Reasons) != 1 || !reflect.DeepEqual(v.Reasons[0], want) {
		t.Errorf("got  %+v\nwant %+v", v.Reasons, want)
	}
	stale := cell(subject(map[string]any{"length": int64(12)}, nil), "length", func(c *judge.Cell) { c.ObservedAt = now.Add(-8 * day) })
	v = judged(rule(t, "s.length >= p.pw_length", nil), stale)
	want = verdict.Reason{
		Code: "stale", Text: "s.length >= p.pw_length", Fact: "length", Label: bilingual.Say("項目length", "Field length"),
		Parameter: "fresh.account", Layer: "default", Detail: "observed at 2026-10-24T12:00:00Z",
	}
	if len(v.Reasons) != 1 || !reflect.DeepEqual(v.Reasons[0], want) {
		t.Errorf("got  %+v\nwant %+v", v.Reasons, want)
	}
}

func TestEvidence(t *testing.T) {
	s := subject(map[string]any{"length": int64(8), "active": true, "zone": int64(2)}, map[string]any{"confidential": true})
	zone := s.Facts["zone"]
	zone.Fact.Source, zone.Lineage, zone.Fresh = nil, []string{"zone/Z-1.class"}, ""
	s.Facts["zone"] = zone
	s.Decisions = []decision.Decision{
		{ID: "E", Type: decision.Exception, Control: "area/name", Reason: "old", At: now.Add(-day), From: now.Add(-day), ApprovedAt: now.Add(-day), Until: now.Add(day)},
		{ID: "A", Type: decision.Attestation, Control: "area/name", Answer: "missing", At: now.Add(-2 * day), From: now.Add(-2 * day)},
	}
	r := rule(t, `s.length >= 12 && a.answer == "fitted" && !d.confidential && s.zone == 3 && s.active`, func(c *control.Control) { attestation(c) })
	v := judged(r, s)
	want := []verdict.Evidence{
		{Fact: "exception", Source: "decision/E", ObservedAt: now.Add(-day), ReceivedAt: now.Add(-day), Digest: fact.Digest("old"), Status: "observed", FreshUntil: now.Add(day)},
		{Fact: "length", Source: "file:/etc/length", ObservedAt: now.Add(-time.Hour), ReceivedAt: now.Add(-time.Minute), Digest: fact.Digest(int64(8)), Status: "observed", FreshUntil: now.Add(7*day - time.Hour)},
		{Fact: "answer", Source: "decision/A", ObservedAt: now.Add(-2 * day), ReceivedAt: now.Add(-2 * day), Digest: fact.Digest("missing"), Status: "observed", FreshUntil: now.Add(363 * day)},
		{Fact: "confidential", Source: "register", ObservedAt: now.Add(-20 * day), Digest: fact.Digest(true), Status: "observed"},
		{Fact: "zone", Source: "derived:zone/Z-1.class", ObservedAt: now.Add(-time.Hour), ReceivedAt: now.Add(-time.Minute), Digest: fact.Digest(int64(2)), Status: "observed"},
	}
	if !reflect.DeepEqual(v.Evidence, want) {
		t.Errorf("got  %+v\nwant %+v", v.Evidence, want)
	}
	if v.Outcome != verdict.Excepted || v.Decision != "E" || v.Clause != "npa-r3@2.3.1.1" || v.Subject != "computer/PC-1" || v.Control != "area/name" {
		t.Errorf("got %+v", v)
	}
	a, _ := json.Marshal(v)
	b, err := json.Marshal(judged(r, s))
	if err != nil || string(a) != string(b) {
		t.Errorf("judged twice: %v\n%s\n%s", err, a, b)
	}
}
