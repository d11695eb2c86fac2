package judge

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/verdict"
)

// shown is how many elements of a list a reason carries.
const shown = 3

// explainer collects what carries a standing: of a conjunction that is false all
// false operands, of a list the elements that decided, and so on. What it finds
// does not depend on the order of operands.
type explainer struct {
	*evaluation
	reasons  []verdict.Reason
	evidence []verdict.Evidence
	seen     map[string]bool
}

func (x *explainer) standing(st standing) {
	x.seen = map[string]bool{}
	x.reasons, x.evidence = []verdict.Reason{}, []verdict.Evidence{}
	check := func() {
		x.setPush(st.push)
		x.node(x.rule.check, +1)
	}
	switch st.stage {
	case stageKind:
		x.reason(verdict.Reason{Code: codeNotApplicable, Text: "kind", Value: x.subject.Ref.Kind(), Expected: strings.Join(x.rule.control.Kinds, ", ")})
	case stageApplies:
		x.node(x.rule.applies, +1)
	case stageCheck:
		check()
	case stageException:
		x.setPush(false)
		x.node(x.rule.exceptions[st.granted], +1)
		check()
	case stageDecision:
		x.decision(st)
		check()
	}
	for _, r := range st.unmet {
		if st.outcome == verdict.Violates || st.outcome == verdict.Unknown {
			x.reason(r)
		}
	}
}

func (x *explainer) decision(st standing) {
	d := st.over
	x.reason(verdict.Reason{Code: string(d.Type), Text: "decision/" + d.ID, Detail: d.Reason})
	x.prove(verdict.Evidence{
		Fact: string(d.Type), Source: "decision/" + d.ID, ObservedAt: d.At, Status: string(fact.Observed),
		Digest: fact.Digest(d.Reason), FreshUntil: d.Until,
	})
}

func (x *explainer) reason(r verdict.Reason) {
	key := strings.Join([]string{r.Code, r.Text, r.Fact, r.Parameter, r.Detail}, "\x00")
	if !x.seen[key] {
		x.seen[key] = true
		x.reasons = append(x.reasons, r)
	}
}

func (x *explainer) prove(ev verdict.Evidence) {
	key := strings.Join([]string{"evidence", ev.Fact, ev.Source, ev.Digest}, "\x00")
	if !x.seen[key] {
		x.seen[key] = true
		x.evidence = append(x.evidence, ev)
	}
}

// node explains n, whose truth decided.
func (x *explainer) node(n *node, pol int) {
	r := x.eval(n, pol)
	switch n.op {
	case opAnd, opOr:
		for _, k := range n.kids {
			if x.eval(k, pol).truth == r.truth {
				x.node(k, pol)
			}
		}
	case opNot:
		x.node(n.kids[0], -pol)
	case opIf:
		c := x.eval(n.kids[0], 0)
		x.node(n.kids[0], 0)
		if c.truth == yes {
			x.node(n.kids[1], pol)
		} else if c.truth == no {
			x.node(n.kids[2], pol)
		}
	case opAll, opExists, opCount:
		x.list(n, r, pol)
	case opAtom:
		x.atom(n, r, pol)
	}
}

func (x *explainer) atom(n *node, r result, pol int) {
	for _, rd := range n.reads {
		x.cellEvidence(rd)
	}
	if r.truth == failed {
		rs := verdict.Reason{Code: codeError, Text: n.text, Detail: r.err}
		if len(n.reads) > 0 {
			rs.Fact, rs.Label = x.name(n.reads[0])
		}
		x.reason(rs)
		return
	}
	if r.truth == unsure || r.cause != 0 {
		x.ignorance(n, n.reads, pol)
		return
	}
	said := false
	for _, rd := range n.reads {
		rs := verdict.Reason{Code: code(r.truth), Text: n.text, Expected: x.expected(n, rd, pol)}
		rs.Fact, rs.Label = x.name(rd)
		rs.Value, rs.Count = x.shownValue(rd)
		x.parameter(&rs, n, 0)
		x.detail(&rs, rd)
		x.reason(rs)
		said = true
	}
	for i := range n.params {
		if i == 0 && said {
			continue
		}
		rs := verdict.Reason{Code: code(r.truth), Text: n.text, Value: x.param(n.params[i]).raw}
		x.parameter(&rs, n, i)
		x.reason(rs)
		said = true
	}
	if !said {
		x.reason(verdict.Reason{Code: code(r.truth), Text: n.text})
	}
}

func code(t truth) string {
	if t == yes {
		return "true"
	}
	return "false"
}

func (x *explainer) parameter(rs *verdict.Reason, n *node, i int) {
	if i < len(n.params) {
		rs.Parameter, rs.Layer = n.params[i].key, x.param(n.params[i]).layer
	}
}

// ignorance names every read of n that found no value.
func (x *explainer) ignorance(n *node, reads []read, pol int) {
	for _, rd := range reads {
		st := x.state(rd)
		if st.code == "" || rd.has && st.read(true) != unknown {
			continue
		}
		rs := verdict.Reason{Code: st.code, Text: n.text, Detail: st.detail, Parameter: st.parameter, Layer: st.layer}
		if rs.Parameter == "" {
			x.parameter(&rs, n, 0)
			rs.Expected = x.expected(n, rd, pol)
		}
		rs.Fact, rs.Label = x.name(rd)
		x.reason(rs)
	}
	for _, p := range n.params {
		if st := x.param(p); st.code != "" {
			x.reason(verdict.Reason{Code: st.code, Text: n.text, Parameter: p.key, Detail: st.detail})
		}
	}
}

// name is what a read is called in a reason.
func (x *explainer) name(rd read) (string, bilingual.Text) {
	k := x.subject.Ref.Kind()
	switch {
	case rd.kind == readAnswer:
		return "answer", x.rule.control.Record.Question
	case rd.field == nil && rd.list != nil:
		return rd.list.name, rd.list.label(k)
	}
	return rd.field.name, rd.field.label(k)
}

// detail tells the register's word from the collector's, where a field has both.
func (x *explainer) detail(rs *verdict.Reason, rd read) {
	if rd.kind == readDeclared && rd.field.layers[1] {
		rs.Detail = "declared"
	}
}

// shownValue is what a read saw; a long list is cut.
func (x *explainer) shownValue(rd read) (any, int) {
	if rd.has {
		return nil, 0
	}
	if rd.kind == readElement && rd.field == nil {
		if s, ok := x.elem.(types.String); ok {
			return string(s), 0
		}
	}
	st := x.state(rd)
	if rd.kind == readAnswer && rd.name == "at" {
		return st.decision.At, 0
	}
	if list, ok := st.raw.([]any); ok && len(list) > shown {
		return slices.Clone(list[:shown]), len(list)
	}
	return st.raw, 0
}

// list explains a quantifier or a count by the elements that decided.
func (x *explainer) list(n *node, r result, pol int) {
	for _, rd := range n.reads {
		x.cellEvidence(rd)
	}
	rs := verdict.Reason{Text: n.text}
	if n.list != nil {
		rs.Fact, rs.Label = x.name(*n.list)
	}
	list, ok, over := x.elements(n)
	if !ok {
		x.absentList(n, rs, over, pol)
		return
	}
	if n.list != nil && over.truth == unsure && r.truth == unsure {
		x.ignorance(n, []read{*n.list}, pol)
		return
	}
	rs.Code = map[truth]string{yes: "true", no: "false", failed: codeError}[r.truth]
	rs.Detail = r.err
	if n.op == opCount {
		rs.Expected = x.countExpected(n, pol)
		pol = 0
	}
	sub := x.elementsThatDecided(n, list, r, pol, &rs)
	if r.truth == unsure && len(sub.reasons) == 0 && list.Size() == types.IntZero {
		rs.Code = codeEmpty
	}
	x.fold(n, &rs, sub, r)
	x.parameterOf(&rs, n)
	x.reason(rs)
	x.others(sub)
	if n.op == opCount && r.truth == unsure {
		x.ignorance(n, n.rightSide.reads, 0)
	}
}

// absentList explains a list that could not be walked.
func (x *explainer) absentList(n *node, rs verdict.Reason, over result, pol int) {
	if over.truth == failed {
		rs.Code, rs.Detail = codeError, over.err
		x.reason(rs)
		return
	}
	x.ignorance(n, n.reads, pol)
}

// elementsThatDecided puts the first of them into rs and explains the predicate
// on those.
func (x *explainer) elementsThatDecided(n *node, list traits.Lister, r result, pol int, rs *verdict.Reason) *explainer {
	sub := &explainer{evaluation: x.evaluation, seen: map[string]bool{}}
	want := r.truth
	if n.op == opCount && r.truth <= yes {
		want = yes // the elements counted
	}
	var cut []any
	x.each(n, list, func(v ref.Val) {
		if x.eval(n.kids[0], pol).truth != want {
			return
		}
		rs.Count++
		if len(cut) < shown {
			cut = append(cut, native(v))
			sub.node(n.kids[0], pol)
		}
	})
	if len(cut) > 0 {
		rs.Value = cut
	}
	return sub
}

func native(v ref.Val) any {
	if r, ok := v.(*element); ok {
		return r.fields
	}
	return v.Value()
}

// fold takes what the predicate's reasons say about elements into the reason for
// the list.
func (x *explainer) fold(n *node, rs *verdict.Reason, sub *explainer, r result) {
	var expected, details []string
	for _, s := range sub.reasons {
		if !x.ofElement(n, s) {
			continue
		}
		if rs.Parameter == "" {
			rs.Parameter, rs.Layer = s.Parameter, s.Layer
		}
		if s.Expected != "" {
			expected = append(expected, strings.TrimSpace(elementName(n, s)+" "+s.Expected))
		}
		if r.truth == unsure {
			rs.Code = s.Code
			details = append(details, strings.TrimSpace(elementName(n, s)+": "+s.Code+" "+s.Detail))
		}
	}
	if rs.Expected == "" {
		rs.Expected = set(expected)
	}
	if rs.Detail == "" {
		rs.Detail = set(details)
	}
	if r.truth == unsure && rs.Code == "" {
		rs.Code = "unknown"
	}
}

func set(words []string) string {
	slices.Sort(words)
	return strings.Join(slices.Compact(words), ", ")
}

// ofElement reports whether a reason found under n speaks of n's elements.
func (x *explainer) ofElement(n *node, s verdict.Reason) bool {
	if n.list == nil || n.list.field == nil {
		return s.Fact == ""
	}
	if n.list.field.of == nil {
		return s.Fact == n.list.field.name
	}
	_, ok := n.list.field.of.fields[s.Fact]
	return ok && strings.Contains(s.Text, n.variable+".")
}

func elementName(n *node, s verdict.Reason) string {
	if n.list == nil || n.list.field == nil || n.list.field.of == nil {
		return ""
	}
	return s.Fact
}

// others passes on what the predicate found out about other fields.
func (x *explainer) others(sub *explainer) {
	for _, s := range sub.reasons {
		if _, ok := x.rule.schema.byName[s.Fact]; ok && !strings.Contains(s.Text, "@") {
			continue
		}
	}
	for _, ev := range sub.evidence {
		x.prove(ev)
	}
}

func (x *explainer) parameterOf(rs *verdict.Reason, n *node) {
	if rs.Parameter == "" {
		x.parameter(rs, n, 0)
	}
}

func (x *explainer) countExpected(n *node, pol int) string {
	if pol == 0 {
		return ""
	}
	v, err := x.value(n.right)
	if err != "" || types.IsUnknown(v) {
		return ""
	}
	return sign(n.cmp, pol) + " " + render(v)
}

// cellEvidence notes the cell behind a read.
func (x *explainer) cellEvidence(rd read) {
	if rd.kind == readElement {
		return // its list is noted
	}
	st := x.state(rd)
	if rd.kind == readAnswer {
		if d := st.decision; d != nil {
			x.prove(verdict.Evidence{
				Fact: "answer", Source: "decision/" + d.ID, ObservedAt: d.At, ReceivedAt: d.At, Status: string(fact.Observed),
				Digest: fact.Digest(d.Answer), FreshUntil: st.fresh,
			})
		}
		return
	}
	c := st.cell
	if c == nil {
		return
	}
	x.prove(verdict.Evidence{
		Fact: rd.field.name, Source: source(*c), ObservedAt: c.ObservedAt, ReceivedAt: c.ReceivedAt,
		Digest: fact.Digest(c.Fact.Value), Status: string(c.Fact.Status), FreshUntil: st.fresh,
	})
}

func source(c Cell) string {
	var parts []string
	for _, s := range c.Fact.Source {
		parts = append(parts, s.String())
	}
	if len(parts) == 0 {
		for _, l := range c.Lineage {
			parts = append(parts, "derived:"+l)
		}
	}
	if len(parts) == 0 {
		return "register"
	}
	return strings.Join(parts, ", ")
}

// expected says what a read would have to be for n to come out as the rule wants.
func (x *explainer) expected(n *node, rd read, pol int) string {
	if pol == 0 {
		return ""
	}
	if n.clocked != 0 {
		if s := x.threshold(n, rd, pol); s != "" {
			return s
		}
	}
	if n.cmp != "" {
		if s := x.compared(n, rd, pol); s != "" {
			return s
		}
	}
	if n.leftSide.bare && n.cmp == "" {
		if rd.has {
			return map[int]string{+1: "present", -1: "none"}[pol]
		}
		return strconv.FormatBool(pol > 0)
	}
	if pol < 0 {
		return "!(" + n.text + ")"
	}
	return n.text
}

// compared renders a comparison from the side on which rd stands.
func (x *explainer) compared(n *node, rd read, pol int) string {
	own, other, cmp := n.leftSide, n.right, n.cmp
	contains := false
	if !slices.Contains(own.reads, rd) {
		own, other = n.rightSide, n.left
		if cmp == operators.In {
			contains = true
		} else {
			cmp = mirrored[cmp]
		}
	}
	v, err := x.value(other)
	if err != "" || types.IsUnknown(v) || !own.bare && !own.size {
		return ""
	}
	verb := sign(cmp, pol)
	if contains {
		verb = map[int]string{+1: "contains", -1: "without"}[pol]
	}
	if own.size {
		verb = "size " + verb
	}
	return verb + " " + render(v)
}

var signs = map[string]string{
	operators.Less: "<", operators.LessEquals: "<=", operators.Greater: ">", operators.GreaterEquals: ">=",
	operators.Equals: "==", operators.NotEquals: "!=", operators.In: "in",
}

var opposite = map[string]string{
	operators.Less: ">=", operators.LessEquals: ">", operators.Greater: "<=", operators.GreaterEquals: "<",
	operators.Equals: "!=", operators.NotEquals: "==", operators.In: "not in",
}

func sign(cmp string, pol int) string {
	if pol < 0 {
		return opposite[cmp]
	}
	return signs[cmp]
}

// threshold is the instant against which an age or a deadline was measured.
func (x *explainer) threshold(n *node, rd read, pol int) string {
	t, ok := x.state(rd).raw.(time.Time)
	if !ok {
		return ""
	}
	left, _ := x.value(n.left)
	right, _ := x.value(n.right)
	gap, ok := apart(left, right)
	if !ok {
		return ""
	}
	cmp := n.cmp
	if n.clocked > 0 {
		cmp = mirrored[cmp]
	}
	return sign(cmp, pol) + " " + t.Add(gap*time.Duration(n.clocked)).UTC().Format(time.RFC3339)
}

// render writes a value as a reason shows it.
func render(v ref.Val) string {
	switch x := v.(type) {
	case types.String:
		return strconv.Quote(string(x))
	case types.Timestamp:
		return x.Time.UTC().Format(time.RFC3339)
	case types.Duration:
		return renderDuration(x.Duration)
	case traits.Lister:
		var parts []string
		for i := range int(x.Size().(types.Int)) {
			if i == 2*shown {
				parts = append(parts, "…")
				break
			}
			parts = append(parts, render(x.Get(types.Int(i))))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprint(v.Value())
}

// renderDuration writes whole days as days, and drops zero minutes and seconds.
func renderDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
