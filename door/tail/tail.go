// Package tail reads files that programs write lines to: through renaming,
// truncation and replacement, and from where it was left before a crash.
//
// It promises that every line that stays readable long enough comes once: a file is
// known by its inode and its first bytes, not by its name. (One that came and was
// renamed between two looks was never seen, unless a pattern gives its new name too.)
// A line without an end
// waits for it. Lines longer than MaxLine come in parts, bytes that are not UTF-8
// come as text with the bytes beside it, and no line is dropped for what is in it.
package tail

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"kakusho/door/carry"
	"kakusho/event"
)

// MaxLine is how many bytes of a line come as one event.
const MaxLine = 128 << 10

// idle is how long a line without an end is waited for.
const idle = 30 * time.Second

// Options say what is followed, and where it goes.
type Options struct {
	Paths  []string         // files, or patterns of path/filepath
	Cursor string           // file that keeps the places and the batch in hand; needed
	New    bool             // with no place kept yet: begin with what comes now, not with what is there
	Device string           // this machine's name, for lines that say none
	Sink   event.Sink       // needed
	Origin event.Origin     // said to the sink; its door is file when empty
	Now    func() time.Time // needed
	Log    *slog.Logger     // nil: none
	Every  time.Duration    // how often to look; zero: 250 ms
}

// Follow takes every line of the files to the sink, exactly once over any number
// of crashes, until ctx ends or the place that was kept cannot be read. A full
// sink is waited for.
func Follow(ctx context.Context, opt Options) error {
	if opt.Origin.Door == "" {
		opt.Origin.Door = "file"
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return carry.Run(ctx, carry.Options{
		File: opt.Cursor, Name: "file", Origin: opt.Origin, Sink: opt.Sink, Now: opt.Now, Log: opt.Log, Every: opt.Every,
		Open: func(place json.RawMessage) (carry.Source, error) {
			s := &source{opt: opt, fresh: place == nil, left: map[string]Place{}}
			if place == nil {
				return s, nil
			}
			if err := json.Unmarshal(place, &s.left); err != nil {
				return nil, fmt.Errorf("read places in files: %w", err)
			}
			return s, nil
		},
	})
}

// Place is how far one file was read.
type Place struct {
	Path   string `json:"path"`
	Inode  uint64 `json:"inode"`
	Device uint64 `json:"device"`
	Offset int64  `json:"offset"`
	Part   int    `json:"part,omitempty"` // of a long line, that comes next
	Head   []byte `json:"head"`           // digest of its first HeadLength bytes
	Length int    `json:"length"`
}

func (p Place) key() string { return fmt.Sprintf("%x:%x", p.Device, p.Inode) }
