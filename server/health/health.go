// Package health answers whether a server lives and whether it can work, to whoever
// asks and without a login: for load balancers, supervisors and kakusho doctor. It
// says a word per part and never a cause; causes are in the log.
package health

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Where it is asked.
const (
	Alive = "/healthz" // 200 "ok": the process answers
	Ready = "/readyz"  // 200 "ok", or 503 "not ok"; then a line per part, as "trail ok"
)

// Part is one thing that is looked at.
type Part struct {
	Name string
	// Look gives a word for what is wrong, or ""; it has two seconds.
	Look func(context.Context) string
	// Spare: what is wrong is said, but the server can work without it.
	Spare bool
}

// held is how long an answer is given again: whoever asks more often costs nothing.
const held = time.Second

// readiness is the last answer.
type readiness struct {
	parts []Part
	mu    sync.Mutex
	until time.Time
	ok    bool
	text  string
}

// Handler answers Alive and Ready; everything else goes to next.
func Handler(parts []Part, next http.Handler) http.Handler {
	ready := &readiness{parts: parts}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Alive, func(w http.ResponseWriter, _ *http.Request) { say(w, true, "ok\n") })
	mux.HandleFunc("GET "+Ready, func(w http.ResponseWriter, _ *http.Request) {
		ok, text := ready.look()
		say(w, ok, text)
	})
	mux.Handle("/", next)
	return mux
}

func say(w http.ResponseWriter, ok bool, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = fmt.Fprint(w, text) // who asked went away
}

// look looks at every part, or gives what was seen less than a second ago. It is not
// given up when the asker goes away: the next one wants it too.
func (r *readiness) look() (bool, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Now().Before(r.until) {
		return r.ok, r.text
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	ok := true
	var b strings.Builder
	for _, p := range r.parts {
		word := p.Look(ctx)
		ok = ok && (word == "" || p.Spare)
		if word == "" {
			word = "ok"
		}
		fmt.Fprintf(&b, "%s %s\n", p.Name, word)
	}
	head := "ok\n"
	if !ok {
		head = "not ok\n"
	}
	r.ok, r.text, r.until = ok, head+b.String(), time.Now().Add(held)
	return r.ok, r.text
}
