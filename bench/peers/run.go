// Package peers judges an invented national body with four engines in one run: our
// fleet, cel-go evaluating every rule for every subject, OPA's prepared query, and
// predicates written by hand in Go; all by the same controls. It is a module of its
// own, so that OPA is no dependency of the product.
//
//	go test -run Agree .                      the engines' verdicts compared
//	go test -run '^$' -bench . -benchtime 1x . the figures
//
// Figures are CPU time of the whole process (its garbage collector included), so
// that other programs on the machine weigh little. The peers judge a sample whose
// inputs were made ready before and stay in the processor's cache, which favours
// them; the fleet judges everybody.
package peers

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"time"

	nation "kakusho/bench/fleet"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/kind"
	"kakusho/verdict"
)

// At is the instant at which the body is judged.
var At = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// Seed is the body's.
const Seed = 20261101

// Setting is what all engines are given.
type Setting struct {
	Kinds     kind.Set
	Directive *directive.Directive
	Rules     []*judge.Rule // of every control
	Few       []*judge.Rule // of those that every engine judges
	Body      *nation.Body
	Terms     fleet.Terms // by Few
	Ours      []Predicate
	values    map[directive.Scope]directive.Values
	params    map[directive.Scope]*Params
}

// NewSetting is a body of a size and the terms.
func NewSetting(size int) (*Setting, error) {
	s := &Setting{Kinds: kind.Default(), Directive: directive.Default(), Ours: Predicates(), values: map[directive.Scope]directive.Values{}, params: map[directive.Scope]*Params{}}
	controls := control.Default(s.Kinds, s.Directive)
	var err error
	if s.Rules, err = judge.Rules(controls, s.Kinds, s.Directive); err != nil {
		return nil, err
	}
	s.Body = nation.New(Seed, size, At, s.Kinds, controls)
	for _, p := range s.Ours {
		i := slices.IndexFunc(s.Rules, func(r *judge.Rule) bool { return r.Control().ID == p.Control })
		if i < 0 {
			return nil, fmt.Errorf("no control %s", p.Control)
		}
		s.Few = append(s.Few, s.Rules[i])
	}
	s.Terms = fleet.Terms{Rules: s.Few, Parameters: s.Directive.Parameters, Settings: s.Body.Settings(s.Directive.Parameters)}
	return s, nil
}

// Controls are those that every engine judges.
func (s *Setting) Controls() (cs []control.Control) {
	for _, r := range s.Few {
		cs = append(cs, r.Control())
	}
	return cs
}

// Fields are what they read.
func (s *Setting) Fields() (names []string) {
	for _, r := range s.Few {
		names = append(names, r.Control().Needs...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Values are the parameters' values in a scope.
func (s *Setting) Values(scope directive.Scope) directive.Values {
	v, ok := s.values[scope]
	if !ok {
		v = s.Terms.Parameters.Resolve(s.Terms.Settings, scope, At)
		s.values[scope] = v
	}
	return v
}

// Typed is Values as the hand-written predicates want them.
func (s *Setting) Typed(scope directive.Scope) *Params {
	p, ok := s.params[scope]
	if !ok {
		p = NewParams(s.Values(scope))
		s.params[scope] = p
	}
	return p
}

// Sample is n computers from all over the body, without decisions: no peer knows
// what those are.
func (s *Setting) Sample(n int) (out []fleet.Subject) {
	for i := 0; len(out) < n && i < s.Body.Size; i += max(1, s.Body.Size*85/100/n) {
		if x := s.Body.Subject(i); x.Ref.Kind() == "computer" {
			x.Decisions = nil
			out = append(out, x)
		}
	}
	return out
}

// cost is what something took.
type cost struct {
	cpu, wall time.Duration
	allocs    uint64
}

// measure runs fn after a collection and says what it took.
func measure(fn func()) cost {
	runtime.GC()
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	wall, cpu := time.Now(), cpuTime()
	fn()
	c := cost{cpu: cpuTime() - cpu, wall: time.Since(wall)}
	runtime.ReadMemStats(&b)
	c.allocs = b.Mallocs - a.Mallocs
	return c
}

// median runs fn some times and gives the median by CPU time.
func median(rounds int, fn func()) cost {
	var cs []cost
	for range rounds {
		cs = append(cs, measure(fn))
	}
	slices.SortFunc(cs, func(a, b cost) int { return int(a.cpu - b.cpu) })
	return cs[len(cs)/2]
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Peers measures the peers over a sample: nanoseconds of CPU time and allocations
// a pair.
func (s *Setting) Peers(ctx context.Context, report func(float64, string)) (goNS, celNS, opaNS float64, err error) {
	const n = 2000
	sample := s.Sample(n)
	pairs := float64(len(sample) * len(s.Few))
	hosts, params := make([]*Host, len(sample)), make([]*Params, len(sample))
	naive, err := NewNaive(s.Controls(), s.Kinds, s.Terms.Parameters)
	if err != nil {
		return 0, 0, 0, err
	}
	slots := make([]*Slots, len(sample))
	for i, x := range sample {
		hosts[i], params[i], slots[i] = NewHost(x, s.Values(x.Scope)), s.Typed(x.Scope), naive.Prepare(x, s.Values(x.Scope))
	}
	var out [9]int
	const again = 20
	c := median(5, func() {
		for range again {
			for i, h := range hosts {
				for _, p := range s.Ours {
					out[rank(p.Judge(h, params[i], At))]++
				}
			}
		}
	})
	goNS = float64(c.cpu) / pairs / again
	report(float64(c.allocs)/pairs/again, "go-allocs/pair")
	c = median(3, func() {
		for _, x := range slots {
			for k := range s.Few {
				out[rank(naive.Judge(k, x, At))]++
			}
		}
	})
	celNS = float64(c.cpu) / pairs
	report(float64(c.allocs)/pairs, "cel-allocs/pair")
	if opaNS, err = s.opa(ctx, sample[:len(sample)/5], report); err != nil {
		return 0, 0, 0, err
	}
	return goNS, celNS, opaNS, nil
}

func (s *Setting) opa(ctx context.Context, sample []fleet.Subject, report func(float64, string)) (float64, error) {
	opa, err := NewOPA(ctx, s.Fields())
	if err != nil {
		return 0, err
	}
	var evaluate []func() error
	for _, x := range sample {
		in, err := opa.Prepare(x, s.Values(x.Scope), At)
		if err != nil {
			return 0, err
		}
		evaluate = append(evaluate, func() error { _, err := opa.Deny(ctx, in); return err })
	}
	c := median(3, func() {
		for _, fn := range evaluate {
			if e := fn(); e != nil {
				err = e
			}
		}
	})
	pairs := float64(len(sample) * len(s.Few))
	report(float64(c.allocs)/pairs, "opa-allocs/pair")
	return float64(c.cpu) / pairs, err
}

func rank(o verdict.Outcome) int { return slices.Index(verdict.Outcomes, o) }

// Held is a fleet and what it took to come to be.
type Held struct {
	*fleet.Fleet
	terms           fleet.Terms
	Subjects, Pairs int
	Putting         cost // of the last thousand subjects
}

// Fill puts the whole body into a fleet. It is made on one processor and put on
// the other.
func (s *Setting) Fill(terms fleet.Terms, decisions bool) *Held {
	h := &Held{Fleet: fleet.New(s.Kinds, terms), terms: terms}
	h.Recall(func(ref fact.Ref) (judge.Subject, bool) { x, ok := s.Body.Find(ref); return x.Subject, ok })
	about := map[string]int{}
	for _, r := range terms.Rules {
		for _, k := range r.Control().Kinds {
			about[k]++
		}
	}
	made := make(chan fleet.Subject, 256)
	go func() {
		for x := range s.Body.Subjects() {
			if !decisions {
				x.Decisions = nil
			}
			made <- x
		}
		close(made)
	}()
	var last []fleet.Subject
	for x := range made {
		h.Subjects++
		h.Pairs += about[x.Ref.Kind()]
		if h.Subjects > s.Body.Size-1000 {
			last = append(last, x)
			continue
		}
		h.Fleet.Put(x)
	}
	h.Putting = measure(func() {
		for _, x := range last {
			h.Fleet.Put(x)
		}
	})
	return h
}
