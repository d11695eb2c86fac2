package register

import (
	"context"
	"slices"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/store"
)

// led are the faults of an entry against the procedures: what its state asks for, and
// states and guarded values that only a step gives.
func (r *Register) led(who actor.Actor, k kind.Kind, c change, how way, at time.Time) (faults Faults) {
	p, ok := r.procedures.Of(k.ID)
	if ok {
		state, _ := c.values[p.Field].(string)
		if s, known := p.State(state); known {
			f, _ := k.Field(p.Field)
			faults = append(faults, blank(k, s.Need, c.values, bilingual.Say(
				"状態「"+f.Format(state, bilingual.JA)+"」では空欄にできない。", "never blank in the state "+f.Format(state, bilingual.EN)))...)
			faults = append(faults, r.conditions.Unmet(k, c.values, s.Require, at)...)
		}
		was, _ := c.old.Values[p.Field].(string)
		if how != byStep && was != state && (c.old.Rev > 0 || how == byForm && !who.IsProgram() && !p.Begins(state)) {
			faults = append(faults, onlyByStep(k, p.Field, p))
		}
	}
	if how == byStep || c.old.Rev == 0 {
		return faults
	}
	for _, id := range r.procedures.IDs() {
		for _, g := range r.procedures[id].Guards {
			v, _ := c.values[g.Field].(string)
			was, _ := c.old.Values[g.Field].(string)
			if g.Kind == k.ID && v != was && (slices.Contains(g.Values, v) || slices.Contains(g.Values, was)) {
				faults = append(faults, onlyByStep(k, g.Field, r.procedures[id]))
			}
		}
	}
	return faults
}

// unended is the fault of striking out an entry that its procedure has not brought to
// an end.
func (r *Register) unended(k kind.Kind, old store.Subject) Faults {
	p, ok := r.procedures.Of(k.ID)
	state, _ := old.Values[p.Field].(string)
	if s, known := p.State(state); !ok || !known || s.Final {
		return nil
	}
	return Faults{{Field: "reason", Label: bilingual.Say("理由", "Reason"), Message: bilingual.Say(
		"手続「"+p.Label.JA+"」が終了していない。先に手続の操作で終了させる。", "the procedure “"+p.Label.EN+"” has not ended; end it by a step first")}}
}

func onlyByStep(k kind.Kind, field string, p procedure.Procedure) kind.Fault {
	f, _ := k.Field(field)
	return kind.Fault{Field: field, Label: f.Label, Message: bilingual.Say(
		"手続「"+p.Label.JA+"」によってのみ変わる。", "changes by the procedure “"+p.Label.EN+"” only")}
}

// blank are the faults of fields that have no value.
func blank(k kind.Kind, names []string, values map[string]any, message bilingual.Text) (faults Faults) {
	for _, name := range names {
		if f, _ := k.Field(name); values[name] == nil {
			faults = append(faults, kind.Fault{Field: name, Label: f.Label, Message: message})
		}
	}
	return faults
}

// assignments are those of a person at an instant.
func assignments(ctx context.Context, rd store.Reader, person string, at time.Time) (out []actor.Assignment, err error) {
	err = rd.List(ctx, &store.Subject{}, store.Where{Equal: map[string]any{"kind": "assignment", "retired": false, "values.person": person}}, func(row store.Row) error {
		v := row.(*store.Subject).Values
		text := func(name string) string { s, _ := v[name].(string); return s }
		from, _ := time.Parse(time.RFC3339, text("from"))
		until, err := time.Parse(time.RFC3339, text("until"))
		if !at.Before(from) && (err != nil || at.Before(until)) {
			out = append(out, actor.Assignment{Post: text("post"), Duty: actor.Duty(text("duty")), Scope: text("scope")})
		}
		return nil
	})
	return out, err
}

// around are the scopes that cover one of places: itself, of a unit those above it, and
// everything.
func around(ctx context.Context, rd store.Reader, places []string) ([]string, error) {
	out := append([]string{"*"}, places...)
	for i := 1; i < len(out) && len(out) < 256; i++ { // out grows while it is walked
		id, unit := strings.CutPrefix(out[i], "unit/")
		if !unit {
			continue
		}
		s, _, err := store.Get(ctx, rd, store.Subject{Kind: "unit", ID: id})
		if err != nil {
			return nil, err
		}
		if up, _ := s.Values["parent"].(string); up != "" && !slices.Contains(out, "unit/"+up) {
			out = append(out, "unit/"+up)
		}
	}
	return out, nil
}

// superiors are the posts above one, the nearest first.
func superiors(ctx context.Context, rd store.Reader, post string) (up []string, err error) {
	for len(up) < 64 { // posts that name each other as superior end here
		s, ok, err := store.Get(ctx, rd, store.Subject{Kind: "post", ID: post})
		if err != nil || !ok {
			return up, err
		}
		if post, _ = s.Values["superior"].(string); post == "" || slices.Contains(up, post) {
			return up, nil
		}
		up = append(up, post)
	}
	return up, nil
}
