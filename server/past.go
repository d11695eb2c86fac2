package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"kakusho/calendar"
	"kakusho/gate"
	"kakusho/server/past"
	"kakusho/store"
	"kakusho/trail"
	"kakusho/web"
)

// openPast prepares to show other times.
func (s *Server) openPast() (*past.Keeper, error) {
	return past.Open(past.Config{
		Dir: filepath.Join(s.cfg.Data, "past"), Trail: s.trail, Each: foldsOfRooms(s.Kinds), Gate: s.Gate,
		Version: s.cfg.Version, Now: s.cfg.Now, Log: s.cfg.Log, Furnish: s.furnish,
	})
}

// furnish makes the pages of a past over its rows. They are the same as today's; who
// asks and what he may see is today's as well.
func (s *Server) furnish(rows store.Store, p calendar.Past) (http.Handler, error) {
	rooms, err := s.over(rows, gate.New(onlyLooking{river: s.river, now: s.cfg.Now, past: p}), p)
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

// furnished is the pages of a past, and the rooms they are made over.
type furnished struct {
	http.Handler
	Rooms
}

// onlyLooking is the recorder of a past, or of another directive: that somebody looked
// is sealed now, in the present's trail, with the time and the directive he looked at. A change is not taken, whoever was
// allowed it: nothing can be done in the past.
type onlyLooking struct {
	river *river
	now   func() time.Time
	past  calendar.Past
	book  string // source of the directive; empty: the one in force
}

// errPast means that a change was asked of another time than now.
var errPast = errors.New("only looking: another time, or another directive, is not changed")

// looks are the entries that change nothing.
var looks = []string{string(gate.Read), string(gate.ReadTrail), string(gate.Export), "gate.refused"}

// Append implements gate.Recorder.
func (o onlyLooking) Append(ctx context.Context, entries ...trail.Entry) (int64, error) {
	for i, e := range entries {
		if !slices.Contains(looks, e.Kind) {
			return 0, fmt.Errorf("%s %s: %w", e.Kind, e.Object, errPast)
		}
		body := map[string]any{}
		if len(e.Body) > 0 {
			if err := json.Unmarshal(e.Body, &body); err != nil {
				return 0, fmt.Errorf("encode %s: %w", e.Kind, err)
			}
		}
		if !o.past.AsOf.IsZero() {
			body["as_of"] = o.past.AsOf
		}
		if o.book != "" {
			body["rulebook"] = o.book
		}
		if !o.past.KnownAt.IsZero() {
			body["known_at"] = o.past.KnownAt
		}
		b, err := json.Marshal(body)
		if err != nil {
			return 0, fmt.Errorf("encode %s: %w", e.Kind, err)
		}
		entries[i].At, entries[i].Body = o.now(), b
	}
	return o.river.Append(ctx, entries...)
}
