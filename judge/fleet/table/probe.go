package table

import (
	"maps"
	"math"
	"slices"
	"time"

	"cel.dev/cel-go/common/types/ref"

	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/column"
	"kakusho/rule"
	"kakusho/rule/weigh"
)

// prober asks rule/weigh what a leaf comes to for given cells.
type prober struct {
	leaf  *Leaf
	m     *weigh.Matter
	scale *weigh.Scale
}

func newProber(l *Leaf, values directive.Values, now time.Time) *prober {
	m := &weigh.Matter{
		Schema: l.rule.Schema(), Control: l.rule.Control(), Facts: map[string]judge.Cell{}, Declared: map[string]judge.Cell{},
		Params: values, At: now, Nodes: l.rule.Nodes(),
	}
	if m.Control.Record != nil { // only answers that count are asked about
		record := *m.Control.Record
		record.Fresh = everFresh
		m.Control.Record, m.Params = &record, maps.Clone(values)
		m.Params[everFresh] = directive.Value{Value: time.Duration(math.MaxInt64)}
	}
	p := &prober{leaf: l, m: m}
	p.set(now)
	return p
}

// everFresh is a parameter that no directive has.
const everFresh = "answers that count"

func (p *prober) set(now time.Time) {
	p.m.At = now
	p.scale = p.m.Scale(now)
	p.scale.Push(p.leaf.push)
}

// ask weighs the leaf for cells, one for each of its sources. The result holds
// before until; zero: for ever.
func (p *prober) ask(cells []column.Entry) (flags bits.Flags, until time.Time) {
	clear(p.m.Facts)
	clear(p.m.Declared)
	p.m.Decisions = nil
	p.scale.Forget()
	if p.leaf.within != nil {
		return p.askElement(cells)
	}
	for i, s := range p.leaf.Sources {
		if cells[i].Status != "" {
			p.lay(s, cells[i])
		}
	}
	return flagged(p.scale.Weigh(p.leaf.node, p.leaf.pol))
}

// lay puts a cell where the source finds it.
func (p *prober) lay(s Source, e column.Entry) {
	if s.Layer == Answer {
		d := answered(p.leaf.rule, e.Value.(string))
		p.m.Decisions = []decision.Decision{d}
		if !p.leaf.Clocked { // a fork that is further ahead may have brought it
			p.set(d.At)
		}
		return
	}
	c := judge.Cell{Fact: fact.Fact{Field: s.Name, Status: e.Status, Value: e.Value}}
	switch _, taken := p.m.Declared[s.Name]; {
	case s.Layer == Declared:
		p.m.Declared[s.Name] = c
	case s.Layer == DeclaredFirst && taken: // d. reads the same cell
	default:
		p.m.Facts[s.Name] = c
	}
}

// askElement weighs the leaf for the only element of a list.
func (p *prober) askElement(cells []column.Entry) (flags bits.Flags, until time.Time) {
	q := p.leaf.within
	list := []any{p.element(cells)}
	c := judge.Cell{Fact: fact.Fact{Field: q.List.Field.Name, Status: fact.Observed, Value: list}}
	p.m.Facts[q.List.Field.Name], p.m.Declared[q.List.Field.Name] = c, c
	elements, _ := p.scale.Elements(q)
	if elements == nil {
		return bits.Unsure | bits.Unknown, time.Time{}
	}
	p.scale.Each(q, elements, func(ref.Val) { flags, until = flagged(p.scale.Weigh(p.leaf.node, p.leaf.pol)) })
	return flags, until
}

func (p *prober) element(cells []column.Entry) any {
	if p.leaf.within.List.Field.Of == nil {
		if len(cells) == 0 {
			return "" // any will do
		}
		return cells[0].Value
	}
	record := map[string]any{}
	for i, s := range p.leaf.Sources {
		if cells[i].Status != "" {
			record[s.Name] = cells[i].Value // nil where it was left blank
		}
	}
	return record
}

func flagged(r weigh.Result) (bits.Flags, time.Time) {
	switch r.Truth {
	case weigh.Yes:
		return bits.Yes, r.Until
	case weigh.No:
		return bits.No, r.Until
	case weigh.Unsure:
		return bits.Unsure | bits.Flags(r.Cause)<<bits.CauseShift, r.Until
	}
	return bits.Broken, r.Until
}

// AnswerValue is how the column of answers holds one. Unless dated is set, when it
// was given does not matter.
func AnswerValue(d *decision.Decision, dated bool) string {
	at := time.Unix(0, 0).UTC()
	if dated {
		at = d.At
	}
	return d.Answer + "\x00" + at.Format(time.RFC3339Nano)
}

// Dated reports whether a rule reads when an answer was given.
func Dated(r *judge.Rule) bool {
	applies, check, exceptions := r.Plans()
	return slices.ContainsFunc(append([]*rule.Plan{applies, check}, exceptions...), func(p *rule.Plan) bool {
		return slices.ContainsFunc(scanned(p.Root).reads, func(x rule.Read) bool { return x.From == rule.FromAnswer && x.Name == "at" })
	})
}

// answered is a decision with the answer that a value holds.
func answered(r *judge.Rule, value string) decision.Decision {
	i := len(value) - 1
	for value[i] != 0 {
		i--
	}
	at, err := time.Parse(time.RFC3339Nano, value[i+1:])
	if err != nil {
		panic(err) // AnswerValue wrote it
	}
	c := r.Control()
	return decision.Decision{Type: c.Record.Type, Control: c.ID, Answer: value[:i], At: at, From: at}
}
