package fleet_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	nation "kakusho/bench/fleet"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/kind"
)

// BenchmarkNation judges a generated body by all controls that ship with the
// program. KAKUSHO_SUBJECTS says how many subjects it has.
func BenchmarkNation(b *testing.B) {
	size, _ := strconv.Atoi(os.Getenv("KAKUSHO_SUBJECTS"))
	size = max(size, 3000)
	kinds, d := kind.Default(), directive.Default()
	controls := control.Default(kinds, d)
	rules, err := judge.Rules(controls, kinds, d)
	if err != nil {
		b.Fatal(err)
	}
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	body := nation.New(1, size, at, kinds, controls)
	terms := fleet.Terms{Rules: rules, Parameters: d.Parameters, Settings: body.Settings(d.Parameters)}
	f := fleet.New(kinds, terms)
	pairs := 0
	by := map[string]int{}
	for _, r := range rules {
		for _, k := range r.Control().Kinds {
			by[k]++
		}
	}
	start := time.Now()
	for s := range body.Subjects() {
		pairs += by[s.Ref.Kind()]
		f.Put(s)
	}
	b.Logf("%d subjects, %d pairs, put in %v", size, pairs, time.Since(start))
	start = time.Now()
	f.Judge(at)
	b.Logf("cold %v, %d evaluations", time.Since(start), f.Evaluations())
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			f.Again()
			f.Judge(at)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(pairs), "ns/pair")
	})
	b.Run("hour", func(b *testing.B) {
		for b.Loop() {
			at = at.Add(time.Hour)
			f.Judge(at)
		}
	})
	b.Logf("%d evaluations", f.Evaluations())
}
