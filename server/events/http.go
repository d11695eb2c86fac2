package events

import (
	"net"
	"net/http"
	"strings"

	"kakusho/door/lines"
	"kakusho/event"
)

// Handler puts the doors for events over HTTP before the pages. Whoever brings
// events there shows the token of a sender.
func (e *Events) Handler(pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/v1/events", lines.Handler(lines.Options{Sink: e.Ingest, Now: e.cfg.Now, Log: e.cfg.Log, Who: e.who("api")}))
	mux.Handle("/", pages)
	return mux
}

// who tells the sender of a request by its token; false: nobody we know.
func (e *Events) who(name string) func(*http.Request) (event.Origin, bool) {
	return func(r *http.Request) (event.Origin, bool) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			return event.Origin{}, false
		}
		sender, err := e.parts.Identity.Sender(r.Context(), strings.TrimSpace(token))
		if err != nil {
			e.cfg.Log.Error("look for the sender of events", "error", err)
			return event.Origin{}, false
		}
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		return event.Origin{Door: name, Address: host, Name: sender}, sender != ""
	}
}
