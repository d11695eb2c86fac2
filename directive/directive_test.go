package directive_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/directive"
	"kakusho/kind"
)

var jst = time.FixedZone("JST", 9*60*60)

// shipped is the embedded directive, read once for all tests.
var shipped = sync.OnceValue(directive.Default)

func TestTheDirectiveHasSeventyThreeObligations(t *testing.T) {
	d := shipped()
	parts := map[string]int{}
	types := map[clause.Type]int{}
	for _, c := range d.Clauses {
		types[c.Type]++
		if c.Type == clause.Obligation {
			parts[fmt.Sprint(c.ID.Numbers()[0])]++
		}
	}
	for part, want := range map[string]int{"2": 47, "3": 22, "4": 1, "5": 3} {
		if got := parts[part]; got != want {
			t.Errorf("part %s has %d obligations, want %d", part, got, want)
		}
	}
	for typ, want := range map[clause.Type]int{clause.Obligation: 73, clause.SubItem: 20, clause.Chapeau: 2} {
		if got := types[typ]; got != want {
			t.Errorf("%d clauses of type %s, want %d", got, typ, want)
		}
	}
	if got := len(d.Sections); got != 22 {
		t.Errorf("%d sections, want 22", got)
	}
}

func TestClausesStandInTheOrderOfPrint(t *testing.T) {
	d := shipped()
	for i := 1; i < len(d.Clauses); i++ {
		if a, b := d.Clauses[i-1].ID, d.Clauses[i].ID; clause.Compare(a, b) >= 0 {
			t.Errorf("%s stands before %s", a, b)
		}
	}
	var listed []clause.ID
	for _, s := range d.Sections {
		listed = append(listed, s.Clauses...)
	}
	for i, c := range d.Clauses {
		if listed[i] != c.ID {
			t.Fatalf("sections list %s where %s stands", listed[i], c.ID)
		}
		if got, ok := d.Clause(c.ID); !ok || got.ID != c.ID {
			t.Errorf("Clause(%s) = %q, %v", c.ID, got.ID, ok)
		}
	}
	if _, ok := d.Clause("npa-r3@2.99"); ok {
		t.Error("a clause that does not exist is found")
	}
}

// label spells the label out of the ID, the second way to the same words.
func label(id clause.ID) bilingual.Text {
	n := id.Numbers()
	if n[len(n)-1] == 0 {
		if len(n) == 2 {
			return bilingual.Say("第2前文", "Part 2, preamble")
		}
		return bilingual.Say(fmt.Sprintf("第%dの%d前文", n[0], n[1]), fmt.Sprintf("Part %d, %d preamble", n[0], n[1]))
	}
	ja, en := fmt.Sprintf("第%d", n[0]), fmt.Sprintf("Part %d", n[0])
	if len(n) > 1 {
		ja, en = ja+fmt.Sprintf("の%d", n[1]), en+fmt.Sprintf(", %d", n[1])
	}
	if len(n) > 2 {
		ja, en = ja+fmt.Sprintf("(%d)", n[2]), en+fmt.Sprintf("(%d)", n[2])
	}
	if len(n) > 3 {
		ja, en = ja+string([]rune("アイウエオカキ")[n[3]-1]), en+string("abcdefg"[n[3]-1])
	}
	return bilingual.Say(ja, en)
}

func TestLabelsFollowFromTheIDs(t *testing.T) {
	d := shipped()
	for _, c := range d.Clauses {
		if want := label(c.ID); c.Label != want {
			t.Errorf("%s is labelled %v, want %v", c.ID, c.Label, want)
		}
	}
	for _, s := range d.Sections {
		if want := label(s.ID); s.Label != want {
			t.Errorf("section %s is labelled %v, want %v", s.ID, s.Label, want)
		}
	}
}

// japanese reports whether s holds kana or kanji.
func japanese(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) })
}

func TestEveryTextIsWrittenInBothLanguages(t *testing.T) {
	d := shipped()
	check := func(where string, x bilingual.Text) {
		if !japanese(x.JA) {
			t.Errorf("%s: the Japanese is %q", where, x.JA)
		}
		if x.EN == "" || japanese(x.EN) {
			t.Errorf("%s: the English is %q", where, x.EN)
		}
	}
	check("title", d.Title)
	check("authority", d.Authority)
	check("replaces", d.Replaces)
	for _, c := range d.Clauses {
		check(string(c.ID), c.Title)
		check(string(c.ID), c.Statement)
		for _, x := range slices.Concat(c.Conditions, c.Exceptions, c.Notes) {
			check(string(c.ID), x)
		}
	}
	for _, g := range append(slices.Clone(d.Groups), d.Lifetimes) {
		check(g.ID, g.Title)
		check(g.ID, g.About)
	}
	for _, p := range d.Parameters {
		check(p.Key, p.About)
		check(p.Key, p.Basis)
		check(p.Key, p.Mark())
	}
}

func TestStatementsEndAsStatements(t *testing.T) {
	for _, c := range shipped().Clauses {
		if !strings.HasSuffix(c.Statement.JA, "。") || !strings.HasSuffix(c.Statement.EN, ".") {
			t.Errorf("%s: %v", c.ID, c.Statement)
		}
		if strings.Contains(c.Statement.JA, "です") || strings.Contains(c.Statement.JA, "ます。") {
			t.Errorf("%s is not in the plain style: %s", c.ID, c.Statement.JA)
		}
	}
}

// The official text lies beside the repository where work is done on it, and is
// not part of it.
func TestNoStatementIsASentenceOfTheOfficialText(t *testing.T) {
	b, err := os.ReadFile("../../shared/directive/directive.ja.txt")
	if err != nil {
		t.Skip("the official text is not here")
	}
	official := squeeze(string(b))
	for _, c := range shipped().Clauses {
		for sentence := range strings.SplitSeq(c.Statement.JA, "。") {
			if s := squeeze(sentence); len([]rune(s)) >= 12 && strings.Contains(official, s) {
				t.Errorf("%s repeats the official text: %s", c.ID, sentence)
			}
		}
		for sentence := range strings.SplitSeq(string(b), "。") {
			if s := squeeze(sentence); len([]rune(s)) >= 12 && strings.Contains(squeeze(c.Statement.JA), s) {
				t.Errorf("%s holds a sentence of the official text: %s", c.ID, sentence)
			}
		}
	}
}

func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

func TestTwentyClausesDelegate(t *testing.T) {
	want := []clause.ID{
		"npa-r3@2.1.5", "npa-r3@2.2.4", "npa-r3@2.3.3", "npa-r3@2.4.3", "npa-r3@2.5.3", "npa-r3@2.6.6", "npa-r3@2.7",
		"npa-r3@2.8.3", "npa-r3@2.9", "npa-r3@2.10.1", "npa-r3@2.11", "npa-r3@2.12", "npa-r3@2.13.4", "npa-r3@2.14.3",
		"npa-r3@2.15.5", "npa-r3@3.2.5", "npa-r3@3.3", "npa-r3@3.4.11", "npa-r3@4", "npa-r3@5.1",
	}
	d := shipped()
	if len(d.Groups) != len(want) {
		t.Fatalf("%d groups, want %d", len(d.Groups), len(want))
	}
	for i, g := range d.Groups {
		if id := fmt.Sprintf("P%02d", i+1); g.ID != id || g.Clause != want[i] {
			t.Errorf("group %d is %s of %s, want %s of %s", i, g.ID, g.Clause, id, want[i])
		}
		if c, _ := d.Clause(g.Clause); c.Delegates != g.ID {
			t.Errorf("clause %s delegates %q, want %q", g.Clause, c.Delegates, g.ID)
		}
		if got, ok := d.Group(g.ID); !ok || got.Clause != g.Clause {
			t.Errorf("Group(%s) = %v, %v", g.ID, got, ok)
		}
	}
}

// Softening words, each with its clauses, as counted in the directive.
func TestForceFollowsTheWording(t *testing.T) {
	d := shipped()
	want := map[clause.Force][]clause.ID{
		clause.Principle:  {"npa-r3@2.1.3", "npa-r3@2.1.4"},
		clause.Endeavour:  {"npa-r3@3.2.1"},
		clause.AsNeeded:   {"npa-r3@2.1.2", "npa-r3@2.10.2", "npa-r3@3.1.2", "npa-r3@3.2.4", "npa-r3@3.4.3"},
		clause.Discretion: {"npa-r3@5.1", "npa-r3@5.2"},
	}
	got := map[clause.Force][]clause.ID{}
	for _, c := range d.Clauses {
		if c.Type == clause.Obligation && c.Force != clause.Mandatory {
			got[c.Force] = append(got[c.Force], c.ID)
		}
	}
	for _, f := range clause.Forces {
		if !slices.Equal(got[f], want[f]) {
			t.Errorf("force %s: %v, want %v", f, got[f], want[f])
		}
	}
	for _, parent := range []clause.ID{"npa-r3@3.4.2", "npa-r3@3.4.6"} {
		for _, c := range d.SubItems(parent) {
			if c.Force != clause.Example {
				t.Errorf("%s is an example in the text, and here %s", c.ID, c.Force)
			}
		}
	}
}

func TestAddresseesAreTheDirectives(t *testing.T) {
	for _, c := range shipped().Clauses {
		want := "system-officer"
		switch c.ID {
		case "npa-r3@4":
			want = "maintainer"
		case "npa-r3@5.3":
			want = "chief"
		}
		if c.Addressee != want {
			t.Errorf("%s addresses %s, want %s", c.ID, c.Addressee, want)
		}
	}
}

func TestSubItemsStandUnderTheirObligations(t *testing.T) {
	d := shipped()
	for id, want := range map[clause.ID]int{
		"npa-r3@2.3.1": 3, "npa-r3@3.1.5": 2, "npa-r3@3.4.2": 7, "npa-r3@3.4.3": 2, "npa-r3@3.4.6": 2, "npa-r3@3.4.10": 4, "npa-r3@2.1.1": 0,
	} {
		if got := len(d.SubItems(id)); got != want {
			t.Errorf("%s has %d sub-items, want %d", id, got, want)
		}
	}
}

func TestEveryObligationIsMappedToEveryRulebook(t *testing.T) {
	d := shipped()
	for _, c := range d.Clauses {
		for _, r := range d.Rulebooks {
			if c.Type == clause.Obligation && c.Maps[r.ID] == "" {
				t.Errorf("%s has no mapping to %s", c.ID, r.ID)
			}
		}
	}
}

func TestKindsAreThoseOfThePlan(t *testing.T) {
	known := []string{
		"computer", "phone", "network-device", "multifunction-device", "special-device", "database", "account", "key", "zone", "medium", "line",
		"domain", "external-service", "contract", "procurement", "development", "document", "incident", "person", "post", "unit", "system",
	}
	for _, c := range shipped().Clauses {
		for i, k := range c.Kinds {
			if !slices.Contains(known, k) || slices.Contains(c.Kinds[:i], k) {
				t.Errorf("%s speaks of %q", c.ID, k)
			}
		}
	}
}

func TestTheDirectiveBindsFromItsFirstDayToTheEndOfItsLast(t *testing.T) {
	d := shipped()
	first := time.Date(2021, 10, 15, 0, 0, 0, 0, jst)
	end := time.Date(2027, 4, 1, 0, 0, 0, 0, jst)
	for _, c := range []struct {
		name string
		at   time.Time
		want bool
	}{
		{"a second before the first day", first.Add(-time.Second), false},
		{"at the start of the first day", first, true},
		{"a second after", first.Add(time.Second), true},
		{"a second before the end of the last day", end.Add(-time.Second), true},
		{"at the end of the last day", end, false},
		{"a second after the end", end.Add(time.Second), false},
		{"at the end, told in UTC", end.UTC(), false},
	} {
		if got := d.InForce(c.at); got != c.want {
			t.Errorf("%s: in force %v, want %v", c.name, got, c.want)
		}
	}
	if !d.Ends().Equal(end) {
		t.Errorf("ends %v, want %v", d.Ends(), end)
	}
	if want := time.Date(2027, 3, 31, 0, 0, 0, 0, jst); !d.ValidUntil.Equal(want) {
		t.Errorf("valid until %v, want %v", d.ValidUntil, want)
	}
	if want := time.Date(2021, 10, 5, 0, 0, 0, 0, jst); !d.Issued.Equal(want) {
		t.Errorf("issued %v, want %v", d.Issued, want)
	}
}

func TestEveryCollectorsFactsHaveALifetime(t *testing.T) {
	d := shipped()
	for _, group := range []string{"clock", "malware", "log", "account", "authentication", "disk", "key", "package", "anything else"} {
		key := kind.Fresh(group)
		p, ok := d.Parameters[key]
		if !ok || p.Type != directive.Duration {
			t.Errorf("group %s is held to %q, which is no duration parameter", group, key)
		}
	}
	for _, key := range d.Lifetimes.Keys {
		if !strings.HasPrefix(key, "fresh.") {
			t.Errorf("%s is among the lifetimes", key)
		}
	}
}
