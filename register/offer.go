package register

import (
	"context"
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/blob/file"
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
	Party  bool         // he may not, because he answers for what it is about
}

// Taken is a step that was taken.
type Taken struct {
	Step          procedure.Step
	Before, After string
	Person, Post  string
	At            time.Time
	Note          string
	Files         []file.File
	Entry         int64
}

// Procedures are the procedures that lead the entries.
func (r *Rules) Procedures() procedure.Set { return r.procedures }

// Course is where an entry stands in its procedure.
type Course struct {
	Procedure procedure.Procedure
	State     procedure.State
	Due       time.Time // when it is to leave the state; zero: at no set time
	Offers    []Offer   // what leads on
	Taken     []Taken   // what led here, the last step first
}

// Course tells where an entry stands; nil: no procedure leads its kind.
func (r *Register) Course(ctx context.Context, permit gate.Permit, ref fact.Ref, at time.Time) (*Course, error) {
	k, err := r.readable(permit, ref.Kind())
	if err != nil {
		return nil, err
	}
	p, led := r.procedures.Of(k.ID)
	if !led {
		return nil, nil
	}
	c := Course{Procedure: p}
	return &c, r.rows.View(ctx, func(rd store.Reader) error {
		row, ok, err := store.Get(ctx, rd, store.Subject{Kind: ref.Kind(), ID: ref.ID()})
		if err != nil || !ok {
			return err
		}
		state, _ := row.Values[p.Field].(string)
		c.State, _ = p.State(state)
		c.Due = c.State.Due.At(row.Values, row.Since[p.Field])
		steps, err := stepsOf(ctx, rd, ref)
		if err != nil {
			return err
		}
		for _, s := range slices.Backward(steps) {
			t := Taken{Before: s.Before, After: s.After, Person: s.Person, Post: s.Post, At: s.At, Note: s.Note, Files: file.OfRow(s.Files), Entry: s.Entry}
			if t.Step, ok = p.Step(s.Step); !ok {
				t.Step.ID = s.Step // a step this installation no longer has
			}
			c.Taken = append(c.Taken, t)
		}
		if !row.Retired {
			c.Offers, err = r.offers(ctx, rd, permit.Who(), p, k, row, steps, at)
		}
		return err
	})
}

func (r *Register) offers(ctx context.Context, rd store.Reader, who actor.Actor, p procedure.Procedure, k kind.Kind, row store.Subject, steps []store.Step, at time.Time) (offers []Offer, err error) {
	state, _ := row.Values[p.Field].(string)
	for _, s := range p.Steps {
		if !slices.Contains(s.From, state) {
			continue
		}
		t := taking{r: r, ctx: ctx, rd: rd, who: who, at: at, procedure: p, step: s, kind: k, taken: steps,
			main: change{id: row.ID, values: row.Values, old: row}}
		if err := t.above(t.places()); err != nil {
			return nil, err
		}
		o := Offer{Step: s}
		request := t.request(Act{})
		o.May = request.Allows()
		if !o.May && slices.Contains(request.NotBy, who.Person) {
			request.NotBy = nil
			o.Party = t.party() && request.Allows()
			o.Own = !o.Party && request.Allows()
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
