package directive

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A unit of duration. A day is 24 hours, a month 30 days and a year 365 days:
// parameters measure spans, not calendars, so that two people get one answer.
type span struct {
	code   string
	length time.Duration
	ja, en string
}

const day = 24 * time.Hour

// The units in which durations are written and shown, longest first.
var spans = []span{
	{"y", 365 * day, "年", "year"},
	{"mo", 30 * day, "か月", "month"},
	{"w", 7 * day, "週", "week"},
	{"d", day, "日", "day"},
	{"h", time.Hour, "時間", "hour"},
	{"m", time.Minute, "分", "minute"},
	{"s", time.Second, "秒", "second"},
	{"ms", time.Millisecond, "ミリ秒", "millisecond"},
}

func spanOf(code string) (span, bool) {
	for _, s := range spans {
		if s.code == code {
			return s, true
		}
	}
	return span{}, false
}

// ParseDuration reads a span of time: whole numbers with the units y (365
// days), mo (30 days), w, d, h, m, s and ms, as in "45d", "12mo" or "1d12h", or
// anything time.ParseDuration reads. Spans below zero, or longer than a
// time.Duration holds (292 years), are refused.
func ParseDuration(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if d, err := time.ParseDuration(text); err == nil {
		if d < 0 {
			return 0, fmt.Errorf("duration %q: below zero", text)
		}
		return d, nil
	}
	if text == "" {
		return 0, errors.New("duration: empty, want a number with a unit, as in 45d")
	}
	var total time.Duration
	for rest := text; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("duration %q: want a number with a unit, as in 45d, 12mo or 15m", text)
		}
		rest = rest[digits:]
		letters := len(rest) - len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))
		s, ok := spanOf(rest[:letters])
		if !ok {
			return 0, fmt.Errorf("duration %q: unit %q is none of y mo w d h m s ms", text, rest[:letters])
		}
		rest = rest[letters:]
		if n > math.MaxInt64/int64(s.length) || total > math.MaxInt64-time.Duration(n)*s.length {
			return 0, fmt.Errorf("duration %q: too long", text)
		}
		total += time.Duration(n) * s.length
	}
	return total, nil
}

// FormatDuration writes d in the longest unit among y, d, h, m, s and ms that
// holds it without remainder, and otherwise as time.Duration prints itself.
// ParseDuration reads it back to the same span.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	for _, s := range spans {
		if s.code != "mo" && s.code != "w" && d%s.length == 0 && d > 0 {
			return strconv.FormatInt(int64(d/s.length), 10) + s.code
		}
	}
	return d.String()
}
