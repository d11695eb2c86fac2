package sight_test

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/frame"
	"kakusho/judge/fleet/sight"
)

// sighted is sights, and the same as simply as can be.
type sighted struct {
	sights *sight.Sights
	want   [rows][fields]sight.Seen // zero: there is no cell, and what is said of it does not matter
}

const rows, fields = bits.Size + 40, 5

var noon = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

// someSights are some that have forked from each other, with random histories.
func someSights(m *sight.Moments, r *rand.Rand) (all []*sighted) {
	moment := func() sight.Seen {
		at := noon.Add(time.Duration(r.IntN(41)-30) * time.Minute).Add(time.Duration(r.IntN(3)))
		if r.IntN(50) == 0 {
			at = time.Time{}
		}
		return m.Seen([]string{"", "day", "hour", "none"}[r.IntN(4)], at)
	}
	first := &sighted{sights: sight.NewSights(m, fields)}
	all = append(all, first)
	for range 4_000 {
		p := all[r.IntN(len(all))]
		row := r.IntN(rows)
		if f := r.IntN(fields); r.IntN(2) == 0 {
			p.want[row][f] = moment()
			p.sights.Put(row, f, p.want[row][f])
		} else {
			same := moment()
			for f := range fields {
				switch p.want[row][f] = same; r.IntN(6) {
				case 0:
					p.want[row][f] = moment()
				case 1:
					p.want[row][f] = sight.Seen{}
				}
			}
			p.sights.PutRow(row, p.want[row][:])
		}
		if r.IntN(300) == 0 && len(all) < 6 {
			fork := *p
			fork.sights = p.sights.Fork()
			all = append(all, &fork)
		}
	}
	return all
}

func TestFieldsOfARowShareWhenTheyWereSeen(t *testing.T) {
	for _, p := range someSights(sight.NewMoments(), rand.New(rand.NewPCG(7, 7))) {
		for row := range rows {
			for f := range fields {
				if got, want := p.sights.At(row, f), p.want[row][f]; want != (sight.Seen{}) && got != want {
					t.Fatalf("row %d field %d: seen %v, want %v", row, f, got, want)
				}
			}
		}
	}
}

const ahead = 5 * time.Minute

func limit(key string) sight.Limit {
	switch key {
	case "":
		return sight.Limit{Forever: true}
	case "day":
		return sight.Limit{For: 24 * time.Hour}
	case "hour":
		return sight.Limit{For: 20 * time.Minute}
	}
	return sight.Limit{Never: true}
}

// believed says of one cell what Doubt must say, second by second.
func believed(m *sight.Moments, s sight.Seen, now time.Time) bool {
	at, l := m.At(s), limit(m.Fresh(s))
	return !at.After(now.Add(ahead)) && !l.Never && (l.Forever || now.Before(at.Add(l.For)))
}

func TestDoubtFollowsTheClockToTheNanosecond(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	m := sight.NewMoments()
	all := someSights(m, r)
	var limits []sight.Limit
	for _, key := range m.Keys() {
		limits = append(limits, limit(key))
	}
	doubts := make([]*sight.Doubt, len(all))
	for i := range all {
		doubts[i] = sight.NewDoubt(m, ahead, limits)
		doubts[i].Grow(2)
	}
	now := noon
	for step := range 60 {
		n := r.IntN(len(all))
		p, d := all[n], doubts[n]
		page := r.IntN(2)
		next := time.Time{}
		for f := range fields {
			found, until := d.In(p.sights, 0, page, f, now)
			hidden := &found.Rows
			for i := range bits.Size {
				row := page*bits.Size + i
				if row >= rows || p.want[row][f] == (sight.Seen{}) {
					continue
				}
				want := p.want[row][f]
				got, turns := d.Seen(want, now)
				if hidden.Has(i) != !believed(m, want, now) || got != hidden.Has(i) {
					t.Fatalf("step %d row %d field %d: doubted %v and alone %v", step, row, f, hidden.Has(i), got)
				}
				if !turns.IsZero() && (!turns.After(now) || until.IsZero() || until.After(turns) ||
					believed(m, want, turns) == believed(m, want, now) || believed(m, want, turns.Add(-1)) != believed(m, want, now)) {
					t.Fatalf("step %d row %d field %d: turns at %v, the page at %v", step, row, f, turns, until)
				}
			}
			if !until.IsZero() && !until.After(now) {
				t.Fatalf("step %d: until %v, now %v", step, until, now)
			}
			if next.IsZero() || !until.IsZero() && until.Before(next) {
				next = until
			}
		}
		switch r.IntN(4) {
		case 0:
			now = next.Add(-1)
		case 1:
			now = next
		case 2:
			now = now.Add(time.Duration(r.IntN(20)-10) * time.Minute)
		default:
			row, f := r.IntN(rows), r.IntN(fields)
			p.want[row][f] = m.Seen("hour", now.Add(-time.Minute))
			p.sights.Put(row, f, p.want[row][f])
		}
		if now.Before(noon.Add(-time.Hour)) || now.After(noon.Add(time.Hour)) {
			now = noon
		}
	}
}

func TestSightsAreWrittenReadAndCompacted(t *testing.T) {
	m := sight.NewMoments()
	for _, p := range someSights(m, rand.New(rand.NewPCG(9, 9))) {
		same := func(m2 *sight.Moments, s2 *sight.Sights) {
			t.Helper()
			for row := range rows {
				for f := range fields {
					got, want := s2.At(row, f), p.want[row][f]
					if want != (sight.Seen{}) && (!m2.At(got).Equal(m.At(want)) || m2.Fresh(got) != m.Fresh(want)) {
						t.Fatalf("row %d field %d: %v, want %v", row, f, got, want)
					}
				}
			}
		}
		var b bytes.Buffer
		w := frame.NewWriter(&b)
		m.Write(w)
		p.sights.Write(w)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r := frame.NewReader(&b)
		m2 := sight.ReadMoments(r)
		s2 := sight.ReadSights(r, m2)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		same(m2, s2)
		used := make([]bool, len(m.List()))
		p.sights.Mark(used)
		m3, to := m.Compact(used)
		same(m3, p.sights.Renumber(m3, to))
	}
}

func FuzzReadingNeverPanics(f *testing.F) {
	m := sight.NewMoments()
	var b bytes.Buffer
	w := frame.NewWriter(&b)
	m.Write(w)
	someSights(m, rand.New(rand.NewPCG(9, 9)))[0].sights.Write(w)
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes()[8:200])
	f.Fuzz(func(_ *testing.T, payload []byte) {
		var b bytes.Buffer
		w := frame.NewWriter(&b)
		for _, x := range payload {
			w.Uint(uint64(x))
		}
		_ = w.Close() // a bytes.Buffer takes everything
		r := frame.NewReader(&b)
		sight.ReadSights(r, sight.ReadMoments(r))
	})
}
