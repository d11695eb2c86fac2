// Package directive holds what a directive demands: its clauses in our own
// words, the values it leaves to a separate determination, and how those values
// resolve for a system at an instant.
//
// A directive is data. The folder npa-r3 is 「警察情報システムの情報セキュリティ要件」
// of 5 October 2021: source.yaml names it, one YAML file per section holds its
// clauses, and parameters/ one file per delegated group P01 to P20. Beside it lie
// a draft of its successor and another body's rules, and in crosswalk/ which
// clauses of one correspond to which of another. All are embedded: Default reads
// the first, package library all of them, and Load any folder of the same form, so
// that a further one needs no change to the program.
//
// A parameter's default is ours unless it is marked as the directive's own; a
// default of ours carries the mark 参考値（本システム既定）wherever it is shown.
//
// The package is pure: it reads no clock, and instants are arguments.
package directive

import (
	"embed"
	"io/fs"
	"slices"
	"time"

	"kakusho/bilingual"
	"kakusho/clause"
)

//go:embed npa-r3 npa-next cjis crosswalk
var files embed.FS

// Directive is one issue of one set of rules.
type Directive struct {
	Source        string               // npa-r3, the part of a clause's ID before "@"
	Title         bilingual.Text       // as it is cited
	Number        bilingual.Text       // reference number
	Issued        time.Time            // 00:00 of the day, Tokyo
	EffectiveFrom time.Time            // 00:00 of the first day in force
	ValidUntil    time.Time            // 00:00 of the last day in force; zero when open. See Ends
	Authority     bilingual.Text       // rules it is issued under
	Replaces      bilingual.Text       // what it abolished
	Draft         bool                 // not issued: a draft, which every page says
	Inherits      string               // source whose parameters it takes over, and words of clauses; see package library
	Succeeds      string               // source it takes the place of
	Grants        map[string]clause.ID // by type of decision: the clause that allows it; "mutatis": that leaves systems which are not connected to the prefecture
	Rulebooks     []Rulebook           // what the Maps of clauses refer to
	Sections      []Section            // in order
	Clauses       []clause.Clause
	Parameters    Parameters
	Groups        []Group // the delegated groups, P01 first
	Lifetimes     Group   // how long facts and records hold; delegated by no clause

	at map[clause.ID]int
}

// Rulebook is another set of rules that clauses are mapped to.
type Rulebook struct {
	ID    string         `yaml:"id"`
	Title bilingual.Text `yaml:"title"`
	Note  bilingual.Text `yaml:"note"` // how far the mapping may be relied on
}

// Section is a heading of the directive: 第2の3 暗号及び電子署名.
type Section struct {
	ID      clause.ID // npa-r3@2.3
	Label   bilingual.Text
	Title   bilingual.Text
	Clauses []clause.ID // in order
}

// Group is the set of parameters that one clause leaves to a separate
// determination.
type Group struct {
	ID     string    // P02
	Clause clause.ID // the clause that delegates; empty for Lifetimes
	Title  bilingual.Text
	About  bilingual.Text
	Keys   []string // of its parameters, in the order of the file
}

// Folders are the directives that ship with the program, a folder each, and
// crosswalk/. Package library reads them.
func Folders() fs.FS { return files }

// First is the source of the directive that answers are about which name none: they
// were given before there was another.
const First = "npa-r3"

// Default loads the first directive that ships with the program. It panics when the
// data is broken, which go test finds first.
func Default() *Directive {
	sub, err := fs.Sub(files, First)
	if err != nil {
		panic(err)
	}
	d, err := Load(sub)
	if err != nil {
		panic(err)
	}
	return d
}

// Clause finds a clause by its ID.
func (d *Directive) Clause(id clause.ID) (clause.Clause, bool) {
	i, ok := d.at[id]
	if !ok {
		return clause.Clause{}, false
	}
	return d.Clauses[i], true
}

// SubItems lists the lettered sub-items (ア, イ …) directly under id, in order.
func (d *Directive) SubItems(id clause.ID) []clause.Clause {
	var subs []clause.Clause
	for _, c := range d.Clauses {
		if parent, ok := c.ID.Parent(); ok && parent == id && c.Type == clause.SubItem {
			subs = append(subs, c)
		}
	}
	return subs
}

// Group finds a group by its ID, Lifetimes included.
func (d *Directive) Group(id string) (Group, bool) {
	if id == d.Lifetimes.ID && id != "" {
		return d.Lifetimes, true
	}
	i := slices.IndexFunc(d.Groups, func(g Group) bool { return g.ID == id })
	if i < 0 {
		return Group{}, false
	}
	return d.Groups[i], true
}

// Ends is the first instant the directive no longer binds: the midnight in
// Tokyo after its last day. It is zero when the directive has no last day.
func (d *Directive) Ends() time.Time {
	if d.ValidUntil.IsZero() {
		return time.Time{}
	}
	return d.ValidUntil.AddDate(0, 0, 1)
}

// InForce reports whether the directive binds at the instant at.
func (d *Directive) InForce(at time.Time) bool {
	ends := d.Ends()
	return !at.Before(d.EffectiveFrom) && (ends.IsZero() || at.Before(ends))
}
