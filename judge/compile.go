package judge

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"

	"kakusho/control"
	"kakusho/directive"
	"kakusho/kind"
)

// Option adjusts how a control is compiled.
type Option func(*Rule)

// EffectiveFrom says when the directive took effect: only systems in service by
// then may be deferred. Without it nothing may.
func EffectiveFrom(t time.Time) Option { return func(r *Rule) { r.effectiveFrom = t } }

// Rules compiles every control for the directive. All faults come back at once.
func Rules(controls []control.Control, kinds kind.Set, d *directive.Directive) ([]*Rule, error) {
	var rules []*Rule
	var faults []error
	for _, c := range controls {
		r, err := Compile(c, kinds, d.Parameters, EffectiveFrom(d.EffectiveFrom))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		rules = append(rules, r)
	}
	return rules, errors.Join(faults...)
}

// Compile type-checks the control's expressions against the kinds and the
// parameters and plans them. Every fault names file, line and column, and what
// was perhaps meant.
func Compile(c control.Control, kinds kind.Set, params directive.Parameters, options ...Option) (*Rule, error) {
	s, err := newSchema(c, kinds, params)
	if err != nil {
		return nil, fmt.Errorf("control %s: %w", c.ID, err)
	}
	env, err := s.env()
	if err != nil {
		return nil, fmt.Errorf("control %s: %w", c.ID, err)
	}
	r := &Rule{control: c, schema: s}
	for _, o := range options {
		o(r)
	}
	b := compiler{rule: r, env: env, fields: map[string]bool{}, params: map[string]bool{}}
	r.check = b.expression("rule", c.Rule)
	r.applies = b.expression("applies", c.Applies)
	for i, x := range c.Exceptions {
		r.exceptions = append(r.exceptions, b.expression(fmt.Sprintf("exceptions[%d].when", i), x.When))
	}
	b.lists()
	if len(b.faults) > 0 {
		return nil, errors.Join(b.faults...)
	}
	return r, nil
}

// env is the CEL environment in which the control's expressions stand.
func (s *schema) env() (*cel.Env, error) {
	has := cel.GlobalMacro("has", 1, makeHas)
	options := []cel.EnvOption{
		cel.CustomTypeAdapter(s), cel.CustomTypeProvider(s),
		cel.ClearMacros(), cel.Macros(has, cel.AllMacro, cel.ExistsMacro, cel.FilterMacro), cel.EnableMacroCallTracking(),
		cel.Variable("s", cel.ObjectType(subjectType)),
		cel.Variable("d", cel.ObjectType(declaredType)),
		cel.Variable("p", cel.ObjectType(paramsType)),
		cel.Variable("now", cel.TimestampType),
		cel.ASTValidators(
			cel.ValidateRegexLiterals(), cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(),
			cel.ValidateHomogeneousAggregateLiterals(), cel.ValidateComprehensionNestingLimit(maxNesting)),
		cel.ExpressionNodeLimit(maxNodes), cel.ParserExpressionSizeLimit(maxRunes), cel.ParserRecursionLimit(maxRecursion),
	}
	if s.record {
		options = append(options, cel.Variable("a", cel.ObjectType(answerType)))
	}
	return cel.NewEnv(options...)
}

// makeHas turns has(x.f) into a read of the field that says whether x has f: it
// can be unknown, which cel-go's own presence test cannot.
func makeHas(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
	if args[0].Kind() != ast.SelectKind {
		return nil, f.NewError(args[0].ID(), "has() wants a field, as in has(s.volumes)")
	}
	sel := args[0].AsSelect()
	return f.NewSelect(sel.Operand(), hasPrefix+sel.FieldName()), nil
}

// compiler gathers the faults of one control.
type compiler struct {
	rule   *Rule
	env    *cel.Env
	fields map[string]bool // read by any expression
	params map[string]bool
	faults []error
}

func (b *compiler) bad(place control.Place, message string) {
	file := path.Join(b.rule.control.Dir, place.File)
	b.faults = append(b.faults, fmt.Errorf("control %s:%d:%d: %s", file, place.Line, place.Column, message))
}

// place adds a location within an expression to the expression's own place.
func (b *compiler) place(part string, loc common.Location) control.Place {
	p := b.rule.control.At(part)
	if loc == nil || loc.Line() < 1 {
		return p
	}
	if loc.Line() == 1 {
		p.Column += loc.Column()
	} else {
		p.Line, p.Column = p.Line+loc.Line()-1, loc.Column()+1
	}
	return p
}

func (b *compiler) expression(part, text string) *node {
	parsed, iss := b.env.Parse(text)
	if iss.Err() != nil {
		b.issues(part, iss, nil)
		return nil
	}
	checked, iss := b.env.Check(parsed)
	if iss.Err() != nil {
		b.issues(part, iss, parsed.NativeRep().Expr())
		return nil
	}
	if checked.OutputType() != cel.BoolType {
		b.bad(b.rule.control.At(part), fmt.Sprintf("%s is %s, want bool", part, checked.OutputType()))
		return nil
	}
	rep := checked.NativeRep()
	p := &planner{env: b.env, schema: b.rule.schema, checked: rep, info: rep.SourceInfo(), next: &b.rule.nodes}
	p.objects(rep.Expr())
	p.costs(checked)
	n := p.plan(rep.Expr())
	for _, f := range p.faults {
		loc := rep.SourceInfo().GetStartLocation(f.id)
		b.bad(b.place(part, loc), f.message)
	}
	b.reads(rep)
	return n
}

func (b *compiler) issues(part string, iss *cel.Issues, parsed ast.Expr) {
	for _, e := range iss.Errors() {
		b.bad(b.place(part, e.Location), b.rule.schema.explain(e.Message, parsed, e.ExprID))
	}
}

// reads notes every field and parameter that the expression names.
func (b *compiler) reads(rep *ast.AST) {
	ast.PreOrderVisit(rep.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.SelectKind || e.AsSelect().Operand().Kind() != ast.IdentKind {
			return
		}
		name := strings.TrimPrefix(e.AsSelect().FieldName(), hasPrefix)
		switch rep.GetType(e.AsSelect().Operand().ID()).TypeName() {
		case subjectType, declaredType:
			b.fields[name] = true
		case paramsType:
			b.params[b.rule.schema.byParam[name].key] = true
		}
	}))
}

// lists compares needs and parameters with what the expressions read.
func (b *compiler) lists() {
	if len(b.faults) > 0 {
		return // reads are not known
	}
	c := b.rule.control
	compare := func(what string, listed []string, read map[string]bool) {
		for _, name := range slices.Sorted(maps.Keys(read)) {
			if !slices.Contains(listed, name) {
				b.bad(c.At(what), fmt.Sprintf("%s is read but not listed in %s", name, what))
			}
		}
		for _, name := range listed {
			if !read[name] {
				b.bad(c.At(what), fmt.Sprintf("%s is listed in %s but not read", name, what))
			}
		}
	}
	compare("needs", c.Needs, b.fields)
	compare("parameters", c.Parameters, b.params)
}
