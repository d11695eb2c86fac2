package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	driver "modernc.org/sqlite"
	code "modernc.org/sqlite/lib"

	"kakusho/store"
)

// explain says in the errors of package store what SQLite reports in numbers,
// and keeps SQLite's words.
func explain(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: no cursor", store.ErrCorrupt) // every other query may find nothing
	}
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	if s := sentinel(e); s != nil {
		return fmt.Errorf("%w: %w", s, err)
	}
	return err
}

func sentinel(e *driver.Error) error {
	switch e.Code() { // extended codes first
	case code.SQLITE_IOERR_SHORT_READ, code.SQLITE_IOERR_CORRUPTFS, code.SQLITE_IOERR_DATA:
		return store.ErrCorrupt
	}
	switch e.Code() & 0xff {
	case code.SQLITE_CORRUPT, code.SQLITE_NOTADB:
		return store.ErrCorrupt
	case code.SQLITE_FULL:
		return store.ErrFull
	case code.SQLITE_READONLY, code.SQLITE_CANTOPEN, code.SQLITE_PERM:
		return store.ErrReadOnly
	case code.SQLITE_BUSY, code.SQLITE_LOCKED, code.SQLITE_PROTOCOL:
		return store.ErrBusy
	case code.SQLITE_TOOBIG:
		return store.ErrValue
	case code.SQLITE_INTERRUPT:
		return context.Canceled // only a context interrupts
	}
	if strings.Contains(e.Error(), "malformed JSON") {
		return store.ErrCorrupt
	}
	return nil
}
