package segment

import (
	"crypto/sha256"
	"time"

	"kakusho/trail/seal"
)

// encode does what needs time and not the disk.
func (w *Writer) encode(j *job) {
	if f := j.frame; f != nil {
		f.packed, j.header, j.err = w.codec.AppendFrame(f.packed[:0], j.header, f.payload)
		return
	}
	j.seal.root, j.seal.table = seal.Root(j.seal.leaves), seal.Table(j.seal.rows)
}

// commit is the goroutine that has the packs. Each frame is on disk before the next
// is written, so that a crash can tear only the last.
func (w *Writer) commit() {
	defer close(w.records)
	for j := range w.jobs {
		if j.encoded != nil {
			<-j.encoded
		}
		switch {
		case j.frame != nil:
			w.writeFrame(j)
		case j.seal != nil && w.Broken() == nil:
			if r, err := w.writeSeal(j); err != nil {
				w.Fail(err)
			} else {
				w.records <- r
			}
		}
		if j.order != nil {
			j.order.done <- outcome{j.last, w.Broken()}
		}
	}
}

func (w *Writer) writeFrame(j *job) {
	err := w.Broken()
	if err == nil {
		if err = j.err; err == nil {
			err = w.set.Append(j.frame.packed, j.header)
		}
		if err != nil {
			w.Fail(err)
			err = w.Broken()
		}
	}
	if err == nil {
		w.durable.Add(int64(j.header.Count))
	}
	j.frame.round.finish(err)
	if cap(j.frame.payload) <= 2*frameMost { // a larger one is not kept
		w.frames.Put(j.frame)
	}
	w.flying.Add(-1)
	w.poke()
}

func (w *Writer) writeSeal(j *job) (Record, error) {
	s := j.seal
	text := seal.Record{
		Origin: w.o.Origin, Segment: s.number, First: s.first, Count: int64(len(s.leaves)),
		From: time.Unix(0, s.from), To: time.Unix(0, s.to),
		Root: s.root, Frames: sha256.Sum256(s.table), Prev: w.prev, Retirement: s.retires,
	}.Text()
	frame, h, err := w.codec.Frame(j.header, append(text[:len(text):len(text)], s.table...))
	if err == nil {
		err = w.set.Append(frame, h)
	}
	if err != nil {
		return Record{}, err
	}
	w.prev = seal.Leaf(text)
	return Record{Segment: s.number, End: h.First, Text: text}, nil
}

// publish is the goroutine that hands records on.
func (w *Writer) publish() {
	for r := range w.records {
		if w.Broken() != nil {
			continue
		}
		if err := w.o.Publish(r); err != nil {
			w.Fail(err)
		}
	}
}
