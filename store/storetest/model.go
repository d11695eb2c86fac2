package storetest

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/decision"
	"kakusho/fact"
	"kakusho/store"
)

// model is a store as a map: by table, then by key.
type model map[string]map[string]store.Row

func (m model) put(r store.Row) {
	if m[r.Table()] == nil {
		m[r.Table()] = map[string]store.Row{}
	}
	m[r.Table()][fmt.Sprintf("%q", store.Key(r))] = r
}

func (m model) delete(r store.Row) { delete(m[r.Table()], fmt.Sprintf("%q", store.Key(r))) }

func (m model) clone() model {
	out := model{}
	for t, rows := range m {
		out[t] = maps.Clone(rows)
	}
	return out
}

// list answers w in plain Go.
func (m model) list(of store.Row, w store.Where) []store.Row {
	var out []store.Row
	for _, r := range m[of.Table()] {
		if matches(r, w) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b store.Row) int {
		for _, name := range w.Sort {
			name, down := strings.CutPrefix(name, "-")
			d := order(value(a, name), value(b, name))
			if down {
				d = -d
			}
			if d != 0 {
				return d
			}
		}
		return slices.CompareFunc(store.Key(a), store.Key(b), order)
	})
	out = out[min(w.Offset, len(out)):]
	if w.Limit > 0 {
		out = out[:min(w.Limit, len(out))]
	}
	return out
}

func matches(r store.Row, w store.Where) bool {
	for name, want := range w.Equal {
		if !reflect.DeepEqual(value(r, name), want) {
			return false
		}
	}
	for name, several := range w.In {
		if !slices.ContainsFunc(several, func(want any) bool { return reflect.DeepEqual(value(r, name), want) }) {
			return false
		}
	}
	for name, least := range w.From {
		if v := value(r, name); !alike(v, least) || order(v, least) < 0 {
			return false
		}
	}
	for name, bound := range w.Before {
		if v := value(r, name); !alike(v, bound) || order(v, bound) >= 0 {
			return false
		}
	}
	if sub, ok := r.(*store.Subject); ok {
		for _, word := range strings.Fields(store.Plain(w.Like)) {
			if !strings.Contains(store.Plain(sub.ID+"\n"+sub.Name+"\n"+leaves(sub.Values)), word) {
				return false
			}
		}
	}
	return true
}

func leaves(v any) string {
	var out string
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			out += leaves(e)
		}
	case string, int64, float64:
		out = fmt.Sprint(v) + "\n"
	}
	return out
}

// value is a column, or a place within one; nil when it is not set.
func value(r store.Row, name string) any {
	column, path, _ := strings.Cut(name, ".")
	v := field(r, column).Interface()
	if t, ok := v.(time.Time); ok && t.IsZero() {
		return nil
	}
	if s := reflect.ValueOf(v); s.IsValid() && s.Kind() == reflect.String {
		v = s.String()
	}
	for part := range strings.SplitSeq(path, ".") {
		if part == "" {
			break
		}
		record, _ := v.(map[string]any)
		v = record[part]
	}
	return v
}

// class parts what is not ordered against each other: nothing, numbers, text,
// time. A truth sorts among the numbers and is not after or before one.
func class(v any) int {
	switch v.(type) {
	case nil:
		return 0
	case bool, int64, float64:
		return 1
	case string:
		return 2
	}
	return 3
}

func alike(a, b any) bool {
	_, truth := a.(bool)
	return class(a) == class(b) && a != nil && !truth
}

func order(a, b any) int {
	if d := cmp.Compare(class(a), class(b)); d != 0 || a == nil {
		return d
	}
	switch a := a.(type) {
	case string:
		return cmp.Compare(a, b.(string))
	case time.Time:
		return a.Compare(b.(time.Time))
	}
	return cmp.Compare(float(a), float(b))
}

func float(v any) float64 {
	switch v := v.(type) {
	case bool:
		if v {
			return 1
		}
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}

// random makes rows and questions from small pools, so that they meet.
type random struct{ *rand.Rand }

func pick[T any](r random, pool ...T) T { return pool[r.IntN(len(pool))] }

func (r random) id() string { return pick(r, "a", "b", "c", "A", "あ", "a\x00", "a/b", "'", `"`, "%") }

func (r random) text() string {
	return pick(r, "", "web", "WEB", "ｗｅｂ", "捜査 資料", "a_b%c", "1", "true", "null", "\x00", `{"a":1}`, "it's")
}

func (r random) time() time.Time {
	if r.IntN(4) == 0 {
		return time.Time{}
	}
	return day(r.IntN(3)).Add(time.Duration(r.IntN(3)))
}

func (r random) value() any {
	return pick[any](r, nil, true, false, int64(0), int64(1), int64(-7), 0.0, 1.0, 0.5, "", "web", "1", "資料")
}

func (r random) values() map[string]any {
	out := map[string]any{}
	for _, k := range []string{"x", "y", "z"} {
		if r.IntN(3) > 0 {
			out[k] = r.value()
		}
	}
	if r.IntN(3) == 0 {
		out["in"] = map[string]any{"x": r.value()}
	}
	return out
}

func (r random) row() store.Row {
	switch r.IntN(8) {
	case 0, 1, 2:
		return &store.Subject{Kind: pick(r, "k", "l"), ID: r.id(), Name: r.text(), Unit: r.text(), System: r.text(), Retired: r.IntN(2) == 0,
			Values: r.values(), Rev: int64(r.IntN(4)), ChangedAt: r.time(), ChangedBy: r.text(), Entry: r.Int64()}
	case 3:
		f := &store.Fact{Subject: "k/" + r.id(), Field: pick(r, "f", "g"), Status: r.text(), Value: r.value(), ObservedAt: r.time(), Since: r.time(), Entry: r.Int64()}
		if r.IntN(2) == 0 {
			f.Source = []fact.Source{{Kind: "file", Ref: r.text(), ModTime: r.time()}}
		}
		return f
	case 4:
		d := &store.Decision{Entry: r.Int64(), Decision: decision.Decision{Basis: r.values(), Recorded: r.values(), ID: r.id(), Type: pick(r, decision.Types...), Value: r.value(), Reason: r.text(), At: r.time(), Until: r.time()}}
		if r.IntN(2) == 0 {
			d.Conditions, d.Notes = []string{r.text()}, []decision.Note{{Type: decision.Progress, Text: r.text(), At: r.time()}}
		}
		return d
	case 5:
		return &store.Setting{Predicted: r.values(), ID: r.id(), Key: r.text(), Value: r.value(), From: r.time(), Until: r.time()}
	case 6:
		return &store.Session{Digest: r.id(), Person: r.text(), Until: r.time()}
	}
	return pick[store.Row](r, &store.Credential{Person: r.id(), ChangedAt: r.time()},
		&store.Failure{Entry: int64(r.IntN(5)), Person: r.text(), At: r.time()}, &store.Batch{ID: r.id(), Entry: r.Int64()})
}

// where asks about subjects, which have columns of every type.
func (r random) where() store.Where {
	var w store.Where
	typed := func() (string, any) {
		switch r.IntN(6) {
		case 0:
			return pick(r, "name", "unit", "system", "id", "changed_by"), r.text()
		case 1:
			return "rev", int64(r.IntN(4))
		case 2:
			t := r.time()
			if t.IsZero() {
				t = day(0)
			}
			return "changed_at", t
		case 3:
			return "values.in.x", r.value()
		}
		return pick(r, "values.x", "values.y", "values.z", "values.none"), r.value()
	}
	for range r.IntN(3) {
		name, v := typed()
		switch r.IntN(4) {
		case 0:
			w.Equal = m{name: v}
		case 1:
			_, other := typed()
			if v != nil && other != nil && reflect.TypeOf(v) == reflect.TypeOf(other) {
				w.In = map[string][]any{name: {v, other}}
			}
		case 2:
			if _, truth := v.(bool); v != nil && !truth {
				w.From = m{name: v}
			}
		case 3:
			if _, truth := v.(bool); v != nil && !truth {
				w.Before = m{name: v}
			}
		}
	}
	if r.IntN(4) == 0 {
		w.Equal = m{"retired": true}
	}
	if r.IntN(4) == 0 {
		w.Like = pick(r, "web", "資料", "a_b", "%", "1", "WEB　資", "0.5", "it's")
	}
	for range r.IntN(3) {
		w.Sort = append(w.Sort, pick(r, "", "-")+pick(r, "kind", "id", "name", "rev", "retired", "changed_at", "values.x", "values.in.x", "values.none"))
	}
	w.Limit, w.Offset = r.IntN(4)*r.IntN(4), r.IntN(2)*r.IntN(5)
	return w
}

// testModel does random work on the store and on a map, and compares.
func testModel(t *testing.T, s store.Store) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := random{rand.New(rand.NewPCG(seed, 2026))}
			// What the seeds before left is the start of this one.
			m := model{}
			for _, of := range store.Rows() {
				for _, row := range list(t, s, of, store.Where{}) {
					m.put(row)
				}
			}
			for range 40 {
				m = r.fold(t, s, m)
				agree(t, s, m, r)
				if t.Failed() {
					return
				}
			}
		})
	}
}

// fold does a few random changes in one fold, which sometimes fails, and returns
// the model after it.
func (r random) fold(t *testing.T, s store.Store, before model) model {
	after := before.clone()
	fails := r.IntN(4) == 0
	err := foldNext(t.Context(), s, func(tx store.Tx) error {
		for range r.IntN(30) {
			row := r.row()
			if r.IntN(3) == 0 {
				after.delete(row)
				must(t, tx.Delete(t.Context(), row))
				continue
			}
			after.put(row)
			must(t, tx.Put(t.Context(), row))
		}
		if fails {
			return store.ErrFull
		}
		return nil
	})
	if fails {
		wantError(t, "fold", err, store.ErrFull)
		return before
	}
	must(t, err)
	return after
}

// agree compares all rows, and the answers to some random questions.
func agree(t *testing.T, s store.Store, m model, r random) {
	t.Helper()
	for _, of := range store.Rows() {
		same(t, s, m, of, store.Where{})
		for _, want := range m[of.Table()] {
			if got := get(t, s, want); !reflect.DeepEqual(got, want) {
				t.Errorf("get:\n got %s\nwant %s", show(got), show(want))
			}
		}
	}
	for range 25 {
		same(t, s, m, &store.Subject{}, r.where())
	}
}

func same(t *testing.T, s store.Store, m model, of store.Row, w store.Where) {
	t.Helper()
	got, want := list(t, s, of, w), m.list(of, w)
	if len(got) == 0 && len(want) == 0 || reflect.DeepEqual(got, want) {
		return
	}
	t.Errorf("%s where %+v:", of.Table(), w)
	for _, g := range got {
		t.Errorf(" got %s", show(g))
	}
	for _, w := range want {
		t.Errorf("want %s", show(w))
	}
}
