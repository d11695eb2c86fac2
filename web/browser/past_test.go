package browser_test

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"kakusho/demo"
)

// pastPages are looked at as they were; %s is the instant.
var pastPages = []string{
	"/?%s", "/verdicts?outcome=violates&%s", "/clauses?%s", "/clause/npa-r3@2.3.1?%s", "/systems?%s", "/system/ARCH?%s", "/register/computer?%s", "/differences?%s", "/procedure/disposal?%s",
	"/register/computer/new?%s", "/inbox?%s", "/decisions?%s", "/parameters?%s", "/parameter/auth.pw.min_length?%s", "/report?%s", "/trail?%s", "/events/sources?%s", "/no-such-page?%s",
}

// A walk through the past of the sample: every page says which time it shows, and its
// links stay there.
func TestThePastInBothLanguagesAndTwoSizes(t *testing.T) {
	data := filepath.Join(t.TempDir(), "body")
	if _, err := demo.Fill(t.Context(), data, time.Now, nil); err != nil {
		t.Fatal(err)
	}
	s := open(t, data)
	s.firstAdministrator()
	when := url.Values{"as_of": {time.Now().AddDate(0, 0, -40).Format(time.DateOnly)}, "known_at": {time.Now().AddDate(0, 0, -10).Format(time.DateOnly)}}.Encode()
	s.do(chromedp.Navigate(s.base+"/?"+when), chromedp.WaitVisible(".past-note"), chromedp.WaitVisible(".tiles")) // after the page that says how far it has come
	var pages []string
	for _, p := range pastPages {
		pages = append(pages, strings.Replace(p, "%s", when, 1))
	}
	s.walk(pages, "past-")
	s.do(chromedp.EmulateViewport(1366, 768), chromedp.Navigate(s.base+"/?lang=ja&"+when), chromedp.WaitVisible(".past-note"))
	var stray []string
	s.do(chromedp.Evaluate(`[...document.querySelectorAll("a[href], form")].filter(a => !a.hasAttribute("data-present") && a.getAttribute("href")?.[0] !== "#" &&
		!(a.href ?? "").includes("as_of=") && !a.querySelector("input[name=as_of]")).map(a => a.outerHTML.slice(0, 120))`, &stray))
	for _, x := range stray {
		t.Errorf("a link leads out of the past: %s", x)
	}
	s.do(chromedp.Click("nav.side a[href^='/systems']"), chromedp.WaitVisible(".past-note"), chromedp.Click("details.when summary"))
	if *screens != "" {
		s.shoot("past-", "/picker", "ja", 1366)
		s.do(chromedp.EmulateViewport(390, 844))
		s.shoot("past-", "/picker", "ja", 390)
	}
	s.do(chromedp.Click("details.when summary"), chromedp.Click(".past-note a:last-child"), chromedp.WaitNotPresent(".past-note"))
	if got := s.text(".when summary"); !strings.Contains(got, "現在") {
		t.Errorf("back in the present the frame says %q", got)
	}
}
