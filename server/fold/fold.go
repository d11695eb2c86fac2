// Package fold reads a trail into rows: the present's, or those of a past.
//
// A fold is a pure reading of entries in their order. What counts may be less than
// everything, and then the same program makes the rows of another time.
package fold

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"

	"kakusho/store"
	"kakusho/trail"
)

// Func puts one entry into the rows. It passes over what is not its own.
type Func func(context.Context, store.Tx, trail.Sealed) error

// Reader is a trail that is read: the log in use, or a copy beside it.
type Reader interface {
	Read(ctx context.Context, from int64) iter.Seq2[trail.Sealed, error]
	Len() int64
}

// Fold is how entries become rows.
type Fold struct {
	Each   []Func
	Counts func(trail.Sealed) (bool, error) // nil: every entry
	Step   int64                            // entries in one transaction; zero: some, so that a long fold shows progress and a kill loses little
}

const step = 2000

// Upto folds from where rows are up to, not including, entry upto. progress may be nil.
func (f Fold) Upto(ctx context.Context, t Reader, rows store.Store, upto int64, progress func(done, total int64)) error {
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
		to := min(from+cmp.Or(f.Step, step), upto)
		err = rows.Fold(ctx, to, func(tx store.Tx) error { return f.within(ctx, t, tx, to) })
		if err != nil && !errors.Is(err, store.ErrFolded) {
			return err
		}
	}
}

// within folds from the cursor up to to, in one transaction.
func (f Fold) within(ctx context.Context, t Reader, tx store.Tx, to int64) error {
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
		if f.Counts != nil {
			counts, err := f.Counts(e)
			if err != nil {
				return err
			}
			if !counts {
				continue
			}
		}
		for _, each := range f.Each {
			if err := each(ctx, tx, e); err != nil {
				return err
			}
		}
	}
	return nil
}
