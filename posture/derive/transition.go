package derive

import (
	"slices"
	"time"

	"kakusho/decision"
	"kakusho/posture/world"
	"kakusho/rule/weigh"
)

// transitionDerivations tell how a system stands to 第5: what is deferred or
// specially provided for it, and whether that is in order.
var transitionDerivations = map[string]world.Derivation{
	"system-deferrals": func(r *world.Reading, it *world.Item) world.Result {
		return decided(r, it, decision.Deferral, func(decision.Decision) bool { return true })
	},
	"system-deferrals-without-measures": func(r *world.Reading, it *world.Item) world.Result {
		return decided(r, it, decision.Deferral, func(d decision.Decision) bool { return len(d.Conditions) == 0 })
	},
	"system-special-provisions": func(r *world.Reading, it *world.Item) world.Result {
		return decided(r, it, decision.Special, func(decision.Decision) bool { return true })
	},
	"system-specials-unconsulted": func(r *world.Reading, it *world.Item) world.Result {
		return decided(r, it, decision.Special, func(d decision.Decision) bool { return d.Consulted == "" })
	},
	"system-deferred-since":       deferredSince,
	"system-deferral-next-target": eachDeferral("target", func(d decision.Decision) time.Time { return d.Target }),
	"system-deferral-progress-on": eachDeferral("progress", func(d decision.Decision) time.Time {
		if n := d.Noted(decision.Progress); n != nil {
			return n.At
		}
		return time.Time{}
	}),
}

// inForce lists the decisions of a type in force about a system or a subject of
// it, and notes when that changes.
func inForce(r *world.Reading, sys *world.Item, t decision.Type) []decision.Decision {
	var out []decision.Decision
	for _, it := range r.L.Members(sys) {
		for _, d := range it.Decisions {
			if d.Type != t || slices.ContainsFunc(out, func(o decision.Decision) bool { return o.ID == d.ID }) {
				continue
			}
			r.Noted(d)
			if d.InForce(r.L.At) {
				out = append(out, d)
			}
		}
	}
	return out
}

func decided(r *world.Reading, it *world.Item, t decision.Type, want func(decision.Decision) bool) world.Result {
	var out []string
	for _, d := range inForce(r, it, t) {
		if !want(d) {
			continue
		}
		text := string(d.Clause)
		if string(d.Subject) != "system/"+it.Row.ID {
			text += " " + string(d.Subject)
		}
		out = append(out, text)
	}
	return world.Texts(out)
}

// eachDeferral is the earliest instant of deferrals in force, none when one has none.
func eachDeferral(what string, of func(decision.Decision) time.Time) world.Derivation {
	return func(r *world.Reading, it *world.Item) world.Result {
		var first time.Time
		for _, d := range inForce(r, it, decision.Deferral) {
			t := of(d)
			if t.IsZero() {
				return world.None("none: no " + what + " of the deferral of " + string(d.Clause))
			}
			first = weigh.Earlier(first, t)
		}
		if first.IsZero() {
			return world.None("none: nothing is deferred")
		}
		return world.Found(first)
	}
}

func deferredSince(r *world.Reading, it *world.Item) world.Result {
	var first time.Time
	for _, d := range inForce(r, it, decision.Deferral) {
		first = weigh.Earlier(first, d.From)
	}
	if first.IsZero() {
		return world.None("none: nothing is deferred")
	}
	return world.Found(first)
}
