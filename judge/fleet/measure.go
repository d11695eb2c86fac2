package fleet

import (
	"kakusho/judge"
	"kakusho/judge/fleet/program"
	"kakusho/judge/fleet/table"
)

// Again makes the next Judge judge every pair anew. Tables, dictionaries and
// columns stay: it is for measuring.
func (f *Fleet) Again() {
	f.settled, f.last = false, nil
	for _, b := range f.bodies {
		for _, p := range b.programs {
			p.Fresh = true
		}
	}
}

// Forget is Again from the codes in columns on: what leaves came to on a page is
// forgotten too.
func (f *Fleet) Forget() {
	f.Again()
	for _, b := range f.bodies {
		for page := range b.Dirty {
			b.Dirty[page] = true
		}
	}
}

// Evaluations is how many times rule/weigh had to be asked so far, for all tables
// together; forks share what was asked before them.
func (f *Fleet) Evaluations() (n int64) {
	for _, b := range f.bodies {
		n += int64(b.Asked())
	}
	return n
}

// Speed says how the work of judging by a rule grows with the number of subjects.
func Speed(r *judge.Rule) table.Speed {
	if r.Fault() != nil {
		return table.Vector
	}
	m := table.NewMaker()
	program.New(r, m)
	slowest := table.Vector
	for _, l := range m.Order {
		slowest = max(slowest, l.Speed())
	}
	return slowest
}
