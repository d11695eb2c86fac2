package events_test

import (
	"slices"
	"testing"

	"kakusho/web/events"
)

// An auditor of one unit sees the sources of its systems; whose a stranger's events
// are nobody knows, so he does not see them either.
func TestSourcesAreThoseOfTheSystemsOneMaySee(t *testing.T) {
	feeds := []events.Feed{{ID: "LS-1", System: "S"}, {ID: "LS-2", System: "T"}, {Sender: "192.0.2.9"}}
	var got []string
	for _, f := range events.Within(feeds, func(system string) bool { return system == "S" }) {
		got = append(got, f.ID+f.Sender)
	}
	if !slices.Equal(got, []string{"LS-1"}) {
		t.Errorf("got %q", got)
	}
	if all := events.Within(feeds, func(string) bool { return true }); len(all) != 3 {
		t.Errorf("who may see all sees %d", len(all))
	}
}
