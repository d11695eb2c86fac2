package registers

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/register"
	"kakusho/web"
)

// bulk is a step taken of many entries of a list at once, each by itself: succession
// every April is some hundred appointments.
type bulk struct {
	Procedure procedure.Procedure
	Steps     []procedure.Step // that the reader's duties may take from the state listed
}

// bulkOf is what may be done with a list that shows one state; nil: nothing.
func (p pages) bulkOf(r *web.Request, k kind.Kind, q register.Query) *bulk {
	lead, led := p.register.Procedures().Of(k.ID)
	state := q.Equal[lead.Field]
	if !led || state == "" {
		return nil
	}
	b := bulk{Procedure: lead}
	for _, s := range lead.Steps {
		if slices.Contains(s.From, state) && s.Files == 0 && slices.ContainsFunc(s.Who, r.Actor.Has) {
			b.Steps = append(b.Steps, s)
		}
	}
	if len(b.Steps) == 0 {
		return nil
	}
	return &b
}

// mostBulk is how many entries one request leads on.
const mostBulk = 500

type bulkData struct {
	Kind  kind.Kind
	Step  procedure.Step
	Done  int
	Lines []bulkLine
	Back  string
}

type bulkLine struct {
	Ref fact.Ref
	Why []string // empty: it was done
}

// takeMany takes one step of every entry that was ticked. What stands in the way of one
// keeps no other.
func (p pages) takeMany(r *web.Request) (web.Answer, error) {
	k, err := p.kind(r)
	if err != nil {
		return web.Answer{}, err
	}
	lead, led := p.register.Procedures().Of(k.ID)
	s, known := lead.Step(r.PostForm.Get("step"))
	ids := r.PostForm["id"]
	if !led || !known || len(ids) == 0 || len(ids) > mostBulk {
		return web.Answer{}, web.ErrBadRequest
	}
	if _, err := r.Read(); err != nil {
		return web.Answer{}, err
	}
	d := bulkData{Kind: k, Step: s, Back: "/register/" + k.ID}
	if s.From != nil {
		d.Back += "?f." + lead.Field + "=" + s.From[0]
	}
	for _, id := range ids {
		rev, err := strconv.ParseInt(r.PostForm.Get("rev."+id), 10, 64)
		if err != nil {
			return web.Answer{}, web.ErrBadRequest
		}
		line := bulkLine{Ref: fact.NewRef(k.ID, id)}
		act := register.Act{Procedure: lead.ID, Step: s.ID, Ref: line.Ref, Note: strings.TrimSpace(r.PostForm.Get("step_note")), Rev: rev}
		if _, err := p.register.Take(r.Context(), r.Actor, act, r.At); err == nil {
			d.Done++
		} else if line.Why = why(err, r.Lang); line.Why == nil {
			return web.Answer{}, err // what keeps one keeps all: nothing can be sealed
		}
		d.Lines = append(d.Lines, line)
	}
	return web.Answer{Page: "bulk", Title: s.Label, Data: d}, nil
}

// why says what kept an entry from being led on; nil: it was not the entry.
func why(err error, l bilingual.Lang) (out []string) {
	var faults register.Faults
	switch {
	case errors.As(err, &faults):
		for _, f := range faults {
			out = append(out, f.Text().In(l))
		}
	case errors.Is(err, gate.ErrRefused):
		out = append(out, bilingual.Say("この件については行うことができない（任務の範囲外又は自らの申請）。", "Not yours to take for this one: out of your scope, or your own request.").In(l))
	case errors.Is(err, register.ErrConflict), errors.Is(err, register.ErrNoStep):
		out = append(out, bilingual.Say("他の者が先に変更した。", "Somebody else changed it meanwhile.").In(l))
	case errors.Is(err, register.ErrNoEntry):
		out = append(out, bilingual.Say("登録がない。", "There is no such entry.").In(l))
	}
	return out
}
