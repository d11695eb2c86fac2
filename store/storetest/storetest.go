// Package storetest holds every engine of package store to one contract. An
// engine's own test calls Run with a function that opens a new, empty store:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t testing.TB) store.Store { … })
//	}
//
// What concerns files (kills, full disks, damage, other versions) is the engine's
// to test.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"kakusho/store"
)

// Open opens a new, empty store and closes it when the test ends.
type Open func(t testing.TB) store.Store

// Run runs the whole suite.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"a new store is empty and at entry 0", testEmpty},
		{"every column of every table comes back", testColumns},
		{"a row with nothing but its key comes back", testBare},
		{"a second put takes the place of the first", testReplace},
		{"a delete takes one row and leaves its neighbours", testDelete},
		{"values keep their types", testTypes},
		{"strange text comes back as it was", testText},
		{"large values come back and larger ones are refused", testLarge},
		{"a row that cannot be kept is refused in words", testRefused},
		{"a fold moves rows and cursor together", testFold},
		{"a fold that fails leaves nothing", testFoldFails},
		{"a fold that panics leaves nothing", testFoldPanics},
		{"a fold whose context ends leaves nothing", testFoldCanceled},
		{"a fold reads its own changes and a view does not", testIsolation},
		{"folders that race fold each entry once", testRace},
		{"readers see whole folds only", testReaders},
		{"a reader cannot be used after its view", testEnded},
		{"lists may be nested and stopped, and not changed under way", testLists},
		{"conditions select by type", testWhere},
		{"rows come in the order asked for", testSort},
		{"words are found in any case and width", testLike},
		{"what cannot be asked is refused", testWhereRefused},
		{"nothing a caller writes becomes a query", testInjection},
		{"random work agrees with a map", testModel},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// must ends the test when err is not nil.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError checks that err is want, and that it says something of its own.
func wantError(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// put folds the rows in one fold, one entry on.
func put(t testing.TB, s store.Store, rows ...store.Row) {
	t.Helper()
	must(t, foldNext(t.Context(), s, func(tx store.Tx) error {
		for _, r := range rows {
			if err := tx.Put(t.Context(), r); err != nil {
				return err
			}
		}
		return nil
	}))
}

func foldNext(ctx context.Context, s store.Store, fn func(store.Tx) error) error {
	n, err := s.Cursor(ctx)
	if err != nil {
		return err
	}
	return s.Fold(ctx, n+1, fn)
}

// get is the row with the key of r, or nil.
func get(t testing.TB, s store.Store, r store.Row) (got store.Row) {
	t.Helper()
	must(t, s.View(t.Context(), func(v store.Reader) error {
		into := store.New(r)
		setKey(into, r)
		ok, err := v.Get(t.Context(), into)
		if ok {
			got = into
		}
		return err
	}))
	return got
}

// setKey copies the key columns of from.
func setKey(into, from store.Row) {
	for _, c := range from.Columns() {
		if c.Key {
			field(into, c.Name).Set(field(from, c.Name))
		}
	}
}

// field is the struct field behind a column: changed_at is ChangedAt.
func field(r store.Row, column string) reflect.Value {
	return reflect.ValueOf(r).Elem().FieldByNameFunc(func(name string) bool { return snake(name) == column })
}

func snake(name string) string {
	var out []byte
	for i := range len(name) {
		b := name[i]
		if b >= 'A' && b <= 'Z' {
			if i > 0 && name[i-1] >= 'a' {
				out = append(out, '_')
			}
			b += 'a' - 'A'
		}
		out = append(out, b)
	}
	return string(out)
}

// list is what w selects of the table of "of", read in a View.
func list(t testing.TB, s store.Store, of store.Row, w store.Where) (out []store.Row) {
	t.Helper()
	must(t, s.View(t.Context(), func(v store.Reader) error {
		return v.List(t.Context(), of, w, func(r store.Row) error {
			out = append(out, r)
			return nil
		})
	}))
	return out
}

// show prints a row without the address of the pointer.
func show(r store.Row) string {
	if r == nil {
		return "no row"
	}
	return fmt.Sprintf("%+v", reflect.ValueOf(r).Elem())
}

// day is a time of the year 2026 with all nine digits after the second.
func day(n int) time.Time {
	return time.Date(2026, 1, 1, 8, 30, 15, 123456789, time.UTC).AddDate(0, 0, n)
}
