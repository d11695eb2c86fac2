package server_test

import (
	"errors"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/govern"
	"kakusho/verdict"
)

// weak brings a password length that violates auth/password-length on every
// computer, and a clock that is right on CA-1.
func (b *body) weak() {
	b.t.Helper()
	for _, ref := range []fact.Ref{"computer/CA-1", "computer/CB-1"} {
		b.observe(ref, "authentication", b.Now(), values{"pw_min_length": int64(8)})
	}
	b.rightClock(10 * time.Millisecond)
}

func (b *body) rightClock(offset time.Duration) {
	b.t.Helper()
	b.observe("computer/CA-1", "clock", b.Now(), values{"time_offset": offset, "time_synchronized": true, "time_last_sync": b.Now()})
}

func deferralOfA(until time.Time) decision.Decision {
	return decision.Decision{Type: decision.Deferral, Subject: "system/A", Clause: "npa-r3@2.2.4", Reason: "更新まで", Measures: "監視の強化", Until: until}
}

func TestWhatADecisionNeeds(t *testing.T) {
	b := found(t)
	until := morning.AddDate(0, 6, 0)
	with := func(change func(*decision.Decision)) decision.Decision {
		d := deferralOfA(until)
		change(&d)
		return d
	}
	b.put(actor.Program, "system", values{"system_id": "C", "title": "運用開始日未登録", "unit": "DIV", "officer": "OFFICER-A", "maintainer": "MAINTAINER-A",
		"status": "in-service", "confidentiality": 1, "integrity": 1, "availability": 1, "internet": "none"})
	b.put(actor.Program, "system", values{"system_id": "D", "title": "施行日に運用開始", "unit": "DIV", "officer": "OFFICER-A", "maintainer": "MAINTAINER-A",
		"status": "in-service", "confidentiality": 1, "integrity": 1, "availability": 1, "internet": "none", "in_service_on": "2021-10-15"})
	b.put(actor.Program, "system", values{"system_id": "E", "title": "施行日の翌日", "unit": "DIV", "officer": "OFFICER-A", "maintainer": "MAINTAINER-A",
		"status": "in-service", "confidentiality": 1, "integrity": 1, "availability": 1, "internet": "none", "in_service_on": "2021-10-16"})
	b.put(actor.Program, "assignment", values{"assignment_no": "ALL-OFFICER", "post": "OFFICER-A", "person": "s-officer-a", "duty": "system-officer", "scope": "*", "from": "2026-04-01"})
	for _, c := range []struct {
		name  string
		d     decision.Decision
		field string // "" allowed
	}{
		{"a deferral of a system in service before 2021-10-15", deferralOfA(until), ""},
		{"a deferral of a system in service on that day", with(func(d *decision.Decision) { d.Subject = "system/D" }), ""},
		{"a deferral of a system in service a day later", with(func(d *decision.Decision) { d.Subject = "system/E" }), "subject"},
		{"a deferral of a system whose day is not known", with(func(d *decision.Decision) { d.Subject = "system/C" }), "subject"},
		{"a deferral of a computer", with(func(d *decision.Decision) { d.Subject = "computer/CA-1" }), "subject"},
		{"a deferral of nothing", with(func(d *decision.Decision) { d.Subject = "system/NONE" }), "subject"},
		{"a deferral without measures", with(func(d *decision.Decision) { d.Measures = "" }), "measures"},
		{"a deferral without a reason", with(func(d *decision.Decision) { d.Reason = "" }), "reason"},
		{"a deferral without an end", with(func(d *decision.Decision) { d.Until = time.Time{} }), "until"},
		{"a deferral without a clause", with(func(d *decision.Decision) { d.Clause = "" }), "clause"},
		{"a deferral of a clause that is none", with(func(d *decision.Decision) { d.Clause = "npa-r3@9.9.9" }), "clause"},
		{"a deferral of exactly a year", with(func(d *decision.Decision) { d.From, d.Until = morning, morning.Add(365*24*time.Hour) }), ""},
		{"a deferral a second longer", with(func(d *decision.Decision) { d.From, d.Until = morning, morning.Add(365*24*time.Hour+time.Second) }), "until"},
		{"a deferral that has ended", with(func(d *decision.Decision) { d.From, d.Until = morning.AddDate(0, -2, 0), morning.AddDate(0, -1, 0) }), "until"},
		{"a deferral that ends before it begins", with(func(d *decision.Decision) { d.From = until.Add(time.Hour) }), "until"},
		{"a condition that is no control", with(func(d *decision.Decision) { d.Conditions = []string{"auth/none"} }), "conditions"},
		{"no type", with(func(d *decision.Decision) { d.Type = "holiday" }), "type"},
		{"an exception where the clause has none", with(func(d *decision.Decision) {
			*d = decision.Decision{Type: decision.Exception, Subject: "computer/CA-1", Control: "auth/password-length", Reason: "x", Until: until}
		}), "control"},
		{"a special provision without consultation", with(func(d *decision.Decision) { d.Type = decision.Special }), "consulted"},
		{"a special provision for a computer", with(func(d *decision.Decision) {
			d.Type, d.Consulted, d.Subject = decision.Special, "協議録1号", "computer/CA-1"
		}), "subject"},
		{"an override of what is observed", with(func(d *decision.Decision) {
			*d = decision.Decision{Type: decision.Override, Subject: "computer/CA-1", Field: "pw_min_length", Value: int64(99), Reason: "x", Until: until}
		}), "field"},
		{"an override by what does not fit", with(func(d *decision.Decision) {
			*d = decision.Decision{Type: decision.Override, Subject: "computer/CA-1", Field: "zone_class", Value: "high", Reason: "x", Until: until}
		}), "value"},
		{"an override without an end", with(func(d *decision.Decision) {
			*d = decision.Decision{Type: decision.Override, Subject: "computer/CA-1", Field: "zone_class", Value: int64(3), Reason: "x"}
		}), "until"},
		{"an answer that is none of the control's", with(func(d *decision.Decision) {
			*d = decision.Decision{Type: decision.Attestation, Subject: "computer/CA-1", Control: "physical/security-wire", Answer: "perhaps", Reason: "x"}
		}), "answer"},
		{"an attestation of a control that asks for none", with(func(d *decision.Decision) {
			*d = decision.Decision{Type: decision.Attestation, Subject: "computer/CA-1", Control: "auth/password-length", Answer: "fitted", Reason: "x"}
		}), "control"},
		{"an attestation of another kind of thing", with(func(d *decision.Decision) {
			*d = decision.Decision{Type: decision.Attestation, Subject: "system/A", Control: "physical/security-wire", Answer: "fitted", Reason: "x"}
		}), "subject"},
	} {
		id, err := b.Govern.Give(b.ctx, b.as("s-officer-a"), c.d, b.Now())
		var faults govern.Faults
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: got %v, want taken", c.name, err)
		case c.field != "" && (!errors.As(err, &faults) || !hasField(faults, c.field)):
			t.Errorf("%s: got %q, %v, want a fault of %s", c.name, id, err, c.field)
		}
	}
	all, err := b.Govern.Of(b.ctx, b.permit(looker()), "")
	if err != nil || len(all) != 3 {
		t.Errorf("%d decisions were taken, %v, want the 3 allowed", len(all), err)
	}
	b.sound()
}

func hasField(fs govern.Faults, field string) bool {
	for _, f := range fs {
		if f.Field == field {
			return true
		}
	}
	return false
}

func TestRightsOverDecisionsAndParameters(t *testing.T) {
	b := found(t)
	until := morning.AddDate(0, 6, 0)
	give := func(d decision.Decision) func(actor.Actor) error {
		return func(who actor.Actor) error { _, err := b.Govern.Give(b.ctx, who, d, b.Now()); return err }
	}
	given := func(d decision.Decision) string {
		t.Helper()
		id, err := b.Govern.Give(b.ctx, b.as("s-officer-a"), d, b.Now())
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	approve := func(d decision.Decision) func(actor.Actor) error {
		return func(who actor.Actor) error {
			id := given(d)
			if d.Type == decision.Special {
				b.agree(id)
			}
			return b.Govern.Approve(b.ctx, who, id, b.Now())
		}
	}
	withdraw := func(who actor.Actor) error {
		return b.Govern.Withdraw(b.ctx, who, given(deferralOfA(until)), "不要", b.Now())
	}
	propose := func(layer string) func(actor.Actor) error {
		return func(who actor.Actor) error {
			_, err := b.Govern.Propose(b.ctx, who, setting("auth.pw.min_length", layer, 14), b.Now())
			return err
		}
	}
	approveSetting := func(who actor.Actor) error {
		id, err := b.Govern.Propose(b.ctx, b.as("s-admin"), setting("auth.pw.min_length", "national", 14), b.Now())
		if err != nil {
			t.Fatal(err)
		}
		return b.approveSetting(who, id)
	}
	special := decision.Decision{Type: decision.Special, Subject: "system/A", Clause: "npa-r3@2.2.4", Reason: "特性による", Consulted: "協議録1号", Until: until}
	wire := decision.Decision{Type: decision.Attestation, Subject: "computer/CA-1", Control: "physical/security-wire", Answer: "fitted", Reason: "現認"}
	facts := func(ref fact.Ref) func(actor.Actor) error {
		return func(who actor.Actor) error {
			return b.Intake.Accept(b.ctx, who, []fact.Batch{b.batch(ref, "banner", b.Now(), values{})}, b.Now())
		}
	}
	for _, c := range []struct {
		person string
		what   string
		do     func(actor.Actor) error
		allow  bool
	}{
		{"s-officer-a", "applies for a deferral of his system", give(deferralOfA(until)), true},
		{"s-chief", "applies for a deferral of any system", give(deferralOfA(until)), true},
		{"s-officer-b", "applies for a deferral of another system", give(deferralOfA(until)), false},
		{"s-maintainer-a", "applies for a deferral", give(deferralOfA(until)), false},
		{"s-operator", "applies for a deferral", give(deferralOfA(until)), false},
		{"s-officer-a", "approves his own deferral", approve(deferralOfA(until)), false},
		{"s-chief", "approves it", approve(deferralOfA(until)), true},
		{"s-admin", "approves it", approve(deferralOfA(until)), true},
		{"s-officer-b", "approves it", approve(deferralOfA(until)), false},
		{"s-maintainer-a", "approves it", approve(deferralOfA(until)), false},
		{"s-auditor", "approves it", approve(deferralOfA(until)), false},
		{"s-operator", "approves it", approve(deferralOfA(until)), false},
		{"s-admin", "approves a special provision", approve(special), true},
		{"s-officer-b", "approves a special provision", approve(special), false},
		{"s-maintainer-a", "attests of his system", give(wire), true},
		{"s-officer-a", "attests of his system", give(wire), true},
		{"s-maintainer-b", "attests of another system", give(wire), false},
		{"s-operator", "attests", give(wire), false},
		{"s-auditor", "attests", give(wire), false},
		{"s-maintainer-a", "withdraws a deferral of his system", withdraw, true},
		{"s-maintainer-b", "withdraws a deferral of another system", withdraw, false},
		{"s-auditor", "withdraws", withdraw, false},
		{"s-admin", "proposes a national value", propose("national"), true},
		{"s-officer-a", "proposes a value for his system", propose("system/A"), false},
		{"s-operator", "proposes a value", propose("national"), false},
		{"s-admin", "approves his own value", approveSetting, false},
		{"s-admin2", "approves another's value", approveSetting, true},
		{"s-chief", "approves a value", approveSetting, true},
		{"s-officer-a", "approves a value", approveSetting, false},
		{"s-operator", "approves a value", approveSetting, false},
		{"s-maintainer-a", "brings facts of his system", facts("computer/CA-1"), true},
		{"s-maintainer-b", "brings facts of another system", facts("computer/CA-1"), false},
		{"s-operator", "brings facts", facts("computer/CA-1"), false},
	} {
		err := c.do(b.as(c.person))
		switch {
		case c.allow && err != nil:
			t.Errorf("%s %s: got %v, want allowed", c.person, c.what, err)
		case !c.allow && !errors.Is(err, gate.ErrRefused):
			t.Errorf("%s %s: got %v, want refused", c.person, c.what, err)
		}
		b.tick(time.Second)
	}
	b.sound()
}

func setting(key, layer string, value any) directive.Setting {
	return directive.Setting{Key: key, Layer: layer, Value: value, Source: "通達1号"}
}

// give takes a decision by the officer of A and lets the chief approve it.
func (b *body) give(d decision.Decision) string {
	b.t.Helper()
	id, err := b.Govern.Give(b.ctx, b.as("s-officer-a"), d, b.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

// A special provision is agreed on before.
func (b *body) approve(id string) {
	b.t.Helper()
	for _, d := range b.decisions() {
		if d.ID == id && d.Type == decision.Special {
			b.agree(id)
		}
	}
	if err := b.Govern.Approve(b.ctx, b.as("s-chief"), id, b.Now()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *body) agree(id string) {
	b.t.Helper()
	if err := b.Govern.Note(b.ctx, b.as("s-admin2"), id, decision.Agreement, "期限までに更新する。", b.Now()); err != nil {
		b.t.Fatal(err)
	}
}

func TestADeferralCountsFromItsApprovalToItsEndByTheClockAlone(t *testing.T) {
	b := found(t)
	b.as("s-chief")
	b.weak()
	until := b.Now().Add(2 * time.Hour)
	const control = "auth/password-length"
	id := b.give(deferralOfA(until))
	b.as("s-chief")
	at := b.Now().Add(time.Minute)
	b.says("computer/CA-1", control, at.Add(-time.Second), verdict.Violates) // an application counts for nothing
	b.set(at)
	b.approve(id)
	b.says("computer/CA-1", control, at, verdict.Deferred)
	b.says("computer/CB-1", control, at, verdict.Violates) // another system's is not deferred
	v := b.verdict(at, "computer/CA-1", control)
	if v.Base != verdict.Violates || v.Decision != id || !v.NextChange.Equal(until) || v.ChangesTo != verdict.Violates {
		t.Errorf("got base %s decision %s next %s to %s", v.Base, v.Decision, v.NextChange, v.ChangesTo)
	}
	b.says("computer/CA-1", control, until.Add(-time.Second), verdict.Deferred)
	// The standing that was remembered does not outlive the end either.
	if st := b.standing(until.Add(-time.Second)); st.Until().After(until) {
		t.Errorf("the standing is remembered until %s, past the end %s", st.Until(), until)
	}
	b.says("computer/CA-1", control, until, verdict.Violates, until.Add(time.Second), verdict.Violates)
	if err := b.Govern.Approve(b.ctx, b.as("s-chief"), id, b.Now()); !errors.Is(err, govern.ErrState) {
		t.Errorf("approved twice: got %v, want ErrState", err)
	}
	b.sound()
}

func TestAWithdrawnDecisionEndsAtOnceAndStaysEnded(t *testing.T) {
	b := found(t)
	b.weak()
	const control = "auth/password-length"
	id := b.give(deferralOfA(b.Now().AddDate(0, 6, 0)))
	b.approve(id)
	b.tick(time.Minute)
	b.says("computer/CA-1", control, b.Now(), verdict.Deferred)
	if err := b.Govern.Withdraw(b.ctx, b.as("s-officer-a"), id, "", b.Now()); err == nil {
		t.Error("withdrawn without a reason")
	}
	if err := b.Govern.Withdraw(b.ctx, b.as("s-officer-a"), id, "改善した", b.Now()); err != nil {
		t.Fatal(err)
	}
	b.says("computer/CA-1", control, b.Now(), verdict.Violates, b.Now().Add(time.Second), verdict.Violates)
	for what, err := range map[string]error{
		"withdrawn again": b.Govern.Withdraw(b.ctx, b.as("s-officer-a"), id, "x", b.Now()),
		"approved":        b.Govern.Approve(b.ctx, b.as("s-chief"), id, b.Now()),
	} {
		if !errors.Is(err, govern.ErrState) {
			t.Errorf("%s: got %v, want ErrState", what, err)
		}
	}
	if err := b.Govern.Approve(b.ctx, b.as("s-chief"), "none", b.Now()); !errors.Is(err, govern.ErrNone) {
		t.Errorf("what is not there: got %v, want ErrNone", err)
	}
	rejected := b.give(deferralOfA(b.Now().AddDate(0, 6, 0))) // an application can be rejected
	if err := b.Govern.Withdraw(b.ctx, b.as("s-chief"), rejected, "認めない", b.Now()); err != nil {
		t.Fatal(err)
	}
	if err := b.Govern.Approve(b.ctx, b.as("s-chief"), rejected, b.Now()); !errors.Is(err, govern.ErrState) {
		t.Errorf("a rejected application approved: got %v, want ErrState", err)
	}
	b.sound()
}

func TestADecisionIsVoidAsSoonAsItsConditionFails(t *testing.T) {
	b := found(t)
	b.as("s-chief")
	b.weak()
	const control = "auth/password-length"
	d := deferralOfA(b.Now().AddDate(0, 0, 20))
	d.Conditions = []string{"server/clock-offset"}
	b.approve(b.give(d))
	b.says("computer/CA-1", control, b.Now(), verdict.Deferred)

	b.tick(time.Minute)
	b.rightClock(5 * time.Second)
	b.says("computer/CA-1", "server/clock-offset", b.Now(), verdict.Violates)
	b.says("computer/CA-1", control, b.Now(), verdict.Violates)

	b.tick(time.Minute)
	b.rightClock(10 * time.Millisecond)
	b.says("computer/CA-1", control, b.Now(), verdict.Deferred)

	// The condition's evidence goes stale after a day, by the clock alone: then
	// nobody can say whether the deferral holds.
	stale := b.Now().Add(24 * time.Hour)
	b.says("computer/CA-1", "server/clock-offset", stale.Add(-time.Second), verdict.Conforms)
	b.says("computer/CA-1", control, stale.Add(-time.Second), verdict.Deferred)
	b.says("computer/CA-1", "server/clock-offset", stale, verdict.Unknown)
	b.says("computer/CA-1", control, stale, verdict.Unknown)
	b.sound()
}

func TestAConditionOfAnotherMachineThatFailsOnlyByTheClockEndsADecision(t *testing.T) {
	b := found(t)
	terminal := computer("CA-1", "A")
	terminal["role"] = "terminal" // whose clock the condition is not about
	b.put(actor.Program, "computer", terminal)
	b.put(actor.Program, "computer", computer("CA-2", "A"))
	b.observe("computer/CA-1", "authentication", b.Now(), values{"pw_min_length": int64(8)})
	seen := b.Now()
	b.observe("computer/CA-2", "clock", seen, values{"time_offset": time.Millisecond, "time_synchronized": true, "time_last_sync": seen})
	const control = "auth/password-length"
	d := deferralOfA(b.Now().AddDate(0, 0, 20))
	d.Conditions = []string{"server/clock-offset"}
	b.approve(b.give(d))
	stale := seen.Add(24 * time.Hour)
	v := b.verdict(b.Now(), "computer/CA-1", control)
	if v.Outcome != verdict.Deferred || !v.NextChange.Equal(stale) {
		t.Errorf("got %s until %s, want deferred until its condition is not known, %s", v.Outcome, v.NextChange, stale)
	}
	b.says("computer/CA-1", control, stale.Add(-time.Second), verdict.Deferred, stale, verdict.Unknown)
	b.sound()
}

func TestTheClausesOwnExceptionAndASpecialProvisionCountLikewise(t *testing.T) {
	b := found(t)
	b.as("s-chief")
	b.clear()
	b.weak()
	until := b.Now().Add(3 * time.Hour)
	for _, c := range []struct {
		d       decision.Decision
		control string
		want    verdict.Outcome
	}{
		{withUntil(difficult("CA-1"), until), "crypto/disk-encryption", verdict.Excepted},
		{decision.Decision{Type: decision.Special, Subject: "system/A", Clause: "npa-r3@2.2.4", Reason: "特性", Consulted: "協議録1号", Until: until}, "auth/password-length", verdict.Special},
	} {
		b.says("computer/CA-1", c.control, b.Now(), verdict.Violates)
		id := b.give(c.d)
		b.says("computer/CA-1", c.control, b.Now(), verdict.Violates)
		if err := b.Govern.Approve(b.ctx, b.as("s-officer-a"), id, b.Now()); !errors.Is(err, gate.ErrRefused) {
			t.Errorf("%s approved by its author: got %v, want refused", c.d.Type, err)
		}
		b.approve(id)
		b.says("computer/CA-1", c.control, b.Now(), c.want)
	}
	b.says("computer/CA-1", "crypto/disk-encryption", until.Add(-time.Second), verdict.Excepted)
	b.says("computer/CA-1", "auth/password-length", until.Add(-time.Second), verdict.Special)
	b.says("computer/CA-1", "crypto/disk-encryption", until, verdict.Violates)
	b.says("computer/CA-1", "auth/password-length", until, verdict.Violates)
	// What is not known is never excepted: the evidence goes stale, the exception does not help.
	b.says("computer/CA-1", "crypto/disk-encryption", morning.AddDate(0, 0, 8), verdict.Unknown)
	b.sound()
}

func TestAnOverrideOfADerivedValueIsApprovedAndEnds(t *testing.T) {
	b := found(t)
	b.as("s-chief")
	const control = "physical/security-wire"
	before := b.verdict(b.Now(), "computer/CA-1", control).Outcome
	until := b.Now().Add(3 * time.Hour)
	id := b.give(decision.Decision{Type: decision.Override, Subject: "computer/CA-1", Field: "zone_class", Value: int64(3), Reason: "区域の登録前", Until: until})
	b.says("computer/CA-1", control, b.Now(), before)
	b.approve(id)
	b.says("computer/CA-1", control, b.Now(), verdict.Excepted, until.Add(-time.Second), verdict.Excepted, until, before)
	b.sound()
}

func TestAnAttestationHoldsAsLongAsItsParameterSays(t *testing.T) {
	b := found(t)
	const control = "physical/security-wire"
	b.put(actor.Program, "zone", values{"zone_no": "Z-1", "title": "事務室", "unit": "DIV", "class": 2, "manager": "STATION", "status": "in-use"})
	v := computer("CA-1", "A")
	v["zone"], v["storage"], v["hard_to_carry"] = "Z-1", "open", false
	b.put(actor.Program, "computer", v)
	b.says("computer/CA-1", control, b.Now(), verdict.Unknown) // nobody has looked
	who := b.as("s-maintainer-a")
	at := b.Now()
	for _, answer := range []string{"missing", "fitted"} {
		if _, err := b.Govern.Give(b.ctx, who, decision.Decision{Type: decision.Attestation, Subject: "computer/CA-1", Control: control, Answer: answer, Reason: "現認"}, b.Now()); err != nil {
			t.Fatal(err)
		}
		at = b.Now()
		b.says("computer/CA-1", control, at, map[string]verdict.Outcome{"missing": verdict.Violates, "fitted": verdict.Conforms}[answer])
		b.tick(time.Minute)
	}
	if b.verdict(b.Now(), "computer/CA-1", control).NextChange.IsZero() {
		t.Fatal("an attestation never goes stale")
	}
	fresh, err := b.Govern.Values(b.ctx, directive.Scope{}, b.Now())
	if err != nil {
		t.Fatal(err)
	}
	end := at.Add(fresh["fresh.attest.physical"].Value.(time.Duration))
	b.says("computer/CB-1", control, b.Now(), verdict.Unknown) // it is about one machine
	b.says("computer/CA-1", control, end.Add(-time.Second), verdict.Conforms, end, verdict.Unknown)
	b.sound()
}

func TestAParameterChangesTheVerdictsOfItsLayerFromItsDate(t *testing.T) {
	b := found(t)
	b.as("s-admin")
	b.as("s-admin2")
	for _, ref := range []fact.Ref{"computer/CA-1", "computer/CB-1"} {
		b.observe(ref, "authentication", b.Now(), values{"pw_min_length": int64(13)})
	}
	const control, key = "auth/password-length", "auth.pw.min_length" // 12
	propose := func(layer string, value any, from time.Time) string {
		t.Helper()
		s := setting(key, layer, value)
		s.From = from
		id, err := b.Govern.Propose(b.ctx, b.as("s-admin"), s, b.Now())
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	approve := func(id string) {
		t.Helper()
		if err := b.approveSetting(b.as("s-admin2"), id); err != nil {
			t.Fatal(err)
		}
	}
	a, other := fact.Ref("computer/CA-1"), fact.Ref("computer/CB-1")
	b.says(a, control, b.Now(), verdict.Conforms)

	from := b.Now().Add(2 * time.Minute)
	id := propose("system/A", 14, from)
	b.says(a, control, b.Now(), verdict.Conforms) // proposed only
	approve(id)
	if v := b.verdict(b.Now(), a, control); v.Outcome != verdict.Conforms || !v.NextChange.Equal(from) || v.ChangesTo == verdict.Conforms {
		t.Errorf("before it counts: got %s until %s (then %q), want conforms until %s", v.Outcome, v.NextChange, v.ChangesTo, from)
	}
	b.says(a, control, from.Add(-time.Second), verdict.Conforms, from, verdict.Violates)
	b.says(other, control, from, verdict.Conforms)
	v := b.verdict(from, a, control)
	if len(v.Reasons) == 0 || v.Reasons[0].Parameter != key || v.Reasons[0].Layer != "system/A" {
		t.Errorf("the reason does not name the parameter and its layer: %+v", v.Reasons)
	}
	b.set(from.Add(time.Minute))

	// A wider layer tightens everybody.
	b.tick(time.Minute)
	b.observe(other, "authentication", b.Now(), values{"pw_min_length": int64(11)})
	b.says(other, control, b.Now(), verdict.Violates)
	b.tick(time.Minute)
	b.observe(other, "authentication", b.Now(), values{"pw_min_length": int64(13)})
	national := propose("national", 16, b.Now())
	approve(national)
	b.says(a, control, b.Now(), verdict.Violates)
	b.says(other, control, b.Now(), verdict.Violates)
	if err := b.Govern.EndSetting(b.ctx, b.as("s-admin"), national, "誤り", b.Now()); !errors.Is(err, govern.ErrState) {
		t.Errorf("an approved value was ended by one person: %v", err)
	}
	b.says(other, control, b.Now(), verdict.Violates)
	b.tick(time.Minute)
	approve(propose("national", 12, b.Now()))
	b.says(a, control, b.Now(), verdict.Violates) // its own layer still asks for 14
	b.says(other, control, b.Now(), verdict.Conforms)
	b.sound()
}

func TestAValueDoesNotCountBeforeItWasApproved(t *testing.T) {
	b := found(t)
	const key = "auth.pw.min_length"
	propose := func(value int, from time.Time) string {
		t.Helper()
		s := setting(key, "national", value)
		s.From = from
		id, err := b.Govern.Propose(b.ctx, b.as("s-admin"), s, b.Now())
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	approve := func(id string) time.Time {
		t.Helper()
		who := b.as("s-admin2")
		if err := b.approveSetting(who, id); err != nil {
			t.Fatal(err)
		}
		return b.Now()
	}
	backdated := propose(14, morning.AddDate(0, -1, 0))
	approve(propose(16, b.Now()))
	b.tick(time.Minute)
	at := approve(backdated) // later than the other, whatever it says of its beginning
	v, err := b.Govern.Values(b.ctx, directive.Scope{}, b.Now())
	if err != nil {
		t.Fatal(err)
	}
	if got := v[key]; got.Value != int64(14) || !got.From.Equal(at) || got.Setting != backdated {
		t.Errorf("got %v from %s, want 14 from its approval %s", got.Value, got.From, at)
	}
	b.sound()
}

func TestWhatAParameterDoesNotTake(t *testing.T) {
	b := found(t)
	stricter, err := b.Govern.Propose(b.ctx, b.as("s-admin"), setting("auth.lockout.threshold", "prefecture/98", 4), b.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.approveSetting(b.as("s-admin2"), stricter); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		s     directive.Setting
		field string
	}{
		{"no such key", setting("auth.pw.colour", "national", 1), "key"},
		{"a text for a number", setting("auth.pw.min_length", "national", "long"), "value"},
		{"a number out of bounds", setting("auth.pw.min_length", "national", -1), "value"},
		{"no value", setting("auth.pw.min_length", "national", nil), "value"},
		{"a system's value looser than the nation's", setting("auth.pw.min_length", "system/A", 8), "value"},
		{"a prefecture's value looser than the nation's", setting("auth.pw.min_length", "prefecture/98", 11), "value"},
		{"a system's value looser than its prefecture's", setting("auth.lockout.threshold", "system/A", 5), "value"},
		{"a longer list where only fewer is stricter", setting("defer.measures", "system/A", []any{"other", "supervised-use"}), ""},
		{"a prefecture's value where none is stricter", setting("time.zone", "prefecture/98", "UTC"), "layer"},
		{"a system that is in no register", setting("auth.pw.min_length", "system/NONE", 14), "layer"},
		{"a layer that is none", setting("auth.pw.min_length", "galaxy", 14), "layer"},
		{"no source", directive.Setting{Key: "auth.pw.min_length", Layer: "national", Value: 14}, "source"},
		{"an end before the beginning", directive.Setting{Key: "auth.pw.min_length", Layer: "national", Value: 14, Source: "x", From: morning, Until: morning.Add(-time.Hour)}, "until"},
	} {
		_, err := b.Govern.Propose(b.ctx, b.as("s-admin"), c.s, b.Now())
		var faults govern.Faults
		if c.field == "" {
			if err != nil {
				t.Errorf("%s: got %v, want taken", c.name, err)
			}
			continue
		}
		if !errors.As(err, &faults) || !hasField(faults, c.field) {
			t.Errorf("%s: got %v, want a fault of %s", c.name, err, c.field)
		}
	}
	b.sound()
}
