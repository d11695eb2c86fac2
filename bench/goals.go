package main

// goals are the figures this version is held to. Each is a ratio in one run, or
// stands beside its limit; the designs' goals at national scale come with the
// issues that build for it.
var goals = append(append(append(append(trailGoals(), searchGoals()...), judgeGoals()...), []goal{
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
		area: "trail", name: "bytes-of-a-proof", pkg: "./trail", bench: "BenchmarkProve",
		figure: value("BenchmarkProve/prove/B/proof", "B", 1), needs: []string{"BenchmarkProve/prove/B/proof"}, op: "<=", bound: 1500,
	},
	{
		area: "trail", name: "checkpoint-to-witnessed-p99", pkg: "./trail/witness", bench: "BenchmarkWitnessed",
		figure: value("BenchmarkWitnessed/ms-p99", "s", 1e-3), needs: []string{"BenchmarkWitnessed/ms-p99"}, op: "<=", bound: 3,
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
}...), append(importGoals(), inboxGoals()...)...)

// inboxGoals are of about a thousand items from 3,000 accounts and 500 cases.
func inboxGoals() []goal {
	var out []goal
	for _, g := range []struct {
		name  string
		bound float64
	}{{"first", 1000}, {"again", 300}, {"changed", 300}} {
		key := "BenchmarkInbox/" + g.name + "-ms"
		out = append(out, goal{
			area: "inbox", name: g.name, pkg: "./server", bench: "BenchmarkInbox", once: true,
			figure: value(key, "ms", 1), needs: []string{key}, op: "<=", bound: g.bound,
		})
	}
	return out
}

// importGoals are of the largest ledger there may be: 50,000 rows.
func importGoals() []goal {
	var out []goal
	for _, g := range []struct {
		name  string
		bound float64
	}{{"try", 15}, {"apply", 40}, {"try-again", 15}, {"undo", 40}, {"read-xlsx", 15}} {
		key := "BenchmarkImport/" + g.name + "-s"
		out = append(out, goal{
			area: "import", name: g.name + "-50-thousand-rows", pkg: "./server", bench: "BenchmarkImport", once: true,
			figure: value(key, "s", 1), needs: []string{key}, op: "<=", bound: g.bound,
		})
	}
	return out
}

// trailGoals compare the trail with its peers on the same events (design P3, P4, P7,
// P9). What one figure means is said in bench/append.
func trailGoals() []goal {
	var out []goal
	for _, g := range []struct {
		name, metric, unit, op string
		bound                  float64
	}{
		{"events-per-second", "events/s", "/s", ">=", 400_000},
		{"cpu-per-event", "cpu-µs/event", "µs", "<=", 3},
		{"ack-p99-closed-loop", "ms-p99", "ms", "<=", 25},
		{"ack-p50-at-50-thousand-a-second", "ms-p50-at-50k", "ms", "<=", 8},
		{"ack-p99-at-50-thousand-a-second", "ms-p99-at-50k", "ms", "<=", 25},
		{"rate-against-tessera-one-leaf-per-event", "x-tessera", "x", ">=", 6},
		{"cpu-against-tessera-one-leaf-per-event", "cpu-x-tessera", "x", "<=", 0.15},
		{"rate-against-rsyslog-unsynced", "x-rsyslog", "x", ">=", 1.2},
		{"rate-against-rsyslog-synced", "x-rsyslog-synced", "x", ">=", 2},
		{"rate-against-journald-sealed", "x-journald", "x", ">=", 7},
		{"rate-against-auditd", "x-auditd", "x", ">=", 6},
		{"cpu-against-sha256", "cpu-x-sha256", "x", "<=", 10},
		{"packs-against-raw", "of-raw", "x", "<=", 0.25},
		{"log-bytes-per-event", "log-B/event", "B", "<=", 0.1},
		{"verify-against-ingest", "x-verify", "x", ">=", 2},
	} {
		key := "BenchmarkPeers/" + g.metric
		out = append(out, goal{
			area: "trail", name: g.name, pkg: "./bench/append", bench: "BenchmarkPeers",
			figure: value(key, g.unit, 1), needs: []string{key}, op: g.op, bound: g.bound,
		})
	}
	return out
}
