package desk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"kakusho/actor"
	"kakusho/gate"
	"kakusho/register/exchange"
)

// job is a trial or an import that is under way or over.
type job struct {
	sealing     bool // it applies the ledger
	stop        context.CancelFunc
	finished    chan struct{}
	done, total atomic.Int64
	plan        *exchange.Plan // of a trial, when finished
	err         error
	turn        int64
}

func (j *job) over() bool {
	select {
	case <-j.finished:
		return true
	default:
		return false
	}
}

func (j *job) progress(done, total int) { j.done.Store(int64(done)); j.total.Store(int64(total)) }

// State is how far the work on a ledger has come.
type State struct {
	Over        bool
	Sealing     bool
	Done, Total int64
	Plan        *exchange.Plan // of a trial that is over
	Err         error
}

// Trial says what applying the ledger would do, waiting for it no longer than wait. While
// it is being applied it says how far that is.
func (d *Desk) Trial(ctx context.Context, x *exchange.Exchange, p gate.Permit, up Upload, wait time.Duration) State {
	d.mu.Lock()
	j := d.jobs[up.ID]
	if j == nil {
		j = d.start(up.ID, false, func(ctx context.Context, j *job) (err error) {
			f, err := d.File(up)
			if err == nil {
				j.plan, err = x.Plan(ctx, p, up.Kind, f, up.Mapping, j.progress)
			}
			return err
		})
	}
	d.turn++
	j.turn = d.turn
	d.mu.Unlock()
	return d.wait(ctx, up.ID, j, wait)
}

// Apply applies the ledger as it was shown: what Plan.Digest expect told.
func (d *Desk) Apply(ctx context.Context, x *exchange.Exchange, who actor.Actor, up Upload, note, expect string, at time.Time, wait time.Duration) State {
	d.mu.Lock()
	j := d.jobs[up.ID]
	if j == nil || !j.sealing {
		d.forget(up.ID)
		j = d.start(up.ID, true, func(_ context.Context, j *job) error {
			f, err := d.File(up)
			if err != nil {
				return err
			}
			// Without the desk's context: what has begun is finished.
			_, err = x.Take(context.Background(), who, exchange.Order{ID: up.ID, Kind: up.Kind, File: f, Mapping: up.Mapping, Note: note, Expect: expect}, at, j.progress)
			if err == nil || errors.Is(err, exchange.ErrTaken) {
				err = os.RemoveAll(filepath.Join(d.dir, up.ID))
			}
			return err
		})
	}
	d.mu.Unlock()
	return d.wait(ctx, up.ID, j, wait)
}

// start begins work; it is called under mu.
func (d *Desk) start(id string, sealing bool, run func(context.Context, *job) error) *job {
	ctx, stop := context.WithCancel(d.ctx)
	j := &job{sealing: sealing, stop: stop, finished: make(chan struct{})}
	d.jobs[id] = j
	d.evict()
	d.work.Go(func() {
		defer stop()
		defer close(j.finished)
		select {
		case d.seats <- struct{}{}:
			defer func() { <-d.seats }()
			j.err = run(ctx, j)
		case <-ctx.Done():
			j.err = ctx.Err()
		}
	})
	return j
}

// forget ends the work on a ledger; what is being applied is never forgotten before it
// is over.
func (d *Desk) forget(id string) {
	if j := d.jobs[id]; j != nil && (!j.sealing || j.over()) {
		j.stop()
		delete(d.jobs, id)
	}
}

// evict lets go of the trials looked at the longest ago. They are made again when
// somebody comes back to them.
func (d *Desk) evict() {
	for {
		var oldest string
		n := 0
		for id, j := range d.jobs {
			if j.over() {
				if n++; oldest == "" || j.turn < d.jobs[oldest].turn {
					oldest = id
				}
			}
		}
		if n <= mostDone {
			return
		}
		delete(d.jobs, oldest)
	}
}

func (d *Desk) wait(ctx context.Context, id string, j *job, wait time.Duration) State {
	ctx, stop := context.WithTimeout(ctx, wait)
	defer stop()
	select {
	case <-j.finished:
	case <-ctx.Done():
		return State{Sealing: j.sealing, Done: j.done.Load(), Total: j.total.Load()}
	}
	if j.err != nil { // told once: who comes again tries again
		d.mu.Lock()
		if d.jobs[id] == j {
			delete(d.jobs, id)
		}
		d.mu.Unlock()
	}
	return State{Over: true, Sealing: j.sealing, Plan: j.plan, Err: j.err}
}
