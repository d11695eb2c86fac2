// Package measure is the catalogue of alternative measures: what may stand in for a
// requirement while it is deferred.
//
// A measure is one file, named after its ID. It says which controls must hold, and under
// which values, for it to be in place: so that whether it is, the judge says, and not
// the application. Which measures may be chosen the directive's parameter
// defer.measures says, whose choices carry their labels.
package measure

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kakusho/bilingual"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
)

//go:embed *.yaml
var files embed.FS

// Key is the parameter that lists the measures which may be chosen.
const Key = "defer.measures"

// Other is the measure that the catalogue does not know: whoever chooses it names the
// controls that show it.
const Other = "other"

// Measure is one alternative measure.
type Measure struct {
	ID    string         `yaml:"id"`
	Label bilingual.Text `yaml:"-"` // of the parameter's choice
	About bilingual.Text `yaml:"about"`
	Holds []Hold         `yaml:"holds,omitempty"`
}

// Hold is a control that must hold for the measure to be in place.
type Hold struct {
	Control string            `yaml:"control"`
	With    map[string]string `yaml:"with,omitempty"` // values it is held to, instead of those determined
}

// Conditions are what a decision that rests on the measure is held to.
func (m Measure) Conditions() []string {
	out := make([]string, len(m.Holds))
	for i, h := range m.Holds {
		out[i] = decision.Condition(h).String()
	}
	return out
}

// Of is the catalogue for a directive and its controls, in the order of the parameter's
// choices. What the directive's controls cannot show is not in it. It panics when a file
// is broken, which go test finds first.
func Of(d *directive.Directive, controls map[string]control.Control) []Measure {
	all, err := Load(files)
	if err != nil {
		panic(err)
	}
	var out []Measure
	for _, choice := range d.Parameters[Key].Choices {
		i := slices.IndexFunc(all, func(m Measure) bool { return m.ID == choice.Value })
		if i < 0 || slices.ContainsFunc(all[i].Holds, func(h Hold) bool { _, ok := controls[h.Control]; return !ok }) {
			continue
		}
		m := all[i]
		m.Label = choice.Label
		out = append(out, m)
	}
	return out
}

// Load reads every measure of a folder, sorted by ID.
func Load(fsys fs.FS) ([]Measure, error) {
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, err
	}
	var out []Measure
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("measure %s: %w", name, err)
		}
		m, err := parse(text)
		if err == nil && m.ID != strings.TrimSuffix(name, ".yaml") {
			err = fmt.Errorf("its id is %q", m.ID)
		}
		if err != nil {
			return nil, fmt.Errorf("measure %s: %w", name, err)
		}
		out = append(out, m)
	}
	return out, nil
}

func parse(text []byte) (m Measure, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&m); err != nil {
		return Measure{}, err
	}
	if m.ID == "" || !m.About.Complete() {
		return Measure{}, fmt.Errorf("id and about, in both languages, are needed")
	}
	for _, h := range m.Holds {
		if c, err := decision.ParseCondition(decision.Condition(h).String()); err != nil || c.Control != h.Control {
			return Measure{}, fmt.Errorf("control %q is none", h.Control)
		}
	}
	return m, nil
}
