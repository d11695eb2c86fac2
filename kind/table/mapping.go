package table

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"kakusho/kind"
)

// Leave is the field of a column that is not taken in.
const Leave = "-"

// Mapping says what the columns of a ledger that somebody else made are. What it
// does not name is matched by the names and labels of the fields.
type Mapping struct {
	Columns map[string]string            `json:"columns"`          // column as Head.Key has it → field, or Leave
	Values  map[string]map[string]string `json:"values,omitempty"` // choice field → text as Likeness has it → value; empty: none
}

// Head is one column's heading.
type Head struct {
	Text  string // as the file has it, shortened
	Place string // as spreadsheets name the column: C
	Key   string // the heading however it was typed; of an empty or repeated one with its place
	Field string // of the kind, by name or label; empty: none
	Guess string // the field it probably means, when it is none's name; empty: no telling
}

// Headings identifies a set of headings, whatever their order: the next file of the
// same ledger has the same.
func Headings(heads []Head) string {
	var keys []string
	for _, h := range heads {
		keys = append(keys, h.Key)
	}
	slices.Sort(keys)
	sum := sha256.Sum256([]byte(strings.Join(keys, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// Foreign is a text in the column of a choice that is none of its choices.
type Foreign struct {
	Field kind.Field
	Text  string // the first way it was typed
	Count int
	Line  int // the first one's
}

// MaxForeign is how many such texts are listed.
const MaxForeign = 100

// Likeness makes headings and choices comparable however they were typed.
func Likeness(s string) string { return likeness(s) }

// headsOf reads a row as headings.
func headsOf(k kind.Kind, texts []string) (heads []Head) {
	seen := map[string]bool{}
	guessed := map[string]int{}
	for i, text := range texts {
		h := Head{Text: excerpt(text), Place: Letters(i + 1), Key: likeness(excerpt(text))}
		if h.Key == "" || seen[h.Key] {
			h.Key += "@" + h.Place
		}
		seen[h.Key] = true
		if f := find(k, text); f != nil {
			h.Field = f.Name
			guessed[f.Name]++
		} else if h.Guess = guess(k, text); h.Guess != "" {
			guessed[h.Guess]++
		}
		heads = append(heads, h)
	}
	for i, h := range heads { // of two that mean the same, neither is guessed
		if h.Guess != "" && guessed[h.Guess] > 1 {
			heads[i].Guess = ""
		}
	}
	return heads
}

var bracketed = regexp.MustCompile(`\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】|〔[^〔〕]*〕|〈[^〈〉]*〉`)

// bare is a heading without what is written around it: remarks in brackets, signs
// and spaces.
func bare(s string) string {
	s = bracketed.ReplaceAllString(likeness(excerpt(s)), "")
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}

// guess finds the one field whose label or name is the bare heading, or holds it, or
// stands in it.
func guess(k kind.Kind, heading string) string {
	word := bare(heading)
	if utf8.RuneCountInString(word) < 2 {
		return ""
	}
	within := func(part, whole string) bool { return telling(part) && strings.Contains(whole, part) }
	for _, alike := range []func(label string) bool{
		func(label string) bool { return label == word },
		func(label string) bool {
			return within(label, word) && strings.HasPrefix(word, label) || within(word, label) && strings.HasPrefix(label, word)
		},
		func(label string) bool { return within(label, word) || within(word, label) },
	} {
		var found []string
		for _, f := range k.Layer(kind.Declared) {
			if slices.ContainsFunc([]string{f.Label.JA, f.Label.EN, f.Name}, func(s string) bool {
				s = bare(s)
				return utf8.RuneCountInString(s) >= 2 && alike(s)
			}) {
				found = append(found, f.Name)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0]
		default:
			return ""
		}
	}
	return ""
}

// telling reports whether a part of a word says what the whole means: two letters of
// the alphabet stand in too many.
func telling(part string) bool {
	return len(part) >= 4 // a kanji has three bytes
}

// headWithin is how many rows may stand before the headings: the ledger's title, its
// date, who keeps it.
const headWithin = 20

// headAt finds the headings among the first rows: the row with the most cells that
// name a field; when none does, the first that has two.
func headAt(k kind.Kind, rows []cells) int {
	at, most := 0, 0
	for i, c := range rows {
		named := map[string]bool{}
		for _, text := range c.texts[:min(len(c.texts), MaxColumns+1)] {
			if f := find(k, text); f != nil {
				named[f.Name] = true
			}
		}
		if len(named) > most {
			at, most = i, len(named)
		}
	}
	if most > 0 {
		return at
	}
	for i, c := range rows {
		if n := len(slices.DeleteFunc(slices.Clone(c.texts), func(s string) bool { return strings.TrimSpace(s) == "" })); n > 1 {
			return i
		}
	}
	return 0
}
