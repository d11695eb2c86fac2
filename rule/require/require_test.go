package require_test

import (
	"strings"
	"testing"

	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/rule/require"
)

// The conditions of the procedures that ship are of the language and of their kinds'
// fields; one that is not is named.
func TestConditionsCompile(t *testing.T) {
	kinds := kind.Default()
	set := procedure.Default(kinds)
	if _, err := require.Compile(kinds, set); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"s.no_such_field == 1", "s.status ==", "s.status + 1 == now"} {
		p := set["disposal"]
		p.States = []procedure.State{{Value: "open", Require: []procedure.Require{{Rule: bad}}}}
		if _, err := require.Compile(kinds, procedure.Set{"disposal": p}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}
