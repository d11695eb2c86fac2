package require

import (
	"context"
	"fmt"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/verdict"
)

// Open is a verdict that a step waits for.
type Open struct {
	Subject fact.Ref
	Title   bilingual.Text // of the control
	Outcome verdict.Outcome
}

// Judged tells what is open of a control on a subject, of a system on everything in it:
// what violates, is unknown, waits for a judgement or is in error.
type Judged func(ctx context.Context, who actor.Actor, control string, on fact.Ref, at time.Time) ([]Open, error)

// mostOpen is how many verdicts a refusal names.
const mostOpen = 20

// Entry is an entry about to be led on, and who leads it.
type Entry struct {
	Kind   kind.Kind
	Ref    fact.Ref
	Values map[string]any
	State  string // field of the kind that holds its state
	Who    actor.Actor
}

// Waits are the faults of verdicts that a step of e waits for.
func Waits(ctx context.Context, e Entry, clear []procedure.Clear, judged Judged, at time.Time) (faults []kind.Fault, err error) {
	for _, c := range clear {
		on, name := e.Ref, e.State
		if c.At != "" {
			f, _ := e.Kind.Field(c.At)
			id, _ := e.Values[c.At].(string)
			if on, name = fact.NewRef(f.To, id), c.At; id == "" {
				faults = append(faults, kind.Fault{Field: f.Name, Label: f.Label, Message: bilingual.Say("この操作には入力を要する。", "this step needs it")})
				continue
			}
		}
		f, _ := e.Kind.Field(name)
		for _, control := range c.Controls {
			open, err := judged(ctx, e.Who, control, on, at)
			if err != nil {
				return nil, err
			}
			for i, o := range open {
				message := bilingual.Say(fmt.Sprintf("%s「%s」が%sである。解消してから行う。", o.Subject, o.Title.JA, o.Outcome.Label().JA),
					fmt.Sprintf("%s: “%s” is %s; settle it first", o.Subject, o.Title.EN, o.Outcome.Label().EN))
				if i == mostOpen {
					rest := len(open) - mostOpen
					message = bilingual.Say(fmt.Sprintf("ほかに%d件ある。", rest), fmt.Sprintf("and %d more", rest))
				}
				faults = append(faults, kind.Fault{Field: f.Name, Label: f.Label, Message: message})
				if i == mostOpen {
					break
				}
			}
		}
	}
	return faults, nil
}
