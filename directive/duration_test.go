package directive_test

import (
	"testing"
	"time"

	"kakusho/directive"
)

func TestParseDuration(t *testing.T) {
	day := 24 * time.Hour
	for _, c := range []struct {
		in   string
		want time.Duration
	}{
		{"45d", 45 * day}, {"12mo", 360 * day}, {"1y", 365 * day}, {"2w", 14 * day}, {"24h", day}, {"15m", 15 * time.Minute}, {"30s", 30 * time.Second},
		{"100ms", 100 * time.Millisecond}, {"1d12h", 36 * time.Hour}, {"1y6mo", 545 * day}, {"1.5h", 90 * time.Minute}, {"1m0s", time.Minute}, {"0", 0}, {" 3d ", 3 * day},
		{"292y", 292 * 365 * day},
	} {
		if got, err := directive.ParseDuration(c.in); err != nil || got != c.want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{"", " ", "45", "d", "45 d", "-1d", "-5m", "1.5d", "45x", "1d-2h", "293y", "200y200y", "99999999999999999999d", "４５d", "1M", "12moo"} {
		if got, err := directive.ParseDuration(in); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", in, got)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", 365 * 24 * time.Hour: "1y", 360 * 24 * time.Hour: "360d", 36 * time.Hour: "36h", 90 * time.Second: "90s", time.Microsecond: "1µs",
	} {
		if got := directive.FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%d) = %q, want %q", d, got, want)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"45d", "12mo", "1y", "1d12h", "15m", "0", "-1s", "1.5h", "9223372036854775807d", "1mo1m1ms", "", "µs", "2w3y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := directive.ParseDuration(s)
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("ParseDuration(%q) = %v, below zero", s, d)
		}
		if back, err := directive.ParseDuration(directive.FormatDuration(d)); err != nil || back != d {
			t.Fatalf("%q is %v, written %q, read back %v, %v", s, d, directive.FormatDuration(d), back, err)
		}
	})
}
