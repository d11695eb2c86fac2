package register

import (
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/store"
)

// led are the faults of an entry against the procedures: what its state asks for, and
// states and guarded values that only a step gives.
func (r *Register) led(who actor.Actor, k kind.Kind, c change, how way, at time.Time) (faults Faults) {
	if k.Append && c.old.Rev > 0 && fact.Digest(fact.Canonical(c.values)) != fact.Digest(fact.Canonical(c.old.Values)) {
		return append(faults, added(k, k.Key))
	}
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
		if p.Alone && how != byStep && !(c.old.Rev == 0 && (how == byFile || who.IsProgram())) && fact.Digest(fact.Canonical(c.values)) != fact.Digest(fact.Canonical(c.old.Values)) {
			return append(faults, onlyByStep(k, p.Field, p))
		}
		if how != byStep && was != state && (c.old.Rev > 0 || how == byForm && !who.IsProgram() && !p.Begins(state)) {
			faults = append(faults, onlyByStep(k, p.Field, p))
		}
		if how == byFile && c.old.Rev == 0 && !who.IsProgram() && !slices.ContainsFunc(p.Leading(state), who.Has) {
			f, _ := k.Field(p.Field)
			faults = append(faults, kind.Fault{Field: p.Field, Label: f.Label, Message: bilingual.Say(
				"状態「"+f.Format(state, bilingual.JA)+"」の登録は、手続によりその状態とする任務の者に限る。", "entering one that is "+f.Format(state, bilingual.EN)+" is for the duties that lead to it")})
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
	if k.Append {
		return Faults{added(k, "reason")}
	}
	p, ok := r.procedures.Of(k.ID)
	state, _ := old.Values[p.Field].(string)
	if s, known := p.State(state); !ok || !known || s.Final {
		return nil
	}
	return Faults{{Field: "reason", Label: bilingual.Say("理由", "Reason"), Message: bilingual.Say(
		"手続「"+p.Label.JA+"」が終了していない。先に手続の操作で終了させる。", "the procedure “"+p.Label.EN+"” has not ended; end it by a step first")}}
}

// added is the fault of changing what is only added to.
func added(k kind.Kind, field string) kind.Fault {
	f, _ := k.Field(field)
	return kind.Fault{Field: field, Label: f.Label, Message: bilingual.Say("この記録は追記のみで、変更及び抹消はできない。", "this record is only added to; it is neither changed nor struck out")}
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
