package trial

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/posture"
	"kakusho/verdict"
)

// Trial is a draft tried. It does not change.
type Trial struct {
	Draft         Draft
	At, On        time.Time // now, and the instant tried
	Before, After *posture.Standing
	Moves         []Move // every pair that comes out otherwise: worst sort first, then by clause and subject
}

// Move is a pair that comes out otherwise. From is empty where nobody asks today, To
// where nobody would ask any more.
type Move struct {
	Subject  fact.Ref
	Control  string
	Clause   clause.ID // the control's first
	From, To verdict.Outcome
	Place    posture.Place
}

// Sort is what a move comes to.
type Sort string

// The sorts, the worst first.
const (
	Fails     Sort = "fails"     // violates, or the rule itself fails
	Unknown   Sort = "unknown"   // evidence is missing or too old
	Undecided Sort = "undecided" // somebody must judge
	SetAside  Sort = "set-aside" // an exception, deferral or special provision lies over it
	Outside   Sort = "outside"   // does not apply
	Dropped   Sort = "dropped"   // nobody asks any more
	Passes    Sort = "passes"    // conforms
)

// Sorts lists them.
var Sorts = []Sort{Fails, Unknown, Undecided, SetAside, Outside, Dropped, Passes}

var sortLabels = map[Sort]bilingual.Text{
	Fails:     bilingual.Say("新たに不適合・誤り", "Newly failing"),
	Unknown:   bilingual.Say("新たに未確認", "Newly unknown"),
	Undecided: bilingual.Say("新たに判断待ち", "Newly undecided"),
	SetAside:  bilingual.Say("除外・猶予・別段となる", "Newly set aside"),
	Outside:   bilingual.Say("対象外となる", "No longer applies"),
	Dropped:   bilingual.Say("問わなくなる", "No longer asked"),
	Passes:    bilingual.Say("新たに適合", "Newly conforming"),
}

// Label is what people call it.
func (s Sort) Label() bilingual.Text { return sortLabels[s] }

// Sort is what the move comes to.
func (m Move) Sort() Sort {
	switch m.To {
	case verdict.Conforms:
		return Passes
	case verdict.Unknown:
		return Unknown
	case verdict.Undecided:
		return Undecided
	case verdict.Excepted, verdict.Deferred, verdict.Special:
		return SetAside
	case verdict.NotApplicable:
		return Outside
	case "":
		return Dropped
	}
	return Fails
}

// Run tries a draft at the instant at. Faults are what keeps it from being tried.
func Run(ctx context.Context, p *posture.Posture, permit gate.Permit, d Draft, books Books, at time.Time) (*Trial, error) {
	book, faults := d.book(p.Terms(), books)
	d.checkSight(book.Terms, permit.Who(), &faults)
	on := d.On
	if on.IsZero() {
		on = at
	} else if on.Before(at) {
		faults.add("on", "これからの日とすること。過去の日は、基準日を指定して見ること。", "Want a day to come; a past day is looked at as of that day.")
	}
	if len(faults) > 0 {
		return nil, faults
	}
	s := posture.Draft{At: on}
	if book.Terms != p.Terms() {
		s.Terms = book.Terms
	}
	if len(d.Settings) > 0 {
		s.Settings = func(approved []directive.Setting) []directive.Setting { return d.settings(approved, on) }
	}
	if d.decides(book) {
		s.Decisions = func(all []decision.Decision) []decision.Decision { return d.decisions(all, book, on) }
	}
	if by := on.Sub(at); by > 0 && d.Renewed != Never {
		s.Observed = renewed(at, by)
	}
	before, after, err := p.Suppose(ctx, permit, at, s)
	if err != nil {
		return nil, err
	}
	t := &Trial{Draft: d, At: at, On: on, Before: before, After: after}
	t.compare()
	return t, nil
}

// AsFaults finds the faults in an error.
func AsFaults(err error) (f Faults, ok bool) {
	ok = errors.As(err, &f)
	return f, ok
}

func (t *Trial) compare() {
	for c := range t.After.Changes(t.Before) {
		t.Moves = append(t.Moves, Move{
			Subject: c.Ref, Control: c.Control, Clause: t.clause(c.Control), From: c.From, To: c.To, Place: t.After.Place(c.Ref),
		})
	}
	rank := map[Sort]int{}
	for i, s := range Sorts {
		rank[s] = i
	}
	slices.SortFunc(t.Moves, func(a, b Move) int {
		return cmp.Or(rank[a.Sort()]-rank[b.Sort()], clause.Compare(a.Clause, b.Clause), cmp.Compare(a.Control, b.Control), cmp.Compare(a.Subject, b.Subject))
	})
}

// clause is a control's first clause, as it would be, else as it is.
func (t *Trial) clause(id string) clause.ID {
	for _, st := range []*posture.Standing{t.After, t.Before} {
		if c, ok := st.Terms().Control(id); ok && len(c.Clauses) > 0 {
			return c.Clauses[0]
		}
	}
	return ""
}

// Counts counts moves by sort.
type Counts map[Sort]int

// Total is how many there are.
func (c Counts) Total() (n int) {
	for _, k := range c {
		n += k
	}
	return n
}

// Counts counts all moves.
func (t *Trial) Counts() Counts {
	c := Counts{}
	for _, m := range t.Moves {
		c[m.Sort()]++
	}
	return c
}

// Passage is how many pairs go from one outcome to another.
type Passage struct {
	From, To verdict.Outcome
	Count    int
}

// Passages lists what goes from where to where, the most first.
func (t *Trial) Passages() []Passage {
	n := map[Passage]int{}
	for _, m := range t.Moves {
		n[Passage{From: m.From, To: m.To}]++
	}
	out := make([]Passage, 0, len(n))
	for p, k := range n {
		p.Count = k
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Passage) int {
		return cmp.Or(b.Count-a.Count, cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return out
}

// Axis is what moves are gathered by.
type Axis string

// The axes.
const (
	ByPrefecture Axis = "prefecture"
	ByUnit       Axis = "unit"
	BySystem     Axis = "system"
	ByClause     Axis = "clause"
	ByControl    Axis = "control"
)

// Axes lists them.
var Axes = []Axis{ByPrefecture, ByUnit, BySystem, ByClause, ByControl}

// key is where a move stands on an axis.
func (m Move) key(a Axis) string {
	switch a {
	case ByPrefecture:
		return m.Place.Prefecture
	case ByUnit:
		return m.Place.Unit
	case BySystem:
		return m.Place.System
	case ByClause:
		return string(m.Clause)
	}
	return m.Control
}

// Line is one place on an axis.
type Line struct {
	Key      string
	Counts   Counts
	Subjects int // that have a move
}

// By gathers the moves along an axis, what fails most first.
func (t *Trial) By(a Axis) []Line {
	type place struct {
		Counts
		subjects map[fact.Ref]bool
	}
	at := map[string]place{}
	for _, m := range t.Moves {
		k := m.key(a)
		if _, ok := at[k]; !ok {
			at[k] = place{Counts{}, map[fact.Ref]bool{}}
		}
		at[k].Counts[m.Sort()]++
		at[k].subjects[m.Subject] = true
	}
	out := make([]Line, 0, len(at))
	for k, p := range at {
		out = append(out, Line{k, p.Counts, len(p.subjects)})
	}
	slices.SortFunc(out, func(x, y Line) int {
		return cmp.Or(y.Counts[Fails]-x.Counts[Fails], y.Counts.Total()-x.Counts.Total(), cmp.Compare(x.Key, y.Key))
	})
	return out
}

// Part selects moves; what is empty selects all. Key counts when By is set.
type Part struct {
	Sort Sort
	By   Axis
	Key  string
	Held bool // Key is set, and may be empty
}

// Select lists the moves of a part.
func (t *Trial) Select(p Part) []Move {
	if p.Sort == "" && !p.Held {
		return t.Moves
	}
	var out []Move
	for _, m := range t.Moves {
		if (p.Sort == "" || m.Sort() == p.Sort) && (!p.Held || m.key(p.By) == p.Key) {
			out = append(out, m)
		}
	}
	return out
}

// Reasons are the verdicts of a move: as it is, and as it would be. One that nobody
// asks for is empty.
func (t *Trial) Reasons(m Move) (was, would verdict.Verdict) {
	was, _ = t.Before.Verdict(m.Subject, m.Control)
	would, _ = t.After.Verdict(m.Subject, m.Control)
	return was, would
}
