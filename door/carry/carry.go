// Package carry takes what a source has read to a sink, exactly once over any
// number of crashes of either side.
//
// What is in hand stands in one small file: a number, the events, and the place
// in the source behind them. It is on disk before the sink sees the events, and the
// next hand replaces it when the sink has them. After a crash the hand is brought
// again under its number, and a sink that had it already says so.
package carry

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"kakusho/event"
)

// Load is what a source has read.
type Load struct {
	Events []event.Event
	Place  json.RawMessage // behind the events
	Lost   []Loss
	More   bool // there is more at once
}

// Loss is events a source knows to be gone.
type Loss struct {
	Count int64
	Why   string
}

// Source reads events from something that keeps them for a while.
type Source interface {
	// Read returns what comes next, at most max events and little more than Bytes of
	// text; none when there are none now. An error says what could not be read this
	// time; the load counts.
	Read(max int) (Load, error)
	Close()
}

// Options say what is carried where.
type Options struct {
	File   string                                      // keeps the hand; needed
	Name   string                                      // of the sender: a random part is added, once per file
	Origin event.Origin                                // said to the sink
	Open   func(place json.RawMessage) (Source, error) // at a place; nil: the first time
	Sink   event.Sink
	Now    func() time.Time
	Log    *slog.Logger  // nil: none
	Every  time.Duration // how often to look; zero: 250 ms
	Max    int           // events in a hand; zero: 1,000
}

// hand is what the file holds, followed by the lines of the events.
type hand struct {
	Sender string          `json:"sender"`
	Number int64           `json:"number"`
	Place  json.RawMessage `json:"place"`
	Count  int             `json:"count"`

	events []event.Event
}

// Bytes of text are in one hand.
const Bytes = 1 << 20

// What is waited when the sink has no room.
const (
	firstWait = 100 * time.Millisecond
	lastWait  = 5 * time.Second
)

// Run carries until ctx ends, or the hand of the last run cannot be read. A disk or
// a sink without room is waited for.
func Run(ctx context.Context, opt Options) error {
	c := carrier{Options: opt}
	if c.Every == 0 {
		c.Every = 250 * time.Millisecond
	}
	if c.Max == 0 {
		c.Max = 1000
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := c.load(); err != nil {
		return err
	}
	src, err := opt.Open(c.hand.Place)
	if err != nil {
		return fmt.Errorf("carry %s: %w", opt.Name, err)
	}
	defer src.Close()
	if len(c.hand.events) > 0 {
		if err := c.bring(ctx, false); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		more, err := c.step(ctx, src)
		if err != nil {
			return err
		}
		if !more {
			pause(ctx, c.Every)
		}
	}
	return ctx.Err()
}

type carrier struct {
	Options
	hand          hand
	above, behind string // what was complained about last: of the source, of sink and disk
}

// step carries one hand, and says whether there may be more at once.
func (c *carrier) step(ctx context.Context, src Source) (bool, error) {
	load, err := src.Read(c.Max)
	c.complain(&c.above, err)
	if len(load.Events) == 0 && len(load.Lost) == 0 && c.hand.Place != nil {
		return load.More, ctx.Err()
	}
	number := c.hand.Number
	if len(load.Events) > 0 {
		number++ // none is left out: the sink misses numbers
	}
	c.hand = hand{Sender: c.hand.Sender, Number: number, Place: load.Place, events: load.Events}
	for {
		err := c.save()
		c.complain(&c.behind, err)
		if err == nil {
			break
		}
		if !pause(ctx, lastWait) { // a full disk may have room again
			return false, err
		}
	}
	if err := c.bring(ctx, true); err != nil {
		return false, err
	}
	for _, l := range load.Lost {
		c.Sink.Lost(c.Origin, l.Count, l.Why)
		c.Log.Warn("events lost", "source", c.Name, "count", l.Count, "why", l.Why)
	}
	return load.More, nil
}

// bring brings the hand to the sink, as often as it takes. If the sink has had a hand
// that is being brought for the first time, our file was set back, by a snapshot or
// a backup: the sink must not take new events for old ones, so we take another name.
func (c *carrier) bring(ctx context.Context, first bool) error {
	if len(c.hand.events) == 0 {
		return nil
	}
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		b := event.Batch{Origin: c.Origin, Events: c.hand.events, Sender: c.hand.Sender, Number: c.hand.Number}
		receipt, err := c.Sink.Accept(ctx, b, false)
		if first && err == nil && receipt.Duplicate {
			c.Log.Warn("the place in a source was set back; events may come twice", "source", c.Name, "number", b.Number)
			c.hand.Sender, c.hand.Number = newName(c.Name), 1
			if err := c.save(); err != nil {
				return err
			}
			continue
		}
		first = false
		if err == nil {
			c.complain(&c.behind, nil)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.complain(&c.behind, fmt.Errorf("bring events: %w", err))
		if !pause(ctx, wait) {
			return ctx.Err()
		}
	}
}

// complain logs what is wrong when it is something else than the last time.
func (c *carrier) complain(last *string, err error) {
	said := ""
	if err != nil {
		said = err.Error()
	}
	if said != *last && said != "" {
		c.Log.Warn("carry events", "source", c.Name, "problem", said)
	}
	*last = said
}

// load reads the hand of the last run, or begins with an empty one.
func (c *carrier) load() error {
	b, err := os.ReadFile(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		c.hand.Sender = newName(c.Name)
		return nil
	}
	if err == nil {
		c.hand, err = parse(b)
	}
	if err != nil {
		return fmt.Errorf("carry %s: %w (to begin anew, remove the file)", c.File, err)
	}
	return nil
}

func newName(name string) string {
	var random [8]byte
	rand.Read(random[:])
	return name + "-" + hex.EncodeToString(random[:])
}

// parse reads what save writes.
func parse(b []byte) (hand, error) {
	head, rest, _ := bytes.Cut(b, []byte{'\n'})
	var h hand
	d := json.NewDecoder(bytes.NewReader(head))
	d.DisallowUnknownFields()
	if err := d.Decode(&h); err != nil {
		return h, fmt.Errorf("read hand: %w", err)
	}
	if h.Sender == "" || h.Number < 0 {
		return h, errors.New("read hand: no sender")
	}
	for len(rest) > 0 {
		line, after, ended := bytes.Cut(rest, []byte{'\n'})
		e, err := event.Decode(line)
		if err != nil || !ended {
			return h, fmt.Errorf("read hand: event %d: %w", len(h.events), cmp.Or(err, io.ErrUnexpectedEOF))
		}
		h.events, rest = append(h.events, e), after
	}
	if len(h.events) != h.Count {
		return h, fmt.Errorf("read hand: %d events, want %d", len(h.events), h.Count)
	}
	return h, nil
}

// save puts the hand on disk. Each event gets its ID here, and keeps it.
func (c *carrier) save() error {
	var lines []byte
	kept := c.hand.events[:0]
	for _, e := range c.hand.events {
		if e.ID == "" {
			e.ID = event.NewID()
		}
		longer, err := event.Encode(lines, e)
		if err != nil {
			e = event.Fit(e, c.Now())
			longer, err = event.Encode(lines, e)
		}
		if err != nil {
			c.Log.Error("an event cannot be written", "source", c.Name, "problem", err)
			c.Sink.Lost(c.Origin, 1, err.Error())
			continue
		}
		kept, lines = append(kept, e), append(longer, '\n')
	}
	c.hand.events, c.hand.Count = kept, len(kept)
	head, err := json.Marshal(c.hand)
	if err != nil {
		return fmt.Errorf("carry %s: %w", c.Name, err)
	}
	if err := Replace(c.File, head, []byte{'\n'}, lines); err != nil {
		return fmt.Errorf("carry %s: %w", c.Name, err)
	}
	return nil
}

// Replace puts a file on disk whole, in place of the one of that name: after a crash
// there is one of the two.
func Replace(name string, parts ...[]byte) error {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, "."+filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	defer os.Remove(f.Name()) // is gone when all went well
	for _, p := range parts {
		if err == nil {
			_, err = f.Write(p)
		}
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err == nil {
		err = SyncFolder(dir)
	}
	if err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return nil
}

// SyncFolder puts on disk which files a folder has.
func SyncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// pause waits, and says whether all of it was waited.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
