// Package carry plans what becomes of answers when one directive takes the place of
// another.
//
// An answer whose clause says the same, whose parameters mean the same and whose
// check is the same is carried over. Where any of these changed the question is
// asked again, and the plan says which. What the successor no longer demands is
// archived. Nothing is deleted: the old answers stay where they are, about the
// directive they were given under.
//
// The package is pure. govern does what it plans, and a page shows it before.
package carry

import (
	"cmp"
	"maps"
	"slices"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/directive/library"
	"kakusho/fact"
)

// Fate is what becomes of an answer.
type Fate string

// The fates.
const (
	Carried  Fate = "carried"  // counts under the successor as it counts now
	Asked    Fate = "asked"    // asked again; the old answer is shown beside
	Archived Fate = "archived" // nothing asks for it any more
)

// Fates lists every Fate.
var Fates = []Fate{Carried, Asked, Archived}

var fateLabels = map[Fate]bilingual.Text{
	Carried: {JA: "引継ぎ", EN: "Carried over"}, Asked: {JA: "再確認", EN: "Asked again"}, Archived: {JA: "保管", EN: "Archived"},
}

// Label is the fate as pages print it.
func (f Fate) Label() bilingual.Text { return fateLabels[f] }

// What may have changed.
const (
	ByClause    = "clause"    // what the clause says
	ByParameter = "parameter" // what a parameter means
	ByCheck     = "check"     // how it is checked, or what is asked
	ByRepeal    = "repeal"    // the successor has no such clause, or no such control
)

// Change is one reason why an answer is not carried over.
type Change struct {
	By   string // ByClause …
	What string // the clause, parameter or control
}

var changeLabels = map[string]bilingual.Text{
	ByClause: {JA: "項の文言", EN: "Text of the clause"}, ByParameter: {JA: "値の定め", EN: "Parameter"},
	ByCheck: {JA: "確認の方法", EN: "Check"}, ByRepeal: {JA: "廃止", EN: "Repealed"},
}

// Label says what changed, as pages print it.
func (c Change) Label() bilingual.Text { return changeLabels[c.By] }

// Line is one answer and what becomes of it.
type Line struct {
	Old  decision.Decision
	New  decision.Decision // of what is carried: as it will count, still without an ID of its own
	Fate Fate
	Why  []Change // of what is not
}

// Planner knows both directives and their controls.
type Planner struct {
	from, to      *directive.Directive
	walk          *library.Crosswalk
	before, after map[string]control.Control
}

// New compares two directives of a library by the controls that check them.
func New(from, to *directive.Directive, walk *library.Crosswalk, before, after []control.Control) *Planner {
	byID := func(cs []control.Control) map[string]control.Control {
		out := make(map[string]control.Control, len(cs))
		for _, c := range cs {
			out[c.ID] = c
		}
		return out
	}
	return &Planner{from: from, to: to, walk: walk, before: byID(before), after: byID(after)}
}

// From is the directive answers were given under.
func (p *Planner) From() *directive.Directive { return p.from }

// To is the directive that takes its place.
func (p *Planner) To() *directive.Directive { return p.to }

// Under reports whether a decision counts under a directive: it was given under it,
// or is about a fact and so about no directive.
func Under(source string, d decision.Decision) bool {
	return d.Type == decision.Override || d.Directive == source || d.Directive == "" && source == directive.First
}

// Of says what becomes of one answer.
func (p *Planner) Of(d decision.Decision) Line {
	line := Line{Old: d, Fate: Carried, New: d}
	line.New.Directive, line.New.Carries = p.to.Source, d.ID
	switch d.Type {
	case decision.Override: // about a fact, whatever the directive
		line.New = d
		return line
	case decision.Deferral, decision.Special:
		line.New.Clause, line.Why = p.ofClause(d)
	default:
		line.Why = p.ofControl(d.Control)
	}
	if len(line.Why) > 0 {
		line.Fate, line.New = Asked, decision.Decision{}
		if line.Why[0].By == ByRepeal {
			line.Fate = Archived
		}
	}
	return line
}

// ofControl says what changed about a control that was answered.
func (p *Planner) ofControl(id string) []Change {
	old, was := p.before[id]
	now, is := p.after[id]
	if !was || !is {
		return []Change{{ByRepeal, id}}
	}
	var why []Change
	for _, c := range old.Clauses {
		if !p.kept(c, p.walk.Targets(c, id)) {
			why = append(why, Change{ByClause, string(c)})
		}
	}
	if slices.ContainsFunc(now.Clauses, func(c clause.ID) bool { return !p.known(c, old.Clauses, id) }) && len(why) == 0 {
		why = append(why, Change{ByClause, id}) // it now serves a clause it did not
	}
	why = append(why, p.parameters(readBy(old))...)
	if check(old) != check(now) {
		why = append(why, Change{ByCheck, id})
	}
	return why
}

// known reports whether a clause of the successor came from one of those a control
// checked.
func (p *Planner) known(c clause.ID, old []clause.ID, control string) bool {
	return slices.ContainsFunc(old, func(o clause.ID) bool { return slices.Contains(p.walk.Targets(o, control), c) })
}

// kept reports whether a clause went on as exactly one that says the same.
func (p *Planner) kept(id clause.ID, became []clause.ID) bool {
	if len(became) != 1 {
		return false
	}
	a, ok := p.from.Clause(id)
	b, okB := p.to.Clause(became[0])
	return ok && okB && a.Digest() == b.Digest()
}

// ofClause says where the clause a decision lies over went, and what changed about
// it, its parameters or the controls that check it. A deferral and a special
// provision rest also on the clause that allows them.
func (p *Planner) ofClause(d decision.Decision) (clause.ID, []Change) {
	became := p.walk.Counterparts(d.Clause)
	if len(became) == 0 {
		return "", []Change{{ByRepeal, string(d.Clause)}}
	}
	var why []Change
	for _, id := range []clause.ID{d.Clause, p.from.Grants[string(d.Type)]} {
		if id != "" && !p.kept(id, p.walk.Counterparts(id)) {
			why = append(why, Change{ByClause, string(id)})
		}
	}
	for _, c := range sorted(p.before) {
		if !slices.Contains(c.Clauses, d.Clause) {
			continue
		}
		now, ok := p.after[c.ID]
		if !ok || check(c) != check(now) {
			why = append(why, Change{ByCheck, c.ID})
		}
		why = append(why, p.parameters(readBy(c))...)
	}
	for _, c := range sorted(p.after) { // what checks it now and did not
		if slices.Contains(c.Clauses, became[0]) && !slices.Contains(p.before[c.ID].Clauses, d.Clause) {
			why = append(why, Change{ByCheck, c.ID})
		}
	}
	return became[0], compact(why)
}

// parameters says which of them do not mean the same any more.
func (p *Planner) parameters(keys []string) (why []Change) {
	for _, key := range keys {
		a, ok := p.from.Parameters[key]
		b, okB := p.to.Parameters[key]
		if !ok || !okB || a.Digest() != b.Digest() {
			why = append(why, Change{ByParameter, key})
		}
	}
	return why
}

// readBy are the parameters a control's verdict rests on.
func readBy(c control.Control) []string {
	keys := slices.Clone(c.Parameters)
	if c.Record != nil && !slices.Contains(keys, c.Record.Fresh) {
		keys = append(keys, c.Record.Fresh)
	}
	return keys
}

// check tells whether two controls ask and check the same. Which clauses they serve
// is not in it.
func check(c control.Control) string {
	what := []any{c.Rule, c.Applies, string(c.Missing), c.Empty, texts(c.Kinds)}
	for _, e := range c.Exceptions {
		what = append(what, e.When)
	}
	for _, g := range c.Grounds {
		what = append(what, g.ID, g.When, g.Measures)
		for _, r := range g.Record {
			what = append(what, r.Name)
		}
	}
	if r := c.Record; r != nil {
		what = append(what, string(r.Type), r.Question.JA, r.Question.EN, r.Fresh)
		for _, a := range r.Answers {
			what = append(what, a.Value, a.Label.JA, a.Label.EN)
		}
	}
	return fact.Digest(what)
}

func texts(words []string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}

func sorted(controls map[string]control.Control) []control.Control {
	return slices.SortedFunc(maps.Values(controls), func(a, b control.Control) int { return cmp.Compare(a.ID, b.ID) })
}

func compact(why []Change) (out []Change) {
	for _, c := range why {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}
