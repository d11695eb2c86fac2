package differences

import (
	"errors"
	"slices"

	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture/differ"
	"kakusho/register"
	"kakusho/web"
)

// mend changes the one value of the one entry that makes a difference go away. What
// it is set to is what is observed now; when that is not what the page showed, the
// reader has to look again.
func (s pages) mend(r *web.Request) (web.Answer, error) {
	if err := r.ParseForm(); err != nil {
		return web.Answer{}, err
	}
	permit, err := r.Read()
	if err != nil {
		return web.Answer{}, err
	}
	st, err := s.posture.Now(r.Context(), permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	ref, err := fact.ParseRef(r.PostForm.Get("subject"))
	if err != nil {
		return web.Answer{}, web.ErrBadRequest
	}
	list := differ.In(st, differ.Place{System: st.Place(ref).System}).All
	i := slices.IndexFunc(list, func(d differ.Difference) bool { return d.ID() == r.PostForm.Get("id") })
	if i < 0 {
		return web.Answer{}, register.ErrConflict // it is gone
	}
	d := list[i]
	f, ok := s.field(d)
	if !ok {
		return web.Answer{}, web.ErrBadRequest
	}
	if s.row(r, d).Value != r.PostForm.Get("value") {
		return web.Answer{}, register.ErrConflict
	}
	e, err := s.register.Get(r.Context(), permit, d.Entry)
	if err != nil {
		return web.Answer{}, err
	}
	e.Values[f.Name] = mended(f, e.Values[f.Name], d.Mend)
	_, err = s.register.Put(r.Context(), r.Actor, d.Entry.Kind(), e.Values, e.Rev, r.At)
	var wrong register.Faults
	switch {
	case errors.As(err, &wrong): // of some other field: its own page says of which
		return web.Answer{Redirect: "/register/" + string(d.Entry)}, nil
	case err != nil:
		return web.Answer{}, err
	}
	return web.Answer{Redirect: "/differences?" + r.PostForm.Get("back")}, nil
}

// mended is a field's value when the difference is mended.
func mended(f kind.Field, old any, m differ.Mend) any {
	if f.Type != kind.List {
		return m.Value
	}
	list, _ := old.([]any)
	if _, whole := m.Value.([]any); whole {
		return m.Value
	}
	list = slices.DeleteFunc(slices.Clone(list), func(e any) bool { return e == m.Value })
	if !m.Take {
		list = append(list, m.Value)
	}
	return list
}
