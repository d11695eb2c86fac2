package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/govern"
	"kakusho/kind"
	"kakusho/web"
)

// asked is the body of a request for a decision that somebody else approves.
type asked struct {
	Type       decision.Type  `json:"type"`
	Subject    fact.Ref       `json:"subject"`
	Control    string         `json:"control"`
	Clause     clause.ID      `json:"clause"`
	Ground     string         `json:"ground"`
	Recorded   map[string]any `json:"recorded"`
	Field      string         `json:"field"`
	Value      any            `json:"value"`
	Reason     string         `json:"reason"`
	Measures   string         `json:"measures"`
	Chosen     []string       `json:"chosen"`
	Conditions []string       `json:"conditions"`
	Consulted  string         `json:"consulted"`
	From       time.Time      `json:"from"`
	Until      time.Time      `json:"until"`
	Target     time.Time      `json:"target"`
}

// decide asks for a decision. What a person answers for himself, having looked, is given
// on the page that shows what there is to see.
func (d doors) decide(r *web.Request) (web.Answer, error) {
	var a asked
	if err := decoded(r, &a); err != nil {
		return web.Answer{}, err
	}
	if !a.Type.NeedsApproval() {
		return faulty(r, govern.Faults{{Field: "type", Message: bilingual.Say("承認を要する決定だけを受け付ける。", "Only decisions that need approval are taken here.")}}), nil
	}
	id, err := d.govern.Give(r.Context(), r.Actor, decision.Decision{
		Type: a.Type, Subject: a.Subject, Control: a.Control, Clause: a.Clause, Ground: a.Ground, Recorded: a.Recorded, Field: a.Field, Value: a.Value,
		Reason: a.Reason, Measures: a.Measures, Chosen: a.Chosen, Conditions: a.Conditions, Consulted: a.Consulted, From: a.From, Until: a.Until, Target: a.Target,
	}, r.At)
	return done(r, id, err)
}

func (d doors) approve(r *web.Request) (web.Answer, error) {
	id := r.PathValue("id")
	return done(r, id, d.govern.Approve(r.Context(), r.Actor, id, r.At))
}

// decoded reads a body of which every field is known.
func decoded(r *web.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", web.ErrBadRequest, err)
	}
	return nil
}

// done says what became of a decision, or its faults.
func done(r *web.Request, id string, err error) (web.Answer, error) {
	var wrong govern.Faults
	switch {
	case errors.As(err, &wrong):
		return faulty(r, wrong), nil
	case errors.Is(err, govern.ErrNone):
		return web.Answer{}, web.ErrNotFound
	case errors.Is(err, govern.ErrState):
		return web.Answer{}, web.ErrState
	}
	return web.Answer{JSON: map[string]any{"id": id}}, err
}

func faulty(r *web.Request, faults []kind.Fault) web.Answer {
	out := []line{}
	for _, f := range faults {
		out = append(out, line{f.Field, f.Message.In(r.Lang)})
	}
	return web.Answer{Status: http.StatusUnprocessableEntity, JSON: map[string]any{"faults": out}}
}
