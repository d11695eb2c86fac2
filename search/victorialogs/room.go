package victorialogs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"kakusho/search"
)

// partitions is where VictoriaLogs has its days, a folder each: 20261103.
const partitions = "partitions"

const dayLayout = "20060102"

// floorName is the file with the first day that is kept.
const floorName = "kakusho-first-day"

func readFloor(dir string) time.Time {
	b, err := os.ReadFile(filepath.Join(dir, floorName))
	if err != nil {
		return time.Time{}
	}
	t, err := time.Parse(dayLayout, string(b))
	if err != nil {
		return time.Time{}
	}
	return t
}

// Floor is the first day that is searched: older rows were dropped.
func (c *Child) Floor() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.floor
}

// room reports ErrFull while the disk has less free than it must.
func (c *Child) room() error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(c.o.Dir, &s); err != nil {
		return fmt.Errorf("%w: %w", search.ErrFull, err)
	}
	if free := int64(s.Bavail) * s.Bsize; free < c.o.MinFree { //nolint:unconvert // not on every platform
		return fmt.Errorf("%w: %d MiB free", search.ErrFull, free>>20)
	}
	return nil
}

// days lists the days of the index.
func (c *Child) days() ([]time.Time, error) {
	names, err := os.ReadDir(filepath.Join(c.o.Dir, partitions))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []time.Time
	for _, n := range names {
		if t, err := time.Parse(dayLayout, n.Name()); err == nil {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out, nil
}

// dropBefore lets go of days and unlinks them. The floor is written first: no row
// comes back.
func (c *Child) dropBefore(ctx context.Context, e *Engine, day time.Time) error {
	c.mu.Lock()
	if day.After(c.floor) {
		if err := os.WriteFile(filepath.Join(c.o.Dir, floorName), []byte(day.Format(dayLayout)), 0o600); err != nil {
			c.mu.Unlock()
			return err
		}
		c.floor = day
	}
	c.mu.Unlock()
	days, err := c.days()
	if err != nil {
		return err
	}
	attached, err := e.attached(ctx)
	if err != nil {
		return err
	}
	for _, d := range days {
		if !d.Before(day) {
			break
		}
		name := d.Format(dayLayout)
		if slices.Contains(attached, name) {
			res, err := e.post(ctx, "/internal/partition/detach?"+url.Values{"name": {name}}.Encode(), "text/plain", nil)
			if err != nil {
				return queryError(err)
			}
			res.Body.Close()
		}
		if err := os.RemoveAll(filepath.Join(c.o.Dir, partitions, name)); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) attached(ctx context.Context) (names []string, err error) {
	res, err := e.post(ctx, "/internal/partition/list", "text/plain", nil)
	if err != nil {
		return nil, queryError(err)
	}
	defer res.Body.Close()
	return names, json.NewDecoder(res.Body).Decode(&names)
}

// keepQuota drops the oldest days while the index is larger than it may be. The
// newest is never dropped.
func (c *Child) keepQuota(ctx context.Context) {
	if c.o.Quota == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Hang) // who waits for an engine that hangs does not see that it hangs
	defer cancel()
	days, err := c.days()
	if err != nil {
		return
	}
	size := int64(0)
	for i := len(days) - 1; i >= 0; i-- {
		size += sizeOf(filepath.Join(c.o.Dir, partitions, days[i].Format(dayLayout)))
		if size <= c.o.Quota || i == len(days)-1 {
			continue
		}
		c.o.Log.Warn("the index is over its quota: older days are no longer searched", "first", days[i+1].Format(time.DateOnly))
		if err := c.engine.DropBefore(ctx, days[i+1]); err != nil {
			c.o.Log.Error("keep quota of the index", "error", err)
		}
		return
	}
}

func sizeOf(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // files come and go
		}
		if i, err := d.Info(); err == nil && i.Mode().IsRegular() {
			n += i.Size()
		}
		return nil
	})
	return n
}
