package server

import (
	"context"
	"net/http"
	"sync"

	"kakusho/calendar"
	"kakusho/gate"
	"kakusho/store"
	"kakusho/web"
	"kakusho/web/directives"
)

// shelf is what the pages of directives are given.
func (s *Server) shelf(r Rooms) directives.Shelf {
	return directives.Shelf{
		Library: s.books.Library, InForce: r.InForce, Controls: s.books.Controls, Planner: s.books.Planner,
		Drafts: s.demo, Adopted: s.turn,
	}
}

// turn makes the pages anew after another directive was adopted, in place of those
// that are served.
func (s *Server) turn() error {
	d, err := s.books.InForce(context.Background(), s.rows)
	if err != nil {
		return err
	}
	rooms, err := s.under(context.Background(), d, s.rows, s.Gate, calendar.Past{})
	if err != nil {
		return err
	}
	handler, err := s.presentPages(rooms)
	if err != nil {
		return err
	}
	s.served.Store(&handler)
	return nil
}

// openBook serves the pages of some rows under another directive than theirs, for
// looking only.
func (s *Server) openBook(rows store.Store, past calendar.Past) web.Opens {
	var making sync.Mutex
	made := map[string]http.Handler{}
	return func(source string) (http.Handler, error) {
		making.Lock()
		defer making.Unlock()
		if h, ok := made[source]; ok {
			return h, nil
		}
		d, ok := s.books.Library().Of(source)
		if !ok {
			return nil, web.ErrNotFound
		}
		g := gate.New(onlyLooking{river: s.river, now: s.cfg.Now, past: past, book: source})
		rooms, err := s.under(context.Background(), d, rows, g, past)
		if err != nil {
			return nil, err
		}
		site, err := s.site(rooms, past, web.Book{Source: source, Title: d.Title, Draft: d.Draft})
		if err != nil {
			return nil, err
		}
		made[source] = site.Handler()
		return made[source], nil
	}
}
