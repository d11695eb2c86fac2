// Package store is the contract for keeping rows folded out of the trail:
// subjects, facts, decisions, settings, and what the gate needs at login.
//
// The trail is the truth and the store a reading of it, so a store may be
// dropped and folded again at any time. It is therefore never migrated: an
// engine that meets rows of another version says ErrOutdated. And it need not
// outlive a power cut, but it must never show half a fold: rows and cursor
// change together or not at all.
//
// An engine is opened by its own package (store/sqlite) and held to this
// contract by the suite in store/storetest. To read:
//
//	err := s.View(ctx, func(r store.Reader) error {
//		pc, ok, err := store.Get(ctx, r, store.Subject{Kind: "computer", ID: "PC-1"})
//		all, err := store.All[store.Fact](ctx, r, store.Where{Equal: map[string]any{"subject": "computer/PC-1"}})
//		…
//	})
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
)

// The errors a caller may act on. Everything else is a fault of the caller or of
// the machine, and says so in words.
var (
	// ErrFolded: these entries are in the store already. Read Cursor and go on
	// from there.
	ErrFolded = errors.New("already folded")
	// ErrOutdated: the store was written by another version of this program.
	// Drop it and fold the trail again.
	ErrOutdated = errors.New("store of another version: drop it and fold the trail again")
	// ErrAltered: a table, index or trigger is not as this program made it. Keep
	// the file, compare it with a fresh fold, then drop it.
	ErrAltered = errors.New("store layout was altered from outside: compare it with a fresh fold, then drop it")
	// ErrCorrupt: the store cannot be read, or holds what this program never
	// writes. Drop it and fold the trail again.
	ErrCorrupt = errors.New("store is corrupt: drop it and fold the trail again")
	// ErrFull: no room. Nothing was changed; free space and fold again.
	ErrFull = errors.New("no space left for the store: free some and try again")
	// ErrReadOnly: the file or its folder cannot be opened for writing. Correct
	// its owner or mode.
	ErrReadOnly = errors.New("store cannot be opened for writing: check the folder, its owner and mode")
	// ErrBusy: another process held the store for longer than the engine waits.
	// Nothing was changed; try again.
	ErrBusy = errors.New("store is in use by another process")
	// ErrWhere: Where names a column the table has not, or asks of it what it
	// cannot answer. Trying again does not help.
	ErrWhere = errors.New("cannot filter or sort so")
	// ErrValue: a row cannot be kept as it is: an empty key, text that is not
	// UTF-8, a value of a type outside fact.Fact, or over the limits MostBytes and
	// MostDepth. Check before sealing; a sealed entry cannot be corrected.
	ErrValue = errors.New("row cannot be stored")
)

// The limits of one row.
const (
	MostBytes = 32 << 20 // of one column as it is written
	MostDepth = 64       // lists and records within each other in one value
	MostWhere = 500      // values named in one Where
)

// Store keeps rows. All methods may be called from any goroutine; Fold is let in
// one at a time, also between processes, and Views go on beside it.
type Store interface {
	// Fold calls fn once and then moves the cursor to upto, atomically: when fn
	// or the store fails, or the context ends, nothing has changed and the same
	// entries may be folded again. When fn panics, nothing has changed either.
	// upto is the Seq after the last entry folded; when it is not greater than
	// the cursor fn is not called and the error is ErrFolded. fn reads where to
	// start from tx.Cursor, under the lock, so that two folders cannot fold one
	// entry twice. fn must not call Fold, nor keep tx.
	//
	// After a kill the store has the whole fold or none of it. After a power cut
	// it may have lost the last folds, whole ones, cursor and rows alike.
	Fold(ctx context.Context, upto int64, fn func(Tx) error) error
	// Cursor is the number of entries folded, which is the Seq of the next.
	Cursor(ctx context.Context) (int64, error)
	// View calls fn once with one state of the store, undisturbed by folds
	// meanwhile. Keep it short (an engine cannot reclaim what a View still sees),
	// do not keep r, and do not call View within View.
	View(ctx context.Context, fn func(Reader) error) error
	// Close waits for nothing: end Views and Folds first.
	Close() error
}

// Reader reads one state of a store. It belongs to one goroutine.
type Reader interface {
	// Get fills into, whose key is set, and reports whether there is such a row.
	// When there is none, into is as it was.
	Get(ctx context.Context, into Row) (bool, error)
	// List calls each with every row w selects, in its order; each row is a new
	// one of the type of "of" and may be kept. An error of each ends the list and
	// is returned. each may read, but not change rows of the table it walks.
	List(ctx context.Context, of Row, w Where, each func(Row) error) error
	// Count is the number of rows w selects, without regard to Limit and Offset.
	Count(ctx context.Context, of Row, w Where) (int64, error)
	// Cursor is the number of entries this state was folded from.
	Cursor(ctx context.Context) (int64, error)
}

// Tx changes rows within a Fold and reads its own changes. After an error of Put
// or Delete the fold should return that error.
type Tx interface {
	Reader
	// Put writes the row, in place of one with the same key. The error is
	// ErrValue when it cannot be kept as it is.
	Put(ctx context.Context, r Row) error
	// Delete removes the row with r's key. That there is none is no error.
	Delete(ctx context.Context, r Row) error
}

// Row is a pointer to one of the row structs of this package.
type Row interface {
	Table() string     // "subject"
	Columns() []Column // all columns, key first, pointing into the row
}

// Key is the values of r's key columns, in order: strings and int64.
func Key(r Row) []any {
	var out []any
	for _, c := range r.Columns() {
		switch at := c.at.(type) {
		case *string:
			if c.Key {
				out = append(out, *at)
			}
		case *int64:
			if c.Key {
				out = append(out, *at)
			}
		}
	}
	return out
}

// Where selects and orders rows. The zero Where is all rows in key order.
//
// A column is named as in the table ("changed_at"), and within a column of JSON
// by a path ("values.role", "value.method"). All conditions must hold.
// Comparison is by type: the number 1, the number 1.0, the text "1" and true are
// four different values. Text compares by bytes. A time within JSON is text without
// a fixed width, so that two within the same second may come in either order.
type Where struct {
	Equal  map[string]any   // nil or the zero time: not set, or null
	In     map[string][]any // one of these; none of an empty list
	From   map[string]any   // at or after; a column not set is neither after nor before
	After  map[string]any
	Before map[string]any
	// Like holds words parted by spaces, each of which is found in the row's
	// text: id, name and values of a subject; id, subject, control, clause,
	// answer, reason, measures, consulted and by of a decision; key, value and
	// source of a setting. Other tables refuse it. Capital and small letters of
	// ASCII, their full-width forms, and half-width and full-width kana are the
	// same (see Plain). Nothing is a wildcard.
	Like   string
	Sort   []string // "name", "-changed_at", "values.hostname"; what is not set comes first; the key decides in the end
	Limit  int      // 0: all
	Offset int
}

// Get reads the row that has the key of key. When there is none, the row
// returned is key as it was given, ready to be filled and put.
func Get[T any, P interface {
	*T
	Row
}](ctx context.Context, r Reader, key T) (T, bool, error) {
	ok, err := r.Get(ctx, P(&key))
	return key, ok, err
}

// All lists the rows w selects: All[Subject](ctx, r, w). Mind the limit.
func All[T any, P interface {
	*T
	Row
}](ctx context.Context, r Reader, w Where) ([]T, error) {
	var out []T
	err := r.List(ctx, P(new(T)), w, func(row Row) error {
		out = append(out, *row.(P))
		return nil
	})
	return out, err
}

// New is a new zero row of the same type as of.
func New(of Row) Row { return reflect.New(reflect.TypeOf(of).Elem()).Interface().(Row) }

// Difference is one place where a store is not what the trail folds to.
type Difference struct {
	Table  string // "subject"; "sqlite_schema" for a table, index, view or trigger
	Key    string // the key columns, parted by "/": "computer/PC-1"
	Column string // "name", "values.role", "value[3].method"; empty: the whole row
	Want   string // what the trail says; empty with Column: there should be none
	Got    string // what the store holds; empty with Column: there is none
}

// String is the difference on one line.
func (d Difference) String() string {
	switch {
	case d.Column != "":
		return fmt.Sprintf("%s %s %s: want %s, got %s", d.Table, d.Key, d.Column,
			cmp.Or(d.Want, "nothing"), cmp.Or(d.Got, "nothing"))
	case d.Got == "":
		return fmt.Sprintf("%s %s: missing", d.Table, d.Key)
	default:
		return fmt.Sprintf("%s %s: not in the trail", d.Table, d.Key)
	}
}
