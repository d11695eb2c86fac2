package trail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
	"unicode/utf8"

	"kakusho/trail/pack"
)

// Line is one line on disk: an entry, or what AppendLines took. The trail sees
// bytes in it and nothing else.
type Line struct {
	Seq     int64     // place in the trail, from 0, without gaps
	Arrived time.Time // when the trail took it; never goes back, whatever the clock does
	Segment int64     // the segment it is in
	Bytes   []byte    // without the newline; shares memory with its neighbours
}

// AppendLines is Append for lines that are already encoded: what is given is what
// is hashed, stored and proved. A line has 1 to MaxEntry bytes of UTF-8 and no
// newline. The slices are not kept. Whoever wants a hash to tell nothing of its
// line puts something random into each.
func (l *Log) AppendLines(ctx context.Context, lines [][]byte) (first int64, err error) {
	if err = checkLines(lines); err == nil {
		first, err = l.writer.Append(ctx, lines)
	}
	if err != nil {
		return 0, fmt.Errorf("append lines: %w", err)
	}
	return first, nil
}

func checkLines(lines [][]byte) error {
	if n := len(lines); n == 0 || n > MaxBatch {
		return fmt.Errorf("%w: %d at once, want 1 to %d", ErrEntry, n, MaxBatch)
	}
	size := 0
	for i, line := range lines {
		switch {
		case len(line) == 0 || len(line) > MaxEntry:
			return fmt.Errorf("%w: line %d of %d: %d bytes, want 1 to %d", ErrEntry, i+1, len(lines), len(line), MaxEntry)
		case bytes.IndexByte(line, '\n') >= 0:
			return fmt.Errorf("%w: line %d of %d: has a newline", ErrEntry, i+1, len(lines))
		case !utf8.Valid(line):
			return fmt.Errorf("%w: line %d of %d: not UTF-8", ErrEntry, i+1, len(lines))
		}
		if size += len(line) + 1; size > MaxAppend {
			return fmt.Errorf("%w: more than %d bytes at once", ErrEntry, MaxAppend)
		}
	}
	return nil
}

// GetLine returns one line.
func (l *Log) GetLine(seq int64) (Line, error) { return getLine(l.set, seq, l.Len()) }

// Lines yields the lines on disk, in order, from a number up to what was there
// when it began; sealed or not. An error ends it. Lines that were retired are left
// out: the next number then is Kept.
func (l *Log) Lines(ctx context.Context, from int64) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) { readLines(ctx, l.set, from, l.Len(), yield) }
}

// GetLine returns one line.
func (r *Reader) GetLine(seq int64) (Line, error) { return getLine(r.set, seq, r.len) }

// Lines yields the lines in order, from a number on. An error ends it.
func (r *Reader) Lines(ctx context.Context, from int64) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) { readLines(ctx, r.set, from, r.len, yield) }
}

func getLine(set *pack.Set, seq, end int64) (Line, error) {
	if seq < 0 || seq >= end {
		return Line{}, fmt.Errorf("no entry %d: there are %d", seq, end)
	}
	r, lines, err := frame(set, seq)
	if err != nil {
		return Line{}, fmt.Errorf("read entry %d: %w", seq, err)
	}
	return lineOf(r, lines, seq), nil
}

func readLines(ctx context.Context, set *pack.Set, from, end int64, yield func(Line, error) bool) {
	for seq := max(from, 0); seq < end; {
		r, lines, err := frame(set, seq)
		if errors.Is(err, pack.ErrRetired) {
			if seq = set.Kept(seq); seq < end {
				continue
			}
			return
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			yield(Line{}, fmt.Errorf("read entry %d: %w", seq, err))
			return
		}
		for ; seq < min(end, r.First+int64(len(lines))); seq++ {
			if !yield(lineOf(r, lines, seq), nil) {
				return
			}
		}
	}
}

// frame is the frame that holds an entry, and its lines.
func frame(set *pack.Set, seq int64) (pack.Ref, [][]byte, error) {
	r, err := set.Find(seq)
	if err != nil {
		return pack.Ref{}, nil, err
	}
	raw, err := set.Read(r)
	if err != nil {
		return pack.Ref{}, nil, err
	}
	lines, err := r.Lines(raw)
	return r, lines, err
}

func lineOf(r pack.Ref, lines [][]byte, seq int64) Line {
	b := lines[seq-r.First]
	return Line{Seq: seq, Arrived: time.Unix(0, r.Arrived).UTC(), Segment: r.Segment, Bytes: b[:len(b):len(b)]}
}
