package server_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/govern"
	"kakusho/verdict"
)

// clear brings disks that are not encrypted, and difficult servers and terminals.
func (b *body) clear() {
	b.t.Helper()
	for id, more := range map[string]values{
		"CA-1": {"encryption_difficult": true, "encryption_difficult_reason": "遅延が許容範囲を超えるため"},
		"CA-2": {"role": "terminal", "encryption_difficult": true, "encryption_difficult_reason": "遅延が許容範囲を超えるため"},
		"CA-3": {}, // blank
	} {
		b.put(actor.Program, "computer", merged(computer(id, "A"), more))
		b.observe(computerRef(id), "disk", b.Now(), values{"volumes": []any{map[string]any{"device": "/dev/sda2", "mount": "/", "encrypted": false, "swap": false, "boot": false, "memory": false, "removable": false}}})
	}
}

func difficult(subject string) decision.Decision {
	return decision.Decision{
		Type: decision.Exception, Subject: computerRef(subject), Control: "crypto/disk-encryption", Ground: "server-difficult",
		Recorded: values{"class": "operational"}, Reason: "遅延が許容範囲を超えるため", Measures: "施錠したラック", Until: morning.AddDate(0, 6, 0),
	}
}

func withUntil(d decision.Decision, until time.Time) decision.Decision {
	d.Until = until
	return d
}

// What a clause itself leaves out is claimed on one of its grounds, of what the ground is
// about, with what it wants written down: on the page and by the API alike.
func TestAnExceptionIsOnAGroundThatTheClauseNames(t *testing.T) {
	b := found(t)
	base := b.soundly()
	b.clear()
	with := func(id string, change func(*decision.Decision)) decision.Decision {
		d := difficult(id)
		change(&d)
		return d
	}
	const item = "技術的な理由又は運用上の理由により暗号化が困難なサーバ等"
	for _, c := range []struct {
		what, field, says string
		d                 decision.Decision
	}{
		{"on no ground", "ground", "条項が定めるもの", with("CA-1", func(d *decision.Decision) { d.Ground, d.Recorded = "", nil })},
		{"on a ground that is none", "ground", "条項が定めるもの", with("CA-1", func(d *decision.Decision) { d.Ground, d.Recorded = "phone-difficult", nil })},
		{"of a terminal", "ground", "第2の3(1)イ：「" + item + "」この対象は、これに当たらない。", difficult("CA-2")},
		{"of what nobody registered", "ground", item, difficult("CA-3")},
		{"of a server that keeps confidential information, as one that keeps none", "ground", "第2の3(1)ア", with("CA-1", func(d *decision.Decision) {
			d.Ground, d.Recorded = "nothing-kept", values{"seen-how": "設計書による"}
		})},
		{"without its class of reason", "recorded.server-difficult.class", "入力すること", with("CA-1", func(d *decision.Decision) { d.Recorded = nil })},
		{"with a class that is none", "recorded.server-difficult.class", "選択肢", with("CA-1", func(d *decision.Decision) { d.Recorded = values{"class": "budget"} })},
		{"with a record that nobody asked for", "ground", "求めていない", with("CA-1", func(d *decision.Decision) { d.Recorded = values{"class": "technical", "x": "y"} })},
		{"without measures", "measures", "代替手段", with("CA-1", func(d *decision.Decision) { d.Measures = "" })},
		{"without an end", "until", "終期を定めること", with("CA-1", func(d *decision.Decision) { d.Until = time.Time{} })},
		{"of a control that names no ground", "control", "除外はない", with("CA-1", func(d *decision.Decision) { d.Control = "auth/password-length" })},
	} {
		status, page := b.ask(base, "s-officer-a", http.MethodPost, "/decide", formOf(c.d))
		if status != http.StatusUnprocessableEntity || !strings.Contains(string(page), c.says) || !strings.Contains(string(page), `href="#f-`+c.field+`"`) {
			t.Errorf("%s: the page says %d, without %q at %s: %v", c.what, status, c.says, c.field, faultsOf(page))
		}
		body, err := json.Marshal(c.d)
		if err != nil {
			t.Fatal(err)
		}
		status, answer := b.send(base, "s-officer-a", "/api/v1/decisions", fieldsOf(t, body))
		var said struct {
			Faults []struct{ Field, Message string } `json:"faults"`
		}
		if err := json.Unmarshal(answer, &said); err != nil || status != http.StatusUnprocessableEntity {
			t.Errorf("%s: the API says %d %s", c.what, status, answer)
		}
		hit := false
		for _, f := range said.Faults {
			hit = hit || f.Field == c.field && strings.Contains(f.Message, c.says)
		}
		if !hit {
			t.Errorf("%s: the API lacks %q at %s: %s", c.what, c.says, c.field, answer)
		}
	}
	if n := len(b.decisions()); n != 0 {
		t.Errorf("%d decisions were taken, want none", n)
	}
}

// From the application over the approval by another to the loss of its ground: what is
// excepted says by what, and is void with the fact, nothing having run in between.
func TestAnExceptionIsVoidWithItsGround(t *testing.T) {
	b := found(t)
	base := b.soundly()
	b.clear()
	const control = "crypto/disk-encryption"
	ca1 := computerRef("CA-1")
	status, id := b.sent(base, "s-officer-a", formOf(withUntil(difficult("CA-1"), morning.AddDate(0, 0, 3))))
	if status != http.StatusSeeOther {
		t.Fatalf("the application got %d", status)
	}
	if got := b.decisions()[0]; got.Ground != "server-difficult" || got.Recorded["class"] != "operational" {
		t.Errorf("kept is %+v", got)
	}
	b.says(ca1, control, b.Now(), verdict.Violates)
	if status, _ := b.ask(base, "s-officer-a", http.MethodPost, "/decision/"+id+"/approve", nil); status != http.StatusForbidden {
		t.Errorf("his own approval got %d", status)
	}
	if status, _ := b.send(base, "s-officer-a", "/api/v1/decisions/"+id+"/approve", values{}); status != http.StatusForbidden {
		t.Errorf("his own approval by the API got %d", status)
	}
	register := func(more values) { b.put(actor.Program, "computer", merged(computer("CA-1", "A"), more)) }
	held := values{"encryption_difficult": true, "encryption_difficult_reason": "遅延が許容範囲を超えるため"}

	// Between application and approval the ground was lost.
	register(values{"encryption_difficult": false})
	status, page := b.ask(base, "s-chief", http.MethodPost, "/decision/"+id+"/approve", nil)
	if status != http.StatusUnprocessableEntity || !strings.Contains(string(page), "第2の3(1)イ") {
		t.Errorf("approving what lost its ground got %d: %v", status, faultsOf(page))
	}
	register(held)
	if status, answer := b.send(base, "s-chief", "/api/v1/decisions/"+id+"/approve", values{}); status != http.StatusOK {
		t.Fatalf("the approval got %d %s", status, answer)
	}
	b.says(ca1, control, b.Now(), verdict.Excepted)
	v := b.verdict(b.Now(), ca1, control)
	if v.Ground.ID != "server-difficult" || v.Ground.Clause != "npa-r3@2.3.1.2" || v.Decision != id || v.Base != verdict.Violates {
		t.Errorf("it names %+v, by %s over %s", v.Ground, v.Decision, v.Base)
	}
	for _, path := range []string{"/subject/computer/CA-1", "/decision/" + id} {
		if _, page := b.get(base, "s-officer-a", path); !strings.Contains(string(page), "技術的な理由又は運用上の理由により暗号化が困難なサーバ等") {
			t.Errorf("%s does not name the ground", path)
		}
	}

	register(values{"encryption_difficult": false})
	b.says(ca1, control, b.Now(), verdict.Violates)
	if v := b.verdict(b.Now(), ca1, control); !saidCode(v, "no-ground") || v.Ground.ID != "" {
		t.Errorf("a lost ground is not among the reasons: %s, %+v", why(v), v.Ground)
	}
	if _, page := b.get(base, "s-officer-a", "/decision/"+id); !strings.Contains(string(page), "除外は無効である") {
		t.Error("the page of the decision does not say that it is void")
	}
	register(merged(values{"role": "terminal"}, held))
	b.says(ca1, control, b.Now(), verdict.Violates)
	register(held)
	end := b.decisions()[0].Until
	b.says(ca1, control, b.Now(), verdict.Excepted)
	b.says(ca1, control, end.Add(-time.Second), verdict.Excepted, end, verdict.Violates)
}

func saidCode(v verdict.Verdict, code string) bool {
	for _, r := range v.Reasons {
		if r.Code == code {
			return true
		}
	}
	return false
}

// The four that are not conforming are four: each is its own outcome, and no one stands
// for another.
func TestExceptedDeferredSpecialAndNotApplicableAreFour(t *testing.T) {
	b := found(t)
	b.as("s-chief")
	b.clear()
	const control = "crypto/disk-encryption"
	until := morning.AddDate(0, 6, 0)
	of := func(t decision.Type) decision.Decision {
		return decision.Decision{Type: t, Subject: "system/A", Clause: "npa-r3@2.3.1", Reason: "更新まで", Measures: "施錠", Consulted: "協議録1号", Until: until}
	}
	b.approve(b.give(difficult("CA-1")))
	b.says("computer/CA-1", control, b.Now(), verdict.Excepted)
	b.says("computer/CA-2", control, b.Now(), verdict.Violates)
	special := b.give(of(decision.Special))
	b.approve(special)
	b.says("computer/CA-2", control, b.Now(), verdict.Special)
	deferral := b.give(of(decision.Deferral))
	b.approve(deferral)
	b.says("computer/CA-2", control, b.Now(), verdict.Deferred)
	b.says("computer/CA-1", control, b.Now(), verdict.Excepted)
	b.put(actor.Program, "computer", merged(computer("CA-4", "A"), values{"status": "stored"}))
	for _, id := range []string{special, deferral} {
		if err := b.Govern.Withdraw(b.ctx, b.as("s-officer-a"), id, "不要", b.Now()); err != nil {
			t.Fatal(err)
		}
	}
	b.says("computer/CA-2", control, b.Now(), verdict.Violates)
	if err := b.Govern.Approve(b.ctx, b.as("s-chief"), deferral, b.Now()); !errors.Is(err, govern.ErrState) && !errors.Is(err, gate.ErrRefused) {
		t.Errorf("a deferral that was withdrawn is approved again: %v", err)
	}
	b.sound()
}

func computerRef(id string) fact.Ref { return fact.NewRef("computer", id) }

var faultText = regexp.MustCompile(`<a href="#f-[^<]*`)

func faultsOf(page []byte) []string { return faultText.FindAllString(string(page), -1) }

// send puts a body to an address of the API.
func (b *body) send(base, person, path string, v any) (int, []byte) {
	b.t.Helper()
	b.as(person)
	text, err := json.Marshal(v)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.ctx, http.MethodPut, base+path, bytes.NewReader(text))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.AddCookie(&http.Cookie{Name: "kakusho", Value: b.sessions[person]})
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	out, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, out
}

// formOf is a decision as its form gives it.
func formOf(d decision.Decision) url.Values {
	v := url.Values{"type": {string(d.Type)}, "subject": {string(d.Subject)}, "control": {d.Control}, "ground": {d.Ground}, "reason": {d.Reason}, "measures": {d.Measures}}
	for name, text := range d.Recorded {
		v.Set(fmt.Sprintf("recorded.%s.%s", d.Ground, name), text.(string))
	}
	if !d.Until.IsZero() {
		v.Set("until", d.Until.In(japan).Format(time.DateOnly))
	}
	return v
}

// fieldsOf is a decision as the API takes it.
func fieldsOf(t *testing.T, body []byte) values {
	t.Helper()
	out := values{}
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"id", "by", "post", "at"} {
		delete(out, name)
	}
	return out
}
