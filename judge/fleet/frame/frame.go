// Package frame writes plain values into a stream of frames, each with its
// length and checksum, and reads them back.
//
// A reader never hands out a value from a frame that is damaged, and notices a
// stream that ends too early. Like the writer it keeps its first error, so that
// many values are read before it is asked for.
package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// ErrDamaged means that the stream is not what a Writer wrote, or not all of it.
var ErrDamaged = errors.New("damaged")

const (
	full    = 1 << 20 // a frame is written when it holds this much
	largest = 1 << 30 // no frame is larger: one value never is
)

func table() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// Writer writes frames.
type Writer struct {
	w   io.Writer
	buf []byte
	sum *crc32.Table
	err error
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w, sum: table()} }

// Uint writes a number.
func (w *Writer) Uint(n uint64) { w.buf = binary.AppendUvarint(w.buf, n); w.flush() }

// Int writes a number with a sign.
func (w *Writer) Int(n int64) { w.buf = binary.AppendVarint(w.buf, n); w.flush() }

// Bool writes a truth.
func (w *Writer) Bool(b bool) {
	n := uint64(0)
	if b {
		n = 1
	}
	w.Uint(n)
}

// Text writes a string.
func (w *Writer) Text(s string) {
	w.buf = append(binary.AppendUvarint(w.buf, uint64(len(s))), s...)
	w.flush()
}

// Bytes writes bytes.
func (w *Writer) Bytes(b []byte) {
	w.buf = append(binary.AppendUvarint(w.buf, uint64(len(b))), b...)
	w.flush()
}

// Time writes an instant with its offset; the zero instant stays zero.
func (w *Writer) Time(t time.Time) {
	_, offset := t.Zone()
	w.Bool(t.IsZero() && offset == 0)
	if t.IsZero() && offset == 0 {
		return
	}
	w.Int(t.Unix())
	w.Uint(uint64(t.Nanosecond()))
	w.Int(int64(offset))
}

func (w *Writer) flush() {
	if len(w.buf) >= full {
		w.frame()
	}
}

func (w *Writer) frame() {
	if w.err != nil {
		w.buf = w.buf[:0]
		return
	}
	var head [8]byte
	binary.LittleEndian.PutUint32(head[:4], uint32(len(w.buf)))
	sum := crc32.Update(crc32.Checksum(head[:4], w.sum), w.sum, w.buf)
	binary.LittleEndian.PutUint32(head[4:], sum)
	if _, w.err = w.w.Write(head[:]); w.err == nil {
		_, w.err = w.w.Write(w.buf)
	}
	w.buf = w.buf[:0]
}

// Close writes what is left and the end. It does not close the stream.
func (w *Writer) Close() error {
	if len(w.buf) > 0 {
		w.frame()
	}
	w.frame() // empty: the end
	return w.err
}

// Reader reads frames.
type Reader struct {
	r   io.Reader
	buf []byte
	all []byte // the frame; buf is its rest
	sum *crc32.Table
	err error
}

// NewReader reads from r.
func NewReader(r io.Reader) *Reader { return &Reader{r: r, sum: table()} }

// Err is the first error. Values read after it are zero.
func (r *Reader) Err() error { return r.err }

// Fail makes the reader fail, for a value that cannot be.
func (r *Reader) Fail(format string, a ...any) {
	if r.err == nil {
		r.err, r.buf = fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, a...)), nil
	}
}

// Close reports whether everything was read, and nothing is left.
func (r *Reader) Close() error {
	if r.err == nil && len(r.buf) > 0 {
		r.Fail("%d bytes are left", len(r.buf))
	}
	if r.err == nil {
		if r.frame(); r.err == nil && len(r.buf) > 0 {
			r.Fail("more follows")
		}
	}
	return r.err
}

func (r *Reader) frame() {
	var head [8]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		r.Fail("ends early: %v", err)
		return
	}
	n := binary.LittleEndian.Uint32(head[:4])
	if n > largest {
		r.Fail("a frame of %d bytes", n)
		return
	}
	if uint32(cap(r.all)) < n {
		grown, err := io.ReadAll(io.LimitReader(r.r, int64(n))) // grows with what is there, not with what is said
		if r.all = grown; err != nil || uint32(len(grown)) != n {
			r.Fail("a frame ends early")
			return
		}
	} else if _, err := io.ReadFull(r.r, r.all[:n]); err != nil {
		r.Fail("a frame ends early: %v", err)
		return
	}
	r.all = r.all[:n]
	if crc32.Update(crc32.Checksum(head[:4], r.sum), r.sum, r.all) != binary.LittleEndian.Uint32(head[4:]) {
		r.Fail("a checksum is wrong")
		return
	}
	r.buf = r.all
}

// more makes sure that something is left to read.
func (r *Reader) more() bool {
	if r.err == nil && len(r.buf) == 0 {
		if r.frame(); r.err == nil && len(r.buf) == 0 {
			r.Fail("reads past the end")
		}
	}
	return r.err == nil
}

// Uint reads a number.
func (r *Reader) Uint() uint64 {
	if !r.more() {
		return 0
	}
	n, size := binary.Uvarint(r.buf)
	if size <= 0 {
		r.Fail("no number")
		return 0
	}
	r.buf = r.buf[size:]
	return n
}

// Int reads a number with a sign.
func (r *Reader) Int() int64 {
	if !r.more() {
		return 0
	}
	n, size := binary.Varint(r.buf)
	if size <= 0 {
		r.Fail("no number")
		return 0
	}
	r.buf = r.buf[size:]
	return n
}

// Bool reads a truth.
func (r *Reader) Bool() bool {
	n := r.Uint()
	if n > 1 {
		r.Fail("no truth")
	}
	return n == 1
}

func (r *Reader) has(n uint64) bool {
	if uint64(len(r.buf)) < n {
		r.Fail("a value ends early")
		return false
	}
	return true
}

// Bytes reads bytes. They are good until the next call.
func (r *Reader) Bytes() []byte {
	n := r.Uint()
	if r.err != nil || !r.has(n) {
		return nil
	}
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	return b
}

// Text reads a string.
func (r *Reader) Text() string { return string(r.Bytes()) }

// Time reads an instant.
func (r *Reader) Time() time.Time {
	if r.Bool() {
		return time.Time{}
	}
	sec, nano, offset := r.Int(), r.Uint(), r.Int()
	if nano >= 1e9 || offset < -26*3600 || offset > 26*3600 {
		r.Fail("no instant")
	}
	if r.err != nil {
		return time.Time{}
	}
	t := time.Unix(sec, int64(nano)).UTC()
	if offset != 0 {
		t = t.In(time.FixedZone("", int(offset)))
	}
	return t
}

// Count reads a number of things of which there cannot be more than most.
func (r *Reader) Count(most int) int {
	n := r.Uint()
	if most < 0 || n > uint64(most) {
		r.Fail("%d where at most %d are possible", n, most)
		return 0
	}
	return int(n)
}
