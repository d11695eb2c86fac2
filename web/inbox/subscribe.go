package inbox

import (
	"net/http"

	"kakusho/bilingual"
	"kakusho/gate"
	"kakusho/web"
	"kakusho/web/inbox/feed"
)

// subscribe gives the reader the address of his feed, which is shown this once.
func (p pages) subscribe(r *web.Request) (web.Answer, error) {
	token, err := p.identity.AddFeed(r.Context(), r.Actor, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	if _, err := r.Read(); err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Page: "subscribed", Title: bilingual.Say("カレンダーの購読", "Calendar feed"), Data: r.Base() + "/feed/" + token + "/inbox.ics?lang=" + string(r.Lang)}, nil
}

func (p pages) unsubscribe(r *web.Request) (web.Answer, error) {
	return web.Answer{Redirect: "/inbox#feed"}, p.identity.EndFeed(r.Context(), r.Actor, r.At)
}

// feed is the inbox of who holds the token, for his calendar. The address is a secret:
// nothing here writes it anywhere.
func (p pages) feed(r *web.Request) (web.Answer, error) {
	if !r.Past.AsOf.IsZero() {
		return gone, nil
	}
	who, err := p.identity.Feed(r.Context(), r.PathValue("token"), web.Addr(r.Request), r.At)
	if err != nil {
		p.log.Error("open a feed", "error", err)
		return web.Answer{Status: http.StatusServiceUnavailable, JSON: map[string]int{"status": http.StatusServiceUnavailable}}, nil
	}
	places := who.Everywhere()
	if who.Nobody() || len(places) == 0 {
		return gone, nil
	}
	permit, err := p.gate.Ask(r.Context(), gate.Request{Actor: who, At: r.At, Action: gate.Read, Object: "page/inbox.ics", Scope: places})
	if err != nil {
		return gone, nil
	}
	box, err := p.Of(r.Context(), permit, r.At)
	if err != nil {
		p.log.Error("write a feed", "person", who.Person, "error", err)
		return web.Answer{Status: http.StatusServiceUnavailable, JSON: map[string]int{"status": http.StatusServiceUnavailable}}, nil
	}
	return web.Answer{Download: &web.Download{Name: "inbox.ics", Type: "text/calendar; charset=utf-8; method=PUBLISH", Body: feed.Write(box, r.Base(), r.Lang)}}, nil
}

// gone is the answer to a token that opens nothing, whatever the reason.
var gone = web.Answer{Status: http.StatusNotFound, JSON: map[string]int{"status": http.StatusNotFound}}
