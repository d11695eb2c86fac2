package specification_test

import (
	"os"
	"strings"
	"testing"

	"kakusho/bilingual"
	"kakusho/kind"
	"kakusho/web/specification"
)

func text(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("text.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every item of the entry has an article, in the order of its fields.
func TestEveryItemHasItsArticle(t *testing.T) {
	contract := kind.Default()["contract"]
	articles, err := specification.Parse(text(t), contract)
	if err != nil {
		t.Fatal(err)
	}
	var has, want []string
	for _, a := range articles {
		if a.Field != "" {
			has = append(has, a.Field)
		}
	}
	for _, f := range contract.Fields {
		if f.Type == kind.Enum && f.Choices[0].Value == "included" {
			want = append(want, f.Name)
		}
	}
	if strings.Join(has, " ") != strings.Join(want, " ") {
		t.Errorf("articles of %v, items %v", has, want)
	}
}

func TestWhatIsIncludedIsWritten(t *testing.T) {
	contract := kind.Default()["contract"]
	articles, err := specification.Parse(text(t), contract)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		entry       map[string]any // as somebody types it
		has, hasNot []string
		lacking     int // items that the text does not have
		open        int // and nobody answered
	}{
		"nothing is answered": {nil, []string{"従事者及び作業場所", "国外において作業を行い、又は国外から接続してはならない"}, []string{"目的外", "{", "再委託"}, 12, 12},
		"an item is included, with the time that was set": {map[string]any{"item_e": "included", "item_e_page": "仕様書6頁", "incident_notice": "1h"},
			[]string{"情報セキュリティインシデントへの対処", "認知から1時間以内に、発注者に第一報"}, []string{"直ちに、発注者に第一報", "仕様書6頁"}, 11, 11},
		"the time was not set":          {map[string]any{"item_e": "included"}, []string{"直ちに、発注者に第一報"}, []string{"以内に、発注者に第一報"}, 11, 11},
		"an item is left out":           {map[string]any{"sla": "not-needed", "sla_reason": "停止しても支障がない。"}, nil, []string{"サービスレベル", "支障"}, 12, 11},
		"an item is not answered":       {map[string]any{"item_c": "unanswered"}, nil, []string{"意図しない変更"}, 12, 12},
		"overseas work":                 {map[string]any{"overseas": "true"}, []string{"必要性及び対策を示して"}, []string{"国外から接続してはならない"}, 12, 12},
		"access within a scope":         {map[string]any{"access": "granted", "access_information": "設定情報\n障害記録", "access_systems": "運用端末"}, []string{"次のとおりとする。\n設定情報\n障害記録\n", "運用端末"}, []string{"アクセスを認めない"}, 12, 12},
		"remote maintenance as it goes": {map[string]any{"remote_maintenance": "per-session"}, []string{"その都度、期間を限って"}, []string{"遠隔地から保守を行ってはならない"}, 12, 12},
	} {
		t.Run(name, func(t *testing.T) {
			values := map[string]any{}
			for field, typed := range c.entry {
				f, _ := contract.Field(field)
				v, err := f.Parse(typed.(string))
				if err != nil {
					t.Fatal(err)
				}
				values[field] = v
			}
			written, lacking := specification.Write(articles, contract, values, bilingual.JA)
			plain := specification.Plain(written, bilingual.JA)
			for _, s := range c.has {
				if !strings.Contains(plain, s) {
					t.Errorf("%q is missing from:\n%s", s, plain)
				}
			}
			for _, s := range c.hasNot {
				if strings.Contains(plain, s) {
					t.Errorf("%q stands in:\n%s", s, plain)
				}
			}
			open := 0
			for _, i := range lacking {
				if i.Reason == "" {
					open++
				}
			}
			if len(lacking) != c.lacking || open != c.open {
				t.Errorf("%d lacking, %d not answered: %v", len(lacking), open, lacking)
			}
		})
	}
}

func TestFaultsOfTheText(t *testing.T) {
	contract := kind.Default()["contract"]
	for name, c := range map[string]struct{ text, want string }{
		"an unknown key":             {"- {headline: {ja: ア, en: A}}", "headline"},
		"an item that is no field":   {"- {field: item_z, heading: {ja: ア, en: A}, paragraphs: [{ja: ア, en: A}]}", `"item_z"`},
		"an item without a place":    {"- {field: overseas, heading: {ja: ア, en: A}, paragraphs: [{ja: ア, en: A}]}", `"overseas_page"`},
		"half a heading":             {"- {heading: {ja: ア}, paragraphs: [{ja: ア, en: A}]}", "heading"},
		"no paragraph":               {"- {heading: {ja: ア, en: A}}", "paragraphs"},
		"half a paragraph":           {"- {heading: {ja: ア, en: A}, paragraphs: [{ja: ア}]}", "needs ja and en"},
		"a blank that is no field":   {"- {heading: {ja: ア, en: A}, paragraphs: [{ja: '{plaice}', en: '{plaice}'}]}", `"plaice"`},
		"a blank in one language":    {"- {heading: {ja: ア, en: A}, paragraphs: [{ja: '{place}', en: A}]}", "[{place}]"},
		"a condition of no field":    {"- {heading: {ja: ア, en: A}, paragraphs: [{if: '!abroad', ja: ア, en: A}]}", `"abroad"`},
		"a condition of no value":    {"- {heading: {ja: ア, en: A}, paragraphs: [{if: access=some, ja: ア, en: A}]}", `"some"`},
		"a list that is no list":     {"heading: {ja: ア, en: A}", "text of the specification"},
		"a derived field in a blank": {"- {heading: {ja: ア, en: A}, paragraphs: [{ja: '{live_accounts}', en: '{live_accounts}'}]}", `"live_accounts"`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := specification.Parse([]byte(c.text), contract); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q named", err, c.want)
			}
		})
	}
}

// FuzzParse: a text that is read can be written, for any entry.
func FuzzParse(f *testing.F) {
	contract := kind.Default()["contract"]
	f.Add(text(f), "included", "1")
	f.Add([]byte("- {heading: {ja: ア, en: A}, paragraphs: [{if: '!access=none|granted', ja: '{place}', en: '{place}'}]}"), "none", "庁舎")
	f.Fuzz(func(t *testing.T, b []byte, choice, place string) {
		articles, err := specification.Parse(b, contract)
		if err != nil {
			return
		}
		values := map[string]any{"access": choice, "item_a": choice, "place": place}
		for _, l := range []bilingual.Lang{bilingual.JA, bilingual.EN} {
			written, lacking := specification.Write(articles, contract, values, l)
			if len(written)+len(lacking) > len(articles) {
				t.Errorf("%d articles, %d written, %d lacking", len(articles), len(written), len(lacking))
			}
			specification.Plain(written, l)
		}
	})
}
