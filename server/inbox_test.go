package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/directive"
	"kakusho/register"
)

// waiting is an item of an inbox as programs read it.
type waiting struct {
	Sort, Box, Subject, Control, Clause, Link, Name string
	Due, Since                                      time.Time
}

func (w waiting) String() string {
	return strings.TrimRight(fmt.Sprintf("%s %s %s %s", w.Box, w.Sort, w.Subject, w.Control), " ")
}

// inbox is what an address of the inbox gives a person.
func (b *body) inbox(base, person, query string) (out []waiting) {
	b.t.Helper()
	status, text := b.get(base, person, "/api/v1/inbox?"+query)
	var got struct{ Items []waiting }
	if err := json.Unmarshal(text, &got); err != nil || status != http.StatusOK {
		b.t.Fatalf("inbox of %s: %d %v %.300s", person, status, err, text)
	}
	return got.Items
}

// of keeps the items about a subject.
func of(items []waiting, subject string) (out []string) {
	for _, w := range items {
		if w.Subject == subject {
			out = append(out, w.String())
		}
	}
	slices.Sort(out)
	return out
}

// has reports whether a person's inbox holds an item, named as String does.
func (b *body) waits(base, person, item string, want bool) {
	b.t.Helper()
	items := b.inbox(base, person, "")
	if got := slices.ContainsFunc(items, func(w waiting) bool { return w.String() == item }); got != want {
		b.t.Errorf("at %s: %q in the inbox of %s: got %v, want %v; it holds %v", b.Now().In(japan).Format(time.DateTime), item, person, got, want, of(items, strings.Fields(item)[2]))
	}
}

// at goes to an instant and says before and after it whether a person has an item.
func (b *body) turns(base, person string, when time.Time, before, after string) {
	b.t.Helper()
	b.set(when.Add(-5 * time.Minute))
	b.as(person) // whose login lets the clock go on
	b.set(when.Add(-time.Second))
	if before != "" {
		b.waits(base, person, before, true)
	}
	if after != "" {
		b.waits(base, person, after, false)
	}
	b.set(when)
	if before != "" {
		b.waits(base, person, before, false)
	}
	if after != "" {
		b.waits(base, person, after, true)
	}
}

func TestAnApplicationWaitsForThoseWhoMayApproveItAndDidNotAsk(t *testing.T) {
	b := found(t)
	base := b.open()
	ends := b.Now().AddDate(0, 3, 0)
	id, err := b.Govern.Give(b.ctx, b.as("s-officer-a"), deferralOfA(ends), b.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Govern.Propose(b.ctx, b.as("s-admin"), setting("auth.pw.min_length", "national", int64(14)), b.Now()); err != nil {
		t.Fatal(err)
	}
	application, value := "decide approve system/A", "decide approve parameter/auth.pw.min_length"
	for _, c := range []struct {
		person             string
		application, value bool
	}{
		{"s-admin", true, false}, // it was he who put the value forward
		{"s-admin2", true, true},
		{"s-chief", true, true},
		{"s-officer-a", false, false}, // it was he who applied
		{"s-officer-b", false, false}, // of another system
		{"s-maintainer-a", false, false},
		{"s-auditor", false, false},
		{"s-staff", false, false},
	} {
		b.waits(base, c.person, application, c.application)
		b.waits(base, c.person, value, c.value)
	}
	if status, _ := b.ask(base, "s-admin2", http.MethodPost, "/decision/"+id+"/approve", url.Values{}); status != http.StatusSeeOther {
		t.Fatalf("approve: %d", status)
	}
	b.waits(base, "s-chief", application, false)
	// What was granted comes back to who may correct it or apply anew, thirty days before it ends.
	b.turns(base, "s-officer-a", ends.Add(-30*day), "", "do end system/A")
	b.waits(base, "s-officer-b", "do end system/A", false)
	b.turns(base, "s-officer-a", ends, "do end system/A", "")
}

func TestAnApplicationThatRanOutWaitsForNobody(t *testing.T) {
	b := found(t)
	base := b.open()
	ends := b.Now().Add(40 * day)
	if _, err := b.Govern.Give(b.ctx, b.as("s-officer-a"), deferralOfA(ends), b.Now()); err != nil {
		t.Fatal(err)
	}
	b.turns(base, "s-admin", ends, "decide approve system/A", "")
}

func TestAStepWaitsForThoseWhoMayTakeIt(t *testing.T) {
	b := found(t)
	base := b.open()
	step := func(person, name string, form url.Values) {
		t.Helper()
		form.Set("rev", fmt.Sprint(b.entry("disposal/D-1").Rev))
		if status, text := b.ask(base, person, http.MethodPost, "/step/"+name+"/disposal/D-1", form); status != http.StatusSeeOther {
			t.Fatalf("%s by %s: %d %.400s", name, person, status, text)
		}
	}
	if got := b.take("s-maintainer-a", "open", opened()); got != "" {
		t.Fatal(got)
	}
	who := func(want map[string]string) {
		t.Helper()
		for _, p := range people {
			got := strings.Join(of(b.inbox(base, p.person, "what=step"), "disposal/D-1"), "; ")
			if got != want[p.person] {
				t.Errorf("the inbox of %s: got %q, want %q", p.person, got, want[p.person])
			}
		}
	}
	who(map[string]string{"s-maintainer-a": "do step disposal/D-1", "s-officer-a": "decide step disposal/D-1", "s-all": "do step disposal/D-1"})
	form := url.Values{}
	for k, v := range erased() {
		form.Set(k, fmt.Sprint(v))
	}
	step("s-maintainer-a", "record", form)
	step("s-officer-a", "dispose", url.Values{})
	who(nil)
}

// A medium in custody is nobody's business, until somebody applies for it; one on loan
// is not before it is to come back.
func TestWhatRestsWaitsForWhatIsAppliedForAndForItsDate(t *testing.T) {
	b := found(t)
	base := b.open()
	kept := values{"medium_no": "M-1", "type": "usb-memory", "unit": "ST", "custodian": "STATION", "serial": "1", "status": "in-custody",
		"ownership": "organisation", "approved_model": true, "encrypted": true, "labelled": true, "storage_locked": true}
	b.put(actor.Program, "medium", kept)
	person, step, decide, late := "s-station", "do step medium/M-1", "decide step medium/M-1", "late step medium/M-1"
	b.waits(base, person, step, false)
	b.waits(base, person, decide, false)
	form := values{"loaned_to": "s-staff", "loaned_until": b.Now().Add(50 * day).In(japan).Format(time.DateOnly)}
	take := func(by, step string, v values) {
		t.Helper()
		if _, err := b.Register.Take(b.ctx, b.as(by), register.Act{Procedure: "medium", Step: step, Ref: "medium/M-1", Values: v, Note: "x", Rev: b.entry("medium/M-1").Rev}, b.Now()); err != nil {
			t.Fatalf("%s by %s: %v", step, by, err)
		}
	}
	take("s-all", "apply", form)
	b.waits(base, person, decide, true)
	b.waits(base, "s-all", step, false) // it was he who applied
	take(person, "refuse-loan", nil)
	b.waits(base, person, decide, false)
	take("s-all", "apply", form)
	take(person, "lend", nil)
	for _, item := range []string{step, decide} {
		b.waits(base, person, item, false)
	}
	until := b.entry("medium/M-1").Values["loaned_until"].(time.Time)
	b.turns(base, person, until.Add(-30*day), "", decide)
	b.turns(base, person, until, decide, late)
}

// An answer that a control asks for waits until it is given, and again from thirty days
// before it is too old; from that second on it is overdue.
func TestAnAnswerWaitsUntilItIsGivenAndAgainBeforeItIsTooOld(t *testing.T) {
	b := found(t)
	base := b.open()
	var first waiting
	for _, w := range b.inbox(base, "s-maintainer-a", "what=answer&system=A") {
		if strings.HasPrefix(w.Link, "/decide?") && strings.HasPrefix(w.Subject, "system/") {
			first = w
			break
		}
	}
	if first.Control == "" {
		t.Fatal("nothing about system A asks its maintainer for an answer")
	}
	c, _ := b.Posture.Control(first.Control)
	missing := first.String()
	if first.Box != "do" || !first.Due.IsZero() || first.Clause == "" {
		t.Errorf("an answer that is missing: %+v", first)
	}
	b.waits(base, "s-maintainer-b", missing, false)
	form := url.Values{"subject": {first.Subject}, "control": {c.ID}, "type": {string(c.Record.Type)}, "answer": {c.Record.Answers[0].Value}, "reason": {"確認した。"}}
	if status, text := b.ask(base, "s-maintainer-a", http.MethodPost, "/decide", form); status != http.StatusSeeOther {
		t.Fatalf("answer: %d %.300s", status, text)
	}
	given := b.Now()
	b.waits(base, "s-maintainer-a", missing, false)
	vs, err := b.Govern.Values(b.ctx, scopeOf("A"), b.Now())
	if err != nil {
		t.Fatal(err)
	}
	fresh := vs[c.Record.Fresh].Value.(time.Duration)
	b.turns(base, "s-maintainer-a", given.Add(fresh-30*day), "", missing)
	for _, w := range b.inbox(base, "s-maintainer-a", "what=answer") {
		if w.String() == missing && !w.Due.Equal(given.Add(fresh)) {
			t.Errorf("the answer of %s is due at %s, want %s", given, w.Due, given.Add(fresh))
		}
	}
	late := strings.Replace(missing, "do", "late", 1)
	b.turns(base, "s-maintainer-a", given.Add(fresh), missing, late)
}

// A review is due by its own date and the parameter's: nothing has run in between.
func TestTheDateOfAnEntryComesIntoTheInbox(t *testing.T) {
	b := found(t)
	base := b.open()
	reviewed := time.Date(2026, 10, 1, 0, 0, 0, 0, japan)
	b.put(actor.Program, "account", values{"account_no": "AC-1", "system": "A", "name": "tanaka", "person": "s-staff", "use": "individual", "status": "active",
		"issued_on": "2026-04-01", "reviewed_on": "2026-10-01", "admin": false, "shared": false})
	ends := reviewed.Add(180 * day)
	item := "do date account/AC-1 auth/account-reviewed"
	b.turns(base, "s-maintainer-a", ends.Add(-30*day), "", item)
	b.waits(base, "s-maintainer-b", item, false)
	b.turns(base, "s-maintainer-a", ends, item, strings.Replace(item, "do", "late", 1))
	b.put(actor.Program, "account", values{"account_no": "AC-1", "system": "A", "name": "tanaka", "person": "s-staff", "use": "individual", "status": "active",
		"issued_on": "2026-04-01", "reviewed_on": b.Now().In(japan).Format(time.DateOnly), "admin": false, "shared": false})
	if got := of(b.inbox(base, "s-maintainer-a", "what=date"), "account/AC-1"); len(got) > 0 {
		t.Errorf("after the review: %v", got)
	}
}

func TestAnAlertWaitsForThePostItWasAssignedTo(t *testing.T) {
	b := found(t)
	base := b.open()
	by := b.Now().Add(24 * time.Hour)
	alert := values{"alert_no": "AL-1", "title": "不審なログイン", "rule": "r", "level": "high", "system": "A", "count": int64(3), "first_at": b.Now(), "last_at": b.Now(),
		"raised_at": b.Now(), "deadline": by, "state": "open"}
	b.put(actor.Program, "alert", alert)
	item, late := "do alert alert/AL-1", "late alert alert/AL-1"
	for person, want := range map[string]bool{"s-maintainer-a": true, "s-officer-a": true, "s-admin": true, "s-maintainer-b": false, "s-auditor": false, "s-staff": false} {
		b.waits(base, person, item, want)
	}
	alert["assigned_to"] = "MAINTAINER-A"
	b.put(actor.Program, "alert", alert)
	b.waits(base, "s-maintainer-a", item, true)
	b.waits(base, "s-officer-a", item, false)
	b.turns(base, "s-officer-a", by, "", late) // nobody looked into it in time
	alert["state"], alert["disposition"], alert["measures"] = "closed", "authorised", "確認した。"
	b.put(actor.Program, "alert", alert)
	b.waits(base, "s-maintainer-a", late, false)
}

// Two have an alert open. What the program counts meanwhile is in nobody's way; what
// somebody recorded is shown beside what the second one typed, and nothing is lost.
func TestTwoRecordWhatBecameOfAnAlert(t *testing.T) {
	b := found(t)
	base := b.open()
	alert := values{"alert_no": "AL-1", "title": "不審なログイン", "rule": "r", "level": "high", "system": "A", "count": int64(3), "first_at": b.Now(), "last_at": b.Now(),
		"raised_at": b.Now(), "deadline": b.Now().Add(24 * time.Hour), "state": "open"}
	b.put(actor.Program, "alert", alert)
	form := func(person string) url.Values {
		t.Helper()
		_, page := b.get(base, person, "/alert/AL-1")
		v := url.Values{}
		for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`).FindAllStringSubmatch(string(page), -1) {
			v.Set(m[1], m[2])
		}
		return v
	}
	fill := func(v url.Values, disposition, measures string) url.Values {
		v.Set("state", "closed")
		v.Set("disposition", disposition)
		v.Set("measures", measures)
		return v
	}
	first, second := form("s-maintainer-a"), form("s-officer-a")
	alert["count"], alert["last_at"] = int64(9), b.Now().Add(time.Minute)
	b.put(actor.Program, "alert", alert) // it was hit again
	if status, text := b.ask(base, "s-maintainer-a", http.MethodPost, "/alert/AL-1", fill(first, "authorised", "本人に\r\n確認した。")); status != http.StatusSeeOther {
		t.Fatalf("recorded although it was hit again meanwhile: %d %s", status, mainOf(string(text)))
	}
	if e := b.entry("alert/AL-1"); e.Values["count"] != int64(9) || e.Values["disposition"] != "authorised" {
		t.Errorf("recorded: %v", e.Values)
	}
	status, text := b.ask(base, "s-officer-a", http.MethodPost, "/alert/AL-1", fill(second, "false-positive", "誤検知である。"))
	b.saysPage(string(text), "他の者が記録した", "確認した。", "誤検知である。")
	if e := b.entry("alert/AL-1"); status != http.StatusConflict || e.Values["disposition"] != "authorised" {
		t.Errorf("the second one: %d, %v", status, e.Values)
	}
	again := form("s-officer-a")
	if status, _ := b.ask(base, "s-officer-a", http.MethodPost, "/alert/AL-1", fill(again, "false-positive", "誤検知である。")); status != http.StatusSeeOther {
		t.Errorf("recorded again, the other's words seen: %d", status)
	}
	if e := b.entry("alert/AL-1"); e.Values["disposition"] != "false-positive" || e.Values["disposed_by"] != "s-officer-a" {
		t.Errorf("recorded at last: %v", e.Values)
	}
}

// What is open is the post's: at the second the holder changes, his successor has it.
func TestWhatIsOpenFollowsThePost(t *testing.T) {
	b := found(t)
	base := b.open()
	if got := b.take("s-maintainer-a", "open", opened()); got != "" {
		t.Fatal(got)
	}
	leaves := time.Date(2026, 12, 14, 0, 0, 0, 0, japan)
	b.put(actor.Program, "assignment", values{"assignment_no": "AS-OFFICER-A", "post": "OFFICER-A", "person": "s-officer-a", "duty": "system-officer", "scope": "system/A",
		"from": "2026-04-01", "until": leaves.Format(time.DateOnly)})
	ending, item := "do assignment assignment/AS-OFFICER-A", "decide step disposal/D-1"
	b.turns(base, "s-admin", leaves.Add(-30*day), "", ending)
	for person, want := range map[string]bool{"s-operator": true, "s-officer-a": false, "s-maintainer-a": false} {
		b.waits(base, person, ending, want)
	}
	b.put(actor.Program, "assignment", values{"assignment_no": "AS-2", "post": "OFFICER-A", "person": "s-staff", "duty": "system-officer", "scope": "system/A", "from": leaves.Format(time.DateOnly)})
	b.waits(base, "s-admin", ending, false) // somebody follows
	b.set(leaves.Add(-5 * time.Minute))
	b.as("s-officer-a")
	b.as("s-staff")
	b.set(leaves.Add(-time.Second))
	b.waits(base, "s-officer-a", item, true)
	b.waits(base, "s-staff", item, false)
	b.set(leaves)
	b.waits(base, "s-staff", item, true)
	if status, text := b.get(base, "s-officer-a", "/inbox"); status != http.StatusForbidden { // he holds no post at all any more
		t.Errorf("the inbox of who left: %d %.200s", status, text)
	}
}

// Whoever leaves at once, struck out or transferred by a stroke of the register, leaves
// what is open to his post: steps, alerts and applications alike.
func TestWhatIsOpenStaysWithThePostOfWhoIsWithdrawnOrTransferred(t *testing.T) {
	b := found(t)
	base := b.open()
	if got := b.take("s-maintainer-a", "open", opened()); got != "" {
		t.Fatal(got)
	}
	b.put(actor.Program, "alert", values{"alert_no": "AL-1", "title": "不審なログイン", "rule": "r", "level": "high", "system": "A", "count": int64(3), "first_at": b.Now(), "last_at": b.Now(),
		"raised_at": b.Now(), "deadline": b.Now().Add(90 * day), "state": "open", "assigned_to": "OFFICER-A"})
	if _, err := b.Govern.Give(b.ctx, b.as("s-officer-a"), deferralOfA(b.Now().AddDate(0, 3, 0)), b.Now()); err != nil {
		t.Fatal(err)
	}
	items := []string{"decide step disposal/D-1", "do alert alert/AL-1"}
	has := func(person string, want bool) {
		t.Helper()
		for _, item := range items {
			b.waits(base, person, item, want)
		}
	}
	b.as("s-staff")
	has("s-officer-a", true)
	has("s-staff", false)
	assignment := values{"assignment_no": "AS-OFFICER-A", "post": "OFFICER-A", "person": "s-staff", "duty": "system-officer", "scope": "system/A", "from": "2026-04-01"}
	b.put(actor.Program, "assignment", assignment) // transferred: another person holds the post from now on
	has("s-staff", true)
	if status, _ := b.get(base, "s-officer-a", "/inbox"); status != http.StatusForbidden {
		t.Errorf("the inbox of who was transferred: %d", status)
	}
	if err := b.Register.Retire(b.ctx, b.as("s-operator"), "assignment/AS-OFFICER-A", "任務を解いた。", b.Now()); err != nil {
		t.Fatal(err)
	}
	has("s-staff", false) // he is staff still, and holds that post no more
	b.put(actor.Program, "assignment", values{"assignment_no": "AS-NEXT", "post": "OFFICER-A", "person": "s-auditor", "duty": "system-officer", "scope": "system/A", "from": "2026-04-01"})
	has("s-auditor", true)
	b.waits(base, "s-chief", "decide approve system/A", true) // who applied is gone; the application is there
}

// The page: boxes, filters, sorting, paging, CSV, empty, and the count beside the nav.
func TestTheInboxPage(t *testing.T) {
	b := found(t)
	base := b.open()
	items := b.inbox(base, "s-maintainer-a", "")
	page := func(query string) string {
		t.Helper()
		status, text := b.get(base, "s-maintainer-a", "/inbox"+query)
		if status != http.StatusOK {
			t.Fatalf("%s: %d", query, status)
		}
		return string(text)
	}
	for query, want := range map[string]string{
		"":                       fmt.Sprintf(`<b class="count`),
		"?lang=en":               "To decide",
		"?lang=ja&box=late":      "期限を過ぎた事項はない。",
		"?q=nothing-is-so":       "この条件に合う事項はない。",
		"?what=answer&sort=what": `aria-sort="ascending"`,
		"?sort=-since":           `aria-sort="descending"`,
		"?within=7":              `<option value="7" selected>`,
	} {
		if text := page(query); !strings.Contains(text, want) {
			t.Errorf("/inbox%s does not say %q", query, want)
		}
	}
	if want := fmt.Sprintf(`">%d<span class="hide">`, len(items)); !strings.Contains(page("?what=alert"), want) {
		t.Errorf("the count beside the nav is not %s", want)
	}
	status, text := b.get(base, "s-maintainer-a", "/inbox?format=csv&what=answer")
	if lines := strings.Count(string(text), "\n"); status != http.StatusOK || lines != 1+len(b.inbox(base, "s-maintainer-a", "what=answer")) {
		t.Errorf("CSV: %d with %d lines", status, lines)
	}
	if status, _ := b.get(base, "s-staff", "/inbox?format=csv"); status != http.StatusForbidden {
		t.Errorf("staff took the inbox out: %d", status)
	}
	sorted := b.inbox(base, "s-maintainer-a", "sort=subject")
	if !slices.IsSortedFunc(sorted, func(a, b waiting) int { return strings.Compare(a.Subject, b.Subject) }) {
		t.Error("sorted by subject it is not")
	}
	b.tick(400 * day)
	if was := b.inbox(base, "s-maintainer-a", "as_of="+morning.AddDate(0, 0, 1).Format(time.DateOnly)); len(was) != len(items) {
		t.Errorf("as of the first day %d items, want %d", len(was), len(items))
	}
}

func scopeOf(system string) directive.Scope { return directive.Scope{System: system} }
