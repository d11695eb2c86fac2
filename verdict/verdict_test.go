package verdict_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"kakusho/bilingual"
	"kakusho/verdict"
)

func TestRollUpShowsTheWorstAndNothingIsUnknown(t *testing.T) {
	for _, c := range []struct {
		of   []verdict.Outcome
		want verdict.Outcome
	}{
		{nil, verdict.Unknown},
		{[]verdict.Outcome{verdict.NotApplicable}, verdict.NotApplicable},
		{[]verdict.Outcome{verdict.NotApplicable, verdict.Conforms}, verdict.Conforms},
		{[]verdict.Outcome{verdict.Conforms, verdict.Excepted}, verdict.Excepted},
		{[]verdict.Outcome{verdict.Excepted, verdict.Special}, verdict.Special},
		{[]verdict.Outcome{verdict.Special, verdict.Deferred}, verdict.Deferred},
		{[]verdict.Outcome{verdict.Deferred, verdict.Undecided}, verdict.Undecided},
		{[]verdict.Outcome{verdict.Undecided, verdict.Unknown}, verdict.Unknown},
		{[]verdict.Outcome{verdict.Unknown, verdict.Error}, verdict.Error},
		{[]verdict.Outcome{verdict.Error, verdict.Violates, verdict.Conforms}, verdict.Violates},
		{[]verdict.Outcome{verdict.Conforms, "nobody-knows"}, "nobody-knows"},
	} {
		if got := verdict.RollUp(c.of...); got != c.want {
			t.Errorf("RollUp(%v) = %s, want %s", c.of, got, c.want)
		}
	}
}

func TestEveryOutcomeHasBothNames(t *testing.T) {
	for _, o := range verdict.Outcomes {
		if !o.Valid() || !o.Label().Complete() {
			t.Errorf("%s: %+v", o, o.Label())
		}
	}
}

func TestAReasonIsReadInBothLanguages(t *testing.T) {
	r := verdict.Reason{Code: "false", Fact: "pw_min_length", Label: bilingual.Say("パスワード最小長", "Minimum password length"), Value: int64(8),
		Expected: ">= 12", Parameter: "auth.pw.min_length", Layer: "default"}
	if got, want := r.In(bilingual.JA), "パスワード最小長：8（基準 12以上、値 auth.pw.min_length・参考値（本システム既定））"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := r.In(bilingual.EN), "Minimum password length: 8 (wanted >= 12; parameter auth.pw.min_length, default of this system)"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r = verdict.Reason{Code: "denied", Fact: "accounts", Label: bilingual.Say("識別コード", "Accounts"), Detail: "permission: open /etc/shadow"}
	if got, want := r.In(bilingual.JA), "識別コード：読み取りが許されない（読取り権限がない：open /etc/shadow）"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAReasonSaysWhereToSetWhatIsNotSet(t *testing.T) {
	r := verdict.Reason{Code: "no-parameter", Text: "s.pw_min_length >= p.auth_pw_min_length", Parameter: "auth.pw.min_length"}
	for l, want := range map[bilingual.Lang]string{bilingual.JA: "/parameter/auth.pw.min_length で設定してください", bilingual.EN: "set it at /parameter/auth.pw.min_length"} {
		if got := r.In(l); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q in it", l, got, want)
		}
	}
	r = verdict.Reason{Code: "rule-fault", Text: "100 / s.length > 3", Fact: "length", Detail: "division by zero, at area/name/rule.cel:1:16"}
	if got, want := r.In(bilingual.JA), "確認の式が誤りで判定できない（division by zero, at area/name/rule.cel:1:16）"; !strings.Contains(got, want) {
		t.Errorf("%q, want %q in it", got, want)
	}
}

func TestAListIsCutWithItsNumber(t *testing.T) {
	var list []any
	for range 7 {
		list = append(list, map[string]any{"name": "x", "uid": int64(0)})
	}
	if got := verdict.Show(list, bilingual.JA); !strings.HasSuffix(got, "ほか2件") {
		t.Errorf("got %s", got)
	}
}

func TestAReasonTravelsAsText(t *testing.T) {
	b, err := json.Marshal(verdict.Reason{Code: "false", Value: []any{90 * time.Second, time.Unix(0, 0)}})
	if err != nil || !strings.Contains(string(b), `["1m30s","1970-01-01T00:00:00Z"]`) {
		t.Errorf("got %s, %v", b, err)
	}
}
