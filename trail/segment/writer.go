// Package segment writes the trail: it gathers lines of many callers into frames,
// writes these to the packs, and seals a segment of them with a record.
//
// It promises that a line is on disk when Append returns, that lines of one call
// stand together and in order, and that records come out in order, one for each
// seal. Four kinds of goroutine share the work: callers hash, the cutter decides
// what is a frame and what is a segment, encoders pack, the committer writes and
// syncs; so a frame is packed while the one before it is on its way to the disk.
package segment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// What Append returns, wrapped with the cause.
var (
	ErrBroken = errors.New("trail refuses writes after a fault") // mend the disk, open again
	ErrClosed = errors.New("trail is closed")                    // open it
)

// MaxAppend is how many bytes one Append takes, with a newline for each line: less
// than a frame holds. The largest ledger there may be is sealed in one.
const MaxAppend = 60 << 20

// mostWaiting is how many bytes may wait to be written: one that is the largest, always.
const mostWaiting = 64 << 20

// Record is the text of a sealed segment's record.
type Record struct {
	Segment int64
	End     int64 // entry after the segment
	Text    []byte
}

// Options say how a Writer runs. All but Heartbeat must be given.
type Options struct {
	Now       func() time.Time
	Log       *slog.Logger
	Origin    string
	Window    time.Duration // longest wait for others to share a frame; below 0: none. Who comes alone never waits
	SealEvery time.Duration // age at which a segment with entries is sealed
	Heartbeat time.Duration // an empty segment is sealed after as long a silence; 0: never

	// Publish takes each record in order. The next segment but one is not sealed
	// before it returns; an error breaks the writer.
	Publish func(Record) error
}

// How many bytes make a frame that need not wait for more, how many a frame takes
// while it has to wait, and a segment at most: a pack, which ends with a segment,
// must not outgrow what a verifier reads at once.
const (
	frameFull   = 256 << 10
	frameMost   = 1 << 20
	segmentMost = 128 << 20
)

// Writer is the only one who appends to a set of packs. It is safe for concurrent use.
type Writer struct {
	o       Options
	set     *pack.Set
	codec   *pack.Codec
	room    *semaphore.Weighted // bytes that wait to be written
	durable atomic.Int64        // entries on disk
	flying  atomic.Int64        // frames cut and not yet on disk
	depth   int64               // how many may be

	mu      sync.Mutex
	next    int64    // number of the next entry
	waiting []*frame // not cut yet, oldest first
	fault   error    // why nothing is taken any more
	closed  bool

	wake    chan struct{} // there is something to cut, or room for it
	seals   chan order    // asks the cutter to seal now
	stop    chan struct{} // closed by Close
	encodes chan *job     // from the cutter to the encoders
	jobs    chan *job     // from the cutter to the committer, in order
	records chan Record   // from the committer to the publisher
	done    sync.WaitGroup

	frames sync.Pool // *frame, to be used again
	hashes sync.Pool // *[]seal.Hash of callers

	open  open      // of the cutter
	crowd int       // of the cutter: calls in the last frame
	prev  seal.Hash // of the committer: leaf hash of the last record
}

// frame is lines on their way to the disk.
type frame struct {
	payload []byte // each with a newline
	leaves  []seal.Hash
	packed  []byte
	calls   int
	round   *round
}

// round is what the callers of a frame wait for. It outlives the frame.
type round struct {
	done chan struct{} // closed when it is on disk, or never will be
	err  error
}

// open is the segment that is not sealed.
type open struct {
	number   int64
	first    int64
	from, to int64 // arrival of the first frame and the last of all
	leaves   []seal.Hash
	rows     []seal.Row
	bytes    int // of entries
	retires  *seal.Retirement
}

func (o *open) empty() bool { return len(o.leaves) == 0 }

// New takes up where the packs end. What stands behind the last seal is sealed,
// and its record, if there is one, is returned: it is not published.
func New(set *pack.Set, codec *pack.Codec, o Options, t pack.Tail) (*Writer, *Record, error) {
	n := runtime.GOMAXPROCS(0)
	w := &Writer{
		o: o, set: set, codec: codec, room: semaphore.NewWeighted(mostWaiting), depth: int64(n + 1),
		wake: make(chan struct{}, 1), seals: make(chan order), stop: make(chan struct{}),
		encodes: make(chan *job), jobs: make(chan *job, n+2), records: make(chan Record),
	}
	w.frames.New = func() any { return &frame{payload: make([]byte, 0, frameMost)} }
	w.hashes.New = func() any { return new([]seal.Hash) }
	r, err := w.resume(t)
	return w, r, err
}

// resume takes up where the packs end and seals what was left open.
func (w *Writer) resume(t pack.Tail) (*Record, error) {
	w.open = open{number: t.Segment, first: t.First, to: t.Arrived}
	if t.Record != nil {
		w.prev = seal.Leaf(t.Record)
	}
	for _, f := range t.Frames {
		lines, err := f.Header.Lines(f.Raw)
		if err != nil {
			return nil, fmt.Errorf("%w: entries from %d: %w", pack.ErrDamaged, f.Header.First, err)
		}
		w.took(f.Header, len(f.Raw), seal.Leaves(nil, lines))
	}
	w.next = w.open.first + int64(len(w.open.leaves))
	w.durable.Store(w.next)
	if w.open.empty() {
		return nil, nil
	}
	j := w.sealJob()
	w.encode(j)
	r, err := w.writeSeal(j)
	return &r, err
}

// Start starts the goroutines; Close ends them.
func (w *Writer) Start() {
	w.done.Go(w.cut)
	for range runtime.GOMAXPROCS(0) {
		w.done.Go(func() {
			for j := range w.encodes {
				w.encode(j)
				close(j.encoded)
			}
		})
	}
	w.done.Go(w.commit)
	w.done.Go(w.publish)
}

// Len is how many entries are on disk.
func (w *Writer) Len() int64 { return w.durable.Load() }

// Append takes lines, all or none, and returns the number of the first when they
// are on disk. ctx can stop it only before they are queued: after that the outcome
// is waited for, so that an error always means "not acknowledged". The lines are
// not kept, and not checked; they have MaxAppend bytes at most.
func (w *Writer) Append(ctx context.Context, lines [][]byte) (first int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	size := len(lines)
	for _, line := range lines {
		size += len(line)
	}
	leaves := w.hashes.Get().(*[]seal.Hash)
	defer w.hashes.Put(leaves)
	*leaves = seal.Leaves((*leaves)[:0], lines)
	if err := w.room.Acquire(ctx, int64(size)); err != nil {
		return 0, err
	}
	defer w.room.Release(int64(size))
	first, r, err := w.enqueue(lines, *leaves, size)
	if err != nil {
		return 0, err
	}
	<-r.done
	return first, r.err
}

// enqueue puts lines into the last frame that waits, or into one more.
func (w *Writer) enqueue(lines [][]byte, leaves []seal.Hash, size int) (int64, *round, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, nil, ErrClosed
	}
	if w.fault != nil {
		return 0, nil, w.fault
	}
	var f *frame
	if n := len(w.waiting); n > 0 {
		f = w.waiting[n-1]
	}
	if f == nil || len(f.payload)+size > frameMost || len(f.leaves)+len(leaves) > pack.MaxCount {
		f = w.frames.Get().(*frame)
		f.payload, f.leaves, f.calls, f.round = f.payload[:0], f.leaves[:0], 0, &round{done: make(chan struct{})}
		w.waiting = append(w.waiting, f)
	}
	for _, line := range lines {
		f.payload = append(append(f.payload, line...), '\n')
	}
	f.leaves = append(f.leaves, leaves...)
	f.calls++
	first := w.next
	w.next += int64(len(lines))
	w.poke()
	return first, f.round, nil
}

// poke wakes the cutter, unless it is about to look anyway.
func (w *Writer) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Seal seals what has been appended, and a retirement if there is one, and returns
// the last segment when its record is on its way; -1 when there is none.
func (w *Writer) Seal(ctx context.Context, r *seal.Retirement) (segment int64, err error) {
	o := order{r, make(chan outcome, 1)}
	select {
	case w.seals <- o:
	case <-w.stop:
		return -1, ErrClosed
	case <-ctx.Done():
		return -1, ctx.Err()
	}
	done := <-o.done
	return done.segment, done.err
}

// order asks for a seal.
type order struct {
	retires *seal.Retirement
	done    chan outcome
}

type outcome struct {
	segment int64
	err     error
}

// Close writes and seals what is queued and stops. The second call does nothing.
// The error is why writes were refused, if they were.
func (w *Writer) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	w.mu.Unlock()
	close(w.stop)
	w.done.Wait()
	return w.Broken()
}

// Broken is why nothing is taken any more, or nil.
func (w *Writer) Broken() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fault
}

// Fail makes the writer refuse for good. What was not acknowledged is not.
func (w *Writer) Fail(cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault == nil {
		w.fault = fmt.Errorf("%w: %w", ErrBroken, cause)
		w.o.Log.Error("trail is broken", "error", cause)
	}
	for _, f := range w.waiting {
		f.round.finish(w.fault)
	}
	w.waiting = nil
}

func (r *round) finish(err error) {
	r.err = err
	close(r.done)
}
