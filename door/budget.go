package door

import (
	"errors"
	"sync/atomic"
)

// ErrBudget is returned when requests under way hold all the memory they may.
var ErrBudget = errors.New("too much is being read at once: send it again later")

// Budget is memory that requests share.
type Budget struct {
	size int64
	used atomic.Int64
}

// NewBudget is one of size bytes.
func NewBudget(size int64) *Budget { return &Budget{size: size} }

// Take asks for n bytes more.
func (b *Budget) Take(n int64) error {
	if b.used.Add(n) > b.size {
		b.used.Add(-n)
		return ErrBudget
	}
	return nil
}

// Give gives n bytes back.
func (b *Budget) Give(n int64) { b.used.Add(-n) }
