package server

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"

	"kakusho/govern"
	"kakusho/identity"
	"kakusho/intake"
	"kakusho/kind"
	"kakusho/register"
	"kakusho/store"
	"kakusho/trail"
)

// fold puts one entry into the rows.
type fold func(context.Context, store.Tx, trail.Sealed) error

// folds are all of them. Each passes over what is not its own.
func folds(kinds kind.Set) []fold {
	return []fold{register.Fold(kinds), intake.Fold(kinds), govern.Fold, identity.Fold}
}

// river is the one way in: an entry is sealed in the trail, then folded into the
// rows, then acknowledged. It is the gate's Recorder.
//
// Sealing is concurrent; folding is one at a time and always in the order of the
// trail. A fold that fails stops the river: what is sealed stays sealed, nothing
// more is taken, and the next start folds it again or says why not.
type river struct {
	trail *trail.Log
	rows  store.Store
	folds []fold

	folding sync.Mutex
	broken  error        // under folding
	changed atomic.Int64 // grows when registers or parameters do
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
		if strings.HasPrefix(e.Kind, "register.") || strings.HasPrefix(e.Kind, "parameter.") {
			r.changed.Add(1)
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
		err = foldAll(ctx, r.trail, r.rows, r.folds, upto, nil)
	}
	if err != nil {
		r.broken = err
		return fmt.Errorf("fold: %w", err)
	}
	return nil
}

// foldStep bounds the entries in one transaction, so that a long refold shows
// progress and a kill loses little.
const foldStep = 2000

// reader is a trail that is read: the log in use, or a copy beside it.
type reader interface {
	Read(ctx context.Context, from int64) iter.Seq2[trail.Sealed, error]
	Len() int64
}

// foldAll folds the trail into rows up to upto, in steps.
func foldAll(ctx context.Context, t reader, rows store.Store, folds []fold, upto int64, progress func(done, total int64)) error {
	for {
		from, err := rows.Cursor(ctx)
		if err != nil {
			return err
		}
		if progress != nil {
			progress(from, upto)
		}
		if from >= upto {
			return nil
		}
		to := min(from+foldStep, upto)
		err = rows.Fold(ctx, to, func(tx store.Tx) error { return foldRange(ctx, t, tx, folds, to) })
		if err != nil && !errors.Is(err, store.ErrFolded) {
			return err
		}
	}
}

// foldRange folds from the cursor up to to within one transaction.
func foldRange(ctx context.Context, t reader, tx store.Tx, folds []fold, to int64) error {
	from, err := tx.Cursor(ctx)
	if err != nil {
		return err
	}
	for e, err := range t.Read(ctx, from) {
		if err != nil {
			return fmt.Errorf("read trail: %w", err)
		}
		if e.Seq >= to {
			break
		}
		for _, f := range folds {
			if err := f(ctx, tx, e); err != nil {
				return err
			}
		}
	}
	return nil
}
