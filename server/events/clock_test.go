package events

import (
	"errors"
	"kakusho/calendar"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestAClockThatLeapsIsNotBelievedForAWeek also over restarts: years ahead, back
// again, and a machine that was off.
func TestAClockThatLeapsIsNotBelievedForAWeek(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock.json")
	s := readSteadiness(path, time.Time{})
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	minutes := func(n int) (leaps int) {
		t.Helper()
		for range n {
			if s.tell(at) != 0 {
				leaps++
			}
			at = at.Add(time.Minute)
		}
		if err := s.write(); err != nil {
			t.Fatal(err)
		}
		return leaps
	}
	if n := minutes(10); n != 0 || !s.believed() {
		t.Fatalf("a steady clock: %d leaps, believed %v", n, s.believed())
	}
	at = at.AddDate(0, 0, 10)
	if n := minutes(1); n != 1 || s.believed() {
		t.Errorf("ten days ahead: %d leaps, believed %v", n, s.believed())
	}
	s = readSteadiness(path, time.Time{})
	if n := minutes(believeIn - 1); n != 0 || s.believed() {
		t.Errorf("restarted, nearly a week later: %d leaps, believed %v", n, s.believed())
	}
	if minutes(1); !s.believed() {
		t.Error("a week later it is not believed")
	}
	s = readSteadiness(path, time.Time{})
	at = at.AddDate(0, 0, -10)
	if n := minutes(1); n != 1 || s.believed() {
		t.Errorf("back again over a restart: %d leaps, believed %v", n, s.believed())
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s = readSteadiness(path, time.Time{}); s.believed() {
		t.Error("a file that cannot be read is believed")
	}
}

// TestWhatCannotBeNotedIsNotBelieved because after a restart nobody would know of it.
func TestWhatCannotBeNotedIsNotBelieved(t *testing.T) {
	s := readSteadiness(filepath.Join(t.TempDir(), "gone", "clock.json"), time.Time{})
	if _, err := s.minute(time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)); err == nil || s.believed() {
		t.Errorf("%v, believed %v", err, s.believed())
	}
}

// TestAClockFarAheadIsBelievedWhenAPersonSaysSo or when it has come back, and never
// by waiting: the events of years would be gone.
func TestAClockFarAheadIsBelievedWhenAPersonSaysSo(t *testing.T) {
	began := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	after := func(s *steadiness, at time.Time, minutes int) time.Time {
		t.Helper()
		for range minutes {
			s.tell(at)
			at = at.Add(time.Minute)
		}
		if err := s.write(); err != nil {
			t.Fatal(err)
		}
		return at
	}
	var fault ClockFault
	for _, c := range []struct {
		name string
		file string // what was noted before
	}{
		{"noted", `{"last":"2026-11-24T02:59:00Z","wait":0}`},
		{"the note is lost: the newest event tells", ""},
		{"the note is damaged", "{"},
	} {
		path := filepath.Join(t.TempDir(), "clock.json")
		if c.file != "" {
			if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := readSteadiness(path, began)
		at := after(s, began.AddDate(20, 0, 0), 2*believeIn)
		s = readSteadiness(path, at)
		if at = after(s, at, 2); s.believed() {
			t.Errorf("%s: believed after two weeks", c.name)
		}
		for _, word := range []string{"", "2026-11-24", "soon"} {
			if err := s.confirm(word, at); !errors.As(err, &fault) || s.believed() {
				t.Errorf("%s: a person's %q is taken for %v: %v", c.name, word, at, err)
			}
		}
		if err := s.confirm(at.In(calendar.Tokyo()).Format(time.DateOnly), at); err != nil || !s.believed() {
			t.Errorf("%s: a person's word does not count: %v", c.name, err)
		}
		if s = readSteadiness(path, at); !s.believed() {
			t.Errorf("%s: a person's word is forgotten", c.name)
		}
		at = after(s, at.AddDate(20, 0, 0), 5)
		if at = after(s, at.AddDate(-20, 0, 0), believeIn+1); !s.believed() {
			t.Errorf("%s: come back for a week and not believed", c.name)
		}
		if err := s.confirm("2001-01-01", at); !errors.As(err, &fault) {
			t.Errorf("%s: somebody thinks it is another day: %v", c.name, err)
		}
	}
}
