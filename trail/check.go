package trail

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// Checked reads a line again as a stranger would: the hashes of all lines of its
// frame are worked out anew and compared with the frame table of the segment, the
// table with the segment's record, and the record with the leaf of the log. sealed
// is false for a line too young to have been sealed. What does not agree is
// ErrDamage, and the line is not returned. ErrRetired: only its hash is kept.
func (l *Log) Checked(ctx context.Context, seq int64) (line Line, sealed bool, err error) {
	if seq < 0 || seq >= l.Len() {
		return Line{}, false, fmt.Errorf("no entry %d: there are %d", seq, l.Len())
	}
	refs, err := l.set.Segment(seq)
	if err == nil {
		line, sealed, err = l.checked(ctx, refs, seq)
	}
	if err != nil {
		return Line{}, false, fmt.Errorf("check entry %d: %w", seq, damage(err))
	}
	return line, sealed, nil
}

func (l *Log) checked(ctx context.Context, refs []pack.Ref, seq int64) (Line, bool, error) {
	at := 0
	for i, r := range refs {
		if r.Type != pack.Seal && r.First <= seq {
			at = i
		}
	}
	r := refs[at]
	if r.Type == pack.Hashes {
		return Line{}, false, pack.ErrRetired
	}
	raw, err := l.set.Read(r)
	if err != nil {
		return Line{}, false, err
	}
	lines, err := r.Lines(raw)
	if err != nil {
		return Line{}, false, fmt.Errorf("%w: %w", ErrDamage, err)
	}
	line := Line{Seq: seq, Arrived: time.Unix(0, r.Arrived).UTC(), Segment: r.Segment, Bytes: lines[seq-r.First]}
	last := refs[len(refs)-1]
	if last.Type != pack.Seal {
		return line, false, nil
	}
	leaves := make([]seal.Hash, len(lines))
	for i, b := range lines {
		leaves[i] = seal.Leaf(b)
	}
	return line, true, l.committed(ctx, last, at, r.Row(leaves))
}

// committed reports whether a segment's seal and the log say of a frame what was
// worked out from its lines.
func (l *Log) committed(ctx context.Context, s pack.Ref, at int, row seal.Row) error {
	raw, err := l.set.Read(s)
	if err != nil {
		return err
	}
	text, rows, err := s.Split(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamage, err)
	}
	if at >= len(rows) || rows[at] != row {
		return fmt.Errorf("%w: segment %d: a frame is not what was sealed", ErrDamage, s.Segment)
	}
	record, err := seal.ParseRecord(text)
	if err != nil {
		return fmt.Errorf("%w: segment %d: %w", ErrDamage, s.Segment, err)
	}
	if record.Frames != sha256.Sum256(seal.Table(rows)) {
		return fmt.Errorf("%w: segment %d: the frame table is not what was sealed", ErrDamage, s.Segment)
	}
	size, err := l.tree.Size(ctx)
	if err != nil || s.Segment >= size {
		return err // sealed a moment ago: the log has it in the next
	}
	leaf, err := l.tree.Record(ctx, s.Segment, size)
	if err != nil {
		return err
	}
	if string(leaf) != string(text) {
		return fmt.Errorf("%w: segment %d is another in the log", ErrDamage, s.Segment)
	}
	return nil
}
