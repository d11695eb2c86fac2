// Package rounds serves inspection rounds of areas, made for a phone: what should be
// in the area, a record of each thing with a photo, what was found besides, and labels
// with QR codes that lead back to it. What cannot be sent waits in the browser; a record
// carries a number, so that one that arrives twice is taken once.
package rounds

import (
	"embed"
	"errors"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/register"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

// The registers these pages show.
const (
	roundKind = "round"
	lineKind  = "round-line"
)

// Draw is the QR code of a text as an SVG; title is read out in its place.
type Draw func(text, title string) ([]byte, error)

type pages struct {
	register *register.Register
	draw     Draw
}

// Mount adds the pages to the site.
func Mount(site *web.Site, reg *register.Register, draw Draw) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	p := pages{reg, draw}
	site.Page(tmpl, "/rounds", p.list)
	site.Page(tmpl, "/round/{id...}", p.one)
	site.Act(tmpl, "/round/{id...}", p.act)
	site.Page(tmpl, "/labels/{id...}", p.labels)
	site.Page(tmpl, "/label/{kind}/{id...}", p.label)
	return nil
}

// text is a value of an entry that is text, or nothing.
func text(e register.Entry, name string) string { s, _ := e.Values[name].(string); return s }

type row struct {
	ID, Title, Zone string
	Until           time.Time
	State           bilingual.Text
}

func (p pages) list(r *web.Request) (web.Answer, error) {
	page, err := p.register.List(r.Context(), r.Permit, register.Query{Kind: roundKind, Sort: "-planned_until", Limit: web.PageSize, Offset: r.Offset()})
	if err != nil {
		return web.Answer{}, err
	}
	d := struct {
		Rows  []row
		Pager web.Pager
	}{Pager: r.Pager(int(page.Total))}
	for _, e := range page.Entries {
		until, _ := e.Values["planned_until"].(time.Time)
		d.Rows = append(d.Rows, row{e.Ref.ID(), text(e, "title"), text(e, "zone"), until, p.register.Kinds().Choice(roundKind, "status", text(e, "status"))})
	}
	return web.Answer{Page: "list", Title: bilingual.Say("実地点検", "Inspection rounds"), Data: d}, nil
}

// thing is something that should be in an area, and what was recorded of it.
type thing struct {
	Ref          fact.Ref
	Name, No     string
	Kind, Result bilingual.Text
	Remark       string
	Extra        bool
	QR           template.HTML
}

// things are what registers place in an area, kind by kind.
func (p pages) things(r *web.Request, zone string) (out []thing, err error) {
	kinds := p.register.Kinds()
	var placed []string
	for id, k := range kinds {
		if f, ok := k.Field("zone"); ok && f.To == "zone" && id != roundKind && id != lineKind {
			placed = append(placed, id)
		}
	}
	slices.Sort(placed)
	for _, id := range placed {
		entries, err := p.register.All(r.Context(), r.Permit, register.Query{Kind: id, Equal: map[string]string{"zone": zone}})
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if status := text(e, "status"); status != "disposed" && status != "lost" && status != "retired" {
				out = append(out, thing{Ref: e.Ref, Name: e.Name, Kind: kinds[id].Label})
			}
		}
	}
	return out, nil
}

// walked are the things of a round, with what was recorded of them.
func (p pages) walked(r *web.Request, e register.Entry) ([]thing, error) {
	things, err := p.things(r, text(e, "zone"))
	if err != nil {
		return nil, err
	}
	lines, err := p.register.All(r.Context(), r.Permit, register.Query{Kind: lineKind, Equal: map[string]string{"round": e.Ref.ID()}})
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		i := slices.IndexFunc(things, func(t thing) bool { return string(t.Ref) == text(l, "subject") })
		if i < 0 { // not registered, or it was moved since
			i, things = len(things), append(things, thing{Name: text(l, "title"), Extra: true})
		}
		things[i].No, things[i].Remark, things[i].Result = l.Ref.ID(), text(l, "remark"), p.register.Kinds().Choice(lineKind, "result", text(l, "result"))
	}
	return things, nil
}

type roundData struct {
	row
	Status             string
	Inspector, Witness string
	Mine               bool // the reader may record
	Offers             []register.Offer
	Rev                int64
	Things             []thing
	Done               int
	Results            []kind.Choice
	Faults             []string
}

func (p pages) one(r *web.Request) (web.Answer, error) { return p.page(r, nil) }

func (p pages) page(r *web.Request, faults []string) (web.Answer, error) {
	e, err := p.register.Get(r.Context(), r.Permit, fact.NewRef(roundKind, r.PathValue("id")))
	if err != nil {
		return web.Answer{}, err
	}
	until, _ := e.Values["planned_until"].(time.Time)
	d := roundData{row: row{e.Ref.ID(), text(e, "title"), text(e, "zone"), until, p.register.Kinds().Choice(roundKind, "status", text(e, "status"))},
		Status: text(e, "status"), Inspector: text(e, "inspector"), Witness: text(e, "witness"), Rev: e.Rev, Faults: faults}
	d.Mine = d.Status == "walking" && d.Inspector == string(r.Actor.Person)
	f, _ := p.register.Kinds()[lineKind].Field("result")
	d.Results = slices.DeleteFunc(slices.Clone(f.Choices), func(c kind.Choice) bool { return c.Value == "unregistered" })
	if d.Things, err = p.walked(r, e); err != nil {
		return web.Answer{}, err
	}
	for _, t := range d.Things {
		if t.No != "" {
			d.Done++
		}
	}
	course, err := p.register.Course(r.Context(), r.Permit, e.Ref, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	for _, o := range course.Offers {
		if o.May && (o.ID == "start" || o.ID == "confirm") {
			d.Offers = append(d.Offers, o)
		}
	}
	a := web.Answer{Page: "one", Title: bilingual.Say("実地点検 "+d.Title, "Inspection round "+d.Title), Data: d}
	if len(faults) > 0 {
		a.Status = http.StatusUnprocessableEntity
	}
	return a, nil
}

// improve is how long there is to settle a difference, unless the finding's procedure
// says otherwise later.
const improve = 30 * 24 * time.Hour

// act takes a step of the round, or records a line of it.
func (p pages) act(r *web.Request) (web.Answer, error) {
	if err := r.ParseMultipartForm(1 << 20); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return web.Answer{}, errors.Join(web.ErrBadRequest, err)
	}
	if _, err := r.Read(); err != nil {
		return web.Answer{}, err
	}
	e, err := p.register.Get(r.Context(), r.Permit, fact.NewRef(roundKind, r.PathValue("id")))
	if err != nil {
		return web.Answer{}, err
	}
	known := false
	act := register.Act{Procedure: roundKind, Step: r.PostForm.Get("do"), Ref: e.Ref, Rev: e.Rev}
	switch act.Step {
	case "start":
	case "confirm":
		err = p.complete(r, e)
	case "line":
		act, known, err = p.record(r, e)
	default:
		err = web.ErrBadRequest
	}
	if err == nil && !known {
		_, err = p.register.Take(r.Context(), r.Actor, act, r.At)
	}
	var wrong register.Faults
	switch {
	case errors.As(err, &wrong):
		var faults []string
		for _, f := range wrong {
			faults = append(faults, f.Text().In(r.Lang))
		}
		if r.Header.Get("Accept") == "application/json" {
			return web.Answer{Status: http.StatusUnprocessableEntity, JSON: map[string]any{"faults": faults}}, nil
		}
		return p.page(r, faults)
	case err != nil:
		return web.Answer{}, err
	}
	return p.taken(r, e), nil
}

// complete refuses a round of which something was not looked at.
func (p pages) complete(r *web.Request, e register.Entry) error {
	things, err := p.walked(r, e)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(things, func(t thing) bool { return t.No == "" }); i >= 0 {
		return fault("未記録のものがある。全てを記録した後に確認する。："+things[i].Name, "Not everything is recorded yet: "+things[i].Name)
	}
	return nil
}

func fault(ja, en string) error {
	return register.Faults{kind.Fault{Field: "subject", Label: bilingual.Say("対象", "Subject"), Message: bilingual.Say(ja, en)}}
}

// taken says that it was taken, to the script or by showing the round.
func (p pages) taken(r *web.Request, e register.Entry) web.Answer {
	if r.Header.Get("Accept") == "application/json" {
		return web.Answer{JSON: map[string]any{"taken": r.PostForm.Get("sent")}}
	}
	return web.Answer{Redirect: "/round/" + e.Ref.ID()}
}

// record is the step that records a line, and whether the same sending was taken before.
func (p pages) record(r *web.Request, e register.Entry) (act register.Act, known bool, err error) {
	subject, result, sent := r.PostForm.Get("subject"), r.PostForm.Get("result"), r.PostForm.Get("sent")
	if sent == "" || strings.ContainsAny(sent, "/ ") || subject == "" && result != "unregistered" {
		return act, false, web.ErrBadRequest
	}
	v := map[string]any{"round": e.Ref.ID(), "zone": text(e, "zone"), "unit": text(e, "unit"), "sent": sent, "title": strings.TrimSpace(r.PostForm.Get("title"))}
	no := e.Ref.ID() + "/extra/" + sent
	if subject != "" {
		things, err := p.things(r, text(e, "zone"))
		if err != nil {
			return act, false, err
		}
		if !slices.ContainsFunc(things, func(t thing) bool { return string(t.Ref) == subject }) {
			return act, false, fault("この区域にあるべきものとして登録されていない。", "It is not registered as being in this area.")
		}
		no, v["subject"] = e.Ref.ID()+"/"+subject, subject
	}
	v["line_no"] = no
	if remark := strings.TrimSpace(r.PostForm.Get("remark")); remark != "" {
		v["remark"] = remark
	}
	act = register.Act{Procedure: lineKind, Step: "record", Values: v}
	if result != "found" {
		act.Step, v["result"] = "record-difference", result
		v["due_on"] = kind.Field{Type: kind.Date}.Format(r.At.Add(improve), "")
	}
	switch old, err := p.register.Get(r.Context(), r.Permit, fact.NewRef(lineKind, no)); {
	case err == nil && text(old, "sent") == sent && text(old, "title") == v["title"] && text(old, "result") == result && old.Values["remark"] == v["remark"]:
		return act, true, nil
	case err == nil:
		return act, false, register.ErrConflict // another device recorded it
	case !errors.Is(err, register.ErrNoEntry):
		return act, false, err
	}
	if r.MultipartForm == nil {
		return act, false, nil
	}
	for _, h := range r.MultipartForm.File["photo"] {
		f, err := h.Open()
		if err != nil {
			return act, false, err
		}
		content, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return act, false, err
		}
		if h.Filename != "" && len(content) > 0 {
			act.Files = append(act.Files, register.Upload{Name: h.Filename, Content: content})
		}
	}
	return act, false, nil
}

// labels are a sheet of labels of what should be in an area.
func (p pages) labels(r *web.Request) (web.Answer, error) {
	zone, err := p.register.Get(r.Context(), r.Permit, fact.NewRef("zone", r.PathValue("id")))
	if err != nil {
		return web.Answer{}, err
	}
	things, err := p.things(r, zone.Ref.ID())
	if err != nil {
		return web.Answer{}, err
	}
	for i, t := range things {
		svg, err := p.draw(r.Base()+"/label/"+string(t.Ref), string(t.Ref))
		if err != nil {
			return web.Answer{}, err
		}
		things[i].QR = template.HTML(svg) // drawn by us, its title escaped
	}
	return web.Answer{Page: "labels", Title: bilingual.Say("ラベル "+zone.Name, "Labels of "+zone.Name), Data: things}, nil
}

// label leads from a label to the line of a round that is being walked there, or to the
// thing's own page.
func (p pages) label(r *web.Request) (web.Answer, error) {
	e, err := p.register.Get(r.Context(), r.Permit, fact.NewRef(r.PathValue("kind"), r.PathValue("id")))
	if err != nil {
		return web.Answer{}, err
	}
	if zone := text(e, "zone"); zone != "" {
		rounds, err := p.register.All(r.Context(), r.Permit, register.Query{Kind: roundKind, Equal: map[string]string{"zone": zone, "status": "walking"}})
		if err != nil {
			return web.Answer{}, err
		}
		if len(rounds) > 0 {
			return web.Answer{Redirect: "/round/" + rounds[0].Ref.ID() + "#" + string(e.Ref)}, nil
		}
	}
	return web.Answer{Redirect: "/register/" + string(e.Ref)}, nil
}
