package table_test

import (
	"bytes"
	"fmt"
	"testing"

	"kakusho/bilingual"
	"kakusho/kind/table"
)

func BenchmarkTable(b *testing.B) {
	k := set["medium"]
	one := entries(k)
	var rows []map[string]any
	for i := range 5000 {
		r := map[string]any{}
		for n, v := range one[0] {
			r[n] = v
		}
		r[k.Key] = fmt.Sprintf("M-%05d", i)
		rows = append(rows, r)
	}
	for _, f := range []table.Format{table.CSV, table.XLSX} {
		var out bytes.Buffer
		b.Run("write "+string(f), func(b *testing.B) {
			for b.Loop() {
				out.Reset()
				if err := table.Write(&out, f, k, bilingual.JA, rows, table.Options{Personal: true}); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(out.Len()))
			b.ReportMetric(float64(len(rows)*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
		b.Run("read "+string(f), func(b *testing.B) {
			for b.Loop() {
				s, err := table.Read(bytes.NewReader(out.Bytes()), "x", k)
				if err != nil || !s.OK() || len(s.Rows) != len(rows) {
					b.Fatal(faults(s))
				}
			}
			b.ReportMetric(float64(len(rows)*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
