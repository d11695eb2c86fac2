package syslog_test

import (
	"fmt"
	"net"
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

// What waits is many deliveries one after the other: together they have the few
// seconds, not each.
func TestAClosedDoorDoesNotWaitForEachOfManyDeliveries(t *testing.T) {
	o := serve(t, syslog.Options{}, nil)
	o.sink.Full(-1)
	c, err := net.Dial("udp", o.udp)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 4500 {
		fmt.Fprintf(c, "<13>1 - h a - - - %d", i)
		if i%100 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	began := time.Now()
	o.stop()
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("it took %v", took)
	}
	if n := o.sink.LostCount(); n < 4000 {
		t.Errorf("%d counted as lost", n)
	}
}
