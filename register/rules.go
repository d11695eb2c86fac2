package register

import (
	"context"
	"fmt"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/rule/require"
	"kakusho/verdict"
)

// Rules are the kinds that registers keep, and the procedures that lead them. They do
// not change.
type Rules struct {
	kinds      kind.Set
	procedures procedure.Set
	conditions *require.Rules
}

// Compile makes rules of kinds and procedures. Every condition that does not compile is
// a fault that names it.
func Compile(kinds kind.Set, procedures procedure.Set) (*Rules, error) {
	c, err := require.Compile(kinds, procedures)
	return &Rules{kinds, procedures, c}, err
}

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

// clear adds a fault for every verdict that the step waits for.
func (t *taking) clear() error {
	for _, c := range t.step.Clear {
		on, field := fact.NewRef(t.kind.ID, t.main.id), t.procedure.Field
		if c.At != "" {
			f, _ := t.kind.Field(c.At)
			id, _ := t.main.values[c.At].(string)
			if on, field = fact.NewRef(f.To, id), c.At; id == "" {
				t.fault(c.At, "この操作には入力を要する。", "this step needs it")
				continue
			}
		}
		for _, control := range c.Controls {
			open, err := t.r.judged(t.ctx, t.who, control, on, t.at)
			if err != nil {
				return err
			}
			for i, o := range open {
				if i == mostOpen {
					rest := len(open) - mostOpen
					t.fault(field, fmt.Sprintf("ほかに%d件ある。", rest), fmt.Sprintf("and %d more", rest))
					break
				}
				t.fault(field, fmt.Sprintf("%s「%s」が%sである。解消してから行う。", o.Subject, o.Title.JA, o.Outcome.Label().JA),
					fmt.Sprintf("%s: “%s” is %s; settle it first", o.Subject, o.Title.EN, o.Outcome.Label().EN))
			}
		}
	}
	return nil
}
