package author

import (
	"encoding/json"
	"fmt"
	"strings"

	"cel.dev/cel-go/common/operators"

	"kakusho/rule"
	"kakusho/rule/weigh"
)

// form is a plan seen as logic: what is no connective is a letter that may be
// true or false. Comparisons of the same sides share a letter, and of several
// equalities with different values at most one holds.
type form struct {
	op     rule.Op // And, Or, Not, If; Atom: a letter or a constant
	kids   []form
	letter int
	not    bool
	always truth // constant
	text   string
	place  string
}

// truth is a value in Kleene's logic.
type truth int8

const (
	no    truth = -1
	open  truth = 0
	holds truth = 1
)

// alphabet gives letters to atoms.
type alphabet struct {
	scale  *weigh.Scale // knows nothing: for constants
	number map[string]int
	rivals map[int]string // letter that is an equality with a literal → the other side
}

func (a *alphabet) letter(key string) int {
	n, ok := a.number[key]
	if !ok {
		n = len(a.number)
		a.number[key] = n
	}
	return n
}

func (a *alphabet) read(n *rule.Node) form {
	f := form{op: n.Op, text: n.Text, place: n.Place}
	switch n.Op {
	case rule.And, rule.Or, rule.Not, rule.If:
		for _, k := range n.Kids {
			f.kids = append(f.kids, a.read(k))
		}
		return f
	case rule.All, rule.Exists, rule.Count:
		f.op, f.letter = rule.Atom, a.letter(n.Text)
		return f
	}
	return a.atom(n, f)
}

func (a *alphabet) atom(n *rule.Node, f form) form {
	if len(n.Reads)+len(n.Params) == 0 && n.Clocked == 0 {
		f.always = map[weigh.Truth]truth{weigh.Yes: holds, weigh.No: no}[a.scale.Weigh(n, +1).Truth]
		if f.always != open {
			return f
		}
	}
	left, right := n.LeftSide.Text, n.RightSide.Text
	switch n.Cmp {
	case operators.Less:
		return a.order(f, left, right, false)
	case operators.GreaterEquals:
		return a.order(f, left, right, true)
	case operators.Greater:
		return a.order(f, right, left, false)
	case operators.LessEquals:
		return a.order(f, right, left, true)
	case operators.Equals, operators.NotEquals:
		return a.equal(f, left, right, n.Cmp == operators.NotEquals)
	case operators.In:
		return a.oneOf(f, left, right)
	}
	f.letter = a.letter(n.Text)
	return f
}

// order is the letter "x < y", or its negation.
func (a *alphabet) order(f form, x, y string, not bool) form {
	if x == y {
		f.always = no
		if not {
			f.always = holds
		}
		return f
	}
	f.letter, f.not = a.letter(x+" < "+y), not
	return f
}

func (a *alphabet) equal(f form, x, y string, not bool) form {
	if x == y {
		f.always = holds
		if not {
			f.always = no
		}
		return f
	}
	if literal(x) {
		x, y = y, x
	}
	if !literal(y) {
		x, y = min(x, y), max(x, y)
	}
	f.letter, f.not = a.letter(x+" == "+y), not
	if literal(y) {
		a.rivals[f.letter] = x
	}
	return f
}

// oneOf reads x in ["a", "b"] as x == "a" || x == "b".
func (a *alphabet) oneOf(f form, x, list string) form {
	var words []string
	if json.Unmarshal([]byte(list), &words) != nil || len(words) == 0 {
		f.letter = a.letter(f.text)
		return f
	}
	or := form{op: rule.Or, text: f.text, place: f.place}
	for _, w := range words {
		or.kids = append(or.kids, a.equal(form{op: rule.Atom, text: f.text, place: f.place}, x, fmt.Sprintf("%q", w), false))
	}
	return or
}

func literal(text string) bool {
	return strings.HasPrefix(text, `"`) || text == "true" || text == "false" || text != "" && strings.Trim(text, "-0123456789.") == ""
}

func (f form) eval(letters []truth) truth {
	switch f.op {
	case rule.And, rule.Or:
		decisive := no
		if f.op == rule.Or {
			decisive = holds
		}
		value := -decisive
		for _, k := range f.kids {
			switch k.eval(letters) {
			case decisive:
				return decisive
			case open:
				value = open
			}
		}
		return value
	case rule.Not:
		return -f.kids[0].eval(letters)
	case rule.If:
		yes, other := f.kids[1].eval(letters), f.kids[2].eval(letters)
		switch f.kids[0].eval(letters) {
		case holds:
			return yes
		case no:
			return other
		}
		if yes == other {
			return yes
		}
		return open
	}
	switch {
	case f.always != open:
		return f.always
	case f.not:
		return -letters[f.letter]
	}
	return letters[f.letter]
}

func not(f form) form { return form{op: rule.Not, kids: []form{f}} }

func all(fs ...form) form { return form{op: rule.And, kids: fs} }

// maxTries bounds the search: what is not settled by then counts as possible.
const maxTries = 50_000

// possible reports whether some values of the letters make f true.
func (a *alphabet) possible(f form) bool {
	letters, tries := make([]truth, len(a.number)), 0
	var try func(i int) bool
	try = func(i int) bool {
		if tries++; tries > maxTries {
			return true
		}
		switch f.eval(letters) {
		case holds:
			return true
		case no:
			return false
		}
		for i < len(letters) && letters[i] != open {
			i++
		}
		if i == len(letters) {
			return true
		}
		for _, v := range []truth{holds, no} {
			if v == holds && a.rivaled(letters, i) {
				continue
			}
			letters[i] = v
			if try(i + 1) {
				return true
			}
		}
		letters[i] = open
		return false
	}
	return try(0)
}

// rivaled reports whether letter i cannot be true because another one is.
func (a *alphabet) rivaled(letters []truth, i int) bool {
	side, ok := a.rivals[i]
	if !ok {
		return false
	}
	for other, x := range a.rivals {
		if other != i && x == side && letters[other] == holds {
			return true
		}
	}
	return false
}

// with is f where a letter has a value.
func (f form) with(letter int, v truth) form {
	if f.op == rule.Atom {
		if f.always == open && f.letter == letter {
			if f.not {
				v = -v
			}
			f.always = v
		}
		return f
	}
	kids := make([]form, len(f.kids))
	for i, k := range f.kids {
		kids[i] = k.with(letter, v)
	}
	f.kids = kids
	return f
}

// leaves are the letters of f, each once, in the order of the text.
func (f form) leaves(visit func(form)) {
	if f.op == rule.Atom {
		if f.always == open {
			visit(f)
		}
		return
	}
	for _, k := range f.kids {
		k.leaves(visit)
	}
}
