package audits

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/kind"
	"kakusho/web"
)

// finding is the address of a form on which what a paper found is raised.
func (a audit) finding(x paper, r *web.Request) string {
	what := x.Title + "\n" + strings.Join(x.Why, "\n")
	if x.Remark != "" {
		what = x.Remark + "\n" + what
	}
	return "/register/finding/new?" + url.Values{"audit": {a.Ref.ID()}, "system": {a.frame.System}, "unit": {a.frame.Unit}, "subject": {string(x.Subject)}, "control": {x.Control},
		"clause": {string(x.Verdict.Clause)}, "title": {cut(x.Name+" "+x.Title, 300)}, "what": {cut(what, 1500)}, "severity": {"ordinary"},
		"due_on": {r.At.Add(90 * 24 * time.Hour).Format(time.DateOnly)}}.Encode()
}

func (p pages) paperTable(papers []paper, l bilingual.Lang) [][]string {
	head := []string{"調書番号", "対象", "名称", "項", "確認項目", "判定", "決め手となった事実", "人による記録", "記録した者", "この状態の始まり", "監査の結果", "所見", "確認日時", "確認した者", "確認時の判定"}
	if l == bilingual.EN {
		head = []string{"paper", "subject", "name", "clause", "control", "verdict", "what decided it", "recorded answer", "by", "since", "auditor's result", "remark", "examined at", "examined by", "verdict then"}
	}
	out := [][]string{head}
	moment := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return kind.Field{Type: kind.Time}.Format(t, l)
	}
	for _, x := range papers {
		if k := p.register.Kinds()[x.Subject.Kind()]; k.Name != "" {
			if f, _ := k.Field(k.Name); f.Personal {
				x.Name = "" // as exports of registers leave it out
			}
		}
		result := ""
		if x.Result != "" {
			result = p.register.Kinds().Choice(paperKind, "result", x.Result).In(l)
		}
		out = append(out, []string{x.No, string(x.Subject), x.Name, x.ClauseLabel, x.Title, x.Verdict.Outcome.Label().In(l), strings.Join(x.Why, " / "), x.Answer, x.AnswerBy,
			moment(x.Verdict.Since), result, x.Remark, moment(x.ExaminedAt), x.ExaminedBy, x.Then.Label().In(l)})
	}
	return out
}

func revision(rev int64) string { return strconv.FormatInt(rev, 10) }

func nilIfBlank(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// cut is the first n runes of a text.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
