package search

import (
	"time"

	"kakusho/bilingual"
)

// Query is what is looked for. The zero Query finds everything.
type Query struct {
	Text  string    // as it was written
	Expr  Expr      // nil: everything
	From  time.Time // Row.Time not before; zero: any
	Until time.Time // Row.Time before; zero: any

	Systems []string // only these, by key; nil: all, and empty: none
	Limit   int      // hits; zero: 100
	After   Hit      // only what comes after it: the last of the page before; zero: from the newest
}

// Expr is a condition: an And, Or, Not, Phrase or Field.
type Expr interface{ match(d Doc) bool }

// And holds when all hold.
type And []Expr

// Or holds when one holds.
type Or []Expr

// Not holds when the other does not.
type Not struct{ Expr Expr }

// Phrase is words in a row, as tokens (see Tokens) with a space between them.
type Phrase struct {
	Tokens string
	Prefix bool // the last token may go on
}

// Field compares a column (see Row.Columns, and "stream") with a Plain value. What
// the event does not have compares false.
type Field struct {
	Column string
	Op     Op
	Value  string
}

// Op is how a field is compared.
type Op byte

// The comparisons.
const (
	Equal    Op = iota
	Begins      // value*
	Contains    // *value*
	Present     // *
	In          // a network: 10.0.0.0/8
	Less        // numbers
	AtMost
	Greater
	AtLeast
)

// Fault is what is wrong with a query, and where.
type Fault struct {
	At   int // letter, from 0
	Text bilingual.Text
}

func (f *Fault) Error() string { return "read query: " + f.Text.EN }
