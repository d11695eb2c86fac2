package rule

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// Op is what a node of a plan does.
type Op int

// The operations.
const (
	Atom   Op = iota // a bool expression that cel-go evaluates
	And              // Kids
	Or               // Kids
	Not              // Kids[0]
	If               // Kids[0] ? Kids[1] : Kids[2]
	All              // Over.all(Variable, Kids[0])
	Exists           // Over.exists(Variable, Kids[0])
	Count            // Over.filter(Variable, Kids[0]).size() Cmp Right
)

// Node is one node of a plan: a bool expression.
type Node struct {
	ID      int // unique within the plans that are weighed together
	Op      Op
	Text    string // as written, unparsed
	Line    int    // where it stands in the expression, from 1; of a connective, its sign
	Column  int
	Place   string // where that is: file:line:column, if whoever planned it said so
	Kids    []*Node
	Program cel.Program // atom
	Reads   []Read      // atom: fields it reads; of a list: what Over and Right read
	Params  []*Param    // likewise

	Over     cel.Program // all, exists, count
	List     *Read       // Over, when it is one field
	Variable string

	Cmp         string      // atom: an operator of cel-go that compares, or tests membership; count: how the count is compared
	Left, Right cel.Program // atom: the two sides of Cmp; count: Right only
	LeftSide    Side        // atom: also when there is no Cmp
	RightSide   Side
	Clocked     int // slope of left minus right in now: +1, -1; 0: now is not mentioned
}

// Ordering reports whether n is an atom that compares its sides by their order.
func (n *Node) Ordering() bool {
	switch n.Cmp {
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return n.Op == Atom
	}
	return false
}

// Side describes one side of a comparison.
type Side struct {
	Text  string
	Reads []Read // fields it reads
	Bare  bool   // it is one field and nothing else
	Size  bool   // it is the size of one field
}

// Read is one field that an expression reads.
type Read struct {
	From  From
	Field *Field // of the subject, or of the list's record; nil: the answer, or an element that is a string
	List  *Field // element: the list it stands in
	Has   bool   // only whether there is a value
	Name  string // of the answer: answer or at
}

// From says which variable a field is read from.
type From byte

// The variables.
const (
	FromSubject  From = 's'
	FromDeclared From = 'd'
	FromAnswer   From = 'a'
	FromElement  From = 'e' // of all, exists or filter
)

// planner turns a checked AST into a plan.
type planner struct {
	schema  *Schema
	checked *ast.AST
	info    *ast.SourceInfo
	next    int               // ID of the next node
	vars    map[string]*Field // comprehension variables in scope → the list field; nil: not a field
	cost    uint64            // of the whole, on the largest subject
	faults  []planFault
}

// planFault is what is wrong at one expression.
type planFault struct {
	id      int64
	message string
}

func (p *planner) bad(id int64, format string, a ...any) {
	p.faults = append(p.faults, planFault{id, fmt.Sprintf(format, a...)})
}

func (p *planner) node(o Op, e ast.Expr, kids ...*Node) *Node {
	n := &Node{ID: p.next, Op: o, Kids: kids, Text: p.text(e), Line: 1, Column: 1}
	if at := p.info.GetStartLocation(e.ID()); at != nil && at.Line() > 0 {
		n.Line, n.Column = at.Line(), at.Column()+1
	}
	p.next++
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
	prg, err := p.schema.env.PlanProgram(a, append(p.limits(a), cel.EvalOptions(cel.OptOptimize))...)
	if err != nil {
		p.bad(e.ID(), "%v", err)
	}
	return prg
}

// plan builds the plan of a bool expression.
func (p *planner) plan(e ast.Expr) *Node {
	switch e.Kind() {
	case ast.CallKind:
		c := e.AsCall()
		switch c.FunctionName() {
		case operators.LogicalAnd, operators.LogicalOr:
			o := And
			if c.FunctionName() == operators.LogicalOr {
				o = Or
			}
			return p.node(o, e, p.flatten(c.FunctionName(), e)...)
		case operators.LogicalNot:
			return p.node(Not, e, p.plan(c.Args()[0]))
		case operators.Conditional:
			return p.node(If, e, p.plan(c.Args()[0]), p.plan(c.Args()[1]), p.plan(c.Args()[2]))
		}
		if n := p.count(e); n != nil {
			return n
		}
	case ast.ComprehensionKind:
		return p.quantifier(e)
	}
	return p.atom(e)
}

func (p *planner) flatten(function string, e ast.Expr) []*Node {
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == function {
		var kids []*Node
		for _, a := range e.AsCall().Args() {
			kids = append(kids, p.flatten(function, a)...)
		}
		return kids
	}
	return []*Node{p.plan(e)}
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

func (p *planner) quantifier(e ast.Expr) *Node {
	c := e.AsComprehension()
	var o Op
	switch p.macro(e) {
	case operators.All:
		o = All
	case operators.Exists:
		o = Exists
	default:
		p.bad(e.ID(), "a list stands where true or false is wanted")
		return p.node(Atom, e)
	}
	// The fold's step is accu && predicate or accu || predicate.
	n := p.node(o, e)
	p.ranged(n, c, c.LoopStep().AsCall().Args()[1])
	return n
}

// ranged plans the list that n goes over and the predicate on its elements.
func (p *planner) ranged(n *Node, c ast.ComprehensionExpr, predicate ast.Expr) {
	n.Variable = c.IterVar()
	reads, params := p.reads(c.IterRange())
	n.Reads, n.Params = append(n.Reads, reads...), append(n.Params, params...)
	n.Over = p.program(c.IterRange())
	var list *Field
	if r, ok := p.bare(c.IterRange()); ok && r.From != FromAnswer {
		n.List, list = &r, r.Field
	}
	if t := p.checked.GetType(c.IterRange().ID()); list == nil && !t.IsExactType(stringList) && len(n.Reads) > 0 {
		p.bad(c.IterRange().ID(), "go over one field, as in s.volumes.all(v, …)")
	}
	outer := p.vars
	p.vars = map[string]*Field{n.Variable: list}
	n.Kids = []*Node{p.plan(predicate)}
	p.vars = outer
}

// count recognises over.filter(v, predicate).size() OP right, either way round.
func (p *planner) count(e ast.Expr) *Node {
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
	n := p.node(Count, e)
	n.Cmp = cmp
	n.Right = p.program(right)
	n.RightSide = p.side(right)
	n.Reads, n.Params = p.reads(right)
	f := filter.AsComprehension()
	p.ranged(n, f, f.LoopStep().AsCall().Args()[0])
	if mentionsNow(right) {
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

func (p *planner) atom(e ast.Expr) *Node {
	n := p.node(Atom, e)
	n.Program = p.program(e)
	n.Reads, n.Params = p.reads(e)
	p.noQuantifier(e)
	if e.Kind() == ast.CallKind && (comparisons[e.AsCall().FunctionName()] || e.AsCall().FunctionName() == operators.In) {
		c := e.AsCall()
		n.Cmp = c.FunctionName()
		n.LeftSide, n.RightSide = p.side(c.Args()[0]), p.side(c.Args()[1])
		n.Left, n.Right = p.program(c.Args()[0]), p.program(c.Args()[1])
	} else {
		n.LeftSide = p.side(e)
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

func (p *planner) side(e ast.Expr) Side {
	s := Side{Text: p.text(e)}
	s.Reads, _ = p.reads(e)
	_, s.Bare = p.bare(e)
	if x := sizeArg(e); x != nil {
		_, s.Size = p.bare(x)
	}
	return s
}

// bare recognises an expression that is one field.
func (p *planner) bare(e ast.Expr) (Read, bool) {
	if e.Kind() == ast.IdentKind {
		if list, ok := p.vars[e.AsIdent()]; ok && list != nil && list.Of == nil {
			return Read{From: FromElement, List: list}, true
		}
		return Read{}, false
	}
	if e.Kind() != ast.SelectKind || e.AsSelect().Operand().Kind() != ast.IdentKind {
		return Read{}, false
	}
	name := e.AsSelect().FieldName()
	has := strings.HasPrefix(name, hasPrefix)
	name = strings.TrimPrefix(name, hasPrefix)
	v := e.AsSelect().Operand().AsIdent()
	if list, ok := p.vars[v]; ok {
		if list == nil || list.Of == nil || list.Of.Fields[name] == nil {
			return Read{}, false
		}
		return Read{From: FromElement, List: list, Field: list.Of.Fields[name], Has: has}, true
	}
	switch v {
	case "s":
		return Read{From: FromSubject, Field: p.schema.byName[name], Has: has}, p.schema.byName[name] != nil
	case "d":
		return Read{From: FromDeclared, Field: p.schema.byName[name], Has: has}, p.schema.byName[name] != nil
	case "a":
		return Read{From: FromAnswer, Name: name, Has: has}, true
	}
	return Read{}, false
}

// reads lists the fields and parameters that e reads, in the order of the text.
func (p *planner) reads(e ast.Expr) (reads []Read, params []*Param) {
	switch e.Kind() {
	case ast.IdentKind, ast.SelectKind:
		if r, ok := p.bare(e); ok {
			return []Read{r}, nil
		}
		if e.Kind() == ast.IdentKind {
			p.bareVariable(e)
			return nil, nil
		}
		sel := e.AsSelect()
		if o := sel.Operand(); o.Kind() == ast.IdentKind && o.AsIdent() == "p" {
			if x := p.schema.byParam[sel.FieldName()]; x != nil {
				return nil, []*Param{x}
			}
			return nil, nil
		}
		return p.reads(sel.Operand())
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		reads, params = p.reads(c.IterRange())
		outer := p.vars
		p.vars = map[string]*Field{c.IterVar(): nil}
		if len(reads) == 1 {
			p.vars[c.IterVar()] = reads[0].Field
		}
		r, ps := p.reads(c.LoopStep().AsCall().Args()[0])
		p.vars = outer
		// What single elements hold is no cell of its own.
		r = slices.DeleteFunc(r, func(r Read) bool { return r.From == FromElement })
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

func merge(a, b []Read) []Read {
	for _, r := range b {
		if !slices.Contains(a, r) {
			a = append(a, r)
		}
	}
	return a
}

func mergeParams(a, b []*Param) []*Param {
	for _, p := range b {
		if !slices.Contains(a, p) {
			a = append(a, p)
		}
	}
	return a
}
