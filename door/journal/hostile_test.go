package journal_test

import (
	"bytes"
	"runtime"
	"testing"

	"kakusho/door/journal"
)

// Anybody on the machine may send journald an entry with a thousand large fields.
func TestOneNameAThousandTimesTakesLittleMemory(t *testing.T) {
	value := bytes.Repeat([]byte("x"), 100_000)
	e := journal.Entry{Realtime: 1_800_000_000_000_000}
	for range 1000 {
		e.Fields = append(e.Fields, journal.Field{Name: "A", Value: value, Size: len(value)})
	}
	e.Fields = append(e.Fields, journal.Field{Name: "B", Value: []byte("1"), Size: 1}, journal.Field{Name: "B", Value: []byte("2"), Size: 1})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out := e.Event()
	runtime.ReadMemStats(&after)
	if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 256 {
		t.Errorf("%d MiB for one entry", used)
	}
	if out.Fields["B"] != "1\n2" || out.Fields["truncated"] == "" {
		t.Errorf("%.40q, truncated %q", out.Fields["B"], out.Fields["truncated"])
	}
}
