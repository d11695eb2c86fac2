// Package program judges the subjects of a kind by one rule, a page at a time or
// one row, and keeps what they came to.
//
// It goes as far as columns say: what decisions turn a violation into is left to
// package fleet, which asks Judge.
package program

import (
	"slices"
	"sync"
	"time"

	"kakusho/control"
	"kakusho/decision"
	"kakusho/judge"
	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/body"
	"kakusho/judge/fleet/table"
	"kakusho/verdict"
)

// Program is one rule over a body, and what it came to.
type Program struct {
	Rule       *judge.Rule
	applies    *table.Form
	check      *table.Form
	pushed     *table.Form // check with absent cells read as a violation; nil: they are not
	exceptions []*table.Form
	Leaves     []int // of all forms, by index
	judgement  bool  // an answer that is not there leaves it undecided
	absent     bool  // absence makes it not applicable

	Columns []int    // that the leaves read, by index
	Sheets  []*Sheet // by page; written to only by whom owners names
	owners  []*Owner
	spine   *Owner        // whose sheets, as a list, is
	Untils  []time.Time   // by page: until when what Judge said of decisions holds
	mu      *sync.Mutex   // for asked
	Asked   map[int][]int // page → rows whose outcome hangs on conditions of decisions
	Fresh   bool          // it was never judged
}

// Owner is a fleet between two moments at which others took hold of its sheets.
type Owner struct{ _ byte }

// Sheet is the outcomes of a page: four slices of the rank, from 1, among
// verdict.Outcomes; 0 where there is no subject.
type Sheet [4]bits.Block

// At is the rank in a row.
func (s *Sheet) At(i int) int {
	n := 0
	for k := range s {
		n |= int(s[k][i>>6]>>(i&63)&1) << k
	}
	return n
}

// Put gives a row a rank.
func (s *Sheet) Put(i, rank int) {
	for k := range s {
		s[k].Put(i, rank>>k&1 != 0)
	}
}

// The ranks of outcomes.
const (
	violates = iota + 1
	failed
	unknown
	undecided
	deferred
	special
	excepted
	conforms
	notApplicable
	outcomes = notApplicable
)

// RankOf is the rank of an outcome.
func RankOf(o verdict.Outcome) int { return slices.Index(verdict.Outcomes, o) + 1 }

// OutcomeOf is the outcome of a rank.
func OutcomeOf(rank int) verdict.Outcome {
	if rank == 0 {
		return ""
	}
	return verdict.Outcomes[rank-1]
}

// New lays a rule on the leaves of a maker.
func New(r *judge.Rule, m *table.Maker) *Program {
	c := r.Control()
	p := &Program{Rule: r, Fresh: true, mu: &sync.Mutex{}, Asked: map[int][]int{}, absent: c.Missing == control.MissingNotApplicable}
	p.judgement = c.Record != nil && c.Record.Type == decision.Judgement
	if r.Fault() != nil {
		return p
	}
	applies, check, exceptions := r.Plans()
	p.applies, p.check = m.Form(r, applies.Root, false), m.Form(r, check.Root, false)
	if c.Missing == control.MissingViolates {
		p.pushed = m.Form(r, check.Root, true)
	}
	for _, x := range exceptions {
		p.exceptions = append(p.exceptions, m.Form(r, x.Root, false))
	}
	for _, f := range append([]*table.Form{p.applies, p.check, p.pushed}, p.exceptions...) {
		if f != nil {
			f.Each(func(l *table.Leaf) {
				if !slices.Contains(p.Leaves, l.Index) {
					p.Leaves = append(p.Leaves, l.Index)
				}
			})
		}
	}
	return p
}

// Grow makes room for so many pages.
func (p *Program) Grow(pages int, by *Owner) {
	if len(p.Sheets) < pages {
		p.Own(by)
	}
	for len(p.Sheets) < pages {
		p.Sheets, p.owners, p.Untils = append(p.Sheets, &Sheet{}), append(p.owners, by), append(p.Untils, time.Time{})
	}
}

// Own makes the list of sheets by's own.
func (p *Program) Own(by *Owner) {
	if p.spine != by {
		p.Sheets, p.spine = slices.Clone(p.Sheets), by
	}
}

// Write is the sheet of a page, to be written to.
func (p *Program) Write(page int, by *Owner) *Sheet {
	if p.owners[page] != by {
		p.Own(by)
		s := *p.Sheets[page]
		p.Sheets[page], p.owners[page] = &s, by
	}
	return p.Sheets[page]
}

// Note notes which rows of a page hang on conditions of decisions. Different pages
// may be noted at the same time.
func (p *Program) Note(page int, rows []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(rows) == 0 {
		delete(p.Asked, page)
	} else {
		p.Asked[page] = rows
	}
}

// Follow takes over what another program of the same rule came to.
func (p *Program) Follow(was *Program) {
	p.Sheets, p.owners, p.Untils, p.spine = was.Sheets, was.owners, was.Untils, was.spine
}

// Fork is a program that goes its own way with what p came to.
func (p *Program) Fork() *Program {
	g := *p
	g.mu = &sync.Mutex{}
	g.owners, g.Untils = slices.Clone(p.owners), slices.Clone(p.Untils)
	g.Asked = make(map[int][]int, len(p.Asked))
	for page, rows := range p.Asked {
		g.Asked[page] = rows // replaced as a whole, never written to
	}
	return &g
}

// Ranks is the outcomes of a page while they are made: the rows of each rank.
type Ranks [outcomes + 1]bits.Block

// Sheet turns the rows of each rank into slices.
func (r *Ranks) Sheet(s *Sheet) {
	*s = Sheet{}
	for rank := 1; rank <= outcomes; rank++ {
		for k := range s {
			if rank>>k&1 != 0 {
				s[k].Or(&r[rank])
			}
		}
	}
}

// Page judges the rows of a page, but for what decisions do. left is the rows that
// decisions may turn into something else.
func (p *Program) Page(v *body.View, r *Ranks) (left bits.Block) {
	*r = Ranks{}
	alive := v.Body.Alive[v.Page]
	if p.check == nil {
		r[failed] = alive
		return left
	}
	a := p.applies.Over(v, &v.Stack)
	a.Keep(&alive)
	rest := alive
	yes := p.sort(a, r, &rest, notApplicable)
	r[failed].Or(&rest)
	v.Stack.Give(a)
	if yes.Empty() {
		return left
	}
	t := p.check.Over(v, &v.Stack)
	t.Keep(&yes)
	rest = yes
	good := p.sort(t, r, &rest, violates)
	r[conforms] = good
	r[failed].Or(&rest)
	if absent := t.Plane(bits.Absent); absent != nil && p.pushed != nil && !absent.Empty() {
		p.push(v, r, *absent)
	}
	v.Stack.Give(t)
	return p.except(v, r)
}

// sort enters the rows where t is no as rank no, those where it is unsure by what
// made it so, and returns those where it is yes. rest loses all of them.
func (p *Program) sort(t *bits.Truths, r *Ranks, rest *bits.Block, no int) (yes bits.Block) {
	if b := t.Plane(bits.Yes); b != nil {
		yes = *b
		rest.AndNot(b)
	}
	if b := t.Plane(bits.No); b != nil {
		r[no].Or(b)
		rest.AndNot(b)
	}
	if b := t.Plane(bits.Unsure); b != nil {
		rest.AndNot(b)
		p.ignorance(t, r, *b)
	}
	return yes
}

// ignorance enters unsure rows, as judge does.
func (p *Program) ignorance(t *bits.Truths, r *Ranks, unsure bits.Block) {
	answer := t.Plane(bits.Answer)
	if answer != nil && p.judgement {
		r[undecided].Or(answer)
		unsure.AndNot(answer)
	}
	some := bits.Block{} // rows that something else than the subject's nature leaves open
	for _, f := range []bits.Flags{bits.Unknown, bits.Answer, bits.Absent} {
		if b := t.Plane(f); b != nil && !(f == bits.Absent && p.absent) {
			some.Or(b)
		}
	}
	open := unsure
	open.And(&some)
	r[unknown].Or(&open)
	unsure.AndNot(&some)
	r[notApplicable].Or(&unsure)
}

// push turns rows that are unsure because something is absent into violations
// where the rule is not met by absence.
func (p *Program) push(v *body.View, r *Ranks, absent bits.Block) {
	t := p.pushed.Over(v, &v.Stack)
	if no := t.Plane(bits.No); no != nil {
		absent.And(no)
		for rank := range r {
			r[rank].AndNot(&absent)
		}
		r[violates].Or(&absent)
	}
	v.Stack.Give(t)
}

// except applies the clause's own exceptions to violations: the first that holds
// counts; where none does, the first whose holding cannot be told leaves the
// violation open. It returns the violations and those left open.
func (p *Program) except(v *body.View, r *Ranks) (left bits.Block) {
	var doubtful bits.Block
	for _, x := range p.exceptions {
		t := x.Over(v, &v.Stack)
		var no bits.Block
		if b := t.Plane(bits.Yes); b != nil {
			in := *b
			left = r[violates]
			left.Or(&doubtful)
			in.And(&left)
			r[excepted].Or(&in)
			for _, rank := range []int{violates, unknown, failed} {
				r[rank].AndNot(&in)
			}
			doubtful.AndNot(&in)
		}
		if b := t.Plane(bits.No); b != nil {
			no = *b
		}
		open := r[violates]
		open.AndNot(&no)
		doubtful.Or(&open)
		r[violates].AndNot(&open)
		if b := t.Plane(bits.Unsure); b != nil {
			unsure := *b
			unsure.And(&open)
			r[unknown].Or(&unsure)
			open.AndNot(&unsure)
		}
		r[failed].Or(&open)
		v.Stack.Give(t)
	}
	left = r[violates]
	left.Or(&doubtful)
	return left
}

// Rank judges one row, but for what decisions do; left reports whether they may
// turn it into something else.
func (p *Program) Rank(r *body.Row) (rank int, left bool) {
	if p.check == nil {
		return failed, false
	}
	switch a := p.applies.At(r); {
	case a == bits.No:
		return notApplicable, false
	case a&bits.Unsure != 0:
		return p.ignorant(a), false
	case a == bits.Broken:
		return failed, false
	}
	switch c := p.check.At(r); {
	case c == bits.Yes:
		return conforms, false
	case c == bits.Broken:
		return failed, false
	case c&bits.Unsure != 0:
		if c&bits.Absent == 0 || p.pushed == nil || p.pushed.At(r) != bits.No {
			return p.ignorant(c), false
		}
	}
	rank = violates
	for _, x := range p.exceptions {
		switch f := x.At(r); {
		case f == bits.Yes:
			return excepted, false
		case f == bits.No || rank != violates:
		case f == bits.Broken:
			rank = failed
		default:
			rank = unknown
		}
	}
	return rank, true
}

func (p *Program) ignorant(f bits.Flags) int {
	nature := bits.Unsure | bits.NotApplicable
	if p.absent {
		nature |= bits.Absent
	}
	switch {
	case f&bits.Answer != 0 && p.judgement:
		return undecided
	case f&^nature == 0:
		return notApplicable
	}
	return unknown
}
