package segment

import (
	"time"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// job is what the committer does next: write a frame or a seal, or only answer.
type job struct {
	header  pack.Header
	frame   *frame        // nil: not a frame
	seal    *sealing      // nil: not a seal
	order   *order        // nil: nobody asked
	last    int64         // segment, for the order
	err     error         // of the encoder
	encoded chan struct{} // closed by the encoder
}

// sealing is a segment to be sealed.
type sealing struct {
	open
	root  seal.Hash
	table []byte
}

// cut is the goroutine that decides: it has the open segment.
func (w *Writer) cut() {
	defer close(w.jobs)
	defer close(w.encodes)
	due, beat, late := stopped(), stopped(), stopped()
	defer due.Stop()
	defer beat.Stop()
	defer late.Stop()
	if w.o.Heartbeat > 0 {
		beat.Reset(w.o.Heartbeat)
	}
	for running, armed := true, false; running; {
		number, empty := w.open.number, w.open.empty()
		select {
		case <-w.wake:
			switch wait := w.drain(false); {
			case wait && !armed: // who comes later does not make the first wait longer
				late.Reset(w.o.Window)
				armed = true
			case !wait && armed:
				late.Stop()
				armed = false
			}
		case <-late.C:
			armed = false
			w.drain(true)
		case <-due.C:
			w.seal(false)
		case <-beat.C:
			w.seal(true)
		case o := <-w.seals:
			w.drain(true)
			w.open.retires = o.retires
			w.seal(o.retires != nil)
			w.hand(&job{order: &o, last: w.open.number - 1})
		case <-w.stop:
			w.drain(true)
			w.seal(false)
			running = false
		}
		if w.open.number != number && w.o.Heartbeat > 0 {
			beat.Reset(w.o.Heartbeat)
		}
		if !w.open.empty() && (empty || w.open.number != number) {
			due.Reset(w.o.SealEvery)
		}
	}
}

// stopped is a timer that does not run.
func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// drain cuts frames as long as it is time to, or until none waits. It reports
// whether one waits only for others to share it: that must end with the window.
func (w *Writer) drain(all bool) (wait bool) {
	for {
		f, wait := w.take(all)
		if f == nil {
			return wait
		}
		w.frame(f)
	}
}

// take removes the first frame from the queue, if it is time to write it. Frames
// that are full keep the encoders busy. One that is not is written when the disk
// has little to do, and as many callers share it as shared the last; but who comes
// alone is not made to wait.
func (w *Writer) take(all bool) (f *frame, wait bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		return nil, false
	}
	f = w.waiting[0]
	full := len(w.waiting) > 1 || len(f.payload) >= frameFull
	switch flying := w.flying.Load(); {
	case all:
	case flying >= w.depth || !full && flying > 1:
		return nil, false // the committer wakes us
	case !full && w.crowd > 1 && f.calls < w.crowd && w.o.Window > 0:
		return nil, true
	}
	w.waiting = w.waiting[1:]
	return f, false
}

// frame gives a frame its place and hands it on.
func (w *Writer) frame(f *frame) {
	if len(w.open.leaves)+len(f.leaves) > pack.MaxCount || w.open.bytes+len(f.payload) > segmentMost {
		w.seal(false)
	}
	w.crowd = f.calls
	j := &job{header: w.header(pack.Entries, len(f.leaves)), frame: f, encoded: make(chan struct{})}
	w.took(j.header, len(f.payload), f.leaves)
	w.flying.Add(1)
	w.hand(j)
}

// hand gives a job to the committer, and what needs it to the encoders first.
func (w *Writer) hand(j *job) {
	if j.encoded != nil {
		w.encodes <- j
	}
	w.jobs <- j
}

// header is that of the next frame. The arrival never goes back; the wall clock
// is noted as it is.
func (w *Writer) header(t pack.Type, count int) pack.Header {
	wall := w.o.Now().UnixNano()
	return pack.Header{
		Type: t, Segment: w.open.number, First: w.open.first + int64(len(w.open.leaves)), Count: count,
		Arrived: max(wall, w.open.to), Wall: wall,
	}
}

// took notes a frame of the open segment.
func (w *Writer) took(h pack.Header, bytes int, leaves []seal.Hash) {
	if len(w.open.rows) == 0 {
		w.open.from = h.Arrived
	}
	w.open.to = h.Arrived
	w.open.bytes += bytes
	w.open.leaves = append(w.open.leaves, leaves...)
	w.open.rows = append(w.open.rows, h.Row(leaves))
}

// seal ends the open segment. Without entries it does so only when empty ones
// are wanted.
func (w *Writer) seal(empty bool) {
	if w.open.empty() && !empty || w.Broken() != nil {
		return
	}
	w.hand(w.sealJob())
}

func (w *Writer) sealJob() *job {
	o := &w.open
	h := w.header(pack.Seal, len(o.rows))
	if len(o.rows) == 0 {
		o.from, o.to = h.Arrived, h.Arrived
	}
	// The record has to bind all of its own frame: no time of its own.
	h.Arrived, h.Wall = o.to, 0
	j := &job{header: h, seal: &sealing{open: *o}, encoded: make(chan struct{})}
	w.open = open{number: o.number + 1, first: h.First, to: o.to}
	return j
}
