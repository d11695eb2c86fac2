package fleet_test

import (
	"fmt"
	"reflect"
	"strconv"
	"testing"
	"time"

	nation "kakusho/bench/fleet"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/kind"
	"kakusho/verdict"
)

var at = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func body(size int) *nation.Body {
	kinds, d := kind.Default(), directive.Default()
	return nation.New(4, size, at, kinds, control.Default(kinds, d))
}

func TestTheSameSeedGivesTheSameBody(t *testing.T) {
	a, b := body(2000), body(2000)
	for _, i := range []int{0, 1, 700, 1999} {
		if x, y := a.Subject(i), b.Subject(i); !reflect.DeepEqual(x, y) {
			t.Fatalf("subject %d differs: %s and %s", i, x.Ref, y.Ref)
		}
	}
	one := a.Subject(700)
	if want, _ := strconv.Atoi(one.Scope.Prefecture); nation.Group(one.Ref) != want {
		t.Errorf("%s is of group %d, want %d", one.Ref, nation.Group(one.Ref), want)
	}
	if found, ok := a.Find(one.Ref); !ok || !reflect.DeepEqual(found, one) {
		t.Errorf("%s is not found again", one.Ref)
	}
	if _, ok := a.Find("computer/PC-1"); ok {
		t.Error("what nobody made is found")
	}
	n, refs := map[string]int{}, map[fact.Ref]bool{}
	for s := range a.Subjects() {
		refs[s.Ref] = true
		n[s.Ref.Kind()]++
	}
	if len(refs) != 2000 || n["computer"] != 2*870 || n["system"] != 20 {
		t.Errorf("%d subjects: %v", len(refs), n)
	}
}

// Every value is one that the register or intake would take.
func TestEveryValueFitsItsField(t *testing.T) {
	kinds := kind.Default()
	for s := range body(400).Subjects() {
		k := kinds[s.Ref.Kind()]
		for layer, cells := range map[string]map[string]judge.Cell{"facts": s.Facts, "declared": s.Declared} {
			for name, c := range cells {
				f, ok := k.Field(name)
				if !ok {
					t.Fatalf("%s has no field %q (%s)", k.ID, name, layer)
				}
				if c.Fact.Status != fact.Observed {
					continue
				}
				if _, err := f.CheckObserved(c.Fact.Value); err != nil {
					t.Fatalf("%s.%s: %v", k.ID, name, err)
				}
			}
		}
	}
}

// The controls are not all met or all missed: most divide the body.
func TestTheControlsDivideTheBody(t *testing.T) {
	kinds, d := kind.Default(), directive.Default()
	rules, err := judge.Rules(control.Default(kinds, d), kinds, d)
	if err != nil {
		t.Fatal(err)
	}
	b := body(500)
	f := fleet.New(kinds, fleet.Terms{Rules: rules, Parameters: d.Parameters, Settings: b.Settings(d.Parameters)})
	hosts := map[string]bool{}
	for s := range b.Subjects() {
		f.Put(s)
		hosts[fmt.Sprint(s.Facts["machine_id"].Fact.Value)] = true
	}
	if len(hosts) < 400 {
		t.Errorf("%d machine IDs of 435 computers", len(hosts))
	}
	o, divided, about := f.Judge(b.At), 0, 0
	seen := map[verdict.Outcome]int{}
	for _, r := range rules {
		if r.Control().Kinds[0] != "computer" {
			continue
		}
		about++
		var n [9]int
		for _, counts := range o.Count(r.Control().ID, 1, func(fact.Ref) int { return 0 }) {
			n = counts
		}
		for i, x := range verdict.Outcomes {
			seen[x] += n[i]
		}
		if n[0] > 0 && n[7] > 0 {
			divided++
		}
	}
	t.Logf("%d of %d controls about computers divide them: %v", divided, about, seen)
	if divided < about*7/10 || seen[verdict.Error] > 0 {
		t.Errorf("%d of %d controls divide the body, %d errors", divided, about, seen[verdict.Error])
	}
}

func BenchmarkSubject(b *testing.B) {
	body := body(350_000)
	i := 0
	for b.Loop() {
		body.Subject(i % 350_000)
		i++
	}
}
