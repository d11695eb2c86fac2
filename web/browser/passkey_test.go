package browser_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// A passkey is made and used as its holder does it, with Chromium's own authenticator.
func TestAPasskeyIsMadeUsedAndRemoved(t *testing.T) {
	s := open(t, t.TempDir())
	s.base = strings.Replace(s.base, "127.0.0.1", "localhost", 1) // a passkey is for a name
	s.firstAdministrator()
	axe := s.axe()
	s.look("/me", "ja", 1366, axe)
	device := webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	})
	s.do(webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) error { _, err := device.Do(ctx); return err }))
	s.do(chromedp.Navigate(s.base+"/me"), chromedp.WaitVisible("#f-name"), chromedp.SendKeys("#f-name", "職員証のICカード"),
		chromedp.Click("form[data-passkey] button"), chromedp.WaitVisible("#passkeys table"))
	if got := s.text("#passkeys table"); !strings.Contains(got, "職員証のICカード") || !strings.Contains(got, "まだない") {
		t.Errorf("the passkey as it was made: %q", got)
	}
	s.do(chromedp.Click("form[action='/logout'] button"), chromedp.WaitVisible("form[action='/login']"))
	s.look("/login?next=%2Fme", "ja", 1366, axe)
	s.do(chromedp.WaitVisible("form[data-passkey]"), chromedp.Click("form[data-passkey] button"), chromedp.WaitVisible("#passkeys table"))
	if got := s.text("main"); strings.Contains(got, "まだない") || !strings.Contains(got, "前回のログイン") || !strings.Contains(got, "パスキー") {
		t.Errorf("after logging in with it: %q", got)
	}
	for _, page := range []string{"/me", "/sessions"} {
		s.do(chromedp.EmulateViewport(390, 844))
		s.look(page, "en", 390, axe)
		if *screens != "" {
			s.shoot("passkey", page, "en", 390)
			s.do(chromedp.EmulateViewport(1366, 768))
			s.look(page, "ja", 1366, axe)
			s.shoot("passkey", page, "ja", 1366)
		}
	}
	s.do(chromedp.EmulateViewport(1366, 768), chromedp.Navigate(s.base+"/me?lang=ja"), chromedp.WaitVisible("#passkeys table"),
		chromedp.Evaluate(`window.confirm = () => true`, nil), chromedp.Click("#passkeys table button"), chromedp.WaitVisible("form[action='/login']"))
	s.do(chromedp.WaitVisible("form[data-passkey]"), chromedp.Click("form[data-passkey] button"), chromedp.Poll(`document.querySelector("[data-said]").textContent !== ""`, nil))
	if got := s.text("[data-said]"); !strings.Contains(got, "ログインできない") {
		t.Errorf("a removed passkey: %q", got)
	}
}
