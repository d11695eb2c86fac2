package account

import (
	_ "embed"
	"strings"
)

//go:embed shared_names.txt
var sharedNames string

// Shared judges names.
type Shared struct{ whole, part map[string]bool }

// SharedNames is the list that ships with the program.
func SharedNames() Shared { return ParseShared(sharedNames) }

// ParseShared reads a list of words as described at its head.
func ParseShared(s string) Shared {
	out := Shared{map[string]bool{}, map[string]bool{}}
	for line := range strings.Lines(s) {
		w := strings.TrimSpace(line)
		if w == "" || w[0] == '#' {
			continue
		}
		if p, ok := strings.CutPrefix(w, "+"); ok {
			out.part[p], w = true, p
		}
		out.whole[w] = true
	}
	return out
}

// Looks reports whether a name suggests that several people use it.
func (s Shared) Looks(name string) bool {
	name = strings.ToLower(name)
	if name == "root" {
		return false
	}
	stem := strings.TrimRight(strings.TrimRight(name, "0123456789"), "-_.")
	if s.whole[name] || s.whole[stem] {
		return true
	}
	for _, p := range strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("-_.", r) }) {
		if s.part[strings.TrimRight(p, "0123456789")] {
			return true
		}
	}
	return false
}
