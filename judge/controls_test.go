package judge_test

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"kakusho/control"
	"kakusho/directive"
	"kakusho/judge"
	"kakusho/kind"
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
	for _, c := range controls {
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
				})
			}
		})
	}
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
