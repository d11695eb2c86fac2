package events

import (
	"context"
	"time"

	"kakusho/search"
)

// off is the engine of a server that searches nothing.
type off struct{}

func (off) Insert(context.Context, []search.Row) error                       { return search.ErrOff }
func (off) Query(context.Context, search.Query, func(search.Hit) bool) error { return search.ErrOff }
func (off) Stats(context.Context, search.Query, search.Stats) ([]search.Group, error) {
	return nil, search.ErrOff
}
func (off) CountByBucket(context.Context, string, int64) (map[int64]int64, error) {
	return nil, search.ErrOff
}
func (off) Present(context.Context, string, int64) ([]int64, error) { return nil, search.ErrOff }
func (off) Forget(context.Context, string, int64) error             { return search.ErrOff }
func (off) DropBefore(context.Context, time.Time) error             { return search.ErrOff }
func (off) Health(context.Context) error                            { return search.ErrOff }
