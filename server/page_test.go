package server_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"kakusho/server"
)

// visitor is a browser without a screen.
type visitor struct {
	t    *testing.T
	base string
	http *http.Client
}

// serve runs an installation and returns its address and one-time link.
func serve(t *testing.T) (base, setup string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s, err := server.New(ctx, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Interval: -1, Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ready, done := make(chan [2]string, 1), make(chan error, 1)
	go func() { done <- s.Run(ctx, func(base, setup string) { ready <- [2]string{base, setup} }) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
	select {
	case a := <-ready:
		return a[0], a[1]
	case err := <-done:
		done <- nil
		t.Fatal(err)
		return "", ""
	}
}

func visit(t *testing.T, base string) visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return visitor{t, base, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (v visitor) do(method, path string, form url.Values, header ...string) (*http.Response, string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := v.http.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return r, string(b)
}

func TestAnInstallationOverHTTPFromItsFirstLinkToLogout(t *testing.T) {
	t.Parallel()
	base, setup := serve(t)
	v := visit(t, base)

	for path, want := range map[string]string{"/": "/login?next=%2F", "/clause/npa-r3@2.1.1?x=1": "/login?next=" + url.QueryEscape("/clause/npa-r3@2.1.1?x=1")} {
		if r, _ := v.do("GET", path, nil); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != want {
			t.Errorf("%s before logging in: %d to %q, want to %q", path, r.StatusCode, r.Header.Get("Location"), want)
		}
	}
	if r, _ := v.do("GET", "/setup?token=made-up", nil); r.StatusCode != http.StatusGone {
		t.Errorf("a made-up link: %d, want 410", r.StatusCode)
	}
	_, page := v.do("GET", setup, nil)
	secret := regexp.MustCompile(`(?:[A-Z2-7]{4} ){3,}[A-Z2-7]{1,4}`).FindString(page)
	if secret = strings.ReplaceAll(secret, " ", ""); secret == "" {
		t.Fatalf("the link shows no secret:\n%.2000s", page)
	}
	token := strings.TrimPrefix(setup, "/setup?token=")
	form := url.Values{"token": {token}, "person": {"A0001"}, "name": {"試験 太郎"}, "office": {"試験県警察"}, "password": {"short"}, "again": {"short"},
		"code": {codeAt(t, secret, time.Now())}}
	if r, page := v.do("POST", "/setup", form); r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page, "文字以上") {
		t.Errorf("a weak password: %d, want 422 with what it lacks", r.StatusCode)
	}
	form.Set("password", password)
	form.Set("again", password)
	if r, _ := v.do("POST", "/setup", form, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); r.StatusCode != http.StatusForbidden {
		t.Errorf("from another site: %d, want 403", r.StatusCode)
	}
	form.Set("code", codeAt(t, secret, time.Now()))
	if r, page := v.do("POST", "/setup", form); r.StatusCode != http.StatusSeeOther {
		t.Fatalf("setting up: %d\n%.2000s", r.StatusCode, page)
	}
	if r, _ := v.do("GET", setup, nil); r.StatusCode != http.StatusGone {
		t.Errorf("the link again: %d, want 410", r.StatusCode)
	}

	login := url.Values{"person": {"A0001"}, "password": {password + "x"}, "code": {codeAt(t, secret, time.Now())}, "next": {"//evil.example"}}
	if r, page := v.do("POST", "/login", login); r.StatusCode != http.StatusUnauthorized || strings.Contains(page, password) {
		t.Errorf("a wrong password: %d, want 401 without the password in the page", r.StatusCode)
	}
	login.Set("password", password)
	login.Set("code", codeAt(t, secret, time.Now()))
	r, page := v.do("POST", "/login", login)
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/" {
		t.Fatalf("logging in with next=//evil.example: %d to %q, want to /\n%.1500s", r.StatusCode, r.Header.Get("Location"), page)
	}
	if c := r.Cookies(); len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || c[0].Path != "/" {
		t.Errorf("the session's cookie: %+v", c)
	}
	for _, path := range []string{"/", "/?lang=en", "/clause/npa-r3@2.1.1", "/subject/computer/KAKUSHO-1", "/about"} {
		if r, page := v.do("GET", path, nil); r.StatusCode != http.StatusOK {
			t.Errorf("%s: %d\n%.500s", path, r.StatusCode, page)
		}
	}
	if r, _ := v.do("GET", "/none", nil); r.StatusCode != http.StatusNotFound {
		t.Errorf("a page that is not there: %d, want 404", r.StatusCode)
	}
	if r, _ := v.do("POST", "/logout", nil); r.StatusCode != http.StatusSeeOther {
		t.Errorf("logging out: %d", r.StatusCode)
	}
	if r, _ := v.do("GET", "/about", nil); r.StatusCode != http.StatusSeeOther {
		t.Errorf("after logging out: %d, want to the login", r.StatusCode)
	}
}

func TestEveryPageIsGuardedAndInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	base, _ := serve(t)
	for _, c := range []struct{ name, path, accept, want string }{
		{"a Japanese browser", "/login", "ja,en;q=0.5", "ja"},
		{"an English browser that reads Japanese", "/login", "en,ja;q=0.5", "ja"},
		{"an English browser", "/login", "en-GB,en;q=0.9", "en"},
		{"no language at all", "/login", "", "ja"},
		{"a French browser", "/login", "fr", "ja"},
		{"the address asks for English", "/login?lang=en", "ja", "en"},
		{"the address asks for what is not there", "/login?lang=fr", "en", "en"},
	} {
		v := visit(t, base)
		r, page := v.do("GET", c.path, nil, "Accept-Language", c.accept)
		if !strings.Contains(page, `<html lang="`+c.want+`"`) {
			t.Errorf("%s: not in %s:\n%.200s", c.name, c.want, page)
		}
		for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "same-origin", "Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin"} {
			if got := r.Header.Get(name); !strings.Contains(got, want) {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if strings.Contains(page, "<script>") || strings.Contains(page, " onclick=") || strings.Contains(page, "style=\"") {
			t.Errorf("%s: the page holds what its own policy forbids", c.name)
		}
	}
	v := visit(t, base) // the choice is remembered
	v.do("GET", "/login?lang=en", nil)
	if _, page := v.do("GET", "/login", nil, "Accept-Language", "ja"); !strings.Contains(page, `<html lang="en"`) {
		t.Error("the language chosen is forgotten")
	}
	big := url.Values{"person": {strings.Repeat("x", 13<<20)}}
	if r, _ := v.do("POST", "/login", big); r.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a request of 13 MiB: %d, want 413", r.StatusCode)
	}
	if r, _ := v.do("POST", "/login", url.Values{"person": {"x"}}, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); r.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another site: %d, want 403", r.StatusCode)
	}
}
