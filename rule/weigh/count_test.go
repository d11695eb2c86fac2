package weigh_test

import (
	"testing"
	"time"

	"kakusho/fact"
	"kakusho/rule/ruletest"
	"kakusho/rule/weigh"
)

// TestACountEndsWithWhatHidesIgnorance: an element that counts although part of it
// is unknown makes the count unknown as soon as what decided it is over, however
// many other elements there are.
func TestACountEndsWithWhatHidesIgnorance(t *testing.T) {
	s, soon := schema(t), ruletest.At.Add(time.Minute)
	m := matter(ruletest.New(seed), s)
	cell := func(name string, v any) weigh.Cell {
		return weigh.Cell{Fact: fact.Fact{Field: name, Status: fact.Observed, Value: v}, ObservedAt: ruletest.At}
	}
	m.Facts = map[string]weigh.Cell{
		"l2": cell("l2", []any{"a"}),
		"r1": cell("r1", []any{map[string]any{"t": soon}, map[string]any{"w": "a", "t": soon}, map[string]any{"w": "a", "t": soon}}),
	}
	for _, text := range []string{
		"s.r1.filter(v, v.w in s.l2 || v.t > now).size() >= 1",
		"s.r1.filter(v, !(!(v.w in s.l2) && v.t <= now)).size() >= 1",
		"s.r1.filter(v, v.t > now ? true : v.w in s.l2).size() >= 1",
	} {
		p := plan(t, s, text)
		now, then := again(m).Scale(ruletest.At).Weigh(p.Root, +1), again(m).Scale(soon).Weigh(p.Root, +1)
		if now.Truth != weigh.Yes || then.Truth != weigh.Unsure || !now.Until.Equal(soon) {
			t.Errorf("%s: %d until %v, then %d; want true until %v, then unsure", text, now.Truth, now.Until, then.Truth, soon)
		}
	}
}
