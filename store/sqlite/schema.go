package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"

	"kakusho/store"
)

var (
	//go:embed sql/schema.sql
	schemaSQL string
	//go:embed sql/objects.sql
	objectsSQL string
)

// application is how a file says that it is a store of Kakusho ("KKSH"), at
// offset 68 of its header.
const application = 0x4b4b5348

var magic = []byte("SQLite format 3\x00")

// version is the user_version of a file with this layout.
func version() int32 {
	sum := sha256.Sum256([]byte(schemaSQL))
	return int32(binary.BigEndian.Uint32(sum[:])>>1 | 1) // never 0, which is an empty file
}

// prepare brings the file behind db to the layout of this version when it is
// empty, and says what is wrong with it when it is not ours.
func prepare(ctx context.Context, db *sql.DB) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	state, err := inspect(ctx, c)
	if err != nil {
		return err
	}
	if state == empty {
		if err := lay(ctx, c); err != nil {
			return err
		}
	}
	if err := layout(ctx, c); err != nil {
		return err
	}
	// A write of nothing tells now, and not at the first fold, that the file cannot
	// be written. Taking the lock alone would not: of a file that is read-only
	// SQLite grants it, and means a lock to read.
	_, err = c.ExecContext(ctx, "update cursor set next = next where false")
	return err
}

type state int

const (
	empty state = iota
	current
)

// inspect changes nothing.
func inspect(ctx context.Context, c *sql.Conn) (state, error) {
	var app, ver, objects int64
	err := errors.Join(
		c.QueryRowContext(ctx, "pragma application_id").Scan(&app),
		c.QueryRowContext(ctx, "pragma user_version").Scan(&ver),
		c.QueryRowContext(ctx, "select count(*) from sqlite_schema").Scan(&objects),
	)
	switch {
	case err != nil:
		return empty, err
	case app == 0 && ver == 0 && objects == 0:
		return empty, nil
	case app != application:
		return empty, errors.New("this is the database of another program; name another file")
	case ver != int64(version()):
		return empty, store.ErrOutdated
	}
	return current, nil
}

// lay makes the tables. A kill in between leaves an empty file or a whole one.
func lay(ctx context.Context, c *sql.Conn) error {
	// Rows with all their values should fit into a page several times over.
	if _, err := c.ExecContext(ctx, "pragma page_size(8192)"); err != nil {
		return err
	}
	var mode string
	if err := c.QueryRowContext(ctx, "pragma journal_mode(wal)").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("write-ahead mode is not to be had here (%s): use a local disk", mode)
	}
	_, err := c.ExecContext(ctx, fmt.Sprintf("begin immediate;\n%s\npragma application_id(%d);\npragma user_version(%d);\ncommit",
		schemaSQL, application, version()))
	if err == nil {
		return nil
	}
	_, _ = c.ExecContext(ctx, "rollback")
	// Another process may have been first.
	if state, again := inspect(ctx, c); again == nil && state == current {
		return nil
	}
	return err
}

// layout is ErrAltered when the tables, indexes, views and triggers are not
// exactly those of schema.sql. What SQLite itself adds (statistics) may be there.
func layout(ctx context.Context, c *sql.Conn) error {
	got, err := objects(ctx, c)
	if err != nil {
		return err
	}
	want, err := fresh(ctx)
	if err != nil {
		return err
	}
	for k := range got {
		if strings.Contains(k, "/sqlite_") {
			delete(got, k)
		}
	}
	for k := range want {
		if strings.Contains(k, "/sqlite_") {
			delete(want, k)
		}
	}
	if !maps.Equal(want, got) {
		return store.ErrAltered
	}
	return nil
}

// fresh is what objects returns for a new store.
func fresh(ctx context.Context) (map[string]string, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, schemaSQL); err != nil {
		return nil, err
	}
	return objects(ctx, c)
}

// objects maps "table/subject" to the statement that made it.
func objects(ctx context.Context, c *sql.Conn) (map[string]string, error) {
	rows, err := c.QueryContext(ctx, objectsSQL)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var name, made string
		if err := rows.Scan(&name, &made); err != nil {
			return nil, err
		}
		out[name] = made
	}
	return out, rows.Err()
}

// ours reports as an error when there is a file and it does not begin as a
// store.
func ours(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 100)
	n, err := io.ReadFull(f, head)
	switch {
	case errors.Is(err, io.EOF) && n == 0:
		return nil // a file just created
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case n < len(head) || !bytes.HasPrefix(head, magic) || binary.BigEndian.Uint32(head[68:]) != application:
		return errors.New("it does not begin as a store of this program; if it was one, remove it by hand")
	}
	return nil
}
