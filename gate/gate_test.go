package gate_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/gate"
	"kakusho/trail"
)

var at = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

func as(person string, assignments ...actor.Assignment) actor.Actor {
	return actor.Actor{Person: person, Name: person, Assignments: assignments}
}

func holds(d actor.Duty, scope string) actor.Assignment {
	return actor.Assignment{Post: "P", Duty: d, Scope: scope}
}

// log is a real trail as recorder.
type log struct{ *trail.Log }

func (l log) Append(ctx context.Context, es ...trail.Entry) (int64, error) {
	return l.Log.Append(ctx, es...)
}

func open(t *testing.T) (*gate.Gate, *trail.Log) {
	t.Helper()
	l, err := trail.Open(t.TempDir(), trail.Options{Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return gate.New(log{l}), l
}

func last(t *testing.T, l *trail.Log) trail.Sealed {
	t.Helper()
	e, err := l.Get(l.Len() - 1)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestRights is the policy as people read it: who, what, where, and the answer.
func TestRights(t *testing.T) {
	officer := as("O", holds(actor.SystemOfficer, "system/S1"))
	national := as("N", holds(actor.SecurityAdministrator, "*"))
	auditor := as("A", holds(actor.Auditor, "*"))
	operator := as("R", holds(actor.Operator, "*"))
	staff := as("S", holds(actor.Staff, "unit/U1"))
	unit := as("M", holds(actor.OperationsManager, "unit/U1"))
	nobody := actor.Actor{}
	for _, c := range []struct {
		who    actor.Actor
		action gate.Action
		scope  string
		need   actor.Duty
		want   string // allow, or the reason why not
	}{
		{staff, gate.Read, "unit/U1", "", "allow"},
		{nobody, gate.Read, "unit/U1", "", "not-logged-in"},
		{as("X"), gate.Read, "", "", "no-duty"},
		{staff, gate.ReadTrail, "unit/U1", "", "no-duty"},
		{auditor, gate.ReadTrail, "", "", "allow"},
		{operator, gate.ReadTrail, "", "", "no-duty"},
		{officer, gate.PutRegister, "system/S1", "", "allow"},
		{officer, gate.PutRegister, "system/S2", "", "no-duty"},
		{officer, gate.PutRegister, "", "", "no-duty"},
		{auditor, gate.PutRegister, "system/S1", "", "no-duty"},
		{operator, gate.PutRegister, "system/S1", "", "no-duty"},
		{operator, gate.PutRegister, "", actor.Operator, "allow"},
		{unit, gate.PutRegister, "unit/U1", actor.OperationsManager, "allow"},
		{unit, gate.PutRegister, "unit/U1", "", "no-duty"},
		{officer, gate.GiveDecision, "system/S1", "", "allow"},
		{operator, gate.GiveDecision, "system/S1", "", "no-duty"},
		{auditor, gate.GiveDecision, "system/S1", "", "no-duty"},
		{staff, gate.ApproveDecision, "unit/U1", "", "no-duty"},
		{national, gate.ApproveDecision, "system/S1", "", "allow"},
		{national, gate.SetParameter, "national", "", "allow"},
		{officer, gate.SetParameter, "system/S1", "", "no-duty"},
		{officer, gate.Export, "system/S1", "", "allow"},
		{staff, gate.Export, "unit/U1", "", "no-duty"},
		{operator, gate.Invite, "", "", "allow"},
		{national, gate.Invite, "", "", "no-duty"},
		{nobody, gate.Login, "", "", "allow"},
		{national, gate.Start, "", "", "no-duty"},
		{actor.Program, gate.Start, "", "", "allow"},
		{actor.Program, gate.PutFacts, "", "", "allow"},
		{actor.Program, gate.ApproveDecision, "", "", "not-for-the-program"},
		{actor.Program, gate.GiveDecision, "", "", "not-for-the-program"},
		{actor.Program, gate.ReadTrail, "", "", "allow"}, // decisions/0012: a command at the machine
		{actor.Program, gate.RetireTrail, "", "", "allow"},
		{actor.Program, gate.ArchiveTrail, "", "", "allow"},
		{actor.Program, gate.AddSender, "", "", "allow"},
		{national, gate.RetireTrail, "", "", "allow"},
		{operator, gate.RetireTrail, "", "", "no-duty"},
		{auditor, gate.RetireTrail, "", "", "no-duty"},
		{nobody, gate.RetireTrail, "", "", "not-logged-in"},
		{operator, gate.AddSender, "", "", "allow"},
		{auditor, gate.AddSender, "", "", "no-duty"},
		{officer, gate.EndSender, "", "", "no-duty"},
		{national, "format.disk", "", "", "no-such-action"},
	} {
		g, l := open(t)
		r := gate.Request{Actor: c.who, At: at, Action: c.action, Object: "computer/PC-1"}
		if c.scope != "" {
			r.Scope = []string{c.scope}
		}
		if c.need != "" {
			r.Need = []actor.Duty{c.need}
		}
		_, err := g.Ask(t.Context(), r)
		got := "allow"
		if errors.Is(err, gate.ErrRefused) {
			got = err.Error()[strings.LastIndex(err.Error(), ": ")+2:]
		} else if err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("%s asks %s at %q: got %s, want %s", c.who.Person, c.action, c.scope, got, c.want)
		}
		e := last(t, l)
		wantKind := string(c.action)
		if c.want != "allow" {
			wantKind = "gate.refused"
		}
		if e.Kind != wantKind || e.Actor != c.who.Person || e.Object != "computer/PC-1" {
			t.Errorf("%s asks %s: sealed %+v, want kind %s", c.who.Person, c.action, e.Entry, wantKind)
		}
	}
}

func TestNobodyApprovesHisOwn(t *testing.T) {
	g, l := open(t)
	who := as("N", holds(actor.SecurityAdministrator, "*"))
	_, err := g.Ask(t.Context(), gate.Request{Actor: who, At: at, Action: gate.ApproveDecision, Object: "system/S1", NotBy: []string{"N"}})
	if !errors.Is(err, gate.ErrRefused) {
		t.Fatalf("approving one's own: got %v, want a refusal", err)
	}
	if e := last(t, l); !strings.Contains(string(e.Body), "own-request") {
		t.Errorf("the refusal says %s, want own-request", e.Body)
	}
}

func TestTheSealedEntryIsTheChange(t *testing.T) {
	g, l := open(t)
	p, err := g.Ask(t.Context(), gate.Request{
		Actor: as("O", holds(actor.SystemOfficer, "*")), At: at, Action: gate.PutRegister, Object: "computer/PC-1", Control: "auth/x",
		Changes: []gate.Change{{Body: map[string]int{"a": 1}}, {Object: "computer/PC-2", Body: map[string]int{"a": 2}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if p.Who().Person != "O" || p.First() != 0 || l.Len() != 2 {
		t.Fatalf("permit of %s at %d, %d entries; want O at 0, 2 entries", p.Who().Person, p.First(), l.Len())
	}
	e := last(t, l)
	var body map[string]int
	if err := json.Unmarshal(e.Body, &body); err != nil || body["a"] != 2 || e.Object != "computer/PC-2" || e.Post != "P" {
		t.Errorf("second entry %+v %s, want computer/PC-2 {a:2} by post P", e.Entry, e.Body)
	}
}

// A trail that cannot take the entry makes every answer no, also the refusal's.
func TestWhatCannotBeRecordedIsNotAllowed(t *testing.T) {
	g, l := open(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := g.Ask(t.Context(), gate.Request{Actor: actor.Program, At: at, Action: gate.Start})
	if err == nil || errors.Is(err, gate.ErrRefused) {
		t.Fatalf("allowed without a record: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("an empty permit named somebody")
		}
	}()
	p.Who()
}
