package waiting

import (
	"context"
	"time"

	"kakusho/actor"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/govern"
	"kakusho/posture"
	"kakusho/posture/claim"
)

// Grounds weighs the grounds on which exceptions are asked for, as p says. Whoever asks
// or approves looks, and that is sealed.
func Grounds(p *posture.Posture, g *gate.Gate) govern.Grounded {
	return func(ctx context.Context, who actor.Actor, on fact.Ref, control, ground string, at time.Time) (holds, known bool, err error) {
		st, err := looked(ctx, p, g, who, control, on, at)
		if err != nil {
			return false, false, err
		}
		holds, known = claim.Holds(st, on, control, ground)
		return holds, known, nil
	}
}

// looked is the standing, for one who looks at how a control comes out.
func looked(ctx context.Context, p *posture.Posture, g *gate.Gate, who actor.Actor, control string, on fact.Ref, at time.Time) (*posture.Standing, error) {
	permit, err := g.Ask(ctx, gate.Request{Actor: who, At: at, Action: gate.Read, Object: string(on), Control: control, Scope: who.Everywhere()})
	if err != nil {
		return nil, err
	}
	return p.Now(ctx, permit, at)
}
