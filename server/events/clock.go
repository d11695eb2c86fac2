package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// steadiness remembers whether the clock can be believed when it says that the time
// of something is over. A clock that is set forward by years would throw away what
// must be kept: after a leap, or after the machine was off for long, nothing is
// thrown away by itself for a week of running.
type steadiness struct {
	path string
	Last time.Time `json:"last"` // what the clock said a minute ago
	Wait int       `json:"wait"` // minutes of running until it is believed again
}

const (
	leap      = 48 * time.Hour
	believeIn = 7 * 24 * 60 // minutes
)

// readSteadiness takes up what the last run knew. What cannot be read is no reason
// to believe.
func readSteadiness(path string) *steadiness {
	s := &steadiness{path: path}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s // nothing was ever kept here
	}
	if err != nil || json.Unmarshal(b, s) != nil {
		s.Wait = believeIn
	}
	return s
}

// minute notes what the clock says a minute after the last call and reports whether
// it leapt.
func (s *steadiness) minute(at time.Time) (leapt time.Duration, err error) {
	if !s.Last.IsZero() && at.Sub(s.Last).Abs() > leap {
		leapt, s.Wait = at.Sub(s.Last), believeIn
	}
	if s.Wait > 0 && leapt == 0 {
		s.Wait--
	}
	s.Last = at
	b, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(s.path, b, 0o600)
	}
	if err != nil {
		return leapt, fmt.Errorf("note what the clock says: %w", err)
	}
	return leapt, nil
}

// believed reports whether what is over by the clock is over.
func (s *steadiness) believed() bool { return s.Wait == 0 }
