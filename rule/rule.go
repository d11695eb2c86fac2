// Package rule is the language in which controls are written: CEL over the
// fields of kinds and the values of parameters.
//
// A Schema says what may be named. Its Plan type-checks an expression with
// cel-go, holds it to the limits of the load gate, and splits it into and, or,
// not, ?:, all, exists and counts over atoms. Splitting is allowed because CEL's
// logic is commutative in errors and unknowns; it is what makes every part of a
// verdict explainable. cel-go stays the only semantics of an atom.
//
// The package evaluates nothing: rule/weigh does.
package rule

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
)

// Plan is a checked and planned expression.
type Plan struct {
	Root   *Node
	Next   int         // ID that is free after the plan's nodes
	Whole  cel.Program // the expression as one program: what the plan must agree with
	Fields []string    // fields read, through s or d, sorted
	Params []string    // keys of parameters read, sorted
	Cost   uint64      // steps on the largest subject, as cel-go estimates them
}

// Fault is something wrong with an expression. Line and Column count from 1
// within it; 0 is the whole.
type Fault struct {
	Line, Column int
	Message      string
}

// Error is the fault as one line.
func (f Fault) Error() string { return fmt.Sprintf("%d:%d: %s", f.Line, f.Column, f.Message) }

// environment is the CEL environment of the schema.
func (s *Schema) environment() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.CustomTypeAdapter(s), cel.CustomTypeProvider(s),
		cel.ClearMacros(), cel.EnableMacroCallTracking(),
		cel.Macros(cel.GlobalMacro("has", 1, makeHas), cel.AllMacro, cel.ExistsMacro, cel.FilterMacro),
		cel.Variable("s", cel.ObjectType(subjectType)),
		cel.Variable("d", cel.ObjectType(declaredType)),
		cel.Variable("p", cel.ObjectType(paramsType)),
		cel.Variable("now", cel.TimestampType),
		cel.ASTValidators(
			cel.ValidateRegexLiterals(), cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(),
			cel.ValidateHomogeneousAggregateLiterals(), cel.ValidateComprehensionNestingLimit(maxNesting)),
		cel.ExpressionNodeLimit(maxNodes), cel.ParserExpressionSizeLimit(maxRunes), cel.ParserRecursionLimit(maxRecursion),
	}
	if s.answer {
		options = append(options, cel.Variable("a", cel.ObjectType(answerType)))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("make CEL environment: %w", err)
	}
	return env, nil
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

// Plan checks and plans a bool expression. All faults come back at once; with
// any there is no plan. Nodes are numbered from first.
func (s *Schema) Plan(text string, first int) (*Plan, []Fault) {
	parsed, iss := s.env.Parse(text)
	if iss.Err() != nil {
		return nil, s.issues(iss, nil)
	}
	checked, iss := s.env.Check(parsed)
	if iss.Err() != nil {
		return nil, s.issues(iss, parsed.NativeRep().Expr())
	}
	if checked.OutputType() != cel.BoolType {
		return nil, []Fault{{1, 1, fmt.Sprintf("the expression is %s, want bool", checked.OutputType())}}
	}
	rep := checked.NativeRep()
	p := &planner{schema: s, checked: rep, info: rep.SourceInfo(), next: first}
	p.objects(rep.Expr())
	p.costs(checked)
	plan := &Plan{Root: p.plan(rep.Expr()), Whole: p.program(rep.Expr())}
	plan.Next, plan.Cost = p.next, p.cost
	plan.Fields, plan.Params = s.named(rep)
	var faults []Fault
	for _, f := range p.faults {
		loc := rep.SourceInfo().GetStartLocation(f.id)
		faults = append(faults, fault(loc, f.message))
	}
	if len(faults) > 0 {
		return nil, slices.Compact(faults)
	}
	return plan, nil
}

func fault(loc common.Location, message string) Fault {
	if loc == nil || loc.Line() < 1 {
		return Fault{1, 1, message}
	}
	return Fault{loc.Line(), loc.Column() + 1, message}
}

func (s *Schema) issues(iss *cel.Issues, parsed ast.Expr) (faults []Fault) {
	for _, e := range iss.Errors() {
		f := fault(e.Location, s.explain(e.Message, parsed, e.ExprID))
		if undefinedField.MatchString(e.Message) {
			f.Column++ // cel-go points at the dot
		}
		faults = append(faults, f)
	}
	return faults
}

// named lists every field and parameter that the expression names.
func (s *Schema) named(rep *ast.AST) (fields, params []string) {
	ast.PreOrderVisit(rep.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.SelectKind || e.AsSelect().Operand().Kind() != ast.IdentKind {
			return
		}
		name := strings.TrimPrefix(e.AsSelect().FieldName(), hasPrefix)
		switch rep.GetType(e.AsSelect().Operand().ID()).TypeName() {
		case subjectType, declaredType:
			fields = append(fields, name)
		case paramsType:
			params = append(params, s.byParam[name].Key)
		}
	}))
	slices.Sort(fields)
	slices.Sort(params)
	return slices.Compact(fields), slices.Compact(params)
}
