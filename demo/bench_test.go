package demo_test

import (
	"path/filepath"
	"testing"

	"kakusho/demo"
)

func BenchmarkFill(b *testing.B) {
	for b.Loop() {
		if _, err := demo.Fill(b.Context(), filepath.Join(b.TempDir(), "sample"), now, nil); err != nil {
			b.Fatal(err)
		}
	}
}
