package server

import (
	"kakusho/audit"
	"kakusho/calendar"
	"kakusho/gate"
	"kakusho/govern"
	"kakusho/posture"
	"kakusho/posture/derive"
	"kakusho/register"
	"kakusho/store"
)

// Rooms is what pages and reports are made of: the work over one set of rows, those
// of the present or of a past.
type Rooms struct {
	Gate     *gate.Gate
	Register *register.Register
	Govern   *govern.Govern
	Posture  *posture.Posture
	Audit    *audit.Audit
}

// over furnishes the rooms over rows. past says which time the rows are of.
func (s *Server) over(rows store.Store, g *gate.Gate, past calendar.Past) (r Rooms, err error) {
	r = Rooms{
		Gate: g, Register: register.New(rows, g, s.Kinds), Audit: audit.New(s.trail, g).At(past),
		Govern: govern.New(rows, g, s.Directive, s.Controls, s.Kinds),
	}
	r.Posture, err = posture.Over(rows, s.terms, derive.All())
	return r, err
}
