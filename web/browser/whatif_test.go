package browser_test

import (
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"kakusho/actor"
	"kakusho/gate"
)

// tries are drafts as their addresses, and where units are shown.
var tries = []string{
	"/what-if", "/what-if?key=auth.pw.min_length&layer=national&value=15", "/what-if?key=auth.pw.min_length&layer=national&value=15&by=clause&sort=fails",
	"/what-if?control=auth%2Fpassword-length", "/what-if?key=auth.pw.min_length&value=many", "/what-if?lapse=deferral&lapse=special",
	"/units", "/parameter/auth.pw.min_length",
}

// warm has everything judged once, which reads all rows.
func (s *site) warm() {
	s.t.Helper()
	who := actor.Actor{Person: "test", Assignments: []actor.Assignment{{Post: "TEST", Duty: actor.Auditor, Scope: "*"}}}
	permit, err := s.server.Gate.Ask(s.t.Context(), gate.Request{Actor: who, At: time.Now(), Action: gate.Read, Object: "page/test"})
	if err == nil {
		_, err = s.server.Posture.Now(s.t.Context(), permit, time.Now())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestTheNationIsTried walks the drafts over the national sample in the folder
// KAKUSHO_NATION (kakusho demo --national), and looks at the clock.
func TestTheNationIsTried(t *testing.T) {
	data := os.Getenv("KAKUSHO_NATION")
	if data == "" {
		t.Skip("KAKUSHO_NATION names no folder with a national sample")
	}
	s := open(t, data)
	s.warm()
	s.firstAdministrator()
	for range 2 {
		for _, page := range tries {
			begun := time.Now()
			s.do(chromedp.Navigate(s.base+page), chromedp.WaitReady("main"))
			t.Logf("%s: %s", page, time.Since(begun).Round(time.Millisecond))
		}
	}
	s.walk(append(tries, "/unit/P13", "/unit/P13-J", "/what-if?on=2030-04-01"), "nation-")
}
