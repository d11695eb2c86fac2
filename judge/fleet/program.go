package fleet

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

// program is one rule over a body, and what it came to.
type program struct {
	rule       *judge.Rule
	applies    *table.Form
	check      *table.Form
	pushed     *table.Form // check with absent cells read as a violation; nil: they are not
	exceptions []*table.Form
	leaves     []int // of all forms, by index
	judgement  bool  // an answer that is not there leaves it undecided
	absent     bool  // absence makes it not applicable

	columns []int    // that the leaves read, by index
	sheets  []*sheet // by page; written to only by whom owners names
	owners  []*owner
	spine   *owner        // whose sheets, as a list, is
	untils  []time.Time   // by page: until when what Judge said of decisions holds
	mu      *sync.Mutex   // for asked
	asked   map[int][]int // page → rows whose outcome hangs on conditions of decisions
	fresh   bool          // it was never judged
}

// owner is a fleet between two moments at which others took hold of its sheets.
type owner struct{ _ byte }

// sheet is the outcomes of a page: four slices of the rank, from 1, among
// verdict.Outcomes; 0 where there is no subject.
type sheet [4]bits.Block

func (s *sheet) at(i int) int {
	n := 0
	for k := range s {
		n |= int(s[k][i>>6]>>(i&63)&1) << k
	}
	return n
}

func (s *sheet) put(i, rank int) {
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

func rankOf(o verdict.Outcome) int { return slices.Index(verdict.Outcomes, o) + 1 }

func outcomeOf(rank int) verdict.Outcome {
	if rank == 0 {
		return ""
	}
	return verdict.Outcomes[rank-1]
}

func newProgram(r *judge.Rule, m *table.Maker) *program {
	c := r.Control()
	p := &program{rule: r, fresh: true, mu: &sync.Mutex{}, asked: map[int][]int{}, absent: c.Missing == control.MissingNotApplicable}
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
				if !slices.Contains(p.leaves, l.Index) {
					p.leaves = append(p.leaves, l.Index)
				}
			})
		}
	}
	return p
}

// grow makes room for so many pages.
func (p *program) grow(pages int, by *owner) {
	if len(p.sheets) < pages {
		p.own(by)
	}
	for len(p.sheets) < pages {
		p.sheets, p.owners, p.untils = append(p.sheets, &sheet{}), append(p.owners, by), append(p.untils, time.Time{})
	}
}

// own makes the list of sheets by's own.
func (p *program) own(by *owner) {
	if p.spine != by {
		p.sheets, p.spine = slices.Clone(p.sheets), by
	}
}

// write is the sheet of a page, to be written to.
func (p *program) write(page int, by *owner) *sheet {
	if p.owners[page] != by {
		p.own(by)
		s := *p.sheets[page]
		p.sheets[page], p.owners[page] = &s, by
	}
	return p.sheets[page]
}

func (p *program) fork() *program {
	g := *p
	g.mu = &sync.Mutex{}
	g.owners, g.untils = slices.Clone(p.owners), slices.Clone(p.untils)
	g.asked = make(map[int][]int, len(p.asked))
	for page, rows := range p.asked {
		g.asked[page] = rows // replaced as a whole, never written to
	}
	return &g
}

// ranks is the outcomes of a page while they are made: the rows of each rank.
type ranks [outcomes + 1]bits.Block

// sheet turns the rows of each rank into slices.
func (r *ranks) sheet(s *sheet) {
	*s = sheet{}
	for rank := 1; rank <= outcomes; rank++ {
		for k := range s {
			if rank>>k&1 != 0 {
				s[k].Or(&r[rank])
			}
		}
	}
}

// page judges the rows of a page, but for what decisions do. left is the rows that
// decisions may turn into something else.
func (p *program) page(v *body.View, r *ranks) (left bits.Block) {
	*r = ranks{}
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
func (p *program) sort(t *bits.Truths, r *ranks, rest *bits.Block, no int) (yes bits.Block) {
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
func (p *program) ignorance(t *bits.Truths, r *ranks, unsure bits.Block) {
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
func (p *program) push(v *body.View, r *ranks, absent bits.Block) {
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
func (p *program) except(v *body.View, r *ranks) (left bits.Block) {
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

// rank judges one row, but for what decisions do; left reports whether they may
// turn it into something else.
func (p *program) rank(r *body.Row) (rank int, left bool) {
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

func (p *program) ignorant(f bits.Flags) int {
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
