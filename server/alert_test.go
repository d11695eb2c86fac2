package server_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/event"
	"kakusho/gate"
	"kakusho/register"
	"kakusho/server"
)

// What is taken at a door is looked at by the rules that ship, and stands in the
// register for people within a moment.
func TestRepeatedFailuresAtADoorBecomeAnAlert(t *testing.T) {
	s, err := server.New(t.Context(), server.Config{Data: t.TempDir(), Now: time.Now, Interval: -1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { s.Events.Run(ctx) })
	defer wg.Wait()
	defer stop()
	who := actor.Actor{Person: "A", Assignments: []actor.Assignment{{Post: "P", Duty: actor.SystemOfficer, Scope: "*"}}}
	for range 200 {
		// The watch begins with what comes after it; until it has begun, more is sent.
		_, err := s.Events.Ingest.Accept(t.Context(), event.Batch{Origin: event.Origin{Door: "syslog-tcp", Address: "10.0.0.9", Host: "pc1"}, Events: []event.Event{{
			At: time.Now(), Clock: event.ClockSource, Device: "pc1", Format: "rfc5424", Fields: map[string]string{event.App: "sshd"},
			Text: "Failed password for taro from 10.0.0.9 port 50022 ssh2"}}}, false)
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Gate.Ask(t.Context(), gate.Request{Actor: who, At: time.Now(), Action: gate.Read, Object: "page/test"})
		if err != nil {
			t.Fatal(err)
		}
		page, err := s.Register.List(t.Context(), p, register.Query{Kind: "alert"})
		if err != nil {
			t.Fatal(err)
		}
		// The machine may have an alert of its own: that its disk fills up.
		i := slices.IndexFunc(page.Entries, func(e register.Entry) bool { return e.Values["rule"] == "login_failures_repeated" })
		if i >= 0 {
			e := page.Entries[i]
			if e.Values["account"] != "taro" || e.Values["state"] != "open" || e.ChangedBy != actor.Program.Person {
				t.Errorf("%+v", e)
			}
			if wait := e.Values["deadline"].(time.Time).Sub(e.Values["raised_at"].(time.Time)); wait != 24*time.Hour {
				t.Errorf("to be looked into within %v, want the parameter's day", wait)
			}
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("no alert; watched: %+v", s.Events.Watch.Stats())
}
