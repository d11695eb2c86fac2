package procedure_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"kakusho/kind"
	"kakusho/procedure"
)

var kinds = kind.Default()

const whole = `id: disposal
label: {ja: "廃棄", en: "Disposal"}
about: {ja: "あ", en: "a"}
clauses: [npa-r3@3.1.5]
kind: disposal
state: status
states:
  - {value: open, about: {ja: "あ", en: "a"}}
  - {value: closed, about: {ja: "あ", en: "a"}, final: true, need: [closed_on]}
  - {value: cancelled, about: {ja: "あ", en: "a"}, final: true}
steps:
  - {id: open, label: {ja: "始める", en: "Open"}, to: open, who: [maintainer], fill: [case_no]}
  - {id: close, label: {ja: "終える", en: "Close"}, from: [open], to: closed, who: [system-officer], not_by: [open], set: {closed_on: $today}}
  - {id: cancel, label: {ja: "やめる", en: "Cancel"}, from: [open], to: cancelled, who: [system-officer]}
guards:
  - {kind: computer, field: status, values: [disposed]}
`

func load(text string) error {
	_, err := procedure.Load(fstest.MapFS{"disposal.yaml": {Data: []byte(text)}}, kinds)
	return err
}

func TestThoseThatShipAreWhole(t *testing.T) {
	for id, p := range procedure.Default(kinds) {
		if got, ok := procedure.Default(kinds).Of(p.Kind); !ok || got.ID != id {
			t.Errorf("kind %s is led by %q, want %s", p.Kind, got.ID, id)
		}
	}
}

// Each edit of a whole file is named with its place.
func TestFaultsAreNamedWithTheirPlace(t *testing.T) {
	if err := load(whole); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, want string }{
		{"kind: disposal", "kind: desposal", `disposal.yaml:5: no kind is called "desposal"`},
		{"state: status", "state: state", `disposal.yaml:6: state "state" is no required declared choice`},
		{"  - {value: cancelled, about: {ja: \"あ\", en: \"a\"}, final: true}\n", "", `value "cancelled" of status is no state`},
		{"need: [closed_on]", "need: [closed]", `disposal.yaml:9: "closed" is no declared field of disposal`},
		{"about: {ja: \"あ\", en: \"a\"}, final: true, need", "about: {ja: \"あ\"}, final: true, need", `disposal.yaml:9: state "closed": about needs ja and en`},
		{", final: true}", "}", `disposal.yaml:10: no step leads on from "cancelled", which is not final`},
		{"who: [maintainer]", "who: [janitor]", `disposal.yaml:12: no duty is called "janitor"`},
		{"who: [maintainer]", "who: []", `disposal.yaml:12: step "open" has an id, a label in ja and en, and who`},
		{"not_by: [open]", "not_by: [begin]", `disposal.yaml:13: step "close": no step is called "begin"`},
		{"from: [open], to: closed", "from: [open], to: done", `disposal.yaml:13: step "close": no state is called "done"`},
		{"set: {closed_on: $today}", "set: {closed_on: $tomorrow}", `$tomorrow is neither one of`},
		{"set: {closed_on: $today}", "set: {erasure_verified: maybe}", `disposal.yaml:13: erasure_verified`},
		{"set: {closed_on: $today}", "also: [{at: title, set: {status: 1}}, {at: closed_on, set: {}}]", `disposal.yaml:13: step "close": "closed_on" is no reference of disposal`},
		{"fill: [case_no]", "fill: [case_no, status]", `disposal.yaml:12: step "open" fills the state`},
		{"to: open, who", "from: [open], to: open, who", `no step begins an entry`},
		{"id: cancel", "id: close", `step "close" stands twice`},
		{"values: [disposed]", "values: [burnt]", `disposal.yaml:16: guard: kind computer has no value "burnt" of a field "status"`},
		{"final: true, need", "final: true, rest: true, need", `disposal.yaml:9: state "closed": what is final rests already; leave rest out`},
		{"guards:", "gards:", `field gards not found`},
		{"id: disposal\n", "id: disposed\n", `id is "disposed", want the file's name`},
	} {
		text := strings.Replace(whole, c.from, c.to, 1)
		if text == whole {
			t.Fatalf("%q is not there", c.from)
		}
		if err := load(text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q → %q: got %v, want %q", c.from, c.to, err, c.want)
		}
	}
}

// Whatever a file holds, it is a procedure or a fault.
func FuzzLoad(f *testing.F) {
	f.Add(whole)
	f.Fuzz(func(t *testing.T, text string) {
		set, err := procedure.Load(fstest.MapFS{"disposal.yaml": {Data: []byte(text)}}, kinds)
		if err == nil && len(set) != 1 {
			t.Errorf("%d procedures and no fault", len(set))
		}
	})
}
