// Package differ finds where the registers and what was observed do not agree, both
// ways: what is registered and not there, what is there and not registered, and what
// is registered otherwise than it is.
//
// What the judge's rules read is not worked out again: where a kind has a derived field
// that compares, its elements are the differences, and the control that reads it is
// named with each. What no rule asks is compared here, from the same cells.
//
// That something is not there is said only when everything where it could be was looked
// at, wholly and not too long ago. Else the difference is Unconfirmed, and says why.
package differ

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/posture"
	"kakusho/store"
	"kakusho/verdict"
)

// Side is which way something differs.
type Side string

// The sides, those first that somebody should look at first.
const (
	Observed    Side = "observed" // there, and not registered
	Declared    Side = "declared" // registered, and not there
	Value       Side = "value"    // registered otherwise than it is
	Unconfirmed Side = "unconfirmed"
)

// Sides lists every Side.
var Sides = []Side{Observed, Declared, Value, Unconfirmed}

// Label is what pages call it.
func (s Side) Label() bilingual.Text {
	return map[Side]bilingual.Text{
		Observed: bilingual.Say("収集のみ", "Observed only"), Declared: bilingual.Say("登録のみ", "Registered only"),
		Value: bilingual.Say("値の相違", "Values differ"), Unconfirmed: bilingual.Say("未確認", "Not confirmed"),
	}[s]
}

// What is compared: a register, or a list inside one.
const (
	Account       = "account"
	Administrator = "administrator"
	Computer      = "computer"
	Database      = "database"
	Domain        = "domain"
	Key           = "key"
	Listener      = "listener"
	Medium        = "medium"
	Software      = "software"
)

// Registers lists all that is compared, in order.
var Registers = []string{Computer, "network-device", "multifunction-device", "special-device", Account, Administrator, Database, Medium, Software, Domain, Listener, Key}

// Difference is one of them.
type Difference struct {
	Register string
	Side     Side
	Subject  fact.Ref // where it is
	Name     string   // the subject's
	System   string
	Unit     string
	Key      string         // what differs: a number, a name, a field
	What     bilingual.Text // the same in words
	Declared bilingual.Text
	Observed bilingual.Text
	Why      bilingual.Text // it cannot be told
	SeenAt   time.Time      // what was observed; zero: nothing was
	Since    time.Time      // everything it rests on is as it is
	Control  string         // that judges it; empty: none does
	Outcome  verdict.Outcome
	Entry    fact.Ref // of the register, that it is about; empty: there is none
	Mend     Mend
}

// Mend is how the register would agree.
type Mend struct {
	New   string            // by a new entry of this kind
	Fill  map[string]string // that begins with these values
	Field string            // by one value of Entry
	Value any               // that is set; of a list: that is added
	Take  bool              // or taken out
}

// ID tells the differences of a standing apart, and stays the same from one to the next.
func (d Difference) ID() string {
	return strings.Join([]string{string(d.Subject), d.Register, string(d.Side), d.Key}, "|")
}

// Place is where to look.
type Place struct {
	System string // or what belongs to it; empty: everywhere
	Unit   string // or one below it
}

// Found is what a reader may see of the differences in a place, by kind of difference,
// register, subject and key.
type Found struct {
	All    []Difference
	Closed []string // registers that are not for his duties: nothing in All is from their entries
}

// In finds the differences in a place.
func In(st *posture.Standing, at Place) Found {
	s := newSurvey(st)
	all := st.Subjects()
	if at.System != "" {
		all = st.Members(at.System)
	}
	for _, sub := range all {
		if st.Within(sub.Ref, at.Unit) {
			s.look(sub)
		}
	}
	s.close()
	slices.SortStableFunc(s.out, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(slices.Index(Sides, a.Side), slices.Index(Sides, b.Side)),
			cmp.Compare(slices.Index(Registers, a.Register), slices.Index(Registers, b.Register)),
			cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Key, b.Key))
	})
	return Found{All: s.out, Closed: s.closed}
}

// Filter selects differences, as the address of a page says. Empty fields select all.
type Filter struct {
	Register string
	Side     Side
	Words    string // in anything that is shown
}

// Holds reports whether the filter selects d.
func (f Filter) Holds(d Difference) bool {
	if f.Register != "" && d.Register != f.Register || f.Side != "" && d.Side != f.Side {
		return false
	}
	if f.Words == "" {
		return true
	}
	text := store.Plain(strings.Join([]string{d.Name, string(d.Subject), d.Key, d.What.JA, d.What.EN, d.Declared.JA, d.Observed.JA, d.Why.JA, d.Control, string(d.Entry)}, " "))
	for word := range strings.FieldsSeq(store.Plain(f.Words)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// same is a text that is the same in both languages.
func same(s string) bilingual.Text { return bilingual.Say(s, s) }

// plain is a text as it is compared: without regard to case and width.
func plain(s string) string { return store.Plain(strings.TrimSpace(s)) }
