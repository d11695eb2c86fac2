//go:build cloud

package tree

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api/layout"

	"kakusho/trail/pack"
)

// others are the drivers beside files.
func others() []maker { return []maker{inMySQL, inAWS, inGCP} }

// place is where a setting BUCKET[/PREFIX],DATABASE says that a log is.
type place struct{ bucket, prefix, database string }

func parsePlace(setting string) (place, error) {
	where, database, ok := strings.Cut(setting, ",")
	bucket, prefix, _ := strings.Cut(where, "/")
	if prefix = strings.Trim(prefix, "/"); !ok || bucket == "" || database == "" || prefix != "" && path.Clean(prefix) != prefix || strings.HasPrefix(prefix, "..") {
		return place{}, errors.New("open log: want BUCKET/PREFIX,DATABASE after aws: or gcp:")
	}
	return place{bucket, prefix, database}, nil
}

// bucket keeps objects. What is not there is os.ErrNotExist.
type bucket interface {
	get(ctx context.Context, name string) ([]byte, error)
	put(ctx context.Context, name string, data []byte) error
	close() error
}

// cloud is a log whose tiles are in a bucket, and whose order is in a database.
type cloud struct {
	tessel   tessera.Driver
	objects  bucket
	prefix   string
	interval time.Duration
	lock     func(context.Context) error // keeps other machines out
	older    func()                      // makes the published checkpoint look old
	closing  []func() error
}

func (c *cloud) driver() tessera.Driver { return c.tessel }
func (c *cloud) reader() source         { return c }
func (c *cloud) every() time.Duration   { return c.interval }
func (c *cloud) later() bool            { return true }
func (c *cloud) age()                   { c.older() }
func (c *cloud) prune(int64) error      { return nil } // partial tiles stay: they are small, and to delete takes a right that is better not given

func (c *cloud) close() error {
	var err error
	for _, f := range c.closing {
		err = errors.Join(err, f())
	}
	return errors.Join(err, c.objects.close())
}

func (c *cloud) checkpoint(ctx context.Context) ([]byte, error) {
	return c.objects.get(ctx, path.Join(c.prefix, layout.CheckpointPath))
}

func (c *cloud) before(o Options) (covered int64, err error) {
	ctx := context.Background()
	if err := c.lock(ctx); err != nil {
		return 0, err
	}
	text, err := c.checkpoint(ctx)
	if errors.Is(err, os.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read checkpoint: %w", err)
	}
	cp, fresh, err := o.renewed(text)
	if err != nil {
		return 0, fmt.Errorf("%w: checkpoint of the log: %w", pack.ErrDamaged, err)
	}
	if fresh != nil {
		if err := c.objects.put(ctx, path.Join(c.prefix, layout.CheckpointPath), fresh); err != nil {
			return 0, fmt.Errorf("sign checkpoint anew: %w", err)
		}
	}
	return cp.Size, nil
}

// ReadCheckpoint, ReadTile and ReadEntryBundle read the log while nobody has it open.
func (c *cloud) ReadCheckpoint(ctx context.Context) ([]byte, error) { return c.checkpoint(ctx) }

// ReadTile is like the others.
func (c *cloud) ReadTile(ctx context.Context, level, index uint64, p uint8) ([]byte, error) {
	return c.partial(ctx, p, func(p uint8) string { return layout.TilePath(level, index, p) })
}

// ReadEntryBundle is like the others.
func (c *cloud) ReadEntryBundle(ctx context.Context, index uint64, p uint8) ([]byte, error) {
	return c.partial(ctx, p, func(p uint8) string { return layout.EntriesPath(index, p) })
}

// partial reads what was asked for, or the whole that has taken its place.
func (c *cloud) partial(ctx context.Context, p uint8, name func(uint8) string) ([]byte, error) {
	data, err := c.objects.get(ctx, path.Join(c.prefix, name(p)))
	if p > 0 && errors.Is(err, os.ErrNotExist) {
		return c.objects.get(ctx, path.Join(c.prefix, name(0)))
	}
	return data, err
}
