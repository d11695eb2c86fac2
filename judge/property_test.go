package judge_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/rule/ruletest"
	"kakusho/verdict"
)

// rounds is how many random rules a property is held against.
func rounds(few int) int {
	if os.Getenv("KAKUSHO_NIGHTLY") != "" {
		return few * 200
	}
	return few
}

// wild is a random control with random decisions: what its expressions are made
// of, so that they can be written again in another order.
type wild struct {
	rule, applies, except ruletest.Expr
	control               control.Control
	plain                 bool // without an answer, and always applying
	decisions             []decision.Decision
}

func newWild(g ruletest.Gen) wild {
	w := wild{rule: g.Expr(2), applies: g.Expr(1), except: g.Expr(1), decisions: randomDecisions(g.Rand)}
	w.control = control.Control{
		ID: "area/name", Dir: "area/name", Clauses: []clause.ID{"npa-r3@2.3.1"}, Kinds: []string{"thing"}, Title: bilingual.Say("名", "Name"),
		Empty:   []string{"", "ok"}[g.IntN(2)],
		Missing: []control.Missing{control.MissingUnknown, control.MissingViolates, control.MissingNotApplicable}[g.IntN(3)],
	}
	attestation(&w.control)
	for _, typ := range []decision.Type{decision.Exception, decision.Exception, decision.Special} {
		if g.IntN(3) == 0 {
			at := now.Add(-time.Duration(g.IntN(30)) * day)
			w.decisions = append(w.decisions, decision.Decision{
				ID: fmt.Sprint("D", g.IntN(9)), Type: typ, Control: "area/name", At: at, From: at, ApprovedAt: at, Until: now.Add(time.Duration(g.IntN(30)) * day),
			})
		}
	}
	for range g.IntN(3) {
		at := now.Add(-time.Duration(g.IntN(400)) * day)
		w.decisions = append(w.decisions, decision.Decision{
			ID: fmt.Sprint("R", g.IntN(9)), Type: decision.Attestation, Control: "area/name", Answer: []string{"fitted", "missing", "odd"}[g.IntN(3)], At: at, From: at,
		})
	}
	return w
}

// compile writes the control's expressions down and compiles it.
func (w wild) compile(t *testing.T, write func(ruletest.Expr) string) *judge.Rule {
	t.Helper()
	c := w.control
	c.Rule, c.Applies = write(w.rule)+` && (a.answer == "fitted" || `+write(w.except)+")", write(w.applies)+" || s.b1"
	c.Exceptions = []control.Exception{{When: write(w.except)}}
	if w.plain {
		c.Rule, c.Applies = write(w.rule), "true"
	}
	ks, ps := kind.Set{"thing": ruletest.Kind()}, wildParams()
	c.Needs, c.Parameters = judge.Named(c, ks, ps)
	r, err := judge.Compile(c, ks, ps, judge.EffectiveFrom(effective))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wildParams() directive.Parameters {
	ps := ruletest.Params()
	ps["fresh.answer"] = directive.Parameter{Key: "fresh.answer", Type: directive.Duration, Default: 365 * day}
	return ps
}

func wildValues() directive.Values { return wildParams().Resolve(nil, directive.Scope{}, now) }

func (w wild) subject(g ruletest.Gen) judge.Subject {
	return judge.Subject{Ref: "thing/1", Facts: g.Cells(), Declared: g.Cells(), Decisions: w.decisions}
}

// settled is what a verdict says about the subject, whatever lies over it.
func settled(v verdict.Verdict) verdict.Outcome {
	switch v.Outcome {
	case verdict.Excepted, verdict.Deferred, verdict.Special:
		return v.Base
	}
	return v.Outcome
}

func ignorant(o verdict.Outcome) bool { return o == verdict.Unknown || o == verdict.Undecided }

// TestWhatIsNotKnownNeverTurnsTheTables makes some cells unknown, in every way in
// which they may be: what conformed, violated or did not apply is still so or is
// unknown.
func TestWhatIsNotKnownNeverTurnsTheTables(t *testing.T) {
	g, ps, seen := ruletest.New(11), wildValues(), map[verdict.Outcome]int{}
	for range rounds(200) {
		w := newWild(g)
		w.plain = g.IntN(2) == 0
		r, s := w.compile(t, ruletest.Expr.String), w.subject(g)
		before := r.Judge(s, ps, now, nil)
		seen[settled(before)]++
		for range 4 {
			fewer := s
			fewer.Facts, fewer.Declared = obscured(g, s.Facts), obscured(g, s.Declared)
			after := r.Judge(fewer, ps, now, nil)
			if was, is := settled(before), settled(after); was != is && !ignorant(is) && !ignorant(was) && was != verdict.Error {
				t.Fatalf("%s\nis %q, and with fewer facts %q", r.Control().Rule, was, is)
			}
		}
	}
	for _, o := range []verdict.Outcome{verdict.Conforms, verdict.Violates, verdict.Unknown, verdict.NotApplicable, verdict.Error} {
		if seen[o] < 3 {
			t.Errorf("%q came up %d times: the test shows little", o, seen[o])
		}
	}
}

// obscured is cells of which some are not to be believed any more.
func obscured(g ruletest.Gen, cells map[string]judge.Cell) map[string]judge.Cell {
	out := maps.Clone(cells)
	for _, name := range slices.Sorted(maps.Keys(cells)) {
		if g.IntN(4) > 0 {
			continue
		}
		c := cells[name]
		switch g.IntN(6) {
		case 0:
			delete(out, name)
			continue
		case 1:
			c.Fact.Value, c.Fact.Status = nil, fact.Denied
		case 2:
			c.Fact.Value, c.Fact.Status = nil, fact.Timeout
		case 3:
			c.ObservedAt = now.Add(-99 * day)
		case 4:
			c.ObservedAt = now.Add(99 * day)
		case 5:
			c.Fact.Value, c.Fact.Status = struct{}{}, fact.Observed
		}
		out[name] = c
	}
	return out
}

// TestNoEvidenceDecidesNothing finds that what conforms although nothing is known
// conforms whatever becomes known, so that no fact was asked for. That each control that
// ships asks for one, TestControls shows.
func TestNoEvidenceDecidesNothing(t *testing.T) {
	g, ps, decided := ruletest.New(12), wildValues(), 0
	for range rounds(150) {
		w := newWild(g)
		w.decisions, w.plain = nil, true
		r := w.compile(t, ruletest.Expr.String)
		nothing := r.Judge(judge.Subject{Ref: "thing/1"}, ps, now, nil)
		if nothing.Outcome != verdict.Conforms && nothing.Outcome != verdict.Violates {
			continue
		}
		decided++
		for range 5 {
			if v := r.Judge(w.subject(g), ps, now, nil); settled(v) != settled(nothing) {
				t.Fatalf("%s\nis %q of nothing, but %q of something", r.Control().Rule, nothing.Outcome, v.Outcome)
			}
		}
	}
	if decided < 5 {
		t.Errorf("%d rules ask for no fact: the test shows little", decided)
	}
}

// TestTheOrderOfOperandsAndDecisionsDoesNotMatter compares outcome, instants and
// reasons.
func TestTheOrderOfOperandsAndDecisionsDoesNotMatter(t *testing.T) {
	g, ps := ruletest.New(13), wildValues()
	for range rounds(150) {
		w := newWild(g)
		w.plain = g.IntN(2) == 0
		s := w.subject(g)
		a := w.compile(t, ruletest.Expr.String).Judge(s, ps, now, nil)
		s.Decisions = slices.Clone(s.Decisions)
		g.Shuffle(len(s.Decisions), func(i, j int) { s.Decisions[i], s.Decisions[j] = s.Decisions[j], s.Decisions[i] })
		other := w.compile(t, func(x ruletest.Expr) string { return x.Shuffled(g) })
		b := other.Judge(s, ps, now, nil)
		if x, y := inEssence(a), inEssence(b); x != y {
			t.Fatalf("%s\n%s\nand %s\n%s", w.rule, x, other.Control().Rule, y)
		}
	}
}

// inEssence is a verdict without what follows the order of the text.
func inEssence(v verdict.Verdict) string {
	var lines []string
	for _, r := range v.Reasons {
		r.Text, r.Detail = "", "" // as written, and where
		lines = append(lines, fmt.Sprintf("%+v", r))
	}
	for _, e := range v.Evidence {
		lines = append(lines, fmt.Sprintf("%+v", e))
	}
	slices.Sort(lines)
	v.Reasons, v.Evidence = nil, nil
	return fmt.Sprintf("%+v\n%s", v, strings.Join(slices.Compact(lines), "\n"))
}

// TestSameInputsSameBytes compiles and judges twice, from copies.
func TestSameInputsSameBytes(t *testing.T) {
	for seed := range uint64(rounds(80)) {
		var texts [2]string
		for i := range texts {
			g := ruletest.New(seed)
			w := newWild(g)
			b, err := json.Marshal(w.compile(t, ruletest.Expr.String).Judge(w.subject(g), wildValues(), now, nil))
			if err != nil {
				t.Fatal(err)
			}
			texts[i] = string(b)
		}
		if texts[0] != texts[1] {
			t.Fatalf("judged twice:\n%s\n%s", texts[0], texts[1])
		}
	}
}

// TestExceptionsHideNothingButViolations judges with and without the decisions
// that may lie over a verdict.
func TestExceptionsHideNothingButViolations(t *testing.T) {
	g, ps, laid := ruletest.New(14), wildValues(), 0
	for range rounds(250) {
		w := newWild(g)
		w.plain = g.IntN(3) > 0
		s := w.subject(g)
		r := w.compile(t, ruletest.Expr.String)
		with := r.Judge(s, ps, now, nil)
		bare := s
		bare.Decisions = slices.DeleteFunc(slices.Clone(s.Decisions), func(d decision.Decision) bool { return d.Type != decision.Attestation })
		without := r.Judge(bare, ps, now, nil)
		if without.Outcome == with.Outcome {
			continue
		}
		laid++
		doubted := ignorant(without.Outcome) || without.Outcome == verdict.Error // whether the clause's own exception applies
		if with.Base != verdict.Violates || without.Outcome != verdict.Violates && !(doubted && without.Base == verdict.Violates) {
			t.Fatalf("%s\n%q (base %q) became %q (base %q)", r.Control().Rule, without.Outcome, without.Base, with.Outcome, with.Base)
		}
	}
	if laid < 20 {
		t.Errorf("decisions lay over %d verdicts: the test shows little", laid)
	}
}
