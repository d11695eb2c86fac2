package otlp_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"kakusho/door/doortest"
	"kakusho/door/otlp"
)

func field(n protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), b)
}

func pairOf(name string, value []byte) []byte {
	return append(field(1, []byte(name)), field(2, value)...)
}

// oneRecord is a request with one record that has these attributes.
func oneRecord(attributes []byte) []byte { return field(1, field(2, field(2, attributes))) }

// Each request is small, and must not take much more memory than it has bytes.
func TestHostileRequestsTakeLittleMemory(t *testing.T) {
	var leaves []byte
	for i := range 20_000 {
		leaves = append(leaves, field(1, pairOf(fmt.Sprintf("%x", i), field(1, nil)))...)
	}
	for name, c := range map[string]struct {
		kind string
		body []byte
	}{
		"a long name before many":       {"application/x-protobuf", oneRecord(field(6, pairOf(strings.Repeat("x", 400<<10), field(6, leaves))))},
		"half a million attributes":     {"application/x-protobuf", oneRecord(bytes.Repeat([]byte{6<<3 | 2, 0}, 500_000))},
		"half a million of a resource":  {"application/x-protobuf", field(1, field(1, bytes.Repeat([]byte{1<<3 | 2, 0}, 500_000)))},
		"half a million in a list":      {"application/x-protobuf", oneRecord(field(6, pairOf("a", field(5, bytes.Repeat([]byte{1<<3 | 2, 0}, 500_000)))))},
		"JSON of many empty records":    {"application/json", []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[0` + strings.Repeat(",0", 4<<20) + `]}]}]}`)},
		"JSON of many empty scopes":     {"application/json", []byte(`{"resourceLogs":[{"scopeLogs":[{}` + strings.Repeat(",{}", 3<<20) + `]}]}`)},
		"JSON of many empty attributes": {"application/json", []byte(`{"resourceLogs":[{"resource":{"attributes":[{}` + strings.Repeat(`,{}`, 3<<20) + `]}}]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			h := otlp.Handler(otlp.Options{Sink: &doortest.Sink{T: t}, Now: time.Now})
			r := httptest.NewRequest(http.MethodPost, otlp.Path, bytes.NewReader(c.body))
			r.Header.Set("Content-Type", c.kind)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			runtime.ReadMemStats(&after)
			used := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%d: %d MiB for %d KiB", w.Code, used, len(c.body)>>10)
			if used > 160 || len(c.body) < 2<<20 && used > 32 {
				t.Errorf("%d: %d MiB for %d KiB", w.Code, used, len(c.body)>>10)
			}
		})
	}
}
