package trail_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"kakusho/trail"
)

func lines(from, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = fmt.Appendf(nil, `{"id":"%032x","text":"端末%d の操作"}`, from+i, from+i)
	}
	return out
}

func TestALineComesBackAsItWentInAndProves(t *testing.T) {
	dir := ramDir(t)
	o := options()
	o.Installation = "test/events/3y"
	l := open(t, dir, o)
	in := lines(0, 5)
	first, err := l.AppendLines(t.Context(), in)
	if err != nil || first != 0 {
		t.Fatalf("got %d, %v, want 0", first, err)
	}
	if _, err := l.Append(t.Context(), entry(1)); err != nil { // they share a numbering
		t.Fatal(err)
	}
	if err := l.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := l.SealedLen(); got != 6 {
		t.Errorf("got %d entries under a checkpoint, want 6", got)
	}
	n := 0
	for line, err := range l.Lines(t.Context(), 0) {
		if err != nil || line.Seq != int64(n) || line.Segment != 0 || line.Arrived.IsZero() || n < 5 && !bytes.Equal(line.Bytes, in[n]) {
			t.Fatalf("got %+v, %v, want line %d", line, err, n)
		}
		n++
	}
	if n != 6 {
		t.Errorf("got %d lines, want 6", n)
	}
	p, err := l.Prove(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	got, err := trail.VerifyProof(p, l.PublicKey())
	if err != nil || !bytes.Equal(got.Line, in[3]) || got.Seq != 3 || got.Entry.ID != "" || got.Checkpoint.Origin != "kakusho/test/events/3y" {
		t.Errorf("got %+v, %v, want line 3", got, err)
	}
	if p, err = l.Prove(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	if got, err = trail.VerifyProof(p, l.PublicKey()); err != nil || got.Kind != entry(1).Kind || len(got.Line) == 0 {
		t.Errorf("got %+v, %v, want entry 5", got, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, o)
	if got := l.SealedLen(); got != 6 {
		t.Errorf("opened again: got %d entries under a checkpoint, want 6", got)
	}
	if line, err := l.GetLine(4); err != nil || !bytes.Equal(line.Bytes, in[4]) {
		t.Errorf("got %q, %v, want line 4", line.Bytes, err)
	}
}

func TestALineThatIsNoneIsRefusedAndNothingIsWritten(t *testing.T) {
	l := open(t, ramDir(t), options())
	for name, bad := range map[string][][]byte{
		"none":              {},
		"empty":             {[]byte("a"), {}},
		"newline":           {[]byte("a"), []byte("a\nb")},
		"newline at end":    {[]byte("a\n")},
		"not UTF-8":         {[]byte("a"), []byte("\x82\xa0")},
		"too long":          {bytes.Repeat([]byte("a"), trail.MaxEntry+1)},
		"too many":          make([][]byte, trail.MaxBatch+1),
		"too much together": manyLines(80),
	} {
		if _, err := l.AppendLines(t.Context(), bad); !errors.Is(err, trail.ErrEntry) {
			t.Errorf("%s: got %v, want ErrEntry", name, err)
		}
	}
	if first, err := l.AppendLines(t.Context(), [][]byte{bytes.Repeat([]byte("a"), trail.MaxEntry), []byte("\r\x00")}); err != nil || first != 0 {
		t.Errorf("the longest and the oddest: got %d, %v, want 0", first, err)
	}
}

func manyLines(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = bytes.Repeat([]byte("a"), trail.MaxEntry)
	}
	return out
}

func TestAReceiptBindsTheTrailToWhatItTook(t *testing.T) {
	dir := ramDir(t)
	l := open(t, dir, options())
	if _, err := l.AppendLines(t.Context(), lines(0, 3)); err != nil {
		t.Fatal(err)
	}
	in := lines(3, 4)
	first, err := l.AppendLines(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 1, 9, 0, 0, 5, time.FixedZone("JST", 9*3600))
	text, err := l.Receipt(first, in, at)
	if err != nil {
		t.Fatal(err)
	}
	r, err := trail.CheckReceipt(text, l.PublicKey())
	if err != nil || r.First != 3 || r.Count != 4 || !r.At.Equal(at) || r.Origin != "kakusho/test" {
		t.Fatalf("got %+v, %v", r, err)
	}
	if err := trail.Honoured(t.Context(), r, l); err != nil {
		t.Error(err)
	}
	reader, err := trail.NewReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := trail.Honoured(t.Context(), r, reader); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*trail.Receipt){
		"beyond the end":  func(r *trail.Receipt) { r.Count++ },
		"fewer":           func(r *trail.Receipt) { r.Count-- },
		"another place":   func(r *trail.Receipt) { r.First-- },
		"past everything": func(r *trail.Receipt) { r.First = 100 },
	} {
		other := r
		change(&other)
		if err := trail.Honoured(t.Context(), other, l); !errors.Is(err, trail.ErrReceipt) {
			t.Errorf("%s: got %v, want ErrReceipt", name, err)
		}
	}
	for i := range text {
		for bit := range 8 {
			bad := bytes.Clone(text)
			bad[i] ^= 1 << bit
			if _, err := trail.CheckReceipt(bad, l.PublicKey()); err == nil {
				t.Fatalf("bit %d of byte %d flipped: still a receipt", bit, i)
			}
		}
	}
	if _, err := trail.CheckReceipt([]byte(strings.Repeat("a", 1<<20)), l.PublicKey()); !errors.Is(err, trail.ErrReceipt) {
		t.Errorf("a long one: got %v", err)
	}
}
