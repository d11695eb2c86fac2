package forward

import (
	"bytes"
	"testing"
)

func FuzzParse(f *testing.F) {
	one := appendRecord(nil, head{Sender: "a", Number: 1, Count: 2}, []byte("body"))
	f.Add(one)
	f.Add(appendRecord(one, head{Count: 1}, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, good := parse(b)
		if good > len(b) {
			t.Fatalf("%d of %d bytes", good, len(b))
		}
		again, n := parse(b[:good])
		if n != good || len(again) != len(records) {
			t.Fatalf("read again: %d records in %d bytes, want %d in %d", len(again), n, len(records), good)
		}
	})
}

func TestAChangedBitEndsTheRecords(t *testing.T) {
	b := appendRecord(nil, head{Count: 1}, []byte("first"))
	first := len(b)
	b = appendRecord(b, head{Count: 2}, []byte("second"))
	for i := first; i < len(b); i++ {
		for bit := range 8 {
			x := bytes.Clone(b)
			x[i] ^= 1 << bit
			if records, good := parse(x); len(records) != 1 || good != first {
				t.Fatalf("byte %d bit %d: %d records, %d bytes", i, bit, len(records), good)
			}
		}
	}
}
