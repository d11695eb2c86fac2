package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kakusho/door/carry"
	"kakusho/event"
)

// Options say what is followed, and where it goes.
type Options struct {
	Dirs   []string         // folders of .journal files; empty: those of this machine, in /var/log/journal and /run/log/journal
	Cursor string           // file that keeps the place and the batch in hand; needed
	New    bool             // with no place kept yet: begin with what comes now, not with what is there
	Sink   event.Sink       // needed
	Now    func() time.Time // needed
	Origin event.Origin     // said to the sink; its door is journal when empty
	Log    *slog.Logger     // nil: none
	Every  time.Duration    // how often to look; zero: 250 ms
}

// ErrNone is returned when this machine has no journal.
var ErrNone = errors.New("this machine has no journal")

// Follow takes every entry of the journals to the sink, exactly once over any
// number of crashes, until ctx ends or the place that was kept cannot be read. A full sink is
// waited for. Without Dirs it fails with ErrNone on a machine that has no ID.
func Follow(ctx context.Context, opt Options) error {
	dirs := opt.Dirs
	if len(dirs) == 0 {
		var err error
		if dirs, err = Own("/"); err != nil {
			return err
		}
	}
	if opt.Origin.Door == "" {
		opt.Origin.Door = "journal"
	}
	return carry.Run(ctx, carry.Options{
		File: opt.Cursor, Name: "journal", Origin: opt.Origin, Sink: opt.Sink, Now: opt.Now, Log: opt.Log, Every: opt.Every,
		Open: func(place json.RawMessage) (carry.Source, error) { return open(dirs, place, opt.New) },
	})
}

// Own returns the folders of this machine's journal under a root. They need not
// exist yet.
func Own(root string) ([]string, error) {
	id, err := os.ReadFile(filepath.Join(root, "etc/machine-id"))
	name := strings.TrimSpace(string(id))
	if err != nil || len(name) != 32 {
		return nil, ErrNone
	}
	return []string{filepath.Join(root, "var/log/journal", name), filepath.Join(root, "run/log/journal", name)}, nil
}

// source is a Folder in the words of carry.
type source struct{ folder *Folder }

func open(dirs []string, place json.RawMessage, onlyNew bool) (source, error) {
	if place == nil {
		return source{OpenFolder(dirs, nil, onlyNew)}, nil
	}
	var p Place
	if err := json.Unmarshal(place, &p); err != nil {
		return source{}, fmt.Errorf("read place in journal: %w", err)
	}
	return source{OpenFolder(dirs, &p, false)}, nil
}

func (s source) Close() { s.folder.Close() }

func (s source) Read(max int) (carry.Load, error) {
	entries, lost, more, err := s.folder.Read(max)
	load := carry.Load{Events: make([]event.Event, len(entries)), More: more, Place: s.folder.Place()}
	for i, e := range entries {
		load.Events[i] = e.Event()
	}
	for _, l := range lost {
		load.Lost = append(load.Lost, carry.Loss{Count: l.Count, Why: l.Why})
	}
	return load, err
}
