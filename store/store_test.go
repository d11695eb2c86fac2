package store_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"kakusho/store"
)

func TestEncode(t *testing.T) {
	for _, c := range []struct {
		name string
		v    any
		want string
	}{
		{"keys are sorted by bytes", map[string]any{"b": nil, "a": true, "B": false}, `{"B":false,"a":true,"b":null}`},
		{"an integer has no dot", int64(3), `3`},
		{"a number always has one", 3.0, `3.0`},
		{"or an exponent", 1e300, `1e+300`},
		{"negative zero stays so", math.Copysign(0, -1), `-0.0`},
		{"only what must be is escaped", "<&>\u2028é\"\\\n\x00", "\"<&>\u2028é\\\"\\\\\\u000a\\u0000\""},
		{"a time is text in UTC", time.Date(2026, 4, 1, 9, 0, 0, 0, time.FixedZone("JST", 32400)), `"2026-04-01T00:00:00Z"`},
		{"a duration is text", time.Minute, `"1m0s"`},
		{"an empty list is not nothing", []any{}, `[]`},
	} {
		got, err := store.Encode(c.v)
		if got != c.want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", c.name, got, err, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, s := range map[string]string{
		"nothing":                  "",
		"two values":               "1 2",
		"half a record":            `{"a":1`,
		"a number over 64 bits":    "9223372036854775808",
		"a number over a float64":  "1e999",
		"one such within a record": `{"a":[9223372036854775808]}`,
	} {
		if v, err := store.Decode(s); err == nil {
			t.Errorf("%s: got %v, want an error", name, v)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"a":[1,1.0,"x",null,true]}`, `-0.0`, `1e21`, `1E5`, `"\ud800"`, `{"a":1,"a":2}`, `[[[]]]`, " 1 ", "1 2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := store.Decode(s)
		if err != nil {
			return
		}
		once, err := store.Encode(v)
		if err != nil {
			return // too deep
		}
		again, err := store.Decode(once)
		if err != nil || !reflect.DeepEqual(again, v) {
			t.Fatalf("%q: got %#v, %v after %s, want %#v", s, again, err, once, v)
		}
	})
}

func TestStamp(t *testing.T) {
	var last string
	for _, at := range []time.Time{
		time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(2026, 1, 1, 0, 0, 5, 0, time.UTC),
		time.Date(2026, 1, 1, 0, 0, 5, 500, time.UTC),
		time.Date(2026, 1, 1, 9, 0, 5, 600, time.FixedZone("JST", 32400)),
		time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
	} {
		got, err := store.Stamp(at)
		if err != nil || len(got) != len("2026-01-01T00:00:05.000000000Z") || got <= last {
			t.Errorf("%v: got %q, %v, want a text as long as others and after %q", at, got, err, last)
		}
		last = got
	}
	// In Tokyo it is the year 10000 already, in UTC it is not.
	if got, err := store.Stamp(time.Date(10_000, 1, 1, 1, 0, 0, 0, time.FixedZone("JST", 32400))); err != nil {
		t.Errorf("the last day in UTC: got %q, %v", got, err)
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"WEB ｗｅｂ Ｗｅｂ":     "web web web",
		"（０９）～":           "(09)~",
		"ﾊﾟｿｺﾝ ｶﾞﾋﾞｳﾞ ﾜﾝ": "パソコン ガビヴ ワン",
		"ｱﾞ ﾞ":            "ア゛ ゛",
		"が か゛":            "が か゛",
		"「｣｡､･ｰ":          "「」。、・ー",
		"\x00\n\t　\x7f":   "     ",
		"É 漢字 ①":          "É 漢字 ①",
	} {
		if got := store.Plain(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	half := "ｦｧｨｩｪｫｬｭｮｯｰｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜﾝ"
	full := "ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"
	if got := store.Plain(half); got != full {
		t.Errorf("the whole table:\n got %s\nwant %s", got, full)
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{"", "ﾊﾟ", "ﾞﾞ", "\xff", "Ａ\x00　"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := store.Plain(s)
		if again := store.Plain(once); again != once {
			t.Fatalf("%q: got %q, and %q the second time", s, once, again)
		}
		if !utf8.ValidString(once) || strings.ContainsAny(once, "\x00\n") {
			t.Fatalf("%q: got %q", s, once)
		}
	})
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{"name", "values.role", "values.a.b", "values", "", ".", "values.", "name.x", "values.'", "valuesx"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		c, path, err := store.Resolve(&store.Subject{}, name)
		if err != nil {
			if !errors.Is(err, store.ErrWhere) {
				t.Fatalf("%q: got %v, want ErrWhere", name, err)
			}
			return
		}
		if got := strings.Join(append([]string{c.Name}, path...), "."); got != name {
			t.Fatalf("%q: got %q", name, got)
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_.") != "" {
			t.Fatalf("%q was let through", name)
		}
	})
}

func TestReadRefusesWhatWriteNeverMakes(t *testing.T) {
	for _, c := range []struct {
		row    store.Row
		column string
		kept   any
	}{
		{&store.Subject{}, "name", nil}, {&store.Subject{}, "name", int64(1)}, {&store.Subject{}, "name", []byte("a")}, {&store.Subject{}, "name", "\xff"},
		{&store.Subject{}, "rev", "1"}, {&store.Subject{}, "rev", nil}, {&store.Subject{}, "rev", 1.0},
		{&store.Subject{}, "retired", int64(2)}, {&store.Subject{}, "retired", "true"},
		{&store.Subject{}, "changed_at", "2026-01-01"}, {&store.Subject{}, "changed_at", int64(0)}, {&store.Subject{}, "changed_at", "2026-13-01T00:00:00.000000000Z"},
		{&store.Subject{}, "values", nil}, {&store.Subject{}, "values", "[]"}, {&store.Subject{}, "values", "{"}, {&store.Subject{}, "values", "null"},
		{&store.Fact{}, "value", "{"}, {&store.Fact{}, "value", int64(1)}, {&store.Fact{}, "source", "{}"}, {&store.Fact{}, "source", nil},
		{&store.Decision{}, "conditions", `[1]`}, {&store.Decision{}, "conditions", `{}`}, {&store.Decision{}, "conditions", nil},
	} {
		col, _, err := store.Resolve(c.row, c.column)
		if err != nil {
			t.Fatal(err)
		}
		if err := col.Read(c.kept); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), c.column) {
			t.Errorf("%s.%s holding %#v: got %v, want ErrCorrupt and the column", c.row.Table(), c.column, c.kept, err)
		}
	}
}

func TestDifferenceOnOneLine(t *testing.T) {
	for _, c := range []struct {
		d    store.Difference
		want string
	}{
		{store.Difference{Table: "subject", Key: "computer/PC-1", Column: "values.role", Want: `"server"`, Got: `"x"`}, `subject computer/PC-1 values.role: want "server", got "x"`},
		{store.Difference{Table: "subject", Key: "computer/PC-1", Column: "values.role", Want: `"server"`}, `subject computer/PC-1 values.role: want "server", got nothing`},
		{store.Difference{Table: "fact", Key: "computer/PC-1/os", Column: "value[2]", Got: `1`}, `fact computer/PC-1/os value[2]: want nothing, got 1`},
		{store.Difference{Table: "batch", Key: "b", Want: "row"}, `batch b: missing`},
		{store.Difference{Table: "sqlite_schema", Key: "trigger/evil", Got: `"create …"`}, `sqlite_schema trigger/evil: not in the trail`},
	} {
		if got := c.d.String(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
