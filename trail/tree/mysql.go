package tree

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/mysql"

	"kakusho/trail/pack"
)

// inMySQL is Tessera's driver for MySQL and MariaDB; its setting is mysql: and a
// DSN of go-sql-driver. The packs stay in files; only the log is in the database.
var inMySQL = maker{
	takes: func(setting string) bool { return strings.HasPrefix(setting, "mysql:") },
	open: func(ctx context.Context, o Options) (store, error) {
		return openMySQL(ctx, strings.TrimPrefix(o.Driver, "mysql:"))
	},
}

// tables are what the driver expects to find; it makes none itself.
var tables = []string{
	"CREATE TABLE IF NOT EXISTS `Tessera` (`id` TINYINT UNSIGNED NOT NULL PRIMARY KEY, `compatibilityVersion` BIGINT UNSIGNED NOT NULL)",
	"INSERT IGNORE INTO `Tessera` (`id`, `compatibilityVersion`) VALUES (0, 1)",
	"CREATE TABLE IF NOT EXISTS `Checkpoint` (`id` TINYINT UNSIGNED NOT NULL PRIMARY KEY, `note` MEDIUMBLOB NOT NULL, `published_at` BIGINT NOT NULL)",
	"CREATE TABLE IF NOT EXISTS `TreeState` (`id` TINYINT UNSIGNED NOT NULL PRIMARY KEY, `size` BIGINT UNSIGNED NOT NULL, `root` TINYBLOB NOT NULL)",
	"CREATE TABLE IF NOT EXISTS `Subtree` (`level` TINYINT UNSIGNED NOT NULL, `index` BIGINT UNSIGNED NOT NULL, `nodes` MEDIUMBLOB NOT NULL, PRIMARY KEY (`level`, `index`))",
	"CREATE TABLE IF NOT EXISTS `TiledLeaves` (`tile_index` BIGINT UNSIGNED NOT NULL PRIMARY KEY, `size` SMALLINT UNSIGNED NOT NULL, `data` LONGBLOB NOT NULL)",
}

type database struct {
	db      *sql.DB
	lock    *sql.Conn // holds the lock of the one who appends
	storage *mysql.Storage
}

func openMySQL(ctx context.Context, dsn string) (store, error) {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	d := &database{db: db}
	for _, q := range tables {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return nil, errors.Join(fmt.Errorf("open log: %w", err), db.Close())
		}
	}
	if d.storage, err = mysql.New(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("open log: %w", err), db.Close())
	}
	return d, nil
}

func (d *database) driver() tessera.Driver { return d.storage }
func (d *database) reader() source         { return d.storage }
func (d *database) later() bool            { return false }
func (d *database) every() time.Duration   { return time.Second } // the driver takes no less
func (d *database) prune(int64) error      { return nil }         // a tile is one row

func (d *database) checkpoint(ctx context.Context) ([]byte, error) {
	return d.storage.ReadCheckpoint(ctx)
}

// before takes the lock: the flock beside the packs keeps out this machine only.
func (d *database) before(o Options) (covered int64, err error) {
	ctx := context.Background()
	if d.lock, err = hold(ctx, d.db); err != nil {
		return 0, err
	}
	text, err := d.checkpoint(ctx)
	if errors.Is(err, os.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read checkpoint: %w", err)
	}
	c, fresh, err := o.renewed(text)
	if err != nil {
		return 0, fmt.Errorf("%w: checkpoint of the log: %w", pack.ErrDamaged, err)
	}
	if fresh != nil {
		if _, err := d.db.ExecContext(ctx, "UPDATE `Checkpoint` SET `note` = ? WHERE `id` = 0", fresh); err != nil {
			return 0, fmt.Errorf("sign checkpoint anew: %w", err)
		}
	}
	return c.Size, nil
}

// hold takes the lock of a database for as long as the connection lives. The
// connection is to be closed even when there is an error.
func hold(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	lock, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	// The server would end an idle connection after hours, and the lock with it.
	if _, err := lock.ExecContext(ctx, "SET SESSION wait_timeout = 31536000"); err != nil {
		return lock, fmt.Errorf("lock log: %w", err)
	}
	var got sql.NullInt64
	if err := lock.QueryRowContext(ctx, "SELECT GET_LOCK(CONCAT('kakusho ', DATABASE()), 0)").Scan(&got); err != nil {
		return lock, fmt.Errorf("lock log: %w", err)
	}
	if got.Int64 != 1 {
		return lock, errors.New("open log: another process has it open")
	}
	return lock, nil
}

// age makes the published checkpoint look old, as in files.
func (d *database) age() {
	d.db.Exec("UPDATE `Checkpoint` SET `published_at` = 0 WHERE `id` = 0") // without it a checkpoint comes later, not wrong
}

func (d *database) close() error {
	var err error
	if d.lock != nil {
		err = d.lock.Close()
	}
	return errors.Join(err, d.db.Close())
}
