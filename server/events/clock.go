package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"kakusho/bilingual"
	"kakusho/calendar"
)

// steadiness remembers whether the clock can be believed when it says that the time
// of something is over. A clock that is set forward by years would throw away what
// must be kept: after a leap, or after the machine was off for long, nothing is
// thrown away by itself for a week of running. After one far ahead nothing is at all,
// until a person says what day it is or the clock comes back. It is safe for
// concurrent use.
type steadiness struct {
	path   string
	mu     sync.Mutex
	failed bool // it could not be written down
	note
}

// note is what is written down.
type note struct {
	Last  time.Time `json:"last"`           // what the clock said a minute ago
	Wait  int       `json:"wait"`           // minutes of running until it is believed again
	Doubt time.Time `json:"doubt,omitzero"` // what it said before it leapt far ahead
}

const (
	leap      = 48 * time.Hour
	far       = 60 * 24 * time.Hour
	believeIn = 7 * 24 * 60 // minutes
)

// readSteadiness takes up what the last run knew. What cannot be read is no reason
// to believe; what is not there is told by the newest event there is.
func readSteadiness(path string, newest time.Time) *steadiness {
	s := &steadiness{path: path}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.Last = newest
	case err != nil || json.Unmarshal(b, &s.note) != nil:
		s.note = note{Last: newest, Wait: believeIn}
	}
	return s
}

// minute notes what the clock says a minute after the last call and reports whether
// it leapt.
func (s *steadiness) minute(at time.Time) (leapt time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	leapt = s.tell(at)
	err = s.write()
	s.failed = err != nil
	return leapt, err
}

// tell is minute without its being written down.
func (s *note) tell(at time.Time) (leapt time.Duration) {
	if !s.Last.IsZero() && at.Sub(s.Last).Abs() > leap {
		leapt, s.Wait = at.Sub(s.Last), believeIn
		if leapt > far && s.Doubt.IsZero() {
			s.Doubt = s.Last
		}
	}
	if at.Sub(s.Doubt) < far {
		s.Doubt = time.Time{}
	}
	if s.Wait > 0 && leapt == 0 {
		s.Wait--
	}
	s.Last = at
	return leapt
}

func (s *steadiness) write() error {
	b, err := json.Marshal(s.note)
	if err == nil {
		err = os.WriteFile(s.path+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(s.path+".new", s.path)
	}
	if err != nil {
		return fmt.Errorf("note what the clock says: %w", err)
	}
	return nil
}

// believed reports whether what is over by the clock is over.
func (s *steadiness) believed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Wait == 0 && s.Doubt.IsZero() && !s.failed
}

// doubt says that the clock is far ahead; nil: it is not.
func (s *steadiness) doubt(at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Doubt.IsZero() {
		return nil
	}
	return ClockFault{at.In(calendar.Tokyo()).Format(time.DateOnly), s.Doubt}
}

// newest is when the last event arrived; zero: none did.
func (e *Events) newest() (at time.Time) {
	for _, l := range e.Ingest.Trails() {
		packs, err := l.Packs()
		if n := len(packs); err == nil && n > 0 && packs[n-1].To.After(at) {
			at = packs[n-1].To
		}
	}
	return at
}

// confirm takes a person's word for the day, as 2026-11-24. Without it a clock that is
// far ahead stays in doubt.
func (s *steadiness) confirm(today string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	day := at.In(calendar.Tokyo()).Format(time.DateOnly)
	if today != day && (today != "" || !s.Doubt.IsZero()) {
		return ClockFault{day, s.Doubt}
	}
	s.Wait, s.Doubt = 0, time.Time{}
	return s.write()
}

// ClockFault says that nothing is thrown away because the clock may be wrong.
type ClockFault struct {
	Day  string    // it says
	From time.Time // it leapt; zero: it did not, but somebody says it is another day
}

// Text says what to do.
func (f ClockFault) Text() bilingual.Text {
	if f.From.IsZero() {
		return bilingual.Say("本機の時計は "+f.Day+" を示しており、指定された日と異なる。時計を確かめること。何も廃棄していない。",
			"the clock of this machine says "+f.Day+", which is another day: look at the clock. Nothing was disposed of.")
	}
	from := f.From.In(calendar.Tokyo()).Format(time.DateOnly)
	return bilingual.Say("本機の時計は "+from+" から "+f.Day+" に飛んでいる（又は長く止められていた）。誤った時計では保存期間内の証跡を失うため、何も移さず、廃棄しない。時計が正しいことを確かめた上で kakusho retention run --today "+f.Day+" とすること。",
		"the clock of this machine leapt from "+from+" to "+f.Day+" (or it was off for long). A wrong clock would throw away what must be kept: nothing is archived or disposed of. See that the clock is right, then say kakusho retention run --today "+f.Day+".")
}

// Error is the English half.
func (f ClockFault) Error() string { return f.Text().EN }
