package server

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"kakusho/calendar"
	"kakusho/control"
	"kakusho/control/carry"
	"kakusho/directive"
	"kakusho/directive/library"
	"kakusho/gate"
	"kakusho/govern"
	"kakusho/posture"
	"kakusho/posture/under"
	"kakusho/store"
	"kakusho/web"
	"kakusho/web/directives"
)

// books are the directives on hand and the controls that check them. Each is read
// when it is first asked for: an installation that keeps to one needs no other.
type books struct {
	library func() *library.Library

	reading  sync.Mutex
	controls map[string][]control.Control // by source
	terms    map[string]*posture.Terms    // by source
}

func newBooks() *books {
	return &books{library: sync.OnceValue(library.Shipped), controls: map[string][]control.Control{}, terms: map[string]*posture.Terms{}}
}

// of finds a directive by its source; empty is the first.
func (b *books) of(source string) (*directive.Directive, error) {
	if source == "" || source == directive.First {
		return directive.Default(), nil
	}
	d, ok := b.library().Of(source)
	if !ok {
		var known []string
		for _, d := range b.library().Directives {
			known = append(known, d.Source)
		}
		return nil, fmt.Errorf("there is no directive %q: choose one of %v", source, known)
	}
	return d, nil
}

// checking are the controls that check a directive.
func (s *Server) checking(d *directive.Directive) []control.Control {
	s.books.reading.Lock()
	defer s.books.reading.Unlock()
	if _, ok := s.books.controls[d.Source]; !ok {
		if d.Source == directive.First {
			s.books.controls[d.Source] = control.Default(s.Kinds, d)
		} else {
			s.books.controls[d.Source] = control.For(s.Kinds, s.books.library(), d)
		}
	}
	return s.books.controls[d.Source]
}

// terms are what is judged by under a directive, compiled once.
func (s *Server) terms(d *directive.Directive) *posture.Terms {
	controls := s.checking(d)
	s.books.reading.Lock()
	defer s.books.reading.Unlock()
	if _, ok := s.books.terms[d.Source]; !ok {
		s.books.terms[d.Source] = posture.NewTerms(d, controls, s.Kinds)
	}
	return s.books.terms[d.Source]
}

// inForce is the directive that rows say is in force, unless another was chosen at
// the start.
func (s *Server) inForce(ctx context.Context, rows store.Store) (*directive.Directive, error) {
	if s.cfg.Directive != "" {
		return s.books.of(s.cfg.Directive)
	}
	source, err := govern.InForce(ctx, rows)
	if err != nil {
		return nil, err
	}
	return s.books.of(source)
}

// sees says which decisions count under a directive: those given under it, and, when
// it was not adopted, those that would be carried over if it were.
func (s *Server) sees(ctx context.Context, rows store.Store, d *directive.Directive) (under.Sees, error) {
	source, err := govern.InForce(ctx, rows)
	if err != nil {
		return nil, err
	}
	from, err := s.books.of(source)
	if err != nil {
		return nil, err
	}
	if from.Source != d.Source {
		if p, ok := s.planner(from, d); ok {
			return under.Planned(p), nil
		}
	}
	return under.Adopted(d.Source), nil
}

// planner plans what becomes of answers between two directives; false when no
// crosswalk leads from one to the other.
func (s *Server) planner(from, to *directive.Directive) (*carry.Planner, bool) {
	walk, ok := s.books.library().Crosswalk(from.Source, to.Source)
	if !ok {
		return nil, false
	}
	return carry.New(from, to, walk, s.checking(from), s.checking(to)), true
}

// Library is every directive on hand.
func (s *Server) Library() *library.Library { return s.books.library() }

// shelf is what the pages of directives are given.
func (s *Server) shelf(r Rooms) directives.Shelf {
	return directives.Shelf{
		Library: s.Library, InForce: r.InForce, Controls: s.checking, Planner: s.planner,
		Drafts: s.demo, Adopted: s.turn,
	}
}

// turn makes the pages anew after another directive was adopted, in place of those
// that are served.
func (s *Server) turn() error {
	d, err := s.inForce(context.Background(), s.rows)
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
		d, ok := s.Library().Of(source)
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
