package fleet_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/kind"
	"kakusho/rule"
	"kakusho/rule/weigh"
	"kakusho/verdict"
)

// pairwise holds what a fleet holds and judges it the slow way: every pair by
// judge.Rule.Judge, and the rules of bare controls by cel-go as one program.
type pairwise struct {
	kinds    kind.Set
	terms    fleet.Terms
	subjects map[fact.Ref]fleet.Subject
	plain    map[string]*plainRule // by control; nil: not bare

	pairs, evaluated int // compared with Judge, with plain cel-go
	seen             map[verdict.Outcome]int
}

// plainRule is the whole rule of a control over which nothing can lie.
type plainRule struct {
	schema *rule.Schema
	whole  cel.Program
}

func newPairwise(kinds kind.Set, terms fleet.Terms) *pairwise {
	w := &pairwise{kinds: kinds, subjects: map[fact.Ref]fleet.Subject{}, seen: map[verdict.Outcome]int{}}
	w.hold(terms)
	return w
}

func (w *pairwise) hold(terms fleet.Terms) {
	w.terms, w.plain = terms, map[string]*plainRule{}
	schemas := map[string]*rule.Schema{}
	for _, r := range terms.Rules {
		c := r.Control()
		if c.Applies != "true" || len(c.Exceptions) > 0 || c.Missing != "" || c.Empty != "ok" {
			continue
		}
		key := fmt.Sprint(c.Kinds, c.Record != nil)
		if schemas[key] == nil {
			schemas[key] = schemaOf(w.kinds, terms.Parameters, c.Kinds, c.Record != nil)
		}
		if p, faults := schemas[key].Plan(c.Rule, 0); len(faults) == 0 {
			w.plain[c.ID] = &plainRule{schemas[key], p.Whole}
		}
	}
}

func schemaOf(kinds kind.Set, params directive.Parameters, ids []string, answer bool) *rule.Schema {
	var ks []kind.Kind
	for _, id := range ids {
		ks = append(ks, kinds[id])
	}
	s, err := rule.NewSchema(ks, params, answer)
	if err != nil {
		panic(err)
	}
	return s
}

// recall finds the cells of a subject for a fleet that keeps none.
func (w *pairwise) recall(ref fact.Ref) (judge.Subject, bool) {
	s, ok := w.subjects[ref]
	return s.Subject, ok
}

func (w *pairwise) refs() []fact.Ref { return slices.Sorted(maps.Keys(w.subjects)) }

// of lists the rules about the subject's kind, in the order of the terms.
func (w *pairwise) of(ref fact.Ref) (rules []*judge.Rule) {
	for _, r := range w.terms.Rules {
		if slices.Contains(r.Control().Kinds, ref.Kind()) {
			rules = append(rules, r)
		}
	}
	return rules
}

func (w *pairwise) params(s fleet.Subject, at time.Time) directive.Values {
	return w.terms.Parameters.Resolve(w.terms.Settings, s.Scope, at)
}

// judge judges one pair, asking for conditions what posture asks.
func (w *pairwise) judge(r *judge.Rule, s fleet.Subject, p directive.Values, at time.Time, asking []string) verdict.Verdict {
	return r.Judge(s.Subject, p, at, func(c decision.Condition) verdict.Outcome {
		id := c.Control
		i := slices.IndexFunc(w.terms.Rules, func(r *judge.Rule) bool { return r.Control().ID == id })
		if i < 0 || slices.Contains(asking, id) {
			return verdict.Unknown
		}
		var outcomes []verdict.Outcome
		for _, ref := range w.near(s) {
			other := w.subjects[ref]
			if slices.Contains(w.terms.Rules[i].Control().Kinds, ref.Kind()) {
				v := w.judge(w.terms.Rules[i], other, w.params(other, at).With(w.terms.Parameters, c.With), at, append(slices.Clone(asking), id))
				outcomes = append(outcomes, v.Outcome)
			}
		}
		return verdict.RollUp(outcomes...)
	})
}

// near lists a subject and what belongs to its system.
func (w *pairwise) near(s fleet.Subject) []fact.Ref {
	out := []fact.Ref{s.Ref}
	for _, ref := range w.refs() {
		if s.System != "" && ref != s.Ref && w.subjects[ref].System == s.System {
			out = append(out, ref)
		}
	}
	return out
}

// outcome is what one pair comes to at an instant, with everything known then.
func (w *pairwise) outcome(ref fact.Ref, r *judge.Rule, at time.Time) verdict.Outcome {
	s := w.subjects[ref]
	return w.judge(r, s, w.params(s, at), at, nil).Outcome
}

// compare judges everything both ways and says where they differ. It returns
// instants at which a verdict changes by time alone.
func (w *pairwise) compare(t testing.TB, o *fleet.Outcomes, at time.Time) (turns []time.Time) {
	t.Helper()
	if !o.At().Equal(at) {
		t.Fatalf("outcomes are of %v, want %v", o.At(), at)
	}
	for _, ref := range w.refs() {
		s := w.subjects[ref]
		p := w.params(s, at)
		rules := w.of(ref)
		row := 0
		for r, got := range o.Row(ref) {
			if row >= len(rules) || rules[row] != r {
				t.Fatalf("%s: row %d is %s, not in the order of the terms", ref, row, r.Control().ID)
			}
			row++
			if again, ok := o.Of(ref, r.Control().ID); !ok || again != got {
				t.Fatalf("%s: Row says %q, Of %q, %v", ref, got, again, ok)
			}
			v := w.judge(r, s, p, at, nil)
			w.pairs++
			w.seen[v.Outcome]++
			if got != v.Outcome {
				t.Fatalf("at %v the fleet says %q, Judge %q\n%s", at, got, v.Outcome, w.describe(s, r, p, v))
			}
			w.evaluate(t, s, r, p, at, got)
			if !v.NextChange.IsZero() {
				turns = append(turns, v.NextChange)
			}
		}
		if row != len(rules) {
			t.Fatalf("%s: %d outcomes for %d rules", ref, row, len(rules))
		}
	}
	w.compareColumns(t, o)
	return turns
}

// evaluate holds an outcome against the rule as one program of plain cel-go.
func (w *pairwise) evaluate(t testing.TB, s fleet.Subject, r *judge.Rule, p directive.Values, at time.Time, got verdict.Outcome) {
	t.Helper()
	c := r.Control()
	pl := w.plain[c.ID]
	if pl == nil || slices.ContainsFunc(s.Decisions, func(d decision.Decision) bool { return d.Type.NeedsApproval() }) {
		return
	}
	for _, n := range c.Needs {
		if s.Facts[n].Fact.Status == fact.Truncated || s.Declared[n].Fact.Status == fact.Truncated {
			return // of what was seen of a list the plan makes more than cel-go, which has no such thing
		}
	}
	m := &weigh.Matter{
		Schema: pl.schema, Control: c, Subject: s.Ref, Facts: s.Facts, Declared: s.Declared,
		Decisions: s.Decisions, Params: p, At: at,
	}
	v, fault := m.Scale(at).Value(pl.whole)
	w.evaluated++
	ok := got == verdict.Error
	switch x := v.(type) {
	case types.Bool:
		ok = got == map[bool]verdict.Outcome{true: verdict.Conforms, false: verdict.Violates}[bool(x)]
	case *types.Unknown:
		ok = got == verdict.Unknown || got == verdict.Undecided || got == verdict.NotApplicable
	}
	if !ok {
		t.Fatalf("at %v the fleet says %q, plain cel-go %v %s\n%s", at, got, v, fault, w.describe(s, r, p, verdict.Verdict{}))
	}
}

// compareColumns holds Each and Count against Of.
func (w *pairwise) compareColumns(t testing.TB, o *fleet.Outcomes) {
	t.Helper()
	group := func(ref fact.Ref) int { return len(ref) % 3 }
	for _, r := range w.terms.Rules {
		id := r.Control().ID
		want := make([][9]int, 3)
		n := 0
		for ref, got := range o.Each(id) {
			of, ok := o.Of(ref, id)
			if _, held := w.subjects[ref]; !ok || of != got || !held {
				t.Fatalf("%s of %s: Each says %q, Of %q, %v; held: %v", id, ref, got, of, ok, held)
			}
			n++
			want[group(ref)][slices.Index(verdict.Outcomes, got)]++
		}
		about := 0
		for ref := range w.subjects {
			if slices.Contains(r.Control().Kinds, ref.Kind()) {
				about++
			}
		}
		if n != about {
			t.Fatalf("%s: Each gives %d of %d subjects", id, n, about)
		}
		if got := o.Count(id, 3, group); !slices.Equal(got, want) {
			t.Fatalf("%s: Count %v, want %v", id, got, want)
		}
	}
}

// describe shows a pair so that a difference can be understood and repeated.
func (w *pairwise) describe(s fleet.Subject, r *judge.Rule, p directive.Values, v verdict.Verdict) string {
	c := r.Control()
	var b strings.Builder
	fmt.Fprintf(&b, "%s by %s (%v) missing=%q empty=%q\nrule    %s\napplies %s\n", s.Ref, c.ID, c.Kinds, c.Missing, c.Empty, c.Rule, c.Applies)
	for _, x := range c.Exceptions {
		fmt.Fprintf(&b, "except  %s\n", x.When)
	}
	fmt.Fprintf(&b, "system %q scope %+v in service %v\n", s.System, s.Scope, s.InServiceOn)
	for _, n := range c.Needs {
		for layer, cells := range map[string]map[string]judge.Cell{"s": s.Facts, "d": s.Declared} {
			if cell, ok := cells[n]; ok {
				fmt.Fprintf(&b, "%s.%s = %s %#v observed %v fresh %q\n", layer, n, cell.Fact.Status, cell.Fact.Value, cell.ObservedAt, cell.Fresh)
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "p.%s = %v (%s) next %v\n", k, p[k].Value, p[k].Layer, p[k].Next)
	}
	for _, d := range s.Decisions {
		fmt.Fprintf(&b, "decision %+v\n", d)
	}
	for _, rs := range v.Reasons {
		fmt.Fprintf(&b, "reason %s %s %v %s %s\n", rs.Code, rs.Text, rs.Value, rs.Expected, rs.Detail)
	}
	return b.String()
}
