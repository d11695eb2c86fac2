package register

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/rule/require"
	"kakusho/scan"
)

// Rules are the kinds that registers keep, and the procedures that lead them. They do
// not change.
type Rules struct {
	kinds      kind.Set
	procedures procedure.Set
	conditions *require.Rules
}

// Compile makes rules of kinds and procedures. Every condition that does not compile is
// a fault that names it.
func Compile(kinds kind.Set, procedures procedure.Set) (*Rules, error) {
	c, err := require.Compile(kinds, procedures)
	for _, id := range procedures.IDs() {
		for _, s := range procedures[id].Steps {
			err = errors.Join(err, readable(id, s))
		}
	}
	return &Rules{kinds, procedures, c}, err
}

// readable sees that the reports a step reads are of formats that can be read.
func readable(id string, s procedure.Step) error {
	for _, reads := range s.Reads {
		for field, word := range reads.Set {
			if !slices.Contains(scan.Words[reads.Format], strings.TrimPrefix(word, "$")) {
				return fmt.Errorf("procedure %s: step %s: %s is set from %s, which no report in %q has", id, s.ID, field, word, reads.Format)
			}
		}
	}
	return nil
}
