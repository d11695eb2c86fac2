package world

import (
	"strings"
	"time"

	"kakusho/fact"
	"kakusho/posture/world/state"
	"kakusho/store"
)

// dep is something that a derivation can rest on.
type dep struct {
	what what
	a, b string
	c    string
}

type what byte

const (
	item    what = iota // a: what a register says of a subject, or that it is in none; its decisions
	ofKind              // a: who is of a kind, and what the register says of them
	member              // a: who belongs to a system, and their decisions; b: of a kind, and what the register says of them
	where               // a, b, c: who is of a kind with a value in a field, and what the register says of them
	seen                // a, b: what was observed of a subject in a field; without b: in any
	seenAny             // a, b: what was observed of subjects of a kind in a field
	derived             // a, b: what was derived of a subject in a field
	param               // a: the values that were determined of a parameter
)

// number is a dep in short.
func (w *World) number(d dep) int32 {
	id, ok := w.numbers[d]
	if !ok {
		id = int32(len(w.numbers))
		w.numbers[d] = id
	}
	return id
}

// change is something that happened to an item, and to whom that matters.
type change struct {
	item *Item // nil: to none
	deps []dep
}

// log is what happened, for layers to follow. Nothing is kept until one does.
type log struct {
	followed  bool
	forgotten int // changes before the first that is kept
	kept      []change
}

// most is how many changes are kept for layers that do not follow; they begin
// again.
const most = 1 << 18

func (l *log) add(it *Item, deps ...dep) {
	if !l.followed {
		l.forgotten++
		return
	}
	if len(l.kept) >= most {
		l.forgotten += most / 2
		l.kept = append([]change(nil), l.kept[most/2:]...)
	}
	l.kept = append(l.kept, change{it, deps})
}

// end is where the log ends now.
func (l *log) end() int { return l.forgotten + len(l.kept) }

// since is what happened after a place; false: it was forgotten.
func (l *log) since(place int) ([]change, bool) {
	l.followed = true
	if place < l.forgotten {
		return nil, false
	}
	return l.kept[place-l.forgotten:], true
}

// column is a declared field by whose value subjects are looked up.
type column struct{ kind, field string }

// noteRow logs that a register says something else of an item.
func (w *World) noteRow(it *Item, old *state.State) {
	id := it.Kind.ID
	deps := []dep{{what: item, a: string(it.ref)}, {what: ofKind, a: id}}
	for _, s := range []*state.State{old, it.State} {
		deps = append(deps, dep{what: member, a: s.Row.System, b: id}, dep{what: member, a: s.Row.System})
	}
	for c := range w.columns {
		if c.kind != id {
			continue
		}
		for _, s := range []*state.State{old, it.State} {
			deps = append(deps, dep{what: where, a: id, b: c.field, c: s.Text(c.field)})
		}
		w.columns[c] = nil
	}
	w.changes.add(it, deps...)
}

// where lists the live items of a kind whose declared text in a field is value, in
// order of key.
func (w *World) where(kindID, field, value string) []*Item {
	c := column{kindID, field}
	if w.columns[c] == nil {
		by := map[string][]*Item{}
		for _, it := range w.listed().byKind[kindID] {
			v := it.State.Text(field)
			by[v] = append(by[v], it)
		}
		w.columns[c] = by
	}
	return w.columns[c][value]
}

// holding is who has what in a list of records, and who was looked at last.
type holding struct {
	by     map[string][]*Item
	latest *Item
}

type records struct{ kind, field, name string }

func (w *World) holding(kindID, field, name string) *holding {
	of := records{kindID, field, name}
	if h := w.holdings[of]; h != nil {
		return h
	}
	h := &holding{by: map[string][]*Item{}}
	var last time.Time
	for i, it := range w.listed().byKind[kindID] {
		c, _ := it.Observed(field)
		if i == 0 || c.ObservedAt.After(last) {
			h.latest, last = it, c.ObservedAt
		}
		list, _ := c.Fact.Value.([]any)
		if c.Fact.Status != fact.Observed {
			list = nil
		}
		for _, e := range list {
			m, _ := e.(map[string]any)
			s, _ := m[name].(string)
			if who := h.by[plain(s)]; len(who) == 0 || who[len(who)-1] != it {
				h.by[plain(s)] = append(who, it)
			}
		}
	}
	w.holdings[of] = h
	return h
}

// plain is a text as people compare it.
func plain(s string) string { return store.Plain(strings.TrimSpace(s)) }
