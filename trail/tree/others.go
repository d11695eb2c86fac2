//go:build !cloud

package tree

import (
	"context"
	"strings"

	"kakusho/bilingual"
)

// others are the drivers beside files. Those of clouds are compiled in with the
// build tag cloud: they would double the program.
func others() []maker { return []maker{inMySQL, inNoCloud} }

// inNoCloud says how a program is built that has the driver.
var inNoCloud = maker{
	takes: func(setting string) bool {
		return strings.HasPrefix(setting, "aws:") || strings.HasPrefix(setting, "gcp:")
	},
	open: func(context.Context, Options) (store, error) { return nil, notBuilt{} },
}

// notBuilt is a person's mistake: it has a text in both languages, and the status of a wrong use.
type notBuilt struct{}

func (notBuilt) Error() string { return notBuilt{}.Text().EN }
func (notBuilt) Status() int   { return 2 }
func (notBuilt) Text() bilingual.Text {
	return bilingual.Say(
		"この実行ファイルには雲（AWS・GCP）の駆動部が組み込まれていない。go build -tags cloud ./cmd/kakusho で作ること（docs/keys.md 7.）。",
		"this program was built without the drivers for clouds (aws:, gcp:); build it with: go build -tags cloud ./cmd/kakusho (docs/keys.md, 7)")
}
