package fleet_test

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
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
	"kakusho/judge/fleet"
	"kakusho/kind"
	"kakusho/rule/ruletest"
)

// random makes terms and subjects from a seed: ruletest's expressions, over
// fields in every layer and with many values, under layered parameters, with
// records, exceptions and decisions.
type random struct {
	ruletest.Gen
	kinds kind.Set
}

func newRandom(seed uint64) random { return random{ruletest.New(seed), twoKinds()} }

// one picks one of xs.
func one[T any](g random, xs ...T) T { return xs[g.IntN(len(xs))] }

// sometimes is true once in n times.
func (g random) sometimes(n int) bool { return g.IntN(n) == 0 }

// twoKinds are ruletest's kind, and one with the same fields in other layers and
// from other collectors.
func twoKinds() kind.Set {
	thing, other := ruletest.Kind(), ruletest.Kind()
	other.ID = "other"
	layers := [][]kind.Layer{{kind.Declared}, {kind.Observed}, {kind.Derived}, {kind.Declared, kind.Observed}}
	groups := []string{"any", "account", "malware"}
	for i := range other.Fields {
		other.Fields[i].Layers = layers[i%len(layers)]
		other.Fields[i].Group = groups[i%len(groups)]
	}
	return kind.Set{thing.ID: thing, other.ID: other}
}

// spans are the grain of the random instants: most expiries lie within days of At.
var spans = []time.Duration{0, time.Nanosecond, time.Second, time.Minute, time.Hour, 24 * time.Hour, 48 * time.Hour, 72 * time.Hour}

// instant is near At, often on the very second at which something turns.
func (g random) instant() time.Time {
	d := time.Duration(g.IntN(5)-2)*one(g, spans...) + time.Duration(g.IntN(3)-1)*one(g, time.Second, time.Nanosecond, time.Minute)
	at := ruletest.At.Add(d)
	if g.sometimes(3) {
		at = at.In(time.FixedZone("JST", 9*60*60))
	}
	return at
}

// past is mostly long ago.
func (g random) past() time.Time {
	if g.sometimes(3) {
		return g.instant()
	}
	return g.instant().Add(-10 * 24 * time.Hour)
}

func parameters() directive.Parameters {
	ps := ruletest.Params()
	for key, days := range map[string]int{"fresh.account": 2, "fresh.malware": 1, "fresh.answer": 3} {
		ps[key] = directive.Parameter{Key: key, Type: directive.Duration, Default: time.Duration(days) * 24 * time.Hour}
	}
	ps["x.none"] = directive.Parameter{Key: "x.none", Type: directive.Int}
	for key, p := range ps {
		p.Stricter = map[directive.Type]string{
			directive.Int: "higher", directive.Bool: "true", directive.List: "subset", directive.Duration: "lower",
		}[p.Type]
		ps[key] = p
	}
	return ps
}

var prefectures, systems = []string{"", "A", "B"}, []string{"", "S1", "S2", "S3"}

// settings are values set in layers, in force from and until instants near At.
func (g random) settings() (out []directive.Setting) {
	ps := parameters()
	keys := ps.Keys()
	for i := range g.IntN(12) {
		s := directive.Setting{
			ID: fmt.Sprintf("set-%d", i), Key: one(g, keys...), Entry: int64(i), Source: "通達", Approver: "p", By: "q",
			Layer: one(g, "national", "national", "prefecture/A", "prefecture/B", "system/S1", "system/S2"),
		}
		switch ps[s.Key].Type {
		case directive.Int:
			s.Value = int64(g.IntN(4))
		case directive.Bool:
			s.Value = g.sometimes(2)
		case directive.List:
			s.Value = one(g, []any{"a"}, []any{"a", "b"}, []any{}, []any{"ab", "c"})
		default:
			s.Value = time.Duration(g.IntN(5)) * one(g, time.Hour, 24*time.Hour)
		}
		if g.sometimes(2) {
			s.From = g.instant()
		}
		if g.sometimes(3) {
			s.Until = g.instant()
		}
		out = append(out, s)
	}
	return out
}

// expr writes a random expression that may also read the answer.
func (g random) expr(depth int, answer bool) string {
	text := g.Expr(depth).String()
	if g.sometimes(12) {
		text = strings.Replace(text, "p.x_int", "p.x_none", 1)
	}
	if !answer {
		return text
	}
	said := one(g, `a.answer == "fitted"`, `a.answer in ["fitted", "needed"]`, `(has(a.answer) && a.answer != "missing")`, `now - a.at <= p.x_span`, `a.at < now`)
	switch g.IntN(4) {
	case 0:
		return said
	case 1:
		return said + " || " + text
	case 2:
		return "(" + text + ") && " + said
	}
	return "!(" + said + " && " + text + ")"
}

// controls are n random controls, compiled.
func (g random) controls(t testing.TB, n int) []*judge.Rule {
	t.Helper()
	var cs []control.Control
	for i := range n {
		c := control.Control{
			ID: fmt.Sprintf("area/c%d", i), Clauses: []clause.ID{clause.ID(fmt.Sprintf("npa-r3@2.3.1.%d", i%5+1))},
			Kinds: one(g, []string{"thing"}, []string{"thing"}, []string{"other"}, []string{"thing", "other"}), Applies: "true",
			Title: bilingual.Say("名", "Name"), Empty: one(g, "", "ok", "ok"),
		}
		c.Dir = c.ID
		if g.sometimes(3) {
			c.Missing = one(g, control.MissingViolates, control.MissingNotApplicable, control.MissingUnknown)
		}
		if g.sometimes(4) {
			c.Record = &control.Record{
				Type: one(g, decision.Attestation, decision.Judgement), Question: bilingual.Say("問", "Question"), Fresh: "fresh.answer",
				Answers: []control.Answer{{Value: "fitted"}, {Value: "missing"}, {Value: "needed"}},
			}
		}
		answer := c.Record != nil
		c.Rule = g.expr(3, answer)
		if g.sometimes(3) {
			c.Applies = g.expr(1, answer)
		}
		for range max(0, g.IntN(5)-2) {
			c.Exceptions = append(c.Exceptions, control.Exception{Clause: c.Clauses[0], When: g.expr(2, answer)})
		}
		g.readable(&c)
		g.name(t, &c)
		cs = append(cs, c)
	}
	rules, err := judge.Rules(cs, g.kinds, &directive.Directive{Parameters: parameters(), EffectiveFrom: effective})
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

var effective = ruletest.At.Add(-100 * 24 * time.Hour)

var declared = regexp.MustCompile(`\bd\.([a-z]\d)`)

// readable reads through s what none of the kinds declares.
func (g random) readable(c *control.Control) {
	fix := func(text string) string {
		return declared.ReplaceAllStringFunc(text, func(read string) string {
			for _, id := range c.Kinds {
				if f, _ := g.kinds[id].Field(read[2:]); f.In(kind.Declared) {
					return read
				}
			}
			return "s." + read[2:]
		})
	}
	c.Rule, c.Applies = fix(c.Rule), fix(c.Applies)
	for i := range c.Exceptions {
		c.Exceptions[i].When = fix(c.Exceptions[i].When)
	}
}

// name lists what the expressions of c read.
func (g random) name(t testing.TB, c *control.Control) {
	t.Helper()
	s := schemaOf(g.kinds, parameters(), c.Kinds, c.Record != nil)
	texts := []string{c.Rule, c.Applies}
	for _, x := range c.Exceptions {
		texts = append(texts, x.When)
	}
	for _, text := range texts {
		p, faults := s.Plan(text, 0)
		if len(faults) > 0 {
			t.Fatalf("%s: %v", text, faults)
		}
		c.Needs, c.Parameters = append(c.Needs, p.Fields...), append(c.Parameters, p.Params...)
	}
	slices.Sort(c.Needs)
	slices.Sort(c.Parameters)
	c.Needs, c.Parameters = slices.Compact(c.Needs), slices.Compact(c.Parameters)
}

// subject is a random subject of one of the two kinds.
func (g random) subject(no int) fleet.Subject {
	k := g.kinds[one(g, "thing", "thing", "other")]
	s := fleet.Subject{System: one(g, systems...)}
	s.Scope = directive.Scope{Prefecture: one(g, prefectures...), System: s.System}
	s.Ref = fact.NewRef(k.ID, fmt.Sprintf("no%d", no))
	s.Facts, s.Declared = map[string]judge.Cell{}, map[string]judge.Cell{}
	for _, f := range k.Fields {
		if (f.In(kind.Observed) || f.In(kind.Derived)) && !g.sometimes(20) {
			s.Facts[f.Name] = g.cell(f)
		}
		if f.In(kind.Declared) && !g.sometimes(20) {
			c := g.cell(f)
			c.Fresh, c.Collector = "", ""
			s.Declared[f.Name] = c
		}
	}
	if !g.sometimes(6) {
		s.InServiceOn = effective.Add(time.Duration(g.IntN(4)-2) * time.Second)
	}
	if g.sometimes(2) {
		for i := range g.IntN(9) {
			s.Decisions = append(s.Decisions, g.decision(s.Ref, i))
		}
	}
	return s
}

// cell is like ruletest's, with more values and more that can be wrong.
func (g random) cell(f kind.Field) judge.Cell {
	c := judge.Cell{
		Fact:       fact.Fact{Field: f.Name, Status: fact.Observed, Value: g.value(f)},
		ObservedAt: g.instant().Add(-one(g, spans...)), Collector: f.Group, Fresh: kind.Fresh(f.Group),
	}
	if f.Group == "any" || f.Group == "" {
		c.Fresh = ruletest.Fresh
	}
	switch {
	case g.sometimes(60):
		c.Fresh = "fresh.nobody-set"
	case g.sometimes(2):
		c.ObservedAt = ruletest.At.Add(-time.Hour) // in time, for a while
	case f.In(kind.Derived) || g.sometimes(3):
		c.Fresh = ""
	}
	switch g.IntN(40) {
	case 0, 1, 2, 3:
		c.Fact.Status, c.Fact.Value = fact.Absent, nil
	case 4:
		c.Fact.Status, c.Fact.Value = fact.NotApplicable, nil
	case 5:
		c.Fact.Status, c.Fact.Value = one(g, fact.Denied, fact.Error, fact.Timeout, "strange"), nil
	case 6:
		c.Fact.Status = fact.Truncated
	case 7:
		c.Fact.Value = one[any](g, nil, "a", int64(1), 1.5, true, []any{"a"}, []any{map[string]any{"b": true}}, []any{int64(3)}, time.Hour, ruletest.At)
	}
	c.ReceivedAt, c.Since = c.ObservedAt.Add(time.Minute), c.ObservedAt.Add(-time.Hour)
	return c
}

// value has many values where ruletest's has few, so that dictionaries grow.
func (g random) value(f kind.Field) any {
	if g.sometimes(2) {
		return g.Value(f)
	}
	switch f.Type {
	case kind.Int:
		return one(g, int64(g.IntN(1000))-500, math.MaxInt64, math.MinInt64, 0)
	case kind.Number:
		return one(g, g.NormFloat64(), math.Copysign(0, -1), 1.5, math.Nextafter(1.5, 2), math.MaxFloat64)
	case kind.String:
		return one(g, fmt.Sprintf("%c%d", 'a'+rune(g.IntN(3)), g.IntN(100)), "ab", "aab", "漢字", "A")
	case kind.Time:
		return g.instant().Add(-one(g, spans...))
	case kind.Duration:
		return one(g, spans...) + time.Duration(g.IntN(3)-1)
	case kind.List:
		list := []any{}
		for range g.IntN(6) {
			list = append(list, g.element(f))
		}
		return list
	}
	return g.Value(f)
}

func (g random) element(f kind.Field) any {
	if len(f.Of) == 0 {
		return one(g, "a", "b", "ab", "a", fmt.Sprint("x", g.IntN(50)))
	}
	record := map[string]any{}
	for _, sub := range f.Of {
		switch g.IntN(10) {
		case 0:
		case 1:
			record[sub.Name] = one[any](g, nil, "a", int64(2), ruletest.At)
		default:
			record[sub.Name] = g.value(sub)
		}
	}
	return record
}

// decision is one about a subject: an answer, or what may lie over a violation.
func (g random) decision(ref fact.Ref, i int) decision.Decision {
	d := decision.Decision{
		ID: fmt.Sprintf("d%d", i), Subject: ref, At: g.past(), From: g.past(), Reason: "理由", By: "p",
		Type: one(g, decision.Attestation, decision.Judgement, decision.Exception, decision.Deferral, decision.Special, decision.Deferral),
	}
	d.Control = fmt.Sprintf("area/c%d", g.IntN(12))
	switch d.Type {
	case decision.Attestation, decision.Judgement:
		d.Answer = one(g, "fitted", "missing", "needed", "nonsense")
	case decision.Deferral, decision.Special:
		d.Control, d.Clause = "", clause.ID(one(g, "npa-r3@2.3.1", "npa-r3@2.3.1.1", "npa-r3@2.3.1.2", "npa-r3@2.3.1.3"))
	}
	if g.sometimes(12) {
		d.Type, d.Control, d.Clause, d.Field, d.Value = decision.Override, "", "", "i1", int64(2)
	}
	if d.Type.NeedsApproval() || g.sometimes(3) {
		d.Until = d.From.Add(cmp.Or(one(g, spans...), 100*24*time.Hour))
	}
	if !g.sometimes(4) {
		d.ApprovedAt = g.past()
	}
	if g.sometimes(6) {
		d.WithdrawnAt = g.instant()
	}
	if d.Type.NeedsApproval() && g.sometimes(4) {
		for range 1 + g.IntN(2) {
			c := decision.Condition{Control: fmt.Sprintf("area/c%d", g.IntN(12))}
			if g.sometimes(3) {
				c.With = map[string]string{"x.int": one(g, "1", "3", "none")}
			}
			d.Conditions = append(d.Conditions, c.String())
		}
	}
	return d
}
