package kind_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"kakusho/kind"
)

// tree is records "name under", one a line, as a list that is a tree has them.
func tree(lines string) (f kind.Field, list []any) {
	f = field(kind.List)
	f.Name, f.Tree = "parties", "under"
	f.Of = []kind.Field{{Name: "name", Type: kind.String, Label: say("Name"), Required: true}, {Name: "under", Type: kind.String, Label: say("Under")}}
	for line := range strings.Lines(lines) {
		name, under, _ := strings.Cut(strings.TrimSpace(line), " ")
		record := map[string]any{"name": name}
		if under != "" {
			record["under"] = under
		}
		list = append(list, record)
	}
	return f, list
}

func drawn(f kind.Field, list []any) string {
	var out []string
	for _, b := range f.Branches(list) {
		out = append(out, fmt.Sprint(b.Depth, " ", b.Record["name"]))
	}
	return strings.Join(out, ", ")
}

func TestAListOfRecordsIsATree(t *testing.T) {
	for name, c := range map[string]struct{ lines, want string }{
		"no record":                            {"", ""},
		"records beside each other":            {"a\nb", "0 a, 0 b"},
		"one under another, which comes later": {"b a\na", "0 a, 1 b"},
		"three deep":                           {"a\nc b\nb a\nd", "0 a, 1 b, 2 c, 0 d"},
		"two of one name: under the first":     {"a\na\nb a", "0 a, 1 b, 0 a"},
	} {
		t.Run(name, func(t *testing.T) {
			f, list := tree(c.lines)
			v, err := f.Check(list)
			if err != nil {
				t.Fatal(err)
			}
			checked, _ := v.([]any)
			if got := drawn(f, checked); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWhatIsNoTreeIsRefusedAtTheRecord(t *testing.T) {
	for name, c := range map[string]struct{ lines, field string }{
		"under nobody of the list": {"a\nb c", "parties[1].under"},
		"under itself":             {"a a", "parties[0].under"},
		"under each other":         {"x\na b\nb a", "parties[1].under"},
		"under a ring":             {"c a\na b\nb a", "parties[0].under"},
	} {
		t.Run(name, func(t *testing.T) {
			f, list := tree(c.lines)
			_, err := f.Check(list)
			var fault kind.Fault
			if !errors.As(err, &fault) || fault.Field != c.field || !fault.Message.Complete() {
				t.Errorf("got %v", err)
			}
			if _, err := f.CheckObserved(list); err != nil {
				t.Errorf("what a machine brings is kept: %v", err)
			}
		})
	}
}

// FuzzBranches: a list that is a tree is drawn whole, one that is none does not hang.
func FuzzBranches(f *testing.F) {
	f.Add("a\nb a\nc b")
	f.Add("a b\nb a")
	f.Fuzz(func(t *testing.T, lines string) {
		field, list := tree(lines)
		if len(list) > 50 {
			return
		}
		n := len(field.Branches(list))
		v, err := field.Check(list)
		if checked, _ := v.([]any); err == nil && len(field.Branches(checked)) != len(checked) || n > len(list) {
			t.Errorf("%d of %d are drawn", n, len(list))
		}
	})
}
