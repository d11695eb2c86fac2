package judge

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"kakusho/control"
	"kakusho/directive"
	"kakusho/kind"
	"kakusho/rule"
	"kakusho/rule/weigh"
	"kakusho/verdict"
)

// Option adjusts how a control is compiled.
type Option func(*Rule)

// EffectiveFrom says when the directive took effect: only what was in service by
// then may be deferred. Without it nothing may.
func EffectiveFrom(t time.Time) Option { return func(r *Rule) { r.effectiveFrom = t } }

// Rules compiles every control for the directive. One that does not compile is
// among them all the same: it judges nothing but says why, with the outcome
// error, and never keeps the others from judging. All faults come back at once
// as well, for whoever would rather not begin with them.
func Rules(controls []control.Control, kinds kind.Set, d *directive.Directive) ([]*Rule, error) {
	rules := make([]*Rule, 0, len(controls))
	var faults []error
	schemas := map[string]*rule.Schema{} // controls for the same kinds share one
	for _, c := range controls {
		key := fmt.Sprint(c.Kinds, c.Record != nil)
		share := func(r *Rule) { r.schema = schemas[key] }
		r, err := Compile(c, kinds, d.Parameters, EffectiveFrom(d.EffectiveFrom), share)
		if err != nil {
			faults = append(faults, err)
			r = &Rule{control: c, fault: err}
		} else {
			schemas[key] = r.schema
		}
		rules = append(rules, r)
	}
	return rules, errors.Join(faults...)
}

// Compile checks and plans the control's expressions against the kinds and the
// parameters, and compares what they read with what the control says it needs.
// Every fault names file, line and column, and what was perhaps meant.
func Compile(c control.Control, kinds kind.Set, params directive.Parameters, options ...Option) (*Rule, error) {
	r := &Rule{control: c}
	for _, o := range options {
		o(r)
	}
	if r.schema == nil {
		var err error
		if r.schema, err = schemaOf(c, kinds, params); err != nil {
			return nil, fmt.Errorf("control %s: %w", c.ID, err)
		}
	}
	b := compiler{rule: r}
	r.check = b.plan("rule", c.Rule)
	r.applies = b.plan("applies", c.Applies)
	for i, x := range c.Exceptions {
		r.exceptions = append(r.exceptions, b.plan(fmt.Sprintf("exceptions[%d].when", i), x.When))
	}
	for i, g := range c.Grounds {
		r.grounds = append(r.grounds, b.plan(fmt.Sprintf("grounds[%d].when", i), g.When))
	}
	if len(b.faults) == 0 { // else it is not known what is read
		b.lists()
	}
	if len(b.faults) > 0 {
		return nil, errors.Join(b.faults...)
	}
	return r, nil
}

func schemaOf(c control.Control, kinds kind.Set, params directive.Parameters) (*rule.Schema, error) {
	var ks []kind.Kind
	for _, id := range c.Kinds {
		k, ok := kinds[id]
		if !ok {
			return nil, fmt.Errorf("unknown kind %q", id)
		}
		ks = append(ks, k)
	}
	return rule.NewSchema(ks, params, c.Record != nil)
}

// Fault is one thing wrong with a control, and where it stands.
type Fault struct {
	Control string
	Place   control.Place // its file with the control's folder
	Message string
}

// Error is the fault as one line.
func (f Fault) Error() string { return "control " + f.At() + ": " + f.Message }

// At is where it stands: file:line:column.
func (f Fault) At() string {
	return fmt.Sprintf("%s:%d:%d", f.Place.File, f.Place.Line, f.Place.Column)
}

// Faults are the single faults of a rule that has one: a Fault each, or what is
// wrong with the control as a whole.
func (r *Rule) Faults() []error {
	if several, ok := r.fault.(interface{ Unwrap() []error }); ok {
		return several.Unwrap()
	}
	return []error{r.fault}
}

// faulty is why the rule judges nothing, as reasons.
func (r *Rule) faulty() (out []verdict.Reason) {
	for _, err := range r.Faults() {
		reason := verdict.Reason{Code: weigh.Fault, Text: "control " + r.control.ID, Detail: err.Error()}
		if f, ok := err.(Fault); ok {
			reason.Text, reason.Detail = f.At(), f.Message
		}
		out = append(out, reason)
	}
	return out
}

// compiler gathers the faults of one control.
type compiler struct {
	rule           *Rule
	fields, params []string // read by any expression
	faults         []error
}

func (b *compiler) bad(place control.Place, message string) {
	b.faults = append(b.faults, Fault{b.rule.control.ID, place, message})
}

// place is where a line and column of an expression stand in its file.
func (b *compiler) place(part string, line, column int) control.Place {
	p := b.rule.control.At(part)
	if line > 1 {
		p.Line, p.Column = p.Line+line-1, column
	} else {
		p.Column += column - 1
	}
	p.File = path.Join(b.rule.control.Dir, p.File)
	return p
}

// locate tells every node where it stands, for reasons of failures.
func (b *compiler) locate(part string, n *rule.Node) {
	p := b.place(part, n.Line, n.Column)
	n.Place = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	for _, k := range n.Kids {
		b.locate(part, k)
	}
}

func (b *compiler) plan(part, text string) *rule.Plan {
	plan, faults := b.rule.schema.Plan(text, b.rule.nodes)
	for _, f := range faults {
		b.bad(b.place(part, f.Line, f.Column), f.Message)
	}
	if plan != nil {
		b.locate(part, plan.Root)
		b.rule.nodes = plan.Next
		b.fields, b.params = append(b.fields, plan.Fields...), append(b.params, plan.Params...)
	}
	return plan
}

// lists compares needs and parameters with what the expressions read.
func (b *compiler) lists() {
	c := b.rule.control
	compare := func(what string, listed, read []string) {
		slices.Sort(read)
		for _, name := range slices.Compact(read) {
			if !slices.Contains(listed, name) {
				b.bad(b.place(what, 1, 1), fmt.Sprintf("%s is read but not listed in %s", name, what))
			}
		}
		for _, name := range listed {
			if !slices.Contains(read, name) {
				b.bad(b.place(what, 1, 1), fmt.Sprintf("%s is listed in %s but not read", name, what))
			}
		}
	}
	compare("needs", c.Needs, b.fields)
	compare("parameters", c.Parameters, b.params)
}
