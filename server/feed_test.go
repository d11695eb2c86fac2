package server_test

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"

	"kakusho/actor"
)

// calendar reads a feed as a calendar program does: without a login.
func (b *body) calendar(address string) (int, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.ctx, http.MethodGet, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// nowhere fails if a secret stands in any file of the installation.
func (b *body) nowhere(what, secret string) {
	b.t.Helper()
	err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(secret)) {
			b.t.Errorf("%s stands in %s", what, path)
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

var feedAddress = regexp.MustCompile(`<code id="feed">([^<]+)</code>`)

func TestACalendarReadsTheInboxByATokenThatCanBeRevoked(t *testing.T) {
	b := found(t)
	base := b.open()
	subscribe := func() string {
		t.Helper()
		status, page := b.ask(base, "s-maintainer-a", http.MethodPost, "/inbox/feed", url.Values{})
		m := feedAddress.FindSubmatch(page)
		if status != http.StatusOK || m == nil {
			t.Fatalf("subscribe: %d %.300s", status, page)
		}
		return string(m[1])
	}
	by := b.Now().Add(26 * time.Hour)
	b.put(actor.Program, "alert", values{"alert_no": "AL-1", "title": "不審なログイン, 多数; \\ と長い件名" + strings.Repeat("が続く", 40), "rule": "r", "level": "high", "system": "A", "count": int64(3),
		"first_at": b.Now(), "last_at": b.Now(), "raised_at": b.Now(), "deadline": by, "state": "open"})
	b.put(actor.Program, "account", values{"account_no": "AC-1", "system": "A", "name": "tanaka", "person": "s-staff", "use": "individual", "status": "active",
		"issued_on": "2026-04-01", "reviewed_on": "2026-05-20", "admin": false, "shared": false}) // until 2026-11-16
	address := subscribe()
	status, text := b.calendar(address)
	if status != http.StatusOK {
		t.Fatalf("the feed: %d %s", status, text)
	}
	for _, l := range strings.SplitAfter(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		if l = strings.TrimSuffix(l, "\r\n"); len(l) > 75 || strings.ContainsAny(l, "\r\n") {
			t.Errorf("a line of %d octets: %q", len(l), l)
		}
	}
	cal, err := ics.ParseCalendar(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]*ics.VEvent{}
	for _, e := range cal.Events() {
		got[e.GetProperty(ics.ComponentPropertyUrl).Value] = e
	}
	alert, account := got[base+"/alert/AL-1"], got[base+"/register/account/AC-1#f-reviewed_on"]
	if alert == nil || account == nil {
		t.Fatalf("the feed has %d events, not both: %s", len(got), text)
	}
	if summary := alert.GetProperty(ics.ComponentPropertySummary).Value; !strings.Contains(summary, `不審なログイン, 多数; \ と長い件名が続く`) {
		t.Errorf("the summary came back as %q", summary)
	}
	if at, err := alert.GetStartAt(); err != nil || !at.Equal(by) {
		t.Errorf("the alert is due at %s, %v", at, err)
	}
	if day := account.GetProperty(ics.ComponentPropertyDtStart).Value; day != "20261115" { // the last day on which the review holds
		t.Errorf("the review is due on %s", day)
	}
	token := strings.Split(strings.TrimPrefix(address, base+"/feed/"), "/")[0]
	b.nowhere("the token of a feed", token)
	for _, other := range []string{"/feed/" + token[1:] + "/inbox.ics", "/feed/x/inbox.ics"} {
		if status, _ := b.calendar(base + other); status != http.StatusNotFound {
			t.Errorf("%s: %d", other, status)
		}
	}
	second := subscribe()
	if status, _ := b.calendar(address); status != http.StatusNotFound {
		t.Errorf("the first address after the second was made: %d", status)
	}
	b.put(actor.Program, "assignment", values{"assignment_no": "AS-MAINTAINER-A", "post": "MAINTAINER-A", "person": "s-maintainer-a", "duty": "maintainer", "scope": "system/A",
		"from": "2026-04-01", "until": "2026-11-10"})
	b.set(time.Date(2026, 11, 9, 23, 59, 59, 0, japan))
	if status, _ := b.calendar(second); status != http.StatusOK {
		t.Errorf("the last second of his post: %d", status)
	}
	b.tick(time.Second)
	if status, _ := b.calendar(second); status != http.StatusNotFound {
		t.Errorf("after his post: %d", status)
	}
	b.set(time.Date(2026, 11, 9, 12, 0, 0, 0, japan))
	if status, _ := b.ask(base, "s-maintainer-a", http.MethodPost, "/inbox/feed/end", url.Values{}); status != http.StatusSeeOther {
		t.Errorf("revoke: %d", status)
	}
	if status, _ := b.calendar(second); status != http.StatusNotFound {
		t.Errorf("a revoked address: %d", status)
	}
}
