package lines_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"kakusho/door/lines"
)

func TestALongNameBeforeManyTakesLittleMemory(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"` + strings.Repeat("x", 400<<10) + `":{"0":1`)
	for i := range 5000 {
		fmt.Fprintf(&b, `,"%x":1`, i+1)
	}
	b.WriteString(`}}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, fault := lines.Parse([]byte(b.String()), time.Unix(1_800_000_000, 0))
	runtime.ReadMemStats(&after)
	if fault == nil || fault.Field != "fields" {
		t.Errorf("taken: %v", fault)
	}
	if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 16 {
		t.Errorf("%d MiB for a line of %d KiB: %v", used, b.Len()>>10, fault)
	}
}
