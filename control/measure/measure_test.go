package measure_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"kakusho/control"
	"kakusho/control/measure"
	"kakusho/directive"
	"kakusho/kind"
)

// Every choice of the parameter is a measure that its controls can show, under values
// that they read.
func TestTheCatalogueIsWhole(t *testing.T) {
	d := directive.Default()
	controls := map[string]control.Control{}
	for _, c := range control.Default(kind.Default(), d) {
		controls[c.ID] = c
	}
	var names []string
	for _, m := range measure.Of(d, controls) {
		names = append(names, m.ID)
		if len(m.Holds) == 0 != (m.ID == measure.Other) {
			t.Errorf("%s: %d controls", m.ID, len(m.Holds))
		}
		for _, h := range m.Holds {
			for key, text := range h.With {
				if !slices.Contains(controls[h.Control].Parameters, key) {
					t.Errorf("%s: %s does not read %s", m.ID, h.Control, key)
				}
				v, err := d.Parameters[key].Check(text)
				if err != nil {
					t.Errorf("%s: %s: %v", m.ID, key, err)
				}
				if p := d.Parameters[key]; v != nil && m.ID != "manual-time-check" && !d.Parameters.Tightens(key, p.Default, v) {
					t.Errorf("%s: %s is looser than what is asked of everybody", m.ID, key)
				}
			}
		}
	}
	for _, choice := range d.Parameters[measure.Key].Choices {
		if !slices.Contains(names, choice.Value) {
			t.Errorf("%s may be chosen and is in no catalogue", choice.Value)
		}
	}
	if all, ok := d.Parameters[measure.Key].Default.([]any); !ok || len(all) != len(names) {
		t.Errorf("%d measures may be chosen, %d are there", len(all), len(names))
	}
}

func TestABrokenMeasureIsRefused(t *testing.T) {
	const about = "about: {ja: あ, en: a}\n"
	for name, text := range map[string]string{
		"another id": "id: y\n" + about, "no text": "id: x\n", "an unknown key": "id: x\nwho: me\n" + about, "no control": "id: x\n" + about + "holds: [{with: {a.b: 1}}]\n",
		"a control with a question mark": "id: x\n" + about + "holds: [{control: 'a/b?c=d'}]\n", "half a language": "id: x\nabout: {ja: あ}\n",
	} {
		if m, err := measure.Load(fstest.MapFS{"x.yaml": {Data: []byte(text)}}); err == nil {
			t.Errorf("%s: read as %+v", name, m)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("id: x\nabout: {ja: あ, en: a}\nholds: [{control: a/b, with: {k: '1'}}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := measure.Load(fstest.MapFS{"x.yaml": {Data: []byte(text)}})
		if err == nil && (len(all) != 1 || all[0].ID != "x" || len(all[0].Conditions()) != len(all[0].Holds)) {
			t.Errorf("%+v", all)
		}
	})
}
