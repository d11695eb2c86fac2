package standing

import (
	"slices"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/fact"
	"kakusho/posture"
	"kakusho/posture/head"
	"kakusho/verdict"
	"kakusho/web"
)

// unitLine is a unit with everything below it, or a system, and how it stands.
type unitLine struct {
	Name, Note, Link string
	Outcome          verdict.Outcome
	Tally            posture.Tally
	Systems          int // of it and of what is below
}

type unitsData struct {
	Crumbs  []crumb // the units above, the widest first
	Whole   unitLine
	Parts   []unitLine // prefectures, or the units directly below
	Systems []unitLine
	Order   []verdict.Outcome
	Nation  bool
}

type crumb struct{ Name, Link string }

// units shows the nation and its prefectures, or one unit, what is below it, and its
// systems. Everything below counts in what is above: no unknown is hidden on the way.
func (s pages) units(r *web.Request) (web.Answer, error) {
	st, err := s.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	source := clause.ID(s.posture.Directive().Source)
	d := unitsData{Nation: true, Order: verdict.Outcomes}
	t := st.Nation(source)
	d.Whole = unitLine{Name: bilingual.Say("全国", "The nation").In(r.Lang), Outcome: t.Outcome(), Tally: t, Link: "/verdicts"}
	systems := map[string]int{}
	for _, sys := range st.Systems() {
		systems[st.Place(sys.Ref).Prefecture]++
	}
	heads := head.Units(st)
	for _, code := range st.Prefectures() {
		t := st.Prefecture(source, code)
		l := unitLine{Name: bilingual.Say("都道府県に属さないもの", "Of no prefecture").In(r.Lang), Outcome: t.Outcome(), Tally: t, Systems: systems[code]}
		if code != "" {
			l.Name, l.Note, l.Link = code, code, "/verdicts?prefecture="+code
		}
		if u, ok := heads[code]; ok {
			l.Name, l.Link = u.Name, "/unit/"+u.Ref.ID()
		}
		d.Parts = append(d.Parts, l)
	}
	return web.Answer{Page: "units", Title: bilingual.Say("全国・都道府県・所属", "Nation, prefectures, units"), Data: d}, nil
}

func (s pages) unit(r *web.Request) (web.Answer, error) {
	st, err := s.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	u, ok := st.Subject(fact.NewRef("unit", r.PathValue("id")))
	if !ok {
		return web.Answer{}, web.ErrNotFound
	}
	source := clause.ID(s.posture.Directive().Source)
	tree := newTree(st)
	line := func(x *posture.Subject) unitLine {
		t := st.Unit(source, x.Ref.ID())
		return unitLine{Name: x.Name, Note: x.Ref.ID(), Link: "/unit/" + x.Ref.ID(), Outcome: t.Outcome(), Tally: t, Systems: tree.systems(x.Ref.ID())}
	}
	d := unitsData{Whole: line(u), Crumbs: tree.above(u), Order: verdict.Outcomes}
	d.Whole.Link = "/verdicts?unit=" + u.Ref.ID()
	for _, x := range tree.below[u.Ref.ID()] {
		d.Parts = append(d.Parts, line(x))
	}
	for _, sys := range st.Systems() {
		if sys.Unit != u.Ref.ID() {
			continue
		}
		t := st.Clause(source, sys.Ref.ID())
		d.Systems = append(d.Systems, unitLine{Name: sys.Name, Note: sys.Ref.ID(), Link: "/system/" + sys.Ref.ID(), Outcome: t.Outcome(), Tally: t})
	}
	return web.Answer{Page: "units", Title: bilingual.Say(u.Name, u.Name), Data: d}, nil
}

// tree is which unit stands below which.
type tree struct {
	units map[string]*posture.Subject
	below map[string][]*posture.Subject
	count map[string]int // systems by the unit that holds them
}

func newTree(st *posture.Standing) *tree {
	t := &tree{units: map[string]*posture.Subject{}, below: map[string][]*posture.Subject{}, count: map[string]int{}}
	for _, u := range st.OfKind("unit") {
		t.units[u.Ref.ID()] = u
		t.below[parent(u)] = append(t.below[parent(u)], u)
	}
	for _, sys := range st.Systems() {
		t.count[sys.Unit]++
	}
	return t
}

func parent(unit *posture.Subject) string {
	c, _ := unit.Fact("parent")
	id, _ := c.Fact.Value.(string)
	return id
}

// above are the units above one. Units that name each other end.
func (t *tree) above(u *posture.Subject) (out []crumb) {
	for id := parent(u); id != "" && len(out) < 20; {
		up, ok := t.units[id]
		if !ok {
			break
		}
		out = append(out, crumb{up.Name, "/unit/" + id})
		id = parent(up)
	}
	slices.Reverse(out)
	return out
}

// systems counts the systems of a unit and of all below it.
func (t *tree) systems(id string) int { return t.within(id, map[string]bool{}) }

func (t *tree) within(id string, seen map[string]bool) int {
	if seen[id] {
		return 0
	}
	seen[id] = true
	n := t.count[id]
	for _, x := range t.below[id] {
		n += t.within(x.Ref.ID(), seen)
	}
	return n
}
