package trail

import (
	"context"
	"sync"
)

// sealedEnds remembers where segments end until a checkpoint covers them.
type sealedEnds struct {
	mu      sync.Mutex
	waiting []segmentEnd // in order
	len     int64        // entries under a checkpoint
}

type segmentEnd struct{ segment, end int64 }

// add notes a segment that the log has.
func (s *sealedEnds) add(segment, end int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, segmentEnd{segment, end})
}

// all reports how many entries a checkpoint covers, if it covers all that is known.
func (s *sealedEnds) all() (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.len, len(s.waiting) == 0
}

// covered takes note of a checkpoint of size segments.
func (s *sealedEnds) covered(size int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.waiting) > 0 && s.waiting[0].segment < size {
		s.len, s.waiting = s.waiting[0].end, s.waiting[1:]
	}
	return s.len
}

// SealedLen is how many entries a published checkpoint covers: those before this
// number can be proved. It never goes back.
func (l *Log) SealedLen() int64 {
	if n, ok := l.ends.all(); ok {
		return n
	}
	_, c, _ := l.tree.Checkpoint(context.Background()) // without one nothing more is covered than before
	return l.ends.covered(c.Size)
}
