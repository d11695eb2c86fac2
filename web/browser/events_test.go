package browser_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"kakusho/event"
	"kakusho/search/victorialogs/role"
)

// TestMain lets this test binary be the index of the server it tests.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "index" {
		os.Exit(role.Main(os.Args[2:], os.Stdin))
	}
	os.Exit(m.Run())
}

// day is a made-up morning at an office: who looked at what, and somebody who
// guesses a password.
func day(at time.Time) (out []event.Event) {
	who := []string{"tanaka", "suzuki", "sato", "yamada"}
	for i := range 400 {
		e := event.Event{
			At: at.Add(-time.Duration(i) * 3 * time.Minute), Clock: event.ClockSource, Class: event.Inquiry, Account: who[i%len(who)], Device: fmt.Sprintf("PC-%04d", i%37),
			Event: "case.view", Object: fmt.Sprintf("事件/2026-%03d", i), Result: event.Success, Source: fmt.Sprintf("10.1.%d.%d", i%4, i%200+1), Level: 7,
			Text: "捜査資料を閲覧した。", Format: "json", Fields: map[string]string{"app.screen": "資料一覧", "bytes": fmt.Sprint(i * 911)},
		}
		if i%9 == 0 {
			e.Class, e.Event, e.Result, e.Level, e.Object = event.LoginFailure, "login", event.Failure, 5, ""
			e.Text = `<script>alert("x")</script> パスワード誤りによりログインできなかった。`
		}
		out = append(out, e)
	}
	return out
}

// eventPages are the pages of events, full and empty.
var eventPages = []string{
	"/events", "/events?q=捜査資料&by=account", "/events?q=class:login-failure&range=7d", "/events?q=(", "/events?since=yesterday", "/events?q=誰も書かなかった語",
	"/events/live?q=class:inquiry", "/events/sources", "/events/sources?only=silent", "/events/retention", "/event/1y/0", "/event/1y/8", "/event/1y/99999",
	"/alerts", "/alerts?state=closed", "/register/log-source", "/register/saved-search/new?query=class:login-failure", "/register/hold", "/register/alert/new",
}

func TestEventsAreSearchedWatchedAndProven(t *testing.T) {
	s := open(t, t.TempDir())
	s.firstAdministrator()
	s.walk([]string{"/events", "/events/sources", "/events/retention", "/alerts"}, "empty-")
	s.bring("lines", day(time.Now()))
	s.find("/events?q=捜査資料", "tr td:nth-child(5)")
	s.walk(eventPages, "")

	if s.do(chromedp.Navigate(s.base+"/events?q=class:login-failure"), chromedp.WaitReady("table.events")); !strings.Contains(s.text("main"), `<script>alert("x")</script>`) {
		t.Error("what an event says is not shown as it was written")
	}
	var rows int
	s.do(chromedp.Click("table.events tbody tr:first-child td:nth-child(4) a"), chromedp.WaitReady("table.events"),
		chromedp.Evaluate(`document.querySelectorAll("table.events tbody tr").length`, &rows))
	if q := s.value("#f-q"); !strings.HasPrefix(q, "class:login-failure account:") || rows == 0 || rows >= 45 {
		t.Errorf("a click on an account narrows to %q with %d rows", q, rows)
	}
	s.do(chromedp.Click("table.events tbody tr:first-child td:first-child a"), chromedp.WaitReady("dl.facts"))
	if main := s.text("main"); !strings.Contains(main, "照合済") && !strings.Contains(main, "verified") {
		t.Errorf("an event is not verified: %.300s", main)
	}

	s.do(chromedp.Navigate(s.base+"/events/live?q=class:boot"), chromedp.WaitReady("[data-live]"))
	s.wait(`document.querySelector("[data-state]").textContent === document.querySelector("[data-state]").dataset.state.split("|")[1]`)
	s.bring("lines", []event.Event{{At: time.Now(), Clock: event.ClockSource, Class: event.Boot, Device: "SV-1", Text: "起動した。", Format: "json"},
		{At: time.Now(), Clock: event.ClockSource, Class: event.Login, Device: "SV-1", Text: "別の種別", Format: "json"}})
	s.wait(`document.querySelectorAll("table.events tbody tr").length === 1 && document.querySelector("table.events tbody").innerText.includes("起動した。")`)
}

// bring gives events to the server as a door would.
func (s *site) bring(door string, events []event.Event) {
	s.t.Helper()
	b := event.Batch{Origin: event.Origin{Door: door, Address: "10.1.0.9", Name: "APP-1"}, Events: events}
	if _, err := s.server.Events.Ingest.Accept(context.Background(), b, false); err != nil {
		s.t.Fatal(err)
	}
}

// find waits until the index has what a page looks for.
func (s *site) find(page, selector string) {
	s.t.Helper()
	for range 100 {
		var n int
		s.do(chromedp.Navigate(s.base+page), chromedp.WaitReady("main"), chromedp.Evaluate(`document.querySelectorAll("`+selector+`").length`, &n))
		if n > 0 {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	s.t.Fatalf("%s shows nothing: %s", page, s.text("main"))
}

// wait waits until a condition of the page holds.
func (s *site) wait(condition string) {
	s.t.Helper()
	for range 100 {
		var ok bool
		if s.do(chromedp.Evaluate(condition, &ok)); ok {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatalf("never: %s\n%s", condition, s.text("main"))
}

func (s *site) value(selector string) (v string) {
	s.t.Helper()
	s.do(chromedp.Value(selector, &v, chromedp.ByQuery))
	return v
}
