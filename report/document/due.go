package document

import (
	"maps"
	"slices"

	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/posture/derive"
	"kakusho/posture/world"
	"kakusho/report/document/ground"
)

// Dated reports whether a document tells what was judged. It is a report of its day, and
// what happens later does not make it old.
func (d Document) Dated() bool {
	return slices.ContainsFunc(d.Parts, func(p Part) bool { return sources[p.Source].dated })
}

// Derivations are all those of package derive, and what the registered versions of
// documents are due by: the digest that the content has now, and since when it is not
// that of the version. The judge and the pages thus say the same.
func Derivations(t *posture.Terms) map[string]world.Derivation {
	b := book{Default(t.Kinds()), t.Kinds(), t}
	all := derive.All()
	maps.Copy(all, map[string]world.Derivation{"document-content": b.content, "document-content-change": b.change})
	return all
}

// book is the documents while they are judged.
type book struct {
	set   Set
	kinds kind.Set
	terms *posture.Terms
}

// made makes the content that a registered version is to be compared with.
func (b book) made(r *world.Reading, it *world.Item, s *ground.Since) (*Content, world.Result) {
	for _, name := range []string{"content_digest", "type", "status"} {
		r.NoteDeclared(it, name)
	}
	d, known := b.set.Find(world.DeclaredText(it, "type"))
	switch {
	case world.DeclaredText(it, "content_digest") == "":
		return nil, world.None("none: the version was not made here")
	case !known || d.Dated():
		return nil, world.None("none: a report of its day")
	case world.DeclaredText(it, "status") != "current":
		return nil, world.None("none: the version is not the current one")
	}
	sys, ok := r.L.Of("system", it.Row.System)
	if !ok {
		return nil, world.Cannot("no-entry: the document's system is not registered")
	}
	m := maker{terms: b.terms, at: r.L.At, kinds: b.kinds, scope: Scope{System: it.Row.System}, Ground: ground.Layer{Layer: r.L, System: sys, Since: s}}
	c := &Content{}
	if err := m.make(c, d); err != nil {
		return nil, world.Cannot("error: " + err.Error())
	}
	return c, world.Found(c.Digest)
}

func (b book) content(r *world.Reading, it *world.Item) world.Result {
	_, res := b.made(r, it, &ground.Since{})
	return res
}

// change is when the first of what a content rests on changed after the version.
func (b book) change(r *world.Reading, it *world.Item) world.Result {
	r.Note(it, "content_now")
	now, _ := r.L.Cell(it, "content_now")
	switch {
	case now.Fact.Status == fact.Absent:
		return world.None("none: there is nothing to compare the version with")
	case now.Fact.Status != fact.Observed:
		return world.Cannot(now.Fact.Reason)
	case now.Fact.Value == world.DeclaredText(it, "content_digest"):
		return world.None("none: the content is the same")
	}
	r.NoteDeclared(it, "content_as_of")
	s := ground.Since{After: world.DeclaredTime(it, "content_as_of")}
	b.made(r, it, &s)
	if s.First.IsZero() { // something is gone, and left no trace
		return world.Found(s.After)
	}
	return world.Found(s.First)
}
