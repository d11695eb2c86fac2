package search_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"kakusho/event"
	"kakusho/search"
)

func TestTokensAreWordsAndPairsOfLetters(t *testing.T) {
	for text, want := range map[string]string{
		"Login failed: root@PC-1": "login failed root pc 1",
		"捜査資料":                    "捜査 査資 資料 料",
		"捜査x資料":                   "捜査 査 x 資料 料",
		"ＡＢＣ　１２３":                 "abc 123",
		"ｶﾞｷﾞｸﾞ":                  "がぎ ぎぐ ぐ",
		"カード":                     "かー ーど ど",
		"x":                       "x",
		"料":                       "料",
		"":                        "",
		"--- / ---":               "",
		"Größe\u00a0straße":       "größe straße",
		"/etc/shadow_2":           "etc shadow 2",
		"ファイル「捜査.xlsx」を削除":        "ふぁ ぁい いる る 捜査 査 xlsx を削 削除 除",
	} {
		if got := string(search.Tokens(nil, text)); got != want {
			t.Errorf("Tokens(%q) = %q, want %q", text, got, want)
		}
	}
}

var arrived = time.Date(2026, 11, 3, 3, 0, 0, 0, time.UTC)

func row(e event.Event) search.Row {
	if e.At.IsZero() {
		e.At = arrived.Add(-time.Second)
	}
	return search.Row{Ref: search.Ref{Stream: "3y", Seq: 7}, Arrived: arrived, Event: e}
}

var sample = row(event.Event{
	System: "sosa", Class: "auth.login", Account: "TANAKA", Device: "pc-0012", Event: "login", Object: "捜査資料.xlsx", Result: event.Denied,
	Source: "10.1.2.3", Level: 4, Text: "田中が捜査資料のダウンロードに失敗 (error_code 0x1F)", Fields: map[string]string{"Bytes": "1200", "path": `C:\秘\a b.txt`},
})

func TestWhatAQueryFinds(t *testing.T) {
	for text, want := range map[string]bool{
		"":                         true,
		"捜査":                       true,
		"査資":                       true,
		"資料":                       true,
		"料":                        true,
		"失":                        true,
		"捜資":                       false,
		"だうんろーど":                   true,
		"ﾀﾞｳﾝﾛｰﾄﾞ":                 true,
		"ダウンロードに失敗":                true,
		"ダウンロード失敗":                 false,
		"捜査資料 失敗":                  true,
		"捜査資料　成功":                  false,
		"捜査資料 または 成功":              true,
		"捜査資料 -失敗":                 false,
		"捜査資料 除く 成功":               true,
		"error_code":               true,
		"code":                     true,
		"cod":                      false,
		"cod*":                     true,
		"ＣＯＤ＊":                     true,
		`"error code"`:             true,
		`"code error"`:             false,
		"「code 0x1f」":              true,
		"10.1.2.3":                 true,
		"0.1.2.3":                  false,
		`"0x1f login"`:             false, // no phrase over two fields
		"account:tanaka":           true,
		"識別符号：Ｔａｎａｋａ":              true,
		"account:tana":             false,
		"account:tana*":            true,
		"object:*資料*":              true,
		"object:*資 料*":             false,
		"result:denied":            true,
		"結果:拒否":                    true,
		"結果:(失敗 拒否)":               true,
		"result:(success failure)": false,
		"result:*":                 true,
		"feed:*":                   false,
		"-feed:*":                  true,
		`feed:""`:                  true,
		"level:<=4":                true,
		"level:<4":                 false,
		"level:<=error":            true,
		"重大度:エラー":                  true,
		"bytes:>1000":              true,
		"f.bytes:1200":             true,
		"bytes:1000..1200":         true,
		"bytes:1000..1199":         false,
		"path:>5":                  false,
		"source:10.1.0.0/16":       true,
		"source:10.2.0.0/16":       false,
		"source:(10.1.2.3 ::1)":    true,
		`path:"c:\秘\a b.txt"`:      true,
		"stream:3y":                true,
		"(失敗 OR 成功) AND (code OR nothing)": true,
		"(-失敗) OR code":                    true,
		"time:2026-11-03":                  true,
		"time:2026-11-04":                  false,
		"time:2026-11":                     true,
		"time:..2026-11-03":                false,
		"time:2026-11-03T11:59..":          true,
		"日時:2026/11/03〜2026/11/04 失敗":      true,
		"time:2026-11-03T12:00":            false,
	} {
		q, err := search.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := q.Match(sample); got != want {
			t.Errorf("%s: found %v, want %v (%#v)", text, got, want, q.Expr)
		}
	}
}

func TestMistakesNameTheirPlaceInBothLanguages(t *testing.T) {
	for text, at := range map[string]int{
		"(a":                          0,
		"a)":                          1,
		"a OR":                        2,
		"OR a":                        0,
		"a AND":                       2,
		`a "b`:                        2,
		"a x:":                        2,
		"a x: b":                      2,
		"*":                           0,
		"a ...":                       2,
		"level:>x":                    6,
		"time:yesterday":              5,
		"time:2026 time:2025":         15,
		"time:2026-11-02..2026-11-01": 5,
		"-time:2026":                  0,
		"a OR time:2026":              10,
		"x:()":                        2,
		"失敗 結果:":                      3,
		"a x*:b":                      2,
		strings.Repeat("a", 2001):     2000,
		strings.Repeat("a ", 101):     200,
		strings.Repeat("(", 30) + "a": 30,
	} {
		_, err := search.Parse(text)
		var f *search.Fault
		if !errors.As(err, &f) {
			t.Errorf("%.40s: no fault: %v", text, err)
		} else if f.At != at || !f.Text.Complete() {
			t.Errorf("%.40s: at %d, want %d: %v", text, f.At, at, f.Text)
		}
	}
}

func TestAnEventIsFoundUnderATimeThatCanBeTrue(t *testing.T) {
	for name, c := range map[string]struct{ at, want time.Time }{
		"its own":          {arrived.Add(-time.Hour), arrived.Add(-time.Hour)},
		"a month late":     {arrived.AddDate(0, 0, -30), arrived.AddDate(0, 0, -30)},
		"from before that": {arrived.AddDate(0, 0, -31), arrived},
		"from 1970":        {time.Unix(0, 0), arrived},
		"from the future":  {arrived.Add(time.Millisecond), arrived},
		"not said at all":  {time.Time{}, arrived},
	} {
		r := search.Row{Arrived: arrived, Event: event.Event{At: c.at}}
		if got := r.Time(); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a", "捜査 -x", "a:(b c) OR \"d\"", "time:2026..2027", "level:<=3 ((", "結果：失敗　「あ」", "x:1..2", "source:10.0.0.0/8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := search.Parse(s)
		var fault *search.Fault
		switch {
		case err == nil:
			q.Match(sample)
		case !errors.As(err, &fault):
			t.Fatalf("%q: not a fault: %v", s, err)
		case fault.At < 0 || fault.At > len([]rune(s)):
			t.Fatalf("%q: a fault at %d", s, fault.At)
		}
	})
}

// The short way of folding gives what the long one does.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{"Abc", "捜査ー々〆〇", "か\u3099", "ｶﾞ", "ＡＢ", "İ", "\xe3\x81", "\u3000\u3013\u3036", "ヿヾヽ", "龥龦"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := search.Plain(s), strings.ToLower(norm.NFKC.String(s)); got != want {
			t.Fatalf("Plain(%q) = %q, want %q", s, got, want)
		}
	})
}

func TestEveryLetterFoldsAsUnicodeSays(t *testing.T) {
	for r := rune(0); r <= 0x20000; r++ {
		if s := string(r); search.Plain(s) != strings.ToLower(norm.NFKC.String(s)) || search.Plain("か"+s+"Z") != strings.ToLower(norm.NFKC.String("か"+s+"Z")) {
			t.Errorf("Plain(%U)", r)
		}
	}
}

// Every part of a text that people would call one is found, whatever letters it has.
func FuzzTokens(f *testing.F) {
	f.Add("捜査資料x1のカード", 3, 9)
	f.Fuzz(func(t *testing.T, s string, from, to int) {
		rs := []rune(strings.ToValidUTF8(s, ""))
		if from < 0 || from >= to || to > len(rs) {
			return
		}
		whole := search.Row{Event: event.Event{Text: string(rs)}}
		for _, r := range rs {
			if r < 0x3040 || r > 0x9fff { // only where no letter changes by what stands beside it
				return
			}
		}
		q, err := search.Parse("「" + string(rs[from:to]) + "」")
		if err == nil && !q.Match(whole) {
			t.Fatalf("%q is not found in %q", string(rs[from:to]), string(rs))
		}
	})
}
