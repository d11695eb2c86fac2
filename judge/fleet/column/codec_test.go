package column_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"kakusho/fact"
	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/column"
	"kakusho/judge/fleet/frame"
	"kakusho/kind"
)

// again writes something and hands what was written to read.
func again(t *testing.T, write func(*frame.Writer), read func(*frame.Reader)) {
	t.Helper()
	var b bytes.Buffer
	w := frame.NewWriter(&b)
	write(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := frame.NewReader(&b)
	read(r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// filled is a dictionary with a little of everything.
func filled(t kind.Type, r *rand.Rand) *column.Dictionary {
	d := column.NewDictionary(t)
	for range 200 {
		n := r.Int64N(90) - 30
		for _, v := range []any{
			nil, n > 3, n, float64(n) / 7, math.Inf(int(n)), time.Duration(n), fmt.Sprint("機器", n), "",
			time.Unix(n, 5).UTC(), time.Unix(n, 5).In(time.FixedZone("", 9*3600)),
			[]any{}, []any{"a", fmt.Sprint(n)}, []any{map[string]any{"n": n, "l": []any{"x"}, "none": nil}},
		} {
			d.Code(fact.Statuses[r.IntN(len(fact.Statuses))], v)
		}
	}
	return d
}

func TestADictionaryIsReadAsItWasWritten(t *testing.T) {
	for _, typ := range []kind.Type{kind.List, kind.Int, kind.Date} {
		d := filled(typ, rand.New(rand.NewPCG(1, 1)))
		again(t, d.Write, func(r *frame.Reader) {
			e := column.ReadDictionary(r)
			if e.Len() != d.Len() || len(e.Order(0)) != len(d.Order(0)) {
				t.Fatalf("%d codes, want %d", e.Len(), d.Len())
			}
			for code, want := range d.Entries() {
				got := e.At(uint32(code))
				if !reflect.DeepEqual(got.Elements, want.Elements) || fmt.Sprintf("%v%T", got, got.Value) != fmt.Sprintf("%v%T", want, want.Value) {
					t.Fatalf("code %d: %v, want %v", code, got, want)
				}
				if code > 0 && e.Code(want.Status, want.Value) != uint32(code) {
					t.Fatalf("code %d: %v has code %d", code, want, e.Code(want.Status, want.Value))
				}
			}
		})
	}
}

func TestAValueOfNoTypeStaysOneThatNoFieldHas(t *testing.T) {
	d := column.NewDictionary(kind.Int)
	d.Code(fact.Observed, 7) // an int: the schema makes int64
	again(t, d.Write, func(r *frame.Reader) {
		if v := column.ReadDictionary(r).At(1).Value; v == nil || v == 7 || v == int64(7) {
			t.Errorf("it became %v", v)
		}
	})
}

func TestColumnsAreReadAsTheyWereWritten(t *testing.T) {
	for _, most := range []uint32{2, 3, 9, 16, 200, 60_000, 70_000} {
		r := rand.New(rand.NewPCG(uint64(most), 1))
		m := &model{col: column.New()}
		for range 3_000 {
			m.set(r.IntN(2*bits.Size+77), r.Uint32N(most))
		}
		again(t, m.col.Write, func(r *frame.Reader) {
			(&model{column.ReadColumn(r, int(most)), m.codes}).check(t)
		})
	}
}

func TestACodeThatStandsForNothingIsDamage(t *testing.T) {
	c := column.New()
	c.Set(1, 3)
	var b bytes.Buffer
	w := frame.NewWriter(&b)
	c.Write(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := frame.NewReader(&b)
	column.ReadColumn(r, 3)
	if r.Err() == nil {
		t.Error("code 3 of 3 was read")
	}
}

func TestCompactingLosesOnlyWhatNobodyHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, typ := range []kind.Type{kind.List, kind.Int} {
		d := filled(typ, r)
		c := column.New()
		var want []column.Entry
		for row := range 500 {
			c.Set(row, r.Uint32N(uint32(d.Len()))/2)
			want = append(want, d.At(c.At(row)))
		}
		used := make([]bool, d.Len())
		c.Mark(used)
		e, to := d.Compact(used)
		n := c.Renumber(to)
		if e.Len() >= d.Len() || e.Len() > 501 {
			t.Errorf("%d codes of %d are left", e.Len(), d.Len())
		}
		for row := range want {
			got := e.At(n.At(row))
			if got.Status != want[row].Status || fmt.Sprint(got.Value) != fmt.Sprint(want[row].Value) {
				t.Fatalf("row %d: %v, want %v", row, got, want[row])
			}
		}
		for i, code := range e.Order(0) {
			if int(code) != i+1 {
				t.Fatalf("the %d. in order has code %d", i, code)
			}
		}
	}
}

func FuzzReadingNeverPanics(f *testing.F) {
	for seed := range uint64(3) {
		var b bytes.Buffer
		w := frame.NewWriter(&b)
		d := filled(kind.List, rand.New(rand.NewPCG(seed, 1)))
		d.Write(w)
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var b bytes.Buffer
		w := frame.NewWriter(&b)
		for _, x := range payload {
			w.Uint(uint64(x))
		}
		_ = w.Close() // a bytes.Buffer takes everything
		for _, read := range []func(*frame.Reader){
			func(r *frame.Reader) { column.ReadDictionary(r) },
			func(r *frame.Reader) { column.ReadColumn(r, 5) },
		} {
			read(frame.NewReader(bytes.NewReader(b.Bytes())))
		}
	})
}
