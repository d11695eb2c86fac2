package ingest_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"kakusho/event"
	"kakusho/ingest"
)

// BenchmarkAccept is a closed loop of 64 senders with 50 events of about 400 bytes
// each, numbered: one operation is an event on disk, counted and acknowledged.
func BenchmarkAccept(b *testing.B) {
	const senders, batch = 64, 50
	in, err := ingest.Open(b.Context(), b.TempDir(), ingest.Options{Now: time.Now, Resolve: registered})
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	es := make([]event.Event, batch)
	for i := range es {
		es[i] = event.Event{At: time.Now(), Clock: event.ClockSynced, Device: fmt.Sprintf("pc-%d", i), Account: "yamada", Event: "照会", Object: "照会票 A-10293",
			Class: event.Inquiry, Result: event.Success, Source: "10.22.1.3", Level: 7, Format: "json",
			Text:   "照会システムにおいて照会票 A-10293 を閲覧した。所属 情報管理課 端末 pc-10",
			Fields: map[string]string{"app": "shokai", "pid": "4711", "unit": "DIV", "session": "b3b7c1f2", "peer": "10.22.1.3"}}
	}
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	rounds := b.N/(senders*batch) + 1
	for s := range senders {
		wg.Go(func() {
			for n := range rounds {
				if _, err := in.Accept(b.Context(), event.Batch{Origin: event.Origin{Door: "api", Name: "agent-a"}, Sender: fmt.Sprint(s), Number: int64(n + 1), Events: es}, false); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(rounds*senders*batch)/b.Elapsed().Seconds(), "events/s")
}
