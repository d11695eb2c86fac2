package server

import (
	"context"
	"net/http"
	"path/filepath"
	"time"

	"kakusho/calendar"
	"kakusho/gate"
	"kakusho/posture"
	"kakusho/server/fold"
	"kakusho/server/past"
	"kakusho/store"
	"kakusho/web"
)

// openPast prepares to show other times.
func (s *Server) openPast() (*past.Keeper, error) {
	return past.Open(past.Config{
		Dir: filepath.Join(s.cfg.Data, "past"), Trail: s.trail, Each: fold.OfRooms(s.Kinds), Gate: s.Gate,
		Version: s.cfg.Version, Now: s.cfg.Now, Log: s.cfg.Log, Furnish: s.furnish,
	})
}

// furnish makes the pages of a past over its rows. They are the same as today's; who
// asks and what he may see is today's as well.
func (s *Server) furnish(rows store.Store, p calendar.Past) (http.Handler, error) {
	rooms, err := s.over(rows, gate.New(past.Looking{Recorder: s.river, Now: s.cfg.Now, Past: p}), p)
	if err != nil {
		return nil, err
	}
	site, err := s.site(rooms, p, web.Book{})
	if err != nil {
		return nil, err
	}
	site.Books(rooms.Posture.Directive().Source, s.openBook(rows, p))
	return furnished{site.Handler(), rooms}, nil
}

// then is the posture of a past, for what compares the present with it.
func (s *Server) then(ctx context.Context, p calendar.Past, now time.Time) (*posture.Posture, func(), error) {
	rooms, _, done, err := s.at(ctx, p, now)
	return rooms.Posture, done, err
}

// furnished is the pages of a past, and the rooms they are made over.
type furnished struct {
	http.Handler
	Rooms
}
