// Package feed fills a search engine from trails and keeps it exact: each line of
// each trail is in the index once, soon after whatever happened to either.
//
// It reads what is acknowledged and never stands between a sender and his answer.
// When much is missing it gives the new lines first and repairs from the newest
// back. What the engine has is counted by buckets; only a bucket that does not
// agree is looked into.
package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"kakusho/event"
	"kakusho/search"
)

// Line is a line of a trail.
type Line struct {
	Seq     int64
	Arrived time.Time
	Bytes   []byte // as event.Encode wrote it
}

// Source is the trail of one stream.
type Source interface {
	Len() int64                                                   // lines that are acknowledged
	Lines(ctx context.Context, from int64) iter.Seq2[Line, error] // in order; those whose bodies are gone are left out
}

// SourceOf makes a source of a trail whose lines have another type.
func SourceOf[L any](length func() int64, lines func(context.Context, int64) iter.Seq2[L, error], line func(L) Line) Source {
	return source[L]{length, lines, line}
}

type source[L any] struct {
	length func() int64
	lines  func(context.Context, int64) iter.Seq2[L, error]
	line   func(L) Line
}

func (s source[L]) Len() int64 { return s.length() }

func (s source[L]) Lines(ctx context.Context, from int64) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		for l, err := range s.lines(ctx, from) {
			if !yield(s.line(l), err) {
				return
			}
		}
	}
}

// Options of a Feeder. The zero ones work.
type Options struct {
	State string        // file for how far the index is known to be complete; it must go when the index does. Empty: found out anew
	Pause time.Duration // between looks at the trails; zero: 250 ms
	Check time.Duration // between counts of what the engine has; zero: a minute
	Log   *slog.Logger
}

// errRead: a trail cannot be read just now, or is damaged.
var errRead = errors.New("read the trail")

// batchBytes is how much of a trail goes to the engine at once.
const batchBytes = 1 << 20

// Feeder fills an engine from trails, newest first when much is missing, and
// repairs what it lost. It asks nothing of who writes the trails. One Feeder feeds
// one engine.
type Feeder struct {
	engine search.Engine
	o      Options

	mu      sync.Mutex // the streams and what Standing reads
	streams []*stream
	err     error
	rebuild bool
	wiped   bool
}

// stream is how far one trail is in the index.
type stream struct {
	name   string
	source Source
	fresh  bool // not looked at since the engine started

	next    int64           // lines from here on were not given
	newest  time.Time       // arrival of the last one given
	safe    int64           // buckets wholly before it are complete on the engine's disk
	mark    int64           // next, at the last count
	broken  []int64         // buckets to repair, the last first
	tried   map[int64]try   // repairs that are not seen in a count yet
	retired map[int64]int64 // what a bucket has at most: lines are gone from the trail, or from before the days of the index
}

// try is how often a bucket was repaired, having the same before.
type try struct {
	had   int64
	times int
}

// New returns a feeder without trails.
func New(e search.Engine, o Options) *Feeder {
	if o.Pause == 0 {
		o.Pause = 250 * time.Millisecond
	}
	if o.Check == 0 {
		o.Check = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Feeder{engine: e, o: o}
}

// Add gives it the trail of a stream, at any time.
func (f *Feeder) Add(name string, s Source) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.streams = append(f.streams, &stream{name: name, source: s, fresh: true})
}

// Standing is how far one stream is.
type Standing struct {
	Stream string
	Len    int64     // lines of the trail
	Given  int64     // lines before this were given to the engine
	Newest time.Time // arrival of the last one given
	Repair int       // buckets of older lines that wait for repair
	Err    error     // why nothing is given just now
}

// Standing tells of each stream, for pages and for alarms.
func (f *Feeder) Standing() (out []Standing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.streams {
		out = append(out, Standing{Stream: s.name, Len: s.source.Len(), Given: s.next, Newest: s.newest, Repair: len(s.broken), Err: f.err})
	}
	return out
}

// Rebuild has everything counted again from the first line, and filled where it
// is short.
func (f *Feeder) Rebuild() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rebuild = true
}

// restarter is an engine that knows how often its process was started.
type restarter interface{ Restarts() int64 }

// floored is an engine that keeps only what is not older than a day.
type floored interface{ Floor() time.Time }

// wiper is an engine that can begin anew with nothing.
type wiper interface{ Wipe(why string) }

// Run feeds until ctx ends.
func (f *Feeder) Run(ctx context.Context) error {
	var restarts int64
	wait := f.o.Pause
	checks := time.NewTicker(f.o.Check)
	defer checks.Stop()
	due := false
	for ctx.Err() == nil {
		if r, ok := f.engine.(restarter); ok && r.Restarts() != restarts {
			restarts = r.Restarts()
			f.again()
		}
		select {
		case <-checks.C:
			due = true
		default:
		}
		busy, err := f.round(ctx, due)
		f.note(err)
		if err == nil {
			wait, due = f.o.Pause, false
			if busy {
				continue
			}
		} else {
			if errors.Is(err, search.ErrUnsure) || errors.Is(err, search.ErrDown) {
				f.again() // what it had in memory may be gone
			}
			wait = min(2*wait, 10*time.Second)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return nil
}

func (f *Feeder) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && (f.err == nil || f.err.Error() != err.Error()) {
		f.o.Log.Warn("events are not being indexed just now", "error", err)
	}
	f.err = err
}

// again makes every stream be looked at as after a start.
func (f *Feeder) again() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.streams {
		s.fresh = true
	}
}

// round gives each stream's new lines and repairs one bucket. busy: there is more.
func (f *Feeder) round(ctx context.Context, check bool) (busy bool, err error) {
	streams, err := f.begin()
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(streams, func(s *stream) bool { return s.fresh }) {
		if err := f.engine.Health(ctx); err != nil {
			return false, err
		}
	}
	var unread error
	for _, s := range streams {
		if s.fresh {
			if err := f.look(ctx, s); err != nil {
				return false, err
			}
		}
		if check {
			if err := f.check(ctx, s); err != nil {
				return false, err
			}
		}
		n, err := f.give(ctx, s, s.next, s.source.Len(), nil)
		switch {
		case errors.Is(err, errRead): // what could not be read becomes a repair, and later lines go on
			f.mu.Lock()
			s.fresh = true
			f.mu.Unlock()
			unread = errors.Join(unread, fmt.Errorf("index stream %s: %w", s.name, err))
		case err != nil:
			return false, fmt.Errorf("index stream %s: %w", s.name, err)
		}
		busy = busy || n > 0
	}
	if check {
		f.save(streams)
	}
	for _, s := range streams {
		if len(s.broken) > 0 && unread == nil {
			return true, f.repair(ctx, s)
		}
	}
	return busy, unread
}

// begin lists the streams. A rebuild forgets what is known of them, for good: an
// engine that is down meanwhile does not bring it back.
func (f *Feeder) begin() ([]*stream, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rebuild {
		if err := os.Remove(f.o.State); f.o.State != "" && err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("forget how far the index is: %w", err)
		}
		for _, s := range f.streams {
			s.fresh = true
		}
		f.rebuild = false
	}
	return slices.Clone(f.streams), nil
}

// look finds out how far the engine is, at the start and after each of its ends.
func (f *Feeder) look(ctx context.Context, s *stream) error {
	safe := f.load()[s.name]
	end := s.source.Len()
	if safe > end {
		safe = 0
	}
	f.mu.Lock()
	s.safe, s.mark, s.broken, s.tried, s.retired = safe, safe, nil, map[int64]try{}, map[int64]int64{}
	s.next = end // what is missing before is repaired, while new lines are given
	f.mu.Unlock()
	if err := f.count(ctx, s); err != nil {
		return err
	}
	f.mu.Lock()
	s.fresh = false
	f.mu.Unlock()
	if n := len(s.broken); n > 0 {
		f.o.Log.Info("the index is short of events: filling it", "stream", s.name, "buckets", n)
	}
	return nil
}

// count compares every bucket that is not safe with what it should have.
func (f *Feeder) count(ctx context.Context, s *stream) error {
	from := s.safe / search.BucketSize
	counts, err := f.engine.CountByBucket(ctx, s.name, from)
	if err != nil {
		return err
	}
	var broken []int64
	for b := from; b*search.BucketSize < s.next; b++ {
		want := min((b+1)*search.BucketSize, s.next) - b*search.BucketSize
		if most, ok := s.retired[b]; ok {
			want = min(want, most)
		}
		have := counts[b]
		if t := s.tried[b]; t.times > 1 && t.had == have && have < want {
			if err := f.hopeless(s, b, have, want); err != nil {
				return err
			}
			want = have
		}
		if have != want {
			broken = append(broken, b)
		}
	}
	f.mu.Lock()
	s.broken = broken
	f.mu.Unlock()
	return nil
}

// hopeless deals with a bucket that takes lines and does not have them: the index
// is damaged in a way that does not end its process. It is begun anew, once; if
// that does not help, the loss is told and lived with.
func (f *Feeder) hopeless(s *stream, b, have, want int64) error {
	if w, ok := f.engine.(wiper); ok && !f.wiped {
		f.wiped = true
		f.o.Log.Error("the index does not keep what it is given: it is filled anew", "stream", s.name, "bucket", b, "has", have, "of", want)
		w.Wipe("it does not keep what it is given")
		return fmt.Errorf("bucket %d of stream %s: %w", b, s.name, search.ErrDown)
	}
	f.o.Log.Error("the index does not keep what it is given: some events are not found by searching", "stream", s.name, "bucket", b, "has", have, "of", want)
	s.retired[b] = have
	return nil
}

// check moves the mark of what is safe: what was given before the last count, and
// is there in this one, is on the engine's disk.
func (f *Feeder) check(ctx context.Context, s *stream) error {
	if s.fresh || len(s.broken) > 0 {
		return nil
	}
	if err := f.count(ctx, s); err != nil {
		return err
	}
	if len(s.broken) == 0 {
		s.safe, s.mark = s.mark, s.next
		for b := range s.tried {
			if b < s.safe/search.BucketSize {
				delete(s.tried, b)
				delete(s.retired, b)
			}
		}
	}
	return nil
}

// repair makes one bucket have each of its lines once.
func (f *Feeder) repair(ctx context.Context, s *stream) error {
	b := s.broken[len(s.broken)-1]
	present, err := f.engine.Present(ctx, s.name, b)
	if err != nil {
		return err
	}
	had := int64(len(present))
	if s.tried[b].had != had {
		s.tried[b] = try{}
	}
	s.tried[b] = try{had, s.tried[b].times + 1}
	if len(slices.Compact(slices.Clone(present))) < len(present) || len(present) > 0 && present[len(present)-1] >= s.next {
		if err := f.engine.Forget(ctx, s.name, b); err != nil {
			return err
		}
		present = nil
	}
	n, err := f.give(ctx, s, b*search.BucketSize, min((b+1)*search.BucketSize, s.next), present)
	if errors.Is(err, errRead) { // it waits until the others are repaired
		f.mu.Lock()
		s.broken = append([]int64{b}, s.broken[:len(s.broken)-1]...)
		f.mu.Unlock()
	}
	if err != nil {
		return fmt.Errorf("repair bucket %d of stream %s: %w", b, s.name, err)
	}
	if n == 0 {
		s.retired[b] = had
	}
	f.mu.Lock()
	s.broken = s.broken[:len(s.broken)-1]
	f.mu.Unlock()
	return nil
}

// give inserts the lines of a range that are not present.
func (f *Feeder) give(ctx context.Context, s *stream, from, end int64, present []int64) (n int, err error) {
	if from >= end {
		return 0, nil
	}
	w := &wave{engine: f.engine}
	var floor time.Time
	if e, ok := f.engine.(floored); ok {
		floor = e.Floor()
	}
	for l, err := range s.source.Lines(ctx, from) {
		if err != nil {
			w.send(ctx)
			return n, errors.Join(errRead, err, w.settle())
		}
		if l.Seq >= end {
			break
		}
		for len(present) > 0 && present[0] < l.Seq {
			present = present[1:]
		}
		if len(present) > 0 && present[0] == l.Seq {
			continue
		}
		row := rowOf(s.name, l)
		if row.Time().Before(floor) {
			continue
		}
		n++
		if w.add(ctx, row, len(l.Bytes)); w.batches == waveBatches {
			if err := w.settle(); err != nil {
				return n, err
			}
			f.advance(s, l.Seq+1, l.Arrived)
		}
	}
	w.send(ctx)
	last := w.last
	if err := w.settle(); err != nil {
		return n, err
	}
	f.advance(s, end, last) // lines at the end may be gone
	return n, nil
}

func (f *Feeder) advance(s *stream, next int64, arrived time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.next = max(s.next, next)
	if arrived.After(s.newest) {
		s.newest = arrived
	}
}

// wave is a few batches on their way to the engine, two at a time: one is read and
// written while another is taken.
type wave struct {
	engine  search.Engine
	rows    []search.Row
	size    int
	last    time.Time // arrival of the last row
	batches int
	group   *errgroup.Group
	took    atomic.Int64
}

const (
	waveBatches = 8
	atOnce      = 2
)

func (w *wave) add(ctx context.Context, r search.Row, size int) {
	w.rows, w.last = append(w.rows, r), r.Arrived
	if w.size += size; w.size >= batchBytes {
		w.send(ctx)
	}
}

func (w *wave) send(ctx context.Context) {
	if len(w.rows) == 0 {
		return
	}
	batch := w.rows
	w.rows, w.size = make([]search.Row, 0, len(batch)), 0
	w.batches++
	if w.group == nil {
		w.group = &errgroup.Group{}
		w.group.SetLimit(atOnce)
	}
	w.group.Go(func() error {
		err := w.engine.Insert(ctx, batch)
		if err == nil {
			w.took.Add(1)
		}
		return err
	})
}

// settle waits for the batches. When some were taken and some not, nobody knows
// which: the engine is looked at again.
func (w *wave) settle() error {
	if w.group == nil {
		return nil
	}
	err := w.group.Wait()
	if err != nil && w.took.Load() > 0 {
		err = errors.Join(err, search.ErrUnsure)
	}
	w.group, w.batches = nil, 0
	w.took.Store(0)
	return err
}

func rowOf(stream string, l Line) search.Row {
	r := search.Row{Ref: search.Ref{Stream: stream, Seq: l.Seq}, Arrived: l.Arrived}
	if e, err := event.Decode(l.Bytes); err == nil {
		r.Event = e
	}
	return r
}

// load reads how far the streams are safe; nothing is known without the file.
func (f *Feeder) load() map[string]int64 {
	safe := map[string]int64{}
	if f.o.State == "" {
		return safe
	}
	b, err := os.ReadFile(f.o.State)
	if err != nil || json.Unmarshal(b, &safe) != nil {
		return map[string]int64{}
	}
	return safe
}

func (f *Feeder) save(streams []*stream) {
	if f.o.State == "" {
		return
	}
	safe := map[string]int64{}
	for _, s := range streams {
		safe[s.name] = s.safe
	}
	b, err := json.Marshal(safe)
	if err == nil {
		if err = os.WriteFile(f.o.State+".new", b, 0o600); err == nil {
			err = os.Rename(f.o.State+".new", f.o.State)
		}
	}
	if err != nil {
		f.o.Log.Warn("note how far the index is", "error", err)
	}
}
