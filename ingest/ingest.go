// Package ingest takes events and keeps each in the trail of its retention stream.
//
// Accept returns when a batch is on disk, whole and once: what a sender brings
// again is recognised by its number, also after a crash. The register says by
// which feed an event came, of which system it speaks and how long it is kept;
// an event nobody registered is kept as well, under no feed, and its sender is
// listed. What is known to be lost is an event itself.
//
// Everything counted here is counted again from the trails when it is gone: the
// file state.json only spares reading them from the beginning.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"kakusho/event"
	"kakusho/trail"
)

// Feed is what the register says of where an event came from.
type Feed struct {
	ID     string         // entry of the register log-source; empty: not registered
	System string         // of whose events; empty: not known
	Keep   time.Duration  // how long they must be kept
	Zone   *time.Location // where its clock is when it writes no zone; nil: as the door had it
}

// Options say how ingest runs. Now and Resolve must be given.
type Options struct {
	Now     func() time.Time // the caller owns the clock
	Log     *slog.Logger     // nil: silent
	Resolve func(event.Origin) Feed
	Room    func() error // why nothing can be taken now, as a disk nearly full; nil: there is room

	Installation string                            // name of the body's log; a stream's is INSTALLATION/events/STREAM. Empty: one made up
	Trail        trail.Options                     // for every stream; Now, Log, Installation and Archive are set here
	Archive      func(stream string) trail.Archive // where whole packs of a stream can be put away; nil: nowhere

	SnapshotEvery time.Duration // 0: 1 min
	LossEvery     time.Duration // losses are put together and sealed so often. 0: 10 s
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Room == nil {
		o.Room = func() error { return nil }
	}
	if o.SnapshotEvery <= 0 {
		o.SnapshotEvery = time.Minute
	}
	if o.LossEvery <= 0 {
		o.LossEvery = 10 * time.Second
	}
	return o
}

// Ref is where an event is: its stream, and its number in the trail of it.
type Ref struct {
	Stream string
	Seq    int64
}

// Ingest is open. It is safe for concurrent use; one process has the folder.
type Ingest struct {
	o    Options
	dir  string
	room *semaphore.Weighted // events on their way to the disk

	opening sync.Mutex
	mu      sync.RWMutex
	streams map[string]*trail.Log
	closed  bool

	// settled is held to read from before an append to after its being counted,
	// and to write while the state is copied: a copy holds what the trails hold.
	settled sync.RWMutex
	tally   tally
	senders senders
	copied  map[string]int64 // entries of each stream in the last copy; of snapshot alone

	live   live
	losses losses

	stop chan struct{}
	done sync.WaitGroup
}

// inFlight is how many events may be on their way to the disk.
const inFlight = 1 << 18

// Open opens the streams in dir, or makes the folder, and counts what has come
// since the last copy of the state.
func Open(ctx context.Context, dir string, o Options) (*Ingest, error) {
	if o.Now == nil || o.Resolve == nil {
		return nil, errors.New("open events: Options.Now and Options.Resolve are needed")
	}
	in := &Ingest{o: o.withDefaults(), dir: dir, room: semaphore.NewWeighted(inFlight), streams: map[string]*trail.Log{}, stop: make(chan struct{})}
	in.losses.pending = map[loss]int64{}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open events: %w", err)
	}
	for _, name := range Streams() {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			continue
		}
		if _, err := in.stream(name); err != nil {
			return nil, errors.Join(err, in.release())
		}
	}
	if err := in.restore(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open events: %w", err), in.release())
	}
	in.done.Go(in.housekeep)
	return in, nil
}

// stream opens the trail of a stream, at its first event.
func (in *Ingest) stream(name string) (*trail.Log, error) {
	in.mu.RLock()
	l, closed := in.streams[name], in.closed
	in.mu.RUnlock()
	if closed {
		return nil, trail.ErrClosed
	}
	if l != nil {
		return l, nil
	}
	in.opening.Lock()
	defer in.opening.Unlock()
	in.mu.RLock()
	l = in.streams[name]
	in.mu.RUnlock()
	if l != nil {
		return l, nil
	}
	if !slices.Contains(Streams(), name) {
		return nil, fmt.Errorf("no stream %q", name)
	}
	o := in.o.Trail
	o.Driver = strings.ReplaceAll(o.Driver, "{trail}", "events_"+name)
	o.Now, o.Log = in.o.Now, in.o.Log.With("stream", name)
	if in.o.Installation != "" {
		o.Installation = in.o.Installation + "/events/" + name
	}
	if in.o.Archive != nil {
		o.Archive = in.o.Archive(name)
	}
	l, err := trail.Open(filepath.Join(in.dir, name), o)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	in.mu.Lock()
	in.streams[name] = l
	in.mu.Unlock()
	return l, nil
}

// Trails are the open streams' trails, by stream.
func (in *Ingest) Trails() map[string]*trail.Log {
	in.mu.RLock()
	defer in.mu.RUnlock()
	out := make(map[string]*trail.Log, len(in.streams))
	for name, l := range in.streams {
		out[name] = l
	}
	return out
}

// Folder is where the trail of a stream is.
func (in *Ingest) Folder(stream string) string { return filepath.Join(in.dir, stream) }

// housekeep copies the state and seals losses, until Close.
func (in *Ingest) housekeep() {
	snapshot, lost := time.NewTicker(in.o.SnapshotEvery), time.NewTicker(in.o.LossEvery)
	defer snapshot.Stop()
	defer lost.Stop()
	for {
		select {
		case <-snapshot.C:
			if err := in.snapshot(); err != nil {
				in.o.Log.Warn("copy the state of ingest", "error", err)
			}
		case <-lost.C:
			in.SealLosses()
		case <-in.stop:
			return
		}
	}
}

// Close seals what is open, copies the state and closes the trails. No Accept may
// be under way or follow. The second call does nothing.
func (in *Ingest) Close() error {
	in.mu.Lock()
	if in.closed {
		in.mu.Unlock()
		return nil
	}
	in.mu.Unlock()
	close(in.stop)
	in.done.Wait()
	in.SealLosses()
	err := in.snapshot()
	in.mu.Lock()
	in.closed = true
	in.mu.Unlock()
	in.live.close()
	return errors.Join(err, in.release())
}

func (in *Ingest) release() error {
	var errs []error
	for name, l := range in.Trails() {
		if err := l.Close(); err != nil {
			errs = append(errs, fmt.Errorf("stream %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}
