package ingest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// window is how many batches of one sender may be under way at once: a number so
// far below its highest counts as brought.
const window = 64

// sender is which batches one sender has brought.
type sender struct {
	From int64  `json:"from"` // the first number ever seen
	High int64  `json:"high"` // the highest
	Seen uint64 `json:"seen"` // bit i: High-i was brought
	Used int64  `json:"used"` // turn of the last batch: who has the lowest was not heard for longest
}

func (s sender) has(n int64) bool {
	return n <= s.High && (s.High-n >= window || s.Seen&(1<<(s.High-n)) != 0)
}

// add notes number n and says how many batches are given up for lost: those that
// fall out of the window and never came.
func (s *sender) add(n int64) (missing int64) {
	switch {
	case s.High == 0:
		*s = sender{From: n, High: n, Seen: 1}
	case n <= s.High:
		if s.High-n < window {
			s.Seen |= 1 << (s.High - n)
		}
		s.From = min(s.From, n)
	default:
		up := n - s.High
		// What leaves the window: of the old High-window+1 … n-window, from From on.
		first, last := max(s.High-window+1, s.From), n-window
		if last >= first {
			left := min(last, s.High)
			came := int64(0)
			if left >= first {
				came = int64(bits.OnesCount64(s.Seen >> (s.High - left) & (1<<(left-first+1) - 1)))
			}
			missing = last - first + 1 - came
		}
		if up >= window {
			s.Seen = 0
		} else {
			s.Seen <<= up
		}
		s.Seen |= 1
		s.High = n
	}
	return missing
}

// sendersOfName is how many senders are known that come under one proved name. Whoever
// calls himself anew each time has the longest unheard of them forgotten.
const sendersOfName = 10_000

// senders are all of them, and which batches are under way. Zero is ready.
type senders struct {
	mu    sync.Mutex
	of    map[string]sender
	names map[string]int // how many of each proved name; nil: not counted yet
	turn  int64
	going map[string]chan struct{} // sender and number → closed when its outcome is known
}

// enter says whether a batch was brought before. If not, it is the caller's until
// he calls leave; meanwhile another delivery of the same waits for how it ends.
func (s *senders) enter(ctx context.Context, key string, n int64) (brought bool, leave func(), err error) {
	id := strconv.FormatInt(n, 10) + " " + key
	for {
		s.mu.Lock()
		if s.of[key].has(n) {
			s.mu.Unlock()
			return true, nil, nil
		}
		other, going := s.going[id]
		if !going {
			if s.going == nil {
				s.going = map[string]chan struct{}{}
			}
			mine := make(chan struct{})
			s.going[id] = mine
			s.mu.Unlock()
			return false, func() {
				s.mu.Lock()
				delete(s.going, id)
				s.mu.Unlock()
				close(mine)
			}, nil
		}
		s.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return false, nil, fmt.Errorf("wait for the same batch: %w", ctx.Err())
		}
	}
}

// came notes a batch and says how many before it are given up for lost.
func (s *senders) came(key string, n int64) (missing int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[string]sender{}
	}
	x, known := s.of[key]
	missing = x.add(n)
	s.number()
	if name := proved(key); !known {
		if s.names[name] >= sendersOfName {
			s.forget(name)
		}
		s.names[name]++
	}
	s.turn++
	x.Used = s.turn
	s.of[key] = x
	return missing
}

// proved is the name in a key.
func proved(key string) string { name, _, _ := strings.Cut(key, "\t"); return name }

// number counts the senders that a copy has brought.
func (s *senders) number() {
	if s.names != nil {
		return
	}
	s.names = map[string]int{}
	for key, x := range s.of {
		s.names[proved(key)]++
		s.turn = max(s.turn, x.Used)
	}
}

// forget makes room under a name: an eighth of its senders, the longest unheard.
func (s *senders) forget(name string) {
	var keys []string
	for key := range s.of {
		if proved(key) == name {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Compare(s.of[a].Used, s.of[b].Used) })
	for _, key := range keys[:max(1, len(keys)/8)] {
		delete(s.of, key)
		s.names[name]--
	}
}

func (s *senders) copied() map[string]sender {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.of)
}

// markField of a batch's first event says whose batch it is and which: written in
// the same stroke as the events, it is what a restart learns it from.
const markField = own + "batch"

// mark reads what addMark wrote.
func mark(fields map[string]string) (key string, n int64, ok bool) {
	number, key, ok := strings.Cut(fields[markField], " ")
	if !ok {
		return "", 0, false
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return key, n, err == nil && n > 0
}
