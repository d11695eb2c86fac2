package server_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/clause"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/posture/sample"
	"kakusho/verdict"
)

// form posts a form as a person and says where it led, or what it answered.
func (b *body) form(base, person, path string, form url.Values) (status int, text string) {
	b.t.Helper()
	status, page := b.ask(base, person, http.MethodPost, path, form)
	return status, string(page)
}

func planned(id, system string) url.Values {
	return url.Values{"audit_no": {id}, "title": {"認証の監査"}, "system": {system}, "clauses": {"npa-r3@2.2"}, "planned_until": {"2026-11-30"}, "sample_size": {"3"}}
}

// An audit goes from its plan to its closure over the pages, as the persons of the body:
// what is refused on the way, and what the pages say at each step.
func TestAnAuditIsMadeOverThePages(t *testing.T) {
	b := found(t)
	for _, id := range []string{"CA-2", "CA-3", "CA-4", "CA-5"} {
		b.put(actor.Program, "computer", computer(id, "A"))
	}
	b.weak()
	base := b.open()
	for _, c := range []struct {
		person, path string
		form         url.Values
		want         int
	}{
		{"s-officer-a", "/begin/plan/audit", planned("AU-1", "A"), http.StatusForbidden}, // 被監査者
		{"s-auditor", "/begin/plan/audit", url.Values{"audit_no": {"AU-1"}, "title": {"x"}, "system": {"A"}}, http.StatusUnprocessableEntity},
		{"s-auditor", "/begin/plan/audit", planned("AU-1", "A"), http.StatusSeeOther},
		{"s-auditor", "/register/audit/AU-1", url.Values{"rev": {"1"}, "title": {"別の件名"}, "type": {"audit"}, "status": {"planned"}, "system": {"A"}}, http.StatusUnprocessableEntity},
		{"s-officer-a", "/audit/AU-1", url.Values{"do": {"sample"}}, http.StatusForbidden},
		{"s-auditor", "/audit/AU-1", url.Values{"do": {"sample"}}, http.StatusSeeOther},
		{"s-auditor", "/audit/AU-1", url.Values{"do": {"sample"}}, http.StatusConflict},
	} {
		if got, text := b.form(base, c.person, c.path, c.form); got != c.want {
			t.Fatalf("%s posts %v to %s: %d, want %d: %.400s", c.person, c.form, c.path, got, c.want, text)
		}
	}
	audit := b.entry("audit/AU-1")
	drawn, seed := audit.Values["sample"].([]any), audit.Values["seed"].(string)
	pairs := sample.Frame{Clauses: []clause.ID{"npa-r3@2.2"}, System: "A"}.Pairs(b.standing(b.Now()))
	again := sample.Draw(sample.Population(pairs), seed, 3)
	if len(drawn) != 3 || !slices.EqualFunc(again, drawn, func(r fact.Ref, s any) bool { return string(r) == s }) {
		t.Errorf("drawn %v, again %v", drawn, again)
	}
	_, page := b.get(base, "s-auditor", "/audit/AU-1")
	for _, want := range []string{"再抽出と一致", seed, "台帳の最終変更", "この状態の始まり"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	machine := again[slices.IndexFunc(again, func(r fact.Ref) bool { return r.Kind() == "computer" })] // one of six is the system
	key := string(machine) + " auth/password-length"
	paper := func(person, rev, result, remark string) (int, string) {
		return b.form(base, person, "/audit/AU-1?q=password-length", url.Values{"do": {"papers"}, "paper": {key}, "rev " + key: {rev}, "result " + key: {result}, "remark " + key: {remark}})
	}
	if got, _ := paper("s-maintainer-a", "0", "conforming", ""); got != http.StatusForbidden {
		t.Errorf("the maintainer writes a paper: %d", got)
	}
	if got, text := paper("s-auditor", "0", "nonconforming", "短い。"); got != http.StatusSeeOther {
		t.Fatalf("the auditor writes a paper: %d %.300s", got, text)
	}
	if got, text := paper("s-auditor", "0", "conforming", "長い。"); got != http.StatusUnprocessableEntity || !strings.Contains(text, "他の者が先に記載した") || !strings.Contains(text, "長い。") {
		t.Errorf("a paper that somebody wrote meanwhile: %d %s", got, text)
	}
	if got, _ := paper("s-auditor", "1", "conforming", "長い。"); got != http.StatusSeeOther {
		t.Errorf("the paper is changed: %d", got)
	}
	e := b.entry(fact.NewRef("audit-paper", "AU-1/auth/password-length/"+string(machine)))
	if e.Values["result"] != "conforming" || e.Values["examined_by"] != "s-auditor" || e.Values["outcome"] != string(b.verdict(b.Now(), machine, "auth/password-length").Outcome) {
		t.Errorf("the paper holds %v", e.Values)
	}
	// the population changes; the draw is verified as of its own time
	b.tick(time.Hour)
	b.put(actor.Program, "computer", computer("CA-6", "A"))
	if _, page = b.get(base, "s-auditor", "/audit/AU-1"); !strings.Contains(string(page), "母集団は、抽出の後に変わった。") {
		t.Error("the page does not say that the population changed")
	}
	if got, text := b.form(base, "s-auditor", "/step/report/audit/AU-1", url.Values{"rev": {"2"}, "conclusion": {"不備がある。"}}); got != http.StatusSeeOther {
		t.Fatalf("report: %d %.300s", got, text)
	}
	if got, text := paper("s-auditor", "2", "nonconforming", "やはり短い。"); got != http.StatusUnprocessableEntity {
		t.Errorf("a paper after the report: %d %.300s", got, text)
	}
}

// Findings grow old by the clock alone: days open, overdue at the midnight after the day
// on which they are due.
func TestAFindingGrowsOldByTheClockAlone(t *testing.T) {
	b := found(t)
	base := b.open()
	if got, text := b.form(base, "s-auditor", "/begin/raise/finding", url.Values{"finding_no": {"F-1"}, "title": {"長さの不足"}, "system": {"A"}, "what": {"8文字である。"}, "severity": {"ordinary"}, "due_on": {"2026-12-01"}}); got != http.StatusSeeOther {
		t.Fatalf("raise: %d %.500s", got, text)
	}
	row := func() string {
		_, page := b.get(base, "s-auditor", "/findings")
		text := regexp.MustCompile(`<[^>]*>|\s+`).ReplaceAllString(string(page), " ")
		_, rest, _ := strings.Cut(text, "F-1")
		rest, _, _ = strings.Cut(rest, "件中")
		return strings.Join(strings.Fields(rest), " ")
	}
	last := time.Date(2026, 12, 1, 23, 59, 59, 0, time.FixedZone("JST", 9*3600))
	b.set(last)
	if got := row(); strings.Contains(got, "超過") || !strings.Contains(got, " 29 ") {
		t.Errorf("at the end of the day it is due: %q", got)
	}
	b.tick(time.Second)
	if got := row(); !strings.Contains(got, "超過 1日") || !strings.Contains(got, " 30 ") {
		t.Errorf("a second later: %q", got)
	}
	status, csv := b.get(base, "s-auditor", "/findings?show=late&format=csv")
	if status != http.StatusOK || !strings.Contains(string(csv), "F-1") || !strings.HasPrefix(string(csv), "\ufeff") {
		t.Errorf("as CSV: %d %s", status, csv)
	}
	if status, _ := b.get(base, "s-staff", "/findings?format=csv"); status != http.StatusForbidden {
		t.Errorf("to staff: %d", status)
	}
}

// What somebody says is in order while the facts say no is found, and nothing else is.
func TestWhatIsSaidAgainstTheFactsIsFound(t *testing.T) {
	b := found(t)
	b.weak()
	base := b.open()
	find := func() (out []string) {
		_, csv := b.get(base, "s-auditor", "/contradictions?format=csv&lang=en")
		for i, line := range strings.Split(strings.TrimSpace(string(csv)), "\n") {
			if cells := strings.Split(line, ","); i > 0 {
				out = append(out, cells[0]+" "+cells[4])
			}
		}
		return out
	}
	if got := find(); len(got) != 0 {
		t.Fatalf("before anybody said anything: %q", got)
	}
	ref := fact.NewRef("computer", "CA-1")
	weak := b.verdict(b.Now(), ref, "auth/password-length")
	if weak.Outcome != verdict.Violates {
		t.Fatalf("CA-1 is %s", weak.Outcome)
	}
	// an answer, and a fact of the same clause that says no
	b.put(actor.Program, "computer", merged(computer("CA-1", "A"), values{"role": "terminal", "taken_out": true, "takeout_permitted_until": "2026-10-01"}))
	if got := find(); len(got) != 0 {
		t.Fatalf("before anybody answered: %q", got)
	}
	if _, err := b.Govern.Give(b.ctx, b.as("s-maintainer-a"), decision.Decision{Type: decision.Attestation, Subject: ref, Control: "physical/inspected", Answer: "in-order", Reason: "目視した。"}, b.Now()); err != nil {
		t.Fatal(err)
	}
	if got := find(); !slices.Equal(got, []string{"Attestation or judgement computer/CA-1"}) {
		t.Errorf("an answer against a fact: %q", got)
	}
	// the register, and what was observed
	domain := values{"domain": "example.jp", "system": "A", "sends_mail": true, "web": false, "dkim": true, "dkim_bits": 2048, "status": "in-use"}
	b.put(actor.Program, "domain", domain)
	b.observe("domain/example.jp", "dns", b.Now(), values{"dkim": true, "dkim_bits": int64(2048)})
	if got := find(); len(got) != 1 {
		t.Errorf("a register that agrees: %q", got)
	}
	b.tick(time.Minute)
	b.observe("domain/example.jp", "dns", b.Now(), values{"dkim": false})
	b.put(actor.Program, "line", values{"line_no": "L-1", "title": "L-1", "type": "internet", "system": "A", "internet": true, "external": true, "status": "in-service"})
	if got := find(); !slices.Equal(got, []string{"Attestation or judgement computer/CA-1", "Register domain/example.jp"}) {
		t.Errorf("a register that differs: %q", got)
	}
	// a finding that is reported improved
	b.put(actor.Program, "finding", values{"finding_no": "F-1", "title": "長さ", "system": "A", "subject": string(ref), "control": "auth/password-length", "what": "短い。", "severity": "ordinary",
		"found_on": "2026-11-01", "due_on": "2026-12-01", "cause": "x", "plan": "x", "plan_until": "2026-12-01", "planned_on": "2026-11-01", "accepted_on": "2026-11-01",
		"measures": "設定した。", "evidence": "記録", "done_on": "2026-11-02", "status": "done"})
	if got := find(); !slices.Equal(got, []string{"Attestation or judgement computer/CA-1", "Register domain/example.jp", "Reported improvement computer/CA-1"}) {
		t.Errorf("a finding reported improved: %q", got)
	}
	// the day passes on which it is in order again
	b.put(actor.Program, "computer", merged(computer("CA-1", "A"), values{"role": "terminal", "taken_out": false}))
	b.tick(time.Minute)
	b.observe(ref, "authentication", b.Now(), values{"pw_min_length": int64(15)})
	if got := find(); !slices.Equal(got, []string{"Register domain/example.jp"}) {
		t.Errorf("after it was put in order: %q", got)
	}
}
