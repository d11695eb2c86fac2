package events

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"kakusho/audit"
	"kakusho/bilingual"
	"kakusho/event/ocsf"
	"kakusho/web"
)

type oneData struct {
	row
	Others   []pair // what the source said beyond the common fields
	Raw      string
	OCSF     string
	Previous string
	Next     string
	Base     string
	Clock    bilingual.Text
	Level    string
}

type pair struct{ Name, Value string }

// ref reads which event an address means.
func ref(r *web.Request) (audit.Ref, error) {
	seq, err := strconv.ParseInt(r.PathValue("seq"), 10, 64)
	if err != nil || seq < 0 {
		return audit.Ref{}, web.ErrNotFound
	}
	return audit.Ref{Stream: r.PathValue("stream"), Seq: seq}, nil
}

// found reads the event of an address; that it was looked at is sealed.
func (p pages) found(r *web.Request) (audit.Found, audit.Look, error) {
	at, err := ref(r)
	if err != nil {
		return audit.Found{}, audit.Look{}, err
	}
	l, err := p.look(r, "#"+at.Stream+"/"+strconv.FormatInt(at.Seq, 10))
	if err != nil {
		return audit.Found{}, audit.Look{}, err
	}
	f, err := p.events.One(r.Context(), l, at)
	return f, l, missing(err)
}

func (p pages) one(r *web.Request) (web.Answer, error) {
	f, l, err := p.found(r)
	if err != nil {
		return web.Answer{}, err
	}
	d := oneData{row: rowOf(r, f), Clock: f.Event.Clock.Label(), Base: fmt.Sprintf("/event/%s/%d", url.PathEscape(f.Stream), f.Seq)}
	for name, v := range f.Event.Fields {
		d.Others = append(d.Others, pair{name, v})
	}
	slices.SortFunc(d.Others, func(a, b pair) int { return strings.Compare(a.Name, b.Name) })
	if len(f.Event.Raw) > 0 {
		d.Raw = strings.ToValidUTF8(string(f.Event.Raw), "�")
	}
	if f.Event.Level > 0 {
		d.Level = levels[min(int(f.Event.Level)-1, len(levels)-1)]
	}
	if len(f.Line) > 0 {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(ocsf.From(f.Event)); err != nil {
			return web.Answer{}, fmt.Errorf("write as OCSF: %w", err)
		}
		d.OCSF = b.String()
	}
	if f.Seq > 0 {
		d.Previous = fmt.Sprintf("/event/%s/%d", url.PathEscape(f.Stream), f.Seq-1)
	}
	for _, x := range p.events.Streams(l) {
		if x.Name == f.Stream && f.Seq+1 < x.Events {
			d.Next = fmt.Sprintf("/event/%s/%d", url.PathEscape(f.Stream), f.Seq+1)
		}
	}
	title := bilingual.Text{JA: fmt.Sprintf("証跡 %s 第%d号", f.Stream, f.Seq), EN: fmt.Sprintf("Event %s/%d", f.Stream, f.Seq)}
	return web.Answer{Page: "one", Title: title, Data: d}, nil
}

var levels = []string{"emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"}

func (p pages) proof(r *web.Request) (web.Answer, error) {
	f, l, err := p.found(r)
	if err != nil {
		return web.Answer{}, err
	}
	b, err := p.events.Proof(r.Context(), l, f.Ref)
	if err != nil {
		return web.Answer{}, fmt.Errorf("%w: %w", web.ErrState, err)
	}
	return download(fmt.Sprintf("event-%s-%d.tlog-proof", f.Stream, f.Seq), "text/plain; charset=utf-8", b), nil
}

// line is the event as it was sealed, byte for byte.
func (p pages) line(r *web.Request) (web.Answer, error) {
	f, _, err := p.found(r)
	if err != nil {
		return web.Answer{}, err
	}
	return download(fmt.Sprintf("event-%s-%d.json", f.Stream, f.Seq), "application/json", f.Line), nil
}

func (p pages) key(r *web.Request) (web.Answer, error) {
	l, err := p.look(r, "#"+r.PathValue("stream"))
	if err != nil {
		return web.Answer{}, err
	}
	for _, s := range p.events.Streams(l) {
		if s.Name == r.PathValue("stream") {
			return download("trail-"+s.Name+".pub", "text/plain; charset=utf-8", []byte(s.PublicKey+"\n")), nil
		}
	}
	return web.Answer{}, web.ErrNotFound
}

func download(name, mime string, b []byte) web.Answer {
	return web.Answer{Download: &web.Download{Name: name, Type: mime, Body: b}}
}
