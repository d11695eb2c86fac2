package storetest

import (
	"fmt"
	"strconv"
	"testing"

	"kakusho/fact"
	"kakusho/store"
)

// Benchmark measures what a server does all day: folds of 1,000 rows, and the
// first hundred of 100,000 subjects asked for in several ways.
func Benchmark(b *testing.B, open Open) {
	b.Run("fold 1,000 subjects", func(b *testing.B) { benchFold(b, open(b), subject) })
	b.Run("fold 1,000 facts", func(b *testing.B) { benchFold(b, open(b), aFact) })
	b.Run("of 100,000", func(b *testing.B) { benchList(b, open(b)) })
}

const perFold = 1000

func subject(i int) store.Row {
	role := "terminal"
	if i%10 == 0 {
		role = "server"
	}
	return &store.Subject{
		Kind: "computer", ID: fmt.Sprintf("PC-%06d", i), Name: fmt.Sprintf("端末 %06d", i*7919%1_000_000), Unit: "unit/" + strconv.Itoa(i%100),
		System: "sys-" + strconv.Itoa(i%50), Rev: 1, ChangedAt: day(i % 300), ChangedBy: "person/1", Entry: int64(i),
		Values: map[string]any{
			"hostname": fmt.Sprintf("host%06d", i*104729%1_000_000), "role": role, "cores": int64(i % 64), "maker": "製造者",
			"model": "MODEL-1", "serial": strconv.Itoa(i), "place": "本部庁舎 3階", "confidentiality": "2", "bought": day(i % 300), "tags": []any{"a", "b"},
		},
	}
}

func aFact(i int) store.Row {
	return &store.Fact{
		Subject: fmt.Sprintf("computer/PC-%06d", i/50), Field: "field_" + strconv.Itoa(i%50), Status: "observed",
		Value: []any{map[string]any{"device": "/dev/dm-0", "encrypted": true}}, Source: []fact.Source{{Kind: "file", Ref: "/proc/mounts"}},
		Collector: "volume", Version: "1", Method: "native", Privilege: "root", ObservedAt: day(1), ReceivedAt: day(1), Since: day(1), Entry: int64(i),
	}
}

// benchFold puts new rows at first, and after 20 folds the same again.
func benchFold(b *testing.B, s store.Store, row func(int) store.Row) {
	fold := 0
	for b.Loop() {
		rows := make([]store.Row, perFold)
		for i := range rows {
			rows[i] = row(fold%20*perFold + i)
		}
		put(b, s, rows...)
		fold++
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/perFold, "µs/row")
}

func benchList(b *testing.B, s store.Store) {
	for f := range 100 {
		rows := make([]store.Row, perFold)
		for i := range rows {
			rows[i] = subject(f*perFold + i)
		}
		put(b, s, rows...)
	}
	computers := m{"kind": "computer"}
	for _, c := range []struct {
		name string
		w    store.Where
	}{
		{"100 by key", store.Where{Limit: 100}},
		{"100 by name", store.Where{Equal: computers, Sort: []string{"name"}, Limit: 100}},
		{"100 by name, page 500", store.Where{Equal: computers, Sort: []string{"name"}, Limit: 100, Offset: 50_000}},
		{"100 of a system", store.Where{Equal: m{"system": "sys-7"}, Limit: 100}},
		{"100 with a declared value, by name", store.Where{Equal: m{"kind": "computer", "values.role": "server"}, Sort: []string{"name"}, Limit: 100}},
		{"100 by a declared value", store.Where{Equal: computers, Sort: []string{"values.hostname"}, Limit: 100}},
		{"1 with a declared value", store.Where{Equal: m{"kind": "computer", "values.serial": "77777"}}},
		{"1 with a word", store.Where{Equal: computers, Like: "HOST104729", Limit: 100}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if got := list(b, s, &store.Subject{}, c.w); len(got) == 0 {
					b.Fatal("nothing found")
				}
			}
		})
	}
	b.Run("count with a declared value", func(b *testing.B) {
		for b.Loop() {
			must(b, s.View(b.Context(), func(r store.Reader) error {
				_, err := r.Count(b.Context(), &store.Subject{}, store.Where{Equal: m{"values.role": "server"}})
				return err
			}))
		}
	})
	b.Run("get", func(b *testing.B) {
		i := 0
		for b.Loop() {
			if get(b, s, subject(i%100_000)) == nil {
				b.Fatal("not found")
			}
			i += 7919
		}
	})
}
