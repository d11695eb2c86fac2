package controls_test

import (
	"bytes"
	"os"
	"testing"

	"kakusho/bilingual"
	"kakusho/cmd/kakusho/controls"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/judge"
)

// TestThePageOfFieldsIsCurrent holds docs/fields.md against the kinds.
func TestThePageOfFieldsIsCurrent(t *testing.T) {
	var want bytes.Buffer
	d := controls.Desk(directive.Default())
	d.Fields(&want, control.Default(d.Kinds, d.Directive))
	got, err := os.ReadFile("../../../docs/fields.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("docs/fields.md is not what the kinds say; run: go run ./cmd/kakusho control fields > docs/fields.md")
	}
}

// TestEveryFieldThatShipsIsBrought lints what ships with the collectors there are.
func TestEveryFieldThatShipsIsBrought(t *testing.T) {
	d := controls.Desk(directive.Default())
	cs := control.WithCases(d.Kinds, d.Directive)
	rules, err := judge.Rules(cs, d.Kinds, d.Directive)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cs {
		for _, f := range d.Lint(c, rules[i]) {
			if f.Grave {
				t.Error(f.In(bilingual.EN))
			}
		}
	}
}
