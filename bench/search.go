package main

// searchGoals are those of finding events, at KAKUSHO_EVENTS of them; the bounds are
// for four million.
func searchGoals() (out []goal) {
	const pkg, bench = "./search/victorialogs", "Benchmark"
	ours, alone := "BenchmarkIndexing/ours/", "BenchmarkIndexing/victorialogs-alone/"
	for _, g := range []struct {
		name, a, b, unit, op string
		bound                float64
	}{
		{"searchable-rate-against-victorialogs", ours + "events/s", alone + "events/s", "x", ">=", 0.75},
		{"index-of-raw", ours + "of-raw", "", "x", "<=", 0.25},
		{"acknowledged-to-searchable-p99", "BenchmarkSearchable/p99-ms", "", "ms", "<=", 3000},
		{"one-account-p95", "BenchmarkSearch/one-account/ours/p95-ms", "", "ms", "<=", 100},
		{"word-by-system-p95", "BenchmarkSearch/japanese-by-system/ours/p95-ms", "", "ms", "<=", 1000},
		{"count-all-p95", "BenchmarkSearch/count-all/ours/p95-ms", "", "ms", "<=", 20},
		{"one-account-against-victorialogs", "BenchmarkSearch/one-account/ours/p50-ms", "BenchmarkSearch/one-account/victorialogs-alone/p50-ms", "x", "<=", 1.5},
	} {
		one := goal{area: "search", name: g.name, pkg: pkg, bench: bench, figure: value(g.a, g.unit, 1), needs: []string{g.a}, op: g.op, bound: g.bound}
		if g.b != "" {
			one.figure, one.needs = ratio(g.a, g.b), []string{g.a, g.b}
		}
		out = append(out, one)
	}
	return out
}
