package judge

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// op is what a node of a plan does.
type op int

const (
	opAtom   op = iota // a bool expression that cel-go evaluates
	opAnd              // kids
	opOr               // kids
	opNot              // kids[0]
	opIf               // kids[0] ? kids[1] : kids[2]
	opAll              // over.all(variable, kids[0])
	opExists           // over.exists(variable, kids[0])
	opCount            // over.filter(variable, kids[0]).size() cmp right
)

// node is one node of a plan.
type node struct {
	id      int
	op      op
	text    string // as written, unparsed
	kids    []*node
	program cel.Program // atom
	reads   []read      // atom; of a list: what over and right read
	params  []*param

	over     cel.Program // all, exists, count
	list     *read       // over, when it is one field
	variable string

	cmp         string      // atom: a comparison or member test; count: how the count is compared
	left, right cel.Program // atom: its two sides; count: right only
	leftSide    side
	rightSide   side
	clocked     int // slope of left minus right in now: +1, -1; 0: does not mention now
}

// side describes one side of a comparison.
type side struct {
	text  string
	reads []read // fields it reads
	bare  bool   // it is one field and nothing else
	size  bool   // it is the size of one field
	clock bool   // it mentions now
	sub   bool   // it mentions now as F - now
}

// read is one field that an expression reads.
type read struct {
	kind  readKind
	field *field // of the subject, or of the list's record; nil for a string element
	list  *field // element: the list it stands in
	has   bool
	name  string // answer: answer or at
}

type readKind byte

const (
	readSubject  readKind = 's'
	readDeclared readKind = 'd'
	readAnswer   readKind = 'a'
	readElement  readKind = 'e'
)

// planner turns a checked AST into a plan.
type planner struct {
	env     *cel.Env
	schema  *schema
	checked *ast.AST
	info    *ast.SourceInfo
	next    *int
	vars    map[string]*field // comprehension variables in scope → the list field; nil value: not a field
	faults  []fault
}

// fault is what is wrong at one expression.
type fault struct {
	id      int64
	message string
}

func (p *planner) bad(id int64, format string, a ...any) {
	p.faults = append(p.faults, fault{id, fmt.Sprintf(format, a...)})
}

func (p *planner) node(o op, e ast.Expr, kids ...*node) *node {
	n := &node{id: *p.next, op: o, kids: kids, text: p.text(e)}
	*p.next++
	return n
}

func (p *planner) text(e ast.Expr) string {
	s, err := cel.ExprToString(e, p.info)
	if err != nil {
		return "?"
	}
	return strings.Join(strings.Fields(s), " ")
}

func (p *planner) program(e ast.Expr) cel.Program {
	a := ast.NewCheckedAST(ast.NewAST(e, p.info), p.checked.TypeMap(), p.checked.ReferenceMap())
	prg, err := p.env.PlanProgram(a, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		p.bad(e.ID(), "%v", err)
	}
	return prg
}

// plan builds the plan of a bool expression.
func (p *planner) plan(e ast.Expr) *node {
	switch e.Kind() {
	case ast.CallKind:
		c := e.AsCall()
		switch c.FunctionName() {
		case operators.LogicalAnd, operators.LogicalOr:
			o := opAnd
			if c.FunctionName() == operators.LogicalOr {
				o = opOr
			}
			return p.node(o, e, p.flatten(c.FunctionName(), e)...)
		case operators.LogicalNot:
			return p.node(opNot, e, p.plan(c.Args()[0]))
		case operators.Conditional:
			return p.node(opIf, e, p.plan(c.Args()[0]), p.plan(c.Args()[1]), p.plan(c.Args()[2]))
		}
		if n := p.count(e); n != nil {
			return n
		}
	case ast.ComprehensionKind:
		return p.quantifier(e)
	}
	return p.atom(e)
}

func (p *planner) flatten(function string, e ast.Expr) []*node {
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == function {
		var kids []*node
		for _, a := range e.AsCall().Args() {
			kids = append(kids, p.flatten(function, a)...)
		}
		return kids
	}
	return []*node{p.plan(e)}
}

// macro is the name of the macro that e was written as.
func (p *planner) macro(e ast.Expr) string {
	if e.Kind() != ast.ComprehensionKind {
		return ""
	}
	call, ok := p.info.GetMacroCall(e.ID())
	if !ok || call.Kind() != ast.CallKind {
		return ""
	}
	return call.AsCall().FunctionName()
}

func (p *planner) quantifier(e ast.Expr) *node {
	c := e.AsComprehension()
	var o op
	switch p.macro(e) {
	case operators.All:
		o = opAll
	case operators.Exists:
		o = opExists
	default:
		p.bad(e.ID(), "a list stands where true or false is wanted")
		return p.node(opAtom, e)
	}
	// The fold's step is accu && predicate or accu || predicate.
	n := p.node(o, e)
	p.ranged(n, c, c.LoopStep().AsCall().Args()[1])
	return n
}

// ranged plans the list that n goes over and the predicate on its elements.
func (p *planner) ranged(n *node, c ast.ComprehensionExpr, predicate ast.Expr) {
	n.variable = c.IterVar()
	reads, params := p.reads(c.IterRange())
	n.reads, n.params = append(n.reads, reads...), append(n.params, params...)
	n.over = p.program(c.IterRange())
	var list *field
	if r, ok := p.bare(c.IterRange()); ok && r.kind != readAnswer {
		n.list, list = &r, r.field
	}
	outer := p.vars
	p.vars = map[string]*field{n.variable: list}
	n.kids = []*node{p.plan(predicate)}
	p.vars = outer
}

// count recognises over.filter(v, predicate).size() OP right, either way round.
func (p *planner) count(e ast.Expr) *node {
	c := e.AsCall()
	if !comparisons[c.FunctionName()] || len(c.Args()) != 2 {
		return nil
	}
	cmp := c.FunctionName()
	filter, right := p.sized(c.Args()[0]), c.Args()[1]
	if filter == nil {
		filter, right, cmp = p.sized(c.Args()[1]), c.Args()[0], mirrored[cmp]
	}
	if filter == nil || p.mentionsComprehension(right) {
		return nil
	}
	n := p.node(opCount, e)
	n.cmp = cmp
	n.right = p.program(right)
	n.rightSide = p.side(right)
	n.reads, n.params = p.reads(right)
	f := filter.AsComprehension()
	p.ranged(n, f, f.LoopStep().AsCall().Args()[0])
	if n.rightSide.clock {
		p.bad(e.ID(), "%s", nowForms)
	}
	return n
}

// sized is x when e is x.filter(…).size() or size(x.filter(…)).
func (p *planner) sized(e ast.Expr) ast.Expr {
	x := sizeArg(e)
	if x == nil || p.macro(x) != operators.Filter {
		return nil
	}
	return x
}

func sizeArg(e ast.Expr) ast.Expr {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "size" {
		return nil
	}
	c := e.AsCall()
	if c.IsMemberFunction() {
		return c.Target()
	}
	return c.Args()[0]
}

var comparisons = map[string]bool{
	operators.Less: true, operators.LessEquals: true, operators.Greater: true, operators.GreaterEquals: true,
	operators.Equals: true, operators.NotEquals: true,
}

// mirrored is the comparison with its sides changed.
var mirrored = map[string]string{
	operators.Less: operators.Greater, operators.LessEquals: operators.GreaterEquals,
	operators.Greater: operators.Less, operators.GreaterEquals: operators.LessEquals,
	operators.Equals: operators.Equals, operators.NotEquals: operators.NotEquals,
}

func (p *planner) atom(e ast.Expr) *node {
	n := p.node(opAtom, e)
	n.program = p.program(e)
	n.reads, n.params = p.reads(e)
	p.noQuantifier(e)
	if e.Kind() == ast.CallKind && (comparisons[e.AsCall().FunctionName()] || e.AsCall().FunctionName() == operators.In) {
		c := e.AsCall()
		n.cmp = c.FunctionName()
		n.leftSide, n.rightSide = p.side(c.Args()[0]), p.side(c.Args()[1])
		n.left, n.right = p.program(c.Args()[0]), p.program(c.Args()[1])
	}
	p.clock(n, e)
	return n
}

// noQuantifier refuses all() and exists() inside an atom, where an empty list
// would not be noticed, and a filter whose size is not taken.
func (p *planner) noQuantifier(e ast.Expr) {
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(x ast.Expr) {
		switch p.macro(x) {
		case operators.All, operators.Exists:
			p.bad(x.ID(), "all() and exists() may stand only where &&, ||, !, ?: or the rule itself take true or false")
		case operators.Filter:
			if !p.isSized(e, x) {
				p.bad(x.ID(), "take the size() of filter(), or write all(v, !condition || …)")
			}
		}
	}))
}

func (p *planner) isSized(root, filter ast.Expr) bool {
	found := false
	ast.PreOrderVisit(root, ast.NewExprVisitor(func(x ast.Expr) {
		if a := sizeArg(x); a != nil && a.ID() == filter.ID() {
			found = true
		}
	}))
	return found
}

func (p *planner) mentionsComprehension(e ast.Expr) bool {
	found := false
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(x ast.Expr) { found = found || x.Kind() == ast.ComprehensionKind }))
	return found
}

func (p *planner) side(e ast.Expr) side {
	s := side{text: p.text(e), clock: mentionsNow(e)}
	s.reads, _ = p.reads(e)
	if _, ok := p.bare(e); ok {
		s.bare = true
	}
	if x := sizeArg(e); x != nil {
		_, s.size = p.bare(x)
	}
	s.sub = s.clock && e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Subtract && isNow(e.AsCall().Args()[1])
	return s
}

// bare recognises an expression that is one field.
func (p *planner) bare(e ast.Expr) (read, bool) {
	if e.Kind() == ast.IdentKind {
		if list, ok := p.vars[e.AsIdent()]; ok && list != nil && list.of == nil {
			return read{kind: readElement, list: list}, true
		}
		return read{}, false
	}
	if e.Kind() != ast.SelectKind || e.AsSelect().Operand().Kind() != ast.IdentKind {
		return read{}, false
	}
	name := e.AsSelect().FieldName()
	has := strings.HasPrefix(name, hasPrefix)
	name = strings.TrimPrefix(name, hasPrefix)
	v := e.AsSelect().Operand().AsIdent()
	if list, ok := p.vars[v]; ok {
		if list == nil || list.of == nil || list.of.fields[name] == nil {
			return read{}, false
		}
		return read{kind: readElement, list: list, field: list.of.fields[name], has: has}, true
	}
	switch v {
	case "s":
		return read{kind: readSubject, field: p.schema.byName[name], has: has}, p.schema.byName[name] != nil
	case "d":
		return read{kind: readDeclared, field: p.schema.byName[name], has: has}, p.schema.byName[name] != nil
	case "a":
		return read{kind: readAnswer, name: name, has: has}, true
	}
	return read{}, false
}

// reads lists the fields and parameters that e reads, in the order of the text.
func (p *planner) reads(e ast.Expr) (reads []read, params []*param) {
	switch e.Kind() {
	case ast.IdentKind, ast.SelectKind:
		if r, ok := p.bare(e); ok {
			return []read{r}, nil
		}
		if e.Kind() == ast.IdentKind {
			p.bareVariable(e)
			return nil, nil
		}
		sel := e.AsSelect()
		if o := sel.Operand(); o.Kind() == ast.IdentKind && o.AsIdent() == "p" {
			if x := p.schema.byParam[sel.FieldName()]; x != nil {
				return nil, []*param{x}
			}
			return nil, nil
		}
		return p.reads(sel.Operand())
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		reads, params = p.reads(c.IterRange())
		outer := p.vars
		p.vars = map[string]*field{c.IterVar(): nil}
		if len(reads) == 1 {
			p.vars[c.IterVar()] = reads[0].field
		}
		r, ps := p.reads(c.LoopStep().AsCall().Args()[0])
		p.vars = outer
		// What single elements hold is no cell of its own.
		r = slices.DeleteFunc(r, func(r read) bool { return r.kind == readElement })
		return append(reads, r...), append(params, ps...)
	}
	for _, kid := range children(e) {
		r, ps := p.reads(kid)
		reads, params = merge(reads, r), mergeParams(params, ps)
	}
	return reads, params
}

// bareVariable refuses s, d, p, a and a record itself: only their fields are values.
func (p *planner) bareVariable(e ast.Expr) {
	name := e.AsIdent()
	t := p.checked.GetType(e.ID())
	if t != nil && p.schema.names(t.TypeName()) != nil {
		p.bad(e.ID(), "%s is no value; read one of its fields, as in %s.%s", name, name, p.schema.names(t.TypeName())[0])
	}
}

func children(e ast.Expr) []ast.Expr {
	switch e.Kind() {
	case ast.CallKind:
		c := e.AsCall()
		if c.IsMemberFunction() {
			return append([]ast.Expr{c.Target()}, c.Args()...)
		}
		return c.Args()
	case ast.ListKind:
		return e.AsList().Elements()
	case ast.MapKind:
		var out []ast.Expr
		for _, entry := range e.AsMap().Entries() {
			out = append(out, entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
		return out
	}
	return nil
}

func merge(a, b []read) []read {
	for _, r := range b {
		if !slices.Contains(a, r) {
			a = append(a, r)
		}
	}
	return a
}

func mergeParams(a, b []*param) []*param {
	for _, p := range b {
		if !slices.Contains(a, p) {
			a = append(a, p)
		}
	}
	return a
}
