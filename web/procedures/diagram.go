package procedures

import (
	"slices"

	"kakusho/bilingual"
	"kakusho/procedure"
)

// diagram is a procedure drawn: every state a column, every step a row with an arrow
// from where it leads to where. So nothing ever lies over something else, and it reads
// from top to bottom as the file does. Lengths are pixels.
type diagram struct {
	Width, Height, Foot int
	Columns             []column
	Rows                []arrow
}

type column struct {
	X     int
	Label bilingual.Text
	Final bool
}

type arrow struct {
	Y, From, To int   // From: where the line begins
	Dots        []int // states it leads from
	Begins      bool  // it makes an entry
	Stays       bool  // it leads back to where it comes from
	Label       bilingual.Text
}

const (
	margin   = 40
	wide     = 150 // of a column
	head     = 56
	rowHigh  = 46
	arrowTip = 7
)

func draw(p procedure.Procedure, names map[string]bilingual.Text) diagram {
	at := map[string]int{}
	d := diagram{Width: 2*margin + wide*len(p.States), Height: head + rowHigh*len(p.Steps) + 24}
	d.Foot = d.Height - 8
	for i, s := range p.States {
		at[s.Value] = margin + wide*i + wide/2
		d.Columns = append(d.Columns, column{X: at[s.Value], Label: names[s.Value], Final: s.Final})
	}
	for i, s := range p.Steps {
		a := arrow{Y: head + rowHigh*i + 34, To: at[s.To], Label: s.Label, Begins: len(s.From) == 0}
		for _, from := range s.From {
			a.Dots = append(a.Dots, at[from])
		}
		slices.Sort(a.Dots)
		switch {
		case a.Begins:
			a.From = margin / 2
		case slices.Equal(s.From, []string{s.To}):
			a.From, a.Stays = a.To, true
		case a.Dots[0] < a.To:
			a.From = a.Dots[0]
		default:
			a.From = a.Dots[len(a.Dots)-1]
		}
		d.Rows = append(d.Rows, a)
	}
	return d
}

// Left is where its box begins.
func (c column) Left() int { return c.X - 66 }

// Text is where the label begins: above the line's left end.
func (a arrow) Text() int { return min(a.From, a.To) + 6 }

// TextY is the label's base line.
func (a arrow) TextY() int { return a.Y - 8 }

// Path is the line.
func (a arrow) Path() path {
	if a.Stays {
		return path{X1: a.From, X2: a.From + 2*arrowTip, Y: a.Y}
	}
	tip := a.To - 1
	if a.To < a.From {
		tip = a.To + 1
	}
	return path{X1: a.From, X2: tip, Y: a.Y}
}

type path struct{ X1, X2, Y int }

// Head are the corners of the arrow's head.
func (a arrow) Head() [3][2]int {
	x, back := a.To-1, -arrowTip
	if a.To < a.From || a.Stays {
		x, back = a.To+1, arrowTip
	}
	return [3][2]int{{x, a.Y}, {x + back, a.Y - 4}, {x + back, a.Y + 4}}
}
