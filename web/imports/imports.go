// Package imports serves the way of a ledger into a register: brought, its columns
// matched, tried, applied, and undone.
package imports

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/kind"
	"kakusho/kind/table"
	"kakusho/register"
	"kakusho/register/desk"
	"kakusho/register/exchange"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

type pages struct {
	exchange *exchange.Exchange
	desk     *desk.Desk
}

// Mount adds the pages to the site. Ledgers lie on d.
func Mount(site *web.Site, x *exchange.Exchange, d *desk.Desk) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	p := pages{x, d}
	site.Page(tmpl, "/register/{kind}/import", p.form)
	site.Act(tmpl, "/register/{kind}/import", p.bring)
	site.Page(tmpl, "/upload/{id}", p.show)
	site.Act(tmpl, "/upload/{id}", p.act)
	site.Page(tmpl, "/imports", p.list)
	site.Page(tmpl, "/imports/{id}", p.one)
	site.Act(tmpl, "/imports/{id}/undo", p.undo)
	return nil
}

type formData struct {
	Kind   kind.Kind
	Fields []kind.Field
	Fault  string
	Empty  bool // a file that was to be tried had nothing in it
	Rows   string
	Mega   int
	Cols   int
}

func (p pages) kind(r *web.Request) (kind.Kind, error) {
	k, ok := p.exchange.Register().Kinds()[r.PathValue("kind")]
	if !ok {
		return kind.Kind{}, register.ErrNoKind
	}
	return k, nil
}

func (p pages) form(r *web.Request) (web.Answer, error) {
	k, err := p.kind(r)
	if err != nil {
		return web.Answer{}, err
	}
	return formOf(k, ""), nil
}

func formOf(k kind.Kind, fault string) web.Answer {
	a := web.Answer{Page: "form", Title: bilingual.Text{JA: k.Label.JA + "の取込み", EN: "Import: " + k.Label.EN},
		Data: formData{Kind: k, Fields: k.Layer(kind.Declared), Fault: fault, Mega: table.MaxFile >> 20, Cols: table.MaxColumns}}
	if fault != "" {
		a.Status = http.StatusUnprocessableEntity
	}
	return a
}

// bring lays a ledger on the desk. It is nobody's who may not enter such entries.
func (p pages) bring(r *web.Request) (web.Answer, error) {
	k, err := p.kind(r)
	if err != nil {
		return web.Answer{}, err
	}
	f, err := uploaded(r)
	if err != nil {
		return web.Answer{}, err
	}
	permit, err := r.Read()
	if err != nil {
		return web.Answer{}, err
	}
	if _, err := p.exchange.Register().Readable(permit, k.ID); err != nil {
		return web.Answer{}, err
	}
	switch {
	case strings.TrimSpace(string(f.Data[:min(len(f.Data), 64)])) == "" && len(f.Data) < 64:
		return formOf(k, bilingual.Say("ファイルを選ぶか、表を貼り付ける。", "Choose a file or paste a table.").In(r.Lang)), nil
	case len(f.Data) > table.MaxFile:
		return formOf(k, bilingual.Say(
			fmt.Sprintf("「%s」は大き過ぎる（上限%dMiB）。分割する。", f.Name, table.MaxFile>>20),
			fmt.Sprintf("%q is larger than %d MiB; split it", f.Name, table.MaxFile>>20)).In(r.Lang)), nil
	}
	up, err := p.desk.Lay(r.Actor.Person, k.ID, f, r.At)
	if errors.Is(err, desk.ErrFull) {
		return web.Answer{}, web.ErrBusy
	}
	if err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Redirect: "/upload/" + up.ID}, nil
}

// uploaded is the file, or what was pasted.
func uploaded(r *web.Request) (f exchange.File, err error) {
	if err := r.ParseMultipartForm(table.MaxFile + 1<<20); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return f, fmt.Errorf("%w: %w", web.ErrBadRequest, err)
	}
	file, head, err := r.FormFile("file")
	if err == nil {
		defer file.Close()
		data, err := io.ReadAll(file)
		if err != nil || len(data) > 0 {
			return exchange.File{Name: name(head.Filename), Data: data}, err
		}
	}
	return exchange.File{Name: bilingual.Say("貼付け", "pasted").In(r.Lang), Data: []byte(r.PostFormValue("paste"))}, nil
}

// name is what a file is called, without what steers a terminal or a page.
func name(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
			return -1
		}
		return c
	}, strings.ToValidUTF8(s, ""))
	if runes := []rune(s); len(runes) > 200 {
		s = string(runes[:200])
	}
	if s == "" {
		s = "-"
	}
	return s
}

type listData struct {
	Imports []exchange.Record
	Kinds   []kind.Kind
	Kind    string
	Pager   web.Pager
	Labels  map[string]bilingual.Text
}

func (p pages) list(r *web.Request) (web.Answer, error) {
	kinds := p.exchange.Register().Kinds()
	d := listData{Kind: r.URL.Query().Get("kind"), Labels: map[string]bilingual.Text{"": bilingual.Say("複数の台帳", "Several registers")}}
	if _, known := kinds[d.Kind]; !known {
		d.Kind = ""
	}
	for _, id := range kinds.IDs() {
		if _, err := p.exchange.Register().Readable(r.Permit, id); err == nil {
			d.Kinds = append(d.Kinds, kinds[id])
			d.Labels[id] = kinds[id].Label
		}
	}
	page, err := p.exchange.Imports(r.Context(), r.Permit, d.Kind, web.PageSize, r.Offset())
	if err != nil {
		return web.Answer{}, err
	}
	d.Imports, d.Pager = page.Imports, r.Pager(int(page.Total))
	if r.URL.Query().Get("format") == "csv" {
		return listCSV(r, d)
	}
	return web.Answer{Page: "list", Title: bilingual.Say("取込みの記録", "Imports"), Data: d}, nil
}

type oneData struct {
	exchange.Record
	Label bilingual.Text
	Lines []oneLine
	Pager web.Pager
	May   bool
	Fault string
	Since exchange.Since
	More  int
	Done  bool
	Lang  bilingual.Lang
	Total int64
}

type oneLine struct {
	exchange.Line
	Cells []cell
}

type cell struct {
	Label    bilingual.Text
	Old, New string
}

func cells(changes []exchange.Change, l bilingual.Lang) (out []cell) {
	for _, c := range changes {
		out = append(out, cell{c.Field.Label, c.Field.Format(c.Old, l), c.Field.Format(c.New, l)})
	}
	return out
}

func (p pages) one(r *web.Request) (web.Answer, error) { return p.oneWith(r, oneData{}) }

func (p pages) oneWith(r *web.Request, d oneData) (web.Answer, error) {
	im, lines, total, err := p.exchange.One(r.Context(), r.Permit, r.PathValue("id"), web.PageSize, r.Offset())
	if errors.Is(err, exchange.ErrNone) {
		return web.Answer{}, web.ErrNotFound
	}
	if err != nil {
		return web.Answer{}, err
	}
	d.Record, d.Pager, d.Lang, d.Total = im, r.Pager(int(total)), r.Lang, total
	d.Label, d.Done = bilingual.Say("複数の台帳", "Several registers"), r.URL.Query().Has("done")
	d.May = im.Undone == "" && im.Kind != ""
	if k, ok := p.exchange.Register().Kinds()[im.Kind]; ok {
		d.Label, d.May = k.Label, d.May && exchange.May(k, r.Actor)
	}
	for _, l := range lines {
		d.Lines = append(d.Lines, oneLine{l, cells(l.Changes, r.Lang)})
	}
	a := web.Answer{Page: "one", Title: bilingual.Say("取込み "+im.ID, "Import "+im.ID), Data: d}
	switch {
	case len(d.Since) > 0:
		a.Status = http.StatusConflict
	case d.Fault != "":
		a.Status = http.StatusUnprocessableEntity
	}
	return a, nil
}

const mostNamed = 200

func (p pages) undo(r *web.Request) (web.Answer, error) {
	id := r.PathValue("id")
	err := p.exchange.Undo(r.Context(), r.Actor, id, r.PostFormValue("note"), r.At)
	var since exchange.Since
	var wrong register.Faults
	d := oneData{}
	switch {
	case err == nil:
		return web.Answer{Redirect: "/imports/" + id}, nil
	case errors.Is(err, exchange.ErrNone):
		return web.Answer{}, web.ErrNotFound
	case errors.Is(err, exchange.ErrUndone):
		return web.Answer{}, web.ErrState
	case errors.As(err, &since):
		d.Since, d.More = since[:min(len(since), mostNamed)], max(0, len(since)-mostNamed)
	case errors.As(err, &wrong):
		d.Fault = bilingual.Say("理由を入力する。", "Give a reason.").In(r.Lang)
	default:
		return web.Answer{}, err
	}
	if _, err := r.Read(); err != nil {
		return web.Answer{}, err
	}
	return p.oneWith(r, d)
}

// waits is how long a page waits for work that is about to be over.
const waits = 800 * time.Millisecond
