package forward_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"kakusho/door/forward"
	"kakusho/event"
)

// BenchmarkSpool puts hands of 1,000 events of about 400 bytes on disk.
func BenchmarkSpool(b *testing.B) {
	s, err := forward.OpenSpool(forward.SpoolOptions{Dir: b.TempDir(), Name: "host", Now: time.Now, Max: 8 << 30})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	events := make([]event.Event, 1000)
	for i := range events {
		events[i] = event.Event{ID: event.NewID(), At: time.Now(), Clock: event.ClockSource, Device: "db1", Format: "journal",
			Text:   fmt.Sprintf("利用者 %d が照会した: 対象 %d、端末 tm-%03d", i*7919%100_000, i*104729%1_000_000, i%300),
			Fields: map[string]string{"app": "inquiry", "pid": fmt.Sprint(1000 + i%50), "_SYSTEMD_UNIT": "inquiry.service", "_BOOT_ID": "17eaa35a46a8436c8e17227a6e32af42"}}
	}
	cpu := func() time.Duration {
		var r syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &r)
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	began, n := cpu(), int64(0)
	for b.Loop() {
		n++
		if _, err := s.Accept(b.Context(), event.Batch{Events: events, Sender: "bench", Number: n}, false); err != nil {
			b.Fatal(err)
		}
	}
	_, size := s.Waiting()
	b.ReportMetric(float64((cpu()-began).Nanoseconds())/1000/float64(n)/1000, "cpu-µs/event")
	b.ReportMetric(float64(size)/float64(n)/1000, "bytes/event")
}
