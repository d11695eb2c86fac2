package clause_test

import (
	"slices"
	"testing"

	"kakusho/clause"
)

func TestParseTakesWhatTheDirectiveNumbersAndNothingElse(t *testing.T) {
	for _, s := range []string{"npa-r3@2.3.1", "npa-r3@2.3.1.1", "npa-r3@4", "npa-r3@5.1", "npa-r3@2.0", "x@99"} {
		if id, err := clause.Parse(s); err != nil || string(id) != s {
			t.Errorf("Parse(%q) = %q, %v", s, id, err)
		}
	}
	for _, s := range []string{"", "npa-r3", "@2", "npa-r3@", "npa-r3@2.", "npa-r3@02", "npa-r3@2.100", "npa-r3@2.-1", "NPA@2", "npa r3@2", "npa-r3@2.3.1.1.1", "npa-r3@2.３"} {
		if id, err := clause.Parse(s); err == nil {
			t.Errorf("Parse(%q) = %q, want an error", s, id)
		}
	}
}

func TestCompareOrdersAsTheDirectiveIsPrinted(t *testing.T) {
	want := []clause.ID{"a@9", "npa-r3@2.0", "npa-r3@2.1.1", "npa-r3@2.2", "npa-r3@2.2.4", "npa-r3@2.3.1", "npa-r3@2.3.1.1", "npa-r3@2.3.1.2",
		"npa-r3@2.3.2", "npa-r3@2.10.1", "npa-r3@2.15.5", "npa-r3@3.4.2", "npa-r3@3.4.10", "npa-r3@3.4.11", "npa-r3@4", "npa-r3@5.1"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, clause.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for _, a := range want {
		for _, b := range want {
			if clause.Compare(a, b) != -clause.Compare(b, a) || (clause.Compare(a, b) == 0) != (a == b) {
				t.Errorf("Compare(%s, %s) and back do not agree", a, b)
			}
		}
	}
}

func TestLevels(t *testing.T) {
	id := clause.ID("npa-r3@2.3.1.2")
	if id.Section() != "npa-r3@2.3" || id.Source() != "npa-r3" || !slices.Equal(id.Numbers(), []int{2, 3, 1, 2}) {
		t.Errorf("section %s, source %s, numbers %v", id.Section(), id.Source(), id.Numbers())
	}
	if up, ok := id.Parent(); !ok || up != "npa-r3@2.3.1" {
		t.Errorf("parent %s %v", up, ok)
	}
	if up, ok := clause.ID("npa-r3@4").Parent(); ok {
		t.Errorf("npa-r3@4 has the parent %s", up)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"npa-r3@2.3.1", "@", "a@0.0.0.0", "npa-r3@2..1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := clause.Parse(s)
		if err != nil {
			return
		}
		if again, err := clause.Parse(string(id)); err != nil || again != id || clause.Compare(id, id) != 0 || len(id.Numbers()) == 0 {
			t.Errorf("%q does not come back: %q %v %v", s, again, err, id.Numbers())
		}
	})
}
