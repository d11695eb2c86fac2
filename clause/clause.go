// Package clause names the obligations of a directive and holds what one says.
//
// An ID is "source@section.item[.subitem]", numbered as the directive numbers
// itself: npa-r3@2.3.1 is 第2の3(1), npa-r3@2.3.1.1 its ア. IDs are never reused.
// The package has values only; package directive reads them from files.
package clause

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"kakusho/bilingual"
)

// ID identifies one clause of one source for ever.
type ID string

// Parse reads an ID. The numbers must be 1 to 4 in count, each 0 to 99, without
// leading zeros; 0 is a chapeau (前文).
func Parse(s string) (ID, error) {
	source, path, ok := strings.Cut(s, "@")
	if !ok || source == "" || path == "" {
		return "", fmt.Errorf("clause %q: want source@section.item, as in npa-r3@2.3.1", s)
	}
	for _, r := range source {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return "", fmt.Errorf("clause %q: source may hold a-z, 0-9 and - only", s)
		}
	}
	parts := strings.Split(path, ".")
	if len(parts) > 4 {
		return "", fmt.Errorf("clause %q: more than four levels", s)
	}
	for _, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || n > 99 || strconv.Itoa(n) != p {
			return "", fmt.Errorf("clause %q: %q is not a number from 0 to 99", s, p)
		}
	}
	return ID(s), nil
}

// Source is the part before "@": which directive.
func (id ID) Source() string { s, _, _ := strings.Cut(string(id), "@"); return s }

// Numbers are the levels, outermost first. An ID that Parse refuses has none.
func (id ID) Numbers() []int {
	if _, err := Parse(string(id)); err != nil {
		return nil
	}
	_, path, _ := strings.Cut(string(id), "@")
	var ns []int
	for p := range strings.SplitSeq(path, ".") {
		n, _ := strconv.Atoi(p)
		ns = append(ns, n)
	}
	return ns
}

// Parent is the clause one level up; false at the outermost.
func (id ID) Parent() (ID, bool) {
	i := strings.LastIndexByte(string(id), '.')
	if i < 0 {
		return "", false
	}
	return id[:i], true
}

// Section is the ID cut to its first two levels: npa-r3@2.3 for npa-r3@2.3.1.1.
func (id ID) Section() ID {
	parts := strings.SplitN(string(id), ".", 3)
	return ID(strings.Join(parts[:min(2, len(parts))], "."))
}

// Compare orders IDs by source, then as the directive is printed. IDs that Parse
// refuses have a place too, the same each time.
func Compare(a, b ID) int {
	sa, pa, _ := strings.Cut(string(a), "@")
	sb, pb, _ := strings.Cut(string(b), "@")
	if sa != sb {
		return cmp.Compare(sa, sb)
	}
	for pa != "" && pb != "" {
		var na, nb string
		na, pa, _ = strings.Cut(pa, ".")
		nb, pb, _ = strings.Cut(pb, ".")
		if na != nb { // numbers without leading zeros: the longer is the greater
			return cmp.Or(cmp.Compare(len(na), len(nb)), cmp.Compare(na, nb))
		}
	}
	return cmp.Compare(len(pa), len(pb))
}

// Force is how strongly a clause binds.
type Force string

// The forces the directive's wording distinguishes.
const (
	Mandatory  Force = "mandatory"  // 義務
	Principle  Force = "principle"  // 原則として
	Endeavour  Force = "endeavour"  // 努める
	AsNeeded   Force = "as-needed"  // 必要に応じて: the dated judgement is the record
	Discretion Force = "discretion" // ことができる
	Example    Force = "example"    // 例として
)

// Forces lists every Force.
var Forces = []Force{Mandatory, Principle, Endeavour, AsNeeded, Discretion, Example}

var forceLabels = map[Force]bilingual.Text{
	Mandatory: {JA: "義務", EN: "Mandatory"}, Principle: {JA: "原則", EN: "In principle"}, Endeavour: {JA: "努力義務", EN: "Endeavour"},
	AsNeeded:   {JA: "必要に応じて（要否の判断を記録する）", EN: "As needed (the judgement is recorded)"},
	Discretion: {JA: "裁量", EN: "Discretion"}, Example: {JA: "例示", EN: "Example"},
}

// Label is the force as pages print it.
func (f Force) Label() bilingual.Text { return forceLabels[f] }

// Mechanism is how Kakusho carries a clause.
type Mechanism string

// The three mechanisms.
const (
	Enforce Mechanism = "enforce" // the program refuses or blocks
	Verify  Mechanism = "verify"  // collected facts decide
	Record  Mechanism = "record"  // a person's dated act decides
)

var mechanismLabels = map[Mechanism]bilingual.Text{
	Enforce: {JA: "強制（本システムが拒否する）", EN: "Enforced"}, Verify: {JA: "検証（収集した事実による）", EN: "Verified from facts"},
	Record: {JA: "記録（人の判断・確認による）", EN: "Recorded by people"},
}

// Label is the mechanism as pages print it.
func (m Mechanism) Label() bilingual.Text { return mechanismLabels[m] }

// Clause is our own statement of one obligation, sub-item or chapeau. It never
// holds the directive's own sentences.
type Clause struct {
	ID         ID                `yaml:"id" json:"id"`
	Label      bilingual.Text    `yaml:"label" json:"label"`         // 第2の3(1)ア
	Title      bilingual.Text    `yaml:"title" json:"title"`         // a few words
	Statement  bilingual.Text    `yaml:"statement" json:"statement"` // what it demands, in our words
	Type       Type              `yaml:"type" json:"type"`
	Addressee  string            `yaml:"addressee" json:"addressee"` // duty, see actor.Duty
	Force      Force             `yaml:"force" json:"force"`
	Kinds      []string          `yaml:"kinds" json:"kinds"` // kinds of subject it speaks of
	Conditions []bilingual.Text  `yaml:"conditions,omitempty" json:"conditions,omitempty"`
	Exceptions []bilingual.Text  `yaml:"exceptions,omitempty" json:"exceptions,omitempty"`
	Delegates  string            `yaml:"delegates,omitempty" json:"delegates,omitempty"` // parameter group P01–P20
	Mechanisms []Mechanism       `yaml:"mechanisms" json:"mechanisms"`
	Notes      []bilingual.Text  `yaml:"notes,omitempty" json:"notes,omitempty"` // interpretation decided, and why
	Maps       map[string]string `yaml:"maps,omitempty" json:"maps,omitempty"`   // crosswalk: rulebook → reference
}

// Digest tells whether two clauses demand the same of the same: it covers whom the
// clause addresses, what it says, how strongly, of which kinds, and under which
// conditions and exceptions, in both languages. Where it stands, what it is called
// and our notes are not in it.
func (c Clause) Digest() string {
	b, err := json.Marshal([]any{c.Addressee, c.Statement, c.Force, c.Kinds, c.Conditions, c.Exceptions})
	if err != nil {
		panic(err) // texts and codes encode
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Type says what part a clause plays in the count of obligations.
type Type string

// The types: an Obligation counts, a SubItem (ア, イ …) refines one, a Chapeau (前文) governs a group.
const (
	Obligation Type = "obligation"
	SubItem    Type = "sub-item"
	Chapeau    Type = "chapeau"
)
