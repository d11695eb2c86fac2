package decide

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/govern"
	"kakusho/kind"
	"kakusho/posture/trial"
	"kakusho/web"
)

type parametersData struct {
	Groups  []groupData
	Pending int
}

type groupData struct {
	directive.Group
	Lines []parameterLine
}

type parameterLine struct {
	directive.Parameter
	Shown   string
	Layer   string
	Default string
	Until   time.Time
	Waiting int
}

func (s pages) parameters(r *web.Request) (web.Answer, error) {
	dir := s.posture.Directive()
	values, err := s.govern.Values(r.Context(), directive.Scope{}, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	all, err := s.govern.Settings(r.Context(), r.Permit, "")
	if err != nil {
		return web.Answer{}, err
	}
	waiting := map[string]int{}
	var d parametersData
	for _, x := range all {
		if x.Approver == "" && x.WithdrawnAt.IsZero() {
			waiting[x.Key]++
			d.Pending++
		}
	}
	for _, g := range append([]directive.Group{dir.Lifetimes}, dir.Groups...) {
		gd := groupData{Group: g}
		for _, key := range g.Keys {
			p, v := dir.Parameters[key], values[key]
			gd.Lines = append(gd.Lines, parameterLine{p, p.Format(v.Value, r.Lang), v.Layer, p.Format(p.Default, r.Lang), v.Until, waiting[key]})
		}
		d.Groups = append(d.Groups, gd)
	}
	return web.Answer{Page: "parameters", Title: bilingual.Say("別途定める値", "Parameters"), Data: d}, nil
}

type parameterData struct {
	directive.Parameter
	Shown   string
	Layer   string
	Shipped string
	History []settingLine
	Special []provision
	Typed   map[string]string
	Faults  []kind.Fault
}

type settingLine struct {
	govern.Proposal
	Shown       string
	Typed       string // as one would type it
	Settle, End bool   // the reader may approve it, take it back
}

// provision is a special provision that sets the parameter for a system.
type provision struct {
	decision.Decision
	Shown string
	State string
}

func (s pages) parameter(r *web.Request) (web.Answer, error) {
	form := map[string]string{"layer": "national"}
	for _, name := range []string{"value", "layer", "from"} { // of a draft that was tried
		if v := r.URL.Query().Get(name); v != "" {
			form[name] = v
		}
	}
	return s.showParameter(r, form, nil)
}

func (s pages) showParameter(r *web.Request, typed map[string]string, faults []kind.Fault) (web.Answer, error) {
	p, ok := s.posture.Directive().Parameters[r.PathValue("key")]
	if !ok {
		return web.Answer{}, web.ErrNotFound
	}
	values, err := s.govern.Values(r.Context(), directive.Scope{}, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	history, err := s.govern.Settings(r.Context(), r.Permit, p.Key)
	if err != nil {
		return web.Answer{}, err
	}
	d := parameterData{Parameter: p, Typed: typed, Faults: faults, Layer: values[p.Key].Layer,
		Shown: p.Format(values[p.Key].Value, r.Lang), Shipped: p.Format(p.Default, r.Lang)}
	for _, x := range history {
		v, err := p.Check(x.Value)
		if err != nil {
			v = x.Value
		}
		line := settingLine{Proposal: x, Shown: p.Format(v, r.Lang), Typed: trial.Typed(x.Value)}
		if line.Settle, line.End, err = s.govern.MaySettle(r.Context(), r.Permit, x.ID, r.At); err != nil {
			return web.Answer{}, err
		}
		d.History = append(d.History, line)
	}
	decided, err := s.govern.Of(r.Context(), r.Permit, "")
	if err != nil {
		return web.Answer{}, err
	}
	for _, x := range decided {
		if !x.Provides() || x.Field != p.Key || s.closed(r, x.Subject) {
			continue
		}
		v, err := p.Check(x.Value)
		if err != nil {
			v = x.Value
		}
		d.Special = append(d.Special, provision{x, p.Format(v, r.Lang), state(x, r.At)})
	}
	a := web.Answer{Page: "parameter", Title: p.Label, Data: d}
	if len(faults) > 0 {
		a.Status = http.StatusUnprocessableEntity
	}
	return a, nil
}

func (s pages) propose(r *web.Request) (web.Answer, error) {
	if err := r.ParseForm(); err != nil {
		return web.Answer{}, err
	}
	typed := map[string]string{}
	for k := range r.PostForm {
		typed[k] = strings.TrimSpace(r.PostForm.Get(k))
	}
	key := r.PathValue("key")
	p := s.posture.Directive().Parameters[key]
	set := directive.Setting{Key: key, Layer: typed["layer"], Source: typed["source"], Value: typed["value"]}
	if p.Type == directive.List {
		var items []any
		for _, line := range strings.FieldsFunc(typed["value"], func(c rune) bool { return c == '\n' || c == ',' || c == '、' || c == '\r' }) {
			items = append(items, strings.TrimSpace(line))
		}
		set.Value = items
	}
	var faults []kind.Fault
	var err error
	if set.From, err = day(typed["from"]); err != nil {
		faults = append(faults, asFault("from", err))
	}
	if set.Until, err = day(typed["until"]); err != nil {
		faults = append(faults, asFault("until", err))
	}
	if len(faults) == 0 {
		_, err := s.govern.Propose(r.Context(), r.Actor, set, r.At)
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
		return s.showParameter(r, typed, faults)
	}
	return web.Answer{Redirect: "/parameter/" + key}, nil
}

func (s pages) endSetting(r *web.Request) (web.Answer, error) {
	if err := r.ParseForm(); err != nil {
		return web.Answer{}, err
	}
	err := s.govern.EndSetting(r.Context(), r.Actor, r.PathValue("id"), strings.TrimSpace(r.PostForm.Get("reason")), r.At)
	var wrong govern.Faults
	if err != nil && !errors.As(err, &wrong) {
		return web.Answer{}, notFound(err)
	}
	return web.Answer{Redirect: "/parameters"}, nil
}
