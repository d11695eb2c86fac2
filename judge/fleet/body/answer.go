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
	rule *judge.Rule
	col  *Column
	rows map[int]*answer // who has decisions about the record
}

// answer is how it stands with one subject.
type answer struct {
	subject     *Subject
	regime      *reign.Regime
	from, until time.Time // what the column says holds between; zero: for ever
}

func newAnswers(r *judge.Rule, c *Column) *Answers {
	return &Answers{rule: r, col: c, rows: map[int]*answer{}}
}

func (a *Answers) fork(columns map[table.Source]*Column) *Answers {
	g := &Answers{rule: a.rule, col: columns[a.col.Source], rows: maps.Clone(a.rows)}
	return g
}

// put takes note of a subject that may have answers.
func (a *Answers) put(row int, s *Subject) {
	c := a.rule.Control()
	for i := range s.Decisions {
		if s.Decisions[i].Control == c.ID && s.Decisions[i].Type == c.Record.Type {
			a.rows[row] = &answer{subject: s}
			return
		}
	}
	a.drop(row)
}

func (a *Answers) drop(row int) {
	if _, had := a.rows[row]; had {
		delete(a.rows, row)
	}
	a.col.Codes.Set(row, column.Missing)
}

// Settle looks at the answers again that may be others at the instant at, and
// calls changed with the rows that are. It returns until when all hold.
func (a *Answers) Settle(under func(*Subject) *reign.Regime, at time.Time, changed func(row int)) (until time.Time) {
	for row, x := range a.rows {
		g := under(x.subject)
		if x.regime != g || at.Before(x.from) || !x.until.IsZero() && !at.Before(x.until) {
			code, y := a.look(x.subject, g, at)
			if a.col.Codes.Set(row, code) != code {
				changed(row)
			}
			a.rows[row], x = y, y
		}
		until = earlier(until, x.until)
	}
	return until
}

// look asks weigh which answer counts.
func (a *Answers) look(s *Subject, g *reign.Regime, at time.Time) (code uint32, x *answer) {
	m := &weigh.Matter{
		Schema: a.rule.Schema(), Control: a.rule.Control(), Subject: s.Ref, Decisions: s.Decisions, Params: g.Values, At: at,
	}
	st := m.Scale(at).State(rule.Read{From: rule.FromAnswer, Name: "answer"})
	x = &answer{subject: s, regime: g, from: at, until: st.Until}
	if st.Code != "" || st.Decision == nil {
		return column.Missing, x
	}
	return a.col.Cells.Code(fact.Observed, table.AnswerValue(st.Decision)), x
}
