package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"kakusho/gate"
	"kakusho/server/fold"
	"kakusho/store"
	"kakusho/trail"
)

// river is the one way in: an entry is sealed in the trail, then folded into the
// rows, then acknowledged. It is the gate's Recorder.
//
// Sealing is concurrent; folding is one at a time and always in the order of the
// trail. A fold that fails stops the river: what is sealed stays sealed, nothing
// more is taken, and the next start folds it again or says why not.
type river struct {
	trail *trail.Log
	rows  store.Store
	fold  fold.Fold

	folding sync.Mutex
	broken  error        // under folding
	changed atomic.Int64 // grows when registers, decisions or parameters do
	wake    func()       // called when an inbox may be another; nil: nobody waits
}

// errStopped wraps why the river no longer takes entries.
var errStopped = errors.New("the record is stopped; restart to recover")

// Append implements gate.Recorder.
func (r *river) Append(ctx context.Context, entries ...trail.Entry) (int64, error) {
	r.folding.Lock()
	broken := r.broken
	r.folding.Unlock()
	if broken != nil {
		return 0, fmt.Errorf("%w: %w", errStopped, broken)
	}
	first, err := r.trail.Append(ctx, entries...)
	if err != nil {
		return 0, fmt.Errorf("seal: %w", err)
	}
	// What is sealed must be folded even when the asker goes away.
	if err := r.catchUp(context.WithoutCancel(ctx), first+int64(len(entries))); err != nil {
		return 0, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Kind, "register.") || e.Kind == string(gate.TakeStep) || strings.HasPrefix(e.Kind, "parameter.") || strings.HasPrefix(e.Kind, "decision.") || strings.HasPrefix(e.Kind, "draft.") {
			r.changed.Add(1)
		}
		if r.wake != nil && !strings.HasPrefix(e.Kind, "read") && e.Kind != string(gate.SendNotice) {
			r.wake()
		}
	}
	return first, nil
}

// catchUp folds everything sealed, at least up to (not including) upto.
func (r *river) catchUp(ctx context.Context, upto int64) error {
	r.folding.Lock()
	defer r.folding.Unlock()
	if r.broken != nil {
		return fmt.Errorf("%w: %w", errStopped, r.broken)
	}
	from, err := r.rows.Cursor(ctx)
	if err == nil && from < upto {
		f := r.fold
		if upto-from <= 2*trail.MaxBatch { // what was sealed as one is seen as one
			f.Step = upto - from
		}
		err = f.Upto(ctx, r.trail, r.rows, upto, nil)
	}
	if err != nil {
		r.broken = err
		return fmt.Errorf("fold: %w", err)
	}
	return nil
}

// stopped reports whether nothing is taken any more until the next start.
func (r *river) stopped() bool {
	r.folding.Lock()
	defer r.folding.Unlock()
	return r.broken != nil || r.trail.Fault() != nil
}
