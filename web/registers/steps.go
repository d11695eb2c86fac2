package registers

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/register"
	"kakusho/web"
)

// course is the procedure of an entry as its page shows it.
type course struct {
	*register.Course
	State state
	Steps []stepForm
	Late  bool
}

type state struct {
	procedure.State
	Label bilingual.Text
}

type stepForm struct {
	register.Offer
	Forms     []formField
	NoteField formField
	FileFault string
	Open      bool
	Faults    []formField // with what was typed
	Rev       int64       // of the entry as he saw it
	Was       string
	Draft     bool
}

// tried is a step that could not be taken as it was typed.
type tried struct {
	step   string
	typed  url.Values
	faults []kind.Fault
}

// note is the field in which a step takes a remark or its reason.
func note(s procedure.Step) kind.Field {
	f := kind.Field{Name: "step_note", Type: kind.Text, Label: bilingual.Say("備考", "Note"), Max: mostNote}
	if s.Reason {
		f.Label, f.Required = bilingual.Say("理由", "Reason"), true
	}
	return f
}

const mostNote = 2000

func (p pages) course(r *web.Request, k kind.Kind, e register.Entry, fields fielder, at *tried) (*course, error) {
	stands, err := p.register.Course(r.Context(), r.Permit, e.Ref, r.At)
	if err != nil || stands == nil {
		return nil, err
	}
	c := course{Course: stands, Late: !stands.Due.IsZero() && stands.Due.Before(r.At)}
	c.State = stateOf(k, stands.Procedure, e)
	stored := asStored(k, e, r.Lang)
	for _, o := range stands.Offers {
		s := stepForm{Offer: o, Open: at != nil && at.step == o.ID, Rev: e.Rev, Was: was(o.Fields, e)}
		typed, faults := stored, []kind.Fault(nil)
		if s.Open {
			typed, faults, s.Draft = at.typed, at.faults, at.typed.Get(fromDraft) != ""
			if rev, err := strconv.ParseInt(typed.Get("rev"), 10, 64); err == nil {
				s.Rev, s.Was = rev, typed.Get(wasField)
			}
		}
		for _, f := range o.Fields {
			s.Forms = append(s.Forms, fields.field("s-"+o.ID+"-", f, typed, faults))
		}
		s.NoteField = fields.field("s-"+o.ID+"-", note(o.Step), typed, faults)
		s.fault(faults, r.Lang)
		c.Steps = append(c.Steps, s)
	}
	return &c, nil
}

func stateOf(k kind.Kind, p procedure.Procedure, e register.Entry) state {
	value, _ := e.Values[p.Field].(string)
	s := state{Label: bilingual.Say(value, value)}
	s.State, _ = p.State(value)
	f, _ := k.Field(p.Field)
	for _, c := range f.Choices {
		if c.Value == value {
			s.Label = c.Label
		}
	}
	return s
}

// take takes a step of the entry's procedure.
func (p pages) take(r *web.Request) (web.Answer, error) {
	k, err := p.kind(r)
	if err != nil {
		return web.Answer{}, err
	}
	if err := r.ParseMultipartForm(1 << 20); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return web.Answer{}, badForm(err)
	}
	lead, led := p.register.Procedures().Of(k.ID)
	s, known := lead.Step(r.PathValue("step"))
	rev, err := strconv.ParseInt(r.PostForm.Get("rev"), 10, 64)
	if !led || !known || err != nil {
		return web.Answer{}, web.ErrBadRequest
	}
	ref, fields := fact.NewRef(k.ID, r.PathValue("id")), fieldsOf(k, s)
	if r.PostForm.Get(keepField) != "" {
		return p.keep(r, k, ref, s.ID, r.PostForm)
	}
	if merged(r.PostForm) {
		if _, err := r.Read(); err != nil {
			return web.Answer{}, err
		}
		e, err := p.register.Get(r.Context(), r.Permit, ref)
		if err != nil {
			return web.Answer{}, err
		}
		if !settle(r.PostForm, fields, e, r.Lang) {
			return p.merge(r, k, ref, fields, &s, r.PostForm)
		}
	}
	act := register.Act{Procedure: lead.ID, Step: s.ID, Ref: ref, Values: map[string]any{}, Rev: rev}
	faults := fill(k, s, r.PostForm, &act)
	if act.Files, err = attached(r); err != nil {
		return web.Answer{}, err
	}
	if len(faults) == 0 {
		var wrong register.Faults
		switch _, err = p.register.Take(r.Context(), r.Actor, act, r.At); {
		case errors.As(err, &wrong):
			faults = wrong
		case errors.Is(err, register.ErrConflict):
			return p.merge(r, k, ref, fields, &s, r.PostForm)
		case err != nil:
			return web.Answer{}, err
		default:
			return web.Answer{Redirect: "/register/" + string(act.Ref) + "?saved"}, p.sent(r.Context(), r, string(ref), s.ID)
		}
	}
	if _, err := r.Read(); err != nil {
		return web.Answer{}, err
	}
	e, err := p.register.Get(r.Context(), r.Permit, act.Ref)
	if err != nil {
		return web.Answer{}, err
	}
	return p.page(r, k, e, asStored(k, e, r.Lang), nil, &tried{s.ID, r.PostForm, faults})
}

// fieldsOf are those that a step fills.
func fieldsOf(k kind.Kind, s procedure.Step) (out []kind.Field) {
	for _, name := range s.Fill {
		if f, ok := k.Field(name); ok {
			out = append(out, f)
		}
	}
	return out
}

// fill reads what was typed into a step's form. A field that was emptied is blank; one
// that the form did not have stays.
func fill(k kind.Kind, s procedure.Step, typed url.Values, act *register.Act) (faults []kind.Fault) {
	for _, name := range s.Fill {
		f, _ := k.Field(name)
		v, there, wrong := parseField(f, typed)
		if faults = append(faults, wrong...); there {
			act.Values[name] = v // nil: blank
		}
	}
	f := note(s)
	v, err := f.Check(strings.TrimSpace(typed.Get("step_note")))
	if err != nil {
		faults = append(faults, kind.AsFault(f, err))
	}
	act.Note, _ = v.(string)
	return faults
}

// filesField is the name of the files of a step's form.
const filesField = "step_files"

// attached are the files that came with a step. A field without a file is none.
func attached(r *web.Request) (files []register.Upload, err error) {
	if r.MultipartForm == nil {
		return nil, nil
	}
	for _, h := range r.MultipartForm.File[filesField] {
		if h.Filename == "" {
			continue
		}
		f, err := h.Open()
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		files = append(files, register.Upload{Name: h.Filename, Content: content})
	}
	return files, nil
}

// badForm is a form that cannot be read: too large, as it is, or broken.
func badForm(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	return fmt.Errorf("%w: %w", web.ErrBadRequest, err)
}

// file gives what was attached to a step, to be saved.
func (p pages) file(r *web.Request) (web.Answer, error) {
	step, err := strconv.ParseInt(r.PathValue("step"), 10, 64)
	n, wrong := strconv.Atoi(r.PathValue("n"))
	if err != nil || wrong != nil {
		return web.Answer{}, web.ErrNotFound
	}
	f, content, err := p.register.File(r.Context(), r.Permit, fact.NewRef(r.PathValue("kind"), r.PathValue("id")), step, n)
	if err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Download: &web.Download{Name: f.Name, Type: f.Type, Body: content}}, nil
}
