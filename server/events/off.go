package events

import (
	"context"
	"errors"
	"time"

	"kakusho/search"
)

// errOff is what a search says where none is wanted.
var errOff = errors.New("events are not searched by this server (--search-url none): search elsewhere; they are taken and sealed all the same")

// off is the engine of a server that searches nothing.
type off struct{}

func (off) Insert(context.Context, []search.Row) error                       { return errOff }
func (off) Query(context.Context, search.Query, func(search.Hit) bool) error { return errOff }
func (off) Stats(context.Context, search.Query, search.Stats) ([]search.Group, error) {
	return nil, errOff
}
func (off) CountByBucket(context.Context, string, int64) (map[int64]int64, error) { return nil, errOff }
func (off) Present(context.Context, string, int64) ([]int64, error)               { return nil, errOff }
func (off) Forget(context.Context, string, int64) error                           { return errOff }
func (off) DropBefore(context.Context, time.Time) error                           { return errOff }
func (off) Health(context.Context) error                                          { return errOff }
