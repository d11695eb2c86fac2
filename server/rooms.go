package server

import (
	"context"

	"kakusho/audit"
	"kakusho/blob/file"
	"kakusho/calendar"
	"kakusho/directive"
	"kakusho/gate"
	"kakusho/govern"
	"kakusho/posture"
	"kakusho/posture/under"
	"kakusho/register"
	"kakusho/register/draft"
	"kakusho/register/exchange"
	"kakusho/report/document"
	"kakusho/server/waiting"
	"kakusho/store"
	"kakusho/web/inbox/due"
)

// Rooms is what pages and reports are made of: the work over one set of rows, those
// of the present or of a past.
type Rooms struct {
	Gate     *gate.Gate
	Register *register.Register
	Drafts   *draft.Drafts
	Exchange *exchange.Exchange
	Govern   *govern.Govern
	Posture  *posture.Posture
	Audit    *audit.Audit
	InForce  *directive.Directive // where the rows are of; the rooms may be under another
}

// sources are what inboxes are derived from.
func (r Rooms) sources() due.Sources {
	return due.Sources{Register: r.Register, Drafts: r.Drafts, Govern: r.Govern, Posture: r.Posture}
}

// over furnishes the rooms over rows, under the directive that was in force when they
// were so. past says which time the rows are of.
func (s *Server) over(rows store.Store, g *gate.Gate, past calendar.Past) (Rooms, error) {
	ctx := context.Background() // one row is read
	d, err := s.books.InForce(ctx, rows)
	if err != nil {
		return Rooms{}, err
	}
	return s.under(ctx, d, rows, g, past)
}

// under furnishes the rooms under a directive.
func (s *Server) under(ctx context.Context, d *directive.Directive, rows store.Store, g *gate.Gate, past calendar.Past) (r Rooms, err error) {
	controls := s.books.Controls(d)
	r = Rooms{
		Gate: g, Drafts: draft.New(rows, g), Audit: audit.New(s.trail, g).At(past), Govern: govern.New(rows, g, d, controls, s.Kinds),
	}
	if r.InForce, err = s.books.InForce(ctx, rows); err != nil {
		return Rooms{}, err
	}
	sees, err := s.books.Sees(ctx, rows, d)
	if err != nil {
		return Rooms{}, err
	}
	terms := s.books.Terms(d)
	r.Posture, err = posture.Over(under.Rows(rows, sees), terms, document.Derivations(terms))
	r.Govern = r.Govern.Asking(waiting.Grounds(r.Posture, g))
	r.Register = register.New(rows, g, s.rules, file.On(s.files), waiting.On(r.Posture, g))
	r.Exchange = exchange.New(r.Register, rows, g)
	return r, err
}
