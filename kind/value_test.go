package kind_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/kind"
)

func duties() []string {
	var out []string
	for _, d := range actor.Duties {
		out = append(out, string(d))
	}
	return out
}

func say(s string) bilingual.Text { return bilingual.Say(s, s) }

func field(t kind.Type) kind.Field {
	f := kind.Field{Name: "f", Type: t, Label: bilingual.Say("項目", "Field")}
	if t == kind.Enum {
		f.Choices = []kind.Choice{{Value: "open", Label: bilingual.Say("未対策", "Open")}, {Value: "ids-ips", Label: bilingual.Say("侵入検知／防止", "IDS/IPS")}}
	}
	return f
}

func bound(n int64) *int64 { return &n }

func TestParseReadsWhatPeopleWrite(t *testing.T) {
	number := field(kind.Int)
	number.Unit = "桁"
	listed := field(kind.List)
	listed.Choices = field(kind.Enum).Choices
	records := field(kind.List)
	records.Of = []kind.Field{
		{Name: "name", Type: kind.String, Label: say("Name"), Required: true},
		{Name: "on", Type: kind.Date, Label: say("On")},
		{Name: "n", Type: kind.Int, Label: say("N")},
	}
	day := calendar.Day(2026, 11, 2)
	for _, c := range []struct {
		f    kind.Field
		in   string
		want any
	}{
		{field(kind.String), "  PC-1　", "PC-1"},
		{field(kind.String), "ＰＣ－１", "ＰＣ－１"},       // names are not folded
		{field(kind.String), "か\u3099", "が"},       // but composed
		{field(kind.String), "神\uFA19", "神\uFA19"}, // and compatibility ideographs kept
		{field(kind.String), "", nil},
		{field(kind.String), " 　 ", nil},
		{field(kind.Text), "一行目\r\n  二行目\r\n", "一行目\n  二行目"},
		{number, "１２桁", int64(12)},
		{number, "1,234", int64(1234)},
		{number, "−5", int64(-5)},
		{field(kind.Number), "0.25", 0.25},
		{field(kind.Number), "1,234.5", 1234.5},
		{field(kind.Bool), "はい", true}, {field(kind.Bool), "○", true}, {field(kind.Bool), "有", true}, {field(kind.Bool), "１", true}, {field(kind.Bool), "TRUE", true},
		{field(kind.Bool), "いいえ", false}, {field(kind.Bool), "×", false}, {field(kind.Bool), "無", false}, {field(kind.Bool), "0", false}, {field(kind.Bool), "False", false},
		{field(kind.Date), "令和８年１１月２日", day},
		{field(kind.Time), "2026-11-02 09:00", day.Add(9 * time.Hour).UTC()},
		{field(kind.Duration), "90日", 90 * 24 * time.Hour},
		{field(kind.Enum), "open", "open"}, {field(kind.Enum), "未対策", "open"}, {field(kind.Enum), "OPEN", "open"}, {field(kind.Enum), "侵入検知/防止", "ids-ips"},
		{field(kind.Ref), "ZONE-1", "ZONE-1"},
		{field(kind.List), "a、b；c;d\ne, f", []any{"a", "b", "c", "d", "e", "f"}},
		{field(kind.List), `C:\Windows\System32; a\;b; x\\`, []any{`C:\Windows\System32`, "a;b", `x\`}},
		{listed, "未対策、IDS/IPS", []any{"open", "ids-ips"}},
		{records, "甲社 | R8.11.2 | 3\n乙\\|社\n", []any{map[string]any{"name": "甲社", "on": day, "n": int64(3)}, map[string]any{"name": "乙|社"}}},
		{records, "甲社 |  | 3", []any{map[string]any{"name": "甲社", "n": int64(3)}}},
	} {
		got, err := c.f.Parse(c.in)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: Parse(%q) = %#v, %v; want %#v", c.f.Type, c.in, got, err, c.want)
		}
	}
}

func TestParseRefusesWithTheFieldTheReasonAndTheRemedy(t *testing.T) {
	class := field(kind.Int)
	class.Least, class.Most = bound(0), bound(3)
	short := field(kind.String)
	short.Max = 5
	two := field(kind.List)
	two.Max = 2
	records := field(kind.List)
	records.Of = []kind.Field{{Name: "name", Type: kind.String, Label: say("Name"), Required: true}, {Name: "on", Type: kind.Date, Label: say("On")}}
	for _, c := range []struct {
		f      kind.Field
		in     string
		name   string
		ja, en string // parts of the message
	}{
		{field(kind.String), "a\nb", "f", "改行", "line break"},
		{field(kind.String), "a\x00b", "f", "U+0000", "U+0000"},
		{field(kind.String), "a\u202eb", "f", "U+202E", "U+202E"},
		{field(kind.String), "a\u2066b", "f", "U+2066", "U+2066"},
		{field(kind.String), "PC\u200b-1", "f", "U+200B", "U+200B"},
		{field(kind.String), "\xff", "f", "UTF-8", "UTF-8"},
		{field(kind.Text), "a\x1b[31m", "f", "U+001B", "U+001B"},
		{short, "123456", "f", "5文字", "5 characters"},
		{short, strings.Repeat("x", 10<<20), "f", "5文字", "5 characters"},
		{class, "4", "f", "3以下", "at most 3"},
		{class, "-1", "f", "0以上", "at least 0"},
		{class, "三", "f", "整数", "whole number"},
		{class, "1.5", "f", "整数", "whole number"},
		{class, "1,2", "f", "整数", "whole number"},
		{class, "99999999999999999999", "f", "整数", "whole number"},
		{field(kind.Number), "NaN", "f", "数値", "number"},
		{field(kind.Number), "Inf", "f", "数値", "number"},
		{field(kind.Number), "1e999", "f", "数値", "number"},
		{field(kind.Bool), "たぶん", "f", "はい", "yes"},
		{field(kind.Date), "平成31年5月1日", "f", "令和元年5月1日", "令和元年5月1日"},
		{field(kind.Duration), "90", "f", "単位", "unit"},
		{field(kind.Enum), "closed", "f", "未対策", "open"},
		{two, "a;b;c", "f", "2件", "2 elements"},
		{records, "甲社 | 2026-11-02 | x", "f[0]", "3個", "3 values"},
		{records, "甲社\n乙社 | いつか", "f[1].on", "日付", "date"},
		{records, " | 2026-11-02", "f[0].name", "必須", "required"},
	} {
		got, err := c.f.Parse(c.in)
		var fault kind.Fault
		if !errors.As(err, &fault) {
			t.Errorf("%s: Parse(%.20q) = %v, %v; want a Fault", c.f.Type, c.in, got, err)
			continue
		}
		if got != nil {
			t.Errorf("%s: Parse(%.20q) gives %v beside its fault", c.f.Type, c.in, got)
		}
		if fault.Field != c.name || !strings.Contains(fault.Message.JA, c.ja) || !strings.Contains(fault.Message.EN, c.en) {
			t.Errorf("%s: Parse(%.20q): %q %q %q; want %q, …%s…, …%s…", c.f.Type, c.in, fault.Field, fault.Message.JA, fault.Message.EN, c.name, c.ja, c.en)
		}
		if !strings.Contains(fault.Text().JA, "項目") && !strings.Contains(fault.Text().JA, "Name") && !strings.Contains(fault.Text().JA, "On") {
			t.Errorf("%q does not name the field", fault.Text().JA)
		}
		if len(fault.Message.JA) > 1000 {
			t.Errorf("a message of %d bytes", len(fault.Message.JA))
		}
	}
}

func TestCheckTakesTheTypesOfGoJSONAndYAML(t *testing.T) {
	day := calendar.Day(2026, 11, 2)
	records := field(kind.List)
	records.Of = []kind.Field{{Name: "port", Type: kind.Int, Label: say("Port")}}
	for _, c := range []struct {
		f        kind.Field
		in, want any
	}{
		{field(kind.Int), 3, int64(3)}, {field(kind.Int), int64(3), int64(3)}, {field(kind.Int), 3.0, int64(3)}, {field(kind.Int), json.Number("3"), int64(3)}, {field(kind.Int), uint64(3), int64(3)},
		{field(kind.Number), 3, 3.0}, {field(kind.Number), json.Number("0.5"), 0.5},
		{field(kind.Bool), false, false},
		{field(kind.Date), "2026-11-02", day}, {field(kind.Date), time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), day},
		{field(kind.Date), "2026-11-01T15:00:00Z", day}, {field(kind.Date), day.UTC(), day},
		{field(kind.Time), "2026-11-01T15:00:00Z", day.UTC()}, {field(kind.Time), day, day.UTC()},
		{field(kind.Duration), "2160h0m0s", 2160 * time.Hour}, {field(kind.Duration), time.Minute, time.Minute},
		{field(kind.List), []string{"a"}, []any{"a"}}, {field(kind.List), []any{}, []any{}},
		{records, []any{map[string]any{"port": 22.0}, map[string]any{"port": nil}}, []any{map[string]any{"port": int64(22)}, map[string]any{}}},
		{field(kind.String), nil, nil}, {field(kind.String), "", nil},
	} {
		got, err := c.f.Check(c.in)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: Check(%#v) = %#v, %v; want %#v", c.f.Type, c.in, got, err, c.want)
		}
	}
	for _, c := range []struct {
		f  kind.Field
		in any
	}{
		{field(kind.Int), 1.5}, {field(kind.Int), "3"}, {field(kind.Int), true}, {field(kind.Int), math.NaN()}, {field(kind.Int), 1e19}, {field(kind.Int), float64(math.MaxInt64)}, {field(kind.Int), uint64(math.MaxUint64)},
		{field(kind.Number), math.Inf(1)}, {field(kind.Number), "1"}, {field(kind.Bool), 1}, {field(kind.Bool), "true"},
		{field(kind.String), 3}, {field(kind.String), []any{"a"}}, {field(kind.Date), time.Date(2026, 11, 2, 1, 0, 0, 0, time.UTC)}, {field(kind.Date), time.Time{}},
		{field(kind.Time), 3}, {field(kind.Time), time.Time{}}, {field(kind.Duration), -time.Second}, {field(kind.Duration), 90},
		{field(kind.Enum), "未対策"}, {field(kind.Enum), 1}, {field(kind.List), "a"}, {field(kind.List), []any{1}}, {field(kind.List), []any{""}}, {field(kind.List), []any{[]any{}}},
		{records, []any{map[string]any{"prot": 22}}}, {records, []any{"22"}}, {records, []any{map[string]any{}}},
		{kind.Field{Name: "f", Type: "blob", Label: say("F")}, "x"},
	} {
		got, err := c.f.Check(c.in)
		var fault kind.Fault
		if !errors.As(err, &fault) || got != nil {
			t.Errorf("%s: Check(%#v) = %#v, %v; want a Fault", c.f.Type, c.in, got, err)
		}
	}
}

func TestARequiredFieldRefusesNothing(t *testing.T) {
	f := field(kind.String)
	f.Required = true
	for _, v := range []any{nil, "", " "} {
		if _, err := f.Check(v); err == nil {
			t.Errorf("Check(%#v) takes it", v)
		}
	}
	if v, err := f.Parse(""); v != nil || err != nil {
		t.Errorf("Parse of nothing = %v, %v; want nil, nil", v, err)
	}
	l := field(kind.List)
	l.Required = true
	if _, err := l.Check([]any{}); err == nil {
		t.Error("an empty list fills a required field")
	}
	if v, err := f.CheckObserved(nil); v != nil || err != nil {
		t.Errorf("CheckObserved(nil) = %v, %v", v, err)
	}
}

func TestAHostileNameSeenOnAMachineIsKeptAndMadeVisible(t *testing.T) {
	for in, want := range map[string]string{
		"root\u202e":       `root\u202E`,
		"a\nb\tc":          `a\nb\tc`,
		"\x1b[31mred":      `\u001B[31mred`,
		"bad\xff":          `bad\xFF`,
		"":                 "",
		"山田\u200b":         `山田\u200B`,
		"<script>=1+1":     "<script>=1+1",
		"tag\U000E0041end": `tag\uE0041end`,
	} {
		got, err := field(kind.String).CheckObserved(in)
		if err != nil || got != want {
			t.Errorf("CheckObserved(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	observed := field(kind.List)
	observed.Layers = []kind.Layer{kind.Observed}
	if got, err := observed.Check([]any{"a\u202e", ""}); err != nil || !reflect.DeepEqual(got, []any{`a\u202E`, ""}) {
		t.Errorf("Check of an observed field = %v, %v", got, err)
	}
	if _, err := field(kind.String).CheckObserved(strings.Repeat("\x00", 501)); err == nil {
		t.Error("writing a value out may not make it longer than its limit")
	}
}

func TestAnEntryIsCheckedAsAWhole(t *testing.T) {
	k := kind.Default()["contract"]
	good := map[string]any{"contract_no": "K-1", "title": "保守", "system": "S-1", "work": "maintenance", "status": "active", "from": "2026-04-01", "until": "2027-04-01", "note": ""}
	values, faults := k.Check(good)
	if len(faults) > 0 || values["from"] != any(calendar.Day(2026, 4, 1)) {
		t.Fatalf("%v, %v", values, faults)
	}
	if _, ok := values["note"]; ok {
		t.Error("an empty value is kept")
	}
	good["until"], good["work"], good["colour"], good["items_done"] = "2026-03-31", nil, "red", []any{"pledge"}
	_, faults = k.Check(good)
	var names []string
	for _, f := range faults {
		names = append(names, f.Field)
	}
	if want := []string{"work", "colour", "items_done", "until"}; !reflect.DeepEqual(names, want) {
		t.Errorf("faults %v, want %v", names, want)
	}
}

// samples gives values of a field, all of which it must format and read back.
func samples(f kind.Field) []any {
	switch f.Type {
	case kind.Int:
		low, high := int64(-5), int64(1234567)
		if f.Least != nil {
			low = *f.Least
		}
		if f.Most != nil {
			high = *f.Most
		}
		return []any{low, high}
	case kind.Number:
		return []any{0.1, -1e-7, 123456.75}
	case kind.Bool:
		return []any{true, false}
	case kind.Date:
		return []any{calendar.Day(2026, 11, 2), calendar.Day(2019, 4, 30), calendar.Day(2019, 5, 1), calendar.Day(1900, 1, 1)}
	case kind.Time:
		return []any{time.Date(2026, 11, 2, 1, 2, 3, 0, time.UTC), time.Date(2026, 11, 2, 1, 2, 3, 4500000, time.UTC)}
	case kind.Duration:
		return []any{time.Duration(0), 90 * 24 * time.Hour, 90 * time.Minute, 1500 * time.Microsecond}
	case kind.Enum:
		var out []any
		for _, c := range f.Choices {
			out = append(out, c.Value)
		}
		return out
	case kind.List:
		return sampleLists(f)
	}
	if f.Max > 0 && f.Max < 20 {
		return []any{"値", "=1"}
	}
	return []any{"値", "=1+1", "-", "'quoted", "a, b; c、d | e\\"}
}

func sampleLists(f kind.Field) []any {
	if len(f.Of) == 0 && len(f.Choices) == 0 {
		return []any{[]any{"a"}, []any{`a;b`, `c:\d`, "e、f", "=g", `h\`}}
	}
	if len(f.Of) == 0 {
		var all []any
		for _, c := range f.Choices {
			all = append(all, c.Value)
		}
		return []any{all[:min(len(all), max(f.Max, 1))]}
	}
	full, part := map[string]any{}, map[string]any{}
	for _, x := range f.Of {
		s := samples(x)
		if x.Name != f.Tree { // it would have to name another record
			full[x.Name] = s[len(s)-1]
		}
		if x.Required || len(part) == 0 {
			part[x.Name] = s[0]
		}
	}
	return []any{[]any{full, part}}
}

func TestFormatAndParseAreEachOthersReverseForEveryFieldOfEveryKind(t *testing.T) {
	n := 0
	for id, k := range kind.Default() {
		for _, f := range k.Layer(kind.Declared) {
			for _, v := range samples(f) {
				if _, err := f.Check(v); err != nil {
					t.Fatalf("%s.%s: sample %v: %v", id, f.Name, v, err)
				}
				for _, l := range []bilingual.Lang{bilingual.JA, bilingual.EN} {
					n++
					text := f.Format(v, l)
					if back, err := f.Parse(text); err != nil || !reflect.DeepEqual(back, v) {
						t.Errorf("%s.%s: %#v is written %q and read back as %#v, %v", id, f.Name, v, text, back, err)
					}
				}
			}
		}
	}
	if n < 2000 {
		t.Errorf("only %d values tried", n)
	}
}

func TestFormatWritesDatesWithTheirJapaneseYear(t *testing.T) {
	f := field(kind.Date)
	if got := f.Format(calendar.Day(2026, 11, 2), bilingual.JA); got != "2026-11-02（令和8年11月2日）" {
		t.Error(got)
	}
	if got := f.Format(calendar.Day(2026, 11, 2), bilingual.EN); got != "2026-11-02" {
		t.Error(got)
	}
	if got := f.Format(nil, bilingual.JA); got != "" {
		t.Error(got)
	}
}

func TestEveryFieldSaysInWhatFormItWantsItsValue(t *testing.T) {
	for _, typ := range []kind.Type{kind.Date, kind.Time, kind.Duration, kind.Bool, kind.List} {
		if h := field(typ).Hint(); !h.Complete() {
			t.Errorf("%s: %+v", typ, h)
		}
	}
	records, _ := kind.Default()["contract"].Field("subcontractors")
	if h := records.Hint(); !strings.Contains(h.JA, "事業者名 | 作業内容") || !strings.Contains(h.EN, "Name | Work") {
		t.Errorf("%+v", h)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"はい", "2026-11-02", "R8.11.2", "90日", "a;b|c", `\|\;\`, "1,234", "open", "\u202e", "\xff", "か\u3099", "=1+1", "甲 | 2026-11-02\n乙"} {
		f.Add(s)
	}
	fields := []kind.Field{}
	for _, t := range kind.Types {
		if t == kind.Ref {
			continue
		}
		fields = append(fields, field(t))
	}
	records := field(kind.List)
	records.Of = []kind.Field{{Name: "a", Type: kind.String, Label: say("A")}, {Name: "b", Type: kind.Date, Label: say("B")}}
	fields = append(fields, records)
	f.Fuzz(func(t *testing.T, s string) {
		for _, field := range fields {
			v, err := field.Parse(s)
			var fault kind.Fault
			if err != nil && (!errors.As(err, &fault) || v != nil) {
				t.Fatalf("%s: Parse(%q) = %v, %v", field.Type, s, v, err)
			}
			if err != nil || v == nil {
				continue
			}
			checked, err := field.Check(v)
			if err != nil || !reflect.DeepEqual(checked, v) {
				t.Fatalf("%s: Parse(%q) = %#v, which Check turns into %#v, %v", field.Type, s, v, checked, err)
			}
			for _, l := range []bilingual.Lang{bilingual.JA, bilingual.EN} {
				if back, err := field.Parse(field.Format(v, l)); err != nil || !reflect.DeepEqual(back, v) {
					t.Fatalf("%s: %#v is written %q and read back as %#v, %v", field.Type, v, field.Format(v, l), back, err)
				}
			}
		}
	})
}
