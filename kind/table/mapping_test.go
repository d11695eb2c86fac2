package table_test

import (
	"reflect"
	"strings"
	"testing"

	"kakusho/kind"
	"kakusho/kind/table"
)

func mapped(t *testing.T, data string, k kind.Kind, m table.Mapping) (s table.Sheet) {
	t.Helper()
	s, err := table.ReadMapped(strings.NewReader(data), "x.csv", k, func([]table.Head) table.Mapping { return m })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheHeadingsAreFoundBelowATitle(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		line int
	}{
		"at once":                        {"番号,状態\nR-1,開\n", 1},
		"below a title and an empty row": {"部屋の一覧\n\n令和8年11月1日,,作成者\n番号,状態\nR-1,開\n", 4},
		"none that is known":             {"部屋の一覧\nあ,い\n1,2\n", 2},
		"a title that names a field":     {"状態\n番号,状態\nR-1,開\n", 2},
	} {
		if s := read(t, c.data, "x.csv", room()); s.Line != c.line {
			t.Errorf("%s: headings in row %d, want %d (%s)", name, s.Line, c.line, faults(s))
		}
	}
	// Beyond what may stand above them they are not looked for.
	if s := read(t, strings.Repeat("表題\n", 25)+"番号,状態\nR-1,開\n", "x.csv", room()); s.OK() {
		t.Error("headings were found in row 26")
	}
}

func TestForeignHeadingsAreGuessedAndMapped(t *testing.T) {
	data := "№,部屋番号（旧）,施錠の有無,【必須】状態,担当\n1,R-1,有,ひらき,甲\n2,R-2,無,とじ,乙\n"
	s := mapped(t, data, room(), table.Mapping{})
	if s.OK() || len(s.Heads) != 5 {
		t.Fatalf("%v %s", s.Heads, faults(s))
	}
	want := []struct{ key, field, guess string }{{"no", "", ""}, {"部屋番号(旧)", "", "room_no"}, {"施錠の有無", "", "locked"}, {"【必須】状態", "", "state"}, {"担当", "", "owner"}}
	for i, w := range want {
		if h := s.Heads[i]; h.Key != w.key || h.Field != w.field || h.Guess != w.guess {
			t.Errorf("heading %d: %+v, want %+v", i, h, w)
		}
	}
	m := table.Mapping{Columns: map[string]string{"no": table.Leave, "部屋番号(旧)": "room_no", "施錠の有無": "locked", "【必須】状態": "state", "担当": "owner"}}
	s = mapped(t, data, room(), m)
	if len(s.Foreign) != 2 || s.Foreign[0].Text != "ひらき" || s.Foreign[0].Line != 2 || s.Foreign[1].Field.Name != "state" {
		t.Fatalf("words that are no choices: %+v", s.Foreign)
	}
	m.Values = map[string]map[string]string{"state": {"ひらき": "open", "とじ": "closed"}}
	s = mapped(t, data, room(), m)
	if !s.OK() || !reflect.DeepEqual(s.Rows[1].Values, map[string]any{"room_no": "R-2", "locked": false, "state": "closed", "owner": "乙"}) {
		t.Errorf("%v %s", s.Rows, faults(s))
	}
	// Another order, another width: the same headings.
	other := mapped(t, "担当,施錠の有無,【必須】状態,No,部屋番号(旧)\n", room(), m)
	if table.Headings(other.Heads) != table.Headings(s.Heads) {
		t.Errorf("%v and %v are not the same headings", other.Heads, s.Heads)
	}
	// Two headings that mean the same are not guessed; one that comes twice has its place.
	s = mapped(t, "番号,施錠(表),施錠(裏),備考,備考\n", room(), table.Mapping{})
	if s.Heads[1].Guess != "" || s.Heads[2].Guess != "" || s.Heads[4].Key != "備考@E" {
		t.Errorf("%+v", s.Heads)
	}
	// A word may stand for nothing.
	m.Values["state"]["とじ"] = ""
	if s = mapped(t, data, room(), m); !strings.Contains(faults(s), "3行D列「【必須】状態」：必須項目") {
		t.Errorf("%s", faults(s))
	}
}

func FuzzMapped(f *testing.F) {
	f.Add([]byte("表題\n番号,状態,色\nR-1,ひらき,赤\n"), "色", "-", "ひらき", "open")
	f.Add([]byte("番号\t状態\t\nR-1\t開\tx\n"), "@C", "note", "開", "")
	f.Add([]byte("\x94\xd4\x8d\x86,\x8f\xf3\x91\xd4\nR-1,\x8aJ\n"), "状態", "count", "", "x")
	f.Fuzz(func(t *testing.T, data []byte, heading, field, word, to string) {
		m := table.Mapping{Columns: map[string]string{heading: field}, Values: map[string]map[string]string{"state": {word: to}}}
		s := mapped(t, string(data), room(), m)
		for _, h := range s.Heads {
			if h.Key == "" || h.Place == "" {
				t.Fatalf("a heading without a name: %+v", s.Heads)
			}
		}
		for name, at := range s.Columns {
			if f, ok := room().Field(name); !ok || !f.In(kind.Declared) || at < 1 || at > len(s.Heads) {
				t.Fatalf("column %d is %q", at, name)
			}
		}
		for _, f := range s.All() {
			if !f.Message.Complete() || f.Column > len(s.Heads)+table.MaxColumns && s.OK() {
				t.Fatalf("fault %+v", f)
			}
		}
		if again := mapped(t, string(data), room(), m); table.Headings(again.Heads) != table.Headings(s.Heads) || len(again.Rows) != len(s.Rows) {
			t.Fatal("read twice, it differs")
		}
	})
}
