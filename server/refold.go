package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"kakusho/kind"
	"kakusho/store"
	"kakusho/store/sqlite"
	"kakusho/trail"
)

// Refold folds the whole trail of an installation into fresh rows. With compare
// it reports every difference from the rows in use and leaves them; without, it
// puts the fresh rows in their place and keeps the old file beside them. The
// installation must not be running.
func Refold(ctx context.Context, data string, compare bool, now func() time.Time, progress func(done, total int64)) ([]store.Difference, error) {
	if _, err := os.Stat(filepath.Join(data, "trail")); err != nil {
		return nil, fmt.Errorf("data folder %s holds no trail: %w", data, err)
	}
	t, err := trail.Open(filepath.Join(data, "trail"), trail.Options{Now: now})
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
	if err := foldInto(ctx, t, fresh, progress); err != nil {
		return nil, err
	}
	current := filepath.Join(data, "store.db")
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

func foldInto(ctx context.Context, t *trail.Log, path string, progress func(done, total int64)) error {
	rows, err := sqlite.Open(path)
	if err != nil {
		return fmt.Errorf("open fresh rows: %w", err)
	}
	if err := foldAll(ctx, t, rows, folds(kind.Default()), t.Len(), progress); err != nil {
		return errors.Join(fmt.Errorf("refold: %w", err), rows.Close())
	}
	return rows.Close()
}
