package events

import (
	"testing"
	"time"

	"kakusho/event"
	"kakusho/fact"
	"kakusho/ingest"
	"kakusho/server/sources"
)

// named finds a fact of a batch.
func named(t *testing.T, b fact.Batch, field string) fact.Fact {
	t.Helper()
	for _, f := range b.Facts {
		if f.Field == field {
			return f
		}
	}
	t.Fatalf("no fact %s", field)
	return fact.Fact{}
}

// A clock that is wrong is wrong in both directions; what the way takes is no error.
func TestTheErrorOfAClockIsHowFarItIsOff(t *testing.T) {
	at := time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)
	for name, c := range map[string]struct{ off, want time.Duration }{
		"right":                     {0, 0},
		"ahead by two seconds":      {-2 * time.Second, 2 * time.Second},
		"half a minute on its way":  {30 * time.Second, 0},
		"behind beyond what counts": {5*time.Minute + time.Second, time.Second},
		"nine hours behind":         {9 * time.Hour, 9*time.Hour - 5*time.Minute},
	} {
		came := ingest.Coverage{Seen: ingest.Seen{First: at, Last: at, Count: 1}, Hours: []ingest.Hour{{At: at.Truncate(time.Hour), Count: 1, Off: c.off, Timed: true}}}
		if f := named(t, feedFacts(&sources.Source{ID: "LS-1"}, came, at), "clock_error"); f.Status != fact.Observed || f.Value != c.want {
			t.Errorf("%s: %v %v, want %v", name, f.Status, f.Value, c.want)
		}
	}
}

// A source of which nobody knows when it last came is not said to have come.
func TestNothingIsSaidOfAnArrivalNobodyKnows(t *testing.T) {
	at := time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)
	came := ingest.Coverage{Seen: ingest.Seen{First: at, Count: 7}, Classes: map[event.Class]ingest.Seen{}}
	if f := named(t, feedFacts(&sources.Source{ID: "LS-1"}, came, at), "last_arrival"); f.Status == fact.Observed {
		t.Errorf("last arrival: %v %v", f.Status, f.Value)
	}
}
