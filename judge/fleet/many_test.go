package fleet_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"kakusho/control"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/rule/ruletest"
)

// crowd makes so many things that no two have the same numbers, instants and
// lists: tables over them are searched, not asked about value by value.
func crowd(g ruletest.Gen, n int) (out []fleet.Subject) {
	for i := range n {
		s := fleet.Subject{Subject: judge.Subject{Ref: fact.NewRef("thing", fmt.Sprint(i)), Facts: g.Cells(), Declared: g.Cells()}}
		for _, cells := range []map[string]judge.Cell{s.Facts, s.Declared} {
			for name, c := range cells {
				c.Fact.Value = apart(g.Rand, c.Fact.Value)
				cells[name] = c
			}
		}
		out = append(out, s)
	}
	return out
}

// apart is a value of the same type that hardly any other is equal to.
func apart(r *rand.Rand, v any) any {
	switch v := v.(type) {
	case int64:
		return v*100 - 150 + r.Int64N(100)
	case float64:
		return v + r.Float64() - 0.5
	case time.Time:
		return v.Add(time.Duration(r.Int64N(int64(30 * time.Hour))))
	case time.Duration:
		return v + time.Duration(r.Int64N(int64(10*time.Hour)))
	case string:
		if r.IntN(2) == 0 {
			return v + fmt.Sprint(r.IntN(100))
		}
	case []any:
		list := []any{}
		for _, x := range v {
			list = append(list, apart(r, x))
		}
		return list
	case map[string]any:
		record := map[string]any{}
		for name, x := range v {
			record[name] = apart(r, x)
		}
		return record
	}
	return v
}

// TestACrowdAgreesWithJudge holds every pair against Judge where dictionaries are
// large, while the clock goes on and back and values come.
func TestACrowdAgreesWithJudge(t *testing.T) {
	for seed := range uint64(rounds(1)) {
		g := ruletest.New(seed + 900)
		var rules []*judge.Rule
		for i := range 30 {
			rules = append(rules, ruleOf(t, fmt.Sprintf("many/%d", i), g.Expr(2).String(), func(c *control.Control) {
				c.Missing = []control.Missing{"", "", control.MissingViolates, control.MissingNotApplicable}[i%4]
				c.Empty = []string{"ok", ""}[i%2]
			}))
		}
		all := crowd(g, 160)
		terms := fleet.Terms{Rules: rules, Parameters: ruletest.Params()}
		f := fleet.New(set(), terms)
		slow := newPairwise(set(), terms)
		come := func(some []fleet.Subject) {
			for _, s := range some {
				f.Put(s)
				slow.subjects[s.Ref] = s
			}
		}
		come(all[:100])
		for i, at := range []time.Duration{0, 3 * time.Hour, 3*time.Hour + time.Second, 40 * time.Hour, -time.Hour, 50 * time.Hour} {
			if i == 2 {
				come(all[100:110])
			}
			if i == 3 {
				come(all[110:])
			}
			slow.compare(t, f.Judge(ruletest.At.Add(at)), ruletest.At.Add(at))
			if i == 1 {
				f = f.Fork()
			}
		}
	}
}

// TestForksLiveBesideEachOther lets a fleet and its forks take in subjects and
// judge at different instants at the same time.
func TestForksLiveBesideEachOther(t *testing.T) {
	g := ruletest.New(77)
	var rules []*judge.Rule
	for i := range 12 {
		rules = append(rules, ruleOf(t, fmt.Sprintf("fork/%d", i), g.Expr(2).String(), nil))
	}
	terms := fleet.Terms{Rules: rules, Parameters: ruletest.Params()}
	f := fleet.New(set(), terms)
	all := crowd(g, 200)
	for _, s := range all[:60] {
		f.Put(s)
	}
	f.Judge(ruletest.At)
	var wait sync.WaitGroup
	for i := range 4 {
		fork, slow := f.Fork(), newPairwise(set(), terms)
		wait.Go(func() {
			at := ruletest.At.Add(time.Duration(i) * 7 * time.Hour)
			for n, s := range all[:80+30*i] {
				fork.Put(s)
				slow.subjects[s.Ref] = s
				if n%20 == 0 {
					fork.Judge(at)
				}
			}
			slow.compare(t, fork.Judge(at), at)
		})
	}
	wait.Wait()
}
