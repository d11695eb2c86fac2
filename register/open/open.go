// Package open finds the entries that their procedures have not brought to an end, and
// what somebody may do about them. What rests in its state waits for its date, and for
// who looks over what somebody applied for within it.
package open

import (
	"context"
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/register"
)

// Case is an entry in a state that is not final.
type Case struct {
	register.Entry
	Kind      kind.Kind
	Procedure procedure.Procedure
	State     procedure.State
	Since     time.Time        // it is in that state
	Due       time.Time        // it is to leave it; zero: at no set time
	Steps     []procedure.Step // that the permit's holder may take
	Told      bool             // it is overdue, and he is to know of it
	Rests     bool             // it waits for nobody before it is due
}

// Judges reports whether one of the steps looks over what somebody else did.
func (c Case) Judges() bool {
	return slices.ContainsFunc(c.Steps, func(s procedure.Step) bool { return len(s.NotBy) > 0 || s.Superior != "" })
}

// Each calls with every case in which the permit's holder may take a step, or of which
// he is to know that it is overdue.
func Each(ctx context.Context, reg *register.Register, p gate.Permit, at time.Time, call func(Case)) error {
	for _, id := range reg.Procedures().IDs() {
		lead := reg.Procedures()[id]
		for _, s := range lead.States {
			if s.Final || s.Rest && s.Due == nil && !asks(lead, s) || !concerns(p.Who(), lead, s) {
				continue
			}
			if err := each(ctx, reg, p, at, Case{Kind: reg.Kinds()[lead.Kind], Procedure: lead, State: s}, call); err != nil {
				return err
			}
		}
	}
	return nil
}

// asks reports whether something can be applied for within a state that another step
// from it looks over.
func asks(p procedure.Procedure, s procedure.State) bool {
	return slices.ContainsFunc(p.Steps, func(x procedure.Step) bool {
		return x.To == s.Value && slices.Contains(x.From, s.Value) &&
			slices.ContainsFunc(p.Steps, func(y procedure.Step) bool { return slices.Contains(y.From, s.Value) && slices.Contains(y.NotBy, x.ID) })
	})
}

// concerns reports whether somebody has a duty that a state asks for, over whatever.
func concerns(who actor.Actor, p procedure.Procedure, s procedure.State) bool {
	return s.Due != nil && slices.ContainsFunc(s.Due.Escalate, who.Has) ||
		slices.ContainsFunc(p.Steps, func(x procedure.Step) bool {
			return slices.Contains(x.From, s.Value) && slices.ContainsFunc(x.Who, who.Has)
		})
}

func each(ctx context.Context, reg *register.Register, p gate.Permit, at time.Time, c Case, call func(Case)) error {
	if !c.Kind.MayRead(p.Who()) {
		return nil
	}
	near := func(ref fact.Ref, values map[string]any) bool {
		return c.near(p.Who(), Places(c.Kind, ref, values), values)
	}
	return reg.Courses(ctx, p, c.Procedure, c.State.Value, at, near, func(e register.Entry, course register.Course) {
		c := c
		c.Entry = e
		if c.stands(p.Who(), course, at); len(c.Steps) > 0 || c.Told {
			call(c)
		}
	})
}

// near reports whether somebody has a duty over an entry, whichever.
func (c Case) near(who actor.Actor, places []string, values map[string]any) bool {
	for _, s := range c.Procedure.Steps {
		if over, _ := values[s.Covers].(string); over != "" {
			places = append(places, over)
		}
	}
	return slices.ContainsFunc(who.Assignments, func(as actor.Assignment) bool { return as.Scope == "*" || slices.Contains(places, as.Scope) })
}

// stands takes over what its course says.
func (c *Case) stands(who actor.Actor, course register.Course, at time.Time) {
	c.Due, c.Since = course.Due, c.ChangedAt
	if len(course.Taken) > 0 {
		c.Since = course.Taken[0].At
	}
	for _, o := range course.Offers {
		if o.May {
			c.Steps = append(c.Steps, o.Step)
		}
	}
	if waits := unanswered(course.Taken); c.State.Rest && len(waits) > 0 {
		c.Steps = slices.DeleteFunc(c.Steps, func(s procedure.Step) bool {
			return !slices.ContainsFunc(waits, func(id string) bool { return slices.Contains(s.NotBy, id) })
		})
	} else if c.State.Rest {
		c.Rests = true
	}
	if late := !c.Due.IsZero() && !at.Before(c.Due); late {
		c.Told = gate.Request{Actor: who, At: at, Action: gate.Read, Need: c.State.Due.Escalate, Scope: Places(c.Kind, c.Ref, c.Values)}.Allows() && len(c.State.Due.Escalate) > 0
	}
}

// unanswered are the steps that were taken since an entry came to its state, the last one
// first, and that no later one looked over.
func unanswered(taken []register.Taken) (steps []string) {
	var over []string
	for _, t := range taken {
		if t.Before != t.After {
			break
		}
		if !slices.Contains(over, t.Step.ID) {
			steps = append(steps, t.Step.ID)
		}
		over = append(over, t.Step.NotBy...)
	}
	return steps
}

// Places are those an entry belongs to, as duties name them.
func Places(k kind.Kind, ref fact.Ref, values map[string]any) (places []string) {
	for _, f := range []string{"unit", "system"} {
		if v, ok := values[f].(string); ok && v != "" {
			places = append(places, f+"/"+v)
		}
	}
	if k.ID == "unit" || k.ID == "system" {
		places = append(places, string(ref))
	}
	return places
}
