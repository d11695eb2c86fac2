package rule

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
)

// Limits of the load gate.
const (
	maxNodes     = 500
	maxRunes     = 8_000
	maxRecursion = 50
	maxNesting   = 1          // comprehensions within one another
	maxCost      = 10_000_000 // cel-go's estimate, with the schema's largest sizes
	maxSetting   = 100        // elements or runes of a parameter's value, for the estimate
)

// MaxSteps is how many steps one program may take while it runs, as cel-go counts
// them. What takes more has failed.
const MaxSteps = 1_000_000

const nowForms = "now may stand only as now OP F, now - F OP D, F - now OP D, now + D OP F or F + D OP now, with OP one of < <= > >=, where F and D do not mention now"

func isNow(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == "now" }

func mentionsNow(e ast.Expr) bool {
	found := false
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(x ast.Expr) { found = found || isNow(x) }))
	return found
}

// clock checks how an atom uses now. The allowed forms change their value once
// at most as time goes by, so that the instant can be found.
func (p *planner) clock(n *Node, e ast.Expr) {
	if !mentionsNow(e) {
		return
	}
	if !n.Ordering() {
		p.bad(e.ID(), "%s", nowForms)
		return
	}
	left, okLeft := slope(e.AsCall().Args()[0])
	right, okRight := slope(e.AsCall().Args()[1])
	if !okLeft || !okRight || (left == 0) == (right == 0) {
		p.bad(e.ID(), "%s", nowForms)
		return
	}
	n.Clocked = left - right
}

// slope is how fast e grows with now: 0, +1 or -1.
func slope(e ast.Expr) (int, bool) {
	if isNow(e) {
		return 1, true
	}
	if !mentionsNow(e) {
		return 0, true
	}
	if e.Kind() != ast.CallKind || len(e.AsCall().Args()) != 2 {
		return 0, false
	}
	x, y := e.AsCall().Args()[0], e.AsCall().Args()[1]
	switch e.AsCall().FunctionName() {
	case operators.Subtract:
		if isNow(x) && !mentionsNow(y) {
			return 1, true
		}
		if isNow(y) && !mentionsNow(x) {
			return -1, true
		}
	case operators.Add:
		return 1, isNow(x) && !mentionsNow(y) || isNow(y) && !mentionsNow(x)
	}
	return 0, false
}

// sizes estimates how large values can be, from the schema. Values that are
// larger do not reach a rule: whoever weighs takes them for faults.
type sizes struct {
	*Schema
	vars map[string]*Field // comprehension variables in scope → the list field
}

// EstimateCallCost implements cost.Estimator.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

// EstimateSize implements cost.Estimator.
func (s sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	most := maxLine
	path := n.Path()
	if len(path) >= 1 && path[0] == "p" {
		return &cost.SizeEstimate{Min: 0, Max: maxSetting}
	}
	if len(path) == 2 {
		if list := s.vars[path[0]]; list != nil && list.Of != nil && list.Of.Fields[path[1]] != nil {
			return &cost.SizeEstimate{Min: 0, Max: uint64(list.Of.Fields[path[1]].max)}
		}
	}
	if len(path) >= 2 {
		if f, ok := s.byName[path[1]]; ok && (path[0] == "s" || path[0] == "d") {
			most = f.max
			if len(path) > 2 {
				most = maxLine
			}
			if len(path) == 4 && f.Of != nil && f.Of.Fields[path[3]] != nil {
				most = f.Of.Fields[path[3]].max
			}
		}
	}
	return &cost.SizeEstimate{Min: 0, Max: uint64(most)}
}

// costs refuses what may cost too much on the largest subject.
func (p *planner) costs(checked *cel.Ast) {
	est, err := p.schema.env.EstimateCost(checked, sizes{Schema: p.schema})
	if err != nil {
		p.bad(0, "estimate cost: %v", err)
		return
	}
	if est.Max > maxCost {
		p.bad(0, "may cost %d steps on the largest subject; the limit is %d: use fewer or simpler passes over lists", est.Max, maxCost)
	}
	p.cost = est.Max
}

// limits are the options that stop a program which turns out to cost too much.
// Only what may do so is counted while it runs: counting makes cel-go two to three
// times slower.
func (p *planner) limits(checked *ast.AST) []cel.ProgramOption {
	if p.cost <= MaxSteps {
		return nil
	}
	est, err := cost.Cost(checked, sizes{p.schema, p.vars})
	if err == nil && est.Max <= MaxSteps {
		return nil
	}
	return []cel.ProgramOption{cel.CostLimit(MaxSteps)}
}

// objects refuses records built by the rule, and variables that hide ours.
func (p *planner) objects(e ast.Expr) {
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(x ast.Expr) {
		switch x.Kind() {
		case ast.StructKind:
			p.bad(x.ID(), "a rule cannot build a %s", x.AsStruct().TypeName())
		case ast.ComprehensionKind:
			if v := x.AsComprehension().IterVar(); slices.Contains([]string{"s", "d", "p", "a", "now"}, v) {
				p.bad(x.ID(), "%s has a meaning of its own; name the element otherwise", v)
			}
		}
	}))
}

var (
	undefinedField = regexp.MustCompile(`^undefined field '([^']*)'`)
	undeclared     = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
)

// explain turns cel-go's message into ours: what is meant, and what was
// perhaps meant.
func (s *Schema) explain(message string, parsed ast.Expr, id int64) string {
	message = strings.ReplaceAll(message, hasPrefix, "")
	if m := undefinedField.FindStringSubmatch(message); m != nil {
		return s.undefined(m[1], find(parsed, id))
	}
	if m := undeclared.FindStringSubmatch(message); m != nil {
		switch m[1] {
		case "a":
			return "a is for controls that have a record; this one has none"
		case "map", "exists_one", "existsOne", "transformList", "transformMap":
			return m[1] + "() is not allowed: write all(), exists() or filter().size()"
		}
		return fmt.Sprintf("undeclared reference to '%s'", m[1]) + suggest(strings.TrimPrefix(m[1], "."), []string{"s", "d", "p", "a", "now", "all", "exists", "filter", "size", "has", "startsWith", "endsWith", "contains", "matches", "duration", "timestamp"})
	}
	return message
}

func (s *Schema) undefined(name string, at ast.Expr) string {
	candidates, what := s.allNames(), "field"
	if at != nil && at.Kind() == ast.SelectKind && at.AsSelect().Operand().Kind() == ast.IdentKind {
		switch at.AsSelect().Operand().AsIdent() {
		case "s":
			candidates, what = s.names(subjectType), "field"
			if k, ok := s.lacking[name]; ok {
				return fmt.Sprintf("kind %s has no field %q of that type; a control for several kinds reads only what all of them have", k, name)
			}
		case "d":
			candidates, what = s.names(declaredType), "declared field"
		case "p":
			candidates, what = s.names(paramsType), "parameter"
		case "a":
			candidates = s.names(answerType)
		}
	}
	return fmt.Sprintf("undefined %s %q%s", what, name, suggest(name, candidates))
}

func (s *Schema) allNames() []string {
	var names []string
	for _, r := range s.records {
		names = append(names, r.names...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func find(root ast.Expr, id int64) (found ast.Expr) {
	if root == nil {
		return nil
	}
	ast.PreOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		if e.ID() == id {
			found = e
		}
	}))
	return found
}

// suggest names the nearest candidate, if one is near.
func suggest(name string, candidates []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := distance(name, c); d < least {
			best, least = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the number of letters to add, drop, change or swap with their
// neighbour to turn a into b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			change := last[j-1]
			if x[i-1] != y[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
