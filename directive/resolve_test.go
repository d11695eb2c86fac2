package directive_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/directive"
	"kakusho/fact"
)

var (
	noon  = time.Date(2026, 4, 1, 12, 0, 0, 0, jst)
	later = noon.Add(30 * 24 * time.Hour)
	end   = noon.Add(60 * 24 * time.Hour)
	scope = directive.Scope{Prefecture: "13", System: "SYS-1"}
)

func set(id, key, layer string, v any, from, until time.Time) directive.Setting {
	return directive.Setting{ID: id, Key: key, Layer: layer, Value: v, From: from, Until: until}
}

const length = "auth.pw.min_length" // default 12, higher is stricter, 8 to 128

func TestResolveAroundEachInstant(t *testing.T) {
	var open time.Time
	settings := []directive.Setting{
		set("N", length, "national", 14, noon, end),
		set("P", length, "prefecture/13", 16, later, open),
		set("other", length, "prefecture/27", 40, open, open),
		set("elsewhere", length, "system/SYS-2", 50, open, open),
	}
	s := time.Second
	for _, c := range []struct {
		name    string
		at      time.Time
		value   int64
		layer   string
		setting string
		next    time.Time
	}{
		{"a second before the national value", noon.Add(-s), 12, "default", "", noon},
		{"as the national value begins", noon, 14, "national", "N", later},
		{"a second later", noon.Add(s), 14, "national", "N", later},
		{"a second before the prefecture's", later.Add(-s), 14, "national", "N", later},
		{"as the prefecture's begins", later, 16, "prefecture/13", "P", open},
		{"a second after that", later.Add(s), 16, "prefecture/13", "P", open},
		{"a second before the national value ends", end.Add(-s), 16, "prefecture/13", "P", open},
		{"as the national value ends, the prefecture's goes on", end, 16, "prefecture/13", "P", open},
		{"a second after the end", end.Add(s), 16, "prefecture/13", "P", open},
	} {
		v := shipped().Parameters.Resolve(settings, scope, c.at)[length]
		if v.Value != c.value || v.Layer != c.layer || v.Setting != c.setting || !v.Next.Equal(c.next) || len(v.Ignored) > 0 {
			t.Errorf("%s: %+v, want %v of %s by %q, next %v", c.name, v, c.value, c.layer, c.setting, c.next)
		}
	}
}

func TestResolveTellsWhenTheWinnerHolds(t *testing.T) {
	v := shipped().Parameters.Resolve([]directive.Setting{set("N", length, "national", 14, noon, end)}, scope, later)[length]
	if !v.From.Equal(noon) || !v.Until.Equal(end) || !v.Next.Equal(end) {
		t.Errorf("from %v until %v next %v, want %v, %v, %v", v.From, v.Until, v.Next, noon, end, end)
	}
}

func TestResolveLayers(t *testing.T) {
	var open time.Time
	for _, c := range []struct {
		name     string
		settings []directive.Setting
		value    any
		layer    string
		ignored  string
	}{
		{"nobody set anything", nil, int64(12), "default", ""},
		{"the national layer may loosen a reference value", []directive.Setting{set("N", length, "national", 10, open, open)}, int64(10), "national", ""},
		{"but not below the bound", []directive.Setting{set("N", length, "national", 7, open, open)}, int64(12), "default", "N"},
		{"a value of the wrong type counts for nothing", []directive.Setting{set("N", length, "national", "long", open, open)}, int64(12), "default", "N"},
		{"a prefecture may not loosen the reference value", []directive.Setting{set("P", length, "prefecture/13", 11, open, open)}, int64(12), "default", "P"},
		{"a prefecture may not loosen the national value", []directive.Setting{
			set("N", length, "national", 14, open, open), set("P", length, "prefecture/13", 13, open, open)}, int64(14), "national", "P"},
		{"a system may tighten past both", []directive.Setting{
			set("N", length, "national", 14, open, open), set("P", length, "prefecture/13", 15, open, open), set("S", length, "system/SYS-1", 20, open, open)}, int64(20), "system/SYS-1", ""},
		{"a system is measured against the nearest value that counts", []directive.Setting{
			set("N", length, "national", 14, open, open), set("P", length, "prefecture/13", 13, open, open), set("S", length, "system/SYS-1", 14, open, open)}, int64(14), "system/SYS-1", "P"},
		{"a looser system value is ignored", []directive.Setting{
			set("P", length, "prefecture/13", 16, open, open), set("S", length, "system/SYS-1", 15, open, open)}, int64(16), "prefecture/13", "S"},
		{"the later beginning supersedes", []directive.Setting{
			set("new", length, "national", 18, noon, open), set("old", length, "national", 20, open, open)}, int64(18), "national", ""},
		{"a superseding value that is ignored does not bring the old one back", []directive.Setting{
			set("old", length, "prefecture/13", 16, open, open), set("new", length, "prefecture/13", 9, noon, open)}, int64(12), "default", "new"},
	} {
		v := shipped().Parameters.Resolve(c.settings, scope, later)[length]
		if v.Value != c.value || v.Layer != c.layer || strings.Join(v.Ignored, ",") != c.ignored {
			t.Errorf("%s: %+v, want %v of %s, ignoring %q", c.name, v, c.value, c.layer, c.ignored)
		}
	}
}

func TestTheLatestEntryWinsAmongEqualBeginnings(t *testing.T) {
	a, b := set("a", length, "national", 20, noon, time.Time{}), set("b", length, "national", 15, noon, time.Time{})
	a.Entry, b.Entry = 7, 8
	for _, settings := range [][]directive.Setting{{a, b}, {b, a}} {
		if v := shipped().Parameters.Resolve(settings, scope, noon)[length]; v.Setting != "b" {
			t.Errorf("%s won, want b, whatever the order", v.Setting)
		}
	}
}

func TestNoLayerLoosensTheDirectivesOwnValue(t *testing.T) {
	const byod, classKey = "tw.mfa", "phys.zone.terminal.min"
	settings := []directive.Setting{
		set("N", byod, "national", false, time.Time{}, time.Time{}),
		set("C", classKey, "national", 3, time.Time{}, time.Time{}),
	}
	vs := shipped().Parameters.Resolve(settings, scope, noon)
	if v := vs[byod]; v.Value != true || !slices.Equal(v.Ignored, []string{"N"}) {
		t.Errorf("multi-factor authentication could be switched off: %+v", v)
	}
	if v := vs[classKey]; v.Value != int64(3) || v.Layer != "national" {
		t.Errorf("the class could not be raised: %+v", v)
	}
}

func TestWhereNoDirectionIsStricterOnlyTheNationalLayerDecides(t *testing.T) {
	const key = "auth.pw.max_age_days"
	prefecture := set("P", key, "prefecture/13", 90, time.Time{}, time.Time{})
	vs := shipped().Parameters.Resolve([]directive.Setting{prefecture}, scope, noon)
	if v := vs[key]; v.Value != int64(0) || !slices.Equal(v.Ignored, []string{"P"}) {
		t.Errorf("a prefecture changed it: %+v", v)
	}
	national := set("N", key, "national", 90, time.Time{}, time.Time{})
	if v := shipped().Parameters.Resolve([]directive.Setting{national}, scope, noon)[key]; v.Value != int64(90) {
		t.Errorf("the national layer could not: %+v", v)
	}
}

func TestANarrowScopeSeesOnlyItsLayers(t *testing.T) {
	settings := []directive.Setting{
		set("P", length, "prefecture/", 40, time.Time{}, time.Time{}),
		set("S", length, "system/SYS-1", 20, time.Time{}, time.Time{}),
		set("odd", length, "city/1", 60, time.Time{}, time.Time{}),
		set("unknown", "no.such.key", "national", 1, time.Time{}, time.Time{}),
	}
	ps := shipped().Parameters
	if v := ps.Resolve(settings, directive.Scope{}, noon)[length]; v.Value != int64(12) || len(v.Ignored) > 0 {
		t.Errorf("without a scope: %+v", v)
	}
	if v := ps.Resolve(settings, directive.Scope{System: "SYS-1"}, noon)[length]; v.Value != int64(20) {
		t.Errorf("without a prefecture: %+v", v)
	}
	if got := len(ps.Resolve(settings, scope, noon)); got != len(ps) {
		t.Errorf("%d values for %d parameters", got, len(ps))
	}
}

func TestListsAndDurationsResolveFromJSON(t *testing.T) {
	var settings []directive.Setting
	for _, s := range []directive.Setting{
		set("L", "crypto.disk.method", "prefecture/13", []any{"luks2"}, time.Time{}, time.Time{}),
		set("D", "auth.lockout.window", "prefecture/13", 90*time.Minute+1500*time.Millisecond, time.Time{}, time.Time{}),
		set("T", "crypto.strength.change_on", "prefecture/13", time.Date(2030, 4, 1, 0, 0, 0, 0, jst), time.Time{}, time.Time{}),
	} {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back directive.Setting
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		settings = append(settings, back)
	}
	vs := shipped().Parameters.Resolve(settings, scope, noon)
	for key, want := range map[string]any{
		"crypto.disk.method": []any{"luks2"}, "auth.lockout.window": 90*time.Minute + 1500*time.Millisecond,
		"crypto.strength.change_on": time.Date(2030, 4, 1, 0, 0, 0, 0, jst),
	} {
		if v := vs[key]; v.Layer != "prefecture/13" || fact.Digest(v.Value) != fact.Digest(want) {
			t.Errorf("%s: %+v, want %v", key, v, want)
		}
	}
}

// Whatever is set, Next is the first instant the answer differs: walking from
// Next to Next finds the same answers as asking at every second.
func TestNextLeavesOutNoChange(t *testing.T) {
	at := func(second int) time.Time { return noon.Add(time.Duration(second) * time.Second) }
	settings := []directive.Setting{
		set("a", length, "national", 14, at(2), at(9)),
		set("b", length, "national", 13, at(4), at(6)),
		set("c", length, "prefecture/13", 14, at(3), at(12)),
		set("d", length, "system/SYS-1", 13, at(1), at(8)),
		set("e", length, "system/SYS-1", 15, at(5), at(7)),
	}
	ps := directive.Parameters{length: shipped().Parameters[length]}
	ask := func(t time.Time) directive.Value { return ps.Resolve(settings, scope, t)[length] }
	now := ask(at(0))
	changes := 0
	for second := 1; second <= 14; second++ {
		v := ask(at(second))
		same := v.Setting == now.Setting && slices.Equal(v.Ignored, now.Ignored)
		if due := now.Next.Equal(at(second)); due == same {
			t.Errorf("second %d: changed %v, and the change was announced %v", second, !same, due)
		}
		if !same {
			changes++
		}
		now = v
	}
	if changes < 6 || !now.Next.IsZero() {
		t.Errorf("%d changes, last next %v", changes, now.Next)
	}
}

func BenchmarkResolve(b *testing.B) {
	ps := shipped().Parameters
	settings := []directive.Setting{set("N", length, "national", 14, noon, end), set("P", length, "prefecture/13", 16, later, end)}
	for b.Loop() {
		ps.Resolve(settings, scope, noon)
	}
}
