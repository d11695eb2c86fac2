package trial

import (
	"time"

	"kakusho/verdict"
)

// Summary is a trial as programs are told it, but for the moves themselves.
type Summary struct {
	At       time.Time           `json:"at"`
	On       time.Time           `json:"on"`
	Draft    Draft               `json:"draft"`
	Counts   Counts              `json:"counts"`
	Passages []SummaryPassage    `json:"passages"`
	By       map[Axis][]Gathered `json:"by"`
	Work     SummaryWork         `json:"work"`
}

// SummaryPassage is a Passage.
type SummaryPassage struct {
	From  verdict.Outcome `json:"from"`
	To    verdict.Outcome `json:"to"`
	Count int             `json:"count"`
}

// Gathered is a Line.
type Gathered struct {
	Key      string `json:"key"`
	Counts   Counts `json:"counts"`
	Subjects int    `json:"subjects"`
}

// SummaryWork is Work, with the hours.
type SummaryWork struct {
	Attestations int     `json:"attestations"`
	Judgements   int     `json:"judgements"`
	Minutes      int     `json:"minutes_each"`
	Hours        float64 `json:"hours"`
	Deferrals    int     `json:"deferrals"`
	Specials     int     `json:"specials"`
	Systemless   int     `json:"systemless"`
}

// Summary sums the trial up.
func (t *Trial) Summary() Summary {
	w := t.Work()
	s := Summary{
		At: t.At, On: t.On, Draft: t.Draft, Counts: t.Counts(), Passages: []SummaryPassage{}, By: map[Axis][]Gathered{},
		Work: SummaryWork{w.Attestations, w.Judgements, w.Minutes, w.Hours(), w.Deferrals, w.Specials, w.Systemless},
	}
	for _, p := range t.Passages() {
		s.Passages = append(s.Passages, SummaryPassage(p))
	}
	for _, a := range Axes {
		s.By[a] = []Gathered{}
		for _, l := range t.By(a) {
			s.By[a] = append(s.By[a], Gathered(l))
		}
	}
	return s
}
