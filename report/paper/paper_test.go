package paper_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

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
	if a.Len() > 400_000 {
		t.Errorf("%d bytes: the font is not a subset", a.Len())
	}
	if *keep != "" {
		if err := os.WriteFile(filepath.Join(*keep, "sample.pdf"), a.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
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
