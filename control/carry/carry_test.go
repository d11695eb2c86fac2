package carry_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"kakusho/clause"
	"kakusho/control"
	"kakusho/control/carry"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/directive/library"
)

// body is a directive of the given source with three clauses and a group.
func body(source, first, value string) fstest.MapFS {
	deferral := "deferral"
	if first == "granted otherwise" {
		first, deferral = "first", first
	}
	head := `id: ` + source + `
title: {ja: "要件", en: "Requirements"}
number: {ja: "第1号", en: "No. 1"}
issued: 2026-01-01
effective_from: 2026-01-01
authority: {ja: "訓令", en: "Instruction"}
replaces: {ja: "旧", en: "Former"}
grants: {deferral: ` + source + `@1.4}
`
	item := func(id, statement, more string) string {
		return `  - id: ` + source + `@` + id + `
    label: {ja: "` + id + `", en: "` + id + `"}
    title: {ja: "題", en: "Title"}
    statement: {ja: "` + statement + `", en: "` + statement + `"}
    type: obligation
    addressee: system-officer
    force: mandatory
    kinds: [system]
    mechanisms: [record]
` + more
	}
	section := `section: ` + source + `@1
label: {ja: "第1", en: "Part 1"}
title: {ja: "節", en: "Section"}
clauses:
` + item("1.1", first, "    delegates: P01\n") + item("1.2", "same", "") + item("1.3", "third", "") + item("1.4", deferral, "")
	group := `group: P01
clause: ` + source + `@1.1
title: {ja: "群", en: "Group"}
about: {ja: "説明", en: "About"}
parameters:
  - key: fresh.x
    type: duration
    unit: d
    label: {ja: "値", en: "Value"}
    about: {ja: "説明", en: "About"}
    default: ` + value + `
    stricter: lower
    clauses: [` + source + `@1.2]
    basis: {ja: "判断", en: "Chosen"}
`
	return fstest.MapFS{
		source + "/source.yaml":         {Data: []byte(head)},
		source + "/1.yaml":              {Data: []byte(section)},
		source + "/parameters/P01.yaml": {Data: []byte(group)},
	}
}

// planner compares old with a next whose first clause and value are as given, and in
// which clause 3 went, or did not.
func planner(t *testing.T, first, value string, repealed bool, change func(*control.Control)) *carry.Planner {
	t.Helper()
	fsys := body("old", "first", "10d")
	for name, f := range body("next", first, value) {
		fsys[name] = f
	}
	relation, third := "equal", `{from: ["1.3"], to: ["1.3"], relation: equal}`
	grant := "equal"
	switch first {
	case "first":
	case "granted otherwise":
		grant = "changed"
	default:
		relation = "changed"
	}
	if repealed {
		third = `{from: ["1.3"], to: [], relation: repealed}
  - {from: [], to: ["1.3"], relation: new}`
	}
	fsys["crosswalk/old--next.yaml"] = &fstest.MapFile{Data: []byte(`from: old
to: next
note: {ja: 注, en: Note}
rows:
  - {from: ["1.1"], to: ["1.1"], relation: ` + relation + `}
  - {from: ["1.2"], to: ["1.2"], relation: equal}
  - {from: ["1.4"], to: ["1.4"], relation: ` + grant + `}
  - ` + third + "\n")}
	lib, err := library.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	old, _ := lib.Of("old")
	next, _ := lib.Of("next")
	walk, _ := lib.Crosswalk("old", "next")
	before := []control.Control{asks("a/first", "old@1.1", ""), asks("a/second", "old@1.2", "fresh.x"), asks("a/third", "old@1.3", "")}
	after := control.Follow(before, walk)
	if change != nil {
		for i := range after {
			record := *after[i].Record
			after[i].Record = &record
			change(&after[i])
		}
	}
	return carry.New(old, next, walk, before, after)
}

func asks(id string, c clause.ID, fresh string) control.Control {
	out := control.Control{ID: id, Clauses: []clause.ID{c}, Kinds: []string{"system"}, Rule: `a.answer == "done"`, Applies: "true",
		Record: &control.Record{Type: decision.Attestation, Answers: []control.Answer{{Value: "done"}, {Value: "not"}}, Fresh: fresh}}
	if fresh == "" {
		out.Record.Fresh = "fresh.x"
	}
	return out
}

func answer(control string) decision.Decision {
	return decision.Decision{ID: "d-1", Type: decision.Attestation, Subject: "system/S", Control: control, Answer: "done", By: "E1", Directive: "old"}
}

func TestAnAnswerIsCarriedOnlyWhereNothingItRestsOnChanged(t *testing.T) {
	deferral := decision.Decision{ID: "d-2", Type: decision.Deferral, Subject: "system/S", Clause: "old@1.1", Directive: "old"}
	override := decision.Decision{ID: "d-3", Type: decision.Override, Subject: "system/S", Field: "x"}
	for _, c := range []struct {
		name     string
		first    string
		value    string
		repealed bool
		change   func(*control.Control)
		of       decision.Decision
		want     carry.Fate
		why      []carry.Change
	}{
		{"nothing changed", "first", "10d", false, nil, answer("a/first"), carry.Carried, nil},
		{"the clause says something else", "other", "10d", false, nil, answer("a/first"), carry.Asked, []carry.Change{{By: carry.ByClause, What: "old@1.1"}}},
		{"another clause says something else", "other", "10d", false, nil, answer("a/second"), carry.Carried, nil},
		{"the parameter means something else", "first", "9d", false, nil, answer("a/second"), carry.Asked, []carry.Change{{By: carry.ByParameter, What: "fresh.x"}}},
		{"the rule is another", "first", "10d", false, func(c *control.Control) { c.Rule = "true" }, answer("a/first"), carry.Asked, []carry.Change{{By: carry.ByCheck, What: "a/first"}}},
		{"the question is another", "first", "10d", false, func(c *control.Control) { c.Record.Question.JA = "別" }, answer("a/first"), carry.Asked, []carry.Change{{By: carry.ByCheck, What: "a/first"}}},
		{"the title alone is another", "first", "10d", false, func(c *control.Control) { c.Title.JA = "別" }, answer("a/first"), carry.Carried, nil},
		{"the clause was repealed", "first", "10d", true, nil, answer("a/third"), carry.Archived, []carry.Change{{By: carry.ByRepeal, What: "a/third"}}},
		{"a deferral of what did not change", "first", "10d", false, nil, deferral, carry.Carried, nil},
		{"a deferral of what changed", "other", "10d", false, nil, deferral, carry.Asked, []carry.Change{{By: carry.ByClause, What: "old@1.1"}}},
		{"a deferral of what is checked otherwise", "first", "10d", false, func(c *control.Control) { c.Rule = "true" }, deferral, carry.Asked, []carry.Change{{By: carry.ByCheck, What: "a/first"}}},
		{"a deferral by a clause that grants otherwise now", "granted otherwise", "10d", false, nil, deferral, carry.Asked, []carry.Change{{By: carry.ByClause, What: "old@1.4"}}},
		{"an answer has nothing to do with that", "granted otherwise", "10d", false, nil, answer("a/first"), carry.Carried, nil},
		{"a deferral of what more is checked about", "first", "10d", false, func(c *control.Control) {
			if c.ID == "a/second" {
				c.Clauses = append(slices.Clone(c.Clauses), "next@1.1")
			}
		}, deferral, carry.Asked, []carry.Change{{By: carry.ByCheck, What: "a/second"}}},
		{"an override is about a fact", "other", "9d", true, nil, override, carry.Carried, nil},
	} {
		line := planner(t, c.first, c.value, c.repealed, c.change).Of(c.of)
		if line.Fate != c.want || !slices.Equal(line.Why, c.why) {
			t.Errorf("%s: %s because of %v, want %s because of %v", c.name, line.Fate, line.Why, c.want, c.why)
		}
		switch {
		case c.of.Type == decision.Override:
			if line.New.Directive != "" || line.New.ID != c.of.ID {
				t.Errorf("%s: became %+v", c.name, line.New)
			}
		case line.Fate == carry.Carried:
			if line.New.Directive != "next" || line.New.Carries != c.of.ID || line.New.By != c.of.By || line.New.Answer != c.of.Answer {
				t.Errorf("%s: became %+v", c.name, line.New)
			}
			if c.of.Clause != "" && line.New.Clause != "next@1.1" {
				t.Errorf("%s: lies over %s", c.name, line.New.Clause)
			}
		case line.New.ID != "" || line.New.Type != "":
			t.Errorf("%s: became %+v, want nothing", c.name, line.New)
		}
	}
}

func TestWhichDecisionsCountUnderADirective(t *testing.T) {
	for _, c := range []struct {
		d      decision.Decision
		source string
		want   bool
	}{
		{decision.Decision{Type: decision.Attestation}, directive.First, true},
		{decision.Decision{Type: decision.Attestation}, "next", false},
		{decision.Decision{Type: decision.Attestation, Directive: "next"}, "next", true},
		{decision.Decision{Type: decision.Attestation, Directive: "next"}, directive.First, false},
		{decision.Decision{Type: decision.Override}, "next", true},
	} {
		if got := carry.Under(c.source, c.d); got != c.want {
			t.Errorf("%+v under %s: %v", c.d, c.source, got)
		}
	}
}
