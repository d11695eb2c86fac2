package past

import (
	"encoding/json"
	"fmt"
	"sort"
	"time"

	"kakusho/calendar"
	"kakusho/gate"
	"kakusho/server/fold"
	"kakusho/trail"
)

// Trail is what a past is folded from: the log in use, or a reader beside it.
type Trail interface {
	fold.Reader
	Get(seq int64) (trail.Sealed, error)
}

// Instant is when what an entry says was so: of facts when somebody looked, of
// everything else when it was declared or decided. Nothing declared acts backwards.
func Instant(e trail.Sealed) (time.Time, error) {
	if gate.Action(e.Kind) != gate.PutFacts {
		return e.At, nil
	}
	var b struct {
		ObservedAt time.Time `json:"observed_at"`
	}
	if err := json.Unmarshal(e.Body, &b); err != nil {
		return time.Time{}, fmt.Errorf("entry %d %s: %w", e.Seq, e.Kind, err)
	}
	return b.ObservedAt, nil
}

// Upto is how many entries had been recorded at known; zero: all there are. The trail's
// own clock never goes back, so they are the first ones.
func Upto(t Trail, known time.Time) (int64, error) {
	n := t.Len()
	if known.IsZero() {
		return n, nil
	}
	return firstAfter(t, n, known)
}

// firstAfter is the first of n entries that arrived after an instant; n when none did.
func firstAfter(t Trail, n int64, at time.Time) (int64, error) {
	var failed error
	i := sort.Search(int(n), func(i int) bool {
		e, err := t.Get(int64(i))
		if err != nil {
			failed = fmt.Errorf("find the entry of %s: %w", at.UTC().Format(time.RFC3339), err)
		}
		return err != nil || e.Arrived.After(at)
	})
	return int64(i), failed
}

// sieve lets through what a past counts, and knows of what it let through.
type sieve struct {
	past   calendar.Past
	latest time.Time // instant among all that was looked at
	whole  bool      // everything was let through
}

func (s *sieve) counts(e trail.Sealed) (bool, error) {
	at, err := Instant(e)
	if err != nil {
		return false, err
	}
	if at.After(s.latest) {
		s.latest = at
	}
	counts := s.past.Counts(at, e.Arrived)
	s.whole = s.whole && counts
	return counts, nil
}
