// Package browser_test walks the pages in a real Chromium against the real
// server: first run, login with a one-time code, every page in both languages and
// two sizes, axe-core, no console error, nothing wider than the screen.
package browser_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"kakusho/demo"
	"kakusho/server"
	"kakusho/server/events"
)

var (
	screens = flag.String("screens", "", "folder to write screenshots to")
	whole   = flag.Bool("whole", false, "screenshots of whole pages")
)

// site is a running installation, with somebody logged in or not.
type site struct {
	t      *testing.T
	ctx    context.Context
	base   string
	setup  string
	server *server.Server

	mu       sync.Mutex
	problems []string // console errors and CSP reports
}

// open starts an installation on data and a browser beside it.
func open(t *testing.T, data string) *site {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here: install it to run the browser tests")
	}
	s := &site{t: t}
	ctx, stop := context.WithCancel(context.Background())
	self, err := os.Executable() // is the index too: TestMain
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(ctx, server.Config{Data: data, Listen: "127.0.0.1:0", Interval: time.Hour, Version: "test",
		Events: events.Config{Index: []string{self, "index"}}, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		t.Fatal(err)
	}
	s.server = srv
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- srv.Run(ctx, func(base, setup string) { s.base, s.setup = base, setup; close(ready) })
	}()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	alloc, endAlloc := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.UserDataDir(t.TempDir()))...)
	var endBrowser context.CancelFunc
	s.ctx, endBrowser = chromedp.NewContext(alloc)
	t.Cleanup(func() {
		endBrowser()
		endAlloc()
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("server ended with %v", err)
		}
	})
	chromedp.ListenTarget(s.ctx, s.listen)
	if err := chromedp.Run(s.ctx); err != nil { // the browser lives as long as the context of its first run
		t.Fatal(err)
	}
	s.do(chromedp.EmulateViewport(1366, 768), log.Enable(), runtime.Enable())
	return s
}

func (s *site) listen(ev any) {
	var text string
	switch ev := ev.(type) {
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.LevelError && !strings.Contains(ev.Entry.Text, "status of 4") {
			text = ev.Entry.Text + " " + ev.Entry.URL
		}
	case *runtime.EventExceptionThrown:
		text = ev.ExceptionDetails.Error()
	}
	if text != "" {
		s.mu.Lock()
		s.problems = append(s.problems, text)
		s.mu.Unlock()
	}
}

func (s *site) do(actions ...chromedp.Action) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		var html, url string
		late, end := context.WithTimeout(s.ctx, 3*time.Second)
		defer end()
		_ = chromedp.Run(late, chromedp.Location(&url), chromedp.InnerHTML("main", &html))
		s.t.Fatalf("at %s: %v\n%.1500s", url, err, html)
	}
}

func (s *site) text(selector string) string {
	s.t.Helper()
	var out string
	s.do(chromedp.Text(selector, &out, chromedp.ByQuery))
	return out
}

const password = "Kanji-to-kagi-7712"

// firstAdministrator goes through the one-time link and logs in.
func (s *site) firstAdministrator() {
	s.t.Helper()
	var secret string
	s.do(chromedp.Navigate(s.base+s.setup), chromedp.WaitVisible("#secret"), chromedp.Text("#secret", &secret))
	secret = strings.ReplaceAll(secret, " ", "")
	s.do(
		chromedp.SendKeys("#f-office", "試験県警察本部"), chromedp.SendKeys("#f-person", "A0001"), chromedp.SendKeys("#f-name", "試験 太郎"),
		chromedp.SendKeys("#f-password", password), chromedp.SendKeys("#f-again", password), chromedp.SendKeys("#f-code", s.code(secret, 0)),
		chromedp.Click("main form button"), chromedp.WaitVisible("form[action='/login']"),
	)
	s.login("A0001", secret)
}

func (s *site) code(secret string, ahead time.Duration) string {
	s.t.Helper()
	c, err := totp.GenerateCode(secret, time.Now().Add(ahead))
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *site) login(person, secret string) {
	s.t.Helper()
	s.do(
		chromedp.SetValue("#f-person", person, chromedp.ByQuery), chromedp.SendKeys("#f-password", password),
		chromedp.SendKeys("#f-code", s.code(secret, 0)), chromedp.Click("main form button"), chromedp.WaitVisible("nav.side"),
	)
	s.acknowledged()
}

// acknowledged looks at the notices in force, and acknowledges them.
func (s *site) acknowledged() {
	s.t.Helper()
	var at string
	if s.do(chromedp.Location(&at)); !strings.Contains(at, "/notices/acknowledge") {
		return
	}
	s.look("/notices/acknowledge", "ja", 1366, s.axe())
	s.do(chromedp.EmulateViewport(390, 844))
	s.look("/notices/acknowledge", "en", 390, s.axe())
	if *screens != "" {
		s.shoot("", "/notices/acknowledge", "en", 390)
	}
	s.do(chromedp.EmulateViewport(1366, 768), chromedp.Navigate(s.base+"/?lang=ja"), chromedp.Click("main form button"), chromedp.WaitVisible("ul.tiles"))
}

// collected waits until the server's own machine has been looked at.
func (s *site) collected() {
	s.t.Helper()
	for range 100 {
		s.do(chromedp.Navigate(s.base + "/subject/computer/" + server.SelfComputer))
		var html string
		s.do(chromedp.InnerHTML("main", &html))
		if strings.Contains(html, "最終収集") || strings.Contains(html, "last collected") {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	s.t.Fatal("nothing was collected from this machine within 20 seconds")
}

// pages are the addresses walked. Each must have content of its own.
var pages = []string{
	"/", "/?open=npa-r3%402.3", "/verdicts", "/verdicts?outcome=violates", "/verdicts?q=nothing-is-called-so", "/clauses", "/clause/npa-r3@2.3.1",
	"/differences", "/clause/npa-r3@3.4.2", "/control/crypto/disk-encryption", "/systems", "/system/" + server.SelfSystem,
	"/subject/computer/" + server.SelfComputer, "/registers", "/audits", "/register/audit/new", "/register/finding/new?subject=computer/X", "/findings", "/contradictions", "/register/computer", "/register/contract", "/register/computer/new",
	"/register/computer/" + server.SelfComputer, "/register/computer/import", "/register/disposal/new", "/procedures", "/procedure/disposal", "/inbox", "/inbox?box=late", "/notices", "/decisions", "/decide?subject=system/" + server.SelfSystem, "/decide?subject=system/" + server.SelfSystem + "&type=deferral", "/decide?subject=system/" + server.SelfSystem + "&type=special",
	"/decide?subject=computer/" + server.SelfComputer + "&control=physical/security-wire", "/parameters", "/parameter/auth.pw.min_length",
	"/what-if", "/what-if?key=auth.pw.min_length&layer=national&value=15", "/what-if?control=auth%2Fpassword-length", "/units", "/unit/HQ", "/trail", "/trail/0", "/about", "/me", "/sessions", "/no-such-page-at-all",
}

// A second person is what approvals need: the operator invites one by his entry.
func TestASecondPersonIsInvitedAndLogsIn(t *testing.T) {
	s := open(t, t.TempDir())
	s.firstAdministrator()
	s.do(
		chromedp.Navigate(s.base+"/register/person/new?staff_no=B0002&name=試験次郎&unit=HQ"), chromedp.WaitVisible("#f-name"),
		chromedp.SetValue("#f-employment", "officer", chromedp.ByQuery), chromedp.SetValue("#f-status", "active", chromedp.ByQuery),
		chromedp.Click("main form button"), chromedp.WaitVisible("#invite button"), chromedp.Click("#invite button"), chromedp.WaitVisible("#link"),
	)
	link := s.text("#link")
	var secret string
	s.do(chromedp.Click("form[action='/logout'] button"), chromedp.WaitVisible("form[action='/login']"),
		chromedp.Navigate(link), chromedp.WaitVisible("#secret"), chromedp.Text("#secret", &secret))
	secret = strings.ReplaceAll(secret, " ", "")
	s.do(
		chromedp.SendKeys("#f-password", password), chromedp.SendKeys("#f-again", password), chromedp.SendKeys("#f-code", s.code(secret, 0)),
		chromedp.Click("main form button"), chromedp.WaitVisible("form[action='/login']"),
		chromedp.SetValue("#f-person", "B0002", chromedp.ByQuery), chromedp.SendKeys("#f-password", password),
		chromedp.SendKeys("#f-code", s.code(secret, 30*time.Second)), chromedp.Click("main form button"), chromedp.WaitVisible(".status"),
	)
	if got := s.text("h1"); !strings.Contains(got, "403") {
		t.Errorf("a person without a duty sees %q, want a refusal", got)
	}
	s.do(chromedp.Navigate(link), chromedp.WaitReady("h1"))
	if got := s.text("main"); !strings.Contains(got, "使用済み") && !strings.Contains(got, "was used") {
		t.Errorf("the link works twice: %.200s", got)
	}
}

func TestEveryPageInBothLanguagesAndTwoSizes(t *testing.T) {
	s := open(t, t.TempDir())
	s.firstAdministrator()
	s.collected()
	s.walk(pages, "")
}

// walk looks at pages in both languages at two sizes.
func (s *site) walk(pages []string, prefix string) {
	axe := s.axe()
	for _, lang := range []string{"ja", "en"} {
		for _, width := range []int64{1366, 390} {
			height := int64(768)
			if width == 390 {
				height = 844
			}
			s.do(chromedp.EmulateViewport(width, height))
			for _, page := range pages {
				s.look(page, lang, width, axe)
				if *screens != "" {
					s.shoot(prefix, page, lang, width)
				}
			}
		}
	}
}

var japanese = regexp.MustCompile(`[\p{Hiragana}\p{Katakana}]`)

func (s *site) look(page, lang string, width int64, axe string) {
	s.t.Helper()
	sep := "?"
	if strings.Contains(page, "?") {
		sep = "&"
	}
	s.mu.Lock()
	s.problems = nil
	s.mu.Unlock()
	var got struct {
		Lang, H1 string
		Wide     float64
		Text     string
	}
	s.do(chromedp.Navigate(s.base+page+sep+"lang="+lang), chromedp.WaitReady("main"),
		chromedp.Evaluate(`({Lang: document.documentElement.lang, H1: document.querySelector("h1")?.innerText ?? "",
			Wide: document.documentElement.scrollWidth - innerWidth, Text: document.querySelector("main").innerText})`, &got))
	at := fmt.Sprintf("%s (%s, %d px)", page, lang, width)
	if got.Lang != lang || got.H1 == "" {
		s.t.Errorf("%s: lang %q, h1 %q", at, got.Lang, got.H1)
	}
	if got.Wide > 0 {
		s.t.Errorf("%s: %v px wider than the screen", at, got.Wide)
	}
	if lang == "ja" && !japanese.MatchString(got.Text) {
		s.t.Errorf("%s: no Japanese on the Japanese page", at)
	}
	s.mu.Lock()
	for _, p := range s.problems {
		s.t.Errorf("%s: console: %s", at, p)
	}
	s.mu.Unlock()
	if axe != "" && (lang == "ja") == (width == 1366) { // each page once wide and once narrow, once in each language
		for _, v := range s.violations(axe) {
			s.t.Errorf("%s: axe: %s", at, v)
		}
	}
}

// axe is the source of axe-core, or "" with a note when it was not fetched.
func (s *site) axe() string {
	b, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		s.t.Log("axe-core is not here (npm ci in web/browser): accessibility was not checked")
		return ""
	}
	return string(b)
}

func (s *site) violations(axe string) []string {
	s.t.Helper()
	var raw string
	s.do(chromedp.Evaluate(axe+`; null`, nil), chromedp.Evaluate(
		`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r =>
			JSON.stringify(r.violations.map(v => v.id + ": " + v.help + " — " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(" | "))))`,
		&raw, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	var out []string
	if err := json.Unmarshal([]byte(raw), &out); err != nil {
		s.t.Fatal(err)
	}
	return out
}

var unsafeName = regexp.MustCompile(`[^a-z0-9]+`)

func (s *site) shoot(prefix, page, lang string, width int64) {
	s.t.Helper()
	name := strings.Trim(unsafeName.ReplaceAllString(strings.ToLower(prefix+page), "-"), "-")
	if name == strings.Trim(prefix, "-") {
		name = strings.Trim(prefix+"overview", "-")
	}
	if width == 390 {
		name += "-390"
	}
	var png []byte
	if *whole {
		s.do(chromedp.FullScreenshot(&png, 100))
	} else {
		s.do(chromedp.CaptureScreenshot(&png))
	}
	if err := os.MkdirAll(*screens, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screens, name+"-"+lang+".png"), png, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// fullPages are looked at with the sample body, where tables are long and names
// are wide.
var fullPages = []string{"/", "/?open=npa-r3%402.2", "/verdicts", "/systems", "/system/ARCH", "/clause/npa-r3@2.3.1", "/register/computer", "/register/contract",
	"/register/person", "/register/disposal/DSP-01", "/register/disposal/DSP-03", "/register/contract/CON-01", "/specification/CON-03", "/procedure/system", "/inbox", "/inbox?box=decide&sort=since", "/decisions", "/parameters", "/trail",
	"/audits", "/audit/AUD-01", "/audit/AUD-02", "/audit/AUD-01?part=findings", "/audit/AUD-01?part=contradictions", "/findings?show=all", "/contradictions", "/register/audit/AUD-01", "/register/finding/FND-01",
	"/differences", "/differences?kind=software&side=observed&sort=-subject", "/differences?q=nothing-is-called-so",
	"/directives", "/directives/compare?old=npa-r3&new=npa-next", "/directives/compare?old=npa-r3&new=npa-next&fate=carried", "/directives/compare?old=npa-r3&new=cjis",
	"/?rulebook=cjis", "/clauses?rulebook=npa-next", "/clause/cjis@1.7?rulebook=cjis", "/directives?rulebook=cjis",
	"/events", "/events?q=class:inquiry&by=account", "/events/live", "/events/sources", "/events/retention", "/event/3y/5000", "/alerts", "/alerts?state=closed"}

func TestTheSampleBodyFillsThePages(t *testing.T) {
	data := filepath.Join(t.TempDir(), "body")
	if _, err := demo.Fill(t.Context(), data, time.Now, nil); err != nil {
		t.Fatal(err)
	}
	s := open(t, data)
	s.firstAdministrator()
	s.find("/events?q=class:inquiry&range=7d", "table.events tbody tr")
	s.walk(fullPages, "demo-")
	if !strings.Contains(s.text(".demo-note"), "invented") {
		t.Error("a page of the sample body does not say that it is one")
	}
}
