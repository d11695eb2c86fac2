package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"kakusho/verdict"
)

// TestAVerdictIsToldAtTheMachine asks as the command "control explain" does.
func TestAVerdictIsToldAtTheMachine(t *testing.T) {
	s := guarded(t)
	ask := func(query string) (int, verdict.Verdict) {
		w := httptest.NewRecorder()
		s.Control().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/verdict?"+query, nil))
		var v verdict.Verdict
		_ = json.NewDecoder(w.Body).Decode(&v)
		return w.Code, v
	}
	status, v := ask("subject=system/S1&control=governance/officers-in-post")
	if status != http.StatusOK || v.Control != "governance/officers-in-post" || v.Subject != "system/S1" || !v.Outcome.Valid() || len(v.Reasons) == 0 {
		t.Errorf("status %d: %+v", status, v)
	}
	for _, query := range []string{"subject=system/none&control=governance/officers-in-post", "subject=system/S1&control=no/such", "subject=system/S1&control=auth/password-length", ""} {
		if status, _ := ask(query); status != http.StatusBadRequest {
			t.Errorf("%q: status %d, want 400", query, status)
		}
	}
}
