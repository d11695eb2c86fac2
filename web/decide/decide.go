// Package decide serves what people decide: what waits for an answer, the forms
// to attest, judge and apply, approvals by somebody else, and the values left to
// be determined.
package decide

import (
	"embed"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/control/carry"
	"kakusho/control/measure"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/govern"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/posture/claim"
	"kakusho/verdict"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

type pages struct {
	posture *posture.Posture
	govern  *govern.Govern
}

// Mount adds the pages to the site.
func Mount(site *web.Site, p *posture.Posture, g *govern.Govern) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	s := pages{p, g}
	site.Page(tmpl, "/decisions", s.list)
	site.Page(tmpl, "/decide", s.form)
	site.Act(tmpl, "/decide", s.give)
	site.Page(tmpl, "/decision/{id}", s.one)
	site.Act(tmpl, "/decision/{id}/approve", s.approve)
	site.Act(tmpl, "/decision/{id}/withdraw", s.withdraw)
	site.Act(tmpl, "/decision/{id}/note", s.note)
	site.Page(tmpl, "/parameters", s.parameters)
	site.Page(tmpl, "/parameter/{key}", s.parameter)
	site.Act(tmpl, "/parameter/{key}", s.propose)
	site.Page(tmpl, "/setting/{id}", s.setting)
	site.Act(tmpl, "/setting/{id}/approve", s.approveSetting)
	site.Page(nil, "/api/v1/settings/{id}/prediction", s.predicted)
	site.Put("/api/v1/settings/{id}/approve", s.settled)
	site.Act(tmpl, "/setting/{id}/withdraw", s.endSetting)
	return nil
}

// waiting is an answer that a control asks of a person and nobody has given.
type waiting struct {
	posture.Pair
	Control control.Control
	Name    string
	Clause  string
}

type listData struct {
	Waiting []waiting
	Pager   web.Pager
	Pending []decision.Decision
	Ending  []decision.Decision
	All     []decision.Decision
	Words   string
	Mine    bool
}

func (s pages) list(r *web.Request) (web.Answer, error) {
	st, err := s.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	all, err := s.govern.Of(r.Context(), r.Permit, "")
	if err != nil {
		return web.Answer{}, err
	}
	d := listData{Words: strings.TrimSpace(r.URL.Query().Get("q")), Mine: r.URL.Query().Get("all") == ""}
	all = slices.DeleteFunc(all, func(x decision.Decision) bool { return s.closed(r, x.Subject) })
	open := s.waiting(st, posture.Filter{Words: d.Words}, func(c control.Control) bool {
		return !d.Mine || slices.ContainsFunc(c.Record.Duty, r.Actor.Has)
	})
	for _, p := range web.Part(r, open) {
		w := waiting{Pair: p, Name: string(p.Subject), Clause: string(p.Clause)}
		w.Control, _ = s.posture.Control(p.Control)
		if sub, ok := st.Subject(p.Subject); ok {
			w.Name = sub.Name
		}
		if cl, ok := s.posture.Directive().Clause(p.Clause); ok {
			w.Clause = cl.Label.In(r.Lang)
		}
		d.Waiting = append(d.Waiting, w)
	}
	d.Pager = r.Pager(len(open))
	for _, x := range all {
		switch {
		case x.Type.NeedsApproval() && x.ApprovedAt.IsZero() && x.WithdrawnAt.IsZero() && x.Until.After(r.At):
			d.Pending = append(d.Pending, x)
		case x.InForce(r.At) && !x.Until.IsZero() && x.Until.Before(r.At.AddDate(0, 0, 60)):
			d.Ending = append(d.Ending, x)
		}
	}
	d.All = all[:min(100, len(all))]
	return web.Answer{Page: "list", Title: bilingual.Say("判断・決定", "Decisions"), Data: d}, nil
}

// closed reports whether a subject is not for the reader's duties: then what was
// decided about it is not either.
func (s pages) closed(r *web.Request, ref fact.Ref) bool {
	return !s.posture.Kinds()[ref.Kind()].MayRead(r.Actor)
}

// waiting lists the pairs whose answer is missing or too old, of controls for which
// asks holds.
func (s pages) waiting(st *posture.Standing, f posture.Filter, asks func(control.Control) bool) []posture.Pair {
	asked := func(o verdict.Outcome) []posture.Pair {
		f.Outcome = o
		return slices.DeleteFunc(st.Pairs(f), func(p posture.Pair) bool {
			c, ok := s.posture.Control(p.Control)
			return !ok || c.Record == nil || !asks(c)
		})
	}
	doubt := asked(verdict.Unknown) // it may be so for another reason: the judge says
	var open []posture.Pair
	for i, v := range st.Judged(doubt) {
		if slices.ContainsFunc(v.Reasons, func(r verdict.Reason) bool {
			return r.Code == "no-record" || r.Code == "stale" && strings.HasPrefix(r.Fact, "a.")
		}) {
			open = append(open, doubt[i])
		}
	}
	return append(open, asked(verdict.Undecided)...)
}

type formData struct {
	Subject    *posture.Subject
	Control    control.Control
	HasAnswer  bool
	Type       decision.Type
	Types      []offered
	Typed      map[string]string
	Clauses    []clause.Clause
	Parameters []directive.Parameter
	Measures   []measureLine
	Basis      []basisLine    // what a judgement is made on
	Seen       string         // as a digest
	Grant      *clause.Clause // that allows the type
	Mutatis    *clause.Clause // by which the prefecture decides
	Derived    []kind.Field
	Faults     []kind.Fault
	Earlier    []earlier
	Default    string // end proposed
	Grounds    []groundLine
}

// measureLine is an alternative measure that may be chosen.
type measureLine struct {
	measure.Measure
	Chosen bool
	Holds  []conditionLine
}

// conditionLine is a control that must hold, and the values it is held to.
type conditionLine struct {
	Control string
	Title   bilingual.Text
	With    string
	Now     verdict.Outcome // of the decision's subject and its system
}

// basisLine is a value on which somebody judges, or judged.
type basisLine struct {
	Label      bilingual.Text
	Value, Now string // Now: when it is another by now
}

// basis are the values on which somebody judges about a subject of a kind.
func basis(k *kind.Kind, values map[string]any, lapsed []decision.Lapse, l bilingual.Lang) (out []basisLine) {
	for _, name := range k.Circumstances {
		v, judged := values[name]
		f, ok := k.Field(name)
		if !judged || !ok {
			continue
		}
		line := basisLine{Label: f.Label, Value: shown(f, v, l)}
		for _, x := range lapsed {
			if x.Field == name {
				line.Now = shown(f, x.Now, l)
			}
		}
		out = append(out, line)
	}
	return out
}

func shown(f kind.Field, v any, l bilingual.Lang) string {
	if v == nil {
		return bilingual.Say("登録なし", "not known").In(l)
	}
	if checked, err := f.Check(v); err == nil {
		v = checked
	}
	return f.Format(v, l)
}

// offered is a type of decision that can be applied for, and what it is for.
type offered struct {
	Type  decision.Type
	About bilingual.Text
}

// earlier is an answer that was given before; Other: under another directive, where it
// counts no more.
type earlier struct {
	decision.Decision
	Other bool
}

func (s pages) form(r *web.Request) (web.Answer, error) {
	q := r.URL.Query()
	return s.show(r, map[string]string{
		"subject": q.Get("subject"), "control": q.Get("control"), "type": q.Get("type"), "clause": q.Get("clause"), "field": q.Get("field"), "key": q.Get("key"),
	}, nil)
}

func (s pages) show(r *web.Request, typed map[string]string, faults []kind.Fault) (web.Answer, error) {
	st, err := s.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	sub, ok := st.Named(typed["subject"])
	if !ok {
		return web.Answer{}, web.ErrNotFound
	}
	if sub.Closed {
		return web.Answer{}, fmt.Errorf("decide about %s: %w", sub.Ref, gate.ErrRefused)
	}
	d := formData{Subject: sub, Typed: typed, Faults: faults, Type: decision.Type(typed["type"])}
	if c, ok := s.posture.Control(typed["control"]); ok {
		d.Control, d.HasAnswer = c, c.Record != nil
		if c.Record != nil && d.Type == "" {
			d.Type = c.Record.Type
		}
	} else {
		d.Types = applicable(sub)
	}
	for _, x := range s.posture.Directive().Clauses {
		if x.Type == clause.Obligation {
			d.Clauses = append(d.Clauses, x)
		}
	}
	dir := s.posture.Directive()
	for _, key := range dir.Parameters.Keys() {
		d.Parameters = append(d.Parameters, dir.Parameters[key])
	}
	if c, ok := dir.Clause(dir.Grants[string(d.Type)]); ok {
		d.Grant = &c
	}
	if c, ok, err := s.govern.Mutatis(r.Context(), r.Permit, sub.Ref); err != nil {
		return web.Answer{}, err
	} else if ok {
		d.Mutatis = &c
	}
	if d.Type == decision.Judgement {
		now := sub.Circumstances()
		d.Basis, d.Seen = basis(sub.Kind, now, nil, r.Lang), fact.Digest(now)
	}
	if d.Type == decision.Deferral {
		values, err := s.govern.Values(r.Context(), directive.Scope{System: sub.System}, r.At)
		if err != nil {
			return web.Answer{}, err
		}
		for _, m := range s.govern.Measures(values) {
			d.Measures = append(d.Measures, measureLine{m, slices.Contains(strings.Fields(typed["chosen"]), m.ID), s.conditions(m.Conditions(), r.Lang)})
		}
	}
	if d.Type == decision.Exception {
		d.Grounds = s.grounds(st, d.Control, sub, typed)
	}
	d.Derived = sub.Kind.Layer(kind.Derived)
	all, err := s.govern.Of(r.Context(), r.Permit, sub.Ref)
	if err != nil {
		return web.Answer{}, err
	}
	for _, x := range all {
		if x.Control == typed["control"] && x.Control != "" {
			d.Earlier = append(d.Earlier, earlier{x, !carry.Under(s.posture.Directive().Source, x)})
		}
	}
	d.Default = r.At.AddDate(0, 6, 0).Format("2006-01-02")
	a := web.Answer{Page: "form", Title: title(d), Data: d}
	if len(faults) > 0 {
		a.Status = http.StatusUnprocessableEntity
	}
	return a, nil
}

// conditions are conditions as pages show them.
func (s pages) conditions(texts []string, l bilingual.Lang) (out []conditionLine) {
	for _, text := range texts {
		c, err := decision.ParseCondition(text)
		if err != nil {
			continue
		}
		line := conditionLine{Control: c.Control, Title: bilingual.Say(c.Control, c.Control)}
		if known, ok := s.posture.Control(c.Control); ok {
			line.Title = known.Title
		}
		var with []string
		for _, key := range slices.Sorted(maps.Keys(c.With)) {
			p := s.posture.Directive().Parameters[key]
			v, err := p.Check(c.With[key])
			if err != nil {
				v = c.With[key]
			}
			with = append(with, p.Label.In(l)+" "+p.Format(v, l))
		}
		line.With = strings.Join(with, bilingual.Say("、", ", ").In(l))
		out = append(out, line)
	}
	return out
}

func title(d formData) bilingual.Text {
	if d.Type.Valid() {
		return d.Type.Label()
	}
	return bilingual.Say("決定の申請", "Apply for a decision")
}

// applicable are the decisions that can be applied for on a subject without a
// control: a system's deferral and special provision, and overrides.
func applicable(sub *posture.Subject) (out []offered) {
	if sub.Kind.ID == "system" {
		out = append(out, offered{decision.Deferral, bilingual.Say("施行の時に整備済みであったシステムについて、満たしていない項の適用を、代替手段を講じた上で期限を定めて猶予する。",
			"For a system that was in place when the requirements took effect: a clause it does not meet is deferred for a time, with alternative measures.")},
			offered{decision.Special, bilingual.Say("適用することが困難な項又は値について、協議の上、このシステムに限り別段の定めを期限を定めて置く。",
				"Where a clause or a value is difficult to apply: after consultation a provision for this system alone, for a time.")})
	}
	if len(sub.Kind.Layer(kind.Derived)) > 0 {
		out = append(out, offered{decision.Override, bilingual.Say("本システムが導いた値が実態と異なるとき、期限を定めて修正する。", "Where a value derived by this system is not what is there, it is corrected for a time.")})
	}
	return out
}

func (s pages) give(r *web.Request) (web.Answer, error) {
	if err := r.ParseForm(); err != nil {
		return web.Answer{}, err
	}
	typed := map[string]string{}
	for k := range r.PostForm {
		typed[k] = strings.TrimSpace(r.PostForm.Get(k))
	}
	typed["chosen"] = strings.Join(r.PostForm["chosen"], " ")
	d := decision.Decision{
		Chosen: r.PostForm["chosen"],
		Type:   decision.Type(typed["type"]), Subject: fact.Ref(typed["subject"]), Control: typed["control"], Clause: clause.ID(typed["clause"]),
		Ground: typed["ground"], Recorded: recorded(typed), Field: typed["field"], Answer: typed["answer"], Reason: typed["reason"], Measures: typed["measures"], Consulted: typed["consulted"],
		Conditions: strings.Fields(typed["conditions"]),
	}
	var faults []kind.Fault
	var err error
	if d.From, err = day(typed["from"]); err != nil {
		faults = append(faults, asFault("from", err))
	}
	if d.Until, err = day(typed["until"]); err != nil {
		faults = append(faults, asFault("until", err))
	}
	if d.Target, err = day(typed["target"]); err != nil {
		faults = append(faults, asFault("target", err))
	}
	if d.Type == decision.Deferral {
		faults = append(faults, incomplete(d)...)
	}
	if d.Type == decision.Judgement {
		permit, err := r.Read()
		if err != nil {
			return web.Answer{}, err
		}
		st, err := s.posture.Now(r.Context(), permit, r.At)
		if err != nil {
			return web.Answer{}, err
		}
		if sub, ok := st.Named(typed["subject"]); ok && !sub.Closed {
			if d.Basis = sub.Circumstances(); typed["seen"] != "" && typed["seen"] != fact.Digest(d.Basis) {
				faults = append(faults, kind.Fault{Field: "answer", Label: bilingual.Say("回答", "Answer"), Message: bilingual.Say(
					"表示した後に、判断の前提（区域、機密性又は接続）が変わった。確認の上、改めて回答すること。", "What it is judged on (area, class or connection) has changed since; look again, and answer again.")})
			}
		}
	}
	if d.Type == decision.Override {
		if f, ok := s.posture.Kinds()[d.Subject.Kind()].Field(d.Field); ok {
			if d.Value, err = f.Parse(typed["value"]); err != nil {
				faults = append(faults, asFault("value", err))
			}
		}
	}
	if p, ok := s.posture.Directive().Parameters[typed["key"]]; ok && d.Type == decision.Special {
		d.Field, d.Value = p.Key, typed["value"]
	}
	var id string
	if len(faults) == 0 {
		id, err = s.govern.Give(r.Context(), r.Actor, d, r.At)
		var wrong govern.Faults
		if errors.As(err, &wrong) {
			faults = wrong
		} else if err != nil {
			return web.Answer{}, err
		}
	}
	if len(faults) > 0 {
		if _, err := r.Read(); err != nil {
			return web.Answer{}, err
		}
		return s.show(r, typed, faults)
	}
	return web.Answer{Redirect: "/decision/" + id}, nil
}

// incomplete is what an application for a deferral lacks on its form: what the
// directive asks of the time until the clause is met.
func incomplete(d decision.Decision) (faults []kind.Fault) {
	if len(d.Chosen) == 0 {
		faults = append(faults, kind.Fault{Field: "chosen", Label: bilingual.Say("代替手段の選択", "Measures chosen"), Message: bilingual.Say(
			"目録から一つ以上選ぶこと。", "Choose at least one of the catalogue.")})
	}
	if d.Target.IsZero() {
		faults = append(faults, kind.Fault{Field: "target", Label: bilingual.Say("適合予定日", "Target date"), Message: bilingual.Say(
			"要件を満たす予定の日を入力すること。", "Give the day by which the clause will be met.")})
	}
	return faults
}

var dayField = kind.Field{Name: "day", Type: kind.Date, Label: bilingual.Say("日付", "Date")}

// day reads a date as people write it; empty is the zero time.
func day(text string) (time.Time, error) {
	v, err := dayField.Parse(text)
	if err != nil {
		return time.Time{}, err
	}
	t, _ := v.(time.Time)
	return t, nil
}

func asFault(field string, err error) kind.Fault {
	f := kind.AsFault(dayField, err)
	f.Field = field
	return f
}

type oneData struct {
	decision.Decision
	Name         string
	Answer       string
	Control      *control.Control
	State        string // waits, in-force, ended, withdrawn, rejected, coming
	May          govern.May
	Parameter    *directive.Parameter // of a special provision that sets a value
	Shown        string
	Alternatives []bilingual.Text
	Holds        []conditionLine // conditions
	Broken       bool            // one is not met: the decision is void
	Basis        []basisLine
	Mutatis      *clause.Clause
	Ground       *groundLine // of an exception
	Typed        string      // a note that was not taken
	Faults       []kind.Fault
}

func (s pages) one(r *web.Request) (web.Answer, error) { return s.showOne(r, "", nil) }

func (s pages) showOne(r *web.Request, typed string, faults []kind.Fault) (web.Answer, error) {
	all, err := s.govern.Of(r.Context(), r.Permit, "")
	if err != nil {
		return web.Answer{}, err
	}
	i := slices.IndexFunc(all, func(d decision.Decision) bool { return d.ID == r.PathValue("id") })
	if i < 0 {
		return web.Answer{}, web.ErrNotFound
	}
	st, err := s.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	if s.closed(r, all[i].Subject) {
		return web.Answer{}, fmt.Errorf("decision about %s: %w", all[i].Subject, gate.ErrRefused)
	}
	d := oneData{Decision: all[i], Name: string(all[i].Subject), Answer: all[i].Answer, State: state(all[i], r.At), Typed: typed, Faults: faults}
	if d.May, err = s.govern.May(r.Context(), r.Permit, d.ID, r.At); err != nil {
		return web.Answer{}, err
	}
	if sub, ok := st.Subject(all[i].Subject); ok {
		d.Name = sub.Name
	}
	if c, ok := s.posture.Control(all[i].Control); ok {
		d.Control = &c
		if c.Record != nil {
			if a, ok := c.Record.Answer(d.Answer); ok {
				d.Answer = a.Label.In(r.Lang)
			}
		}
	}
	if p, ok := s.posture.Directive().Parameters[d.Field]; ok && d.Provides() {
		v, err := p.Check(d.Value)
		if err != nil {
			v = d.Value
		}
		d.Parameter, d.Shown = &p, p.Format(v, r.Lang)
	}
	if sub, ok := st.Subject(d.Subject); ok && !sub.Closed {
		for _, x := range sub.Decisions {
			if x.ID == d.ID {
				d.Basis = basis(sub.Kind, d.Decision.Basis, x.Lapsed, r.Lang)
				if len(x.Lapsed) > 0 && d.State == "in-force" {
					d.State = "lapsed"
				}
			}
		}
	}
	if d.Holds = s.conditions(d.Conditions, r.Lang); d.State == "in-force" {
		for i, text := range d.Conditions {
			if c, err := decision.ParseCondition(text); err == nil {
				d.Holds[i].Now = st.Condition(d.Subject, c)
				d.Broken = d.Broken || !slices.Contains([]verdict.Outcome{verdict.Conforms, verdict.Unknown, verdict.Undecided, verdict.Error}, d.Holds[i].Now)
			}
		}
	}
	if d.Ground = s.ground(st, d.Decision, d.Control); d.Ground != nil && d.State == "in-force" && claim.Lost(st, d.Decision) {
		d.State = "lapsed"
	}
	for _, o := range s.posture.Directive().Parameters[measure.Key].Choices {
		if slices.Contains(d.Chosen, o.Value) {
			d.Alternatives = append(d.Alternatives, o.Label)
		}
	}
	if c, ok, err := s.govern.Mutatis(r.Context(), r.Permit, d.Subject); err != nil {
		return web.Answer{}, err
	} else if ok {
		d.Mutatis = &c
	}
	a := web.Answer{Page: "one", Title: all[i].Type.Label(), Data: d}
	if len(faults) > 0 {
		a.Status = http.StatusUnprocessableEntity
	}
	return a, nil
}

func state(d decision.Decision, at time.Time) string {
	switch {
	case !d.WithdrawnAt.IsZero() && d.Type.NeedsApproval() && d.ApprovedAt.IsZero():
		return "rejected"
	case !d.WithdrawnAt.IsZero():
		return "withdrawn"
	case !d.Until.IsZero() && !at.Before(d.Until):
		return "ended"
	case d.Type.NeedsApproval() && d.ApprovedAt.IsZero():
		return "waits"
	case at.Before(d.From):
		return "coming"
	}
	return "in-force"
}

func (s pages) approve(r *web.Request) (web.Answer, error) {
	return s.done(r, "", s.govern.Approve(r.Context(), r.Actor, r.PathValue("id"), r.At))
}

// done shows a decision after something was done about it, or what was wrong with that.
func (s pages) done(r *web.Request, typed string, err error) (web.Answer, error) {
	var wrong govern.Faults
	if errors.As(err, &wrong) {
		if _, err := r.Read(); err != nil {
			return web.Answer{}, err
		}
		return s.showOne(r, typed, wrong)
	}
	if err != nil {
		return web.Answer{}, notFound(err)
	}
	return web.Answer{Redirect: "/decision/" + r.PathValue("id")}, nil
}

func (s pages) note(r *web.Request) (web.Answer, error) {
	if err := r.ParseForm(); err != nil {
		return web.Answer{}, err
	}
	text := strings.TrimSpace(r.PostForm.Get("note"))
	return s.done(r, text, s.govern.Note(r.Context(), r.Actor, r.PathValue("id"), decision.NoteType(r.PostForm.Get("about")), text, r.At))
}

func (s pages) withdraw(r *web.Request) (web.Answer, error) {
	if err := r.ParseForm(); err != nil {
		return web.Answer{}, err
	}
	return s.done(r, "", s.govern.Withdraw(r.Context(), r.Actor, r.PathValue("id"), strings.TrimSpace(r.PostForm.Get("reason")), r.At))
}

func notFound(err error) error {
	if errors.Is(err, govern.ErrNone) {
		return web.ErrNotFound
	}
	if errors.Is(err, govern.ErrState) {
		return web.ErrState
	}
	return err
}
