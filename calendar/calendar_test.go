package calendar_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"kakusho/bilingual"
	"kakusho/calendar"
)

func TestDatesAreReadAsOfficesWriteThem(t *testing.T) {
	want := calendar.Day(2026, 11, 2)
	for _, s := range []string{
		"2026-11-02", "2026-11-2", "2026/11/2", "2026/11/02", "2026.11.2", "20261102", "2026年11月2日",
		"R8.11.2", "r8.11.2", "R08.11.02", "R8/11/2", "R8-11-2", "令和8年11月2日", "令和 8年 11月 2日", "令和8.11.2",
		"２０２６年１１月２日", "Ｒ８．１１．２", "令和８年１１月２日", "２０２６－１１－０２", "２０２６／１１／２", "㋿8年11月2日",
		"  2026-11-02　", "2026/11/2 0:00", "2026/11/02 00:00:00", "2026-11-02T00:00:00", "2026-11-02（令和8年11月2日）",
	} {
		got, err := calendar.ParseDate(s)
		if err != nil || !got.Equal(want) {
			t.Errorf("ParseDate(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
}

func TestErasChangeOnTheirDay(t *testing.T) {
	for _, c := range []struct {
		date   string
		wareki string
	}{
		{"2019-04-30", "平成31年4月30日"},
		{"2019-05-01", "令和元年5月1日"},
		{"2019-12-31", "令和元年12月31日"},
		{"2020-01-01", "令和2年1月1日"},
		{"1989-01-07", "昭和64年1月7日"},
		{"1989-01-08", "平成元年1月8日"},
		{"1926-12-24", "大正15年12月24日"},
		{"1926-12-25", "昭和元年12月25日"},
		{"1912-07-29", "明治45年7月29日"},
		{"1912-07-30", "大正元年7月30日"},
	} {
		day, err := calendar.ParseDate(c.date)
		if err != nil {
			t.Fatal(err)
		}
		if got := calendar.Wareki(day); got != c.wareki {
			t.Errorf("Wareki(%s) = %s, want %s", c.date, got, c.wareki)
		}
		back, err := calendar.ParseDate(c.wareki)
		if err != nil || !back.Equal(day) {
			t.Errorf("ParseDate(%s) = %v, %v; want %v", c.wareki, back, err, day)
		}
	}
}

func TestWarekiIsTheDayInTokyo(t *testing.T) {
	// 15:30 UTC on 30 April 2019 is already Reiwa in Tokyo.
	if got := calendar.Wareki(time.Date(2019, 4, 30, 15, 30, 0, 0, time.UTC)); got != "令和元年5月1日" {
		t.Error(got)
	}
}

func TestADayItsEraNeverHadIsRefusedWithTheRightOne(t *testing.T) {
	for s, right := range map[string]string{
		"平成31年5月1日": "令和元年5月1日",
		"H33.1.1":   "令和3年1月1日",
		"令和元年4月30日": "平成31年4月30日",
		"S64.1.8":   "平成元年1月8日",
		"平成元年1月7日":  "昭和64年1月7日",
	} {
		_, err := calendar.ParseDate(s)
		var f calendar.Fault
		if !errors.As(err, &f) || !strings.Contains(f.JA, right) || !strings.Contains(f.EN, right) {
			t.Errorf("ParseDate(%q): %v, want a fault that names %s", s, err, right)
		}
	}
}

func TestWhatIsNoDateIsRefused(t *testing.T) {
	for _, s := range []string{
		"", "今日", "26/11/02", "11/2/2026", "2026-13-01", "2026-02-29", "2026-02-30", "2026-00-10", "2026-1", "202611",
		"2026-11/02", "2026110", "202611020", "2026-11-02 15:04", "2026-11-02abc", "2026-11-02 00:00 +09:00",
		"1899-12-31", "R0.1.1", "R8.2.30", "X8.1.1", "明治元年1月1日", "2026-11-02T00:00:00Z", "令和8年11月", "45000",
	} {
		if got, err := calendar.ParseDate(s); err == nil {
			t.Errorf("ParseDate(%q) = %v, want a fault", s, got)
		} else if !got.IsZero() {
			t.Errorf("ParseDate(%q) gives %v beside its fault", s, got)
		}
	}
}

func TestTimesAreInTokyoUnlessTheySayOtherwise(t *testing.T) {
	for s, want := range map[string]string{
		"2026-11-02":                     "2026-11-01T15:00:00Z",
		"2026-11-02 15:04":               "2026-11-02T06:04:00Z",
		"2026-11-02T15:04:05":            "2026-11-02T06:04:05Z",
		"2026-11-02T15:04:05Z":           "2026-11-02T15:04:05Z",
		"2026-11-02T15:04:05.123456789Z": "2026-11-02T15:04:05.123456789Z",
		"2026-11-02 15:04:05 JST":        "2026-11-02T06:04:05Z",
		"2026-11-02T15:04:05-05:00":      "2026-11-02T20:04:05Z",
		"2026/11/2 9:05":                 "2026-11-02T00:05:00Z",
		"令和8年11月2日 9時5分":                 "2026-11-02T00:05:00Z",
		"R8.11.2 ９：０５":                   "2026-11-02T00:05:00Z",
	} {
		got, err := calendar.ParseTime(s)
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("ParseTime(%q) = %s, %v; want %s", s, got.Format(time.RFC3339Nano), err, want)
		}
	}
	for _, s := range []string{"", "15:04", "2026-11-02 25:00", "2026-11-02 15:60", "2026-11-02 9", "2026-11-02 午後3時", "2026-11-02 15:04:05 EST"} {
		if got, err := calendar.ParseTime(s); err == nil {
			t.Errorf("ParseTime(%q) = %v, want a fault", s, got)
		}
	}
}

func TestSpansAreReadInBothLanguages(t *testing.T) {
	const day = 24 * time.Hour
	for s, want := range map[string]time.Duration{
		"15m": 15 * time.Minute, "15分": 15 * time.Minute, "１５分": 15 * time.Minute, "15 min": 15 * time.Minute,
		"90d": 90 * day, "90日": 90 * day, "90日間": 90 * day, "90 days": 90 * day,
		"1時間30分": 90 * time.Minute, "1h30m": 90 * time.Minute, "1.5h": 90 * time.Minute, "2160h0m0s": 90 * day,
		"12か月": 360 * day, "12ヶ月": 360 * day, "12mo": 360 * day, "2週間": 14 * day, "1年": 365 * day, "1y": 365 * day,
		"100ms": 100 * time.Millisecond, "0": 0, "0s": 0, "1d12h": 36 * time.Hour, "1500ミリ秒": 1500 * time.Millisecond,
	} {
		got, err := calendar.ParseSpan(s)
		if err != nil || got != want {
			t.Errorf("ParseSpan(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "90", "-5m", "d", "日", "1x", "999999999999y", "300y", "1e9h!", "90日 about"} {
		if got, err := calendar.ParseSpan(s); err == nil {
			t.Errorf("ParseSpan(%q) = %v, want a fault", s, got)
		}
	}
}

func TestSpansComeBackAsTheyWereWritten(t *testing.T) {
	for d, want := range map[time.Duration]bilingual.Text{
		0:                            {JA: "0秒", EN: "0s"},
		15 * time.Minute:             {JA: "15分", EN: "15m"},
		90 * 24 * time.Hour:          {JA: "90日", EN: "90d"},
		90 * time.Minute:             {JA: "1時間30分", EN: "1h30m"},
		365 * 24 * time.Hour:         {JA: "1年", EN: "1y"},
		366 * 24 * time.Hour:         {JA: "366日", EN: "366d"},
		1500 * time.Millisecond:      {JA: "1秒500ミリ秒", EN: "1s500ms"},
		1234567 * time.Nanosecond:    {JA: "1.234567ms", EN: "1.234567ms"},
		36*time.Hour + 5*time.Second: {JA: "1日12時間5秒", EN: "1d12h5s"},
		time.Duration(1<<63 - 1).Truncate(time.Second): {JA: "106751日23時間47分16秒", EN: "106751d23h47m16s"},
	} {
		for _, l := range []bilingual.Lang{bilingual.JA, bilingual.EN} {
			got := calendar.FormatSpan(d, l)
			if got != want.In(l) {
				t.Errorf("FormatSpan(%v, %s) = %s, want %s", d, l, got, want.In(l))
			}
			if back, err := calendar.ParseSpan(got); err != nil || back != d {
				t.Errorf("ParseSpan(%s) = %v, %v; want %v", got, back, err, d)
			}
		}
	}
}

func TestFaultsShowOnlyALittleOfWhatWasWrittenAndNothingHidden(t *testing.T) {
	_, err := calendar.ParseDate(strings.Repeat("長", 10_000) + "\u202e")
	var f calendar.Fault
	if !errors.As(err, &f) || utf8.RuneCountInString(f.JA) > 150 {
		t.Fatalf("%v", err)
	}
	_, err = calendar.ParseDate("\u202e<script>\x1b[31m")
	if s := err.Error(); strings.ContainsAny(s, "\u202e\x1b") {
		t.Errorf("%q", s)
	}
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2026-11-02", "R8.11.2", "令和元年5月1日", "20261102", "2026年2月29日", "㋿8.1.1", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := calendar.ParseDate(s)
		if err != nil {
			return
		}
		if calendar.InRange(got) != nil || got.Hour() != 0 || got.Location() != calendar.Tokyo() {
			t.Fatalf("ParseDate(%q) = %v", s, got)
		}
		if back, err := calendar.ParseDate(calendar.Wareki(got)); err != nil || !back.Equal(got) {
			t.Fatalf("%q: %s reads back as %v, %v", s, calendar.Wareki(got), back, err)
		}
	})
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2026-11-02 15:04", "R8.11.2 9時5分", "2026-11-02T15:04:05.1Z", "9999-12-31T23:59:59-12:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := calendar.ParseTime(s); err == nil && calendar.InRange(got) != nil {
			t.Fatalf("ParseTime(%q) = %v", s, got)
		}
	})
}

func FuzzParseSpan(f *testing.F) {
	for _, s := range []string{"15m", "90日", "1年2か月3週4日", "1h30m", "0", "9223372036854775807ms"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := calendar.ParseSpan(s)
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("ParseSpan(%q) = %v", s, d)
		}
		for _, l := range []bilingual.Lang{bilingual.JA, bilingual.EN} {
			if back, err := calendar.ParseSpan(calendar.FormatSpan(d, l)); err != nil || back != d {
				t.Fatalf("%q: %v reads back as %v, %v", s, d, back, err)
			}
		}
	})
}
