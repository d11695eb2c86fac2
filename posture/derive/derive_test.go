package derive_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/posture"
	"kakusho/server"
	"kakusho/verdict"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.FixedZone("JST", 9*60*60))

func day(n int) time.Time { return now.AddDate(0, 0, n) }

type values = map[string]any

// body is an installation whose rows are written through the gate.
type body struct {
	*server.Server
	t   *testing.T
	dir string
}

func found(t *testing.T) *body {
	b := &body{t: t, dir: t.TempDir()}
	b.open()
	t.Cleanup(func() { b.Close() })
	b.put(day(-400), "unit", values{"unit_id": "KK", "title": "架空県警察", "level": "prefecture", "prefecture": "99"})
	b.put(day(-400), "unit", values{"unit_id": "ST", "title": "見本警察署", "level": "station", "parent": "KK"})
	b.put(day(-400), "post", values{"post_id": "P", "title": "係長", "unit": "ST", "status": "active"})
	b.put(day(-400), "system", values{
		"system_id": "S", "title": "見本システム", "unit": "ST", "officer": "P", "maintainer": "P", "status": "in-service",
		"confidentiality": 2, "integrity": 2, "availability": 1, "internet": "none", "internet_reviewed_on": day(-30).Format(time.DateOnly),
	})
	return b
}

func (b *body) open() {
	s, err := server.New(b.t.Context(), server.Config{Data: b.dir, Now: func() time.Time { return now }, Interval: -1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.t.Fatal(err)
	}
	b.Server = s
}

// put enters or replaces an entry, as of an instant.
func (b *body) put(at time.Time, kindID string, v values) {
	b.t.Helper()
	var err error
	for rev := range int64(9) {
		if _, err = b.Register.Put(b.t.Context(), actor.Program, kindID, v, rev, at); err == nil {
			return
		}
	}
	b.t.Fatalf("put %s: %v", kindID, err)
}

func computer(no string, more values) values {
	v := values{"asset_no": no, "role": "terminal", "system": "S", "unit": "ST", "status": "in-service", "internet_declared": false}
	for name, x := range more {
		v[name] = x
	}
	return v
}

// report seals what one collector saw of a machine.
func (b *body) report(no, group string, at time.Time, seen values) {
	b.t.Helper()
	batch := fact.Batch{ID: fmt.Sprint(no, group, at), Subject: fact.NewRef("computer", no), Collector: group, Version: "1", Method: "test", Privilege: "root", ObservedAt: at}
	for name, v := range seen {
		batch.Facts = append(batch.Facts, fact.Fact{Field: name, Status: fact.Observed, Value: v})
	}
	if err := b.Intake.Accept(b.t.Context(), actor.Program, []fact.Batch{batch}, at); err != nil {
		b.t.Fatal(err)
	}
}

// connected reports where a machine stands in the network.
func (b *body) connected(no, address string, at time.Time) {
	b.t.Helper()
	b.report(no, "network", at, values{
		"listeners": []any{}, "interfaces": []any{values{"name": "eno1", "addresses": address, "up": true}}, "default_route": true,
		"dns_servers": []any{}, "firewall_active": true, "firewall_default_deny": true, "insecure_services": []any{},
	})
}

func (b *body) standing() *posture.Standing {
	b.t.Helper()
	who := actor.Actor{Person: "A", Assignments: []actor.Assignment{{Post: "P", Duty: actor.Auditor, Scope: "*"}}}
	p, err := b.Gate.Ask(b.t.Context(), gate.Request{Actor: who, At: now, Action: gate.Read, Object: "page/test"})
	if err != nil {
		b.t.Fatal(err)
	}
	st, err := b.Posture.Now(b.t.Context(), p, now)
	if err != nil {
		b.t.Fatal(err)
	}
	return st
}

// want says what a control makes of a subject now.
func (b *body) want(control, ref string, want verdict.Outcome) {
	b.t.Helper()
	sub, ok := b.standing().Named(ref)
	if !ok {
		b.t.Fatalf("no subject %s", ref)
	}
	for _, v := range sub.Verdicts() {
		if v.Control == control {
			if v.Outcome != want {
				b.t.Errorf("%s of %s: got %s, want %s; %v", control, ref, v.Outcome, want, v.Reasons)
			}
			return
		}
	}
	b.t.Errorf("%s does not judge %s", control, ref)
}

func TestAMachineThatStoppedReportingTakesNothingAwayFromTheOthers(t *testing.T) {
	const control = "mail-web/internet-connection-reviewed"
	b := found(t)
	b.put(day(-300), "computer", computer("PC-1", nil))
	b.put(day(-300), "computer", computer("PC-2", nil))
	b.put(day(-300), "computer", computer("PC-3", values{"status": "stored"}))
	b.connected("PC-1", "10.0.0.1/24", day(-1))
	b.want(control, "system/S", verdict.Conforms)
	b.connected("PC-2", "10.0.0.2/24", day(-40)) // and then no more
	b.connected("PC-3", "10.0.0.3/24", day(-90))
	b.want(control, "system/S", verdict.Conforms)
	b.connected("PC-1", "203.0.113.9/24", day(0))
	b.want(control, "system/S", verdict.Violates)
}

func TestADeclaredConnectionNeedsNoEvidence(t *testing.T) {
	b := found(t)
	b.put(day(-300), "computer", computer("PC-1", nil))
	b.connected("PC-1", "203.0.113.9/24", day(-40))
	b.put(day(-1), "system", values{
		"system_id": "S", "title": "見本システム", "unit": "ST", "officer": "P", "maintainer": "P", "status": "in-service",
		"confidentiality": 2, "integrity": 2, "availability": 1, "internet": "direct", "internet_reviewed_on": day(-30).Format(time.DateOnly),
	})
	sub, _ := b.standing().Named("system/S")
	if c := sub.Facts()["internet_connected"]; c.Fact.Value != true || c.Fresh != "" {
		t.Errorf("internet_connected: %v, to be fresh by %q; want true, by nothing", c.Fact.Value, c.Fresh)
	}
}

// A review entered in the register is no change of the system, before and after a
// restart alike; a new member is.
func TestADocumentIsOldAfterAChangeAndNotAfterAReview(t *testing.T) {
	const control = "document/up-to-date"
	b := found(t)
	b.put(day(-300), "computer", computer("PC-1", values{"last_counted_on": day(-310).Format(time.DateOnly)}))
	b.put(day(-100), "document", values{
		"document_no": "D", "title": "設計書", "system": "S", "type": "design", "owner": "P", "status": "current",
		"revised_on": day(-120).Format(time.DateOnly), "confirmed_on": day(-110).Format(time.DateOnly),
	})
	b.put(day(-60), "computer", computer("PC-1", values{"last_counted_on": day(-61).Format(time.DateOnly)}))
	b.want(control, "document/D", verdict.Conforms)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b.open()
	b.want(control, "document/D", verdict.Conforms)
	b.put(day(-40), "computer", computer("PC-2", nil))
	b.want(control, "document/D", verdict.Violates)
}

func TestALostMediumIsSeenWhereItIsPluggedIn(t *testing.T) {
	const control = "media/gone-not-seen"
	b := found(t)
	b.put(day(-300), "computer", computer("PC-1", nil))
	b.put(day(-300), "computer", computer("PC-2", nil))
	b.put(day(-200), "medium", values{
		"medium_no": "M", "type": "usb-memory", "unit": "ST", "custodian": "P", "serial": "AA1", "status": "lost", "lost_on": day(-20).Format(time.DateOnly),
	})
	plugged := func(no string, at time.Time, serials ...string) {
		media := []any{}
		for _, s := range serials {
			media = append(media, values{"device": "/dev/sdb", "serial": s})
		}
		b.report(no, "media", at, values{"usb_storage_policy": "blocked", "usb_policy_by": []any{}, "media_automount": false, "removable_media": media})
	}
	plugged("PC-1", day(-1), "BB2")
	plugged("PC-2", day(-60), "BB2") // has stopped reporting
	b.want(control, "medium/M", verdict.Conforms)
	plugged("PC-1", day(0), "AA1")
	b.want(control, "medium/M", verdict.Violates)
}

func TestValuesOfAPrefectureHoldInTheUnitsBelow(t *testing.T) {
	b := found(t)
	b.put(day(-300), "zone", values{"zone_no": "Z", "title": "執務室", "unit": "ST", "class": 2, "manager": "P", "status": "in-use", "reviewed_on": day(-100).Format(time.DateOnly)})
	b.want("physical/area-reviewed", "zone/Z", verdict.Conforms)
	b.set("phys.zone.register_review", "prefecture/99", "60d")
	b.want("physical/area-reviewed", "zone/Z", verdict.Violates)
}

// set determines a parameter, proposed by one and approved by another.
func (b *body) set(key, layer string, v any) {
	b.t.Helper()
	of := func(person string) actor.Actor {
		return actor.Actor{Person: person, Assignments: []actor.Assignment{{Post: "P", Duty: actor.SecurityAdministrator, Scope: "*"}}}
	}
	kept, err := b.Posture.Directive().Parameters[key].Check(v)
	if err != nil {
		b.t.Fatal(err)
	}
	said := decision.Prediction{Key: key, Layer: layer, Value: kept, From: day(-2)}
	id, err := b.Govern.Propose(b.t.Context(), of("A"), directive.Setting{Key: key, Layer: layer, Value: v, Source: "通達（見本）"}, day(-2))
	if err == nil {
		err = b.Govern.ApproveSetting(b.t.Context(), of("B"), id, said, said.Digest(), day(-1))
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
