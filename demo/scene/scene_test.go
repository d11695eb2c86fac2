package scene_test

import (
	"hash/fnv"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"kakusho/demo/scene"
	"kakusho/event"
)

var (
	jst = time.FixedZone("JST", 9*60*60)
	now = time.Date(2026, 11, 24, 15, 40, 0, 0, jst)
)

func midnight(day int) time.Time { return time.Date(2026, 11, 24+day, 0, 0, 0, 0, jst) }

func lot(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(h.Sum64(), 1))
}

func script() scene.Script {
	return scene.Script{
		Whole: 2, Sparse: []int{-10}, First: -300,
		Lines: []scene.Line{
			{Of: "server", Class: event.Process, Beat: true, PerDay: 3, Who: "root", App: "CRON", Text: "on {device}"},
			{Of: "server", Class: event.Login, At: "office", PerDay: 20, Who: "user", App: "sshd", Text: "{who} from {from}, {word}"},
			{Of: "server", Class: event.Config, At: "night", PerDay: 0.01, App: "dnf"},
		},
		Words: map[string][]string{"word": {"{few} of them"}},
		Faults: map[string]scene.Fault{
			"SILENT": {Until: "-1 03:10"}, "MUTE": {Without: []event.Class{event.Login}}, "FAST": {Ahead: time.Hour}, "LOSSY": {Lost: 7, LostAt: "-1 05:00", LostWhy: "queue"},
		},
		Incidents: []scene.Incident{{Source: "GOOD", At: "-1 22:00", Minutes: 10, Count: 40, Accounts: []string{"a", "b"}, Line: scene.Line{Class: event.LoginFailure, From: "192.0.2.1"}}},
	}
}

func stage(now time.Time) scene.Stage {
	s := scene.Stage{Now: now, Midnight: midnight, Lot: lot}
	for _, id := range []string{"GOOD", "SILENT", "MUTE", "FAST", "LOSSY"} {
		s.Sources = append(s.Sources, scene.Source{ID: id, Of: "server", Door: "syslog-tls", Device: id, Users: []scene.Who{{Account: "sato", Address: "10.0.0.1"}}})
	}
	return s
}

func TestWhatIsPlayedIsWhatTheScriptSays(t *testing.T) {
	batches, err := script().Play(stage(now))
	if err != nil {
		t.Fatal(err)
	}
	last, guessed, lost := map[string]time.Time{}, 0, int64(0)
	classes := map[string]map[event.Class]bool{}
	for i, b := range batches {
		if i > 0 && b.At.Before(batches[i-1].At) || b.At.After(now) {
			t.Errorf("a batch at %s follows one at %s, now is %s", b.At, batches[max(0, i-1)].At, now)
		}
		if lost += b.Lost; b.Lost > 0 && b.Lossy != "LOSSY" {
			t.Errorf("%s lost %d", b.Lossy, b.Lost)
		}
		for _, e := range b.Events {
			if last[e.Device] = b.At; classes[e.Device] == nil {
				classes[e.Device] = map[event.Class]bool{}
			}
			classes[e.Device][e.Class] = true
			if e.Class == event.LoginFailure {
				guessed++
			}
			off := b.At.Sub(e.At)
			if e.Device == "FAST" && (off > -59*time.Minute || off < -time.Hour) || e.Device != "FAST" && (off < 0 || off > 90*time.Minute) {
				t.Errorf("%s: an event of %s came at %s", e.Device, e.At, b.At)
			}
			if strings.ContainsAny(e.Text, "{}") {
				t.Errorf("a blank is left in %q", e.Text)
			}
		}
	}
	if guessed != 40 || lost != 7 {
		t.Errorf("%d logins failed and %d events were lost, want 40 and 7", guessed, lost)
	}
	if !last["GOOD"].Equal(now) || last["SILENT"].After(midnight(-1).Add(4*time.Hour)) || last["SILENT"].Before(midnight(-1)) {
		t.Errorf("the last came at %v", last)
	}
	if !classes["GOOD"][event.Config] || classes["MUTE"][event.Login] || !classes["MUTE"][event.Config] {
		t.Errorf("classes %v", classes)
	}
}

// What came by midnight does not hang on when one looks.
func TestTheSameDayGivesTheSameEvents(t *testing.T) {
	until := func(now time.Time) (out []scene.Batch) {
		batches, err := script().Play(stage(now))
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			if b.At.Before(midnight(0)) {
				out = append(out, b)
			}
		}
		return out
	}
	if a, b := until(now), until(now.Add(5*time.Hour)); !reflect.DeepEqual(a, b) || len(a) < 40 {
		t.Errorf("%d and %d batches until midnight, want the same", len(a), len(b))
	}
}

func TestAScriptThatCannotBePlayedIsRefused(t *testing.T) {
	for name, change := range map[string]func(*scene.Script){
		"a silence since never":        func(s *scene.Script) { s.Faults["GOOD"] = scene.Fault{Until: "yesterday"} },
		"a loss at no time":            func(s *scene.Script) { s.Faults["GOOD"] = scene.Fault{Lost: 1} },
		"an incident nowhere":          func(s *scene.Script) { s.Incidents[0].Source = "NOBODY" },
		"an incident at no time":       func(s *scene.Script) { s.Incidents[0].At = "" },
		"a source with nothing to say": func(s *scene.Script) { s.Lines = nil },
	} {
		s := script()
		if change(&s); func() error { _, err := s.Play(stage(now)); return err }() == nil {
			t.Errorf("%s was played", name)
		}
	}
}

func FuzzWhen(f *testing.F) {
	f.Add("-1 22:10")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if at, err := scene.When(text).In(midnight); err == nil && at.IsZero() {
			t.Errorf("%q is at %s", text, at)
		}
	})
}
