// Package reign says which parameter values hold where.
//
// Scopes for which nothing is set apart share a Regime, so that a nation of
// thousands of systems has few.
package reign

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"kakusho/directive"
	"kakusho/rule"
	"kakusho/rule/weigh"
)

// Scopes numbers scopes. It only grows, and forks share it.
type Scopes struct {
	mu    sync.RWMutex
	codes map[directive.Scope]uint32
	all   []directive.Scope
}

// NewScopes begins with none.
func NewScopes() *Scopes { return &Scopes{codes: map[directive.Scope]uint32{}} }

func (s *Scopes) Code(of directive.Scope) uint32 {
	s.mu.RLock()
	code, ok := s.codes[of]
	s.mu.RUnlock()
	if ok {
		return code
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if code, ok := s.codes[of]; ok {
		return code
	}
	s.codes[of] = uint32(len(s.all))
	s.all = append(s.all, of)
	return s.codes[of]
}

func (s *Scopes) List() []directive.Scope {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.all[:len(s.all):len(s.all)]
}

// Reign is which parameter values hold where, from an instant until another.
// Scopes for which nothing is set apart share a regime.
type Reign struct {
	from     time.Time
	Until    time.Time
	Regimes  []*Regime
	Of       []int // by scope
	by       map[directive.Scope]int
	layered  map[string]bool // layers that some setting is of
	Shuffled bool            // a scope went to another regime in the last call of rule

	partings map[string]parting // by the parameters that were asked about
	shapes   map[string][]int   // so that equal partings are one
}

// parting is how regimes are parted by some parameters.
type parting struct {
	of    []int
	first []*Regime
}

// Regime is the values that hold in some scopes.
type Regime struct {
	Values directive.Values

	mu      sync.Mutex
	digests map[string]string // of the values that somebody asked for
}

// Digest tells a parameter's value from others of the same parameter.
func (r *Regime) Digest(key string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.digests[key]
	if !ok {
		if v, set := r.Values[key]; set {
			d = fmt.Sprintf("%T %q", v.Value, fmt.Sprint(v.Value))
			if list, isList := v.Value.([]any); isList {
				d = fmt.Sprintf("%q", list)
			}
		}
		r.digests[key] = d
	}
	return d
}

// Signature tells the values of several parameters from others.
func (r *Regime) Signature(params []*rule.Param) string {
	switch len(params) {
	case 0:
		return ""
	case 1:
		return r.Digest(params[0].Key)
	}
	var b strings.Builder
	for _, p := range params {
		b.WriteString(r.Digest(p.Key))
		b.WriteByte(0)
	}
	return b.String()
}

// Rule finds the values of every scope at the instant at, unless it knows them.
// It reports whether they may be others than before.
func (r *Reign) Rule(params directive.Parameters, settings []directive.Setting, scopes *Scopes, at time.Time) (changed bool) {
	old := r.Of
	if r.by == nil || at.Before(r.from) || !r.Until.IsZero() && !at.Before(r.Until) {
		*r = Reign{from: at, by: map[directive.Scope]int{}, layered: map[string]bool{}}
		for _, s := range settings {
			r.layered[s.Layer] = true
		}
		changed = true
	}
	for _, s := range scopes.List()[len(r.Of):] {
		if !r.layered["prefecture/"+s.Prefecture] {
			s.Prefecture = ""
		}
		if !r.layered["system/"+s.System] {
			s.System = ""
		}
		i, ok := r.by[s]
		if !ok {
			changed, i = true, len(r.Regimes)
			r.by[s] = i
			r.from = at // what holds there may not have held before
			g := &Regime{Values: params.Resolve(settings, s, at), digests: map[string]string{}}
			for _, v := range g.Values {
				r.Until = weigh.Earlier(r.Until, v.Next)
			}
			r.Regimes = append(r.Regimes, g)
		}
		r.Of = append(r.Of, i)
	}
	r.Shuffled = !slices.Equal(r.Of[:min(len(old), len(r.Of))], old)
	return changed
}

// Fork is a copy that goes its own way.
func (r *Reign) Fork() Reign {
	n := *r
	n.Of, n.Regimes = slices.Clip(r.Of), slices.Clip(r.Regimes) // appending makes copies
	n.by = maps.Clone(r.by)
	n.partings, n.shapes = nil, nil
	return n
}

// View is the regime of every scope as it is now.
func (r *Reign) View() func(scope uint32) *Regime {
	of, regimes := slices.Clip(r.Of), slices.Clip(r.Regimes)
	return func(scope uint32) *Regime { return regimes[of[scope]] }
}

// Forget makes Rule find all values anew.
func (r *Reign) Forget() { r.by = nil }

// Under is the regime of a scope, by its number.
func (r *Reign) Under(scope uint32) *Regime { return r.Regimes[r.Of[scope]] }

// Parted parts regimes by the values of parameters, as Classes does. Partings that
// are equal are the same slice, as long as the regimes stay.
func (r *Reign) Parted(params []*rule.Param) (of []int, first []*Regime) {
	var key strings.Builder
	for _, p := range params {
		key.WriteString(p.Key)
		key.WriteByte(0)
	}
	if p, ok := r.partings[key.String()]; ok && len(p.of) == len(r.Regimes) {
		return p.of, p.first
	}
	if r.partings == nil {
		r.partings, r.shapes = map[string]parting{}, map[string][]int{}
	}
	of, first = r.Classes(func(g *Regime) string { return g.Signature(params) })
	shape := fmt.Sprint(of)
	if same, ok := r.shapes[shape]; ok {
		of = same
	} else {
		r.shapes[shape] = of
	}
	r.partings[key.String()] = parting{of, first}
	return of, first
}

// Classes parts regimes by a signature: the class of every regime, and one regime
// of each class.
func (r *Reign) Classes(signature func(*Regime) string) (of []int, first []*Regime) {
	seen := map[string]int{}
	for _, g := range r.Regimes {
		key := signature(g)
		c, ok := seen[key]
		if !ok {
			c = len(first)
			seen[key] = c
			first = append(first, g)
		}
		of = append(of, c)
	}
	return of, first
}
