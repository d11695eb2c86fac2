package judge

import (
	"fmt"
	"slices"
	"time"

	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/verdict"
)

// Case runs one of the control's own cases and reports what came out
// differently.
func Case(r *Rule, c control.Case, kinds kind.Set, params directive.Parameters) error {
	v := r.Judge(CaseSubject(r, c, kinds), CaseValues(c, params), c.At, nil)
	if v.Outcome != c.Want {
		return fmt.Errorf("outcome is %q, want %q; reasons:%s", v.Outcome, c.Want, lines(v.Reasons))
	}
	for _, name := range c.Because {
		if !slices.ContainsFunc(v.Reasons, func(rs verdict.Reason) bool { return rs.Fact == name }) {
			return fmt.Errorf("outcome is %q, but no reason names %q; reasons:%s", v.Outcome, name, lines(v.Reasons))
		}
	}
	return nil
}

func lines(reasons []verdict.Reason) (out string) {
	for _, r := range reasons {
		out += fmt.Sprintf("\n\t%s %s: %s, value %v, want %s %s %s", r.Code, r.Fact, r.Text, r.Value, r.Expected, r.Parameter, r.Detail)
	}
	return out
}

// CaseValues are the parameters of a case: defaults, but for those it sets.
func CaseValues(c control.Case, params directive.Parameters) directive.Values {
	values := params.Resolve(nil, directive.Scope{}, c.At)
	for key, v := range c.Params {
		values[key] = directive.Value{Value: v, Layer: directive.LayerNational}
	}
	return values
}

// CaseSubject is the subject that a case describes.
func CaseSubject(r *Rule, c control.Case, kinds kind.Set) Subject {
	s := Subject{Ref: fact.NewRef(c.Kind, "case"), Facts: map[string]Cell{}, Declared: map[string]Cell{}}
	k := kinds[c.Kind]
	put := func(into map[string]Cell, name string, status fact.Status, reason string, value any) {
		f, _ := k.Field(name)
		cell := Cell{
			Fact:       fact.Fact{Field: name, Status: status, Reason: reason, Value: value},
			ObservedAt: c.ObservedAt, ReceivedAt: c.ObservedAt,
		}
		if f.In(kind.Observed) {
			cell.Collector, cell.Fresh = f.Group, kind.Fresh(f.Group)
		}
		into[name] = cell
	}
	for name, v := range c.Facts {
		put(s.Facts, name, fact.Observed, "", v)
	}
	for name, v := range c.Declared {
		put(s.Declared, name, fact.Observed, "", v)
		cell := s.Declared[name]
		cell.Fresh, cell.Collector = "", ""
		s.Declared[name] = cell
	}
	for name, status := range c.Unseen {
		into := s.Facts
		if f, _ := k.Field(name); f.In(kind.Declared) && !f.In(kind.Observed) {
			into = s.Declared
		}
		put(into, name, status, "as the case says", nil)
	}
	if c.Answer != nil {
		s.Decisions = []decision.Decision{caseAnswer(r, *c.Answer)}
	}
	if c.Claims != "" {
		s.Decisions = append(s.Decisions, decision.Decision{
			ID: "claim", Type: decision.Exception, Control: r.control.ID, Ground: c.Claims, Reason: "as the case says",
			By: "case", At: c.At, From: c.At, ApprovedAt: c.At, Until: c.At.AddDate(0, 0, 1),
		})
	}
	return s
}

func caseAnswer(r *Rule, g control.Given) decision.Decision {
	return decision.Decision{
		ID: "case", Type: r.control.Record.Type, Control: r.control.ID, Answer: g.Answer, Reason: "as the case says",
		By: "case", At: g.At, From: g.At, Until: time.Time{},
	}
}
