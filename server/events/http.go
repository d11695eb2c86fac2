package events

import (
	"crypto/tls"
	"net"
	"net/http"
	"strings"

	"kakusho/door/lines"
	"kakusho/door/otlp"
	"kakusho/event"
)

// Handler puts the doors for events over HTTP before the pages. Whoever brings
// events there shows the token of a sender.
func (e *Events) Handler(pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/v1/events", lines.Handler(lines.Options{Sink: e.Ingest, Now: e.cfg.Now, Log: e.cfg.Log, Who: e.who("api")}))
	logs := otlp.Handler(e.otlp(nil))
	mux.Handle(otlp.Path, logs)
	mux.Handle(otlp.GRPCPath, logs)
	mux.Handle("/", pages)
	return mux
}

func (e *Events) otlp(c *tls.Config) otlp.Options {
	return otlp.Options{Sink: e.Ingest, Now: e.cfg.Now, Log: e.cfg.Log, Who: e.who("otlp"), TLS: c}
}

// who tells the sender of a request by the certificate he shows, or by his token;
// false: nobody we know.
func (e *Events) who(name string) func(*http.Request) (event.Origin, bool) {
	return func(r *http.Request) (event.Origin, bool) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		o := event.Origin{Door: name, Address: host}
		if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
			o.Name = r.TLS.VerifiedChains[0][0].Subject.CommonName
			return o, o.Name != ""
		}
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			return event.Origin{}, false
		}
		sender, err := e.parts.Identity.Sender(r.Context(), strings.TrimSpace(token))
		if err != nil {
			e.cfg.Log.Error("look for the sender of events", "error", err)
			return event.Origin{}, false
		}
		o.Name = sender
		return o, sender != ""
	}
}
