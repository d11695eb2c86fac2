package otlp

import (
	"testing"
	"time"

	"kakusho/door"
	"kakusho/event"
)

func FuzzRead(f *testing.F) {
	f.Add([]byte{0x0a, 0x04, 0x12, 0x02, 0x12, 0x00}, false)
	f.Add([]byte("\x0a\x1e\x0a\x0a\x0a\x08\x0a\x01k\x12\x03\x0a\x01v\x12\x10\x12\x0e\x09\x01\x00\x00\x00\x00\x00\x00\x00\x2a\x03\x0a\x01x"), false)
	f.Add([]byte(`{"resourceLogs":[{"resource":{"attributes":[{"key":"a","value":{"arrayValue":{"values":[{"intValue":"1"}]}}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"kvlistValue":{"values":[{"key":"k","value":{"doubleValue":1}}]}}}]}]}]}`), true)
	f.Fuzz(func(t *testing.T, body []byte, asJSON bool) {
		r := &reader{arrived: time.Unix(1_800_000_000, 0), budget: door.NewBudget(1 << 30)}
		parse := (*reader).fromWire
		if asJSON {
			parse = (*reader).fromJSON
		}
		if parse(r, body) != nil {
			return
		}
		for _, e := range r.events {
			if _, err := event.Encode(nil, e); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	record := []byte("\x09\x00\x00\x00\x80\x96\x98\x00\x18\x10\x09\x2a\x42\x0a\x40Accepted publickey for yamada.taro from 192.0.2.7 port 50022 ssh")
	record = append(record, "\x32\x14\x0a\x09user.name\x12\x07\x0a\x05sato0"...)
	scope := []byte{}
	for range 100 {
		scope = append(append(scope, 0x12, byte(len(record))), record...)
	}
	n := len(scope)
	logs := append([]byte{0x12, byte(n&127 | 128), byte(n >> 7)}, scope...)
	n = len(logs)
	body := append([]byte{0x0a, byte(n&127 | 128), byte(n >> 7)}, logs...)
	budget := door.NewBudget(1 << 30)
	b.ReportAllocs()
	events := 0
	for b.Loop() {
		r := &reader{arrived: time.Unix(1_800_000_000, 0), budget: budget}
		if err := r.fromWire(body); err != nil || len(r.events) != 100 {
			b.Fatal(err, len(r.events))
		}
		budget.Give(r.held)
		events += 100
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
}
