package directive_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/bilingual"
	"kakusho/directive"
	"kakusho/fact"
)

func TestEveryDefaultIsAValueOfItsParameter(t *testing.T) {
	ps := shipped().Parameters
	for key, p := range ps {
		v, err := p.Check(p.Default)
		if err != nil || !reflect.DeepEqual(v, p.Default) {
			t.Errorf("%s: Check(%v) = %v, %v", key, p.Default, v, err)
		}
		if !ps.Tightens(key, p.Default, p.Default) {
			t.Errorf("%s: the default does not tighten itself", key)
		}
		if p.Key != key || p.Group == "" {
			t.Errorf("%s: key %q, group %q", key, p.Key, p.Group)
		}
	}
}

// What a page shows or the trail keeps must come back as the same value.
func TestDefaultsSurviveJSON(t *testing.T) {
	for key, p := range shipped().Parameters {
		b, err := json.Marshal(directive.Setting{Key: key, Value: p.Default})
		if err != nil {
			t.Fatal(err)
		}
		var s directive.Setting
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
		v, err := p.Check(s.Value)
		if err != nil || fact.Digest(v) != fact.Digest(p.Default) {
			t.Errorf("%s: %v came back as %v, %v", key, p.Default, v, err)
		}
	}
}

func TestEveryParameterIsShownInBothLanguages(t *testing.T) {
	for key, p := range shipped().Parameters {
		for _, l := range []bilingual.Lang{bilingual.JA, bilingual.EN} {
			empty := reflect.DeepEqual(p.Default, []any{})
			if s := p.Format(p.Default, l); (s == "") != empty {
				t.Errorf("%s in %s: %q", key, l, s)
			}
		}
	}
}

func TestOnlyTheDirectivesOwnValuesGoWithoutTheMark(t *testing.T) {
	var own []string
	for key, p := range shipped().Parameters {
		if p.Directive {
			own = append(own, key)
			if got := p.Mark().JA; got != "本要件の値" {
				t.Errorf("%s is marked %q", key, got)
			}
		} else if got := p.Mark().JA; got != "参考値（本システム既定）" {
			t.Errorf("%s is marked %q", key, got)
		}
	}
	slices.Sort(own)
	want := []string{
		"acct.shared.allowed", "defer.in_service_before", "out.cloud.items", "out.spec.by_class", "out.spec.items", "phys.wire.exempt_zone",
		"phys.zone.server.min", "phys.zone.server_c1only.min", "phys.zone.terminal.min", "tw.mfa",
	}
	if !slices.Equal(own, want) {
		t.Errorf("own values: %v, want %v", own, want)
	}
}

// The values the reading of the directive proposes, where it gives one.
func TestDefaultsAreThoseOfTheReading(t *testing.T) {
	ps := shipped().Parameters
	day := 24 * time.Hour
	for key, want := range map[string]any{
		"fresh.time": day, "fresh.malware": 3 * day, "fresh.log": day, "fresh.account": 7 * day, "fresh.crypto": 7 * day, "fresh.config": 7 * day,
		"fresh.vuln": 7 * day, "fresh.offline": 35 * day, "fresh.attest.physical": 365 * day, "fresh.doc": 365 * day, "fresh.judgement": 730 * day,
		"phys.zone.server.min": int64(3), "phys.zone.server_c1only.min": int64(2), "phys.zone.terminal.min": int64(2), "phys.inspect.months": 365 * day,
		"auth.pw.min_length": int64(12), "auth.pw.classes": int64(3), "auth.pw.max_age_days": int64(0), "auth.pw.history": int64(10),
		"auth.lockout.threshold": int64(5), "auth.lockout.window": 15 * time.Minute, "auth.lockout.duration": 10 * time.Minute,
		"auth.session.lock_min.terminal": 10 * time.Minute, "auth.session.lock_min.admin": 5 * time.Minute, "auth.session.lock_min.server": 5 * time.Minute,
		"acct.shared.allowed": false, "acct.disable.leaver": day, "acct.disable.inactive_days": 90 * day, "acct.review_months": 180 * day,
		"acct.admin.max_per_system": int64(5), "crypto.tls.profile": "recommended",
		"time.max_offset_ms.network": time.Second, "time.max_offset_ms.server": time.Second, "time.max_offset_ms.correlation": 100 * time.Millisecond,
		"time.max_unsynced_h": day, "net.monitor.coverage": int64(100), "srv.capacity_alarm": int64(80),
		"vuln.deadline.critical": 15 * day, "vuln.deadline.high": 30 * day, "vuln.deadline.medium": 60 * day, "vuln.deadline.low": 90 * day, "vuln.deadline.exploited": 3 * day,
		"db.detect.bulk_rows": int64(1000), "db.encrypt_if_conf": int64(2),
		"av.definition_max_age_days.online": day, "av.definition_max_age_days.closed": 7 * day, "av.fullscan_days.terminal": 7 * day, "av.fullscan_days.server": 30 * day,
		"mail.dmarc": "reject", "media.default": "deny", "media.loss_report": time.Hour, "log.retention.min": 365 * day, "log.online": 90 * day,
		"mob.screenlock_min": 5 * time.Minute, "mob.checkin_max_days": 7 * day, "phn.pin_min": int64(6), "phn.patch_max": 60 * day,
		"tw.byod": false, "tw.session_max_h": 12 * time.Hour, "tw.posture.patch_max": 30 * day,
		"out.incident.first": time.Hour, "out.incident.written": day, "reg.retention_years": 5 * 365 * day,
		"defer.max_months": 365 * day, "defer.progress_report": 90 * day, "defer.alarm_before": 60 * day,
		"defer.in_service_before": time.Date(2021, 10, 15, 0, 0, 0, 0, jst),
	} {
		p, ok := ps[key]
		if !ok {
			t.Errorf("no parameter %s", key)
			continue
		}
		if fact.Digest(p.Default) != fact.Digest(want) || reflect.TypeOf(p.Default) != reflect.TypeOf(want) {
			t.Errorf("%s defaults to %v (%T), want %v (%T)", key, p.Default, p.Default, want, want)
		}
	}
}

func TestKeysAreInOrderAndGroupsHoldEachOnce(t *testing.T) {
	d := shipped()
	keys := d.Parameters.Keys()
	if !slices.IsSorted(keys) || len(keys) != len(d.Parameters) {
		t.Error("Keys are not every key in order")
	}
	seen := map[string]string{}
	for _, g := range append(slices.Clone(d.Groups), d.Lifetimes) {
		for _, key := range g.Keys {
			if seen[key] != "" || d.Parameters[key].Group != g.ID {
				t.Errorf("%s is of group %s, and stands in %s and %q", key, d.Parameters[key].Group, g.ID, seen[key])
			}
			seen[key] = g.ID
		}
	}
	if len(seen) != len(keys) {
		t.Errorf("groups hold %d parameters of %d", len(seen), len(keys))
	}
}

func f(n float64) *float64 { return &n }

var options = []directive.Option{{Value: "loose"}, {Value: "middle"}, {Value: "strict"}}

func TestCheck(t *testing.T) {
	whole := directive.Parameter{Key: "k", Type: directive.Int, Least: f(8), Most: f(128)}
	number := directive.Parameter{Key: "k", Type: directive.Number, Most: f(1.5)}
	flag := directive.Parameter{Key: "k", Type: directive.Bool}
	span := directive.Parameter{Key: "k", Type: directive.Duration, Least: f(60), Most: f(86400)}
	text := directive.Parameter{Key: "k", Type: directive.Text}
	choice := directive.Parameter{Key: "k", Type: directive.Choice, Choices: options}
	open := directive.Parameter{Key: "k", Type: directive.List, Least: f(1), Most: f(3)}
	list := directive.Parameter{Key: "k", Type: directive.List, Choices: options}
	date := directive.Parameter{Key: "k", Type: directive.Date}
	newYear := time.Date(2031, 1, 1, 0, 0, 0, 0, jst)
	for _, c := range []struct {
		name string
		p    directive.Parameter
		in   any
		want any // nil: refused
	}{
		{"an int", whole, 12, int64(12)},
		{"an int64 at the lower bound", whole, int64(8), int64(8)},
		{"a float from JSON at the upper bound", whole, 128.0, int64(128)},
		{"a json.Number", whole, json.Number("12"), int64(12)},
		{"a number as text", whole, " 12 ", int64(12)},
		{"below the lower bound", whole, 7, nil},
		{"above the upper bound", whole, 129, nil},
		{"a fraction for an int", whole, 12.5, nil},
		{"a bool for an int", whole, true, nil},
		{"nothing for an int", whole, nil, nil},
		{"more than a float can hold whole", directive.Parameter{Type: directive.Int}, 1e17, nil},
		{"a number", number, 1.5, 1.5},
		{"too large a number", number, 1.6, nil},
		{"not a number", number, math.NaN(), nil},
		{"infinity as text", number, "-Inf", nil},
		{"a bool", flag, true, true},
		{"a bool as text", flag, "false", false},
		{"yes for a bool", flag, "yes", nil},
		{"a number for a bool", flag, 1, nil},
		{"a duration", span, time.Hour, time.Hour},
		{"a duration as text", span, "15m", 15 * time.Minute},
		{"a duration at its lower bound", span, "1m", time.Minute},
		{"a duration at its upper bound", span, "1d", 24 * time.Hour},
		{"a duration below", span, "59s", nil},
		{"a duration above", span, "24h1ms", nil},
		{"a duration below zero", directive.Parameter{Type: directive.Duration}, -time.Second, nil},
		{"a bare number for a duration", span, 3600, nil},
		{"text", text, " CRYPTREC ", "CRYPTREC"},
		{"empty text", text, "  ", nil},
		{"text that is too long", text, strings.Repeat("あ", 501), nil},
		{"text of the greatest length", text, strings.Repeat("あ", 500), strings.Repeat("あ", 500)},
		{"text that is not UTF-8", text, "\xff", nil},
		{"a choice", choice, "middle", "middle"},
		{"no such choice", choice, "other", nil},
		{"a list of texts", open, []string{"a", "b"}, []any{"a", "b"}},
		{"a list from JSON", open, []any{"a", " b "}, []any{"a", "b"}},
		{"a list as text", open, "a, b、c", []any{"a", "b", "c"}},
		{"a list as lines", open, "a\r\nb\n", []any{"a", "b"}},
		{"too short a list", open, []any{}, nil},
		{"too long a list", open, "a,b,c,d", nil},
		{"a list with one element twice", open, "a,b,a", nil},
		{"a list of numbers", open, []any{1}, nil},
		{"an empty list without a bound", list, []any{}, []any{}},
		{"a list of options", list, []any{"strict", "loose"}, []any{"strict", "loose"}},
		{"a list with what is no option", list, []any{"strict", "other"}, nil},
		{"a date", date, "2031-01-01", newYear},
		{"an instant within the day", date, "2030-12-31T15:00:00Z", newYear},
		{"a time within the day", date, time.Date(2031, 1, 1, 23, 59, 59, 0, jst), newYear},
		{"no date", date, "2031-02-30", nil},
		{"an unknown type", directive.Parameter{Type: "map"}, "x", nil},
	} {
		got, err := c.p.Check(c.in)
		if c.want == nil {
			var fault directive.Fault
			if !errors.As(err, &fault) || fault.Text.JA == "" || fault.Text.EN == "" {
				t.Errorf("%s: Check = %v, %v, want a fault in both languages", c.name, got, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(fact.Canonical(got), fact.Canonical(c.want)) || reflect.TypeOf(got) != reflect.TypeOf(c.want) {
			t.Errorf("%s: Check = %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}

func TestTightens(t *testing.T) {
	ps := directive.Parameters{}
	add := func(key string, typ directive.Type, stricter string, choices ...directive.Option) {
		ps[key] = directive.Parameter{Key: key, Type: typ, Stricter: stricter, Choices: choices}
	}
	add("int.higher", directive.Int, "higher")
	add("number.lower", directive.Number, "lower")
	add("bool.true", directive.Bool, "true")
	add("bool.false", directive.Bool, "false")
	add("bool.none", directive.Bool, "none")
	add("span.lower", directive.Duration, "lower")
	add("span.higher", directive.Duration, "higher")
	add("date.lower", directive.Date, "lower")
	add("choice.higher", directive.Choice, "higher", options...)
	add("choice.lower", directive.Choice, "lower", options...)
	add("list.subset", directive.List, "subset")
	add("list.superset", directive.List, "superset")
	add("text.none", directive.Text, "none")
	for _, c := range []struct {
		key          string
		upper, lower any
		want         bool
	}{
		{"int.higher", 12, 11, false},
		{"int.higher", 12, 12, true},
		{"int.higher", 12, 13, true},
		{"number.lower", 1.5, 1.6, false},
		{"number.lower", 1.5, 1.4, true},
		{"bool.true", false, true, true},
		{"bool.true", false, false, true},
		{"bool.true", true, false, false},
		{"bool.false", true, false, true},
		{"bool.false", true, true, true},
		{"bool.false", false, true, false},
		{"bool.none", true, true, true},
		{"bool.none", true, false, false},
		{"span.lower", "15m", "10m", true},
		{"span.lower", "15m", "16m", false},
		{"span.higher", "1y", "366d", true},
		{"span.higher", "1y", "12mo", false},
		{"date.lower", "2031-01-01", "2030-12-31", true},
		{"date.lower", "2031-01-01", "2031-01-02", false},
		{"choice.higher", "middle", "strict", true},
		{"choice.higher", "middle", "loose", false},
		{"choice.lower", "middle", "loose", true},
		{"choice.lower", "middle", "strict", false},
		{"list.subset", "a,b", "b", true},
		{"list.subset", "a,b", "b,a", true},
		{"list.subset", "a,b", "b,c", false},
		{"list.superset", "a,b", "a,b,c", true},
		{"list.superset", "a,b", "a,c", false},
		{"text.none", "x", "x", true},
		{"text.none", "x", "y", false},
		{"int.higher", 12, "many", false},
		{"int.higher", "many", 12, false},
		{"unknown", 1, 1, false},
	} {
		if got := ps.Tightens(c.key, c.upper, c.lower); got != c.want {
			t.Errorf("%s: %v under %v tightens %v, want %v", c.key, c.lower, c.upper, got, c.want)
		}
	}
}

func TestFormat(t *testing.T) {
	ps := shipped().Parameters
	for _, c := range []struct {
		key    string
		v      any
		ja, en string
	}{
		{"auth.pw.min_length", int64(12), "12文字", "12 characters"},
		{"acct.review_months", 180 * 24 * time.Hour, "6か月", "6 months"},
		{"acct.disable.inactive_days", 90 * 24 * time.Hour, "90日", "90 days"},
		{"acct.disable.leaver", 24 * time.Hour, "1日", "1 day"},
		{"acct.disable.leaver", 36 * time.Hour, "36時間", "36 hours"},
		{"time.max_offset_ms.network", time.Second, "1000ミリ秒", "1000 milliseconds"},
		{"srv.capacity_alarm", int64(80), "80％", "80%"},
		{"phys.zone.server.min", int64(3), "3", "3"},
		{"db.detect.bulk_median_factor", 2.5, "2.5倍", "2.5 times"},
		{"mob.mdm", true, "はい", "Yes"},
		{"mail.spf", "fail", "-all", "-all"},
		{"phys.inspect.items", []any{"wire", "lock"}, "セキュリティワイヤ、施錠", "Security wire, Lock"},
		{"defer.in_service_before", time.Date(2021, 10, 15, 0, 0, 0, 0, jst), "2021-10-15", "2021-10-15"},
		{"auth.pw.min_length", nil, "", ""},
	} {
		if got := ps[c.key].Format(c.v, bilingual.JA); got != c.ja {
			t.Errorf("%s: %q, want %q", c.key, got, c.ja)
		}
		if got := ps[c.key].Format(c.v, bilingual.EN); got != c.en {
			t.Errorf("%s: %q, want %q", c.key, got, c.en)
		}
	}
}
