package searchtest

import (
	"context"
	"slices"
	"testing"
	"time"

	"kakusho/search"
)

// Run holds the engines that open makes to the contract. open makes an empty one.
func Run(t *testing.T, open func(t *testing.T) search.Engine) {
	t.Run("an empty engine is healthy and finds nothing", func(t *testing.T) { empty(t, open(t)) })
	t.Run("it finds, orders, pages and counts as the model does", func(t *testing.T) { agree(t, open(t)) })
	Keep(t, open)
}

// Keep is the part of Run about what an engine keeps.
func Keep(t *testing.T, open func(t *testing.T) search.Engine) {
	t.Run("buckets are counted, listed, forgotten and filled again exactly", func(t *testing.T) { buckets(t, open(t)) })
	t.Run("days before one are dropped", func(t *testing.T) { days(t, open(t)) })
	t.Run("a row of any size and any text is counted", func(t *testing.T) { odd(t, open(t)) })
}

func empty(t *testing.T, e search.Engine) {
	ctx := t.Context()
	if err := e.Health(ctx); err != nil {
		t.Errorf("health: %v", err)
	}
	if got := Hits(t, e, search.Query{}); len(got) != 0 {
		t.Errorf("found %v", got)
	}
	if g, err := e.Stats(ctx, search.Query{}, search.Stats{}); err != nil || len(g) != 1 || g[0].Count != 0 {
		t.Errorf("counted %v, %v", g, err)
	}
	if n, err := e.CountByBucket(ctx, "3y", 0); err != nil || len(n) != 0 {
		t.Errorf("buckets %v, %v", n, err)
	}
	if err := e.Insert(ctx, nil); err != nil {
		t.Errorf("insert nothing: %v", err)
	}
}

// Hits is all a query finds, up to its limit.
func Hits(t testing.TB, e search.Engine, q search.Query) (out []search.Hit) {
	t.Helper()
	err := e.Query(t.Context(), q, func(h search.Hit) bool {
		h.Time = h.Time.UTC()
		out = append(out, h)
		return true
	})
	if err != nil {
		t.Fatalf("query %q: %v", q.Text, err)
	}
	return out
}

// Fill inserts rows into engines and waits until they are seen.
func Fill(t testing.TB, rows []search.Row, engines ...search.Engine) {
	t.Helper()
	for _, e := range engines {
		for part := range slices.Chunk(rows, 2000) {
			if err := e.Insert(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		}
		if len(rows) > 0 {
			if _, err := e.CountByBucket(t.Context(), rows[0].Stream, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func agree(t *testing.T, e search.Engine) {
	m := &Model{}
	Fill(t, Rows("3y", 65000, 2500), e, m) // over the edge of a bucket
	Fill(t, Rows("10y", 64000, 1500), e, m)
	for _, text := range Searches {
		q, err := search.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		q.Limit = 5000
		SameHits(t, e, m, q)
		q.Limit = 37
		SameHits(t, e, m, q)
		sameStats(t, e, m, q, search.Stats{})
	}
	for _, text := range []string{"", "失敗", "-account:root", "nothing-like-this", "level:<=3 OR 捜査"} {
		q, _ := search.Parse(text)
		for _, s := range []search.Stats{
			{By: []string{"account"}}, {By: []string{"result", "system"}}, {By: []string{"bytes"}, Distinct: "device"}, {Distinct: "account"}, {By: []string{"stream"}},
			{Step: time.Hour}, {Step: 24 * time.Hour, By: []string{"result"}}, {Step: 10 * time.Minute, Distinct: "account"},
		} {
			sameStats(t, e, m, q, s)
		}
		q.Systems = []string{"sosa", "Shokai"}
		SameHits(t, e, m, q)
		sameStats(t, e, m, q, search.Stats{By: []string{"system"}})
		q.Systems = []string{}
		SameHits(t, e, m, q)
	}
	pages(t, e, m)
}

// SameHits compares what an engine and the model find.
func SameHits(t *testing.T, e search.Engine, m *Model, q search.Query) {
	t.Helper()
	got, want := Hits(t, e, q), Hits(t, m, q)
	if !slices.Equal(got, want) {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		t.Errorf("%q: %d hits, want %d; first difference at %d: %v, want %v", q.Text, len(got), len(want), i, got[min(i, len(got)):min(i+2, len(got))], want[min(i, len(want)):min(i+2, len(want))])
	}
}

func sameStats(t *testing.T, e search.Engine, m *Model, q search.Query, s search.Stats) {
	t.Helper()
	got, err := e.Stats(t.Context(), q, s)
	if err != nil {
		t.Errorf("%q %+v: %v", q.Text, s, err)
		return
	}
	want, _ := m.Stats(t.Context(), q, s)
	if !slices.EqualFunc(got, want, func(a, b search.Group) bool {
		return a.Time.Equal(b.Time) && slices.Equal(a.Keys, b.Keys) && a.Count == b.Count && a.Distinct == b.Distinct
	}) {
		t.Errorf("%q %+v:\n%v, want\n%v", q.Text, s, got, want)
	}
}

// pages walks through everything; no hit is left out or seen twice, though many
// have the same time.
func pages(t *testing.T, e search.Engine, m *Model) {
	all := Hits(t, m, search.Query{Limit: 5000})
	var walked []search.Hit
	q := search.Query{Limit: 333}
	for {
		page := Hits(t, e, q)
		if len(page) == 0 {
			break
		}
		walked = append(walked, page...)
		q.After = page[len(page)-1]
	}
	if !slices.Equal(walked, all) {
		t.Errorf("pages have %d hits, want %d, or in another order", len(walked), len(all))
	}
	n := 0
	if err := e.Query(t.Context(), search.Query{}, func(search.Hit) bool { n++; return n < 3 }); err != nil || n != 3 {
		t.Errorf("stopped after %d hits: %v", n, err)
	}
}

func counts(t *testing.T, e search.Engine, stream string, from int64) map[int64]int64 {
	t.Helper()
	n, err := e.CountByBucket(t.Context(), stream, from)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func buckets(t *testing.T, e search.Engine) {
	ctx := t.Context()
	rows := Rows("3y", 65000, 1200)
	Fill(t, rows, e)
	Fill(t, Rows("5y", 65000, 10), e)
	if n := counts(t, e, "3y", 0); n[0] != 536 || n[1] != 664 || len(n) != 2 {
		t.Fatalf("counts %v", n)
	}
	if n := counts(t, e, "3y", 1); n[1] != 664 || len(n) != 1 {
		t.Errorf("counts from bucket 1: %v", n)
	}
	Fill(t, rows[:2], e) // there twice
	present, err := e.Present(ctx, "3y", 0)
	if err != nil || len(present) != 538 || !slices.Equal(present[:5], []int64{65000, 65000, 65001, 65001, 65002}) {
		t.Errorf("present: %d %v, %v", len(present), present[:min(5, len(present))], err)
	}
	if err := e.Forget(ctx, "3y", 0); err != nil {
		t.Fatal(err)
	}
	if n := counts(t, e, "3y", 0); n[0] != 0 || n[1] != 664 {
		t.Errorf("after forgetting: %v", n)
	}
	Fill(t, rows[:536], e)
	if n := counts(t, e, "3y", 0); n[0] != 536 || n[1] != 664 {
		t.Errorf("filled again: %v", n)
	}
	if n := counts(t, e, "5y", 0); n[0] != 10 {
		t.Errorf("the other stream: %v", n)
	}
}

func days(t *testing.T, e search.Engine) {
	m := &Model{}
	Fill(t, Rows("3y", 0, 3000), e, m)
	cut := Start.Add(-3 * 24 * time.Hour)
	for range 2 { // the second time there is nothing to do
		if err := e.DropBefore(t.Context(), cut); err != nil {
			t.Fatal(err)
		}
	}
	_ = m.DropBefore(context.Background(), cut)
	SameHits(t, e, m, search.Query{Limit: 5000})
}

func odd(t *testing.T, e search.Engine) {
	rows := oddRows()
	Fill(t, rows, e)
	present, err := e.Present(t.Context(), "3y", 0)
	if err != nil || len(present) != len(rows) {
		t.Errorf("%d of %d rows are there: %v, %v", len(present), len(rows), present, err)
	}
	if got := Hits(t, e, search.Query{Expr: search.Phrase{Tokens: "針"}, Limit: 10}); len(got) != 0 {
		t.Errorf("a whole token that is none: %v", got)
	}
	q, _ := search.Parse("針金")
	if got := Hits(t, e, q); len(got) != 1 {
		t.Errorf("a word at the end of a long text: %v", got)
	}
}
