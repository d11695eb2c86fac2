package server_test

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"testing"
	"time"

	"kakusho/clause"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/posture/trial"
	"kakusho/verdict"
)

const (
	passwordLength = "auth/password-length"
	lengthKey      = "auth.pw.min_length"
)

// tried tries a draft now.
func (b *body) tried(d trial.Draft) *trial.Trial {
	b.t.Helper()
	t, err := trial.Run(b.ctx, b.Posture, b.permit(looker()), d, nil, b.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return t
}

// lengths brings what the two computers show of their passwords.
func (b *body) lengths(a, other int) {
	b.t.Helper()
	for ref, n := range map[fact.Ref]int{"computer/CA-1": a, "computer/CB-1": other} {
		b.observe(ref, "authentication", b.Now().Add(-time.Minute), values{"pw_min_length": int64(n)})
	}
}

// rows is every pair of a standing, with its reasons.
func rows(t *testing.T, st *posture.Standing) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, v := range st.Verdicts(posture.Filter{}) {
		text := string(v.Outcome)
		for _, r := range v.Reasons {
			r.Layer = "" // a draft's setting and an approved one have names of their own
			text += fmt.Sprint(" ", r)
		}
		out[v.Subject+" "+v.Control] = text
	}
	if len(out) == 0 {
		t.Fatal("nothing is judged")
	}
	return out
}

func same(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	for k, w := range want {
		if got[k] != w {
			t.Errorf("%s: %s: predicted %q, became %q", what, k, w, got[k])
		}
	}
	if len(want) != len(got) {
		t.Errorf("%s: %d rows predicted, %d became", what, len(want), len(got))
	}
}

func move(t *trial.Trial, ref fact.Ref, control string) (trial.Move, bool) {
	i := slices.IndexFunc(t.Moves, func(m trial.Move) bool { return m.Subject == ref && m.Control == control })
	if i < 0 {
		return trial.Move{}, false
	}
	return t.Moves[i], true
}

func TestAdoptingADraftBecomesWhatTheTrialSaidRowByRow(t *testing.T) {
	b := found(t)
	b.lengths(12, 16)
	d := trial.Draft{Settings: []trial.Setting{{Key: lengthKey, Layer: "national", Value: "15"}, {Key: lengthKey, Layer: "system/B", Value: "20"}}}
	was := rows(t, b.standing(b.Now()))
	tried := b.tried(d)
	same(t, "before", was, rows(t, tried.Before))
	predicted := rows(t, tried.After)
	for _, ref := range []fact.Ref{"computer/CA-1", "computer/CB-1"} {
		if m, ok := move(tried, ref, passwordLength); !ok || m.From != verdict.Conforms || m.To != verdict.Violates || m.Sort() != trial.Fails {
			t.Errorf("%s: got %+v, want conforms to become violates", ref, m)
		}
	}
	if len(tried.Moves) != 2 {
		t.Errorf("%d moves, want the two computers: %+v", len(tried.Moves), tried.Moves)
	}
	same(t, "a trial touches nothing", was, rows(t, b.standing(b.Now())))
	for _, s := range d.Settings {
		id, err := b.Govern.Propose(b.ctx, b.as("s-admin"), setting(s.Key, s.Layer, s.Value), b.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := b.approveSetting(b.as("s-admin2"), id); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "adopted", predicted, rows(t, b.standing(b.Now())))
	b.sound()
}

func TestATrialTouchesNothing(t *testing.T) {
	b := found(t)
	b.lengths(12, 16)
	who := b.permit(looker())
	tree := rows(t, b.standing(b.Now()))
	before := b.permit(looker()).First()
	for _, address := range []string{
		"key=" + lengthKey + "&layer=national&value=15", "lapse=deferral&longest=90d", "give=deferral&to=system/A&clause=npa-r3@2.2.4",
		"on=2027-04-01", "on=2027-04-01&renewed=never", "control=" + passwordLength + "&rule=s.pw_min_length>=99&applies=&exceptions=",
	} {
		q, _ := url.ParseQuery(address)
		d, faults := trial.Read(q)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		if _, err := trial.Run(b.ctx, b.Posture, who, d, nil, b.Now()); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if next := b.permit(looker()).First(); next != before+1 {
		t.Errorf("the trail grew by %d entries, want none but this look", next-before-1)
	}
	same(t, "afterwards", tree, rows(t, b.standing(b.Now())))
	b.sound() // the rows are what the trail says
}

func TestDraftsOfDecisionsAreTried(t *testing.T) {
	b := found(t)
	b.lengths(8, 8)
	d := decision.Decision{Type: decision.Deferral, Subject: "system/A", Clause: "npa-r3@2.2.4", Reason: "更新待ち", Measures: "多要素", Until: b.Now().AddDate(0, 6, 0)}
	b.approve(b.give(d))
	b.tick(time.Second)
	for _, c := range []struct {
		name     string
		draft    trial.Draft
		ref      fact.Ref
		from, to verdict.Outcome
	}{
		{"deferrals lapse", trial.Draft{Lapse: []decision.Type{decision.Deferral}}, "computer/CA-1", verdict.Deferred, verdict.Violates},
		{"the longest ends it", trial.Draft{Longest: 24 * time.Hour, On: b.Now().AddDate(0, 0, 2)}, "computer/CA-1", verdict.Deferred, verdict.Violates},
		{"what entered service later cannot be deferred", trial.Draft{Give: []trial.Given{{Type: decision.Deferral, Subject: "system/B", Clause: "npa-r3@2.2.4"}}}, "computer/CB-1", "", ""},
		{"a special provision", trial.Draft{Give: []trial.Given{{Type: decision.Special, Subject: "system/B", Clause: "npa-r3@2.2.4"}}}, "computer/CB-1", verdict.Violates, verdict.Special},
	} {
		m, _ := move(b.tried(c.draft), c.ref, passwordLength)
		if m.From != c.from || m.To != c.to {
			t.Errorf("%s: from %q to %q, want %q to %q", c.name, m.From, m.To, c.from, c.to)
		}
	}
}

func TestADayToComeHasTwoClocks(t *testing.T) {
	b := found(t)
	b.lengths(12, 16)
	const fresh = "malware/definitions-fresh"
	b.observe("computer/CA-1", "malware", b.Now().Add(-time.Minute), values{"malware_product": "ClamAV", "malware_active": true, "malware_definitions_at": b.Now().Add(-time.Hour)})
	if o := b.verdict(b.Now(), "computer/CA-1", passwordLength).Outcome; o != verdict.Conforms {
		t.Fatalf("today: %s", o)
	}
	on := b.Now().AddDate(0, 5, 0)
	routine := b.tried(trial.Draft{On: on})
	for _, control := range []string{passwordLength, fresh} {
		if m, ok := move(routine, "computer/CA-1", control); ok {
			t.Errorf("routine: %+v, want no move: the machine goes on reporting", m)
		}
	}
	never := b.tried(trial.Draft{On: on, Renewed: trial.Never})
	if m, _ := move(never, "computer/CA-1", passwordLength); m.To != verdict.Unknown {
		t.Errorf("never: %+v, want unknown: nobody has looked for five months", m)
	}
	if !never.After.At.Equal(on) || !never.Before.At.Equal(b.Now()) {
		t.Errorf("judged at %s and %s", never.Before.At, never.After.At)
	}
	same(t, "the court stays today", rows(t, never.Before), rows(t, b.standing(b.Now())))
}

func TestWhatADraftDoesNotTake(t *testing.T) {
	b := found(t)
	for address, field := range map[string]string{
		"key=no.such&value=1": "value", "key=" + lengthKey + "&value=two": "value", "key=" + lengthKey + "&layer=mine&value=15": "layer",
		"control=no/such&rule=true": "control", "control=" + passwordLength + "&rule=s.pasword": "rule", "lapse=no": "lapse", "longest=long": "longest",
		"give=override&to=system/A&clause=npa-r3@2.2.4": "give", "on=yesterday": "on", "on=2020-01-01": "on", "renewed=maybe&on=2027-01-01": "renewed",
		"minutes=0": "minutes", "directive=no": "directive",
	} {
		q, _ := url.ParseQuery(address)
		d, faults := trial.Read(q)
		if len(faults) == 0 {
			_, err := trial.Run(b.ctx, b.Posture, b.permit(looker()), d, nil, b.Now())
			faults, _ = trial.AsFaults(err)
		}
		if !slices.ContainsFunc(faults, func(f kind.Fault) bool { return f.Field == field && f.Message.Complete() }) {
			t.Errorf("%s: faults %+v, want one of %s in both languages", address, faults, field)
		}
	}
}

func TestMovesAreGatheredWithoutLosingOne(t *testing.T) {
	b := found(t)
	b.lengths(12, 16)
	x := b.tried(trial.Draft{On: b.Now().AddDate(2, 0, 0), Renewed: trial.Never})
	if len(x.Moves) < 2 {
		t.Fatalf("%d moves", len(x.Moves))
	}
	for _, a := range trial.Axes {
		sum, counts := 0, trial.Counts{}
		for _, l := range x.By(a) {
			sum += l.Counts.Total()
			for s, n := range l.Counts {
				counts[s] += n
			}
			if got := len(x.Select(trial.Part{By: a, Key: l.Key, Held: true})); got != l.Counts.Total() {
				t.Errorf("%s %q: %d selected, %d counted", a, l.Key, got, l.Counts.Total())
			}
		}
		if sum != len(x.Moves) || !maps.Equal(counts, x.Counts()) {
			t.Errorf("by %s: %d moves of %d", a, sum, len(x.Moves))
		}
	}
	source := clause.ID(b.Directive.Source)
	was, would := x.Before.Nation(source), x.After.Nation(source)
	for _, o := range verdict.Outcomes {
		for _, p := range x.Passages() {
			if p.From == o {
				was[o] -= p.Count
			}
			if p.To == o {
				was[o] += p.Count
			}
		}
		if was[o] != would[o] {
			t.Errorf("%s: today and the moves come to %d, tried is %d", o, was[o], would[o])
		}
	}
}
