// Package lapse finds the judgements that count no more because what they were made on,
// the area, class or connection of their subject, is another by now.
package lapse

import (
	"reflect"
	"slices"

	"kakusho/decision"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
)

// Circumstances are the values on which people judge needs of a subject of a kind, by
// field. A value that is not known is nil.
func Circumstances(k *kind.Kind, facts, declared map[string]judge.Cell) map[string]any {
	out := make(map[string]any, len(k.Circumstances))
	for _, name := range k.Circumstances {
		cell, ok := facts[name]
		if f, _ := k.Field(name); !ok || f.In(kind.Declared) && !f.In(kind.Observed) {
			cell = declared[name]
		}
		out[name] = nil
		if cell.Fact.Status == fact.Observed {
			out[name] = fact.Canonical(cell.Fact.Value)
		}
	}
	return out
}

// Mark is all, each judgement about the subject with what it was made on and is another
// now. now is asked only when there is such a judgement; all itself stays as it is.
func Mark(k *kind.Kind, ref fact.Ref, all []decision.Decision, now func() map[string]any) []decision.Decision {
	of := func(d decision.Decision) bool { return len(d.Basis) > 0 && d.Subject == ref }
	if !slices.ContainsFunc(all, of) {
		return all
	}
	out, are := slices.Clone(all), now()
	for i, d := range out {
		if !of(d) {
			continue
		}
		out[i].Lapsed = nil
		for _, name := range d.LapsedBy(func(field string) any { return are[field] }) {
			if f, ok := k.Field(name); ok {
				out[i].Lapsed = append(out[i].Lapsed, decision.Lapse{Field: name, Label: f.Label, Then: d.Basis[name], Now: are[name]})
			}
		}
	}
	return out
}

// Same reports whether of two lists of the same decisions the same lapsed.
func Same(a, b []decision.Decision) bool {
	return slices.EqualFunc(a, b, func(a, b decision.Decision) bool { return reflect.DeepEqual(a.Lapsed, b.Lapsed) })
}
