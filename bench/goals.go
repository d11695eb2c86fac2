package main

// goals are the figures this version is held to. Each is a ratio in one run, or
// stands beside its limit; the designs' goals at national scale come with the
// issues that build for it.
var goals = []goal{
	{
		area: "trail", name: "verify-against-sha256", pkg: "./trail", bench: "BenchmarkVerify",
		figure: ratio("BenchmarkVerify/trail/MB/s", "BenchmarkVerify/sha256-of-entries-one-processor/MB/s"),
		needs:  []string{"BenchmarkVerify/trail/MB/s", "BenchmarkVerify/sha256-of-entries-one-processor/MB/s"}, op: ">=", bound: 0.05,
	},
	{
		area: "trail", name: "bytes-per-entry-in-batches", pkg: "./trail", bench: "BenchmarkAppend",
		figure: value("BenchmarkAppend/64-writers-of-50/B/entry", "B", 1), needs: []string{"BenchmarkAppend/64-writers-of-50/B/entry"}, op: "<=", bound: 180,
	},
	{
		area: "trail", name: "durable-entries-per-second", pkg: "./trail", bench: "BenchmarkAppend",
		figure: value("BenchmarkAppend/64-writers-of-50/entries/s", "/s", 1), needs: []string{"BenchmarkAppend/64-writers-of-50/entries/s"}, op: ">=", bound: 20000,
	},
	{
		area: "trail", name: "verify-one-proof", pkg: "./trail", bench: "BenchmarkProve",
		figure: value("BenchmarkProve/verify/ns/op", "ms", 1e-6), needs: []string{"BenchmarkProve/verify/ns/op"}, op: "<=", bound: 1,
	},
	{
		area: "judge", name: "outcome-against-plain-cel", pkg: "./judge", bench: "BenchmarkOutcome|BenchmarkPlain",
		figure: ratio("BenchmarkOutcome/ns/op", "BenchmarkPlain/ns/op"), needs: []string{"BenchmarkOutcome/ns/op", "BenchmarkPlain/ns/op"}, op: "<=", bound: 2.5,
	},
	{
		area: "judge", name: "explained-verdict-against-plain-cel", pkg: "./judge", bench: "BenchmarkJudge$|BenchmarkPlain",
		figure: ratio("BenchmarkJudge/ns/op", "BenchmarkPlain/ns/op"), needs: []string{"BenchmarkJudge/ns/op", "BenchmarkPlain/ns/op"}, op: "<=", bound: 8,
	},
	{
		area: "store", name: "get-a-row", pkg: "./store/sqlite", bench: "BenchmarkStore/of_100,000",
		figure: value("BenchmarkStore/of_100,000/get/ns/op", "ms", 1e-6), needs: []string{"BenchmarkStore/of_100,000/get/ns/op"}, op: "<=", bound: 1,
	},
}
