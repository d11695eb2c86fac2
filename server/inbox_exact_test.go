package server_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/posture"
	"kakusho/register"
	"kakusho/web/inbox/due"
)

// After every change, and however the time passes, an inbox that remembers is the one
// that a reader with nothing to remember works out.
func TestAnInboxThatRemembersIsTheOneWorkedOutAnew(t *testing.T) {
	b := found(t)
	r := rand.New(rand.NewPCG(8, 1))
	items := 0
	for step := range 60 {
		done := fmt.Sprintf("%d, after %s", step, b.happens(r, step))
		for _, person := range []string{"s-maintainer-a", "s-officer-a", "s-admin", "s-all"} {
			items += b.sameInbox(person, done)
		}
		b.sameDates(done)
	}
	if items < 2000 {
		t.Errorf("%d items were compared: too few to show anything", items)
	}
}

// What a date does rests on more than the entry that holds it: each of these changes
// beside an entry whose dates were looked at before.
func TestWhatIsRememberedOfADateEndsWithWhatItRestsOn(t *testing.T) {
	certificate := func(b *body, seen time.Time, ends time.Duration) {
		b.observe("computer/CA-1", "key", seen, values{"tls_listeners": []any{values{"address": "0.0.0.0", "port": int64(443), "not_after": seen.Add(ends)}}})
	}
	account := func(b *body, reviewed string) {
		b.put(actor.Program, "account", values{"account_no": "AC-1", "system": "A", "name": "tanaka", "person": "s-staff", "use": "individual", "status": "active",
			"issued_on": "2025-01-01", "reviewed_on": reviewed, "admin": false, "shared": false})
	}
	determine := func(b *body, s directive.Setting) {
		id, err := b.Govern.Propose(b.ctx, b.as("s-admin"), s, b.Now())
		if err == nil {
			err = b.approveSetting(b.as("s-chief"), id)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	for name, steps := range map[string][]func(*body){
		"evidence grows old before the certificate ends": {
			func(b *body) { certificate(b, b.Now(), 9*day) }, func(b *body) { b.tick(8 * day) }, func(b *body) { b.tick(2 * day) }},
		"a certificate ends while it is looked at again and again": {
			func(b *body) { certificate(b, b.Now(), 9*day) }, func(b *body) { b.tick(6 * day) }, func(b *body) { certificate(b, b.Now(), 3*day) }, func(b *body) { b.tick(4 * day) }},
		"a shorter interval is determined": {
			func(b *body) { account(b, "2026-10-20") }, func(b *body) { determine(b, setting("acct.review_months", "system/A", 40*day)) }, func(b *body) { b.tick(20 * day) }},
		"one that was determined begins": {
			func(b *body) { account(b, "2026-10-20") },
			func(b *body) {
				s := setting("acct.review_months", "system/A", 40*day)
				s.From = b.Now().Add(10 * day)
				determine(b, s)
			},
			func(b *body) { b.tick(11 * day) }, func(b *body) { b.tick(20 * day) }},
		"the condition of a deferral breaks": {
			func(b *body) { account(b, "2026-04-20") },
			func(b *body) {
				b.observe("computer/CA-1", "authentication", b.Now(), values{"pw_min_length": int64(16)})
				d := deferralOfA(b.Now().AddDate(0, 2, 0))
				d.Conditions = []string{"auth/password-length"}
				b.approve(b.give(d))
			},
			func(b *body) {
				b.observe("computer/CA-1", "authentication", b.Now().Add(time.Minute), values{"pw_min_length": int64(4)})
			},
			func(b *body) { b.tick(5 * day) }},
	} {
		t.Run(name, func(t *testing.T) {
			b := found(t)
			for i, do := range steps {
				do(b)
				b.sameInbox("s-maintainer-a", fmt.Sprint(name, " ", i))
				b.sameDates(fmt.Sprint(name, " ", i))
			}
		})
	}
}

// sameDates compares the dates of everything.
func (b *body) sameDates(when string) {
	b.t.Helper()
	at, all := b.Now(), func(*posture.Subject, control.Control) bool { return true }
	got, want := b.standing(at), func() *posture.Standing {
		st, err := b.Posture.Under(b.Posture.Terms()).Now(b.ctx, b.permit(looker()), at)
		if err != nil {
			b.t.Fatal(err)
		}
		return st
	}()
	a, z := got.Deadlines(at, at.Add(60*day), all), want.Deadlines(at, at.Add(60*day), all)
	for i := range max(len(a), len(z)) {
		if i >= len(a) || i >= len(z) || fmt.Sprint(a[i]) != fmt.Sprint(z[i]) {
			b.t.Fatalf("%s: %d dates, want %d; the %d-th is other:\n%v\n%v", when, len(a), len(z), i, a[min(i, len(a)):min(i+1, len(a))], z[min(i, len(z)):min(i+1, len(z))])
		}
	}
}

// sameInbox compares, and returns how many items there are.
func (b *body) sameInbox(person, when string) int {
	b.t.Helper()
	permit, at := b.permit(b.as(person)), b.Now()
	s := due.Sources{Register: b.Register, Drafts: b.Drafts, Govern: b.Govern, Posture: b.Posture}
	got, err := s.Of(b.ctx, permit, at)
	if err != nil {
		b.t.Fatal(err)
	}
	s.Posture = b.Posture.Under(b.Posture.Terms())
	want, err := s.Of(b.ctx, permit, at)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := range max(len(got.Items), len(want.Items)) {
		if i >= len(got.Items) || i >= len(want.Items) || fmt.Sprint(got.Items[i]) != fmt.Sprint(want.Items[i]) {
			b.t.Fatalf("%s, %s, at %s: %d items, want %d; the %d-th is other:\n%+v\n%+v", when, person, at.In(japan), len(got.Items), len(want.Items), i, part(got.Items, i), part(want.Items, i))
		}
	}
	return len(got.Items)
}

func part(items []due.Item, i int) []due.Item {
	return items[min(i, len(items)):min(i+1, len(items))]
}

// happens lets something happen that an inbox may rest on.
func (b *body) happens(r *rand.Rand, step int) string {
	b.t.Helper()
	today := func(days int) string { return b.Now().In(japan).AddDate(0, 0, days).Format(time.DateOnly) }
	switch r.IntN(8) {
	case 0, 1:
		no := r.IntN(6)
		b.put(actor.Program, "account", values{"account_no": fmt.Sprintf("AC-%d", no), "system": "A", "name": fmt.Sprint("u", no), "person": "s-staff", "use": "individual", "shared": false, "admin": r.IntN(2) == 0,
			"admin_until": today(r.IntN(90) - 20), "status": b.stateOf(fact.NewRef("account", fmt.Sprintf("AC-%d", no)), "status", "active"), "issued_on": today(-200 - r.IntN(200)), "reviewed_on": today(-r.IntN(200))})
		return "an account"
	case 2:
		b.put(actor.Program, "computer", values{"asset_no": "CA-1", "role": "server", "system": "A", "hostname": "ca-1", "status": "in-service", "support_end_on": today(r.IntN(120) - 30)})
		return "a computer"
	case 3:
		b.observe("computer/CA-1", "authentication", b.Now().Add(-time.Duration(r.IntN(72))*time.Hour), values{"pw_min_length": int64(6 + r.IntN(12))})
		return "a look"
	case 4:
		if id, err := b.Govern.Propose(b.ctx, b.as("s-admin"), setting("acct.review_months", "system/A", time.Duration(20+r.IntN(100))*day), b.Now()); err == nil {
			_ = b.approveSetting(b.as("s-chief"), id) // what is refused changes nothing
		}
		return "a value"
	case 5:
		d := deferralOfA(b.Now().AddDate(0, 1+r.IntN(3), 0))
		if r.IntN(2) == 0 {
			d.Conditions = []string{"auth/password-length"}
		}
		if id, err := b.Govern.Give(b.ctx, b.as("s-officer-a"), d, b.Now()); err == nil && d.Type == decision.Deferral {
			_ = b.Govern.Approve(b.ctx, b.as("s-chief"), id, b.Now())
		}
		return "a deferral"
	case 6:
		v := opened()
		v["case_no"], v["subject"] = fmt.Sprint("D-", step), "computer/CA-1"
		act := register.Act{Procedure: "disposal", Step: "open", Values: v}
		if ref := fact.NewRef("disposal", "D-0"); step > 0 && b.entry(ref).Rev > 0 {
			act = register.Act{Procedure: "disposal", Step: "record", Ref: ref, Values: erased(), Rev: b.entry(ref).Rev}
		}
		_, _ = b.Register.Take(b.ctx, b.as("s-maintainer-a"), act, b.Now())
		return "a step"
	}
	b.tick(time.Duration(r.IntN(30*24)) * time.Hour / time.Duration(1+r.IntN(40)))
	return "some time"
}

// stateOf is what a field of an entry holds, or otherwise.
func (b *body) stateOf(ref fact.Ref, field, otherwise string) string {
	if v, ok := b.entry(ref).Values[field].(string); ok {
		return v
	}
	return otherwise
}
