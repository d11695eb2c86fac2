package column_test

import (
	"math/rand/v2"
	"testing"

	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/column"
)

// model is a column written as simply as can be.
type model struct {
	col   *column.Column
	codes []uint32
}

func (m *model) check(t *testing.T) {
	t.Helper()
	table := make([]bits.Flags, 70_001)
	for i := range table {
		table[i] = bits.Flags([]uint8{0, 1, 2, 12, 20, 36, 68}[i*7%7+i%7])
	}
	if m.col.Len() != len(m.codes) {
		t.Fatalf("%d rows, want %d", m.col.Len(), len(m.codes))
	}
	var got [bits.Size]uint32
	var truths bits.Truths
	for page := range bits.Blocks(len(m.codes)) {
		m.col.Codes(page, &got)
		m.col.Paint(page, table, &truths)
		for i := range bits.Size {
			want := uint32(0)
			if row := page*bits.Size + i; row < len(m.codes) {
				want = m.codes[row]
			}
			if c := m.col.At(page*bits.Size + i); c != want || got[i] != want {
				t.Fatalf("row %d: At %d, Codes %d, want %d", page*bits.Size+i, c, got[i], want)
			}
			if f := truths.At(i); f != table[want] {
				t.Fatalf("row %d, code %d: painted %07b, want %07b", i, want, f, table[want])
			}
		}
	}
}

func (m *model) set(row int, code uint32) {
	m.col.Set(row, code)
	for len(m.codes) <= row {
		m.codes = append(m.codes, 0)
	}
	m.codes[row] = code
}

func TestAColumnIsAListOfCodesHoweverItIsKept(t *testing.T) {
	for _, most := range []uint32{2, 4, 8, 16, 200, 60_000, 70_000} {
		r := rand.New(rand.NewPCG(uint64(most), 1))
		m := &model{col: column.New()}
		for range 9_000 {
			m.set(r.IntN(3*bits.Size-5), r.Uint32N(most))
		}
		m.check(t)
	}
}

func TestForksDoNotSeeEachOther(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	all := []*model{{col: column.New()}}
	for range 40 {
		m := all[r.IntN(len(all))]
		for range 200 {
			m.set(r.IntN(2*bits.Size), r.Uint32N(1<<r.IntN(12)))
		}
		if r.IntN(3) == 0 {
			all = append(all, &model{col: m.col.Fork(), codes: append([]uint32(nil), m.codes...)})
		}
	}
	for _, m := range all {
		m.check(t)
	}
}

func TestWritingWhatIsThereChangesNothing(t *testing.T) {
	c := column.New()
	c.Set(5, 3)
	n, page := c.Edits(), c.PageEdits(0)
	if c.Set(5, 3); c.Edits() != n || c.PageEdits(0) != page {
		t.Error("an equal code was written")
	}
	if c.Set(5, 2); c.Edits() == n || c.PageEdits(0) == page {
		t.Error("a change was not noticed")
	}
}

func BenchmarkPaint(b *testing.B) {
	for name, most := range map[string]uint32{"2": 2, "4": 4, "16": 16, "200": 200, "60000": 60_000, "1000000": 1_000_000} {
		r := rand.New(rand.NewPCG(1, 1))
		c := column.New()
		for row := range bits.Size {
			c.Set(row, r.Uint32N(most))
		}
		table := make([]bits.Flags, most)
		for i := range table {
			table[i] = bits.Yes << (i % 2)
		}
		var into bits.Truths
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c.Paint(0, table, &into)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/bits.Size, "ns/row")
		})
	}
}
