package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// Gone is packs whose bodies are not in the folder, and lawfully so.
type Gone struct {
	File         string    `json:"file"`
	FirstSegment int64     `json:"first_segment"`
	LastSegment  int64     `json:"last_segment"`
	FirstSeq     int64     `json:"first_seq"` // entries; -1: none
	LastSeq      int64     `json:"last_seq"`
	Digest       seal.Hash `json:"digest"`            // SHA-256 of the pack
	By           int64     `json:"by"`                // segment that retires it; -1: it is in the archive
	Why          string    `json:"why,omitempty"`     // as it says there
	Checked      bool      `json:"checked,omitempty"` // it was fetched, or its hashes were read, and it is sound
}

// where is the place that a problem names: a pack that was fetched is not a file here.
func (p packFile) where() string {
	if p.Form == pack.Away {
		return "archive/" + pack.Name(p.Segment)
	}
	return p.path()
}

// note reads what is said of a pack in the archive.
func (a *audit) note(p *packFile) {
	away, _, err := a.notes.Read(p.Segment)
	if errors.Is(err, fs.ErrNotExist) && a.moved(p) {
		return
	}
	if err != nil {
		a.file(Header, p.path(), -1, err.Error())
	}
	p.away, p.size, p.first, p.headed = away, away.Bytes, away.First, err == nil
	p.elsewhere = a.notes.Archive == nil
}

// moved reports whether a pack has taken a later form while we looked, and takes that.
func (a *audit) moved(p *packFile) (ok bool) {
	if !a.live {
		return false
	}
	if p.FileName, ok = p.Later(a.notes.Dir); ok && p.Form == pack.Away {
		a.note(p)
	}
	return ok
}

// keys are those whose notes are believed: the one that signs today, and those it
// followed with their word.
func (a *audit) keys() []note.Verifier {
	keys := []note.Verifier{a.verifier}
	for _, s := range a.chainOf {
		if v, err := seal.Verifier(s.Old); err == nil {
			keys = append(keys, v)
		}
	}
	return keys
}

// retirement is a statement in the log.
type retirement struct {
	seal.Retired
	by  int64
	why string
}

// states notes what a record retires.
func (a *audit) states(r seal.Record) {
	if r.Retirement == nil {
		return
	}
	for _, p := range r.Retirement.Packs {
		a.retired = append(a.retired, retirement{p, r.Segment, r.Retirement.Why})
	}
}

// grow takes in what has come under a newer checkpoint while a trail in use was looked
// at: that somebody writes is no reason to believe what nobody has signed.
func (a *audit) grow() {
	text, _ := a.read(checkpointFile, maxLog) // none is not signed
	c, err := seal.ParseCheckpoint(text, a.verifier)
	if err != nil || c.Size <= a.signed || a.signed > int64(len(a.want)) {
		return
	}
	leaves, records := slices.Clone(a.want[:a.signed]), a.log.Between(a.signed, c.Size)
	for _, text := range records {
		leaves = append(leaves, seal.Leaf(text))
	}
	if seal.Root(leaves) != c.Root {
		return
	}
	a.signed, a.leaves = c.Size, leaves
	for _, text := range records {
		if r, err := seal.ParseRecord(text); err == nil {
			a.states(r)
		}
	}
}

// gone accounts for the packs whose bodies are not here.
func (a *audit) gone() {
	if a.live && slices.ContainsFunc(a.packs, func(p packFile) bool { return p.Form == pack.Bare && p.Statement >= a.signed }) {
		a.grow()
	}
	for i, p := range a.packs {
		_, hi := a.span(i)
		lo := p.Segment // of the first pack, what is missing before it is not its own
		if p.Form == pack.Here || lo >= hi {
			continue
		}
		r, ok := a.retires(lo)
		if ok && p.Form == pack.Bare {
			hi = min(hi, r.LastSegment+1) // if there should be more, examine says so
		}
		g := Gone{File: p.path(), FirstSegment: lo, LastSegment: hi - 1, By: -1, Checked: !p.elsewhere && !a.doubt[i], Digest: p.away.Digest}
		first, _ := a.record(lo)
		last, _ := a.record(hi - 1)
		f, err1 := seal.ParseRecord(first)
		l, err2 := seal.ParseRecord(last)
		known := err1 == nil && err2 == nil
		g.FirstSeq, g.LastSeq = -1, -1
		if n := l.First + l.Count; known && n > f.First {
			g.FirstSeq, g.LastSeq = f.First, n-1
		}
		if p.Form == pack.Bare {
			a.bare(i, &g, r, ok)
		} else if known && p.headed && (p.away.Segments != hi-lo || p.away.First != f.First || p.away.First+p.away.Count != l.First+l.Count || !p.away.From.Equal(f.From) || !p.away.To.Equal(l.To)) {
			a.file(Header, p.path(), -1, "does not fit the segments in the log")
		}
		a.report.Gone = append(a.report.Gone, g)
	}
}

// retires finds the statement about the pack that begins with a segment.
func (a *audit) retires(first int64) (retirement, bool) {
	i := slices.IndexFunc(a.retired, func(r retirement) bool { return r.FirstSegment == first })
	if i < 0 {
		return retirement{}, false
	}
	return a.retired[i], true
}

// bare sees that a statement let the bodies of a pack go: of all the segments whose
// hashes are in the file.
func (a *audit) bare(i int, g *Gone, r retirement, ok bool) {
	p := a.packs[i]
	if ok {
		g.By, g.Why, g.Digest = r.by, r.why, r.Digest
	}
	if ok && p.Statement != r.by {
		a.file(Header, p.path(), -1, fmt.Sprintf("it is segment %d that retires it", r.by))
	}
	_, hi := a.span(i)
	from, to := g.FirstSegment, hi
	if ok && r.by > g.LastSegment {
		from = g.LastSegment + 1
		for to > from && !a.holds(p, to-1) {
			to--
		}
	}
	if from >= to {
		return
	}
	x, _ := a.record(from)
	y, _ := a.record(to - 1)
	f, _ := seal.ParseRecord(x) // one that cannot be read has no entries
	l, _ := seal.ParseRecord(y)
	n := l.First + l.Count - f.First
	a.find(Problem{
		What: Missing, Segment: from, FirstSeq: orNone(f.First, n), LastSeq: orNone(l.First+l.Count-1, n), File: p.path(), Offset: -1,
		Detail: "only hashes are left, and no segment retires the entries",
	})
}

// holds reports whether a file was found to hold a segment.
func (a *audit) holds(p packFile, s int64) bool {
	if p.records != nil {
		return s < p.next
	}
	return s < int64(len(a.packed)) && a.packed[s] != seal.Hash{}
}

// again reports whether a pack that was looked at in an earlier run is what the log
// has now.
func (a *audit) again(p packFile, lo, hi int64) bool {
	if p.Segment != lo || p.next != hi || hi > int64(len(a.want)) {
		return false
	}
	sum := sha256.New()
	for _, w := range a.want[lo:hi] {
		sum.Write(w[:])
	}
	return bytes.Equal(sum.Sum(nil), p.records)
}
