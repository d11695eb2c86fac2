package register

import (
	"context"
	"slices"
	"time"

	"kakusho/blob/file"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/store"
	"kakusho/store/superior"
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
		return r.stand(&c, taking{r: r, ctx: ctx, rd: rd, who: permit.Who(), at: at, procedure: p, kind: k}, row)
	})
}

// Courses calls with every entry in a state that look selects, and where it stands. All
// of them are read as of one moment.
func (r *Register) Courses(ctx context.Context, permit gate.Permit, p procedure.Procedure, state string, at time.Time, look func(fact.Ref, map[string]any) bool, call func(Entry, Course)) error {
	k, err := r.readable(permit, p.Kind)
	if err != nil {
		return err
	}
	return r.rows.View(ctx, func(rd store.Reader) error {
		rows, err := store.All[store.Subject](ctx, rd, store.Where{Equal: map[string]any{"kind": k.ID, "retired": false, "values." + p.Field: state}, Sort: []string{"id"}})
		if err != nil {
			return err
		}
		t := taking{r: r, ctx: ctx, rd: rd, who: permit.Who(), at: at, procedure: p, kind: k, rulings: map[string]superior.Ruling{}}
		for _, row := range rows {
			if !look(fact.NewRef(row.Kind, row.ID), row.Values) {
				continue
			}
			c := Course{Procedure: p}
			if err := r.stand(&c, t, row); err != nil {
				return err
			}
			call(entry(k, row, permit.Who()), c)
		}
		return nil
	})
}

// stand fills in where the entry of a row stands, for who would take a step.
func (r *Register) stand(c *Course, t taking, row store.Subject) (err error) {
	state, _ := row.Values[c.Procedure.Field].(string)
	c.State, _ = c.Procedure.State(state)
	c.Due = c.State.Due.At(row.Values, row.Since[c.Procedure.Field])
	if t.taken, err = stepsOf(t.ctx, t.rd, fact.NewRef(row.Kind, row.ID)); err != nil {
		return err
	}
	for _, s := range slices.Backward(t.taken) {
		x := Taken{Before: s.Before, After: s.After, Person: s.Person, Post: s.Post, At: s.At, Note: s.Note, Files: file.OfRow(s.Files), Entry: s.Entry}
		var ok bool
		if x.Step, ok = c.Procedure.Step(s.Step); !ok {
			x.Step.ID = s.Step // a step this installation no longer has
		}
		c.Taken = append(c.Taken, x)
	}
	if row.Retired {
		return nil
	}
	t.main = change{id: row.ID, values: row.Values, old: row}
	c.Offers, err = t.offers(state)
	return err
}

// offers are the steps that lead on from a state.
func (t taking) offers(state string) (offers []Offer, err error) {
	for _, s := range t.procedure.Steps {
		if !slices.Contains(s.From, state) {
			continue
		}
		t := t
		t.step = s
		if err := t.above(t.places()); err != nil {
			return nil, err
		}
		o := Offer{Step: s}
		request := t.request(Act{})
		o.May = request.Allows()
		if !o.May && slices.Contains(request.NotBy, t.who.Person) {
			request.NotBy = nil
			o.Party = t.party() && request.Allows()
			o.Own = !o.Party && request.Allows()
		}
		for _, name := range s.Fill {
			if f, ok := t.kind.Field(name); ok && f.MayRead(t.who) {
				o.Fields = append(o.Fields, f)
			}
		}
		offers = append(offers, o)
	}
	return offers, nil
}
