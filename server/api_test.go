package server_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"kakusho/actor"
)

// TestProgramsReadAndChangeRegisters goes through the addresses for programs as a
// system's officer: what he may, what he may not, and what does not fit.
func TestProgramsReadAndChangeRegisters(t *testing.T) {
	s := guarded(t)
	duty := map[string]any{"assignment_no": "A1", "post": "F", "person": "P1", "duty": "system-officer", "scope": "system/S1", "from": "2026-04-01"}
	if _, err := s.Register.Put(t.Context(), actor.Program, "assignment", duty, 0, guardedAt); err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(enrolled(t, s), guardedAt.Add(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	session, err := s.Identity.Login(t.Context(), "P1", guardedPassword, code, "127.0.0.1", guardedAt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	base, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- s.Run(ctx, func(b, _ string) { base <- b }) }()
	at := <-base
	call := func(session, method, path, body string) (int, map[string]any) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, at+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: "kakusho", Value: session})
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]any{}
		_ = json.Unmarshal(b, &out) // a list or a page has no fields to look at
		return answer.StatusCode, out
	}
	pc := `{"rev": 0, "values": {"role": "terminal", "system": "S1", "status": "in-service"}}`
	for _, c := range []struct {
		name, session, method, path, body string
		want                              int
	}{
		{"nobody reads", "", "GET", "/api/v1/register/computer", "", http.StatusSeeOther},
		{"nobody changes", "", "PUT", "/api/v1/register/computer/PC-1", pc, http.StatusUnauthorized},
		{"the schema", session, "GET", "/api/v1/kinds", "", http.StatusOK},
		{"a new entry of his system", session, "PUT", "/api/v1/register/computer/PC-1", pc, http.StatusOK},
		{"the same again without its revision", session, "PUT", "/api/v1/register/computer/PC-1", pc, http.StatusConflict},
		{"its entry", session, "GET", "/api/v1/register/computer/PC-1", "", http.StatusOK},
		{"an entry that is not there", session, "GET", "/api/v1/register/computer/PC-9", "", http.StatusNotFound},
		{"a register that is not there", session, "GET", "/api/v1/register/spaceship", "", http.StatusNotFound},
		{"a value that does not fit", session, "PUT", "/api/v1/register/computer/PC-2", `{"rev": 0, "values": {"role": "toaster"}}`, http.StatusUnprocessableEntity},
		{"a field nobody knows", session, "PUT", "/api/v1/register/computer/PC-2", `{"revision": 0}`, http.StatusBadRequest},
		{"a broken body", session, "PUT", "/api/v1/register/computer/PC-2", `{`, http.StatusBadRequest},
		{"a register that is not his", session, "PUT", "/api/v1/register/person/P2", `{"rev": 0, "values": {"name": "x", "employment": "staff", "status": "active"}}`, http.StatusForbidden},
		{"verdicts", session, "GET", "/api/v1/verdicts?system=S1", "", http.StatusOK},
	} {
		if got, body := call(c.session, c.method, c.path, c.body); got != c.want {
			t.Errorf("%s: got %d %v, want %d", c.name, got, body, c.want)
		}
	}
	_, list := call(session, "GET", "/api/v1/register/computer?q=PC-1", "")
	if list["total"] != 1.0 {
		t.Errorf("the list holds %v entries, want the one put", list["total"])
	}
	_, faults := call(session, "PUT", "/api/v1/register/computer/PC-2", `{"rev": 0, "values": {"role": "toaster"}}`)
	if lines, ok := faults["faults"].([]any); !ok || len(lines) == 0 {
		t.Errorf("a value that does not fit is not named: %v", faults)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
