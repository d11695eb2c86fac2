package browser_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"kakusho/actor"
	"kakusho/calendar"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/server"
)

// A round is walked with a phone whose line comes and goes: what is recorded without one
// waits in the browser, outlives the page, and is sent once the line is back.
func TestARoundIsWalkedWithABadLine(t *testing.T) {
	s := open(t, t.TempDir())
	s.firstAdministrator()
	today := time.Now().In(calendar.Tokyo())
	put := func(kindID string, v map[string]any) {
		t.Helper()
		if _, err := s.server.Register.Put(t.Context(), actor.Program, kindID, v, 0, time.Now()); err != nil {
			t.Fatalf("%s: %v", kindID, err)
		}
	}
	put("zone", map[string]any{"zone_no": "Z", "title": "事務室", "unit": "HQ", "class": int64(2), "manager": "FIRST", "status": "in-use"})
	for _, id := range []string{"PC-1", "PC-2"} {
		put("computer", map[string]any{"asset_no": id, "hostname": id + ".example.lg.jp", "role": "terminal", "system": server.SelfSystem, "unit": "HQ", "zone": "Z", "status": "in-service", "ownership": "organisation"})
	}
	put("round", map[string]any{"round_no": "R-1", "title": "事務室の定期点検", "zone": "Z", "unit": "HQ", "planned_until": today.AddDate(0, 0, 7).Format("2006-01-02"), "status": "planned"})
	axe := s.axe()
	for _, page := range []string{"/rounds", "/round/R-1", "/labels/Z"} {
		s.look(page, "ja", 1366, axe)
	}
	s.do(chromedp.EmulateViewport(390, 844), chromedp.Navigate(s.base+"/round/R-1?lang=ja"), chromedp.Click(`//button[contains(.,"点検を開始する")]`, chromedp.BySearch), chromedp.WaitVisible("form[data-line]"))
	s.look("/round/R-1", "en", 390, axe)
	if *screens != "" {
		s.shoot("round", "/round/R-1", "ja", 390)
		s.shoot("round", "/labels/Z", "ja", 1366)
		s.shoot("round", "/rounds", "ja", 390)
	}
	s.do(network.Enable(), chromedp.Navigate(s.base+"/round/R-1?lang=ja"), chromedp.WaitVisible("[data-round]"), chromedp.Sleep(300*time.Millisecond))
	s.cut(true)
	s.do(chromedp.Click(`section[id="computer/PC-1"] button`, chromedp.ByQuery), chromedp.Poll(`document.querySelector("[data-round]").textContent.includes("1件が未送信")`, nil))
	s.do(chromedp.SetValue(`section[id="computer/PC-2"] textarea`, "台車の上になかった。", chromedp.ByQuery), chromedp.Click(`section[id="computer/PC-2"] input[value=missing]`, chromedp.ByQuery),
		chromedp.Click(`section[id="computer/PC-2"] button`, chromedp.ByQuery), chromedp.Poll(`document.querySelector("[data-round]").textContent.includes("2件が未送信")`, nil))
	s.do(chromedp.Navigate("about:blank")) // the page is left, or the phone restarts
	s.cut(false)
	s.do(chromedp.Navigate(s.base+"/round/R-1"), chromedp.WaitVisible(`section[id="computer/PC-2"] a[href*="round-line"]`, chromedp.ByQuery), chromedp.WaitVisible(`section[id="computer/PC-1"] a[href*="round-line"]`, chromedp.ByQuery))
	for ref, want := range map[fact.Ref]string{"round-line/R-1/computer/PC-1": "found", "round-line/R-1/computer/PC-2": "missing"} {
		if got := s.entryValue(ref, "result"); got != want {
			t.Errorf("%s: %v, want %s", ref, got, want)
		}
	}
	if got := s.entryValue("finding/R-1/computer/PC-2", "what"); got != "台車の上になかった。" {
		t.Errorf("the finding says %v", got)
	}
	if got := s.text("[data-round]"); !strings.Contains(got, "全て送信した") {
		t.Errorf("the page says %q", got)
	}
	s.do(chromedp.Navigate(s.base+"/label/computer/PC-1"), chromedp.WaitVisible("[data-round]")) // what the code on the machine opens
}

// cut takes the browser's line away, or gives it back.
func (s *site) cut(down bool) {
	s.t.Helper()
	s.do(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := network.EmulateNetworkConditionsByRule(down, []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: -1}}).Do(ctx)
		return err
	}), network.OverrideNetworkState(down, 0, -1, -1))
}

// entryValue is a field of an entry.
func (s *site) entryValue(ref fact.Ref, field string) any {
	s.t.Helper()
	who := actor.Actor{Person: "test-looker", Session: "s", Assignments: []actor.Assignment{{Post: "X", Duty: actor.Auditor, Scope: "*"}}}
	p, err := s.server.Gate.Ask(s.t.Context(), gate.Request{Actor: who, At: time.Now(), Action: gate.Read, Object: "page/test"})
	if err != nil {
		s.t.Fatal(err)
	}
	e, err := s.server.Register.Get(s.t.Context(), p, ref)
	if err != nil {
		s.t.Fatalf("%s: %v", ref, err)
	}
	return e.Values[field]
}
