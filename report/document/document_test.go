package document_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/report/document"
	"kakusho/report/figure"
	"kakusho/store"
)

var (
	papers = flag.String("papers", "", "folder to keep the documents of the tests in")
	kinds  = kind.Default()
	terms  = posture.NewTerms(directive.Default(), control.Default(kinds, directive.Default()), kinds)
	day    = time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)
)

func entry(kindID, id string, v map[string]any) store.Subject {
	s := store.Subject{Kind: kindID, ID: id, Name: id, System: "A", Values: v, Since: map[string]time.Time{}, ChangedAt: day, Entry: 1}
	v[kinds[kindID].Key], v["system"] = id, "A"
	if kindID == "system" {
		delete(v, "system")
	}
	if name, ok := v[kinds[kindID].Name].(string); ok {
		s.Name = name
	}
	return s
}

// standing is of a system with computers of these names.
func standing(t testing.TB, names ...string) *posture.Standing {
	t.Helper()
	p, err := posture.Over(nil, terms, document.Derivations(terms))
	if err != nil {
		t.Fatal(err)
	}
	all := []store.Subject{
		entry("system", "A", map[string]any{"title": "架空総合システム", "status": "in-service"}),
		entry("zone", "Z1", map[string]any{"title": "電算機室", "class": int64(3), "status": "in-use"}),
		entry("line", "L1", map[string]any{"title": "専用線", "type": "lan", "internet": false, "external": true, "status": "in-service"}),
		entry("network-device", "SW1", map[string]any{"hostname": "core-switch", "type": "switch", "zone": "Z1", "lines": []any{"L1"}, "status": "in-service"}),
	}
	for i, name := range names {
		all = append(all, entry("computer", fmt.Sprintf("PC-%04d", i), map[string]any{"hostname": name, "role": "terminal", "zone": "Z1", "vendor": name, "model": name, "status": "in-service"}))
	}
	st, err := p.Of(all, nil, day)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func content(t testing.TB, id string, names ...string) *document.Content {
	t.Helper()
	d, ok := document.Default(kinds).Find(id)
	if !ok {
		t.Fatalf("no document %s", id)
	}
	c, err := d.Make(standing(t, names...), actor.Program, document.Scope{System: "A"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func written(t testing.TB, c *document.Content, f document.Format) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.Write(&b, f, bilingual.JA); err != nil {
		t.Fatal(err)
	}
	if *papers != "" {
		if err := os.WriteFile(filepath.Join(*papers, c.Document.ID+"."+string(f)), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

var hostile = []string{
	`=1+1`, `+1`, `-1`, `@SUM(A1)`, `=HYPERLINK("http://example.invalid","x")`, `=cmd|'/C calc'!A0`, "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", `＝1+1`, `＋1`, `－1`, `＠SUM(A1)`, `"=1+1"`, `';=1`,
	`1,=2`, "a\u202Eb", "\x00\x01\x1f", "<script>", "]]>", "&amp;", "_x003D_1", "髙﨑𠮷辻\U000E0100", "\uE000外字", strings.Repeat("長", 4000), strings.Repeat("w", 4000), "", " ", "\uFEFF=1",
}

// sheets are the XML of a workbook, each well formed.
func sheets(t testing.TB, book []byte) (all string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		for dec := xml.NewDecoder(bytes.NewReader(b)); ; {
			token, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			if e, is := token.(xml.StartElement); is && e.Name.Local == "f" {
				t.Errorf("%s computes", f.Name)
			}
		}
		all += string(b)
	}
	return all
}

// computes reports whether a spreadsheet would take a cell of a CSV file as a formula.
func computes(cell string) bool {
	cell = strings.TrimLeft(cell, " \u3000\uFEFF")
	return cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") || strings.HasPrefix(cell, "＝") || strings.HasPrefix(cell, "＋") || strings.HasPrefix(cell, "－") || strings.HasPrefix(cell, "＠")
}

func TestNoHostileTextComputesInAnyFormat(t *testing.T) {
	for _, evil := range hostile {
		c := content(t, "equipment", evil)
		sheets(t, written(t, c, document.XLSX))
		written(t, c, document.PDF)
		r := csv.NewReader(bytes.NewReader(written(t, c, document.CSV)))
		r.FieldsPerRecord = -1
		rows, err := r.ReadAll()
		if err != nil {
			t.Errorf("%.20q: %v", evil, err)
		}
		for _, row := range rows {
			if i := slices.IndexFunc(row, computes); i >= 0 {
				t.Errorf("%.20q: the cell %.30q computes", evil, row[i])
			}
		}
	}
}

func TestEveryDocumentIsWrittenInEveryFormatEmptyAndTheSameTwice(t *testing.T) {
	for _, names := range [][]string{nil, {"server-1", "サーバ2号機"}} {
		st := standing(t, names...)
		for _, d := range document.Default(kinds) {
			c, err := d.Make(st, actor.Program, document.Scope{System: "A"})
			if err != nil {
				t.Errorf("%s: %v", d.ID, err)
				continue
			}
			for _, f := range []document.Format{document.PDF, document.XLSX, document.CSV} {
				if a, b := written(t, c, f), written(t, c, f); !bytes.Equal(a, b) || len(a) == 0 {
					t.Errorf("%s.%s: two writings differ, or it is empty", d.ID, f)
				}
			}
			if head := fmt.Sprint(c.Head(bilingual.JA)); !strings.Contains(head, "2026-11-25 12:00:00 JST（令和8年11月25日）") {
				t.Errorf("%s: the head does not say the day in both ways: %s", d.ID, head)
			}
		}
	}
}

func TestFiveThousandRowsAreAllWritten(t *testing.T) {
	c := content(t, "equipment", "server-1")
	row := c.Tables[0].Rows[0]
	for i := range 4999 {
		r := maps.Clone(row)
		r["asset_no"] = fmt.Sprintf("PC-%04d", i+1)
		c.Tables[0].Rows = append(c.Tables[0].Rows, r)
	}
	if s := sheets(t, written(t, c, document.XLSX)); !strings.Contains(s, "PC-4999") {
		t.Error("the workbook ends before the last row")
	}
	if n := bytes.Count(written(t, c, document.PDF), []byte("/Type/Page/")); n < 100 {
		t.Errorf("%d pages", n)
	}
	names := make([]string, 40)
	for i := range names {
		names[i] = fmt.Sprintf("端末%d", i)
	}
	if d := content(t, "configuration-diagram", names...); d.Figure == nil || !slices.ContainsFunc(d.Figure.Words, wordsOf("ほか17台")) {
		t.Error("the figure does not say how many it leaves out")
	}
}

func FuzzNoNameBreaksADocument(f *testing.F) {
	for _, evil := range hostile {
		f.Add(evil)
	}
	f.Fuzz(func(t *testing.T, name string) {
		c := content(t, "configuration-diagram", name)
		sheets(t, written(t, c, document.XLSX))
		written(t, c, document.PDF)
		if err := xml.Unmarshal([]byte(c.Figure.SVG()), new(struct{})); err != nil && strings.ToValidUTF8(name, "") == name && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0xFFFE || r == 0xFFFF }) {
			t.Errorf("%q: %v", name, err)
		}
	})
}

func wordsOf(lead string) func(figure.Words) bool {
	return func(w figure.Words) bool { return strings.HasPrefix(w.Text, lead) }
}
