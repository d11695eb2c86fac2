package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"runtime"

	"golang.org/x/sync/errgroup"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// errDoubt says that something is not simply as it should be. Which entries that
// touches is found out later, when it is known what the log has.
var errDoubt = errors.New("to be examined")

// readPacks checks each segment in the packs against its own record. Whether that
// is the record in the log is not known yet.
func (a *audit) readPacks(ctx context.Context, progress func(done, total int64)) error {
	var done, total int64
	for _, p := range a.packs {
		total += p.size
	}
	r := reading{audit: a}
	for i, p := range a.packs {
		progress(done, total)
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.segment > max(a.report.Checkpoint.Size, int64(len(a.packed)))+maxGap {
			a.file(Extra, p.path(), -1, "is far behind the end of the trail")
			a.packs = a.packs[:i]
			break
		}
		r.pack, r.index, r.last = p, i, i == len(a.packs)-1
		if err := r.read(); err != nil {
			a.doubt[i] = true
		}
		done += p.size
	}
	progress(total, total)
	a.want = make([]seal.Hash, max(int64(len(a.packed)), a.report.Checkpoint.Size))
	return nil
}

// maxGap is how many segments may be missing before a pack when no checkpoint
// says how many there are. It bounds memory, not what is found.
const maxGap = 1 << 20

// reading goes through the packs in order.
type reading struct {
	*audit
	pack    packFile
	index   int
	last    bool
	segment int64 // the one that comes next
	first   int64 // its first entry
}

// group is the frames of one segment, with its seal at the end.
type group struct {
	frames         []pack.Piece
	segment, first int64
	leaf           seal.Hash // of its record, when all fits
}

func (r *reading) read() error {
	image, err := r.audit.read(r.pack.path(), maxPack)
	if err != nil {
		r.file(Unreadable, r.pack.path(), -1, err.Error())
		return errDoubt
	}
	r.packs[r.index].size = int64(len(image))
	ps := pack.Scan(image)
	segment, first, err := pack.ParsePackHeader(image, r.verifier.Name())
	if err != nil || segment != r.pack.segment {
		r.file(Header, r.pack.path(), 0, "not the head of this pack")
	} else {
		if segment < r.segment {
			r.doubt[r.index-1] = true // the pack before goes on into this one
		}
		r.segment, r.first = segment, first
		r.packs[r.index].headed, r.packs[r.index].first = true, first
	}
	groups, tail, doubt := r.groups(ps)
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range groups {
		g.Go(func() (err error) { groups[i].leaf, err = r.own(groups[i]); return err })
	}
	err = errors.Join(doubt, g.Wait(), r.unsealed(tail))
	for _, g := range groups {
		for int64(len(r.packed)) <= g.segment {
			r.packed = append(r.packed, seal.Hash{})
		}
		r.packed[g.segment] = g.leaf
		r.end = g.frames[len(g.frames)-1].Header.First
		if g.segment < r.report.Checkpoint.Size {
			r.report.Entries = r.end
		}
	}
	return err
}

// groups puts the pieces of a pack together to segments and leaves out those that
// are not whole. The tail is what stands behind the last seal.
func (r *reading) groups(ps []pack.Piece) (groups []group, tail []pack.Piece, doubt error) {
	start, whole := 0, true
	most := r.pack.segment + int64(len(ps))
	for i, p := range ps {
		if p.Err != nil {
			whole = false // in the tail, it is for unsealed
			continue
		}
		if p.Header.Type != pack.Seal {
			continue
		}
		if p.Header.Segment != r.segment || p.Header.Segment >= most {
			whole = false
		}
		if !whole {
			doubt = errDoubt
		} else {
			groups = append(groups, group{frames: ps[start : i+1], segment: r.segment, first: r.first})
		}
		if p.Header.Segment >= r.pack.segment && p.Header.Segment < most {
			r.segment, r.first = p.Header.Segment+1, p.Header.First
		}
		start, whole = i+1, true
	}
	return groups, ps[start:], doubt
}

// own checks a segment against its own record and returns the hash of that.
func (a *audit) own(g group) (seal.Hash, error) {
	n := len(g.frames) - 1
	s, text, rows, err := a.sealOf(g.frames[n])
	if err != nil {
		return seal.Hash{}, errDoubt
	}
	next, leaves := g.first, []seal.Hash(nil)
	for i, p := range g.frames[:n] {
		row, ls, err := a.row(p)
		if err != nil || i >= len(rows) || row != rows[i] || row.First != next || p.Header.Segment != g.segment {
			return seal.Hash{}, errDoubt
		}
		next += int64(row.Count)
		leaves = append(leaves, ls...)
	}
	if s.Segment != g.segment || s.First != g.first || s.Count != int64(len(leaves)) || len(rows) != n || s.Root != seal.Root(leaves) {
		return seal.Hash{}, errDoubt
	}
	return seal.Leaf(text), nil
}

// sealOf reads a seal and checks that all of it is bound by its record.
func (a *audit) sealOf(p pack.Piece) (r seal.Record, text []byte, rows []seal.Row, err error) {
	raw, err := a.codec.Payload(p.Header, p.Stored)
	if err != nil {
		return r, nil, nil, err
	}
	if text, rows, err = p.Header.Split(raw); err != nil {
		return r, nil, nil, err
	}
	if r, err = seal.ParseRecord(text); err != nil {
		return r, nil, nil, err
	}
	want := p.Header
	want.Segment, want.First, want.Arrived, want.Wall = r.Segment, r.First+r.Count, r.To.UnixNano(), 0
	if p.Header != want || sha256.Sum256(raw[len(text):]) != r.Frames || r.Origin != a.verifier.Name() {
		return r, nil, nil, errDoubt
	}
	return r, text, rows, nil
}

// row reads a frame of entries and makes its row and its leaf hashes.
func (a *audit) row(p pack.Piece) (seal.Row, []seal.Hash, error) {
	raw, err := a.codec.Payload(p.Header, p.Stored)
	if err != nil {
		return seal.Row{}, nil, err
	}
	lines, err := p.Header.Lines(raw)
	if err != nil {
		return seal.Row{}, nil, err
	}
	leaves := make([]seal.Hash, len(lines))
	for i, line := range lines {
		leaves[i] = seal.Leaf(line)
	}
	return p.Header.Row(leaves), leaves, nil
}

// unsealed counts what stands behind the last seal of the last pack. Nothing but
// its sums can be checked.
func (r *reading) unsealed(tail []pack.Piece) error {
	if len(tail) > 0 && !r.last {
		return errDoubt
	}
	next, n := r.first, int64(0)
	for i, p := range tail {
		if p.Err != nil && i == len(tail)-1 && r.live {
			break // it is being written
		}
		if p.Err != nil || p.Header.Type != pack.Entries || p.Header.Segment != r.segment || p.Header.First != next {
			return errDoubt
		}
		if _, _, err := r.row(p); err != nil {
			return errDoubt
		}
		next += int64(p.Header.Count)
		n += int64(p.Header.Count)
	}
	r.report.Unsealed = n
	return nil
}
