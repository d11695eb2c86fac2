package judge_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/control"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/verdict"
)

// TestControls runs every case of every control, as
// TestControls/<area>/<name>/<case>. KAKUSHO_CONTROLS names the areas or
// controls to load, comma-separated, while others are being written.
func TestControls(t *testing.T) {
	kinds, d := kind.Default(), directive.Default()
	var folders fs.FS = os.DirFS("../control")
	if only := os.Getenv("KAKUSHO_CONTROLS"); only != "" {
		folders = some{folders, strings.Split(only, ",")}
	}
	controls, err := control.Load(folders, kinds, d)
	if err != nil {
		t.Fatal(err)
	}
	ways := slices.Sorted(maps.Keys(obscurities))
	for i, c := range controls {
		obscured := ways
		if os.Getenv("KAKUSHO_NIGHTLY") == "" {
			obscured = ways[i%len(ways):][:1] // each control in one of the ways
		}
		t.Run(c.ID, func(t *testing.T) {
			r, err := judge.Compile(c, kinds, d.Parameters, judge.EffectiveFrom(d.EffectiveFrom))
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range c.Cases {
				t.Run(x.Name, func(t *testing.T) {
					if err := judge.Case(r, x, kinds, d.Parameters); err != nil {
						t.Errorf("%s/cases.txtar:%d: %v", c.Dir, x.Line, err)
					}
					checkCase(t, r, judge.CaseSubject(r, x, kinds), judge.CaseValues(x, d.Parameters), x.At)
				})
			}
			for _, k := range c.Kinds {
				nothing := judge.Subject{Ref: fact.NewRef(k, "nothing")}
				if v := r.Judge(nothing, d.Parameters.Resolve(nil, directive.Scope{}, now), now, nil); v.Outcome == verdict.Conforms {
					t.Errorf("a %s of which nothing is known conforms: %+v", k, v.Reasons)
				}
				for _, name := range obscured {
					change := obscurities[name]
					v := r.Judge(obscure(kinds[k], change), d.Parameters.Resolve(nil, directive.Scope{}, now), now, nil)
					if v.Outcome == verdict.Conforms || v.Outcome == verdict.Error {
						t.Errorf("a %s of which all facts are %s is %q: %+v", k, name, v.Outcome, v.Reasons)
					}
				}
			}
		})
	}
}

// obscurities are ways in which a fact tells nothing.
var obscurities = map[string]func(*judge.Cell){
	"denied":      status(fact.Denied, "permission"),
	"timed out":   status(fact.Timeout, "no answer"),
	"failed":      status(fact.Error, "panic"),
	"of a status": status("odd", ""),
	"mistyped":    func(c *judge.Cell) { c.Fact.Value = struct{}{} },
	"future":      func(c *judge.Cell) { c.ObservedAt = now.Add(day) },
}

// obscure is a subject of whose every field something was seen that tells nothing.
func obscure(k kind.Kind, change func(*judge.Cell)) judge.Subject {
	s := judge.Subject{Ref: fact.NewRef(k.ID, "obscure"), Facts: map[string]judge.Cell{}, Declared: map[string]judge.Cell{}}
	for _, f := range k.Fields {
		c := judge.Cell{Fact: fact.Fact{Field: f.Name, Status: fact.Observed}, ObservedAt: now}
		change(&c)
		s.Facts[f.Name], s.Declared[f.Name] = c, c
	}
	return s
}

// checkCase holds a case against what must be true of every judgement.
func checkCase(t *testing.T, r *judge.Rule, s judge.Subject, p directive.Values, at time.Time) {
	if d := r.Disagreement(s, p, at); d != "" {
		t.Error(d)
	}
	v := r.Judge(s, p, at, nil)
	a, err := json.Marshal(v)
	b, _ := json.Marshal(r.Judge(s, p, at, nil))
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("judged twice: %v\n%s\n%s", err, a, b)
	}
	for _, cells := range []map[string]judge.Cell{s.Facts, s.Declared} {
		for name, c := range cells {
			delete(cells, name)
			fewer := r.Judge(s, p, at, nil)
			if opposite(v.Outcome, fewer.Outcome) {
				t.Errorf("%q, but %q without %s", v.Outcome, fewer.Outcome, name)
			}
			if d := r.Disagreement(s, p, at); d != "" {
				t.Errorf("without %s: %s", name, d)
			}
			cells[name] = c
		}
	}
}

func opposite(a, b verdict.Outcome) bool {
	return a == verdict.Conforms && b == verdict.Violates || a == verdict.Violates && b == verdict.Conforms
}

// some shows only the controls named.
type some struct {
	fs.FS
	names []string
}

func (s some) Glob(pattern string) ([]string, error) {
	found, err := fs.Glob(s.FS, pattern)
	return slices.DeleteFunc(found, func(dir string) bool {
		return !slices.ContainsFunc(s.names, func(n string) bool { return dir == n || strings.HasPrefix(dir, n+"/") })
	}), err
}
