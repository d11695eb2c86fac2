// Package posture holds the present standing: every subject with its facts and
// declarations, and what the judge says of it.
//
// A verdict is computed, never kept as the truth. Posture remembers verdicts
// only as long as nothing they rest on has changed and no instant has come at
// which they change by themselves; then it asks the judge again. Expiry
// therefore acts by the clock alone.
package posture

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"kakusho/clause"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/store"
	"kakusho/verdict"
)

// Posture judges what the rows say. It is safe for concurrent use.
type Posture struct {
	rows      store.Store
	kinds     kind.Set
	directive *directive.Directive
	controls  []control.Control
	rules     map[string][]*judge.Rule // kind → rules of it
	byControl map[string]*judge.Rule

	mu    sync.Mutex
	world *world
	last  *Standing
}

// New compiles the controls. It fails when one does not compile, naming the
// file, line and column.
//
// derivations compute the derived fields of kinds, by the name a field gives;
// one that is missing is an error too.
func New(rows store.Store, d *directive.Directive, controls []control.Control, kinds kind.Set, derivations map[string]Derivation) (*Posture, error) {
	p := &Posture{
		rows: rows, kinds: kinds, directive: d, controls: controls,
		rules: map[string][]*judge.Rule{}, byControl: map[string]*judge.Rule{}, world: newWorld(kinds, d, derivations),
	}
	for id, k := range kinds {
		for _, f := range k.Layer(kind.Derived) {
			if _, ok := derivations[f.Derive]; !ok {
				return nil, fmt.Errorf("kind %s: field %s: no derivation is called %q", id, f.Name, f.Derive)
			}
		}
	}
	rules, err := judge.Rules(controls, kinds, d)
	if err != nil {
		return nil, fmt.Errorf("compile controls: %w", err)
	}
	for _, r := range rules {
		c := r.Control()
		p.byControl[c.ID] = r
		for _, k := range c.Kinds {
			p.rules[k] = append(p.rules[k], r)
		}
	}
	return p, nil
}

// Directive is the directive judged by.
func (p *Posture) Directive() *directive.Directive { return p.directive }

// Kinds are the kinds of subject judged.
func (p *Posture) Kinds() kind.Set { return p.kinds }

// Controls are the controls judged by, in order of ID.
func (p *Posture) Controls() []control.Control { return p.controls }

// Control finds a control by ID.
func (p *Posture) Control(id string) (control.Control, bool) {
	i := slices.IndexFunc(p.controls, func(c control.Control) bool { return c.ID == id })
	if i < 0 {
		return control.Control{}, false
	}
	return p.controls[i], true
}

// Now is the standing at the instant at, as the permit's holder may see it. It
// holds every entry that was folded when it was called.
func (p *Posture) Now(ctx context.Context, permit gate.Permit, at time.Time) (*Standing, error) {
	who := permit.Who()
	st, err := p.standing(ctx, at)
	if err != nil {
		return nil, err
	}
	return st.view(who), nil
}

// Of judges subjects and facts that stand in no store: a machine looked at once.
// Posture itself stays as it is.
func (p *Posture) Of(subjects []store.Subject, facts []store.Fact, at time.Time) (*Standing, error) {
	q := &Posture{kinds: p.kinds, directive: p.directive, controls: p.controls, rules: p.rules, byControl: p.byControl,
		world: newWorld(p.kinds, p.directive, p.world.derivations)}
	for _, s := range subjects {
		q.world.putSubject(s)
	}
	for _, f := range facts {
		if err := q.world.putFact(f); err != nil {
			return nil, err
		}
	}
	return q.judgeAll(at), nil
}

// outrun is how much later another reader's instant may be whose standing serves
// for one who waited: readers overtake each other, and judging everything again for
// each would cost more than it tells.
const outrun = 5 * time.Second

func (p *Posture) standing(ctx context.Context, at time.Time) (*Standing, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed, err := p.world.refresh(ctx, p.rows)
	if err != nil {
		return nil, fmt.Errorf("read the standing: %w", err)
	}
	if p.last != nil && at.Before(p.last.At) && p.last.At.Sub(at) < outrun {
		at = p.last.At
	}
	if !changed && p.last != nil && !at.Before(p.last.At) && (p.last.until.IsZero() || at.Before(p.last.until)) {
		return p.last, nil
	}
	p.last = p.judgeAll(at)
	return p.last, nil
}

// judgeAll judges every subject whose verdicts no longer hold.
func (p *Posture) judgeAll(at time.Time) *Standing {
	w := p.world
	next := w.derive(at)
	s := &Standing{At: at, until: next, posture: p, subjects: map[fact.Ref]*Subject{}, bySystem: map[string][]*Subject{}}
	for _, ref := range w.order() {
		it := w.items[ref]
		if it.Row.Retired || it.Row.Kind == "" {
			continue // struck out, or facts of something no register has
		}
		p.judgeItem(it, at)
		sub := &Subject{Ref: ref, Kind: it.Kind, Name: it.Row.Name, System: it.Row.System, Unit: it.Row.Unit,
			Facts: it.facts, Declared: it.Declared, Derived: it.derived, Decisions: it.decisions, Verdicts: it.verdicts}
		s.subjects[ref] = sub
		s.order = append(s.order, sub)
		s.bySystem[it.Row.System] = append(s.bySystem[it.Row.System], sub)
		s.until = Earlier(s.until, it.until)
		for _, d := range it.decisions {
			for _, edge := range []time.Time{d.ApprovedAt, d.From, d.Until, d.WithdrawnAt} {
				if edge.After(at) {
					s.until = Earlier(s.until, edge)
				}
			}
		}
	}
	s.tally()
	return s
}

// judgeItem asks the judge about one subject unless its verdicts still hold.
func (p *Posture) judgeItem(it *Item, at time.Time) {
	params := p.world.parameters(it, at)
	in := p.world.input(it)
	version := it.version(params, p.world.cursor, in.InServiceOn)
	if it.judged == version && !at.Before(it.judgedAt) && (it.until.IsZero() || at.Before(it.until)) {
		return
	}
	it.judged, it.judgedAt, it.until = version, at, time.Time{}
	it.verdicts = make([]verdict.Verdict, 0, len(p.rules[it.Kind.ID]))
	for _, r := range p.rules[it.Kind.ID] {
		var next time.Time
		v := r.Judge(in, params, at, p.holds(it, at, nil, &next))
		if !next.IsZero() && (v.NextChange.IsZero() || next.Before(v.NextChange)) {
			it.until = Earlier(it.until, next) // a condition of what lies over it
			if then := r.Judge(in, p.world.parameters(it, next), next, p.holds(it, next, nil, new(time.Time))); then.Outcome != v.Outcome {
				v.NextChange, v.ChangesTo = next, then.Outcome
			}
		}
		it.verdicts = append(it.verdicts, v)
		it.until = Earlier(it.until, v.NextChange)
	}
	for _, v := range params {
		it.until = Earlier(it.until, v.Next)
	}
}

// Earlier is the earlier of two instants, of which zero means never.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// holds answers whether a compensating control is met: of the subject when the
// control is about its kind, else of the subject's system and of everything in
// it that the control is about. A control that asks for itself is unknown. next
// becomes the first instant at which an answer that was given may be another.
func (p *Posture) holds(it *Item, at time.Time, asking []string, next *time.Time) func(string) verdict.Outcome {
	return func(id string) verdict.Outcome {
		r, ok := p.byControl[id]
		if !ok || slices.Contains(asking, id) {
			return verdict.Unknown
		}
		c, _ := p.Control(id)
		var outcomes []verdict.Outcome
		for _, other := range p.world.near(it) {
			if !slices.Contains(c.Kinds, other.Kind.ID) {
				continue
			}
			v := r.Judge(p.world.input(other), p.world.parameters(other, at), at, p.holds(other, at, append(slices.Clone(asking), id), next))
			outcomes = append(outcomes, v.Outcome)
			*next = Earlier(*next, v.NextChange)
		}
		return verdict.RollUp(outcomes...)
	}
}

// Standing is everything as it stood at one instant. It does not change.
type Standing struct {
	At       time.Time
	posture  *Posture
	until    time.Time
	order    []*Subject
	subjects map[fact.Ref]*Subject
	bySystem map[string][]*Subject
	tallies  map[clause.ID]map[string]Tally // by system; "*" over all
}

// Subject is one subject as it stands. It does not change.
type Subject struct {
	Ref       fact.Ref
	Kind      kind.Kind
	Name      string
	System    string
	Unit      string
	Facts     map[string]judge.Cell // what a rule reads as s.
	Declared  map[string]judge.Cell
	Derived   map[string]judge.Cell
	Decisions []Decision
	Verdicts  []verdict.Verdict
	Closed    bool // not for the reader's duties: only the outcomes are here
}

// Until is the next instant at which something changes by time alone; zero: none
// is known.
func (s *Standing) Until() time.Time { return s.until }

// Subjects lists all, by kind and key.
func (s *Standing) Subjects() []*Subject { return s.order }

// Subject finds one.
func (s *Standing) Subject(ref fact.Ref) (*Subject, bool) {
	sub, ok := s.subjects[ref]
	return sub, ok
}

// Named finds one by its reference as text.
func (s *Standing) Named(ref string) (*Subject, bool) { return s.Subject(fact.Ref(ref)) }

// Kinds lists the kinds of which there is a subject, in menu order.
func (s *Standing) Kinds() []kind.Kind {
	var out []kind.Kind
	for _, sub := range s.order {
		if len(out) == 0 || out[len(out)-1].ID != sub.Kind.ID {
			out = append(out, sub.Kind)
		}
	}
	return out
}

// Systems lists the subjects of kind system.
func (s *Standing) Systems() []*Subject {
	return slices.DeleteFunc(slices.Clone(s.order), func(x *Subject) bool { return x.Kind.ID != "system" })
}

// Members lists what belongs to a system, itself first; of the empty system:
// what belongs to none.
func (s *Standing) Members(system string) []*Subject { return s.bySystem[system] }

// Filter selects verdicts, as the address of a page says. Empty fields select all.
type Filter struct {
	Clause   clause.ID // or anything under it
	Control  string
	System   string
	NoSystem bool // only what belongs to no system
	Kind     string
	Outcome  verdict.Outcome
	Words    string // in the subject's name or number, or the control's title
}

// Verdicts lists those f selects, worst first, then by clause and subject.
func (s *Standing) Verdicts(f Filter) []verdict.Verdict {
	var out []verdict.Verdict
	for _, sub := range s.order {
		if f.System != "" && sub.System != f.System || f.NoSystem && sub.System != "" || f.Kind != "" && sub.Kind.ID != f.Kind {
			continue
		}
		for _, v := range sub.Verdicts {
			if s.selects(f, sub, v) {
				out = append(out, v)
			}
		}
	}
	WorstFirst(out)
	return out
}

// WorstFirst sorts verdicts by outcome, then clause, then subject.
func WorstFirst(vs []verdict.Verdict) {
	slices.SortStableFunc(vs, func(a, b verdict.Verdict) int {
		if a.Outcome != b.Outcome {
			if verdict.Worse(a.Outcome, b.Outcome) == a.Outcome {
				return -1
			}
			return 1
		}
		if c := clause.Compare(a.Clause, b.Clause); c != 0 {
			return c
		}
		return strings.Compare(a.Subject, b.Subject)
	})
}

func (s *Standing) selects(f Filter, sub *Subject, v verdict.Verdict) bool {
	if f.Control != "" && v.Control != f.Control || f.Outcome != "" && v.Outcome != f.Outcome {
		return false
	}
	if f.Clause != "" && !slices.ContainsFunc(clausesOf(v), func(c clause.ID) bool { return Under(c, f.Clause) }) {
		return false
	}
	if f.Words == "" {
		return true
	}
	c, _ := s.posture.Control(v.Control)
	hay := store.Plain(strings.Join([]string{sub.Name, string(sub.Ref), c.Title.JA, c.Title.EN, v.Control}, " "))
	for _, w := range strings.Fields(store.Plain(f.Words)) {
		if !strings.Contains(hay, w) {
			return false
		}
	}
	return true
}

func clausesOf(v verdict.Verdict) []clause.ID {
	if len(v.Clauses) > 0 {
		return v.Clauses
	}
	return []clause.ID{v.Clause}
}

// Under reports whether c is under or the same as top.
func Under(c, top clause.ID) bool {
	if !strings.Contains(string(top), "@") {
		return c.Source() == string(top) // the whole directive
	}
	return c == top || strings.HasPrefix(string(c), string(top)+".")
}

// Tally counts outcomes.
type Tally map[verdict.Outcome]int

// Outcome is what the tally rolls up to.
func (t Tally) Outcome() verdict.Outcome {
	var os []verdict.Outcome
	for o, n := range t {
		if n > 0 {
			os = append(os, o)
		}
	}
	return verdict.RollUp(os...)
}

// Add counts another tally in.
func (t Tally) Add(o Tally) {
	for k, n := range o {
		t[k] += n
	}
}

// Total is how many were counted.
func (t Tally) Total() (n int) {
	for _, k := range t {
		n += k
	}
	return n
}

// Clause tallies one clause, section, part or the whole directive over one
// system; over all when system is "*", over what belongs to none when it is
// empty. A verdict counts once, however many of its clauses are under it.
func (s *Standing) Clause(id clause.ID, system string) Tally {
	return maps.Clone(s.tallies[id][system])
}

// Soonest lists the n verdicts that become worse soonest by time alone.
func (s *Standing) Soonest(n int) []verdict.Verdict {
	var out []verdict.Verdict
	for _, sub := range s.order {
		for _, v := range sub.Verdicts {
			if !v.NextChange.IsZero() && v.ChangesTo != "" && verdict.Worse(v.Outcome, v.ChangesTo) != v.Outcome {
				out = append(out, v)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b verdict.Verdict) int { return a.NextChange.Compare(b.NextChange) })
	return out[:min(n, len(out))]
}

// tally counts every verdict under its clauses and everything above them, by
// system and over all.
func (s *Standing) tally() {
	s.tallies = map[clause.ID]map[string]Tally{}
	for _, sub := range s.order {
		for _, v := range sub.Verdicts {
			for id := range lineage(v) {
				if s.tallies[id] == nil {
					s.tallies[id] = map[string]Tally{"*": {}}
				}
				if s.tallies[id][sub.System] == nil {
					s.tallies[id][sub.System] = Tally{}
				}
				s.tallies[id][sub.System][v.Outcome]++
				s.tallies[id]["*"][v.Outcome]++
			}
		}
	}
}

// lineage is the clauses of a verdict and all above them, the directive itself
// last.
func lineage(v verdict.Verdict) map[clause.ID]bool {
	ids := map[clause.ID]bool{}
	for _, c := range clausesOf(v) {
		ids[clause.ID(c.Source())] = true
		for up, ok := c, true; ok; up, ok = up.Parent() {
			ids[up] = true
		}
	}
	return ids
}
