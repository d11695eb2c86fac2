// Package govern keeps what people decide: attestations, judgements of need,
// exceptions, deferrals, special provisions, overrides, and the values that the
// directive leaves to be determined.
//
// What sets a rule aside counts only after somebody else has approved it, and
// always ends. A renewal is a new decision. Every step is an entry of the trail.
package govern

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/control"
	"kakusho/control/measure"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/store"
	"kakusho/store/superior"
)

// Errors that a caller tells apart.
var (
	ErrNone  = errors.New("no such decision")
	ErrState = errors.New("this decision is approved, withdrawn or ended already")
)

// Faults are everything that is wrong with what was typed, field by field.
type Faults []kind.Fault

func (f Faults) Error() string {
	if len(f) == 0 {
		return "no faults"
	}
	return f[0].Error()
}

func (f *Faults) add(field, ja, en string) {
	label, ok := labels[field]
	if !ok {
		label = bilingual.Say(field, field)
	}
	*f = append(*f, kind.Fault{Field: field, Label: label, Message: bilingual.Say(ja, en)})
}

// read adds what makes a text unfit to be kept: its length, or characters that
// hide or reorder what a reader sees.
func (f *Faults) read(field, text string) {
	x := kind.Field{Name: field, Type: kind.Text, Label: labels[field], Max: 20000}
	if _, err := x.Check(text); err != nil {
		*f = append(*f, kind.AsFault(x, err))
	}
}

// labels name the fields of the forms of decisions and parameters.
var labels = map[string]bilingual.Text{
	"subject": bilingual.Say("対象", "Subject"), "type": bilingual.Say("種別", "Type"), "reason": bilingual.Say("理由", "Reason"),
	"until": bilingual.Say("終期", "Until"), "conditions": bilingual.Say("条件", "Conditions"), "control": bilingual.Say("確認項目", "Control"),
	"clause": bilingual.Say("項", "Clause"), "measures": bilingual.Say("代替手段", "Alternative measures"),
	"consulted": bilingual.Say("協議の記録", "Consultation"), "field": bilingual.Say("導出値", "Derived value"),
	"value": bilingual.Say("値", "Value"), "answer": bilingual.Say("回答", "Answer"), "key": bilingual.Say("項目", "Parameter"),
	"layer": bilingual.Say("層", "Layer"), "source": bilingual.Say("根拠文書", "Source"),
	"document": bilingual.Say("発出文書", "Document"), "chosen": bilingual.Say("代替手段の選択", "Measures chosen"), "target": bilingual.Say("適合予定日", "Target date"),
	"ground":    bilingual.Say("除外の事由", "Ground"),
	"predicted": bilingual.Say("試算", "What comes of it"),
	"note":      bilingual.Say("記録", "Note"), "agreed": bilingual.Say("合意した内容", "What was agreed"),
}

// Govern takes decisions. It is safe for concurrent use.
type Govern struct {
	rows      store.Store
	gate      *gate.Gate
	directive *directive.Directive
	controls  map[string]control.Control
	measures  []measure.Measure
	kinds     kind.Set
	grounded  Grounded

	deciding *sync.Mutex // held from the look at what stands to the sealing of its change; of all that decide over the rows
}

// New returns the keeper of decisions about d's clauses and controls.
func New(rows store.Store, g *gate.Gate, d *directive.Directive, controls []control.Control, kinds kind.Set) *Govern {
	return (&Govern{rows: rows, gate: g, kinds: kinds, deciding: new(sync.Mutex)}).Under(d, controls)
}

// Under is the keeper of the same decisions, about another directive's clauses and
// controls. The two never decide at the same moment.
func (g *Govern) Under(d *directive.Directive, controls []control.Control) *Govern {
	o := *g
	o.directive, o.controls = d, map[string]control.Control{}
	for _, c := range controls {
		o.controls[c.ID] = c
	}
	o.measures = measure.Of(d, o.controls)
	return &o
}

// Give takes a decision, or the application for one that needs approval. By,
// Post, At and ID are set here. Faults when something is missing or not allowed.
func (g *Govern) Give(ctx context.Context, who actor.Actor, d decision.Decision, at time.Time) (id string, err error) {
	if _, err := fact.ParseRef(string(d.Subject)); err != nil {
		var faults Faults
		faults.add("subject", "対象が台帳に登録されていない。", "The subject is not in a register.")
		return "", faults
	}
	d = of(d)
	d.ID, d.By, d.At = newID(), who.Person, at
	d.ApprovedBy, d.ApprovedAt, d.WithdrawnAt = "", time.Time{}, time.Time{}
	d.Directive, d.Carries, d.Notes = g.under(d.Type), "", nil
	d.Conditions = g.conditions(d)
	if d.From.IsZero() {
		d.From = at
	}
	var subject store.Subject
	var ok bool
	var params directive.Values
	err = g.rows.View(ctx, func(r store.Reader) (err error) {
		if subject, ok, err = store.Get(ctx, r, store.Subject{Kind: d.Subject.Kind(), ID: d.Subject.ID()}); err != nil {
			return err
		}
		set, err := g.settings(ctx, r)
		params = g.directive.Parameters.Resolve(set, directive.Scope{System: subject.System}, at)
		return err
	})
	if err != nil {
		return "", err
	}
	var faults Faults
	if !ok || subject.Retired {
		faults.add("subject", "対象が台帳に登録されていない。", "The subject is not in a register.")
	}
	g.checkCommon(d, at, longest(params), &faults)
	g.checkType(&d, subject, &faults)
	g.checkMeasures(d, params, &faults)
	r := gate.Request{
		Actor: who, At: at, Action: gate.GiveDecision, Object: string(d.Subject), Control: d.Control, Clauses: g.clauses(d),
		Need: g.duties(d), Scope: places(subject), Changes: []gate.Change{{Body: d}},
	}
	if len(faults) == 0 && r.Allows() {
		if faults, err = g.ungrounded(ctx, who, d, at); err != nil {
			return "", err
		}
	}
	if len(faults) > 0 {
		return "", faults
	}
	_, err = g.gate.Ask(ctx, r)
	return d.ID, err
}

// under is the directive that a decision of type t is about: empty for the first, and
// for an override, which is about a fact.
func (g *Govern) under(t decision.Type) string {
	if t == decision.Override || g.directive.Source == directive.First {
		return ""
	}
	return g.directive.Source
}

// of leaves of a decision what its type is about, so that nobody approves one thing
// and lays another over a verdict: a deferral is of its clause, never of a control.
func of(d decision.Decision) decision.Decision {
	switch d.Type {
	case decision.Attestation, decision.Judgement, decision.Exception:
		d.Clause, d.Field, d.Value = "", "", nil
	case decision.Deferral:
		d.Control, d.Field, d.Value = "", "", nil
	case decision.Special:
		d.Control = ""
	case decision.Override:
		d.Control, d.Clause = "", ""
	}
	if d.Lapsed = nil; d.Type != decision.Judgement {
		d.Basis = nil
	}
	if d.Type != decision.Exception {
		d.Ground, d.Recorded = "", nil
	}
	if d.Type != decision.Deferral {
		d.Chosen, d.Target = nil, time.Time{}
	}
	return d
}

// mostConditions bounds what each judging of a decision asks for in turn.
const mostConditions = 20

// checkCommon holds for every decision.
func (g *Govern) checkCommon(d decision.Decision, at time.Time, longest time.Duration, faults *Faults) {
	if !d.Type.Valid() {
		faults.add("type", "決定の種別が不明である。", "Unknown type of decision.")
	}
	if d.Reason == "" {
		faults.add("reason", "理由を入力すること。", "Give the reason.")
	}
	faults.read("reason", d.Reason)
	faults.read("measures", d.Measures)
	faults.read("consulted", d.Consulted)
	if !d.Until.IsZero() && !d.Until.After(d.From) {
		faults.add("until", "終期は始期より後とすること。", "The end must be after the beginning.")
	}
	if !d.Until.IsZero() && !d.Until.After(at) {
		faults.add("until", "終期が既に過ぎている。", "The end is in the past.")
	}
	if len(d.Conditions) > mostConditions {
		faults.add("conditions", fmt.Sprintf("条件は%d件以内とすること。", mostConditions), fmt.Sprintf("At most %d conditions.", mostConditions))
		return
	}
	g.checkConditions(d.Conditions, faults)
	if !d.Type.NeedsApproval() {
		return
	}
	if d.Until.IsZero() {
		faults.add("until", "終期を定めること。期限のない例外は認められない。", "Give an end. There is no exception without one.")
	} else if longest > 0 && d.Until.Sub(d.From) > longest {
		days := int(longest.Hours() / 24)
		faults.add("until", fmt.Sprintf("期間は%d日以内とすること。更新は新たな決定による。", days),
			fmt.Sprintf("At most %d days. A renewal is a new decision.", days))
	}
}

// checkType holds for one type of decision.
func (g *Govern) checkType(d *decision.Decision, subject store.Subject, faults *Faults) {
	switch d.Type {
	case decision.Attestation, decision.Judgement:
		g.checkAnswer(*d, faults)
	case decision.Exception:
		g.checkGround(*d, faults)
	case decision.Deferral:
		g.checkDeferral(*d, subject, faults)
	case decision.Special:
		g.checkSpecial(d, subject, faults)
	case decision.Override:
		f, ok := g.kinds[d.Subject.Kind()].Field(d.Field)
		if !ok || !f.In(kind.Derived) {
			faults.add("field", "修正できるのは導出値だけである。", "Only a derived value can be overridden.")
		} else if v, err := f.Check(d.Value); err != nil || v == nil {
			faults.add("value", f.Label.JA+"の値が正しくない。", "The value does not fit "+f.Label.EN+".")
		}
	}
}

// checkSpecial holds 第5の2: for one system, after consultation; what it puts in the
// place of the requirement may be a value of a parameter, looser than others may set.
func (g *Govern) checkSpecial(d *decision.Decision, subject store.Subject, faults *Faults) {
	if d.Field != "" {
		p, ok := g.directive.Parameters[d.Field]
		if !ok {
			faults.add("key", "この項目はない。", "There is no such parameter.")
			return
		}
		if v, err := p.Check(d.Value); err != nil || v == nil {
			faults.add("value", p.Label.JA+"の値が正しくない。型、単位及び範囲を確認すること。", fmt.Sprintf("The value does not fit %s: %v.", p.Label.EN, err))
		} else {
			d.Value = fact.Canonical(v)
		}
		if d.Clause == "" && len(p.Clauses) > 0 {
			d.Clause = p.Clauses[0]
		} else if !slices.Contains(p.Clauses, d.Clause) {
			faults.add("clause", "この項目の根拠となる項ではない。", "The parameter is not of this clause.")
		}
	}
	if _, ok := g.directive.Clause(d.Clause); !ok {
		faults.add("clause", "条項を指定すること。", "Name the clause.")
	}
	if d.Subject.Kind() != "system" {
		faults.add("subject", "別段の定めはシステムごとに置く。", "A special provision is made for a system.")
	}
	if d.Consulted == "" && !g.unconnected(subject) {
		faults.add("consulted", "情報セキュリティ管理者との協議の記録を入力すること。", "Give the record of the consultation with the information security administrator.")
	}
}

func (g *Govern) checkAnswer(d decision.Decision, faults *Faults) {
	c, ok := g.controls[d.Control]
	if !ok || c.Record == nil || c.Record.Type != d.Type {
		faults.add("control", "この確認項目は回答を求めていない。", "This control asks for no such answer.")
		return
	}
	if !slices.Contains(c.Kinds, d.Subject.Kind()) {
		faults.add("subject", "この確認項目の対象ではない。", "The control is not about this kind of subject.")
	}
	if _, ok := c.Record.Answer(d.Answer); !ok {
		faults.add("answer", "回答を選ぶこと。", "Choose an answer.")
	}
}

// checkDeferral holds 第5の1: only what was in service when the directive took
// effect, only with alternative measures.
func (g *Govern) checkDeferral(d decision.Decision, subject store.Subject, faults *Faults) {
	if _, ok := g.directive.Clause(d.Clause); !ok {
		faults.add("clause", "条項を指定すること。", "Name the clause.")
	}
	if d.Measures == "" && len(d.Chosen) == 0 {
		faults.add("measures", "代替手段を入力すること。", "Give the alternative measures.")
	}
	if d.Subject.Kind() != "system" {
		faults.add("subject", "猶予はシステムごとに行う。", "A deferral is granted to a system.")
		return
	}
	text, _ := subject.Values["in_service_on"].(string)
	on, err := time.Parse(time.RFC3339, text)
	if err != nil {
		faults.add("subject", "システムの運用開始日が登録されていない。", "The system's date of entering service is not registered.")
		return
	}
	if on.After(g.directive.EffectiveFrom) {
		day := g.directive.EffectiveFrom.In(calendar.Tokyo()).Format("2006-01-02")
		quote := g.quote(d.Type)
		faults.add("subject", "施行日（"+day+"）より後に運用を開始したシステムに猶予はない。"+quote.JA+"別段の定めによること。",
			"A system that entered service after "+day+" cannot be deferred. "+quote.EN+"Ask for a special provision.")
	}
}

// quote is what the clause that allows a type of decision says.
func (g *Govern) quote(t decision.Type) bilingual.Text {
	c, ok := g.directive.Clause(g.directive.Grants[string(t)])
	if !ok {
		return bilingual.Text{}
	}
	return bilingual.Say(c.Label.JA+"：「"+c.Statement.JA+"」", c.Label.EN+": “"+c.Statement.EN+"” ")
}

// longest is how long anything may be set aside; zero: for as long as it says.
func longest(params directive.Values) time.Duration {
	switch n := params["defer.max_months"].Value.(type) {
	case time.Duration:
		return n
	case int64:
		return time.Duration(n) * 31 * 24 * time.Hour
	}
	return 0
}

func (g *Govern) clauses(d decision.Decision) []clauseID {
	if d.Clause != "" {
		return []clauseID{d.Clause}
	}
	return g.controls[d.Control].Clauses
}

// duties are those a control names for its answer; else those of the action.
func (g *Govern) duties(d decision.Decision) []actor.Duty {
	switch d.Type {
	case decision.Attestation, decision.Judgement:
		if c := g.controls[d.Control]; c.Record != nil {
			return c.Record.Duty
		}
	case decision.Deferral, decision.Special, decision.Exception:
		return []actor.Duty{actor.SystemOfficer, actor.Chief}
	}
	return nil
}

func places(s store.Subject) (places []string) {
	if s.Unit != "" {
		places = append(places, "unit/"+s.Unit)
	}
	if s.System != "" {
		places = append(places, "system/"+s.System)
	}
	return places
}

// Approve makes a decision count. The author cannot approve his own.
func (g *Govern) Approve(ctx context.Context, who actor.Actor, id string, at time.Time) error {
	return g.step(ctx, who, gate.ApproveDecision, id, "", at)
}

// Withdraw ends a decision at once, or rejects an application.
func (g *Govern) Withdraw(ctx context.Context, who actor.Actor, id, reason string, at time.Time) error {
	if faults := why(reason); len(faults) > 0 {
		return faults
	}
	return g.step(ctx, who, gate.WithdrawDecision, id, reason, at)
}

// why is what is wrong with the reason of a step.
func why(reason string) (f Faults) {
	if f.read("reason", reason); reason == "" {
		f.add("reason", "理由を入力すること。", "Give the reason.")
	}
	return f
}

func (g *Govern) step(ctx context.Context, who actor.Actor, action gate.Action, id, reason string, at time.Time) error {
	g.deciding.Lock()
	defer g.deciding.Unlock()
	d, subject, r, err := g.asked(ctx, who, action, id, reason, at)
	if err != nil {
		return err
	}
	if over(d, action, at) {
		return fmt.Errorf("%s: %w", id, ErrState)
	}
	if action == gate.ApproveDecision && r.Allows() {
		faults, err := g.ungrounded(ctx, who, d, at)
		if err != nil {
			return err
		}
		if faults = append(faults, g.unagreed(d, subject)...); len(faults) > 0 {
			return faults
		}
	}
	_, err = g.gate.Ask(ctx, r)
	return err
}

// over reports whether it is too late, or too early, to lead a decision on by action.
func over(d decision.Decision, action gate.Action, at time.Time) bool {
	switch {
	case !d.WithdrawnAt.IsZero() || !d.Until.IsZero() && !at.Before(d.Until):
		return true
	case action == gate.ApproveDecision:
		return !d.ApprovedAt.IsZero() || !d.Type.NeedsApproval()
	}
	return false
}

// asked is a decision, and what the gate is asked when somebody leads it on. Who could
// approve what he asks for himself has it approved by a post above his.
func (g *Govern) asked(ctx context.Context, who actor.Actor, action gate.Action, id, reason string, at time.Time) (_ decision.Decision, subject store.Subject, r gate.Request, err error) {
	var d store.Decision
	err = g.rows.View(ctx, func(rd store.Reader) error {
		var ok bool
		var err error
		if d, ok, err = getDecision(ctx, rd, id); err != nil {
			return err
		} else if !ok {
			return fmt.Errorf("%s: %w", id, ErrNone)
		}
		if subject, _, err = store.Get(ctx, rd, store.Subject{Kind: d.Subject.Kind(), ID: d.Subject.ID()}); err != nil {
			return err
		}
		r = gate.Request{
			Actor: who, At: at, Action: action, Object: string(d.Subject), Control: d.Control, Clauses: g.clauses(d.Decision),
			Scope: places(subject), Changes: []gate.Change{{Body: stepBody{ID: id, Reason: reason}}},
		}
		if action != gate.ApproveDecision {
			return nil
		}
		r.Need, r.NotBy = g.approvers(d.Type, subject), []string{d.By}
		ruling, err := superior.Of(ctx, rd, d.By, r.Need, r.Scope, at)
		r.Actor = ruling.Other(who)
		return err
	})
	return d.Decision, subject, r, err
}

// approvers are the duties that approve a type of decision about a subject. About a
// system that is not connected the head of the prefectural police decides.
func (g *Govern) approvers(t decision.Type, subject store.Subject) []actor.Duty {
	switch {
	case g.unconnected(subject) && (t == decision.Special || t == decision.Deferral):
		return []actor.Duty{actor.Chief}
	case t == decision.Special:
		return []actor.Duty{actor.SecurityAdministrator, actor.Chief}
	}
	return []actor.Duty{actor.SecurityAdministrator, actor.SystemOfficer, actor.Chief}
}

// May says what somebody may do with a decision at an instant.
type May struct {
	Approve, Withdraw bool
	Own               bool                // he asked for it
	Note              []decision.NoteType // what he may note
	By                []actor.Duty        // who approves
}

// May asks without recording: pages offer only what may be done.
func (g *Govern) May(ctx context.Context, p gate.Permit, id string, at time.Time) (m May, err error) {
	var note bool
	for action, may := range map[gate.Action]*bool{gate.ApproveDecision: &m.Approve, gate.WithdrawDecision: &m.Withdraw, gate.NoteDecision: &note} {
		d, subject, r, err := g.asked(ctx, p.Who(), action, id, "", at)
		if err != nil {
			return m, err
		}
		if over(d, action, at) {
			continue
		}
		*may, m.Own = r.Allows(), d.By == p.Who().Person
		switch {
		case action == gate.ApproveDecision:
			m.By = r.Need
		case !note || action != gate.NoteDecision:
		case d.Type == decision.Deferral:
			m.Note = append(m.Note, decision.Progress)
		case d.Type == decision.Special:
			m.Note = append(m.Note, decision.Consultation)
			if r.Need = []actor.Duty{actor.SecurityAdministrator}; r.Allows() && d.ApprovedAt.IsZero() && !m.Own && !g.unconnected(subject) {
				m.Note = append(m.Note, decision.Agreement)
			}
		}
	}
	return m, nil
}

func newID() string {
	b := make([]byte, 10)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// Of lists the decisions that touch a subject, newest first; all of them when
// ref is empty.
func (g *Govern) Of(ctx context.Context, p gate.Permit, ref fact.Ref) ([]decision.Decision, error) {
	p.Who()
	w := store.Where{Sort: []string{"-entry"}}
	if ref != "" {
		w.Equal = map[string]any{"subject": string(ref)}
	}
	var out []decision.Decision
	err := g.rows.View(ctx, func(r store.Reader) error {
		rows, err := store.All[store.Decision](ctx, r, w)
		for _, d := range rows {
			out = append(out, d.Decision)
		}
		return err
	})
	return out, err
}
