package trail

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// call is one Append on its way to the disk.
type call struct {
	payload []byte      // the entries, each with a newline
	leaves  []seal.Hash // their hashes
	first   int64
	done    chan error
}

func newCall(entries []Entry) (*call, error) {
	if n := len(entries); n == 0 || n > MaxBatch {
		return nil, fmt.Errorf("%w: %d at once, want 1 to %d", ErrEntry, n, MaxBatch)
	}
	c := &call{leaves: make([]seal.Hash, 0, len(entries)), done: make(chan error, 1)}
	for i, e := range entries {
		line, err := e.encode()
		if err != nil {
			return nil, fmt.Errorf("entry %d of %d: %w", i+1, len(entries), err)
		}
		c.leaves = append(c.leaves, seal.Leaf(line))
		c.payload = append(append(c.payload, line...), '\n')
		if len(c.payload) > MaxAppend {
			return nil, fmt.Errorf("%w: more than %d bytes at once", ErrEntry, MaxAppend)
		}
	}
	return c, nil
}

// segment is the open one: what is on disk and not yet sealed.
type segment struct {
	number   int64
	first    int64
	from, to int64 // arrival of the first frame and the last of all
	leaves   []seal.Hash
	rows     []seal.Row
	bytes    int // of entries
	prev     seal.Hash
	crowd    int // calls in the last frame
	retires  *seal.Retirement
}

// sealing asks the writer to seal; done gets the last segment that is sealed.
type sealing struct {
	retires *seal.Retirement
	done    chan outcome
}

type outcome struct {
	segment int64
	err     error
}

type sealedRecord struct {
	segment int64
	text    []byte
}

// How many bytes a frame gathers before it is written, and a segment at most: a
// pack, which ends with a segment, must not outgrow what a verifier reads at once.
const (
	frameTarget = 1 << 20
	segmentMost = 128 << 20
)

func (l *Log) enqueue(c *call) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if l.fault != nil {
		return l.fault
	}
	c.first = l.next
	l.next += int64(len(c.leaves))
	l.queue = append(l.queue, c)
	l.bytes += len(c.payload)
	select {
	case l.wake <- struct{}{}:
	default: // it is awake
	}
	return nil
}

// fail makes the trail refuse writes for good. What was not acknowledged is not.
func (l *Log) fail(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault == nil {
		l.fault = fmt.Errorf("%w: %w", ErrBroken, cause)
		l.o.Log.Error("trail is broken", "error", cause)
	}
	for _, c := range l.queue {
		c.done <- l.fault
	}
	l.queue, l.bytes = nil, 0
}

func (l *Log) broken() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

// write is the goroutine that has the packs: it writes what is queued, a frame at
// a time, and seals segments.
func (l *Log) write() {
	defer close(l.records)
	due := time.NewTimer(l.o.SealEvery)
	due.Stop()
	beat := time.NewTimer(l.o.Heartbeat)
	if l.o.Heartbeat <= 0 {
		beat.Stop()
	}
	defer due.Stop()
	defer beat.Stop()
	for running := true; running; {
		number, empty := l.open.number, len(l.open.leaves) == 0
		select {
		case <-l.wake:
			l.gather()
			l.commit()
		case <-due.C:
			l.seal(false)
		case <-beat.C:
			l.seal(true)
		case s := <-l.seals:
			l.commit()
			l.open.retires = s.retires
			l.seal(s.retires != nil)
			s.done <- outcome{l.open.number - 1, l.broken()}
		case <-l.stop:
			l.commit()
			l.seal(false)
			running = false
		}
		if l.open.number != number && l.o.Heartbeat > 0 {
			beat.Reset(l.o.Heartbeat)
		}
		if len(l.open.leaves) > 0 && (empty || l.open.number != number) {
			due.Reset(l.o.SealEvery)
		}
	}
}

// gather waits for as many callers as shared the last frame, but no longer than
// the window. Who comes alone is not made to wait.
func (l *Log) gather() {
	if l.open.crowd < 2 || l.o.Window < 0 {
		return
	}
	late := time.NewTimer(l.o.Window)
	defer late.Stop()
	for {
		l.mu.Lock()
		enough := len(l.queue) >= l.open.crowd || l.bytes >= frameTarget
		l.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-l.wake:
		case <-late.C:
			return
		case <-l.stop:
			return
		}
	}
}

// commit writes the queue as frames until it is empty.
func (l *Log) commit() {
	for {
		calls, payload, leaves := l.take()
		if len(calls) == 0 {
			return
		}
		err := l.broken()
		if err == nil && (len(l.open.leaves)+len(leaves) > pack.MaxCount || l.open.bytes+len(payload) > segmentMost) {
			l.seal(false)
			err = l.broken()
		}
		if err == nil {
			err = l.frameOf(payload, leaves)
		}
		if err != nil {
			l.fail(err)
			err = l.broken()
		} else {
			l.durable.Add(int64(len(leaves)))
		}
		l.open.crowd = len(calls)
		for _, c := range calls {
			c.done <- err
		}
	}
}

// take removes from the queue what the next frame holds.
func (l *Log) take() (calls []*call, payload []byte, leaves []seal.Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, c := range l.queue {
		if n > 0 && (len(payload)+len(c.payload) > frameTarget || len(leaves)+len(c.leaves) > pack.MaxCount) {
			break
		}
		payload = append(payload, c.payload...)
		leaves = append(leaves, c.leaves...)
		n++
	}
	l.bytes -= len(payload)
	calls, l.queue = l.queue[:n:n], l.queue[n:]
	return calls, payload, leaves
}

// frameOf writes a frame of entries.
func (l *Log) frameOf(payload []byte, leaves []seal.Hash) error {
	h := l.header(pack.Entries, len(leaves))
	frame, h, err := l.codec.Frame(h, payload)
	if err != nil {
		return err
	}
	if err := l.set.Append(frame, h); err != nil {
		return err
	}
	l.took(h, leaves)
	return nil
}

// header is that of the next frame. The arrival never goes back; the wall clock
// is noted as it is.
func (l *Log) header(t pack.Type, count int) pack.Header {
	wall := l.o.Now().UnixNano()
	return pack.Header{
		Type: t, Segment: l.open.number, First: l.open.first + int64(len(l.open.leaves)), Count: count,
		Arrived: max(wall, l.open.to), Wall: wall,
	}
}

// took notes a frame that is on disk.
func (l *Log) took(h pack.Header, leaves []seal.Hash) {
	if len(l.open.rows) == 0 {
		l.open.from = h.Arrived
	}
	l.open.to = h.Arrived
	l.open.bytes += h.Raw
	l.open.leaves = append(l.open.leaves, leaves...)
	l.open.rows = append(l.open.rows, h.Row(leaves))
}

// seal ends the open segment: its record goes behind its frames, and to the
// publisher. Without entries it does so only when empty ones are wanted.
func (l *Log) seal(empty bool) {
	if len(l.open.leaves) == 0 && !empty || l.broken() != nil {
		return
	}
	r, err := l.sealFrame()
	if err != nil {
		l.fail(err)
		return
	}
	l.records <- r
}

func (l *Log) sealFrame() (sealedRecord, error) {
	o := &l.open
	h := l.header(pack.Seal, len(o.rows))
	if len(o.rows) == 0 {
		o.from, o.to = h.Arrived, h.Arrived
	}
	// The record has to bind all of its own frame: no time of its own.
	h.Arrived, h.Wall = o.to, 0
	table := seal.Table(o.rows)
	text := seal.Record{
		Origin: l.verifier.Name(), Segment: o.number, First: o.first, Count: int64(len(o.leaves)),
		From: time.Unix(0, o.from), To: time.Unix(0, o.to),
		Root: seal.Root(o.leaves), Frames: sha256.Sum256(table), Prev: o.prev, Retirement: o.retires,
	}.Text()
	frame, h, err := l.codec.Frame(h, append(text[:len(text):len(text)], table...))
	if err != nil {
		return sealedRecord{}, err
	}
	if err := l.set.Append(frame, h); err != nil {
		return sealedRecord{}, err
	}
	r := sealedRecord{o.number, text}
	l.open = segment{number: o.number + 1, first: h.First, to: h.Arrived, prev: seal.Leaf(text), crowd: o.crowd}
	return r, nil
}

// publish is the goroutine that has the log: it adds the records as leaves.
func (l *Log) publish() {
	for r := range l.records {
		if l.broken() != nil {
			continue
		}
		if err := l.tree.Append(context.Background(), r.segment, r.text); err != nil {
			l.fail(err)
			continue
		}
		l.late(r.segment)
	}
}

// late warns when checkpoints do not follow. Entries are safe, but not provable.
func (l *Log) late(segment int64) {
	_, c, err := l.tree.Checkpoint(context.Background())
	if err != nil || segment-c.Size >= 10 {
		l.o.Log.Warn("checkpoint is late", "segments", segment+1, "covered", c.Size, "error", err)
	}
}

// resume takes up where the packs end and seals what was left open.
func (l *Log) resume(t pack.Tail) error {
	l.open = segment{number: t.Segment, first: t.First, to: t.Arrived}
	if t.Record != nil {
		l.open.prev = seal.Leaf(t.Record)
	}
	for _, f := range t.Frames {
		lines, err := f.Header.Lines(f.Raw)
		if err != nil {
			return fmt.Errorf("%w: entries from %d: %w", pack.ErrDamaged, f.Header.First, err)
		}
		leaves := make([]seal.Hash, len(lines))
		for i, line := range lines {
			leaves[i] = seal.Leaf(line)
		}
		l.took(f.Header, leaves)
	}
	l.next = l.open.first + int64(len(l.open.leaves))
	l.durable.Store(l.next)
	if len(t.Frames) == 0 {
		return nil
	}
	r, err := l.sealFrame()
	if err != nil {
		return err
	}
	return l.tree.Append(context.Background(), r.segment, r.text)
}
