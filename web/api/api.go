// Package api serves registers and verdicts to programs as JSON, under /api/v1.
//
// The schema is the kinds' own: GET /api/v1/kinds says which fields there are.
// Whoever asks is logged in as on the pages and has the same rights; every read
// and change passes the gate. Faults come back with status 422, field by field.
//
//	GET /api/v1/kinds
//	GET /api/v1/register/{kind}?q=&sort=&limit=&offset=
//	GET /api/v1/register/{kind}/{id}
//	PUT /api/v1/register/{kind}/{id}     {"rev": 0, "values": {…}}
//	GET /api/v1/procedures
//	PUT /api/v1/step/{step}/{kind}/{id}  {"rev": 0, "values": {…}, "note": "…", "files": [{"name": "…", "content": base64}]}
//	PUT /api/v1/decisions                {"type": "exception", "subject": "computer/…", "control": "…", "ground": "…", "recorded": {…}, "reason": "…", "until": "…"}
//	PUT /api/v1/decisions/{id}/approve
//	GET /api/v1/settings/{id}/prediction  what comes of a value put forward, and its digest: package web/decide
//	PUT /api/v1/settings/{id}/approve    {"seen": "…"}
//	GET /api/v1/verdicts?clause=&system=&kind=&control=&outcome=&q=
//	GET /api/v1/inbox?box=&what=&q=&system=&within=&sort=&from=  what the reader's posts have open: package web/inbox
//	GET /api/v1/what-if?key=&layer=&value=&…  a draft tried: package web/whatif
package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"kakusho/clause"
	"kakusho/fact"
	"kakusho/govern"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/procedure"
	"kakusho/register"
	"kakusho/verdict"
	"kakusho/web"
)

type doors struct {
	register *register.Register
	posture  *posture.Posture
	govern   *govern.Govern
}

// Mount adds the addresses to the site.
func Mount(site *web.Site, reg *register.Register, p *posture.Posture, g *govern.Govern) {
	d := doors{reg, p, g}
	site.Page(nil, "/api/v1/kinds", d.kinds)
	site.Page(nil, "/api/v1/register/{kind}", d.list)
	site.Page(nil, "/api/v1/register/{kind}/{id...}", d.entry)
	site.Put("/api/v1/register/{kind}/{id...}", d.put)
	site.Page(nil, "/api/v1/procedures", d.procedures)
	site.Put("/api/v1/step/{step}/{kind}/{id...}", d.step)
	site.Put("/api/v1/decisions", d.decide)
	site.Put("/api/v1/decisions/{id}/approve", d.approve)
	site.Page(nil, "/api/v1/verdicts", d.verdicts)
}

func (d doors) kinds(*web.Request) (web.Answer, error) {
	out := []kind.Kind{}
	for _, id := range d.register.Kinds().IDs() {
		out = append(out, d.register.Kinds()[id])
	}
	return web.Answer{JSON: out}, nil
}

// entry is one register entry as it travels: times RFC 3339, durations as text.
type entry struct {
	Ref       fact.Ref  `json:"ref"`
	Name      string    `json:"name"`
	Rev       int64     `json:"rev"`
	Values    any       `json:"values"`
	Retired   bool      `json:"retired,omitempty"`
	ChangedAt time.Time `json:"changed_at"`
	ChangedBy string    `json:"changed_by"`
	Hidden    []string  `json:"hidden,omitempty"` // fields the reader's duties do not open
}

func travelling(e register.Entry) entry {
	return entry{e.Ref, e.Name, e.Rev, fact.Canonical(e.Values), e.Retired, e.ChangedAt, e.ChangedBy, e.Hidden}
}

func (d doors) list(r *web.Request) (web.Answer, error) {
	q := r.URL.Query()
	limit, err := number(q.Get("limit"))
	if err != nil {
		return web.Answer{}, err
	}
	offset, err := number(q.Get("offset"))
	if err != nil {
		return web.Answer{}, err
	}
	page, err := d.register.List(r.Context(), r.Permit, register.Query{
		Kind: r.PathValue("kind"), Words: q.Get("q"), Sort: q.Get("sort"), Limit: limit, Offset: offset,
	})
	if err != nil {
		return web.Answer{}, err
	}
	out := struct {
		Total   int64   `json:"total"`
		Entries []entry `json:"entries"`
	}{page.Total, []entry{}}
	for _, e := range page.Entries {
		out.Entries = append(out.Entries, travelling(e))
	}
	return web.Answer{JSON: out}, nil
}

func number(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 1<<30 {
		return 0, fmt.Errorf("%w: %q is no count", web.ErrBadRequest, s)
	}
	return n, nil
}

func (d doors) entry(r *web.Request) (web.Answer, error) {
	e, err := d.register.Get(r.Context(), r.Permit, fact.NewRef(r.PathValue("kind"), r.PathValue("id")))
	if err != nil {
		return web.Answer{}, err
	}
	return web.Answer{JSON: travelling(e)}, nil
}

func (d doors) put(r *web.Request) (web.Answer, error) {
	k, ok := d.register.Kinds()[r.PathValue("kind")]
	if !ok {
		return web.Answer{}, register.ErrNoKind
	}
	body, err := read(r)
	if err != nil {
		return web.Answer{}, err
	}
	body.Values[k.Key] = r.PathValue("id")
	ref, err := d.register.Put(r.Context(), r.Actor, k.ID, body.Values, body.Rev, r.At)
	return answer(r, ref, body.Rev+1, err)
}

func (d doors) procedures(*web.Request) (web.Answer, error) {
	out := []procedure.Procedure{}
	for _, id := range d.register.Procedures().IDs() {
		out = append(out, d.register.Procedures()[id])
	}
	return web.Answer{JSON: out}, nil
}

// step takes a step of an entry's procedure; one that begins an entry gives it its id.
func (d doors) step(r *web.Request) (web.Answer, error) {
	k, ok := d.register.Kinds()[r.PathValue("kind")]
	if !ok {
		return web.Answer{}, register.ErrNoKind
	}
	body, err := read(r)
	if err != nil {
		return web.Answer{}, err
	}
	p, _ := d.register.Procedures().Of(k.ID)
	act := register.Act{Procedure: p.ID, Step: r.PathValue("step"), Ref: fact.NewRef(k.ID, r.PathValue("id")), Values: body.Values, Note: body.Note, Files: body.Files, Rev: body.Rev}
	if s, ok := p.Step(act.Step); ok && len(s.From) == 0 {
		act.Ref, act.Values[k.Key] = "", r.PathValue("id")
	}
	ref, err := d.register.Take(r.Context(), r.Actor, act, r.At)
	return answer(r, ref, body.Rev+1, err)
}

// change is the body of a request that changes an entry.
type change struct {
	Rev    int64             `json:"rev"`
	Values map[string]any    `json:"values"`
	Note   string            `json:"note"`
	Files  []register.Upload `json:"files"`
}

func read(r *web.Request) (change, error) {
	c := change{Values: map[string]any{}}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	dec.UseNumber()
	if err := dec.Decode(&c); err != nil {
		return c, fmt.Errorf("%w: %w", web.ErrBadRequest, err)
	}
	if c.Values == nil { // it said null
		c.Values = map[string]any{}
	}
	return c, nil
}

// answer says what became of a change: the entry's new revision, or its faults.
func answer(r *web.Request, ref fact.Ref, rev int64, err error) (web.Answer, error) {
	var faults register.Faults
	if !errors.As(err, &faults) {
		return web.Answer{JSON: map[string]any{"ref": ref, "rev": rev}}, err
	}
	return faulty(r, faults), nil
}

// line is a fault as it travels.
type line struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (d doors) verdicts(r *web.Request) (web.Answer, error) {
	st, err := d.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	q := r.URL.Query()
	vs := st.Verdicts(posture.Filter{
		Clause: clause.ID(q.Get("clause")), System: q.Get("system"), Kind: q.Get("kind"), Control: q.Get("control"),
		Outcome: verdict.Outcome(q.Get("outcome")), Words: q.Get("q"),
	})
	if vs == nil {
		vs = []verdict.Verdict{}
	}
	return web.Answer{JSON: map[string]any{"at": st.At, "verdicts": vs}}, nil
}
