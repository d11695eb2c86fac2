// Package head finds the units by which people know a prefecture.
package head

import (
	"kakusho/fact"
	"kakusho/posture"
)

// Units are the topmost units of the prefectures, by prefecture: people know it by
// theirs.
func Units(s *posture.Standing) map[string]*posture.Subject {
	out := map[string]*posture.Subject{}
	for _, u := range s.OfKind("unit") {
		parent, _ := u.Fact("parent")
		up, _ := parent.Fact.Value.(string)
		code := s.Place(u.Ref).Prefecture
		if code != "" && out[code] == nil && s.Place(fact.NewRef("unit", up)).Prefecture != code {
			out[code] = u
		}
	}
	return out
}
