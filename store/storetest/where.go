package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/fact"
	"kakusho/store"
)

// machines are subjects to ask about.
func machines() []store.Row {
	return []store.Row{
		&store.Subject{Kind: "computer", ID: "a", Name: "Ｗｅｂ サーバ", System: "s1", Rev: 1, ChangedAt: day(1),
			Values: map[string]any{"role": "server", "cores": int64(1), "bought": day(1), "tags": []any{"x"}, "net": map[string]any{"zone": "dmz"}}},
		&store.Subject{Kind: "computer", ID: "b", Name: "web-2", System: "s1", Rev: 2, ChangedAt: day(2), Retired: true,
			Values: map[string]any{"role": "server", "cores": 1.0, "bought": day(2)}},
		&store.Subject{Kind: "computer", ID: "c", Name: "100%_ok", System: "s2", Rev: 3, ChangedAt: day(3),
			Values: map[string]any{"role": "terminal", "cores": "1", "note": "ﾊﾟｿｺﾝ 捜査資料"}},
		&store.Subject{Kind: "computer", ID: "d", Name: "WEB-10", System: "", Rev: 10,
			Values: map[string]any{"role": nil, "cores": true}},
		&store.Subject{Kind: "medium", ID: "a", Name: "usb\x00stick", System: "s1", Rev: 10, ChangedAt: day(1).Add(1),
			Values: map[string]any{"cores": 2.5, "role": "Server"}},
	}
}

// ids are kind/id of what w selects, in its order.
func ids(t testing.TB, s store.Store, w store.Where) string {
	t.Helper()
	var out []string
	for _, r := range list(t, s, &store.Subject{}, w) {
		sub := r.(*store.Subject)
		out = append(out, sub.Kind[:1]+sub.ID)
	}
	return strings.Join(out, " ")
}

type m = map[string]any

func testWhere(t *testing.T, s store.Store) {
	put(t, s, machines()...)
	type in = map[string][]any
	for _, c := range []struct {
		name string
		w    store.Where
		want string
	}{
		{"everything", store.Where{}, "ca cb cc cd ma"},
		{"a text", store.Where{Equal: m{"system": "s1"}}, "ca cb ma"},
		{"a text of a named type", store.Where{Equal: m{"system": fact.Ref("s1")}}, "ca cb ma"},
		{"two columns", store.Where{Equal: m{"system": "s1", "kind": "computer"}}, "ca cb"},
		{"no text", store.Where{Equal: m{"system": ""}}, "cd"},
		{"a truth", store.Where{Equal: m{"retired": true}}, "cb"},
		{"an integer", store.Where{Equal: m{"rev": int64(10)}}, "cd ma"},
		{"an int", store.Where{Equal: m{"rev": 10}}, "cd ma"},
		{"an instant", store.Where{Equal: m{"changed_at": day(2)}}, "cb"},
		{"an instant in another zone", store.Where{Equal: m{"changed_at": day(2).In(time.FixedZone("JST", 32400))}}, "cb"},
		{"an instant not set", store.Where{Equal: m{"changed_at": time.Time{}}}, "cd"},
		{"an instant that is nil", store.Where{Equal: m{"changed_at": nil}}, "cd"},
		{"a declared field", store.Where{Equal: m{"values.role": "server"}}, "ca cb"},
		{"a declared field that is null or missing", store.Where{Equal: m{"values.role": nil}}, "cd"},
		{"a declared integer", store.Where{Equal: m{"values.cores": int64(1)}}, "ca"},
		{"a declared number", store.Where{Equal: m{"values.cores": 1.0}}, "cb"},
		{"a declared text of a digit", store.Where{Equal: m{"values.cores": "1"}}, "cc"},
		{"a declared truth", store.Where{Equal: m{"values.cores": true}}, "cd"},
		{"a declared instant", store.Where{Equal: m{"values.bought": day(2)}}, "cb"},
		{"a declared list", store.Where{Equal: m{"values.tags": []any{"x"}}}, "ca"},
		{"a field of a record", store.Where{Equal: m{"values.net.zone": "dmz"}}, "ca"},
		{"a whole record", store.Where{Equal: m{"values": m{"cores": true, "role": nil}}}, "cd"},
		{"one of several", store.Where{In: in{"id": {"a", "d"}}}, "ca cd ma"},
		{"one of none", store.Where{In: in{"id": {}}}, ""},
		{"one of several declared", store.Where{In: in{"values.cores": {int64(1), "1", 7.0}}}, "ca cc"},
		{"from", store.Where{From: m{"rev": 3}}, "cc cd ma"},
		{"after", store.Where{After: m{"rev": 3}}, "cd ma"},
		{"before", store.Where{Before: m{"rev": 3}}, "ca cb"},
		{"from an instant", store.Where{From: m{"changed_at": day(2)}}, "cb cc"},
		{"after an instant by a nanosecond", store.Where{After: m{"changed_at": day(1)}}, "cb cc ma"},
		{"before an instant, and not those not set", store.Where{Before: m{"changed_at": day(2)}}, "ca ma"},
		{"between", store.Where{From: m{"id": "b"}, Before: m{"id": "d"}}, "cb cc"},
		{"a declared order of numbers only", store.Where{From: m{"values.cores": int64(1)}}, "ca cb ma"},
		{"a declared order of numbers with a fraction", store.Where{After: m{"values.cores": 1.5}}, "ma"},
		{"a declared order of texts only", store.Where{From: m{"values.cores": "0"}}, "cc"},
		{"a declared order of instants", store.Where{After: m{"values.bought": day(1)}}, "cb"},
		{"the first two", store.Where{Limit: 2}, "ca cb"},
		{"two after the third", store.Where{Limit: 2, Offset: 3}, "cd ma"},
		{"all after the third", store.Where{Offset: 3}, "cd ma"},
		{"past the end", store.Where{Limit: 2, Offset: 9}, ""},
	} {
		if got := ids(t, s, c.w); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		c.w.Limit, c.w.Offset = 0, 0
		whole := len(list(t, s, &store.Subject{}, c.w))
		c.w.Limit, c.w.Offset = 1, 1
		must(t, s.View(t.Context(), func(r store.Reader) error {
			if n, err := r.Count(t.Context(), &store.Subject{}, c.w); int(n) != whole || err != nil {
				t.Errorf("%s: count is %d, %v, want %d", c.name, n, err, whole)
			}
			return nil
		}))
	}
}

func testSort(t *testing.T, s store.Store) {
	put(t, s, machines()...)
	for _, c := range []struct{ sort, want string }{
		{"", "ca cb cc cd ma"},
		{"-kind", "ma ca cb cc cd"},
		{"name", "cc cd ma cb ca"}, // bytes: digits, capitals, small letters, full width
		{"-name", "ca cb ma cd cc"},
		{"rev", "ca cb cc cd ma"}, // 2 before 10
		{"-rev", "cd ma cc cb ca"},
		{"changed_at", "cd ca ma cb cc"}, // not set first
		{"-changed_at", "cc cb ma ca cd"},
		{"system -rev", "cd ma cb ca cc"},
		{"values.bought", "cc cd ma ca cb"},
		{"-values.bought", "cb ca cc cd ma"},
		{"values.role -id", "cd ma cb ca cc"},
		{"values.net.zone", "cb cc cd ma ca"},
	} {
		if got := ids(t, s, store.Where{Sort: strings.Fields(c.sort)}); got != c.want {
			t.Errorf("sorted by %q: got %s, want %s", c.sort, got, c.want)
		}
	}
}

func testLike(t *testing.T, s store.Store) {
	put(t, s, machines()...)
	for _, c := range []struct{ like, want string }{
		{"web", "ca cb cd"},
		{"WEB", "ca cb cd"},
		{"ｗｅＢ", "ca cb cd"},
		{"web s1", ""}, // the system is no text of the subject
		{"サーバ", "ca"},
		{"web　サーバ", "ca"}, // parted by an ideographic space
		{"サーバ ｗｅｂ", "ca"},
		{"ｻｰﾊﾞ", "ca"},
		{"パソコン", "cc"},
		{"ﾊﾟｿｺﾝ", "cc"},
		{"捜査資料", "cc"},
		{"資料", "cc"},
		{"%", "cc"},
		{"_", "cc"},
		{"0%_o", "cc"},
		{"w%b", ""},
		{"we_", ""},
		{"*", ""},
		{"server", "ca cb ma"},
		{"dmz", "ca"},
		{"2.5", "ma"},
		{"stick", "ma"},
		{"usb stick", "ma"}, // NUL is a space
		{"role", ""},        // the name of a field is no text of the subject
		{"10", "cc cd"},
		{"   ", "ca cb cc cd ma"},
		{"ok 捜査\n資料", "cc"},
		{"webサーバ", ""},
		{"' or true --", ""},
	} {
		if got := ids(t, s, store.Where{Like: c.like}); got != c.want {
			t.Errorf("like %q: got %q, want %q", c.like, got, c.want)
		}
	}
	put(t, s, Full()...)
	for _, c := range []struct {
		of   store.Row
		like string
		want int
	}{
		{&store.Decision{}, "理由", 1}, {&store.Decision{}, "NPA-R3@2.3.1", 1}, {&store.Decision{}, "post/1", 0},
		{&store.Setting{}, "min_length", 1}, {&store.Setting{}, "通達 12", 1}, {&store.Setting{}, "person", 0},
	} {
		if got := len(list(t, s, c.of, store.Where{Like: c.like})); got != c.want {
			t.Errorf("%s like %q: got %d rows, want %d", c.of.Table(), c.like, got, c.want)
		}
	}
}

// refused asks what must be refused, and checks that nothing was listed.
func refused(t *testing.T, s store.Store, name string, of store.Row, w store.Where) {
	t.Helper()
	must(t, s.View(t.Context(), func(r store.Reader) error {
		err := r.List(t.Context(), of, w, func(row store.Row) error {
			t.Errorf("%s: got row %s", name, show(row))
			return nil
		})
		wantError(t, "list with "+name, err, store.ErrWhere)
		if len(w.Sort) == 0 {
			_, err = r.Count(t.Context(), of, w)
			wantError(t, "count with "+name, err, store.ErrWhere)
		}
		return nil
	}))
}

func testWhereRefused(t *testing.T, s store.Store) {
	put(t, s, machines()...)
	put(t, s, Full()...)
	sub := &store.Subject{}
	for name, w := range map[string]store.Where{
		"an unknown column":               {Equal: m{"colour": 1}},
		"a column of the engine":          {Equal: m{"words": "web"}},
		"the number of a row":             {Equal: m{"rowid": 1}},
		"capital letters":                 {Equal: m{"Name": "a"}},
		"a path in a column of text":      {Equal: m{"name.x": "a"}},
		"no column":                       {Equal: m{"": "a"}},
		"text for an integer":             {Equal: m{"rev": "1"}},
		"a number for an integer":         {Equal: m{"rev": 1.0}},
		"an integer for a truth":          {Equal: m{"retired": 1}},
		"text for an instant":             {Equal: m{"changed_at": "2026"}},
		"an integer for text":             {Equal: m{"name": 1}},
		"a record of a strange type":      {Equal: m{"values.role": struct{}{}}},
		"an instant that cannot be":       {Equal: m{"changed_at": time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		"nil among several":               {In: map[string][]any{"name": {"a", nil}}},
		"an unknown column among several": {In: map[string][]any{"colour": {"a"}}},
		"the wrong type among several":    {In: map[string][]any{"rev": {1, "a"}}},
		"an order of truths":              {From: m{"retired": true}},
		"an order of nothing":             {After: m{"changed_at": nil}},
		"an order of declared truths":     {Before: m{"values.role": true}},
		"an order of declared durations":  {Before: m{"values.role": time.Hour}},
		"an order of lists":               {Before: m{"values.role": []any{}}},
		"an order of an unknown column":   {Before: m{"colour": 1}},
		"an order by an unknown column":   {Sort: []string{"colour"}},
		"an order by no column":           {Sort: []string{"-"}},
		"an order by everything twice":    {Sort: slices.Repeat([]string{"name"}, 30)},
		"a limit below 0":                 {Limit: -1},
		"an offset below 0":               {Offset: -1},
		"too many values":                 {In: map[string][]any{"name": slices.Repeat([]any{"a"}, store.MostWhere+1)}},
		"too many words":                  {Like: strings.Repeat("a ", store.MostWhere+1)},
	} {
		refused(t, s, name, sub, w)
	}
	for _, of := range []store.Row{&store.Fact{}, &store.Credential{}, &store.Session{}, &store.Failure{}, &store.Batch{}} {
		refused(t, s, "words in "+of.Table(), of, store.Where{Like: "a"})
	}
	most := store.Where{In: map[string][]any{"id": slices.Repeat([]any{"a"}, store.MostWhere)}}
	if got := ids(t, s, most); got != "ca ma" {
		t.Errorf("as many values as may be: got %q, want %q", got, "ca ma")
	}
}

func testInjection(t *testing.T, s store.Store) {
	put(t, s, machines()...)
	sub := &store.Subject{}
	for _, evil := range []string{
		`name" = '' or "name`, `name; drop table subject`, `name)--`, `values.role') is null or ('1`, `values.role" or "1`,
		`values."role"`, `values.$`, `values.`, `values..role`, `values.role.`, `.`, `values.*`, `values[0]`, `values.role[0]`,
		`values.ROLE`, `values.ro le`, "values.role\x00", `values.ｒｏｌｅ`, `values.` + strings.Repeat("a", 300),
		`values` + strings.Repeat(".a", store.MostDepth+1), `1`, `(select 1)`, `name collate nocase`, `?`, `@name`, `:name`, `name desc`, `--name`,
	} {
		refused(t, s, evil, sub, store.Where{Equal: m{evil: "x"}})
		refused(t, s, evil, sub, store.Where{In: map[string][]any{evil: {"x"}}})
		refused(t, s, evil, sub, store.Where{From: m{evil: "x"}})
		refused(t, s, evil, sub, store.Where{Sort: []string{evil}})
		refused(t, s, evil, sub, store.Where{Sort: []string{"-" + evil}})
	}
	for _, evil := range []string{`' or '1'='1`, `" or ""="`, `x'); drop table subject; --`, `\' or 1=1`, "\x00' or 1=1", `server"`, `$.role`, `{where}`, `{table}`} {
		for _, column := range []string{"name", "values.role", "kind"} {
			for what, w := range map[string]store.Where{
				"equal": {Equal: m{column: evil}}, "in": {In: map[string][]any{column: {evil}}}, "like": {Like: evil},
			} {
				if got := ids(t, s, w); got != "" {
					t.Errorf("%s %s %q: got %q, want nothing", column, what, evil, got)
				}
			}
		}
		put(t, s, &store.Subject{Kind: evil, ID: evil, Name: evil, Values: m{evil: evil, "role": evil}})
		for _, column := range []string{"name", "values.role", "kind"} {
			got := list(t, s, sub, store.Where{Equal: m{column: evil}})
			if len(got) != 1 || got[0].(*store.Subject).Name != evil {
				t.Errorf("%s equal to %q once it is there: got %d rows, want it", column, evil, len(got))
			}
		}
		must(t, foldNext(t.Context(), s, func(tx store.Tx) error {
			return tx.Delete(t.Context(), &store.Subject{Kind: evil, ID: evil})
		}))
	}
	if got := list(t, s, sub, store.Where{}); len(got) != 5 {
		t.Errorf("rows at the end: got %d, want 5", len(got))
	}
}
