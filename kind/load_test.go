package kind_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"kakusho/clause"
	"kakusho/kind"
)

const room = `id: room
label: {ja: 部屋, en: Room}
about: {ja: 部屋を登録する。, en: One entry per room.}
section: organisation
key: room_no
name: room_no
owner: [maintainer]
fields:
  - {name: room_no, type: string, label: {ja: 番号, en: Number}, required: true}
`

func load(files map[string]string) (kind.Set, error) {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return kind.Load(fsys)
}

func TestAKindIsReadFromItsFile(t *testing.T) {
	set, err := load(map[string]string{"room.yaml": room})
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := set["room"].Field("room_no"); !ok || !f.Required || !f.In(kind.Declared) || f.In(kind.Observed) {
		t.Errorf("%+v", set["room"])
	}
}

func TestFaultsOfAFileNameTheFileAndWhatIsWrong(t *testing.T) {
	field := func(line string) string { return room + "  - " + line + "\n" }
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"an unknown key, with its line":        {strings.Replace(room, "owner:", "ownr:", 1), []string{"room.yaml", "line 7", "ownr"}},
		"an unknown key of a field":            {field("{name: a, type: int, label: {ja: ア, en: A}, requird: true}"), []string{"room.yaml", "line 10", "requird"}},
		"broken YAML, with its line":           {room + "  - {name: a\n", []string{"room.yaml", "line "}},
		"an id that is not the file's name":    {strings.Replace(room, "id: room", "id: hall", 1), []string{"room.yaml", `"hall"`}},
		"two documents":                        {room + "---\n" + room, []string{"room.yaml", "more than one document"}},
		"a missing English label":              {field("{name: a, type: int, label: {ja: ア}}"), []string{`"a"`, "label needs ja and en"}},
		"half a help":                          {field("{name: a, type: int, label: {ja: ア, en: A}, help: {ja: ヘ}}"), []string{`"a"`, "help needs ja and en"}},
		"an unknown type":                      {field("{name: a, type: integer, label: {ja: ア, en: A}}"), []string{`"a"`, `unknown type "integer"`}},
		"a name twice":                         {field("{name: room_no, type: int, label: {ja: ア, en: A}}"), []string{`"room_no"`, "twice"}},
		"a label twice":                        {field("{name: a, type: int, label: {ja: 番号, en: A}}"), []string{`"a"`, "番号", `"room_no"`}},
		"a capital in a name":                  {field("{name: roomNo, type: int, label: {ja: ア, en: A}}"), []string{`"roomNo"`, "snake_case"}},
		"a reserved word as a name":            {field("{name: package, type: int, label: {ja: ア, en: A}}"), []string{`"package"`, "reserved"}},
		"a choice without choices":             {field("{name: a, type: choice, label: {ja: ア, en: A}}"), []string{`"a"`, "choices"}},
		"choices of a bool":                    {field("{name: a, type: bool, label: {ja: ア, en: A}, choices: [{value: x, label: {ja: エ, en: X}}]}"), []string{`"a"`, "choices"}},
		"the same choice twice":                {field("{name: a, type: choice, label: {ja: ア, en: A}, choices: [{value: x, label: {ja: エ, en: X}}, {value: x, label: {ja: オ, en: Y}}]}"), []string{`"a"`, `"x"`, "twice"}},
		"a label that names two choices":       {field("{name: a, type: choice, label: {ja: ア, en: A}, choices: [{value: x, label: {ja: エ, en: X}}, {value: y, label: {ja: エ, en: Y}}]}"), []string{`"a"`, "エ"}},
		"a ref to nowhere":                     {field("{name: a, type: ref, to: hall, label: {ja: ア, en: A}}"), []string{`"a"`, `unknown kind "hall"`}},
		"a ref without a kind":                 {field("{name: a, type: ref, label: {ja: ア, en: A}}"), []string{`"a"`, "to goes with type ref"}},
		"an observed field without a group":    {field("{name: a, type: int, label: {ja: ア, en: A}, layer: [observed]}"), []string{`"a"`, "group"}},
		"a derived field without a derivation": {field("{name: a, type: int, label: {ja: ア, en: A}, layer: [derived]}"), []string{`"a"`, "derive"}},
		"an unknown layer":                     {field("{name: a, type: int, label: {ja: ア, en: A}, layer: [seen]}"), []string{`"a"`, `unknown layer "seen"`}},
		"a required field nobody declares":     {field("{name: a, type: int, label: {ja: ア, en: A}, layer: [observed], group: g, required: true}"), []string{`"a"`, "required"}},
		"bounds on a text":                     {field("{name: a, type: string, label: {ja: ア, en: A}, least: 1}"), []string{`"a"`, "least and most"}},
		"bounds crossed":                       {field("{name: a, type: int, label: {ja: ア, en: A}, least: 3, most: 1}"), []string{`"a"`, "least is above most"}},
		"a length of a number":                 {field("{name: a, type: int, label: {ja: ア, en: A}, max: 3}"), []string{`"a"`, "max"}},
		"a list inside a record":               {field("{name: a, type: list, label: {ja: ア, en: A}, of: [{name: b, type: list, label: {ja: イ, en: B}}]}"), []string{`"b"`, "record"}},
		"a tree of no field of its records":    {field("{name: a, type: list, tree: c, label: {ja: ア, en: A}, of: [{name: b, type: string, label: {ja: イ, en: B}}]}"), []string{`"a"`, `tree "c"`}},
		"a tree by the name itself":            {field("{name: a, type: list, tree: b, label: {ja: ア, en: A}, of: [{name: b, type: string, label: {ja: イ, en: B}}]}"), []string{`"a"`, `tree "b"`}},
		"an unknown duty":                      {strings.Replace(room, "[maintainer]", "[janitor]", 1), []string{"room.yaml", `"janitor"`}},
		"a malformed clause":                   {field("{name: a, type: int, label: {ja: ア, en: A}, clauses: [2.3.1]}"), []string{`"a"`, "2.3.1"}},
		"an unknown section":                   {strings.Replace(room, "organisation", "attic", 1), []string{"room.yaml", `"attic"`}},
		"a key that is no field":               {strings.Replace(room, "key: room_no", "key: number", 1), []string{"room.yaml", `key "number"`}},
		"a name that is no field":              {strings.Replace(room, "name: room_no\nowner", "name: title\nowner", 1), []string{"room.yaml", `name "title"`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(map[string]string{"room.yaml": c.text})
			if err == nil {
				t.Fatal("no fault")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not name %q", err, w)
				}
			}
		})
	}
}

func TestEveryFaultOfEveryFileIsReportedAtOnce(t *testing.T) {
	hall := strings.ReplaceAll(strings.ReplaceAll(room, "room", "hall"), "Room", "Hall")
	_, err := load(map[string]string{
		"room.yaml":  strings.Replace(room, "type: string", "type: text", 1),
		"hall.yaml":  strings.Replace(hall, "section: organisation", "section: cellar", 1),
		"attic.yaml": "id: [",
	})
	for _, w := range []string{"room.yaml", "hall.yaml", "attic.yaml"} {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%v does not name %s", err, w)
		}
	}
}

func TestTheKindsThatShipAreComplete(t *testing.T) {
	set := kind.Default()
	for _, id := range []string{
		"unit", "post", "assignment", "person", "system", "computer", "phone", "network-device", "multifunction-device",
		"special-device", "database", "account", "key", "zone", "medium", "domain", "external-service", "contract",
		"procurement", "development", "document", "incident", "disposal", "notice", "acknowledgement", "line",
		"log-source", "alert", "hold", "saved-search",
	} {
		k, ok := set[id]
		if !ok {
			t.Errorf("no kind %s", id)
			continue
		}
		if len(k.Owner) == 0 {
			t.Errorf("%s: nobody may enter it", id)
		}
		if !slices.Contains(set.IDs(), id) {
			t.Errorf("%s is in no menu", id)
		}
	}
	if got := set.IDs()[0]; set[got].Section != "organisation" {
		t.Errorf("the menu begins with %s", got)
	}
}

func TestWhatBelongsToASystemNamesIt(t *testing.T) {
	set := kind.Default()
	for _, id := range []string{
		"computer", "phone", "network-device", "multifunction-device", "special-device", "database", "account", "key", "medium",
		"domain", "external-service", "contract", "procurement", "development", "document", "incident", "disposal", "notice", "line",
		"log-source", "alert", "hold", "saved-search",
	} {
		if f, ok := set[id].Field("system"); !ok || f.To != "system" || !f.In(kind.Declared) {
			t.Errorf("%s has no system", id)
		}
	}
}

func TestTheAssignmentKnowsEveryDuty(t *testing.T) {
	set := kind.Default()
	f, _ := set["assignment"].Field("duty")
	var got []string
	for _, c := range f.Choices {
		got = append(got, c.Value)
	}
	for _, d := range duties() {
		if !slices.Contains(got, d) {
			t.Errorf("duty %s cannot be assigned", d)
		}
	}
	if len(got) != len(duties()) {
		t.Errorf("%v", got)
	}
}

// The fields are entered for the clauses' sake; these clauses are answered from
// register entries, so some field must say so.
func TestTheRecordsOfPartThreeHaveFields(t *testing.T) {
	named := map[clause.ID]bool{}
	for _, k := range kind.Default() {
		for _, id := range k.Clauses {
			named[id] = true
		}
		for _, f := range k.Fields {
			for _, id := range f.Clauses {
				named[id] = true
			}
		}
	}
	for _, id := range []clause.ID{
		"npa-r3@3.1.1", "npa-r3@3.1.2", "npa-r3@3.1.3", "npa-r3@3.1.4", "npa-r3@3.1.5", "npa-r3@3.1.5.1", "npa-r3@3.1.5.2",
		"npa-r3@3.2.1", "npa-r3@3.2.2", "npa-r3@3.2.3", "npa-r3@3.2.4", "npa-r3@3.2.5", "npa-r3@3.3",
		"npa-r3@3.4.1", "npa-r3@3.4.2", "npa-r3@3.4.2.1", "npa-r3@3.4.2.2", "npa-r3@3.4.2.3", "npa-r3@3.4.2.4", "npa-r3@3.4.2.5",
		"npa-r3@3.4.2.6", "npa-r3@3.4.2.7", "npa-r3@3.4.3", "npa-r3@3.4.3.1", "npa-r3@3.4.3.2", "npa-r3@3.4.4", "npa-r3@3.4.5",
		"npa-r3@3.4.6", "npa-r3@3.4.6.1", "npa-r3@3.4.6.2", "npa-r3@3.4.7", "npa-r3@3.4.8", "npa-r3@3.4.9", "npa-r3@3.4.10",
		"npa-r3@3.4.10.1", "npa-r3@3.4.10.2", "npa-r3@3.4.10.3", "npa-r3@3.4.10.4", "npa-r3@3.4.11", "npa-r3@4", "npa-r3@5.1", "npa-r3@5.3",
	} {
		if !named[id] {
			t.Errorf("no kind and no field for %s", id)
		}
	}
}
