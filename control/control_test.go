package control_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"kakusho/clause"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/verdict"
)

const paper = `id: area/name
clauses: [npa-r3@2.1.1]
kinds: [computer]
title: {ja: 名, en: Name}
why: {ja: 由, en: Why}
mechanisms: [record]
applies: 's.status == "in-service"'
needs: [status, zone_class]
exceptions:
  - clause: npa-r3@2.1.1
    when: >-
      s.zone_class == 3
record:
  type: attestation
  question: {ja: 問, en: Question}
  answers: [{value: fitted, label: {ja: 有, en: Yes}}, {value: missing, label: {ja: 無, en: No}}]
  fresh: fresh.attest.physical
  duty: [maintainer]
remedy: {ja: 策, en: Remedy}
`

const cases = `a comment
-- fitted.yaml --
declared: {status: in-service, in_service_on: 2026-04-01}
facts: {volumes: [{device: sda, encrypted: true}]}
params: {fresh.attest.physical: 90d}
absent: [storage]
denied: [time_service]
answer: {answer: fitted, at: 2026-10-01}
observed_at: 2026-10-31T00:00:00Z
at: 2026-11-02T00:00:00Z
want: conforms
because: [answer, status]
-- not-fitted.yaml --
want: violates
-- nobody-looked.yaml --
want: unknown
`

var (
	kinds = kind.Default()
	npa   = directive.Default()
)

func load(yaml, rule, txtar string) ([]control.Control, error) {
	return control.Load(fstest.MapFS{
		"area/name/control.yaml": {Data: []byte(yaml)}, "area/name/rule.cel": {Data: []byte(rule)}, "area/name/cases.txtar": {Data: []byte(txtar)},
		"control.go": {Data: []byte("package control")},
	}, kinds, npa)
}

func TestDefaultLoads(t *testing.T) {
	cs := control.WithCases(kinds, npa)
	if !slices.IsSortedFunc(cs, func(a, b control.Control) int { return strings.Compare(a.ID, b.ID) }) {
		t.Error("the controls are not sorted by ID")
	}
	for _, c := range cs {
		if c.Dir != c.ID || len(c.Cases) < 3 {
			t.Errorf("%s: dir %q, %d cases", c.ID, c.Dir, len(c.Cases))
		}
	}
}

func TestLoad(t *testing.T) {
	cs, err := load(paper, "a.answer == \"fitted\"\n", cases)
	if err != nil {
		t.Fatal(err)
	}
	c := cs[0]
	if c.ID != "area/name" || c.Rule != "a.answer == \"fitted\"\n" || c.Record.Type != "attestation" || c.Exceptions[0].When != "s.zone_class == 3" {
		t.Errorf("got %+v", c)
	}
	for part, want := range map[string]control.Place{
		"rule": {File: "rule.cel", Line: 1, Column: 1}, "applies": {File: "control.yaml", Line: 7, Column: 11},
		"exceptions[0].when": {File: "control.yaml", Line: 12, Column: 1}, "needs": {File: "control.yaml", Line: 8, Column: 8}, "parameters": {File: "control.yaml", Line: 1, Column: 1},
	} {
		if got := c.At(part); got != want {
			t.Errorf("%s stands at %+v, want %+v", part, got, want)
		}
	}
	if a, ok := c.Record.Answer("missing"); !ok || a.Label.EN != "No" {
		t.Errorf("answer missing: %+v, %v", a, ok)
	}
	if _, ok := c.Record.Answer("odd"); ok {
		t.Error("answer odd is known")
	}

	x := c.Cases[0]
	jst := time.FixedZone("JST", 9*60*60)
	if x.Name != "fitted" || x.Line != 2 || x.Kind != "computer" || x.Want != verdict.Conforms || !slices.Equal(x.Because, []string{"answer", "status"}) {
		t.Errorf("got %+v", x)
	}
	if got := x.Declared["in_service_on"]; !got.(time.Time).Equal(time.Date(2026, 4, 1, 0, 0, 0, 0, jst)) {
		t.Errorf("in_service_on is %v, want the day's start in Tokyo", got)
	}
	if got := x.Facts["volumes"].([]any)[0].(map[string]any); got["encrypted"] != true || got["device"] != "sda" || len(got) != 2 {
		t.Errorf("volumes: %v", got)
	}
	if x.Params["fresh.attest.physical"] != 90*24*time.Hour || x.Unseen["storage"] != fact.Absent || x.Unseen["time_service"] != fact.Denied {
		t.Errorf("params %v, unseen %v", x.Params, x.Unseen)
	}
	if !x.Answer.At.Equal(time.Date(2026, 10, 1, 0, 0, 0, 0, jst)) || !x.ObservedAt.Equal(time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC)) || !x.At.Equal(time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("instants of %+v", x)
	}
	if y := c.Cases[1]; y.Line != 13 || !y.At.Equal(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)) || !y.ObservedAt.Equal(y.At) || y.Answer != nil {
		t.Errorf("a case that says nothing: %+v", y)
	}
}

func TestFaultsOfControlYAML(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"an unknown key", "needs:", "wants: [x]\nneeds:", "line 8: field wants not found"},
		{"another id than the folder", "id: area/name", "id: area/other", `id is "area/other", want the folder's name "area/name"`},
		{"a clause that is not there", "[npa-r3@2.1.1]", "[npa-r3@2.1.99]", `clause "npa-r3@2.1.99" is not in the directive`},
		{"a clause twice", "[npa-r3@2.1.1]", "[npa-r3@2.1.1, npa-r3@2.1.1]", `clause "npa-r3@2.1.1" is named twice`},
		{"no clause", "[npa-r3@2.1.1]", "[]", "each need at least one entry"},
		{"an exception of no clause", "clause: npa-r3@2.1.1", "clause: npa-r3@9", `clause "npa-r3@9" is not in the directive`},
		{"an exception without a condition", "s.zone_class == 3", "", "exceptions[0]: when is missing"},
		{"an unknown kind", "[computer]", "[computr]", `unknown kind "computr"`},
		{"an unknown mechanism", "[record]", "[guess]", `unknown mechanism "guess"`},
		{"no English title", "{ja: 名, en: Name}", "{ja: 名}", "title, why and remedy need ja and en"},
		{"no remedy", "remedy: {ja: 策, en: Remedy}", "", "title, why and remedy need ja and en"},
		{"no applies", `applies: 's.status == "in-service"'`, "", "applies is missing"},
		{"needs out of order", "[status, zone_class]", "[zone_class, status]", "needs must be sorted"},
		{"needs twice", "[status, zone_class]", "[status, status]", "needs must be sorted, each once"},
		{"needs what is no field", "[status, zone_class]", "[statsu]", `needs: kind computer has no field "statsu"`},
		{"an unknown parameter", "needs:", "parameters: [auth.pw]\nneeds:", `parameters: the directive has no parameter "auth.pw"`},
		{"missing in an unknown way", "needs:", "missing: pass\nneeds:", `missing is "pass"`},
		{"empty in an unknown way", "needs:", "empty: fine\nneeds:", `empty is "fine"`},
		{"a record of another type", "type: attestation", "type: exception", `record: type is "exception"`},
		{"a question in one language", "{ja: 問, en: Question}", "{ja: 問}", "record: question needs ja and en"},
		{"one answer only", ", {value: missing, label: {ja: 無, en: No}}", "", "at least two answers"},
		{"the same answer twice", "value: missing", "value: fitted", `answer "fitted" needs a value of its own`},
		{"freshness that is no parameter", "fresh.attest.physical", "fresh.attest.mental", `fresh names no parameter: "fresh.attest.mental"`},
		{"freshness that is no duration", "fresh.attest.physical", "auth.pw.min_length", "want a duration"},
		{"nobody to answer", "duty: [maintainer]", "duty: []", "duty is missing"},
		{"an unknown duty", "duty: [maintainer]", "duty: [janitor]", `unknown duty "janitor"`},
		{"two documents", "remedy:", "---\nremedy:", "document"},
		{"no YAML", "id: area/name", "id: [", "control.yaml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			yaml := strings.Replace(paper, c.old, c.new, 1)
			if yaml == paper {
				t.Fatalf("%q is not in the paper", c.old)
			}
			_, err := load(yaml, "true", cases)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "control area/name/control.yaml: ") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestFaultsOfCases(t *testing.T) {
	rest := "-- violates.yaml --\nwant: violates\n-- unknown.yaml --\nwant: undecided\n"
	for _, c := range []struct{ name, text, want string }{
		{"no case conforms", rest, `cases.txtar: no case wants "conforms"`},
		{"no case violates", "-- a.yaml --\nwant: conforms\n-- b.yaml --\nwant: unknown\n", `no case wants "violates"`},
		{"no case is unknown", "-- a.yaml --\nwant: conforms\n-- b.yaml --\nwant: violates\n", `no case wants "unknown" or "undecided"`},
		{"a name that is no sentence", "-- What_Is.yaml --\nwant: conforms\n" + rest, "cases.txtar:1: case What_Is: name it as a sentence"},
		{"a name twice", "-- a.yaml --\nwant: conforms\n-- a.yaml --\nwant: conforms\n" + rest, "case a: twice"},
		{"an unknown key", "-- a.yaml --\nwant: conforms\nfact: {}\n" + rest, "field fact not found"},
		{"no outcome", "-- a.yaml --\nwant: passes\n" + rest, `case a: want is "passes", not an outcome`},
		{"a field that is not there", "-- b.yaml --\nwant: unknown\n-- a.yaml --\nwant: conforms\nfacts: {volumse: []}\n" + rest, `cases.txtar:3: case a: kind computer has no field "volumse"`},
		{"a value of another type", "-- a.yaml --\nwant: conforms\nfacts: {zone_class: long}\n" + rest, "case a: zone_class"},
		{"a declared value of another type", "-- a.yaml --\nwant: conforms\ndeclared: {status: odd}\n" + rest, "case a: status"},
		{"a parameter that is not there", "-- a.yaml --\nwant: conforms\nparams: {x.y: 1}\n" + rest, `no parameter "x.y"`},
		{"a parameter of another type", "-- a.yaml --\nwant: conforms\nparams: {auth.pw.min_length: long}\n" + rest, "parameter auth.pw.min_length"},
		{"an absent field that is not there", "-- a.yaml --\nwant: conforms\nabsent: [volumse]\n" + rest, `absent: kind computer has no field "volumse"`},
		{"absent and there", "-- a.yaml --\nwant: conforms\nabsent: [volumes]\nfacts: {volumes: []}\n" + rest, `absent: "volumes" has a value or status already`},
		{"absent and denied", "-- a.yaml --\nwant: conforms\nabsent: [volumes]\ndenied: [volumes]\n" + rest, `denied: "volumes" has a value or status already`},
		{"an unknown kind", "-- a.yaml --\nwant: conforms\nkind: computr\n" + rest, `unknown kind "computr"`},
		{"an answer nobody may give", "-- a.yaml --\nwant: conforms\nanswer: {answer: perhaps}\n" + rest, `answer: "perhaps" is none of the control's answers`},
		{"because of what is not read", "-- a.yaml --\nwant: conforms\nbecause: [volumes]\n" + rest, `because: "volumes" is not among the control's needs`},
		{"a date that is none", "-- a.yaml --\nwant: conforms\nat: yesterday\n" + rest, `at: "yesterday" is neither RFC 3339 nor YYYY-MM-DD`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(paper, "true", c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	_, err := load(strings.Split(paper, "record:")[0]+"remedy: {ja: 策, en: Remedy}\n", "true", "-- a.yaml --\nwant: conforms\nanswer: {answer: x}\n"+rest)
	if err == nil || !strings.Contains(err.Error(), "the control asks for no record") {
		t.Errorf("got %v, want that there is no record", err)
	}
}

func TestAllFaultsComeAtOnce(t *testing.T) {
	fsys := fstest.MapFS{
		"a/one/control.yaml": {Data: []byte("id: a/two\n")}, "a/one/rule.cel": {Data: []byte(" \n")},
		"b/two/rule.cel": {Data: []byte("true")},
	}
	_, err := control.Load(fsys, kinds, npa)
	if err == nil {
		t.Fatal("loaded")
	}
	for _, want := range []string{
		"control a/one/control.yaml: id is", "control a/one/rule.cel: holds no expression", "control a/one/cases.txtar: the file is missing",
		"control b/two/control.yaml: the file is missing", "control b/two/cases.txtar: the file is missing",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant %q among it", err, want)
		}
	}
}

func TestOneBadFolderStopsNoOther(t *testing.T) {
	cs, err := control.Load(fstest.MapFS{
		"a/bad/control.yaml": {Data: []byte("id: a/bad\n")}, "a/bad/rule.cel": {Data: []byte("true")}, "a/bad/cases.txtar": {Data: []byte("")},
		"area/name/control.yaml": {Data: []byte(paper)}, "area/name/rule.cel": {Data: []byte("true")}, "area/name/cases.txtar": {Data: []byte(cases)},
	}, kinds, npa)
	if err == nil || !strings.Contains(err.Error(), "a/bad") || strings.Contains(err.Error(), "area/name") || len(cs) != 1 || cs[0].ID != "area/name" {
		t.Errorf("%d controls with %v, want area/name and what is wrong with a/bad", len(cs), err)
	}
}

func TestCoverage(t *testing.T) {
	d := &directive.Directive{Clauses: []clause.Clause{
		{ID: "x@1.1", Type: clause.Obligation}, {ID: "x@1.2", Type: clause.Obligation}, {ID: "x@1.2.1", Type: clause.SubItem}, {ID: "x@1.2.2", Type: clause.SubItem}, {ID: "x@1.3", Type: clause.Chapeau},
	}}
	for _, c := range []struct{ named, want []clause.ID }{
		{nil, []clause.ID{"x@1.1", "x@1.2", "x@1.2.1", "x@1.2.2", "x@1.3"}},
		{[]clause.ID{"x@1.1", "x@1.2.1"}, []clause.ID{"x@1.2", "x@1.2.2", "x@1.3"}},
		{[]clause.ID{"x@1.3", "x@1.1", "x@1.2.1", "x@1.2.2"}, nil},
		{[]clause.ID{"x@1.3", "x@1.1", "x@1.2"}, []clause.ID{"x@1.2.1", "x@1.2.2"}},
	} {
		if got := control.Coverage(d, []control.Control{{Clauses: c.named}}); !slices.Equal(got, c.want) {
			t.Errorf("named %v: missing %v, want %v", c.named, got, c.want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(paper, "true", cases)
	f.Add("id: [", "\x00", "-- x --")
	f.Add("&a [*a]", "", "-- a.yaml --\nfacts: &a {volumes: *a}\n")
	f.Add("exceptions: {when: x}", "s.x", "-- a.yaml --\nfacts: {volumes: [[1]]}\nwant: 1\n")
	f.Fuzz(func(t *testing.T, yaml, rule, txtar string) {
		if cs, err := load(yaml, rule, txtar); err == nil && (len(cs) != 1 || len(cs[0].Cases) < 3) {
			t.Errorf("loaded %+v", cs)
		}
	})
}
