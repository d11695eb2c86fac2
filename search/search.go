// Package search finds and counts events.
//
// An index is disposable: it holds where an event stands (stream and number) and
// what it can be found by, and it can be lost, damaged, full or hung at any time.
// What is shown is read again from the sealed trail; search/feed fills the index
// from there, and repairs it exactly after a crash.
//
// The package has the language people search in (Parse), the meaning of it
// (Query.Match, which every engine is held to), and the contract of an Engine.
// search/victorialogs is the engine; search/searchtest is the suite for it.
package search

import (
	"context"
	"errors"
	"time"

	"kakusho/event"
)

// Ref says where an event is sealed.
type Ref struct {
	Stream string // trail of one retention period: "3y"
	Seq    int64  // its number there
}

// BucketSize is how many numbers of a stream one bucket of the reconciling has.
const BucketSize = 65536

// Bucket is the part of the stream the event is counted in.
func (r Ref) Bucket() int64 { return r.Seq / BucketSize }

// Row is one event to index.
type Row struct {
	Ref
	Arrived time.Time   // at the trail
	Event   event.Event // zero when its line could not be read: the row is counted, and found by nothing
}

// oldestSource is how much older than its arrival an event may say it is and be
// believed by the index, which keeps whole days.
const oldestSource = 30 * 24 * time.Hour

// Time is the instant a row is found under: the event's own, unless that is after
// the arrival or more than 30 days before it; then the arrival.
func (r Row) Time() time.Time {
	if at := r.Event.At; !at.After(r.Arrived) && !at.Before(r.Arrived.Add(-oldestSource)) {
		return at
	}
	return r.Arrived
}

// Hit is one found event: where it is sealed, to be read there.
type Hit struct {
	Ref
	Time time.Time // Row.Time of it
}

// Group is one line of a Stats.
type Group struct {
	Time     time.Time // start of the step; zero without Step
	Keys     []string  // values of By, as folded by Plain; "" where an event has none
	Count    int64
	Distinct int64 // different values of Stats.Distinct
}

// Stats says how found events are counted.
type Stats struct {
	By       []string      // fields, as in Parse; none: one group, even when nothing is found
	Step     time.Duration // and by time, in steps that start at midnight in Japan; zero: not
	Distinct string        // field of which different values are counted; empty: none
	Limit    int           // the groups with the most events; zero: 1,000. With Step, the earliest
}

// The errors a caller may act on.
var (
	// ErrDown: the engine does not answer. It is being started again; ask later.
	ErrDown = errors.New("search engine does not answer: try again in a few seconds")
	// ErrOff: this server searches nothing. Events are taken and sealed all the same.
	ErrOff = errors.New("events are not searched by this server (--search-url none): search elsewhere")
	// ErrBusy: too many searches, or this one took too long. Narrow the time or the words.
	ErrBusy = errors.New("search took too long: narrow the time or the words")
	// ErrUnsure: whether the rows were taken is not known. Ask Present before
	// giving them again.
	ErrUnsure = errors.New("the answer of the search engine was lost: some rows may be in the index")
	// ErrFull: the index has no room. Nothing was taken; events are safe in the trail.
	ErrFull = errors.New("no room for the index: free some, or raise its quota")
)

// Engine keeps rows and finds them. It promises nothing about durability. It is
// safe for concurrent use.
type Engine interface {
	// Insert takes rows, all or, with any error but ErrUnsure, none. It does not
	// look whether they are there already. They are found a second or so later.
	Insert(ctx context.Context, rows []Row) error

	// Query gives the hits of q, newest first, of one instant the highest number
	// first, until q.Limit or until false is returned.
	Query(ctx context.Context, q Query, found func(Hit) bool) error

	// Stats counts the hits of q. Groups come by count, largest first, then by
	// keys; with Step by time, then by keys.
	Stats(ctx context.Context, q Query, s Stats) ([]Group, error)

	// CountByBucket is how many rows of a stream each bucket from one on has.
	// Rows given before the call are counted.
	CountByBucket(ctx context.Context, stream string, from int64) (map[int64]int64, error)

	// Present lists the numbers a bucket has, in order; one that is there twice is
	// listed twice. Rows given before the call are seen.
	Present(ctx context.Context, stream string, bucket int64) ([]int64, error)

	// Forget removes a bucket and returns when it is gone.
	Forget(ctx context.Context, stream string, bucket int64) error

	// DropBefore removes the rows with a Time before the day (UTC) of an instant.
	DropBefore(ctx context.Context, day time.Time) error

	// Health says why rows would not be taken or found just now, or nil.
	Health(ctx context.Context) error
}
