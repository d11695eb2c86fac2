package register

import (
	"context"
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/store"
)

// Offer is a step that leads on from the state an entry is in.
type Offer struct {
	procedure.Step
	Fields []kind.Field // that it fills, in order
	May    bool         // the reader may take it, if what it needs is there
	Own    bool         // he may not, because he took one that it is to look over
}

// Taken is a step that was taken.
type Taken struct {
	Step          procedure.Step
	Before, After string
	Person, Post  string
	At            time.Time
	Note          string
	Entry         int64
}

// Procedures are the procedures that lead the entries.
func (r *Register) Procedures() procedure.Set { return r.procedures }

// Course is the procedure of an entry, what leads on from here and what led here, the
// last step first. false: no procedure leads its kind.
func (r *Register) Course(ctx context.Context, permit gate.Permit, ref fact.Ref, at time.Time) (p procedure.Procedure, offers []Offer, taken []Taken, led bool, err error) {
	k, err := r.readable(permit, ref.Kind())
	if err != nil {
		return p, nil, nil, false, err
	}
	if p, led = r.procedures.Of(k.ID); !led {
		return p, nil, nil, false, nil
	}
	err = r.rows.View(ctx, func(rd store.Reader) error {
		steps, err := stepsOf(ctx, rd, ref)
		if err != nil {
			return err
		}
		for _, s := range slices.Backward(steps) {
			t := Taken{Before: s.Before, After: s.After, Person: s.Person, Post: s.Post, At: s.At, Note: s.Note, Entry: s.Entry}
			if t.Step, led = p.Step(s.Step); !led {
				t.Step.ID = s.Step // a step this installation no longer has
			}
			taken = append(taken, t)
		}
		offers, err = r.offers(ctx, rd, permit.Who(), p, k, ref, steps, at)
		return err
	})
	return p, offers, taken, true, err
}

func (r *Register) offers(ctx context.Context, rd store.Reader, who actor.Actor, p procedure.Procedure, k kind.Kind, ref fact.Ref, steps []store.Step, at time.Time) (offers []Offer, err error) {
	row, ok, err := store.Get(ctx, rd, store.Subject{Kind: ref.Kind(), ID: ref.ID()})
	if err != nil || !ok || row.Retired {
		return nil, err
	}
	state, _ := row.Values[p.Field].(string)
	for _, s := range p.Steps {
		if !slices.Contains(s.From, state) {
			continue
		}
		t := taking{r: r, ctx: ctx, rd: rd, who: who, at: at, procedure: p, step: s, kind: k, taken: steps,
			main: change{id: ref.ID(), values: row.Values, old: row}}
		if err := t.above(placesOf(k, ref.ID(), row.Values)); err != nil {
			return nil, err
		}
		o := Offer{Step: s}
		request := t.request(Act{})
		o.May = request.Allows()
		if !o.May && slices.Contains(request.NotBy, who.Person) {
			request.NotBy = nil
			o.Own = request.Allows()
		}
		for _, name := range s.Fill {
			if f, ok := k.Field(name); ok && f.MayRead(who) {
				o.Fields = append(o.Fields, f)
			}
		}
		offers = append(offers, o)
	}
	return offers, nil
}
