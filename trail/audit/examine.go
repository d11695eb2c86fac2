package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"

	"github.com/transparency-dev/tessera/api/layout"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// examination looks at one pack frame by frame, knowing what the log has.
type examination struct {
	*audit
	pack   packFile
	pieces []pack.Piece
	of     map[int64][]int // pieces by segment
	used   []bool          // by piece: accounted for
	at     int             // the piece that was accounted for last
}

// suspects adds to the doubtful packs those that do not hold what the log has. A
// segment belongs to the last pack whose name is not behind it.
func (a *audit) suspects() {
	for i, p := range a.packs {
		if text, ok := a.record(p.Segment); ok && p.headed {
			if r, err := seal.ParseRecord(text); err == nil && r.First != p.first {
				a.file(Header, p.where(), 0, "names another first entry")
			}
		}
		lo, hi := a.span(i)
		if p.elsewhere {
			continue // it cannot be looked at
		}
		if p.records != nil {
			a.doubt[i] = !a.again(p, lo, hi)
			continue
		}
		for s := lo; s < hi && !a.doubt[i]; s++ {
			a.doubt[i] = s >= int64(len(a.packed)) || a.packed[s] != a.want[s]
		}
	}
}

// span is the segments that the i-th pack has to hold.
func (a *audit) span(i int) (lo, hi int64) {
	hi = int64(len(a.want))
	if i > 0 {
		lo = a.packs[i].Segment
	}
	if i+1 < len(a.packs) {
		hi = min(hi, a.packs[i+1].Segment)
	}
	return lo, hi
}

// examine finds out what is wrong in the segments from lo to hi of a pack.
func (a *audit) examine(ctx context.Context, p packFile, lo, hi int64, last bool) {
	x := examination{audit: a, pack: p, at: -1}
	before := len(a.report.Problems)
	size := p.size
	if image, err := a.image(ctx, &p); err == nil {
		if p.Form == pack.Here {
			image = image[:min(int64(len(image)), size)] // it may have grown meanwhile
		}
		x.pieces = pack.ScanAs(image, p.Form.Entries())
	}
	x.used, x.of = make([]bool, len(x.pieces)), map[int64][]int{}
	for i, p := range x.pieces {
		if p.Err == nil {
			x.of[p.Header.Segment] = append(x.of[p.Header.Segment], i)
		}
	}
	for s := lo; s < hi; s++ {
		x.segment(s)
	}
	x.rest(hi, last)
	// Doubt was raised: never let it pass without a word.
	if len(a.report.Problems) == before && !slices.ContainsFunc(a.report.Problems, func(q Problem) bool { return q.File == p.where() }) {
		a.file(Order, p.where(), -1, "not as the trail writes it")
	}
}

func (x *examination) say(w What, segment, first, last int64, piece int, detail string) {
	off := int64(-1)
	if piece >= 0 && piece < len(x.pieces) {
		off = x.pieces[piece].Off
	}
	x.find(Problem{What: w, Segment: segment, FirstSeq: first, LastSeq: last, File: x.pack.where(), Offset: off, Detail: detail})
}

// segment checks one segment against its record in the log.
func (x *examination) segment(s int64) {
	var frames, seals []int
	for _, i := range x.of[s] {
		switch {
		case x.used[i]:
		case x.pieces[i].Header.Type == pack.Seal:
			seals = append(seals, i)
		default:
			frames = append(frames, i)
		}
	}
	text, known := x.text(s, seals)
	r, err := seal.ParseRecord(text)
	if !known || err != nil {
		first, last := x.between(s, frames)
		x.say(Record, s, first, last, x.use(append(frames, seals...)), "no record of this segment can be trusted")
		return
	}
	if len(frames)+len(seals) == 0 && !x.gap() {
		x.say(Missing, s, orNone(r.First, r.Count), orNone(r.First+r.Count-1, r.Count), -1, "")
		return
	}
	if rows := x.table(r, frames, seals); rows != nil {
		x.frames(s, rows, frames)
	} else {
		x.loose(r, frames)
	}
	x.seal(s, text, seals)
}

// loose names the entries of a segment whose frame table is lost. No frame can be
// proved alone; where all are there, some of them are not what was sealed.
func (x *examination) loose(r seal.Record, frames []int) {
	slices.SortFunc(frames, func(i, j int) int { return int(x.pieces[i].Header.First - x.pieces[j].Header.First) })
	next, end, at, count := r.First, r.First+r.Count, x.at+1, int64(0)
	var whole []int
	for _, i := range frames {
		h := x.pieces[i].Header
		if h.First < next || h.First+int64(h.Count) > end {
			continue // left for rest
		}
		x.hole(r.Segment, next, h.First)
		next = h.First + int64(h.Count)
		x.use([]int{i})
		if _, _, err := x.checker.Row(x.pieces[i]); err != nil {
			x.say(Damaged, r.Segment, h.First, next-1, i, err.Error())
		} else {
			whole, count = append(whole, i), count+int64(h.Count)
		}
	}
	x.hole(r.Segment, next, end)
	if len(whole) == len(frames) && next == end && count == r.Count {
		x.say(Altered, r.Segment, orNone(r.First, r.Count), orNone(end-1, r.Count), at, "the frame table is lost")
		return
	}
	for _, i := range whole {
		h := x.pieces[i].Header
		x.say(Unproved, r.Segment, h.First, h.First+int64(h.Count)-1, i, "the frame table is lost, and others of the segment")
	}
}

// hole names entries for which there is no frame.
func (x *examination) hole(s, from, to int64) {
	if from >= to {
		return
	}
	if x.gap() {
		x.used[x.at+1] = true
		x.say(Damaged, s, from, to-1, x.at+1, x.pieces[x.at+1].Err.Error())
		return
	}
	x.say(Missing, s, from, to-1, -1, "")
}

// orNone is -1 for the entries of an empty segment.
func orNone(seq, count int64) int64 {
	if count == 0 {
		return -1
	}
	return seq
}

// record is the text that the log has of a segment, out of its bundle.
func (a *audit) record(s int64) ([]byte, bool) {
	if s < 0 || s >= int64(len(a.want)) {
		return nil, false
	}
	if a.bundle == nil || a.bundled != s/width {
		a.bundle, a.bundled = a.log.Records(s/width), s/width
	}
	if rs := a.bundle; s%width < int64(len(rs)) && seal.Leaf(rs[s%width]) == a.want[s] {
		return rs[s%width], true
	}
	return nil, false
}

// text is the same, out of the bundle or one of the seals.
func (x *examination) text(s int64, seals []int) ([]byte, bool) {
	if text, ok := x.record(s); ok {
		return text, true
	}
	for _, i := range seals {
		raw, err := x.checker.Codec.Payload(x.pieces[i].Header, x.pieces[i].Stored)
		if err != nil {
			continue
		}
		if text, _, err := x.pieces[i].Header.Split(raw); err == nil && seal.Leaf(text) == x.want[s] {
			return text, true
		}
	}
	return nil, false
}

// between guesses the entries of a segment without a record from its neighbours.
func (x *examination) between(s int64, frames []int) (first, last int64) {
	first, last = -1, -1
	for _, n := range []int64{s - 1, s + 1} {
		text, ok := x.record(n)
		r, err := seal.ParseRecord(text)
		if ok && err == nil && n < s {
			first = r.First + r.Count
		} else if ok && err == nil {
			last = r.First - 1
		}
	}
	for _, i := range frames {
		h := x.pieces[i].Header
		if first < 0 {
			first = h.First
		}
		last = max(last, h.First+int64(h.Count)-1)
	}
	return first, last
}

// table is the frame table that the record commits to: as it stands behind the
// record, or as the frames themselves make it. nil: neither.
func (x *examination) table(r seal.Record, frames, seals []int) []seal.Row {
	for _, i := range seals {
		raw, err := x.checker.Codec.Payload(x.pieces[i].Header, x.pieces[i].Stored)
		if err != nil {
			continue
		}
		if text, rows, err := x.pieces[i].Header.Split(raw); err == nil && sha256.Sum256(raw[len(text):]) == r.Frames {
			return rows
		}
	}
	rows := []seal.Row{}
	for _, i := range frames {
		row, _, err := x.checker.Row(x.pieces[i])
		if err != nil {
			return nil
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b seal.Row) int { return int(a.First - b.First) })
	if sha256.Sum256(seal.Table(rows)) != r.Frames {
		return nil
	}
	return rows
}

// frames finds the frame of each row.
func (x *examination) frames(s int64, rows []seal.Row, frames []int) {
	for _, row := range rows {
		first, last := row.First, row.First+int64(row.Count)-1
		like := -1
		exact := slices.IndexFunc(frames, func(i int) bool {
			got, _, err := x.checker.Row(x.pieces[i])
			if like < 0 && !x.used[i] && x.pieces[i].Header.First == row.First {
				like = i
			}
			return err == nil && got == row && !x.used[i]
		})
		switch {
		case exact >= 0 && frames[exact] > x.at:
			x.use(frames[exact : exact+1])
		case exact >= 0:
			x.used[frames[exact]] = true
			x.say(Order, s, first, last, frames[exact], "stands behind what came later")
		case like >= 0:
			w, detail := Altered, "is not what was sealed"
			if _, _, err := x.checker.Row(x.pieces[like]); err != nil {
				w, detail = Damaged, err.Error()
			}
			x.use([]int{like})
			x.say(w, s, first, last, like, detail)
		default:
			x.hole(s, first, last+1)
		}
	}
}

// gap reports whether bytes that are no frame follow what was accounted for last.
func (x *examination) gap() bool { return x.at+1 < len(x.pieces) && x.pieces[x.at+1].Err != nil }

// use accounts for pieces and returns the first of them, or -1.
func (x *examination) use(pieces []int) int {
	for _, i := range pieces {
		x.used[i] = true
		x.at = max(x.at, i)
	}
	if len(pieces) == 0 {
		return -1
	}
	return slices.Min(pieces)
}

// seal finds the seal of a segment. No entry is touched when it is bad.
func (x *examination) seal(s int64, text []byte, seals []int) {
	for _, i := range seals {
		if _, got, _, err := x.checker.Seal(x.pieces[i]); err == nil && bytes.Equal(got, text) {
			x.use([]int{i})
			return
		}
	}
	at := x.use(seals)
	if at < 0 && x.gap() {
		at = x.at + 1
		x.used[at] = true
		x.at = at
	}
	x.say(Record, s, -1, -1, at, "the entries are whole")
}

// rest names the pieces that belong to no segment. Behind the last seal of the
// last pack there may be entries that are not sealed yet.
func (x *examination) rest(end int64, last bool) {
	next, run := int64(-1), -1
	for i, p := range x.pieces {
		tail := last && i > x.at && run < 0
		switch {
		case x.used[i]:
			run = -1
		case tail && p.Err == nil && p.Header.Type == pack.Entries && p.Header.Segment == end && (next < 0 || p.Header.First == next):
			next = p.Header.First + int64(p.Header.Count)
			if _, _, err := x.checker.Row(p); err != nil {
				x.say(Damaged, -1, p.Header.First, next-1, i, err.Error())
			}
		case tail && p.Err != nil && i == len(x.pieces)-1:
			if !x.live { // else it is being written
				x.say(Torn, -1, -1, -1, i, "a write cut short, or damage to entries that are not sealed")
			}
		case tail && p.Err != nil && next >= 0 && x.pieces[i+1].Header.First > next:
			x.say(Damaged, -1, next, x.pieces[i+1].Header.First-1, i, p.Err.Error())
			next = x.pieces[i+1].Header.First
		case run < 0:
			run = i
			x.say(Extra, -1, -1, -1, i, "frames or bytes that belong to no segment from here on")
		}
	}
}

// chain checks that the records the log has follow one another, and counts.
func (a *audit) chain() {
	var before seal.Record
	known := false
	for s := range a.want {
		text, ok := a.record(int64(s))
		if !ok {
			known = false
			continue
		}
		r, err := seal.ParseRecord(text)
		switch {
		case err != nil || r.Segment != int64(s) || r.Origin != a.verifier.Name():
			a.find(Problem{What: Record, Segment: int64(s), FirstSeq: -1, LastSeq: -1, File: "log/" + layout.EntriesPath(uint64(s/width), 0), Offset: -1, Detail: "not a record of this segment"})
			known = false
			continue
		case known && (r.Prev != a.want[s-1] || r.First != before.First+before.Count):
			a.find(Problem{
				What: Altered, Segment: before.Segment, FirstSeq: orNone(before.First, before.Count), LastSeq: orNone(before.First+before.Count-1, before.Count),
				File: "log/" + layout.EntriesPath(uint64(s/width), 0), Offset: -1, Detail: "the next segment names another record",
			})
		}
		if int64(s) < a.report.Checkpoint.Size {
			a.report.Entries = max(a.report.Entries, r.First+r.Count)
		}
		if c := a.report.Checkpoint; c.Origin == "" || int64(s) < c.Size {
			a.states(r)
		}
		before, known = r, true
	}
}
