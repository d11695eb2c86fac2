package frame_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"kakusho/judge/fleet/frame"
)

func write(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := frame.NewWriter(&b)
	for i := range 3 {
		w.Uint(math.MaxUint64)
		w.Int(math.MinInt64)
		w.Bool(true)
		w.Text(strings.Repeat("証", 400_000*i))
		w.Bytes([]byte{0, 1})
		w.Time(time.Time{})
		w.Time(time.Date(1850, 1, 2, 3, 4, 5, 6, time.FixedZone("", -3600)))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(b []byte) (ok bool, err error) {
	r := frame.NewReader(bytes.NewReader(b))
	ok = true
	for i := range 3 {
		ok = ok && r.Uint() == math.MaxUint64 && r.Int() == math.MinInt64 && r.Bool() &&
			r.Text() == strings.Repeat("証", 400_000*i) && bytes.Equal(r.Bytes(), []byte{0, 1}) && r.Time().IsZero() &&
			r.Time().Format(time.RFC3339Nano) == "1850-01-02T03:04:05.000000006-01:00"
	}
	return ok, r.Close()
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	if ok, err := read(write(t)); !ok || err != nil {
		t.Errorf("read %v, %v", ok, err)
	}
}

func TestNoDamageGoesUnnoticed(t *testing.T) {
	b := write(t)
	for _, n := range []int{0, 1, 7, 8, 9, len(b) / 2, len(b) - 9, len(b) - 8, len(b) - 1} {
		if _, err := read(b[:n]); !errors.Is(err, frame.ErrDamaged) {
			t.Errorf("cut after %d bytes of %d: %v", n, len(b), err)
		}
		c := bytes.Clone(b)
		c[min(n, len(c)-1)] ^= 0x10
		if _, err := read(c); !errors.Is(err, frame.ErrDamaged) {
			t.Errorf("a bit changed in byte %d: %v", n, err)
		}
	}
	twice := append(bytes.Clone(b[:len(b)-8]), b...)
	if _, err := read(twice); !errors.Is(err, frame.ErrDamaged) {
		t.Errorf("something follows: %v", err)
	}
}

func FuzzAReaderNeverPanics(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00abcd\x01"))
	f.Add(write(f)[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		r := frame.NewReader(bytes.NewReader(b))
		for r.Err() == nil {
			r.Text()
			r.Time()
			r.Count(10)
		}
		if !errors.Is(r.Close(), frame.ErrDamaged) {
			t.Error("a stream that ran out is not damaged")
		}
	})
}
