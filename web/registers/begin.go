package registers

import (
	"errors"
	"net/http"
	"slices"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/register"
	"kakusho/web"
)

// alone reports whether entries of a kind begin and change by steps alone.
func (p pages) alone(k kind.Kind) bool {
	lead, led := p.register.Procedures().Of(k.ID)
	return led && lead.Alone
}

// opening are the steps that begin an entry and are among a reader's duties.
func opening(lead procedure.Procedure, a actor.Actor) (out []procedure.Step) {
	for _, s := range lead.Steps {
		if len(s.From) == 0 && s.Page == "" && slices.ContainsFunc(s.Who, a.Has) {
			out = append(out, s)
		}
	}
	return out
}

func (p pages) mayBegin(k kind.Kind, a actor.Actor) bool {
	lead, _ := p.register.Procedures().Of(k.ID)
	return lead.Alone && len(opening(lead, a)) > 0
}

// begins is the page on which an entry begins by a step; at is what was typed, and of
// which step.
func (p pages) begins(r *web.Request, k kind.Kind, lead procedure.Procedure, at tried) web.Answer {
	d := formData{Kind: k, Begin: &lead}
	fields := p.fielder(r)
	steps := opening(lead, r.Actor)
	for _, s := range steps {
		form := stepForm{Offer: register.Offer{Step: s, May: true}, Open: at.step == s.ID || at.step == "" && len(steps) == 1}
		faults := at.faults
		if at.step != s.ID {
			faults = nil
		}
		for _, name := range s.Fill {
			if f, ok := k.Field(name); ok && f.MayRead(r.Actor) {
				f.Required = f.Required || slices.Contains(s.Need, name)
				form.Forms = append(form.Forms, fields.field("s-"+s.ID+"-", f, at.typed, faults))
			}
		}
		form.NoteField = fields.field("s-"+s.ID+"-", note(s), at.typed, faults)
		form.fault(faults, r.Lang)
		d.Begins = append(d.Begins, form)
	}
	a := web.Answer{Page: "form", Title: bilingual.Text{JA: k.Label.JA + "の登録", EN: "Register: " + k.Label.EN}, Data: d}
	if len(at.faults) > 0 {
		a.Status = http.StatusUnprocessableEntity
	}
	return a
}

// begin takes a step that begins an entry.
func (p pages) begin(r *web.Request) (web.Answer, error) {
	k, err := p.kind(r)
	if err != nil {
		return web.Answer{}, err
	}
	if err := r.ParseMultipartForm(1 << 20); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return web.Answer{}, badForm(err)
	}
	lead, led := p.register.Procedures().Of(k.ID)
	s, known := lead.Step(r.PathValue("step"))
	if !led || !known || len(s.From) > 0 {
		return web.Answer{}, web.ErrBadRequest
	}
	act := register.Act{Procedure: lead.ID, Step: s.ID, Values: map[string]any{}}
	faults := fill(k, s, r.PostForm, &act)
	if act.Files, err = attached(r); err != nil {
		return web.Answer{}, err
	}
	if len(faults) == 0 {
		var wrong register.Faults
		switch ref, err := p.register.Take(r.Context(), r.Actor, act, r.At); {
		case errors.As(err, &wrong):
			faults = wrong
		case err != nil:
			return web.Answer{}, err
		default:
			return web.Answer{Redirect: "/register/" + string(ref) + "?saved"}, nil
		}
	}
	if _, err := r.Read(); err != nil {
		return web.Answer{}, err
	}
	return p.begins(r, k, lead, tried{s.ID, r.PostForm, faults}), nil
}

// fault shows faults above a step's form: those of its fields lead there.
func (s *stepForm) fault(faults []kind.Fault, l bilingual.Lang) {
	for _, fault := range faults {
		shown := formField{Fault: fault.Text().In(l)}
		if fault.Field == filesField {
			s.FileFault, shown.At = fault.Message.In(l), "s-"+s.ID+"-"+filesField
		}
		if fault.Field == s.NoteField.Name || slices.Contains(s.Fill, fault.Field) { // else another step fills it
			shown.At = "s-" + s.ID + "-" + fault.Field
		}
		s.Faults = append(s.Faults, shown)
	}
}
