// Package derive computes the derived fields of kinds: what is not declared and
// not observed about a subject, but follows from what is, of it and of others.
//
// Each is a function by the name that a kind's field gives as "derive". It reads
// cells through a world.Reading, so that the result says where it came from and
// grows stale with its oldest input; when an input is missing it says so, and
// never guesses. /ARCHITECTURE.md says where derived fields stand in the river.
package derive

import (
	"kakusho/posture/people"
	"kakusho/posture/world"
)

// All is every derivation by name.
func All() map[string]world.Derivation {
	all := map[string]world.Derivation{}
	for _, set := range []map[string]world.Derivation{
		people.Organisation, people.Accounts, systemDerivations, deviceDerivations, recordDerivations, transitionDerivations, trailDerivations,
	} {
		for name, d := range set {
			all[name] = d
		}
	}
	return all
}
