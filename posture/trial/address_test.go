package trial_test

import (
	"net/url"
	"reflect"
	"testing"
	"time"

	"kakusho/calendar"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/posture/trial"
)

func TestADraftStandsWholeInItsAddress(t *testing.T) {
	d := trial.Draft{
		Directive: "npa-next", Settings: []trial.Setting{{Key: "auth.pw.min_length", Layer: "national", Value: "15"}, {Key: "x", Layer: "prefecture/13", Value: "a, b"}},
		Texts: []trial.Text{
			{Control: "auth/password-length", Rule: "s.pw_min_length >= 16 &&\ntrue", Exceptions: []control.Exception{{Clause: "npa-r3@2.2.4", When: "s.status == \"x: y\""}}, Excepted: true},
			{Control: "auth/other", Applies: "true", Excepted: true},
		},
		Lapse: []decision.Type{decision.Deferral, decision.Special}, Longest: 90 * 24 * time.Hour, Withdraw: []string{"a1"},
		Give: []trial.Given{{Type: decision.Deferral, Subject: "system/A", Clause: "npa-r3@2.2.4"}}, On: calendar.Day(2027, 4, 1), Renewed: trial.Never, Minutes: 25,
	}
	got, faults := trial.Read(d.Address())
	if len(faults) > 0 || !got.On.Equal(d.On) {
		t.Fatalf("faults %v, on %s", faults, got.On)
	}
	got.On = d.On
	if !reflect.DeepEqual(got, d) {
		t.Errorf("got  %+v\nwant %+v", got, d)
	}
	if d.Empty() || !(trial.Draft{Renewed: trial.Never, Minutes: 3}).Empty() {
		t.Error("a draft that changes something is empty, or the reverse")
	}
}

func TestBlankLinesOfAFormSayNothing(t *testing.T) {
	q, _ := url.ParseQuery("key=&value=&layer=national&key=a&value=&layer=national&control=&rule=&give=&to=&clause=&on=&longest=&minutes=&renewed=routine")
	if d, faults := trial.Read(q); len(faults) > 0 || !d.Empty() {
		t.Errorf("got %+v, %v", d, faults)
	}
}

// FuzzRead: whatever stands in an address, what was understood of it stands in an
// address of its own and is understood alike.
func FuzzRead(f *testing.F) {
	for _, q := range []string{
		"key=auth.pw.min_length&layer=national&value=15", "control=a/b&rule=true&applies=&exceptions=none", "control=a/b&exceptions=npa-r3@2.2.4:+true%0d%0ax",
		"lapse=deferral&withdraw=x&longest=6mo&on=R9.4.1&renewed=never&minutes=5", "give=special&to=system/A&clause=npa-r3@2.1", "key=%ff&value=%00&longest=-1d",
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, _ := url.ParseQuery(raw)
		d, _ := trial.Read(q)
		again, faults := trial.Read(d.Address())
		if len(faults) > 0 {
			t.Fatalf("%q: %v", d.Address().Encode(), faults)
		}
		if a, b := d.Address().Encode(), again.Address().Encode(); a != b {
			t.Errorf("%q\nis read again as\n%q", a, b)
		}
	})
}
