package registers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"kakusho/bilingual"
	"kakusho/kind"
	"kakusho/kind/table"
	"kakusho/register"
	"kakusho/web"
)

type importData struct {
	Kind                      kind.Kind
	Fields                    []kind.Field
	Tried                     bool
	New, Changed, Same, Wrong int
	Ready                     int
	Faults                    []faultLine
	Rows                      []importRow
	More                      int
	Carry                     string
	Failed                    string
}

type faultLine struct {
	Line         int
	Column, Text string
}

type importRow struct {
	Line  int
	ID    string
	New   bool
	Cells []importCell
}

type importCell struct {
	Label    bilingual.Text
	Old, New string
}

func (p pages) importForm(r *web.Request) (web.Answer, error) {
	k, err := p.kind(r)
	if err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Page: "import", Title: importTitle(k), Data: importData{Kind: k, Fields: k.Layer(kind.Declared)}}, nil
}

func importTitle(k kind.Kind) bilingual.Text {
	return bilingual.Text{JA: k.Label.JA + "の取込み", EN: "Import: " + k.Label.EN}
}

// importRows tries a file, or applies what was tried. What was tried comes back
// with the form as text, so that nothing is kept on the server in between.
func (p pages) importRows(r *web.Request) (web.Answer, error) {
	k, err := p.kind(r)
	if err != nil {
		return web.Answer{}, err
	}
	content, name, err := uploaded(r)
	if err != nil {
		return web.Answer{}, err
	}
	if r.PostFormValue("apply") != "" {
		_, err := p.register.Import(r.Context(), r.Actor, k.ID, bytes.NewReader(content), name, r.At)
		if err == nil {
			return web.Answer{Redirect: "/register/" + k.ID}, nil
		}
		if !errors.Is(err, register.ErrFaults) {
			return web.Answer{}, err
		}
	}
	permit, err := r.Read()
	if err != nil {
		return web.Answer{}, err
	}
	plan, err := p.register.Plan(r.Context(), permit, k.ID, bytes.NewReader(content), name)
	if err != nil {
		return web.Answer{}, err
	}
	d := shown(k, plan, r.Lang)
	if d.Ready > 0 {
		var rows []map[string]any
		for _, row := range plan.Sheet.Rows {
			rows = append(rows, row.Values)
		}
		if d.Carry, err = carry(k, plan.Sheet, rows); err != nil {
			return web.Answer{}, err
		}
	}
	a := web.Answer{Page: "import", Title: importTitle(k), Data: d}
	if len(plan.Faults) > 0 {
		a.Status = http.StatusUnprocessableEntity
	}
	return a, nil
}

// carry is the tried rows as CSV with just the file's own columns.
func carry(k kind.Kind, sheet table.Sheet, rows []map[string]any) (string, error) {
	k.Fields = sheet.Fields
	var buf bytes.Buffer
	err := table.Write(&buf, table.CSV, k, bilingual.JA, rows, table.Options{Personal: true, NoMark: true})
	return buf.String(), err
}

// uploaded is the file, or what was pasted.
func uploaded(r *web.Request) (content []byte, name string, err error) {
	if err := r.ParseMultipartForm(11 << 20); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return nil, "", fmt.Errorf("%w: %w", web.ErrBadRequest, err)
	}
	f, head, err := r.FormFile("file")
	if err == nil {
		defer f.Close()
		if content, err = io.ReadAll(f); err != nil {
			return nil, "", err
		}
		if len(content) > 0 {
			return content, head.Filename, nil
		}
	}
	text := r.PostFormValue("paste")
	if strings.TrimSpace(text) == "" {
		return nil, "", web.ErrBadRequest
	}
	return []byte(text), "paste", nil
}

const mostShown = 200

func shown(k kind.Kind, plan register.Plan, l bilingual.Lang) importData {
	d := importData{Kind: k, Tried: true, New: plan.New, Changed: plan.Changed, Same: plan.Same, Wrong: plan.Wrong}
	if len(plan.Faults) == 0 {
		d.Ready = len(plan.Rows)
	} else if d.Wrong == 0 {
		d.Wrong = 1 // a fault of the file as a whole
	}
	for _, f := range plan.Faults[:min(mostShown, len(plan.Faults))] {
		d.Faults = append(d.Faults, faultLine{f.Line, f.Header, f.Message.In(l)})
	}
	for _, row := range plan.Rows[:min(mostShown, len(plan.Rows))] {
		out := importRow{Line: row.Line, ID: row.Ref.ID(), New: row.New}
		for _, c := range row.Cells {
			out.Cells = append(out.Cells, importCell{c.Field.Label, c.Field.Format(c.Old, l), c.Field.Format(c.New, l)})
		}
		d.Rows = append(d.Rows, out)
	}
	d.More = max(0, len(plan.Rows)-mostShown)
	return d
}

func (p pages) export(r *web.Request) (web.Answer, error) {
	k, err := p.kind(r)
	if err != nil {
		return web.Answer{}, err
	}
	format, mime := table.CSV, "text/csv; charset=utf-8"
	if r.URL.Query().Get("format") == "xlsx" {
		format, mime = table.XLSX, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	}
	form := r.URL.Query().Get("template") != ""
	b, err := p.register.Export(r.Context(), r.Actor, query(r, k), format, r.Lang, form, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Download: &web.Download{Name: k.ID + "-" + r.At.Format("20060102") + "." + string(format), Type: mime, Body: b}}, nil
}
