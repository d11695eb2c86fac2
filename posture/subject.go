package posture

import (
	"slices"

	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/rule/weigh"
	"kakusho/verdict"
)

// Subject is one subject as it stands, as one reader may see it. It does not change.
//
// Outcomes count for everybody; of a subject whose register is not for his duties
// nothing else is left, and of a field that is not, no value: not in the facts, not
// in a reason, not as a digest.
type Subject struct {
	Ref       fact.Ref
	Kind      *kind.Kind
	Name      string
	System    string
	Unit      string
	Decisions []Decision
	Closed    bool // not for the reader's duties: only the outcomes are here

	entry    *entry
	standing *Standing
	hidden   []string // fields
}

// name is an entry's, as the reader may see it.
func (s *Standing) name(e *entry) string {
	if !e.kind.MayRead(s.who) {
		return e.ref.ID()
	}
	return e.state.Row.Name
}

// open is an entry as the reader may see it.
func (s *Standing) open(e *entry) *Subject {
	sub := &Subject{
		Ref: e.ref, Kind: e.kind, Name: s.name(e), System: e.state.Row.System, Unit: e.state.Row.Unit,
		Closed: !e.kind.MayRead(s.who), entry: e, standing: s,
	}
	if sub.Closed {
		return sub
	}
	sub.Decisions = e.decisions
	for i := range e.kind.Fields {
		if f := &e.kind.Fields[i]; len(f.See) > 0 && !f.MayRead(s.who) {
			sub.hidden = append(sub.hidden, f.Name)
		}
	}
	return sub
}

// Circumstances are the values on which people judge whether something is needed.
func (s *Subject) Circumstances() map[string]any { return s.entry.circumstances(s.standing.At) }

// seen leaves out of cells what is not for the reader.
func (s *Subject) seen(cells map[string]Cell) map[string]Cell {
	for _, name := range s.hidden {
		delete(cells, name)
	}
	return cells
}

// Facts are the cells that a rule reads as s., by field.
func (s *Subject) Facts() map[string]Cell {
	if s.Closed {
		return nil
	}
	return s.seen(s.entry.derived.Add(s.entry.state.Facts(), s.standing.at))
}

// Declared are the cells of the register.
func (s *Subject) Declared() map[string]Cell {
	if s.Closed {
		return nil
	}
	return s.seen(s.entry.state.AllDeclared())
}

// Derived are the cells that follow from others.
func (s *Subject) Derived() map[string]Cell {
	if s.Closed {
		return nil
	}
	return s.seen(s.entry.derived.Add(map[string]Cell{}, s.standing.at))
}

// Fact is one cell that a rule reads as s.
func (s *Subject) Fact(name string) (Cell, bool) {
	if s.Closed || slices.Contains(s.hidden, name) {
		return Cell{}, false
	}
	return s.entry.state.Fact(name, func(name string) (Cell, bool) { return s.entry.derived.Cell(name, s.standing.at) })
}

// Doubt is why a rule would not go by a field at the standing's instant: it was never
// brought, is too old, could not be looked at; empty: it would. The reason is the
// collector's own.
func (s *Subject) Doubt(name string) (code, reason string) {
	c, ok := s.Fact(name)
	if !ok {
		return weigh.Missing, ""
	}
	return weigh.Doubt(c, s.standing.resolve(s.entry.state.Scope()), s.standing.At), c.Fact.Reason
}

// Matter is what a rule is given about the subject, and the values it is held to.
func (s *Subject) Matter() (judge.Subject, directive.Values) {
	return s.entry.subject(s.standing.at), s.standing.resolve(s.entry.state.Scope())
}

// Pairs are the subject's, by control.
func (s *Subject) Pairs() []Pair {
	var out []Pair
	for rule, o := range s.standing.outcomes.Row(s.Ref) {
		c := rule.Control()
		p := Pair{Subject: s.Ref, Control: c.ID, Outcome: o}
		if len(c.Clauses) > 0 {
			p.Clause = c.Clauses[0]
		}
		out = append(out, p)
	}
	return out
}

// Tally counts the subject's outcomes.
func (s *Subject) Tally() Tally {
	t := Tally{}
	for _, o := range s.standing.outcomes.Row(s.Ref) {
		t[o]++
	}
	return t
}

// Verdicts judges the subject by every control that is about it, by control.
func (s *Subject) Verdicts() []verdict.Verdict {
	in := s.entry.subject(s.standing.at)
	places := s.standing.terms.byKind[s.Kind.ID]
	out := make([]verdict.Verdict, 0, len(places))
	for _, i := range places {
		out = append(out, s.judged(s.standing.terms.rules[i], in))
	}
	return out
}

// judged is a verdict as the reader may see it.
func (s *Subject) judged(rule *judge.Rule, in judge.Subject) verdict.Verdict {
	v := s.standing.judge(s.entry, rule, in)
	if s.Closed {
		return verdict.Verdict{
			Control: v.Control, Clause: v.Clause, Clauses: v.Clauses, Subject: v.Subject, Outcome: v.Outcome, Base: v.Base,
			Since: v.Since, NextChange: v.NextChange, ChangesTo: v.ChangesTo}
	}
	for i := range v.Reasons {
		if slices.Contains(s.hidden, v.Reasons[i].Fact) {
			v.Reasons[i].Value, v.Reasons[i].Detail = nil, ""
		}
	}
	for i := range v.Evidence {
		if slices.Contains(s.hidden, v.Evidence[i].Fact) {
			v.Evidence[i].Digest = ""
		}
	}
	return v
}
