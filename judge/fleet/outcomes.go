package fleet

import (
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/body"
	"kakusho/judge/fleet/program"
	"kakusho/judge/fleet/reign"
	"kakusho/verdict"
)

// Outcomes is what was judged at one instant. It does not change.
type Outcomes struct {
	at    time.Time
	until time.Time
	kinds []*judged // by ID

	terms   Terms
	members func() map[string][]member // by system
	regimes func(*Subject) *reign.Regime
	named   map[string]*judge.Rule
}

// judged is the outcomes of one kind.
type judged struct {
	kind   string
	names  *body.Names
	refs   []fact.Ref // by row
	rules  []*judge.Rule
	number map[string]int     // control → its place among rules
	sheets [][]*program.Sheet // rule → page

	body  *body.Body   // frozen
	forms []*body.Leaf // of all rules
	reads [][]int      // rule → forms
}

// snapshot takes hold of what was judged. From then on f writes to copies.
func (f *Fleet) snapshot() *Outcomes {
	under, scopes := f.reign.View(), f.scopes
	o := &Outcomes{at: f.at, until: f.until, kinds: make([]*judged, 0, len(f.bodies)), named: f.named, terms: f.terms}
	o.members = sync.OnceValue(o.systems)
	o.regimes = func(s *Subject) *reign.Regime { return under(scopes.Code(s.Scope)) }
	for _, b := range f.bodies {
		if b.snap == nil {
			b.snap = b.snapshot()
		}
		o.kinds = append(o.kinds, b.snap)
	}
	f.owner = new(program.Owner)
	slices.SortFunc(o.kinds, func(a, b *judged) int { return strings.Compare(a.kind, b.kind) })
	return o
}

func (b *kin) snapshot() *judged {
	j := &judged{kind: b.Kind.ID, names: b.Names, number: b.number, refs: b.Names.List(), body: b.Freeze(), forms: b.Leaves}
	n := len(b.programs)
	j.rules, j.sheets, j.reads = make([]*judge.Rule, n), make([][]*program.Sheet, n), make([][]int, n)
	for i, p := range b.programs {
		j.rules[i], j.sheets[i], j.reads[i] = p.Rule, p.Sheets, p.Leaves
	}
	return j
}

// of is the outcomes of a kind; nil if there is no subject of it.
func (o *Outcomes) of(kind string) *judged {
	i, ok := slices.BinarySearchFunc(o.kinds, kind, func(j *judged, kind string) int { return strings.Compare(j.kind, kind) })
	if !ok {
		return nil
	}
	return o.kinds[i]
}

// At is the instant.
func (o *Outcomes) At() time.Time { return o.at }

// Until is when a pair may differ by time alone, and none does before; zero:
// never.
func (o *Outcomes) Until() time.Time { return o.until }

// rank is the rank of a pair; 0: there is none.
func (j *judged) rank(row, rule int) int {
	if row < 0 || row/bits.Size >= len(j.sheets[rule]) {
		return 0
	}
	return j.sheets[rule][row/bits.Size].At(row % bits.Size)
}

// Of is the outcome of one pair, if the subject is there and the control is about
// its kind.
func (o *Outcomes) Of(ref fact.Ref, control string) (verdict.Outcome, bool) {
	j := o.of(ref.Kind())
	if j == nil {
		return "", false
	}
	rule, ok := j.number[control]
	if !ok {
		return "", false
	}
	rank := j.rank(j.names.Row(ref, false), rule)
	return program.OutcomeOf(rank), rank != 0
}

// Row is every outcome of one subject, by the rules of its kind in the order of
// the terms.
func (o *Outcomes) Row(ref fact.Ref) iter.Seq2[*judge.Rule, verdict.Outcome] {
	return func(yield func(*judge.Rule, verdict.Outcome) bool) {
		j := o.of(ref.Kind())
		if j == nil {
			return
		}
		row := j.names.Row(ref, false)
		for i, r := range j.rules {
			if rank := j.rank(row, i); rank != 0 && !yield(r, program.OutcomeOf(rank)) {
				return
			}
		}
	}
}

// Each is every subject that a control is about, kind by kind, in the order in
// which they first came.
func (o *Outcomes) Each(control string) iter.Seq2[fact.Ref, verdict.Outcome] {
	return func(yield func(fact.Ref, verdict.Outcome) bool) {
		for _, j := range o.kinds {
			rule, ok := j.number[control]
			if !ok {
				continue
			}
			for row, rank := range j.each(rule) {
				if !yield(j.refs[row], program.OutcomeOf(rank)) {
					return
				}
			}
		}
	}
}

// each is the rows of a rule that are there, with their ranks.
func (j *judged) each(rule int) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for page, s := range j.sheets[rule] {
			there := s[0]
			there.Or(&s[1])
			there.Or(&s[2])
			there.Or(&s[3])
			for i := range there.All() {
				if !yield(page*bits.Size+i, s.At(i)) {
					return
				}
			}
		}
	}
}

// Count counts the outcomes of a control by group, in the order of
// verdict.Outcomes. A subject whose group is none of the groups is left out.
func (o *Outcomes) Count(control string, groups int, group func(fact.Ref) int) [][9]int {
	counts := make([][9]int, groups)
	for _, j := range o.kinds {
		rule, ok := j.number[control]
		if !ok {
			continue
		}
		for row, rank := range j.each(rule) {
			if g := group(j.refs[row]); g >= 0 && g < groups {
				counts[g][rank-1]++
			}
		}
	}
	return counts
}

// Change is a pair that was judged differently.
type Change struct {
	Ref      fact.Ref
	Control  string
	From, To verdict.Outcome // empty: the pair was not, or is not any more
}

// Changes are the pairs of which o says something else than since does.
func (o *Outcomes) Changes(since *Outcomes) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		for _, j := range o.kinds {
			before := since.of(j.kind)
			if before != nil && before.names != j.names {
				before = before.as(j.names)
			}
			if !j.changes(before, yield) {
				return
			}
		}
		for _, j := range since.kinds {
			now := o.of(j.kind)
			if now != nil && now.names != j.names {
				j = j.as(now.names)
			}
			if !j.gone(now, yield) {
				return
			}
		}
	}
}

// as is the same outcomes in the rows that other names give: those of a fleet that
// was saved and loaded.
func (j *judged) as(names *body.Names) *judged {
	n := *j
	n.names, n.sheets = names, make([][]*program.Sheet, len(j.rules))
	for i := range j.rules {
		for row, rank := range j.each(i) {
			to := names.Row(j.refs[row], true)
			for len(n.sheets[i]) <= to/bits.Size {
				n.sheets[i] = append(n.sheets[i], &program.Sheet{})
			}
			n.sheets[i][to/bits.Size].Put(to%bits.Size, rank)
		}
	}
	n.refs = names.List()
	return &n
}

// changes yields what rules that are now say otherwise than before did.
func (j *judged) changes(before *judged, yield func(Change) bool) bool {
	var none program.Sheet
	for i, r := range j.rules {
		id := r.Control().ID
		now, was, refs := j.sheets[i], []*program.Sheet(nil), j.refs
		if before != nil {
			if k, had := before.number[id]; had {
				was = before.sheets[k]
			}
			if len(before.refs) > len(refs) {
				refs = before.refs
			}
		}
		for page := range max(len(now), len(was)) {
			s, old := &none, &none
			if page < len(now) {
				s = now[page]
			}
			if page < len(was) {
				old = was[page]
			}
			for row := range differ(old, s) {
				c := Change{refs[page*bits.Size+row], id, program.OutcomeOf(old.At(row)), program.OutcomeOf(s.At(row))}
				if !yield(c) {
					return false
				}
			}
		}
	}
	return true
}

// differ is the rows of which two sheets say different things.
func differ(a, b *program.Sheet) iter.Seq[int] {
	var rows bits.Block
	if a != b {
		for k := range a {
			x := a[k]
			x.Xor(&b[k])
			rows.Or(&x)
		}
	}
	return rows.All()
}

// gone yields the pairs of rules that are not any more.
func (j *judged) gone(now *judged, yield func(Change) bool) bool {
	for i, r := range j.rules {
		id := r.Control().ID
		if now != nil {
			if _, still := now.number[id]; still && now.names == j.names {
				continue
			}
		}
		for row, rank := range j.each(i) {
			if !yield(Change{j.refs[row], id, program.OutcomeOf(rank), ""}) {
				return false
			}
		}
	}
	return true
}
