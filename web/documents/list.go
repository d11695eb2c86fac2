package documents

import (
	"bytes"
	"encoding/csv"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/width"

	"kakusho/bilingual"
	"kakusho/gate"
	"kakusho/posture"
	"kakusho/report/document"
	"kakusho/web"
)

// row is a document, with its version when a system is chosen.
type row struct {
	document.Document
	State   State
	Version *version
	Open    bool // the reader may read it
	Rows    int
}

type listData struct {
	Words, System string
	State         State
	States        []State
	Systems       []*posture.Subject
	Rows          []row
	Due           []dueRow
	Query         string // of the scope, for links
	CSV           string
	Any           bool
}

// dueRow is a version of any system whose content is another now.
type dueRow struct {
	version
	Name bilingual.Text // of the document
}

func (p pages) list(r *web.Request) (web.Answer, error) {
	st, err := p.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	q := r.URL.Query()
	d := listData{Words: strings.TrimSpace(q.Get("q")), System: q.Get("system"), State: State(q.Get("state")), States: States, Systems: st.Systems(), CSV: r.With("format", "csv")}
	d.Any = d.Words != "" || d.System != "" || d.State != ""
	if d.System != "" {
		if _, ok := st.Named("system/" + d.System); !ok {
			return web.Answer{}, web.ErrNotFound
		}
		d.Query = "?system=" + url.QueryEscape(d.System)
	}
	if d.Rows, err = p.rows(r, st, d); err != nil {
		return web.Answer{}, err
	}
	if q.Get("format") == "csv" {
		return p.export(r, d)
	}
	if d.System == "" {
		if d.Due, err = p.due(r, st); err != nil {
			return web.Answer{}, err
		}
	}
	return web.Answer{Page: "list", Title: bilingual.Say("文書", "Documents"), Data: d}, nil
}

// plain makes letters of either width and case the same.
func plain(s string) string { return strings.ToLower(width.Fold.String(s)) }

func (p pages) rows(r *web.Request, st *posture.Standing, d listData) (out []row, err error) {
	mine := versions(st, d.System)
	for _, doc := range p.set {
		if d.System == "" && doc.Over == document.OneSystem || !strings.Contains(plain(doc.Title.JA+" "+doc.Title.EN), plain(d.Words)) {
			continue
		}
		c, err := doc.Make(st, r.Actor, document.Scope{System: d.System})
		if err != nil && !errors.Is(err, document.ErrClosed) {
			return nil, err
		}
		x := row{Document: doc, Open: err == nil}
		if err == nil {
			x.Rows = c.Rows()
		}
		if d.System != "" {
			if x.Version, x.State, err = latest(mine, doc, c, err); err != nil {
				return nil, err
			}
		}
		if d.State == "" || x.State == d.State {
			out = append(out, x)
		}
	}
	return out, nil
}

// latest is the version that stands for a document: the current one, else the draft. A
// draft beside a current one is said by the state of the draft's own page.
func latest(mine []version, doc document.Document, now *document.Content, made error) (*version, State, error) {
	of := slices.DeleteFunc(slices.Clone(mine), func(v version) bool { return v.Type != doc.ID || v.Status == "withdrawn" })
	i := slices.IndexFunc(of, func(v version) bool { return v.Status == "current" })
	if i < 0 {
		i = 0
	}
	if len(of) == 0 {
		if errors.Is(made, document.ErrClosed) {
			return nil, Closed, nil
		}
		return nil, Missing, nil
	}
	s, err := stands(of[i], now, made)
	return &of[i], s, err
}

// due are the current versions of every system whose content is another now.
func (p pages) due(r *web.Request, st *posture.Standing) (out []dueRow, err error) {
	for _, sys := range st.Systems() {
		for _, v := range versions(st, sys.Ref.ID()) {
			doc, ok := p.set.Find(v.Type)
			if !ok || v.Status != "current" || v.Digest == "" {
				continue
			}
			c, err := doc.Make(st, r.Actor, document.Scope{System: v.System})
			s, err := stands(v, c, err)
			if err != nil {
				return nil, err
			}
			if s == Due {
				out = append(out, dueRow{v, doc.Title})
			}
		}
	}
	return out, nil
}

func (p pages) export(r *web.Request, d listData) (web.Answer, error) {
	if _, err := p.gate.Ask(r.Context(), gate.Request{Actor: r.Actor, At: r.At, Action: gate.Export, Object: "documents", Scope: r.Actor.Everywhere(),
		Changes: []gate.Change{{Body: map[string]any{"what": r.URL.RawQuery, "rows": len(d.Rows)}}}}); err != nil {
		return web.Answer{}, err
	}
	var b bytes.Buffer
	b.WriteString("\uFEFF")
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	say := func(ja, en string) string { return bilingual.Say(ja, en).In(r.Lang) }
	lines := [][]string{{say("文書", "Document"), say("状態", "State"), say("版", "Version"), say("改訂日", "Revised on"), say("承認日", "Approved on"), say("行数", "Rows")}}
	for _, x := range d.Rows {
		line := []string{x.Title.In(r.Lang), x.State.Label().In(r.Lang), "", "", "", ""}
		if x.Open {
			line[5] = strconv.Itoa(x.Rows)
		}
		if v := x.Version; v != nil {
			line[2], line[3], line[4] = web.Cell(v.No), web.Day(v.Revised, bilingual.EN), web.Day(v.Approve, bilingual.EN)
		}
		lines = append(lines, line)
	}
	if err := w.WriteAll(lines); err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Download: &web.Download{Name: "documents-" + r.At.Format("20060102") + ".csv", Type: document.CSV.Type(), Body: b.Bytes()}}, nil
}
