package library_test

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/directive"
	"kakusho/directive/library"
)

func TestTheDirectiveInForceComesFirst(t *testing.T) {
	var got []string
	for _, d := range library.All() {
		got = append(got, d.Source)
	}
	if want := []string{"npa-r3", "npa-next", "cjis"}; !slices.Equal(got, want) {
		t.Errorf("directives %v, want %v", got, want)
	}
	if got := directive.Default().Source; got != "npa-r3" {
		t.Errorf("the default is %s", got)
	}
}

func TestADraftSaysThatItIsOneInEveryLabel(t *testing.T) {
	next, _ := library.Shipped().Of("npa-next")
	if !next.Draft || next.Succeeds != "npa-r3" || !strings.Contains(next.Title.JA, "案") || !strings.Contains(next.Title.EN, "Draft") {
		t.Errorf("%+v does not say that it is a draft", next.Title)
	}
	for _, c := range next.Clauses {
		if !strings.HasPrefix(c.Label.JA, "案 ") || !strings.HasPrefix(c.Label.EN, "Draft ") {
			t.Errorf("%s is labelled %v", c.ID, c.Label)
		}
	}
}

// What one directive says of itself is read under another that took its words over.
func TestTextsReferToClausesOfTheirOwnDirective(t *testing.T) {
	mention := regexp.MustCompile(`(案 )?第[0-9]+の[0-9]+|(Draft )?[Pp]art [0-9]+, [0-9]+`)
	for _, d := range library.All() {
		var labels []string
		for _, s := range d.Sections {
			labels = append(labels, s.Label.JA, s.Label.EN)
		}
		for _, c := range d.Clauses {
			labels = append(labels, c.Label.JA, c.Label.EN)
		}
		check := func(where string, texts ...bilingual.Text) {
			for _, x := range texts {
				for _, m := range mention.FindAllString(x.JA+"\n"+x.EN, -1) {
					if !slices.Contains(labels, m) {
						t.Errorf("%s refers to %q, which %s has not: %v", where, m, d.Source, x)
					}
				}
			}
		}
		for _, c := range d.Clauses {
			check(string(c.ID), slices.Concat([]bilingual.Text{c.Title, c.Statement}, c.Conditions, c.Exceptions, c.Notes)...)
		}
		for _, g := range d.Groups {
			check(g.ID, g.Title, g.About)
		}
		for _, p := range d.Parameters {
			check(p.Key, p.About, p.Basis)
		}
	}
}

// What is carried over rests on this: an inherited parameter is the same, unless
// the list of changes names it.
func TestAnInheritedParameterIsTheSameUnlessItIsNamedAsChanged(t *testing.T) {
	lib := library.Shipped()
	base, _ := lib.Of("npa-r3")
	for source, want := range map[string][]string{
		"npa-next": {"defer.in_service_before", "proc.requirement_list.version"},
		"cjis": {"auth.pw.max_age_days", "auth.pw.min_length", "auth.session.lock_min.admin", "auth.session.lock_min.server", "auth.session.lock_min.terminal",
			"defer.in_service_before", "out.evaluation"},
	} {
		d, _ := lib.Of(source)
		if len(d.Parameters) != len(base.Parameters) {
			t.Errorf("%s has %d parameters, its parent %d", source, len(d.Parameters), len(base.Parameters))
		}
		var changed []string
		for _, key := range d.Parameters.Keys() {
			p := d.Parameters[key]
			if p.Digest() != base.Parameters[key].Digest() {
				changed = append(changed, key)
			}
			for _, id := range p.Clauses {
				if id.Source() != source {
					t.Errorf("%s: %s serves %s", source, key, id)
				}
			}
		}
		if !slices.Equal(changed, want) {
			t.Errorf("%s changed %v, want %v", source, changed, want)
		}
	}
}

func TestACrosswalkReadsFromBothSides(t *testing.T) {
	lib := library.Shipped()
	there, _ := lib.Crosswalk("npa-r3", "npa-next")
	back, ok := lib.Crosswalk("npa-next", "npa-r3")
	if !ok {
		t.Fatal("no way back")
	}
	for _, c := range []struct {
		id   clause.ID
		want []clause.ID
	}{
		{"npa-r3@2.2.1", []clause.ID{"npa-next@7.1.1"}},
		{"npa-r3@2.8.3", []clause.ID{"npa-next@6.2.3", "npa-next@6.5.1"}},
		{"npa-r3@5.1", []clause.ID{"npa-next@2.2.1"}},
		{"npa-r3@5.3", nil},
	} {
		got := there.Counterparts(c.id)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s became %v, want %v", c.id, got, c.want)
		}
		for _, to := range got {
			if !slices.Contains(back.Counterparts(to), c.id) {
				t.Errorf("%s does not lead back to %s", to, c.id)
			}
		}
	}
	relations := map[library.Relation]int{}
	for i, r := range there.Rows {
		relations[r.Relation]++
		if twice := back.Reverse().Rows[i]; !slices.Equal(twice.From, r.From) || twice.Relation != r.Relation {
			t.Errorf("reversed twice, row %v is %v", r, twice)
		}
	}
	for _, r := range library.Relations {
		if relations[r] == 0 {
			t.Errorf("no row of the draft is %s, which is then shown by nothing", r)
		}
	}
}

func TestWhereAClauseWasSplitItsControlsGoToTheirPart(t *testing.T) {
	x, _ := library.Shipped().Crosswalk("npa-r3", "cjis")
	for control, want := range map[string]clause.ID{
		"auth/lockout-window": "cjis@1.7", "auth/screen-lock": "cjis@1.11", "auth/inactive-accounts": "cjis@1.2.3", "auth/password-length": "cjis@7.5",
	} {
		if got := x.Targets("npa-r3@2.2.4", control); !slices.Equal(got, []clause.ID{want}) {
			t.Errorf("%s checks %v, want %s", control, got, want)
		}
	}
}

// shelf is the shipped library with some files changed.
func shelf(t *testing.T, change map[string]func(string) string) (*library.Library, error) {
	t.Helper()
	out := fstest.MapFS{}
	err := fs.WalkDir(directive.Folders(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(directive.Folders(), name)
		out[name] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range change {
		old := ""
		if out[name] != nil {
			old = string(out[name].Data)
		}
		text := f(old)
		if text == old {
			t.Fatalf("%s: the case no longer fits the text", name)
		}
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return library.Load(out)
}

func TestFaultsOfALibraryNameTheirPlace(t *testing.T) {
	swap := func(old, with string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, with, 1) }
	}
	const walk, next = "crosswalk/npa-r3--npa-next.yaml", "npa-next/source.yaml"
	for _, c := range []struct {
		name, file string
		change     func(string) string
		want       string
	}{
		{"a clause left out of the crosswalk", walk, swap(`  - {from: ["2.2.1"], to: ["7.1.1"], relation: equal}`+"\n", ""), "clause npa-r3@2.2.1 stands in no row"},
		{"a clause that is not there", walk, swap(`to: ["7.1.1"]`, `to: ["9.9.9"]`), `unknown clause "npa-next@9.9.9"`},
		{"the same called changed", walk, swap(`to: ["7.1.1"], relation: equal`, `to: ["7.1.1"], relation: changed`), "say the same: true"},
		{"a change called the same", "npa-next/7.1.yaml", swap("    like: npa-r3@2.2.1\n", "    like: npa-r3@2.2.1\n    force: endeavour\n"), "say the same: false"},
		{"a relation nobody knows", walk, swap("relation: equal", "relation: similar"), `relation "similar" is none of`},
		{"several called one to one", walk, swap(`to: ["7.1.1"]`, `to: ["7.1.1", "7.1.2"]`), "1 clauses to 2 are not equal"},
		{"a pattern for what is not on the right", walk, swap(`controls: {"4.1.1"`, `controls: {"4.1.2"`), "is not on the right-hand side"},
		{"a pattern that is none", walk, swap("outsourcing/*", "[/"), "no pattern of area/name"},
		{"an unknown key", walk, swap("relation: equal", "relation: equal, why: x"), "field why not found"},
		{"a file under another's name", "crosswalk/other.yaml", func(string) string { return "from: a\nto: b\nnote: {ja: あ, en: a}\n" }, "should be called a--b.yaml"},
		{"a parent that is not there", next, swap("inherits: npa-r3", "inherits: npa-r2"), `inherits from "npa-r2"`},
		{"a folder that inherits from itself", next, swap("inherits: npa-r3", "inherits: npa-next"), `inherits from "npa-next"`},
		{"an id that is not the folder's", next, swap("id: npa-next", "id: npa-later"), `section is "npa-next@7.1", want "npa-later@7.1"`},
		{"like nothing", "npa-next/7.1.yaml", swap("like: npa-r3@2.2.1", "like: npa-r3@2.2.9"), "7.1.yaml: clause npa-next@7.1.1: like npa-r3@2.2.9"},
		{"a change to nothing", "npa-next/parameters/changes.yaml", swap("defer.in_service_before", "defer.in_service_after"), "parameter defer.in_service_after is not inherited"},
		{"a change to what it cannot be", "npa-next/parameters/changes.yaml", swap(`"2027-04-01"`, "soon"), "parameter defer.in_service_before: default"},
		{"a change without a basis", "npa-next/parameters/changes.yaml", swap("    basis:", "    about:"), "has no basis"},
		{"a change of what cannot be", "npa-next/parameters/changes.yaml", swap("    basis:", "    stricter: none\n    basis:"), "stricter cannot be changed"},
		{"a group nobody delegates", "cjis/11.yaml", swap("    delegates: P01\n", ""), "P01.yaml"},
	} {
		_, err := shelf(t, map[string]func(string) string{c.file: c.change})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

const (
	extraSource = `id: x-1
title: {ja: "要件", en: "Requirements"}
number: {ja: "第1号", en: "No. 1"}
issued: 2021-10-05
effective_from: 2021-10-15
authority: {ja: "訓令", en: "Instruction"}
replaces: {ja: "旧通達", en: "Former notice"}
`
	extraSection = `section: x-1@1
label: {ja: "第1", en: "Part 1"}
title: {ja: "節", en: "Section"}
clauses:
  - id: x-1@1.1
    label: {ja: "第1の1", en: "Part 1, 1"}
    title: {ja: "題", en: "Title"}
    statement: {ja: "文。", en: "Sentence."}
    type: obligation
    addressee: system-officer
    force: mandatory
    kinds: [computer]
    mechanisms: [verify]
`
	extraWalk = `from: npa-r3
to: x-1
note: {ja: 注, en: Note}
rows:
`
)

func TestAnExtraFolderIsAnExtraDirective(t *testing.T) {
	lib, err := shelf(t, map[string]func(string) string{
		"x-1/source.yaml": func(string) string { return extraSource },
		"x-1/1.yaml":      func(string) string { return extraSection },
	})
	if err != nil {
		t.Fatal(err)
	}
	if d, ok := lib.Of("x-1"); !ok || len(d.Clauses) != 1 || len(d.Parameters) != 0 {
		t.Errorf("got %v", lib.Directives)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(extraSource+"inherits: npa-r3\n", extraSection, "changes: [{key: fresh.time, default: 2d, basis: {ja: あ, en: a}}]", extraWalk+`  - {from: ["2.1.1"], to: ["1.1"], relation: changed}`)
	f.Add(extraSource+"inherits: x-1\n", "clauses: [{like: npa-r3@4, delegates: P19, id: x-1@1}]", "changes: &a [*a]", extraWalk)
	f.Add("inherits: npa-r3", "clauses: {like: 1}", "changes: [{key: [], basis: 1}]", "rows: [{}]")
	f.Fuzz(func(t *testing.T, source, section, changes, walk string) {
		fsys := fstest.MapFS{
			"x-1/source.yaml": {Data: []byte(source)}, "x-1/1.yaml": {Data: []byte(section)},
			"x-1/parameters/changes.yaml": {Data: []byte(changes)}, "crosswalk/npa-r3--x-1.yaml": {Data: []byte(walk)},
		}
		_ = fs.WalkDir(directive.Folders(), "npa-r3", func(name string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				b, _ := fs.ReadFile(directive.Folders(), name)
				fsys[name] = &fstest.MapFile{Data: b}
			}
			return err
		})
		if lib, err := library.Load(fsys); (lib == nil) == (err == nil) {
			t.Fatalf("Load = %v, %v", lib, err)
		}
	})
}

func FuzzReadCrosswalk(f *testing.F) {
	f.Add([]byte("from: a\nto: b\nnote: {ja: あ, en: a}\nrows:\n  - {from: [\"1.1\"], to: [], relation: repealed}\n"))
	f.Add([]byte("rows: [{from: [1], to: [2], relation: split, controls: {\"2\": [\"[\"]}}]"))
	f.Add([]byte("rows: &a [*a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := library.ReadCrosswalk("crosswalk/a--b.yaml", b)
		if err != nil {
			return
		}
		for _, r := range x.Reverse().Rows {
			for _, id := range r.From {
				x.Reverse().Targets(id, "area/name")
			}
		}
	})
}
