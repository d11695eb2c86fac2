package posture

import (
	"errors"
	"slices"
	"strings"

	"kakusho/clause"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/kind"
	"kakusho/posture/dates"
	"kakusho/store"
)

// Terms are what is judged by: a directive, the controls that check it, and the
// rules they compile to. They do not change, know no subject, and are safe for
// concurrent use.
type Terms struct {
	directive *directive.Directive
	kinds     kind.Set
	controls  []control.Control
	rules     []*judge.Rule // as controls

	place  map[string]int      // of a control
	byKind map[string][]int    // the controls that are about a kind
	under  map[clause.ID][]int // the controls of a clause, or of one under it
	first  []int               // rank of a control's first clause among those that controls name
	plain  []string            // what a search finds a control by
	dated  map[*judge.Rule]dates.Rule
}

// NewTerms compiles controls for a directive. A control that does not compile is
// among them all the same: it judges everything it is about "error", and says why.
func NewTerms(d *directive.Directive, controls []control.Control, kinds kind.Set) *Terms {
	t := &Terms{directive: d, kinds: kinds, controls: controls}
	t.rules, _ = judge.Rules(controls, kinds, d) // each fault stands in its rule
	t.index()
	return t
}

// With is t with other controls: each takes the place of the one with its ID, or is
// added. Only they are compiled.
func (t *Terms) With(controls ...control.Control) *Terms {
	n := &Terms{directive: t.directive, kinds: t.kinds, controls: slices.Clone(t.controls), rules: slices.Clone(t.rules)}
	rules, _ := judge.Rules(controls, t.kinds, t.directive)
	for i, c := range controls {
		if at, ok := t.place[c.ID]; ok {
			n.controls[at], n.rules[at] = c, rules[i]
			continue
		}
		n.controls, n.rules = append(n.controls, c), append(n.rules, rules[i])
	}
	n.index()
	return n
}

func (t *Terms) index() {
	t.place, t.byKind, t.under = map[string]int{}, map[string][]int{}, map[clause.ID][]int{}
	t.plain, t.dated = make([]string, len(t.controls)), map[*judge.Rule]dates.Rule{}
	for _, r := range t.rules {
		if d, ok := dates.Of(r); ok {
			t.dated[r] = d
		}
	}
	var named []clause.ID
	for i, c := range t.controls {
		t.place[c.ID] = i
		t.plain[i] = store.Plain(strings.Join([]string{c.Title.JA, c.Title.EN, c.ID}, " "))
		named = append(named, c.Clauses...)
		for _, k := range c.Kinds {
			t.byKind[k] = append(t.byKind[k], i)
		}
		for id := range lineage(c.Clauses) {
			t.under[id] = append(t.under[id], i)
		}
	}
	slices.SortFunc(named, clause.Compare)
	named = slices.Compact(named)
	t.first = make([]int, len(t.controls))
	for i, c := range t.controls {
		if len(c.Clauses) > 0 {
			t.first[i], _ = slices.BinarySearchFunc(named, c.Clauses[0], clause.Compare)
		}
	}
}

// lineage is clauses and all above them, and their directives.
func lineage(clauses []clause.ID) map[clause.ID]bool {
	ids := map[clause.ID]bool{}
	for _, c := range clauses {
		ids[clause.ID(c.Source())] = true
		for up, ok := c, true; ok; up, ok = up.Parent() {
			ids[up] = true
		}
	}
	return ids
}

// Directive is the directive judged by.
func (t *Terms) Directive() *directive.Directive { return t.directive }

// Kinds are the kinds of subject judged.
func (t *Terms) Kinds() kind.Set { return t.kinds }

// Controls are the controls judged by, in order of ID.
func (t *Terms) Controls() []control.Control { return t.controls }

// Faults are why controls did not compile, all at once; nil: every one did.
func (t *Terms) Faults() error {
	var all []error
	for _, r := range t.rules {
		all = append(all, r.Fault())
	}
	return errors.Join(all...)
}

// Control finds a control by ID.
func (t *Terms) Control(id string) (control.Control, bool) {
	i, ok := t.place[id]
	if !ok {
		return control.Control{}, false
	}
	return t.controls[i], true
}

// Rule finds the rule of a control.
func (t *Terms) Rule(id string) (*judge.Rule, bool) {
	i, ok := t.place[id]
	if !ok {
		return nil, false
	}
	return t.rules[i], true
}

// hold is t as a fleet is held to it, under settings.
func (t *Terms) hold(settings []directive.Setting) fleet.Terms {
	return fleet.Terms{Rules: t.rules, Parameters: t.directive.Parameters, Settings: settings}
}
