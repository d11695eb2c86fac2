package paper_test

import (
	"bytes"
	"compress/zlib"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"kakusho/report/paper"
)

var keep = flag.String("papers", "", "folder to keep the papers of the tests in")

func sample(rows int) *paper.Paper {
	p := &paper.Paper{Title: "機器台帳", Lang: "ja", Lying: true, Notes: []string{"基準日時　2026-11-25 12:00:00（令和8年11月25日）", "システム　架空県警察総合業務システム"},
		Seals: []string{"決裁", "審査", "作成"}, Foot: "SHA-256 0123456789abcdef", Lost: "印字できない文字 "}
	part := paper.Part{Head: []string{"管理番号", "機器名", "所属", "備考"}}
	for i := range rows {
		part.Rows = append(part.Rows, []string{fmt.Sprintf("PC-%04d", i), "髙橋・﨑山・𠮷田・辻󠄀端末", "架空県警察本部警務部情報管理課", "サーバ室に設置する。更新は、令和8年度に予定する（仕様書の第3章を参照すること。）。"})
	}
	p.Parts = []paper.Part{part}
	return p
}

func TestThePaperIsTheSameToTheByteAndItsHeadStandsOnEveryPage(t *testing.T) {
	var a, b bytes.Buffer
	for _, w := range []*bytes.Buffer{&a, &b} {
		if err := sample(120).Write(w); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two writings differ")
	}
	for _, want := range []string{"/MarkInfo<</Marked true>>", "/S/TH", "/Lang(ja)", "/FontFile2", "/ToUnicode"} {
		if !bytes.Contains(a.Bytes(), []byte(want)) {
			t.Errorf("no %s", want)
		}
	}
	pages := words(t, a.Bytes())
	if len(pages) < 3 {
		t.Fatalf("%d pages, want several", len(pages))
	}
	for i, p := range pages {
		for _, want := range []string{"管理番号", "機器名", "所属", "備考", fmt.Sprintf("%d / %d", i+1, len(pages))} {
			if !strings.Contains(p, want) {
				t.Errorf("page %d does not say %s", i+1, want)
			}
		}
	}
	if a.Len() > 400_000 {
		t.Errorf("%d bytes: the font is not a subset", a.Len())
	}
	if *keep != "" {
		if err := os.WriteFile(filepath.Join(*keep, "sample.pdf"), a.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	stream = regexp.MustCompile(`(?s)stream\n(.*?)\nendstream`)
	shown  = regexp.MustCompile(`<([0-9A-F]+)> Tj`)
	means  = regexp.MustCompile(`(?m)^<([0-9A-F]{4})> <([0-9A-F]+)>$`)
)

// words are what each page of a paper shows, read by way of the font's own map.
func words(t *testing.T, pdf []byte) (pages []string) {
	t.Helper()
	var contents []string
	meaning := map[string]string{}
	for _, m := range stream.FindAllSubmatch(pdf, -1) {
		r, err := zlib.NewReader(bytes.NewReader(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, pair := range means.FindAllSubmatch(text, -1) {
			var units []uint16
			for i := 0; i+4 <= len(pair[2]); i += 4 {
				n, _ := strconv.ParseUint(string(pair[2][i:i+4]), 16, 16)
				units = append(units, uint16(n))
			}
			meaning[string(pair[1])] = string(utf16.Decode(units))
		}
		if bytes.Contains(text, []byte("BT /F1")) {
			contents = append(contents, string(text))
		}
	}
	for _, c := range contents {
		var b strings.Builder
		for _, m := range shown.FindAllStringSubmatch(c, -1) {
			for i := 0; i+4 <= len(m[1]); i += 4 {
				b.WriteString(meaning[m[1][i:i+4]])
			}
			b.WriteString("\n")
		}
		pages = append(pages, b.String())
	}
	return pages
}

func FuzzNothingTypedBreaksAPaper(f *testing.F) {
	f.Add("あ\x00い\n\n（（（", true)
	f.Add("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false)
	f.Fuzz(func(t *testing.T, s string, lying bool) {
		p := sample(2)
		p.Lying, p.Title = lying, s
		p.Parts[0].Rows[1] = []string{s, s, s, s}
		if err := p.Write(&bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
	})
}
