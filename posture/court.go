package posture

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/kind"
	"kakusho/posture/dates"
	"kakusho/posture/lapse"
	"kakusho/posture/world"
	"kakusho/posture/world/state"
	"kakusho/rule/weigh"
	"kakusho/verdict"
)

// court is a world being judged by terms. It belongs to the lock of its evidence.
type court struct {
	terms    *Terms
	evidence *evidence
	layer    *world.Layer
	fleet    *fleet.Fleet
	heard    int // settings the fleet is held to: see World.Determined
	book     book
	shelf    atomic.Pointer[shelf]
	last     *ground
}

// shelf is what the fleet was told last: it keeps no cells, and has them fetched
// where it asks the judge himself, which may be long after.
type shelf struct {
	*directory
	book book
	at   time.Time
}

func (c *court) fetch(ref fact.Ref) (judge.Subject, bool) {
	s := c.shelf.Load()
	slot, ok := s.slot[ref]
	if !ok {
		return judge.Subject{}, false
	}
	return s.book.at(slot).subject(s.at), true
}

func newCourt(t *Terms, e *evidence) *court {
	return &court{terms: t, evidence: e, layer: world.NewLayer(e.world, t.directive.Parameters, nil, e.derivations), heard: -1}
}

// judge is how everything stands at an instant. Only what is no longer so is derived
// and judged again.
func (c *court) judge(at time.Time) *ground {
	w := c.evidence.world
	moved := c.layer.Move(at)
	if c.fleet == nil {
		c.fleet = fleet.New(c.terms.kinds, c.terms.hold(w.Settings()))
		c.fleet.Recall(c.fetch)
	} else if c.heard != w.Determined() {
		c.fleet.Hold(c.terms.hold(w.Settings()))
	}
	same := c.last != nil && len(moved) == 0 && c.heard == w.Determined() && !at.Before(c.last.at)
	if same && (c.last.until.IsZero() || at.Before(c.last.until)) {
		return c.last
	}
	c.heard = w.Determined()
	c.enter(moved, at)
	c.last = c.close(at, w.Settings())
	return c.last
}

// enter gives the fleet what is new.
func (c *court) enter(moved []*world.Item, at time.Time) {
	was := make([]*entry, len(moved))
	for i, it := range moved {
		e := &entry{slot: it.Slot, ref: it.Ref(), kind: it.Kind, state: it.State, derived: c.layer.Derived(it)}
		e.decisions = lapse.Mark(e.kind, e.ref, e.state.Decisions, func() map[string]any { return e.circumstances(at) })
		was[i] = c.book.put(it.Slot, e)
	}
	c.shelf.Store(&shelf{c.directory(moved), c.book.snapshot(), at})
	back := c.last != nil && at.Before(c.last.at) // the fleet has cells of the instant it was told them, still to come
	for i, it := range moved {
		e := c.book.at(it.Slot)
		if !it.Live() {
			c.fleet.Drop(e.ref)
		} else if cells, only := e.since(was[i], at); only && !back {
			c.fleet.See(e.ref, cells)
		} else {
			c.fleet.Put(fleet.Subject{Subject: e.subject(at), System: it.Row.System, Scope: it.Scope()})
		}
	}
}

// since is the cells that are others than they were; false: more than cells is.
func (e *entry) since(was *entry, at time.Time) (map[string]Cell, bool) {
	if was == nil || !was.state.Live() || !lapse.Same(was.decisions, e.decisions) {
		return nil, false
	}
	cells, only := e.state.Since(was.state)
	if only {
		e.derived.Since(was.derived, cells, at)
	}
	return cells, only
}

// close makes a standing of what the fleet says.
func (c *court) close(at time.Time, settings []directive.Setting) *ground {
	out := c.fleet.Judge(at)
	g := &ground{at: at, until: weigh.Earlier(c.layer.Next(), out.Until()), terms: c.terms, settings: settings, outcomes: out, book: c.book.snapshot()}
	g.directory = c.shelf.Load().directory
	g.counts = c.count(g)
	return g
}

// suppose judges a draft beside c, which stays as it is. c has judged.
func (c *court) suppose(at time.Time, d Draft) *ground {
	w := c.evidence.world
	terms, settings := c.terms, w.Settings()
	if d.Terms != nil {
		terms = d.Terms
	}
	if d.Decisions != nil {
		settings = w.Deciding(d.Decisions(w.Decisions()))
	}
	if d.Settings != nil {
		settings = d.Settings(slices.Clone(settings))
	}
	touched, undo := w.Suppose(d.Decisions, d.Observed)
	defer undo()
	f := &court{
		terms: terms, evidence: c.evidence, layer: c.layer.Fork(terms.directive.Parameters, settings, touched, d.Observed != nil),
		fleet: c.fleet.Fork(), book: c.book.snapshot(), last: c.last,
	}
	f.shelf.Store(c.shelf.Load())
	f.fleet.Recall(f.fetch)
	f.fleet.Hold(terms.hold(settings))
	moved := map[*world.Item]bool{}
	for _, it := range slices.Concat(touched, f.layer.Move(at)) {
		moved[it] = true
	}
	var list []*world.Item
	for _, it := range w.Items() {
		if moved[it] {
			list = append(list, it)
		}
	}
	f.enter(list, at)
	return f.close(at, settings)
}

// entry is one subject as it is judged. It does not change, but for what is remembered
// of its dates.
type entry struct {
	slot    int
	ref     fact.Ref
	kind    *kind.Kind
	state   *state.State
	derived world.Derived

	decisions []Decision // of the state, and which of them lapsed
	dates     dates.Memory
}

// circumstances are the values on which people judge needs, by field.
func (e *entry) circumstances(at time.Time) map[string]any {
	return lapse.Circumstances(e.kind, e.derived.Add(e.state.Facts(), at), e.state.AllDeclared())
}

// subject is what the judge is given. In service is the system it belongs to: 第5の1
// speaks of systems.
func (e *entry) subject(at time.Time) judge.Subject {
	return judge.Subject{
		Ref: e.ref, Facts: e.derived.Add(e.state.Facts(), at), Declared: e.state.AllDeclared(),
		Decisions: e.decisions, InServiceOn: e.state.InService,
	}
}

// book is entries by slot, in pages that are written to only while nobody else has
// them.
type book struct {
	pages  []*page
	shared []bool
}

const pageSize = 256

type page [pageSize]*entry

// put returns what was there.
func (b *book) put(slot int, e *entry) (was *entry) {
	for slot/pageSize >= len(b.pages) {
		b.pages, b.shared = append(b.pages, &page{}), append(b.shared, false)
	}
	n := slot / pageSize
	if b.shared[n] {
		p := *b.pages[n]
		b.pages[n], b.shared[n] = &p, false
	}
	p := &b.pages[n][slot%pageSize]
	was, *p = *p, e
	return was
}

// snapshot is the book as it is, for ever.
func (b *book) snapshot() book {
	for i := range b.shared {
		b.shared[i] = true
	}
	return book{slices.Clone(b.pages), slices.Clone(b.shared)}
}

func (b *book) at(slot int) *entry { return b.pages[slot/pageSize][slot%pageSize] }

// ground is everything as it stood at one instant, for whoever may see it. It does
// not change.
type ground struct {
	*directory
	at       time.Time
	until    time.Time
	terms    *Terms
	settings []directive.Setting
	outcomes *fleet.Outcomes
	book     book
	counts   *counts
	values   sync.Map // directive.Scope → directive.Values
	worsen   sync.Once
	soonest  []Pair // that become worse by time alone, the nearest first
}

// worsening is found when it is first asked for.
func (g *ground) worsening() []Pair {
	g.worsen.Do(func() {
		for turn := range g.outcomes.Soonest() {
			now, ok := g.outcomes.Of(turn.Ref, turn.Control)
			if ok && turn.To != "" && verdict.Worse(now, turn.To) != now {
				g.soonest = append(g.soonest, Pair{Subject: turn.Ref, Control: turn.Control, Outcome: now})
			}
			if len(g.soonest) == mostSoonest {
				break
			}
		}
	})
	return g.soonest
}

// mostSoonest is how many of those anybody asks for.
const mostSoonest = 20

// resolve finds the values of a scope, once.
func (g *ground) resolve(scope directive.Scope) directive.Values {
	if v, ok := g.values.Load(scope); ok {
		return v.(directive.Values)
	}
	v := g.terms.directive.Parameters.Resolve(g.settings, scope, g.at)
	g.values.Store(scope, v)
	return v
}
