package column_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"kakusho/fact"
	"kakusho/judge/fleet/column"
	"kakusho/kind"
)

func TestCellsThatReadTheSameHaveOneCodeAndOthersHaveOthers(t *testing.T) {
	at := time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)
	different := []struct {
		status fact.Status
		value  any
	}{
		{fact.Observed, nil}, {fact.Absent, nil}, {fact.Denied, nil}, {fact.NotApplicable, nil}, {"odd", nil},
		{fact.Observed, true}, {fact.Observed, false}, {fact.Observed, int64(1)}, {fact.Observed, 1.0}, {fact.Observed, "1"}, {fact.Observed, ""},
		{fact.Observed, time.Duration(1)}, {fact.Observed, at}, {fact.Observed, at.Add(1)}, {fact.Observed, at.In(time.FixedZone("", 3600))},
		{fact.Observed, math.NaN()}, {fact.Observed, math.Inf(1)}, {fact.Observed, 0.0}, {fact.Observed, math.Copysign(0, -1)},
		{fact.Truncated, nil}, {fact.Truncated, int64(1)},
		{fact.Observed, []any{}}, {fact.Observed, []any{"a"}}, {fact.Observed, []any{"a", "b"}}, {fact.Observed, []any{"b", "a"}}, {fact.Observed, []any{"ab"}},
		{fact.Truncated, []any{"a"}}, {fact.Observed, []any{[]any{"a"}}},
		{fact.Observed, []any{map[string]any{"x": int64(1)}}}, {fact.Observed, []any{map[string]any{"x": 1.0}}}, {fact.Observed, []any{map[string]any{"y": int64(1)}}},
		{fact.Observed, map[string]any{"x": int64(1)}}, {fact.Observed, 1}, {fact.Observed, uint8(1)},
	}
	for _, typ := range []kind.Type{kind.String, kind.List} {
		d := column.NewDictionary(typ)
		seen := map[uint32]int{column.Missing: -1}
		for i, c := range different {
			code := d.Code(c.status, c.value)
			if j, ok := seen[code]; ok {
				t.Errorf("%v has the code of %v", c, different[j])
			}
			seen[code] = i
		}
		for i, c := range different {
			if seen[d.Code(c.status, c.value)] != i {
				t.Errorf("%v has another code the second time", c)
			}
			if e := d.At(d.Code(c.status, c.value)); e.Status != c.status || fmt.Sprintf("%#v", e.Value) != fmt.Sprintf("%#v", c.value) {
				t.Errorf("%v stands for %v", c, e)
			}
		}
		if d.Code(fact.Denied, "x") != d.Code(fact.Denied, nil) {
			t.Error("a value counts where nothing is read")
		}
	}
}

func TestListsAreMadeOfTheirElements(t *testing.T) {
	d := column.NewDictionary(kind.List)
	record := func(n int) any { return map[string]any{"n": int64(n), "tags": []any{"x"}} }
	e := d.At(d.Code(fact.Observed, []any{record(1), record(2), record(1)})).Elements
	if len(e) != 3 || e[0] != e[2] || e[0] == e[1] {
		t.Fatalf("elements %v", e)
	}
	if got := d.Elements().At(e[1]).Value.(map[string]any)["n"]; got != int64(2) {
		t.Errorf("the second is %v", got)
	}
}

func TestTheOrderHoldsAlsoWithValuesThatCameLater(t *testing.T) {
	values := map[kind.Type]func(*rand.Rand) any{
		kind.Int:      func(r *rand.Rand) any { return r.Int64() - math.MaxInt64/2 },
		kind.Number:   func(r *rand.Rand) any { return r.NormFloat64() },
		kind.Duration: func(r *rand.Rand) any { return time.Duration(r.Int64N(1000)) },
		kind.String:   func(r *rand.Rand) any { return fmt.Sprint(r.IntN(5000)) },
		kind.Date:     func(r *rand.Rand) any { return time.Unix(r.Int64N(1000), 0).In(time.FixedZone("", 3600*r.IntN(3))) },
	}
	for typ, value := range values {
		r := rand.New(rand.NewPCG(1, 9))
		d := column.NewDictionary(typ)
		d.Code(fact.Observed, 3) // no value of any field
		d.Code(fact.Observed, math.NaN())
		d.Code(fact.Absent, nil)
		for range 5 {
			from := d.Len()
			for range 300 {
				d.Code(fact.Observed, value(r))
				d.Code(fact.Truncated, value(r))
			}
			ascending(t, d, d.Order(0), 0)
			ascending(t, d, d.Order(from), from)
		}
	}
}

func ascending(t *testing.T, d *column.Dictionary, order []uint32, from int) {
	t.Helper()
	n := 0
	for code, e := range d.Entries() {
		if _, odd := e.Value.(int); code >= from && e.Status == fact.Observed && !odd && fmt.Sprint(e.Value) != "NaN" {
			n++
		}
	}
	if len(order) != n {
		t.Fatalf("%d in order, want %d", len(order), n)
	}
	if !slices.IsSortedFunc(order, func(a, b uint32) int { return less(d.At(a).Value, d.At(b).Value) }) {
		t.Fatalf("not ascending: %v", order)
	}
}

func less(a, b any) int {
	switch x := a.(type) {
	case int64:
		return int(min(1, max(-1, x/2-b.(int64)/2)))
	case float64:
		if x < b.(float64) {
			return -1
		}
	case time.Duration:
		return int(x - b.(time.Duration))
	case time.Time:
		return x.Compare(b.(time.Time))
	case string:
		if x < b.(string) {
			return -1
		}
	}
	return 1
}

func TestForksMayNumberCellsAtTheSameTime(t *testing.T) {
	d := column.NewDictionary(kind.List)
	var wait sync.WaitGroup
	for w := range 4 {
		wait.Go(func() {
			for i := range 500 {
				code := d.Code(fact.Observed, []any{fmt.Sprint(i % 50), fmt.Sprint(w)})
				if e := d.At(code); e.Value.([]any)[1] != fmt.Sprint(w) {
					t.Error("a code stands for another's value")
				}
				d.Order(0)
			}
		})
	}
	wait.Wait()
	if d.Len() != 1+4*50 {
		t.Errorf("%d codes", d.Len())
	}
}
