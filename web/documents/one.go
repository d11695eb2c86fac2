package documents

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"time"

	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/report/document"
	"kakusho/web"
)

// Then opens the posture of another time; done is called after use.
type Then func(ctx context.Context, p calendar.Past, now time.Time) (then *posture.Posture, done func(), err error)

// mostShown is how many rows of a table a page shows; files hold them all.
const mostShown = 200

type oneData struct {
	document.Document
	Scope    document.Scope
	Content  *document.Content
	Head     [][2]string
	Figure   template.HTML
	Tables   []table
	Query    string
	Systems  []*posture.Subject
	Units    []*posture.Subject
	Versions []versionRow
	May      bool
	Version  string // as it was typed, or the next
	Faults   []kind.Fault
	Compared *compared
}

type table struct {
	Title bilingual.Text
	Heads []bilingual.Text
	Rows  [][]string
	More  int
}

type versionRow struct {
	version
	State State
	Then  string // address of its content
	Since string // address of the comparison
}

// compared is a version made again and held beside the content now.
type compared struct {
	version
	Same        bool // made again it has the digest that was registered
	Differences []document.Difference
}

func (p pages) one(r *web.Request) (web.Answer, error) {
	d, scope, err := p.asked(r)
	if err != nil {
		return web.Answer{}, err
	}
	if d.Over == document.OneSystem && scope == (document.Scope{}) {
		st, err := p.posture.Now(r.Context(), r.Permit, r.At)
		if err != nil {
			return web.Answer{}, err
		}
		return web.Answer{Page: "choose", Title: d.Title, Data: oneData{Document: d, Systems: st.Systems()}}, nil
	}
	c, st, err := p.content(r, d, scope)
	if err != nil {
		return web.Answer{}, err
	}
	return p.show(r, d, scope, c, st)
}

func (p pages) show(r *web.Request, d document.Document, scope document.Scope, c *document.Content, st *posture.Standing) (web.Answer, error) {
	q := url.Values{}
	for k, v := range map[string]string{"system": scope.System, "unit": scope.Unit} {
		if v != "" {
			q.Set(k, v)
		}
	}
	x := oneData{Document: d, Scope: scope, Content: c, Head: c.Head(r.Lang)[1:], Systems: st.Systems(), Units: st.OfKind("unit"),
		May: scope.System != "" && !c.Partial && may(r.Actor)}
	if len(q) > 0 {
		x.Query = "?" + q.Encode()
	}
	if c.Figure != nil {
		x.Figure = template.HTML(c.Figure.SVG()) // made by this program, its words escaped
	}
	for _, t := range c.Tables {
		y := table{Title: t.Title, More: max(0, len(t.Rows)-mostShown)}
		for _, f := range t.Fields {
			y.Heads = append(y.Heads, f.Label)
		}
		for _, row := range t.Rows[:min(len(t.Rows), mostShown)] {
			var cells []string
			for _, f := range t.Fields {
				cells = append(cells, t.Cell(row, f, r.Lang))
			}
			y.Rows = append(y.Rows, cells)
		}
		x.Tables = append(x.Tables, y)
	}
	if err := p.history(r, &x, st); err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Page: "one", Title: d.Title, Data: x}, nil
}

// history adds the registered versions, and the comparison with one that is asked for.
func (p pages) history(r *web.Request, x *oneData, st *posture.Standing) error {
	if x.Scope.System == "" {
		return nil
	}
	n := 1
	for _, v := range versions(st, x.Scope.System) {
		if v.Type != x.ID {
			continue
		}
		n++
		row := versionRow{version: v}
		if v.Status != "withdrawn" {
			row.State, _ = stands(v, x.Content, nil)
		}
		if !v.AsOf.IsZero() {
			row.Then = "/document/" + x.ID + "?" + url.Values{"system": {x.Scope.System}, "as_of": {v.AsOf.UTC().Format(time.RFC3339Nano)}, "known_at": {v.KnownAt.UTC().Format(time.RFC3339Nano)}}.Encode()
			row.Since = r.With("since", v.Ref.ID())
		}
		x.Versions = append(x.Versions, row)
	}
	if x.Version == "" {
		x.Version = fmt.Sprintf("第%d版", n)
	}
	since := r.URL.Query().Get("since")
	if since == "" {
		return nil
	}
	i := slices.IndexFunc(x.Versions, func(v versionRow) bool { return v.Ref.ID() == since && !v.AsOf.IsZero() })
	if i < 0 {
		return web.ErrNotFound
	}
	then, err := p.again(r, x.Document, x.Scope, x.Versions[i].version)
	if err != nil {
		return err
	}
	v := x.Versions[i].version
	x.Compared = &compared{version: v, Same: then.Digest == v.Digest, Differences: x.Content.Since(then, r.Lang)}
	return nil
}

// again makes the content of a version again, from what had been recorded then.
func (p pages) again(r *web.Request, d document.Document, s document.Scope, v version) (*document.Content, error) {
	then, done, err := p.then(r.Context(), calendar.Past{AsOf: v.AsOf, KnownAt: v.KnownAt}, r.At)
	if err != nil {
		return nil, err
	}
	defer done()
	st, err := then.Now(r.Context(), r.Permit, v.AsOf)
	if err != nil {
		return nil, err
	}
	c, err := d.Make(st, r.Actor, s)
	if errors.Is(err, document.ErrClosed) {
		return nil, gate.ErrRefused
	}
	return c, err
}
