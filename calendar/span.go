package calendar

import (
	"math"
	"strconv"
	"strings"
	"time"

	"kakusho/bilingual"
)

// A unit of a duration. A year is 365 days and a month 30, as in the determined
// values: a span is measured, not read off a calendar.
type unit struct {
	length time.Duration
	ja, en string
	also   []string // other ways it is written
}

const oneDay = 24 * time.Hour

// The units, longest first. Format writes the first two names only.
var units = []unit{
	{365 * oneDay, "年", "y", []string{"年間", "year", "years"}},
	{30 * oneDay, "か月", "mo", []string{"ヶ月", "ケ月", "ヵ月", "カ月", "箇月", "か月間", "ヶ月間", "month", "months"}},
	{7 * oneDay, "週", "w", []string{"週間", "week", "weeks"}},
	{oneDay, "日", "d", []string{"日間", "day", "days"}},
	{time.Hour, "時間", "h", []string{"hour", "hours"}},
	{time.Minute, "分", "m", []string{"分間", "min", "minute", "minutes"}},
	{time.Second, "秒", "s", []string{"秒間", "sec", "second", "seconds"}},
	{time.Millisecond, "ミリ秒", "ms", []string{"millisecond", "milliseconds"}},
}

func unitOf(name string) (time.Duration, bool) {
	for _, u := range units {
		if name == u.ja || name == u.en {
			return u.length, true
		}
		for _, a := range u.also {
			if name == a {
				return u.length, true
			}
		}
	}
	return 0, false
}

// ParseSpan reads 15m, 90d, 90日, 1時間30分, 12 months, and what
// time.ParseDuration reads.
func ParseSpan(s string) (time.Duration, error) {
	text := strings.ReplaceAll(strings.ToLower(Fold(s)), " ", "")
	if d, err := time.ParseDuration(text); err == nil {
		if d < 0 {
			return 0, fault("負の期間は入力できない。", "below zero")
		}
		return d, nil
	}
	no := fault("期間として読めない（入力値「%s」）。90日、15分、90d のように単位を付けて入力する。",
		"%q is no duration; write a number with a unit, as in 90d or 15m", excerpt(s))
	var total time.Duration
	for rest := text; rest != ""; {
		n, tail := leading(rest, func(r rune) bool { return '0' <= r && r <= '9' })
		name, tail := leading(tail, func(r rune) bool { return r < '0' || '9' < r })
		count, err := strconv.ParseInt(n, 10, 64)
		length, ok := unitOf(name)
		if err != nil || !ok {
			return 0, no
		}
		if count > math.MaxInt64/int64(length) || total > math.MaxInt64-time.Duration(count)*length {
			return 0, fault("期間が長過ぎる（292年まで）。", "too long, at most 292 years")
		}
		total += time.Duration(count) * length
		rest = tail
	}
	if text == "" {
		return 0, no
	}
	return total, nil
}

// leading splits s behind the runes that are in.
func leading(s string, in func(rune) bool) (head, tail string) {
	i := strings.IndexFunc(s, func(r rune) bool { return !in(r) })
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i:]
}

// FormatSpan writes whole years alone, and anything else in days, hours,
// minutes, seconds and milliseconds; below a millisecond, as Go does.
func FormatSpan(d time.Duration, l bilingual.Lang) string {
	if d%time.Millisecond != 0 || d < 0 {
		return d.String()
	}
	if d == 0 {
		if l != bilingual.EN {
			return "0秒"
		}
		return "0s"
	}
	var b strings.Builder
	whole := d%units[0].length == 0
	for i, u := range units {
		if i == 0 && !whole || i == 1 || i == 2 || d < u.length {
			continue
		}
		b.WriteString(strconv.FormatInt(int64(d/u.length), 10))
		if l != bilingual.EN {
			b.WriteString(u.ja)
		} else {
			b.WriteString(u.en)
		}
		d %= u.length
	}
	return b.String()
}
