package control

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"kakusho/bilingual"
	"kakusho/clause"
)

// Ground is one of those on which the clause itself lets somebody be left out by a
// decision: what it says, of what it may be claimed, and what is written down with it.
// Where When is true of a subject by itself and nothing is to be decided, that is an
// Exception.
type Ground struct {
	ID       string         `yaml:"id"`
	Clause   clause.ID      `yaml:"clause"` // whose words it is
	Text     bilingual.Text `yaml:"text"`
	When     string         `yaml:"when"` // CEL, bool: where it is not true, the decision is void
	Record   []Recorded     `yaml:"record,omitempty"`
	Measures bool           `yaml:"measures,omitempty"` // what is done instead is written down too
}

// Recorded is something that is written down with a decision, as text.
type Recorded struct {
	Name    string         `yaml:"name"`
	Label   bilingual.Text `yaml:"label"`
	Choices []Answer       `yaml:"choices,omitempty"` // one of them, else free text
}

var groundName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// longestRecorded is how many characters of text may be written down.
const longestRecorded = 500

// Refuses says why a text is not what is to be written down; empty: nothing is wrong.
func (r Recorded) Refuses(text string) (why bilingual.Text) {
	switch {
	case strings.TrimSpace(text) == "":
		return bilingual.Say("入力すること。", "Write it down.")
	case utf8.RuneCountInString(text) > longestRecorded:
		return bilingual.Say(fmt.Sprintf("%d文字以内とすること。", longestRecorded), fmt.Sprintf("At most %d characters.", longestRecorded))
	case len(r.Choices) > 0 && !slices.ContainsFunc(r.Choices, func(c Answer) bool { return c.Value == text }):
		return bilingual.Say("選択肢から選ぶこと。", "Choose one of those offered.")
	}
	return why
}

// Said is a text that was written down, as people read it.
func (r Recorded) Said(text string) bilingual.Text {
	for _, c := range r.Choices {
		if c.Value == text {
			return c.Label
		}
	}
	return bilingual.Say(text, text)
}

// Ground finds one of the control's grounds by ID.
func (c Control) Ground(id string) (Ground, bool) {
	i := slices.IndexFunc(c.Grounds, func(g Ground) bool { return g.ID == id })
	if i < 0 {
		return Ground{}, false
	}
	return c.Grounds[i], true
}

// checkGrounds lints them: each is of a clause of the directive that the control serves,
// or of one beneath it, and says everything in both languages.
func (l *loader) checkGrounds(c Control, bad func(string, ...any)) {
	both := func(t bilingual.Text) bool { return t.JA != "" && t.EN != "" }
	seen := map[string]bool{}
	for i, g := range c.Grounds {
		if !groundName.MatchString(g.ID) || seen[g.ID] {
			bad("grounds[%d]: id %q is twice, or no word in small letters and dashes", i, g.ID)
		}
		seen[g.ID] = true
		parent, _ := g.Clause.Parent()
		if _, ok := l.directive.Clause(g.Clause); !ok || !slices.Contains(c.Clauses, g.Clause) && !slices.Contains(c.Clauses, parent) {
			bad("grounds[%d]: clause %q is not one of the control's, nor an item of one", i, g.Clause)
		}
		if !both(g.Text) || strings.TrimSpace(g.When) == "" {
			bad("grounds[%d]: text needs ja and en, and when an expression", i)
		}
		for _, r := range g.Record {
			if !groundName.MatchString(r.Name) || !both(r.Label) || seen[g.ID+"."+r.Name] || len(r.Choices) == 1 {
				bad("grounds[%d]: record %q needs a name of its own, a label in ja and en, and choices, if any, of two or more", i, r.Name)
			}
			seen[g.ID+"."+r.Name] = true
			for _, a := range r.Choices {
				if a.Value == "" || !both(a.Label) {
					bad("grounds[%d]: record %q: a choice needs a value and a label in ja and en", i, r.Name)
				}
			}
		}
	}
}
