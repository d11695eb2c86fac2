package table_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"

	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/kind"
	"kakusho/kind/table"
)

var set = kind.Default()

func text(t kind.Type, name, ja, en string) kind.Field {
	return kind.Field{Name: name, Type: t, Label: bilingual.Say(ja, en)}
}

// room is a small kind with a field of every type.
func room() kind.Kind {
	k := kind.Kind{ID: "room", Label: bilingual.Say("部屋", "Room"), Key: "room_no", Name: "title", Fields: []kind.Field{
		text(kind.String, "room_no", "番号", "Number"),
		text(kind.String, "title", "名称", "Title"),
		text(kind.Enum, "state", "状態", "State"),
		text(kind.Bool, "locked", "施錠", "Locked"),
		text(kind.Date, "from", "開始日", "From"),
		text(kind.Date, "until", "終了日", "Until"),
		text(kind.Int, "class", "クラス", "Class"),
		text(kind.Duration, "kept", "保存期間", "Kept for"),
		text(kind.List, "tags", "札", "Tags"),
		text(kind.Text, "note", "備考", "Note"),
		text(kind.Time, "seen_at", "確認日時", "Seen at"),
		text(kind.Int, "count", "台数", "Count"),
		text(kind.String, "owner", "担当者", "Owner"),
	}}
	k.Fields[0].Required, k.Fields[2].Required = true, true
	k.Fields[2].Choices = []kind.Choice{{Value: "open", Label: bilingual.Say("開", "Open")}, {Value: "closed", Label: bilingual.Say("閉", "Closed")}}
	k.Fields[11].Layers, k.Fields[11].Derive = []kind.Layer{kind.Derived}, "count"
	k.Fields[12].Personal = true
	return k
}

func read(t *testing.T, data, name string, k kind.Kind) table.Sheet {
	t.Helper()
	s, err := table.Read(strings.NewReader(data), name, k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func faults(s table.Sheet) string {
	var out []string
	for _, f := range s.All() {
		out = append(out, f.Text().JA+" | "+f.Text().EN)
	}
	return strings.Join(out, "\n")
}

const good = "番号,状態,施錠,開始日,クラス,保存期間,札\nR-1,開,○,令和8年11月2日,３,90日,甲、乙\nR-2,closed,いいえ,2026/11/3,,,\n"

func checkGood(t *testing.T, s table.Sheet, encoding string) {
	t.Helper()
	want := []map[string]any{
		{"room_no": "R-1", "state": "open", "locked": true, "from": calendar.Day(2026, 11, 2), "class": int64(3), "kept": 90 * 24 * time.Hour, "tags": []any{"甲", "乙"}},
		{"room_no": "R-2", "state": "closed", "locked": false, "from": calendar.Day(2026, 11, 3)},
	}
	if !s.OK() || s.Encoding != encoding || len(s.Rows) != 2 {
		t.Fatalf("%d rows, %q\n%s", len(s.Rows), s.Encoding, faults(s))
	}
	for i, r := range s.Rows {
		if !reflect.DeepEqual(r.Values, want[i]) || r.Line != i+2 {
			t.Errorf("line %d: %v, want line %d: %v", r.Line, r.Values, i+2, want[i])
		}
	}
}

func TestTheEncodingsInUseAreTold(t *testing.T) {
	sjis, err := japanese.ShiftJIS.NewEncoder().String(good)
	if err != nil {
		t.Fatal(err)
	}
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(strings.ReplaceAll(good, ",", "\t"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ data, encoding string }{
		"UTF-8":                               {good, "utf-8"},
		"UTF-8 with a byte order mark":        {"\xEF\xBB\xBF" + good, "utf-8"},
		"Shift_JIS":                           {sjis, "shift_jis"},
		"Shift_JIS with line ends of Windows": {strings.ReplaceAll(sjis, "\n", "\r\n"), "shift_jis"},
		"UTF-16 text as Excel saves it":       {utf16, "utf-16"},
		"tabs, as pasted":                     {strings.ReplaceAll(good, ",", "\t"), "utf-8"},
		"semicolons":                          {strings.ReplaceAll(good, ",", ";"), "utf-8"},
		"blank lines between":                 {"\n" + good + ",,,,,,\n\n", "utf-8"},
	} {
		t.Run(name, func(t *testing.T) {
			s := read(t, c.data, "x.csv", room())
			if name == "blank lines between" {
				if !s.OK() || len(s.Rows) != 2 || s.Rows[0].Line != 3 {
					t.Fatalf("%+v\n%s", s.Rows, faults(s))
				}
				return
			}
			checkGood(t, s, c.encoding)
		})
	}
}

func TestCharactersOnlyWindowsHasInShiftJISAreRead(t *testing.T) {
	sjis, err := japanese.ShiftJIS.NewEncoder().String("番号,状態,名称\nR-1,開,①髙﨑㈱ⅢＡ～－\n")
	if err != nil {
		t.Fatal(err)
	}
	s := read(t, sjis, "x.csv", room())
	if !s.OK() || s.Rows[0].Values["title"] != "①髙﨑㈱ⅢＡ～－" {
		t.Fatalf("%v\n%s", s.Rows, faults(s))
	}
}

func TestColumnsMayComeInAnyOrderAndUnderAnyOfTheirNames(t *testing.T) {
	s := read(t, "状態,  Kept FOR ,room_no,ｸﾗｽ\n閉,15分,R-9,2\n", "x.csv", room())
	want := map[string]any{"state": "closed", "kept": 15 * time.Minute, "room_no": "R-9", "class": int64(2)}
	if !s.OK() || !reflect.DeepEqual(s.Rows[0].Values, want) {
		t.Fatalf("%v\n%s", s.Rows, faults(s))
	}
	var names []string
	for _, f := range s.Fields {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "state kept room_no class" {
		t.Errorf("columns %s", got)
	}
}

func TestEveryFaultHasItsPlaceAndRemedy(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		want []string
	}{
		"an unknown column":             {"番号,状態,色\nR-1,開,赤\n", []string{"1行C列「色」：部屋にこの項目はない。見出しを直すか、列を削除する。又は取込みの画面で列の対応を選ぶ。", "row 1, column C (色): Room has no such field"}},
		"a column twice":                {"番号,状態,Number\nR-1,開,R-1\n", []string{"1行C列「Number」：A列と同じ項目", "the same field as column A"}},
		"a missing required column":     {"番号,名称\nR-1,甲\n", []string{"1行：必須の列「状態」がない", `add it, headed "State" or "state"`}},
		"a derived column":              {"番号,状態,台数\nR-1,開,3\n", []string{"1行C列「台数」：収集又は導出", "remove the column"}},
		"an empty required cell":        {"番号,状態\nR-1,開\nR-2,\n", []string{"3行B列「状態」：必須項目", "row 3, column B (状態): required"}},
		"a row too short":               {"番号,名称,状態\nR-1,甲\n", []string{"2行C列「状態」：必須項目"}},
		"a row too long":                {"番号,状態\nR-1,開,余り\n", []string{"2行C列：見出しのない列に値がある", "row 2, column C: a value in a column without a header"}},
		"a wrong choice":                {"番号,状態\nR-1,半開\n", []string{"2行B列「状態」：選択肢にない（入力値「半開」）。次のいずれかとする：開、閉"}},
		"a day that is not there":       {"番号,状態,開始日\nR-1,開,2026-02-30\n", []string{"2行C列「開始日」：2026年2月30日は存在しない"}},
		"a day its era never had":       {"番号,状態,開始日\nR-1,開,平成31年5月1日\n", []string{"令和元年5月1日"}},
		"a period the wrong way round":  {"番号,状態,開始日,終了日\nR-1,開,2026-11-02,2026-11-01\n", []string{"2行D列「終了日」：開始の日より前"}},
		"a key twice in the file":       {"番号,状態\nR-1,開\nR-2,開\nR-1,閉\n", []string{"4行A列「番号」：「R-1」は2行と重複", `"R-1" is also in row 2`}},
		"a bidirectional override":      {"番号,状態\nR\u202e-1,開\n", []string{"2行A列「番号」：使用できない制御文字（U+202E）"}},
		"a control character":           {"番号,状態\nR\x01-1,開\n", []string{"U+0001"}},
		"a line break in a key":         {"番号,状態\n\"R\n-1\",開\n", []string{"2行A列「番号」：改行は入力できない"}},
		"an error of the spreadsheet":   {"番号,状態\n#REF!,開\n", []string{"表計算の誤り値"}},
		"quotes that do not match":      {"番号,状態\nR-1,\"開\nR-2,閉\n", []string{"2行：引用符", "Rows after this one were not read"}},
		"a bare quote":                  {"番号,状態\nR-\"1,開\n", []string{"2行：引用符"}},
		"a byte of no encoding":         {strings.Repeat("番号と状態、", 20) + ",状態\nR-1,開\xff\n", []string{"2行：文字コード"}},
		"a damaged Shift_JIS file":      {"\x94\xd4\x8d\x86,\x8f\xf3\x91\xd4\nR-1,\x8a\n", []string{"2行：文字コード"}},
		"an empty file":                 {" \n\n", []string{"ファイルが空である"}},
		"a picture":                     {"\x89PNG\r\n\x1a\n\x00\x00", []string{"表として読めない"}},
		"an old xls file":               {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", []string{".xlsx 又は .csv"}},
		"a zip that is no workbook":     {"PK\x03\x04 nothing", []string{"xlsxとして読めない"}},
		"no column that is known":       {"あ,い\n1,2\n", []string{"1行A列「あ」", "1行B列「い」"}},
		"too many columns":              {strings.Repeat("a,", 200) + "a\n", []string{"上限200列"}},
		"a wrong element of a list":     {"番号,状態,札\nR-1,開,甲;\u202e\n", []string{"2行C列「札」", "tags[1]"}},
		"a cell longer than its field":  {"番号,状態\n" + strings.Repeat("R", 501) + ",開\n", []string{"2行A列「番号」：500文字"}},
		"a cell longer than every cell": {"番号,状態\n" + strings.Repeat("R", 100_001) + ",開\n", []string{"上限100,000文字"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := read(t, c.data, "x.csv", room())
			if s.OK() {
				t.Fatalf("no fault; rows %v", s.Rows)
			}
			said := faults(s)
			for _, f := range s.All() {
				said += "\n" + f.Field
			}
			for _, w := range c.want {
				if !strings.Contains(said, strings.TrimPrefix(w, "tags[1]")) {
					t.Errorf("%s\nlacks %q", said, w)
				}
			}
			for _, f := range s.All() {
				if !f.Message.Complete() || len(f.Text().JA) > 1000 || strings.ContainsAny(f.Text().JA+f.Text().EN, "\x00\x01\u202e\n") {
					t.Errorf("fault %q", f.Text())
				}
			}
		})
	}
}

func TestGoodRowsAreReadBesideBadOnes(t *testing.T) {
	s := read(t, "番号,状態,クラス\nR-1,開,x\nR-2,閉,2\nR-3,半,y\n", "x.csv", room())
	if len(s.Rows) != 3 || len(s.Rows[0].Faults) != 1 || len(s.Rows[1].Faults) != 0 || len(s.Rows[2].Faults) != 2 {
		t.Fatalf("%s", faults(s))
	}
	if !reflect.DeepEqual(s.Rows[0].Values, map[string]any{"room_no": "R-1", "state": "open"}) {
		t.Errorf("%v", s.Rows[0].Values)
	}
	if f := s.Rows[2].Faults[0]; f.Line != 4 || f.Column != 2 || f.Field != "state" || f.Header != "状態" {
		t.Errorf("%+v", f)
	}
}

func TestAFileIsBoundedInEveryDirection(t *testing.T) {
	var b strings.Builder
	b.WriteString("番号,状態\n")
	for i := range table.MaxRows + 5 {
		fmt.Fprintf(&b, "R-%d,開\n", i)
	}
	s := read(t, b.String(), "x.csv", room())
	if len(s.Rows) != table.MaxRows || s.OK() || !strings.Contains(faults(s), "50,000行を超えている") {
		t.Errorf("%d rows\n%.300s", len(s.Rows), faults(s))
	}

	s = read(t, "番号,状態\n"+strings.Repeat("R", 10<<20), "x.csv", room())
	if s.OK() || len(s.Rows) > 0 || !strings.Contains(faults(s), "上限10MiB") {
		t.Errorf("%.300s", faults(s))
	}

	// Many faults: a thousand are told, the rest counted, and no bad row looks good.
	s = read(t, "番号,状態\n"+strings.Repeat("R-1,x\n", 5_000), "x.csv", room())
	if s.Unsaid < 5_000 || s.OK() {
		t.Errorf("%d unsaid", s.Unsaid)
	}
	for _, r := range s.Rows {
		if len(r.Faults) == 0 {
			t.Fatalf("row %d looks good", r.Line)
		}
	}
}

func TestAReaderThatFailsIsAnErrorNotAFault(t *testing.T) {
	broken := errors.New("broken")
	if _, err := table.Read(iotest.ErrReader(broken), "x.csv", room()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// entries makes one full and one sparse entry of a kind, with values that are
// hard to carry.
func entries(k kind.Kind) []map[string]any {
	full, sparse := map[string]any{}, map[string]any{}
	for i, f := range k.Layer(kind.Declared) {
		full[f.Name] = sample(f, i)
		if f.Required {
			sparse[f.Name] = sample(f, i+1)
		}
	}
	sparse[k.Key] = "-2"
	delete(full, "until")
	return []map[string]any{full, sparse}
}

func sample(f kind.Field, i int) any {
	hostile := []string{"=HYPERLINK(\"http://example.jp\")", "+81", "-1", "@SUM(A1)", "'=quoted", "''", "０１２", "0012", "<script>alert(1)</script>", "a,b;\"c\"、d|e\\", "神\uFA19髙﨑", "＝１＋１"}
	switch f.Type {
	case kind.Int:
		if f.Most != nil {
			return *f.Most
		}
		return int64(1234567)
	case kind.Number:
		return 0.1
	case kind.Bool:
		return i%2 == 0
	case kind.Date:
		return []any{calendar.Day(2026, 11, 2), calendar.Day(2019, 4, 30), calendar.Day(1900, 1, 31), calendar.Day(2099, 12, 31)}[i%4]
	case kind.Time:
		return []any{time.Date(2026, 11, 2, 14, 59, 59, 0, time.UTC), time.Date(2026, 11, 1, 15, 0, 0, 0, time.UTC), time.Date(2026, 11, 2, 1, 2, 3, 4000, time.UTC)}[i%3]
	case kind.Duration:
		return []time.Duration{90 * 24 * time.Hour, 36 * time.Hour, time.Millisecond}[i%3]
	case kind.Enum:
		return f.Choices[i%len(f.Choices)].Value
	case kind.Text:
		return "一行目\n  =二行目\t終わり" + hostile[i%len(hostile)]
	case kind.List:
		return sampleList(f, i, hostile)
	}
	s := hostile[i%len(hostile)]
	if f.Max > 0 && len([]rune(s)) > f.Max {
		s = s[:f.Max]
	}
	return s
}

func sampleList(f kind.Field, i int, hostile []string) any {
	if len(f.Choices) > 0 {
		return []any{f.Choices[0].Value, f.Choices[len(f.Choices)-1].Value}
	}
	if len(f.Of) == 0 {
		return []any{hostile[i%len(hostile)], "次"}
	}
	record := map[string]any{}
	for n, x := range f.Of {
		record[x.Name] = sample(x, i+n)
	}
	if f.Tree != "" {
		record[f.Tree] = "甲"
	}
	return []any{record, map[string]any{f.Of[0].Name: "甲"}}
}

func TestWhatIsWrittenIsReadBackForEveryKind(t *testing.T) {
	for id, k := range set {
		rows := entries(k)
		for i, r := range rows {
			values, bad := k.Check(r)
			if len(bad) > 0 {
				t.Fatalf("%s: sample %d: %v", id, i, bad)
			}
			rows[i] = values
		}
		for _, format := range []table.Format{table.CSV, table.XLSX} {
			for _, l := range []bilingual.Lang{bilingual.JA, bilingual.EN} {
				var b bytes.Buffer
				if err := table.Write(&b, format, k, l, rows, table.Options{Personal: true}); err != nil {
					t.Fatalf("%s %s: %v", id, format, err)
				}
				s, err := table.Read(&b, id, k)
				if err != nil || !s.OK() || len(s.Rows) != len(rows) || s.Format != format {
					t.Errorf("%s %s %s: %d rows of %d, %v\n%s", id, format, l, len(s.Rows), len(rows), err, faults(s))
					continue
				}
				for i, r := range s.Rows {
					if !reflect.DeepEqual(r.Values, rows[i]) {
						t.Errorf("%s %s %s, row %d\n got %v\nwant %v", id, format, l, i, r.Values, rows[i])
					}
				}
			}
		}
	}
}

func TestAnEmptyFormHoldsTheHeaderOnly(t *testing.T) {
	for id, k := range set {
		for _, format := range []table.Format{table.CSV, table.XLSX} {
			var b bytes.Buffer
			if err := table.Write(&b, format, k, bilingual.JA, nil, table.Options{Personal: true}); err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			s, err := table.Read(&b, id, k)
			if err != nil || !s.OK() || len(s.Rows) != 0 || len(s.Fields) != len(k.Layer(kind.Declared)) {
				t.Errorf("%s %s: %d columns, %v %s", id, format, len(s.Fields), err, faults(s))
			}
		}
	}
}

func TestCSVIsMadeForExcelAndComputesNothing(t *testing.T) {
	rows := []map[string]any{{"room_no": "=cmd|' /C calc'!A0", "state": "open", "title": "+1", "from": calendar.Day(2026, 11, 2), "class": int64(-5), "note": "-2+3\n@x", "tags": []any{"@SUM(A1)"}}}
	var b bytes.Buffer
	if err := table.Write(&b, table.CSV, room(), bilingual.JA, rows, table.Options{}); err != nil {
		t.Fatal(err)
	}
	want := "\uFEFF番号,名称,状態,施錠,開始日,終了日,クラス,保存期間,札,備考,確認日時\r\n" +
		"'=cmd|' /C calc'!A0,'+1,開,,2026-11-02,,-5,,'@SUM(A1),\"'-2+3\r\n@x\",\r\n"
	if got := b.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	b.Reset()
	if err := table.Write(&b, table.CSV, room(), bilingual.EN, nil, table.Options{NoMark: true}); err != nil || !strings.HasPrefix(b.String(), "Number,") {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestPersonalDataLeavesOnlyWhenAskedFor(t *testing.T) {
	rows := []map[string]any{{"room_no": "R-1", "state": "open", "owner": "山田太郎"}}
	for _, format := range []table.Format{table.CSV, table.XLSX} {
		for _, personal := range []bool{false, true} {
			var b bytes.Buffer
			if err := table.Write(&b, format, room(), bilingual.JA, rows, table.Options{Personal: personal}); err != nil {
				t.Fatal(err)
			}
			s, _ := table.Read(&b, "x", room())
			if got := s.Rows[0].Values["owner"] == "山田太郎"; got != personal {
				t.Errorf("%s: name there: %v, asked: %v", format, got, personal)
			}
		}
	}
}

func TestAWorkbookIsFitToPrintAndToFillIn(t *testing.T) {
	rows := []map[string]any{{"room_no": "0012", "state": "open", "from": calendar.Day(2026, 11, 2), "locked": true, "title": "=1+1", "seen_at": time.Date(2026, 11, 2, 3, 4, 5, 0, time.UTC)}}
	var b bytes.Buffer
	if err := table.Write(&b, table.XLSX, room(), bilingual.JA, rows, table.Options{}); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := f.GetSheetList()[0]; got != "部屋" {
		t.Errorf("sheet %q", got)
	}
	if got, _ := f.GetCellValue("部屋", "E2"); got != "令和8年11月2日" {
		t.Errorf("the date shows as %q", got)
	}
	if got, _ := f.GetCellValue("部屋", "E2", excelize.Options{RawCellValue: true}); got != "46328" {
		t.Errorf("the date is %q, want a day number", got)
	}
	if got, _ := f.GetCellValue("部屋", "K2"); got != "2026-11-02 12:04:05" {
		t.Errorf("the time shows as %q", got)
	}
	if got, _ := f.GetCellFormula("部屋", "B2"); got != "" {
		t.Errorf("a text became the formula %q", got)
	}
	if got, _ := f.GetCellValue("部屋", "A2"); got != "0012" {
		t.Errorf("the number became %q", got)
	}
	panes, err := f.GetPanes("部屋")
	if err != nil || !panes.Freeze || panes.YSplit != 1 {
		t.Errorf("panes %+v, %v", panes, err)
	}
	layout, err := f.GetPageLayout("部屋")
	if err != nil || *layout.Size != 9 || *layout.Orientation != "landscape" || *layout.FitToWidth != 1 || *layout.FitToHeight != 0 {
		t.Errorf("layout %+v, %v", layout, err)
	}
	if props, err := f.GetSheetProps("部屋"); err != nil || props.FitToPage == nil || !*props.FitToPage {
		t.Errorf("props %+v, %v", props, err)
	}
	names := map[string]string{}
	for _, n := range f.GetDefinedName() {
		names[n.Name] = n.RefersTo
	}
	if names["_xlnm.Print_Titles"] != "'部屋'!$1:$1" || !strings.Contains(names["_xlnm._FilterDatabase"], "$A$1:$K$2") {
		t.Errorf("names %v", names)
	}
	rules, err := f.GetDataValidations("部屋")
	if err != nil || len(rules) != 2 || rules[0].Sqref != "C2:C1001" || rules[0].Formula1 != "_choices!$C$1:$C$2" {
		t.Errorf("rules %+v, %v", rules, err)
	}
	if got, _ := f.GetCols("_choices"); len(got) < 4 || strings.Join(got[2], " ") != "開 閉" || strings.Join(got[3], " ") != "はい いいえ" {
		t.Errorf("choices %v", got)
	}
	if visible, _ := f.GetSheetVisible("_choices"); visible {
		t.Error("the sheet of choices shows")
	}
}

// workbook makes a file as a person's spreadsheet would.
func workbook(t *testing.T, fill func(f *excelize.File)) string {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	fill(f)
	var b bytes.Buffer
	if _, err := f.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAPersonsWorkbookIsRead(t *testing.T) {
	data := workbook(t, func(f *excelize.File) {
		_, _ = f.NewSheet("部屋")
		_ = f.SetSheetRow("Sheet1", "A1", &[]any{"表紙"})
		_ = f.SetSheetRow("部屋", "A2", &[]any{"番号", "状態", "開始日", "クラス", "名称", "施錠", "確認日時", "終了日"})
		_ = f.SetSheetRow("部屋", "A4", &[]any{123456789012, "開", time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), 3.0, 1.5, true, time.Date(2026, 11, 2, 9, 30, 15, 0, time.UTC), "R9.3.31"})
		_ = f.SetSheetRow("部屋", "A5", &[]any{"R-2", "閉", 20261103})
		_ = f.SetSheetRow("部屋", "A6", &[]any{"R-3", "閉", 61})
		_ = f.SetSheetRow("部屋", "A7", &[]any{"R-4", "閉", 60}) // 29 February 1900, for spreadsheets only
		_ = f.SetCellFormula("部屋", "E5", "1+1")
	})
	s := read(t, data, "x.xlsx", room())
	if len(s.All()) != 1 || len(s.Rows) != 4 || len(s.Rows[3].Faults) != 1 || s.Rows[3].Faults[0].Field != "from" {
		t.Fatalf("%s", faults(s))
	}
	if got := s.Rows[2].Values["from"]; got != any(calendar.Day(1900, 3, 1)) {
		t.Errorf("day 61 is %v", got)
	}
	want := map[string]any{"room_no": "123456789012", "state": "open", "from": calendar.Day(2026, 11, 2), "class": int64(3), "title": "1.5", "locked": true,
		"seen_at": time.Date(2026, 11, 2, 0, 30, 15, 0, time.UTC), "until": calendar.Day(2027, 3, 31)}
	if !reflect.DeepEqual(s.Rows[0].Values, want) || s.Rows[0].Line != 4 {
		t.Errorf("line %d: %v", s.Rows[0].Line, s.Rows[0].Values)
	}
	if got := s.Rows[1].Values["from"]; got != any(calendar.Day(2026, 11, 3)) {
		t.Errorf("20261103 is %v", got)
	}
}

func TestAWorkbookThatCountsFrom1904IsRead(t *testing.T) {
	data := workbook(t, func(f *excelize.File) {
		yes := true
		_ = f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &yes})
		_ = f.SetSheetRow("Sheet1", "A1", &[]any{"番号", "状態", "開始日"})
		_ = f.SetSheetRow("Sheet1", "A2", &[]any{"R-1", "開", 44866})
	})
	s := read(t, data, "x.xlsx", room())
	if !s.OK() || s.Rows[0].Values["from"] != any(calendar.Day(2026, 11, 2)) {
		t.Errorf("%v\n%s", s.Rows, faults(s))
	}
}

// repack rewrites one part of a workbook.
func repack(t *testing.T, data, part string, change func(string) string) string {
	t.Helper()
	in, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for _, f := range in.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == part {
			body = []byte(change(string(body)))
		}
		w, err := out.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWorkbooksThatLieAreRefusedOrReadButNeverBelieved(t *testing.T) {
	honest := workbook(t, func(f *excelize.File) {
		_ = f.SetSheetRow("Sheet1", "A1", &[]any{"番号", "状態"})
		_ = f.SetSheetRow("Sheet1", "A2", &[]any{"R-1", "開"})
	})
	const part = "xl/worksheets/sheet1.xml"
	bomb := repack(t, honest, part, func(s string) string {
		return strings.Replace(s, "</sheetData>", strings.Repeat(" ", 101<<20)+"</sheetData>", 1)
	})
	for name, c := range map[string]struct {
		data string
		ok   bool
		says string
	}{
		"unpacks to more than it may":              {bomb, false, "展開すると大き過ぎる"},
		"states a smaller size than it unpacks to": {understate(t, bomb, part), false, "読めない"},
		"states a huge dimension": {repack(t, honest, part, func(s string) string {
			return strings.Replace(s, "<sheetData>", `<dimension ref="A1:XFD1048576"/><sheetData>`, 1)
		}), true, ""},
		"refers to strings that are not there": {repack(t, honest, part, func(s string) string { return strings.ReplaceAll(s, "<v>0</v>", "<v>999999</v>") }), false, ""},
		"is cut off":                           {honest[:len(honest)/2], false, "読めない"},
		"has a sheet of noise":                 {repack(t, honest, part, func(string) string { return "\x00\xff<<<" }), false, ""},
		"has no sheet":                         {repack(t, honest, "xl/workbook.xml", func(string) string { return "<workbook/>" }), false, ""},
		"has cells out of every column": {repack(t, honest, part, func(s string) string {
			return strings.Replace(s, "</row>", `<c r="XFD1" t="inlineStr"><is><t>x</t></is></c></row>`, 1)
		}), false, "上限200列"},
		"has a row number beyond the last": {repack(t, honest, part, func(s string) string { return strings.Replace(s, `r="2"`, `r="99999999999"`, 1) }), false, "読めない"},
		"declares entities": {repack(t, honest, part, func(s string) string {
			return `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>` + strings.Replace(s, "</sheetData>", "&b;</sheetData>", 1)
		}), false, "読めない"},
		"has a sheet that ends in the middle": {repack(t, honest, part, func(s string) string { return s[:strings.Index(s, `<row r="2"`)] }), false, "読めない"},
	} {
		t.Run(name, func(t *testing.T) {
			s := read(t, c.data, "x.xlsx", room())
			if s.OK() != c.ok {
				t.Errorf("ok %v\n%s", s.OK(), faults(s))
			}
			if !strings.Contains(faults(s), c.says) {
				t.Errorf("%s\nlacks %s", faults(s), c.says)
			}
		})
	}
}

// understate changes the size that the directory of a zip gives for one part.
func understate(t *testing.T, data, part string) string {
	t.Helper()
	b := []byte(data)
	at := bytes.LastIndex(b, []byte("PK\x01\x02"))
	for ; at >= 0; at = bytes.LastIndex(b[:at], []byte("PK\x01\x02")) {
		if n := int(binary.LittleEndian.Uint16(b[at+28:])); string(b[at+46:at+46+n]) == part {
			binary.LittleEndian.PutUint32(b[at+24:], 1000)
			return string(b)
		}
	}
	t.Fatal("part not found")
	return ""
}

func TestAStringUsedAMillionTimesIsStopped(t *testing.T) {
	big := strings.Repeat("長", 30_000)
	data := workbook(t, func(f *excelize.File) {
		_ = f.SetSheetRow("Sheet1", "A1", &[]any{"番号", "状態", "備考"})
		_ = f.SetSheetRow("Sheet1", "A2", &[]any{"R-1", "開", big})
	})
	data = repack(t, data, "xl/worksheets/sheet1.xml", func(s string) string {
		j := strings.Index(s, "</sheetData>")
		var b strings.Builder
		for n := 3; n < 40_000; n++ {
			fmt.Fprintf(&b, `<row r="%d"><c r="C%d" t="s"><v>5</v></c></row>`, n, n)
		}
		return s[:j] + b.String() + s[j:]
	})
	s := read(t, data, "x.xlsx", room())
	if s.OK() || !strings.Contains(faults(s), "64MiB") {
		t.Errorf("%d rows, %.300s", len(s.Rows), faults(s))
	}
}

func TestWriteRefusesWhatTheFormatCannotHold(t *testing.T) {
	k := room()
	k.Fields[8].Max = 1000
	var long []any
	for i := range 100 {
		long = append(long, strings.Repeat("長", 400)+fmt.Sprint(i))
	}
	rows := []map[string]any{{"room_no": "R-1", "state": "open", "tags": long}}
	err := table.Write(io.Discard, table.XLSX, k, bilingual.JA, rows, table.Options{})
	if err == nil || !strings.Contains(err.Error(), "row 1, field tags") || !strings.Contains(err.Error(), "CSV") {
		t.Errorf("got %v", err)
	}
	var b bytes.Buffer
	if err := table.Write(&b, table.CSV, k, bilingual.JA, rows, table.Options{}); err != nil {
		t.Fatal(err)
	}
	if s, _ := table.Read(&b, "x.csv", k); !s.OK() || !reflect.DeepEqual(s.Rows[0].Values["tags"], any(long)) {
		t.Errorf("%s", faults(s))
	}
	if err := table.Write(io.Discard, "pdf", k, bilingual.JA, nil, table.Options{}); err == nil {
		t.Error("an unknown format is written")
	}
	full := iotest.TruncateWriter(failing{}, 10)
	if err := table.Write(full, table.CSV, k, bilingual.JA, rows, table.Options{}); err == nil {
		t.Error("a full disk goes unnoticed")
	}
	if err := table.Write(failing{}, table.XLSX, k, bilingual.JA, nil, table.Options{}); err == nil {
		t.Error("a full disk goes unnoticed")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func FuzzRead(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("\xEF\xBB\xBF" + strings.ReplaceAll(good, ",", "\t")))
	f.Add([]byte("\x94\xd4\x8d\x86,\x8f\xf3\x91\xd4\nR-1,\x8aJ\n"))
	f.Add([]byte("番号,状態\n\"R\"\"1\",'=x\n''',\u202e\n"))
	f.Add([]byte("\xFF\xFEa\x00,\x00"))
	f.Add([]byte("PK\x03\x04"))
	k := room()
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := table.Read(bytes.NewReader(data), "x.csv", k)
		if err != nil {
			t.Fatal(err)
		}
		if !s.OK() || len(s.Rows) == 0 {
			return
		}
		rows := make([]map[string]any, 0, len(s.Rows))
		for _, r := range s.Rows {
			rows = append(rows, r.Values)
		}
		var b bytes.Buffer
		if err := table.Write(&b, table.CSV, k, bilingual.EN, rows, table.Options{Personal: true}); err != nil {
			t.Fatal(err)
		}
		back, err := table.Read(&b, "y.csv", k)
		if err != nil || !back.OK() || len(back.Rows) != len(rows) {
			t.Fatalf("%v, %d rows of %d\n%s", err, len(back.Rows), len(rows), faults(back))
		}
		for i, r := range back.Rows {
			if !reflect.DeepEqual(r.Values, rows[i]) {
				t.Fatalf("row %d: %#v, want %#v", i, r.Values, rows[i])
			}
		}
	})
}
