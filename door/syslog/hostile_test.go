package syslog_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"kakusho/door/syslog"
)

// A name of 30 KiB before each of thousands of parameters would be hundreds of MiB.
func TestOneDatagramTakesLittleMemory(t *testing.T) {
	var b strings.Builder
	b.WriteString("<13>1 2026-11-24T09:30:01+09:00 host app - - [" + strings.Repeat("x", 30<<10))
	for i := range 2500 {
		fmt.Fprintf(&b, ` %x=""`, i)
	}
	b.WriteString("] text")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e := syslog.Parse([]byte(b.String()), time.Unix(1_800_000_000, 0))
	runtime.ReadMemStats(&after)
	if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 8 {
		t.Errorf("%d MiB for a message of %d KiB, %d fields", used, b.Len()>>10, len(e.Fields))
	}
	if !strings.Contains(e.Text, "2026-11-24T09:30:01+09:00 host app") && len(e.Raw) == 0 {
		t.Errorf("the message is not kept: %.100q", e.Text)
	}
}
