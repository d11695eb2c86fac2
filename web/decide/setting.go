package decide

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"kakusho/decision"
	"kakusho/directive"
	"kakusho/govern"
	"kakusho/kind"
	"kakusho/posture/trial"
	"kakusho/web"
)

// settingData is a value that was put forward, and what comes of it.
type settingData struct {
	govern.Proposal
	Parameter  directive.Parameter
	Shown, Was string
	Settle     bool
	Predicted  decision.Prediction // now, or as it was approved; without a key: none
	Lines      []predictedLine
	WhatIf     string
	Faults     []kind.Fault
}

type predictedLine struct {
	Sort  trial.Sort
	Count int
	Link  string
}

func (s pages) setting(r *web.Request) (web.Answer, error) { return s.showSetting(r, nil) }

// proposal finds a value that was put forward, as the draft it is.
func (s pages) proposal(r *web.Request) (x govern.Proposal, d directive.Setting, err error) {
	all, err := s.govern.Settings(r.Context(), r.Permit, "")
	if err != nil {
		return x, d, err
	}
	i := slices.IndexFunc(all, func(x govern.Proposal) bool { return x.ID == r.PathValue("id") })
	if i < 0 {
		return x, d, web.ErrNotFound
	}
	x = all[i]
	return x, directive.Setting{ID: x.ID, Key: x.Key, Layer: x.Layer, Value: x.Value, From: x.From}, nil
}

func waits(x govern.Proposal) bool { return x.Approver == "" && x.WithdrawnAt.IsZero() }

func (s pages) showSetting(r *web.Request, faults []kind.Fault) (web.Answer, error) {
	x, draft, err := s.proposal(r)
	if err != nil {
		return web.Answer{}, err
	}
	d := settingData{Proposal: x, Parameter: s.posture.Directive().Parameters[x.Key], Faults: faults}
	format := func(v any) string {
		if checked, err := d.Parameter.Check(v); err == nil {
			v = checked
		}
		return d.Parameter.Format(v, r.Lang)
	}
	d.Shown = format(x.Value)
	if waits(x) {
		values, err := s.govern.Values(r.Context(), trial.ScopeOf(x.Layer), r.At)
		if err != nil {
			return web.Answer{}, err
		}
		d.Was = format(values[x.Key].Value)
		if d.Predicted, err = trial.Predict(r.Context(), s.posture, r.Permit, draft, r.At); err != nil {
			wrong, ok := trial.AsFaults(err)
			if !ok {
				return web.Answer{}, err
			}
			d.Faults = append(d.Faults, wrong...)
		}
		if d.Settle, _, err = s.govern.MaySettle(r.Context(), r.Permit, x.ID, r.At); err != nil {
			return web.Answer{}, err
		}
	} else if d.Predicted, err = sealed(x); err != nil {
		return web.Answer{}, err
	}
	d.lines(draft, r.At)
	a := web.Answer{Page: "setting", Title: d.Parameter.Label, Data: d}
	if len(faults) > 0 {
		a.Status = http.StatusUnprocessableEntity
	}
	return a, nil
}

// sealed is the prediction with which a value was approved.
func sealed(x govern.Proposal) (p decision.Prediction, err error) {
	if len(x.Predicted) == 0 {
		return p, nil
	}
	b, err := json.Marshal(x.Predicted)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	return p, err
}

func (d *settingData) lines(draft directive.Setting, at time.Time) {
	if d.Predicted.Key == "" {
		return
	}
	d.WhatIf = "/what-if?" + trial.Proposed(draft, at).Address().Encode()
	for _, sort := range trial.Sorts {
		n := d.Predicted.Counts[string(sort)]
		if n > 0 || sort == trial.Fails || sort == trial.Passes {
			d.Lines = append(d.Lines, predictedLine{sort, n, d.WhatIf + "&sort=" + string(sort) + "#moves"})
		}
	}
}

func (s pages) approveSetting(r *web.Request) (web.Answer, error) {
	if err := r.ParseForm(); err != nil {
		return web.Answer{}, err
	}
	err := s.settle(r, r.PostForm.Get("seen"))
	var wrong govern.Faults
	if errors.As(err, &wrong) {
		if r.Permit, err = r.Read(); err != nil {
			return web.Answer{}, err
		}
		return s.showSetting(r, wrong)
	}
	if err != nil {
		return web.Answer{}, notFound(err)
	}
	return web.Answer{Redirect: "/setting/" + r.PathValue("id")}, nil
}

// settle approves a value that was put forward, after trying it once more: what whoever
// approves was shown is to be what comes of it.
func (s pages) settle(r *web.Request, seen string) (err error) {
	var p decision.Prediction
	if seen != "" {
		if r.Permit, err = r.Read(); err != nil {
			return err
		}
		_, draft, err := s.proposal(r)
		if err != nil {
			return err
		}
		p, err = trial.Predict(r.Context(), s.posture, r.Permit, draft, r.At)
		if wrong, ok := trial.AsFaults(err); ok {
			return govern.Faults(wrong)
		} else if err != nil {
			return err
		}
	}
	return s.govern.ApproveSetting(r.Context(), r.Actor, r.PathValue("id"), p, seen, r.At)
}

// predicted is, for programs, what comes of a value that waits, or was said to come of
// one that was approved.
func (s pages) predicted(r *web.Request) (web.Answer, error) {
	x, draft, err := s.proposal(r)
	if err != nil {
		return web.Answer{}, err
	}
	var p decision.Prediction
	if waits(x) {
		p, err = trial.Predict(r.Context(), s.posture, r.Permit, draft, r.At)
	} else {
		p, err = sealed(x)
	}
	if wrong, ok := trial.AsFaults(err); ok {
		return refused(r, wrong), nil
	}
	return web.Answer{JSON: map[string]any{"prediction": p, "digest": p.Digest(), "approved": x.Approver != ""}}, err
}

// settled approves a value for a program: {"seen": digest}.
func (s pages) settled(r *web.Request) (web.Answer, error) {
	var body struct {
		Seen string `json:"seen"`
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&body); err != nil {
		return web.Answer{}, errors.Join(web.ErrBadRequest, err)
	}
	err := s.settle(r, body.Seen)
	var wrong govern.Faults
	if errors.As(err, &wrong) {
		return refused(r, wrong), nil
	}
	return web.Answer{JSON: map[string]any{"id": r.PathValue("id")}}, notFound(err)
}

func refused(r *web.Request, faults []kind.Fault) web.Answer {
	out := []map[string]string{}
	for _, f := range faults {
		out = append(out, map[string]string{"field": f.Field, "message": f.Message.In(r.Lang)})
	}
	return web.Answer{Status: http.StatusUnprocessableEntity, JSON: map[string]any{"faults": out}}
}
