// Package contradict finds what somebody says is in order while the facts say no. It
// judges nothing: it lays decisions, the register and what people recorded beside the
// verdicts there are.
package contradict

import (
	"cmp"
	"slices"
	"strings"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/verdict"
)

// Source is who says that it is in order.
type Source string

// The sources.
const (
	Attested Source = "attested" // a decision in force
	Declared Source = "declared" // the register
	Examined Source = "examined" // a work paper
	Improved Source = "improved" // a finding that is reported improved, or closed
)

// Sources lists every Source.
var Sources = []Source{Attested, Declared, Examined, Improved}

var labels = map[Source]bilingual.Text{
	Attested: {JA: "確認・判断", EN: "Attestation or judgement"},
	Declared: {JA: "台帳の記載", EN: "Register"},
	Examined: {JA: "調書", EN: "Work paper"},
	Improved: {JA: "改善の報告", EN: "Reported improvement"},
}

// Label is the source as pages print it.
func (s Source) Label() bilingual.Text { return labels[s] }

// Claim is that a control is met on a subject.
type Claim struct {
	Source  Source
	Subject fact.Ref
	Control string
	Entry   fact.Ref // the paper or the finding that says so
}

// Contradiction is a claim, and the verdict against it.
type Contradiction struct {
	Claim
	Decision decision.Decision // of an attestation
	Field    bilingual.Text    // of a declaration
	Said     any               // its value in the register
	Seen     any               // and as it was observed
	Verdict  verdict.Verdict   // of the same control, or of another of the same clause that rests on facts alone; met only where it rests on Said
}

// Find lists what decisions in force and the register say against the facts, by the
// verdicts f selects.
func Find(st *posture.Standing, f posture.Filter) (out []Contradiction) {
	bySubject := map[fact.Ref][]posture.Pair{}
	for _, p := range st.Pairs(f) {
		bySubject[p.Subject] = append(bySubject[p.Subject], p)
	}
	for ref, pairs := range bySubject {
		sub, ok := st.Subject(ref)
		if !ok || sub.Closed {
			continue
		}
		out = append(out, attested(st, sub, pairs)...)
		out = append(out, declared(st, sub, pairs)...)
	}
	sorted(out)
	return out
}

// Check lists the claims that a verdict is against.
func Check(st *posture.Standing, claims []Claim) (out []Contradiction) {
	for _, c := range claims {
		if v, ok := st.Verdict(c.Subject, c.Control); ok && v.Outcome == verdict.Violates {
			out = append(out, Contradiction{Claim: c, Verdict: v})
		}
	}
	sorted(out)
	return out
}

func sorted(out []Contradiction) {
	slices.SortFunc(out, func(a, b Contradiction) int {
		return cmp.Or(cmp.Compare(slices.Index(Sources, a.Source), slices.Index(Sources, b.Source)), clause.Compare(a.Verdict.Clause, b.Verdict.Clause),
			strings.Compare(string(a.Subject), string(b.Subject)), strings.Compare(a.Control, b.Control), strings.Compare(a.Verdict.Control, b.Verdict.Control))
	})
}

// attested: a decision whose control is met by it, while another control of the clause
// that rests on facts alone is not; or whose own control is not met, and not for what
// was answered.
func attested(st *posture.Standing, sub *posture.Subject, pairs []posture.Pair) (out []Contradiction) {
	outcomes := map[string]verdict.Outcome{}
	for _, p := range sub.Pairs() {
		outcomes[p.Control] = p.Outcome
	}
	for _, d := range latest(sub.Decisions, st) {
		said, ok := st.Terms().Control(d.Control)
		if !ok {
			continue
		}
		claim := Claim{Source: Attested, Subject: sub.Ref, Control: d.Control}
		for _, p := range pairs {
			if p.Outcome != verdict.Violates {
				continue
			}
			facts, _ := st.Terms().Control(p.Control)
			same := p.Control == d.Control
			meets := outcomes[d.Control] == verdict.Conforms && facts.Record == nil && slices.ContainsFunc(facts.Clauses, func(c clause.ID) bool { return slices.Contains(said.Clauses, c) })
			if !same && !meets {
				continue
			}
			v, ok := st.Verdict(sub.Ref, p.Control)
			answered := slices.ContainsFunc(v.Reasons, func(r verdict.Reason) bool { return r.Fact == "answer" })
			if ok && !(same && answered) {
				out = append(out, Contradiction{Claim: claim, Decision: d, Verdict: v})
			}
		}
	}
	return out
}

// latest are the answers in force, the last one of each control.
func latest(all []posture.Decision, st *posture.Standing) (out []decision.Decision) {
	seen := map[string]bool{}
	for _, d := range slices.Backward(all) {
		if (d.Type == decision.Attestation || d.Type == decision.Judgement) && d.Control != "" && d.InForce(st.At) && !seen[d.Control] {
			seen[d.Control] = true
			out = append(out, d)
		}
	}
	return out
}

// declared: a value in the register differs from what was observed, and a control is
// not met because of what was observed, or is met by what the register says.
func declared(st *posture.Standing, sub *posture.Subject, pairs []posture.Pair) (out []Contradiction) {
	differ := map[string]Contradiction{}
	said := sub.Declared()
	for _, f := range sub.Kind.Fields {
		if !f.In(kind.Declared) || !f.In(kind.Observed) {
			continue
		}
		was, ok := said[f.Name]
		is, seen := sub.Fact(f.Name)
		if ok && seen && was.Fact.Status == fact.Observed && is.Fact.Status == fact.Observed && fact.Digest(was.Fact.Value) != fact.Digest(is.Fact.Value) {
			differ[f.Name] = Contradiction{Field: f.Label, Said: was.Fact.Value, Seen: is.Fact.Value}
		}
	}
	if len(differ) == 0 {
		return nil
	}
	for _, p := range pairs {
		c, _ := st.Terms().Control(p.Control)
		if p.Outcome != verdict.Violates && p.Outcome != verdict.Conforms || !slices.ContainsFunc(c.Needs, func(name string) bool { _, ok := differ[name]; return ok }) {
			continue
		}
		v, _ := st.Verdict(sub.Ref, p.Control)
		for _, name := range rests(v) {
			if x, ok := differ[name]; ok {
				x.Claim, x.Verdict = Claim{Source: Declared, Subject: sub.Ref, Control: p.Control}, v
				out = append(out, x)
				break
			}
		}
	}
	return out
}

// rests are the fields for which a control is not met; of one that is met, those that
// it took from the register.
func rests(v verdict.Verdict) (names []string) {
	if v.Outcome == verdict.Violates {
		for _, r := range v.Reasons {
			names = append(names, r.Fact)
		}
		return names
	}
	for _, e := range v.Evidence {
		if strings.HasPrefix(e.Source, "register:") {
			names = append(names, e.Fact)
		}
	}
	return names
}
