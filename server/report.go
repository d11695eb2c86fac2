package server

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/gate"
	"kakusho/posture"
	"kakusho/report"
)

// paper is a report of everything that a reader may see. It bears no checkpoint: that
// is of the day it is made on, and a report of the past is the same on any day.
func (s *Server) paper(p *posture.Posture, st *posture.Standing) *report.Report {
	r := report.New(p, st, s.cfg.Version)
	r.Host, r.Root, r.Privilege = s.trail.PublicKey(), "/", "-"
	return r
}

// write writes a paper in one of the forms of package report.
func (s *Server) write(w io.Writer, p *posture.Posture, st *posture.Standing, form string, l bilingual.Lang) error {
	return s.paper(p, st).Write(w, form, l, 160, true)
}

// foldingMost is how long a command waits for a past.
const foldingMost = time.Hour

// at are the rooms of a past, and the instant they show. Call done after use.
func (s *Server) at(ctx context.Context, p calendar.Past, now time.Time) (rooms Rooms, at time.Time, done func(), err error) {
	if p.AsOf.IsZero() {
		return s.present(), now, func() {}, nil
	}
	o, err := s.past.Open(ctx, p, foldingMost)
	if err != nil {
		return Rooms{}, time.Time{}, nil, err
	}
	if o.Handler == nil {
		return Rooms{}, time.Time{}, nil, context.DeadlineExceeded
	}
	return o.Handler.(furnished).Rooms, p.AsOf, o.Close, nil
}

// controlReport writes a report for the one at the machine.
func (s *Server) controlReport(r *http.Request) (any, error) {
	now := s.cfg.Now()
	p, err := calendar.ParsePast(r.FormValue("as_of"), r.FormValue("known_at"), now)
	if err != nil {
		return nil, err
	}
	rooms, at, done, err := s.at(r.Context(), p, now)
	if err != nil {
		return nil, err
	}
	defer done()
	permit, err := rooms.Gate.Ask(r.Context(), gate.Request{Actor: atTheMachine, At: now, Action: gate.Export, Object: "report",
		Changes: []gate.Change{{Body: map[string]any{"format": r.FormValue("format")}}}})
	if err != nil {
		return nil, err
	}
	st, err := rooms.Posture.Now(r.Context(), permit, at)
	if err != nil {
		return nil, err
	}
	l, ok := bilingual.ParseLang(r.FormValue("lang"))
	if !ok {
		l = bilingual.JA
	}
	width, err := strconv.Atoi(r.FormValue("width"))
	if err != nil {
		width = 160
	}
	var b strings.Builder
	err = s.paper(rooms.Posture, st).Write(&b, r.FormValue("format"), l, width, r.FormValue("all") == "true")
	return b.String(), err
}
