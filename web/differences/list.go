package differences

import (
	"encoding/csv"
	"slices"
	"strconv"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/posture"
	"kakusho/posture/differ"
	"kakusho/verdict"
	"kakusho/web"
)

type row struct {
	differ.Difference
	Label   bilingual.Text // of the register
	Control bilingual.Text
	By      string // the control
	Ways    []way
	Value   string // that would be set, as shown
}

// count is a line of numbers by side.
type count struct {
	Name  string
	Link  string
	Sides []number
	Open  bool // selected
}

type number struct {
	N       int
	Link    string
	Current bool
}

type option struct {
	Value, Label string
	Chosen       bool
}

type column struct {
	Name   string // to sort by; empty: not
	Label  bilingual.Text
	Link   string
	Sorted string // ascending, descending
}

type listData struct {
	asked
	Sides     []differ.Side
	Registers []count
	Places    []count
	More      int // places not shown
	Columns   []column
	Rows      []row
	Pager     web.Pager
	Options   []option // registers
	Systems   []option
	Units     []option
	SideList  []option
	Closed    []bilingual.Text
	CSV       string
	Any       bool
	Here      string // the question of this address, to come back to
}

func (s pages) list(r *web.Request) (web.Answer, error) {
	a := read(r)
	st, all, selected, err := s.found(r, a)
	if err != nil {
		return web.Answer{}, err
	}
	if r.URL.Query().Get("format") == "csv" {
		return s.export(r, selected)
	}
	d := listData{asked: a, Sides: differ.Sides, Pager: r.Pager(len(selected)), CSV: r.With("format", "csv"), Here: strings.TrimPrefix(r.With("lang", ""), "?"), Columns: columns(r, a.Sort),
		Any: a.Register != "" || a.Side != "" || a.Words != "" || a.System != "" || a.Unit != ""}
	for _, x := range web.Part(r, selected) {
		d.Rows = append(d.Rows, s.row(r, x))
	}
	for _, id := range all.Closed {
		d.Closed = append(d.Closed, s.label(id))
	}
	s.registers(r, &d, all.All)
	s.places(r, &d, st, all.All)
	s.options(r, &d, st)
	return web.Answer{Page: "list", Title: bilingual.Say("台帳と実態の相違", "Differences between registers and reality"), Data: d}, nil
}

func (s pages) row(r *web.Request, d differ.Difference) row {
	x := row{Difference: d, Label: s.label(d.Register), By: d.Control, Control: s.control(d.Control), Ways: s.ways(r, d)}
	if f, ok := s.field(d); ok {
		x.Value = value(f.Format(d.Mend.Value, bilingual.EN), d)
	}
	return x
}

// value is what would be set in words that a form brings back.
func value(text string, d differ.Difference) string {
	if t, ok := d.Mend.Value.(string); ok {
		return t
	}
	return text
}

func columns(r *web.Request, by string) []column {
	list := []column{
		{"kind", bilingual.Say("相違／台帳", "Difference / register"), "", ""}, {"subject", bilingual.Say("対象", "Subject"), "", ""},
		{"what", bilingual.Say("内容", "What"), "", ""}, {"", bilingual.Say("登録", "Registered"), "", ""}, {"", bilingual.Say("収集", "Observed"), "", ""},
		{"since", bilingual.Say("いつから／収集", "Since / seen"), "", ""}, {"verdict", bilingual.Say("判定", "Verdict"), "", ""}, {"", bilingual.Say("対応", "What to do"), "", ""},
	}
	for i := range list {
		c := &list[i]
		switch c.Name {
		case "":
		case by:
			c.Sorted, c.Link = "ascending", r.With("sort", "-"+c.Name)
		case strings.TrimPrefix(by, "-"):
			c.Sorted, c.Link = "descending", r.With("sort", "")
		default:
			c.Link = r.With("sort", c.Name)
		}
	}
	return list
}

// registers counts by register and side.
func (s pages) registers(r *web.Request, d *listData, all []differ.Difference) {
	n := map[string]map[differ.Side]int{}
	for _, x := range all {
		if n[x.Register] == nil {
			n[x.Register] = map[differ.Side]int{}
		}
		n[x.Register][x.Side]++
	}
	for _, id := range differ.Registers {
		if n[id] == nil {
			continue
		}
		c := count{Name: s.label(id).In(r.Lang), Link: choose(r, map[string]string{"kind": id}, d.Register == id && d.Side == ""), Open: d.Register == id}
		for _, side := range differ.Sides {
			current := d.Register == id && d.Side == side
			c.Sides = append(c.Sides, number{n[id][side], choose(r, map[string]string{"kind": id, "side": string(side)}, current), current})
		}
		d.Registers = append(d.Registers, c)
	}
}

// choose is the address of this page with things chosen, or with none of them when
// they are.
func choose(r *web.Request, values map[string]string, chosen bool) string {
	q := r.URL.Query()
	for _, name := range []string{"from", "lang", "format"} {
		q.Del(name)
	}
	for _, name := range []string{"kind", "side", "system"} {
		if v, ok := values[name]; ok && !chosen {
			q.Set(name, v)
		} else if ok || name == "side" && values["kind"] != "" {
			q.Del(name)
		}
	}
	return "?" + q.Encode()
}

// mostPlaces is how many systems are counted one by one.
const mostPlaces = 12

// places counts by system and side, those with most differences first.
func (s pages) places(r *web.Request, d *listData, st *posture.Standing, all []differ.Difference) {
	n := map[string]map[differ.Side]int{}
	sum := map[string]int{}
	var ids []string
	for _, x := range all {
		if n[x.System] == nil {
			n[x.System] = map[differ.Side]int{}
			ids = append(ids, x.System)
		}
		n[x.System][x.Side]++
		if x.Side != differ.Unconfirmed {
			sum[x.System]++
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		if sum[a] != sum[b] {
			return sum[b] - sum[a]
		}
		return strings.Compare(a, b)
	})
	d.More = max(0, len(ids)-mostPlaces)
	for _, id := range ids[:min(mostPlaces, len(ids))] {
		c := count{Name: bilingual.Say("組織・共通", "Organisation").In(r.Lang)}
		if sys, ok := st.Subject(fact.NewRef("system", id)); ok {
			c.Name, c.Open = sys.Name, d.System == id
			c.Link = choose(r, map[string]string{"system": id}, c.Open)
		}
		for _, side := range differ.Sides {
			x := number{N: n[id][side], Current: c.Open && d.Side == side}
			if c.Link != "" {
				x.Link = choose(r, map[string]string{"system": id, "side": string(side)}, x.Current)
			}
			c.Sides = append(c.Sides, x)
		}
		d.Places = append(d.Places, c)
	}
}

// mostUnits is how many units are offered to choose from.
const mostUnits = 500

func (s pages) options(r *web.Request, d *listData, st *posture.Standing) {
	for _, id := range differ.Registers {
		d.Options = append(d.Options, option{id, s.label(id).In(r.Lang), id == d.Register})
	}
	for _, side := range differ.Sides {
		d.SideList = append(d.SideList, option{string(side), side.Label().In(r.Lang), side == d.Side})
	}
	for _, sys := range st.Systems() {
		d.Systems = append(d.Systems, option{sys.Ref.ID(), sys.Name, sys.Ref.ID() == d.System})
	}
	units := st.OfKind("unit")
	for _, u := range units[:min(mostUnits, len(units))] {
		d.Units = append(d.Units, option{u.Ref.ID(), u.Name, u.Ref.ID() == d.Unit})
	}
}

// export writes what the list shows, all of it, as CSV for a spreadsheet.
func (s pages) export(r *web.Request, list []differ.Difference) (web.Answer, error) {
	_, err := s.gate.Ask(r.Context(), gate.Request{
		Actor: r.Actor, At: r.At, Action: gate.Export, Object: "differences", Scope: r.Actor.Everywhere(),
		Changes: []gate.Change{{Body: map[string]any{"what": r.URL.RawQuery, "rows": len(list)}}},
	})
	if err != nil {
		return web.Answer{}, err
	}
	var b strings.Builder
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	head := []string{"相違", "台帳", "対象", "名称", "システム", "所属", "内容", "登録", "収集", "確認できない理由", "いつから", "収集日時", "確認項目", "判定", "登録番号"}
	if r.Lang == bilingual.EN {
		head = []string{"difference", "register", "subject", "name", "system", "unit", "what", "registered", "observed", "not confirmed because", "since", "seen", "control", "outcome", "entry"}
	}
	_ = w.Write(head) // a strings.Builder takes everything
	for _, d := range list {
		line := []string{d.Side.Label().In(r.Lang), s.label(d.Register).In(r.Lang), string(d.Subject), d.Name, d.System, d.Unit, d.What.In(r.Lang), d.Declared.In(r.Lang),
			d.Observed.In(r.Lang), d.Why.In(r.Lang), web.Moment(d.Since, r.Lang), web.Moment(d.SeenAt, r.Lang), d.Control, outcome(d.Outcome, r.Lang), string(d.Entry)}
		for i := range line {
			line[i] = web.Cell(line[i])
		}
		_ = w.Write(line)
	}
	w.Flush()
	return web.Answer{Download: &web.Download{Name: "differences-" + r.At.Format("20060102-150405") + ".csv", Type: "text/csv; charset=utf-8", Body: []byte(b.String())}}, nil
}

func outcome(o verdict.Outcome, l bilingual.Lang) string {
	if o == "" {
		return ""
	}
	return o.Label().In(l)
}

// travelling is a difference as programs get it.
type travelling struct {
	ID       string            `json:"id"`
	Kind     string            `json:"kind"`
	Side     differ.Side       `json:"side"`
	Subject  fact.Ref          `json:"subject"`
	Name     string            `json:"name"`
	System   string            `json:"system,omitempty"`
	Unit     string            `json:"unit,omitempty"`
	Key      string            `json:"key"`
	What     string            `json:"what"`
	Declared string            `json:"declared,omitempty"`
	Observed string            `json:"observed,omitempty"`
	Why      string            `json:"why,omitempty"`
	SeenAt   time.Time         `json:"seen_at,omitzero"`
	Since    time.Time         `json:"since,omitzero"`
	Control  string            `json:"control,omitempty"`
	Outcome  verdict.Outcome   `json:"outcome,omitempty"`
	Entry    fact.Ref          `json:"entry,omitempty"`
	New      string            `json:"new,omitempty"`   // kind of the entry that would mend it
	Fill     map[string]string `json:"fill,omitempty"`  // and what it would begin with
	Field    string            `json:"field,omitempty"` // of Entry, that would mend it
	Value    any               `json:"value,omitempty"`
	Take     bool              `json:"take,omitempty"`
}

// mostRows is how many differences a program gets at once.
const mostRows = 1000

func (s pages) program(r *web.Request) (web.Answer, error) {
	q := r.URL.Query()
	limit, offset, err := bounds(q.Get("limit"), q.Get("offset"))
	if err != nil {
		return web.Answer{}, err
	}
	st, all, selected, err := s.found(r, read(r))
	if err != nil {
		return web.Answer{}, err
	}
	total := len(selected)
	selected = selected[min(offset, total):]
	out := []travelling{}
	for _, d := range selected[:min(limit, len(selected))] {
		out = append(out, travelling{d.ID(), d.Register, d.Side, d.Subject, d.Name, d.System, d.Unit, d.Key, d.What.In(r.Lang), d.Declared.In(r.Lang), d.Observed.In(r.Lang),
			d.Why.In(r.Lang), d.SeenAt, d.Since, d.Control, d.Outcome, d.Entry, d.Mend.New, d.Mend.Fill, d.Mend.Field, fact.Canonical(d.Mend.Value), d.Mend.Take})
	}
	closed := all.Closed
	if closed == nil {
		closed = []string{}
	}
	return web.Answer{JSON: map[string]any{"at": st.At, "total": total, "closed": closed, "differences": out}}, nil
}

func bounds(limit, offset string) (n, from int, err error) {
	n = 100
	for _, x := range []struct {
		text string
		to   *int
		most int
	}{{limit, &n, mostRows}, {offset, &from, 1 << 30}} {
		if x.text == "" {
			continue
		}
		if *x.to, err = strconv.Atoi(x.text); err != nil || *x.to < 0 || *x.to > x.most {
			return 0, 0, web.ErrBadRequest
		}
	}
	return n, from, nil
}
