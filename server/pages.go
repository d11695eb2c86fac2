package server

import (
	"fmt"
	"net"
	"net/http"

	"kakusho/calendar"
	"kakusho/register/notice"
	"kakusho/trail/short"
	"kakusho/web"
	"kakusho/web/alerts"
	"kakusho/web/api"
	"kakusho/web/audits"
	"kakusho/web/decide"
	"kakusho/web/differences"
	"kakusho/web/directives"
	"kakusho/web/documents"
	"kakusho/web/entry"
	"kakusho/web/events"
	"kakusho/web/imports"
	"kakusho/web/inbox"
	"kakusho/web/login"
	"kakusho/web/papers"
	"kakusho/web/procedures"
	"kakusho/web/record"
	"kakusho/web/registers"
	"kakusho/web/rounds"
	"kakusho/web/specification"
	"kakusho/web/standing"
	"kakusho/web/whatif"
)

// DemoMark is the file in the data folder that says: an invented body. A folder
// has it from its first moment or never.
const DemoMark = "DEMO"

// pages mounts every page over the present.
func (s *Server) pages() (http.Handler, error) {
	handler, err := s.presentPages(s.Rooms)
	if err != nil {
		return nil, err
	}
	s.served.Store(&handler)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.served.Load()).ServeHTTP(w, r) }), nil
}

func (s *Server) presentPages(rooms Rooms) (http.Handler, error) {
	site, err := s.site(rooms, calendar.Past{}, web.Book{})
	if err != nil {
		return nil, err
	}
	site.Travel(s.past.Open)
	site.Books(rooms.Posture.Directive().Source, s.openBook(s.rows, calendar.Past{}))
	return site.Handler(), nil
}

// site mounts every page over rooms, present or past, of the directive in force or of
// another. A page that is mounted here opens at any instant and under any directive;
// what it does beside reading is refused but now and under the one in force.
func (s *Server) site(rooms Rooms, past calendar.Past, book web.Book) (*web.Site, error) {
	host, _, err := net.SplitHostPort(s.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %w: want host:port, as in 127.0.0.1:8743", s.cfg.Listen, err)
	}
	staff := notice.New(s.rows, s.Gate, s.Kinds, SelfSystem)
	site, err := web.New(web.Config{
		Log: s.cfg.Log, Gate: rooms.Gate, Identity: s.Identity, Now: s.cfg.Now, Past: past, Book: book, Version: s.cfg.Version,
		Source: rooms.Posture.Directive().Title, Secure: !s.port().Plain(host), Demo: s.demo, Held: staff.Held,
	})
	if err != nil {
		return nil, err
	}
	about := record.About{Version: s.cfg.Version, Folder: s.cfg.Data, Own: SelfSystem, OwnHost: SelfComputer, Started: s.cfg.Now(), Demo: s.demo}
	for _, mount := range []func() error{
		func() error {
			return inbox.Mount(site, rooms.sources(), rooms.Gate, s.Identity, s.Notices, s.cfg.Log, s.river.changed.Load, s.Teller.Try)
		},
		func() error { return entry.Mount(site, s.Identity, rooms.Register, staff) },
		func() error { return login.Mount(site, s.Identity, s.Passkeys) },
		func() error { return standing.Mount(site, rooms.Posture, rooms.Gate, SelfSystem) },
		func() error { return papers.Mount(site, rooms.Posture, rooms.Gate, s.write) },
		func() error { return registers.Mount(site, rooms.Exchange, rooms.Drafts) },
		func() error { return imports.Mount(site, rooms.Exchange, s.desk) },
		func() error { return differences.Mount(site, rooms.Posture, rooms.Register, rooms.Gate) },
		func() error {
			return documents.Mount(site, rooms.Posture, rooms.Register, rooms.Audit, rooms.Gate, s.then)
		},
		func() error { return procedures.Mount(site, rooms.Register) },
		func() error { return audits.Mount(site, rooms.Register, rooms.Posture, rooms.Gate) },
		func() error {
			return rounds.Mount(site, rooms.Register, func(text, title string) ([]byte, error) { return short.Form{Text: text}.SVG(title) })
		},
		func() error { return specification.Mount(site, rooms.Register) },
		func() error { return decide.Mount(site, rooms.Posture, rooms.Govern) },
		func() error { return record.Mount(site, rooms.Audit, rooms.Posture, rooms.Gate, about, s.Collect) },
		func() error {
			return events.Mount(site, s.Events.Search.Through(rooms.Gate), s.Events, s.Events.Retention)
		},
		func() error { return alerts.Mount(site, rooms.Register) },
		func() error { return directives.Mount(site, s.shelf(rooms), rooms.Govern) },
		func() error {
			find, others := s.tried(rooms.Posture.Directive())
			return whatif.Mount(site, rooms.Posture, rooms.Gate, find, others)
		},
	} {
		if err := mount(); err != nil {
			return nil, fmt.Errorf("mount pages: %w", err)
		}
	}
	api.Mount(site, rooms.Register, rooms.Posture, rooms.Govern)
	return site, nil
}
