package ingest

import "time"

const year = 365 * 24 * time.Hour

// ladder are the retention streams: how long each keeps. A trail is never sharded
// anew, so the steps are few and stay.
func ladder() []step {
	return []step{{"1y", year}, {"2y", 2 * year}, {"3y", 3 * year}, {"5y", 5 * year}, {"10y", 10 * year}, {"30y", 30 * year}}
}

type step struct {
	name string
	keep time.Duration
}

// Streams are the names of all of them, shortest first.
func Streams() (out []string) {
	for _, s := range ladder() {
		out = append(out, s.name)
	}
	return out
}

// Stream is the one for events that must be kept so long.
func Stream(keep time.Duration) string {
	for _, s := range ladder() {
		if keep <= s.keep {
			return s.name
		}
	}
	return ladder()[len(ladder())-1].name
}

// Keep is how long a stream keeps; zero for one that is none.
func Keep(stream string) time.Duration {
	for _, s := range ladder() {
		if s.name == stream {
			return s.keep
		}
	}
	return 0
}
