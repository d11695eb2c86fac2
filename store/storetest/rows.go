package storetest

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"kakusho/clause"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/store"
)

// Full is one row of every table with every field set.
func Full() []store.Row {
	return []store.Row{
		&store.Subject{
			Kind: "computer", ID: "PC-1", Name: "捜査端末1", Unit: "unit/u", System: "sys-1", Retired: true,
			Values: map[string]any{"role": "terminal", "cores": int64(8), "load": 0.5, "tags": []any{"a", "b"}},
			Since:  map[string]time.Time{"role": day(1), "cores": day(0)},
			Rev:    3, ChangedAt: day(1), ChangedBy: "person/1", Entry: 41,
		},
		&store.Fact{
			Subject: "computer/PC-1", Field: "volumes", Status: "observed", Reason: "why",
			Value:     []any{map[string]any{"device": "/dev/dm-0", "encrypted": true, "bytes": int64(1) << 60}},
			Source:    []fact.Source{{Kind: "file", Ref: "/proc/mounts", SHA256: "ab", ModTime: day(2)}, {Kind: "proc", Ref: "x"}},
			Collector: "volume", Version: "1", Method: "native", Privilege: "root",
			ObservedAt: day(3), ReceivedAt: day(4), Since: day(5), FirstAt: day(2), Entry: 42,
		},
		&store.Decision{Entry: 43, Decision: decision.Decision{
			ID: "d-1", Type: decision.Override, Subject: fact.NewRef("computer", "PC-1"), Control: "crypto/disk",
			Directive: "npa-r3", Carries: "d-0", Clause: clause.ID("npa-r3@2.3.1"), Field: "class", Value: map[string]any{"a": nil}, Answer: "fitted",
			Reason: "理由", Measures: "m", Conditions: []string{"a/b", "c/d"}, Consulted: "c", By: "person/1", Post: "post/1",
			ApprovedBy: "person/2", At: day(6), From: day(7), Until: day(8), WithdrawnAt: day(9), ApprovedAt: day(10),
			Ground: "server-difficult", Recorded: map[string]any{"class": "technical"}, Chosen: []string{"manual"}, Target: day(8), Basis: map[string]any{"zone_class": int64(3), "internet": nil},
			Notes: []decision.Note{{Type: decision.Consultation, Text: "協議", By: "person/3", Post: "post/3", At: day(8)}, {Type: decision.Agreement, At: day(9)}},
		}},
		&store.Setting{
			ID: "s-1", Key: "auth.pw.min_length", Layer: "national", Value: int64(12), Source: "通達",
			By: "person/1", Approver: "person/2", From: day(11), Until: day(12), At: day(13), WithdrawnAt: day(14), Entry: 44,
			Predicted: map[string]any{"counts": map[string]any{"fails": int64(2)}},
		},
		&store.Credential{Person: "person/1", Digest: "d1", ChangedAt: day(15), Entry: 45},
		&store.Session{Digest: "d2", Person: "person/1", Addr: "192.0.2.1", Passkey: "k1", OpenedAt: day(16), Until: day(17), ClosedAt: day(18), Before: day(15), BeforeAddr: "192.0.2.3", Failed: 2, Elsewhere: true, Login: 45, Entry: 46},
		&store.Passkey{ID: "k1", Person: "person/1", Name: "職員証", Host: "kakusho.example.jp", Credential: map[string]any{"id": "k1"}, AddedAt: day(14), UsedAt: day(16), EndedAt: day(18), Entry: 46},
		&store.Invite{Digest: "ee", Person: "person/2", Until: day(20), UsedAt: day(19), Entry: 46},
		&store.Failure{Person: "person/1", Addr: "192.0.2.2", At: day(19), Entry: 47},
		&store.Batch{ID: "b-1", Entry: 48},
		&store.Sender{Digest: "d3", Name: "pc-1.example", GivenAt: day(21), EndedAt: day(22), Entry: 49},
		&store.Adoption{Source: "npa-next", Replaces: "npa-r3", Document: "文書", Reason: "理由", By: "E-1", Post: "P-1", At: day(23), Carried: 3, Asked: 2, Archived: 1, Entry: 51},
		&store.Step{Subject: "disposal/D-1", Procedure: "disposal", Step: "close", Before: "open", After: "closed", Person: "E-1", Post: "P-1", At: day(24), Note: "備考", Files: []any{map[string]any{"name": "証明書.pdf", "size": int64(3)}}, Entry: 52},
		&store.Draft{Person: "E-1", Subject: "disposal/new", Form: "entry", Rev: 3, Typed: map[string]any{"title": []any{"途中の件名"}}, At: day(25), Entry: 53},
		&store.Import{ID: "20261102-100000-ab", Kind: "computer", File: "台帳.xlsx", Digest: "d4", Bytes: 7, By: "E-1", Post: "P-1", At: day(25), Note: "移行", New: 1, Changed: 2, Same: 3, Apart: 4,
			Undone: "E-2", UndonePost: "P-2", UndoneAt: day(26), UndoneNote: "誤り", Entry: 53},
		&store.Imported{Import: "20261102-100000-ab", Subject: "computer/PC-1", Line: 2, Made: true, Retired: true, Was: map[string]any{"role": "server"}, Rev: 4},
		&store.Mapping{Kind: "computer", Headings: "h", Mapping: map[string]any{"columns": map[string]any{"端末名": "hostname"}}, By: "E-1", At: day(27), Entry: 54},
		&store.Feed{Digest: "d4", Person: "E-1", GivenAt: day(26), EndedAt: day(27), Entry: 54},
		&store.Notices{Name: "notices", Value: map[string]any{"relay": "mail.example.jp"}, By: "E-1", At: day(28), Entry: 55},
		&store.Told{Person: "E-1", Item: "ab", At: day(28), Entry: 56},
	}
}

func testEmpty(t *testing.T, s store.Store) {
	n, err := s.Cursor(t.Context())
	must(t, err)
	if n != 0 {
		t.Errorf("cursor: got %d, want 0", n)
	}
	for _, of := range store.Rows() {
		if got := list(t, s, of, store.Where{}); len(got) != 0 {
			t.Errorf("%s: got %d rows, want none", of.Table(), len(got))
		}
	}
}

func testColumns(t *testing.T, s store.Store) {
	rows := Full()
	if got, want := len(rows), len(store.Rows()); got != want {
		t.Fatalf("rows tried: got %d, want one of each of %d tables", got, want)
	}
	put(t, s, rows...)
	for _, want := range rows {
		for _, c := range want.Columns() {
			if field(want, c.Name).IsZero() {
				t.Errorf("%s.%s: the test does not set it", want.Table(), c.Name)
			}
		}
		if got := get(t, s, want); !reflect.DeepEqual(got, want) {
			t.Errorf("get %s:\n got %s\nwant %s", want.Table(), show(got), show(want))
		}
		if got := list(t, s, want, store.Where{}); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("list %s:\n got %v\nwant %s", want.Table(), got, show(want))
		}
	}
}

func testBare(t *testing.T, s store.Store) {
	for _, from := range Full() {
		want := store.New(from)
		setKey(want, from)
		put(t, s, want)
		filled(want)
		if got := get(t, s, want); !reflect.DeepEqual(got, want) {
			t.Errorf("get %s:\n got %s\nwant %s", want.Table(), show(got), show(want))
		}
	}
	for _, r := range Full() { // the same key with something in it, and bare again
		bare := store.New(r)
		setKey(bare, r)
		put(t, s, r, bare)
		filled(bare)
		if got := get(t, s, bare); !reflect.DeepEqual(got, bare) {
			t.Errorf("get %s after it was emptied:\n got %s\nwant %s", r.Table(), show(got), show(bare))
		}
	}
}

// filled makes of a bare row what is read: records are never nil.
func filled(row store.Row) {
	switch r := row.(type) {
	case *store.Subject:
		r.Values = map[string]any{}
	case *store.Decision:
		r.Basis, r.Recorded = map[string]any{}, map[string]any{}
	case *store.Setting:
		r.Predicted = map[string]any{}
	}
}

func testReplace(t *testing.T, s store.Store) {
	first := &store.Subject{Kind: "k", ID: "1", Name: "a", Values: map[string]any{"x": "old", "y": "gone"}}
	second := &store.Subject{Kind: "k", ID: "1", Name: "b", Values: map[string]any{"x": "new"}}
	put(t, s, first)
	put(t, s, second)
	if got := get(t, s, second); !reflect.DeepEqual(got, second) {
		t.Errorf("got %s, want %s", show(got), show(second))
	}
	if got := list(t, s, first, store.Where{Like: "gone"}); len(got) != 0 {
		t.Errorf("the words of the first are still found: %s", show(got[0]))
	}
	if got := list(t, s, first, store.Where{}); len(got) != 1 {
		t.Errorf("rows: got %d, want 1", len(got))
	}
}

func testDelete(t *testing.T, s store.Store) {
	// Neighbours whose joined keys would look alike.
	a, b, c := &store.Fact{Subject: "k/1", Field: "f"}, &store.Fact{Subject: "k/1", Field: "g"}, &store.Fact{Subject: "k", Field: "1/f"}
	put(t, s, a, b, c)
	must(t, foldNext(t.Context(), s, func(tx store.Tx) error {
		if err := tx.Delete(t.Context(), a); err != nil {
			return err
		}
		return tx.Delete(t.Context(), &store.Fact{Subject: "k/1", Field: "none"})
	}))
	if got := get(t, s, a); got != nil {
		t.Errorf("deleted row: got %s", show(got))
	}
	if got := list(t, s, a, store.Where{}); !reflect.DeepEqual(got, []store.Row{c, b}) {
		t.Errorf("rows left: got %v, want the two others in key order", got)
	}
}

func testTypes(t *testing.T, s store.Store) {
	tokyo := time.FixedZone("JST", 9*60*60)
	for _, c := range []struct {
		name      string
		put, want any
	}{
		{"an integer", int64(3), int64(3)},
		{"an int", 3, int64(3)},
		{"the largest integer", int64(1<<63 - 1), int64(1<<63 - 1)},
		{"the smallest integer", int64(-1 << 63), int64(-1 << 63)},
		{"an integer no float64 holds", int64(1<<53 + 1), int64(1<<53 + 1)},
		{"a whole number", 3.0, 3.0},
		{"a large whole number", 1e300, 1e300},
		{"a small number", 5e-324, 5e-324},
		{"a tenth", 0.1, 0.1},
		{"zero as a number", 0.0, 0.0},
		{"a truth", true, true},
		{"nothing", nil, nil},
		{"an empty text", "", ""},
		{"a text that looks like a number", "3.0", "3.0"},
		{"an empty list", []any{}, []any{}},
		{"an empty record", map[string]any{}, map[string]any{}},
		{"a list of texts", []string{"a", "b"}, []any{"a", "b"}},
		{"records in lists in records", []any{map[string]any{"a": []any{int64(1), 1.0, nil}}}, []any{map[string]any{"a": []any{int64(1), 1.0, nil}}}},
		{"a time, as its canonical text", time.Date(2026, 4, 1, 9, 0, 0, 5, tokyo), "2026-04-01T00:00:00.000000005Z"},
		{"a duration, as its canonical text", 90 * time.Minute, "1h30m0s"},
	} {
		put(t, s, &store.Fact{Subject: "k/1", Field: "f", Value: c.put},
			&store.Subject{Kind: "k", ID: "1", Values: map[string]any{"v": c.put}})
		f := get(t, s, &store.Fact{Subject: "k/1", Field: "f"}).(*store.Fact)
		if !reflect.DeepEqual(f.Value, c.want) {
			t.Errorf("%s: got %T %v, want %T %v", c.name, f.Value, f.Value, c.want, c.want)
		}
		sub := get(t, s, &store.Subject{Kind: "k", ID: "1"}).(*store.Subject)
		if !reflect.DeepEqual(sub.Values["v"], c.want) {
			t.Errorf("%s within values: got %T %v, want %T %v", c.name, sub.Values["v"], sub.Values["v"], c.want, c.want)
		}
	}
	elsewhere := &store.Batch{ID: "zone"}
	put(t, s, elsewhere, &store.Failure{Entry: 9, At: day(0).In(tokyo)})
	if got := get(t, s, &store.Failure{Entry: 9}).(*store.Failure).At; got != day(0) {
		t.Errorf("a time of another zone: got %v, want the same instant in UTC, %v", got, day(0))
	}
}

// strange are texts that something between us and the disk may trip over.
var strange = []string{
	"警察庁", "ﾊﾟｿｺﾝ", "e\u0301", "👩‍💻", "\u202eRTL", "\ufeffBOM", "\ufffd", "\u2028\u2029",
	"a\x00b", "\x00", "tab\tline\nreturn\r", "\x1b[31m", "<script>&amp;", `back\slash "quote" 'single'`,
	"%", "_", "'; drop table subject; --", "=1+1", " leading and trailing ", "\u007f\u0080", `\u0041`, "null", "{}", "1",
}

func testText(t *testing.T, s store.Store) {
	for i, text := range strange {
		want := &store.Subject{
			Kind: "k", ID: text, Name: text, Unit: text, System: text, ChangedBy: text, Rev: int64(i),
			Values: map[string]any{text: text, "list": []any{text}, "v": text},
		}
		put(t, s, want, &store.Fact{Subject: "k/" + text, Field: text, Reason: text, Value: text, Source: []fact.Source{{Kind: text, Ref: text}}})
		if got := get(t, s, want); !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %s\nwant %s", text, show(got), show(want))
		}
		for name, v := range map[string]any{"id": text, "name": text, "values.v": text, "values.list": []any{text}} {
			got := list(t, s, want, store.Where{Equal: map[string]any{name: v}})
			if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
				t.Errorf("%s equal to %q: got %d rows, want the one", name, text, len(got))
			}
		}
		f := get(t, s, &store.Fact{Subject: "k/" + text, Field: text}).(*store.Fact)
		if f.Value != text || f.Source[0].Ref != text {
			t.Errorf("%q in a fact: got %q and %q", text, f.Value, f.Source[0].Ref)
		}
	}
	if got := list(t, s, &store.Subject{}, store.Where{}); len(got) != len(strange) {
		t.Errorf("rows: got %d, want %d: no two of the keys are the same", len(got), len(strange))
	}
}

func testLarge(t *testing.T, s store.Store) {
	large := strings.Repeat("証", 3<<20) // 9 MiB
	var packages []any
	for i := range 20_000 {
		packages = append(packages, map[string]any{"name": "package", "n": int64(i)})
	}
	for _, v := range []any{large, packages} {
		want := &store.Fact{Subject: "k/1", Field: "f", Value: v}
		put(t, s, want)
		if got := get(t, s, want); !reflect.DeepEqual(got, want) {
			t.Errorf("a large %T did not come back", v)
		}
	}
	limit := strings.Repeat("a", store.MostBytes)
	want := &store.Subject{Kind: "k", ID: "1", Name: limit, Values: map[string]any{}}
	put(t, s, want)
	if got := get(t, s, want); !reflect.DeepEqual(got, want) {
		t.Error("a text of MostBytes did not come back")
	}
	for name, r := range map[string]store.Row{
		"a text over MostBytes":  &store.Subject{Kind: "k", ID: "2", Name: limit + "a"},
		"a value over MostBytes": &store.Fact{Subject: "k/2", Field: "f", Value: limit},
	} {
		err := foldNext(t.Context(), s, func(tx store.Tx) error { return tx.Put(t.Context(), r) })
		wantError(t, name, err, store.ErrValue)
		if got := get(t, s, r); got != nil {
			t.Errorf("%s: it was stored", name)
		}
	}
}

func testRefused(t *testing.T, s store.Store) {
	deep := any("x")
	for range store.MostDepth + 1 {
		deep = []any{deep}
	}
	for name, r := range map[string]store.Row{
		"an empty kind":              &store.Subject{ID: "1"},
		"an empty id":                &store.Subject{Kind: "k"},
		"an empty field":             &store.Fact{Subject: "k/1"},
		"an empty batch":             &store.Batch{},
		"text that is not UTF-8":     &store.Subject{Kind: "k", ID: "1", Name: "a\xff"},
		"a key that is not UTF-8":    &store.Batch{ID: "\xff"},
		"a value that is not UTF-8":  &store.Fact{Subject: "k/1", Field: "f", Value: []any{"\xff"}},
		"a field that is not UTF-8":  &store.Subject{Kind: "k", ID: "1", Values: map[string]any{"\xff": true}},
		"a source that is not UTF-8": &store.Fact{Subject: "k/1", Field: "f", Source: []fact.Source{{Ref: "\xff"}}},
		"an endless number":          &store.Fact{Subject: "k/1", Field: "f", Value: inf()},
		"a number that is none":      &store.Fact{Subject: "k/1", Field: "f", Value: map[string]any{"a": inf() - inf()}},
		"a value of a strange type":  &store.Fact{Subject: "k/1", Field: "f", Value: struct{}{}},
		"a value too deep":           &store.Fact{Subject: "k/1", Field: "f", Value: deep},
		"a time after year 9999":     &store.Failure{Entry: 1, At: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"a time before year 0":       &store.Failure{Entry: 1, At: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)},
		"a source before year 0":     &store.Fact{Subject: "k/1", Field: "f", Source: []fact.Source{{ModTime: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)}}},
	} {
		err := foldNext(t.Context(), s, func(tx store.Tx) error { return tx.Put(t.Context(), r) })
		wantError(t, name, err, store.ErrValue)
		if got := list(t, s, r, store.Where{}); len(got) != 0 {
			t.Errorf("%s: it was stored", name)
		}
	}
}

func inf() float64 {
	f := 1e308
	return f * 10
}
