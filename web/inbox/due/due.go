// Package due is the inbox of the posts that somebody holds: what waits for his
// decision, what he is to do, and by when.
//
// Nothing is kept and nothing runs at night. Approvals are read from what was applied
// for, steps from the procedures, dates from what the judge says before and after them;
// whoever holds the post at the instant has its items.
package due

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/govern"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/register"
	"kakusho/register/draft"
	"kakusho/register/open"
)

// Ahead is how long before its date an item comes into the inbox.
const Ahead = 30 * 24 * time.Hour

// Sort is what an item asks for.
type Sort string

// The sorts, in the order in which pages name them.
const (
	Approve    Sort = "approve"    // somebody else's application
	Step       Sort = "step"       // a step of a procedure
	Answer     Sort = "answer"     // a judgement or an attestation
	Alert      Sort = "alert"      // to be looked into
	Date       Sort = "date"       // of an entry, by which something is to be done again
	End        Sort = "end"        // of what sets a clause aside
	Assignment Sort = "assignment" // that ends
	Draft      Sort = "draft"      // of a form that he has not sent yet
)

// Sorts lists every Sort.
var Sorts = []Sort{Approve, Step, Answer, Alert, Date, End, Assignment, Draft}

var labels = map[Sort]bilingual.Text{
	Approve: {JA: "承認", EN: "Approval"}, Step: {JA: "手続の操作", EN: "Step of a procedure"}, Answer: {JA: "判断・確認", EN: "Judgement or attestation"},
	Alert: {JA: "警告の確認", EN: "Alert"}, Date: {JA: "登録の期限", EN: "Date of an entry"}, End: {JA: "例外の終期", EN: "End of an exception"},
	Assignment: {JA: "任務の終期", EN: "End of an assignment"}, Draft: {JA: "入力途中", EN: "Draft"},
}

// Label is the sort as pages print it.
func (s Sort) Label() bilingual.Text { return labels[s] }

// Item is one thing that a post is to decide or to do.
type Item struct {
	Sort    Sort
	Decide  bool           // else to do
	What    bilingual.Text // what is to be done
	Subject string         // fact.Ref, or "parameter/KEY"
	Name    string         // of the subject
	System  string
	Clause  clause.ID // empty: none asks for it
	Control string
	Since   time.Time // it waits
	Due     time.Time // zero: by no set time
	Link    string    // where it is done
}

// Late reports whether its date has passed.
func (i Item) Late(at time.Time) bool { return !i.Due.IsZero() && !at.Before(i.Due) }

// Key tells an item from all others, and from itself with another date.
func (i Item) Key() string {
	return strings.Join([]string{string(i.Sort), i.Subject, i.Control, i.Link, i.Due.UTC().Format(time.RFC3339)}, " ")
}

// Sources are what an inbox is derived from.
type Sources struct {
	Register *register.Register
	Drafts   *draft.Drafts
	Govern   *govern.Govern
	Posture  *posture.Posture
}

// Inbox is what somebody's posts have open at an instant, the most urgent first.
type Inbox struct {
	Items []Item
	At    time.Time
	Until time.Time // by time alone it is the same until then
}

// Count is how many items there are, and how many of them are late.
func (b Inbox) Count() (all, late int) {
	for _, i := range b.Items {
		if i.Late(b.At) {
			late++
		}
	}
	return len(b.Items), late
}

// reading is one inbox being read.
type reading struct {
	Sources
	ctx      context.Context
	permit   gate.Permit
	who      actor.Actor
	at, end  time.Time
	standing *posture.Standing
	box      Inbox
}

// Of reads the inbox of a permit's holder at an instant.
func (s Sources) Of(ctx context.Context, p gate.Permit, at time.Time) (Inbox, error) {
	st, err := s.Posture.Now(ctx, p, at)
	if err != nil {
		return Inbox{}, err
	}
	r := reading{Sources: s, ctx: ctx, permit: p, who: p.Who(), at: at, end: at.Add(Ahead), standing: st, box: Inbox{At: at, Until: st.Until()}}
	for _, read := range []func() error{r.approvals, r.endings, r.steps, r.alerts, r.answers, r.assignments, r.drafts} {
		if err := read(); err != nil {
			return Inbox{}, err
		}
	}
	for _, i := range r.box.Items {
		r.box.sooner(i.Due, at)
	}
	slices.SortStableFunc(r.box.Items, func(a, b Item) int {
		if a.Due.IsZero() != b.Due.IsZero() {
			return map[bool]int{true: 1, false: -1}[a.Due.IsZero()]
		}
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(slices.Index(Sorts, a.Sort), slices.Index(Sorts, b.Sort)), strings.Compare(a.Subject, b.Subject), strings.Compare(a.Control, b.Control))
	})
	return r.box, nil
}

// sooner notes an instant at which the inbox is another.
func (b *Inbox) sooner(t, at time.Time) {
	if t.After(at) && (b.Until.IsZero() || t.Before(b.Until)) {
		b.Until = t
	}
}

// add takes an item in, unless its date is still far away.
func (r *reading) add(i Item) {
	if i.Due.After(r.end) && (i.Sort == End || i.Sort == Assignment) {
		r.box.sooner(i.Due.Add(-Ahead), r.at)
		return
	}
	if i.Name == "" {
		i.Name = i.Subject
	}
	if sub, ok := r.standing.Named(i.Subject); ok {
		i.Name, i.System = sub.Name, cmp.Or(i.System, sub.System)
	}
	r.box.Items = append(r.box.Items, i)
}

// places are those a subject belongs to, as duties name them.
func places(s *posture.Subject) (out []string) {
	if s.Unit != "" {
		out = append(out, "unit/"+s.Unit)
	}
	if s.System != "" {
		out = append(out, "system/"+s.System)
	}
	if s.Ref.Kind() == "unit" {
		out = append(out, string(s.Ref))
	}
	return out
}

// keeps reports whether the reader keeps a subject's register there.
func (r *reading) keeps(k *kind.Kind, at []string) bool {
	need := k.Owner
	if k.Section == "organisation" {
		need = append([]actor.Duty{actor.Operator}, need...)
	}
	return gate.Request{Actor: r.who, At: r.at, Action: gate.PutRegister, Need: need, Scope: at}.Allows()
}

func (r *reading) approvals() error {
	ds, ss, err := r.Govern.Pending(r.ctx, r.permit, r.at)
	if err != nil {
		return err
	}
	for _, d := range ds {
		r.box.sooner(d.Until, r.at)
		may, err := r.Govern.May(r.ctx, r.permit, d.ID, r.at)
		if err != nil {
			return err
		}
		if sub, ok := r.standing.Subject(d.Subject); !may.Approve || !ok || sub.Closed {
			continue
		}
		by := d.Until
		if d.From.After(d.At) {
			by = d.From // a beginning was asked for
		}
		r.add(Item{Sort: Approve, Decide: true, What: both(d.Type.Label(), "の申請を承認し、又は退ける", "Approve or reject: %"), Subject: string(d.Subject),
			Clause: r.clauseOf(d), Control: d.Control, Since: d.At, Due: by, Link: "/decision/" + d.ID})
	}
	for _, s := range ss {
		if approve, _, err := r.Govern.MaySettle(r.ctx, r.permit, s.ID, r.at); err != nil {
			return err
		} else if !approve {
			continue
		}
		p := r.Posture.Directive().Parameters[s.Key]
		i := Item{Sort: Approve, Decide: true, What: both(p.Label, "の値の案を承認し、又は退ける", "Approve or reject the value of: %"), Subject: "parameter/" + s.Key,
			Name: s.Layer, Since: s.At, Link: "/parameter/" + s.Key}
		if s.From.After(s.At) {
			i.Due = s.From
		}
		if len(p.Clauses) > 0 {
			i.Clause = p.Clauses[0]
		}
		r.add(i)
	}
	return nil
}

// both puts a label into words.
func both(label bilingual.Text, ja, en string) bilingual.Text {
	return bilingual.Text{JA: label.JA + ja, EN: strings.Replace(en, "%", label.EN, 1)}
}

func (r *reading) clauseOf(d decision.Decision) clause.ID {
	if c, ok := r.Posture.Control(d.Control); ok && d.Clause == "" && len(c.Clauses) > 0 {
		return c.Clauses[0]
	}
	return d.Clause
}

// endings are what sets a clause aside and soon does so no more.
func (r *reading) endings() error {
	ds, err := r.Govern.Ending(r.ctx, r.permit, r.at, r.end.Add(Ahead))
	if err != nil {
		return err
	}
	for _, d := range ds {
		sub, ok := r.standing.Subject(d.Subject)
		if !ok || sub.Closed || !r.Govern.MayGive(r.who, d, places(sub), r.at) {
			continue
		}
		r.add(Item{Sort: End, What: both(d.Type.Label(), "の終期までに、是正し、又は改めて申請する", "Before it ends, correct what it sets aside, or apply anew: %"),
			Subject: string(d.Subject), Clause: r.clauseOf(d), Control: d.Control, Since: d.From, Due: d.Until, Link: "/decision/" + d.ID})
	}
	return nil
}

func (r *reading) steps() error {
	return open.Each(r.ctx, r.Register, r.permit, r.at, func(c open.Case) {
		if c.Rests && (c.Due.IsZero() || c.Due.After(r.end)) {
			r.box.sooner(c.Due.Add(-Ahead), r.at)
			return
		}
		i := Item{Sort: Step, Decide: c.Judges(), Subject: string(c.Ref), Name: c.Name, Since: c.Since, Due: c.Due, Link: "/register/" + string(c.Ref) + "#course"}
		var ja, en []string
		for _, s := range c.Steps {
			ja, en = append(ja, s.Label.JA), append(en, s.Label.EN)
		}
		i.What = bilingual.Text{JA: c.Procedure.Label.JA + "：" + strings.Join(ja, "・"), EN: c.Procedure.Label.EN + ": " + strings.Join(en, ", ")}
		if len(c.Steps) == 0 {
			i.What = both(c.Procedure.Label, "：期限を過ぎている", "%: overdue")
		}
		if len(c.Procedure.Clauses) > 0 {
			i.Clause = c.Procedure.Clauses[0]
		}
		i.System, _ = c.Values["system"].(string)
		r.add(i)
	})
}

// alerts are those that are not closed, of the post they were assigned to; what nobody
// was assigned, or nobody looked into in time, is everybody's who keeps the register.
func (r *reading) alerts() error {
	k, ok := r.Register.Kinds()["alert"]
	if !ok || !k.MayRead(r.who) {
		return nil
	}
	q := register.Query{Kind: k.ID, Equal: map[string]string{"state": "open"}, Sort: "deadline", Limit: 1000}
	for {
		page, err := r.Register.List(r.ctx, r.permit, q)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			by, _ := e.Values["deadline"].(time.Time)
			post, _ := e.Values["assigned_to"].(string)
			i := Item{Sort: Alert, Subject: string(e.Ref), Name: e.Name, Due: by, Link: "/alert/" + url.PathEscape(e.Ref.ID()),
				What: both(bilingual.Say(e.Name, e.Name), "を確認し、処理区分と執った措置を記載する", "Look into it and say what was done: %")}
			i.Since, _ = e.Values["raised_at"].(time.Time)
			i.System, _ = e.Values["system"].(string)
			if len(k.Clauses) > 0 {
				i.Clause = k.Clauses[0]
			}
			mine := slices.ContainsFunc(r.who.Assignments, func(as actor.Assignment) bool { return as.Post == post })
			if r.keeps(&k, open.Places(k, e.Ref, e.Values)) && (post == "" || mine || i.Late(r.at)) {
				r.add(i)
			}
		}
		switch q.Offset += q.Limit; {
		case int64(q.Offset) < page.Total:
		case q.Equal["state"] == "open":
			q.Equal["state"], q.Offset = "in-progress", 0
		default:
			return nil
		}
	}
}

// answers are judgements and attestations that are missing or soon too old, and dates
// of entries.
func (r *reading) answers() error {
	his := func(sub *posture.Subject, c control.Control) bool {
		if sub.Ref.Kind() == "alert" {
			return false // it is there as an alert
		}
		if c.Record != nil {
			return gate.Request{Actor: r.who, At: r.at, Action: gate.GiveDecision, Need: c.Record.Duty, Scope: places(sub)}.Allows()
		}
		return r.keeps(sub.Kind, places(sub))
	}
	seen := map[posture.Pair]bool{}
	for _, d := range r.standing.Deadlines(r.at, r.end.Add(Ahead), his) {
		if d.Turn.At.After(r.end) {
			r.box.sooner(d.Turn.At.Add(-Ahead), r.at)
			continue
		}
		seen[d.Pair] = true
		r.pair(d.Pair, d.Field, d.Turn.At)
	}
	for _, p := range r.standing.Unanswered(his) {
		if !seen[p] {
			r.pair(p, "", time.Time{})
		}
	}
	return nil
}

// pair adds what is to be done about a subject for a control; field is that whose date
// it is.
func (r *reading) pair(p posture.Pair, field string, by time.Time) {
	c, _ := r.Posture.Control(p.Control)
	i := Item{Sort: Date, What: both(c.Title, "：期限までに行う", "By its date: %"), Subject: string(p.Subject), Clause: p.Clause, Control: p.Control, Due: by}
	switch f, _ := r.Register.Kinds()[p.Subject.Kind()].Field(field); {
	case c.Record != nil:
		i.Sort, i.What = Answer, both(c.Title, "："+c.Record.Type.Label().JA+"を行う", c.Record.Type.Label().EN+": %")
		i.Link = "/decide?" + url.Values{"subject": {i.Subject}, "control": {c.ID}}.Encode()
	case f.In(kind.Declared):
		i.Link = "/register/" + i.Subject + "#f-" + field
	default:
		i.Link = "/subject/" + i.Subject + "#v-" + c.ID
	}
	if v, ok := r.standing.Verdict(p.Subject, p.Control); ok {
		i.Since = v.Since
	}
	r.add(i)
}

// assignments are those that end, or ended, before somebody follows, for who keeps them.
func (r *reading) assignments() error {
	k := r.Register.Kinds()["assignment"]
	if !k.MayRead(r.who) {
		return nil
	}
	all := r.standing.OfKind(k.ID)
	for _, sub := range all {
		a := termOf(sub)
		if a.until.IsZero() || a.until.Before(r.at.Add(-Ahead)) || !r.keeps(sub.Kind, places(sub)) {
			continue
		}
		if slices.ContainsFunc(all, func(o *posture.Subject) bool { return o.Ref != sub.Ref && termOf(o).follows(a) }) {
			continue
		}
		i := Item{Sort: Assignment, Subject: string(sub.Ref), Since: a.from, Due: a.until, Link: "/register/" + string(sub.Ref)}
		name := a.post
		if p, ok := r.standing.Subject(fact.NewRef("post", a.post)); ok {
			name = p.Name
		}
		i.What = both(bilingual.Say(name, name), "："+a.duty.Label().JA+"の任務の後任を定める", "%: name who follows as "+a.duty.Label().EN)
		if len(k.Clauses) > 0 {
			i.Clause = k.Clauses[0]
		}
		r.add(i)
	}
	return nil
}

// drafts are his own, as long as he may read the register.
func (r *reading) drafts() error {
	ds, err := r.Drafts.All(r.ctx, r.permit)
	for _, d := range ds {
		k, ok := r.Register.Kinds()[d.Kind()]
		if !ok || !k.MayRead(r.who) {
			continue
		}
		name := bilingual.Text{JA: k.Label.JA + "の登録", EN: "the entry of " + k.Label.EN}
		if p, led := r.Register.Procedures().Of(k.ID); led && d.Form != draft.Entry {
			s, _ := p.Step(d.Form)
			name = bilingual.Text{JA: p.Label.JA + "：" + s.Label.JA, EN: p.Label.EN + ": " + s.Label.EN}
		}
		i := Item{Sort: Draft, What: both(name, "の入力を続け、又は破棄する", "Go on with, or discard: %"), Subject: d.Subject, Since: d.At,
			Link: "/register/" + d.Subject + "?" + url.Values{"draft": {d.Form}}.Encode()}
		if len(k.Clauses) > 0 {
			i.Clause = k.Clauses[0]
		}
		r.add(i)
	}
	return err
}

// term is for how long somebody has a duty of a post.
type term struct {
	post, scope, person string
	duty                actor.Duty
	from, until         time.Time
}

func termOf(s *posture.Subject) (t term) {
	v := s.Declared()
	text := func(name string) string { x, _ := v[name].Fact.Value.(string); return x }
	t = term{post: text("post"), scope: text("scope"), person: text("person"), duty: actor.Duty(text("duty"))}
	t.from, _ = v["from"].Fact.Value.(time.Time)
	t.until, _ = v["until"].Fact.Value.(time.Time)
	return t
}

// follows reports whether somebody has the same duty when another's term ends.
func (t term) follows(o term) bool {
	return t.post == o.post && t.duty == o.duty && t.scope == o.scope && t.person != "" && !t.from.After(o.until) && (t.until.IsZero() || t.until.After(o.until))
}
