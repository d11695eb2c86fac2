package dates_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"kakusho/control"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/posture/dates"
	"kakusho/verdict"
)

var (
	kinds = kind.Default()
	book  = directive.Default()
	now   = time.Date(2026, 11, 2, 10, 0, 0, 0, time.FixedZone("JST", 9*60*60))
)

const day = 24 * time.Hour

// Which of the controls that ship a date turns. Those that a machine's next look
// answers are not among them.
func TestWhatADateTurns(t *testing.T) {
	rules, err := judge.Rules(control.Default(kinds, book), kinds, book)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{
		"auth/account-reviewed": true, "auth/admin-account-justified": true, "crypto/certificates-in-date": true, "crypto/key-rotation": true, "mail-web/registration-in-force": true,
		"media/loan-returned": true, "outsourcing/certificate-valid": true, "network/device-rules-reviewed": true, "phone/counted": true,
		"malware/definitions-fresh": false, "malware/full-scan": false, "auth/inactive-accounts": false, "auth/password-length": false,
	}
	for _, r := range rules {
		_, dated := dates.Of(r)
		if expect, named := want[r.Control().ID]; named && dated != expect {
			t.Errorf("%s: a date turns it: got %v, want %v", r.Control().ID, dated, expect)
		}
		delete(want, r.Control().ID)
	}
	for id := range want {
		t.Errorf("no control %s", id)
	}
}

// Each line is a rule about a medium, its dates, and the next turn within thirty days
// or the last one that was.
func TestTheTurnOfARule(t *testing.T) {
	values := book.Parameters.Resolve(nil, directive.Scope{}, now)
	count, ok := values["media.inventory.count"].Value.(time.Duration)
	if !ok {
		t.Fatal("media.inventory.count is no length of time")
	}
	at := func(d time.Duration) time.Time { return now.Add(d) }
	type cells = map[string]any
	for i, c := range []struct {
		rule  string
		cells cells
		turn  time.Time // zero: none
		field string
		past  bool
	}{
		{"now < s.loaned_until", cells{"loaned_until": at(10 * day)}, at(10 * day), "loaned_until", false},
		{"now < s.loaned_until", cells{"loaned_until": at(0)}, at(0), "loaned_until", true},
		{"now < s.loaned_until", cells{"loaned_until": at(31 * day)}, time.Time{}, "", false},
		{"now < s.loaned_until", cells{"loaned_until": at(-10 * day)}, at(-10 * day), "loaned_until", true},
		{"now < s.loaned_until", cells{}, time.Time{}, "", false},
		{"s.loaned_until <= now", cells{"loaned_until": at(10 * day)}, time.Time{}, "", true}, // it turns for the better
		{"s.loaned_until <= now", cells{"loaned_until": at(10 * day)}, time.Time{}, "", false},
		{"now - s.last_counted_on <= p.media_inventory_count", cells{"last_counted_on": at(-count)}, at(0), "last_counted_on", false}, // this very instant it still holds
		{"now - s.last_counted_on <= p.media_inventory_count", cells{"last_counted_on": at(10*day - count)}, at(10 * day), "last_counted_on", false},
		{"now - s.last_counted_on <= p.media_inventory_count", cells{"last_counted_on": at(-10*day - count)}, at(-10 * day), "last_counted_on", true},
		{"now - s.last_counted_on <= p.media_inventory_count || now < s.loaned_until", cells{"last_counted_on": at(5*day - count), "loaned_until": at(10 * day)}, at(10 * day), "loaned_until", false},
		{"now - s.last_counted_on <= p.media_inventory_count && now < s.loaned_until", cells{"last_counted_on": at(5*day - count), "loaned_until": at(10 * day)}, at(5 * day), "last_counted_on", false},
		{`s.type == "usb-memory"`, cells{"type": "usb-memory"}, time.Time{}, "", false},
	} {
		test := control.Control{ID: "test/rule", Kinds: []string{"medium"}, Rule: c.rule, Applies: "true"}
		for _, name := range []string{"last_counted_on", "loaned_until", "type"} {
			if strings.Contains(c.rule, "s."+name) {
				test.Needs = append(test.Needs, name)
			}
		}
		if strings.Contains(c.rule, "p.") {
			test.Parameters = []string{"media.inventory.count"}
		}
		r, err := judge.Compile(test, kinds, book.Parameters)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		s := judge.Subject{Ref: "medium/M-1", Facts: map[string]judge.Cell{}, Declared: map[string]judge.Cell{}}
		for name, v := range c.cells {
			s.Declared[name] = judge.Cell{Fact: fact.Fact{Field: name, Status: fact.Observed, Value: v}, ObservedAt: at(-400 * day), ReceivedAt: at(-400 * day)}
		}
		for _, f := range kinds["medium"].Layer(kind.Declared) {
			if _, ok := s.Declared[f.Name]; !ok {
				s.Declared[f.Name] = judge.Cell{Fact: fact.Fact{Field: f.Name, Status: fact.Absent, Reason: "blank"}, ObservedAt: at(-400 * day), ReceivedAt: at(-400 * day)}
			}
		}
		s.Facts = maps.Clone(s.Declared)
		d, dated := dates.Of(r)
		outcome := func(t time.Time) verdict.Outcome { return r.Judge(s, values, t, nil).Outcome }
		turn, found := d.Turns(&s, values).Next(now, at(30*day), outcome)
		if c.past {
			turn, found = d.Turns(&s, values).Last(now, outcome)
		}
		if found != !c.turn.IsZero() || found && (!turn.At.Equal(c.turn) || turn.Field != c.field || turn.To != verdict.Violates) {
			t.Errorf("%d: %s with %v: got %v %+v, want %s of %q (dated: %v)", i, c.rule, c.cells, found, turn, c.turn, c.field, dated)
		}
	}
}
