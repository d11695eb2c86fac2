// Package past keeps rows of other times, ready to be shown.
//
// The past is the same program over rows folded from fewer entries: those recorded
// until KnownAt that say what was so until AsOf, and AsOf is the clock. Late evidence
// therefore shows only to who asks by what is known today; what was withdrawn, changed
// or set later does not show at all.
//
// A past is folded once and kept while it is looked at. Snapshots of the rows at the
// ends of months shorten the way to any day. All of it is under one folder that may be
// dropped at any time.
package past

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kakusho/calendar"
	"kakusho/gate"
	"kakusho/server/fold"
	"kakusho/store"
	"kakusho/store/sqlite"
	"kakusho/web"
)

// Config is what a Keeper works with. Furnish and Gate may be nil: then there are no
// pages, and no snapshots are made.
type Config struct {
	Dir     string // of everything kept; emptied of all but snapshots at the start
	Trail   Trail
	Each    []fold.Func // what makes the rows
	Furnish func(store.Store, calendar.Past) (http.Handler, error)
	Gate    *gate.Gate // seals what snapshots there are
	Version string     // of the program: another one folds again
	Most    int        // pasts kept open; zero: 3
	Now     func() time.Time
	Log     *slog.Logger
}

// Keeper keeps pasts. It is safe for concurrent use.
type Keeper struct {
	cfg    Config
	ctx    context.Context // of what is being made; ends with Close
	stop   context.CancelFunc
	work   sync.WaitGroup
	making chan struct{} // one past is made at a time

	mu    sync.Mutex
	rooms map[calendar.Past]*room
	next  int
}

// room is one past.
type room struct {
	past    calendar.Past
	dir     string
	rows    *sqlite.Store
	handler http.Handler
	ready   chan struct{} // closed when handler or err is there
	err     error

	folded, total atomic.Int64
	catching      sync.Mutex
	using         int // under Keeper.mu, as last and idle
	last          int // when it was opened last, in openings
	idle          *time.Timer
}

// waiting is how many pasts may wait to be made; more are told to try again.
const waiting = 6

// idleMost is how long a past is kept that nobody looks at: it holds as much memory as
// the present.
const idleMost = 20 * time.Minute

// Open prepares a keeper. Close it.
func Open(cfg Config) (*Keeper, error) {
	cfg.Most = cmp.Or(cfg.Most, 3)
	k := &Keeper{cfg: cfg, making: make(chan struct{}, 1), rooms: map[calendar.Past]*room{}}
	k.ctx, k.stop = context.WithCancel(context.Background())
	rooms, err := filepath.Glob(filepath.Join(cfg.Dir, "room-*"))
	if err != nil {
		return nil, err
	}
	for _, dir := range rooms { // of a process that was killed
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err = errors.Join(err, os.MkdirAll(filepath.Join(cfg.Dir, snapshots), 0o700)); err != nil {
		return nil, fmt.Errorf("make room for the past: %w", err)
	}
	return k, nil
}

// Close ends what is being made and drops what was. Answers must have been given.
func (k *Keeper) Close() error {
	k.stop()
	k.work.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	var errs []error
	for past, r := range k.rooms {
		errs = append(errs, k.giveUp(r))
		delete(k.rooms, past)
	}
	return errors.Join(errs...)
}

// giveUp drops a room; one that is still being made, when it is. The Keeper's lock is
// held.
func (k *Keeper) giveUp(r *room) error {
	if r.idle != nil {
		r.idle.Stop()
	}
	if r.isReady() {
		return r.clear()
	}
	k.work.Go(func() {
		<-r.ready
		if err := r.clear(); err != nil {
			k.cfg.Log.Error("drop a past", "error", err)
		}
	})
	return nil
}

// clear gives back what a room holds.
func (r *room) clear() error {
	var err error
	if r.rows != nil {
		err = r.rows.Close()
	}
	if r.dir != "" {
		err = errors.Join(err, os.RemoveAll(r.dir))
	}
	return err
}

// Open opens the pages of a past. It implements web.Opener.
func (k *Keeper) Open(ctx context.Context, past calendar.Past, wait time.Duration) (web.Opening, error) {
	r, err := k.enter(past)
	if err != nil {
		return web.Opening{}, err
	}
	late := time.NewTimer(wait) // the reader's patience is by his own clock
	defer late.Stop()
	select {
	case <-ctx.Done():
		k.leave(r)
		return web.Opening{}, ctx.Err()
	case <-late.C:
		k.leave(r)
		return web.Opening{Folded: r.folded.Load(), Total: r.total.Load()}, nil
	case <-r.ready:
	}
	if err = r.err; err == nil {
		err = k.catchUp(ctx, r)
	}
	if err != nil {
		k.leave(r)
		return web.Opening{}, err
	}
	return web.Opening{Handler: r.handler, Close: func() { k.leave(r) }}, nil
}

// enter finds a room, or begins to make it.
func (k *Keeper) enter(past calendar.Past) (*room, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, ok := k.rooms[past]
	if !ok {
		unready := 0
		for _, o := range k.rooms {
			if !o.isReady() {
				unready++
			}
		}
		if unready >= waiting {
			return nil, web.ErrBusy
		}
		r = &room{past: past, ready: make(chan struct{})}
		k.rooms[past] = r
		k.work.Go(func() { k.prepare(r) })
	}
	if r.idle != nil {
		r.idle.Stop()
	}
	k.next++
	r.using, r.last = r.using+1, k.next
	return r, nil
}

func (r *room) isReady() bool {
	select {
	case <-r.ready:
		return true
	default:
		return false
	}
}

// leave lets a room go; one that could not be made is forgotten, so that the next who
// asks has it made again.
func (k *Keeper) leave(r *room) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if r.using--; r.isReady() && r.err != nil && k.rooms[r.past] == r {
		delete(k.rooms, r.past)
	}
	if r.using == 0 && k.rooms[r.past] != r { // renewed meanwhile
		if err := k.giveUp(r); err != nil {
			k.cfg.Log.Error("drop a past", "error", err)
		}
	}
	k.evict()
	if r.using == 0 && k.rooms[r.past] == r {
		r.idle = time.AfterFunc(idleMost, func() { k.expire(r) }) // by the machine's own clock, like the memory
	}
}

// Renew has every past that is by what is known today made again when it is next asked
// for: something was recorded that rows alone do not show, as another directive. Who
// looks at one keeps it until he has his answer.
func (k *Keeper) Renew() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var errs []error
	for past, r := range k.rooms {
		if !past.KnownAt.IsZero() {
			continue
		}
		delete(k.rooms, past)
		if r.using == 0 {
			errs = append(errs, k.giveUp(r))
		}
	}
	return errors.Join(errs...)
}

// expire drops a room that nobody has looked at for long.
func (k *Keeper) expire(r *room) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if r.using > 0 || k.rooms[r.past] != r {
		return
	}
	if !r.isReady() {
		r.idle.Reset(idleMost)
		return
	}
	delete(k.rooms, r.past)
	if err := k.giveUp(r); err != nil {
		k.cfg.Log.Error("drop a past", "error", err)
	}
}

// evict drops the rooms that were left longest ago when there are too many.
func (k *Keeper) evict() {
	idle := []*room{}
	for _, r := range k.rooms {
		if r.using == 0 && r.isReady() {
			idle = append(idle, r)
		}
	}
	slices.SortFunc(idle, func(a, b *room) int { return cmp.Compare(a.last, b.last) })
	for len(k.rooms) > k.cfg.Most && len(idle) > 0 {
		delete(k.rooms, idle[0].past)
		if err := k.giveUp(idle[0]); err != nil {
			k.cfg.Log.Error("drop a past", "error", err)
		}
		idle = idle[1:]
	}
}

// prepare makes a room, when it is its turn.
func (k *Keeper) prepare(r *room) {
	defer close(r.ready)
	select {
	case k.making <- struct{}{}:
		defer func() { <-k.making }()
	case <-k.ctx.Done():
		r.err = k.ctx.Err()
		return
	}
	if r.err = k.furnish(r); r.err != nil {
		r.err = errors.Join(fmt.Errorf("fold the past: %w", r.err), r.clear())
		r.rows, r.dir = nil, ""
	}
}

func (k *Keeper) furnish(r *room) (err error) {
	if r.dir, err = os.MkdirTemp(k.cfg.Dir, "room-*"); err != nil {
		return err
	}
	if r.rows, err = k.Rows(k.ctx, r.past, filepath.Join(r.dir, "store.db"), func(done, total int64) {
		r.folded.Store(done)
		r.total.Store(total)
	}); err != nil {
		return err
	}
	r.handler, err = k.cfg.Furnish(r.rows, r.past)
	return err
}

// catchUp folds what was recorded since, when the past is by what is known today.
func (k *Keeper) catchUp(ctx context.Context, r *room) error {
	if !r.past.KnownAt.IsZero() {
		return nil
	}
	r.catching.Lock()
	defer r.catching.Unlock()
	s := sieve{past: r.past}
	since := fold.Fold{Each: k.cfg.Each, Counts: s.counts}
	return since.Upto(ctx, k.cfg.Trail, r.rows, k.cfg.Trail.Len(), nil)
}

// Rows folds the rows of a past into a new file. Close them.
func (k *Keeper) Rows(ctx context.Context, past calendar.Past, file string, progress func(done, total int64)) (*sqlite.Store, error) {
	upto, err := Upto(k.cfg.Trail, past.KnownAt)
	if err != nil {
		return nil, err
	}
	from, err := k.seed(file, upto, past.AsOf)
	if err != nil {
		return nil, err
	}
	s := sieve{past: past, latest: from.Latest, whole: true}
	f := fold.Fold{Each: k.cfg.Each, Counts: s.counts}
	stops, err := k.monthEnds(from.Entries, upto, past)
	if err != nil {
		return nil, err
	}
	for _, stop := range append(stops, upto) {
		rows, err := sqlite.Open(file)
		if err != nil {
			return nil, err
		}
		if err := f.Upto(ctx, k.cfg.Trail, rows, stop, func(done, _ int64) { progress(done, upto) }); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		if stop == upto {
			return rows, nil
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
		if s.whole {
			if err := k.keep(ctx, file, Snapshot{Entries: stop, Latest: s.latest}); err != nil { // it only would have been quicker
				k.cfg.Log.Warn("rows of a past are not kept aside", "entries", stop, "error", err)
			}
		}
	}
	return nil, nil // unreachable: the last stop is upto
}

// apart is how many entries there are at least between snapshots: fewer are folded
// sooner than copied.
const apart = 200

// monthEnds are the numbers of entries at the ends of months, between from and upto,
// that are before the past: where snapshots are made.
func (k *Keeper) monthEnds(from, upto int64, past calendar.Past) (out []int64, err error) {
	if from >= upto {
		return nil, nil
	}
	first, err := k.cfg.Trail.Get(from)
	if err != nil {
		return nil, err
	}
	t := first.Arrived.In(calendar.Tokyo())
	for end := calendar.Day(t.Year(), t.Month()+1, 1); !end.After(past.AsOf); end = end.AddDate(0, 1, 0) {
		n, err := firstAfter(k.cfg.Trail, upto, end.Add(-1))
		if err != nil {
			return nil, err
		}
		if n >= upto {
			break
		}
		if n-from >= apart {
			out, from = append(out, n), n
		}
	}
	return out, nil
}
