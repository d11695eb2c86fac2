// Package ruletest makes random rules and random subjects from a seed, so that
// what weighs and explains can be held against plain cel-go and against itself.
package ruletest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/rule/weigh"
)

// At is the instant at which the random subjects are judged.
var At = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// Kind is the kind of the random subjects: two fields of every type.
func Kind() kind.Kind {
	k := kind.Kind{ID: "thing", Key: "no", Name: "no"}
	add := func(name string, t kind.Type, of ...kind.Field) {
		k.Fields = append(k.Fields, kind.Field{
			Name: name, Type: t, Label: bilingual.Say(name, name), Layers: []kind.Layer{kind.Declared, kind.Observed}, Group: "any", Of: of,
		})
	}
	for _, n := range []string{"1", "2"} {
		add("b"+n, kind.Bool)
		add("i"+n, kind.Int)
		add("n"+n, kind.Number)
		add("w"+n, kind.String)
		add("t"+n, kind.Time)
		add("u"+n, kind.Duration)
		add("l"+n, kind.List)
		add("r"+n, kind.List, Record()...)
	}
	return k
}

// Record is the shape of the records in the lists r1 and r2.
func Record() []kind.Field {
	var of []kind.Field
	for i, t := range []kind.Type{kind.Bool, kind.Int, kind.String, kind.Time} {
		name := []string{"b", "i", "w", "t"}[i]
		of = append(of, kind.Field{Name: name, Type: t, Label: bilingual.Say(name, name)})
	}
	return of
}

// Fresh is the parameter that says how long the random facts hold.
const Fresh = "fresh.any"

// Params are the parameters that random rules read, and Fresh.
func Params() directive.Parameters {
	ps := directive.Parameters{}
	for key, v := range map[string]any{
		"x.int": int64(2), "x.bool": true, "x.span": 48 * time.Hour, "x.list": []any{"a", "b"}, Fresh: 72 * time.Hour,
	} {
		t := map[string]directive.Type{"x.int": directive.Int, "x.bool": directive.Bool, "x.list": directive.List}[key]
		if t == "" {
			t = directive.Duration
		}
		ps[key] = directive.Parameter{Key: key, Type: t, Default: v}
	}
	return ps
}

// Gen makes things from a seed.
type Gen struct{ *rand.Rand }

// New seeds a Gen.
func New(seed uint64) Gen { return Gen{rand.New(rand.NewPCG(seed, 73))} }

func (g Gen) pick(words ...string) string { return words[g.IntN(len(words))] }

// Expr is a random bool expression: an atom, or a connective over others.
type Expr struct {
	op   string // "", "&&", "||", "!", "?", "all", "exists", "count"
	text string // atom; of a list: the list; of a count: how it is compared
	list string
	kids []Expr
}

// String writes the expression.
func (x Expr) String() string { return x.write(func(int, func(int, int)) {}) }

// Shuffled writes it with the operands of && and || in another order.
func (x Expr) Shuffled(g Gen) string { return x.write(g.Shuffle) }

func (x Expr) write(shuffle func(int, func(int, int))) string {
	kids := make([]string, len(x.kids))
	for i, k := range x.kids {
		kids[i] = k.write(shuffle)
	}
	switch x.op {
	case "&&", "||":
		shuffle(len(kids), func(i, j int) { kids[i], kids[j] = kids[j], kids[i] })
		return "(" + strings.Join(kids, " "+x.op+" ") + ")"
	case "!":
		return "!(" + kids[0] + ")"
	case "?":
		return "(" + kids[0] + " ? " + kids[1] + " : " + kids[2] + ")"
	case "all", "exists":
		return x.list + "." + x.op + "(v, " + kids[0] + ")"
	case "count":
		return x.list + ".filter(v, " + kids[0] + ").size() " + x.text
	}
	return x.text
}

// Expr makes an expression of at most depth connectives within one another.
func (g Gen) Expr(depth int) Expr { return g.expr(depth, "", true) }

// expr makes an expression; list is the list whose element v is in scope. Where
// broken is false no atom can fail: a count over elements some of which are
// unknown and others broken is where the plan and cel-go differ on purpose.
func (g Gen) expr(depth int, list string, broken bool) Expr {
	if depth == 0 || g.IntN(6) == 0 {
		return Expr{text: g.atom(list, broken)}
	}
	sub := func() Expr { return g.expr(depth-1, list, broken) }
	switch n := g.IntN(10); {
	case n < 5:
		x := Expr{op: g.pick("&&", "||")}
		for range 2 + g.IntN(2) {
			x.kids = append(x.kids, sub())
		}
		return x
	case n < 6:
		return Expr{op: "!", kids: []Expr{sub()}}
	case n < 7:
		return Expr{op: "?", kids: []Expr{sub(), sub(), sub()}}
	case list != "": // no list within a list
		return sub()
	}
	over := g.pick("s.r1", "s.r2", "d.r1", "s.l1", "s.l2", "p.x_list")
	if g.IntN(3) == 0 {
		count := g.pick("> 1", "== 0", "<= p.x_int", "!= s.i1", ">= 2")
		return Expr{op: "count", list: over, text: count, kids: []Expr{g.expr(depth-1, over, false)}}
	}
	return Expr{op: g.pick("all", "exists"), list: over, kids: []Expr{g.expr(depth-1, over, broken)}}
}

func (g Gen) atom(list string, broken bool) string {
	if list != "" && g.IntN(4) > 0 {
		return g.elementAtom(list)
	}
	if broken && g.IntN(5) == 0 {
		return g.pick("10 / s.i1 > 1", "s.i2 % s.i1 == 0", `s.l1[1] == "a"`, "s.i1 / p.x_int > s.i2 / s.i1")
	}
	if list == "" && g.IntN(12) == 0 {
		return `s.l1.filter(x, x != "a").size() + 1 < 3`
	}
	v := g.pick("s", "s", "s", "d")
	n := g.pick("1", "2")
	cmp := g.pick("<", "<=", ">", ">=", "==", "!=")
	order := g.pick("<", "<=", ">", ">=")
	return strings.NewReplacer("s.", v+".", "#", n, "OP", cmp, "LT", order).Replace(g.pick(
		"s.b#", "s.b# == p.x_bool", "s.i# OP 2", "p.x_int OP s.i#", "s.i1 OP s.i2", "s.n# LT 1.5", `s.w# == "a"`, `s.w# in ["a", "b", "c"]`,
		"s.w# in p.x_list", "s.w# in s.l#", `"a" in s.l#`, `s.w#.startsWith("a")`, `s.w#.matches("^[ab]+$")`, "s.w1 == s.w2", "size(s.l#) OP 1",
		"s.r#.size() LT p.x_int", "s.t1 LT s.t2", "s.u# LT p.x_span", "now - s.t# LT p.x_span", "s.t# - now LT p.x_span", "s.t# LT now",
		"now LT s.t#", "s.t# + p.x_span LT now", "has(s.w#)", "has(s.r#)", "has(s.b#)", "p.x_bool", "true", "s.i# + 1 OP p.x_int",
		"(s.b# ? s.i1 : s.i2) OP 1",
	))
}

func (g Gen) elementAtom(list string) string {
	cmp := g.pick("<", "<=", ">", ">=", "==", "!=")
	order := g.pick("<", "<=", ">", ">=")
	r := strings.NewReplacer("OP", cmp, "LT", order, "#", g.pick("1", "2"))
	if strings.Contains(list, ".r") {
		return r.Replace(g.pick("v.b", "v.i OP 2", "v.i OP s.i#", `v.w == "a"`, "v.w in p.x_list", "v.w in s.l#", "now - v.t LT p.x_span", "v.t LT now", "has(v.w)", `v.w.contains("b")`))
	}
	return r.Replace(g.pick(`v == "a"`, "v == s.w#", "v in p.x_list", "v in s.l#", `v.endsWith("b")`, "size(v) OP 1"))
}

// Cells makes a cell for most fields of Kind: known, absent, not known, stale or
// dated ahead.
func (g Gen) Cells() map[string]weigh.Cell {
	cells := map[string]weigh.Cell{}
	for _, f := range Kind().Fields {
		if g.IntN(10) > 0 {
			cells[f.Name] = g.cell(f)
		}
	}
	return cells
}

func (g Gen) cell(f kind.Field) weigh.Cell {
	c := weigh.Cell{
		Fact:       fact.Fact{Field: f.Name, Status: fact.Observed, Value: g.Value(f), Source: []fact.Source{{Kind: "file", Ref: "/etc/" + f.Name}}},
		ObservedAt: At.Add(-time.Duration(g.IntN(60)) * time.Hour), Collector: "any", Fresh: Fresh,
	}
	c.ReceivedAt = c.ObservedAt.Add(time.Minute)
	if g.IntN(4) == 0 {
		c.Fact.Status = fact.Status(g.pick("absent", "not-applicable", "denied", "error", "timeout"))
		c.Fact.Value, c.Fact.Reason = nil, "because: of "+f.Name
	}
	switch g.IntN(20) {
	case 0:
		c.ObservedAt = At.Add(-time.Duration(72+g.IntN(9)) * time.Hour)
	case 1:
		c.ObservedAt = At.Add(time.Duration(g.IntN(20)) * time.Minute)
	}
	return c
}

// Value makes a value of a field's type.
func (g Gen) Value(f kind.Field) any {
	switch f.Type {
	case kind.Bool:
		return g.IntN(2) == 0
	case kind.Int:
		return int64(g.IntN(4))
	case kind.Number:
		return float64(g.IntN(7)) / 2
	case kind.String:
		return g.pick("a", "b", "ab", "")
	case kind.Time:
		return At.Add(time.Duration(g.IntN(12)-6) * 24 * time.Hour).Add(time.Duration(g.IntN(3)-1) * time.Second)
	case kind.Duration:
		return time.Duration(g.IntN(4)) * 24 * time.Hour
	case kind.List:
		list := []any{}
		for range g.IntN(4) {
			list = append(list, g.elem(f))
		}
		return list
	}
	panic(fmt.Sprintf("no values of type %s", f.Type))
}

func (g Gen) elem(f kind.Field) any {
	if len(f.Of) == 0 {
		return g.pick("a", "b", "ab")
	}
	record := map[string]any{}
	for _, sub := range f.Of {
		if g.IntN(8) > 0 {
			record[sub.Name] = g.Value(sub)
		}
	}
	return record
}
