package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"kakusho/store"
)

func testFold(t *testing.T, s store.Store) {
	ctx := t.Context()
	nothing := func(store.Tx) error { return nil }
	must(t, s.Fold(ctx, 5, func(tx store.Tx) error {
		if n, err := tx.Cursor(ctx); n != 0 || err != nil {
			t.Errorf("cursor within the fold: got %d, %v, want 0", n, err)
		}
		return tx.Put(ctx, &store.Batch{ID: "a", Entry: 4})
	}))
	for _, upto := range []int64{5, 4, 0, -1} {
		err := s.Fold(ctx, upto, func(store.Tx) error { t.Errorf("fold up to %d was called", upto); return nil })
		wantError(t, fmt.Sprintf("fold up to %d at 5", upto), err, store.ErrFolded)
	}
	must(t, s.Fold(ctx, 6, nothing))
	if n, err := s.Cursor(ctx); n != 6 || err != nil {
		t.Errorf("cursor: got %d, %v, want 6", n, err)
	}
	must(t, s.View(ctx, func(r store.Reader) error {
		if n, err := r.Cursor(ctx); n != 6 || err != nil {
			t.Errorf("cursor within a view: got %d, %v, want 6", n, err)
		}
		return nil
	}))
	if get(t, s, &store.Batch{ID: "a"}) == nil {
		t.Error("the row of the first fold is gone")
	}
}

// unchanged checks that the store is as testFold… left it: one batch, cursor 1.
func unchanged(t *testing.T, s store.Store, after string) {
	t.Helper()
	if n, err := s.Cursor(context.WithoutCancel(t.Context())); n != 1 || err != nil {
		t.Errorf("cursor after %s: got %d, %v, want 1", after, n, err)
	}
	if got, want := list(t, s, &store.Batch{}, store.Where{}), []store.Row{&store.Batch{ID: "kept"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("rows after %s: got %v, want the one that was there", after, got)
	}
}

// spoil changes rows in ways that must all be undone.
func spoil(ctx context.Context, t *testing.T, tx store.Tx) {
	t.Helper()
	must(t, tx.Put(ctx, &store.Batch{ID: "new"}))
	must(t, tx.Put(ctx, &store.Batch{ID: "kept", Entry: 99}))
	must(t, tx.Delete(ctx, &store.Batch{ID: "kept"}))
}

func testFoldFails(t *testing.T, s store.Store) {
	put(t, s, &store.Batch{ID: "kept"})
	broken := errors.New("broken")
	err := s.Fold(t.Context(), 2, func(tx store.Tx) error {
		spoil(t.Context(), t, tx)
		return broken
	})
	wantError(t, "fold", err, broken)
	unchanged(t, s, "an error")
	err = s.Fold(t.Context(), 2, func(tx store.Tx) error {
		spoil(t.Context(), t, tx)
		return tx.Put(t.Context(), &store.Batch{})
	})
	wantError(t, "fold", err, store.ErrValue)
	unchanged(t, s, "a row refused")
	must(t, s.Fold(t.Context(), 2, func(store.Tx) error { return nil })) // and it goes on
}

func testFoldPanics(t *testing.T, s store.Store) {
	put(t, s, &store.Batch{ID: "kept"})
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("panic: got %v, want boom", got)
			}
		}()
		_ = s.Fold(t.Context(), 2, func(tx store.Tx) error {
			spoil(t.Context(), t, tx)
			panic("boom")
		})
	}()
	unchanged(t, s, "a panic")
	must(t, s.Fold(t.Context(), 2, func(store.Tx) error { return nil }))
}

func testFoldCanceled(t *testing.T, s store.Store) {
	put(t, s, &store.Batch{ID: "kept"})
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Fold(ctx, 2, func(tx store.Tx) error {
		spoil(ctx, t, tx)
		cancel()
		return nil // it does not notice; the store must
	})
	wantError(t, "fold", err, context.Canceled)
	unchanged(t, s, "the end of the context")
	ctx, cancel = context.WithCancel(t.Context())
	err = s.Fold(ctx, 2, func(tx store.Tx) error {
		spoil(ctx, t, tx)
		cancel()
		return tx.Put(ctx, &store.Batch{ID: "late"})
	})
	wantError(t, "fold", err, context.Canceled)
	unchanged(t, s, "a put after the end of the context")
	wantError(t, "fold with a context that has ended", s.Fold(ctx, 2, func(store.Tx) error { return nil }), context.Canceled)
	wantError(t, "view with a context that has ended", s.View(ctx, func(store.Reader) error { return nil }), context.Canceled)
	must(t, s.Fold(t.Context(), 2, func(store.Tx) error { return nil }))
}

func testIsolation(t *testing.T, s store.Store) {
	put(t, s, &store.Batch{ID: "a", Entry: 1})
	ctx := t.Context()
	must(t, s.View(ctx, func(before store.Reader) error {
		must(t, s.Fold(ctx, 2, func(tx store.Tx) error {
			must(t, tx.Put(ctx, &store.Batch{ID: "a", Entry: 2}))
			must(t, tx.Put(ctx, &store.Batch{ID: "b"}))
			if got, _, err := store.Get(ctx, tx, store.Batch{ID: "a"}); got.Entry != 2 || err != nil {
				t.Errorf("within the fold: got entry %d, %v, want 2", got.Entry, err)
			}
			if n, err := tx.Count(ctx, &store.Batch{}, store.Where{}); n != 2 || err != nil {
				t.Errorf("count within the fold: got %d, %v, want 2", n, err)
			}
			if got := get(t, s, &store.Batch{ID: "b"}); got != nil {
				t.Error("a view sees a row of a fold under way")
			}
			return nil
		}))
		got, ok, err := store.Get(ctx, before, store.Batch{ID: "a"})
		if !ok || got.Entry != 1 || err != nil {
			t.Errorf("view from before the fold: got %+v, %v, %v, want entry 1", got, ok, err)
		}
		all, err := store.All[store.Batch](ctx, before, store.Where{})
		if len(all) != 1 || err != nil {
			t.Errorf("view from before the fold: got %v, %v, want one row", all, err)
		}
		if n, err := before.Cursor(ctx); n != 1 || err != nil {
			t.Errorf("cursor from before the fold: got %d, %v, want 1", n, err)
		}
		return nil
	}))
	if got, ok, err := getBatch(ctx, s, "none"); ok || err != nil || got != (store.Batch{ID: "none"}) {
		t.Errorf("a row that is not there: got %+v, %v, %v", got, ok, err)
	}
}

func getBatch(ctx context.Context, s store.Store, id string) (b store.Batch, ok bool, err error) {
	err = s.View(ctx, func(r store.Reader) error { b, ok, err = store.Get(ctx, r, store.Batch{ID: id}); return err })
	return b, ok, err
}

// testRace lets several folders fold "the next entry" at once. Each entry makes
// one row; a fold that starts from a cursor no longer true would fold one twice.
func testRace(t *testing.T, s store.Store) {
	const entries = 60
	ctx := t.Context()
	folder := func() error {
		for {
			n, err := s.Cursor(ctx)
			if err != nil || n >= entries {
				return err
			}
			err = s.Fold(ctx, n+1, func(tx store.Tx) error {
				at, err := tx.Cursor(ctx)
				if err != nil {
					return err
				}
				total, _, err := store.Get(ctx, tx, store.Credential{Person: "total"})
				if err != nil {
					return err
				}
				total.Entry += n + 1 - at
				if err := tx.Put(ctx, &total); err != nil {
					return err
				}
				return tx.Put(ctx, &store.Failure{Entry: at})
			})
			if err != nil && !errors.Is(err, store.ErrFolded) {
				return err
			}
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := folder(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := get(t, s, &store.Credential{Person: "total"}).(*store.Credential).Entry; got != entries {
		t.Errorf("entries folded: got %d, want %d", got, entries)
	}
	if got := list(t, s, &store.Failure{}, store.Where{}); len(got) != entries {
		t.Errorf("rows: got %d, want %d", len(got), entries)
	}
}

// testReaders folds while others read. Each fold gives all rows the number of
// the cursor, so that half a fold would show.
func testReaders(t *testing.T, s store.Store) {
	const rows, folds = 25, 40
	ctx := t.Context()
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for views := 0; ; views++ {
				select {
				case <-done:
					if views == 0 {
						t.Error("a reader got no turn during the folds")
					}
					return
				default:
				}
				if err := s.View(ctx, wholeFold); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for n := int64(1); n <= folds; n++ {
		must(t, s.Fold(ctx, n, func(tx store.Tx) error {
			for i := range rows {
				if err := tx.Put(ctx, &store.Subject{Kind: "k", ID: fmt.Sprint(i), Rev: n}); err != nil {
					return err
				}
			}
			return tx.Put(ctx, &store.Batch{ID: "last", Entry: n})
		}))
	}
	close(done)
	wg.Wait()
}

func wholeFold(r store.Reader) error {
	ctx := context.Background()
	n, err := r.Cursor(ctx)
	if err != nil || n == 0 {
		return err
	}
	all, err := store.All[store.Subject](ctx, r, store.Where{})
	if err != nil {
		return err
	}
	for _, sub := range all {
		if sub.Rev != n {
			return fmt.Errorf("subject %s is of fold %d in a view of fold %d", sub.ID, sub.Rev, n)
		}
	}
	last, _, err := store.Get(ctx, r, store.Batch{ID: "last"})
	if err == nil && last.Entry != n {
		err = fmt.Errorf("batch is of fold %d in a view of fold %d", last.Entry, n)
	}
	return err
}

func testEnded(t *testing.T, s store.Store) {
	ctx := t.Context()
	var kept store.Reader
	var keptTx store.Tx
	must(t, s.View(ctx, func(r store.Reader) error { kept = r; return nil }))
	must(t, s.Fold(ctx, 1, func(tx store.Tx) error {
		keptTx = tx
		return tx.Put(ctx, &store.Batch{ID: "a"})
	}))
	for name, use := range map[string]func() error{
		"get": func() error { _, err := kept.Get(ctx, &store.Batch{ID: "a"}); return err },
		"list": func() error {
			return kept.List(ctx, &store.Batch{}, store.Where{}, func(store.Row) error { return nil })
		},
		"count":  func() error { _, err := kept.Count(ctx, &store.Batch{}, store.Where{}); return err },
		"cursor": func() error { _, err := kept.Cursor(ctx); return err },
		"put":    func() error { return keptTx.Put(ctx, &store.Batch{ID: "b"}) },
		"delete": func() error { return keptTx.Delete(ctx, &store.Batch{ID: "a"}) },
	} {
		if use() == nil {
			t.Errorf("%s after the end: got no error", name)
		}
	}
	if got := list(t, s, &store.Batch{}, store.Where{}); len(got) != 1 {
		t.Errorf("rows: got %d, want 1", len(got))
	}
}

func testLists(t *testing.T, s store.Store) {
	ctx := t.Context()
	put(t, s, &store.Batch{ID: "a"}, &store.Batch{ID: "b"}, &store.Batch{ID: "c"})
	stop := errors.New("stop")
	must(t, s.View(ctx, func(r store.Reader) error {
		pairs := 0
		must(t, r.List(ctx, &store.Batch{}, store.Where{}, func(store.Row) error {
			return r.List(ctx, &store.Batch{}, store.Where{}, func(row store.Row) error {
				pairs++
				_, err := r.Get(ctx, &store.Batch{ID: row.(*store.Batch).ID})
				return err
			})
		}))
		if pairs != 9 {
			t.Errorf("a list within a list: got %d pairs, want 9", pairs)
		}
		seen := 0
		err := r.List(ctx, &store.Batch{}, store.Where{}, func(store.Row) error { seen++; return stop })
		if !errors.Is(err, stop) || seen != 1 {
			t.Errorf("a list stopped: got %d rows, %v, want 1 and the error of each", seen, err)
		}
		return nil
	}))
	must(t, s.Fold(ctx, 2, func(tx store.Tx) error {
		err := tx.List(ctx, &store.Batch{}, store.Where{}, func(row store.Row) error { return tx.Delete(ctx, row) })
		if err == nil {
			t.Error("a table changed while it was listed: got no error")
		}
		must(t, tx.List(ctx, &store.Batch{}, store.Where{}, func(row store.Row) error {
			return tx.Put(ctx, &store.Credential{Person: row.(*store.Batch).ID})
		}))
		return tx.Delete(ctx, &store.Batch{ID: "a"})
	}))
	if got, want := len(list(t, s, &store.Credential{}, store.Where{})), 3; got != want {
		t.Errorf("rows put in another table while listing: got %d, want %d", got, want)
	}
}
