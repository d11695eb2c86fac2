package calendar_test

import (
	"testing"
	"time"

	"kakusho/calendar"
)

func TestALookBackIsReadAsPeopleWriteIt(t *testing.T) {
	at := func(s string) time.Time {
		t.Helper()
		if s == "" {
			return time.Time{}
		}
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	now := at("2026-11-25T10:20:30+09:00")
	for _, c := range []struct{ asOf, knownAt, wantAsOf, wantKnown string }{
		{"", "", "", ""},
		{" ", "　", "", ""},
		{"2026-06-30", "", "2026-06-30T23:59:59+09:00", ""},
		{"令和8年6月30日", "2026-07-31", "2026-06-30T23:59:59+09:00", "2026-07-31T23:59:59+09:00"},
		{"2026-06-30T17:00", "2026-06-30 17:00:05", "2026-06-30T17:00:00+09:00", "2026-06-30T17:00:05+09:00"},
		{"2026-06-30T08:00:00Z", "", "2026-06-30T17:00:00+09:00", ""},
		{"", "2026-06-30", "2026-06-30T23:59:59+09:00", "2026-06-30T23:59:59+09:00"}, // how it looked then
		{"2026-11-25", "", "2026-11-25T10:20:00+09:00", ""},                          // today is now
		{"2026-12-24", "2026-12-31", "2026-12-24T23:59:59+09:00", ""},                // nothing is recorded in the future
	} {
		p, err := calendar.ParsePast(c.asOf, c.knownAt, now)
		if err != nil || !p.AsOf.Equal(at(c.wantAsOf)) || !p.KnownAt.Equal(at(c.wantKnown)) {
			t.Errorf("%q known at %q: got %s known at %s, %v", c.asOf, c.knownAt, p.AsOf, p.KnownAt, err)
		}
		if again, err := calendar.ParsePast(c.asOf, c.knownAt, now.Add(29*time.Second)); err != nil || again != p {
			t.Errorf("%q known at %q: half a minute later it is %v, %v", c.asOf, c.knownAt, again, err)
		}
	}
	for _, s := range []string{"yesterday", "2026-02-30", "2026-06-30T25:00", "0"} {
		if p, err := calendar.ParsePast(s, "", now); err == nil {
			t.Errorf("%q is read as %v", s, p)
		}
		if p, err := calendar.ParsePast("", s, now); err == nil {
			t.Errorf("known at %q is read as %v", s, p)
		}
	}
}

func TestWhatALookBackCounts(t *testing.T) {
	at := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	p := calendar.Past{AsOf: at, KnownAt: at.Add(time.Hour)}
	for _, c := range []struct {
		name         string
		past         calendar.Past
		so, recorded time.Time
		want         bool
	}{
		{"the present counts everything", calendar.Past{}, at.AddDate(9, 0, 0), at.AddDate(9, 0, 0), true},
		{"what was so and recorded", p, at.Add(-time.Hour), at.Add(-time.Hour), true},
		{"at the very instants", p, at, at.Add(time.Hour), true},
		{"what was so later", p, at.Add(1), at.Add(1), false},
		{"what was recorded later", p, at.Add(-time.Hour), at.Add(time.Hour + 1), false},
		{"late evidence, by what is known today", calendar.Past{AsOf: at}, at, at.AddDate(1, 0, 0), true},
	} {
		if got := c.past.Counts(c.so, c.recorded); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

func FuzzParsePast(f *testing.F) {
	f.Add("2026-06-30", "2026-07-31")
	f.Add("令和8年6月30日", "")
	f.Add("", "2026-06-30T08:00:00Z")
	f.Add("x", "9999-12-31")
	now := time.Date(2026, 11, 25, 1, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, asOf, knownAt string) {
		p, err := calendar.ParsePast(asOf, knownAt, now)
		if err != nil {
			if p != (calendar.Past{}) {
				t.Errorf("%q, %q: refused, and yet %v", asOf, knownAt, p)
			}
			return
		}
		if !p.KnownAt.IsZero() && (p.AsOf.IsZero() || !p.KnownAt.Before(now)) {
			t.Errorf("%q, %q: got %v", asOf, knownAt, p)
		}
	})
}
