package judge

import (
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"

	"kakusho/directive"
	"kakusho/verdict"
)

// truth is the value of a bool expression.
type truth byte

const (
	no truth = iota
	yes
	unsure
	failed
)

// cause says what kinds of ignorance made a result unsure.
type cause uint8

const (
	causeOther cause = 1 << iota
	causeAbsent
	causeNotApplicable
	causeAnswer
	causeHorizon
)

// result is what a node comes to at one instant.
type result struct {
	truth truth
	cause cause     // unsure
	err   string    // failed
	since time.Time // latest instant at which a deciding input changed; zero: not known
	until time.Time // the node cannot change before, by time alone; zero: never
}

// judging is one call of Judge.
type judging struct {
	rule    *Rule
	subject *Subject
	params  directive.Values
	at      time.Time
	holds   func(string) verdict.Outcome
	values  map[int]shared
}

// evaluation is the judging at one instant. It is the activation that cel-go
// reads variables from.
type evaluation struct {
	*judging
	now        time.Time
	clock      time.Time // what the variable now says: now, but for the search of a crossing
	cells      []state
	parameters []state
	answer     state
	push       bool // absent cells push towards violates
	cache      []result
	cached     []bool
	variable   string // of the list being walked
	elem       ref.Val
	self       any
}

// layer is what s, d, p and a resolve to.
type layer struct{ e *evaluation }

func (j *judging) instant(now time.Time) *evaluation {
	s := j.rule.schema
	e := &evaluation{
		judging: j, now: now, clock: now,
		cells: make([]state, 2*len(s.fields)), parameters: make([]state, len(s.params)),
		cache: make([]result, j.rule.nodes), cached: make([]bool, j.rule.nodes),
	}
	e.self = layer{e}
	return e
}

// ResolveName implements cel-go's Activation.
func (e *evaluation) ResolveName(name string) (any, bool) {
	switch name {
	case "s", "d", "p", "a":
		return e.self, true
	case "now":
		return types.Timestamp{Time: e.clock}, true
	case e.variable:
		return e.elem, e.elem != nil
	}
	return nil, false
}

// Parent implements cel-go's Activation.
func (e *evaluation) Parent() interpreter.Activation { return nil }

// value runs a program; an error comes back as its text.
func (e *evaluation) value(p cel.Program) (ref.Val, string) {
	v, _, err := p.Eval(e)
	if err != nil {
		return nil, err.Error()
	}
	return v, ""
}

// eval computes n. pol is +1 where a truer n makes a truer rule, -1 where it
// makes a falser one, 0 where both are possible.
func (e *evaluation) eval(n *node, pol int) result {
	if e.elem == nil && e.cached[n.id] {
		return e.cache[n.id]
	}
	r := e.compute(n, pol)
	if r.truth == unsure && e.push && pol != 0 && r.cause == causeAbsent {
		r.truth = no
		if pol < 0 {
			r.truth = yes
		}
	}
	if e.elem == nil {
		e.cache[n.id], e.cached[n.id] = r, true
	}
	return r
}

func (e *evaluation) compute(n *node, pol int) result {
	switch n.op {
	case opAnd, opOr:
		fold := newFold(n.op == opAnd)
		for _, k := range n.kids {
			fold.add(e.eval(k, pol))
		}
		return fold.result()
	case opNot:
		r := e.eval(n.kids[0], -pol)
		r.truth = r.truth.not()
		return r
	case opIf:
		return e.choose(n, pol)
	case opAll, opExists:
		return e.quantify(n, pol)
	case opCount:
		r, _ := e.count(n)
		return r
	}
	return e.atom(n)
}

func (t truth) not() truth {
	switch t {
	case yes:
		return no
	case no:
		return yes
	}
	return t
}

func (e *evaluation) choose(n *node, pol int) result {
	c := e.eval(n.kids[0], 0)
	if c.truth > yes {
		return c
	}
	branch := n.kids[1]
	if c.truth == no {
		branch = n.kids[2]
	}
	r := e.eval(branch, pol)
	r.since, r.until = later(r.since, c.since), earlier(r.until, c.until)
	return r
}

// fold is a Kleene conjunction or disjunction: unsure dominates failed, and both
// give way to the decisive value.
type fold struct {
	decisive truth
	neutral  truth
	by       [4]result // what operands of each truth come to together
	n        [4]int
	all      time.Time // earliest until of all operands
}

func newFold(and bool) *fold {
	if and {
		return &fold{decisive: no, neutral: yes}
	}
	return &fold{decisive: yes, neutral: no}
}

func (f *fold) add(r result) {
	f.all = earlier(f.all, r.until)
	b := &f.by[r.truth]
	switch {
	case f.n[r.truth] == 0:
		*b = r
	case r.truth == f.decisive:
		b.until = latest(b.until, r.until) // one that stays is enough
		b.since = later(b.since, r.since)
	default:
		b.cause |= r.cause
		b.since = later(b.since, r.since)
		b.err = min(b.err, r.err)
	}
	f.n[r.truth]++
}

func (f *fold) result() result {
	for _, t := range []truth{f.decisive, unsure, failed, f.neutral} {
		if f.n[t] == 0 {
			continue
		}
		r := f.by[t]
		if t != f.decisive {
			r.until = f.all
		}
		return r
	}
	return result{truth: f.neutral}
}

// elements evaluates the list that n goes over. When it has none, the result
// says why.
func (e *evaluation) elements(n *node) (traits.Lister, bool, result) {
	if n.list != nil {
		if st := e.state(*n.list); st.code == codeTruncated && st.val != nil {
			l, ok := st.val.(traits.Lister)
			return l, ok, result{truth: unsure, cause: causeOther, since: st.since, until: st.until}
		}
	}
	v, err := e.value(n.over)
	r := e.leaf(n.reads, n.params)
	switch x := v.(type) {
	case traits.Lister:
		r.truth, r.cause = yes, 0
		return x, true, r
	case *types.Unknown:
		r.truth = unsure
		return nil, false, r
	}
	r.truth, r.err = failed, err
	return nil, false, r
}

func (e *evaluation) quantify(n *node, pol int) result {
	list, ok, over := e.elements(n)
	if !ok {
		return over
	}
	f := newFold(n.op == opAll)
	if over.truth == unsure {
		f.add(over) // a part was looked at: the rest might hold anything
	}
	size := e.each(n, list, func(ref.Val) { f.add(e.eval(n.kids[0], pol)) })
	if size == 0 && n.op == opAll && e.rule.control.Empty != "ok" && over.truth == yes {
		over.truth, over.cause = unsure, causeOther
		return over
	}
	r := f.result()
	r.since, r.until = later(r.since, over.since), earlier(r.until, over.until)
	return r
}

// each calls fn with every element bound to n's variable.
func (e *evaluation) each(n *node, list traits.Lister, fn func(ref.Val)) int {
	size := int(list.Size().(types.Int))
	variable, elem := e.variable, e.elem
	e.variable = n.variable
	for i := range size {
		e.elem = list.Get(types.Int(i))
		fn(e.elem)
	}
	e.variable, e.elem = variable, elem
	return size
}

// count compares how many elements the predicate holds for. Unsure elements make
// it unsure, whatever else there is.
func (e *evaluation) count(n *node) (result, int) {
	list, ok, over := e.elements(n)
	if !ok {
		return over, 0
	}
	f := newFold(true)
	hits := 0
	e.each(n, list, func(ref.Val) {
		r := e.eval(n.kids[0], 0)
		if r.truth == yes {
			hits++
		}
		if r.truth == no {
			r.truth = yes // a count has no decisive element
		}
		f.add(r)
	})
	r := f.result()
	r.since, r.until = later(r.since, over.since), earlier(r.until, over.until)
	if over.truth == unsure {
		r.truth, r.cause = unsure, r.cause|over.cause
	}
	if r.truth != yes {
		return r, hits
	}
	right, err := e.value(n.right)
	r.truth, r.err = compare(n.cmp, types.Int(hits), right, err)
	if r.truth == unsure {
		r.cause = e.leaf(n.rightSide.reads, n.params).cause
	}
	return r, hits
}

// compare applies a comparison as cel-go does.
func compare(cmp string, left ref.Val, right ref.Val, err string) (truth, string) {
	if _, ok := right.(*types.Unknown); ok {
		return unsure, ""
	}
	if right == nil || types.IsError(right) {
		return failed, err
	}
	switch cmp {
	case operators.Equals:
		return boolean(left.Equal(right))
	case operators.NotEquals:
		t, err := boolean(left.Equal(right))
		return t.not(), err
	}
	order, ok := left.(traits.Comparer).Compare(right).(types.Int)
	if !ok {
		return failed, "no such overload"
	}
	hit := cmp == operators.Less && order < 0 || cmp == operators.LessEquals && order <= 0 ||
		cmp == operators.Greater && order > 0 || cmp == operators.GreaterEquals && order >= 0
	return boolean(types.Bool(hit))
}

func boolean(v ref.Val) (truth, string) {
	switch x := v.(type) {
	case types.Bool:
		if x {
			return yes, ""
		}
		return no, ""
	case *types.Unknown:
		return unsure, ""
	case *types.Err:
		return failed, x.Error()
	}
	return failed, "no bool"
}

func (e *evaluation) atom(n *node) result {
	r := e.leaf(n.reads, n.params)
	v, err := e.value(n.program)
	if v == nil {
		r.truth, r.cause, r.err = failed, 0, err
		return r
	}
	r.truth, r.err = boolean(v)
	if r.truth != unsure {
		r.cause = 0
	} else if r.cause == 0 {
		r.cause = causeOther
	}
	if n.clocked != 0 && r.truth <= yes {
		since, until := e.crossing(n, r.truth)
		r.since, r.until = later(r.since, since), earlier(r.until, until)
	}
	return r
}

// leaf gathers what the reads of a leaf have in common: causes of ignorance,
// since and until.
func (e *evaluation) leaf(reads []read, params []*param) (r result) {
	add := func(st *state) {
		r.since, r.until = later(r.since, st.since), earlier(r.until, st.until)
		r.cause |= st.cause()
	}
	for _, rd := range reads {
		st := e.state(rd)
		if rd.has && (st.code == codeAbsent || st.code == codeNotApplicable || rd.kind == readAnswer) {
			known := *st
			known.code = ""
			st = &known
		}
		add(st)
	}
	for _, p := range params {
		add(e.param(p))
	}
	return r
}

// state is what a read finds.
func (e *evaluation) state(r read) *state {
	switch r.kind {
	case readSubject:
		return e.cell(r.field, false)
	case readDeclared:
		return e.cell(r.field, true)
	case readAnswer:
		return e.answered()
	}
	if rec, ok := e.elem.(*element); ok && r.field != nil {
		st := rec.state(r.field)
		return &st
	}
	return &state{}
}

func (s *state) cause() cause {
	switch {
	case s.code == "":
		return 0
	case s.code == codeHorizon:
		return causeHorizon
	case s.person:
		return causeAnswer
	case s.code == codeAbsent:
		return causeAbsent
	case s.code == codeNotApplicable:
		return causeNotApplicable
	}
	return causeOther
}
