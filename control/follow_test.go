package control_test

import (
	"path"
	"path/filepath"
	"slices"
	"testing"

	"kakusho/clause"
	"kakusho/control"
	"kakusho/directive/library"
)

func TestEveryControlFollowsItsClauses(t *testing.T) {
	lib := library.Shipped()
	all := control.Default(kinds, lib.Directives[0])
	for _, d := range lib.Directives {
		controls := control.For(kinds, lib, d)
		if len(controls) < len(all)*9/10 {
			t.Errorf("%s has %d controls of %d", d.Source, len(controls), len(all))
		}
		for i, c := range controls {
			if i > 0 && controls[i-1].ID >= c.ID {
				t.Errorf("%s: %s does not come after %s", d.Source, c.ID, controls[i-1].ID)
			}
			for _, id := range c.Clauses {
				if _, ok := d.Clause(id); !ok {
					t.Errorf("%s: %s checks %s", d.Source, c.ID, id)
				}
			}
			for _, key := range c.Parameters {
				if _, ok := d.Parameters[key]; !ok {
					t.Errorf("%s: %s reads %s", d.Source, c.ID, key)
				}
			}
		}
	}
}

// A control whose main clause is of no directive on hand would be passed over by
// each of them.
func TestEveryFolderIsAControlOfSomeDirective(t *testing.T) {
	folders, err := filepath.Glob("*/*/control.yaml")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, d := range library.All() {
		n += len(control.Default(kinds, d))
	}
	if n != len(folders) {
		t.Errorf("the directives have %d controls of their own, and there are %d folders", n, len(folders))
	}
}

// The clauses of a successor or of another body that no control checks are new
// there, each for a reason its note gives.
func TestWhatNoControlChecksIsNew(t *testing.T) {
	lib := library.Shipped()
	for source, want := range map[string][]clause.ID{
		"npa-r3": nil, "cjis": nil,
		"npa-next": {"npa-next@4.2.1", "npa-next@5.3.1", "npa-next@7.3.1", "npa-next@8.1.1", "npa-next@8.2.1"},
	} {
		d, _ := lib.Of(source)
		if got := control.Coverage(d, control.For(kinds, lib, d)); !slices.Equal(got, want) {
			t.Errorf("%s: nothing checks %v, want %v", source, got, want)
		}
	}
}

func TestEveryPatternOfACrosswalkNamesAControlOfItsClause(t *testing.T) {
	lib := library.Shipped()
	for _, x := range lib.Crosswalks {
		from, _ := lib.Of(x.From)
		controls := control.For(kinds, lib, from)
		for _, r := range x.Rows {
			for _, patterns := range r.Controls {
				for _, p := range patterns {
					if !slices.ContainsFunc(controls, func(c control.Control) bool {
						ok, _ := path.Match(p, c.ID)
						return ok && slices.ContainsFunc(c.Clauses, func(id clause.ID) bool { return slices.Contains(r.From, id) })
					}) {
						t.Errorf("%s to %s: %v: no control is %s", x.From, x.To, r.From, p)
					}
				}
			}
		}
	}
}

func TestAnExceptionTheOtherDirectiveDoesNotKnowIsGrantedNoMore(t *testing.T) {
	x, err := library.ReadCrosswalk("a--b.yaml", []byte(`from: a
to: b
note: {ja: 注, en: Note}
rows:
  - {from: ["1.1"], to: ["2.1"], relation: changed}
  - {from: ["1.2"], to: ["2.2"], relation: changed}
  - {from: ["1.3"], to: [], relation: repealed}
`))
	if err != nil {
		t.Fatal(err)
	}
	c := control.Control{
		ID: "area/name", Clauses: []clause.ID{"a@1.1", "a@1.3"}, Rule: "s.volumes", Applies: `s.role == "server"`,
		Needs: []string{"chassis", "role", "volumes", "zone_class"}, Parameters: []string{"x.kept", "x.lost"},
		Exceptions: []control.Exception{{Clause: "a@1.2", When: "d.chassis == p.x_kept"}, {Clause: "a@1.3", When: "s.zone_class > p.x_lost"}},
	}
	got := control.Follow([]control.Control{c, {ID: "area/gone", Clauses: []clause.ID{"a@1.3"}}}, x)
	if len(got) != 1 {
		t.Fatalf("followed %v", got)
	}
	if f := got[0]; !slices.Equal(f.Clauses, []clause.ID{"b@2.1"}) || len(f.Exceptions) != 1 || f.Exceptions[0].Clause != "b@2.2" ||
		!slices.Equal(f.Needs, []string{"chassis", "role", "volumes"}) || !slices.Equal(f.Parameters, []string{"x.kept"}) {
		t.Errorf("followed %+v", f)
	}
	if len(c.Exceptions) != 2 || len(c.Needs) != 4 {
		t.Error("the control that was followed is another now")
	}
}
