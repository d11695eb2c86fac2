// Package registers serves the registers: their list, tables, entries and forms, and
// export.
package registers

import (
	"embed"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/register"
	"kakusho/register/draft"
	"kakusho/register/exchange"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

type pages struct {
	register *register.Register
	exchange *exchange.Exchange
	drafts   *draft.Drafts
}

// Mount adds the pages to the site.
func Mount(site *web.Site, x *exchange.Exchange, drafts *draft.Drafts) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	p := pages{x.Register(), x, drafts}
	site.Page(tmpl, "/registers", p.index)
	site.Page(tmpl, "/registers/export", p.exportAll)
	site.Page(tmpl, "/register/{kind}", p.list)
	site.Page(tmpl, "/register/{kind}/new", p.fresh)
	site.Act(tmpl, "/register/{kind}/new", p.save)
	site.Page(tmpl, "/register/{kind}/export", p.export)
	site.Page(tmpl, "/register/{kind}/{id...}", p.entry)
	site.Act(tmpl, "/register/{kind}/{id...}", p.save)
	site.Act(tmpl, "/draft/drop", p.drop)
	site.Act(tmpl, "/begin/{step}/{kind}", p.begin)
	site.Act(tmpl, "/retire/{kind}/{id...}", p.retire)
	site.Act(tmpl, "/step/{step}/{kind}/{id...}", p.take)
	site.Act(tmpl, "/steps/{kind}", p.takeMany)
	site.Page(tmpl, "/attached/{step}/{n}/{kind}/{id...}", p.file)
	return nil
}

func (p pages) kind(r *web.Request) (kind.Kind, error) {
	k, ok := p.register.Kinds()[r.PathValue("kind")]
	if !ok {
		return kind.Kind{}, register.ErrNoKind
	}
	return k, nil
}

type indexData struct {
	Sections      []section
	All, Personal bool // the reader may take all of them out
}

type section struct {
	Title bilingual.Text
	Kinds []kindLine
}

type kindLine struct {
	kind.Kind
	Count int64
}

var sectionTitles = map[string]bilingual.Text{
	"organisation": bilingual.Say("組織", "Organisation"), "system": bilingual.Say("システム", "Systems"), "device": bilingual.Say("機器", "Devices"),
	"information": bilingual.Say("情報・媒体", "Information and media"), "contract": bilingual.Say("調達・委託", "Procurement and contracts"),
	"record": bilingual.Say("記録", "Records"),
}

func (p pages) index(r *web.Request) (web.Answer, error) {
	counts, err := p.register.Counts(r.Context(), r.Permit)
	if err != nil {
		return web.Answer{}, err
	}
	var d indexData
	d.All, d.Personal = mayTakeAll(r.Actor)
	for _, s := range kind.Sections {
		sec := section{Title: sectionTitles[s]}
		for _, id := range p.register.Kinds().IDs() {
			if k := p.register.Kinds()[id]; k.Section == s {
				if n, readable := counts[id]; readable {
					sec.Kinds = append(sec.Kinds, kindLine{k, n})
				}
			}
		}
		if len(sec.Kinds) > 0 {
			d.Sections = append(d.Sections, sec)
		}
	}
	return web.Answer{Page: "index", Title: bilingual.Say("台帳・記録簿", "Registers"), Data: d}, nil
}

type listData struct {
	Kind    kind.Kind
	Columns []column
	Rows    []listRow
	Filters []filterField
	Words   string
	Retired bool
	Pager   web.Pager
	Any     bool
	Export  string
	May     bool
	Bulk    *bulk // nil: no step can be taken of many
	Begin   bool  // new entries begin by a step that is his to take
}

type column struct {
	kind.Field
	Link   string // sorts by it
	Sorted string // ascending, descending
}

type listRow struct {
	Ref   fact.Ref
	Rev   int64
	Cells []string
}

type filterField struct {
	kind.Field
	Value string
}

// mostColumns is how many fields a table shows; the entry shows all.
const mostColumns = 7

// columnsOf picks what tells entries apart: key, name, then what is required,
// then what is chosen from a list.
func columnsOf(k kind.Kind) []kind.Field {
	var out []kind.Field
	take := func(want func(kind.Field) bool) {
		for _, f := range k.Layer(kind.Declared) {
			taken := slices.ContainsFunc(out, func(o kind.Field) bool { return o.Name == f.Name })
			if len(out) < mostColumns && !taken && f.Type != kind.Text && f.Type != kind.List && want(f) {
				out = append(out, f)
			}
		}
	}
	take(func(f kind.Field) bool { return f.Name == k.Key })
	take(func(f kind.Field) bool { return f.Name == k.Name })
	take(func(f kind.Field) bool { return f.Required })
	take(func(f kind.Field) bool { return f.Type == kind.Enum || f.Type == kind.Ref })
	take(func(f kind.Field) bool { return true })
	return out
}

func (p pages) list(r *web.Request) (web.Answer, error) {
	k, err := p.kind(r)
	if err != nil {
		return web.Answer{}, err
	}
	q := query(r, k)
	page, err := p.register.List(r.Context(), r.Permit, q)
	if err != nil {
		return web.Answer{}, err
	}
	d := listData{Kind: k, Words: q.Words, Retired: q.Retired, Pager: r.Pager(int(page.Total)), May: mayPut(k, r.Actor) && !p.alone(k), Begin: p.mayBegin(k, r.Actor),
		Any: q.Words != "" || len(q.Equal) > 0 || q.Retired, Export: "/register/" + k.ID + "/export" + r.With("from", "")}
	d.Bulk = p.bulkOf(r, k, q)
	for _, f := range columnsOf(k) {
		c := column{Field: f, Link: r.With("sort", f.Name)}
		if q.Sort == f.Name {
			c.Sorted, c.Link = "ascending", r.With("sort", "-"+f.Name)
		} else if q.Sort == "-"+f.Name {
			c.Sorted, c.Link = "descending", r.With("sort", "")
		}
		d.Columns = append(d.Columns, c)
		if f.Type == kind.Enum {
			d.Filters = append(d.Filters, filterField{f, q.Equal[f.Name]})
		}
	}
	for _, e := range page.Entries {
		row := listRow{Ref: e.Ref, Rev: e.Rev}
		for _, c := range d.Columns {
			row.Cells = append(row.Cells, c.Format(e.Values[c.Name], r.Lang))
		}
		d.Rows = append(d.Rows, row)
	}
	return web.Answer{Page: "list", Title: k.Label, Data: d}, nil
}

// query reads which entries an address asks for.
func query(r *web.Request, k kind.Kind) register.Query {
	v := r.URL.Query()
	q := register.Query{Kind: k.ID, Words: strings.TrimSpace(v.Get("q")), Retired: v.Get("retired") != "", Sort: v.Get("sort"),
		Equal: map[string]string{}, Limit: web.PageSize, Offset: r.Offset()}
	for _, f := range k.Layer(kind.Declared) {
		if x := v.Get("f." + f.Name); x != "" {
			q.Equal[f.Name] = x
		}
	}
	return q
}

func mayPut(k kind.Kind, a actor.Actor) bool { return k.MayEnter(a) }

type formData struct {
	Kind   kind.Kind
	Ref    fact.Ref // empty: new
	Rev    int64
	Fields []formField
	Faults []kind.Fault
	Entry  register.Entry
	May    bool
	Course *course              // nil: no procedure leads it, or it is new
	Begin  *procedure.Procedure // of a new one: that which will lead it
	Begins []stepForm           // of a new one that begins by a step: those that begin one
	Alone  bool                 // it changes by steps alone
	Trees  []tree
	Was    string
	Drafts []draftLine
	Draft  bool // the form was filled from one
}

type formField struct {
	kind.Field
	At     string // id on the page
	Text   string // as typed or as stored
	Fault  string
	Key    bool // the key of an entry that is there: not to be changed
	Long   bool
	Lead   bool // the state of an entry that a procedure leads: not to be changed
	Locked bool // the reader may not change it
	Refs   []register.Entry
	Rows   []row // of a list of records
	Boxes  []box // of a list of choices
}

// fielder makes fields of forms.
type fielder struct {
	p    pages
	r    *web.Request
	refs map[string][]register.Entry // by kind
}

func (p pages) fielder(r *web.Request) fielder { return fielder{p, r, map[string][]register.Entry{}} }

// field is one field with what was typed; prefix tells forms of one page apart.
func (x fielder) field(prefix string, f kind.Field, typed url.Values, faults []kind.Fault) formField {
	ff := formField{Field: f, At: prefix + f.Name, Text: text(typed, f), Long: f.Type == kind.Text || f.Type == kind.List}
	if isRecords(f) {
		ff.Rows = x.records(prefix, f, typed, faults)
	} else if isBoxes(f) {
		ff.Boxes = boxes(f, typed)
	}
	for _, fault := range faults {
		if fault.Field == f.Name {
			ff.Fault = fault.Message.In(x.r.Lang)
		}
	}
	if f.Type != kind.Ref {
		return ff
	}
	refs, known := x.refs[f.To]
	if !known {
		page, err := x.p.register.List(x.r.Context(), x.r.Permit, register.Query{Kind: f.To, Limit: 500})
		if err == nil {
			refs = page.Entries
		}
		x.refs[f.To] = refs
	}
	ff.Refs = refs
	return ff
}

// lock bars a field, and those of its records, from being typed into.
func (ff *formField) lock(locked bool) {
	ff.Locked = locked
	for _, row := range ff.Rows {
		for i := range row.Fields {
			row.Fields[i].lock(locked)
		}
	}
}

func (p pages) fresh(r *web.Request) (web.Answer, error) {
	k, err := p.kind(r)
	if err != nil {
		return web.Answer{}, err
	}
	typed := url.Values{}
	for _, f := range k.Layer(kind.Declared) {
		typed.Set(f.Name, r.URL.Query().Get(f.Name)) // an address may fill a form in
	}
	if _, kept, ok, err := p.opened(r, k, ""); err != nil {
		return web.Answer{}, err
	} else if ok {
		typed = kept
		typed.Set(fromDraft, "1")
	}
	if lead, _ := p.register.Procedures().Of(k.ID); lead.Alone {
		return p.begins(r, k, lead, tried{typed: typed}), nil
	}
	return p.form(r, k, register.Entry{}, typed, nil)
}

func (p pages) entry(r *web.Request) (web.Answer, error) {
	k, err := p.kind(r)
	if err != nil {
		return web.Answer{}, err
	}
	e, err := p.register.Get(r.Context(), r.Permit, fact.NewRef(k.ID, r.PathValue("id")))
	if err != nil {
		return web.Answer{}, err
	}
	typed := asStored(k, e, r.Lang)
	d, kept, ok, err := p.opened(r, k, e.Ref)
	if err != nil {
		return web.Answer{}, err
	}
	if ok {
		kept.Set(fromDraft, "1")
		kept.Set("rev", strconv.FormatInt(d.Rev, 10))
		if d.Form != draft.Entry {
			return p.page(r, k, e, typed, nil, &tried{d.Form, kept, nil})
		}
		typed = kept
	}
	return p.form(r, k, e, typed, nil)
}

// asStored is an entry as its form shows it.
func asStored(k kind.Kind, e register.Entry, l bilingual.Lang) url.Values {
	typed := url.Values{}
	for _, f := range k.Layer(kind.Declared) {
		lay(typed, f, e.Values[f.Name], l)
	}
	return typed
}

// editable is a value as its form field takes it back.
func editable(f kind.Field, v any, l bilingual.Lang) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case []any:
		var lines []string
		for _, e := range x {
			if s, ok := e.(string); ok {
				lines = append(lines, s)
			}
		}
		return strings.Join(lines, "\n")
	}
	if f.Type == kind.Date {
		return f.Format(v, bilingual.EN)
	}
	return f.Format(v, bilingual.EN)
}

func (p pages) form(r *web.Request, k kind.Kind, e register.Entry, typed url.Values, faults []kind.Fault) (web.Answer, error) {
	return p.page(r, k, e, typed, faults, nil)
}

// page is the entry's page, its form filled with what was typed; at: the step whose
// form was, instead.
func (p pages) page(r *web.Request, k kind.Kind, e register.Entry, typed url.Values, faults []kind.Fault, at *tried) (web.Answer, error) {
	d := formData{Kind: k, Ref: e.Ref, Rev: e.Rev, Faults: faults, Entry: e, Alone: p.alone(k), May: mayPut(k, r.Actor) && !p.alone(k) && !(k.Append && e.Ref != ""), Was: was(k.Layer(kind.Declared), e), Draft: typed.Get(fromDraft) != ""}
	if rev, err := strconv.ParseInt(typed.Get("rev"), 10, 64); err == nil { // he saw that one
		d.Rev, d.Was = rev, typed.Get(wasField)
	}
	var err error
	if d.Drafts, err = p.draftsOf(r, k, e); err != nil {
		return web.Answer{}, err
	}
	fields := p.fielder(r)
	lead, led := p.register.Procedures().Of(k.ID)
	if led && e.Ref == "" {
		d.Begin = &lead
	}
	for _, f := range k.Layer(kind.Declared) {
		if slices.Contains(e.Hidden, f.Name) {
			continue
		}
		ff := fields.field("f-", f, typed, faults)
		ff.Key, ff.Lead = f.Name == k.Key && e.Ref != "", led && e.Ref != "" && f.Name == lead.Field
		ff.lock(!d.May)
		d.Fields = append(d.Fields, ff)
	}
	d.Trees = treesOf(k, e)
	if led && e.Ref != "" {
		if d.Course, err = p.course(r, k, e, fields, at); err != nil {
			return web.Answer{}, err
		}
	}
	title := bilingual.Text{JA: k.Label.JA + "の登録", EN: "Register: " + k.Label.EN}
	if e.Ref != "" {
		title = bilingual.Text{JA: k.Label.JA + " " + e.Name, EN: k.Label.EN + " " + e.Name}
	}
	a := web.Answer{Page: "form", Title: title, Data: d}
	if len(faults) > 0 || at != nil && len(at.faults) > 0 {
		a.Status = http.StatusUnprocessableEntity
	}
	return a, nil
}

func (p pages) save(r *web.Request) (web.Answer, error) {
	k, err := p.kind(r)
	if err != nil {
		return web.Answer{}, err
	}
	var e register.Entry
	if id := r.PathValue("id"); id != "" {
		if _, err := r.Read(); err != nil {
			return web.Answer{}, err
		}
		if e, err = p.register.Get(r.Context(), r.Permit, fact.NewRef(k.ID, id)); err != nil {
			return web.Answer{}, err
		}
	}
	typed, fields := r.PostForm, k.Layer(kind.Declared)
	if typed.Get(keepField) != "" {
		return p.keep(r, k, e.Ref, draft.Entry, typed)
	}
	rev, err := strconv.ParseInt(typed.Get("rev"), 10, 64)
	if err != nil {
		return web.Answer{}, web.ErrBadRequest
	}
	if !settle(typed, fields, e, r.Lang) {
		return p.merge(r, k, e.Ref, fields, nil, typed)
	}
	values, faults := parse(k, typed)
	if e.Ref != "" {
		values[k.Key] = e.Ref.ID() // it does not change
	}
	if len(faults) == 0 {
		ref, err := p.register.Put(r.Context(), r.Actor, k.ID, values, rev, r.At)
		var wrong register.Faults
		switch {
		case errors.As(err, &wrong):
			faults = wrong
		case errors.Is(err, register.ErrConflict) && e.Ref != "":
			return p.merge(r, k, e.Ref, fields, nil, typed)
		case errors.Is(err, register.ErrConflict):
			key, _ := k.Field(k.Key)
			faults = []kind.Fault{{Field: key.Name, Label: key.Label, Message: bilingual.Say("既に登録されている番号である。", "this number is taken")}}
		case err != nil:
			return web.Answer{}, err
		default:
			return web.Answer{Redirect: "/register/" + string(ref) + "?saved"}, p.sent(r.Context(), r, subjectOf(k, e.Ref), draft.Entry)
		}
	}
	if _, err := r.Read(); err != nil {
		return web.Answer{}, err
	}
	return p.form(r, k, e, typed, faults)
}

// parse reads what was typed.
func parse(k kind.Kind, typed url.Values) (map[string]any, []kind.Fault) {
	values := map[string]any{}
	var faults []kind.Fault
	for _, f := range k.Layer(kind.Declared) {
		v, _, wrong := parseField(f, typed)
		if faults = append(faults, wrong...); v != nil {
			values[f.Name] = v
		}
	}
	return values, faults
}

func (p pages) retire(r *web.Request) (web.Answer, error) {
	ref := fact.NewRef(r.PathValue("kind"), r.PathValue("id"))
	if err := r.ParseForm(); err != nil {
		return web.Answer{}, err
	}
	err := p.register.Retire(r.Context(), r.Actor, ref, strings.TrimSpace(r.PostForm.Get("reason")), r.At)
	var wrong register.Faults
	if errors.As(err, &wrong) {
		return web.Answer{Redirect: "/register/" + string(ref) + "#retire"}, nil
	}
	if err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Redirect: "/register/" + ref.Kind() + "?retired=1"}, nil
}
