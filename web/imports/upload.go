package imports

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"strconv"
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

type uploadData struct {
	desk.Upload
	Kind    kind.Kind
	State   desk.State
	Plan    *exchange.Plan
	Columns []columnLine
	Fields  []kind.Field
	Choices []choiceLine
	Open    int // columns that nobody has matched yet
	Tabs    []tab
	Show    string
	Faults  []faultLine
	Rows    []rowLine
	Absent  []exchange.Absent
	Pager   web.Pager
	Ready   int
	May     bool
	Fault   string
	CSV     string
}

type columnLine struct {
	table.Head
	At    int
	Field string // chosen
	Why   string // name, guess, memory, none
}

type choiceLine struct {
	table.Foreign
	At int
}

type tab struct {
	Show, To string
	Label    bilingual.Text
	Count    int
	Bad      bool
}

type faultLine struct {
	Line         int
	Column, Text string
}

type rowLine struct {
	exchange.Planned
	Cells []cell
}

// upload finds the ledger of an address, or the import that it has become.
func (p pages) upload(r *web.Request) (up desk.Upload, done bool, err error) {
	if !r.Past.AsOf.IsZero() {
		return up, false, web.ErrNotFound // what lies on the desk lies there now
	}
	id := r.PathValue("id")
	if _, _, _, err := p.exchange.One(r.Context(), r.Permit, id, 1, 0); err == nil {
		return up, true, nil
	} else if !errors.Is(err, exchange.ErrNone) {
		return up, false, err
	}
	up, err = p.desk.Upload(r.Actor.Person, id, r.At)
	if errors.Is(err, desk.ErrGone) {
		err = web.ErrNotFound
	}
	return up, false, err
}

func (p pages) show(r *web.Request) (web.Answer, error) {
	up, done, err := p.upload(r)
	if err != nil {
		return web.Answer{}, err
	}
	if done {
		return web.Answer{Redirect: "/imports/" + r.PathValue("id") + "?done"}, nil
	}
	return p.tried(r, up, p.desk.Trial(r.Context(), p.exchange, r.Permit, up, waits), "")
}

// tried shows what came of the trial, or how far it is.
func (p pages) tried(r *web.Request, up desk.Upload, state desk.State, fault string) (web.Answer, error) {
	k, ok := p.exchange.Register().Kinds()[up.Kind]
	if !ok {
		return web.Answer{}, register.ErrNoKind
	}
	title := bilingual.Text{JA: k.Label.JA + "の取込み", EN: "Import: " + k.Label.EN}
	switch {
	case !state.Over:
		return web.Answer{Page: "working", Title: title, Status: http.StatusAccepted, Data: uploadData{Upload: up, Kind: k, State: state}}, nil
	case state.Err != nil:
		return web.Answer{}, state.Err
	case state.Plan == nil: // it has been applied just now
		return web.Answer{Redirect: "/imports/" + up.ID + "?done"}, nil
	}
	plan := state.Plan
	d := uploadData{Upload: up, Kind: k, Plan: plan, Fields: k.Layer(kind.Declared), May: exchange.May(k, r.Actor), Fault: fault, CSV: "/upload/" + up.ID + "?format=csv"}
	d.columns()
	if len(plan.Faults) == 0 {
		d.Ready = len(plan.Rows)
	}
	if r.URL.Query().Get("format") == "csv" {
		return faultsCSV(r, up, plan)
	}
	d.part(r)
	a := web.Answer{Page: "upload", Title: title, Data: d}
	if len(plan.Faults) > 0 || fault != "" {
		a.Status = http.StatusUnprocessableEntity
	}
	return a, nil
}

// columns tells what each column is, and why.
func (d *uploadData) columns() {
	for i, h := range d.Plan.Sheet.Heads {
		c := columnLine{Head: h, At: i, Field: h.Field, Why: "name"}
		name, mapped := d.Plan.Mapping.Columns[h.Key]
		guessed := false
		for _, key := range d.Plan.Guessed {
			guessed = guessed || key == h.Key
		}
		switch {
		case guessed:
			c.Field, c.Why = name, "guess"
		case mapped:
			c.Field, c.Why = name, "memory"
		case h.Field == "":
			c.Why = "none"
			d.Open++
		}
		d.Columns = append(d.Columns, c)
	}
	for i, f := range d.Plan.Sheet.Foreign {
		d.Choices = append(d.Choices, choiceLine{f, i})
	}
}

// part cuts out what the address asks to see.
func (d *uploadData) part(r *web.Request) {
	plan := d.Plan
	made, changed := make([]exchange.Planned, 0, plan.New), make([]exchange.Planned, 0, plan.Changed)
	for _, row := range plan.Rows {
		if row.New {
			made = append(made, row)
		} else {
			changed = append(changed, row)
		}
	}
	d.Tabs = []tab{
		{Show: "faults", Label: bilingual.Say("誤り", "Faults"), Count: len(plan.Faults) + plan.Unsaid, Bad: len(plan.Faults) > 0},
		{Show: "new", Label: bilingual.Say("新規", "New"), Count: plan.New},
		{Show: "changed", Label: bilingual.Say("変更", "Changed"), Count: plan.Changed},
		{Show: "same", Label: bilingual.Say("同一", "Unchanged"), Count: plan.Same},
		{Show: "absent", Label: bilingual.Say("ファイルにない登録", "Not in the file"), Count: len(plan.Absent)},
	}
	d.Show = r.URL.Query().Get("show")
	for i, t := range d.Tabs {
		d.Tabs[i].To = r.With("show", t.Show)
		if d.Show == "" && t.Count > 0 {
			d.Show = t.Show
		}
	}
	switch d.Show {
	case "faults":
		d.Pager = r.Pager(len(plan.Faults))
		for _, f := range web.Part(r, plan.Faults) {
			d.Faults = append(d.Faults, faultLine{f.Line, place(f), f.Message.In(r.Lang)})
		}
	case "absent":
		d.Pager, d.Absent = r.Pager(len(plan.Absent)), web.Part(r, plan.Absent)
	case "new":
		d.rows(r, made)
	case "changed":
		d.rows(r, changed)
	}
}

func (d *uploadData) rows(r *web.Request, all []exchange.Planned) {
	d.Pager = r.Pager(len(all))
	for _, row := range web.Part(r, all) {
		d.Rows = append(d.Rows, rowLine{row, cells(row.Cells, r.Lang)})
	}
}

// place is a fault's column as the spreadsheet has it.
func place(f table.Fault) string {
	if f.Column > 0 {
		return strings.TrimSpace(table.Letters(f.Column) + " " + f.Header)
	}
	return f.Header
}

func (p pages) act(r *web.Request) (web.Answer, error) {
	if _, err := r.Read(); err != nil {
		return web.Answer{}, err
	}
	up, done, err := p.upload(r)
	if err != nil {
		return web.Answer{}, err
	}
	here := "/upload/" + r.PathValue("id")
	switch do := r.PostFormValue("do"); {
	case done:
		return web.Answer{Redirect: here}, nil
	case do == "drop":
		return web.Answer{Redirect: "/register/" + up.Kind + "/import"}, p.desk.Drop(up)
	case do == "map":
		return p.match(r, up, here)
	case do == "apply":
		return p.apply(r, up, here)
	}
	return web.Answer{}, web.ErrBadRequest
}

// match takes what was chosen for columns and words, remembers it, and tries again.
func (p pages) match(r *web.Request, up desk.Upload, here string) (web.Answer, error) {
	state := p.desk.Trial(r.Context(), p.exchange, r.Permit, up, longest)
	if !state.Over || state.Plan == nil {
		return web.Answer{Redirect: here}, state.Err
	}
	m := table.Mapping{Columns: map[string]string{}, Values: map[string]map[string]string{}}
	for name, words := range state.Plan.Mapping.Values {
		m.Values[name] = map[string]string{}
		for word, to := range words {
			m.Values[name][word] = to
		}
	}
	for i, h := range state.Plan.Sheet.Heads {
		if to := r.PostFormValue("col." + strconv.Itoa(i)); to != "" && to != h.Field {
			m.Columns[h.Key] = to
		}
	}
	for i, f := range state.Plan.Sheet.Foreign {
		to := r.PostFormValue("word." + strconv.Itoa(i))
		if to == "" {
			continue
		}
		if m.Values[f.Field.Name] == nil {
			m.Values[f.Field.Name] = map[string]string{}
		}
		m.Values[f.Field.Name][table.Likeness(f.Text)] = strings.TrimPrefix(to, table.Leave)
	}
	if err := p.exchange.Remember(r.Context(), r.Actor, up.Kind, state.Plan.Sheet.Heads, m, r.At); err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Redirect: here}, p.desk.Map(up, m)
}

// longest is how long an act waits for a trial that was evicted to be made again.
const longest = 60 * time.Second

func (p pages) apply(r *web.Request, up desk.Upload, here string) (web.Answer, error) {
	expect := r.PostFormValue("digest")
	if expect == "" {
		return web.Answer{}, web.ErrBadRequest
	}
	state := p.desk.Apply(r.Context(), p.exchange, r.Actor, up, strings.TrimSpace(r.PostFormValue("note")), expect, r.At, waits)
	switch {
	case errors.Is(state.Err, exchange.ErrMeantime), errors.Is(state.Err, exchange.ErrFaults):
		again := p.desk.Trial(r.Context(), p.exchange, r.Permit, up, longest)
		return p.tried(r, up, again, bilingual.Say("試した後に台帳が変わったため、取り込んでいない。次のとおり試し直した。確かめてから取り込む。",
			"The register has changed since this was tried; nothing was imported. It has been tried again as follows.").In(r.Lang))
	case state.Err != nil && !errors.Is(state.Err, exchange.ErrTaken):
		return web.Answer{}, state.Err
	}
	return web.Answer{Redirect: here}, nil
}

// faultsCSV is the list of faults for who corrects the ledger.
func faultsCSV(r *web.Request, up desk.Upload, plan *exchange.Plan) (web.Answer, error) {
	rows := [][]string{{bilingual.Say("ファイル", "File").In(r.Lang), bilingual.Say("行", "Row").In(r.Lang), bilingual.Say("列", "Column").In(r.Lang), bilingual.Say("誤りと対処", "Fault and remedy").In(r.Lang)}}
	for _, f := range plan.Faults {
		rows = append(rows, []string{up.Name, strconv.Itoa(f.Line), place(f), f.Message.In(r.Lang)})
	}
	return sheet(fmt.Sprintf("faults-%s.csv", up.ID), rows)
}

func listCSV(r *web.Request, d listData) (web.Answer, error) {
	var rows [][]string
	head := []bilingual.Text{bilingual.Say("取込番号", "Import"), bilingual.Say("日時", "At"), bilingual.Say("実施者", "By"), bilingual.Say("役職", "Post"), bilingual.Say("台帳", "Register"),
		bilingual.Say("ファイル", "File"), bilingual.Say("SHA-256", "SHA-256"), bilingual.Say("新規", "New"), bilingual.Say("変更", "Changed"), bilingual.Say("同一", "Unchanged"),
		bilingual.Say("ファイルにない登録", "Not in the file"), bilingual.Say("備考", "Note"), bilingual.Say("取消日時", "Undone at"), bilingual.Say("取消者", "Undone by"), bilingual.Say("取消理由", "Reason")}
	var first []string
	for _, h := range head {
		first = append(first, h.In(r.Lang))
	}
	rows = append(rows, first)
	at := kind.Field{Type: kind.Time}
	for _, i := range d.Imports {
		undone := ""
		if i.Undone != "" {
			undone = at.Format(i.UndoneAt, r.Lang)
		}
		rows = append(rows, []string{i.ID, at.Format(i.At, r.Lang), i.By, i.Post, d.Labels[i.Kind].In(r.Lang), i.File, i.Digest,
			strconv.FormatInt(i.New, 10), strconv.FormatInt(i.Changed, 10), strconv.FormatInt(i.Same, 10), strconv.FormatInt(i.Apart, 10), i.Note,
			undone, i.Undone, i.UndoneNote})
	}
	return sheet("imports-"+r.At.Format("20060102")+".csv", rows)
}

// sheet is rows as a file that computes nothing.
func sheet(name string, rows [][]string) (web.Answer, error) {
	var buf bytes.Buffer
	buf.WriteString("\uFEFF")
	out := csv.NewWriter(&buf)
	out.UseCRLF = true
	for _, row := range rows {
		for i, s := range row {
			row[i] = web.Cell(s)
		}
		if err := out.Write(row); err != nil {
			return web.Answer{}, fmt.Errorf("write %s: %w", name, err)
		}
	}
	out.Flush()
	return web.Answer{Download: &web.Download{Name: name, Type: "text/csv; charset=utf-8", Body: buf.Bytes()}}, out.Error()
}
