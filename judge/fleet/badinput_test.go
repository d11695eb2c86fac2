package fleet_test

import (
	"strings"
	"testing"
	"time"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/kind"
)

// TestBadInputInAFleet gives values no register could hold, and rules that fail or
// do not compile: the fleet says of each what Judge says, and judges the rest.
func TestBadInputInAFleet(t *testing.T) {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	most := int64(100)
	label := bilingual.Say("項", "Field")
	seen := []kind.Layer{kind.Observed}
	kinds := kind.Set{"thing": {ID: "thing", Fields: []kind.Field{
		{Name: "n", Type: kind.Int, Label: label, Layers: seen, Group: "g", Least: new(int64), Most: &most},
		{Name: "w", Type: kind.String, Label: label, Layers: seen, Group: "g", Max: 20},
		{Name: "l", Type: kind.List, Label: label, Layers: seen, Group: "g", Max: 4},
		{Name: "r", Type: kind.List, Label: label, Layers: seen, Group: "g", Max: 20_000, Of: []kind.Field{{Name: "w", Type: kind.String, Label: label}, {Name: "n", Type: kind.Int, Label: label, Least: new(int64)}}},
	}}}
	var records []any
	for range 20_000 {
		records = append(records, map[string]any{"w": "nvme" + strings.Repeat("0", 300), "n": int64(-1)})
	}
	var controls []control.Control
	for i, c := range []struct{ text, needs string }{
		{"100 / s.n > 3", "n"}, {"s.n < 50", "n"}, {`s.w != "x"`, "w"}, {`s.l.all(x, x != "x")`, "l"}, {"size(s.l) < 3", "l"}, {`s.l[2] == "c"`, "l"}, {"s.r.all(x, x.n < 5)", "r"},
		{"s.r.filter(x, x.n < 5).size() < 5", "r"}, {`s.r.filter(v, v.w.matches("^(sd|hd|vd|xvd|nvme)[a-z0-9]+p?[0-9]*$") || v.w.endsWith("0")).size() + 1 > 2`, "r"},
		{"s.misspelt", "n"}, {`s.n == "x"`, "n"}, {`"a" in s.l && s.n > 3`, "l n"},
	} {
		id := "area/" + string(rune('a'+i))
		controls = append(controls, control.Control{ID: id, Dir: id, Clauses: []clause.ID{"npa-r3@2.3.1"}, Kinds: []string{"thing"}, Applies: "true", Rule: c.text, Needs: strings.Fields(c.needs), Title: label})
	}
	rules, err := judge.Rules(controls, kinds, &directive.Directive{})
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Fatalf("faults %v, want those of two rules", err)
	}
	f := fleet.New(kinds, fleet.Terms{Rules: rules})
	subjects := map[fact.Ref]judge.Subject{}
	for name, facts := range map[string]map[string]any{
		"nothing": {}, "good": {"n": int64(7), "w": "y", "l": []any{"a", "b", "c"}, "r": records[:3]}, "zero": {"n": int64(0), "l": []any{}, "r": []any{}},
		"below": {"n": int64(-1)}, "above": {"n": int64(101)}, "edge": {"n": int64(100), "w": strings.Repeat("x", 20), "l": []any{"a", "b", "c", "d"}},
		"long": {"w": strings.Repeat("x", 21), "l": []any{"a", "b", "c", "d", "e"}, "r": append(records, records[0])}, "dear": {"r": records},
		"mistyped": {"n": "7", "w": int64(7), "l": []any{int64(1)}, "r": []any{"x"}}, "odd": {"n": struct{}{}, "w": []any{}, "l": "a", "r": map[string]any{}},
	} {
		s := judge.Subject{Ref: fact.NewRef("thing", name), Facts: map[string]judge.Cell{}}
		for field, v := range facts {
			s.Facts[field] = judge.Cell{Fact: fact.Fact{Field: field, Status: fact.Observed, Value: v}, ObservedAt: at}
		}
		subjects[s.Ref] = s
		f.Put(fleet.Subject{Subject: s})
	}
	out := f.Judge(at)
	for ref, s := range subjects {
		for _, r := range rules {
			want := r.Judge(s, directive.Values{}, at, nil)
			if got, ok := out.Of(ref, r.Control().ID); !ok || got != want.Outcome {
				t.Errorf("%s by %s: %q (%v), Judge says %q: %+v", ref, r.Control().Rule, got, ok, want.Outcome, want.Reasons)
			}
		}
	}
}
