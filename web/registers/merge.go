package registers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/register"
	"kakusho/web"
)

// Two may have the same entry open. Who sends his form second is shown what he wrote
// beside what the first one saved, and chooses; nothing is lost by either. The form
// carries a digest of every value it was filled with, so that he is asked only where
// both changed something.

// The names of the fields by which a form says so.
const (
	wasField  = "form_was"   // digests of the values the form was filled with
	askField  = "form_ask"   // fields about which the merge asks
	takePart  = "form_take." // before a field's name: which of the two
	takeNow   = "now"        // what is saved
	takeMine  = "mine"       // what was typed
	keepField = "form_keep"  // the form is not sent but kept as a draft
	fromDraft = "form_draft"
)

// was are the digests of an entry's values, for a form of these fields.
func was(fields []kind.Field, e register.Entry) string {
	var out []string
	for _, f := range fields {
		out = append(out, f.Name+"="+fact.Digest(e.Values[f.Name])[:12])
	}
	return strings.Join(out, " ")
}

// before finds a field's digest among those a form carried; empty: it had none.
func before(typed url.Values, name string) string {
	for x := range strings.FieldsSeq(typed.Get(wasField)) {
		if n, digest, ok := strings.Cut(x, "="); ok && n == name {
			return digest
		}
	}
	return ""
}

// settle puts into typed what a merge says is to be taken from the entry as it is. It
// reports whether every question was answered.
func settle(typed url.Values, fields []kind.Field, e register.Entry, l bilingual.Lang) bool {
	for _, name := range typed[askField] {
		if typed.Get(takePart+name) == "" {
			return false
		}
	}
	for _, f := range fields {
		if typed.Get(takePart+f.Name) == takeNow {
			for name := range typed {
				if name == f.Name || strings.HasPrefix(name, f.Name+"[") {
					delete(typed, name)
				}
			}
			typed.Set(f.Name, "")
			lay(typed, f, e.Values[f.Name], l)
		}
		typed.Del(takePart + f.Name)
	}
	typed.Del(askField)
	return true
}

// merged reports whether a form comes from the page of a merge.
func merged(typed url.Values) bool {
	for name := range typed {
		if name == askField || strings.HasPrefix(name, takePart) {
			return true
		}
	}
	return false
}

type mergeData struct {
	Kind  kind.Kind
	Entry register.Entry
	To    string          // where the form is sent
	Step  *procedure.Step // nil: the form of the entry
	Over  bool            // the entry is past that step
	Ask   []side
	Mine  []side // that he alone changed
	Now   []side // that others alone changed
	Typed []pair
	Was   string
}

// side is a field as it was typed and as it is.
type side struct {
	kind.Field
	Typed, Saved string
}

type pair struct{ Name, Value string }

// merge is the page for who was not the first: his form beside the entry as it is.
func (p pages) merge(r *web.Request, k kind.Kind, ref fact.Ref, fields []kind.Field, step *procedure.Step, typed url.Values) (web.Answer, error) {
	if _, err := r.Read(); err != nil {
		return web.Answer{}, err
	}
	e, err := p.register.Get(r.Context(), r.Permit, ref)
	if err != nil {
		return web.Answer{}, err
	}
	d := mergeData{Kind: k, Entry: e, To: "/register/" + string(ref), Step: step, Was: was(fields, e)}
	if step != nil {
		lead, _ := p.register.Procedures().Of(k.ID)
		state, _ := e.Values[lead.Field].(string)
		d.To, d.Over = "/step/"+step.ID+"/"+string(ref), e.Retired || !slices.Contains(step.From, state)
	}
	for _, f := range fields {
		v, there, wrong := parseField(f, typed)
		if !there || f.Name == k.Key || slices.Contains(e.Hidden, f.Name) {
			continue
		}
		now, then := fact.Digest(e.Values[f.Name]), before(typed, f.Name)
		mine := fact.Digest(v)
		if len(wrong) > 0 {
			mine = "" // as it cannot be read it is like nothing
		}
		s := side{f, f.Format(v, r.Lang), f.Format(e.Values[f.Name], r.Lang)}
		if len(wrong) > 0 {
			s.Typed = text(typed, f)
		}
		switch {
		case mine == now:
		case slices.Contains(typed[askField], f.Name): // he did not answer
			d.Ask = append(d.Ask, s)
		case then != "" && strings.HasPrefix(mine, then):
			d.Now = append(d.Now, s)
		case then != "" && strings.HasPrefix(now, then):
			d.Mine = append(d.Mine, s)
		default:
			d.Ask = append(d.Ask, s)
		}
	}
	for name, vs := range typed {
		if name == "rev" || name == wasField || name == askField || strings.HasPrefix(name, takePart) {
			continue
		}
		for _, v := range vs {
			d.Typed = append(d.Typed, pair{name, v})
		}
	}
	slices.SortStableFunc(d.Typed, func(a, b pair) int { return strings.Compare(a.Name, b.Name) })
	title := bilingual.Text{JA: fmt.Sprintf("%s %sの変更の突合せ", k.Label.JA, e.Name), EN: fmt.Sprintf("%s %s: two changes", k.Label.EN, e.Name)}
	return web.Answer{Page: "merge", Title: title, Data: d, Status: http.StatusConflict}, nil
}
