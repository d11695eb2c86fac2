package syslog

import (
	"bytes"
	"testing"
)

// However a stream arrives in pieces, the same messages come out, and none is longer
// than the limit.
func FuzzSplit(f *testing.F) {
	f.Add([]byte("20 <13>1 - h a - - - ab<13>x\n9 <13>12345"), 3)
	f.Add([]byte("99999 <13>\nxx\n\n5 <13>a"), 1)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		if len(stream) > 4000 {
			return
		}
		whole := split(t, stream, len(stream)+1)
		parts := split(t, stream, max(1, step%64))
		if !bytes.Equal(bytes.Join(whole, []byte{0}), bytes.Join(parts, []byte{0})) {
			t.Fatalf("%q\n%q", whole, parts)
		}
	})
}

func split(t *testing.T, stream []byte, step int) (out [][]byte) {
	s := splitter{max: 50}
	var held []byte
	for end := false; !end; {
		n := min(step, len(stream))
		held, stream = append(held, stream[:n]...), stream[n:]
		end = len(stream) == 0
		for {
			c, n, ok := s.next(held, end)
			held = held[n:]
			if len(c.message) > 50 {
				t.Fatalf("%d bytes", len(c.message))
			}
			if !ok {
				break
			}
			if len(c.message) > 0 {
				out = append(out, bytes.Clone(c.message))
			}
		}
		if len(held) > 50+16 {
			t.Fatalf("holds %d bytes", len(held))
		}
	}
	return out
}
