package fleet

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"kakusho/judge"
	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/body"
	"kakusho/judge/fleet/program"
	"kakusho/rule/weigh"
)

// kin is the subjects of one kind and the rules that are about them.
type kin struct {
	*body.Body
	programs []*program.Program
	number   map[string]int // control → its place among programs
	readers  [][]reader     // column → programs that read it
	judged   []int          // program → the last round of judging a row in which it was
	rounds   int
	over     *overlays
	at       time.Time // of the last judgement
	snap     *judged   // as somebody holds it; nil: something changed since
	row      *body.Row // to judge single rows with; nil: make one
}

// reader is a program, and those of its leaves, that read a column.
type reader struct {
	program int
	leaves  []*body.Leaf // that follow the clock
}

func (b *kin) fork() *kin {
	g := &kin{Body: b.Body.Fork(), over: b.over.fork(), at: b.at, number: b.number, snap: b.snap}
	for _, p := range b.programs {
		g.programs = append(g.programs, p.Fork())
	}
	g.index()
	return g
}

// hold takes over the rules that are about the kind. A rule that was held before
// keeps what is known of it, and every table stays.
func (b *kin) hold(rules []*judge.Rule) {
	before := map[*judge.Rule]*program.Program{}
	for _, p := range b.programs {
		before[p.Rule] = p
	}
	b.programs = nil
	var own []*judge.Rule
	for _, r := range rules {
		if !slices.Contains(r.Control().Kinds, b.Kind.ID) {
			continue
		}
		p, ok := before[r]
		if !ok {
			p = program.New(r, b.Maker)
		}
		own, b.programs = append(own, r), append(b.programs, p)
	}
	b.over.keep(own)
	b.Take()
	b.Ask(own)
	b.number = make(map[string]int, len(own))
	for i, r := range own {
		b.number[r.Control().ID] = i
	}
	b.index()
}

// index notes who reads which column.
func (b *kin) index() {
	b.readers, b.row = make([][]reader, len(b.Columns)), nil
	b.judged, b.rounds = make([]int, len(b.programs)), 0
	for i, p := range b.programs {
		by := map[int][]*body.Leaf{}
		p.Columns = p.Columns[:0:0]
		for _, l := range p.Leaves {
			leaf := b.Leaves[l]
			for _, c := range leaf.Columns {
				if _, ok := by[c.Index]; !ok {
					by[c.Index] = nil
					p.Columns = append(p.Columns, c.Index)
				}
				if leaf.Clocked {
					by[c.Index] = append(by[c.Index], leaf)
				}
			}
		}
		for c, leaves := range by {
			b.readers[c] = append(b.readers[c], reader{i, leaves})
		}
	}
}

// judge brings everything to the instant at.
func (f *Fleet) judge(at time.Time) {
	f.tidy()
	ruled := f.reign.Rule(f.terms.Parameters, f.terms.Settings, f.scopes, at)
	f.at, f.until = at, f.reign.Until
	for _, b := range f.bodies {
		f.until = weigh.Earlier(f.until, b.judge(f, ruled, at))
	}
	f.until = weigh.Earlier(f.until, f.settleConditions(at))
	f.settled, f.pending, f.last = true, false, nil
}

// judge brings a body to an instant and returns until when all of it holds.
func (b *kin) judge(f *Fleet, ruled bool, at time.Time) (until time.Time) {
	for _, a := range b.Answered {
		until = weigh.Earlier(until, a.Settle(&f.reign, b.Scope, ruled, at, func(row int) { b.Dirty[row/bits.Size] = true }))
	}
	used := make([]bool, len(b.Leaves))
	for _, p := range b.programs {
		for _, l := range p.Leaves {
			used[l] = true
		}
	}
	for i, l := range b.Leaves {
		if used[i] {
			until = weigh.Earlier(until, l.Settle(&f.reign, len(b.Alive), ruled, at))
		}
	}
	until = weigh.Earlier(until, b.pages(f, b.SetVeil(&f.reign, ruled), at))
	for i, l := range b.Leaves { // pages find new tuples, with instants of their own
		if used[i] {
			until = weigh.Earlier(until, l.Until())
		}
	}
	for _, l := range b.Leaves {
		l.Moved = false
	}
	clear(b.Dirty)
	b.at, b.row, b.snap = at, nil, nil
	return until
}

// pages judges every page in which something may be another than before, on all
// processors. parted says that other limits hold for some rows than before.
func (b *kin) pages(f *Fleet, parted bool, at time.Time) (until time.Time) {
	all := make([]bool, len(b.programs))
	for i, p := range b.programs {
		p.Grow(len(b.Alive), f.owner)
		p.Own(f.owner)
		all[i] = parted || b.stale(p)
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	next := make(chan int, len(b.Alive))
	for page := range b.Alive {
		next <- page
	}
	close(next)
	for worker := range min(runtime.GOMAXPROCS(0), len(b.Alive)) {
		if worker == len(f.views) {
			f.views = append(f.views, new(body.View))
		}
		v := f.views[worker].Over(b.Body, &f.reign, at)
		wait.Go(func() {
			moved := make([]bool, len(b.Columns))
			var soonest time.Time
			for v.Page = range next {
				soonest = weigh.Earlier(soonest, b.page(f, v, all, moved))
			}
			mu.Lock()
			until = weigh.Earlier(until, soonest)
			mu.Unlock()
		})
	}
	wait.Wait()
	for _, p := range b.programs {
		p.Fresh = false
	}
	return until
}

// page judges one page by the programs that may say otherwise than before.
func (b *kin) page(f *Fleet, v *body.View, all, moved []bool) (until time.Time) {
	clear(moved)
	until = b.Turn(v.Page, v.At, func(c *body.Column) { moved[c.Index] = true })
	for i, p := range b.programs {
		if all[i] || b.Dirty[v.Page] || b.due(p, v) || slices.ContainsFunc(p.Columns, func(c int) bool { return moved[c] }) {
			b.rule(f, p, v)
		}
		until = weigh.Earlier(until, p.Untils[v.Page])
	}
	return until
}

// stale reports whether every page must be judged again: the rule is new, or a
// table moved.
func (b *kin) stale(p *program.Program) bool {
	return p.Fresh || slices.ContainsFunc(p.Leaves, func(l int) bool { return b.Leaves[l].Moved })
}

// due reports whether what Judge said of decisions on the view's page may be
// otherwise at its instant.
func (b *kin) due(p *program.Program, v *body.View) bool {
	until := p.Untils[v.Page]
	return !until.IsZero() && !v.At.Before(until) || v.At.Before(b.at) && !b.Laid[v.Page].Empty()
}

// rule judges one page by one rule.
func (b *kin) rule(f *Fleet, p *program.Program, v *body.View) {
	var r program.Ranks
	left := p.Page(v, &r)
	var s program.Sheet
	r.Sheet(&s)
	p.Untils[v.Page] = b.lay(f, p, v, left, &s)
	if *p.Sheets[v.Page] != s {
		*p.Write(v.Page, f.owner) = s
	}
}
