package directive_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"kakusho/directive"
)

const source = `id: x-1
title: {ja: "要件", en: "Requirements"}
number: {ja: "第1号", en: "No. 1"}
issued: 2021-10-05
effective_from: 2021-10-15
authority: {ja: "訓令", en: "Instruction"}
replaces: {ja: "旧通達", en: "Former notice"}
rulebooks:
  - {id: other, title: {ja: "他", en: "Other"}, note: {ja: "参考", en: "For orientation"}}
`

const sectionText = `section: x-1@2.1
label: {ja: "第2の1", en: "Part 2, 1"}
title: {ja: "節", en: "Section"}
maps: {other: "A.1"}
clauses:
  - id: x-1@2.1.1
    label: {ja: "第2の1(1)", en: "Part 2, 1(1)"}
    title: {ja: "題", en: "Title"}
    statement: {ja: "文。", en: "Sentence."}
    type: obligation
    addressee: system-officer
    force: mandatory
    kinds: [computer]
    mechanisms: [verify]
    delegates: P01
`

const groupText = `group: P01
clause: x-1@2.1.1
title: {ja: "群", en: "Group"}
about: {ja: "説明", en: "About"}
parameters:
  - key: a.b
    type: int
    label: {ja: "値", en: "Value"}
    about: {ja: "説明", en: "About"}
    default: 3
    least: 1
    most: 5
    stricter: higher
    clauses: [x-1@2.1.1]
    basis: {ja: "判断", en: "Chosen"}
`

const (
	sectionName = "2.1.yaml"
	groupName   = "parameters/P01.yaml"
)

func folder(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range map[string]string{"source.yaml": source, sectionName: sectionText, groupName: groupText} {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	for name, text := range files {
		if text == "" {
			delete(fsys, name)
			continue
		}
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func TestLoadReadsAnotherBodysRules(t *testing.T) {
	d, err := directive.Load(folder(nil))
	if err != nil {
		t.Fatal(err)
	}
	if d.Source != "x-1" || len(d.Clauses) != 1 || d.Clauses[0].Maps["other"] != "A.1" || len(d.Groups) != 1 || d.Parameters["a.b"].Default != int64(3) {
		t.Errorf("got %+v", d)
	}
	if !d.Ends().IsZero() || !d.InForce(d.EffectiveFrom.AddDate(100, 0, 0)) {
		t.Error("a directive without a last day ends")
	}
}

func TestLoadNamesEachFaultWithItsPlace(t *testing.T) {
	clauseAfter := sectionText + strings.ReplaceAll(sectionText[strings.Index(sectionText, "  - id"):], "    delegates: P01\n", "")
	for _, c := range []struct {
		name  string
		file  string
		old   string // replaced in the file; empty: the whole file is new
		new   string
		wants []string
	}{
		{"an unknown key in the source", "source.yaml", "issued:", "isued:", []string{"source.yaml", "line 4", "isued"}},
		{"no source", "source.yaml", source, "", []string{"source.yaml"}},
		{"a source without a name", "source.yaml", "id: x-1", "id: X 1", []string{"source.yaml", `id "X 1"`}},
		{"a date that is none", "source.yaml", "2021-10-15", "2021-13-15", []string{"source.yaml", "effective_from"}},
		{"an end before the beginning", "source.yaml", "issued", "valid_until: 2020-01-01\nissued", []string{"valid_until"}},
		{"a source in Japanese only", "source.yaml", `, en: "Requirements"`, "", []string{"title needs ja and en"}},
		{"an unknown key in a clause", sectionName, "    force:", "    farce:", []string{sectionName, "line 12", "farce"}},
		{"a section under another's name", sectionName, "section: x-1@2.1", "section: x-1@2.2", []string{sectionName, "after the file's name"}},
		{"a clause of another section", sectionName, "id: x-1@2.1.1", "id: x-1@2.2.1", []string{sectionName + ": line 6", "not of section"}},
		{"a clause of another source", sectionName, "id: x-1@2.1.1", "id: y@2.1.1", []string{sectionName + ": line 6", "not of section"}},
		{"an ID that is none", sectionName, "id: x-1@2.1.1", "id: x-1@2.1.01", []string{sectionName + ": line 6", "not a number"}},
		{"the same clause twice", sectionName, sectionText, clauseAfter, []string{sectionName + ": line 16", "does not come after"}},
		{"a statement in Japanese only", sectionName, `{ja: "文。", en: "Sentence."}`, `{ja: "文。"}`, []string{"statement needs ja and en"}},
		{"a note in English only", sectionName, "    delegates", "    notes: [{en: x}]\n    delegates", []string{"notes need ja and en"}},
		{"an unknown duty", sectionName, "system-officer", "boss", []string{`addressee "boss"`}},
		{"an unknown force", sectionName, "mandatory", "maybe", []string{`force "maybe"`}},
		{"an unknown type", sectionName, "type: obligation", "type: wish", []string{`type "wish"`}},
		{"a sub-item on its own", sectionName, "type: obligation", "type: sub-item", []string{"stands under an obligation"}},
		{"a chapeau with a number", sectionName, "type: obligation", "type: chapeau", []string{"number 0"}},
		{"an unknown mechanism", sectionName, "[verify]", "[hope]", []string{`mechanism "hope"`}},
		{"no mechanism", sectionName, "[verify]", "[]", []string{"no mechanism"}},
		{"no kind", sectionName, "[computer]", "[]", []string{"at least one kind"}},
		{"an unknown rulebook", sectionName, "maps: {other:", "maps: {another:", []string{`maps to "another"`}},
		{"a group without a file", groupName, groupText, "", []string{sectionName + ": line 6", "P01 has no file"}},
		{"a group nobody delegates", sectionName, "    delegates: P01\n", "", []string{groupName, "which delegates the group"}},
		{"a group under another's name", groupName, "group: P01", "group: P02", []string{groupName, "want the file's name"}},
		{"two documents in one file", groupName, "group: P01", "group: P01\n---\n", []string{groupName}},
		{"an unknown key in a parameter", groupName, "    least:", "    lest:", []string{groupName, "line 11", "lest"}},
		{"a default outside its bounds", groupName, "default: 3", "default: 6", []string{groupName + ": line 6", "at most 5"}},
		{"no default", groupName, "    default: 3\n", "", []string{groupName + ": line 6", "whole number"}},
		{"bounds the wrong way round", groupName, "most: 5", "most: 0", []string{"least is more than most"}},
		{"a bound that is no number", groupName, "most: 5", "most: five", []string{"most five: want a number"}},
		{"an unknown parameter type", groupName, "type: int", "type: integer", []string{`type "integer"`}},
		{"a direction of another type", groupName, "stricter: higher", "stricter: subset", []string{`stricter "subset"`}},
		{"an unknown unit", groupName, "    default", "    unit: furlong\n    default", []string{`unit "furlong"`}},
		{"an unknown clause", groupName, "clauses: [x-1@2.1.1]", "clauses: [x-1@9.9]", []string{`unknown clause "x-1@9.9"`}},
		{"choices for a number", groupName, "    default", "    choices: [{value: a, label: {ja: あ, en: a}}]\n    default", []string{"choices go with"}},
		{"a key with capitals", groupName, "key: a.b", "key: A.b", []string{"key wants lower-case"}},
		{"a parameter twice", groupName, groupText, groupText + groupText[strings.Index(groupText, "  - key"):], []string{groupName + ": line 16", "twice"}},
		{"two keys a rule cannot tell apart", groupName, groupText, groupText + strings.Replace(groupText[strings.Index(groupText, "  - key"):], "a.b", "a.b_c", 1) + strings.Replace(groupText[strings.Index(groupText, "  - key"):], "a.b", "a.b.c", 1), []string{"cannot tell it from a.b_c"}},
		{"text that is no YAML", groupName, groupText, "\t{", []string{groupName}},
	} {
		base := map[string]string{"source.yaml": source, sectionName: sectionText, groupName: groupText}[c.file]
		if !strings.Contains(base, c.old) {
			t.Fatalf("%s: the case no longer fits the text", c.name)
		}
		_, err := directive.Load(folder(map[string]string{c.file: strings.Replace(base, c.old, c.new, 1)}))
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range c.wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error does not say %q:\n%v", c.name, want, err)
			}
		}
	}
}

func TestLoadReportsAllFaultsAtOnce(t *testing.T) {
	_, err := directive.Load(folder(map[string]string{
		sectionName: strings.NewReplacer("mandatory", "maybe", "[verify]", "[hope]").Replace(sectionText),
		groupName:   strings.NewReplacer("default: 3", "default: 9", "stricter: higher", "stricter: up").Replace(groupText),
	}))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`force "maybe"`, `mechanism "hope"`, "at most 5", `stricter "up"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q:\n%v", want, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(source, sectionText, groupText)
	f.Add(source, sectionText, strings.Replace(groupText, "type: int", "type: duration", 1))
	f.Add(source, strings.Replace(sectionText, "x-1@2.1.1", "x-1@", 1), groupText)
	f.Add("id: x-1", "clauses: [{}]", "parameters: [{}]")
	f.Add("", "&a [*a]", "default: 2031-01-01")
	f.Fuzz(func(t *testing.T, source, section, group string) {
		d, err := directive.Load(fstest.MapFS{
			"source.yaml": {Data: []byte(source)}, sectionName: {Data: []byte(section)}, groupName: {Data: []byte(group)},
		})
		if (d == nil) == (err == nil) {
			t.Fatalf("Load = %v, %v", d, err)
		}
		if err != nil {
			return
		}
		for _, p := range d.Parameters {
			if _, err := p.Check(p.Default); err != nil {
				t.Fatalf("a loaded default is no value: %v", err)
			}
		}
	})
}
