package author_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"kakusho/bilingual"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/judge"
	"kakusho/judge/author"
	"kakusho/kind"
)

var desk = author.Desk{Kinds: kind.Default(), Directive: directive.Default(), Brought: map[string][]string{"computer": {"authentication", "disk", "kernel"}}}

// paper is a control about computers; MORE stands for further lines.
const paper = `id: area/name
clauses: [npa-r3@2.2.4]
kinds: [computer]
title: {ja: 名, en: Name}
why: {ja: 由, en: Why}
mechanisms: [verify]
remedy: {ja: 策, en: Remedy}
`

// load reads one control with three cases that nothing is said about.
func load(t testing.TB, yaml, rule, cases string) (control.Control, *judge.Rule) {
	t.Helper()
	if cases == "" {
		cases = "-- a.yaml --\nwant: conforms\n-- b.yaml --\nwant: violates\n-- c.yaml --\nwant: unknown\n"
	}
	cs, err := control.Load(fstest.MapFS{
		"area/name/control.yaml": {Data: []byte(paper + yaml)}, "area/name/rule.cel": {Data: []byte(rule)}, "area/name/cases.txtar": {Data: []byte(cases)},
	}, desk.Kinds, desk.Directive)
	if err != nil {
		t.Fatal(err)
	}
	rules, _ := judge.Rules(cs, desk.Kinds, desk.Directive)
	return cs[0], rules[0]
}

func TestLintFindsWhatIsProbablyNotMeant(t *testing.T) {
	length := "needs: [pw_min_length]\nparameters: [auth.pw.min_length]\n"
	for _, c := range []struct {
		name, yaml, rule, cases string
		grave                   bool
		want                    string // empty: no finding but that cases are missing
	}{
		{"what does not compile", "applies: 'true'\nneeds: [status]\n", `s.statsu == "x"`, "", true, `area/name/rule.cel:1:3: fault: undefined field "statsu"; did you mean "status"?`},
		{"x or not x", "applies: 'true'\nneeds: [hard_to_carry]\n", "s.hard_to_carry || !s.hard_to_carry", "", true, "area/name/rule.cel:1:1: fault: the rule is true of everything"},
		{"an order and its opposite", "applies: 'true'\n" + length, "s.pw_min_length >= p.auth_pw_min_length || s.pw_min_length < p.auth_pw_min_length", "", true, "is true of everything"},
		{"the same, turned round", "applies: 'true'\n" + length, "s.pw_min_length >= p.auth_pw_min_length || p.auth_pw_min_length > s.pw_min_length", "", true, "is true of everything"},
		{"equal to itself", "applies: 'true'\nneeds: [status]\n", "s.status == s.status", "", true, "is true of everything"},
		{"two things at once", "applies: 'true'\nneeds: [status]\n", `s.status == "stored" && s.status == "disposed"`, "", true, "is false of everything"},
		{"one of none of them", "applies: 'true'\nneeds: [status]\n", `s.status in ["stored", "in-service"] && !(s.status in ["in-service", "stored", "disposed"])`, "", true, "is false of everything"},
		{"what applies decides", "applies: 's.status == \"stored\"'\nneeds: [status]\n", `s.status != "disposed"`, "", true, "is true of everything it applies to"},
		{"a constant", "applies: 'true'\nneeds: [status]\n", `1 < 2 || s.status == "x"`, "", true, "is true of everything"},
		{"it never applies", "applies: 's.status == \"stored\" && s.status == \"disposed\"'\nneeds: [hard_to_carry, status]\n", "s.hard_to_carry", "", true, "area/name/control.yaml:8:11: fault: applies is never true"},
		{"an exception never granted", "applies: 's.role == \"server\"'\nneeds: [hard_to_carry, role]\nexceptions: [{clause: npa-r3@2.2.4, when: 's.role == \"terminal\"'}]\n",
			"s.hard_to_carry", "", true, "area/name/control.yaml:10:44: fault: the exception can never be granted"},
		{"an exception of what conforms", "applies: 'true'\nneeds: [hard_to_carry]\nexceptions: [{clause: npa-r3@2.2.4, when: 's.hard_to_carry'}]\n", "s.hard_to_carry", "", true, "can never be granted"},
		{"an exception after a wider one", "applies: 'true'\nneeds: [hard_to_carry, role]\nexceptions: [{clause: npa-r3@2.2.4, when: 's.role != \"server\"'}, {clause: npa-r3@2.2.4, when: 's.role == \"mobile\"'}]\n",
			"s.hard_to_carry", "", false, "whenever this exception holds, an earlier one does"},
		{"an operand that decides nothing", "applies: 'true'\nneeds: [hard_to_carry, role]\n", `s.hard_to_carry || (s.hard_to_carry && s.role == "server")`, "", false, `s.role == "server" decides nothing`},
		{"a field nobody collects", "applies: 'true'\nneeds: [time_synchronized]\n", "s.time_synchronized", "", true, "area/name/control.yaml:9:8: fault: nobody collects computer.time_synchronized (group clock)"},
		{"a list that may be empty", "applies: 'true'\nneeds: [volumes]\n", "s.volumes.all(v, v.encrypted)", "", false, "where volumes is empty the verdict is unknown"},
		{"an empty list that is all right", "applies: 'true'\nneeds: [volumes]\nempty: ok\n", "s.volumes.all(v, v.encrypted)", "", false, "where volumes is empty the verdict is conforms"},
		{"empty without a list", "applies: 'true'\nneeds: [hard_to_carry]\nempty: ok\n", "s.hard_to_carry", "", false, "empty: ok says nothing"},
		{"a truth no case shows", "applies: 'true'\nneeds: [hard_to_carry]\n", "s.hard_to_carry",
			"-- a.yaml --\ndeclared: {hard_to_carry: true}\nwant: conforms\n-- b.yaml --\nwant: violates\n-- c.yaml --\nwant: unknown\n", false, "no case in which s.hard_to_carry is false"},
		{"a boundary nobody stands at", "applies: 'true'\n" + length, "s.pw_min_length >= p.auth_pw_min_length",
			"-- a.yaml --\nfacts: {pw_min_length: 20}\nwant: conforms\n-- b.yaml --\nfacts: {pw_min_length: 4}\nwant: violates\n-- c.yaml --\nwant: unknown\n", false,
			"no cases stand at the boundary of s.pw_min_length >= p.auth_pw_min_length; add one with pw_min_length: 12 and one with pw_min_length: 11"},
		{"a boundary from the other side", "applies: 'true'\n" + length, "p.auth_pw_min_length > s.pw_min_length",
			"-- a.yaml --\nfacts: {pw_min_length: 20}\nwant: violates\n-- b.yaml --\nfacts: {pw_min_length: 4}\nwant: conforms\n-- c.yaml --\nwant: unknown\n", false,
			"add one with pw_min_length: 12 and one with pw_min_length: 11"},
		{"a boundary in time", "applies: 'true'\nneeds: [support_end_on]\n", "s.support_end_on > now",
			"-- a.yaml --\ndeclared: {support_end_on: 2030-01-01}\nwant: conforms\n-- b.yaml --\ndeclared: {support_end_on: 2020-01-01}\nwant: violates\n-- c.yaml --\nwant: unknown\n", false,
			"add one with support_end_on: 2026-11-01 and one with support_end_on: 2026-11-02"},
		{"nothing", "applies: 's.status != \"disposed\"'\n" + strings.Replace(length, "[pw_min_length]", "[pw_min_length, status]", 1), "s.pw_min_length >= p.auth_pw_min_length",
			"-- a.yaml --\nfacts: {pw_min_length: 12}\ndeclared: {status: stored}\nwant: conforms\n-- b.yaml --\nfacts: {pw_min_length: 11}\nwant: violates\n-- c.yaml --\nwant: unknown\n", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cn, r := load(t, c.yaml, c.rule, c.cases)
			var lines []string
			for _, f := range desk.Lint(cn, r) {
				lines = append(lines, f.In(bilingual.EN))
				if strings.Contains(f.In(bilingual.EN), c.want) && c.want != "" && f.Grave == c.grave {
					return
				}
			}
			if c.want != "" || len(lines) > 0 {
				t.Errorf("found\n%s\nwant %q, grave %v", strings.Join(lines, "\n"), c.want, c.grave)
			}
		})
	}
}

func TestLintTakesNothingForGraveThatMayBeMeant(t *testing.T) {
	length := "applies: 'true'\nneeds: [pw_min_length]\nparameters: [auth.pw.min_length]\n"
	for _, c := range []struct{ yaml, rule string }{
		{length, "s.pw_min_length <= p.auth_pw_min_length || s.pw_min_length < p.auth_pw_min_length"},
		{length, "s.pw_min_length >= p.auth_pw_min_length && p.auth_pw_min_length >= s.pw_min_length"},
		{length, "s.pw_min_length > p.auth_pw_min_length || p.auth_pw_min_length > s.pw_min_length"},
		{length, "s.pw_min_length != p.auth_pw_min_length"},
		{"applies: 'true'\nneeds: [role, status]\n", `s.status == "stored" && s.status != "disposed"`},
		{"applies: 'true'\nneeds: [role, status]\n", `s.status == "stored" && s.role == "server" || s.status == "disposed" && s.role == "terminal"`},
		{"applies: 's.status in [\"stored\", \"in-service\"]'\nneeds: [status]\n", `s.status == "stored" || !(s.status in ["in-service", "disposed"])`},
		{"applies: 's.status == \"stored\"'\nneeds: [hard_to_carry, status]\n", `s.status == "stored" ? s.hard_to_carry : !s.hard_to_carry`},
	} {
		if !strings.Contains(c.rule, "role") {
			c.yaml = strings.Replace(c.yaml, "[role, status]", "[status]", 1)
		}
		cn, r := load(t, c.yaml, c.rule, "")
		for _, f := range desk.Lint(cn, r) {
			if f.Grave {
				t.Errorf("%s\n%s", c.rule, f.In(bilingual.EN))
			}
		}
	}
}

// TestNewControlsJudgeFromTheStart begins a control about a field of every sort
// (at night about every field): it loads, compiles, and its cases come out.
func TestNewControlsJudgeFromTheStart(t *testing.T) {
	fields, alike := 0, map[string]int{}
	for _, id := range desk.Kinds.IDs() {
		for _, f := range desk.Kinds[id].Fields {
			like := fmt.Sprint(f.Type, f.Layers, f.Required, f.Least, len(f.Choices) > 0, len(f.Of) > 0)
			if alike[like]++; alike[like] > 2 && os.Getenv("KAKUSHO_NIGHTLY") == "" {
				continue
			}
			fields++
			papers, err := desk.New(author.Wish{ID: "area/name", Kind: id, Field: f.Name, Clause: "npa-r3@2.2.4"})
			if err != nil {
				t.Fatal(err)
			}
			fsys := fstest.MapFS{}
			for name, text := range papers {
				fsys["area/name/"+name] = &fstest.MapFile{Data: []byte(text)}
			}
			cs, err := control.Load(fsys, desk.Kinds, desk.Directive)
			if err != nil {
				t.Errorf("%s.%s: %v", id, f.Name, err)
				continue
			}
			rules, err := judge.Rules(cs, desk.Kinds, desk.Directive)
			if err != nil {
				t.Errorf("%s.%s: %v", id, f.Name, err)
				continue
			}
			for _, trial := range desk.Try(cs[0], rules[0]) {
				if trial.Fault != "" {
					t.Errorf("%s.%s: %s: %s", id, f.Name, trial.Case.Name, trial.Fault)
				}
			}
			unwritten := 0
			for _, x := range desk.Lint(cs[0], rules[0]) {
				if x.Grave && strings.Contains(x.Text.EN, author.Placeholder) {
					unwritten++
				}
			}
			if unwritten != 4 {
				t.Errorf("%s.%s: %d placeholders are found, want those of title, why, remedy and rule", id, f.Name, unwritten)
			}
		}
	}
	if fields < 40 {
		t.Errorf("only %d fields", fields)
	}
}

func TestNewRefuses(t *testing.T) {
	good := author.Wish{ID: "area/name", Kind: "computer", Clause: "npa-r3@2.2.4"}
	for _, c := range []struct {
		name   string
		change func(*author.Wish)
		want   string
	}{
		{"a name without an area", func(w *author.Wish) { w.ID = "name" }, "area/name"},
		{"a name that leads elsewhere", func(w *author.Wish) { w.ID = "../name" }, "area/name"},
		{"an unknown kind", func(w *author.Wish) { w.Kind = "toaster" }, `no kind "toaster"`},
		{"an unknown field", func(w *author.Wish) { w.Field = "colour" }, `kind computer has no field "colour"`},
		{"an unknown clause", func(w *author.Wish) { w.Clause = "npa-r3@9.9.9" }, `no clause "npa-r3@9.9.9"`},
	} {
		w := good
		c.change(&w)
		if _, err := desk.New(w); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestTryNamesTheCaseThatFails(t *testing.T) {
	c, r := load(t, "applies: 'true'\nneeds: [hard_to_carry]\n", "s.hard_to_carry",
		"-- it-is.yaml --\ndeclared: {hard_to_carry: true}\nwant: conforms\n-- it-is-not.yaml --\ndeclared: {hard_to_carry: true}\nwant: violates\n-- nobody-looked.yaml --\nwant: unknown\n")
	var faults []string
	for _, x := range desk.Try(c, r) {
		if x.Fault != "" {
			faults = append(faults, x.Place+" "+x.Case.Name+" "+x.Fault)
		}
	}
	if len(faults) != 1 || !strings.HasPrefix(faults[0], `area/name/cases.txtar:4 it-is-not outcome is "conforms", want "violates"`) {
		t.Errorf("got %q", faults)
	}
}

func TestExplainDrawsThePlan(t *testing.T) {
	c, r := load(t, "applies: 's.status != \"disposed\"'\nneeds: [hard_to_carry, pw_min_length, status, volumes]\nparameters: [auth.pw.min_length]\n",
		"s.hard_to_carry &&\n  !(s.pw_min_length < p.auth_pw_min_length || s.volumes.exists(v, !v.encrypted))", "")
	var b strings.Builder
	desk.Explain(&b, bilingual.EN, c, r, "vector")
	for _, want := range []string{
		"area/name  Name", "clause npa-r3@2.2.4", "speed vector", "\n  all of\n    s.hard_to_carry   (rule.cel:1:2)\n    not\n      any of\n        s.pw_min_length < p.auth_pw_min_length   (rule.cel:2:21)\n",
		"some element: s.volumes.exists(v, !v.encrypted)", "computer.pw_min_length  int", "collect/authentication (fresh.account)", "auth.pw.min_length", "= 12",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
}
