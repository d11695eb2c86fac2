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
		{"not_by: [open]", "apart: [janitor]", `disposal.yaml:13: no duty is called "janitor": write one of [`},
		{"not_by: [open]", "while: [{at: title, field: status, values: [active]}]", `disposal.yaml:13: step "close": while: write a reference of disposal as at`},
		{"not_by: [open]", "while: [{at: contract, field: title, values: [active]}]", `contract.title [active] is not so`},
		{"not_by: [open]", "while: [{at: contract, field: status, values: []}]", `contract.status [] is not so`},
		{"not_by: [open]", "while: [{at: contract, field: status, values: [burnt]}]", `contract.status [burnt] is not so`},
		{"not_by: [open]", "after: [{kind: finding, by: audit}]", `disposal.yaml:13: step "close": after: "audit" of "finding" is no reference to disposal: name the field`},
		{"not_by: [open]", "after: [{kind: fynding, by: audit}]", `after: "audit" of "fynding" is no reference to disposal`},
		{"not_by: [open]", "page: audit", `disposal.yaml:13: step "close": page "audit": write where the page begins`},
		{"not_by: [open]", "reads: [{format: sarif, set: {title: $tool}}]", `disposal.yaml:13: step "close": files is 0 and 1 of them are read: raise it`},
		{"not_by: [open]", "files: 1, reads: [{format: sarif, set: {tool: $tool}}]", `disposal.yaml:13: "tool" is no declared field of disposal`},
		{"not_by: [open]", "files: 1, reads: [{format: sarif}]", `disposal.yaml:13: step "close": reads names a format and the fields it sets`},
		{"not_by: [open]", "files: -1", `disposal.yaml:13: step "close": files is -1`},
		{"not_by: [open]", "clear: [{at: title, controls: [a/b]}]", `disposal.yaml:13: step "close": clear: "title" is no reference of disposal: name one, or leave at out`},
		{"not_by: [open]", "clear: [{at: system, controls: []}]", `disposal.yaml:13: step "close": clear waits for no control: name those`},
		{"not_by: [open]", "covers: scope", `disposal.yaml:13: step "close": covers: "scope" is no declared text of disposal: name the field`},
		{"not_by: [open]", "covers: opened_on", `covers: "opened_on" is no declared text of disposal`},
		{"{value: open,", "{value: open, due: {days: 3, field: plan_on},", `disposal.yaml:8: due is either field, a declared date of disposal, or days`},
		{"{value: open,", "{value: open, due: {},", `disposal.yaml:8: due is either field`},
		{"{value: open,", "{value: open, due: {field: title},", `disposal.yaml:8: due is either field`},
		{"{value: open,", "{value: open, due: {days: -1},", `disposal.yaml:8: due is either field`},
		{"{value: open,", "{value: open, due: {days: 1, escalate: [janitor]},", `disposal.yaml:8: no duty is called "janitor"`},
		{"kind: disposal", "kind: disposal\nalone: perhaps", "cannot unmarshal"},
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
