package pack_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

const origin = "kakusho/test"

func codec(t testing.TB) *pack.Codec {
	t.Helper()
	c, err := pack.NewCodec(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// entries makes a frame of the given lines.
func entries(t testing.TB, c *pack.Codec, segment, first int64, lines ...string) ([]byte, pack.Header) {
	t.Helper()
	var payload []byte
	for _, l := range lines {
		payload = append(append(payload, l...), '\n')
	}
	b, h, err := c.Frame(pack.Header{Type: pack.Entries, Segment: segment, First: first, Count: len(lines), Arrived: 5, Wall: -3}, payload)
	if err != nil {
		t.Fatal(err)
	}
	return b, h
}

func sealed(t testing.TB, c *pack.Codec, segment, next int64, rows ...seal.Row) ([]byte, pack.Header) {
	t.Helper()
	b, h, err := c.Frame(pack.Header{Type: pack.Seal, Segment: segment, First: next, Count: len(rows), Arrived: 5}, append([]byte("record\n"), seal.Table(rows)...))
	if err != nil {
		t.Fatal(err)
	}
	return b, h
}

func TestAFrameComesBackAsItWasMade(t *testing.T) {
	c := codec(t)
	b, h := entries(t, c, 3, 40, `{"a":1}`, `{"b":"日本"}`)
	got, err := pack.ParseHeader(b)
	if err != nil || got != h || got.Arrived != 5 || got.Wall != -3 || len(b) != pack.HeaderSize+h.Stored {
		t.Fatalf("got %+v, %v, want %+v", got, err, h)
	}
	raw, err := c.Payload(h, b[pack.HeaderSize:])
	if err != nil {
		t.Fatal(err)
	}
	lines, err := h.Lines(raw)
	if err != nil || len(lines) != 2 || string(lines[1]) != `{"b":"日本"}` {
		t.Errorf("got %q, %v", lines, err)
	}
}

func TestAFrameWithAnyBitFlippedIsRefused(t *testing.T) {
	c := codec(t)
	b, _ := entries(t, c, 3, 40, `{"a":1}`, `{"b":2}`)
	for i := range b {
		for bit := range 8 {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << bit
			h, err := pack.ParseHeader(bad)
			if err == nil {
				_, err = c.Payload(h, bad[pack.HeaderSize:])
			}
			if !errors.Is(err, pack.ErrFrame) {
				t.Errorf("bit %d of byte %d: got %v, want ErrFrame", bit, i, err)
			}
		}
	}
}

func TestAFrameWithSomethingInItsReservedBytesIsRefused(t *testing.T) {
	b, _ := entries(t, codec(t), 3, 40, `{"a":1}`)
	for _, at := range []int{5, 6, 7, 56, 59} {
		bad := bytes.Clone(b[:60])
		bad[at] = 1
		bad = binary.BigEndian.AppendUint32(bad, crc32.Checksum(bad, crc32.MakeTable(crc32.Castagnoli)))
		if h, err := pack.ParseHeader(bad); !errors.Is(err, pack.ErrFrame) {
			t.Errorf("byte %d: got %+v, %v, want ErrFrame", at, h, err)
		}
	}
}

func TestAPayloadThatDecodesToMoreThanItSaysIsRefused(t *testing.T) {
	c := codec(t)
	b, h, err := c.Frame(pack.Header{Type: pack.Entries, Count: 1}, append(make([]byte, 8<<20), '\n'))
	if err != nil {
		t.Fatal(err)
	}
	h.Raw = 100
	if _, err := c.Payload(h, b[pack.HeaderSize:]); !errors.Is(err, pack.ErrFrame) {
		t.Errorf("got %v, want ErrFrame", err)
	}
	if _, _, err := c.Frame(pack.Header{Type: pack.Entries, Count: 1}, make([]byte, pack.MaxRaw+1)); !errors.Is(err, pack.ErrFrame) {
		t.Errorf("a payload that is too long: got %v, want ErrFrame", err)
	}
	for _, lines := range []string{"", "a", "a\nb\n", "a\nb"} {
		if got, err := (pack.Header{Count: 1}).Lines([]byte(lines)); err == nil {
			t.Errorf("lines %q: got %q, want an error", lines, got)
		}
	}
}

func TestASetFindsEachEntryAcrossItsPacks(t *testing.T) {
	c, dir := codec(t), t.TempDir()
	s, err := pack.Open(pack.OS{}, dir, origin, 300, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	put := func(b []byte, h pack.Header) {
		t.Helper()
		if err := s.Append(b, h); err != nil {
			t.Fatal(err)
		}
	}
	next := int64(0)
	for segment := range int64(30) {
		var rows []seal.Row
		for range segment % 3 { // every third is empty
			b, h := entries(t, c, segment, next, "a", "b")
			put(b, h)
			rows, next = append(rows, h.Row(nil)), next+2
		}
		put(sealed(t, c, segment, next, rows...))
	}
	check := func(s *pack.Set) {
		t.Helper()
		for seq := range next {
			r, err := s.Find(seq)
			if err != nil || seq < r.First || seq >= r.First+int64(r.Count) || r.Type != pack.Entries {
				t.Fatalf("entry %d: got %+v, %v", seq, r, err)
			}
			refs, err := s.Segment(seq)
			if err != nil || int64(len(refs)) != refs[0].Segment%3+1 || refs[len(refs)-1].Type != pack.Seal {
				t.Fatalf("segment of entry %d: got %+v, %v", seq, refs, err)
			}
			if raw, err := s.Read(r); err != nil || string(raw) != "a\nb\n" {
				t.Fatalf("entry %d: read %q, %v", seq, raw, err)
			}
		}
		for _, seq := range []int64{-1, next, next + 1000} {
			if r, err := s.Find(seq); err == nil {
				t.Errorf("entry %d: got %+v, want an error", seq, r)
			}
		}
		n := int64(4)
		err := s.Seals(4, func(segment int64, record []byte) error {
			if segment != n || string(record) != "record\n" {
				t.Errorf("got seal %d %q, want %d", segment, record, n)
			}
			n++
			return nil
		})
		if err != nil || n != 30 {
			t.Errorf("seals: got up to %d, %v, want 30", n, err)
		}
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := pack.List(dir)
	if err != nil || len(names) < 8 {
		t.Fatalf("got packs %q, %v, want many", names, err)
	}
	if s, err = pack.Open(pack.OS{}, dir, origin, 300, c, nil); err != nil {
		t.Fatal(err)
	}
	tail, err := s.Recover()
	if err != nil || tail.Segment != 30 || tail.First != next || string(tail.Record) != "record\n" || tail.Arrived != 5 {
		t.Fatalf("got %+v, %v", tail, err)
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := pack.Open(pack.OS{}, dir, "kakusho/other", 300, c, nil); !errors.Is(err, pack.ErrDamaged) {
		t.Errorf("packs of another log: got %v, want ErrDamaged", err)
	}
}

func TestAPackThatACrashLeftUnbornIsBegunAgain(t *testing.T) {
	for _, left := range [][]byte{nil, make([]byte, 10), make([]byte, 64), pack.PackHeader(origin, 0, 0)[:40], pack.PackHeader(origin, 0, 0)} {
		c, dir := codec(t), t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, pack.Name(0)), left, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := pack.Open(pack.OS{}, dir, origin, 300, c, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recover(); err != nil {
			t.Fatal(err)
		}
		if err := s.Append(entries(t, c, 0, 0, "a")); err != nil {
			t.Errorf("%d bytes left: %v", len(left), err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSyncReachesTheKernel(t *testing.T) {
	f, err := pack.OS{}.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Errorf("sync: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err == nil {
		t.Error("a closed file was synced")
	}
}

func FuzzScan(f *testing.F) {
	c := codec(f)
	a, _ := entries(f, c, 0, 0, `{"a":1}`, `{"b":2}`)
	b, _ := sealed(f, c, 0, 2, seal.Row{First: 0, Count: 2})
	image := append(append(pack.PackHeader(origin, 0, 0), a...), b...)
	f.Add(image)
	f.Add(image[:len(image)-5])
	f.Add(append(image[:200:200], "KKF1KKF1"...))
	f.Fuzz(func(t *testing.T, image []byte) {
		pack.ParsePackHeader(image, origin)
		off := int64(min(len(image), pack.HeaderSize))
		for _, p := range pack.Scan(image) {
			if p.Off != off || p.Size <= 0 {
				t.Fatalf("piece at %d of %d bytes, want one at %d", p.Off, p.Size, off)
			}
			off += p.Size
			if p.Err != nil {
				continue
			}
			if got, err := pack.ParseHeader(p.Header.Append(nil)); err != nil || got != p.Header {
				t.Fatalf("got %+v, %v, want %+v", got, err, p.Header)
			}
			raw, err := c.Payload(p.Header, p.Stored)
			if err != nil {
				continue
			}
			if len(raw) > pack.MaxRaw {
				t.Fatalf("%d bytes decoded", len(raw))
			}
			if lines, err := p.Header.Lines(raw); err == nil && len(lines) != p.Header.Count {
				t.Fatalf("%d lines, want %d", len(lines), p.Header.Count)
			}
			if _, rows, err := p.Header.Split(raw); err == nil && len(rows) != p.Header.Count {
				t.Fatalf("%d rows, want %d", len(rows), p.Header.Count)
			}
		}
		if off != int64(len(image)) {
			t.Fatalf("pieces end at %d of %d", off, len(image))
		}
	})
}
