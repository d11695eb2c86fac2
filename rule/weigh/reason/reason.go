// Package reason says why an expression came out as it did: which of its parts
// decided, what they saw, what they would have to see, and on what evidence.
//
// Of a conjunction that is false all false operands are named, of one that is
// true all operands; of a list the elements that decided, the first three and
// how many. What is found does not depend on the order of operands, because
// weighing does not.
package reason

import (
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/rule"
	"kakusho/rule/weigh"
	"kakusho/verdict"
)

// shown is how many elements of a list a reason carries.
const shown = 3

// Book collects reasons and evidence, each once, in the order of the rule.
type Book struct {
	Reasons  []verdict.Reason
	Evidence []verdict.Evidence

	scale    *weigh.Scale
	kind     string // of the subject, whose labels are used
	element  []bool // reason i speaks of the element being looked at
	contents map[string]bool
}

// NewBook starts a book on what the scale shows of a subject of a kind.
func NewBook(s *weigh.Scale, kind string) *Book {
	return &Book{Reasons: []verdict.Reason{}, Evidence: []verdict.Evidence{}, scale: s, kind: kind, contents: map[string]bool{}}
}

// Add enters a reason of the caller's own.
func (b *Book) Add(r verdict.Reason) { b.add(r, false) }

func (b *Book) add(r verdict.Reason, ofElement bool) {
	key := strings.Join([]string{r.Code, r.Text, r.Fact, r.Parameter, r.Expected, r.Detail}, "\x00")
	if !b.contents[key] {
		b.contents[key] = true
		b.Reasons = append(b.Reasons, r)
		b.element = append(b.element, ofElement)
	}
}

// Prove enters evidence of the caller's own.
func (b *Book) Prove(ev verdict.Evidence) {
	key := strings.Join([]string{"evidence", ev.Fact, ev.Source, ev.Digest, ev.Status, instant(ev.ObservedAt)}, "\x00")
	if !b.contents[key] {
		b.contents[key] = true
		b.Evidence = append(b.Evidence, ev)
	}
}

// Explain enters what decided n. pol is as for Scale.Weigh.
func (b *Book) Explain(n *rule.Node, pol int) {
	r := b.scale.Weigh(n, pol)
	switch n.Op {
	case rule.And, rule.Or:
		for _, k := range n.Kids {
			if b.scale.Weigh(k, pol).Truth == r.Truth {
				b.Explain(k, pol)
			}
		}
	case rule.Not:
		b.Explain(n.Kids[0], -pol)
	case rule.If:
		b.Explain(n.Kids[0], 0)
		switch b.scale.Weigh(n.Kids[0], 0).Truth {
		case weigh.Yes:
			b.Explain(n.Kids[1], pol)
		case weigh.No:
			b.Explain(n.Kids[2], pol)
		}
	case rule.All, rule.Exists, rule.Count:
		b.list(n, r, pol)
	case rule.Atom:
		b.atom(n, r, pol)
	}
}

func (b *Book) atom(n *rule.Node, r weigh.Result, pol int) {
	b.proveAll(n.Reads)
	switch {
	case r.Truth == weigh.Broken:
		rs := verdict.Reason{Code: weigh.Fault, Text: n.Text, Detail: fault(n, r)}
		if len(n.Reads) > 0 {
			b.name(&rs, n.Reads[0])
		}
		b.Add(rs)
		return
	case r.Cause != 0: // unsure, or pushed because it was
		b.ignorance(n, n.Reads, n.Params, pol)
		return
	}
	for _, rd := range n.Reads {
		rs := verdict.Reason{Code: code(r.Truth), Text: n.Text, Expected: b.expected(n, rd, pol)}
		b.name(&rs, rd)
		rs.Value, rs.Count = b.value(rd)
		b.parameter(&rs, n.Params, 0)
		b.add(rs, rd.From == rule.FromElement)
	}
	for i, p := range n.Params {
		if i == 0 && len(n.Reads) > 0 {
			continue // it stands with the reads
		}
		rs := verdict.Reason{Code: code(r.Truth), Text: n.Text, Value: b.scale.Param(p).Raw}
		b.parameter(&rs, n.Params, i)
		b.Add(rs)
	}
	if len(n.Reads)+len(n.Params) == 0 {
		b.Add(verdict.Reason{Code: code(r.Truth), Text: n.Text})
	}
}

// fault is what went wrong in n, and where that stands.
func fault(n *rule.Node, r weigh.Result) string {
	if n.Place == "" {
		return r.Fault
	}
	return r.Fault + ", at " + n.Place
}

func code(t weigh.Truth) string {
	if t == weigh.Yes {
		return "true"
	}
	return "false"
}

func (b *Book) parameter(rs *verdict.Reason, params []*rule.Param, i int) {
	if i < len(params) {
		rs.Parameter, rs.Layer = params[i].Key, b.scale.Param(params[i]).Layer
	}
}

// ignorance names every read of n that found no value.
func (b *Book) ignorance(n *rule.Node, reads []rule.Read, params []*rule.Param, pol int) {
	for _, rd := range reads {
		st := b.scale.State(rd)
		if st.Known(rd.Has) {
			continue
		}
		rs := verdict.Reason{Code: st.Code, Text: n.Text, Detail: st.Detail, Parameter: st.Parameter, Layer: st.Layer}
		if st.Decision != nil {
			rs.Lapsed = st.Decision.Lapsed
		}
		if rs.Parameter == "" {
			b.parameter(&rs, params, 0)
			rs.Expected = b.expected(n, rd, pol)
		}
		b.name(&rs, rd)
		b.add(rs, rd.From == rule.FromElement)
	}
	for _, p := range params {
		if st := b.scale.Param(p); st.Code != "" {
			b.Add(verdict.Reason{Code: st.Code, Text: n.Text, Parameter: p.Key, Detail: st.Detail})
		}
	}
}

// name says what was read. Where the register and a collector both speak of a
// field, it says which.
func (b *Book) name(rs *verdict.Reason, rd rule.Read) {
	switch {
	case rd.From == rule.FromAnswer:
		rs.Fact, rs.Label = "answer", b.question()
	case rd.Field == nil:
		rs.Fact, rs.Label = rd.List.Name, rd.List.Label(b.kind)
	default:
		rs.Fact, rs.Label = rd.Field.Name, rd.Field.Label(b.kind)
	}
	if rd.From == rule.FromDeclared && rd.Field.Observed && rs.Detail == "" {
		rs.Detail = "declared"
	}
}

func (b *Book) question() bilingual.Text {
	if rec := b.scale.Control.Record; rec != nil {
		return rec.Question
	}
	return bilingual.Text{}
}

// value is what a read saw; a long list is cut.
func (b *Book) value(rd rule.Read) (any, int) {
	switch {
	case rd.Has:
		return nil, 0
	case rd.From == rule.FromElement && rd.Field == nil:
		return b.scale.Element().Value(), 0
	}
	st := b.scale.State(rd)
	if rd.From == rule.FromAnswer && rd.Name == "at" {
		return st.Decision.At, 0
	}
	if list, ok := st.Raw.([]any); ok && len(list) > shown {
		return slices.Clone(list[:shown]), len(list)
	}
	return st.Raw, 0
}

// list explains a quantifier or a count by the elements that decided.
func (b *Book) list(n *rule.Node, r weigh.Result, pol int) {
	b.proveAll(n.Reads)
	list, over := b.scale.Elements(n)
	rs := verdict.Reason{Code: code(r.Truth), Text: n.Text}
	if n.List != nil {
		b.name(&rs, *n.List)
	}
	switch {
	case list == nil && over.Truth == weigh.Broken:
		rs.Code, rs.Detail = weigh.Fault, fault(n, over)
		b.Add(rs)
		return
	case list == nil:
		b.ignorance(n, n.Reads, n.Params, pol)
		return
	case n.List != nil && over.Truth == weigh.Unsure && r.Truth == weigh.Unsure:
		b.ignorance(n, []rule.Read{*n.List}, nil, pol)
		return
	}
	b.parameter(&rs, n.Params, 0)
	if n.Op == rule.Count {
		rs.Expected = b.countExpected(n, pol)
		pol = 0
	}
	sub := b.decided(n, list, r, pol, &rs)
	b.otherSide(n, r, rs.Count)
	switch {
	case r.Truth == weigh.Broken:
		rs.Code, rs.Detail = weigh.Fault, fault(n, r)
	case r.Cause != 0 && list.Size() == types.IntZero:
		rs.Code = weigh.Empty
	case r.Cause != 0 && rs.Count == 0: // the count's other side is not known
		b.ignorance(n, n.RightSide.Reads, n.Params, 0)
		return
	}
	b.take(&rs, sub, r)
	if n.List != nil && r.Cause != 0 { // why the records do not say it: "permission: open /etc/shadow"
		if c := b.scale.State(*n.List).Cell; c != nil && c.Fact.Reason != "" && rs.Detail != "" {
			rs.Detail += " (" + c.Fact.Reason + ")"
		}
	}
	b.Add(rs)
}

// decided puts the first of the elements that decided into rs, and explains the
// predicate on those.
func (b *Book) decided(n *rule.Node, list traits.Lister, r weigh.Result, pol int, rs *verdict.Reason) *Book {
	sub := NewBook(b.scale, b.kind)
	want, counted := r.Truth, n.Op == rule.Count && r.Truth <= weigh.Yes
	if counted {
		want = weigh.Yes
	}
	var cut []any
	others := 0
	b.scale.Each(n, list, func(v ref.Val) {
		switch is := b.scale.Weigh(n.Kids[0], pol).Truth == want; {
		case is:
			if rs.Count++; len(cut) < shown {
				cut = append(cut, native(v))
				sub.Explain(n.Kids[0], pol)
			}
		case counted: // that it was not counted decided as well
			if others++; others <= shown {
				sub.Explain(n.Kids[0], pol)
			}
		}
	})
	if len(cut) > 0 {
		rs.Value = cut
	}
	return sub
}

// otherSide enters what a count was compared with, where that is a fact.
func (b *Book) otherSide(n *rule.Node, r weigh.Result, hits int) {
	if n.Op != rule.Count || r.Truth > weigh.Yes {
		return
	}
	for _, rd := range n.RightSide.Reads {
		rs := verdict.Reason{Code: code(r.Truth), Text: n.Text}
		b.name(&rs, rd)
		rs.Value, _ = b.value(rd)
		if n.RightSide.Bare {
			rs.Expected = sign(mirrored(n.Cmp), +1) + " " + strconv.Itoa(hits)
		}
		b.Add(rs)
	}
}

func native(v ref.Val) any {
	if r, ok := weigh.Record(v); ok {
		return r
	}
	return v.Value()
}

// take moves what the predicate's reasons say about elements into the reason for
// the list, and enters the others, which are about other fields, as they are.
func (b *Book) take(rs *verdict.Reason, sub *Book, r weigh.Result) {
	var expected, details, codes []string
	for i, s := range sub.Reasons {
		if r.Cause != 0 && s.Code != code(weigh.Yes) && s.Code != code(weigh.No) {
			codes = append(codes, s.Code)
		}
		if !sub.element[i] && s.Fact != "" {
			b.Add(s)
			continue
		}
		word := s.Fact
		if word == rs.Fact {
			word = "" // a list of strings
		}
		if s.Expected != "" {
			expected = append(expected, strings.TrimSpace(word+" "+s.Expected))
		}
		if s.Parameter != "" && (rs.Parameter == "" || s.Parameter < rs.Parameter) {
			rs.Parameter, rs.Layer = s.Parameter, s.Layer
		}
		if r.Cause != 0 {
			details = append(details, strings.TrimSpace(word+" "+s.Code+": "+s.Detail))
		}
	}
	if rs.Expected == "" {
		rs.Expected = joined(expected)
	}
	if rs.Detail == "" {
		rs.Detail = joined(details)
	}
	if len(codes) > 0 {
		rs.Code = slices.Min(codes)
	}
	for _, ev := range sub.Evidence {
		b.Prove(ev)
	}
}

// joined is a set of words in an order of its own.
func joined(words []string) string {
	slices.Sort(words)
	return strings.Join(slices.Compact(words), ", ")
}

// proveAll enters the cells behind reads.
func (b *Book) proveAll(reads []rule.Read) {
	for _, rd := range reads {
		if rd.From == rule.FromElement {
			continue // its list is entered
		}
		st := b.scale.State(rd)
		switch {
		case st.Decision != nil:
			d := st.Decision
			b.Prove(verdict.Evidence{
				Fact: "answer", Source: "decision/" + d.ID, ObservedAt: d.At, ReceivedAt: d.At,
				Digest: fact.Digest(d.Answer), Status: string(fact.Observed), FreshUntil: st.Fresh,
			})
		case st.Cell != nil:
			c := st.Cell
			b.Prove(verdict.Evidence{
				Fact: rd.Field.Name, Source: source(*c), ObservedAt: c.ObservedAt, ReceivedAt: c.ReceivedAt,
				Digest: fact.Digest(c.Fact.Value), Status: string(c.Fact.Status), FreshUntil: st.Fresh,
			})
		}
	}
}

func source(c weigh.Cell) string {
	var parts []string
	for _, s := range c.Fact.Source {
		parts = append(parts, s.String())
	}
	if len(parts) == 0 {
		for _, l := range c.Lineage {
			parts = append(parts, "derived:"+l)
		}
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, ", ")
	case c.Collector != "": // it looked and could not see
		return "collect:" + c.Collector
	}
	return "register"
}
