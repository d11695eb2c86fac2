package server_test

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/posture/trial"
	"kakusho/verdict"
)

// decides is who may do what about a decision of system A, by every duty there is,
// somebody else having asked for it: written from the directive, judged by the gate.
var decides = []struct {
	what   string
	about  decision.Type
	action gate.Action
	may    []actor.Duty
}{
	{"applies for a deferral", decision.Deferral, gate.GiveDecision, []actor.Duty{actor.SystemOfficer, actor.Chief}},
	{"approves a deferral", decision.Deferral, gate.ApproveDecision, []actor.Duty{actor.SecurityAdministrator, actor.SystemOfficer, actor.Chief}},
	{"withdraws a deferral", decision.Deferral, gate.WithdrawDecision, []actor.Duty{actor.SecurityAdministrator, actor.SystemOfficer, actor.Maintainer, actor.OperationsManager, actor.AreaManager, actor.Chief}},
	{"applies for a special provision", decision.Special, gate.GiveDecision, []actor.Duty{actor.SystemOfficer, actor.Chief}},
	{"approves a special provision", decision.Special, gate.ApproveDecision, []actor.Duty{actor.SecurityAdministrator, actor.Chief}},
	{"withdraws a special provision", decision.Special, gate.WithdrawDecision, []actor.Duty{actor.SecurityAdministrator, actor.SystemOfficer, actor.Maintainer, actor.OperationsManager, actor.AreaManager, actor.Chief}},
	{"applies for a clause's exception", decision.Exception, gate.GiveDecision, []actor.Duty{actor.SystemOfficer, actor.Chief}},
	{"approves a clause's exception", decision.Exception, gate.ApproveDecision, []actor.Duty{actor.SecurityAdministrator, actor.SystemOfficer, actor.Chief}},
	{"overrides a derived value", decision.Override, gate.GiveDecision, []actor.Duty{actor.SecurityAdministrator, actor.SystemOfficer, actor.Maintainer, actor.OperationsManager, actor.AreaManager, actor.Chief}},
	{"approves an override", decision.Override, gate.ApproveDecision, []actor.Duty{actor.SecurityAdministrator, actor.SystemOfficer, actor.Chief}},
	{"judges a need", decision.Judgement, gate.GiveDecision, []actor.Duty{actor.SystemOfficer, actor.Maintainer, actor.OperationsManager}},
	{"attests", decision.Attestation, gate.GiveDecision, []actor.Duty{actor.SystemOfficer, actor.Maintainer, actor.OperationsManager}},
}

// asks is the form by which a decision of a type is asked for.
func asks(t decision.Type) url.Values {
	form := url.Values{"type": {string(t)}, "reason": {"更新まで"}, "until": {"2027-04-01"}}
	switch t {
	case decision.Deferral:
		form.Set("subject", "system/A")
		form.Set("clause", "npa-r3@2.2.4")
		form.Set("chosen", "manual-time-check")
		form.Set("target", "2027-03-31")
		form.Set("measures", "監視の強化")
	case decision.Special:
		form.Set("subject", "system/A")
		form.Set("clause", "npa-r3@2.2.4")
		form.Set("consulted", "協議録1号")
	case decision.Exception:
		form.Set("subject", "computer/CA-1")
		form.Set("control", "physical/security-wire")
		form.Set("ground", "fixed-otherwise")
		form.Set("recorded.fixed-otherwise.fixed-how", "架台に溶接")
	case decision.Override:
		form.Set("subject", "computer/CA-1")
		form.Set("field", "zone_class")
		form.Set("value", "3")
	case decision.Judgement:
		form.Set("subject", "computer/CA-1")
		form.Set("control", "physical/privacy-filter")
		form.Set("answer", "not-needed")
	case decision.Attestation:
		form.Set("subject", "computer/CA-1")
		form.Set("control", "physical/security-wire")
		form.Set("answer", "fitted")
	}
	return form
}

// sent gives a form to the page of decisions, and finds the decision that it made.
func (b *body) sent(base, person string, form url.Values) (status int, id string) {
	b.t.Helper()
	before := b.decisions()
	status, _ = b.ask(base, person, http.MethodPost, "/decide", form)
	for _, d := range b.decisions() {
		if !slices.ContainsFunc(before, func(x decision.Decision) bool { return x.ID == d.ID }) {
			id = d.ID
		}
	}
	return status, id
}

// Every action about a decision, by every post: over HTTP, as the persons who hold the
// posts. Who may not is refused, and nothing changes.
func TestEveryActionOfADecisionByEveryPost(t *testing.T) {
	b := found(t)
	base := b.open()
	holders := map[actor.Duty]string{}
	for _, d := range actor.Duties {
		person := "t-" + string(d)
		b.put(actor.Program, "post", values{"post_id": "T-" + string(d), "title": string(d), "unit": "HQ", "status": "active"})
		b.put(actor.Program, "person", values{"staff_no": person, "name": "試験 " + person, "unit": "HQ", "employment": "staff", "status": "active"})
		b.put(actor.Program, "assignment", values{"assignment_no": "T-" + string(d), "post": "T-" + string(d), "person": person, "duty": string(d), "scope": "system/A", "from": "2026-04-01"})
		holders[d] = person
	}
	for _, line := range decides {
		for _, duty := range actor.Duties {
			path, form := "/decide", asks(line.about)
			if line.action != gate.GiveDecision {
				status, id := b.sent(base, "s-officer-a", form)
				if status != http.StatusSeeOther {
					t.Fatalf("%s: the application got %d", line.what, status)
				}
				if line.about == decision.Special && line.action == gate.ApproveDecision {
					b.agree(id)
				}
				path, form = "/decision/"+id+"/"+map[gate.Action]string{gate.ApproveDecision: "approve", gate.WithdrawDecision: "withdraw"}[line.action], url.Values{"reason": {"不要"}}
				_, page := b.get(base, holders[duty], "/decision/"+id)
				if offered, may := strings.Contains(string(page), `action="`+path+`"`), slices.Contains(line.may, duty); offered != may {
					t.Errorf("%s, who %s: the page offers it: %v", duty, line.what, offered)
				}
			}
			before := b.decisions()
			status, _ := b.ask(base, holders[duty], http.MethodPost, path, form)
			want := http.StatusForbidden
			if slices.Contains(line.may, duty) {
				want = http.StatusSeeOther
			}
			if status != want {
				t.Errorf("%s, who %s: got %d, want %d", duty, line.what, status, want)
			}
			if after := b.decisions(); want == http.StatusForbidden && len(after) != len(before) {
				t.Errorf("%s, who %s: refused, and there are %d decisions where there were %d", duty, line.what, len(after), len(before))
			}
		}
	}
}

// The officer has his application approved by a post above his, not by his equal; who
// holds another duty that approves may as well.
func TestThePostAboveApprovesForTheOfficerWhoCouldApproveHimself(t *testing.T) {
	b := found(t)
	base := b.open()
	b.put(actor.Program, "post", values{"post_id": "OFFICER-A", "title": "OFFICER-A", "unit": "HQ", "status": "active", "superior": "OFFICER-B"})
	b.put(actor.Program, "post", values{"post_id": "ADMIN", "title": "ADMIN", "unit": "HQ", "status": "active", "superior": "CHIEF"})
	for who, scope := range map[string]string{"s-officer-b": "*", "s-all": "system/A"} { // the one above, and an equal
		b.put(actor.Program, "assignment", values{"assignment_no": "AS-2-" + who, "post": strings.ToUpper(strings.TrimPrefix(who, "s-")), "person": who,
			"duty": "system-officer", "scope": scope, "from": "2026-04-01"})
	}
	for _, c := range []struct {
		person string
		want   int
	}{
		{"s-officer-a", http.StatusForbidden},
		{"s-all", http.StatusForbidden},
		{"s-officer-b", http.StatusSeeOther},
		{"s-admin", http.StatusSeeOther},
		{"s-chief", http.StatusSeeOther},
	} {
		_, id := b.sent(base, "s-officer-a", asks(decision.Deferral))
		if status, _ := b.ask(base, c.person, http.MethodPost, "/decision/"+id+"/approve", nil); status != c.want {
			t.Errorf("%s approves: got %d, want %d", c.person, status, c.want)
		}
	}
	_, id := b.sent(base, "s-officer-a", asks(decision.Deferral))
	if _, page := b.get(base, "s-officer-a", "/decision/"+id); !strings.Contains(string(page), "自分の申請は承認できない") || !strings.Contains(string(page), "上位の職") {
		t.Error("the page does not tell the applicant who decides")
	}
	for _, c := range []struct {
		person string
		allow  bool
	}{{"s-admin", false}, {"s-admin2", false}, {"s-chief", true}} {
		id, err := b.Govern.Propose(b.ctx, b.as("s-admin"), setting("auth.pw.min_length", "national", 14), b.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := b.approveSetting(b.as(c.person), id); c.allow != (err == nil) || err != nil && !errors.Is(err, gate.ErrRefused) {
			t.Errorf("%s approves a value that ADMIN proposed: %v", c.person, err)
		}
	}
}

// A system that came into service after the directive is told so with the clause, in
// the language of who asks.
func TestADeferralOfALaterSystemIsRefusedWithTheClause(t *testing.T) {
	b := found(t)
	base := b.open()
	b.put(actor.Program, "assignment", values{"assignment_no": "AS-B", "post": "OFFICER-B", "person": "s-officer-b", "duty": "system-officer", "scope": "system/B", "from": "2026-04-01"})
	b.put(actor.Program, "system", values{"system_id": "B", "title": "受付システム", "unit": "ST", "officer": "OFFICER-B", "maintainer": "MAINTAINER-B", "in_service_on": "2023-04-01",
		"status": "in-service", "confidentiality": 2, "integrity": 2, "availability": 1, "internet": "none"})
	form := asks(decision.Deferral)
	form.Set("subject", "system/B")
	clause, ok := b.Directive.Clause("npa-r3@5.1")
	if !ok {
		t.Fatal("no clause")
	}
	for query, want := range map[string]string{"?lang=ja": clause.Statement.JA, "?lang=en": clause.Statement.EN} {
		status, page := b.ask(base, "s-officer-b", http.MethodPost, "/decide"+query, form)
		if status != http.StatusUnprocessableEntity || !strings.Contains(string(page), want) {
			t.Errorf("%s: got %d, and the clause is quoted: %v", query, status, strings.Contains(string(page), want))
		}
	}
	if n := len(b.decisions()); n != 0 {
		t.Errorf("%d decisions were taken", n)
	}
}

// A special provision is consulted on, agreed and approved, over HTTP, by the posts that
// may; then the system is judged by the value it sets, looser than the nation's, until
// the second at which it ends.
func TestASpecialProvisionSetsAValueForItsSystemUntilItEnds(t *testing.T) {
	b := found(t)
	base := b.open()
	const control, key = "auth/password-length", "auth.pw.min_length"
	b.weak() // 8, where 12 is wanted
	for _, person := range []string{"s-admin", "s-admin2", "s-chief", "s-maintainer-a", "s-officer-b", "s-auditor", "s-officer-a"} {
		b.as(person)
	}
	form := asks(decision.Special)
	form.Del("clause")
	form.Set("key", key)
	form.Set("value", "long")
	form.Set("until", "2026-12-01")
	if status, page := b.ask(base, "s-officer-a", http.MethodPost, "/decide", form); status != http.StatusUnprocessableEntity || !strings.Contains(string(page), `href="#f-value"`) {
		t.Errorf("a value that is none: got %d", status)
	}
	form.Set("value", "8")
	status, id := b.sent(base, "s-officer-a", form)
	if status != http.StatusSeeOther {
		t.Fatalf("the application: got %d", status)
	}
	note := func(person, about, text string) int {
		status, _ := b.ask(base, person, http.MethodPost, "/decision/"+id+"/note", url.Values{"about": {about}, "note": {text}})
		return status
	}
	approve := func(person string) int {
		status, _ := b.ask(base, person, http.MethodPost, "/decision/"+id+"/approve", nil)
		return status
	}
	for i, c := range []struct{ got, want int }{
		{approve("s-officer-a"), http.StatusForbidden},
		{approve("s-chief"), http.StatusUnprocessableEntity}, // nothing is agreed
		{note("s-officer-a", "consultation", "現行の基盤は8文字までしか設定できない。"), http.StatusSeeOther},
		{note("s-officer-b", "consultation", "他のシステムの者"), http.StatusForbidden},
		{note("s-auditor", "consultation", "監査官"), http.StatusForbidden},
		{note("s-admin", "consultation", "多要素主体認証を併用できるか。"), http.StatusSeeOther},
		{note("s-maintainer-a", "consultation", "併用する。"), http.StatusSeeOther},
		{note("s-officer-a", "agreement", "自ら合意する。"), http.StatusForbidden},
		{note("s-maintainer-a", "agreement", "維持管理者が合意する。"), http.StatusForbidden},
		{note("s-admin", "agreement", ""), http.StatusUnprocessableEntity},
		{note("s-admin", "progress", "進捗"), http.StatusUnprocessableEntity},
		{note("s-admin", "agreement", "更新まで8文字とし、多要素主体認証を併用する。"), http.StatusSeeOther},
	} {
		if c.got != c.want {
			t.Errorf("%d: got %d, want %d", i, c.got, c.want)
		}
	}
	b.says("computer/CA-1", control, b.Now(), verdict.Violates) // an application counts for nothing
	if got := approve("s-chief"); got != http.StatusSeeOther {
		t.Fatalf("the approval: got %d", got)
	}
	if got := note("s-admin", "agreement", "後から改める。"); got != http.StatusConflict {
		t.Errorf("agreed again after the approval: got %d", got)
	}
	until := time.Date(2026, 12, 1, 0, 0, 0, 0, japan)
	seen := until.Add(-time.Hour)
	b.set(seen)
	for _, ref := range []fact.Ref{"computer/CA-1", "computer/CB-1"} {
		b.observe(ref, "authentication", seen, values{"pw_min_length": int64(8)})
	}
	b.says("computer/CA-1", control, seen, verdict.Conforms, until.Add(-time.Second), verdict.Conforms, until, verdict.Violates)
	b.says("computer/CB-1", control, seen, verdict.Violates)
	if v := b.verdict(seen, "computer/CA-1", control); !v.NextChange.Equal(until) || v.ChangesTo == verdict.Conforms {
		t.Errorf("it is told to change at %s to %q, want %s", v.NextChange, v.ChangesTo, until)
	}
	tried, err := trial.Run(b.ctx, b.Posture, b.permit(looker()), trial.Draft{Withdraw: []string{id}}, nil, seen)
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := tried.After.Verdict("computer/CA-1", control); v.Outcome != verdict.Violates {
		t.Errorf("tried without the provision: %s", v.Outcome)
	}
	b.tick(time.Second)
	b.observe("computer/CA-1", "authentication", b.Now(), values{"pw_min_length": int64(7)})
	if v := b.verdict(b.Now(), "computer/CA-1", control); v.Outcome != verdict.Violates || v.Reasons[0].Layer != "system/A" {
		t.Errorf("below the value of the provision: %s, by the layer %q", v.Outcome, v.Reasons[0].Layer)
	}
	_, page := b.get(base, "s-chief", "/decision/"+id)
	for _, want := range []string{"多要素主体認証を併用できるか。", "ADMIN", "更新まで8文字とし", "合意した内容", "8文字"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page does not tell %q", want)
		}
	}
	if status, page := b.get(base, "s-chief", "/parameter/"+key); status != http.StatusOK || !strings.Contains(string(page), "/decision/"+id) {
		t.Errorf("the parameter's page does not name the provision: %d", status)
	}
}

// A lower layer only tightens: the page says so at the field.
func TestALooserLowerLayerIsRefusedAtTheField(t *testing.T) {
	b := found(t)
	base := b.open()
	for _, c := range []struct {
		layer, value string
		want         int
	}{{"national", "10", http.StatusSeeOther}, {"prefecture/98", "11", http.StatusUnprocessableEntity}, {"system/A", "11", http.StatusUnprocessableEntity}, {"system/A", "13", http.StatusSeeOther}} {
		status, page := b.ask(base, "s-admin", http.MethodPost, "/parameter/auth.pw.min_length", url.Values{"value": {c.value}, "layer": {c.layer}, "source": {"通達1号"}})
		if status != c.want {
			t.Errorf("%s at %s: got %d, want %d", c.value, c.layer, status, c.want)
		}
		if status == http.StatusUnprocessableEntity && (!strings.Contains(string(page), `href="#f-value"`) || !strings.Contains(string(page), "12文字") || !strings.Contains(string(page), "別段の定め")) {
			t.Errorf("%s at %s: the page does not say what is wrong at the field", c.value, c.layer)
		}
	}
}

// About a system that is connected to none, on evidence, the chief decides alone.
func TestTheChiefDecidesAboutASystemThatIsNotConnected(t *testing.T) {
	b := found(t)
	base := b.open()
	system := values{"system_id": "A", "title": "照会システム", "unit": "DIV", "officer": "OFFICER-A", "maintainer": "MAINTAINER-A", "in_service_on": "2020-04-01",
		"status": "in-service", "confidentiality": 2, "integrity": 2, "availability": 1, "internet": "none", "connected_to_police": false}
	form := asks(decision.Special)
	form.Del("consulted")
	b.put(actor.Program, "system", system)
	if status, _ := b.sent(base, "s-officer-a", form); status != http.StatusUnprocessableEntity {
		t.Errorf("not connected, without evidence, and nobody consulted: got %d", status)
	}
	system["unconnected_evidence"], system["unconnected_confirmed_on"] = "経路なし", "2026-10-01"
	b.put(actor.Program, "system", system)
	_, page := b.get(base, "s-officer-a", "/decide?subject=system/A&type=special")
	if !strings.Contains(string(page), "都道府県警察の長が承認し") || strings.Contains(string(page), `name="consulted"`) {
		t.Error("the form does not say who decides")
	}
	for _, about := range []decision.Type{decision.Special, decision.Deferral} {
		form := asks(about)
		form.Del("consulted")
		status, id := b.sent(base, "s-officer-a", form)
		if status != http.StatusSeeOther {
			t.Fatalf("%s: got %d", about, status)
		}
		for _, c := range []struct {
			person string
			want   int
		}{{"s-admin", http.StatusForbidden}, {"s-officer-a", http.StatusForbidden}, {"s-chief", http.StatusSeeOther}} {
			if status, _ := b.ask(base, c.person, http.MethodPost, "/decision/"+id+"/approve", nil); status != c.want {
				t.Errorf("%s approves a %s: got %d, want %d", c.person, about, status, c.want)
			}
		}
	}
}

// A deferral is asked for with measures of the catalogue and a day; each measure is a
// control that must hold, under values of its own. At the second the fact changes the
// deferral is void, and the verdict says why.
func TestADeferralStandsOnMeasuresOfTheCatalogue(t *testing.T) {
	b := found(t)
	base := b.open()
	const control = "auth/password-length"
	b.weak()
	b.tick(time.Second)
	b.rightClock(30 * time.Second) // more than anybody is allowed, less than the measure asks for
	for _, person := range []string{"s-admin", "s-chief", "s-maintainer-a", "s-staff", "s-officer-a"} {
		b.as(person)
	}
	for _, c := range []struct {
		name  string
		key   string
		value string
		want  string // field at fault
	}{
		{"none chosen", "chosen", "", "f-chosen"},
		{"one that is not in the catalogue", "chosen", "prayer", "f-chosen"},
		{"another measure, and nothing that shows it", "chosen", "other", "f-conditions"},
		{"no day", "target", "", "f-target"},
		{"a day after the end", "target", "2027-04-02", "f-target"},
		{"a condition under a value that it does not read", "conditions", "server/clock-offset?auth.pw.min_length=3", "f-conditions"},
		{"a condition under what is no value", "conditions", "server/clock-offset?time.max_offset_ms.server=soon", "f-conditions"},
	} {
		form := asks(decision.Deferral)
		if form.Set(c.key, c.value); c.value == "" {
			form.Del(c.key)
		}
		if status, page := b.ask(base, "s-officer-a", http.MethodPost, "/decide", form); status != http.StatusUnprocessableEntity || !strings.Contains(string(page), `href="#`+c.want+`"`) || !strings.Contains(string(page), `id="`+c.want+`"`) {
			t.Errorf("%s: got %d, and the fault leads to its field: %v", c.name, status, strings.Contains(string(page), `href="#`+c.want+`"`))
		}
	}
	status, id := b.sent(base, "s-officer-a", asks(decision.Deferral))
	if status != http.StatusSeeOther {
		t.Fatalf("the application: got %d", status)
	}
	if status, _ := b.ask(base, "s-chief", http.MethodPost, "/decision/"+id+"/approve", nil); status != http.StatusSeeOther {
		t.Fatalf("the approval: got %d", status)
	}
	b.says("computer/CA-1", "server/clock-offset", b.Now(), verdict.Violates) // a minute is the measure's alone
	b.says("computer/CA-1", control, b.Now(), verdict.Deferred)
	page := func(person, path string) string { _, p := b.get(base, person, path); return string(p) }
	if p := page("s-officer-a", "/decision/"+id); !strings.Contains(p, "時刻の手動確認") || !strings.Contains(p, "60000ミリ秒") || strings.Contains(p, "この決定は無効である") {
		t.Errorf("the page does not tell what the deferral stands on: %s", p[strings.Index(p, "<dl"):])
	}
	b.tick(time.Hour)
	changed := b.Now()
	b.says("computer/CA-1", control, changed.Add(-time.Second), verdict.Deferred)
	b.rightClock(61 * time.Second)
	b.says("computer/CA-1", control, changed, verdict.Violates)
	if v := b.verdict(changed, "computer/CA-1", control); !strings.Contains(why(v), "void") || !strings.Contains(why(v), "server/clock-offset") {
		t.Errorf("it does not say why: %s", why(v))
	}
	if p := page("s-officer-a", "/decision/"+id); !strings.Contains(p, "この決定は無効である") {
		t.Error("the page does not tell that the deferral is void")
	}
	if p := page("s-officer-a", "/subject/computer/CA-1"); !strings.Contains(p, "条件が満たされず無効") || !strings.Contains(p, "server/clock-offset?time.max_offset_ms.server=1m") || !strings.Contains(p, "が不適合") {
		t.Error("the subject's page does not say why")
	}
	b.tick(time.Minute)
	b.rightClock(time.Second)
	b.says("computer/CA-1", control, b.Now(), verdict.Deferred)
}

// What a deferral says of the day and of its progress counts by itself: the system's
// verdicts change at the second at which the day has come, and a report is too old.
func TestTheDayAndTheProgressOfADeferralCount(t *testing.T) {
	b := found(t)
	base := b.open()
	form := asks(decision.Deferral)
	form.Set("target", "2026-12-01")
	form.Set("until", "2027-10-01")
	status, id := b.sent(base, "s-officer-a", form)
	if status != http.StatusSeeOther {
		t.Fatalf("the application: got %d", status)
	}
	if status, _ := b.ask(base, "s-chief", http.MethodPost, "/decision/"+id+"/approve", nil); status != http.StatusSeeOther {
		t.Fatal(status)
	}
	day := time.Date(2026, 12, 1, 0, 0, 0, 0, japan)
	b.says("system/A", "transition/deferral-target", day.Add(-time.Second), verdict.Conforms, day, verdict.Violates)
	b.says("system/A", "transition/deferral-measures", b.Now(), verdict.Conforms)
	since := b.decisions()[0].From
	const limit = 90 * 24 * time.Hour
	b.says("system/A", "transition/deferral-progress", since.Add(limit), verdict.Conforms, since.Add(limit+time.Second), verdict.Violates)
	b.set(since.Add(limit - time.Hour))
	for _, c := range []struct {
		person string
		want   int
	}{{"s-staff", http.StatusForbidden}, {"s-auditor", http.StatusForbidden}, {"s-officer-b", http.StatusForbidden}, {"s-maintainer-a", http.StatusSeeOther}} {
		if status, _ := b.ask(base, c.person, http.MethodPost, "/decision/"+id+"/note", url.Values{"about": {"progress"}, "note": {"設計を終えた。"}}); status != c.want {
			t.Errorf("%s reports progress: got %d, want %d", c.person, status, c.want)
		}
	}
	told := b.decisions()[0].Notes[0]
	b.says("system/A", "transition/deferral-progress", told.At.Add(limit), verdict.Conforms, told.At.Add(limit+time.Second), verdict.Violates)
	if told.By != "s-maintainer-a" || told.Post != "MAINTAINER-A" {
		t.Errorf("it was told by %s of %s", told.By, told.Post)
	}
}

// A judgement of need rests on area, class and connection as they were. When one is
// another, at that second it is waited for again, and the verdict says what changed;
// when that is undone, it counts again.
func TestAJudgementLapsesWhenWhatItWasMadeOnChanges(t *testing.T) {
	b := found(t)
	base := b.open()
	const control, ref = "physical/privacy-filter", fact.Ref("computer/CA-1")
	zone := func(class int) {
		b.tick(time.Minute)
		b.put(actor.Program, "zone", values{"zone_no": "Z-1", "title": "事務室", "unit": "DIV", "class": class, "manager": "STATION", "status": "in-use", "public_counter": false})
	}
	system := func(confidentiality int) {
		b.tick(time.Minute)
		b.put(actor.Program, "system", values{"system_id": "A", "title": "照会システム", "unit": "DIV", "officer": "OFFICER-A", "maintainer": "MAINTAINER-A", "in_service_on": "2020-04-01",
			"status": "in-service", "confidentiality": confidentiality, "integrity": 2, "availability": 1, "internet": "none"})
	}
	terminal := func(change values) {
		b.tick(time.Minute)
		v := merged(computer("CA-1", "A"), values{"role": "terminal", "zone": "Z-1", "internet_declared": false})
		b.put(actor.Program, "computer", merged(v, change))
	}
	zone(3)
	terminal(nil)
	b.put(actor.Program, "zone", values{"zone_no": "Z-2", "title": "別室", "unit": "DIV", "class": 3, "manager": "STATION", "status": "in-use", "public_counter": false})
	b.says(ref, control, b.Now(), verdict.Undecided)
	_, page := b.get(base, "s-maintainer-a", "/decide?subject=computer/CA-1&control=physical/privacy-filter")
	seen := regexp.MustCompile(`name="seen" value="([^"]+)"`).FindSubmatch(page)
	if seen == nil || !strings.Contains(string(page), "判断の前提") {
		t.Fatal("the form does not say what is judged on")
	}
	form := asks(decision.Judgement)
	form.Set("seen", string(seen[1]))
	zone(2)
	if status, page := b.ask(base, "s-maintainer-a", http.MethodPost, "/decide", form); status != http.StatusUnprocessableEntity || !strings.Contains(string(page), "前提（区域、機密性又は接続）が変わった") {
		t.Errorf("judged on what is another since the form was shown: got %d", status)
	}
	zone(3)
	status, id := b.sent(base, "s-maintainer-a", form)
	if status != http.StatusSeeOther {
		t.Fatalf("judged: got %d", status)
	}
	b.says(ref, control, b.Now(), verdict.Conforms)
	for _, c := range []struct {
		name   string
		change func()
		undo   func()
		says   string // what the verdict says of it
	}{
		{"the class of the area", func() { zone(1) }, func() { zone(3) }, "3 → 1"},
		{"the area", func() { terminal(values{"zone": "Z-2"}) }, func() { terminal(nil) }, "Z-1 → Z-2"},
		{"the class of the information", func() { system(3) }, func() { system(2) }, "2 → 3"},
		{"something else", func() { terminal(values{"hostname": "other"}) }, func() { terminal(nil) }, ""},
	} {
		c.change()
		at := b.Now()
		want := map[bool]verdict.Outcome{true: verdict.Conforms, false: verdict.Undecided}[c.says == ""]
		b.says(ref, control, at, want)
		if v := b.verdict(at, ref, control); c.says != "" && !strings.Contains(why(v), c.says) {
			t.Errorf("%s: the verdict says %q, not %q", c.name, why(v), c.says)
		}
		if _, page := b.get(base, "s-maintainer-a", "/decision/"+id); strings.Contains(string(page), "この判断は効力を失っている") != (c.says != "") {
			t.Errorf("%s: the page says it lapsed: %v", c.name, c.says == "")
		}
		if _, page := b.get(base, "s-maintainer-a", "/subject/computer/CA-1"); strings.Contains(string(page), "判断の前提が変わった") != (c.says != "") {
			t.Errorf("%s: the subject's page says why: %v", c.name, c.says == "")
		}
		c.undo()
		b.says(ref, control, b.Now(), verdict.Conforms)
	}
	zone(1)
	_, page = b.get(base, "s-maintainer-a", "/decisions?q=CA-1")
	if !strings.Contains(string(page), "privacy-filter\"") {
		t.Error("it does not wait for an answer again")
	}
	form.Del("seen")
	if status, _ := b.sent(base, "s-maintainer-a", form); status != http.StatusSeeOther {
		t.Fatal(status)
	}
	b.says(ref, control, b.Now(), verdict.Conforms)
}
