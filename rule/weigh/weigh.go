package weigh

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"

	"kakusho/rule"
)

// Truth is the value of a bool expression.
type Truth byte

// The values. Unsure dominates Broken, as in cel-go.
const (
	No Truth = iota
	Yes
	Unsure
	Broken // the expression failed
)

func (t Truth) not() Truth {
	switch t {
	case Yes:
		return No
	case No:
		return Yes
	}
	return t
}

// Cause says what kinds of ignorance made a result unsure; they add up.
type Cause uint8

// The causes.
const (
	ByUnknown       Cause = 1 << iota // no value, and no way to tell
	ByAbsent                          // looked, and there is none
	ByNotApplicable                   // the question does not arise there
	ByAnswer                          // nobody has answered, or too long ago
	ByHorizon                         // a parameter's value is not known by then
)

// Result is what an expression comes to at one instant.
type Result struct {
	Truth Truth
	Cause Cause     // unsure
	Fault string    // broken
	Since time.Time // latest instant at which a deciding input changed; zero: not known
	Until time.Time // it cannot change before, by time alone; zero: never

	decay time.Time // until then what is known stays known, and what is not stays so; zero: for ever
}

// Weigh computes n. pol is +1 where a truer n makes a truer rule, -1 where it
// makes a falser one, and 0 where it may do both; Push depends on it.
func (s *Scale) Weigh(n *rule.Node, pol int) Result {
	if s.elem == nil && s.cached[n.ID] {
		return s.cache[n.ID]
	}
	r := s.compute(n, pol)
	if r.Truth == Unsure && s.push && pol != 0 && r.Cause == ByAbsent {
		r.Truth = No
		if pol < 0 {
			r.Truth = Yes
		}
	}
	if s.elem == nil {
		s.cache[n.ID], s.cached[n.ID] = r, true
	}
	return r
}

func (s *Scale) compute(n *rule.Node, pol int) Result {
	switch n.Op {
	case rule.And, rule.Or:
		f := newFold(n.Op == rule.And)
		for _, k := range n.Kids {
			f.add(s.Weigh(k, pol))
		}
		return f.result()
	case rule.Not:
		r := s.Weigh(n.Kids[0], -pol)
		r.Truth = r.Truth.not()
		return r
	case rule.If:
		return s.choose(n, pol)
	case rule.All, rule.Exists:
		return s.quantify(n, pol)
	case rule.Count:
		return s.count(n)
	}
	return s.atom(n)
}

func (s *Scale) choose(n *rule.Node, pol int) Result {
	c := s.Weigh(n.Kids[0], 0)
	if c.Truth > Yes {
		return c
	}
	branch := n.Kids[1]
	if c.Truth == No {
		branch = n.Kids[2]
	}
	r := s.Weigh(branch, pol).and(c)
	r.decay = Earlier(r.decay, c.Until) // the other branch may be unsure
	return r
}

// and is r, resting on o as well.
func (r Result) and(o Result) Result {
	r.Since, r.Until, r.decay = later(r.Since, o.Since), Earlier(r.Until, o.Until), Earlier(r.decay, o.decay)
	return r
}

// fold is a Kleene conjunction or disjunction: unsure dominates broken, and both
// give way to the decisive value.
type fold struct {
	decisive, neutral Truth
	by                [4]Result // what the operands of each truth come to together
	n                 [4]int
	all, decay        time.Time // earliest Until and decay of all operands
}

func newFold(and bool) *fold {
	if and {
		return &fold{decisive: No, neutral: Yes}
	}
	return &fold{decisive: Yes, neutral: No}
}

func (f *fold) add(r Result) {
	f.all, f.decay = Earlier(f.all, r.Until), Earlier(f.decay, r.decay)
	b := &f.by[r.Truth]
	if f.n[r.Truth]++; f.n[r.Truth] == 1 {
		*b = r
		return
	}
	b.Since = later(b.Since, r.Since)
	b.Until = latest(b.Until, r.Until) // used for the decisive value only: one that stays is enough
	b.Cause |= r.Cause
	b.Fault = min(b.Fault, r.Fault)
}

func (f *fold) result() Result {
	for _, t := range []Truth{f.decisive, Unsure, Broken, f.neutral} {
		if f.n[t] == 0 {
			continue
		}
		r := f.by[t]
		switch r.decay = f.decay; {
		case t != f.decisive:
			r.Until = f.all
		case f.n[Unsure]+f.n[Broken] > 0: // which show when what decides is over
			r.decay = Earlier(r.decay, r.Until)
		}
		return r
	}
	return Result{Truth: f.neutral}
}

// Elements evaluates the list that n goes over. Of a list that was only partly
// looked at, the elements come with an Unsure result; where there is no list at
// all the result says why.
func (s *Scale) Elements(n *rule.Node) (traits.Lister, Result) {
	if n.List != nil {
		if st := s.State(*n.List); st.Code == Truncated {
			l, _ := st.val.(traits.Lister)
			return l, Result{Truth: Unsure, Cause: ByUnknown, Since: st.Since, Until: st.Until, decay: st.Until}
		}
	}
	v, fault := s.Value(n.Over)
	r := s.leaf(n.Reads, n.Params)
	switch x := v.(type) {
	case traits.Lister:
		r.Truth, r.Cause = Yes, 0
		return x, r
	case *types.Unknown:
		return nil, r.unsure()
	}
	r.Truth, r.Cause, r.Fault = Broken, 0, fault
	return nil, r
}

func (r Result) unsure() Result {
	r.Truth = Unsure
	if r.Cause == 0 {
		r.Cause = ByUnknown
	}
	return r
}

func (s *Scale) quantify(n *rule.Node, pol int) Result {
	list, over := s.Elements(n)
	if list == nil {
		return over
	}
	f := newFold(n.Op == rule.All)
	if over.Truth == Unsure {
		f.add(over) // what was not looked at might hold anything
	}
	size := s.Each(n, list, func(ref.Val) { f.add(s.Weigh(n.Kids[0], pol)) })
	if size == 0 && n.Op == rule.All && s.Control.Empty != "ok" && over.Truth == Yes {
		return over.unsure()
	}
	return f.result().and(over)
}

// Each calls fn with every element in the place of n's variable.
func (s *Scale) Each(n *rule.Node, list traits.Lister, fn func(ref.Val)) int {
	size := int(list.Size().(types.Int))
	variable, elem := s.variable, s.elem
	s.variable = n.Variable
	for i := range size {
		s.elem = list.Get(types.Int(i))
		fn(s.elem)
	}
	s.variable, s.elem = variable, elem
	return size
}

// count compares how many elements the predicate holds for. One unsure element
// makes it unsure, whatever the others are: cel-go lets the last of unsure and
// broken win, which would depend on the order.
func (s *Scale) count(n *rule.Node) Result {
	list, over := s.Elements(n)
	if list == nil {
		return over
	}
	f := newFold(true)
	var untils [2][]time.Time // of the elements that are not counted, and of those that are
	s.Each(n, list, func(ref.Val) {
		r := s.Weigh(n.Kids[0], 0)
		if r.Truth <= Yes {
			untils[r.Truth] = append(untils[r.Truth], r.Until)
			r.Truth = Yes // no single element decides a count
		}
		f.add(r)
	})
	r := f.result().and(over)
	if over.Truth == Unsure {
		r.Cause |= over.Cause
		return r.unsure()
	}
	if r.Truth == Unsure {
		return r
	}
	return s.compareCount(n, untils, r, over)
}

// compareCount finishes a count whose elements are all sure, or broken.
func (s *Scale) compareCount(n *rule.Node, untils [2][]time.Time, r, over Result) Result {
	right, fault := s.Value(n.Right)
	if _, ok := right.(*types.Unknown); ok {
		r.Cause = s.leaf(n.RightSide.Reads, n.Params).Cause
		return r.unsure()
	}
	if r.Truth == Broken {
		return r
	}
	hits := len(untils[Yes])
	r.Truth, r.Fault = compare(n.Cmp, types.Int(hits), right, fault)
	if r.Truth == Broken {
		return r
	}
	// As long as all stays known, it takes several elements to turn the count.
	r.Until = Earlier(over.Until, r.decay)
	for _, toward := range []int{-1, +1} {
		leaving := untils[No]
		if toward < 0 {
			leaving = untils[Yes]
		}
		for k := range leaving {
			if t, _ := compare(n.Cmp, types.Int(hits+toward*(k+1)), right, fault); t != r.Truth {
				r.Until = Earlier(r.Until, kth(leaving, k))
				break
			}
		}
	}
	return r
}

// kth is the k-th earliest of instants of which zero means never.
func kth(ts []time.Time, k int) time.Time {
	ts = slices.DeleteFunc(slices.Clone(ts), time.Time.IsZero)
	if k >= len(ts) {
		return time.Time{}
	}
	slices.SortFunc(ts, time.Time.Compare)
	return ts[k]
}

// compare applies a comparison as cel-go does.
func compare(cmp string, left types.Int, right ref.Val, fault string) (Truth, string) {
	if right == nil {
		return Broken, fault
	}
	switch cmp {
	case operators.Equals:
		return boolean(left.Equal(right))
	case operators.NotEquals:
		t, fault := boolean(left.Equal(right))
		return t.not(), fault
	}
	order, ok := left.Compare(right).(types.Int)
	if !ok {
		return Broken, "no such overload"
	}
	return boolean(types.Bool(
		cmp == operators.Less && order < 0 || cmp == operators.LessEquals && order <= 0 ||
			cmp == operators.Greater && order > 0 || cmp == operators.GreaterEquals && order >= 0))
}

func boolean(v ref.Val) (Truth, string) {
	switch x := v.(type) {
	case types.Bool:
		if x {
			return Yes, ""
		}
		return No, ""
	case *types.Unknown:
		return Unsure, ""
	case *types.Err:
		return Broken, x.Error()
	}
	return Broken, "no bool"
}

func (s *Scale) atom(n *rule.Node) Result {
	r := s.leaf(n.Reads, n.Params)
	v, fault := s.Value(n.Program)
	if v == nil {
		r.Truth, r.Cause, r.Fault = Broken, 0, fault
		return r
	}
	if r.Truth, r.Fault = boolean(v); r.Truth == Unsure {
		return r.unsure()
	}
	r.Cause = 0
	if n.Clocked != 0 && r.Truth <= Yes {
		since, until := s.crossing(n, r.Truth)
		r.Since, r.Until = later(r.Since, since), Earlier(r.Until, until)
	}
	return r
}

// Value runs a program; an error comes back as its text.
func (s *Scale) Value(p cel.Program) (ref.Val, string) {
	v, _, err := p.Eval(s)
	var stopped interpreter.EvalCancelledError
	switch {
	case errors.As(err, &stopped) && stopped.Cause == interpreter.CostLimitExceeded:
		return nil, fmt.Sprintf("costs more than %d steps", rule.MaxSteps)
	case err != nil:
		return nil, err.Error()
	}
	return v, ""
}

// leaf gathers what the reads of a leaf have in common: causes of ignorance,
// since and until.
func (s *Scale) leaf(reads []rule.Read, params []*rule.Param) (r Result) {
	add := func(st *State, c Cause) {
		r.Since, r.Until = later(r.Since, st.Since), Earlier(r.Until, st.Until)
		r.Cause |= c
		r.decay = r.Until
	}
	for _, rd := range reads {
		st := s.State(rd)
		c := st.cause()
		if st.Known(rd.Has) {
			c = 0
		}
		add(st, c)
	}
	for _, p := range params {
		st := s.Param(p)
		add(st, st.cause())
	}
	return r
}

// State is what a read finds.
func (s *Scale) State(r rule.Read) *State {
	switch r.From {
	case rule.FromSubject:
		return s.cell(r.Field, false)
	case rule.FromDeclared:
		return s.cell(r.Field, true)
	case rule.FromAnswer:
		return s.answered()
	}
	if rec, ok := s.elem.(*element); ok && r.Field != nil {
		st := rec.state(r.Field)
		return &st
	}
	return &State{}
}

func (s *State) cause() Cause {
	switch {
	case s.Code == "":
		return 0
	case s.Code == Horizon:
		return ByHorizon
	case s.person:
		return ByAnswer
	case s.Code == Absent:
		return ByAbsent
	case s.Code == NotApplicable:
		return ByNotApplicable
	}
	return ByUnknown
}

// Known reports whether a read with has, or without, finds an answer.
func (s *State) Known(has bool) bool {
	return s.Code == "" || has && (s.person && s.Code != Horizon || s.Code == Absent || s.Code == NotApplicable)
}

// ResolveName implements cel-go's Activation.
func (s *Scale) ResolveName(name string) (any, bool) {
	switch name {
	case "s", "d", "p", "a":
		return s.self, true
	case "now":
		return s.clock, true
	case s.variable:
		return s.elem, s.elem != nil
	}
	return nil, false
}

// Parent implements cel-go's Activation.
func (s *Scale) Parent() interpreter.Activation { return nil }
