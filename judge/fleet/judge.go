package fleet

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"kakusho/judge"
	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/body"
	"kakusho/judge/fleet/reign"
)

// kin is the subjects of one kind and the rules that are about them.
type kin struct {
	*body.Body
	programs []*program
	over     *overlays
	at       time.Time // of the last judgement
}

func (b *kin) fork() *kin {
	g := &kin{Body: b.Body.Fork(), over: b.over.fork(), at: b.at}
	for _, p := range b.programs {
		g.programs = append(g.programs, p.fork())
	}
	return g
}

// hold takes over the rules that are about the kind. A rule that was held before
// keeps what is known of it, and every table stays.
func (b *kin) hold(rules []*judge.Rule) {
	before := map[*judge.Rule]*program{}
	for _, p := range b.programs {
		before[p.rule] = p
	}
	b.programs = nil
	var own []*judge.Rule
	for _, r := range rules {
		if !slices.Contains(r.Control().Kinds, b.Kind.ID) {
			continue
		}
		p, ok := before[r]
		if !ok {
			p = newProgram(r, b.Maker)
		}
		own, b.programs = append(own, r), append(b.programs, p)
	}
	b.Take()
	b.Ask(own)
}

// judge brings everything to the instant at.
func (f *Fleet) judge(at time.Time) *Outcomes {
	ruled := f.reign.Rule(f.terms.Parameters, f.terms.Settings, f.scopes, at)
	until := f.reign.Until
	veil := f.reign.Hide(f.moments, at)
	until = earlier(until, veil.Until)
	for _, b := range f.bodies {
		until = earlier(until, b.judge(f, &veil, ruled, at))
	}
	until = earlier(until, f.settleConditions(at))
	f.veil = veil
	return f.snapshot(at, until)
}

// judge brings a body to an instant and returns until when all of it holds.
func (b *kin) judge(f *Fleet, veil *reign.Veil, ruled bool, at time.Time) (until time.Time) {
	for _, a := range b.Answered {
		until = earlier(until, a.Settle(f.values, at, func(row int) { b.Dirty[row/bits.Size] = true }))
	}
	used := make([]bool, len(b.Leaves))
	for _, p := range b.programs {
		for _, l := range p.leaves {
			used[l] = true
		}
	}
	for i, l := range b.Leaves {
		if used[i] {
			until = earlier(until, l.Settle(&f.reign, ruled, at))
		}
	}
	until = earlier(until, b.pages(f, veil, at))
	for _, l := range b.Leaves {
		l.Moved = false
	}
	clear(b.Dirty)
	b.at = at
	return until
}

// pages judges every page in which something may be another than before, on all
// processors.
func (b *kin) pages(f *Fleet, veil *reign.Veil, at time.Time) (until time.Time) {
	for _, p := range b.programs {
		p.grow(len(b.Alive))
	}
	all := make([]bool, len(b.programs))
	sameVeil := f.veil.Same(veil) && !(f.reign.Shuffled && len(veil.Classes) > 1)
	for i, p := range b.programs {
		all[i] = p.stale(b, sameVeil)
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	next := make(chan int, len(b.Alive))
	for page := range b.Alive {
		next <- page
	}
	close(next)
	for range min(runtime.GOMAXPROCS(0), len(b.Alive)) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			v := body.NewView(b.Body, &f.reign, veil, at)
			var soonest time.Time
			for v.Page = range next {
				for i, p := range b.programs {
					if all[i] || b.Dirty[v.Page] || p.due(b, v) {
						p.judge(f, b, v)
					}
					soonest = earlier(soonest, p.untils[v.Page])
				}
			}
			mu.Lock()
			until = earlier(until, soonest)
			mu.Unlock()
		}()
	}
	wait.Wait()
	for _, p := range b.programs {
		p.fresh = false
	}
	return until
}

// stale reports whether every page must be judged again: the rule is new, a table
// moved, or cells are believed that were not, or the reverse.
func (p *program) stale(b *kin, sameVeil bool) bool {
	if p.fresh {
		return true
	}
	for _, i := range p.leaves {
		l := b.Leaves[i]
		if l.Moved {
			return true
		}
		for _, c := range l.Columns {
			if c.Group >= 0 && !sameVeil {
				return true
			}
		}
	}
	return false
}

// due reports whether what Judge said of decisions on the view's page may be
// otherwise at its instant.
func (p *program) due(b *kin, v *body.View) bool {
	until := p.untils[v.Page]
	return !until.IsZero() && !v.At.Before(until) || v.At.Before(b.at) && !b.Laid[v.Page].Empty()
}

// judge judges one page.
func (p *program) judge(f *Fleet, b *kin, v *body.View) {
	var r ranks
	left := p.page(v, &r)
	var s sheet
	r.sheet(&s)
	p.untils[v.Page] = p.lay(f, b, v, left, &s)
	p.replace(v.Page, &s)
}

// replace takes a new sheet in the place of one that outcomes may hold, unless it
// says the same.
func (p *program) replace(page int, s *sheet) {
	if *p.sheets[page] != *s {
		n := *s
		p.sheets[page] = &n
	}
}

// earlier is the earlier of two instants of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
