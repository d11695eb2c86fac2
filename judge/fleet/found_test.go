package fleet_test

import (
	"testing"
	"time"

	"kakusho/control"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/rule/ruletest"
)

// TestFound holds what the random histories once found, small.
func TestFound(t *testing.T) {
	at := ruletest.At
	r := ruleOf(t, "x/y", `s.r1.filter(v, v.w in s.l2 || v.t > now).size() >= 1`, func(c *control.Control) { c.Empty = "ok" })
	terms := fleet.Terms{Rules: []*judge.Rule{r}, Parameters: ruletest.Params()}
	f, slow := fleet.New(set(), terms), newPairwise(set(), terms)
	cell := func(name string, v any) judge.Cell {
		return judge.Cell{Fact: fact.Fact{Field: name, Status: fact.Observed, Value: v}, ObservedAt: at}
	}
	s := fleet.Subject{Subject: judge.Subject{Ref: "thing/1", Facts: map[string]judge.Cell{
		"l2": cell("l2", []any{"a"}), "r1": cell("r1", []any{map[string]any{"t": at.Add(time.Minute)}}),
	}}}
	f.Put(s)
	slow.subjects[s.Ref] = s
	for _, d := range []time.Duration{0, 59 * time.Second, time.Minute, time.Hour} {
		slow.compare(t, f.Judge(at.Add(d)), at.Add(d))
	}
}
