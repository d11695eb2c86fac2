package events

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestAClockThatLeapsIsNotBelievedForAWeek also over restarts: years ahead, back
// again, and a machine that was off.
func TestAClockThatLeapsIsNotBelievedForAWeek(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock.json")
	s := readSteadiness(path)
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	minutes := func(n int) (leaps int) {
		t.Helper()
		for range n {
			leapt, err := s.minute(at)
			if err != nil {
				t.Fatal(err)
			}
			if leapt != 0 {
				leaps++
			}
			at = at.Add(time.Minute)
		}
		return leaps
	}
	if n := minutes(10); n != 0 || !s.believed() {
		t.Fatalf("a steady clock: %d leaps, believed %v", n, s.believed())
	}
	at = at.AddDate(10, 0, 0)
	if n := minutes(1); n != 1 || s.believed() {
		t.Errorf("ten years ahead: %d leaps, believed %v", n, s.believed())
	}
	s = readSteadiness(path)
	if n := minutes(believeIn - 1); n != 0 || s.believed() {
		t.Errorf("restarted, nearly a week later: %d leaps, believed %v", n, s.believed())
	}
	if minutes(1); !s.believed() {
		t.Error("a week later it is not believed")
	}
	s = readSteadiness(path)
	at = at.AddDate(-10, 0, 0)
	if n := minutes(1); n != 1 || s.believed() {
		t.Errorf("back again over a restart: %d leaps, believed %v", n, s.believed())
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s = readSteadiness(path); s.believed() {
		t.Error("a file that cannot be read is believed")
	}
}
