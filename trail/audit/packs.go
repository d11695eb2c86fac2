package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"kakusho/trail/audit/resume"
	"kakusho/trail/audit/sound"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// packFile is a pack by the name of its file: what it really holds is what is checked.
type packFile struct {
	pack.FileName
	size      int64
	headed    bool      // its head is sound, or its note
	first     int64     // the first entry, as that says
	away      seal.Away // of a pack in the archive
	elsewhere bool      // it cannot be looked at: no archive is given
	records   []byte    // of one that was looked at before: digest of the leaf hashes of its records
	next      int64     // then: the segment after the last
}

func (p packFile) path() string { return "pack/" + p.Name }

// list finds the packs. Of one that is about to leave there are two files; the later form counts.
func (a *audit) list() {
	entries, err := os.ReadDir(filepath.Join(a.dir, "pack"))
	if err != nil {
		a.file(Unreadable, "pack", -1, err.Error())
	}
	for _, e := range entries {
		n, ok := pack.ParseFile(e.Name())
		st, err := e.Info()
		if a.live && errors.Is(err, os.ErrNotExist) { // moved meanwhile; what it became may be missing as well
			a.packs = nil
			a.list()
			return
		}
		if _, half := pack.ParseFile(strings.TrimSuffix(e.Name(), ".new")); half && strings.HasSuffix(e.Name(), ".new") {
			a.half(n.Name, "was being written")
			continue
		}
		if !ok || err != nil {
			a.file(Extra, "pack/"+e.Name(), -1, "is not a pack")
			continue
		}
		a.packs = append(a.packs, packFile{FileName: n, size: st.Size()})
	}
	slices.SortStableFunc(a.packs, func(x, y packFile) int { return pack.Compare(x.FileName, y.FileName) })
	for i := 0; i+1 < len(a.packs); {
		if x, y := a.packs[i], a.packs[i+1]; x.Segment != y.Segment {
			i++
			continue
		} else if x.Form == y.Form {
			a.file(Extra, x.path(), -1, "there is another of this pack")
		} else {
			a.half(x.Name, "is still here beside "+y.Name)
		}
		a.packs = slices.Delete(a.packs, i, i+1)
	}
	// The last may have been made a moment ago, or when the power went.
	if n := len(a.packs); n > 0 && a.packs[n-1].Form == pack.Here && a.packs[n-1].size < pack.HeaderSize {
		if !a.live {
			a.file(Torn, a.packs[n-1].path(), 0, "has no head")
		}
		a.packs = a.packs[:n-1]
	}
}

// half is a file of something that was not finished. Opening the trail finishes it.
func (a *audit) half(name, detail string) {
	if !a.live {
		a.file(Torn, "pack/"+name, -1, detail+": archiving or retiring a pack was cut short; the next open finishes it")
	}
}

// looked is what one pack came to.
type looked struct {
	packFile
	result sound.Result
	done   *resume.Done
	err    error
}

// readPacks checks each segment in the packs against its own record. Whether that is
// the record in the log is not known yet. Packs are looked at side by side, and put
// together in order.
func (a *audit) readPacks(ctx context.Context, o Options) error {
	var done, total int64
	for i := range a.packs {
		p := &a.packs[i]
		if p.Form == pack.Away {
			a.note(p)
		}
		total += p.size
	}
	o.Progress(0, total)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	m := merging{audit: a}
	for i, result := range a.lookAll(ctx, &wg, o.Parallel) {
		l := <-result
		if err := ctx.Err(); err != nil {
			return err
		}
		if a.packs[i].Segment > max(a.report.Checkpoint.Size, int64(len(a.packed)))+maxGap {
			a.file(Extra, a.packs[i].path(), -1, "is far behind the end of the trail")
			a.packs = a.packs[:i]
			break
		}
		if err := m.add(i, l); err != nil {
			return err
		}
		done += l.size
		o.Progress(done, total)
	}
	a.want = make([]seal.Hash, max(int64(len(a.packed)), a.report.Checkpoint.Size))
	return nil
}

// lookAll looks at so many packs at a time, and sends what each came to.
func (a *audit) lookAll(ctx context.Context, wg *sync.WaitGroup, parallel int) []chan looked {
	packs, out := slices.Clone(a.packs), make([]chan looked, len(a.packs))
	for i := range out {
		out[i] = make(chan looked, 1)
	}
	next := make(chan int)
	for range parallel {
		wg.Go(func() {
			for i := range next {
				out[i] <- a.look(ctx, packs[i], i == len(packs)-1)
			}
		})
	}
	wg.Go(func() {
		defer close(next)
		for i := range packs {
			select {
			case next <- i:
			case <-ctx.Done():
				out[i] <- looked{}
			}
		}
	})
	return out
}

// maxGap is how many segments may be missing before a pack when no checkpoint
// says how many there are. It bounds memory, not what is found.
const maxGap = 1 << 20

// look reads a pack, wherever it is, and looks at it by itself.
func (a *audit) look(ctx context.Context, p packFile, last bool) (l looked) {
	l.packFile = p
	if p.elsewhere {
		return l
	}
	if p.Form == pack.Away {
		if d, ok := a.resume.Same(p.Name, p.away.Digest); ok {
			l.done, l.records, l.next = &d, d.Records, d.Next
			return l
		}
	}
	image, err := a.image(ctx, &l.packFile)
	if err != nil {
		l.err = err
		return l
	}
	digest := sha256.Sum256(image)
	if d, ok := a.resume.Lookup(p.Name, digest); ok && !last {
		l.headed, l.first = true, d.First
		l.done, l.records, l.next = &d, d.Records, d.Next
		return l
	}
	l.result = a.checker.Look(image, sound.File{Form: l.Form, Segment: p.Segment, Last: last, Live: a.live})
	l.result.Doubt = l.result.Doubt || l.Form == pack.Away && l.headed && digest != l.away.Digest
	if l.result.Headed && l.Form != pack.Away {
		l.headed, l.first = true, l.result.First
	}
	if r := l.result; r.Headed && !r.Doubt && !last && len(r.Segments) > 0 {
		sum := sha256.New()
		for _, s := range r.Segments {
			sum.Write(s.Leaf[:])
		}
		l.done = &resume.Done{File: l.Name, Digest: digest[:], Segment: p.Segment, Next: r.NextSegment, First: r.First, End: r.Segments[len(r.Segments)-1].End, Records: sum.Sum(nil)}
	}
	return l
}

// image is the bytes of a pack. While somebody writes, it may take another form.
func (a *audit) image(ctx context.Context, p *packFile) ([]byte, error) {
	var b []byte
	var err error
	if p.Form == pack.Away {
		b, err = a.notes.Fetch(ctx, p.Segment, maxPack)
	} else {
		b, err = a.read(p.path(), maxPack)
	}
	if errors.Is(err, fs.ErrNotExist) && a.moved(p) {
		if p.elsewhere {
			return nil, nil
		}
		return a.image(ctx, p)
	}
	if err == nil && p.Form != pack.Away {
		p.size = int64(len(b))
	}
	return b, err
}

// merging puts what was seen together, in order.
type merging struct {
	*audit
	segment int64 // the one that comes next
}

func (m *merging) add(i int, l looked) error {
	m.packs[i] = l.packFile
	switch {
	case l.elsewhere:
		m.segment = l.away.Segment + l.away.Segments
		return nil
	case l.err != nil:
		m.doubt[i] = true
		if l.Form != pack.Away || !errors.Is(l.err, fs.ErrNotExist) { // else its entries are missing
			m.file(Unreadable, l.where(), -1, l.err.Error())
		}
		return nil
	case l.records != nil:
		m.segment, m.end = l.done.Next, l.done.End
		return m.resume.Add(*l.done)
	}
	r := l.result
	if !r.Headed {
		m.file(Header, l.where(), 0, "not the head of this pack")
	} else if l.Segment < m.segment && i > 0 {
		m.doubt[i-1] = true // the pack before goes on into this one
	}
	for _, s := range r.Segments {
		for int64(len(m.packed)) <= s.Number {
			m.packed = append(m.packed, seal.Hash{})
		}
		m.packed[s.Number] = s.Leaf
		if m.end = s.End; s.Number < m.report.Checkpoint.Size {
			m.report.Entries = m.end
		}
	}
	m.segment = r.NextSegment
	if i == len(m.packs)-1 {
		m.report.Unsealed = r.Unsealed
	}
	if r.Doubt {
		m.doubt[i] = true
		return nil
	}
	if l.done == nil {
		return nil
	}
	return m.resume.Add(*l.done)
}
