// Package open finds the entries that their procedures have not brought to an end, and
// what somebody may do about them.
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
}

// Judges reports whether one of the steps looks over what somebody else did.
func (c Case) Judges() bool {
	return slices.ContainsFunc(c.Steps, func(s procedure.Step) bool { return len(s.NotBy) > 0 || s.Superior != "" })
}

// pageSize is how many entries are read at a time.
const pageSize = 1000

// Each calls with every case in which the permit's holder may take a step, or of which
// he is to know that it is overdue.
func Each(ctx context.Context, reg *register.Register, p gate.Permit, at time.Time, call func(Case)) error {
	for _, id := range reg.Procedures().IDs() {
		lead := reg.Procedures()[id]
		for _, s := range lead.States {
			if s.Final || !concerns(p.Who(), lead, s) {
				continue
			}
			if err := each(ctx, reg, p, at, Case{Kind: reg.Kinds()[lead.Kind], Procedure: lead, State: s}, call); err != nil {
				return err
			}
		}
	}
	return nil
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
	q := register.Query{Kind: c.Kind.ID, Equal: map[string]string{c.Procedure.Field: c.State.Value}, Limit: pageSize}
	for {
		page, err := reg.List(ctx, p, q)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			c := c
			if c.Entry = e; !c.near(p.Who()) {
				continue
			}
			if err := c.stands(ctx, reg, p, at); err != nil {
				return err
			}
			if len(c.Steps) > 0 || c.Told {
				call(c)
			}
		}
		if q.Offset += pageSize; int64(q.Offset) >= page.Total {
			return nil
		}
	}
}

// near reports whether somebody has a duty over the entry, whichever.
func (c Case) near(who actor.Actor) bool {
	places := Places(c.Kind, c.Ref, c.Values)
	for _, s := range c.Procedure.Steps {
		if over, _ := c.Values[s.Covers].(string); over != "" {
			places = append(places, over)
		}
	}
	return slices.ContainsFunc(who.Assignments, func(as actor.Assignment) bool { return as.Scope == "*" || slices.Contains(places, as.Scope) })
}

// stands asks where the entry stands.
func (c *Case) stands(ctx context.Context, reg *register.Register, p gate.Permit, at time.Time) error {
	course, err := reg.Course(ctx, p, c.Ref, at)
	if err != nil || course == nil {
		return err
	}
	c.Due, c.Since = course.Due, c.ChangedAt
	if len(course.Taken) > 0 {
		c.Since = course.Taken[0].At
	}
	for _, o := range course.Offers {
		if o.May {
			c.Steps = append(c.Steps, o.Step)
		}
	}
	if late := !c.Due.IsZero() && !at.Before(c.Due); late {
		c.Told = gate.Request{Actor: p.Who(), At: at, Action: gate.Read, Need: c.State.Due.Escalate, Scope: Places(c.Kind, c.Ref, c.Values)}.Allows() && len(c.State.Due.Escalate) > 0
	}
	return nil
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
