package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kakusho/calendar"
)

// TestAnAddressThatCannotBeReadShowsAndChangesNothing: what of it could be read would
// show another time, another directive or other rows than were asked for.
func TestAnAddressThatCannotBeReadShowsAndChangesNothing(t *testing.T) {
	s, err := New(Config{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Unix(1_800_000_000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	var reached []string
	s.Travel(func(context.Context, calendar.Past, time.Duration) (Opening, error) {
		reached = append(reached, "a past")
		return Opening{}, ErrNotFound
	})
	s.Books("here", func(string) (http.Handler, error) {
		reached = append(reached, "a directive")
		return nil, ErrNotFound
	})
	for _, pattern := range []string{"GET /x", "POST /x", "PUT /x", "GET /api/v1/x"} {
		s.Open(nil, pattern, func(*Request) (Answer, error) {
			reached = append(reached, pattern)
			return Answer{JSON: "shown"}, nil
		})
	}
	site := s.Handler()
	ask := func(method, address, language string) (int, string) {
		reached = nil
		r := httptest.NewRequest(method, address, nil)
		r.Header.Set("Accept-Language", language)
		w := httptest.NewRecorder()
		site.ServeHTTP(w, r)
		text, _ := io.ReadAll(w.Body)
		return w.Code, string(text)
	}
	words := map[string]string{"ja": "「?」より後を読み取れない", "en": "What follows the “?” of this address cannot be read"}
	for _, query := range []string{"as_of=2026-01-01%zz", "as_of=2026-01-01;x=1", "known_at=%", "rulebook=cjis%zz", "rulebook=cjis;", "q=a;b", "as_of%=2026-01-01"} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT"} {
			for language, want := range words {
				status, text := ask(method, "/x?"+query, language)
				if status != http.StatusBadRequest || !strings.Contains(text, want) || !strings.Contains(text, "<main") {
					t.Errorf("%s /x?%s in %s: %d %.300s", method, query, language, status, text)
				}
				if reached != nil {
					t.Errorf("%s /x?%s reached %v", method, query, reached)
				}
			}
		}
		if status, text := ask("GET", "/api/v1/x?"+query, "en"); status != http.StatusBadRequest || !strings.Contains(text, `"status":400`) || reached != nil {
			t.Errorf("a program asking %s got %d %s and reached %v", query, status, text, reached)
		}
	}
	for _, query := range []string{"", "as_of", "q=100%25", "q=a%3Bb", "&&", "q=%E8%A8%BC&q=+"} {
		if status, text := ask("POST", "/x?"+query, "en"); status != http.StatusOK || len(reached) != 1 {
			t.Errorf("POST /x?%s, which can be read: %d %s", query, status, text)
		}
	}
}
