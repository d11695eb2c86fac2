package events

import (
	"context"
	"net/http"
	"path/filepath"

	"kakusho/door/journal"
)

// door is one way in beside the main address.
type door struct {
	name  string
	serve func(ctx context.Context) error
}

// Listen opens the doors that Config names, so that what cannot be opened is said
// at the start. Run serves them.
func (e *Events) Listen(context.Context) error {
	if e.cfg.Journal {
		e.doors = append(e.doors, door{"journal", func(ctx context.Context) error {
			return journal.Follow(ctx, journal.Options{
				Dirs: e.cfg.JournalDirs, Cursor: filepath.Join(e.cfg.Data, "events", "journal.cursor"),
				Sink: e.Ingest, Now: e.cfg.Now, Log: e.cfg.Log,
			})
		}})
	}
	var err error
	if e.index, err = e.openIndex(); err != nil {
		return err
	}
	e.Search = e.newSearch()
	return nil
}

// Handler puts the doors for events over HTTP before the pages.
func (e *Events) Handler(pages http.Handler) http.Handler { return pages }
