// Package calendar reads and writes days, times and spans as Japanese offices
// write them: 2026-11-02, 令和8年11月2日, R8.11.2, 90日.
//
// Everything without a zone is in Tokyo. Functions are pure; what is wrong with
// a text comes back as a Fault, in both languages.
package calendar

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"kakusho/bilingual"
)

// Fault says what is wrong with a text, and what to write instead.
type Fault bilingual.Text

// Error is the English half.
func (f Fault) Error() string { return f.EN }

func fault(ja, en string, a ...any) Fault {
	return Fault{JA: fmt.Sprintf(ja, a...), EN: fmt.Sprintf(en, a...)}
}

// excerpt is the beginning of what was written, quoted so that nothing in it can hide or move text.
func excerpt(s string) string {
	const most = 40
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	q := strconv.QuoteToGraphic(s)
	return q[1 : len(q)-1]
}

// Tokyo is the zone of every date and of every time written without one. It is
// fixed at +09:00, so that it needs no zone files on the host.
func Tokyo() *time.Location { return tokyo }

var tokyo = time.FixedZone("JST", 9*60*60)

// An era of the Japanese calendar, from its first day on.
type era struct {
	name, letter, square string
	from                 time.Time
}

// The eras in which dates are written, latest first.
var eras = []era{
	{"令和", "R", "㋿", Day(2019, 5, 1)},
	{"平成", "H", "㍻", Day(1989, 1, 8)},
	{"昭和", "S", "㍼", Day(1926, 12, 25)},
	{"大正", "T", "㍽", Day(1912, 7, 30)},
	{"明治", "M", "㍾", Day(1868, 1, 25)},
}

// The first and last instants a value may name. Before 1900 the calendar itself
// is in doubt, and after 9999 no JSON time can be written.
var firstDay, lastDay = Day(1900, 1, 1), Day(9999, 12, 31)

// Day is midnight in Tokyo at the beginning of a day.
func Day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, tokyo) }

func eraOf(t time.Time) era {
	for _, e := range eras {
		if !t.Before(e.from) {
			return e
		}
	}
	return eras[len(eras)-1]
}

// Wareki writes the day of t in Tokyo in the Japanese calendar: 令和8年11月2日,
// and 元年 for the first year of an era.
func Wareki(t time.Time) string {
	t = t.In(tokyo)
	e := eraOf(t)
	year := "元"
	if n := t.Year() - e.from.Year() + 1; n > 1 {
		year = strconv.Itoa(n)
	}
	return fmt.Sprintf("%s%s年%d月%d日", e.name, year, int(t.Month()), t.Day())
}

var (
	western  = regexp.MustCompile(`^(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|\.(\d{1,2})\.(\d{1,2})|年(\d{1,2})月(\d{1,2})日|(\d{2})(\d{2}))`)
	japanese = regexp.MustCompile(`^(令和|平成|昭和|大正|明治|[RHSTMrhstm])\s*(元|\d{1,2})(?:年\s*(\d{1,2})月\s*(\d{1,2})日|\.(\d{1,2})\.(\d{1,2})|/(\d{1,2})/(\d{1,2})|-(\d{1,2})-(\d{1,2}))`)
	// Our own Format puts the era in brackets behind the date.
	bracketed = regexp.MustCompile(`^[(](令和|平成|昭和|大正|明治)[元\d]+年\d+月\d+日[)]`)
	clock     = regexp.MustCompile(`^(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?\s*(Z|[+-]\d{2}:\d{2}|JST)?$`)
	clockJA   = regexp.MustCompile(`^(\d{1,2})時(?:(\d{1,2})分(?:(\d{1,2})秒)?)?$`)
)

// Fold makes full-width digits, letters and signs half-width, square era names
// two characters, and trims: for numbers, dates and words of a fixed list, never
// for names.
func Fold(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= '！' && r <= '～':
			return r - '！' + '!'
		case r == '\u3000':
			return ' '
		case r == '−':
			return '-'
		}
		return r
	}, s)
	for _, e := range eras {
		s = strings.ReplaceAll(s, e.square, e.name)
	}
	return strings.TrimSpace(s)
}

// leadingDate reads a date at the start of folded text and gives the rest.
func leadingDate(s string) (time.Time, string, error) {
	if m := western.FindStringSubmatch(s); m != nil {
		t, err := exact(m[1], firstOf(m[2:]), secondOf(m[2:]), 0)
		rest := s[len(m[0]):]
		return t, rest[len(bracketed.FindString(rest)):], err
	}
	m := japanese.FindStringSubmatch(s)
	if m == nil {
		return time.Time{}, "", noDate(s)
	}
	for _, e := range eras {
		if m[1] != e.name && !strings.EqualFold(m[1], e.letter) {
			continue
		}
		year := m[2]
		if year == "元" {
			year = "1"
		}
		t, err := exact(year, firstOf(m[3:]), secondOf(m[3:]), e.from.Year()-1)
		if err == nil && eraOf(t).name != e.name {
			err = fault("%sにはない日付。正しくは%s。", "no such day in %s; it is %s", e.name, Wareki(t))
		}
		return t, s[len(m[0]):], err
	}
	return time.Time{}, "", noDate(s)
}

func noDate(s string) Fault {
	return fault("日付として読めない（入力値「%s」）。2026-11-02、令和8年11月2日、R8.11.2 のいずれかの形で入力する。",
		"%q is no date; write it as 2026-11-02 or R8.11.2", excerpt(s))
}

// firstOf and secondOf pick month and day out of the alternatives of a pattern.
func firstOf(groups []string) string {
	for i := 0; i < len(groups); i += 2 {
		if groups[i] != "" {
			return groups[i]
		}
	}
	return ""
}

func secondOf(groups []string) string { return firstOf(groups[1:]) }

// exact builds a day, refusing one that does not exist.
func exact(year, month, dayOf string, plus int) (time.Time, error) {
	y, _ := strconv.Atoi(year) // digits by the pattern
	m, _ := strconv.Atoi(month)
	d, _ := strconv.Atoi(dayOf)
	t := Day(y+plus, time.Month(m), d)
	if t.Year() != y+plus || int(t.Month()) != m || t.Day() != d {
		return time.Time{}, fault("%d年%d月%d日は存在しない。", "there is no day %d-%02d-%02d", y+plus, m, d)
	}
	return t, InRange(t)
}

// InRange reports, as a Fault, a time outside the years 1900 to 9999.
func InRange(t time.Time) error {
	if t.Before(firstDay) || !t.Before(lastDay.AddDate(0, 0, 1)) {
		return fault("1900年から9999年までの日付を入力する。", "outside the years 1900 to 9999")
	}
	return nil
}

// ParseDate reads a day: 2026-11-02, 2026/11/2, 2026.11.2, 20261102, 2026年11月2日,
// 令和8年11月2日, R8.11.2 (also with / or -), full-width or not. A day its era
// does not have is refused, naming the right one. The result is midnight in Tokyo.
func ParseDate(s string) (time.Time, error) {
	s = Fold(s)
	t, rest, err := leadingDate(s)
	if err == nil && strings.TrimSpace(rest) != "" {
		// Spreadsheets write dates with a midnight behind them.
		c := clock.FindStringSubmatch(strings.TrimLeft(rest, " T"))
		if c == nil || c[4]+c[5] != "" || number(c[1])+number(c[2])+number(c[3]) != 0 {
			err = noDate(s)
		}
	}
	return orZero(t, err)
}

// ParseTime reads a day and, behind it, 15:04, 15:04:05.999 or 15時4分, with Z or
// an offset when it is not in Tokyo. The result is in UTC.
func ParseTime(s string) (time.Time, error) {
	s = Fold(s)
	t, rest, err := leadingDate(s)
	if err != nil {
		return orZero(t, err)
	}
	rest = strings.TrimLeft(rest, " T")
	if rest == "" {
		return t.UTC(), nil
	}
	h, m, sec, nanos, zone := "", "0", "0", "", ""
	if c := clock.FindStringSubmatch(rest); c != nil {
		h, m, sec, nanos, zone = c[1], c[2], c[3], c[4], c[5]
	} else if c := clockJA.FindStringSubmatch(rest); c != nil {
		h, m, sec = c[1], c[2], c[3]
	} else {
		return time.Time{}, noTime(s)
	}
	at := fmt.Sprintf("%sT%02d:%02d:%02d%s", t.Format(time.DateOnly), number(h), number(m), number(sec), nanos)
	if zone == "" || zone == "JST" {
		zone = "+09:00"
	}
	t, err = time.Parse(time.RFC3339Nano, at+zone)
	if err != nil {
		return time.Time{}, noTime(s)
	}
	return orZero(t.UTC(), InRange(t))
}

// orZero keeps a refused day from being used.
func orZero(t time.Time, err error) (time.Time, error) {
	if err != nil {
		return time.Time{}, err
	}
	return t, nil
}

func noTime(s string) Fault {
	return fault("日時として読めない（入力値「%s」）。2026-11-02 15:04 の形で入力する。", "%q is no time; write it as 2026-11-02 15:04", excerpt(s))
}

func number(digits string) int { n, _ := strconv.Atoi(digits); return n }
