package server

import (
	"fmt"
	"net"
	"net/http"

	"kakusho/web"
	"kakusho/web/alerts"
	"kakusho/web/api"
	"kakusho/web/decide"
	"kakusho/web/entry"
	"kakusho/web/events"
	"kakusho/web/record"
	"kakusho/web/registers"
	"kakusho/web/standing"
)

// DemoMark is the file in the data folder that says: an invented body. A folder
// has it from its first moment or never.
const DemoMark = "DEMO"

// pages mounts every page.
func (s *Server) pages() (http.Handler, error) {
	host, _, err := net.SplitHostPort(s.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %w: want host:port, as in 127.0.0.1:8743", s.cfg.Listen, err)
	}
	site, err := web.New(web.Config{
		Log: s.cfg.Log, Gate: s.Gate, Identity: s.Identity, Now: s.cfg.Now, Version: s.cfg.Version,
		Source: s.Directive.Title, Secure: !s.plain(host), Demo: s.demo,
	})
	if err != nil {
		return nil, err
	}
	about := record.About{Version: s.cfg.Version, Folder: s.cfg.Data, Own: SelfSystem, OwnHost: SelfComputer, Started: s.cfg.Now(), Demo: s.demo}
	for _, mount := range []func() error{
		func() error { return entry.Mount(site, s.Identity, s.Register) },
		func() error { return standing.Mount(site, s.Posture, s.Gate, SelfSystem) },
		func() error { return registers.Mount(site, s.Register) },
		func() error { return decide.Mount(site, s.Posture, s.Govern) },
		func() error { return record.Mount(site, s.Audit, s.Posture, s.Gate, about, s.Collect) },
		func() error { return events.Mount(site, s.Events.Search, s.Events, s.Events.Retention) },
		func() error { return alerts.Mount(site, s.Register) },
	} {
		if err := mount(); err != nil {
			return nil, fmt.Errorf("mount pages: %w", err)
		}
	}
	api.Mount(site, s.Register, s.Posture)
	return site.Handler(), nil
}
