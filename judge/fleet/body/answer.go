package body

import (
	"maps"
	"time"

	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet/column"
	"kakusho/judge/fleet/reign"
	"kakusho/judge/fleet/table"
	"kakusho/rule"
	"kakusho/rule/weigh"
)

// Answers is what the record of one control says of every subject, as a column.
// An answer that does not count is none.
type Answers struct {
	rule  *judge.Rule
	dated bool // the rule reads when the answer was given
	col   *Column

	rows   map[int]*answer // who has decisions about the record
	shared bool            // a fork may have the map too
	came   map[int]bool    // rows that were not looked at since they were put
	from   time.Time       // what rows say holds from here
	until  time.Time       // and before here; zero: for ever
}

// answer is how it stands with one subject. It does not change.
type answer struct {
	subject     *Subject
	limit       string    // how long answers hold, as a digest
	from, until time.Time // what the column says holds between; zero: for ever
}

func newAnswers(r *judge.Rule, c *Column) *Answers {
	return &Answers{rule: r, dated: table.Dated(r), col: c, rows: map[int]*answer{}, came: map[int]bool{}}
}

func (a *Answers) fork(columns map[table.Source]*Column) *Answers {
	a.shared = true
	g := *a
	g.col, g.came = columns[a.col.Source], maps.Clone(a.came)
	return &g
}

// own makes the rows a's own.
func (a *Answers) own() map[int]*answer {
	if a.shared {
		a.rows, a.shared = maps.Clone(a.rows), false
	}
	return a.rows
}

// put takes note of a subject that may have answers.
func (a *Answers) put(row int, s *Subject) {
	c := a.rule.Control()
	for i := range s.Decisions {
		if s.Decisions[i].Control == c.ID && s.Decisions[i].Type == c.Record.Type {
			a.own()[row] = &answer{subject: s}
			a.came[row] = true
			return
		}
	}
	a.drop(row)
}

func (a *Answers) drop(row int) {
	if a.rows[row] != nil {
		delete(a.own(), row)
		delete(a.came, row)
	}
	a.col.Codes.Set(row, column.Missing)
}

// Settle looks at the answers again that may be others at the instant at, and
// calls changed with the rows that are. ruled says that other parameter values may
// hold than before. It returns until when all hold.
func (a *Answers) Settle(r *reign.Reign, scopes *column.Column, ruled bool, at time.Time, changed func(row int)) (until time.Time) {
	if !ruled && len(a.came) == 0 && !at.Before(a.from) && (a.until.IsZero() || at.Before(a.until)) {
		return a.until
	}
	limits := make([]string, len(r.Regimes))
	for i, g := range r.Regimes {
		limits[i] = g.Digest(a.rule.Control().Record.Fresh)
	}
	see := func(row int, x *answer) time.Time {
		under := r.Of[scopes.At(row)]
		g, limit := r.Regimes[under], limits[under]
		if a.came[row] || x.limit != limit || at.Before(x.from) || !x.until.IsZero() && !at.Before(x.until) {
			code, y := a.look(x.subject, g, at)
			y.limit = limit
			if a.col.Codes.Set(row, code) != code {
				changed(row)
			}
			a.own()[row], x = y, y
		}
		return x.until
	}
	if ruled || at.Before(a.from) || !a.until.IsZero() && !at.Before(a.until) {
		a.from, a.until = at, time.Time{}
		for row, x := range a.rows {
			a.until = weigh.Earlier(a.until, see(row, x))
		}
	} else {
		for row := range a.came {
			a.until = weigh.Earlier(a.until, see(row, a.rows[row]))
		}
	}
	if len(a.came) > 0 {
		a.came, a.from = map[int]bool{}, at // what came is known from now only
	}
	return a.until
}

// look asks weigh which answer counts.
func (a *Answers) look(s *Subject, g *reign.Regime, at time.Time) (code uint32, x *answer) {
	m := &weigh.Matter{
		Schema: a.rule.Schema(), Control: a.rule.Control(), Subject: s.Ref, Decisions: s.Decisions, Params: g.Values, At: at,
	}
	st := m.Scale(at).State(rule.Read{From: rule.FromAnswer, Name: "answer"})
	x = &answer{subject: s, from: at, until: st.Until}
	if st.Code != "" || st.Decision == nil {
		return column.Missing, x
	}
	return a.col.Cells.Code(fact.Observed, table.AnswerValue(st.Decision, a.dated)), x
}
