// Package waiting lets the steps of procedures wait for verdicts: rooms of the work
// floor do not know each other, so the whole joins them.
package waiting

import (
	"context"
	"time"

	"kakusho/actor"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/posture"
	"kakusho/rule/require"
	"kakusho/verdict"
)

// On tells steps of procedures what is open of a control, as p says. Whoever takes the step
// looks, and that is sealed.
func On(p *posture.Posture, g *gate.Gate) require.Judged {
	return func(ctx context.Context, who actor.Actor, control string, on fact.Ref, at time.Time) (open []require.Open, err error) {
		st, err := looked(ctx, p, g, who, control, on, at)
		if err != nil {
			return nil, err
		}
		c, known := p.Control(control)
		if !known {
			return nil, nil // not of the directive that is in force
		}
		f := posture.Filter{Control: control, Kind: on.Kind(), Words: on.ID()}
		if on.Kind() == "system" {
			f = posture.Filter{Control: control, System: on.ID()}
		}
		for _, pair := range st.Pairs(f) {
			switch pair.Outcome {
			case verdict.Violates, verdict.Unknown, verdict.Undecided, verdict.Error:
				if on.Kind() == "system" || pair.Subject == on {
					open = append(open, require.Open{Subject: pair.Subject, Title: c.Title, Outcome: pair.Outcome})
				}
			}
		}
		return open, nil
	}
}
