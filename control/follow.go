package control

import (
	"regexp"
	"slices"
	"strings"

	"kakusho/clause"
	"kakusho/directive"
	"kakusho/directive/library"
	"kakusho/kind"
)

// For is the controls that check a directive of the library: those written for its
// own clauses, and those that check the directive it inherits from, each following
// its clauses over the crosswalk. What has no clause left is not among them. Like
// Default it leaves the cases out and panics when the controls are broken.
func For(kinds kind.Set, lib *library.Library, d *directive.Directive) []Control {
	return gather(kinds, lib, d, reading{ours: true})
}

// ForWithCases is For with the cases of each control.
func ForWithCases(kinds kind.Set, lib *library.Library, d *directive.Directive) []Control {
	return gather(kinds, lib, d, reading{ours: true, cases: true})
}

func gather(kinds kind.Set, lib *library.Library, d *directive.Directive, what reading) []Control {
	out := shipped(loadWith(files, kinds, d, what))
	if parent, ok := lib.Of(d.Inherits); ok {
		x, _ := lib.Crosswalk(parent.Source, d.Source) // library.Load lets nothing inherit without one
		out = append(out, Follow(gather(kinds, lib, parent, what), x)...)
	}
	slices.SortFunc(out, func(a, b Control) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Follow turns controls of one directive into controls of another: the clauses they
// name become those the crosswalk leads to. An exception that the clause granted
// and that the other directive does not know is granted no more. What has no
// clause left is dropped.
func Follow(controls []Control, x *library.Crosswalk) []Control {
	var out []Control
	for _, c := range controls {
		if followed, ok := c.follow(x); ok {
			out = append(out, followed)
		}
	}
	return out
}

func (c Control) follow(x *library.Crosswalk) (Control, bool) {
	was := c.Clauses
	c.Clauses = nil
	for _, id := range was {
		for _, to := range x.Targets(id, c.ID) {
			if !slices.Contains(c.Clauses, to) {
				c.Clauses = append(c.Clauses, to)
			}
		}
	}
	granted := len(c.Exceptions) + len(c.Grounds)
	c.Exceptions, c.Grounds = followExceptions(c, x), followGrounds(c, x)
	if len(c.Exceptions)+len(c.Grounds) < granted {
		c.Needs, c.Parameters = c.stillRead()
	}
	return c, len(c.Clauses) > 0
}

func followExceptions(c Control, x *library.Crosswalk) (kept []Exception) {
	for _, e := range c.Exceptions {
		to := x.Targets(e.Clause, c.ID)
		if len(to) == 0 {
			continue
		}
		e.Clause = to[0]
		kept = append(kept, e)
	}
	return kept
}

func followGrounds(c Control, x *library.Crosswalk) (kept []Ground) {
	for _, g := range c.Grounds {
		if to := x.Targets(g.Clause, c.ID); len(to) > 0 {
			g.Clause = to[0]
			kept = append(kept, g)
		}
	}
	return kept
}

// reads finds what an expression reads: s.field, d.field, p.parameter.
var reads = regexp.MustCompile(`\b([sdp])\.([a-z][a-z0-9_]*)`)

// stillRead is what needs and parameters come to when an exception or a ground went.
func (c Control) stillRead() (needs, parameters []string) {
	texts := []string{c.Rule, c.Applies}
	for _, e := range c.Exceptions {
		texts = append(texts, e.When)
	}
	for _, g := range c.Grounds {
		texts = append(texts, g.When)
	}
	read := map[string]bool{}
	for _, m := range reads.FindAllStringSubmatch(strings.Join(texts, "\n"), -1) {
		of := m[1]
		if of == "d" {
			of = "s"
		}
		read[of+"."+m[2]] = true
	}
	needs = slices.DeleteFunc(slices.Clone(c.Needs), func(f string) bool { return !read["s."+f] })
	parameters = slices.DeleteFunc(slices.Clone(c.Parameters), func(key string) bool {
		return !read["p."+strings.ReplaceAll(key, ".", "_")]
	})
	return needs, parameters
}

// Serving lists the controls that name a clause.
func Serving(id clause.ID, controls []Control) []Control {
	return slices.DeleteFunc(slices.Clone(controls), func(c Control) bool { return !slices.Contains(c.Clauses, id) })
}
