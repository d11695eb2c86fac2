package fleet

import (
	"reflect"
	"slices"
	"time"

	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/body"
	"kakusho/judge/fleet/program"
	"kakusho/judge/fleet/roll"
	"kakusho/rule/weigh"
)

// Put adds a subject, or replaces it. The fleet keeps its maps and slices: they
// must not be changed any more. Where only cells are others, it is as See.
func (f *Fleet) Put(s Subject) {
	b := f.body(s.Ref.Kind())
	old := b.Subject(s.Ref)
	if old != nil && f.settled && sameHead(old, &s) {
		f.changed = b.Replace(&s, f.changed[:0])
		f.touch(b, b.Names.Row(s.Ref, false))
		return
	}
	b.Put(&s)
	if old == nil || old.System != s.System {
		f.members = nil
	}
	f.settled, f.last = false, nil
}

// sameHead reports whether two subjects differ in cells only.
func sameHead(a, b *Subject) bool {
	return a.System == b.System && a.Scope == b.Scope && a.InServiceOn.Equal(b.InServiceOn) &&
		len(a.Decisions) == len(b.Decisions) && (len(a.Decisions) == 0 || reflect.DeepEqual(a.Decisions, b.Decisions))
}

// See takes over cells of a subject, as a rule reads them through s, that are
// now others. A subject that is not there stays so. The rules that read them are
// judged at once, as of the last instant judged.
func (f *Fleet) See(ref fact.Ref, cells map[string]judge.Cell) {
	b, ok := f.bodies[ref.Kind()]
	if !ok {
		return
	}
	row := b.Names.Row(ref, false)
	if b.Head(row) == nil {
		return
	}
	f.changed = b.See(row, cells, f.changed[:0])
	f.touch(b, row)
}

// touch judges a row of which columns changed. What hangs on a ground is asked anew: it may read what no column holds.
func (f *Fleet) touch(b *kin, row int) {
	if slices.ContainsFunc(b.Head(row).Decisions, roll.Grounded) {
		f.pending, f.last, b.snap = true, nil, nil
	}
	if len(f.changed) == 0 {
		return
	}
	if len(b.readers) != len(b.Columns) {
		b.index()
	}
	b.Dirty[row/bits.Size] = true // for the next judgement of everything, which looks at pages
	f.last, b.snap = nil, nil
	if f.settled = f.settled && b.Veil.Knows(b.Moments); f.settled {
		f.rejudge(b, row)
	}
}

// rejudge judges a row by the rules that read what changed.
func (f *Fleet) rejudge(b *kin, row int) {
	if b.row == nil {
		b.row = &body.Row{View: body.NewView(b.Body, &f.reign, f.at)}
	}
	r := b.row.To(row)
	b.rounds++
	for _, c := range f.changed {
		_, until := r.Doubts(c)
		f.until = weigh.Earlier(f.until, until)
		for _, reader := range b.readers[c.Index] {
			if b.judged[reader.program] == b.rounds {
				continue
			}
			b.judged[reader.program] = b.rounds
			f.until = weigh.Earlier(f.until, f.judgeRow(b, b.programs[reader.program], r))
		}
		for _, reader := range b.readers[c.Index] {
			for _, l := range reader.leaves {
				f.until = weigh.Earlier(f.until, r.Until(l))
			}
		}
	}
}

// judgeRow judges a row by one rule, and returns until when what Judge said of
// decisions holds.
func (f *Fleet) judgeRow(b *kin, p *program.Program, r *body.Row) (until time.Time) {
	page, i := r.N/bits.Size, r.N%bits.Size
	rank, left := p.Rank(r)
	if left && b.Laid[page].Has(i) {
		head := b.Head(r.N)
		switch any, conditional := laid(p.Rule, head); {
		case conditional: // to be asked with all the others
			f.settled = false
		case any:
			x := b.over.ask(b.Body, p.Rule, r.N, f.values(head), r.At)
			rank, until = program.RankOf(x.outcome), x.until
			p.Untils[page] = weigh.Earlier(p.Untils[page], until)
		}
	}
	if p.Sheets[page].At(i) != rank {
		p.Write(page, f.owner).Put(i, rank)
		f.pending = f.pending || f.hanging
	}
	return until
}

// spare is how many codes may be held that nobody uses, beside those in use.
const spare = 1 << 18

// tidy drops codes and moments that nobody uses any more, once they are many.
func (f *Fleet) tidy() {
	n := f.codes()
	if f.room > 0 && n > f.room {
		f.pack()
		n, f.room = f.codes(), 0
	}
	if f.room == 0 {
		f.room = 2*n + spare
	}
}

func (f *Fleet) codes() int {
	n := len(f.moments.List())
	for _, b := range f.bodies {
		n += b.Codes()
	}
	return n
}

// pack puts new bodies in the place of the old ones. What was judged stays.
func (f *Fleet) pack() {
	moments, bodies := f.packed()
	f.moments = moments
	for id, old := range f.bodies {
		b := &kin{Body: bodies[id], over: old.over, at: old.at}
		b.hold(f.terms.Rules)
		for i, p := range b.programs { // in the order of the old ones: the rules are the same
			p.Follow(old.programs[i])
		}
		f.bodies[id] = b
	}
	f.settled = false
}
