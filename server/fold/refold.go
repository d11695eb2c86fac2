package fold

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kakusho/kind"
	"kakusho/store"
	"kakusho/store/sqlite"
	"kakusho/trail"
)

// Refold folds the whole trail of an installation into fresh rows. With compare
// it reports every difference from the rows in use and leaves them; without, it
// puts the fresh rows in their place and keeps the old file beside them. Comparing
// may be done beside a running installation; replacing may not. driver is the setting
// of the installation, as in Proof.
func Refold(ctx context.Context, data, driver string, compare bool, now func() time.Time, progress func(done, total int64)) ([]store.Difference, error) {
	if _, err := os.Stat(filepath.Join(data, "trail")); err != nil {
		return nil, fmt.Errorf("data folder %s holds no trail: %w", data, err)
	}
	current := filepath.Join(data, "store.db")
	t, upto, err := openToRead(ctx, data, current, strings.ReplaceAll(driver, "{trail}", "trail"), compare, now)
	if err != nil {
		return nil, fmt.Errorf("open trail: %w", err)
	}
	defer t.Close()
	dir, err := os.MkdirTemp(data, ".refold-*")
	if err != nil {
		return nil, fmt.Errorf("make room for refolding: %w", err)
	}
	defer os.RemoveAll(dir)
	fresh := filepath.Join(dir, "store.db")
	if err := foldInto(ctx, t, fresh, upto, progress); err != nil {
		return nil, err
	}
	if compare {
		return sqlite.Compare(ctx, fresh, current)
	}
	aside := fmt.Sprintf("%s.%s.aside", current, now().UTC().Format("20060102T150405"))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(current+suffix, aside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("put rows aside: %w", err)
		}
	}
	return nil, os.Rename(fresh, current)
}

// closer is a reader that is closed after use.
type closer interface {
	Reader
	Close() error
}

// openToRead opens the trail, and says how far to fold it: for comparing, as far
// as the rows in use have come, because what was sealed a moment ago is folded a
// moment later.
func openToRead(ctx context.Context, data, current, driver string, compare bool, now func() time.Time) (closer, int64, error) {
	if !compare {
		t, err := trail.Open(filepath.Join(data, "trail"), trail.Options{Now: now, Driver: driver})
		if err != nil {
			return nil, 0, err
		}
		return t, t.Len(), nil
	}
	upto := int64(-1)
	if rows, err := sqlite.Open(current); err == nil {
		if n, err := rows.Cursor(ctx); err == nil {
			upto = n
		}
		if err := rows.Close(); err != nil {
			return nil, 0, err
		}
	}
	t, err := trail.NewReader(filepath.Join(data, "trail"))
	if err != nil {
		return nil, 0, err
	}
	if upto < 0 || upto > t.Len() {
		upto = t.Len()
	}
	return t, upto, nil
}

func foldInto(ctx context.Context, t Reader, path string, upto int64, progress func(done, total int64)) error {
	rows, err := sqlite.Open(path)
	if err != nil {
		return fmt.Errorf("open fresh rows: %w", err)
	}
	all := Fold{Each: All(kind.Default())}
	if err := all.Upto(ctx, t, rows, upto, progress); err != nil {
		return errors.Join(fmt.Errorf("refold: %w", err), rows.Close())
	}
	return rows.Close()
}
