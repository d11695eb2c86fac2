// Package sqlite keeps the rows of package store in one SQLite file.
//
// It runs in write-ahead mode: one fold at a time, any number of views beside
// it, each seeing one state. Writes are not synced one by one
// (synchronous=NORMAL): a killed process loses nothing it committed, and a power
// cut may lose the last folds, whole ones, never half of one. They are folded
// again from the trail, which is synced. Waiting for the disk twice for the same
// entry would buy nothing.
//
// The file and its companions (-wal, -shm) belong on a local disk; write-ahead
// mode does not work over a network file system. While a store is open nothing
// else in the same process may open and close the file directly: that would
// release SQLite's locks.
//
// Open opens or creates a store, Drop removes one, and Compare names every place
// where one store is not what another is.
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the engine, registered as "sqlite"

	"kakusho/store"
)

const (
	busyWait = 5 * time.Second // for another process, before ErrBusy
	mostView = 16              // views at a time; more wait
)

// Store is a store.Store in one file.
type Store struct {
	path string
	w    *sql.DB // one connection: folds
	r    *sql.DB // views; cannot write
}

var _ store.Store = (*Store)(nil)

// Open opens the store in the file at path, or creates it; the folder must
// exist. The file is made for its owner only.
//
// The errors are those of package store: ErrOutdated and ErrCorrupt say to Drop
// and fold again, ErrAltered to Compare first, ErrReadOnly, ErrFull and ErrBusy
// to correct the machine. A file that is another program's database is refused
// and left as it is.
func Open(path string) (*Store, error) {
	s, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, explain(err))
	}
	return s, nil
}

func open(path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := create(path); err != nil {
		return nil, err
	}
	ctx := context.Background()
	s := &Store{path: path, w: connect(path, "rw"), r: connect(path, "ro")}
	s.w.SetMaxOpenConns(1)
	s.r.SetMaxOpenConns(mostView)
	s.r.SetMaxIdleConns(mostView / 4)
	if err := prepare(ctx, s.w); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// create makes an empty file, which SQLite takes for an empty database, so that
// it has the mode we want. An existing one is not even opened.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrReadOnly, err)
	}
	return f.Close()
}

func connect(path, mode string) *sql.DB {
	q := url.Values{
		"mode":       {mode},
		"_dqs":       {"0"}, // a misspelt column is an error, not a text
		"_defensive": {"1"},
		"_error_rc":  {"1"},
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", busyWait.Milliseconds()),
			"synchronous(normal)",
			"cache_size(-8192)", // KiB, of each connection
			"journal_size_limit(67108864)",
			"temp_store(memory)", // sorted rows hold personal data: none of it in /tmp
			"trusted_schema(off)",
			"cell_size_check(on)",
		},
	}
	u := url.URL{Path: path}
	db, err := sql.Open("sqlite", "file:"+u.EscapedPath()+"?"+q.Encode())
	if err != nil {
		panic(err) // unreachable: the driver is registered, and Open connects to nothing
	}
	return db
}

// Drop removes the store at path, so that the trail can be folded into a new
// one. Nobody may have it open. A file that does not begin as a store is
// refused: if it was one, remove it by hand. That there is none is no error.
func Drop(path string) error {
	if err := ours(path); err != nil {
		return fmt.Errorf("drop store %s: %w", path, err)
	}
	// The database goes first: left alone, -wal and -shm are removed by SQLite
	// when it makes a new one, but a database without its -wal is an old state.
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("drop store: %w", err)
		}
	}
	return nil
}

// Fold implements store.Store.
func (s *Store) Fold(ctx context.Context, upto int64, fn func(store.Tx) error) error {
	err := within(ctx, s.w, "begin immediate", func(r *reader) error {
		if upto <= r.cursor {
			return fmt.Errorf("up to entry %d, have %d: %w", upto, r.cursor, store.ErrFolded)
		}
		if err := fn(&tx{r}); err != nil {
			return err
		}
		_, err := r.conn.ExecContext(ctx, `update cursor set next = ?`, upto)
		return explain(err)
	})
	if err != nil {
		return fmt.Errorf("fold into store: %w", err)
	}
	return nil
}

// View implements store.Store.
func (s *Store) View(ctx context.Context, fn func(store.Reader) error) error {
	return within(ctx, s.r, "begin", func(r *reader) error { return fn(r) })
}

// Cursor implements store.Store.
func (s *Store) Cursor(ctx context.Context) (n int64, err error) {
	err = within(ctx, s.r, "begin", func(r *reader) error { n = r.cursor; return nil })
	return n, err
}

// Close implements store.Store.
func (s *Store) Close() error {
	// The writer last: it takes the write-ahead file into the database.
	return errors.Join(s.r.Close(), s.w.Close())
}

// within runs fn in a transaction of its own connection and commits it when fn
// returns nil. Whatever else happens, panics included, it is rolled back.
func within(ctx context.Context, db *sql.DB, begin string, fn func(*reader) error) (err error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return explain(err)
	}
	defer func() {
		if e := c.Close(); !errors.Is(e, sql.ErrConnDone) {
			err = errors.Join(err, e)
		}
	}()
	if _, err := c.ExecContext(ctx, begin); err != nil {
		return explain(err)
	}
	r := &reader{conn: c, prepared: map[purpose]*sql.Stmt{}, walking: map[string]int{}}
	committed := false
	defer func() {
		r.end()
		if committed {
			return
		}
		// The context may be over; the transaction must be, too. When SQLite has
		// rolled back by itself (disk full) this fails, and then, as when it fails
		// for any other reason, the connection is not used again.
		if _, err := c.ExecContext(context.WithoutCancel(ctx), "rollback"); err != nil {
			_ = c.Raw(func(any) error { return driver.ErrBadConn })
		}
	}()
	// The first read fixes the state a view sees.
	if err := c.QueryRowContext(ctx, `select next from cursor`).Scan(&r.cursor); err != nil {
		return explain(err)
	}
	if err := fn(r); err != nil {
		return err
	}
	r.end()
	if _, err := c.ExecContext(context.WithoutCancel(ctx), "commit"); err != nil {
		return explain(err)
	}
	committed = true
	return nil
}
