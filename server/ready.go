package server

import (
	"context"
	"time"

	"kakusho/server/health"
)

// parts are what a server that is ready has. The index is spared: what is in the
// trail is found again when the index is back (decisions/0012).
func (s *Server) parts() []health.Part {
	return []health.Part{
		{Name: "trail", Look: func(context.Context) string { return word(s.river.stopped(), "stopped") }},
		{Name: "rows", Look: func(ctx context.Context) string { return word(!s.folded(ctx), "behind") }},
		{Name: "disk", Look: func(context.Context) string { return word(s.Events.Room() != nil, "full") }},
		{Name: "index", Look: s.Events.Index, Spare: true},
	}
}

func word(wrong bool, word string) string {
	if wrong {
		return word
	}
	return ""
}

// folded reports whether what is in the trail now is in the rows, or is within a
// second: an entry is sealed before it is folded.
func (s *Server) folded(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for upto := s.trail.Len(); ; {
		at, err := s.rows.Cursor(ctx)
		if err != nil || at >= upto {
			return err == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
}
