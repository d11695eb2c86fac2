package main

// judgeGoals are those of judging a whole nation (design G1, G2, G4–G8, G10–G12), at
// KAKUSHO_SUBJECTS of them; the bounds are for 350,000. G9, that nothing differs, is
// a test of judge/fleet. What one figure means is said in bench/peers.
func judgeGoals() (out []goal) {
	peers, nation := "BenchmarkPeers/", "BenchmarkNation/"
	for _, g := range []struct {
		name, metric, unit, op string
		bound                  float64
	}{
		{"again-against-go-by-hand", peers + "x-go-warm", "x", ">=", 10},
		{"again-against-cel-go", peers + "x-cel-warm", "x", ">=", 350},
		{"again-against-opa", peers + "x-opa-warm", "x", ">=", 3000},
		{"again-from-parts-against-go-by-hand", peers + "x-go-parts", "x", ">=", 10},
		{"again-from-parts-against-cel-go", peers + "x-cel-parts", "x", ">=", 350},
		{"again-from-parts-against-opa", peers + "x-opa-parts", "x", ">=", 3000},
		{"first-against-go-by-hand", peers + "x-go-cold", "x", ">=", 3},
		{"first-against-cel-go", peers + "x-cel-cold", "x", ">=", 90},
		{"first-against-opa", peers + "x-opa-cold", "x", ">=", 850},
		{"nation-again", nation + "warm-wall-ms", "ms", "<=", 60},
		{"nation-first", nation + "cold-wall-ms", "ms", "<=", 300},
		{"evaluations-again", nation + "warm-evaluations", "", "<=", 1000},
		{"what-if-median", nation + "what-if-median-ms", "ms", "<=", 1},
		{"what-if-worst", nation + "what-if-worst-ms", "ms", "<=", 8},
		{"what-if-edited-rule", nation + "edited-rule-ms", "ms", "<=", 10},
		{"one-fact", nation + "fact-pw-length-µs", "µs", "<=", 3},
		{"one-fact-allocations", nation + "fact-pw-length-allocs", "", "<=", 0},
		{"clock-one-hour", nation + "hour-ms", "ms", "<=", 15},
		{"next-turns", nation + "soonest-ms", "ms", "<=", 5},
		{"explanation", nation + "explain-µs", "µs", "<=", 3},
		{"resident-core", nation + "core-MB", "MB", "<=", 300},
		{"load-every-control", nation + "load-ms", "ms", "<=", 100},
	} {
		out = append(out, goal{
			area: "judge", name: g.name, module: "bench/peers", pkg: ".", bench: "BenchmarkPeers$|BenchmarkNation$", once: true,
			figure: value(g.metric, g.unit, 1), needs: []string{g.metric}, op: g.op, bound: g.bound,
		})
	}
	return out
}
