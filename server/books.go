package server

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"kakusho/calendar"
	"kakusho/directive"
	"kakusho/gate"
	"kakusho/posture/trial"
	"kakusho/server/past"
	"kakusho/server/waiting"
	"kakusho/store"
	"kakusho/web"
	"kakusho/web/directives"
)

// shelf is what the pages of directives are given.
func (s *Server) shelf(r Rooms) directives.Shelf {
	return directives.Shelf{
		Library: s.books.Library, InForce: r.InForce, Kinds: s.Kinds, Controls: s.books.Controls, Planner: s.books.Planner,
		Drafts: s.demo, Adopted: s.turn,
	}
}

// tried finds the directives that can be tried instead of one, and lists them. Answers
// count under one as they would be carried over to it.
func (s *Server) tried(held *directive.Directive) (find trial.Books, others func() []*directive.Directive) {
	find = func(source string) (trial.Book, bool) {
		d, err := s.books.Of(source)
		if err != nil {
			return trial.Book{}, false
		}
		return trial.Book{Terms: s.books.Terms(d), Sees: s.books.SeenFrom(held, d)}, true
	}
	others = func() []*directive.Directive {
		return slices.DeleteFunc(slices.Clone(s.books.Library().Directives), func(d *directive.Directive) bool { return d.Source == held.Source })
	}
	return find, others
}

// present are the rooms of the present, under the directive in force.
func (s *Server) present() Rooms {
	if r := s.turned.Load(); r != nil {
		return *r
	}
	return s.Rooms
}

// turn makes the rooms and the pages anew after another directive was adopted, in
// place of those that are served. A past that is by what is known today is made again
// when it is asked for.
func (s *Server) turn() error {
	d, err := s.books.InForce(context.Background(), s.rows)
	if err != nil {
		return err
	}
	rooms, err := s.under(context.Background(), d, s.rows, s.Gate, calendar.Past{})
	if err != nil {
		return err
	}
	rooms.Govern = s.Govern.Under(d, s.books.Controls(d)).Asking(waiting.Grounds(rooms.Posture, s.Gate)) // answers to the pages of before may still be on their way
	handler, err := s.presentPages(rooms)
	if err != nil {
		return err
	}
	s.turned.Store(&rooms)
	s.served.Store(&handler)
	return s.past.Renew()
}

// openBook serves the pages of some rows under another directive than theirs, for
// looking only.
func (s *Server) openBook(rows store.Store, p calendar.Past) web.Opens {
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
		g := gate.New(past.Looking{Recorder: s.river, Now: s.cfg.Now, Past: p, Book: source})
		rooms, err := s.under(context.Background(), d, rows, g, p)
		if err != nil {
			return nil, err
		}
		site, err := s.site(rooms, p, web.Book{Source: source, Title: d.Title, Draft: d.Draft})
		if err != nil {
			return nil, err
		}
		made[source] = site.Handler()
		return made[source], nil
	}
}
