package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/demo/spread"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/govern"
	"kakusho/posture"
	"kakusho/posture/trial"
	"kakusho/server"
	"kakusho/store"
	"kakusho/verdict"
)

// answers are what people say where a control asks them.
type answers struct {
	OneIn   int                 `yaml:"one_in"` // of so many questions one is left open
	Kinds   []string            `yaml:"kinds"`  // answers are given about these alone; empty: about all
	Reason  string              `yaml:"reason"` // where none is given
	Answers map[string]struct { // by control; else the control's first answer, which is the good one
		Answer   string            `yaml:"answer"`
		Reason   string            `yaml:"reason"`
		Subjects map[string]string `yaml:"subjects"` // answers about these
	} `yaml:"answers"`
}

// given is a decision of the data. Days count from today.
type given struct {
	Type       decision.Type  `yaml:"type"`
	Subject    fact.Ref       `yaml:"subject"`
	Control    string         `yaml:"control"`
	Clause     clause.ID      `yaml:"clause"`
	Ground     string         `yaml:"ground"`
	Field      string         `yaml:"field"`
	Value      any            `yaml:"value"`
	Reason     string         `yaml:"reason"`
	Measures   string         `yaml:"measures"`
	Consulted  string         `yaml:"consulted"`
	Agreed     string         `yaml:"agreed"` // absent: as the measures
	Conditions []string       `yaml:"conditions"`
	Chosen     []string       `yaml:"chosen"`
	Target     int            `yaml:"target"` // absent: none
	Progress   []progress     `yaml:"progress"`
	Recorded   map[string]any `yaml:"recorded"`
	Given      int            `yaml:"given"`
	Approved   *int           `yaml:"approved"`  // absent: not yet
	Withdrawn  *int           `yaml:"withdrawn"` // absent: never
	Until      int            `yaml:"until"`
}

// progress is a note of the data about what is deferred.
type progress struct {
	On   int    `yaml:"on"`
	Text string `yaml:"text"`
}

// setting is a parameter value of the data.
type setting struct {
	Key      string `yaml:"key"`
	Layer    string `yaml:"layer"`
	Value    any    `yaml:"value"`
	Source   string `yaml:"source"`
	Proposed int    `yaml:"proposed"`
	Approved *int   `yaml:"approved"`
	From     *int   `yaml:"from"`
}

// answering are the answers to what the controls ask, spread over the past half
// year. What is asked, the judge says: it is shown the body as it stands, without
// a single answer.
func (b *body) answering(s *server.Server, all []seen) ([]step, error) {
	var a answers
	if err := b.read("answers.yaml", &a); err != nil {
		return nil, err
	}
	if len(a.Kinds) > 0 { // nobody is asked about a device, and devices are nearly all there is to judge
		all = nil
	}
	var subjects []store.Subject
	for _, id := range order {
		for _, e := range b.entries[id] {
			if all != nil || e.kind.Section != "device" {
				subjects = append(subjects, e.row(b.now))
			}
		}
	}
	standing, err := s.Posture.Of(subjects, rows(all), b.now)
	if err != nil {
		return nil, err
	}
	var out []step
	asking := slices.DeleteFunc(standing.Pairs(posture.Filter{}), func(p posture.Pair) bool {
		c, _ := s.Posture.Control(p.Control)
		return c.Record == nil || len(a.Kinds) > 0 && !slices.Contains(a.Kinds, p.Subject.Kind())
	})
	for _, v := range standing.Judged(asking) {
		c, _ := s.Posture.Control(v.Control)
		if !slices.ContainsFunc(v.Reasons, func(r verdict.Reason) bool { return r.Code == "no-record" }) {
			continue
		}
		d := decision.Decision{Type: c.Record.Type, Subject: fact.Ref(v.Subject), Control: c.ID}
		if sub, ok := standing.Subject(d.Subject); ok && d.Type == decision.Judgement {
			d.Basis = sub.Circumstances()
		}
		if d.Answer, d.Reason = b.answer(a, c, v.Subject); d.Answer == "" {
			continue
		}
		e := b.byRef[d.Subject]
		who, err := b.holder(c.Record.Duty, e)
		if err != nil {
			return nil, fmt.Errorf("answer %s: %w", c.ID, err)
		}
		// One goes round on one day for each control, and not before it was entered.
		day := spread.Lot(c.ID + who.Person + e.kind.ID).IntN(max(1, min(150, -b.sheets[e.kind.ID].Entered-2)))
		at := b.hour(-1-day, 17).Add(time.Duration(spread.Lot(v.Subject).IntN(3600)) * time.Second)
		out = append(out, step{at: at, do: func(ctx context.Context) error {
			_, err := s.Govern.Give(ctx, who, d, at)
			return wrap(err, "answer %s for %s", d.Control, d.Subject)
		}})
	}
	return out, nil
}

// answer is what is said about a subject; "" leaves it open.
func (b *body) answer(a answers, c control.Control, subject string) (answer, reason string) {
	x := a.Answers[c.ID]
	answer, reason = cmp.Or(x.Subjects[subject], x.Answer, c.Record.Answers[0].Value), cmp.Or(x.Reason, a.Reason)
	for _, p := range b.planted {
		switch {
		case p.Control != c.ID:
		case p.Sibling == subject || p.Subject == subject && p.Answer == "":
			return answer, reason
		case p.Subject == subject && p.Answer == "none":
			return "", ""
		case p.Subject == subject:
			return p.Answer, reason
		}
	}
	if x.Subjects[subject] == "" && spread.Lot(c.ID+subject).IntN(a.OneIn) == 0 {
		return "", ""
	}
	return answer, reason
}

func wrap(err error, format string, a ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(a, err)...)
}

// hour is an hour of a day counted from today.
func (b *body) hour(day, hour int) time.Time {
	return spread.Place{Now: b.now}.Day(day).Add(time.Duration(hour) * time.Hour)
}

// deciding are exceptions, deferrals, special provisions and overrides, each
// asked for by one and approved by another.
func (b *body) deciding(s *server.Server) ([]step, error) {
	var list []given
	if err := b.read("decisions.yaml", &list); err != nil {
		return nil, err
	}
	var out []step
	for _, g := range list {
		e, there := b.byRef[g.Subject]
		if !there {
			return nil, fmt.Errorf("decision about %s: no such entry", g.Subject)
		}
		asker, err := b.holder([]actor.Duty{actor.SystemOfficer}, e)
		if err != nil {
			return nil, err
		}
		d := decision.Decision{
			Type: g.Type, Subject: g.Subject, Control: g.Control, Clause: g.Clause, Ground: g.Ground, Recorded: g.Recorded, Field: g.Field, Value: g.Value,
			Reason: g.Reason, Measures: g.Measures, Consulted: g.Consulted, Conditions: g.Conditions,
			From: b.hour(g.Given, 10), Until: b.hour(g.Until, 0), Chosen: g.Chosen,
		}
		if g.Target != 0 {
			d.Target = b.hour(g.Target, 0)
		}
		id := new(string)
		out = append(out, step{at: d.From, do: func(ctx context.Context) (err error) {
			*id, err = s.Govern.Give(ctx, asker, d, d.From)
			return wrap(err, "ask for %s of %s", d.Type, d.Subject)
		}})
		if g.Approved != nil && g.Type == decision.Special {
			at := b.hour(*g.Approved, 10)
			out = append(out, step{at: at, do: func(ctx context.Context) error {
				return wrap(s.Govern.Note(ctx, b.actor(administrator), *id, decision.Agreement, cmp.Or(g.Agreed, g.Measures), at), "agree on %s of %s", d.Type, d.Subject)
			}})
		}
		if g.Approved != nil {
			chief := b.actor(approver)
			at := b.hour(*g.Approved, 11)
			out = append(out, step{at: at, do: func(ctx context.Context) error {
				return wrap(s.Govern.Approve(ctx, chief, *id, at), "approve %s of %s", d.Type, d.Subject)
			}})
		}
		for _, n := range g.Progress {
			at := b.hour(n.On, 15)
			out = append(out, step{at: at, do: func(ctx context.Context) error {
				return wrap(s.Govern.Note(ctx, asker, *id, decision.Progress, n.Text, at), "progress of %s of %s", d.Type, d.Subject)
			}})
		}
		if g.Withdrawn != nil {
			at := b.hour(*g.Withdrawn, 12)
			out = append(out, step{at: at, do: func(ctx context.Context) error {
				return wrap(s.Govern.Withdraw(ctx, asker, *id, "対策が完了したため", at), "withdraw %s of %s", d.Type, d.Subject)
			}})
		}
	}
	return out, nil
}

// The staff numbers of those who decide for the whole body.
const (
	administrator = "k0202" // proposes parameters
	approver      = "k0201" // the chief
)

// setting are the parameter values, proposed by one and approved by another.
func (b *body) setting(s *server.Server) ([]step, error) {
	var list []setting
	if err := b.read("settings.yaml", &list); err != nil {
		return nil, err
	}
	var out []step
	for _, x := range list {
		at := b.hour(x.Proposed, 13)
		v := directive.Setting{Key: x.Key, Layer: x.Layer, Value: x.Value, Source: x.Source, From: at}
		if x.From != nil {
			v.From = b.hour(*x.From, 0)
		}
		id := new(string)
		out = append(out, step{at: at, do: func(ctx context.Context) (err error) {
			*id, err = s.Govern.Propose(ctx, b.actor(administrator), v, at)
			return wrap(err, "propose %s", v.Key)
		}})
		if x.Approved != nil {
			at := b.hour(*x.Approved, 14)
			out = append(out, step{at: at, do: func(ctx context.Context) error {
				return wrap(b.endorse(ctx, s, *id, at), "approve %s", v.Key)
			}})
		}
	}
	return out, nil
}

// endorse approves a value as the chief does, having looked at what comes of it.
func (b *body) endorse(ctx context.Context, s *server.Server, id string, at time.Time) error {
	chief := b.actor(approver)
	permit, err := s.Gate.Ask(ctx, gate.Request{Actor: chief, At: at, Action: gate.Read, Object: "page/setting/" + id, Scope: []string{"*"}})
	if err != nil {
		return err
	}
	all, err := s.Govern.Settings(ctx, permit, "")
	if err != nil {
		return err
	}
	for _, x := range all {
		if x.ID != id {
			continue
		}
		p, err := trial.Predict(ctx, s.Posture, permit, directive.Setting{Key: x.Key, Layer: x.Layer, Value: x.Value, From: x.From}, at)
		if err != nil {
			return err
		}
		return s.Govern.ApproveSetting(ctx, chief, id, p, p.Digest(), at)
	}
	return govern.ErrNone
}
